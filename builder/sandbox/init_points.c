/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount points that the image lacks, where the step's root is a directory that becomes its result:
 * they are made in it, and listed for the builder, which takes them away again. The directories
 * around them keep their times.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/owner.h"
#include "builder/sandbox/init.h"

/* Make `name` in the open directory `dir`: root's, and of no particular time. Returns it, open. */
static int make_entry(int dir, const char *name, bool directory)
{
	static const struct timespec none[2];
	xb_auto_fd int fd = -1;
	struct stat st;

	if (fstat(dir, &st) < 0 || (directory && mkdirat(dir, name, 0700) < 0))
		return -errno;
	fd = directory ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
		       : openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || xb_owner_set(fd, "", 0, 0) < 0 || fchmod(fd, directory ? 0755 : 0644) < 0 ||
	    futimens(fd, none) < 0 ||
	    futimens(dir, (const struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
		return -errno;
	return XB_STEAL_FD(fd);
}

/* Open the directory `name` of `dir`. Returns -ENOENT when it has to be made. */
static int enter(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Make what is missing of `place`, one component after the other, and note it in `list`. */
static int make_place(int root, int list, const struct init_place *place)
{
	const char *path = place->path;
	xb_auto_fd int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (const char *at = path; dir >= 0 && *at == '/' && at[1] != '\0';) {
		size_t len = strcspn(at + 1, "/");
		xb_autofree char *name = xb_view_dup((struct xb_view){ at + 1, len });
		bool last = at[1 + len] == '\0';
		int fd;

		if (last && faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
		fd = last ? -ENOENT : enter(dir, name);
		at += 1 + len;
		if (fd == -ENOENT) {
			fd = make_entry(dir, name, !last || place->directory);
			if (fd >= 0 && (xb_write_all(list, path, (size_t)(at - path), NULL) < 0 ||
					xb_write_all(list, "", 1, NULL) < 0)) {
				close(fd);
				return -errno;
			}
		}
		if (fd < 0)
			return fd;
		xb_cleanup_fd(&dir);
		dir = fd;
	}
	return dir < 0 ? -errno : 0;
}

int init_points_make(int root, const char *list, const struct init_places *places,
		     struct xb_error *err)
{
	xb_auto_fd int fd = open(list, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : 0;

	for (size_t i = 0; r >= 0 && i < places->len; i++)
		r = make_place(root, fd, &places->items[i]);
	return r < 0 ? xb_error_errno(err, r, "making mount points that the image lacks") : 0;
}
