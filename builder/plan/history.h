/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The `created_by` text of a history entry, as Docker's builders spell it. All results are
 * malloc()ed. Source: OCI image-spec 1.1 config.md, "history"; what BuildKit writes.
 */
#ifndef XB_BUILDER_PLAN_HISTORY_H
#define XB_BUILDER_PLAN_HISTORY_H

#include <stdbool.h>

#include "base/array.h"

/** "NAME word word". */
char *xb_history_words(const char *instruction, const struct xb_strv *words);
/** `NAME ["word" "word"]`: words quoted as Go's %q does it for ASCII. */
char *xb_history_quoted(const char *instruction, const struct xb_strv *words);
/** "NAME [word word]". */
char *xb_history_list(const char *instruction, const struct xb_strv *words);
/** "RUN |2 A=b C=d /bin/sh -c make": the build arguments in effect, then the command. */
char *xb_history_run(const struct xb_strv *args, const struct xb_strv *argv);

#endif
