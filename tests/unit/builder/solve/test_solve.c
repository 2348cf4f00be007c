/* SPDX-License-Identifier: Apache-2.0 */
/* Whole builds: what steps make, how they fail, how they are stopped. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "builder/solve/assemble.h"
#include "builder/solve/output.h"
#include "tests/unit/builder/solve/build.h"

#define SH	      "SHELL [\"/busybox\", \"sh\", \"-c\"]\n"
#define BASE	      "FROM scratch\nCOPY busybox /\n" SH
#define NS_PER_SECOND 1000000000ULL

static void test_output_lines(void **state)
{
	struct build *b = *state;

	build(b, BASE "RUN echo one; printf 'two\\r\\n\\nthree'\n");
	assert_string_equal(xb_str_text(&b->output), "1 one\n1 two\n1 \n1 three\n");
	build(b, BASE "RUN echo error >&2\n");
	assert_string_equal(xb_str_text(&b->output), "2 error\n");
}

/* A command that writes without ever ending a line fills no memory and loses nothing. */
static void test_output_without_lines(void **state)
{
	struct build *b = *state;
	size_t count = 0;

	build(b, BASE "RUN /busybox head -c 100000 /dev/zero | /busybox tr '\\0' x\n");
	for (const char *c = xb_str_text(&b->output); *c != '\0'; c++)
		count += *c == 'x';
	assert_int_equal(count, 100000);
}

static void test_environment(void **state)
{
	struct build *b = *state;

	build(b, "FROM scratch\nCOPY busybox /\nENV A=\"1 2\" B=\nARG C=3\nWORKDIR /w\nUSER 5:6\n"
		 "RUN [\"/busybox\", \"sh\", \"-c\", "
		 "\"echo \\\"[$A][$B][$C]\\\"; /busybox pwd; /busybox id -u; /busybox id -g\"]\n");
	assert_string_equal(xb_str_text(&b->output), "1 [1 2][][3]\n1 /w\n1 5\n1 6\n");
}

static void test_copy(void **state)
{
	struct build *b = *state;
	struct stat st;

	assert_int_equal(mkdirat(scratch_fd, "c/d", 0755), 0);
	scratch_write("c/d/one", "1");
	scratch_write("c/d/two", "2");
	scratch_write("c/real", "r");
	assert_int_equal(symlinkat("real", scratch_fd, "c/link"), 0);

	/* a directory's contents, a wildcard, a link's target under the link's name */
	build(b, "FROM scratch\nCOPY d /x\n");
	assert_true(build_has(b, "x/one") && build_has(b, "x/two"));
	build(b, "FROM scratch\nCOPY d/* /y/\n");
	assert_true(build_has(b, "y/one") && build_has(b, "y/two"));
	build(b, "FROM scratch\nCOPY d/t* d/one /y/\n");
	assert_true(build_has(b, "y/one") && build_has(b, "y/two"));
	build(b, "FROM scratch\nCOPY link /z/\n");
	assert_true(build_has(b, "z/link"));
	assert_false(build_has(b, "z/real"));
	build_stat(b, "z/link", &st);
	assert_true(S_ISREG(st.st_mode));
	build(b, "FROM scratch\nCOPY link /plain\n");
	build_stat(b, "plain", &st);
	assert_true(S_ISREG(st.st_mode));
}

static void test_owners_and_modes(void **state)
{
	struct build *b = *state;
	struct stat st;

	scratch_write("c/f", "f");
	scratch_write("c/passwd", "me:x:1000:1001::/:\n");
	assert_int_equal(fchmodat(scratch_fd, "c/f", 0640, 0), 0);
	build(b, "FROM scratch\nCOPY f /\n");
	build_stat(b, "f", &st);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_uid, 0);
	build(b, "FROM scratch\nCOPY passwd /etc/\nCOPY --chown=me --chmod=4755 f /\n");
	build_stat(b, "f", &st);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 1001);
	build(b, "FROM scratch AS s\nCOPY --chown=7:8 f /\nFROM scratch\nCOPY --from=s f /\n");
	build_stat(b, "f", &st);
	assert_int_equal(st.st_uid, 7);
	assert_int_equal(st.st_gid, 8);
	build(b, "FROM scratch\nCOPY passwd /etc/\nUSER me\nWORKDIR /a/b\n");
	build_stat(b, "a/b", &st);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void test_missing_sources(void **state)
{
	struct build *b = *state;

	try_build(b, "FROM scratch\nCOPY nonesuch /\n");
	assert_true(b->r < 0);
	assert_int_equal(b->err.fault, XB_FAULT_SOURCE);
	assert_non_null(strstr(b->err.message, "nonesuch"));
	/* people have to know which of their lines it was */
	assert_non_null(strstr(b->err.message, "Dockerfile:2"));
	try_build(b, "FROM scratch\nCOPY --chown=nobody busybox /b\n");
	assert_int_equal(b->err.fault, XB_FAULT_SOURCE);
	assert_non_null(strstr(b->err.message, "Dockerfile:2"));
	assert_non_null(strstr(b->err.message, "nobody"));
	try_build(b, "FROM scratch AS s\nFROM scratch\nCOPY --from=s /x /\n");
	assert_int_equal(b->err.fault, XB_FAULT_SOURCE);
	try_build(b, "FROM scratch\nCOPY busybox /f\nWORKDIR /f/x\n");
	assert_int_equal(b->err.fault, XB_FAULT_SOURCE);
	assert_non_null(strstr(b->err.message, "Dockerfile:3"));
}

