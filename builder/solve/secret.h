/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The secrets of a build: `--secret`, and what RUN --mount=type=secret gets.
 *
 * Their bytes are in memory alone: they reach steps in files in memory or in the environment, and
 * neither the store, nor a key, nor the log (mask.h).
 */
#ifndef XB_BUILDER_SOLVE_SECRET_H
#define XB_BUILDER_SOLVE_SECRET_H

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"

/** Bytes of a secret at most, as BuildKit has it. */
#define XB_MAX_SECRET ((size_t)500 << 10)

/** One secret. */
struct xb_secret {
	char *id;
	struct xb_str data;
};
struct xb_secrets XB_ARRAY(struct xb_secret);

/** Release, and overwrite the bytes. */
void xb_secrets_clear(struct xb_secrets *secrets);
#define xb_auto_secrets XB_CLEANUP(xb_secrets_clear)

/**
 * Read one value of --secret, "id=ID[,src=PATH|,env=NAME][,type=file|env]", and add the secret it
 * names to `secrets`: the file's bytes or the variable's. With neither, a variable called ID, else
 * a file. An unset variable adds nothing, as in BuildKit. Errors, fault usage: -EINVAL; -EFBIG;
 * those of reading the file.
 */
int xb_secret_parse(const char *text, struct xb_secrets *secrets, struct xb_error *err);

/** The secret of that id, borrowed, or NULL. The last of an id counts. */
const struct xb_secret *xb_secrets_find(const struct xb_secrets *secrets, const char *id);

#endif
