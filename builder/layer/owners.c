/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/owners.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/owner.h"
#include "builder/layer/walk.h"
#include "builder/layer/whiteout.h"

/* The group that an entered directory gives to what is made in it. */
struct groups XB_ARRAY(gid_t);

static gid_t group_around(const struct groups *groups, gid_t gid)
{
	gid_t own = groups->len > 0 ? groups->items[groups->len - 1] : XB_OWNER_UNKNOWN;

	return own != XB_OWNER_UNKNOWN ? own : gid;
}

/* Complete the record of what the walk stands at; `st` then says its owner. */
static int settle(const struct xb_walk_entry *e, struct stat *st, uid_t uid, gid_t gid,
		  struct xb_error *err)
{
	bool found = xb_owner_read(e->dirfd, e->name, st);

	if (found && st->st_uid != XB_OWNER_UNKNOWN && st->st_gid != XB_OWNER_UNKNOWN)
		return 0;
	if (!found || st->st_uid == XB_OWNER_UNKNOWN)
		st->st_uid = uid;
	if (!found || st->st_gid == XB_OWNER_UNKNOWN)
		st->st_gid = gid;
	if (xb_owner_set(e->dirfd, e->name, st->st_uid, st->st_gid) < 0)
		return xb_error_errno(err, -errno, "recording the owner of %s", e->path);
	return 0;
}

static int visit(struct xb_walk *walk, const struct xb_walk_entry *e, uid_t uid, gid_t gid,
		 struct groups *groups, struct xb_error *err)
{
	struct stat st = e->st;
	int r;

	if (e->event == XB_WALK_LEAVE) {
		groups->len--;
		return 0;
	}
	if (xb_whiteout_is(&st) || xb_whiteout_is_opaque_mark(e->dirfd, e->name))
		return 0;
	r = settle(e, &st, uid, group_around(groups, gid), err);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	*xb_array_push(groups) = (st.st_mode & S_ISGID) != 0 ? st.st_gid : XB_OWNER_UNKNOWN;
	return xb_walk_enter(walk, err);
}

static int visit_all(int upper, uid_t uid, gid_t gid, struct groups *groups, struct xb_error *err)
{
	xb_auto_walk struct xb_walk *walk = NULL;
	struct xb_walk_entry e;
	int r = xb_walk_new(upper, &walk, err);

	while (r >= 0 && (r = xb_walk_next(walk, &e, err)) > 0)
		r = visit(walk, &e, uid, gid, groups, err);
	return r;
}

int xb_owners_settle(int upper, uid_t uid, gid_t gid, struct xb_error *err)
{
	struct groups groups = { 0 };
	int r;

	if (!xb_owner_recorded())
		return 0;
	r = visit_all(upper, uid, gid, &groups, err);
	xb_array_clear(&groups);
	return r < 0 ? xb_error_fault(err, XB_FAULT_STORE) : 0;
}
