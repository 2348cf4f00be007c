/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One exchange with a token server.
 *
 * Source: distribution's token and oauth2 authentication specifications; RFC 6749, 6.
 */
#ifndef XB_MANIFEST_REGISTRY_TOKEN_H
#define XB_MANIFEST_REGISTRY_TOKEN_H

#include "base/array.h"
#include "manifest/registry/credential.h"
#include "manifest/registry/realm.h"

/** The most bytes of a token server's answer. */
#define XB_MAX_TOKEN_DOCUMENT ((size_t)1 << 20)

/** What is asked for, of whom, by whom; all is borrowed. */
struct xb_token_request {
	const struct xb_realm *realm;
	const char *service;	      /**< as the challenge has it, or NULL */
	const struct xb_strv *scopes; /**< "repository:library/debian:pull"; may be empty */
	const struct xb_credential *credential; /**< empty: as nobody */
	int cancel_fd;				/**< as in struct xb_http_request */
	unsigned attempts;			/**< likewise */
	unsigned pause_ms;			/**< likewise */
};

/** What was given. Starts zeroed. */
struct xb_token {
	char *value;	  /**< of printable ASCII, without spaces */
	char *refresh;	  /**< a refresh token to use from now on, or NULL */
	uint64_t expires; /**< on xb_clock_monotonic(), with a margin for the way to the registry */
};

/** Wipe and release. */
void xb_token_clear(struct xb_token *token);
#define xb_auto_token XB_CLEANUP(xb_token_clear)

/**
 * Ask for a token: by GET with the password, by POST with the identity token (grant
 * "refresh_token"). A realm that is not trusted must not be asked with a credential.
 *
 * Errors: -EACCES (fault registry; 400, 401, 403: with the server's own words), -EPROTO (fault
 * registry: no token in the answer, or one that no header can hold), those of xb_http_perform()
 * and of other statuses.
 */
int xb_token_fetch(struct xb_http *http, const struct xb_token_request *request,
		   struct xb_token *ret, struct xb_error *err);

/** The value of a Basic Authorization, malloc()ed. */
char *xb_token_basic(const char *username, const char *password);

#endif
