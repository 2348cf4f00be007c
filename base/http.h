/* SPDX-License-Identifier: Apache-2.0 */
/**
 * HTTP requests, for everything that xbuild fetches or sends.
 *
 * What always holds:
 * - Only http and https; from https never back to http. TLS 1.2 or later, by the certificates that
 *   the system trusts (SSL_CERT_FILE and SSL_CERT_DIR name others); proxies as the environment says
 *   (http_proxy, https_proxy, no_proxy); never ~/.netrc, cookies, or bytes other than those sent
 *   (no Content-Encoding is undone, unless the request says `decode`).
 * - Redirects are followed here and not by libcurl, at most 10; one to a link-local address is
 *   refused. Credentials go to the scheme, host and port of the request's own URL, and to nobody
 *   any more once a redirect has left them.
 * - A connection that is cut, 408, 429 and 5xx are tried again after a growing, random pause or the
 *   one that Retry-After asks for, a connection that is refused by an address or by this machine
 *   only once; what came already is not sent again where the server can continue it and says that
 *   it is still the same.
 * - A body that is shorter or longer than its length is an error, never a result.
 * - Headers are limited to 256 KiB and 1000 lines an answer, a body by `max_size`, a silent server
 *   by time.
 * - No user name, password, header or query of a URL gets into a message.
 *
 * Messages name the origin and path. Faults: registry for the network and the other side, source
 * for a URL that is none and a body larger than `max_size`, interrupted, and those of the callbacks
 * as they give them. Source: RFC 9110, RFC 9112.
 */
#ifndef XB_BASE_HTTP_H
#define XB_BASE_HTTP_H

#include "base/error.h"
#include "base/http_request.h"

/**
 * Make a request and receive its answer, redirects followed. Returns 0 with `ret` (empty on entry)
 * filled whatever the status is: xb_http_refuse() makes an error of one. What came is in the
 * callbacks' hands by then.
 *
 * Tried again: GET, HEAD, PUT and DELETE, the latter with a body only when `rewind` is there.
 * After 301, 302 and 303 a request other than GET and HEAD goes on as a GET without its body.
 *
 * Errors: -EINVAL (the URL or a header is malformed), -EPERM (a redirect that is not followed),
 * -ELOOP (too many), -EFBIG, -EPROTO (what came is not HTTP, or not what its headers say),
 * -EKEYREJECTED (the certificate), -EHOSTUNREACH (no such host), -ECONNREFUSED and others of
 * connect(), -ECONNRESET (cut, time and again), -ETIMEDOUT, -ECANCELED, -ENOSYS; those of the
 * callbacks.
 */
int xb_http_perform(struct xb_http *http, const struct xb_http_request *request,
		    struct xb_http_response *ret, struct xb_error *err);

/**
 * The error that an answer means whose status is no success: -ENOENT (404, 410; fault source),
 * -EACCES (401, 403, 407; fault source), else -EREMOTEIO (fault registry); with the status, who
 * answered, and a hint.
 */
int xb_http_refuse(const struct xb_http_response *response, struct xb_error *err);

#endif
