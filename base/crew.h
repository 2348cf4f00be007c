/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Threads that lend a hand: small tasks handed in by any thread, each waited for by the thread that
 * handed it in.
 *
 * Whoever waits works meanwhile, so that nothing stands still however many wait for how few. A task
 * must not itself wait for tasks. All signals are blocked in the crew's threads, which stand back
 * behind others (base/background.h).
 */
#ifndef XB_BASE_CREW_H
#define XB_BASE_CREW_H

#include "base/cleanup.h"
#include "base/error.h"

struct xb_crew;

/** How far a task is. */
enum xb_task_state {
	XB_TASK_IDLE,	/**< not handed in */
	XB_TASK_QUEUED, /**< nobody has begun it */
	XB_TASK_RUNNING,
	XB_TASK_DONE,
};

/** A piece of work; embed it as the first member of what the work needs. Starts as `{ 0 }`. */
struct xb_task {
	void (*run)(struct xb_task *task); /**< called once for each time it is handed in */
	struct xb_task *next;		   /**< the crew's */
	enum xb_task_state state;	   /**< the crew's */
};

/** Start `threads` threads; 0 is a crew in which those who wait do all the work. */
int xb_crew_new(unsigned threads, struct xb_crew **ret, struct xb_error *err);
/** End the threads; no task may be queued or running. NULL is left alone. */
void xb_crew_free(struct xb_crew *crew);

XB_DEFINE_CLEANUP(xb_crew_cleanup, struct xb_crew, xb_crew_free)
#define xb_auto_crew XB_CLEANUP(xb_crew_cleanup)

/**
 * Hand a task in: it and all it uses belong to the crew until xb_crew_wait(). With no crew (NULL)
 * it is carried out at once.
 */
void xb_crew_submit(struct xb_crew *crew, struct xb_task *task);
/** Likewise, before all tasks that nobody has begun: what others wait for, and is short. */
void xb_crew_submit_first(struct xb_crew *crew, struct xb_task *task);
/** Return when the task is done; it is idle again then. One that is idle is not waited for. */
void xb_crew_wait(struct xb_crew *crew, struct xb_task *task);

#endif
