/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Image references: `[domain/]path[:tag][@digest]`.
 *
 * People write `debian:12`; registries and the store know `docker.io/library/debian:12`.
 * xb_reference_parse() reads what people write and gives the normalised form; only it is used for
 * names that users give. xb_reference_parse_exact() adds nothing.
 * Source: distribution/reference (reference.go, normalize.go, regexp.go).
 */
#ifndef XB_MANIFEST_REFERENCE_H
#define XB_MANIFEST_REFERENCE_H

#include <stdbool.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"

/** The longest path of a reference, in bytes; domain, tag and digest do not count. */
#define XB_MAX_REFERENCE_PATH 255

/** A reference; owns its strings. Starts as XB_REFERENCE_INIT. */
struct xb_reference {
	char *domain; /**< host with optional port; NULL only after xb_reference_parse_exact() */
	char *path;   /**< "library/debian"; NULL only while empty */
	char *tag;    /**< or NULL */
	struct xb_digest digest; /**< empty when there is none */
};

#define XB_REFERENCE_INIT ((struct xb_reference){ 0 })

/** Release what it owns; it is then XB_REFERENCE_INIT. */
void xb_reference_clear(struct xb_reference *ref);

#define xb_auto_reference XB_CLEANUP(xb_reference_clear)

/**
 * Read a reference as users write it into `ret` (empty on entry): docker.io and library/ are filled
 * in, index.docker.io becomes docker.io; no tag is made up. Errors: -EINVAL (a hint says what is
 * wrong with upper case and with 64 hexadecimal digits), -ENAMETOOLONG. No fault class is set,
 * since only the caller knows whether a command line or a Dockerfile is to blame.
 */
int xb_reference_parse(struct xb_view text, struct xb_reference *ret, struct xb_error *err);
/** Read a reference by the grammar alone; nothing is filled in. Errors as xb_reference_parse(). */
int xb_reference_parse_exact(struct xb_view text, struct xb_reference *ret, struct xb_error *err);

/** Whether `text` is 64 lower-case hexadecimal digits, which as a name would be an image's id. */
bool xb_reference_is_identifier(struct xb_view text);

/** Give a reference that has neither tag nor digest the tag "latest". */
void xb_reference_complete(struct xb_reference *ref);

/** `domain/path`, malloc()ed. */
char *xb_reference_name(const struct xb_reference *ref);
/** The whole, `domain/path[:tag][@digest]`, malloc()ed. */
char *xb_reference_format(const struct xb_reference *ref);
/** As people write it, without docker.io/ and library/ where they go without saying; malloc()ed. */
char *xb_reference_familiar(const struct xb_reference *ref);

#endif
