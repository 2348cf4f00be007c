/* SPDX-License-Identifier: Apache-2.0 */
/* The worker pool: every job once, in order with one worker, nothing lost. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/pool.h"
#include "base/str.h"

/* Longer than a busy machine makes anybody wait: what never comes is told from what is late. */
#define WAIT_MS 120000

struct square {
	struct xb_job job;
	unsigned long number;
	unsigned long result;
	int runs;
};

static void run_square(struct xb_job *job)
{
	struct square *s = (struct square *)job;

	s->result = s->number * s->number;
	s->runs++;
}

static bool is_readable(const struct xb_pool *pool, int timeout)
{
	struct pollfd p = { .fd = xb_pool_fd(pool), .events = POLLIN };

	return poll(&p, 1, timeout) == 1;
}

static void every_job_comes_back_once(void **state)
{
	enum { JOBS = 5000 };
	struct square *jobs = xb_calloc(JOBS, sizeof(*jobs));
	struct xb_pool *pool = NULL;
	unsigned long back = 0;

	(void)state;
	assert_int_equal(xb_pool_new(4, &pool, NULL), 0);
	assert_null(xb_pool_collect(pool));
	for (unsigned long i = 0; i < JOBS; i++) {
		jobs[i] = (struct square){ .job.run = run_square, .number = i };
		xb_pool_submit(pool, &jobs[i].job);
	}
	while (back < JOBS) {
		const struct square *s;

		assert_true(is_readable(pool, WAIT_MS));
		while ((s = (struct square *)xb_pool_collect(pool)) != NULL) {
			assert_int_equal(s->result, s->number * s->number);
			assert_int_equal(s->runs, 1);
			back++;
		}
	}
	assert_false(is_readable(pool, 0));
	xb_pool_free(pool);
	free(jobs);
}

static void the_descriptor_stays_readable_while_jobs_wait(void **state)
{
	struct square jobs[3] = { { .job.run = run_square },
				  { .job.run = run_square },
				  { .job.run = run_square } };
	struct xb_pool *pool = NULL;

	(void)state;
	assert_int_equal(xb_pool_new(0, &pool, NULL), 0);
	for (size_t i = 0; i < XB_COUNT(jobs); i++)
		xb_pool_submit(pool, &jobs[i].job);
	for (size_t i = 0; i < XB_COUNT(jobs); i++) {
		assert_true(is_readable(pool, WAIT_MS));
		/* One worker: first in, first out. */
		assert_ptr_equal(xb_pool_collect(pool), &jobs[i].job);
	}
	assert_false(is_readable(pool, 0));
	xb_pool_free(pool);
}

struct gate {
	struct xb_job job;
	pthread_mutex_t *lock;
};

static void run_gate(struct xb_job *job)
{
	struct gate *gate = (struct gate *)job;

	(void)pthread_mutex_lock(gate->lock);
	(void)pthread_mutex_unlock(gate->lock);
}

/* While the only worker is busy jobs pile up, in an order that has nothing to do with urgency. */
static void the_most_urgent_is_started_first(void **state)
{
	enum { JOBS = 1000 };
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct gate gate = { .job = { .run = run_gate, .urgency = UINT64_MAX }, .lock = &lock };
	struct square *jobs = xb_calloc(JOBS, sizeof(*jobs));
	struct xb_pool *pool = NULL;
	const struct square *before = NULL;

	(void)state;
	(void)pthread_mutex_lock(&lock);
	assert_int_equal(xb_pool_new(1, &pool, NULL), 0);
	xb_pool_submit(pool, &gate.job);
	for (unsigned long i = 0; i < JOBS; i++) {
		jobs[i] = (struct square){ .job.run = run_square, .number = i };
		jobs[i].job.urgency = i * 7919 % 100;
		xb_pool_submit(pool, &jobs[i].job);
	}
	(void)pthread_mutex_unlock(&lock);
	for (size_t back = 0; back <= JOBS;) {
		struct xb_job *job;

		assert_true(is_readable(pool, WAIT_MS));
		while ((job = xb_pool_collect(pool)) != NULL) {
			if (back++ == 0) {
				assert_ptr_equal(job, &gate.job);
				continue;
			}
			const struct square *s = (struct square *)job;

			if (before != NULL && before->job.urgency == s->job.urgency)
				assert_true(before->number < s->number);
			else if (before != NULL)
				assert_true(before->job.urgency > s->job.urgency);
			before = s;
		}
	}
	xb_pool_free(pool);
	free(jobs);
}

