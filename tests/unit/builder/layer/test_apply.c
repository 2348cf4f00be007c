/* SPDX-License-Identifier: Apache-2.0 */
/* What single entries of a layer do to what lower layers have, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/layer/pack.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

#include "tests/unit/builder/layer/tars.h"

static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

/* The view of an empty snapshot over the directory "lower". */
static int layered(void)
{
	xb_autofree char *lower = xb_format("%s/lower", scratch);
	xb_autofree char *upper = xb_format("%s/top/fs", scratch);
	xb_autofree char *work = xb_format("%s/top/work", scratch);
	const char *lowers[] = { lower };
	int view;

	snapshot_make("top");
	view = xb_tree_mount(lowers, 1, upper, work, NULL);
	assert_true(view >= 0);
	return view;
}

static void apply(const struct tar *t, int dest)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (tar_apply(t, XB_WIRE_LAYER, dest, NULL, &err) < 0)
		fail_msg("%s", err.message);
}

static void assert_refused(const struct tar *t, int code, const char *why)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int dest = -1;

	(void)mkdirat(scratch_fd, "refused", 0755);
	dest = openat(scratch_fd, "refused", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tar_apply(t, XB_WIRE_LAYER, dest, NULL, &err), code);
	if (strstr(err.message, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.message, why);
}

/* The names below a directory, with blanks between. */
static void assert_names(int root, const char *expected)
{
	xb_auto_str struct xb_str names = XB_STR_INIT(10000);
	xb_autofree char *list = tree_list(root);
	struct xb_view rest = xb_view(list), line;

	while (xb_view_split(&rest, '\n', &line)) {
		ptrdiff_t end = xb_view_find(line, ' ');

		if (end > 0)
			xb_str_printf(&names, "%.*s ", (int)end, line.data);
	}
	assert_string_equal(xb_str_text(&names), expected);
}

static void whiteouts_hide_lower_layers_only(void **state)
{
	/* what is hidden and made again, before and behind its whiteout */
	static const char *const orders[][3] = {
		{ ".wh.a", "a", "d/.wh.x" },
		{ "a", ".wh.a", "d/.wh.x" },
	};

	(void)state;
	need("userns", trees_root);
	for (size_t i = 0; i < XB_COUNT(orders); i++) {
		auto_tar struct tar t = TAR_INIT;
		xb_auto_fd int view = -1;

		shell("rm -rf lower top && mkdir -p lower/d && echo old >lower/a && "
		      "touch lower/d/x lower/d/y");
		for (size_t j = 0; j < 3; j++)
			tar_file(&t, orders[i][j], orders[i][j][0] == 'a' ? "new\n" : "");
		view = layered();
		apply(&t, view);
		assert_names(view, "a d d/y ");
		{
			xb_auto_str struct xb_str text = XB_STR_INIT(100);

			assert_int_equal(xb_file_read_at(view, "a", &text, NULL), 0);
			assert_string_equal(xb_str_text(&text), "new\n");
		}
	}
}

static void opaque_directories_keep_what_the_layer_wrote(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_fd int view = -1;

	(void)state;
	need("userns", trees_root);
	shell("mkdir -p lower/o/sub/deep lower/o/gone/x && touch lower/o/old lower/o/sub/old "
	      "lower/o/sub/deep/old");
	tar_file(&t, "o/new", "");
	tar_file(&t, "o/sub/deep/new", ""); /* without entries for its directories */
	tar_file(&t, "o/.wh..wh..opq", "");
	tar_file(&t, "o/late", "");
	view = layered();
	apply(&t, view);
	assert_names(view, "o o/late o/new o/sub o/sub/deep o/sub/deep/new ");
}

static void whiteouts_of_nothing_do_nothing(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_fd int view = -1;

	(void)state;
	need("userns", trees_root);
	shell("mkdir lower && touch lower/f");
	tar_file(&t, ".wh.missing", "");
	tar_file(&t, "no/such/.wh.dir", "");
	tar_file(&t, "f/.wh.x", "");
	tar_file(&t, "other/.wh..wh..opq", "");
	tar_file(&t, ".wh..wh.plnk", ""); /* aufs's own */
	view = layered();
	apply(&t, view);
	assert_names(view, "f ");
}

static void types_flip_across_layers(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_fd int view = -1;

	(void)state;
	need("userns", trees_root);
	shell("mkdir -p lower/dir/sub lower/target && touch lower/file lower/target/kept && "
	      "ln -s target lower/link && ln -s target lower/other");
	tar_file(&t, "dir", "x");
	tar_dir(&t, "file/");
	tar_file(&t, "file/in", "x");
	tar_dir(&t, "link/"); /* a directory entry replaces a link */
	tar_file(&t, "link/in", "x");
	tar_file(&t, "other/in", "x"); /* a path goes through it */
	view = layered();
	apply(&t, view);
	assert_names(view, "dir file file/in link link/in other target target/in target/kept ");
}

