/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crew.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/background.h"
#include "base/str.h"

struct xb_crew {
	pthread_mutex_t lock; /* guards all below but `threads` and `count`, and tasks' states */
	pthread_cond_t work;  /* a task was queued, or `ending` has become true */
	pthread_cond_t done;  /* a task has become done */
	struct xb_task *first;
	struct xb_task *last;
	bool ending;
	pthread_t *threads;
	unsigned count;
};

/* Take the first task, run it with the lock released, and report it. False: there was none. */
static bool run_one(struct xb_crew *crew)
{
	struct xb_task *task = crew->first;

	if (task == NULL)
		return false;
	crew->first = task->next;
	if (crew->first == NULL)
		crew->last = NULL;
	task->state = XB_TASK_RUNNING;
	(void)pthread_mutex_unlock(&crew->lock);
	task->run(task);
	(void)pthread_mutex_lock(&crew->lock);
	task->state = XB_TASK_DONE;
	(void)pthread_cond_broadcast(&crew->done);
	return true;
}

static void *member(void *argument)
{
	struct xb_crew *crew = argument;

	xb_background_enter();
	(void)pthread_mutex_lock(&crew->lock);
	while (!crew->ending) {
		if (!run_one(crew))
			(void)pthread_cond_wait(&crew->work, &crew->lock);
	}
	(void)pthread_mutex_unlock(&crew->lock);
	return NULL;
}

int xb_crew_new(unsigned threads, struct xb_crew **ret, struct xb_error *err)
{
	xb_auto_crew struct xb_crew *crew = xb_calloc(1, sizeof(*crew));
	sigset_t all, before;
	int r = 0;

	(void)pthread_mutex_init(&crew->lock, NULL);
	(void)pthread_cond_init(&crew->work, NULL);
	(void)pthread_cond_init(&crew->done, NULL);
	crew->threads = xb_calloc(threads + 1, sizeof(*crew->threads));
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (crew->count < threads && r == 0) {
		r = pthread_create(&crew->threads[crew->count], NULL, member, crew);
		if (r == 0)
			crew->count++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return xb_error_errno(err, -r, "starting %u threads", threads);
	*ret = XB_STEAL(crew);
	return 0;
}

void xb_crew_free(struct xb_crew *crew)
{
	if (crew == NULL)
		return;
	(void)pthread_mutex_lock(&crew->lock);
	crew->ending = true;
	(void)pthread_cond_broadcast(&crew->work);
	(void)pthread_mutex_unlock(&crew->lock);
	for (unsigned i = 0; i < crew->count; i++)
		(void)pthread_join(crew->threads[i], NULL);
	(void)pthread_cond_destroy(&crew->work);
	(void)pthread_cond_destroy(&crew->done);
	(void)pthread_mutex_destroy(&crew->lock);
	free(crew->threads);
	free(crew);
}

static void put_last(struct xb_crew *crew, struct xb_task *task)
{
	task->next = NULL;
	if (crew->last != NULL)
		crew->last->next = task;
	else
		crew->first = task;
	crew->last = task;
}

static void put_first(struct xb_crew *crew, struct xb_task *task)
{
	task->next = crew->first;
	crew->first = task;
	if (crew->last == NULL)
		crew->last = task;
}

static void submit(struct xb_crew *crew, struct xb_task *task,
		   void (*put)(struct xb_crew *crew, struct xb_task *task))
{
	if (crew == NULL) {
		task->run(task);
		task->state = XB_TASK_DONE;
		return;
	}
	(void)pthread_mutex_lock(&crew->lock);
	task->state = XB_TASK_QUEUED;
	put(crew, task);
	(void)pthread_cond_signal(&crew->work);
	(void)pthread_mutex_unlock(&crew->lock);
}

void xb_crew_submit(struct xb_crew *crew, struct xb_task *task)
{
	submit(crew, task, put_last);
}

void xb_crew_submit_first(struct xb_crew *crew, struct xb_task *task)
{
	submit(crew, task, put_first);
}

void xb_crew_wait(struct xb_crew *crew, struct xb_task *task)
{
	if (crew == NULL) {
		task->state = XB_TASK_IDLE;
		return;
	}
	(void)pthread_mutex_lock(&crew->lock);
	while (task->state != XB_TASK_DONE && task->state != XB_TASK_IDLE) {
		if (!run_one(crew))
			(void)pthread_cond_wait(&crew->done, &crew->lock);
	}
	task->state = XB_TASK_IDLE;
	(void)pthread_mutex_unlock(&crew->lock);
}
