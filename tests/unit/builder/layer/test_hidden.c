/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers applied alone against layers applied to the tree of those below them: what both show is
 * the same, by hand and for layers at random, with links that lead everywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "builder/layer/hidden.h"
#include "builder/layer/merge.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

#include "tests/unit/builder/layer/tars.h"

enum { ROUNDS = 60, LAYERS = 4, ENTRIES = 40 };

/* ---- two stacks ------------------------------------------------------------------------------ */

static const char *const kinds[] = { "serial", "alone" };

static char *part_path(const char *kind, int layer, const char *what)
{
	return xb_format("%s/%s%d/%s", scratch, kind, layer, what);
}

/* The view of layers 0 to `top`, the last one to be written when `writable`. */
static int view(const char *kind, int top, bool writable)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_autofree char *upper = part_path(kind, top, "fs");
	xb_autofree char *work = part_path(kind, top, "work");
	int fd;

	for (int i = writable ? top - 1 : top; i >= 0; i--)
		xb_strv_take(&lowers, part_path(kind, i, "fs"));
	fd = xb_tree_mount((const char *const *)xb_strv_argv(&lowers), lowers.len,
			   writable ? upper : NULL, writable ? work : NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

static void make_part(const char *kind, int layer)
{
	xb_autofree char *name = xb_format("%s%d", kind, layer);

	assert_true(xb_remove_tree_at(scratch_fd, name, NULL) >= 0);
	snapshot_make(name);
}

static int apply_over(const struct tar *t, const char *kind, int layer)
{
	xb_auto_fd int tree = -1;

	make_part(kind, layer);
	tree = view(kind, layer, true);
	return tar_apply(t, XB_WIRE_LAYER, tree, NULL, NULL);
}

static int apply_bare(const struct tar *t, int layer, struct xb_wire_answer *answer)
{
	const struct xb_wire_request request = {
		.task = XB_WIRE_LAYER,
		.alone = 1,
		.max_size = 1 << 24,
		.max_count = 100000,
		.uid = -1,
		.gid = -1,
	};
	xb_autofree char *path = part_path("alone", layer, "fs");
	xb_auto_fd int blob = tar_blob(t);
	xb_auto_fd int dest = -1;

	make_part("alone", layer);
	dest = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dest >= 0);
	return xb_unpack_serve(&request, blob, dest, answer, NULL);
}

/* Returns what came of applying it alone; `*ret_hidden` is how many names were hidden later. */
static int apply_alone(const struct tar *t, int layer, size_t *ret_hidden)
{
	XB_CLEANUP(xb_wire_answer_clear) struct xb_wire_answer answer = { 0 };
	int r = apply_bare(t, layer, &answer);

	*ret_hidden = answer.hidden.len;
	if (r == 0 && answer.hidden.len > 0) {
		xb_auto_fd int tree = view("alone", layer, true);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_layer_hide(tree, &answer.hidden, &err) < 0)
			fail_msg("%s", err.message);
	}
	return r;
}

/* Times that nobody gave are those of the two unpackings. */
static char *list_view(int fd)
{
	char *text = tree_list(fd);

	for (char *at = strstr(text, " @"); at != NULL; at = strstr(at + 1, " @")) {
		if (strspn(at + 2, "0123456789") == 10)
			memset(at + 2, '#', 10);
	}
	return text;
}

static void assert_same(int a, int b)
{
	xb_autofree char *one = list_view(a);
	xb_autofree char *other = list_view(b);

	assert_string_equal(one, other);
}

