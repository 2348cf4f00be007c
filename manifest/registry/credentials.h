/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Credentials: who to be at a registry, as Docker's and Podman's files and helpers have it.
 *
 * Where they are looked for, the first that has some wins:
 *
 *	$REGISTRY_AUTH_FILE, and then nothing else
 *	$DOCKER_CONFIG/config.json, without it ~/.docker/config.json
 *	$XDG_RUNTIME_DIR/containers/auth.json
 *	$XDG_CONFIG_HOME/containers/auth.json, without it ~/.config/containers/auth.json
 *
 * A file has "credHelpers" (by host), a "credsStore" (for all), and "auths", asked in this order.
 *In "auths" the longest key counts that is the repository, a namespace above it, or the host.
 * docker.io is also known as https://index.docker.io/v1/.
 *
 * Files are read and helpers started when the first answer is asked for; answers are remembered,
 * also that there are none. All functions may be called by many threads. What held a secret is
 * wiped before it is released. No password gets into a message.
 *
 * Source: containers-auth.json(5); docker/cli config files; docker-credential-helpers.
 */
#ifndef XB_MANIFEST_REGISTRY_CREDENTIALS_H
#define XB_MANIFEST_REGISTRY_CREDENTIALS_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "manifest/registry/credential.h"

struct xb_credentials;

/** Credentials of this user, by the environment of this process. */
struct xb_credentials *xb_credentials_new(void);
/** Wipe and release; NULL is left alone. */
void xb_credentials_free(struct xb_credentials *credentials);

XB_DEFINE_CLEANUP(xb_credentials_cleanup, struct xb_credentials, xb_credentials_free)
#define xb_auto_credentials XB_CLEANUP(xb_credentials_cleanup)

/**
 * What to be known by at the repository `path` (NULL: none in particular) of `domain`
 * ("docker.io", "host[:port]"); `ret`, empty on entry, stays empty when there is nothing.
 * Errors, fault registry: -EBADMSG (a file that cannot be understood), those of reading it and of
 * the helper (helper.h).
 */
int xb_credentials_find(struct xb_credentials *credentials, const char *domain, const char *path,
			struct xb_credential *ret, struct xb_error *err);

/** The file that credentials are written to, the first of those above, malloc()ed; NULL: none. */
char *xb_credentials_path(void);

/** What `domain` is to be known by for the rest of this run, whatever the files say; copied. */
void xb_credentials_put(struct xb_credentials *credentials, const char *domain,
			const struct xb_credential *credential);

#endif
