/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/array.h"
#include "base/str.h"

/* A heap: no job comes before the one at half its place. */
struct heap XB_ARRAY(struct xb_job *);

/* First in, first out. */
struct queue {
	struct xb_job *first;
	struct xb_job *last;
};

struct xb_pool {
	pthread_mutex_t lock; /* guards all below but `threads` and `count` */
	pthread_cond_t work;  /* `ready` has become non-empty, or `ending` true */
	struct heap ready;
	uint64_t arrivals;
	struct queue done;
	bool ending;
	int event; /* readable exactly while `done` is not empty */
	pthread_t *threads;
	unsigned count;
};

static void queue_put(struct queue *q, struct xb_job *job)
{
	job->next = NULL;
	if (q->last != NULL)
		q->last->next = job;
	else
		q->first = job;
	q->last = job;
}

static struct xb_job *queue_take(struct queue *q)
{
	struct xb_job *job = q->first;

	if (job == NULL)
		return NULL;
	q->first = job->next;
	if (q->first == NULL)
		q->last = NULL;
	job->next = NULL;
	return job;
}

/* ---- jobs that wait for a worker ----------------------------------------------------------- */

static bool goes_before(const struct xb_job *a, const struct xb_job *b)
{
	return a->urgency != b->urgency ? a->urgency > b->urgency : a->arrival < b->arrival;
}

static void heap_put(struct heap *heap, struct xb_job *job)
{
	size_t at = heap->len;

	(void)xb_array_push(heap);
	for (; at > 0 && goes_before(job, heap->items[(at - 1) / 2]); at = (at - 1) / 2)
		heap->items[at] = heap->items[(at - 1) / 2];
	heap->items[at] = job;
}

/* Of the two jobs below `at`, the one that goes first. */
static size_t first_below(const struct heap *heap, size_t at)
{
	size_t left = 2 * at + 1;

	return left + 1 < heap->len && goes_before(heap->items[left + 1], heap->items[left])
		       ? left + 1
		       : left;
}

static struct xb_job *heap_take(struct heap *heap)
{
	struct xb_job *job = heap->items[0];
	struct xb_job *last = heap->items[--heap->len];
	size_t at = 0;

	for (size_t next = first_below(heap, at);
	     next < heap->len && goes_before(heap->items[next], last);
	     next = first_below(heap, at)) {
		heap->items[at] = heap->items[next];
		at = next;
	}
	if (heap->len > 0)
		heap->items[at] = last;
	return job;
}

/* ---- workers ------------------------------------------------------------------------------- */

/* Wait for work; NULL when the pool ends. */
static struct xb_job *take_work(struct xb_pool *pool)
{
	struct xb_job *job = NULL;

	(void)pthread_mutex_lock(&pool->lock);
	while (!pool->ending && pool->ready.len == 0)
		(void)pthread_cond_wait(&pool->work, &pool->lock);
	if (!pool->ending)
		job = heap_take(&pool->ready);
	(void)pthread_mutex_unlock(&pool->lock);
	return job;
}

static void hand_back(struct xb_pool *pool, struct xb_job *job)
{
	(void)pthread_mutex_lock(&pool->lock);
	if (pool->done.first == NULL && eventfd_write(pool->event, 1) < 0)
		xb_die("an eventfd failed");
	queue_put(&pool->done, job);
	(void)pthread_mutex_unlock(&pool->lock);
}

static void *worker(void *argument)
{
	struct xb_pool *pool = argument;
	struct xb_job *job;

	while ((job = take_work(pool)) != NULL) {
		job->run(job);
		hand_back(pool, job);
	}
	return NULL;
}

