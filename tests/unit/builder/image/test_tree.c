/* SPDX-License-Identifier: Apache-2.0 */
/* Merged trees: what layers one over the other come to, without unpacking them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "builder/image/tree.h"
#include "builder/layer/survey.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/tars.h"

/* The tar's bytes, all at once. */
static int give(void *context, const void **ret_data, size_t *ret_len, struct xb_error *err)
{
	struct xb_view *rest = context;

	(void)err;
	*ret_data = rest->data;
	*ret_len = rest->len;
	rest->len = 0;
	return *ret_len > 0;
}

static int survey(const struct tar *t, bool digests, struct xb_str *ret, struct xb_error *err)
{
	static const struct xb_roster_limits limits = { .max_size = 1 << 30, .max_count = 10000 };
	struct xb_view rest = xb_str_view(&t->bytes);
	xb_auto_tar_reader struct xb_tar_reader *tar =
		xb_tar_reader_new(&(struct xb_tar_input){ .next = give, .context = &rest });
	xb_auto_fd int aside = xb_memfd_new("aside", NULL);
	xb_auto_fd int out = xb_memfd_new("out", NULL);
	uint64_t count = 0;
	int r = xb_survey_write(tar, &limits, digests, aside, out, &count, err);

	if (r < 0)
		return r;
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	return xb_file_read_fd(out, ret, err);
}

/* Put a layer on; returns what that came to. */
static int put(struct xb_image_tree *tree, const struct tar *t)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_SURVEY);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r = survey(t, true, &text, &err);

	if (r >= 0)
		r = xb_image_tree_add(tree, xb_str_view(&text), &err);
	assert_int_equal(r < 0, err.message != NULL);
	return r;
}

static int note(void *context, const struct xb_image_node *node)
{
	static const char kinds[] = { 'f', 'd', 'l', 'c', 'b', 'p' };
	const struct xb_image_file *file = xb_image_node_file(node);

	xb_str_printf(context, "%c", kinds[file->kind]);
	xb_image_node_path(node, context);
	xb_str_printf(context, "%s%s %zu\n", file->link != NULL ? ">" : "",
		      file->link != NULL ? file->link : "", file->layer);
	return 0;
}

/* All of a tree: of each its kind, path, target and layer. */
static void assert_tree(const struct xb_image_tree *tree, const char *wanted)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_image_tree_each(tree, note, &text), 0);
	assert_string_equal(xb_str_text(&text), wanted);
}

static const struct xb_image_file *file_at(const struct xb_image_tree *tree, const char *path)
{
	const struct xb_image_node *node = NULL;

	assert_int_equal(xb_image_tree_find(tree, NULL, path, true, &node), 0);
	return xb_image_node_file(node);
}

static void layers_lie_on_each_other(void **state)
{
	auto_tar struct tar one = TAR_INIT, two = TAR_INIT;
	xb_auto_image_tree struct xb_image_tree *tree = xb_image_tree_new();

	(void)state;
	tar_dir(&one, "a");
	tar_file(&one, "a/gone", "1");
	tar_file(&one, "a/kept", "2");
	tar_file(&one, "b/x/deep", "3");
	tar_file(&one, "over", "old");
	tar_dir(&one, "tree");
	tar_file(&one, "tree/in", "4");
	tar_file(&two, "a/.wh.gone", "");
	tar_file(&two, "b/new", "5");
	tar_file(&two, "b/.wh..wh..opq", "");
	tar_file(&two, "over", "newer");
	tar_file(&two, "tree", "a file now");
	assert_int_equal(put(tree, &one), 0);
	assert_int_equal(put(tree, &two), 0);
	assert_tree(tree, "d/ 0\nd/a 0\nf/a/kept 0\nd/b 0\nf/b/new 1\nf/over 1\nf/tree 1\n");
	assert_int_equal(file_at(tree, "/over")->size, 5);
	assert_true(file_at(tree, "/b")->implied);
	assert_false(file_at(tree, "/a")->implied);
}

