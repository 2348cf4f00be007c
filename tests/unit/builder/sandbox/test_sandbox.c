/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a step: how it ends, and that nothing of it stays. Needs user namespaces, as root
 * or as a user with subordinate ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "tests/unit/builder/sandbox/step.h"
#include <sys/syscall.h>

static void test_exit_code(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(step_sh(&s, "exit 0"), 0);
	assert_int_equal(step_sh(&s, "exit 255"), 255);
	assert_int_equal(step_sh(&s, "echo out; echo err >&2; exit 42"), 42);
	assert_int_equal(s.result.signal, 0);
	step_said(&s, "out\nerr\n");
}

static void test_signal(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(step_sh(&s, "kill -SEGV $$"), -1);
	assert_int_equal(s.result.signal, SIGSEGV);
	assert_int_equal(step_sh(&s, "kill -9 $$"), -1);
	assert_int_equal(s.result.signal, SIGKILL);
}

static void test_program_not_found(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	step_argv(&s, (const char *[]){ "nosuch", NULL });
	step_failed(&s, step_run(&s), -ENOENT, "\"nosuch\": executable file not found in $PATH");
	assert_int_equal(s.err.fault, XB_FAULT_STEP);
	step_argv(&s, (const char *[]){ "/bin/nosuch", NULL });
	step_failed(&s, step_run(&s), -ENOENT, "/bin/nosuch: no such file");
}

static void test_program_not_executable(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	scratch_write("root/text", "#!/bin/sh\n");
	scratch_write("root/garbage", "\x7f"
				      "ELFgarbage");
	scratch_write("root/script", "#! /nowhere/python -u\n");
	assert_int_equal(chmod(scratch_path("root/garbage"), 0755), 0);
	assert_int_equal(chmod(scratch_path("root/script"), 0755), 0);
	step_argv(&s, (const char *[]){ "/text", NULL });
	step_failed(&s, step_run(&s), -EACCES, "/text: Permission denied");
	step_argv(&s, (const char *[]){ "/garbage", NULL });
	step_failed(&s, step_run(&s), -ENOEXEC, "/garbage: exec format error");
	assert_non_null(s.err.hint);
	step_argv(&s, (const char *[]){ "/script", NULL });
	step_failed(&s, step_run(&s), -ENOENT, "its interpreter /nowhere/python is not in");
}

static void test_path_of_the_step_is_searched(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(mkdir(scratch_path("root/opt"), 0755), 0);
	scratch_write("root/opt/tool", "#!/bin/sh\necho tool $1\n");
	assert_int_equal(chmod(scratch_path("root/opt/tool"), 0755), 0);
	xb_env_set(&s.spec.env, XB_VIEW("PATH"), XB_VIEW("/nowhere:/opt"));
	step_argv(&s, (const char *[]){ "tool", "x", NULL });
	assert_int_equal(step_run(&s), 0);
	step_said(&s, "tool x\n");
	/* none in the environment: Docker's */
	xb_env_unset(&s.spec.env, XB_VIEW("PATH"));
	step_argv(&s, (const char *[]){ "true", NULL });
	assert_int_equal(step_run(&s), 0);
}

static void test_wrong_use(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(step_run(&s), -EINVAL);
	step_argv(&s, (const char *[]){ "/bin/true", NULL });
	xb_strv_push(&s.spec.binfmt, ":x");
	step_failed(&s, step_run(&s), -EINVAL, "emulators without a user namespace");
	xb_strv_clear(&s.spec.binfmt);
	xb_strv_push(&s.spec.lowers, "/nowhere/at/all");
	step_failed(&s, step_run(&s), -ENOENT, "/nowhere/at/all");
}

