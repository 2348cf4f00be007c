/* SPDX-License-Identifier: Apache-2.0 */
/** Passwords and tokens are wiped before their memory is given back. */
#ifndef XB_MANIFEST_REGISTRY_SECRET_H
#define XB_MANIFEST_REGISTRY_SECRET_H

#include "base/json.h"
#include "base/str.h"

/** Wipe and release a string; NULL is left alone. */
void xb_secret_free(char *secret);
/** Wipe and release a buffer; it is then empty. */
void xb_secret_clear(struct xb_str *secret);
/** Wipe all strings of a value that nobody else holds, and drop this reference to it. */
void xb_secret_json_free(json_t *value);

XB_DEFINE_CLEANUP(xb_secret_cleanup, char, xb_secret_free)
#define xb_auto_secret	   XB_CLEANUP(xb_secret_cleanup)
#define xb_auto_secret_str XB_CLEANUP(xb_secret_clear)
XB_DEFINE_CLEANUP(xb_secret_json_cleanup, json_t, xb_secret_json_free)
#define xb_auto_secret_json XB_CLEANUP(xb_secret_json_cleanup)

#endif