/* What an overlay shows of both is the same, and what is left when they are merged to one. */
static void compare_stacks(int top)
{
	int merged[2];

	for (int i = 0; i < 2; i++) {
		xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;

		for (int k = top; k >= 0; k--)
			xb_strv_take(&lowers, part_path(kinds[i], k, "fs"));
		(void)xb_remove_tree_at(scratch_fd, i == 0 ? "merged0" : "merged1", NULL);
		snapshot_make(i == 0 ? "merged0" : "merged1");
		merged[i] = openat(scratch_fd, i == 0 ? "merged0/fs" : "merged1/fs",
				   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_int_equal(xb_tree_merge((const char *const *)xb_strv_argv(&lowers),
					       lowers.len, XB_MERGE_COPY, merged[i], NULL),
				 0);
	}
	{
		xb_auto_fd int a = view("serial", top, false);
		xb_auto_fd int b = view("alone", top, false);

		assert_same(a, b);
	}
	assert_same(merged[0], merged[1]);
	close(merged[0]);
	close(merged[1]);
}

/* ---- by hand ----------------------------------------------------------------------------------
 */

#define LOWER                                                                                      \
	"a/ a/f=1 a/g=2 a/sub/ a/sub/x=3 a/sub/y=4 b/ b/f=5 b/deep/ b/deep/z=6 f=7 l>a"            \
	" usr/ usr/lib/ usr/lib/old=8 lib>usr/lib"

static const struct by_hand {
	const char *layer;
	int r;	       /* of applying it alone */
	size_t hidden; /* names hidden later */
} by_hand[] = {
	/* what layers usually have */
	{ "a/ a/f=new n/ n/m=1", 0, 0 },
	{ "a/ a/.wh.f", 0, 1 },
	{ "a/ a/.wh.f a/.wh.sub .wh.b .wh.l", 0, 4 },
	{ "a/ a/.wh..wh..opq a/h=1", 0, 0 },
	{ "a/ a/h=1 a/.wh..wh..opq a/sub/ a/sub/y=new", 0, 0 },
	{ "a/ a/h=1 a/h2&a/h", 0, 0 },
	/* of what was never there */
	{ ".wh.none a/ a/.wh.none n/ n/.wh.none", 0, 3 },
	{ "n/ n/.wh..wh..opq n/m=1", 0, 0 },
	/* types change */
	{ "a=file", 0, 0 },
	{ "f/ f/x=1", 0, 0 },
	{ "b>a l/ l/x=1", 0, 0 },
	{ "lib/ lib/x=1", 0, 0 },
	/* hidden and there, in both orders */
	{ "a/ a/.wh.f a/f=new", 0, 0 },
	{ "a/ a/f=new a/.wh.f", 0, 0 },
	{ ".wh.a a/ a/only=1", 0, 0 },
	{ "a/ a/only=1 .wh.a", 0, 0 },
	{ "a/ a/sub/ a/.wh.sub a/sub/new=1", 0, 0 },
	/* by a link of its own */
	{ "m>b b/ m/f=new m/.wh.deep", 0, 1 },
	/* what needs the layers below */
	{ "a/h=1", -EXDEV, 0 },
	{ "lib/h=1", -EXDEV, 0 },
	{ "a/.wh.f", -EXDEV, 0 },
	{ "lib/.wh.old usr/ usr/lib/ usr/lib/old=new", -EXDEV, 0 },
	{ "a/.wh..wh..opq", -EXDEV, 0 },
	{ ".wh..wh..opq h=1", -EXDEV, 0 },
	{ "r>. r/.wh..wh..opq", -EXDEV, 0 },
	{ "h&a/f", -EXDEV, 0 },
	{ "a/ h&a/f", -EXDEV, 0 },
	{ "a=1 a/", -EXDEV, 0 },
	{ "a/ a/f=1 a/f=2", -EXDEV, 0 },
};

static void layers_by_hand(void **state)
{
	auto_tar struct tar lower = TAR_INIT;

	(void)state;
	need("userns", trees_root);
	tar_words(&lower, LOWER);
	assert_int_equal(apply_over(&lower, "serial", 0), 0);
	assert_int_equal(apply_over(&lower, "alone", 0), 0);
	for (size_t i = 0; i < XB_COUNT(by_hand); i++) {
		auto_tar struct tar t = TAR_INIT;
		size_t hidden = 0;

		print_message("%s\n", by_hand[i].layer);
		tar_words(&t, by_hand[i].layer);
		assert_int_equal(apply_over(&t, "serial", 1), 0);
		assert_int_equal(apply_alone(&t, 1, &hidden), by_hand[i].r);
		if (by_hand[i].r < 0)
			continue;
		assert_int_equal(hidden, by_hand[i].hidden);
		compare_stacks(1);
	}
}

/* A parent's ACL for new directories is not one of those that the layer makes. */
static void default_acls_are_nobodys_heritage(void **state)
{
	/* user::rwx, group::r-x, other::--- */
	static const char acl[] = "\2\0\0\0\1\0\7\0\377\377\377\377\4\0\5\0\377\377\377\377"
				  " \0\0\0\377\377\377\377";
	struct xb_xattr attribute = { (char *)(uintptr_t) "system.posix_acl_default",
				      (char *)(uintptr_t)acl, sizeof(acl) - 1 };
	const struct xb_xattrs attributes = { .items = &attribute, .len = 1 };
	auto_tar struct tar lower = TAR_INIT;
	auto_tar struct tar t = TAR_INIT;
	size_t hidden = 0;

	(void)state;
	need("userns", trees_root);
	tar_words(&lower, "d/ d/there/");
	tar_add(&t,
		&(struct xb_tar_entry){ .name = "d/",
					.type = XB_TAR_DIRECTORY,
					.mode = 0755,
					.mtime = 1,
					.xattrs = &attributes },
		NULL);
	tar_words(&t, "d/there/ d/new/ d/new/f=1");
	assert_int_equal(apply_over(&lower, "serial", 0), 0);
	assert_int_equal(apply_over(&lower, "alone", 0), 0);
	assert_int_equal(apply_over(&t, "serial", 1), 0);
	assert_int_equal(apply_alone(&t, 1, &hidden), 0);
	compare_stacks(1);
}

/* More names than are told of are the business of the layers below. */
static void too_many_names_are_refused(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	size_t hidden = 0;

	(void)state;
	need("userns", trees_root);
	for (size_t i = 0; i < XB_MAX_HIDDEN / 100 + 100; i++) {
		xb_autofree char *name = xb_format(".wh.%0100zu", i);

		tar_file(&t, name, "");
	}
	assert_int_equal(apply_alone(&t, 1, &hidden), -EXDEV);
}

/* A child that was taken over names what it likes. */
static void hidden_names_do_not_leave_the_tree(void **state)
{
	static const char *const names[] = { "../out/f", "/out/f", "up/out/f", "none/f", "d/..",
					     "..",	 ".",	   "",	       "d/" };
	xb_auto_fd int tree = -1;

	(void)state;
	need("userns", trees_root);
	make_part("alone", 0);
	assert_int_equal(mkdirat(scratch_fd, "alone0/out", 0755), 0);
	scratch_write("alone0/out/f", "x");
	assert_int_equal(mkdirat(scratch_fd, "alone0/fs/d", 0755), 0);
	assert_int_equal(symlinkat("..", scratch_fd, "alone0/fs/up"), 0);
	tree = view("alone", 0, true);
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		struct xb_strv list = XB_STRV_INIT;

		xb_strv_push(&list, names[i]);
		assert_true(xb_layer_hide(tree, &list, NULL) < 0);
		xb_strv_clear(&list);
	}
	assert_int_equal(faccessat(scratch_fd, "alone0/out/f", F_OK, 0), 0);
	assert_int_equal(faccessat(scratch_fd, "alone0/fs/d", F_OK, 0), 0);
}

