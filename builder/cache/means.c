/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/means.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/overlay.h"
#include "base/owner.h"
#include "builder/cache/snapshot.h"
#include "builder/cache/state.h"

/* In the store's directory: what xb_means_copies() leaves where it finds no marks of overlays. */
#define MARKS_NAME  "snapshots.marks"
#define OWNERS_NAME "snapshots.owners"

void xb_means_choose(struct xb_store *store, enum xb_means means)
{
	XB_STORE_LOCKED(store);
	store->means = (int)means;
	store->means_known = false;
}

/* The directories of an attempt, all in a snapshot that is then discarded. */
struct attempt {
	int top; /* the snapshot's work directory, borrowed */
	int lower;
	int upper;
	int work;
};

static void attempt_clear(struct attempt *a)
{
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
	return faccessat(view, "d/f", F_OK, 0) == 0 ? -ENOTSUP : 0;
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

/* What was found out. */
struct finding {
	bool copies;
	bool marks; /* overlay's own can be had */
	char *why;  /* no overlay, where nobody asked for copies */
};

/* Whether the file system takes what an overlay would leave: a device 0/0 and an attribute. */
static int takes_marks(int dir)
{
	int r = mknodat(dir, "gone", S_IFCHR, makedev(0, 0)) < 0 ||
				fsetxattr(dir, "user.overlay.opaque", "y", 1, 0) < 0
			? -errno
			: 1;

	return r > 0 || xb_error_is_passing(r) ? r : 0;
}

/* `r` is what came of using an overlay. What it cannot leave on this file system it fails with EIO
 * for, which then is no passing fault. */
static bool is_passing_there(int r, int marks)
{
	return xb_error_is_passing(r) && !(r == -EIO && marks == 0);
}

static int look_around(struct xb_store *store, int place, bool overlays, struct finding *ret,
		       struct xb_error *err)
{
	XB_CLEANUP(attempt_clear) struct attempt a = { place, -1, -1, -1 };
	xb_auto_error struct xb_error why = XB_ERROR_INIT;
	int marks;
	int r = make_directories(&a);

	if (r < 0)
		return xb_store_errno(err, r, "trying an overlay in %s", store->root);
	r = overlays ? mount_and_use(&a, &why) : 0;
	marks = r == 0 && overlays ? 1 : takes_marks(a.lower);
	if (marks < 0)
		return xb_store_errno(err, marks, "trying an overlay's marks in %s", store->root);
	if (is_passing_there(r, marks)) {
		xb_error_move(err, &why);
		return xb_store_wrap(err, r, "trying an overlay in %s", store->root);
	}
	ret->copies = !overlays || r < 0;
	if (overlays && ret->copies)
		ret->why = xb_strdup(why.message);
	ret->marks = marks == 1;
	return 0;
}

/* Try it, in a snapshot that is then discarded. */
static int probe(struct xb_store *store, bool overlays, struct finding *ret, struct xb_error *err)
{
	xb_auto_fd int place = -1;
	struct xb_snapshot snapshot = { 0 };
	int r = xb_snapshot_begin(store, &snapshot, err);

	if (r < 0)
		return r;
	r = xb_snapshot_open_work(store, &snapshot, &place, err);
	if (r >= 0)
		r = look_around(store, place, overlays, ret, err);
	xb_snapshot_discard(store, &snapshot);
	return r;
}

static bool has_own_marks(const struct xb_store *store)
{
	return faccessat(store->dirfd, MARKS_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Before the first of them is made. */
static int note_own_marks(const struct xb_store *store, struct xb_error *err)
{
	xb_auto_fd int fd =
		openat(store->dirfd, MARKS_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || fsync(fd) < 0 || fsync(store->dirfd) < 0)
		return xb_store_errno(err, -errno, "making %s/" MARKS_NAME, store->root);
	return 0;
}

static int refuse_overlay(const struct xb_store *store, struct xb_error *err)
{
	(void)xb_error_set(err, -ENOTSUP,
			   "the snapshots of %s have marks that no overlay knows: it was begun "
			   "where the file system takes none of overlays",
			   store->root);
	(void)xb_error_hint(err, "name another store with --root, or leave --snapshots out");
	return xb_error_fault(err, XB_FAULT_STORE);
}

static int find_out(struct xb_store *store, enum xb_means wanted, struct finding *ret,
		    struct xb_error *err)
{
	int r;

	if (has_own_marks(store)) {
		if (wanted == XB_MEANS_OVERLAY)
			return refuse_overlay(store, err);
		ret->copies = true;
		ret->why = xb_strdup("its snapshots were begun without");
		return 0;
	}
	if (wanted == XB_MEANS_OVERLAY)
		return 0;
	r = probe(store, wanted == XB_MEANS_AUTO, ret, err);
	return r == 0 && ret->copies && !ret->marks ? note_own_marks(store, err) : r;
}

/* Two threads that ask at once both try; the first answer counts. */
static int remember(struct xb_store *store, struct finding *found)
{
	XB_STORE_LOCKED(store);
	if (!store->means_known) {
		store->means_known = true;
		store->means = found->copies ? (int)XB_MEANS_COPY : (int)XB_MEANS_OVERLAY;
		store->means_why = XB_STEAL(found->why);
	}
	free(found->why);
	return store->means == (int)XB_MEANS_COPY;
}

/* 1, 0, or -1 when it is not known; then what is wanted. */
static int known(struct xb_store *store, enum xb_means *ret_wanted)
{
	XB_STORE_LOCKED(store);
	*ret_wanted = (enum xb_means)store->means;
	return store->means_known ? store->means == (int)XB_MEANS_COPY : -1;
}

int xb_means_copies(struct xb_store *store, struct xb_error *err)
{
	struct finding found = { 0 };
	enum xb_means wanted;
	int r = known(store, &wanted);

	if (r >= 0)
		return r;
	r = find_out(store, wanted, &found, err);
	if (r < 0) {
		free(found.why);
		return r;
	}
	return remember(store, &found);
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

/* ---- owners ------------------------------------------------------------------------------- */

static bool has_snapshots(const struct xb_store *store)
{
	int fd = openat(store->snapshots, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry = NULL;

	if (dir == NULL) {
		xb_cleanup_fd(&fd);
		return true;
	}
	do
		entry = readdir(dir);
	while (entry != NULL && entry->d_name[0] == '.');
	(void)closedir(dir);
	return entry != NULL;
}

static int refuse_owners(const struct xb_store *store, bool recorded, struct xb_error *err)
{
	(void)xb_error_set(err, -EPERM,
			   recorded ? "files of the snapshots of %s belong to subordinate ids, of "
				      "which this user has none"
				    : "the snapshots of %s were made without subordinate ids: the "
				      "owners of their files are recorded beside them",
			   store->root);
	(void)xb_error_hint(err, "name another store with --root");
	return xb_error_fault(err, XB_FAULT_STORE);
}

int xb_means_check_owners(struct xb_store *store, struct xb_error *err)
{
	bool recorded = xb_owner_recorded();
	bool noted = faccessat(store->dirfd, OWNERS_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	xb_auto_fd int fd = -1;

	if (recorded == noted)
		return 0;
	if (has_snapshots(store))
		return refuse_owners(store, recorded, err);
	if (noted)
		return unlinkat(store->dirfd, OWNERS_NAME, 0) < 0 && errno != ENOENT
			       ? xb_store_errno(err, -errno, "removing %s/" OWNERS_NAME,
						store->root)
			       : 0;
	fd = openat(store->dirfd, OWNERS_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? xb_store_errno(err, -errno, "making %s/" OWNERS_NAME, store->root) : 0;
}
