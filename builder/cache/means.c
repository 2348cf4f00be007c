/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/means.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/overlay.h"
#include "builder/cache/snapshot.h"
#include "builder/cache/state.h"

void xb_means_choose(struct xb_store *store, enum xb_means means)
{
	XB_STORE_LOCKED(store);
	store->means = (int)means;
	store->means_known = means != XB_MEANS_AUTO;
}

/* The directories of an attempt, all in a snapshot that is then discarded. */
struct attempt {
	int top; /* the snapshot's work directory */
	int lower;
	int upper;
	int work;
};

static void attempt_clear(struct attempt *a)
{
	xb_cleanup_fd(&a->top);
	xb_cleanup_fd(&a->lower);
	xb_cleanup_fd(&a->upper);
	xb_cleanup_fd(&a->work);
}

static int make_directory(int dir, const char *name, int *ret)
{
	if (mkdirat(dir, name, 0700) < 0)
		return -errno;
	*ret = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? -errno : 0;
}

/* In the lower directory: a directory `d` with a file `f` in it, and a file `f`. */
static int make_lower(int dir)
{
	xb_auto_fd int d = -1;
	xb_auto_fd int inner = -1;
	xb_auto_fd int outer = -1;
	int r = make_directory(dir, "d", &d);

	if (r < 0)
		return r;
	inner = openat(d, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	outer = openat(dir, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return inner < 0 || outer < 0 ? -errno : 0;
}

static int make_directories(struct attempt *a)
{
	int r = make_directory(a->top, "lower", &a->lower);

	if (r >= 0)
		r = make_directory(a->top, "upper", &a->upper);
	if (r >= 0)
		r = make_directory(a->top, "work", &a->work);
	return r < 0 ? r : make_lower(a->lower);
}

/* What steps do: remove a file, and replace a directory. */
static int use(int view)
{
	if (unlinkat(view, "f", 0) < 0 || unlinkat(view, "d/f", 0) < 0 ||
	    unlinkat(view, "d", AT_REMOVEDIR) < 0 || mkdirat(view, "d", 0700) < 0)
		return -errno;
	return faccessat(view, "d/f", F_OK, 0) == 0 ? -EIO : 0;
}

/* Whether the upper directory tells of it in the form that snapshots have. */
static int look(int upper)
{
	xb_auto_fd int d = openat(upper, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	char opaque = 0;

	if (d < 0 || fstatat(upper, "f", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(0, 0))
		return -ENOTSUP;
	return fgetxattr(d, "user.overlay.opaque", &opaque, 1) == 1 && opaque == 'y' ? 0 : -ENOTSUP;
}

static int mount_and_use(const struct attempt *a, struct xb_error *err)
{
	const struct xb_overlay o = {
		.lowers = &a->lower,
		.lower_count = 1,
		.upper = a->upper,
		.work = a->work,
		.lose_on_crash = true,
		.attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
	};
	xb_auto_fd int view = xb_overlay_mount(&o, err);
	xb_auto_fd int root = -1;
	int r = view;

	if (r >= 0) {
		root = openat(view, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = root < 0 ? -errno : use(root);
		if (r < 0)
			return xb_error_errno(err, r, "using an overlay");
	}
	if (r < 0)
		return r;
	r = look(a->upper);
	return r < 0 ? xb_error_errno(err, r, "an overlay's marks") : 0;
}

/* Returns 0 when overlays can be used, 1 when not, with the reason in `why`, or a negative errno.
 */
static int try_overlay(struct xb_store *store, const struct xb_snapshot *place,
		       struct xb_error *why, struct xb_error *err)
{
	XB_CLEANUP(attempt_clear) struct attempt a = { -1, -1, -1, -1 };
	int r = xb_snapshot_open_work(store, place, &a.top, err);

	if (r < 0)
		return r;
	r = make_directories(&a);
	if (r < 0)
		return xb_store_errno(err, r, "trying an overlay in %s", store->root);
	return mount_and_use(&a, why) < 0 ? 1 : 0;
}

static int probe(struct xb_store *store, char **ret_why, struct xb_error *err)
{
	xb_auto_error struct xb_error why = XB_ERROR_INIT;
	struct xb_snapshot place = { 0 };
	int r = xb_snapshot_begin(store, &place, err);

	if (r < 0)
		return r;
	r = try_overlay(store, &place, &why, err);
	xb_snapshot_discard(store, &place);
	if (r > 0)
		*ret_why = xb_strdup(why.message);
	return r;
}

/* Two threads that ask at once both try; the first answer counts. */
static void remember(struct xb_store *store, bool copies, char *why)
{
	XB_STORE_LOCKED(store);
	if (store->means_known) {
		free(why);
		return;
	}
	store->means_known = true;
	store->means = copies ? (int)XB_MEANS_COPY : (int)XB_MEANS_OVERLAY;
	store->means_why = why;
}

/* 1, 0, or -1 when it is not known. */
static int known(struct xb_store *store)
{
	XB_STORE_LOCKED(store);
	return store->means_known ? store->means == (int)XB_MEANS_COPY : -1;
}

int xb_means_copies(struct xb_store *store, struct xb_error *err)
{
	xb_autofree char *why = NULL;
	int r = known(store);

	if (r >= 0)
		return r;
	r = probe(store, &why, err);
	if (r < 0)
		return r;
	remember(store, r > 0, XB_STEAL(why));
	return known(store);
}

char *xb_means_notice(struct xb_store *store)
{
	XB_STORE_LOCKED(store);
	if (!store->means_known || store->means != (int)XB_MEANS_COPY || store->means_told)
		return NULL;
	store->means_told = true;
	return store->means_why != NULL
		       ? xb_format("each step works on a copy of its parent's tree, since an "
				   "overlay cannot be used in %s: %s",
				   store->root, store->means_why)
		       : xb_strdup("each step works on a copy of its parent's tree, as was asked "
				   "for (--snapshots=copy)");
}
