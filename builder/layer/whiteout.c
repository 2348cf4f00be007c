/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/whiteout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OPAQUE	    "user.overlay.opaque"
#define OPAQUE_MARK ".wh..wh..opq"

static bool is_mark(const struct stat *st)
{
	return S_ISSOCK(st->st_mode) && (st->st_mode & 07777) == 0 && st->st_mtim.tv_sec == 0;
}

bool xb_whiteout_is(const struct stat *st)
{
	return (S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0)) || is_mark(st);
}

static int make_mark(int dirfd, const char *name)
{
	static const struct timespec none[2];

	if (mknodat(dirfd, name, S_IFSOCK, 0) < 0 ||
	    utimensat(dirfd, name, none, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 1;
}

int xb_whiteout_make(int dirfd, const char *name)
{
	if (mknodat(dirfd, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	/* an overlay says EPERM; what has no devices may say anything */
	return errno == EEXIST || errno == ENOSPC || errno == EDQUOT || errno == EROFS
		       ? -errno
		       : make_mark(dirfd, name);
}

/* Whether there is such a mark where there are no attributes. */
static bool has_opaque_mark(int fd)
{
	char value;

	return fgetxattr(fd, OPAQUE, &value, 1) < 0 && errno == ENOTSUP &&
	       faccessat(fd, OPAQUE_MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool xb_whiteout_is_opaque(int fd)
{
	char value;

	return (fgetxattr(fd, OPAQUE, &value, 1) == 1 && value == 'y') || has_opaque_mark(fd);
}

int xb_whiteout_make_opaque(int fd)
{
	int mark;

	if (fsetxattr(fd, OPAQUE, "y", 1, 0) == 0)
		return 0;
	if (errno != ENOTSUP)
		return -errno;
	mark = openat(fd, OPAQUE_MARK, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (mark < 0)
		return -errno;
	close(mark);
	return 1;
}

bool xb_whiteout_is_opaque_mark(int dirfd, const char *name)
{
	return strcmp(name, OPAQUE_MARK) == 0 && has_opaque_mark(dirfd);
}