/* Start the workers with all signals blocked, which they inherit. */
static int start_workers(struct xb_pool *pool, unsigned threads)
{
	sigset_t all, before;
	int r = 0;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool->count < threads && r == 0) {
		r = pthread_create(&pool->threads[pool->count], NULL, worker, pool);
		if (r == 0)
			pool->count++;
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int xb_pool_new(unsigned threads, struct xb_pool **ret, struct xb_error *err)
{
	xb_auto_pool struct xb_pool *pool = xb_calloc(1, sizeof(*pool));
	int r;

	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->work, NULL);
	pool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->event < 0)
		return xb_error_errno(err, -errno, "starting workers");
	if (threads == 0)
		threads = 1;
	pool->threads = xb_calloc(threads, sizeof(*pool->threads));
	r = start_workers(pool, threads);
	if (r < 0)
		return xb_error_errno(err, r, "starting %u workers", threads);
	*ret = XB_STEAL(pool);
	return 0;
}

void xb_pool_free(struct xb_pool *pool)
{
	if (pool == NULL)
		return;
	(void)pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	(void)pthread_cond_broadcast(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->count; i++)
		(void)pthread_join(pool->threads[i], NULL);
	(void)pthread_cond_destroy(&pool->work);
	(void)pthread_mutex_destroy(&pool->lock);
	xb_cleanup_fd(&pool->event);
	xb_array_clear(&pool->ready);
	free(pool->threads);
	free(pool);
}

void xb_pool_submit(struct xb_pool *pool, struct xb_job *job)
{
	(void)pthread_mutex_lock(&pool->lock);
	job->arrival = pool->arrivals++;
	heap_put(&pool->ready, job);
	(void)pthread_cond_signal(&pool->work);
	(void)pthread_mutex_unlock(&pool->lock);
}

struct xb_job *xb_pool_collect(struct xb_pool *pool)
{
	struct xb_job *job;
	eventfd_t value;

	(void)pthread_mutex_lock(&pool->lock);
	job = queue_take(&pool->done);
	if (job != NULL && pool->done.first == NULL)
		(void)eventfd_read(pool->event, &value);
	(void)pthread_mutex_unlock(&pool->lock);
	return job;
}

int xb_pool_fd(const struct xb_pool *pool)
{
	return pool->event;
}

/* ---- one thing for each of many ------------------------------------------------------------- */

unsigned xb_pool_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* More at once are of no use: such work waits for disks. */
#define MOST_EACH 8

/* One of them. `job` is first. */
struct each {
	struct xb_job job;
	int (*run)(void *context, size_t number, struct xb_error *err);
	void *context;
	size_t number;
	int status;
	struct xb_error error;
};

static void run_each(struct xb_job *job)
{
	struct each *each = (struct each *)job;

	each->status = each->run(each->context, each->number, &each->error);
}

static int run_all(struct each *jobs, size_t count, struct xb_error *err)
{
	xb_auto_pool struct xb_pool *pool = NULL;
	size_t left = count;
	int r = xb_pool_new((unsigned)(count < MOST_EACH ? count : MOST_EACH), &pool, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		xb_pool_submit(pool, &jobs[i].job);
	while (left > 0) {
		struct pollfd fd = { .fd = pool->event, .events = POLLIN };

		(void)poll(&fd, 1, -1);
		while (xb_pool_collect(pool) != NULL)
			left--;
	}
	return 0;
}

int xb_pool_each(size_t count, int (*run)(void *context, size_t number, struct xb_error *err),
		 void *context, struct xb_error *err)
{
	xb_autofree struct each *jobs = NULL;
	int r;

	if (count < 2)
		return count == 0 ? 0 : run(context, 0, err);
	jobs = xb_calloc(count, sizeof(*jobs));
	for (size_t i = 0; i < count; i++) {
		jobs[i] = (struct each){
			.job.run = run_each, .run = run, .context = context, .number = i
		};
	}
	r = run_all(jobs, count, err);
	for (size_t i = 0; i < count; i++) {
		if (r == 0 && jobs[i].status < 0) {
			r = jobs[i].status;
			if (err != NULL)
				xb_error_move(err, &jobs[i].error);
		}
		xb_error_clear(&jobs[i].error);
	}
	return r;
}
