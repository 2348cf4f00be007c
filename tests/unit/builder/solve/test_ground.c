/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY that needs nothing of the tree below but some directories: its layer has the same bytes as
 * one made on the whole tree, and is found again under other trees.
 *
 * The same copy is asked for in two ways: with --chown=0:0, which may stand apart, and with a name
 * that only the tree knows as 0:0, behind a link, which may not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "builder/layer/pack.h"
#include "builder/layer/unpack.h"
#include "tests/unit/builder/solve/build.h"

enum { ROUNDS = 60, COPIES = 6 };

struct rng {
	uint64_t state;
};

static unsigned below(struct rng *rng, unsigned n)
{
	rng->state ^= rng->state << 13;
	rng->state ^= rng->state >> 7;
	rng->state ^= rng->state << 17;
	return (unsigned)((rng->state >> 11) % n);
}

static void set_time(struct rng *rng, const char *path)
{
	const struct timespec time = { .tv_sec = 1000000000 + (time_t)below(rng, 1000),
				       .tv_nsec = (long)below(rng, 1000000000) };

	assert_int_equal(utimensat(scratch_fd, path, (const struct timespec[]){ time, time },
				   AT_SYMLINK_NOFOLLOW),
			 0);
}

/* Few names, so that trees meet each other. */
static void make_tree(struct rng *rng, const char *path, int depth)
{
	static const mode_t modes[] = { 0755, 0755, 0755, 0700, 01777, 02755 };
	static const char *const targets[] = { "a", "/b", "../c", "b/c", "missing" };

	for (const char *name = "abcd"; *name != '\0'; name++) {
		xb_autofree char *entry = xb_format("%s/%c", path, *name);

		switch (below(rng, depth < 3 ? 8 : 4)) {
		case 0:
		case 1:
			continue;
		case 2:
			scratch_write(entry, path);
			break;
		case 3:
			assert_int_equal(symlinkat(targets[below(rng, XB_COUNT(targets))],
						   scratch_fd, entry),
					 0);
			break;
		default:
			assert_int_equal(mkdirat(scratch_fd, entry, 0755), 0);
			make_tree(rng, entry, depth + 1);
			assert_int_equal(
				fchmodat(scratch_fd, entry, modes[below(rng, XB_COUNT(modes))], 0),
				0);
		}
		set_time(rng, entry);
	}
}

static char *random_path(struct rng *rng, const char *start, unsigned longest)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);

	xb_str_puts(&path, start);
	for (unsigned i = below(rng, longest + 1); i > 0; i--)
		xb_str_printf(&path, "/%c", 'a' + (char)below(rng, 6));
	if (below(rng, 2) == 0)
		xb_str_putc(&path, '/');
	if (path.len == 0)
		xb_str_putc(&path, '/');
	return xb_str_steal(&path);
}

/* A COPY at random, without the owner. */
static char *random_copy(struct rng *rng, int round)
{
	static const char *const flags[] = {
		"", "", "", "--chmod=640 ", "--chmod=go-r ", "--exclude=a ", "--link "
	};
	xb_autofree char *src = xb_format("src%d", round);
	xb_autofree char *one = random_path(rng, src, 1);
	xb_autofree char *two = random_path(rng, src, 2);
	xb_autofree char *dst = random_path(rng, "", 4);

	if (below(rng, 3) == 0)
		return xb_format("%s%s %s %s", flags[below(rng, 6)], one, two, dst);
	return xb_format("%s%s %s", flags[below(rng, 6)], one, dst);
}

/* Build on the tree `before`; the chain of the result, or NULL when it failed. */
static char *chain_of(struct build *b, const char *before, const char *owner, const char *copy)
{
	xb_autofree char *text = xb_format("%s\nCOPY --chown=%s %s\n", before, owner, copy);

	try_build(b, text);
	return b->r < 0 ? NULL : xb_strdup(xb_result_chain(build_result(b))->text);
}

