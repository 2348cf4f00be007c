/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The files that hold credentials: Docker's config.json and Podman's auth.json, which is the same.
 *
 * Source: containers-auth.json(5); docker/cli cli/config/configfile.
 */
#ifndef XB_MANIFEST_REGISTRY_AUTH_FILE_H
#define XB_MANIFEST_REGISTRY_AUTH_FILE_H

#include "base/json.h"
#include "manifest/registry/credential.h"

/** The most bytes of such a file. */
#define XB_MAX_AUTH_FILE ((size_t)4 << 20)

/** The names that Docker Hub has. */
#define XB_HUB	      "docker.io"
#define XB_HUB_SERVER "https://index.docker.io/v1/" /**< in files and for helpers */

/** Whether it is one of the names that Docker Hub has in files and on command lines. */
bool xb_auth_file_is_hub(const char *name);
/** What helpers and files call a domain; borrowed. */
const char *xb_auth_file_server(const char *domain);

/**
 * Read a file: `*ret_file` gets a reference for xb_secret_json_free(), NULL when there is no such
 * file. Errors, fault registry: -EBADMSG (no JSON object), those of reading; no text of the file
 * gets into a message.
 */
int xb_auth_file_read(const char *path, json_t **ret_file, struct xb_error *err);

/**
 * What "auths" has for the longest of these keys: `path` (NULL: none), its parents, the host alone;
 * a key may also be a URL of the host. Nothing leaves `ret` empty. Errors: -EBADMSG, naming the
 * key.
 */
int xb_auth_file_find(const json_t *file, const char *domain, const char *path,
		      struct xb_credential *ret, struct xb_error *err);

/** Remove all entries of "auths" that mean the host alone; returns whether there were any. */
bool xb_auth_file_remove(json_t *file, const char *domain);

/** The helper that "credHelpers" has for the longest of these keys, borrowed, or NULL. */
const char *xb_auth_file_helper(const json_t *file, const char *domain, const char *path);
/** The helper that "credsStore" names for every host, borrowed, or NULL. */
const char *xb_auth_file_store(const json_t *file);

#endif
