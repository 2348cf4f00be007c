/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Registries' hosts: where a registry's API is, and how to speak with it.
 *
 * What always holds:
 * - https, verified, but for the hosts that `plain_http` names and for this machine itself
 *   (localhost, 127.0.0.0/8, [::1]) where nothing says otherwise: nothing falls back to http by
 *   itself.
 * - docker.io is at registry-1.docker.io; every other domain is its own host, unless the machine's
 *   files (settings.h) say something else. What the command line says goes before them.
 *
 * For all threads; the files are read when something of them is first wanted, and what was read
 * does not change. Decision 0034.
 */
#ifndef XB_MANIFEST_REGISTRY_HOSTS_H
#define XB_MANIFEST_REGISTRY_HOSTS_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "base/http_request.h"

struct xb_registry_hosts;

/** Where one repository can be had. Its strings are owned; those of `tls` are the hosts'. */
struct xb_registry_endpoint {
	char *host;   /**< "host[:port]", lower case: whom credentials and certificates are for */
	char *domain; /**< what credentials are kept under: `host`, "docker.io" for its own host */
	char *url;    /**< "https://registry-1.docker.io/v2", no '/' at the end */
	char *path;   /**< what the repository is called there: "library/debian" */
	char *ns;     /**< a mirror's ?ns=: the domain that was asked for; else NULL */
	bool mirror;  /**< for reading only */
	struct xb_http_tls tls;
};

/** Where to try, in this order: mirrors, and at last the origin, which alone is written to. */
struct xb_registry_endpoints XB_ARRAY(struct xb_registry_endpoint);

/** Release. */
void xb_registry_endpoints_clear(struct xb_registry_endpoints *endpoints);
#define xb_auto_registry_endpoints XB_CLEANUP(xb_registry_endpoints_clear)

/** What the command line says; all is borrowed and may be NULL. */
struct xb_registry_hosts_options {
	const struct xb_strv *plain_http; /**< hosts, with their ports, spoken to by http */
	const struct xb_strv *ca;	  /**< "[HOST=]FILE": trusted beside the system's */
	const struct xb_strv *cert;	  /**< "HOST=CERT,KEY": shown to HOST alone */
	/** "HOST=REALM": HOST's passwords may go to the token server REALM (realm.h). */
	const struct xb_strv *realms;
	bool no_files; /**< the machine's files (settings.h) do not count; for tests */
};

/** Read it all. Errors: -EINVAL (fault usage), those of opening the files. */
int xb_registry_hosts_load(const struct xb_registry_hosts_options *options,
			   struct xb_registry_hosts **ret, struct xb_error *err);
/** Release; NULL is left alone. */
void xb_registry_hosts_free(struct xb_registry_hosts *hosts);

XB_DEFINE_CLEANUP(xb_registry_hosts_cleanup, struct xb_registry_hosts, xb_registry_hosts_free)
#define xb_auto_registry_hosts XB_CLEANUP(xb_registry_hosts_cleanup)

/**
 * Where to find the repository `path` of `domain` (manifest/reference.h); `ret` is empty on entry
 * and has one endpoint at least. Errors, fault registry: -EPERM for one that registries.conf
 * blocks, those of reading the files.
 */
int xb_registry_hosts_find(const struct xb_registry_hosts *hosts, const char *domain,
			   const char *path, struct xb_registry_endpoints *ret,
			   struct xb_error *err);

/** Whether "host[:port]" is spoken to by http. */
bool xb_registry_hosts_is_plain(const struct xb_registry_hosts *hosts, const char *host);
/** How TLS with "host[:port]" is done; its strings are the hosts'. */
struct xb_http_tls xb_registry_hosts_tls(const struct xb_registry_hosts *hosts, const char *host);
/** Whether `realms` lets the passwords of `host` go to `realm_host`, both "host[:port]". */
bool xb_registry_hosts_allows_realm(const struct xb_registry_hosts *hosts, const char *host,
				    const char *realm_host);

#endif
