/* SPDX-License-Identifier: Apache-2.0 */
/** From what a plan says of things from elsewhere to the fetchers (builder/fetch). */
#ifndef XB_BUILDER_SOLVE_REMOTE_H
#define XB_BUILDER_SOLVE_REMOTE_H

#include "builder/cache/store.h"
#include "builder/fetch/fetch.h"
#include "builder/plan/plan.h"
#include "builder/solve/secret.h"

/**
 * Fetch what `fetch` describes; name, checksum and git directory of `how` are replaced by its own.
 * Errors: those of xb_fetch_http() and xb_fetch_git().
 */
int xb_fetch_described(struct xb_store *store, const struct xb_step_fetch *fetch,
		       const struct xb_fetch_options *how, struct xb_fetched *ret,
		       struct xb_error *err);

/**
 * The time of what `fetch` describes, as `time` of struct xb_plan_sources has it; it is fetched for
 * that. Errors: as above.
 */
int xb_fetch_time(struct xb_store *store, const struct xb_step_fetch *fetch,
		  const struct xb_fetch_options *how, int64_t *ret, struct xb_error *err);

/**
 * Open the file of a fetched tree for reading, and find the newest time in it if it is an archive;
 * 0 with `*ret` -1 when it is none. Errors: those of unpacking and reading.
 */
int xb_fetch_archive_time(struct xb_store *store, const struct xb_fetched *fetched,
			  const struct xb_fetch_options *how, int64_t *ret, struct xb_error *err);

/** The secret of a build as fetchers ask for it; `secrets` is a `const struct xb_secrets *`. */
bool xb_fetch_secret(void *secrets, const char *id, struct xb_view *ret);

#endif
