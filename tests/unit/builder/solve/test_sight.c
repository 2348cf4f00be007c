/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What layers list against what the kernel shows of them unpacked: layers at random, with links
 * that lead everywhere, whiteouts and names without directories. What a sight is sure of is so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "builder/solve/sight.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

#include "tests/unit/builder/layer/tars.h"

enum { ROUNDS = 200, LAYERS = 4, ENTRIES = 40 };

static const char *const names[] = { "a", "b", "etc", "passwd" };

/* How much was compared, and how often a sight was not sure. */
struct tally {
	unsigned directories;
	unsigned files;
	unsigned doubts;
	unsigned refused; /* layers that cannot be listed */
};

/* ---- layers at random ----------------------------------------------------------------------- */

static void random_path(struct rng *rng, char path[100], bool link)
{
	static const char *const frequent[] = { "etc", "etc", "etc/passwd" };
	unsigned depth = 1 + rng_below(rng, 3);

	path[0] = '\0';
	if (!link && rng_below(rng, 6) == 0) {
		(void)strcat(path, frequent[rng_below(rng, XB_COUNT(frequent))]);
		return;
	}
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
	xb_autofree char *name = rng_below(rng, 3) == 0
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

	return odd && rng_below(rng, 100) > 0;
}

static void add_entry(struct rng *rng, struct tar *t, struct xb_map *seen)
{
	static const char types[] = "ddddddddffffffllwwwh";
	struct xb_xattr attribute = { (char *)(uintptr_t) "user.x", (char *)(uintptr_t) "1", 1 };
	struct xb_xattrs attributes = { .items = &attribute, .len = 1 };
	size_t at = rng_below(rng, sizeof(types) - 1);
	char type = types[at];
	char path[100], text[100];

	random_path(rng, path, false);
	random_path(rng, text, type == 'l');
	if (type == 'h' && rng_below(rng, 10) > 0)
		return;
	if (is_odd(rng, path, seen))
		return;
	(void)xb_map_set(seen, xb_view(path), (void *)(uintptr_t)(types + at));
	if (type == 'w')
		add_whiteout(rng, t, path);
	else if (type == 'f')
		tar_file(t, path, text);
	else if (type != 'd')
		tar_link(t, type == 'l' ? XB_TAR_SYMLINK : XB_TAR_HARDLINK, path, text);
	else
		tar_add(t,
			&(struct xb_tar_entry){
				.name = path,
				.type = XB_TAR_DIRECTORY,
				.mode = 0700 + rng_below(rng, 2) * 055,
				.uid = rng_below(rng, 2) * 7,
				.gid = rng_below(rng, 2) * 8,
				.mtime = 1000 + rng_below(rng, 1000),
				.xattrs = rng_below(rng, 15) == 0 ? &attributes : NULL,
			},
			NULL);
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void compare_file(const struct xb_sight *real, const struct xb_sight *listed,
			 const char *name, struct tally *tally)
{
	xb_auto_str struct xb_str one = XB_STR_INIT(1000), other = XB_STR_INIT(1000);
	int r = xb_sight_read(real, name, &one);
	int other_r = xb_sight_read(listed, name, &other);

	if (other_r < 0) {
		tally->doubts += r >= 0;
		return;
	}
	assert_int_equal(r, other_r);
	assert_string_equal(xb_str_text(&one), xb_str_text(&other));
	tally->files += r > 0;
}

static void compare(const struct xb_sight *real, const struct xb_sight *listed,
		    struct tally *tally);

static void compare_name(const struct xb_sight *real, const struct xb_sight *listed,
			 const char *name, struct tally *tally)
{
	xb_auto_sight struct xb_sight one = { 0 }, other = { 0 };
	struct stat st, other_st;
	int r, other_r;

	assert_int_equal(xb_sight_has(real, name), xb_sight_has(listed, name));
	assert_int_equal(xb_sight_copy(real, &one), 0);
	assert_int_equal(xb_sight_copy(listed, &other), 0);
	r = xb_sight_enter(&one, name, &st);
	other_r = xb_sight_enter(&other, name, &other_st);
	if (other_r < 0) {
		assert_int_not_equal(r, 0);
		tally->doubts += r > 0;
		return;
	}
	assert_int_equal(r, other_r);
	if (r == 0)
		return;
	assert_int_equal(st.st_mode, other_st.st_mode);
	assert_int_equal(st.st_uid, other_st.st_uid);
	assert_int_equal(st.st_gid, other_st.st_gid);
	assert_int_equal(st.st_mtim.tv_sec, other_st.st_mtim.tv_sec);
	assert_int_equal(st.st_mtim.tv_nsec, other_st.st_mtim.tv_nsec);
	tally->directories++;
	compare(&one, &other, tally);
}

static void compare(const struct xb_sight *real, const struct xb_sight *listed, struct tally *tally)
{
	assert_true(xb_sight_is_empty(real) || !xb_sight_is_empty(listed));
	for (size_t i = 0; i < XB_COUNT(names); i++)
		compare_name(real, listed, names[i], tally);
	compare_file(real, listed, "etc/passwd", tally);
}

/* ---- stacks --------------------------------------------------------------------------------- */

static char *layer_path(int layer, const char *what)
{
	return xb_format("%s/%d/%s", scratch, layer, what);
}

/* The view of layers 0 to `top`, the last one to be written when `writable`. */
static int view(int top, bool writable)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_autofree char *upper = layer_path(top, "fs");
	xb_autofree char *work = layer_path(top, "work");
	int fd;

	for (int i = writable ? top - 1 : top; i >= 0; i--)
		xb_strv_take(&lowers, layer_path(i, "fs"));
	fd = xb_tree_mount((const char *const *)xb_strv_argv(&lowers), lowers.len,
			   writable ? upper : NULL, writable ? work : NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

/* Apply the layer on top of those below it; whether it could be. */
static bool unpack(const struct tar *t, int layer)
{
	xb_autofree char *name = xb_format("%d", layer);
	xb_auto_fd int tree = -1;

	snapshot_make(name);
	tree = view(layer, true);
	return tar_apply(t, XB_WIRE_LAYER, tree, NULL, NULL) >= 0;
}

/* Put the layer's roster on top; whether it tells enough. */
static bool list(const struct tar *t, struct xb_shape *shape)
{
	xb_auto_str struct xb_str roster = XB_STR_INIT(XB_MAX_ROSTER);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int fd = xb_memfd_new("roster", NULL);
	int r;

	assert_int_equal(tar_apply(t, XB_WIRE_LIST, fd, NULL, NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(xb_file_read_fd(fd, &roster, NULL), 0);
	r = xb_shape_add(shape, &roster, &err);
	if (r < 0 && r != -ENOTSUP)
		fail_msg("%d: %s", r, err.message);
	return r == 0;
}

/* What the kernel shows of all layers, and the lower ones listed below the upper ones on disk. */
static void compare_stack(int top, int listed_top, const struct xb_shape *shape,
			  struct tally *tally)
{
	xb_auto_sight struct xb_sight real = { 0 }, listed = { 0 };

	xb_sight_push(&real, view(top, false));
	for (int i = top; i > listed_top; i--) {
		xb_autofree char *path = layer_path(i, "fs");

		xb_sight_push(&listed, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	}
	listed.shape = xb_shape_root(shape);
	compare(&real, &listed, tally);
}

static void one_stack(struct rng *rng, struct tally *tally)
{
	xb_auto_shape struct xb_shape *shape = xb_shape_new();
	int listed = (int)rng_below(rng, LAYERS);

	for (int layer = 0; layer < LAYERS; layer++) {
		auto_tar struct tar t = TAR_INIT;
		xb_auto_map struct xb_map *seen = xb_map_new();

		for (unsigned i = rng_below(rng, ENTRIES); i > 0; i--)
			add_entry(rng, &t, seen);
		if (!unpack(&t, layer))
			return;
		if (layer <= listed && !list(&t, shape)) {
			tally->refused++;
			return;
		}
		compare_stack(layer, layer < listed ? layer : listed, shape, tally);
	}
}

static void what_is_listed_is_what_is_unpacked(void **state)
{
	struct rng rng = { 88172645463325252 };
	struct tally tally = { 0 };

	need("userns", trees_root);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(scratch_teardown(state), 0);
		assert_int_equal(scratch_setup(state), 0);
		one_stack(&rng, &tally);
	}
	print_message("%u directories and %u files, %u doubts, %u layers not listed\n",
		      tally.directories, tally.files, tally.doubts, tally.refused);
	assert_true(tally.directories > 4 * ROUNDS);
	assert_true(tally.files > ROUNDS / 10);
	assert_true(tally.doubts < tally.directories / 2);
}

/* ---- by hand -------------------------------------------------------------------------------- */

static void what_nobody_knows_is_doubtful(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_shape struct xb_shape *shape = xb_shape_new();
	struct xb_sight sight = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(1000);
	struct stat st;

	(void)state;
	tar_file(&t, "made/file", "x");
	tar_dir(&t, "etc");
	tar_link(&t, XB_TAR_SYMLINK, "etc/passwd", "../file");
	assert_true(list(&t, shape));
	sight.shape = xb_shape_root(shape);
	/* the time of "made" is that of the unpacking */
	assert_int_equal(xb_sight_enter(&sight, "made", &st), -EINVAL);
	assert_true(xb_sight_read(&sight, "etc/passwd", &text) < 0);
	assert_int_equal(xb_sight_read(&sight, "etc/group", &text), 0);
	assert_int_equal(xb_sight_read(&sight, "none/group", &text), 0);
}

static void a_name_twice_is_not_guessed_at(void **state)
{
	static const char *const first[] = { "a", "d/b" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(first); i++) {
		auto_tar struct tar t = TAR_INIT;
		xb_auto_shape struct xb_shape *shape = xb_shape_new();

		tar_file(&t, first[i], "x");
		tar_file(&t, first[i], "y");
		assert_false(list(&t, shape));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_listed_is_what_is_unpacked, scratch_setup,
						scratch_teardown),
		cmocka_unit_test(what_nobody_knows_is_doubtful),
		cmocka_unit_test(a_name_twice_is_not_guessed_at),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
