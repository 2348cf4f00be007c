/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of documents and blobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/layer/tarfile.h"
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

static int open_there(const char *name, int flags)
{
	int fd = openat(scratch_fd, name, flags | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* An archive with a directory, a document, a blob of 3 MB and its other name. */
static void write_archive(const char *name)
{
	xb_auto_fd int blob = open_there("blob", O_RDONLY);
	xb_auto_fd int out = open_there(name, O_WRONLY | O_CREAT | O_TRUNC);
	const struct xb_tarfile_member members[] = {
		{ .name = "oci-layout", .data = "{}", .size = 2, .fd = -1 },
		{ .name = "blobs/", .fd = -1 },
		{ .name = "blobs/one", .fd = blob, .size = 3000000 },
		{ .name = "blobs/two", .fd = -1, .link_to = 3 },
		{ .name = "empty", .data = "", .fd = -1 },
	};
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_tarfile_write(members, XB_COUNT(members), 1000000000, out, NULL, &err) < 0)
		fail_msg("%s", err.message);
}

static void archives_come_back(void **state)
{
	xb_auto_fd int archive = -1;
	xb_auto_fd int dest = -1;
	struct stat st;

	(void)state;
	shell("head -c 3000000 /dev/urandom >blob && mkdir out theirs");
	write_archive("a.tar");
	write_archive("b.tar");
	shell("cmp a.tar b.tar && tar -C theirs -xf a.tar && cmp blob theirs/blobs/two && "
	      "test $(stat -c %Y theirs/blobs/one) = 1000000000 && "
	      "test $(stat -c %a theirs/oci-layout) = 644");
	archive = open_there("a.tar", O_RDONLY);
	dest = open_there("out", O_RDONLY | O_DIRECTORY);
	assert_int_equal(xb_tarfile_extract(archive, dest, NULL), 0);
	shell("cmp blob out/blobs/one && cmp blob out/blobs/two && test -f out/empty && "
	      "test \"$(cat out/oci-layout)\" = {}");
	assert_int_equal(fstatat(scratch_fd, "out/blobs", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(scratch_fd, "out/oci-layout", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, geteuid());
}

static void archives_go_into_pipes(void **state)
{
	xb_auto_fd int blob = -1;
	struct xb_tarfile_member member = { .name = "f", .size = 100 };
	char archive[4096];
	int ends[2];

	(void)state;
	shell("seq 1 100 >blob");
	blob = open_there("blob", O_RDONLY);
	member.fd = blob;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(xb_tarfile_write(&member, 1, 0, ends[1], NULL, NULL), 0);
	close(ends[1]);
	/* header, data, end */
	assert_int_equal(xb_read_full(ends[0], archive, sizeof(archive), NULL), 2048);
	assert_memory_equal(archive + 512, "1\n2\n3\n", 6);
	close(ends[0]);
}

static void a_short_file_is_an_error(void **state)
{
	xb_auto_fd int blob = -1;
	xb_auto_fd int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct xb_tarfile_member member = { .name = "f", .size = 1000 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	shell("seq 1 10 >blob");
	blob = open_there("blob", O_RDONLY);
	member.fd = blob;
	assert_true(xb_tarfile_write(&member, 1, 0, out, NULL, &err) < 0);
	assert_non_null(strstr(err.message, "f"));
}

static void only_files_and_directories_come_out(void **state)
{
	static const char *const sources[] = { "ln -s /etc/passwd a/x", "mkfifo a/x" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(sources); i++) {
		xb_auto_fd int archive = -1;
		xb_auto_fd int dest = -1;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		shell("rm -rf a out && mkdir a out");
		shell(sources[i]);
		shell("tar -czf a.tgz -C a .");
		archive = open_there("a.tgz", O_RDONLY);
		dest = open_there("out", O_RDONLY | O_DIRECTORY);
		assert_int_equal(xb_tarfile_extract(archive, dest, &err), -EBADMSG);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
	}
	{
		xb_auto_fd int archive = -1;
		xb_auto_fd int dest = open_there("out", O_RDONLY | O_DIRECTORY);

		shell("echo x >up && tar -P -cf up.tar a/../up");
		archive = open_there("up.tar", O_RDONLY);
		assert_int_equal(xb_tarfile_extract(archive, dest, NULL), -EBADMSG);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(archives_come_back),
		TEST(archives_go_into_pipes),
		TEST(a_short_file_is_an_error),
		TEST(only_files_and_directories_come_out),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
