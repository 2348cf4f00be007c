/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One request to one URL and the answer to it, by libcurl; for base/http.c, which follows
 * redirects and tries again.
 */
#ifndef XB_BASE_HTTP_EXCHANGE_H
#define XB_BASE_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "base/http_request.h"
#include "base/http_url.h"

/** One exchange. The upper part is the caller's. */
struct xb_http_exchange {
	const struct xb_http_request *request; /**< limits, body to send, times, cancel_fd */
	const char *method;
	const struct xb_http_url *url;
	const struct xb_strv *headers; /**< all "Name: value" lines of the request */
	bool send_body;
	bool redirected;	       /**< then a link-local address is refused */
	const struct xb_http_tls *tls; /**< or NULL */
	bool left;		       /**< it is not the host that `tls` is about */
	bool decode;		       /**< `body` gets what a Content-Encoding stands for */
	void *context;		       /**< given to `head` and `body` */
	/** The final answer's headers are complete. A negative errno ends the exchange. */
	int (*head)(void *context, struct xb_http_exchange *x, struct xb_error *err);
	/** Bytes of the body: 0; 1: no more is wanted, which is a good end; or a negative errno. */
	int (*body)(void *context, const void *data, size_t len, struct xb_error *err);

	int status;	       /**< 0: none came */
	struct xb_strv answer; /**< its headers */
	uint64_t received;     /**< bytes of its body */
	bool again;	       /**< it failed in a way that may pass */
};

/** Release what it holds. */
void xb_http_exchange_clear(struct xb_http_exchange *x);

/**
 * Carry it out: 0 when an answer came whole (or as much as was wanted). Errors: as
 * xb_http_perform(), with `again` set; the message does not name the URL.
 */
int xb_http_exchange_run(struct xb_http *http, struct xb_http_exchange *x, struct xb_error *err);

#endif