/* A step that starts a hundred processes which never end, closes nothing and exits. */
static void test_daemons_end_with_the_step(void **state)
{
	auto_step struct step s;
	xb_autofree char *marker = xb_format("1000%d", getpid());
	xb_autofree char *script =
		xb_format("for i in 1 2 3 4 5 6 7 8 9 10; do for j in 1 2 3 4 5 6 7 8 9 10; do "
			  "setsid sleep %s & done; done; exit 3",
			  marker);

	(void)state;
	step_init(&s);
	assert_int_equal(step_sh(&s, script), 3);
	assert_int_equal(step_count_processes(marker), 0);
}

static void test_orphans_are_reaped(void **state)
{
	auto_step struct step s;

	(void)state;
	step_init(&s);
	assert_int_equal(step_sh(&s, "for i in 1 2 3 4 5; do (true & true); done; sleep 0.1; "
				     "ps -o stat | grep -c Z"),
			 1);
	step_said(&s, "0\n");
}

/* A step that runs for ever, started; its output says "up" when its program runs. */
static struct xb_sandbox *start_endless(struct step *s, const char *marker)
{
	xb_autofree char *script = xb_format("sleep %s & echo up; sleep %s", marker, marker);
	struct xb_sandbox *sandbox = NULL;
	struct xb_sandbox_io io = { -1, -1, -1 };
	struct pollfd p = { .events = POLLIN };
	int pipefd[2];

	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	io.stdout_fd = pipefd[1];
	step_argv(s, (const char *[]){ "/bin/sh", "-c", script, NULL });
	assert_int_equal(step_start(s, &io, &sandbox), 0);
	(void)close(pipefd[1]);
	p.fd = pipefd[0];
	assert_int_equal(poll(&p, 1, 120000), 1);
	assert_true((p.revents & POLLIN) != 0);
	(void)close(pipefd[0]);
	return sandbox;
}

static void test_kill_ends_everything(void **state)
{
	auto_step struct step s;
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	xb_autofree char *marker = xb_format("2000%d", getpid());

	(void)state;
	step_init(&s);
	sandbox = start_endless(&s, marker);
	assert_int_equal(step_count_processes(marker) > 0, 1);
	xb_sandbox_kill(sandbox);
	step_failed(&s, xb_sandbox_wait(sandbox, &s.result, &s.err), -ECANCELED, "cancelled");
	assert_int_equal(s.err.fault, XB_FAULT_INTERRUPTED);
	assert_int_equal(step_count_processes(marker), 0);
	xb_sandbox_kill(sandbox); /* again, when it is over */
}

static void test_kill_at_any_moment(void **state)
{
	xb_autofree char *mounts = step_read("/proc/self/mountinfo");
	xb_autofree char *after = NULL;

	(void)state;
	for (long delay = 0; delay < 60; delay++) {
		auto_step struct step s;
		xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
		struct xb_sandbox_io io = { -1, -1, -1 };
		struct timespec wait = { .tv_nsec = delay * 100000 };

		step_init(&s);
		step_argv(&s, (const char *[]){ "sleep", "1000", NULL });
		assert_int_equal(step_start(&s, &io, &sandbox), 0);
		(void)nanosleep(&wait, NULL);
		xb_sandbox_kill(sandbox);
		assert_int_equal(xb_sandbox_wait(sandbox, &s.result, &s.err), -ECANCELED);
	}
	after = step_read("/proc/self/mountinfo");
	assert_string_equal(mounts, after);
}

static void test_free_of_a_running_step_ends_it(void **state)
{
	auto_step struct step s;
	xb_autofree char *marker = xb_format("3000%d", getpid());

	(void)state;
	step_init(&s);
	xb_sandbox_free(start_endless(&s, marker));
	assert_int_equal(step_count_processes(marker), 0);
}

/* The one child of `parent`. */
static pid_t child_of(pid_t parent)
{
	xb_autofree char *path = xb_format("/proc/%d/task/%d/children", parent, parent);
	xb_autofree char *text = step_read(path);

	return (pid_t)strtol(text, NULL, 10);
}

