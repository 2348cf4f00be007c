/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Content digests: "sha256:" and 64, or "sha512:" and 128, lower-case hexadecimal digits.
 * A `struct xb_digest` holds the text form and is always either valid or empty (text[0] == 0).
 * Source: OCI image-spec 1.1 descriptor.md, "digests".
 */
#ifndef XB_BASE_DIGEST_H
#define XB_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

/** A digest as text; a plain value. */
struct xb_digest {
	char text[7 + 128 + 1];
};

/**
 * Read a digest. Returns 0 or -EINVAL (any other algorithm, length, case or trailing byte);
 * the only way foreign text becomes a digest, hence safe to use in a path.
 */
int xb_digest_parse(struct xb_view text, struct xb_digest *ret, struct xb_error *err);
/**
 * Read a checksum of a download: a digest as xb_digest_parse() reads it, or "sha384:" and 96
 * digits, which no descriptor and no path may have. Errors: as there.
 */
int xb_digest_parse_checksum(struct xb_view text, struct xb_digest *ret, struct xb_error *err);
/** Whether no digest has been set. */
bool xb_digest_empty(const struct xb_digest *d);
/** Whether two digests are the same (empty ones are). */
bool xb_digest_eq(const struct xb_digest *a, const struct xb_digest *b);
/** The algorithm's name as a view into `d` ("sha256"). */
struct xb_view xb_digest_algorithm(const struct xb_digest *d);
/** The hexadecimal digits, NUL-terminated, borrowed from `d`. */
const char *xb_digest_hex(const struct xb_digest *d);

/** SHA-256 of `len` bytes in memory. */
struct xb_digest xb_digest_of(const void *data, size_t len);

/**
 * The digest, by the algorithm of `like`, of a whole regular file from its beginning; the
 * descriptor's position stays. Returns 0 or the negative errno of reading.
 */
int xb_digest_of_file(int fd, const struct xb_digest *like, struct xb_digest *ret);

/** A running SHA-256 (or, for verification, SHA-384 or SHA-512); one thread at a time. */
struct xb_hasher;

/** Start a SHA-256. */
struct xb_hasher *xb_hasher_new(void);
/** Start the hash that `like` was made with, to verify it. */
struct xb_hasher *xb_hasher_new_like(const struct xb_digest *like);
/** Release; NULL is left alone. */
void xb_hasher_free(struct xb_hasher *h);

XB_DEFINE_CLEANUP(xb_hasher_cleanup, struct xb_hasher, xb_hasher_free)
#define xb_auto_hasher XB_CLEANUP(xb_hasher_cleanup)

/** Add bytes. */
void xb_hasher_add(struct xb_hasher *h, const void *data, size_t len);
/**
 * Add a byte string so that no two sequences of fields give the same input: its length as 8
 * big-endian bytes, then its bytes. For canonical encodings (step keys).
 */
void xb_hasher_field(struct xb_hasher *h, struct xb_view field);
/** Add a number as a field of 8 big-endian bytes. */
void xb_hasher_number(struct xb_hasher *h, uint64_t number);
/** Add a list that ends with NULL: how many there are, as a number, and each as a field. */
void xb_hasher_list(struct xb_hasher *h, const char *const *list);
/** The digest of everything added; the hasher starts afresh. */
struct xb_digest xb_hasher_finish(struct xb_hasher *h);

#endif
