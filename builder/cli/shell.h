/* SPDX-License-Identifier: Apache-2.0 */
/** Words for a shell to read. */
#ifndef XB_BUILDER_CLI_SHELL_H
#define XB_BUILDER_CLI_SHELL_H

#include "base/array.h"

/** Append `word` so that a POSIX shell takes it for one word, as it is; plain ones without quotes.
 */
void xb_shell_append(struct xb_str *s, const char *word);
/** Append words with blanks between them. */
void xb_shell_append_all(struct xb_str *s, const struct xb_strv *words);

#endif
