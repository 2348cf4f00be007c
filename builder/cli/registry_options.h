/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The options of every command that speaks with registries, and what they come to.
 *
 * A command has a `struct xb_registry_flags` in its options, XB_REGISTRY_OPTION_ROWS in its table,
 * and makes a struct xb_registry with xb_registry_access_options() of what
 * xb_registry_access_open() gives.
 */
#ifndef XB_BUILDER_CLI_REGISTRY_OPTIONS_H
#define XB_BUILDER_CLI_REGISTRY_OPTIONS_H

#include "base/array.h"
#include "builder/cli/options.h"
#include "manifest/registry/registry.h"

/** As given. Starts zeroed. */
struct xb_registry_flags {
	struct xb_strv plain_http; /**< --plain-http */
	struct xb_strv ca;	   /**< --registry-ca */
	struct xb_strv cert;	   /**< --registry-cert */
	struct xb_strv realms;	   /**< --registry-realm */
};

/** Release. */
void xb_registry_flags_clear(struct xb_registry_flags *flags);
#define xb_auto_registry_flags XB_CLEANUP(xb_registry_flags_clear)

/** The rows of a table of options for `struct type`, whose member they go to. */
#define XB_REGISTRY_OPTION_ROWS(type, member)                                                      \
	{ "plain-http",	  0,                                                                       \
	  XB_OPTION_LIST, offsetof(struct type, member.plain_http),                                \
	  "HOST[:PORT]",  "speak with this registry by http, without TLS" },                       \
		{ "registry-ca",                                                                   \
		  0,                                                                               \
		  XB_OPTION_LIST,                                                                  \
		  offsetof(struct type, member.ca),                                                \
		  "[HOST=]FILE",                                                                   \
		  "certificates that registries are believed by, beside the system's" },           \
		{ "registry-cert", 0,                                                              \
		  XB_OPTION_LIST,  offsetof(struct type, member.cert),                             \
		  "HOST=CERT,KEY", "certificate to show to a registry" },                          \
	{                                                                                          \
		"registry-realm", 0, XB_OPTION_LIST, offsetof(struct type, member.realms),         \
			"HOST=HOST", "token server that may have a registry's credentials"         \
	}

/** Where registries are, and who to be there. Starts zeroed. */
struct xb_registry_access {
	struct xb_registry_hosts *hosts;
	struct xb_credentials *credentials;
};

/** Release; no struct xb_registry may be using it. */
void xb_registry_access_clear(struct xb_registry_access *access);
#define xb_auto_registry_access XB_CLEANUP(xb_registry_access_clear)

/**
 * Read the options and the machine's settings of registries; credentials are not read before one is
 * wanted. Errors: fault usage for the options.
 */
int xb_registry_access_open(const struct xb_registry_flags *flags, struct xb_registry_access *ret,
			    struct xb_error *err);

/** What a struct xb_registry is made of; `access` is borrowed by it. */
struct xb_registry_options xb_registry_access_options(const struct xb_registry_access *access,
						      int cancel_fd);

#endif