static void test_failing_command(void **state)
{
	struct build *b = *state;

	try_build(b, BASE "RUN echo before; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "
			  "19 20 21; do echo line $i; done; printf '\\033[31m'; exit 3\n"
			  "RUN never\n");
	assert_true(b->r < 0);
	assert_int_equal(b->err.fault, XB_FAULT_STEP);
	assert_non_null(strstr(b->err.message, "Dockerfile:4:1: exit status 3"));
	assert_non_null(strstr(b->err.message, "native"));
	assert_non_null(strstr(b->err.excerpt, "4 | RUN echo before"));
	/* the last twenty lines */
	assert_null(strstr(b->err.excerpt, "\n  before"));
	assert_null(strstr(b->err.excerpt, "line 1\n"));
	assert_non_null(strstr(b->err.excerpt, "line 3\n"));
	assert_non_null(strstr(b->err.excerpt, "line 21"));
	assert_null(strchr(b->err.excerpt, '\x1b'));
	/* and nothing of it is taken for a result */
	build(b, BASE "RUN true\n");
	assert_int_equal(b->cached, 1);
	try_build(b, BASE "RUN exit 3\n");
	try_build(b, BASE "RUN exit 3\n");
	assert_int_equal(b->err.fault, XB_FAULT_STEP);
}

static void test_killed_command(void **state)
{
	struct build *b = *state;

	try_build(b, BASE "RUN kill -SEGV $$\n");
	assert_int_equal(b->err.fault, XB_FAULT_STEP);
	assert_non_null(strstr(b->err.message, "Segmentation fault"));
	try_build(b, BASE "RUN [\"/nonesuch\"]\n");
	assert_int_equal(b->err.fault, XB_FAULT_STEP);
	assert_non_null(strstr(b->err.message, "Dockerfile:4"));
	assert_non_null(strstr(b->err.message, "/nonesuch"));
	/* a program of no platform at all */
	scratch_write("c/text", "no program");
	try_build(b, BASE "COPY --chmod=755 text /\nRUN [\"/text\"]\n");
	assert_int_equal(b->err.fault, XB_FAULT_STEP);
}

/* The first failure is the one that is told, and it stops the others at once. */
static void test_failure_stops_others(void **state)
{
	struct build *b = *state;
	uint64_t start = xb_clock_monotonic();

	try_build(b, BASE "FROM scratch AS slow\nCOPY busybox /\n" SH "RUN /busybox sleep 60\n"
			  "FROM scratch AS bad\nCOPY busybox /\n" SH "RUN exit 9\n"
			  "FROM scratch\nCOPY --from=slow / /\nCOPY --from=bad / /\n");
	assert_int_equal(b->err.fault, XB_FAULT_STEP);
	assert_non_null(strstr(b->err.message, "exit status 9"));
	assert_true(xb_clock_monotonic() - start < 20 * NS_PER_SECOND);
}

#define THREE                                                                                      \
	BASE "FROM scratch AS one\nCOPY busybox /\n" SH                                            \
	     "RUN /busybox sleep 0.5; exit 5\nRUN one\n"                                           \
	     "FROM scratch AS two\nCOPY busybox /\n" SH "RUN exit 6\n"                             \
	     "FROM scratch AS three\nCOPY busybox /\n" SH "RUN /busybox sleep 1; echo three\n"     \
	     "FROM scratch\nCOPY --from=one / /\nCOPY --from=two / /\nCOPY --from=three / /\n"

/* What does not need a step that failed is carried out; all errors are told, the first decides. */
static void test_keep_going(void **state)
{
	struct build *b = *state;

	b->keep_going = true;
	try_build(b, THREE);
	assert_true(b->r < 0);
	assert_non_null(strstr(b->err.message, "exit status 6"));
	assert_int_equal(b->failed, 1);
	assert_non_null(strstr(xb_str_text(&b->output), "exit status 5"));
	assert_non_null(strstr(xb_str_text(&b->output), "1 three\n"));
	assert_null(strstr(xb_str_text(&b->output), "not found"));
	/* what was made is there the next time */
	b->keep_going = false;
	try_build(b, THREE);
	assert_true(b->r < 0);
	assert_null(strstr(xb_str_text(&b->output), "1 three\n"));
}

