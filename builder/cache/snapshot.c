/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/cache/broom.h"
#include "builder/cache/lease.h"
#include "builder/cache/state.h"

static char *below(const struct xb_snapshot *snapshot, const char *name)
{
	return xb_format("%s/%s", snapshot->id, name);
}

static int make_dirs(struct xb_store *store, const struct xb_snapshot *snapshot)
{
	xb_autofree char *fs = below(snapshot, "fs");
	xb_autofree char *work = below(snapshot, "work");

	if (mkdirat(store->snapshots, snapshot->id, 0700) < 0 ||
	    mkdirat(store->snapshots, work, 0700) < 0 || mkdirat(store->snapshots, fs, 0700) < 0 ||
	    /* the root directory of an image, whatever the umask is */
	    fchmodat(store->snapshots, fs, 0755, 0) < 0)
		return -errno;
	return 0;
}

/* begun: present or not */
static void set_begun(struct xb_store *store, const struct xb_snapshot *snapshot, bool begun)
{
	XB_STORE_LOCKED(store);
	if (begun)
		(void)xb_map_set(store->begun, xb_view(snapshot->id), store);
	else
		(void)xb_map_remove(store->begun, xb_view(snapshot->id));
}

int xb_snapshot_begin(struct xb_store *store, struct xb_snapshot *ret, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(store, false, err);
	struct xb_snapshot snapshot;
	int r = guard;

	xb_store_random_id(snapshot.id);
	if (r >= 0)
		r = xb_hold_snapshot(store, snapshot.id, err);
	if (r < 0)
		return r;
	set_begun(store, &snapshot, true);
	r = make_dirs(store, &snapshot);
	if (r < 0) {
		xb_snapshot_discard(store, &snapshot);
		return xb_store_errno(err, r, "making a snapshot in %s", store->root);
	}
	*ret = snapshot;
	return 0;
}

/*
 * overlayfs leaves a directory of mode 0 in it, on which a user's `rm -r` would stumble. Removing
 * its handful of directories takes about as long as mounting did, for which no step has to wait.
 */
static void put_work_away(struct xb_store *store, const struct xb_snapshot *snapshot)
{
	xb_auto_strv struct xb_strv trash = XB_STRV_INIT;
	xb_autofree char *work = below(snapshot, "work");
	xb_autofree char *to = NULL;

	if (unlinkat(store->snapshots, work, AT_REMOVEDIR) == 0)
		return;
	to = xb_store_ingest_name(store);
	if (renameat(store->snapshots, work, store->ingest, to) < 0)
		return;
	xb_strv_take(&trash, XB_STEAL(to));
	xb_broom_give(store, &trash);
}

int xb_snapshot_commit(struct xb_store *store, const struct xb_snapshot *snapshot,
		       struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	int r = xb_snapshot_open(store, snapshot, &fd, err);

	if (r >= 0)
		put_work_away(store, snapshot);
	return r;
}

void xb_snapshot_discard(struct xb_store *store, const struct xb_snapshot *snapshot)
{
	if (snapshot->id[0] == '\0')
		return;
	/* what cannot be removed stays in `begun`: then our lease file outlives us for the sweep */
	if (xb_remove_tree_at(store->snapshots, snapshot->id, NULL) >= 0)
		set_begun(store, snapshot, false);
}

void xb_snapshot_path(const struct xb_store *store, const struct xb_snapshot *snapshot,
		      struct xb_str *ret)
{
	xb_str_printf(ret, "%s/snapshots/%s/fs", store->root, snapshot->id);
}

void xb_snapshot_work_path(const struct xb_store *store, const struct xb_snapshot *snapshot,
			   struct xb_str *ret)
{
	xb_str_printf(ret, "%s/snapshots/%s/work", store->root, snapshot->id);
}

static int open_below(struct xb_store *store, const struct xb_snapshot *snapshot, const char *name,
		      int *ret_fd, struct xb_error *err)
{
	xb_autofree char *path = below(snapshot, name);
	int fd = openat(store->snapshots, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return xb_store_errno(err, -errno, "opening the snapshot %s", snapshot->id);
	*ret_fd = fd;
	return 0;
}

int xb_snapshot_open(struct xb_store *store, const struct xb_snapshot *snapshot, int *ret_fd,
		     struct xb_error *err)
{
	return open_below(store, snapshot, "fs", ret_fd, err);
}

int xb_snapshot_open_work(struct xb_store *store, const struct xb_snapshot *snapshot, int *ret_fd,
			  struct xb_error *err)
{
	return open_below(store, snapshot, "work", ret_fd, err);
}