/* ---- at random --------------------------------------------------------------------------------
 */

struct tally {
	unsigned alone;
	unsigned hiding; /* of these */
	unsigned refused;
};

static void random_path(struct rng *rng, char path[100], bool link)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	unsigned depth = 1 + rng_below(rng, 3);

	path[0] = '\0';
	if (link && rng_below(rng, 3) == 0)
		(void)strcat(path, rng_below(rng, 3) == 0 ? "../" : "/");
	for (unsigned i = 0; i < depth; i++) {
		if (i > 0)
			(void)strcat(path, "/");
		(void)strcat(path, names[rng_below(rng, XB_COUNT(names))]);
	}
}

static void add_whiteout(struct rng *rng, struct tar *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	int parent = slash != NULL ? (int)(slash - path) + 1 : 0;
	xb_autofree char *name = rng_below(rng, 4) == 0 && parent > 0
					 ? xb_format("%.*s.wh..wh..opq", parent, path)
					 : xb_format("%.*s.wh.%s", parent, path, path + parent);

	tar_file(t, name, "");
}

/* Most layers have a name once, and each directory before what is in it. */
static bool is_odd(struct rng *rng, const char *path, struct xb_map *seen)
{
	const char *slash = strrchr(path, '/');
	struct xb_view parent = { path, slash != NULL ? (size_t)(slash - path) : 0 };
	const char *type = slash != NULL ? xb_map_get(seen, parent) : "d";
	bool odd = xb_map_get(seen, xb_view(path)) != NULL || type == NULL || *type != 'd';

	return odd && rng_below(rng, 200) > 0;
}

