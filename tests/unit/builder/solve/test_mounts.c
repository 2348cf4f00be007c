/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of steps: what of them is in a key, and what is left of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/builder/solve/build.h"

#define SH    "SHELL [\"/busybox\", \"sh\", \"-c\"]\n"
#define BASE  "FROM scratch\nCOPY busybox /\n" SH
#define STAGE "FROM scratch AS s\nCOPY d /d\nCOPY o /o\n"

static void give(struct build *b, const char *bytes)
{
	struct xb_secret *secret;

	xb_secrets_clear(&b->secrets);
	secret = xb_array_push(&b->secrets);
	secret->id = xb_strdup("s");
	secret->data = XB_STR_INIT(XB_MAX_SECRET);
	(void)xb_str_puts(&secret->data, bytes);
}

static void write_sources(void)
{
	assert_int_equal(mkdirat(scratch_fd, "c/d", 0755), 0);
	scratch_write("c/d/f", "one");
	scratch_write("c/o", "other");
}

/* Build twice; whether the last step came from the cache the second time. */
static bool cached_again(struct build *b, const char *text)
{
	build(b, text);
	return build_result(b)->cached;
}

static void test_contents_of_the_context_count(void **state)
{
	static const char text[] = BASE "RUN --mount=source=d,target=/m /busybox cat /m/f\n";
	struct build *b = *state;

	write_sources();
	assert_false(cached_again(b, text));
	assert_true(cached_again(b, text));
	scratch_write("c/o", "changed");
	assert_true(cached_again(b, text));
	scratch_write("c/d/f", "two");
	assert_false(cached_again(b, text));
	assert_string_equal(xb_str_text(&b->output), "1 two\n");
	/* the directory itself is seen too */
	assert_int_equal(fchmodat(scratch_fd, "c/d", 0700, 0), 0);
	assert_false(cached_again(b, text));
	assert_false(build_has(b, "m"));
}

static void test_contents_of_a_stage_count(void **state)
{
	static const char part[] =
		STAGE BASE "RUN --mount=from=s,source=d,target=/m /busybox cat /m/f\n";
	static const char all[] = STAGE BASE "RUN --mount=from=s,target=/m /busybox cat /m/d/f\n";
	struct build *b = *state;

	write_sources();
	assert_false(cached_again(b, part));
	assert_false(cached_again(b, all));
	assert_true(cached_again(b, part));
	assert_true(cached_again(b, all));
	scratch_write("c/o", "changed");
	assert_true(cached_again(b, part));
	assert_false(cached_again(b, all));
	scratch_write("c/d/f", "two");
	assert_false(cached_again(b, part));
	assert_string_equal(xb_str_text(&b->output), "1 two\n");
}

static void test_caches_and_secrets_do_not_count(void **state)
{
	static const char text[] = BASE "RUN --mount=type=cache,target=/m --mount=type=secret,id=s "
					"/busybox cat /m/f /run/secrets/s || echo > /m/f\n";
	static const char other[] = BASE "RUN --mount=type=cache,target=/m echo > /m/f; "
					 "/busybox rm -f /m/f\n";
	struct build *b = *state;

	assert_false(cached_again(b, text));
	give(b, "hush");
	assert_true(cached_again(b, text));
	assert_false(cached_again(b, other));
	give(b, "hush hush");
	assert_true(cached_again(b, text));
	assert_false(build_has(b, "m"));
	assert_false(build_has(b, "run"));
}

static void test_secrets_are_masked(void **state)
{
	struct build *b = *state;

	give(b, "hush\nsecond line\n");
	build(b, BASE "RUN --mount=type=secret,id=s,env=S "
		      "/busybox cat /run/secrets/s; echo \"<$S>\"; echo nothush\n");
	assert_non_null(strstr(xb_str_text(&b->output), "<***\n"));
	assert_non_null(strstr(xb_str_text(&b->output), "1 not***\n"));
	assert_null(strstr(xb_str_text(&b->output), "hush"));
	assert_null(strstr(xb_str_text(&b->output), "second"));
	try_build(b, BASE "RUN --mount=type=secret,id=s,env=S echo \"$S\"; exit 1\n");
	assert_int_equal(b->err.fault, XB_FAULT_STEP);
	assert_null(strstr(b->err.excerpt, "hush"));
	assert_non_null(strstr(b->err.excerpt, "***"));
}

/* A line longer than what is shown at once hides a secret at each place where it may be cut. */
static void test_secrets_in_long_lines(void **state)
{
	struct build *b = *state;

	give(b, "0123456789hush");
	build(b, BASE "RUN --mount=type=secret,id=s,env=S i=0; while [ $i -lt 6000 ]; do "
		      "printf '%sx' \"$S\"; i=$((i + 1)); done\n");
	assert_null(strstr(xb_str_text(&b->output), "hush"));
	assert_null(strstr(xb_str_text(&b->output), "0123"));
}

static void test_what_is_missing(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ BASE "RUN --mount=source=none,target=/m :\n", "none" },
		{ STAGE BASE "RUN --mount=from=s,source=none,target=/m :\n", "none" },
		{ STAGE BASE "RUN --mount=from=s,source=none,target=/m,rw :\n", "none" },
		{ BASE "RUN --mount=type=cache,source=none,target=/m :\n", "none" },
		{ BASE "RUN --mount=type=secret,id=t,required :\n", "secret t: not found" },
		{ BASE "RUN --mount=type=ssh,required :\n", "no SSH agent called default" },
	};
	struct build *b = *state;

	write_sources();
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		try_build(b, cases[i].text);
		assert_true(b->r < 0);
		assert_int_equal(b->err.fault, XB_FAULT_SOURCE);
		if (strstr(b->err.message, cases[i].message) == NULL)
			fail_msg("%s", b->err.message);
		assert_non_null(strchr(b->err.excerpt, '^'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		build_test(test_contents_of_the_context_count),
		build_test(test_contents_of_a_stage_count),
		build_test(test_caches_and_secrets_do_not_count),
		build_test(test_secrets_are_masked),
		build_test(test_secrets_in_long_lines),
		build_test(test_what_is_missing),
	};

	build_become_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
