/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One request to a registry: authorised, tried again, kept to the speed that its host allows. For
 * the modules of manifest/registry/ only.
 *
 * What always holds:
 * - A 401 of the endpoint itself is answered (auth.h) and the request made once more, whatever else
 *   is said here. One of another origin, where a redirect or a Location has led, never is.
 * - Authorization and our certificate go to the origin of the endpoint alone.
 * - A refusal (401, 403) by another origin may pass: the link that led there was of its time.
 */
#ifndef XB_MANIFEST_REGISTRY_REQUEST_H
#define XB_MANIFEST_REGISTRY_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_request.h"
#include "manifest/reference.h"
#include "manifest/registry/auth.h"
#include "manifest/registry/hosts.h"
#include "manifest/registry/registry.h"

/** A request; all is borrowed. Starts with those of XB_REGISTRY_REQUEST_INIT. */
struct xb_registry_request {
	const struct xb_registry_endpoint *endpoint;
	const char *actions; /**< "pull", "pull,push", …: what it wants to be allowed */
	const char *from;    /**< another repository that it pulls from, or NULL */
	/** Method, URL, headers, body, callbacks, limits, as for xb_http_perform(); who it is and
	 *  how often it is tried is decided here. */
	struct xb_http_request http;
	bool once; /**< what may pass is given back as it is, but for 401 */
};

/** A request to `e` that wants `may`, of any size of answer that XB_MAX_HTTP_TEXT allows. */
#define XB_REGISTRY_REQUEST_INIT(e, may)                                                           \
	((struct xb_registry_request){                                                             \
		.endpoint = (e), .actions = (may), .http = { .max_size = XB_MAX_HTTP_TEXT } })

/** How often something has been tried. Starts zeroed. */
struct xb_registry_tries {
	unsigned count;
	uint64_t since; /**< when it was first refused for being too much, or 0 */
};

/**
 * Make a request; 0 with its answer in `ret` (empty on entry) whatever the status. Errors:
 * those of xb_http_perform() and xb_auth_answer(), with `ret->may_pass` set.
 */
int xb_registry_perform(struct xb_registry *registry, const struct xb_registry_request *request,
			struct xb_http_response *ret, struct xb_error *err);

/**
 * What came of a request (`r` with `response`) may pass and has not been tried too often: pause,
 * empty both, and return 1. Else 0. -ECANCELED.
 */
int xb_registry_again(struct xb_registry *registry, const struct xb_registry_request *request,
		      struct xb_registry_tries *tries, int r, struct xb_http_response *response,
		      struct xb_error *err);

/**
 * The error of an answer that is not what was wanted: its status, the registry's words, and what to
 * do; -ENOENT, -EACCES, -EREMOTEIO; -EPROTO for a success.
 */
int xb_registry_fail(struct xb_registry *registry, const struct xb_registry_request *request,
		     const struct xb_http_response *response, struct xb_error *err);

/** xb_registry_perform(), and xb_registry_fail() for any other status than 2xx. */
int xb_registry_ask(struct xb_registry *registry, const struct xb_registry_request *request,
		    struct xb_http_response *ret, struct xb_error *err);
/** xb_registry_ask() for a document of `max` bytes at most, which goes to `ret_body`. */
int xb_registry_fetch(struct xb_registry *registry, const struct xb_registry_request *request,
		      struct xb_str *ret_body, struct xb_http_response *ret, struct xb_error *err);

/**
 * "URL/PATH/what" at an endpoint, `what` by a format without '?', and a mirror's namespace; `query`
 * ("n=1", NULL: none) behind it. malloc()ed.
 */
char *xb_registry_url(const struct xb_registry_endpoint *endpoint, const char *query,
		      const char *format, ...) __attribute__((format(printf, 3, 4)));
/** Append a value of a query, all but letters, digits and "-._~:/" encoded. */
void xb_registry_query(struct xb_str *s, const char *value);

/**
 * Ask one endpoint of `ref` after the other until `read` succeeds: mirrors, then the registry
 * itself, whose error is the one that counts. What is not of the fault classes registry, source and
 * proof ends it at once.
 */
int xb_registry_each(struct xb_registry *registry, const struct xb_reference *ref,
		     int (*read)(void *context, const struct xb_registry_endpoint *endpoint,
				 struct xb_error *err),
		     void *context, struct xb_error *err);
/** The endpoint of `ref` that is written to: the last of `endpoints`, which keeps it. */
int xb_registry_origin(struct xb_registry *registry, const struct xb_reference *ref,
		       struct xb_registry_endpoints *endpoints,
		       const struct xb_registry_endpoint **ret, struct xb_error *err);

#endif
