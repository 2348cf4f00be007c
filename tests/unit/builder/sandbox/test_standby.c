/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that stand by. Needs user namespaces, as root or as a user with subordinate ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>

#include "builder/sandbox/standby.h"
#include "tests/unit/builder/sandbox/step.h"

/* The children of this process, which are those of steps; at most `room` are put into `ret`. */
static size_t children(pid_t *ret, size_t room)
{
	xb_autofree char *path = xb_format("/proc/self/task/%d/children", getpid());
	xb_autofree char *text = step_read(path);
	char *at = text, *end;
	size_t count = 0;

	for (long pid = strtol(at, &end, 10); end != at; pid = strtol(at, &end, 10)) {
		if (count < room)
			ret[count] = (pid_t)pid;
		count++;
		at = end;
	}
	return count;
}

/* Run a script by what stands by, or without it; its output is in `s`. */
static int run_by(struct xb_standby *standby, struct step *s, const char *script)
{
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	xb_auto_fd int out = xb_memfd_new("output", NULL);
	struct xb_sandbox_io io = { -1, out, out };
	int r;

	step_argv(s, (const char *[]){ "/bin/sh", "-c", script, NULL });
	xb_error_clear(&s->err);
	xb_str_reset(&s->output);
	r = xb_standby_start(standby, &s->spec, &io, &sandbox, &s->err);
	if (r >= 0)
		r = xb_sandbox_wait(sandbox, &s->result, &s->err);
	(void)lseek(out, 0, SEEK_SET);
	assert_int_equal(xb_file_read_fd(out, &s->output, NULL), 0);
	return r;
}

static void test_one_that_stands_by_is_taken(void **state)
{
	xb_auto_standby struct xb_standby *standby = xb_standby_new();
	auto_step struct step s;
	xb_autofree char *name = xb_strdup("another");

	(void)state;
	step_init(&s);
	xb_standby_prepare(standby, &s.spec);
	assert_int_equal(children(NULL, 0), 1);
	/* what is told at last counts, not what the other was like */
	free(s.spec.hostname);
	s.spec.hostname = XB_STEAL(name);
	xb_strv_push(&s.spec.env, "GREETING=hello");
	assert_int_equal(run_by(standby, &s, "hostname; echo $GREETING $$; exit 7"), 0);
	assert_int_equal(s.result.exit_code, 7);
	assert_true(step_says(&s, "another\nhello "));
	assert_int_equal(children(NULL, 0), 0);
	assert_int_equal(run_by(standby, &s, "echo alone"), 0);
	step_said(&s, "alone\n");
}

static void test_one_that_is_not_alike_is_left(void **state)
{
	xb_auto_standby struct xb_standby *standby = xb_standby_new();
	auto_step struct step s;

	(void)state;
	step_init(&s);
	xb_standby_prepare(standby, &s.spec);
	s.spec.network = XB_SANDBOX_NET_NONE;
	assert_int_equal(run_by(standby, &s, "grep -c : /proc/net/dev"), 0);
	step_said(&s, "1\n"); /* the loopback device alone */
	s.spec.network = XB_SANDBOX_NET_HOST;
	s.spec.shm_size = 1 << 20;
	assert_int_equal(run_by(standby, &s, "dd if=/dev/zero of=/dev/shm/x bs=1M count=2 2>&1"),
			 0);
	assert_int_equal(s.result.exit_code, 1);
	s.spec.shm_size = XB_SANDBOX_SHM_SIZE;
	s.spec.private_userns = true;
	assert_int_equal(run_by(standby, &s, "echo userns"), 0);
	step_add_bind(&s, "/usr", "/usr");
	assert_int_equal(run_by(standby, &s, "ls -d /usr/bin"), 0);
	step_said(&s, "/usr/bin\n");
	assert_int_equal(children(NULL, 0), 1);
}