static void links_to_lower_files_leave_them_alone(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_fd int view = -1;
	struct stat st;

	(void)state;
	need("userns", trees_root);
	shell("mkdir lower && echo old >lower/f && chmod 600 lower/f");
	tar_link(&t, XB_TAR_HARDLINK, "g", "f");
	tar_link(&t, XB_TAR_HARDLINK, "h", "/f");
	tar_file(&t, "f", "new\n");
	view = layered();
	apply(&t, view);
	assert_int_equal(fstatat(view, "g", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 2);
	shell("test \"$(cat lower/f)\" = old && test $(stat -c %h lower/f) = 1");
}

static void the_last_of_several_entries_counts(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_fd int dest = -1;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);

	(void)state;
	need("root", trees_root);
	tar_file(&t, "f", "one");
	tar_file(&t, "./f", "two");
	tar_file(&t, "/f", "three");
	shell("mkdir dest");
	dest = openat(scratch_fd, "dest", O_RDONLY | O_CLOEXEC);
	apply(&t, dest);
	assert_int_equal(xb_file_read_at(dest, "f", &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "three");
}

static void times_of_directories_are_theirs(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_fd int dest = -1;
	struct stat st;

	(void)state;
	need("root", trees_root);
	tar_dir(&t, "./");
	tar_dir(&t, "d");
	tar_dir(&t, "d/e");
	tar_file(&t, "d/e/f", "x");
	tar_file(&t, "d/g", "x");
	shell("mkdir dest");
	dest = openat(scratch_fd, "dest", O_RDONLY | O_CLOEXEC);
	apply(&t, dest);
	assert_int_equal(fstatat(dest, "d/e", &st, 0), 0);
	assert_int_equal(st.st_mtime, 2000);
	assert_int_equal(fstatat(dest, "d", &st, 0), 0);
	assert_int_equal(st.st_mtime, 2000);
	assert_int_equal(fstat(dest, &st), 0);
	assert_int_equal(st.st_mtime, 2000);
}

static void dangerous_entries_are_refused(void **state)
{
	static const struct {
		struct xb_tar_entry entry;
		const char *why;
	} cases[] = {
		{ { .name = "a/../b", .type = XB_TAR_FILE }, "\"..\"" },
		{ { .name = "..", .type = XB_TAR_DIRECTORY }, "\"..\"" },
		{ { .name = "a", .type = XB_TAR_HARDLINK, .link = "../x" }, "\"..\"" },
		{ { .name = "a", .type = XB_TAR_HARDLINK, .link = "a" }, "nothing" },
		{ { .name = "a", .type = XB_TAR_HARDLINK, .link = "." }, "root directory" },
		{ { .name = "a", .type = XB_TAR_CHARDEV }, "0/0" },
		{ { .name = "./", .type = XB_TAR_FILE }, "root directory" },
		{ { .name = "/", .type = XB_TAR_SYMLINK, .link = "x" }, "root directory" },
		{ { .name = ".wh.", .type = XB_TAR_FILE }, "no name" },
		{ { .name = "d/.wh..", .type = XB_TAR_FILE }, "no name" },
		{ { .name = ".wh...", .type = XB_TAR_FILE }, "no name" },
		{ { .name = "a", .type = (enum xb_tar_type)'Z' }, "unknown type" },
		{ { .name = "u", .type = XB_TAR_FILE, .uid = UINT32_MAX }, "out of range" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		auto_tar struct tar t = TAR_INIT;

		tar_add(&t, &cases[i].entry, NULL);
		assert_refused(&t, -EBADMSG, cases[i].why);
	}
	assert_int_equal(scratch_run((const char *[]){ "rmdir", scratch_path("refused"), NULL }),
			 0);
}

static void names_in_messages_are_safe_to_print(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	tar_file(&t, "\033[31m\nred/../x", "");
	assert_int_equal(tar_apply(&t, XB_WIRE_LAYER, scratch_fd, NULL, &err), -EBADMSG);
	for (const char *p = err.message; *p != '\0'; p++)
		assert_true((unsigned char)*p >= ' ');
}

static void foreign_attributes_are_left_out_with_a_warning(void **state)
{
	(void)state;
	need("root", trees_root);

	auto_tar struct tar t = TAR_INIT;
	XB_CLEANUP(xb_wire_answer_clear) struct xb_wire_answer answer = { 0 };
	struct xb_xattr list[] = {
		{ xb_strdup("security.ima"), xb_strdup("x"), 1 },
		{ xb_strdup("trusted.overlay.opaque"), xb_strdup("y"), 1 },
		{ xb_strdup("user.kept"), xb_strdup("v"), 1 },
		{ xb_strdup("user.overlay.opaque"), xb_strdup("y"), 1 },
	};
	const struct xb_xattrs xattrs = { list, XB_COUNT(list), XB_COUNT(list) };
	xb_auto_fd int dest = -1;

	tar_add(&t,
		&(struct xb_tar_entry){
			.name = "d/", .type = XB_TAR_DIRECTORY, .mode = 0755, .xattrs = &xattrs },
		NULL);
	shell("mkdir dest");
	dest = openat(scratch_fd, "dest", O_RDONLY | O_CLOEXEC);
	assert_int_equal(tar_apply(&t, XB_WIRE_LAYER, dest, &answer, NULL), 0);
	assert_int_equal(answer.warnings.len, 3);
	{
		xb_autofree char *list_text = tree_list(dest);

		assert_non_null(strstr(list_text, "user.kept"));
		assert_null(strstr(list_text, "overlay"));
		assert_null(strstr(list_text, "ima"));
	}
	for (size_t i = 0; i < XB_COUNT(list); i++) {
		free(list[i].name);
		free(list[i].value);
	}
}

static void paths_beyond_the_kernels_limit_fail_cleanly(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_str struct xb_str name = XB_STR_INIT(10000);

	(void)state;
	need("root", trees_root);
	while (name.len < 5000)
		xb_str_puts(&name, "abcdefghi/");
	xb_str_putc(&name, 'x');
	tar_file(&t, xb_str_text(&name), "");
	assert_refused(&t, -ENAMETOOLONG, "too long");
}

/* Through the child, as a caller sees it. */

static int unpack_blob(const struct tar *t, struct xb_unpack_layer *layer, struct xb_error *err)
{
	xb_auto_fd int blob = tar_blob(t);
	xb_auto_fd int dest = -1;

	(void)mkdirat(scratch_fd, "dest", 0755);
	dest = openat(scratch_fd, "dest", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return xb_layer_unpack(blob, layer, dest, NULL, NULL, err);
}

static void what_the_manifest_says_is_checked(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	const struct xb_digest other = xb_digest_of("other", 5);
	struct xb_unpack_layer right, wrong;

	(void)state;
	need("root", trees_root);
	tar_file(&t, "f", "x");
	right = (struct xb_unpack_layer){
		.media_type = "application/vnd.oci.image.layer.v1.tar",
		.size = t.bytes.len,
		.digest = xb_digest_of(t.bytes.data, t.bytes.len),
		.diff_id = xb_digest_of(t.bytes.data, t.bytes.len),
	};
	assert_int_equal(unpack_blob(&t, &right, NULL), 0);
	for (int i = 0; i < 5; i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		wrong = right;
		if (i == 0)
			wrong.digest = other;
		if (i == 1)
			wrong.diff_id = other;
		if (i == 2)
			wrong.size++;
		if (i == 3)
			wrong.media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
		if (i == 4)
			wrong.media_type = "application/vnd.oci.image.config.v1+json";
		assert_int_equal(unpack_blob(&t, &wrong, &err), i == 4 ? -ENOTSUP : -EBADMSG);
		assert_int_equal(err.fault, XB_FAULT_STORE);
	}
}

static void a_child_without_memory_is_an_error(void **state)
{
	const struct xb_unpack_limits limits = { .memory = 96 << 20 };
	const struct xb_unpack_layer layer = {
		.media_type = "application/vnd.oci.image.layer.v1.tar+zstd", .size = 0
	};
	struct xb_unpack_layer what = layer;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int blob = -1;
	struct stat st;

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	need("addresses", false);
#endif
	/* a window of 128 MiB */
	shell("head -c 200000000 /dev/zero | zstd -q --ultra --long=27 -3 >blob");
	blob = openat(scratch_fd, "blob", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(blob, &st), 0);
	what.size = (uint64_t)st.st_size;
	assert_int_equal(xb_layer_unpack(blob, &what, scratch_fd, &limits, NULL, &err), -EBADMSG);
	assert_non_null(err.message);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(whiteouts_hide_lower_layers_only),
		TEST(opaque_directories_keep_what_the_layer_wrote),
		TEST(whiteouts_of_nothing_do_nothing),
		TEST(types_flip_across_layers),
		TEST(links_to_lower_files_leave_them_alone),
		TEST(the_last_of_several_entries_counts),
		TEST(times_of_directories_are_theirs),
		TEST(dangerous_entries_are_refused),
		TEST(names_in_messages_are_safe_to_print),
		TEST(foreign_attributes_are_left_out_with_a_warning),
		TEST(paths_beyond_the_kernels_limit_fail_cleanly),
		TEST(what_the_manifest_says_is_checked),
		TEST(a_child_without_memory_is_an_error),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
