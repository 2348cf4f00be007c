/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Who may: the Authorization of requests to registries.
 *
 * A request is made with what xb_auth_get() knows, which at first is nothing. When the registry
 * refuses it with a 401, xb_auth_answer() does what that asks for, and the request is made once
 * more. When that is refused too, xb_auth_refuse() says why; there is no third time:
 *
 *	xb_auth_get(…, &authorization)		perform		200
 *							401	xb_auth_answer(…, &authorization)
 *								perform again	200
 *										401
 *xb_auth_refuse()
 *
 * What always holds:
 * - Only the registry's own word counts: a 401 of another origin than the endpoint's, where a
 *   redirect has led, is never answered.
 * - A password or refresh token goes to the registry and to the token server of its site, and to no
 *   other (realm.h); what the token server gives goes to the registry alone.
 * - One token is fetched for all threads that want the same; they wait for it.
 * - Tokens are kept in memory, for as long as they are good, and wiped.
 *
 * Source: distribution's token and oauth2 authentication specifications; RFC 6749, 6.
 */
#ifndef XB_MANIFEST_REGISTRY_AUTH_H
#define XB_MANIFEST_REGISTRY_AUTH_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/http_request.h"
#include "manifest/registry/credentials.h"
#include "manifest/registry/hosts.h"

/** For all threads of a run. */
struct xb_auth;

/** What it works with; all is borrowed until xb_auth_free(). */
struct xb_auth_options {
	const struct xb_registry_hosts *hosts;
	struct xb_credentials *credentials; /**< NULL: be nobody */
	int cancel_fd;			    /**< as in struct xb_http_request */
	unsigned attempts;		    /**< likewise */
	unsigned pause_ms;		    /**< likewise */
};

/** Make one, which knows nothing yet. */
struct xb_auth *xb_auth_new(const struct xb_auth_options *options);
/** Wipe and release; no thread may be in it. NULL is left alone. */
void xb_auth_free(struct xb_auth *auth);

XB_DEFINE_CLEANUP(xb_auth_cleanup, struct xb_auth, xb_auth_free)
#define xb_auto_auth XB_CLEANUP(xb_auth_cleanup)

/** What a request is to be allowed; all is borrowed. */
struct xb_auth_scope {
	const char *path;    /**< the repository as the endpoint calls it; NULL: none, for /v2/ */
	const char *actions; /**< "pull" or "pull,push" or "delete", …; NULL with no path */
	const char *from;    /**< another repository that is pulled from (mounts), or NULL */
};

/** Wipe and release the value of an Authorization; NULL is left alone. */
void xb_auth_value_free(char *value);

XB_DEFINE_CLEANUP(xb_auth_value_cleanup, char, xb_auth_value_free)
#define xb_auto_auth_value XB_CLEANUP(xb_auth_value_cleanup)

/**
 * What is known already: `*ret_value` gets the value of Authorization, for xb_auth_value_free(), or
 * NULL. No request is made.
 */
void xb_auth_get(struct xb_auth *auth, const struct xb_registry_endpoint *endpoint,
		 const struct xb_auth_scope *scope, char **ret_value);

/**
 * Do what a 401 asks for, unless another thread has done it meanwhile. `http` is the calling
 * thread's; `used` is what the refused request had (NULL: nothing). `*ret_value` is what to ask
 * once more with, for xb_auth_value_free().
 *
 * Errors: -EACCES (fault registry): there are no credentials, the token server refused them, the
 * registry asks for what is not had here, or it names a token server that may not have them;
 * -EPROTO (fault registry) for answers that make no sense; those of xb_http_perform() and of
 * xb_credentials_find().
 */
int xb_auth_answer(struct xb_auth *auth, struct xb_http *http,
		   const struct xb_registry_endpoint *endpoint, const struct xb_auth_scope *scope,
		   const struct xb_http_response *refused, const char *used, char **ret_value,
		   struct xb_error *err);

/**
 * The error of a 401 or 403 that is final, with the registry's own words, and a hint how to log in
 * or that the credentials in use may not do this. Returns -EACCES, fault registry.
 */
int xb_auth_refuse(struct xb_auth *auth, const struct xb_registry_endpoint *endpoint,
		   const struct xb_auth_scope *scope, const struct xb_http_response *refused,
		   struct xb_error *err);

#endif