/* What became of many copies. */
struct counts {
	unsigned worked; /* that could be done both ways */
	unsigned found;	 /* of them, that were found under another tree */
	unsigned packed; /* that were packed without being made */
};

static const struct xb_result_layer *top(const struct build *b)
{
	const struct xb_result_layers *layers = &build_result(b)->layers;

	return &layers->items[layers->len - 1];
}

/* A tree that was made from its layer gives the layer. */
static void check_tree(struct build *b)
{
	const struct xb_pack_options options = { .epoch = b->epoch };
	struct xb_layer_info info;
	xb_auto_fd int fd = -1;

	assert_int_equal(xb_snapshot_open(b->store, &top(b)->snapshot, &fd, NULL), 0);
	assert_int_equal(xb_layer_pack(fd, &options, -1, &info, NULL), 0);
	assert_string_equal(info.diff_id.text, top(b)->diff_id.text);
}

/* One copy, in all ways: apart, where the layer alone is wanted, and on the tree; and its tree. */
static void compare(struct build *b, const char *base, const char *copy, struct counts *counts)
{
	xb_autofree char *other = xb_format("%s\nCOPY --link extra /extra", base);
	xb_autofree char *apart = NULL;
	xb_autofree char *plain = NULL;
	xb_autofree char *message = NULL;
	xb_autofree char *again = NULL;
	xb_autofree char *plain_again = NULL;

	b->layers_only = true;
	apart = chain_of(b, base, "0:0", copy);
	message = xb_strdup(b->err.message);
	if (apart != NULL)
		counts->packed += top(b)->snapshot.id[0] == '\0';
	b->layers_only = false;
	plain = chain_of(b, base, "me", copy);

	if (apart == NULL || plain == NULL) {
		if (apart != plain)
			fail_msg("%s: one way failed: %s", copy,
				 apart == NULL ? message : b->err.message);
		return;
	}
	if (strcmp(apart, plain) != 0)
		fail_msg("%s: other bytes when it stands apart", copy);
	counts->worked++;
	again = chain_of(b, other, "0:0", copy);
	counts->found += again != NULL && build_result(b)->cached;
	check_tree(b);
	plain_again = chain_of(b, other, "me", copy);
	assert_string_equal(again, plain_again);
}

static void test_the_bytes_are_those_of_a_plain_copy(void **state)
{
	struct build *b = *state;
	struct rng rng = { .state = 1181783497276652981 };
	struct counts counts = { 0 };

	b->epoch = 1600000000;
	scratch_write("c/extra", "extra");
	for (int round = 0; round < ROUNDS; round++) {
		xb_autofree char *base = xb_format("c/base%d", round);
		xb_autofree char *etc = xb_format("c/base%d/etc", round);
		xb_autofree char *passwd = xb_format("c/base%d/etc/passwd", round);
		xb_autofree char *users = xb_format("c/base%d/etc/users", round);
		xb_autofree char *src = xb_format("c/src%d", round);
		xb_autofree char *text = xb_format("FROM scratch\nCOPY base%d/ /", round);

		assert_int_equal(mkdirat(scratch_fd, base, 0755), 0);
		assert_int_equal(mkdirat(scratch_fd, etc, 0755), 0);
		assert_int_equal(mkdirat(scratch_fd, src, 0755), 0);
		scratch_write(users, "me:x:0:0::/:/bin/sh\n");
		assert_int_equal(symlinkat("users", scratch_fd, passwd), 0);
		make_tree(&rng, base, 0);
		make_tree(&rng, src, 0);
		for (int i = 0; i < COPIES; i++) {
			xb_autofree char *copy = random_copy(&rng, round);

			compare(b, text, copy, &counts);
		}
	}
	print_message("%u copies, %u of them found under another tree, %u packed without one\n",
		      counts.worked, counts.found, counts.packed);
	assert_true(counts.worked > ROUNDS);
	assert_true(counts.found > counts.worked / 4);
	assert_true(counts.found < counts.worked);
	assert_true(counts.packed > counts.worked / 10);
}