static void wait_until_gone(const char *marker)
{
	struct timespec pause = { .tv_nsec = 10000000 };

	for (int i = 0; i < 6000 && step_count_processes(marker) > 0; i++)
		(void)nanosleep(&pause, NULL);
	assert_int_equal(step_count_processes(marker), 0);
}

/* kill -9 of A (generation 1) or of B (generation 2). */
static void check_kill_of(int generation)
{
	auto_step struct step s;
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	xb_autofree char *marker = xb_format("400%d%d", generation, getpid());
	xb_autofree char *mounts = step_read("/proc/self/mountinfo");
	xb_autofree char *after = NULL;
	pid_t victim = getpid();
	int r;

	step_init(&s);
	sandbox = start_endless(&s, marker);
	for (int i = 0; i < generation; i++)
		victim = child_of(victim);
	assert_true(victim > 0);
	assert_int_equal(kill(victim, SIGKILL), 0);
	r = xb_sandbox_wait(sandbox, &s.result, &s.err);
	step_failed(&s, r, -ECHILD, generation == 1 ? "without a word" : "killed by signal 9");
	wait_until_gone(marker);
	after = step_read("/proc/self/mountinfo");
	assert_string_equal(mounts, after);
}

static void test_kill_9_of_init(void **state)
{
	(void)state;
	check_kill_of(1);
	check_kill_of(2);
}

/* This program as a builder of its own: starts a step that never ends, in the directories of the
 * test that started it, and waits to be killed. */
static int be_builder(const char *base, const char *dir, const char *marker)
{
	struct step s;

	step_possible = true;
	(void)snprintf(step_base, sizeof(step_base), "%s", base);
	(void)snprintf(scratch, sizeof(scratch), "%s", dir);
	step_init(&s);
	(void)start_endless(&s, marker);
	(void)puts("up");
	(void)fflush(stdout);
	return pause();
}

static void test_kill_9_of_the_builder(void **state)
{
	xb_auto_proc struct xb_proc builder = XB_PROC_NONE;
	xb_autofree char *marker = xb_format("5000%d", getpid());
	struct xb_proc_status status;
	struct xb_proc_fd fd = { .to = STDOUT_FILENO };
	struct xb_proc_spec spec = { .path = xb_proc_self_path(), .fds = &fd, .fd_count = 1 };
	struct pollfd p = { .events = POLLIN };
	int ends[2];

	(void)state;
	need("userns", step_possible);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fd.from = ends[1];
	spec.argv = (char *[]){
		(char[]){ "test" }, (char[]){ "builder" }, step_base, scratch, marker, NULL
	};
	assert_int_equal(xb_proc_spawn(&spec, &builder, NULL), 0);
	p.fd = ends[0];
	assert_int_equal(poll(&p, 1, 120000), 1);
	assert_true(step_count_processes(marker) > 1);
	xb_proc_signal(&builder, SIGKILL);
	assert_int_equal(xb_proc_wait(&builder, &status, NULL), 0);
	wait_until_gone(marker);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_fd_tells_the_end(void **state)
{
	auto_step struct step s;
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	struct xb_sandbox_io io = { -1, -1, -1 };
	struct pollfd p = { .events = POLLIN };

	(void)state;
	step_init(&s);
	step_argv(&s, (const char *[]){ "true", NULL });
	assert_int_equal(step_start(&s, &io, &sandbox), 0);
	p.fd = xb_sandbox_fd(sandbox);
	assert_int_equal(poll(&p, 1, 120000), 1);
	assert_int_equal(xb_sandbox_wait(sandbox, &s.result, &s.err), 0);
	assert_int_equal(s.result.exit_code, 0);
}

static void test_many_at_once(void **state)
{
	enum { COUNT = 12 };
	struct xb_sandbox *running[COUNT] = { NULL };
	struct xb_sandbox_io io = { -1, -1, -1 };
	auto_step struct step s;

	(void)state;
	step_init(&s);
	free(XB_STEAL(s.spec.upper));
	free(XB_STEAL(s.spec.work));
	s.spec.scratch_upper = true;
	step_argv(&s, (const char *[]){ "sh", "-c", "echo x > /x; exit 9", NULL });
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(xb_sandbox_start(&s.spec, &io, &running[i], &s.err), 0);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(xb_sandbox_wait(running[i], &s.result, &s.err), 0);
		assert_int_equal(s.result.exit_code, 9);
		xb_sandbox_free(running[i]);
	}
}

