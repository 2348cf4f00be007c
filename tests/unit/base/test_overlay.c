/* SPDX-License-Identifier: Apache-2.0 */
/* Overlay views: what is seen, where changes go, and in which form. */
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "base/overlay.h"
#include "base/proc.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

/* Whether this process could become root and mount things. */
static bool possible;

static int dir(const char *name)
{
	int fd = xb_mkdir_in_root(scratch_fd, name, 0755, (uid_t)-1, (gid_t)-1, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void assert_text(int view, const char *path, const char *text)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(1000);

	assert_int_equal(xb_file_read_at(view, path, &s, NULL), 0);
	assert_string_equal(xb_str_text(&s), text);
}

static void the_top_layer_is_seen_first(void **state)
{
	xb_auto_fd int top = dir("top");
	xb_auto_fd int bottom = dir("bottom, with: odd=name");
	xb_auto_fd int view = -1;
	struct xb_overlay o = {
		.lowers = (const int[]){ top, bottom }, .lower_count = 2, .upper = -1, .work = -1
	};

	(void)state;
	need("overlay", possible);
	scratch_write("top/both", "top");
	scratch_write("bottom, with: odd=name/both", "bottom");
	scratch_write("bottom, with: odd=name/below", "below");
	view = xb_overlay_mount(&o, NULL);
	assert_true(view >= 0);
	assert_text(view, "both", "top");
	assert_text(view, "below", "below");
	assert_int_equal(openat(view, "new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), -1);
	assert_int_equal(errno, EROFS);
}

static void changes_go_to_the_upper_directory(void **state)
{
	xb_auto_fd int lower = dir("lower");
	xb_auto_fd int upper = dir("upper");
	xb_auto_fd int work = dir("work");
	xb_auto_fd int view = -1;
	struct xb_overlay o = { .lowers = &lower, .lower_count = 1, .upper = upper, .work = work };
	struct stat st;
	char value[8] = "";

	(void)state;
	need("overlay", possible);
	scratch_write("lower/changed", "old");
	scratch_write("lower/gone", "x");
	(void)close(dir("lower/replaced"));
	view = xb_overlay_mount(&o, NULL);
	assert_true(view >= 0);
	assert_int_equal(xb_file_replace_at(view, "changed", "new", 3, false, NULL), 0);
	assert_int_equal(unlinkat(view, "gone", 0), 0);
	assert_int_equal(unlinkat(view, "replaced", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(view, "replaced", 0755), 0);
	assert_text(upper, "changed", "new");
	assert_text(lower, "changed", "old");
	assert_int_equal(fstatat(upper, "gone", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
	assert_int_equal(getxattr(scratch_path("upper/replaced"), "user.overlay.opaque", value,
				  sizeof(value)),
			 1);
	assert_string_equal(value, "y");
}

/* What kernels before 6.5 are given: as many directories as they take, and nothing stays mounted.
 */
static void the_old_way_takes_many_directories(void **state)
{
	enum { LOWERS = XB_OVERLAY_SAFE_LOWERS };
	int lowers[LOWERS];
	xb_auto_fd int upper = dir("old upper");
	xb_auto_fd int work = dir("old work");
	xb_auto_fd int view = -1;
	struct xb_overlay o = {
		.lowers = lowers, .lower_count = LOWERS, .upper = upper, .work = work
	};
	struct statx before, after;

	(void)state;
	need("overlay", possible);
	for (int i = 0; i < LOWERS; i++) {
		xb_autofree char *name = xb_format("old%d", i);
		xb_autofree char *file = xb_format("old%d/f%d", i, i);

		lowers[i] = dir(name);
		scratch_write(file, "here");
	}
	assert_int_equal(statx(AT_FDCWD, "/..", 0, STATX_MNT_ID, &before), 0);
	o.old_calls = true;
	o.lose_on_crash = true;
	o.attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
	view = xb_overlay_mount(&o, NULL);
	assert_true(view >= 0);
	assert_text(view, "f0", "here");
	assert_text(view, "f199", "here");
	assert_int_equal(unlinkat(view, "f1", 0), 0);
	assert_int_equal(xb_file_replace_at(view, "new", "new", 3, false, NULL), 0);
	assert_text(upper, "new", "new");
	assert_int_equal(statx(AT_FDCWD, "/..", 0, STATX_MNT_ID, &after), 0);
	assert_true(before.stx_mnt_id == after.stx_mnt_id);
	for (int i = 0; i < LOWERS; i++)
		(void)close(lowers[i]);
}

static void closing_the_view_leaves_no_mount(void **state)
{
	xb_auto_str struct xb_str mounts = XB_STR_INIT(XB_STR_OWN);
	xb_auto_fd int a = dir("a");
	xb_auto_fd int b = dir("b");
	struct xb_overlay o = {
		.lowers = (const int[]){ a, b }, .lower_count = 2, .upper = -1, .work = -1
	};
	int view;

	(void)state;
	need("overlay", possible);
	view = xb_overlay_mount(&o, NULL);
	assert_true(view >= 0);
	assert_true((fcntl(view, F_GETFD) & FD_CLOEXEC) != 0);
	(void)close(view);
	assert_int_equal(xb_file_read("/proc/self/mountinfo", &mounts, NULL), 0);
	assert_null(strstr(xb_str_text(&mounts), scratch));
}

static void hundreds_of_layers_are_stacked(void **state)
{
	enum { LAYERS = 200 };
	int lowers[LAYERS], view;
	struct xb_overlay o = { .lowers = lowers, .lower_count = LAYERS, .upper = -1, .work = -1 };

	(void)state;
	need("overlay", possible);
	for (int i = 0; i < LAYERS; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "layer-with-a-long-name-%d", i);
		lowers[i] = dir(name);
		(void)snprintf(name, sizeof(name), "layer-with-a-long-name-%d/%d", i, i);
		scratch_write(name, "x");
	}
	view = xb_overlay_mount(&o, NULL);
	for (int i = 0; i < LAYERS; i++)
		(void)close(lowers[i]);
	/* Kernels before 6.5 take some 15. */
	if (view == -E2BIG)
		skip();
	assert_true(view >= 0);
	assert_text(view, "0", "x");
	assert_text(view, "199", "x");
	(void)close(view);
}

static void a_mistake_is_explained(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int lower = dir("lower");
	struct xb_overlay o = { .lowers = &lower, .lower_count = 0, .upper = -1, .work = -1 };

	(void)state;
	need("overlay", possible);
	assert_int_equal(xb_overlay_mount(&o, &err), -EINVAL);
	assert_string_equal(err.message, "an overlay of 0 directories");
	o.lower_count = XB_OVERLAY_MAX_LOWERS + 1;
	assert_int_equal(xb_overlay_mount(&o, NULL), -EINVAL);
	o.lower_count = 1;
	assert_true(xb_overlay_mount(&o, &err) < 0);
	assert_non_null(strstr(err.message, "mounting an overlay of 1 directories: "));
}

#define in_scratch(test) cmocka_unit_test_setup_teardown((test), scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_scratch(the_top_layer_is_seen_first),
		in_scratch(changes_go_to_the_upper_directory),
		in_scratch(the_old_way_takes_many_directories),
		in_scratch(closing_the_view_leaves_no_mount),
		in_scratch(hundreds_of_layers_are_stacked),
		in_scratch(a_mistake_is_explained),
	};

	possible = xb_proc_become_root(NULL) == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
