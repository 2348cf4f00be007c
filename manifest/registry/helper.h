/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Credential helpers: programs docker-credential-NAME that keep passwords in a keychain.
 *
 * They are started without a shell, found on PATH by a name of small letters, digits and dashes
 * alone, in a process group of their own that is killed after ten seconds, and may print 64 KiB.
 * Their standard error is ours. Errors have the fault registry.
 *
 * Source: docker-credential-helpers, credentials.go and client.go.
 */
#ifndef XB_MANIFEST_REGISTRY_HELPER_H
#define XB_MANIFEST_REGISTRY_HELPER_H

#include "base/error.h"
#include "manifest/registry/credential.h"

/** How long a helper may take, in milliseconds; tests make it shorter. */
extern unsigned xb_helper_limit_ms;

/**
 * Ask the helper `name` for what it has for `server` ("registry.example.com:5000",
 * "https://index.docker.io/v1/"); `ret`, empty on entry, stays empty when it has nothing.
 * Errors: -EINVAL (a name or server that is none), -ENOENT (no such program), -ETIMEDOUT, -EFBIG,
 * -EBADMSG (it printed something else), -EIO (it failed, with what it printed).
 */
int xb_helper_get(const char *name, const char *server, struct xb_credential *ret,
		  struct xb_error *err);
/** Let the helper keep a credential. Errors: as xb_helper_get(). */
int xb_helper_store(const char *name, const char *server, const struct xb_credential *credential,
		    struct xb_error *err);
/** Let the helper forget what it has; nothing is not an error. Errors: as xb_helper_get(). */
int xb_helper_erase(const char *name, const char *server, struct xb_error *err);

#endif
