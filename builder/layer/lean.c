/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/lean.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/owner.h"
#include "base/str.h"
#include "builder/layer/dress.h"
#include "builder/layer/walk.h"
#include "builder/layer/whiteout.h"
#include "builder/layer/xattrs.h"

/* What is compared of two files at once. */
#define COMPARE_BYTES ((size_t)64 << 10)

/* A directory that the walk has entered. */
struct level {
	size_t kept;  /* entries that stay */
	bool dropped; /* an entry was removed */
	bool opaque;  /* nothing of the layers below shows in it */
};

/* A snapshot being gone through. */
struct leaner {
	struct xb_walk *walk;
	const char *const *lowers;
	size_t count;
	int *fds; /* of the lowers, -1 until they are needed */
	struct timespec since;
	struct levels XB_ARRAY(struct level) levels; /* the root's first */
};

static void leaner_clear(struct leaner *l)
{
	xb_walk_free(l->walk);
	for (size_t i = 0; l->fds != NULL && i < l->count; i++)
		xb_cleanup_fd(&l->fds[i]);
	free(l->fds);
	xb_array_clear(&l->levels);
}

/* ---- the tree below ----------------------------------------------------------------------- */

static int layer_fd(struct leaner *l, size_t i)
{
	if (l->fds[i] < 0)
		l->fds[i] = open(l->lowers[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return l->fds[i];
}

enum sight { SHOWS, HIDES, SAYS_NOTHING };

/* What a layer says of the directories on the way to `path`. */
static enum sight look_on_the_way(int layer, const char *path, bool *ret_opaque)
{
	for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		xb_autofree char *dir =
			xb_view_dup((struct xb_view){ path, (size_t)(slash - path) });
		xb_auto_fd int fd = -1;
		struct stat st;

		if (fstatat(layer, dir, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return SAYS_NOTHING;
		if (!S_ISDIR(st.st_mode))
			return HIDES;
		fd = openat(layer, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		*ret_opaque = *ret_opaque || (fd >= 0 && xb_whiteout_is_opaque(fd));
	}
	return SHOWS;
}

static enum sight look(int layer, const char *path, struct stat *ret)
{
	bool opaque = false;
	enum sight sight = look_on_the_way(layer, path, &opaque);

	if (sight == SHOWS && xb_owner_stat(layer, path, ret) == 0)
		return xb_whiteout_is(ret) ? HIDES : SHOWS;
	return sight == HIDES || opaque ? HIDES : SAYS_NOTHING;
}

/* The layer that shows `path`, as an open directory, or -1. Most of what a step makes is in none.
 */
static int find_below(struct leaner *l, const char *path, struct stat *ret)
{
	bool somewhere = false;

	for (size_t i = 0; !somewhere && i < l->count; i++)
		somewhere = fstatat(layer_fd(l, i), path, ret, AT_SYMLINK_NOFOLLOW) == 0;
	for (size_t i = 0; somewhere && i < l->count; i++) {
		enum sight sight = look(l->fds[i], path, ret);

		if (sight != SAYS_NOTHING)
			return sight == SHOWS ? l->fds[i] : -1;
	}
	return -1;
}

/* ---- comparing ---------------------------------------------------------------------------- */

static bool same_status(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       (S_ISDIR(a->st_mode) || (a->st_size == b->st_size && a->st_rdev == b->st_rdev));
}

/* A doubt is a difference. */
static bool same_attributes(int a, const char *name, int b, const char *path)
{
	xb_auto_xattrs struct xb_xattrs one = { 0 };
	xb_auto_xattrs struct xb_xattrs other = { 0 };
	bool same = xb_xattrs_read(a, name, &one, NULL) >= 0 &&
		    xb_xattrs_read(b, path, &other, NULL) >= 0 && one.len == other.len;

	for (size_t i = 0; same && i < one.len; i++)
		same = strcmp(one.items[i].name, other.items[i].name) == 0 &&
		       one.items[i].len == other.items[i].len &&
		       memcmp(one.items[i].value, other.items[i].value, one.items[i].len) == 0;
	return same;
}

static bool same_target(int a, const char *name, int b, const char *path)
{
	char one[PATH_MAX], other[PATH_MAX];
	ssize_t n = readlinkat(a, name, one, sizeof(one));

	return n >= 0 && readlinkat(b, path, other, sizeof(other)) == n &&
	       memcmp(one, other, (size_t)n) == 0;
}

static bool same_content(int a, const char *name, int b, const char *path)
{
	xb_auto_fd int one = openat(a, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	xb_auto_fd int other = openat(b, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	xb_autofree char *bytes = xb_alloc(2 * COMPARE_BYTES);
	ssize_t n;

	if (one < 0 || other < 0)
		return false;
	do {
		n = xb_read_full(one, bytes, COMPARE_BYTES, NULL);
		if (n < 0 || xb_read_full(other, bytes + COMPARE_BYTES, COMPARE_BYTES, NULL) != n ||
		    memcmp(bytes, bytes + COMPARE_BYTES, (size_t)n) != 0)
			return false;
	} while (n > 0);
	return true;
}

static bool is_recent(const struct leaner *l, const struct stat *st)
{
	return st->st_mtim.tv_sec != l->since.tv_sec ? st->st_mtim.tv_sec > l->since.tv_sec
						     : st->st_mtim.tv_nsec > l->since.tv_nsec;
}

/* Whether what the walk stands at is as it was. */
static bool is_unchanged(struct leaner *l, const struct xb_walk_entry *e)
{
	struct stat was;
	int layer;

	if (is_recent(l, &e->st) || xb_whiteout_is(&e->st))
		return false;
	layer = find_below(l, e->path, &was);
	if (layer < 0 || !same_status(&e->st, &was) ||
	    !same_attributes(e->dirfd, e->name, layer, e->path))
		return false;
	if (S_ISLNK(e->st.st_mode))
		return same_target(e->dirfd, e->name, layer, e->path);
	return !S_ISREG(e->st.st_mode) || same_content(e->dirfd, e->name, layer, e->path);
}

/* ---- the walk ----------------------------------------------------------------------------- */

static struct level *current(struct leaner *l)
{
	return &l->levels.items[l->levels.len - 1];
}

/* Remove the entry if it may go, else count it. */
static int settle(struct leaner *l, const struct xb_walk_entry *e, bool goes, struct xb_error *err)
{
	if (!goes) {
		current(l)->kept++;
		return 0;
	}
	if (unlinkat(e->dirfd, e->name, S_ISDIR(e->st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return xb_error_errno(err, -errno, "removing what has not changed");
	current(l)->dropped = true;
	return 0;
}

static int enter(struct leaner *l, struct xb_error *err)
{
	int r = xb_walk_enter(l->walk, err);
	bool opaque;

	if (r < 0)
		return r;
	opaque = current(l)->opaque || xb_whiteout_is_opaque(xb_walk_dirfd(l->walk));
	xb_array_push(&l->levels)->opaque = opaque;
	return 0;
}

static int restore_time(const struct xb_walk_entry *e, struct xb_error *err)
{
	xb_auto_fd int fd =
		openat(e->dirfd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? xb_error_errno(err, -errno, "opening a directory")
		      : xb_dress_time(fd, &e->st, err);
}

static int leave(struct leaner *l, const struct xb_walk_entry *e, struct xb_error *err)
{
	const struct level done = *current(l);
	int r = 0;

	l->levels.len--;
	if (done.dropped)
		r = restore_time(e, err);
	if (r < 0)
		return r;
	return settle(l, e, done.kept == 0 && !done.opaque && is_unchanged(l, e), err);
}

static int visit(struct leaner *l, const struct xb_walk_entry *e, struct xb_error *err)
{
	if (e->event == XB_WALK_LEAVE)
		return leave(l, e, err);
	if (S_ISDIR(e->st.st_mode))
		return enter(l, err);
	return settle(l, e, !current(l)->opaque && e->st.st_nlink == 1 && is_unchanged(l, e), err);
}

static int visit_all(struct leaner *l, int upper, struct xb_error *err)
{
	struct xb_walk_entry e;
	struct stat st;
	int r = xb_walk_new(upper, &l->walk, err);

	if (r < 0)
		return r;
	if (fstat(upper, &st) < 0)
		return xb_error_errno(err, -errno, "looking at a snapshot");
	(void)xb_array_push(&l->levels);
	while (r >= 0 && (r = xb_walk_next(l->walk, &e, err)) > 0)
		r = visit(l, &e, err);
	return r < 0 || !current(l)->dropped ? r : xb_dress_time(upper, &st, err);
}

int xb_lean_make(int upper, const char *const *lowers, size_t n, const struct timespec *since,
		 struct xb_error *err)
{
	XB_CLEANUP(leaner_clear)
	struct leaner l = { .lowers = lowers, .count = n, .since = *since };
	int r;

	l.fds = xb_calloc(n, sizeof(*l.fds));
	for (size_t i = 0; i < n; i++)
		l.fds[i] = -1;
	r = visit_all(&l, upper, err);
	return r < 0 ? xb_error_fault(err, XB_FAULT_STORE) : 0;
}
