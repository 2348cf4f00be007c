/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Token servers: which of them a registry's credentials may go to.
 *
 * A registry names its token server (the realm of a Bearer challenge) in an answer, which is the
 * word of whoever sent that answer. So:
 * - It is https, or http where the registry itself is, on the same host or one that `--plain-http`
 *   names. No user name in it.
 * - It gets credentials when it is of the registry's site: the same host, at any port; a sibling
 *   (gitlab.example.com for registry.example.com, gitlab.com for registry.gitlab.com); one of the
 *   pairs known here (auth.docker.io for docker.io); or when `--registry-realm` says so.
 * - Anything else is asked without credentials, if there are none; else it is an error, not a
 *   request as nobody.
 *
 * Decision 0034.
 */
#ifndef XB_MANIFEST_REGISTRY_REALM_H
#define XB_MANIFEST_REGISTRY_REALM_H

#include <stdbool.h>

#include "base/error.h"
#include "base/http_url.h"
#include "manifest/registry/hosts.h"

/** A token server. */
struct xb_realm {
	struct xb_http_url url;
	char *host;   /**< "host[:port]", without the port that goes without saying; owned */
	bool trusted; /**< it may have the registry's credentials */
	struct xb_http_tls tls;
};

/** Release. */
void xb_realm_clear(struct xb_realm *realm);
#define xb_auto_realm XB_CLEANUP(xb_realm_clear)

/**
 * Whether two host names, with or without ports, belong to one site: equal, or under one domain
 * that is not itself where strangers get names. Addresses and names without a dot are only ever
 * their own site.
 */
bool xb_realm_same_site(const char *host, const char *realm_host);

/**
 * Read and judge what `endpoint` names as its token server; `ret` starts zeroed. Errors: -EACCES,
 * fault registry: no URL, http where https is wanted, user names.
 */
int xb_realm_read(const struct xb_registry_hosts *hosts,
		  const struct xb_registry_endpoint *endpoint, const char *text,
		  struct xb_realm *ret, struct xb_error *err);

#endif
