/* SPDX-License-Identifier: Apache-2.0 */
/* Walks that threads read ahead for: the same visits in the same order as without them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "builder/context/context.h"
#include "builder/context/lookahead.h"
#include "builder/context/walk.h"
#include "tests/unit/scratch.h"

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

/* A walk's visits, a line each. */
static int note(void *visitor, const struct xb_walk_entry *e, struct xb_error *err)
{
	(void)err;
	xb_str_printf(visitor, "%s|%s|%o|%llu|%lld|%.*s|%zu\n", e->path, e->below, e->st.st_mode,
		      (unsigned long long)e->st.st_ino, (long long)e->st.st_size,
		      XB_VIEW_ARGS(e->target), e->xattrs.len);
	return 0;
}

static int walk(const struct xb_context *context, const struct xb_select *select, unsigned helpers,
		struct xb_str *lines, struct xb_error *err)
{
	const struct xb_walk how = { .context = context,
				     .path = "t",
				     .select = select,
				     .helpers = helpers,
				     .visit = note,
				     .visitor = lines };

	return xb_walk_run(&how, scratch_fd, "t", err);
}

/* The lines of a walk that has to succeed. */
static char *visits(const struct xb_context *context, const struct xb_select *select,
		    unsigned helpers)
{
	xb_auto_str struct xb_str lines = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (walk(context, select, helpers, &lines, &err) < 0)
		fail_msg("%u: %s", helpers, err.message);
	return xb_str_steal(&lines);
}

/* On one processor nobody reads ahead. */
static char *visits_alone(const struct xb_context *context, const struct xb_select *select)
{
	cpu_set_t all, one;
	unsigned first = 0;
	char *lines;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	lines = visits(context, select, 0);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	return lines;
}

/* Many directories, some deep, empty, large or links; names that sort oddly. */
static void make_tree(void)
{
	shell("mkdir t && cd t && for i in $(seq 60); do mkdir -p d$i/a/b d$i/c.d d$i/c && "
	      "for j in 1 2 3 4 5 6 7 8; do echo $i$j >d$i/f$j && echo $j >d$i/a/b/g$j && "
	      "echo >d$i/c/h$j; done && ln -s f1 d$i/l && ln -s a d$i/k && mkfifo d$i/p; done && "
	      "mkdir -p wide && cd wide && seq 1500 | xargs touch && mkdir 7a 80a 9a && touch "
	      "80a/x");
}

static void helpers_change_nothing(void **state)
{
	static const char *const rules[] = {
		NULL,
		"t/d1*\n!t/d11/a\n",
		"**/b\n!t/d3/a/b/g3\n",
		"**\n!t/d4*/c\n",
		"t/wide\n**/g*\n",
	};

	(void)state;
	make_tree();
	for (size_t i = 0; i < XB_COUNT(rules); i++) {
		xb_auto_context struct xb_context *context = NULL;
		xb_autofree char *alone = NULL;

		if (rules[i] != NULL)
			scratch_write(".dockerignore", rules[i]);
		assert_int_equal(xb_context_open(scratch, NULL, &context, NULL), 0);
		alone = visits_alone(context, NULL);
		assert_true(strlen(alone) > 1000);
		for (unsigned helpers = 1; helpers <= 3; helpers++) {
			xb_autofree char *helped = visits(context, NULL, helpers);

			assert_string_equal(helped, alone);
		}
	}
}

static void nor_where_only_some_is_wanted(void **state)
{
	xb_auto_select struct xb_select *select = NULL;
	xb_autofree char *alone = NULL, *helped = NULL;

	(void)state;
	make_tree();
	assert_int_equal(
		xb_select_new("*/c*/*", (const char *const[]){ "d2*", NULL }, &select, NULL), 0);
	alone = visits_alone(NULL, select);
	helped = visits(NULL, select, 2);
	assert_non_null(strstr(alone, "d30/c/h8"));
	assert_null(strstr(alone, "d20/c/h8"));
	assert_string_equal(helped, alone);
}

/* A visit that ends the walk leaves nothing behind; what is asked for is thrown away. */
static int stop_late(void *visitor, const struct xb_walk_entry *e, struct xb_error *err)
{
	unsigned *left = visitor;

	(void)e;
	(void)err;
	return --*left == 0 ? 7 : 0;
}

static void a_walk_can_be_ended(void **state)
{
	(void)state;
	make_tree();
	for (unsigned visit = 505; visit < 560; visit++) {
		unsigned left = visit;
		const struct xb_walk how = {
			.path = "t", .helpers = 2, .visit = stop_late, .visitor = &left
		};

		assert_int_equal(xb_walk_run(&how, scratch_fd, "t", NULL), 7);
	}
}

static atomic_bool ending;

/* Directories become links to elsewhere, vanish, and come back. */
static void *disturb(void *argument)
{
	(void)argument;
	for (unsigned i = 0; !atomic_load(&ending); i++) {
		char dir[32], away[32];

		(void)snprintf(dir, sizeof(dir), "t/d%u", 1 + i % 60);
		(void)snprintf(away, sizeof(away), "away%u", i % 60);
		if (renameat(scratch_fd, dir, scratch_fd, away) < 0)
			continue;
		if (i % 3 == 0 && symlinkat("../outside", scratch_fd, dir) == 0)
			(void)unlinkat(scratch_fd, dir, 0);
		(void)renameat(scratch_fd, away, scratch_fd, dir);
	}
	return NULL;
}

static void what_changes_meanwhile_leads_nowhere(void **state)
{
	pthread_t thread;

	(void)state;
	make_tree();
	shell("mkdir outside && touch outside/secret");
	atomic_store(&ending, false);
	assert_int_equal(pthread_create(&thread, NULL, disturb, NULL), 0);
	for (unsigned i = 0; i < 60; i++) {
		xb_auto_str struct xb_str lines = XB_STR_INIT(XB_STR_OWN);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r = walk(NULL, NULL, 1 + i % 3, &lines, &err);

		/* it may end early, but then it says where */
		if (r < 0 && strstr(err.message, "reading t") == NULL)
			fail_msg("%s", err.message);
		assert_null(strstr(xb_str_text(&lines), "secret"));
	}
	atomic_store(&ending, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(helpers_change_nothing),
		scratch_test(nor_where_only_some_is_wanted),
		scratch_test(a_walk_can_be_ended),
		scratch_test(what_changes_meanwhile_leads_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
