/* SPDX-License-Identifier: Apache-2.0 */
/* Owners in files, and beside them where there is one id: the tests of those run again below
 * `unshare -r`. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/owner.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

static void make_socket(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	xb_auto_fd int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
		       scratch_fd, name);
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
}

/* One of each kind that a layer may have and a plain user may make. */
static const char *const kinds[] = { "file", "dir", "link", "fifo", "socket" };

static void make_all(void)
{
	scratch_write("file", "x");
	assert_return_code(mkdirat(scratch_fd, "dir", 0700), errno);
	assert_return_code(symlinkat("nowhere", scratch_fd, "link"), errno);
	assert_return_code(mkfifoat(scratch_fd, "fifo", 0600), errno);
	make_socket("socket");
}

static void check(int dirfd, const char *name, uid_t uid, gid_t gid)
{
	struct stat st;

	assert_return_code(xb_owner_stat(dirfd, name, &st), errno);
	if (st.st_uid != uid || st.st_gid != gid)
		fail_msg("%s: %u:%u and not %u:%u", name, st.st_uid, st.st_gid, uid, gid);
}

static void an_owner_is_read_back(void **state)
{
	(void)state;
	if (!xb_owner_recorded())
		need("root", geteuid() == 0);
	make_all();
	for (size_t i = 0; i < XB_COUNT(kinds); i++) {
		assert_return_code(xb_owner_set(scratch_fd, kinds[i], 1000 + (uid_t)i, 65534),
				   errno);
		check(scratch_fd, kinds[i], 1000 + (uid_t)i, 65534);
	}
}

static void an_open_file_has_its_owner(void **state)
{
	(void)state;
	if (!xb_owner_recorded())
		need("root", geteuid() == 0);
	make_all();
	for (size_t i = 0; i < XB_COUNT(kinds); i++) {
		xb_auto_fd int fd = openat(scratch_fd, kinds[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);

		assert_return_code(xb_owner_set(fd, "", 7, 8), errno);
		check(fd, "", 7, 8);
		check(scratch_fd, kinds[i], 7, 8);
	}
}

static void without_a_record_it_is_root(void **state)
{
	struct stat st;

	(void)state;
	make_all();
	for (size_t i = 0; i < XB_COUNT(kinds); i++) {
		assert_return_code(xb_owner_stat(scratch_fd, kinds[i], &st), errno);
		assert_false(xb_owner_read(scratch_fd, kinds[i], &st));
		assert_int_equal(st.st_uid, 0);
		assert_int_equal(st.st_gid, 0);
	}
}

static void names_share_a_record_and_renames_keep_it(void **state)
{
	(void)state;
	make_all();
	for (size_t i = 0; i < XB_COUNT(kinds); i++) {
		assert_return_code(xb_owner_set(scratch_fd, kinds[i], 5, 6), errno);
		assert_return_code(renameat(scratch_fd, kinds[i], scratch_fd, "moved"), errno);
		check(scratch_fd, "moved", 5, 6);
		if (strcmp(kinds[i], "dir") != 0) {
			assert_return_code(linkat(scratch_fd, "moved", scratch_fd, "again", 0),
					   errno);
			check(scratch_fd, "again", 5, 6);
			assert_return_code(unlinkat(scratch_fd, "again", 0), errno);
		}
		assert_return_code(renameat(scratch_fd, "moved", scratch_fd, kinds[i]), errno);
	}
}

static void the_mode_stays(void **state)
{
	struct stat st;

	(void)state;
	make_all();
	assert_return_code(fchmodat(scratch_fd, "file", 06711, 0), errno);
	assert_return_code(xb_owner_set(scratch_fd, "file", 5, 6), errno);
	assert_return_code(fstatat(scratch_fd, "file", &st, 0), errno);
	assert_int_equal(st.st_mode & 07777, 06711);
}

static void nonsense_is_no_record(void **state)
{
	static const char *const wrong[] = { "", "1", "1:", ":1", "1:2:3", "4294967296:1", "-1:1" };
	xb_autofree char *file = NULL;
	struct stat st;

	(void)state;
	make_all();
	file = strdup(scratch_path("file"));
	for (size_t i = 0; i < XB_COUNT(wrong); i++) {
		assert_return_code(
			setxattr(file, XB_OWNER_PREFIX "owner", wrong[i], strlen(wrong[i]), 0),
			errno);
		assert_return_code(fstatat(scratch_fd, "file", &st, 0), errno);
		assert_false(xb_owner_read(scratch_fd, "file", &st));
	}
}

static void capabilities_are_no_record(void **state)
{
	static const char real[20] = { 1, 0, 0, 2, 0, 0x20 };
	static const char record[20] = { 0, 0, 0, 2, 'x', 'b', 'o',  'w',  7,	 0,
					 0, 0, 8, 0, 0,	  0,   ~'x', ~'b', ~'o', ~'w' };

	(void)state;
	assert_false(
		xb_owner_is_record("security.capability", (struct xb_view){ real, sizeof(real) }));
	assert_true(xb_owner_is_record("security.capability",
				       (struct xb_view){ record, sizeof(record) }));
	assert_false(xb_owner_is_record("security.capability",
					(struct xb_view){ record, sizeof(record) - 1 }));
	assert_false(xb_owner_is_record("user.x", (struct xb_view){ record, sizeof(record) }));
	assert_true(xb_owner_is_record("user.xbuild.owner", XB_VIEW("")));
}

/* All of them again, as root of one id. */
static void they_hold_where_there_is_one_id(void **state)
{
	int status;

	(void)state;
	need("userns", system("unshare -Ur true") == 0);
	status = system("unshare -Ur \"$XB_SELF\" >&2");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown((test), scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest plain[] = {
		in_scratch(an_owner_is_read_back),
		in_scratch(an_open_file_has_its_owner),
		cmocka_unit_test(capabilities_are_no_record),
		cmocka_unit_test(they_hold_where_there_is_one_id),
	};
	const struct CMUnitTest recorded[] = {
		in_scratch(an_owner_is_read_back),
		in_scratch(an_open_file_has_its_owner),
		in_scratch(without_a_record_it_is_root),
		in_scratch(names_share_a_record_and_renames_keep_it),
		in_scratch(the_mode_stays),
		in_scratch(nonsense_is_no_record),
	};
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		(void)setenv("XB_SELF", self, 1);
	}
	return xb_owner_recorded() ? cmocka_run_group_tests(recorded, NULL, NULL)
				   : cmocka_run_group_tests(plain, NULL, NULL);
}
