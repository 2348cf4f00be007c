/* SPDX-License-Identifier: Apache-2.0 */
/* COPY as BuildKit does it: what goes where, with which owner, mode and time; and never outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/layer/copy.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

/* A source with something of everything, an empty destination, and a place that neither holds. */
static int setup(void **state)
{
	if (scratch_setup(state) != 0)
		return -1;
	shell("mkdir -p src/dir/sub dst out && cd src && echo one >file && echo two >dir/two && "
	      "echo three >dir/sub/three && chmod 640 dir/two && chmod 711 dir/sub && "
	      "ln -s two dir/link && ln -s dir dirlink && ln -s file filelink && "
	      "ln -s /file abslink && ln -s ../../../../out outlink && ln -s nothing dangling && "
	      "touch -h -d @1000000000 dir/two dir/link dir/sub file dir && echo secret >../out/s");
	return 0;
}

static int copy(const char *src, const char *dst, const struct xb_copy_options *options,
		struct xb_error *err)
{
	static const struct xb_copy_options keep = XB_COPY_OPTIONS_INIT;
	xb_auto_fd int from = openat(scratch_fd, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	xb_auto_fd int to = openat(scratch_fd, "dst", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return xb_copy_path(from, src, to, dst, options != NULL ? options : &keep, err);
}

static void copy_well(const char *src, const char *dst)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (copy(src, dst, NULL, &err) < 0)
		fail_msg("%s", err.message);
}

static struct stat status(const char *name)
{
	struct stat st;

