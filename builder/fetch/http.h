/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Files from URLs: what ADD and a context of http: or https: name.
 *
 * A URL's record remembers the answer's ETag and Last-Modified, so that the next fetch only asks
 * whether it has changed. With a checksum that the store's copy has, nothing is asked at all.
 * What the network may do is in base/http.h.
 *
 * Source: BuildKit source/http, for names, times and the ids of the secrets.
 */
#ifndef XB_BUILDER_FETCH_HTTP_H
#define XB_BUILDER_FETCH_HTTP_H

#include <stdbool.h>

#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/fetch/fetch.h"

/** The most bytes of a file when `max_size` of the options is 0: 16 GiB. */
#define XB_MAX_FETCHED_FILE ((uint64_t)16 << 30)

/** Whether `text` begins as the URL of a file does: "http://" or "https://". */
bool xb_fetch_is_http(const char *text);

/**
 * Fetch `url`. The secret HTTP_AUTH_TOKEN_<host> ("Bearer " is put before it), else
 * HTTP_AUTH_HEADER_<host> (a whole header value), else a user name and password in the URL go to
 * its scheme, host and port and nowhere else.
 *
 * The file's name is `name` of the options, or the last component of the URL's path, decoded;
 * "__unnamed__" when the path has none or it cannot be a file's name. Content-Disposition is not
 * looked at: the Dockerfile frontend too knows the name before it asks.
 *
 * Errors, fault source: -EINVAL (not such a URL; a checksum that is none or of an algorithm other
 * than sha256, sha384, sha512), -EBADMSG (another checksum: both are named), -ENOENT (404, 410),
 * -EACCES (401, 403, 407), -EFBIG. Fault registry: -EPERM (a redirect that is not followed),
 * -ELOOP, -EKEYREJECTED (the certificate), -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH (no such host),
 * -EPROTO (not HTTP, a length that is wrong), -EREMOTEIO (another status). -ECANCELED: fault
 * interrupted.
 */
int xb_fetch_http(struct xb_store *store, const char *url, const struct xb_fetch_options *options,
		  struct xb_fetched *ret, struct xb_error *err);

#endif