/* Starts the step of `arg` and ends. */
static void *start_and_end(void *arg)
{
	struct step *s = arg;
	struct xb_sandbox *sandbox = NULL;
	struct xb_sandbox_io io = { -1, -1, -1 };

	return step_start(s, &io, &sandbox) < 0 ? NULL : sandbox;
}

/* A worker of the pool may end before its step: "die with the parent" must not mean its thread. */
static void test_step_outlives_the_thread_that_started_it(void **state)
{
	auto_step struct step s;
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	void *started = NULL;
	pthread_t thread;

	(void)state;
	step_init(&s);
	step_argv(&s, (const char *[]){ "sh", "-c", "sleep 0.3; exit 7", NULL });
	assert_int_equal(pthread_create(&thread, NULL, start_and_end, &s), 0);
	assert_int_equal(pthread_join(thread, &started), 0);
	assert_non_null(started);
	sandbox = started;
	assert_int_equal(xb_sandbox_wait(sandbox, &s.result, &s.err), 0);
	assert_int_equal(s.result.exit_code, 7);
}

/* Standard input is what the caller gives, /dev/null without. */
static void test_standard_input(void **state)
{
	auto_step struct step s;
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	xb_auto_fd int in = xb_memfd_new("input", NULL);
	xb_auto_fd int out = xb_memfd_new("output", NULL);
	struct xb_sandbox_io io = { in, out, -1 };

	(void)state;
	step_init(&s);
	assert_int_equal(step_sh(&s, "wc -c"), 0);
	step_said(&s, "0\n");
	assert_int_equal(xb_write_all(in, "four", 4, NULL), 0);
	(void)lseek(in, 0, SEEK_SET);
	step_argv(&s, (const char *[]){ "sh", "-c", "cat; echo no >&2", NULL });
	assert_int_equal(step_start(&s, &io, &sandbox), 0);
	assert_int_equal(xb_sandbox_wait(sandbox, &s.result, &s.err), 0);
	(void)lseek(out, 0, SEEK_SET);
	xb_str_reset(&s.output);
	assert_int_equal(xb_file_read_fd(out, &s.output, NULL), 0);
	step_said(&s, "four");
}

/* The process that is to become the step's program, once it is there; 0: not yet. */
static pid_t find_program(void)
{
	pid_t pid = getpid();

	for (int generation = 0; generation < 3 && pid > 0; generation++) {
		xb_autofree char *path = xb_format("/proc/%d/task/%d/children", pid, pid);
		xb_auto_str struct xb_str text = XB_STR_INIT(1 << 16);

		if (xb_file_read(path, &text, NULL) < 0)
			return 0;
		pid = (pid_t)strtol(xb_str_text(&text), NULL, 10);
	}
	return pid;
}

/* Whether it sleeps: setting a step up has nothing else to sleep for. */
static bool is_asleep(pid_t pid)
{
	xb_autofree char *path = xb_format("/proc/%d/syscall", pid);
	xb_auto_str struct xb_str text = XB_STR_INIT(1 << 12);

	return pid > 0 && xb_file_read(path, &text, NULL) == 0 &&
	       strtol(xb_str_text(&text), NULL, 10) == SYS_clock_nanosleep;
}

/* Run /program of a plain tree, which `writer` has open; it is closed as soon as the step waits for
 * that, and whether it was seen to is `*ret_waited`. */
