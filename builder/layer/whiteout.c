/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/whiteout.h"

#include <errno.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

bool xb_whiteout_is(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int xb_whiteout_make(int dirfd, const char *name)
{
	return mknodat(dirfd, name, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
}

int xb_whiteout_opaque(int fd)
{
	return fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
}
