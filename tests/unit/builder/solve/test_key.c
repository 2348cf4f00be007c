/* SPDX-License-Identifier: Apache-2.0 */
/* Which steps the cache takes for equal: what changes a result is in the key, nothing else is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/builder/solve/build.h"

#define SH   "SHELL [\"/busybox\", \"sh\", \"-c\"]\n"
#define BASE "FROM scratch\nCOPY busybox /\n" SH

static void test_nothing_runs_twice(void **state)
{
	struct build *b = *state;
	static const char text[] = BASE "WORKDIR /w\nCOPY f g /d/\nRUN echo x >y\nRUN cat y\n";
	xb_autofree char *chain = NULL;

	scratch_write("c/f", "f");
	scratch_write("c/g", "g");
	build(b, text);
	assert_int_equal(b->ran, 5);
	assert_int_equal(b->cached, 0);
	chain = xb_strdup(xb_result_chain(build_result(b))->text);
	assert_int_equal(build_result(b)->layers.len, 5);
	build(b, text);
	assert_int_equal(b->ran, 0);
	assert_int_equal(b->cached, 5);
	assert_string_equal(xb_result_chain(build_result(b))->text, chain);
	b->no_cache = true;
	build(b, text);
	assert_int_equal(b->ran, 5);
}

/* Build both; whether the second's last step came from the cache. */
static bool same_key(struct build *b, const char *one, const char *two)
{
	build(b, one);
	build(b, two);
	return build_result(b)->cached;
}

static void test_each_attribute_counts(void **state)
{
	static const struct {
		const char *a;
		const char *b;
	} pairs[] = {
		{ BASE "RUN :\n", BASE "RUN : \\\n x\n" },
		{ BASE "RUN :\n", BASE "RUN [\"/busybox\", \"true\"]\n" },
		{ BASE "RUN :\n", BASE "ENV A=1\nRUN :\n" },
		{ BASE "ENV A=1\nRUN :\n", BASE "ENV A=2\nRUN :\n" },
		{ BASE "ARG Z=1\nRUN :\n", BASE "ARG Z=2\nRUN :\n" },
		{ BASE "ENV A=1 B=2\nRUN :\n", BASE "ENV A=\"1 B=2\"\nRUN :\n" },
		{ BASE "RUN :\n", BASE "USER 1\nRUN :\n" },
		{ BASE "USER 1\nRUN :\n", BASE "USER 1:2\nRUN :\n" },
		{ BASE "WORKDIR /a\nWORKDIR /b\nRUN :\n",
		  BASE "WORKDIR /a\nWORKDIR /b\nWORKDIR /a\nRUN :\n" },
		{ BASE "RUN :\n", BASE "SHELL [\"/busybox\", \"ash\", \"-c\"]\nRUN :\n" },
		{ BASE "RUN :\n", BASE "COPY f /\nRUN :\n" },
		{ BASE "COPY f /a\n", BASE "COPY f /b\n" },
		{ BASE "COPY f /a\n", BASE "COPY f /a/\n" },
		{ BASE "COPY f /a\n", BASE "COPY g /a\n" },
		{ BASE "COPY f /\n", BASE "COPY same-as-f /\n" },
		{ BASE "COPY f g /d/\n", BASE "COPY f /d/\n" },
		{ BASE "COPY f /a\n", BASE "COPY --chown=5 f /a\n" },
		{ BASE "COPY --chown=5 f /a\n", BASE "COPY --chown=5:6 f /a\n" },
		{ BASE "COPY f /a\n", BASE "COPY --chmod=600 f /a\n" },
		{ BASE "COPY f /a\n", BASE "ADD f /a\n" },
		{ BASE "COPY f /a\n", "FROM scratch\nCOPY f /a\n" },
		{ BASE "COPY f /k1\n", BASE "COPY --link f /k1\n" },
		{ BASE "COPY f /k2\n", BASE "COPY --parents f /k2\n" },
		{ BASE "COPY --chmod=u+x f /k3\n", BASE "COPY --chmod=g+x f /k3\n" },
		{ BASE "COPY <<e /k4\n1\ne\n", BASE "COPY <<e /k4\n2\ne\n" },
		{ BASE "COPY <<e /k5/\n1\ne\n", BASE "COPY <<h /k5/\n1\nh\n" },
		{ BASE "COPY <<e <<h /k6/\n1\ne\nh\n", BASE "COPY <<e <<h /k6/\ne\n1\nh\n" },
		{ BASE "ADD f /k7\n", BASE "ADD --unpack=false f /k7\n" },
		{ BASE "RUN echo k8\n", BASE "RUN --network=none echo k8\n" },
		{ BASE "RUN <<e\n#!/busybox true\n1\ne\n",
		  BASE "RUN <<e\n#!/busybox true\n2\ne\n" },
		{ BASE "WORKDIR /p\n", BASE "WORKDIR /q\n" },
		{ BASE "WORKDIR /p\n", BASE "USER 5\nWORKDIR /p\n" },
	};
	struct build *b = *state;

	scratch_write("c/f", "f");
	scratch_write("c/same-as-f", "f");
	scratch_write("c/g", "g");
	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		if (same_key(b, pairs[i].a, pairs[i].b))
			fail_msg("one key:\n%s---\n%s", pairs[i].a, pairs[i].b);
	}
}

