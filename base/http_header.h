/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the headers of HTTP answers say. Pure functions over bytes that a stranger sent.
 *
 * Headers are kept as "name: value" in a struct xb_strv, in their order, names in lower case,
 * values without white space at their ends.
 * Source: RFC 9110.
 */
#ifndef XB_BASE_HTTP_HEADER_H
#define XB_BASE_HTTP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"

/**
 * Add one line, its end included or not; a line that begins with white space continues the last
 * one. -EPROTO: a name that is none, a byte in the value that no header may hold (NUL, CR).
 */
int xb_http_header_add(struct xb_strv *headers, struct xb_view line, struct xb_error *err);

/** The value of the header `name` (lower case) that comes `index`th (from 0), borrowed, or NULL. */
const char *xb_http_header(const struct xb_strv *headers, const char *name, size_t index);

/**
 * The value of a header that may be there once: 1 with `*ret_value` borrowed, 0 without one,
 * -EPROTO when it is there several times with different values.
 */
int xb_http_header_single(const struct xb_strv *headers, const char *name, const char **ret_value,
			  struct xb_error *err);

/** Content-Length: 1 with `*ret`, 0 without one, -EPROTO (several, no number, above 2^63-1). */
int xb_http_length(const struct xb_strv *headers, uint64_t *ret, struct xb_error *err);

/** What a Content-Range says. */
struct xb_http_range {
	uint64_t first;
	uint64_t last;	/**< inclusive, not before `first` */
	uint64_t total; /**< UINT64_MAX: it says "*" */
};

/** Content-Range of a part: 1 with `*ret`, 0 without one, -EPROTO for what makes no sense. */
int xb_http_range(const struct xb_strv *headers, struct xb_http_range *ret, struct xb_error *err);

/**
 * A date in any of the three forms that HTTP has, as seconds since 1970. Returns 0, or -EINVAL for
 * anything else: no other zone than GMT, no date that the calendar does not have.
 */
int xb_http_date(struct xb_view text, int64_t *ret_seconds);

/** Seconds that a Retry-After of a moment `now` asks to wait, 0 for the past, or -1: none that
 *  makes sense. */
int64_t xb_http_retry_after(const struct xb_strv *headers, int64_t now);

/**
 * What an If-Range request can name: a strong ETag, else a Last-Modified that is older than the
 * answer's Date by a second or more; borrowed, or NULL when the answer has neither. Source: RFC
 * 9110, 8.8.2.2 and 13.1.5.
 */
const char *xb_http_validator(const struct xb_strv *headers);

#endif
