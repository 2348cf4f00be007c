/* SPDX-License-Identifier: Apache-2.0 */
/* ADD of archives, as other people's tar writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

/* Run a shell command in the scratch directory. */
static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

static int open_there(const char *name, int flags)
{
	int fd = openat(scratch_fd, name, flags | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int is_archive(const char *name)
{
	xb_auto_fd int fd = open_there(name, O_RDONLY);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r = xb_archive_is(fd, &err);

	if (r < 0)
		fail_msg("%s", err.message);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	return r;
}

static int extract(const char *name, const char *path, const struct xb_archive_options *options,
		   struct xb_error *err)
{
	static const struct xb_archive_options plain = XB_ARCHIVE_OPTIONS_INIT;
	xb_auto_fd int fd = open_there(name, O_RDONLY);

	return xb_archive_extract(fd, scratch_fd, path, options != NULL ? options : &plain, NULL,
				  err);
}

static void extract_well(const char *name, const char *path)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (extract(name, path, NULL, &err) < 0)
		fail_msg("%s: %s", name, err.message);
}

static void make_source(void)
{
	struct rng rng = { 77 };
	xb_auto_fd int fd = -1;

	assert_int_equal(mkdirat(scratch_fd, "source", 0755), 0);
	fd = open_there("source", O_RDONLY | O_DIRECTORY);
	random_steps(&rng, fd, 150, 0);
	random_times(&rng, fd, 0);
}

/* What each form of tar cannot say is left out of the source for it. */
static void every_form_of_gnu_tar_is_read(void **state)
{
	static const char *const ways[] = {
		"-H gnu",
		"-H posix --xattrs --xattrs-include='*'",
		"-H gnu -S",
		"-H posix -S --sparse-version=0.0",
		"-H posix -S --sparse-version=0.1",
		"-H posix -S --sparse-version=1.0",
		"-H gnu -b 1 --numeric-owner",
		"-H oldgnu",
	};

	(void)state;
	need("userns", trees_root);
	make_source();
	for (size_t i = 0; i < XB_COUNT(ways); i++) {
		xb_autofree char *pack = xb_format("tar %s -cf %zu.tar -C source .", ways[i], i);
		xb_autofree char *judge = xb_format(
			"mkdir theirs%zu && tar --xattrs --xattrs-include='*' --numeric-owner -p "
			"-xf %zu.tar -C theirs%zu",
			i, i, i);
		xb_autofree char *archive = xb_format("%zu.tar", i);
		xb_autofree char *mine = xb_format("mine%zu", i);
		xb_autofree char *other = xb_format("theirs%zu", i);
		xb_auto_fd int a = -1;
		xb_auto_fd int b = -1;

		shell(pack);
		shell(judge);
		assert_int_equal(is_archive(archive), 1);
		extract_well(archive, mine);
		a = open_there(mine, O_RDONLY | O_DIRECTORY);
		b = open_there(other, O_RDONLY | O_DIRECTORY);
		/* the directory itself is ADD's, not the archive's */
		assert_int_equal(fchmod(b, 0755), 0);
		print_message("%s\n", ways[i]);
		assert_trees_equal(a, b);
	}
}

static void old_forms_are_read(void **state)
{
	(void)state;
	need("userns", trees_root);
	shell("mkdir -p source/d && echo one >source/d/f && ln source/d/f source/g && "
	      "ln -s d/f source/l && chmod 4750 source/d/f");
	shell("tar -H v7 -cf v7.tar -C source . && tar -H ustar -cf ustar.tar -C source .");
	shell("mkdir long && cd long && d=$(printf '%060d/%060d' 0 1) && mkdir -p $d && echo x "
	      ">$d/file && "
	      "tar -H ustar -cf ../prefix.tar .");
	for (int i = 0; i < 2; i++) {
		const char *name = i == 0 ? "v7.tar" : "ustar.tar";
		xb_auto_fd int a = -1;
		xb_auto_fd int b = open_there("source", O_RDONLY | O_DIRECTORY);

		assert_int_equal(is_archive(name), 1);
		extract_well(name, i == 0 ? "one" : "two");
		a = open_there(i == 0 ? "one" : "two", O_RDONLY | O_DIRECTORY);
		assert_trees_equal(a, b);
	}
	extract_well("prefix.tar", "three");
	shell("cmp long/0*/0*/file three/0*/0*/file");
}

static void compressions_are_recognised(void **state)
{
	static const char *const programs[] = { "gzip", "bzip2", "xz", "zstd" };

	(void)state;
	need("userns", trees_root);
	shell("mkdir d && echo hello >d/f && tar -cf a.tar d && head -c 3000000 /dev/urandom >big "
	      "&& echo text >text && tar -cf b.tar big");
	for (size_t i = 0; i < XB_COUNT(programs); i++) {
		/* two members or streams one after the other */
		xb_autofree char *make =
			xb_format("(head -c 700 a.tar | %s -c; "
				  "tail -c +701 a.tar | %s -c) >a.tar.%zu && "
				  "%s -c <b.tar >b.tar.%zu && %s -c <text >t.%zu",
				  programs[i], programs[i], i, programs[i], i, programs[i], i);
		xb_autofree char *a = xb_format("a.tar.%zu", i);
		xb_autofree char *b = xb_format("b.tar.%zu", i);
		xb_autofree char *text = xb_format("t.%zu", i);
		xb_autofree char *to = xb_format("out%zu", i);
		xb_autofree char *compare = xb_format("cmp %s/d/f d/f && cmp %s/big big", to, to);

		shell(make);
		assert_int_equal(is_archive(a), 1);
		assert_int_equal(is_archive(b), 1);
		assert_int_equal(is_archive(text), 0);
		extract_well(a, to);
		extract_well(b, to);
		shell(compare);
	}
}

static void other_files_are_no_archives(void **state)
{
	(void)state;
	shell(": >empty && echo text >text && head -c 20000 /dev/zero >zeros && printf BZh >bz && "
	      "printf '\\037\\213\\010' >gz && head -c 5000 /dev/urandom >noise && "
	      "printf '(\\265/\\375' >zst && mkfifo fifo && mkdir dir");
	assert_int_equal(is_archive("empty"), 0);
	assert_int_equal(is_archive("text"), 0);
	assert_int_equal(is_archive("zeros"), 0);
	assert_int_equal(is_archive("bz"), 0);
	assert_int_equal(is_archive("gz"), 0);
	assert_int_equal(is_archive("noise"), 0);
	assert_int_equal(is_archive("zst"), 0);
	assert_int_equal(is_archive("dir"), 0);
	{
		xb_auto_fd int fd = open_there("fifo", O_RDWR);

		assert_int_equal(xb_archive_is(fd, NULL), 0);
	}
}

static void damage_is_an_error(void **state)
{
	static const char *const files[] = { "short.tgz", "crc.tgz", "tail.tgz", "short.tar",
					     "short.bz2", "crc.bz2", "tail.bz2", "short.xz",
					     "crc.xz",	  "tail.xz", "cut.bz2",	 "cut.xz" };

	(void)state;
	need("userns", trees_root);
	shell("head -c 300000 /dev/urandom >f && tar -cf a.tar f && gzip -n <a.tar >a.tgz && "
	      "head -c -20 a.tgz >short.tgz && head -c 200000 a.tar >short.tar && "
	      "(head -c -8 a.tgz; printf 'abcdefgh') >crc.tgz && (cat a.tgz; echo more) >tail.tgz");
	/* cut: between two streams there is half of the second */
	shell("for z in bzip2 xz; do e=${z#bzip2}; e=${e:-bz2}; $z -c <a.tar >a.$e && "
	      "head -c -20 a.$e >short.$e && (cat a.$e; echo more) >tail.$e && "
	      "(head -c 150000 a.$e; printf abcdefgh; tail -c +150009 a.$e) >crc.$e && "
	      "(cat a.$e; head -c 6 a.$e) >cut.$e || exit; done");
	for (size_t i = 0; i < XB_COUNT(files); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(extract(files[i], "out", NULL, &err), -EBADMSG);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_non_null(strstr(err.message, "damaged"));
	}
}

static void owner_and_parents_are_as_asked(void **state)
{
	const struct xb_archive_options options = { .uid = 33, .gid = 44, .epoch = 1234567890 };
	struct stat st;

	(void)state;
	need("userns", trees_root);
	shell("mkdir d && echo x >d/f && chmod 640 d/f && chown 5:6 d/f && tar -cf a.tar d && "
	      "mkdir there && chmod 700 there");
	assert_int_equal(extract("a.tar", "/there/p/q", &options, NULL), 0);
	assert_int_equal(fstatat(scratch_fd, "there/p/q/d/f", &st, 0), 0);
	assert_int_equal(st.st_uid, 33);
	assert_int_equal(st.st_gid, 44);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(fstatat(scratch_fd, "there/p", &st, 0), 0);
	assert_int_equal(st.st_uid, 33);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_mtime, 1234567890);
	assert_int_equal(fstatat(scratch_fd, "there", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, 0);
}

static void links_lead_nowhere_else(void **state)
{
	struct stat st;

	(void)state;
	need("userns", trees_root);
	/* the destination is a link, and the archive brings one that climbs out of it */
	shell("mkdir -p root/real out && ln -s /real root/link && mkdir a && "
	      "ln -s ../../../out a/escape && tar -cf one.tar -C a . && rm a/escape && "
	      "mkdir a/escape && echo x >a/escape/f && tar -cf two.tar -C a escape/f");
	{
		xb_auto_fd int root = open_there("root", O_RDONLY | O_DIRECTORY);
		xb_auto_fd int one = open_there("one.tar", O_RDONLY);
		xb_auto_fd int two = open_there("two.tar", O_RDONLY);
		const struct xb_archive_options options = XB_ARCHIVE_OPTIONS_INIT;

		assert_int_equal(xb_archive_extract(one, root, "link", &options, NULL, NULL), 0);
		assert_int_equal(fstatat(root, "real/escape", &st, AT_SYMLINK_NOFOLLOW), 0);
		(void)xb_archive_extract(two, root, "link", &options, NULL, NULL);
	}
	assert_int_not_equal(fstatat(scratch_fd, "out/f", &st, 0), 0);
}

static void whiteouts_mean_nothing_in_archives(void **state)
{
	struct stat st;

	(void)state;
	need("userns", trees_root);
	shell("mkdir a out && echo x >out/kept && echo x >a/.wh.kept && tar -cf a.tar -C a .");
	extract_well("a.tar", "out");
	assert_int_equal(fstatat(scratch_fd, "out/kept", &st, 0), 0);
	assert_int_equal(fstatat(scratch_fd, "out/.wh.kept", &st, 0), 0);
}

static void limits_hold(void **state)
{
	const struct xb_unpack_limits few = { .entries = 3 }, small = { .unpacked = 1 << 20 };
	struct xb_archive_options options = XB_ARCHIVE_OPTIONS_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	need("userns", trees_root);
	shell("mkdir a && touch a/1 a/2 a/3 a/4 && tar -cf many.tar -C a . && "
	      "truncate -s 2M sparse && tar -S -cf sparse.tar sparse && "
	      "head -c 2000000 /dev/zero >zeros && tar -czf bomb.tgz zeros");
	options.limits = &few;
	assert_int_equal(extract("many.tar", "out", &options, &err), -EFBIG);
	assert_non_null(err.hint);
	options.limits = &small;
	assert_int_equal(extract("sparse.tar", "out", &options, &err), -EFBIG);
	assert_int_equal(extract("bomb.tgz", "out", &options, &err), -EFBIG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(every_form_of_gnu_tar_is_read),
		TEST(old_forms_are_read),
		TEST(compressions_are_recognised),
		TEST(other_files_are_no_archives),
		TEST(damage_is_an_error),
		TEST(owner_and_parents_are_as_asked),
		TEST(links_lead_nowhere_else),
		TEST(whiteouts_mean_nothing_in_archives),
		TEST(limits_hold),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