/* What cannot change the result leaves the step in the cache. */
static void test_what_does_not_count(void **state)
{
	static const struct {
		const char *a;
		const char *b;
	} pairs[] = {
		{ BASE "RUN :\n", BASE "LABEL a=b\nEXPOSE 1\nRUN :\n" },
		{ BASE "RUN :\n", "FROM scratch AS named\nCOPY busybox /\n" SH "RUN :\n" },
		{ BASE "COPY f /a\n", BASE "ENV A=1\nARG B=2\nUSER 7\nCOPY f /a\n" },
		{ BASE "COPY --exclude=none f /n1\n", BASE "COPY f /n1\n" },
		/* what is copied onto an empty tree is the same on every tree */
		{ BASE "COPY --link f /n2\n", "FROM scratch\nWORKDIR /other\nCOPY --link f /n2\n" },
		{ BASE "RUN --network=host echo n3\n", BASE "RUN echo n3\n" },
		{ BASE "RUN <<e\n:\ne\n", BASE "RUN <<-other\n\t:\nother\n" },
		{ BASE "ENV A=1\nCOPY <<e /n4\n$A\ne\n", BASE "COPY <<'e' /n4\n1\ne\n" },
	};
	struct build *b = *state;

	scratch_write("c/f", "f");
	scratch_write("c/same-as-f", "f");
	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		if (!same_key(b, pairs[i].a, pairs[i].b))
			fail_msg("two keys:\n%s---\n%s", pairs[i].a, pairs[i].b);
	}
}

static void test_contents_count_and_times_do_not(void **state)
{
	struct build *b = *state;
	static const char text[] = "FROM scratch\nCOPY d /d\n";
	static const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	assert_int_equal(mkdirat(scratch_fd, "c/d", 0755), 0);
	scratch_write("c/d/f", "one");
	build(b, text);
	assert_int_equal(utimensat(scratch_fd, "c/d/f", old, 0), 0);
	assert_int_equal(utimensat(scratch_fd, "c/d", old, 0), 0);
	build(b, text);
	assert_int_equal(b->ran, 0);
	scratch_write("c/d/f", "two");
	build(b, text);
	assert_int_equal(b->ran, 1);
	assert_int_equal(fchmodat(scratch_fd, "c/d/f", 0600, 0), 0);
	build(b, text);
	assert_int_equal(b->ran, 1);
	scratch_write("c/d/g", "");
	build(b, text);
	assert_int_equal(b->ran, 1);
	assert_int_equal(renameat(scratch_fd, "c/d/g", scratch_fd, "c/d/h"), 0);
	build(b, text);
	assert_int_equal(b->ran, 1);
	scratch_write("c/other", "");
	build(b, text);
	assert_int_equal(b->ran, 0);
}

static void test_proxies_do_not_count(void **state)
{
	struct build *b = *state;
	static const char text[] = BASE "RUN echo \"proxy $HTTP_PROXY\"\n";

	xb_strv_push(&b->args, "HTTP_PROXY=http://one");
	build(b, text);
	assert_string_equal(xb_str_text(&b->output), "1 proxy http://one\n");
	xb_strv_clear(&b->args);
	xb_strv_push(&b->args, "HTTP_PROXY=http://two");
	build(b, text);
	assert_int_equal(b->ran, 0);
}

static void test_surroundings_count(void **state)
{
	struct build *b = *state;
	static const char text[] = BASE "RUN :\n";

	build(b, text);
	b->no_network = true;
	build(b, text);
	assert_int_equal(b->ran, 1);
	b->no_network = false;
	xb_strv_push(&b->hosts, "10.0.0.1\tdb");
	build(b, text);
	assert_int_equal(b->ran, 1);
	b->epoch = 5;
	build(b, text);
	assert_int_equal(b->ran, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		build_test(test_nothing_runs_twice),
		build_test(test_each_attribute_counts),
		build_test(test_what_does_not_count),
		build_test(test_contents_count_and_times_do_not),
		build_test(test_proxies_do_not_count),
		build_test(test_surroundings_count),
	};

	build_become_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
