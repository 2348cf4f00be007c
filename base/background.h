/* SPDX-License-Identifier: Apache-2.0 */
/** Threads whose work may wait while others have something to do. */
#ifndef XB_BASE_BACKGROUND_H
#define XB_BASE_BACKGROUND_H

/**
 * From now on the calling thread gets a processor after others do: about a tenth of it where one
 * with an ordinary priority wants it too, all of it where none does. Cannot be taken back. Where
 * the system forbids it nothing changes.
 */
void xb_background_enter(void);

#endif
