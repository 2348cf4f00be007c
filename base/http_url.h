/* SPDX-License-Identifier: Apache-2.0 */
/**
 * URLs of http and https, read by the same code of libcurl that follows them, so that what is
 * checked is what is connected to.
 */
#ifndef XB_BASE_HTTP_URL_H
#define XB_BASE_HTTP_URL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

/** The most bytes of a URL, in a Dockerfile as in a Location: 16 KiB. */
#define XB_MAX_HTTP_URL ((size_t)16 << 10)

/** A URL taken apart; all strings are owned. Starts as XB_HTTP_URL_INIT. */
struct xb_http_url {
	char *text;   /**< what to ask for: no user name or password, no fragment */
	char *origin; /**< "https://host:443": whom credentials belong to; always with the port */
	char *host;   /**< lower case, an IPv6 address in its brackets */
	char *path;   /**< begins with '/'; decoded, unless control bytes would come out of it */
	char *user;  /**< "Basic …", the Authorization that its user and password make, or NULL */
	char *shown; /**< for messages: `text` with "?…" in the place of a query */
	bool tls;    /**< https */
};

#define XB_HTTP_URL_INIT ((struct xb_http_url){ 0 })

/** Release what it holds; it is then XB_HTTP_URL_INIT. */
void xb_http_url_clear(struct xb_http_url *url);
#define xb_auto_http_url XB_CLEANUP(xb_http_url_clear)

/**
 * Read an absolute URL; spaces in it are encoded. Errors: -EINVAL (malformed, another scheme,
 * control bytes, no host, longer than XB_MAX_HTTP_URL), without
 * repeating the URL, which may hold a password; -ENOSYS without libcurl.
 */
int xb_http_url_parse(const char *text, struct xb_http_url *ret, struct xb_error *err);
/**
 * Where a Location header leads from `base`: absolute or relative. A user name and password in it
 * are dropped. Errors: as xb_http_url_parse().
 */
int xb_http_url_resolve(const struct xb_http_url *base, const char *location,
			struct xb_http_url *ret, struct xb_error *err);

/** Append `data` as base64 with padding. */
void xb_http_base64(struct xb_view data, struct xb_str *ret);

#endif
