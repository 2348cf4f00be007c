/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: what a child inherits, how it ends, programs run to their end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"

/* Arguments as execve() takes them: it does not change them, but its type does not say so. */
#define ARGV(...) ((char *const *)(uintptr_t)(const char *const[]){ __VA_ARGS__, NULL })

static char self[4096];

/* A file in memory with `text` in it, at its start. */
static int holding(const char *text)
{
	int fd = xb_memfd_new(text, NULL);

	assert_true(fd >= 0);
	assert_int_equal(xb_write_all(fd, text, strlen(text), NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Start, wait, and give what it wrote to its standard output. */
static struct xb_proc_status run_spec(struct xb_proc_spec spec, struct xb_str *output)
{
	xb_auto_proc struct xb_proc p = XB_PROC_NONE;
	struct xb_proc_fd fds[8] = { { -1, 1 } };
	struct xb_proc_status status = { 0 };
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fds[0].from = ends[1];
	for (size_t i = 0; i < spec.fd_count; i++)
		fds[i + 1] = spec.fds[i];
	spec.fds = fds;
	spec.fd_count++;
	assert_int_equal(xb_proc_spawn(&spec, &p, NULL), 0);
	(void)close(ends[1]);
	assert_int_equal(xb_file_read_fd(ends[0], output, NULL), 0);
	(void)close(ends[0]);
	assert_int_equal(xb_proc_wait(&p, &status, NULL), 0);
	assert_int_equal(p.pid, -1);
	assert_int_equal(p.pidfd, -1);
	return status;
}

/* In the child: print the numbers that are open, and what is read from those above 2. */
static int show_descriptors(void)
{
	for (int fd = 0; fd < 100; fd++) {
		char target[64] = "";
		char path[32], text[64] = "";

		if (fcntl(fd, F_GETFD) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) < 0)
			return 1;
		if (fd > 2 && read(fd, text, sizeof(text) - 1) < 0)
			return 1;
		if (fd != 1)
			(void)printf("%d=%s ", fd, fd > 2 ? text : target);
	}
	return 0;
}

static int show_signals(void)
{
	struct sigaction action;
	sigset_t mask;

	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	(void)sigaction(SIGPIPE, NULL, &action);
	(void)printf("%s %s %s", sigismember(&mask, SIGUSR1) ? "blocked" : "open",
		     action.sa_handler == SIG_DFL ? "default" : "ignored",
		     getpgrp() == getpid() ? "leader" : "member");
	return 0;
}

static void a_child_gets_nothing_but_what_is_given(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(1000);
	xb_auto_fd int secret = holding("secret");
	struct xb_proc_status status;

	(void)state;
	assert_true(secret > 2);
	status = run_spec((struct xb_proc_spec){ .path = self, .argv = ARGV(self, "descriptors") },
			  &out);
	assert_int_equal(status.exit_code, 0);
	assert_string_equal(xb_str_text(&out), "0=/dev/null 2=/dev/null ");
}

static void numbers_may_overlap_in_any_way(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(1000);
	xb_auto_fd int a = holding("a");
	xb_auto_fd int b = holding("b");
	xb_auto_fd int c = holding("c");
	struct xb_proc_fd fds[] = { { a, b }, { b, c }, { c, a }, { a, 40 } };
	xb_autofree char *expected = xb_format("%d=c %d=a %d=b 40= ", a, b, c);

	(void)state;
	(void)run_spec((struct xb_proc_spec){ .path = self,
					      .argv = ARGV(self, "descriptors"),
					      .fds = fds,
					      .fd_count = XB_COUNT(fds) },
		       &out);
	/* 40 shares its position with the other copy of "a", which was read first. */
	assert_true(xb_view_starts(xb_str_view(&out), XB_VIEW("0=/dev/null 2=/dev/null ")));
	assert_non_null(strstr(xb_str_text(&out), expected));
}

static void a_number_may_stay_what_it_is(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(1000);
	xb_auto_fd int a = holding("kept");
	struct xb_proc_fd fds[] = { { a, a } };
	xb_autofree char *expected = xb_format("%d=kept ", a);

	(void)state;
	(void)run_spec((struct xb_proc_spec){ .path = self,
					      .argv = ARGV(self, "descriptors"),
					      .fds = fds,
					      .fd_count = 1 },
		       &out);
	assert_non_null(strstr(xb_str_text(&out), expected));
	/* Ours stays close-on-exec. */
	assert_true((fcntl(a, F_GETFD) & FD_CLOEXEC) != 0);
}

static void signals_start_afresh(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(1000);
	struct sigaction before, ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	(void)state;
	(void)sigaction(SIGPIPE, &ignore, &before);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)run_spec((struct xb_proc_spec){ .path = self, .argv = ARGV(self, "signals") }, &out);
	assert_string_equal(xb_str_text(&out), "open default member");
	xb_str_reset(&out);
	(void)run_spec((struct xb_proc_spec){ .path = self,
					      .argv = ARGV(self, "signals"),
					      .own_group = true },
		       &out);
	assert_string_equal(xb_str_text(&out), "open default leader");
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)sigaction(SIGPIPE, &before, NULL);
}

