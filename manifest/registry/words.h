/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a registry or its token server says of an error, in its own words.
 *
 * Source: OCI distribution-spec 1.1, "Error Codes"; RFC 6749, 5.2; what Docker Hub ("details") and
 * GitHub ("message") send.
 */
#ifndef XB_MANIFEST_REGISTRY_WORDS_H
#define XB_MANIFEST_REGISTRY_WORDS_H

#include "base/error.h"
#include "base/http_request.h"

/** The most bytes of a stranger's words in a message. */
#define XB_MAX_REGISTRY_WORDS 400

/**
 * Append what the body of an answer that is no success says: the code and message of its errors,
 * or its first line when it is plain text; nothing for HTML, or what cannot be read. On one line,
 * at most XB_MAX_REGISTRY_WORDS bytes, printable UTF-8.
 */
void xb_registry_words(const struct xb_http_response *response, struct xb_str *ret);

/**
 * The error that an answer means (xb_http_refuse()), with its words behind it; the fault of a 401
 * or 403 is registry. Returns what that does.
 */
int xb_registry_refuse(const struct xb_http_response *response, struct xb_error *err);

#endif
