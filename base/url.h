/* SPDX-License-Identifier: Apache-2.0 */
/** URLs in what people get to see: credentials are left out. */
#ifndef XB_BASE_URL_H
#define XB_BASE_URL_H

#include "base/str.h"

/**
 * Append `url` as it may be shown: without user name and password, and with "xxxxx" for the values
 * of those parameters of its query whose names say that they are secret (token, signature, …). The
 * "git@host:path" of ssh stays as it is.
 */
void xb_url_append_shown(struct xb_str *ret, const char *url);

/**
 * Append text of any kind (a line of a Dockerfile, a message) with a '*' for each byte of the user
 * names and passwords of the URLs in it, so that places in the line stay where they are.
 */
void xb_url_append_masked(struct xb_str *ret, struct xb_view text);

#endif