static void a_job_can_be_used_again(void **state)
{
	struct square s = { .job.run = run_square, .number = 3 };
	struct xb_pool *pool = NULL;

	(void)state;
	assert_int_equal(xb_pool_new(2, &pool, NULL), 0);
	for (int i = 1; i <= 100; i++) {
		xb_pool_submit(pool, &s.job);
		assert_true(is_readable(pool, WAIT_MS));
		assert_ptr_equal(xb_pool_collect(pool), &s.job);
		assert_int_equal(s.runs, i);
	}
	xb_pool_free(pool);
}

static void ending_drops_what_was_not_started(void **state)
{
	enum { JOBS = 2000 };
	struct square *jobs = xb_calloc(JOBS, sizeof(*jobs));
	struct xb_pool *pool = NULL;

	(void)state;
	for (int round = 0; round < 20; round++) {
		assert_int_equal(xb_pool_new(3, &pool, NULL), 0);
		for (size_t i = 0; i < JOBS; i++) {
			jobs[i] = (struct square){ .job.run = run_square };
			xb_pool_submit(pool, &jobs[i].job);
		}
		xb_pool_free(pool);
		for (size_t i = 0; i < JOBS; i++)
			assert_true(jobs[i].runs == 0 || jobs[i].runs == 1);
	}
	free(jobs);
	xb_pool_free(NULL);
}

struct mask_job {
	struct xb_job job;
	bool blocked;
};

static void run_mask(struct xb_job *job)
{
	sigset_t now;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &now);
	((struct mask_job *)job)->blocked = sigismember(&now, SIGINT) && sigismember(&now, SIGTERM);
}

static void signals_reach_the_scheduler_only(void **state)
{
	struct mask_job m = { .job.run = run_mask };
	struct xb_pool *pool = NULL;
	sigset_t now;

	(void)state;
	assert_int_equal(xb_pool_new(1, &pool, NULL), 0);
	xb_pool_submit(pool, &m.job);
	assert_true(is_readable(pool, WAIT_MS));
	(void)xb_pool_collect(pool);
	assert_true(m.blocked);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &now);
	assert_false(sigismember(&now, SIGINT));
	xb_pool_free(pool);
}

static int halve(void *context, size_t number, struct xb_error *err)
{
	unsigned *halves = context;

	halves[number] = (unsigned)number / 2;
	return number == 7 || number == 9 ? xb_error_set(err, -EDOM, "number %zu", number) : 0;
}

/* Each is called once, whichever fails; of the failures that of the lowest number counts. */
static void each_is_called_once(void **state)
{
	static const struct {
		size_t count;
		int status;
	} cases[] = { { 0, 0 }, { 1, 0 }, { 2, 0 }, { 7, 0 }, { 8, -EDOM }, { 100, -EDOM } };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		unsigned halves[100] = { 0 };

		assert_int_equal(xb_pool_each(cases[i].count, halve, halves, &err),
				 cases[i].status);
		if (cases[i].status < 0)
			assert_string_equal(err.message, "number 7");
		for (size_t k = 0; k < XB_COUNT(halves); k++)
			assert_int_equal(halves[k], k < cases[i].count ? k / 2 : 0);
	}
	assert_int_equal(xb_pool_each(100, halve, (unsigned[100]){ 0 }, NULL), -EDOM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_job_comes_back_once),
		cmocka_unit_test(the_descriptor_stays_readable_while_jobs_wait),
		cmocka_unit_test(the_most_urgent_is_started_first),
		cmocka_unit_test(a_job_can_be_used_again),
		cmocka_unit_test(ending_drops_what_was_not_started),
		cmocka_unit_test(each_is_called_once),
		cmocka_unit_test(signals_reach_the_scheduler_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
