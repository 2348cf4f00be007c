/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The `created_by` text of a history entry, as BuildKit's Dockerfile frontend spells it, so that
 * `docker history` reads the same. All results are malloc()ed.
 * Source: BuildKit, dockerfile2llb/convert.go; OCI image-spec 1.1 config.md, "history".
 */
#ifndef XB_BUILDER_PLAN_HISTORY_H
#define XB_BUILDER_PLAN_HISTORY_H

#include "base/array.h"
#include "builder/plan/vars.h"
#include "manifest/config.h"

/** Ends the entries of RUN, COPY and ADD. */
#define XB_HISTORY_MARK " # buildkit"

/** "NAME word word". */
char *xb_history_words(const char *instruction, const struct xb_strv *words);
/** `NAME ["word" "word"]`: words quoted as Go's %q does it. */
char *xb_history_quoted(const char *instruction, const struct xb_strv *words);
/** "NAME [word word]". */
char *xb_history_list(const char *instruction, const struct xb_strv *words);
/**
 * "RUN |2 A=b C=d /bin/sh -c make # buildkit": the arguments that are `declared`, with the values
 * that `vars` has under their names (none: ""), then the command.
 */
char *xb_history_run(const struct xb_vars *declared, const struct xb_vars *vars,
		     const struct xb_strv *argv);
/** "HEALTHCHECK {Test:[CMD a b] Interval:1m30s Timeout:0s ...}": as Go's %+v writes the struct. */
char *xb_history_healthcheck(const struct xb_healthcheck *check);

#endif
