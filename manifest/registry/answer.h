/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the headers of a registry's answers say, as base/http_header.h keeps them. Pure functions
 * over bytes that a stranger sent; for words of errors see words.h.
 *
 * Source: OCI distribution-spec 1.1; RFC 8288.
 */
#ifndef XB_MANIFEST_REGISTRY_ANSWER_H
#define XB_MANIFEST_REGISTRY_ANSWER_H

#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"

/** Docker-Content-Digest: 1 with `*ret`, 0 without one, -EPROTO when it is none or there are two.
 */
int xb_registry_digest(const struct xb_strv *headers, struct xb_digest *ret, struct xb_error *err);

/** Content-Type without its parameters, malloc()ed, or NULL when there is none that is one. */
char *xb_registry_media_type(const struct xb_strv *headers);

/**
 * Range of an upload, "0-99" or "bytes=0-99": 1 with the last byte's number in `*ret_last`, 0
 * without one, -EPROTO when it makes no sense. An upload that has nothing yet is "0-0", too.
 */
int xb_registry_upload_range(const struct xb_strv *headers, uint64_t *ret_last,
			     struct xb_error *err);

/** The target of the first Link with rel="next", malloc()ed, or NULL. */
char *xb_registry_next(const struct xb_strv *headers);

#endif