static void what_a_layer_hides_is_of_those_below(void **state)
{
	auto_tar struct tar one = TAR_INIT, two = TAR_INIT;
	xb_auto_image_tree struct xb_image_tree *tree = xb_image_tree_new();

	(void)state;
	tar_file(&one, "d/old", "1");
	tar_file(&one, "e", "1");
	/* the whiteouts come last in the tar */
	tar_file(&two, "d/new", "2");
	tar_file(&two, "e", "2");
	tar_file(&two, ".wh.e", "");
	tar_file(&two, "d/.wh..wh..opq", "");
	tar_file(&two, ".wh.never", "");
	assert_int_equal(put(tree, &one), 0);
	assert_int_equal(put(tree, &two), 0);
	assert_tree(tree, "d/ 0\nd/d 0\nf/d/new 1\nf/e 1\n");
}

static void links_lead_inside_the_root(void **state)
{
	auto_tar struct tar one = TAR_INIT, two = TAR_INIT;
	xb_auto_image_tree struct xb_image_tree *tree = xb_image_tree_new();
	const struct xb_image_node *node = NULL, *dir = NULL;

	(void)state;
	tar_file(&one, "usr/lib/libc", "elf");
	tar_link(&one, XB_TAR_SYMLINK, "lib", "usr/lib");
	tar_link(&one, XB_TAR_SYMLINK, "up", "../../../usr/./lib/../lib/");
	tar_link(&one, XB_TAR_SYMLINK, "loop", "loop2");
	tar_link(&one, XB_TAR_SYMLINK, "loop2", "/loop");
	tar_link(&one, XB_TAR_SYMLINK, "dangling", "nowhere");
	tar_link(&one, XB_TAR_HARDLINK, "twin", "usr/lib/libc");
	tar_file(&two, "lib/libm", "through the link");
	assert_int_equal(put(tree, &one), 0);
	assert_int_equal(put(tree, &two), 0);
	assert_int_equal(file_at(tree, "/usr/lib/libm")->layer, 1);
	assert_ptr_equal(file_at(tree, "/up/libc"), file_at(tree, "/twin"));
	assert_int_equal(file_at(tree, "/twin")->names, 2);
	assert_int_equal(xb_image_tree_find(tree, NULL, "/lib", false, &node), 0);
	assert_int_equal(xb_image_node_file(node)->kind, XB_IMAGE_SYMLINK);
	assert_int_equal(xb_image_tree_find(tree, NULL, "/lib/", false, &node), 0);
	assert_int_equal(xb_image_node_file(node)->kind, XB_IMAGE_DIRECTORY);
	assert_int_equal(xb_image_tree_find(tree, NULL, "/usr", true, &dir), 0);
	assert_int_equal(xb_image_tree_find(tree, dir, "lib/libc", true, &node), 0);
	assert_int_equal(xb_image_tree_find(tree, NULL, "/loop", true, &node), -ELOOP);
	assert_int_equal(xb_image_tree_find(tree, NULL, "/loop", false, &node), 0);
	assert_int_equal(xb_image_tree_find(tree, NULL, "/dangling", true, &node), -ENOENT);
	assert_int_equal(xb_image_tree_find(tree, NULL, "/twin/x", true, &node), -ENOTDIR);
	assert_int_equal(xb_image_tree_find(tree, NULL, "/twin/", true, &node), -ENOTDIR);
}