static void add_directory(struct rng *rng, struct tar *t, const char *path)
{
	struct xb_xattr attribute = { (char *)(uintptr_t) "user.x", (char *)(uintptr_t) "1", 1 };
	const struct xb_xattrs attributes = { .items = &attribute, .len = 1 };

	tar_add(t,
		&(struct xb_tar_entry){
			.name = path,
			.type = XB_TAR_DIRECTORY,
			.mode = 0700 + rng_below(rng, 2) * 055,
			.uid = rng_below(rng, 2) * 7,
			.gid = rng_below(rng, 2) * 8,
			.mtime = 1000 + rng_below(rng, 1000),
			.xattrs = rng_below(rng, 5) == 0 ? &attributes : NULL,
		},
		NULL);
}

static void add_entry(struct rng *rng, struct tar *t, struct xb_map *seen)
{
	static const char types[] = "dddddddddffffffllwwwwh";
	size_t at = rng_below(rng, sizeof(types) - 1);
	char type = types[at];
	char path[100], text[100];

	random_path(rng, path, false);
	random_path(rng, text, type == 'l');
	if (is_odd(rng, path, seen))
		return;
	if (type == 'h' && xb_map_get(seen, xb_view(text)) == NULL && rng_below(rng, 20) > 0)
		return;
	if (type == 'w') {
		add_whiteout(rng, t, path);
		return;
	}
	(void)xb_map_set(seen, xb_view(path), (void *)(uintptr_t)(types + at));
	if (type == 'd')
		add_directory(rng, t, path);
	else if (type == 'f')
		tar_file(t, path, text);
	else
		tar_link(t, type == 'l' ? XB_TAR_SYMLINK : XB_TAR_HARDLINK, path, text);
}

/* Whether the layer could be applied. */
static bool one_layer(const struct tar *t, int layer, struct tally *tally)
{
	int serial = apply_over(t, "serial", layer);
	size_t hidden = 0;
	int alone = layer == 0 ? -EXDEV : apply_alone(t, layer, &hidden);

	if (alone == -EXDEV) {
		tally->refused += layer > 0;
		alone = apply_over(t, "alone", layer);
	} else if (alone == 0) {
		tally->alone++;
		tally->hiding += hidden > 0;
	}
	assert_int_equal(alone, serial);
	return serial == 0;
}

static void one_stack(struct rng *rng, struct tally *tally)
{
	for (int layer = 0; layer < LAYERS; layer++) {
		auto_tar struct tar t = TAR_INIT;
		xb_auto_map struct xb_map *seen = xb_map_new();

		for (unsigned i = rng_below(rng, ENTRIES); i > 0; i--)
			add_entry(rng, &t, seen);
		if (!one_layer(&t, layer, tally))
			return;
	}
	compare_stacks(LAYERS - 1);
}

static void layers_at_random(void **state)
{
	struct rng rng = { 88172645463325252 };
	struct tally tally = { 0 };

	need("userns", trees_root);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(scratch_teardown(state), 0);
		assert_int_equal(scratch_setup(state), 0);
		one_stack(&rng, &tally);
	}
	print_message("%u layers alone, %u of them hiding, %u refused\n", tally.alone, tally.hiding,
		      tally.refused);
	assert_true(tally.alone > ROUNDS / 2 && tally.hiding > ROUNDS / 5);
	assert_true(tally.refused > ROUNDS / 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(layers_by_hand),
		TEST(default_acls_are_nobodys_heritage),
		TEST(too_many_names_are_refused),
		TEST(hidden_names_do_not_leave_the_tree),
		TEST(layers_at_random),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
