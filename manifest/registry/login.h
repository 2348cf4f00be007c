/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Logging in and out: what `xbuild login` does, and what it writes.
 *
 * Credentials are kept by the helper that the file of credentials names for the host, else in the
 * file itself: $REGISTRY_AUTH_FILE, or Docker's config.json. The file is replaced whole or not at
 * all, with mode 0600, where a symbolic link leads to; what else is in it stays; two that write it
 * wait for each other.
 */
#ifndef XB_MANIFEST_REGISTRY_LOGIN_H
#define XB_MANIFEST_REGISTRY_LOGIN_H

#include <stdbool.h>

#include "manifest/registry/credentials.h"
#include "manifest/registry/hosts.h"

/**
 * Read what a user calls a registry: "host[:port]", also as a URL without a path; "docker.io" for
 * its other names and for NULL. Errors: -EINVAL, fault usage.
 */
int xb_login_domain(const char *text, char **ret_domain, struct xb_error *err);

/**
 * Ask the registry whether it takes a credential. `*ret_asked` tells whether it wanted one at all.
 * `cancel_fd` as in struct xb_http_request. Errors: as xb_auth_answer(), and those of the network.
 */
int xb_login_check(const struct xb_registry_hosts *hosts, const char *domain,
		   const struct xb_credential *credential, int cancel_fd, bool *ret_asked,
		   struct xb_error *err);

/**
 * Keep a user name and password. `*ret_where` (malloc()ed) is the file or helper that has it now.
 * Errors: as xb_helper_store(); those of reading and writing the file, fault registry.
 */
int xb_login_keep(const char *domain, const struct xb_credential *credential, char **ret_where,
		  struct xb_error *err);

/**
 * Forget what is kept for the host, not for single repositories; `*ret_any` tells whether there was
 * something in the file. Errors: as xb_login_keep().
 */
int xb_login_forget(const char *domain, bool *ret_any, struct xb_error *err);

#endif