static void what_cannot_be_put_there_is_an_error(void **state)
{
	static const struct {
		const char *first, *name, *link;
	} rows[] = {
		{ "file", "file/below", NULL },
		{ "file", "hard", "missing" },
		{ "dir/in", "hard", "dir" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		auto_tar struct tar one = TAR_INIT, two = TAR_INIT;
		xb_auto_image_tree struct xb_image_tree *tree = xb_image_tree_new();

		tar_file(&one, rows[i].first, "x");
		if (rows[i].link != NULL)
			tar_link(&two, XB_TAR_HARDLINK, rows[i].name, rows[i].link);
		else
			tar_file(&two, rows[i].name, "y");
		assert_int_equal(put(tree, &one), 0);
		assert_int_equal(put(tree, &two), -EBADMSG);
	}
}

static void files_are_known_by_what_they_hold(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_image_tree struct xb_image_tree *tree = xb_image_tree_new();
	struct xb_digest hello = xb_digest_of("hello", 5);

	(void)state;
	tar_file(&t, "etc/passwd", "root:x:0:0::/:/bin/sh\n");
	tar_file(&t, "etc/other", "hello");
	tar_file(&t, "bin/run", "#!/bin/sh -e\nexit\n");
	assert_int_equal(put(tree, &t), 0);
	assert_true(xb_view_is(file_at(tree, "/etc/passwd")->text, "root:x:0:0::/:/bin/sh\n"));
	assert_null(file_at(tree, "/etc/other")->text.data);
	assert_null(file_at(tree, "/etc/other")->facts);
	assert_true(xb_digest_eq(&file_at(tree, "/etc/other")->digest, &hello));
	assert_int_equal(file_at(tree, "/bin/run")->facts->kind, XB_FACTS_SCRIPT);
	assert_string_equal(file_at(tree, "/bin/run")->facts->interpreter, "/bin/sh");
	assert_string_equal(file_at(tree, "/bin/run")->facts->argument, "-e");
}

/* What it says is the same whether it fits into memory or not. */
static void large_programs_are_looked_at_whole(void **state)
{
	xb_auto_str struct xb_str program = XB_STR_INIT(XB_STR_OWN),
				  bytes = XB_STR_INIT(XB_STR_OWN);
	struct xb_digest whole;

	(void)state;
	assert_true(xb_file_read("/proc/self/exe", &program, NULL) >= 0);
	for (size_t i = 0; i < 2; i++) {
		auto_tar struct tar t = TAR_INIT;
		xb_auto_image_tree struct xb_image_tree *tree = xb_image_tree_new();
		const struct xb_image_file *file;

		xb_str_reset(&bytes);
		xb_str_append_view(&bytes, xb_str_view(&program));
		while (i == 1 && bytes.len < (size_t)9 << 20)
			xb_str_append_view(&bytes, xb_str_view(&program));
		whole = xb_digest_of(bytes.data, bytes.len);
		tar_add(&t,
			&(struct xb_tar_entry){ .name = "program",
						.type = XB_TAR_FILE,
						.mode = 0755,
						.size = bytes.len },
			xb_str_text(&bytes));
		assert_int_equal(put(tree, &t), 0);
		file = file_at(tree, "/program");
		assert_true(xb_digest_eq(&file->digest, &whole));
		assert_non_null(file->facts);
		assert_int_equal(file->facts->kind, XB_FACTS_ELF);
		assert_null(file->facts->damage);
		assert_non_null(file->facts->interpreter);
		assert_true(file->facts->needed.len > 0);
		assert_true(file->facts->versions_len > 0);
	}
}

/* Any end that is cut off, and any byte that is another, is an error or gives a tree. */
static void no_byte_of_a_survey_is_trusted(void **state)
{
	auto_tar struct tar t = TAR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_SURVEY);

	(void)state;
	tar_file(&t, "etc/passwd", "root:x:0:0::/:/bin/sh\n");
	tar_file(&t, "bin/run", "#!/bin/sh -e\nexit\n");
	tar_link(&t, XB_TAR_SYMLINK, "a", "etc");
	tar_link(&t, XB_TAR_HARDLINK, "b", "bin/run");
	assert_true(survey(&t, true, &text, NULL) >= 0);
	for (size_t cut = 0; cut < text.len; cut++) {
		xb_auto_image_tree struct xb_image_tree *tree = xb_image_tree_new();
		int r = xb_image_tree_add(tree, xb_view_sub(xb_str_view(&text), 0, cut), NULL);

		assert_true(r == 0 || r == -EBADMSG);
		assert_true(cut >= 16 || r == -EBADMSG);
	}
	for (size_t at = 0; at < text.len; at++) {
		xb_auto_image_tree struct xb_image_tree *tree = xb_image_tree_new();
		char before = text.data[at];
		int r;

		text.data[at] = (char)(before ^ 0x55);
		r = xb_image_tree_add(tree, xb_str_view(&text), NULL);
		assert_true(r == 0 || r == -EBADMSG);
		text.data[at] = before;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layers_lie_on_each_other),
		cmocka_unit_test(what_a_layer_hides_is_of_those_below),
		cmocka_unit_test(links_lead_inside_the_root),
		cmocka_unit_test(what_cannot_be_put_there_is_an_error),
		cmocka_unit_test(files_are_known_by_what_they_hold),
		cmocka_unit_test(large_programs_are_looked_at_whole),
		cmocka_unit_test(no_byte_of_a_survey_is_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