static void test_what_cannot_be_done_ahead_is_not_begun(void **state)
{
	xb_auto_standby struct xb_standby *standby = xb_standby_new();
	auto_step struct step s;

	(void)state;
	step_init(&s);
	s.spec.insecure = true;
	xb_standby_prepare(standby, &s.spec);
	s.spec.insecure = false;
	s.spec.terminal = true;
	xb_standby_prepare(standby, &s.spec);
	s.spec.terminal = false;
	xb_strv_push(&s.spec.cgroups, "/sys/fs/cgroup/none");
	xb_standby_prepare(standby, &s.spec);
	xb_strv_clear(&s.spec.cgroups);
	step_add_bind(&s, "/usr", "/usr");
	xb_standby_prepare(standby, &s.spec);
	assert_int_equal(children(NULL, 0), 0);
}

/* The first child of `parent`, as soon as it has one. */
static pid_t wait_for_child(pid_t parent)
{
	xb_autofree char *path = xb_format("/proc/%d/task/%d/children", parent, parent);
	long pid = 0;

	for (int i = 0; i < 3000 && pid == 0; i++) {
		xb_autofree char *text = step_read(path);

		pid = strtol(text, NULL, 10);
		if (pid == 0)
			(void)usleep(10000);
	}
	assert_true(pid > 0);
	return (pid_t)pid;
}

/* Whichever of its processes was killed while it stood by: the next step runs all the same. */
static void test_one_that_has_died_is_replaced(void **state)
{
	auto_step struct step s;
	pid_t outer, inner;

	(void)state;
	step_init(&s);
	for (int generation = 1; generation <= 2; generation++) {
		xb_auto_standby struct xb_standby *standby = xb_standby_new();
		struct pollfd p = { .events = POLLIN };

		xb_standby_prepare(standby, &s.spec);
		assert_int_equal(children(&outer, 1), 1);
		inner = wait_for_child(outer);
		p.fd = pidfd_open(inner, 0);
		assert_true(p.fd >= 0);
		assert_int_equal(kill(generation == 1 ? outer : inner, SIGKILL), 0);
		assert_int_equal(poll(&p, 1, 30000), 1);
		(void)close(p.fd);
		assert_int_equal(run_by(standby, &s, "echo ran"), 0);
		step_said(&s, "ran\n");
	}
}

static void test_those_that_nobody_took_are_ended(void **state)
{
	xb_autofree char *before = NULL;
	xb_autofree char *after = NULL;
	struct xb_standby *standby = xb_standby_new();
	auto_step struct step s;

	(void)state;
	step_init(&s);
	before = step_read("/proc/self/mountinfo");
	for (int i = 0; i < 2 * XB_STANDBY_MOST; i++)
		xb_standby_prepare(standby, &s.spec);
	assert_int_equal(children(NULL, 0), XB_STANDBY_MOST);
	xb_standby_free(standby);
	assert_int_equal(children(NULL, 0), 0);
	after = step_read("/proc/self/mountinfo");
	assert_string_equal(before, after);
	xb_standby_free(NULL);
}

/* A whole root goes by what stands by, and its errors are those of a step that is started. */
static void test_errors_are_told(void **state)
{
	xb_auto_standby struct xb_standby *standby = xb_standby_new();
	auto_step struct step s;

	(void)state;
	step_init(&s);
	xb_standby_prepare(standby, &s.spec);
	xb_strv_push(&s.spec.lowers, "/nowhere/at/all");
	step_failed(&s, run_by(standby, &s, "true"), -ENOENT, "/nowhere/at/all");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_that_stands_by_is_taken),
		TEST(test_one_that_is_not_alike_is_left),
		TEST(test_what_cannot_be_done_ahead_is_not_begun),
		TEST(test_one_that_has_died_is_replaced),
		TEST(test_those_that_nobody_took_are_ended),
		TEST(test_errors_are_told),
	};

	return cmocka_run_group_tests(tests, step_group_setup, step_group_teardown);
}