	if (fstatat(scratch_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s is not there", name);
	return st;
}

static bool exists(const char *name)
{
	struct stat st;

	return fstatat(scratch_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_contents(const char *name, const char *expected)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(1000);

	assert_int_equal(xb_file_read_at(scratch_fd, name, &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), expected);
}

static void a_file_goes_to_a_name_or_into_a_directory(void **state)
{
	(void)state;
	shell("mkdir dst/there");
	copy_well("file", "/named");
	assert_contents("dst/named", "one\n");
	copy_well("/file", "there");
	assert_contents("dst/there/file", "one\n");
	copy_well("file", "/new/deep/");
	assert_contents("dst/new/deep/file", "one\n");
	copy_well("file", "other/deep/name");
	assert_contents("dst/other/deep/name", "one\n");
	copy_well("dir/two", "there/.");
	assert_contents("dst/there/two", "two\n");
	copy_well("file", "/");
	assert_contents("dst/file", "one\n");
	assert_int_equal(status("dst/file").st_mtime, 1000000000);
}

static void a_directory_gives_its_contents(void **state)
{
	xb_auto_fd int a = -1;
	xb_auto_fd int b = -1;

	(void)state;
	copy_well("dir", "/made");
	assert_contents("dst/made/two", "two\n");
	assert_contents("dst/made/sub/three", "three\n");
	assert_int_equal(status("dst/made/sub").st_mode & 07777, 0711);
	assert_int_equal(status("dst/made/sub").st_mtime, 1000000000);
	assert_int_equal(status("dst/made/two").st_mode & 07777, 0640);
	assert_true(S_ISLNK(status("dst/made/link").st_mode));
	/* the directory itself is made, not copied */
	assert_int_equal(status("dst/made").st_mode & 07777, 0755);
	assert_int_not_equal(status("dst/made").st_mtime, 1000000000);
	a = openat(scratch_fd, "src/dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b = openat(scratch_fd, "dst/made", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_trees_equal(a, b);
}

static void existing_directories_take_metadata_only_below(void **state)
{
	(void)state;
	shell("mkdir -p dst/d/sub && chmod 700 dst/d dst/d/sub && echo old >dst/d/two && "
	      "echo stays >dst/d/sub/own");
	copy_well("dir/", "/d/");
	assert_int_equal(status("dst/d").st_mode & 07777, 0700);
	assert_int_equal(status("dst/d/sub").st_mode & 07777, 0711);
	assert_contents("dst/d/two", "two\n");
	assert_contents("dst/d/sub/own", "stays\n");
}

static void types_do_not_mix(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	shell("mkdir -p dst/a/two dst/b && echo x >dst/b/sub && echo x >dst/plain && "
	      "ln -s /elsewhere dst/c && mkdir dst/elsewhere dst/d && ln -s ../elsewhere "
	      "dst/d/sub");
	assert_int_equal(copy("dir", "/a", NULL, &err), -EISDIR);
	assert_int_equal(copy("dir", "/b", NULL, &err), -ENOTDIR);
	assert_int_equal(copy("dir", "/plain", NULL, &err), -ENOTDIR);
	assert_int_equal(copy("file", "/plain/below", NULL, &err), -ENOTDIR);
	/* below the top a link is no directory */
	assert_int_equal(copy("dir", "/d", NULL, &err), -ENOTDIR);
	/* at the top it is followed */
	copy_well("dir", "/c");
	assert_contents("dst/elsewhere/two", "two\n");
}

static void a_file_replaces_files_and_links(void **state)
{
	(void)state;
	shell("echo old >dst/old && ln dst/old dst/other && mkdir dst/d && ln -s nowhere dst/d/two "
	      "&& "
	      "mkfifo dst/d/link");
	copy_well("file", "old");
	assert_contents("dst/old", "one\n");
	assert_contents("dst/other", "old\n"); /* another name of the old file */
	copy_well("dir", "d");
	assert_contents("dst/d/two", "two\n");
	assert_true(S_ISLNK(status("dst/d/link").st_mode));
}

static void source_links_are_followed_at_the_top(void **state)
{
	(void)state;
	copy_well("filelink", "/a");
	assert_contents("dst/a", "one\n");
	assert_true(S_ISREG(status("dst/a").st_mode));
	copy_well("filelink", "/into/");
	assert_contents("dst/into/filelink", "one\n");
	copy_well("abslink", "/b");
	assert_contents("dst/b", "one\n");
	copy_well("dirlink", "/c");
	assert_contents("dst/c/two", "two\n");
	copy_well("dirlink/sub/../two", "/d");
	assert_contents("dst/d", "two\n");
	copy_well("dir/", "/e");
	assert_true(S_ISLNK(status("dst/e/link").st_mode));
}

static void what_is_missing_is_the_sources_fault(void **state)
{
	static const char *const names[] = { "nothing", "dangling", "dir/none", "outlink" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(copy(names[i], "/x", NULL, &err), -ENOENT);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_non_null(strstr(err.message, names[i]));
	}
}

static void nothing_leaves_either_root(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	shell("ln -s ../../out dst/up && ln -s ../../out/s dst/file && mkdir dst/out && "
	      "ln -s ../out/s src/dir/s");
	/* "out" inside the destination is what these links mean there */
	copy_well("file", "up/new");
	assert_true(exists("dst/out/new"));
	assert_false(exists("out/new"));
	copy_well("file", "../../x");
	assert_true(exists("dst/x"));
	copy_well("file", "/file");
	assert_contents("out/s", "secret\n");
	assert_contents("dst/out/s", "one\n");
	assert_int_equal(copy("dir/s", "/y", NULL, &err), -ENOENT);
	assert_int_equal(copy("../out/s", "/y", NULL, &err), -ENOENT);
}

static void owners_and_modes_are_as_asked(void **state)
{
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;

	(void)state;
	need("userns", trees_root);
	shell("chown 12:34 src/dir/two && chmod 4711 src/dir/two && chown -h 12:34 src/dir/link");
	copy_well("dir", "/keep/in");
	assert_int_equal(status("dst/keep/in/two").st_uid, 12);
	assert_int_equal(status("dst/keep/in/two").st_mode & 07777, 04711);
	assert_int_equal(status("dst/keep").st_uid, 0);

	options.uid = 5;
	options.gid = 6;
	assert_int_equal(copy("dir", "/own/in", &options, NULL), 0);
	assert_int_equal(status("dst/own").st_uid, 5);
	assert_int_equal(status("dst/own/in").st_gid, 6);
	assert_int_equal(status("dst/own/in/sub/three").st_uid, 5);
	assert_int_equal(status("dst/own/in/link").st_uid, 5);
	assert_int_equal(status("dst/own/in/two").st_mode & 07777, 04711);

	options.mode = 0600;
	assert_int_equal(copy("dir", "/mode/in", &options, NULL), 0);
	assert_int_equal(status("dst/mode/in/two").st_mode & 07777, 0600);
	assert_int_equal(status("dst/mode/in/sub").st_mode & 07777, 0600);
	/* made directories take the mode too, as BuildKit has it */
	assert_int_equal(status("dst/mode").st_mode & 07777, 0600);
	assert_int_equal(status("dst/mode/in/link").st_mode & 07777, 0777);
}

static void made_parents_take_the_epoch(void **state)
{
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;

	(void)state;
	shell("mkdir dst/there && touch -d @999 dst/there");
	options.epoch = 1234567890;
	assert_int_equal(copy("file", "/new/deep/x", &options, NULL), 0);
	assert_int_equal(status("dst/new").st_mtime, 1234567890);
	/* what is put into it changes the inner one's time, as any tar's clamping then mends */
	assert_int_equal(status("dst/new/deep/x").st_mtime, 1000000000);
	assert_int_equal(copy("file", "/there/x", &options, NULL), 0);
	assert_int_not_equal(status("dst/there").st_mtime, 1234567890);
}

static void links_among_what_is_copied_stay_links(void **state)
{
	(void)state;
	shell("mkdir -p src/h/a src/h/b && echo x >src/h/a/1 && ln src/h/a/1 src/h/b/2 && "
	      "ln src/h/a/1 src/outside");
	copy_well("h", "/h");
	assert_int_equal(status("dst/h/a/1").st_ino, status("dst/h/b/2").st_ino);
	assert_int_equal(status("dst/h/a/1").st_nlink, 2);
	assert_int_not_equal(status("dst/h/a/1").st_ino, status("src/h/a/1").st_ino);
}

/* Take what lies in or leads to a directory "yes", and skip names that begin with "no". */
static enum xb_copy_verdict choose(void *context, const char *path, const char *below, bool is_dir)
{
	struct xb_str *asked = context;
	const char *base = strrchr(path, '/');

	xb_str_printf(asked, "%s|%s%s ", path, below, is_dir ? "/" : "");
	base = base != NULL ? base + 1 : path;
	if (strncmp(base, "no", 2) == 0)
		return XB_COPY_SKIP;
	if (strstr(path, "yes") != NULL)
		return XB_COPY_TAKE;
	return is_dir ? XB_COPY_DESCEND : XB_COPY_SKIP;
}

static void a_filter_chooses(void **state)
{
	xb_auto_str struct xb_str asked = XB_STR_INIT(10000);
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;

	(void)state;
	shell("mkdir -p src/t/a/b/yes src/t/c/d src/t/no/yes src/t/e/yes && chmod 711 src/t/a/b && "
	      "echo x >src/t/a/b/yes/f && echo x >src/t/a/other && echo x >src/t/c/d/f && "
	      "echo x >src/t/no/yes/f && ln -s t src/tl && touch -d @77 src/t/a");
	options.filter = choose;
	options.context = &asked;
	assert_int_equal(copy("tl", "/t", &options, NULL), 0);
	assert_true(exists("dst/t/a/b/yes/f"));
	assert_true(exists("dst/t/e/yes"));
	assert_int_equal(status("dst/t/a/b").st_mode & 07777, 0711);
	assert_int_equal(status("dst/t/a").st_mtime, 77);
	assert_false(exists("dst/t/a/other"));
	assert_false(exists("dst/t/c"));
	assert_false(exists("dst/t/no"));
	/* by the real path, not the link's, and what is skipped is not looked into */
	assert_string_equal(xb_str_text(&asked), "t|/ t/a|a/ t/a/b|a/b/ t/a/b/yes|a/b/yes/ "
						 "t/a/b/yes/f|a/b/yes/f t/a/other|a/other t/c|c/ "
						 "t/c/d|c/d/ t/c/d/f|c/d/f t/e|e/ t/e/yes|e/yes/ "
						 "t/no|no/ ");
}

static enum xb_copy_verdict around(void *context, const char *path, const char *below, bool is_dir)
{
	enum xb_copy_verdict verdict = choose(context, path, below, is_dir);

	return verdict == XB_COPY_DESCEND ? XB_COPY_AROUND : verdict;
}

/* Directories that are there, and are met on the way to what is wanted, keep their owner. */
static void what_is_around_keeps_its_owner(void **state)
{
	xb_auto_str struct xb_str asked = XB_STR_INIT(10000);
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;

	(void)state;
	need("userns", trees_root);
	shell("mkdir -p src/t/a/yes/in src/t/new && chmod 2711 src/t/a && chmod 700 src/t/new && "
	      "echo x >src/t/a/yes/in/f && echo x >src/t/new/yes && mkdir -p dst/t/a/yes/in && "
	      "chown 5:6 dst/t dst/t/a dst/t/a/yes && chmod 750 dst/t");
	options.filter = around;
	options.context = &asked;
	options.uid = options.gid = 9;
	options.mode = 0644;
	assert_int_equal(copy("t", "/t", &options, NULL), 0);
	assert_int_equal(status("dst/t").st_uid, 5);
	assert_int_equal(status("dst/t").st_mode & 07777, 0750);
	assert_int_equal(status("dst/t/a").st_uid, 5);
	assert_int_equal(status("dst/t/a").st_mode & 07777, 02711);
	/* what is wanted itself, and what was not there, is as the options say */
	assert_int_equal(status("dst/t/a/yes").st_uid, 9);
	assert_int_equal(status("dst/t/a/yes").st_mode & 07777, 0644);
	assert_int_equal(status("dst/t/new").st_uid, 9);
	assert_int_equal(status("dst/t/new").st_mode & 07777, 0644);
}

static void nothing_blocks_and_sockets_become_files(void **state)
{
	(void)state;
	shell("mkdir src/s && mkfifo src/s/fifo && python3 -c 'import socket; "
	      "socket.socket(socket.AF_UNIX).bind(\"src/s/socket\")'");
	copy_well("s", "/s");
	assert_true(S_ISFIFO(status("dst/s/fifo").st_mode));
	assert_true(S_ISREG(status("dst/s/socket").st_mode));
	assert_int_equal(status("dst/s/socket").st_size, 0);
	copy_well("s/socket", "/socket");
	assert_true(S_ISREG(status("dst/socket").st_mode));
	copy_well("s/fifo", "/alone");
	assert_true(S_ISFIFO(status("dst/alone").st_mode));
}

static void any_tree_is_copied_whole(void **state)
{
	(void)state;
	need("userns", trees_root);
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct rng rng = { seed * 7919 };
		xb_autofree char *src = xb_format("src/random%u", (unsigned)seed);
		xb_autofree char *dst = xb_format("dst/random%u", (unsigned)seed);
		xb_auto_fd int a = -1;
		xb_auto_fd int b = -1;

		assert_int_equal(mkdirat(scratch_fd, src, 0755), 0);
		a = openat(scratch_fd, src, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		random_steps(&rng, a, 150, 1);
		random_times(&rng, a, 0);
		copy_well(src + 4, dst + 4);
		b = openat(scratch_fd, dst, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_trees_equal(a, b);
	}
}

/* A change of modes looks at each file's own. */
static void a_symbolic_mode_depends_on_the_file(void **state)
{
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;
	struct xb_mode_change change;

	(void)state;
	assert_int_equal(xb_mode_parse("go=rX,u+w", &change, NULL), 0);
	options.change = &change;
	assert_int_equal(copy("dir", "/new/dir", &options, NULL), 0);
	assert_int_equal(status("dst/new/dir/two").st_mode & 07777, 0644);
	assert_int_equal(status("dst/new/dir/sub").st_mode & 07777, 0755);
	assert_int_equal(status("dst/new").st_mode & 07777, 0755);
}

static int put(const char *dst, const struct xb_copy_options *options)
{
	xb_auto_fd int to = openat(scratch_fd, "dst", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return xb_copy_content("name", XB_VIEW("text"), to, dst, options, NULL);
}

static void content_becomes_a_file(void **state)
{
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;

	(void)state;
	shell("mkdir dst/there && ln -s /there/by-link dst/link && echo old >dst/old");
	options.epoch = 1000000000;
	assert_int_equal(put("/a/b", &options), 0);
	assert_contents("dst/a/b", "text");
	assert_int_equal(status("dst/a/b").st_mode & 07777, 0644);
	assert_int_equal(status("dst/a/b").st_mtim.tv_sec, 1000000000);
	assert_int_equal(put("/there", &options), 0);
	assert_contents("dst/there/name", "text");
	assert_int_equal(put("/new/", &options), 0);
	assert_contents("dst/new/name", "text");
	assert_int_equal(put("/link", &options), 0);
	assert_contents("dst/there/by-link", "text");
	options.mode = 0751;
	assert_int_equal(put("/old", &options), 0);
	assert_contents("dst/old", "text");
	assert_int_equal(status("dst/old").st_mode & 07777, 0751);
	assert_int_equal(status("dst/a").st_mode & 07777, 0755);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_goes_to_a_name_or_into_a_directory),
		TEST(a_directory_gives_its_contents),
		TEST(existing_directories_take_metadata_only_below),
		TEST(types_do_not_mix),
		TEST(a_file_replaces_files_and_links),
		TEST(source_links_are_followed_at_the_top),
		TEST(what_is_missing_is_the_sources_fault),
		TEST(nothing_leaves_either_root),
		TEST(owners_and_modes_are_as_asked),
		TEST(made_parents_take_the_epoch),
		TEST(links_among_what_is_copied_stay_links),
		TEST(a_filter_chooses),
		TEST(what_is_around_keeps_its_owner),
		TEST(nothing_blocks_and_sockets_become_files),
		TEST(a_symbolic_mode_depends_on_the_file),
		TEST(content_becomes_a_file),
		TEST(any_tree_is_copied_whole),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
