/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a 401 asks for: the challenges of its WWW-Authenticate headers. Pure functions over bytes
 * that a stranger sent.
 *
 * Source: RFC 9110, 11.2 to 11.6.1; distribution's token authentication specification.
 */
#ifndef XB_MANIFEST_REGISTRY_CHALLENGE_H
#define XB_MANIFEST_REGISTRY_CHALLENGE_H

#include "base/array.h"
#include "base/error.h"

/** The most challenges of one answer. */
#define XB_MAX_CHALLENGES 16

/** One challenge; all strings are owned, and NULL where it does not have them. */
struct xb_challenge {
	char *scheme; /**< in lower case: "basic", "bearer" */
	char *realm;  /**< of bearer: the URL of the token server, not checked in any way */
	char *service;
	char *scope; /**< "repository:library/debian:pull", with spaces between several */
	char *error; /**< "invalid_token", "insufficient_scope" */
};
struct xb_challenges XB_ARRAY(struct xb_challenge);

/** Release. */
void xb_challenges_clear(struct xb_challenges *challenges);
#define xb_auto_challenges XB_CLEANUP(xb_challenges_clear)

/**
 * Read all challenges of an answer's headers (base/http_header.h) into `ret`, empty on entry; none
 * is not an error. Errors: -EPROTO for what has not their form: a parameter that is there twice, an
 * open quote, more than XB_MAX_CHALLENGES; without repeating it.
 */
int xb_challenges_read(const struct xb_strv *headers, struct xb_challenges *ret,
		       struct xb_error *err);

/** The first challenge of a scheme (lower case), borrowed, or NULL. */
const struct xb_challenge *xb_challenges_find(const struct xb_challenges *challenges,
					      const char *scheme);

#endif
