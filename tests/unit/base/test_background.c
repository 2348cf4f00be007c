/* SPDX-License-Identifier: Apache-2.0 */
/* Threads in the background: their own priority alone changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/background.h"

static int nice_of_this_thread(void)
{
	return getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void *step_back(void *context)
{
	int *nice = context;

	xb_background_enter();
	xb_background_enter();
	*nice = nice_of_this_thread();
	return NULL;
}

static void others_stay_as_they_were(void **state)
{
	int before = nice_of_this_thread();
	int inside = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, step_back, &inside), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(inside >= 10);
	assert_true(inside >= before);
	assert_int_equal(nice_of_this_thread(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_stay_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
