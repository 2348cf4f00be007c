/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A worker pool: jobs go in, finished jobs come out through one queue.
 *
 * A job belongs to its worker from xb_pool_submit() until it comes back from xb_pool_collect(), and
 * to the owner of the pool (one thread, the scheduler) before and after; so jobs need no locks.
 * Workers live as long as the pool, hence processes they start with a parent-death signal do not
 * die early. All signals are blocked in workers.
 */
#ifndef XB_BASE_POOL_H
#define XB_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct xb_pool;

/** A unit of work; embed it as the first member of what the work needs. */
struct xb_job {
	void (*run)(struct xb_job *job); /**< called once, in a worker */
	uint64_t urgency;		 /**< those with more are started first */
	uint64_t arrival;		 /**< the pool's */
	struct xb_job *next;		 /**< the pool's */
};

/** Start a pool of `threads` workers (at least 1). */
int xb_pool_new(unsigned threads, struct xb_pool **ret, struct xb_error *err);
/**
 * Wait for running jobs, end the workers, forget the jobs that were not started or not collected
 * (which stay their owner's); NULL is left alone.
 */
void xb_pool_free(struct xb_pool *pool);

XB_DEFINE_CLEANUP(xb_pool_cleanup, struct xb_pool, xb_pool_free)
#define xb_auto_pool XB_CLEANUP(xb_pool_cleanup)

/** Queue a job: the most urgent is started first, of equally urgent ones the first in. */
void xb_pool_submit(struct xb_pool *pool, struct xb_job *job);
/** A finished job, or NULL when none is ready now. */
struct xb_job *xb_pool_collect(struct xb_pool *pool);
/** A descriptor (borrowed) that poll() reports readable while finished jobs wait. */
int xb_pool_fd(const struct xb_pool *pool);

/** How many processors this process may use; at least 1. */
unsigned xb_pool_processors(void);

/**
 * Call `run` for each number below `count`, several at once, and wait for all. Returns 0, or what
 * the call of the lowest number that failed returned, with its error. For those who have no pool.
 */
int xb_pool_each(size_t count, int (*run)(void *context, size_t number, struct xb_error *err),
		 void *context, struct xb_error *err);

#endif
