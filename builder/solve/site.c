/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/site.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owner.h"
#include "builder/cache/means.h"
#include "builder/layer/difference.h"
#include "builder/layer/lean.h"
#include "builder/layer/listing.h"
#include "builder/layer/merge.h"
#include "builder/layer/owners.h"
#include "builder/layer/tree.h"
#include "builder/sandbox/points.h"

/* In the work directory of a snapshot: the copy, and the list of mount points made in it. */
#define TREE_NAME   "tree"
#define POINTS_NAME "points"

void xb_site_clear(struct xb_site *site)
{
	free(site->upper);
	free(site->work);
	free(site->tree);
	*site = XB_SITE_INIT;
}

static int copy_tree(const struct xb_strv *lowers, int into, struct xb_error *err)
{
	int r = xb_tree_merge((const char *const *)xb_strv_argv(lowers), lowers->len, XB_MERGE_COPY,
			      into, err);

	return r < 0 ? xb_error_wrap(err, r, "copying the tree that the step works on") : 0;
}

/* Its root is as that of a fresh snapshot, which is what an overlay would show. */
static int open_copy(int work, int *ret, struct xb_error *err)
{
	if (mkdirat(work, TREE_NAME, 0755) < 0)
		return xb_error_errno(err, -errno, "making a directory for a copy");
	*ret = openat(work, TREE_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? xb_error_errno(err, -errno, "opening the directory of a copy") : 0;
}

static int copy(struct xb_site *site, struct xb_error *err)
{
	xb_auto_fd int work = -1;
	xb_auto_fd int tree = -1;
	int r = xb_snapshot_open_work(site->store, &site->snapshot, &work, err);

	if (r >= 0)
		r = open_copy(work, &tree, err);
	if (r >= 0)
		r = copy_tree(site->lowers, tree, err);
	if (r >= 0 && (xb_owner_set(tree, "", 0, 0) < 0 || fchmod(tree, 0755) < 0))
		r = xb_error_errno(err, -errno, "setting the owner of a copy");
	if (r >= 0)
		r = xb_listing_write(tree, work, err);
	if (r < 0)
		return xb_error_fault(err, XB_FAULT_STORE);
	site->tree = xb_format("%s/" TREE_NAME, site->work);
	return 0;
}

/* The file system's time: that of the snapshot, which has just been made. */
static int read_clock(struct xb_site *site, struct xb_error *err)
{
	xb_auto_fd int upper = -1;
	struct stat st;
	int r = xb_snapshot_open(site->store, &site->snapshot, &upper, err);

	if (r < 0)
		return r;
	if (fstat(upper, &st) < 0)
		return xb_error_errno(err, -errno, "looking at a snapshot");
	site->begun = st.st_mtim;
	return 0;
}

int xb_site_open(struct xb_store *store, const struct xb_snapshot *snapshot,
		 const struct xb_strv *lowers, bool process, struct xb_site *ret,
		 struct xb_error *err)
{
	xb_auto_str struct xb_str upper = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str work = XB_STR_INIT(XB_STR_OWN);
	int r = 0;

	xb_snapshot_path(store, snapshot, &upper);
	xb_snapshot_work_path(store, snapshot, &work);
	*ret = (struct xb_site){
		.store = store,
		.snapshot = *snapshot,
		.lowers = lowers,
		.upper = xb_str_steal(&upper),
		.work = xb_str_steal(&work),
		.process = process,
	};
	r = read_clock(ret, err);
	/* an empty tree is the snapshot itself, but for mount points */
	if (r == 0 && (lowers->len > 0 || process))
		r = xb_means_copies(store, err);
	return r > 0 ? copy(ret, err) : r;
}

int xb_site_mount(const struct xb_site *site, struct xb_error *err)
{
	const struct xb_strv *lowers = site->lowers;

	return site->tree != NULL ? xb_tree_mount(NULL, 0, site->tree, NULL, err)
				  : xb_tree_mount((const char *const *)xb_strv_argv(lowers),
						  lowers->len, site->upper, site->work, err);
}

void xb_site_spec(const struct xb_site *site, struct xb_sandbox_spec *spec)
{
	if (site->tree != NULL) {
		spec->tree = xb_strdup(site->tree);
		spec->points = xb_format("%s/" POINTS_NAME, site->work);
		return;
	}
	xb_strv_copy(&spec->lowers, site->lowers);
	spec->upper = xb_strdup(site->upper);
	spec->work = xb_strdup(site->work);
}

/* Move what the work has changed out of the copy. */
static int take(const struct xb_site *site, int upper, struct xb_error *err)
{
	xb_auto_fd int work = -1;
	xb_auto_fd int tree = -1;
	int r = xb_snapshot_open_work(site->store, &site->snapshot, &work, err);

	if (r >= 0)
		r = tree = xb_site_mount(site, err);
	if (r >= 0)
		r = xb_points_remove(work, POINTS_NAME, tree, err);
	return r < 0 ? r : xb_difference_take(tree, work, upper, err);
}

int xb_site_close(struct xb_site *site, struct xb_error *err)
{
	const struct xb_strv *lowers = site->lowers;
	xb_auto_fd int upper = -1;
	int r = 0;

	if (site->tree == NULL && !site->process)
		return 0;
	r = xb_snapshot_open(site->store, &site->snapshot, &upper, err);
	if (r >= 0 && site->tree != NULL)
		r = take(site, upper, err);
	if (r >= 0 && site->process)
		r = xb_owners_settle(upper, site->uid, site->gid, err);
	if (r >= 0 && site->process)
		r = xb_lean_make(upper, (const char *const *)xb_strv_argv(lowers), lowers->len,
				 &site->begun, err);
	return r;
}

int xb_site_scratch(struct xb_store *store, const struct xb_snapshot *snapshot,
		    const struct xb_strv *lowers, struct xb_error *err)
{
	xb_auto_str struct xb_str upper = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str work = XB_STR_INIT(XB_STR_OWN);
	xb_auto_fd int tree = -1;
	int r = lowers->len > 0 ? xb_means_copies(store, err) : 0;

	xb_snapshot_path(store, snapshot, &upper);
	xb_snapshot_work_path(store, snapshot, &work);
	if (r == 0)
		return xb_tree_view((const char *const *)xb_strv_argv(lowers), lowers->len,
				    xb_str_text(&upper), xb_str_text(&work), err);
	if (r > 0)
		r = xb_snapshot_open(store, snapshot, &tree, err);
	if (r >= 0)
		r = copy_tree(lowers, tree, err);
	return r < 0 ? r : XB_STEAL_FD(tree);
}
