/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/disk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/file.h"
#include "builder/cache/lease.h"

static uint64_t count_entries(int fd, const char *path, struct xb_strv *dirs)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	uint64_t bytes = 0;

	if (xb_store_list(fd, ".", &names, NULL) < 0)
		return 0;
	for (size_t i = 0; i < names.len; i++) {
		struct stat st;

		if (fstatat(fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		bytes += (uint64_t)st.st_blocks * 512;
		if (S_ISDIR(st.st_mode))
			xb_strv_printf(dirs, "%s/%s", path, names.items[i]);
	}
	return bytes;
}

uint64_t xb_disk_usage(int dirfd, const char *name)
{
	xb_auto_strv struct xb_strv dirs = XB_STRV_INIT;
	struct stat st;
	uint64_t bytes;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	bytes = (uint64_t)st.st_blocks * 512;
	if (S_ISDIR(st.st_mode))
		xb_strv_push(&dirs, name);
	while (dirs.len > 0) {
		xb_autofree char *path = xb_strdup(dirs.items[dirs.len - 1]);
		xb_auto_fd int fd = -1;

		xb_strv_remove(&dirs, dirs.len - 1);
		fd = xb_open_beneath(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);
		if (fd >= 0)
			bytes += count_entries(fd, path, &dirs);
	}
	return bytes;
}