static void environment_and_arguments_arrive(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(1000);

	(void)state;
	(void)run_spec((struct xb_proc_spec){ .path = "sh",
					      .argv = ARGV("name", "-c", "echo $0 $A $HOME", "x"),
					      .envp = ARGV("A=b") },
		       &out);
	assert_string_equal(xb_str_text(&out), "x b\n");
}

static void a_program_in_memory_starts(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(1000);
	xb_auto_fd int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	xb_auto_fd int program = xb_memfd_new("program", NULL);
	xb_auto_fd int given = holding("given");
	xb_autofree char *path = xb_format("/proc/self/fd/%d", program);
	/* The child gets something else under the program's own number. */
	struct xb_proc_fd fds[] = { { given, program } };
	xb_autofree char *expected = xb_format("0=/dev/null 2=/dev/null %d=given ", program);
	struct xb_proc_status status;

	(void)state;
	assert_int_equal(xb_copy_data(from, program, XB_COPY_TO_END, NULL), 0);
	assert_int_equal(xb_memfd_seal(program, NULL), 0);
	status = run_spec((struct xb_proc_spec){ .path = path,
						 .argv = ARGV("in-memory", "descriptors"),
						 .fds = fds,
						 .fd_count = 1 },
			  &out);
	assert_int_equal(status.exit_code, 0);
	assert_string_equal(xb_str_text(&out), expected);
}

static void the_end_of_a_child_is_told(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(1000);
	struct xb_proc_status status;

	(void)state;
	status = run_spec((struct xb_proc_spec){ .path = "sh", .argv = ARGV("sh", "-c", "exit 7") },
			  &out);
	assert_int_equal(status.exit_code, 7);
	assert_int_equal(status.signal, 0);
	status = run_spec(
		(struct xb_proc_spec){ .path = "sh", .argv = ARGV("sh", "-c", "kill -TERM $$") },
		&out);
	assert_int_equal(status.exit_code, -1);
	assert_int_equal(status.signal, SIGTERM);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_proc_spec spec = { .path = "/none/program", .argv = ARGV("x") };
	struct xb_proc p = XB_PROC_NONE;

	(void)state;
	assert_int_equal(xb_proc_spawn(&spec, &p, &err), -ENOENT);
	assert_string_equal(err.message, "starting /none/program: No such file or directory");
	assert_int_equal(p.pid, -1);
	spec.path = "no-such-program-on-path";
	assert_int_equal(xb_proc_spawn(&spec, &p, NULL), -ENOENT);
	spec.path = "/etc";
	assert_int_equal(xb_proc_spawn(&spec, &p, NULL), -EACCES);
	spec.path = "/bin/sh";
	spec.fds = &(struct xb_proc_fd){ 999, 5 };
	spec.fd_count = 1;
	assert_int_equal(xb_proc_spawn(&spec, &p, NULL), -EBADF);
}

static struct xb_proc sleeper(void)
{
	struct xb_proc_spec spec = { .path = "sleep", .argv = ARGV("sleep", "600") };
	struct xb_proc p = XB_PROC_NONE;

	assert_int_equal(xb_proc_spawn(&spec, &p, NULL), 0);
	return p;
}

