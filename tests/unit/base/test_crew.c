/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks are done once, and whoever waits works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/crew.h"

struct count {
	struct xb_task task; /* first */
	atomic_int *total;
	int mine;
};

static void add(struct xb_task *task)
{
	struct count *count = (struct count *)task;

	count->mine++;
	atomic_fetch_add(count->total, 1);
}

static void do_some(struct xb_crew *crew, atomic_int *total, size_t rounds)
{
	struct count counts[50] = { 0 };

	for (size_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < XB_COUNT(counts); i++) {
			counts[i].task.run = add;
			counts[i].total = total;
			xb_crew_submit(crew, &counts[i].task);
		}
		for (size_t i = XB_COUNT(counts); i-- > 0;) {
			xb_crew_wait(crew, &counts[i].task);
			assert_int_equal(counts[i].mine, round + 1);
		}
	}
}

static void each_task_is_done_once(void **state)
{
	static const unsigned sizes[] = { 0, 1, 4 };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(sizes); i++) {
		xb_auto_crew struct xb_crew *crew = NULL;
		atomic_int total = 0;

		assert_int_equal(xb_crew_new(sizes[i], &crew, NULL), 0);
		do_some(crew, &total, 20);
		assert_int_equal(total, 1000);
	}
}

static void without_a_crew_it_is_done_at_once(void **state)
{
	atomic_int total = 0;
	struct count count = { .task.run = add, .total = &total };

	(void)state;
	xb_crew_submit(NULL, &count.task);
	assert_int_equal(total, 1);
	xb_crew_wait(NULL, &count.task);
}

static void the_urgent_goes_first(void **state)
{
	xb_auto_crew struct xb_crew *crew = NULL;
	atomic_int total = 0;
	struct count counts[3] = { 0 };

	(void)state;
	/* nobody but whoever waits works */
	assert_int_equal(xb_crew_new(0, &crew, NULL), 0);
	for (size_t i = 0; i < XB_COUNT(counts); i++)
		counts[i] = (struct count){ .task.run = add, .total = &total };
	xb_crew_submit_first(crew, &counts[0].task);
	xb_crew_submit(crew, &counts[1].task);
	xb_crew_submit_first(crew, &counts[2].task);
	xb_crew_wait(crew, &counts[2].task);
	assert_int_equal(total, 1);
	xb_crew_wait(crew, &counts[1].task);
	assert_int_equal(total, 3);
	xb_crew_wait(crew, &counts[0].task);
	assert_int_equal(total, 3);
}

struct guest {
	struct xb_crew *crew;
	atomic_int *total;
};

static void *use(void *argument)
{
	struct guest *guest = argument;

	do_some(guest->crew, guest->total, 10);
	return NULL;
}

static void several_threads_share_a_crew(void **state)
{
	xb_auto_crew struct xb_crew *crew = NULL;
	atomic_int total = 0;
	pthread_t threads[4];
	struct guest guest;

	(void)state;
	assert_int_equal(xb_crew_new(2, &crew, NULL), 0);
	guest = (struct guest){ crew, &total };
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, &guest), 0);
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(total, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_task_is_done_once),
		cmocka_unit_test(without_a_crew_it_is_done_at_once),
		cmocka_unit_test(the_urgent_goes_first),
		cmocka_unit_test(several_threads_share_a_crew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