/* Asked to stop, a build that keeps going stops. */
static void test_keep_going_stops(void **state)
{
	struct build *b = *state;
	xb_auto_fd int stop = eventfd(1, EFD_CLOEXEC);

	b->keep_going = true;
	b->stop_fd = stop;
	try_build(b, BASE "RUN /busybox sleep 60\n");
	assert_int_equal(b->r, -ECANCELED);
	assert_int_equal(b->err.fault, XB_FAULT_INTERRUPTED);
}

/* Of a build whose only target may fail nothing would be left. */
static void test_nothing_left(void **state)
{
	static const bool optional[] = { true };
	struct build *b = *state;

	b->optional = optional;
	try_build(b, BASE "RUN exit 4\nRUN never\n");
	assert_int_equal(b->err.fault, XB_FAULT_STEP);
	assert_non_null(strstr(b->err.message, "exit status 4"));
	assert_int_equal(b->failed, 0);
	build(b, BASE "RUN true\n");
	assert_true(xb_results_have(&b->results, b->plan->targets[0].step));
}

static void test_stop(void **state)
{
	struct build *b = *state;
	uint64_t start = xb_clock_monotonic();
	xb_auto_fd int stop = eventfd(1, EFD_CLOEXEC);

	b->stop_fd = stop;
	try_build(b, BASE "RUN trap '' TERM INT; /busybox sleep 60\n");
	assert_int_equal(b->r, -ECANCELED);
	assert_int_equal(b->err.fault, XB_FAULT_INTERRUPTED);
	assert_true(xb_clock_monotonic() - start < 20 * NS_PER_SECOND);
	b->stop_fd = -1;
	build(b, BASE "RUN true\n");
}

/* Steps that are equal in all but their words, at once: one runs, the other takes its result. */
static void test_equal_keys_at_once(void **state)
{
	struct build *b = *state;

	build(b,
	      "FROM scratch AS a\nCOPY busybox /\nFROM scratch AS b\nCOPY [\"./busybox\", \"/\"]\n"
	      "FROM scratch\nCOPY --from=a / /a/\nCOPY --from=b / /b/\n");
	assert_int_equal(b->ran, 3);
	assert_int_equal(b->cached, 1);
}

static void test_files_output(void **state)
{
	struct build *b = *state;
	xb_auto_outputs struct xb_outputs outputs = { 0 };
	xb_auto_assembled struct xb_assembled assembled = { 0 };
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);
	xb_autofree char *local = xb_format("type=local,dest=%s", scratch_path("out/dir"));
	xb_autofree char *tar = xb_format("type=tar,dest=%s", scratch_path("out.tar"));
	struct xb_output_source source = { .store = b->store, .names = &names, .epoch = 7 };

	scratch_write("c/f", "content");
	build(b, "FROM scratch\nCOPY f /a/f\nCOPY f /b\n");
	source.plan = b->plan;
	source.results = &b->results;
	source.assembled = &assembled;
	assert_int_equal(xb_assemble(b->store, b->plan, &b->results, 7, NULL, NULL, false, NULL,
				     &assembled, NULL),
			 0);
	assert_int_equal(xb_output_parse(local, &outputs, NULL), 0);
	assert_int_equal(xb_output_parse(tar, &outputs, NULL), 0);
	for (size_t i = 0; i < outputs.len; i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_output_write(&outputs.items[i], &source, &err) < 0)
			fail_msg("%s", err.message);
	}
	assert_int_equal(xb_file_read(scratch_path("out/dir/a/f"), &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "content");
	assert_int_equal(faccessat(scratch_fd, "out/dir/b", F_OK, 0), 0);
	assert_int_equal(scratch_run((const char *[]){ "tar", "-C", scratch_path("out"), "-xf",
						       scratch_path("out.tar"), "b", NULL }),
			 0);
	xb_str_reset(&text);
	assert_int_equal(xb_file_read(scratch_path("out/b"), &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "content");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		build_test(test_output_lines),	       build_test(test_output_without_lines),
		build_test(test_environment),	       build_test(test_copy),
		build_test(test_owners_and_modes),     build_test(test_missing_sources),
		build_test(test_failing_command),      build_test(test_killed_command),
		build_test(test_failure_stops_others), build_test(test_stop),
		build_test(test_keep_going),	       build_test(test_keep_going_stops),
		build_test(test_nothing_left),	       build_test(test_equal_keys_at_once),
		build_test(test_files_output),
	};

	build_become_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
