/* SPDX-License-Identifier: Apache-2.0 */
/**
 * One upload of a blob, as a registry keeps it: its session, and how far it has got. For
 * manifest/registry/blob_put.c.
 *
 * Each function is one request. A session's URL changes with each answer that names another one;
 * it may lead to another host, which then gets no credentials, but never from https to http.
 */
#ifndef XB_MANIFEST_REGISTRY_UPLOAD_H
#define XB_MANIFEST_REGISTRY_UPLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "manifest/registry/request.h"

/** An upload. The upper part is the caller's. */
struct xb_upload {
	struct xb_registry *registry;
	const struct xb_registry_endpoint *endpoint;
	const struct xb_descriptor *blob;
	const struct xb_blob_source *source;

	char *location;	  /**< the session's URL, owned; NULL: there is none */
	uint64_t offset;  /**< the bytes that the registry has */
	uint64_t minimum; /**< the fewest bytes of a piece but the last that it takes */
	uint64_t at;	  /**< of the request under way: the next byte to send */
	uint64_t end;	  /**< likewise: behind its last byte */
	uint64_t begin;	  /**< likewise: its first byte */
};

/** Release what it holds. */
void xb_upload_clear(struct xb_upload *u);

/** What came of one request: `r` and `response` are for xb_registry_again() and _fail(). */
struct xb_upload_answer {
	struct xb_registry_request request;
	struct xb_http_response response;
};

/** Release what it holds. */
void xb_upload_answer_clear(struct xb_upload_answer *answer);

/**
 * Begin a session; `query` is that of a mount, or NULL. 0 with a session, 1 when there is none
 * because the registry has the blob already (201). Errors: those of xb_registry_ask(), -EPROTO
 * (an answer without a Location), -EPERM (a Location that leads to http).
 */
int xb_upload_open(struct xb_upload *u, const char *query, const char *from, struct xb_error *err);

/** Send the bytes from `offset` to `end` (PATCH), once. 0 whatever the status is, as for
 *  xb_registry_perform(). */
int xb_upload_send(struct xb_upload *u, uint64_t end, struct xb_upload_answer *ret,
		   struct xb_error *err);
/** Send the rest from `offset` on, which may be nothing, and finish (PUT), once. */
int xb_upload_finish(struct xb_upload *u, struct xb_upload_answer *ret, struct xb_error *err);

/**
 * Take over what the answer to xb_upload_send() says of the session. -EPROTO: it makes no sense,
 * the session is of no use any more.
 */
int xb_upload_sent(struct xb_upload *u, const struct xb_http_response *response,
		   struct xb_error *err);
/**
 * Ask the registry how far it is. 1: `offset` is what it says; 0: it cannot say for sure, or has no
 * such session. Errors: those of xb_registry_perform().
 */
int xb_upload_ask(struct xb_upload *u, struct xb_error *err);
/** Have the session forgotten, if there is one: tried once, quickly, whatever comes of it. */
void xb_upload_cancel(struct xb_upload *u);

#endif
