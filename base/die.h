/* SPDX-License-Identifier: Apache-2.0 */
/** The end of the process, for what no caller can answer. Below everything else of base/. */
#ifndef XB_BASE_DIE_H
#define XB_BASE_DIE_H

/** End the process with a sentence on standard error and exit status 1 (XB_FAULT_INTERNAL): for
 *  broken invariants and lost memory only. */
_Noreturn void xb_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