static void a_signal_ends_it_and_the_descriptor_tells(void **state)
{
	struct xb_proc p = sleeper();
	struct pollfd wait = { .fd = p.pidfd, .events = POLLIN };
	struct xb_proc_status status;

	(void)state;
	assert_int_equal(poll(&wait, 1, 0), 0);
	xb_proc_signal(&p, SIGINT);
	assert_int_equal(poll(&wait, 1, 120000), 1);
	xb_proc_signal(&p, SIGINT);
	assert_int_equal(xb_proc_wait(&p, &status, NULL), 0);
	assert_int_equal(status.signal, SIGINT);
}

static void leaving_the_scope_kills_and_reaps(void **state)
{
	struct xb_proc p = sleeper();
	pid_t pid = p.pid;

	(void)state;
	xb_proc_clear(&p);
	assert_int_equal(p.pidfd, -1);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	xb_proc_clear(&p);
	xb_proc_signal(&p, SIGKILL);
}

static void a_filter_runs_to_its_end(void **state)
{
	enum { LEN = 1 << 20 };
	xb_auto_str struct xb_str in = XB_STR_INIT(LEN);
	xb_auto_str struct xb_str out = XB_STR_INIT(LEN);
	struct xb_proc_status status;

	(void)state;
	while (xb_str_printf(&in, "%zu ", in.len) == 0)
		;
	assert_int_equal(xb_proc_run(ARGV("cat"), xb_str_view(&in), &out, &status, NULL), 0);
	assert_int_equal(status.exit_code, 0);
	assert_true(xb_view_eq(xb_str_view(&in), xb_str_view(&out)));
	/* One that does not read what it is given. */
	assert_int_equal(xb_proc_run(ARGV("false"), xb_str_view(&in), NULL, &status, NULL), 0);
	assert_int_equal(status.exit_code, 1);
}

static void endless_output_ends_at_the_bound(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str out = XB_STR_INIT(100000);
	struct xb_proc_status status;

	(void)state;
	assert_int_equal(xb_proc_run(ARGV("yes"), (struct xb_view){ 0 }, &out, &status, &err),
			 -EFBIG);
	assert_string_equal(err.message, "output of yes: larger than 100000 bytes");
}

static void *run_many(void *unused)
{
	for (int i = 0; i < 25; i++) {
		xb_auto_str struct xb_str out = XB_STR_INIT(100);
		struct xb_proc_status status = { 0 };

		if (xb_proc_run(ARGV("cat"), XB_VIEW("text"), &out, &status, NULL) < 0 ||
		    !xb_view_is(xb_str_view(&out), "text"))
			return &self;
	}
	return unused;
}

static void threads_start_children_side_by_side(void **state)
{
	pthread_t threads[4];
	void *result;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_many, NULL), 0);
	for (size_t i = 0; i < XB_COUNT(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
}

static void it_can_start_itself(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(100);

	(void)state;
	(void)run_spec((struct xb_proc_spec){ .path = xb_proc_self_path(),
					      .argv = ARGV("xbuild-other-name", "descriptors") },
		       &out);
	assert_string_equal(xb_str_text(&out), "0=/dev/null 2=/dev/null ");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_gets_nothing_but_what_is_given),
		cmocka_unit_test(numbers_may_overlap_in_any_way),
		cmocka_unit_test(a_number_may_stay_what_it_is),
		cmocka_unit_test(signals_start_afresh),
		cmocka_unit_test(environment_and_arguments_arrive),
		cmocka_unit_test(a_program_in_memory_starts),
		cmocka_unit_test(the_end_of_a_child_is_told),
		cmocka_unit_test(a_program_that_is_not_there_is_an_error),
		cmocka_unit_test(a_signal_ends_it_and_the_descriptor_tells),
		cmocka_unit_test(leaving_the_scope_kills_and_reaps),
		cmocka_unit_test(a_filter_runs_to_its_end),
		cmocka_unit_test(endless_output_ends_at_the_bound),
		cmocka_unit_test(threads_start_children_side_by_side),
		cmocka_unit_test(it_can_start_itself),
	};

	if (argc == 2 && strcmp(argv[1], "descriptors") == 0)
		return show_descriptors();
	if (argc == 2 && strcmp(argv[1], "signals") == 0)
		return show_signals();
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	xb_proc_keep_descriptors();
	/* A directory that this user may not search would change what a missing program gives. */
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
