/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The repositories of registries that a run has to do with, each opened once.
 *
 * While it exists it is the store's supplier (builder/cache/supply.h): layers that were left in a
 * registry come from here. Any thread may use it.
 */
#ifndef XB_BUILDER_SOLVE_REPOSITORIES_H
#define XB_BUILDER_SOLVE_REPOSITORIES_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/solve/opener.h"
#include "manifest/place.h"
#include "manifest/reference.h"

struct xb_repositories;

/**
 * None yet. `opener` is copied; one without a function: registries may not be asked. `store` is
 * borrowed, and must not be in use by another thread now or when this is released.
 */
struct xb_repositories *xb_repositories_new(struct xb_store *store,
					    const struct xb_registry_opener *opener);
/** Close them all, and supply the store no more; NULL is left alone. */
void xb_repositories_free(struct xb_repositories *repositories);

XB_DEFINE_CLEANUP(xb_repositories_cleanup, struct xb_repositories, xb_repositories_free)
#define xb_auto_repositories XB_CLEANUP(xb_repositories_cleanup)

/** Whether registries may be asked. */
bool xb_repositories_usable(const struct xb_repositories *repositories);

/**
 * The repository that `ref` is in, read through the store, borrowed. -ENETUNREACH, fault registry:
 * registries may not be asked.
 */
int xb_repositories_open(struct xb_repositories *repositories, const struct xb_reference *ref,
			 struct xb_place **ret, struct xb_error *err);

#endif
