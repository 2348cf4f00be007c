/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a machine's files say about registries.
 *
 * - Podman's registries.conf (version 2): prefix, location, insecure, blocked, mirrors. The first
 * of $CONTAINERS_REGISTRIES_CONF, ~/.config/containers/registries.conf and
 * /etc/containers/registries.conf, and the files of the directory registries.conf.d beside the
 * latter two, later ones before earlier ones. Mirrors that are for digests alone are left out;
 * short names are not used.
 * - Docker's and Podman's certs.d/HOST/{*.crt,*.cert,*.key}, and containerd's
 *   certs.d/HOST/hosts.toml, below {docker,containers,containerd} of ~/.config and /etc.
 *
 * What these files have beside that is other programs' business, and ignored; but a setting that
 * would change where or how a registry is spoken with, and that is not had here, is an error.
 * Source: containers-registries.conf(5), containers-certs.d(5), containerd docs/hosts.md.
 */
#ifndef XB_MANIFEST_REGISTRY_SETTINGS_H
#define XB_MANIFEST_REGISTRY_SETTINGS_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"

/** A place where images are; strings are owned. Starts zeroed. */
struct xb_registry_location {
	char *url;  /**< of its API, "https://host/v2", or NULL: as the host is spoken with */
	char *host; /**< "host[:port]" */
	char *path; /**< what stands in the place of the prefix behind the host, "" for none */
	char *ca_file;
	char *cert_file;
	char *key_file;
	bool insecure; /**< TLS is not verified */
	bool with_ns;  /**< a mirror for several registries, that is told which one is meant */
};
struct xb_registry_locations XB_ARRAY(struct xb_registry_location);

/** Release. */
void xb_registry_location_clear(struct xb_registry_location *location);

/** What is said of the repositories below a prefix. Starts zeroed. */
struct xb_registry_rule {
	char *prefix; /**< "host[:port][/path]" or "*.host" */
	bool blocked;
	struct xb_registry_location location; /**< `host` is NULL: where the name says */
	struct xb_registry_locations mirrors; /**< asked before */
};
struct xb_registry_rules XB_ARRAY(struct xb_registry_rule);

/** Release. */
void xb_registry_rule_clear(struct xb_registry_rule *rule);
/** Release. */
void xb_registry_rules_clear(struct xb_registry_rules *rules);
#define xb_auto_registry_rules XB_CLEANUP(xb_registry_rules_clear)

/**
 * Append the rules of a registries.conf; a rule of the same prefix that is there already is
 * replaced. Errors, fault registry, with the file: -EBADMSG, those of reading it.
 */
int xb_registry_rules_read(const char *path, struct xb_registry_rules *rules, struct xb_error *err);

/** Append the rules of all of this machine's files. Errors: as xb_registry_rules_read(). */
int xb_registry_rules_load(struct xb_registry_rules *rules, struct xb_error *err);

/** The rule of the longest prefix that `domain`/`path` has, or NULL. */
const struct xb_registry_rule *xb_registry_rules_find(const struct xb_registry_rules *rules,
						      const char *domain, const char *path);

/**
 * What certs.d has for "host[:port]": certificates in `ret->location`, which has a `url` or `host`
 * only if a hosts.toml says so, and that one's mirrors. Returns 1, or 0 when there is no such
 * directory; errors as xb_registry_rules_read().
 */
int xb_registry_certs_read(const char *host, struct xb_registry_rule *ret, struct xb_error *err);

#endif
