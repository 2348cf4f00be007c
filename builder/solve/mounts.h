/* SPDX-License-Identifier: Apache-2.0 */
/** The mounts of a RUN step: what they add to its key, and the sources they show. */
#ifndef XB_BUILDER_SOLVE_MOUNTS_H
#define XB_BUILDER_SOLVE_MOUNTS_H

#include "base/array.h"
#include "builder/cache/cachedir.h"
#include "builder/cache/snapshot.h"
#include "builder/sandbox/spec.h"
#include "builder/solve/agent.h"
#include "builder/solve/work.h"

/**
 * Add to the key of a RUN what its mounts show: the content of what is bound and of what a cache
 * begins with; nothing of a cache, a secret or an agent but what the plan says. `inputs` are the
 * mounts' results, NULL: the empty tree. What others may change meanwhile is mixed into `state`, as
 * xb_context_checksum() does.
 */
int xb_mounts_key(struct xb_step_shared *shared, const struct xb_step *step,
		  const struct xb_result *const *inputs, struct xb_hasher *h, uint64_t *state,
		  struct xb_error *err);

/** What one mount needs while the step runs. */
struct xb_mount_source {
	int fd;			    /**< what is bound, or -1 */
	int view;		    /**< the mounted tree that it lies in, or -1 */
	struct xb_cachedir *cache;  /**< in use, or NULL */
	struct xb_snapshot scratch; /**< goes with the step; empty for none */
	struct xb_agent *agent;	    /**< at work, or NULL */
};

/** The sources of a step's mounts; starts as `{ 0 }`. */
struct xb_mounts {
	struct xb_store *store; /**< borrowed */
	struct xb_mount_sources XB_ARRAY(struct xb_mount_source) sources;
};

/**
 * Open the sources of the step's mounts and add the mounts, outer ones first, to `spec`, which
 * borrows descriptors from `mounts` (empty). Waits for locked caches unless the build is cancelled.
 * Errors: fault source where what is asked for is not there.
 */
int xb_mounts_open(const struct xb_work *work, struct xb_mounts *mounts,
		   struct xb_sandbox_spec *spec, struct xb_error *err);
/** Release, once no process of the step is left. */
void xb_mounts_close(struct xb_mounts *mounts);

#endif