/* What everybody writes: a directory of one's own, made before or not, and one of the base's. */
static void test_a_copy_is_found_under_another_base(void **state)
{
	static const char *const copies[] = {
		"COPY f g /app/",	  "WORKDIR /app\nCOPY f g ./", "COPY d /usr/share/x",
		"COPY f /usr/local/bin/", "COPY <<e /usr/x\nhello\ne", "COPY --from=s / /opt/",
	};
	struct build *b = *state;

	b->epoch = 1600000000;
	scratch_write("c/f", "f");
	scratch_write("c/g", "g");
	(void)scratch_run((const char *[]){ "mkdir", "-p", scratch_path("c/d"), NULL });
	scratch_write("c/d/x", "x");
	(void)scratch_run(
		(const char *[]){ "mkdir", "-p", scratch_path("c/root/usr/local/bin"), NULL });
	for (size_t i = 0; i < XB_COUNT(copies); i++) {
		static const char stages[] = "FROM scratch AS s\nCOPY f /\n"
					     "FROM scratch\nCOPY root /\n";
		xb_autofree char *one = xb_format("%s%s\n", stages, copies[i]);
		xb_autofree char *other =
			xb_format("%sCOPY --link g /other\n%s\n", stages, copies[i]);
		struct xb_digest diff_id;

		build(b, one);
		diff_id = build_result(b)->layers.items[build_result(b)->layers.len - 1].diff_id;
		build(b, other);
		if (!build_result(b)->cached)
			fail_msg("done again: %s", copies[i]);
		assert_string_equal(
			build_result(b)->layers.items[build_result(b)->layers.len - 1].diff_id.text,
			diff_id.text);
		/* and not looked for that way any more */
		build(b, other);
		assert_int_equal(b->ran, 0);
	}
}

/* What it must not be found for. */
static void test_what_a_copy_meets_counts(void **state)
{
	static const struct {
		const char *one;
		const char *other;
	} pairs[] = {
		{ "COPY d /p", "RUN [\"/busybox\", \"ln\", \"-s\", \"/q\", \"/p\"]\nCOPY d /p" },
		{ "COPY d /p/", "COPY d /p/\nCOPY d /p/" },
		{ "COPY f /t/",
		  "RUN [\"/busybox\", \"mkdir\", \"-m\", \"700\", \"/t\"]\nCOPY f /t/" },
		{ "COPY f /n", "RUN [\"/busybox\", \"mkdir\", \"/n\"]\nCOPY f /n" },
		{ "ADD a.tar /u/", "COPY f /u/f\nADD a.tar /u/" },
	};
	struct build *b = *state;

	b->epoch = 1600000000;
	scratch_write("c/f", "f");
	(void)scratch_run((const char *[]){ "mkdir", "-p", scratch_path("c/d"), NULL });
	scratch_write("c/d/x", "x");
	(void)scratch_run((const char *[]){ "tar", "-C", scratch_path("c/d"), "-cf",
					    scratch_path("c/a.tar"), "x", NULL });
	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		xb_autofree char *one =
			xb_format("FROM scratch\nCOPY busybox /\n%s\n", pairs[i].one);
		xb_autofree char *other =
			xb_format("FROM scratch\nCOPY busybox /\n%s\n", pairs[i].other);

		build(b, one);
		build(b, other);
		if (build_result(b)->cached)
			fail_msg("taken for the same: %s, %s", pairs[i].one, pairs[i].other);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		build_test(test_the_bytes_are_those_of_a_plain_copy),
		build_test(test_a_copy_is_found_under_another_base),
		build_test(test_what_a_copy_meets_counts),
	};

	(void)argc;
	if (xb_unpack_wanted(argv[0]))
		return xb_unpack_main();
	build_become_root();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
