/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/dress.h"

#include <errno.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/owner.h"
#include "builder/layer/xattrs.h"

static int remove_attributes(int fd, const struct xb_xattrs *list, struct xb_error *err)
{
	for (size_t i = 0; i < list->len; i++)
		if (fremovexattr(fd, list->items[i].name) < 0 && errno != ENODATA)
			return xb_error_errno(err, -errno, "removing an attribute");
	return 0;
}

int xb_dress(int from, int to, struct xb_error *err)
{
	xb_auto_xattrs struct xb_xattrs old = { 0 };
	xb_auto_xattrs struct xb_xattrs new = { 0 };
	struct stat st;
	int r;

	if (fstat(from, &st) < 0 || xb_owner_copy(from, to) < 0 ||
	    fchmod(to, st.st_mode & 07777) < 0)
		return xb_error_errno(err, -errno, "setting owner and mode");
	r = xb_xattrs_read(to, "", &old, err);
	if (r >= 0)
		r = remove_attributes(to, &old, err);
	if (r >= 0)
		r = xb_xattrs_read(from, "", &new, err);
	if (r >= 0)
		r = xb_xattrs_write(to, "", &new, err);
	return r < 0 ? r : 0;
}

int xb_dress_time(int fd, const struct stat *st, struct xb_error *err)
{
	const struct timespec times[2] = { st->st_mtim, st->st_mtim };

	return futimens(fd, times) < 0 ? xb_error_errno(err, -errno, "setting the time") : 0;
}