static int run_written(struct step *s, int *writer, bool *ret_waited)
{
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	xb_auto_fd int out = xb_memfd_new("output", NULL);
	struct xb_sandbox_io io = { -1, out, out };
	struct pollfd p = { .events = POLLIN };
	int r;

	*ret_waited = false;
	xb_error_clear(&s->err);
	xb_str_reset(&s->output);
	assert_int_equal(step_start(s, &io, &sandbox), 0);
	p.fd = xb_sandbox_fd(sandbox);
	while (!*ret_waited && poll(&p, 1, 1) == 0)
		*ret_waited = writer != NULL && is_asleep(find_program());
	if (writer != NULL)
		xb_cleanup_fd(writer);
	r = xb_sandbox_wait(sandbox, &s->result, &s->err);
	(void)lseek(out, 0, SEEK_SET);
	assert_int_equal(xb_file_read_fd(out, &s->output, NULL), 0);
	return r;
}

static int open_program(void)
{
	return open(scratch_path("tree/program"), O_WRONLY | O_APPEND | O_CLOEXEC);
}

/* In a tree that is a plain directory, a child that another thread is starting may still have the
 * program open for writing. An overlay would not know of that. */
static void test_program_that_is_being_written(void **state)
{
	auto_step struct step s;
	xb_autofree char *bin = xb_format("%s/bin", step_base);
	xb_auto_fd int writer = -1;
	bool waited = false;
	int r = 0;

	(void)state;
	step_init(&s);
	assert_int_equal(mkdir(scratch_path("tree"), 0755), 0);
	assert_int_equal(
		scratch_run((const char *[]){ "cp", "-a", bin, scratch_path("tree"), NULL }), 0);
	scratch_write("tree/program", "#!/bin/sh\necho ran\n");
	assert_int_equal(chmod(scratch_path("tree/program"), 0755), 0);
	xb_strv_clear(&s.spec.lowers);
	free(s.spec.upper);
	free(s.spec.work);
	s.spec.upper = s.spec.work = NULL;
	s.spec.tree = xb_strdup(scratch_path("tree"));
	s.spec.points = xb_strdup(scratch_path("points"));
	step_argv(&s, (const char *[]){ "/program", NULL });
	/* a machine that is busy enough may not let us see it; then it gives up, and we try again
	 */
	for (int i = 0; i < 20 && !waited; i++) {
		(void)unlink(scratch_path("points"));
		writer = open_program();
		assert_true(writer >= 0);
		r = run_written(&s, &writer, &waited);
	}
	assert_true(waited);
	assert_int_equal(r, 0);
	step_said(&s, "ran\n");
	/* not for ever */
	(void)unlink(scratch_path("points"));
	writer = open_program();
	step_failed(&s, run_written(&s, NULL, &waited), -ETXTBSY, "exec: /program: Text file busy");
	assert_int_equal(s.err.fault, XB_FAULT_STEP);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_exit_code),
		TEST(test_signal),
		TEST(test_program_not_found),
		TEST(test_program_not_executable),
		TEST(test_program_that_is_being_written),
		TEST(test_path_of_the_step_is_searched),
		TEST(test_wrong_use),
		TEST(test_daemons_end_with_the_step),
		TEST(test_orphans_are_reaped),
		TEST(test_kill_ends_everything),
		TEST(test_kill_at_any_moment),
		TEST(test_free_of_a_running_step_ends_it),
		TEST(test_kill_9_of_init),
		TEST(test_kill_9_of_the_builder),
		TEST(test_fd_tells_the_end),
		TEST(test_many_at_once),
		TEST(test_step_outlives_the_thread_that_started_it),
		TEST(test_standard_input),
	};

	if (argc == 5 && strcmp(argv[1], "builder") == 0)
		return be_builder(argv[2], argv[3], argv[4]);
	return step_run_both(tests);
}
