/* SPDX-License-Identifier: Apache-2.0 */
/** A command's client of registries, made when it is first needed. */
#ifndef XB_BUILDER_CLI_REGISTRIES_H
#define XB_BUILDER_CLI_REGISTRIES_H

#include "builder/cli/registry_options.h"
#include "builder/solve/opener.h"
#include "builder/solve/repositories.h"

/** The client. Starts zeroed; do not copy it. */
struct xb_registries {
	struct xb_registry_access access;
	int cancel_fd; /**< as in struct xb_invocation; the caller's to set */
	struct xb_registry *registry;
	struct xb_repositories *repositories; /**< of xb_registries_supply() */
};

/** Read the options and the machine's settings. Errors: as xb_registry_access_open(). */
int xb_registries_init(struct xb_registries *registries, const struct xb_registry_flags *flags,
		       struct xb_error *err);
/** Close and release. */
void xb_registries_clear(struct xb_registries *registries);
#define xb_auto_registries XB_CLEANUP(xb_registries_clear)
/** Get the client, borrowed. */
int xb_registries_open(struct xb_registries *registries, struct xb_registry **ret,
		       struct xb_error *err);
/**
 * Let `store`, borrowed until xb_registries_clear(), have from registries the layers that it lacks.
 */
void xb_registries_supply(struct xb_registries *registries, struct xb_store *store);
/** The same for those who may need it; `registries` is borrowed. */
struct xb_registry_opener xb_registries_opener(struct xb_registries *registries);

#endif
