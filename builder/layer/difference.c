/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/difference.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "builder/layer/dress.h"
#include "builder/layer/listing.h"
#include "builder/layer/walk.h"
#include "builder/layer/whiteout.h"

/* A directory that the walk has entered. */
struct level {
	char *name;
	bool opaque; /* in the difference it hides what was there */
};

/* A difference being taken. */
struct taker {
	struct xb_walk *walk;
	struct xb_listing *listing;
	struct xb_listed was; /* the next entry of the list */
	struct xb_str path;   /* its path */
	bool more;	      /* whether there is one */
	int dest;	      /* the directory of the difference that answers to level `made` */
	size_t made;	      /* how many levels are there */
	struct levels XB_ARRAY(struct level) levels;
};

static void taker_clear(struct taker *t)
{
	xb_walk_free(t->walk);
	xb_listing_free(t->listing);
	xb_str_clear(&t->path);
	xb_cleanup_fd(&t->dest);
	for (size_t i = 0; i < t->levels.len; i++)
		free(t->levels.items[i].name);
	xb_array_clear(&t->levels);
}

/* ---- the list ----------------------------------------------------------------------------- */

static int next_listed(struct taker *t, struct xb_error *err)
{
	const char *path;
	int r = xb_listing_next(t->listing, &t->was, &path, err);

	t->more = r > 0;
	xb_str_reset(&t->path);
	if (r > 0)
		(void)xb_str_puts(&t->path, path);
	return r < 0 ? r : 0;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/* Pass over what was in the directory `dir`. */
static int skip_below(struct taker *t, const char *dir, struct xb_error *err)
{
	int r = 0;

	while (r >= 0 && t->more && is_below(xb_str_text(&t->path), dir))
		r = next_listed(t, err);
	return r;
}

/* ---- the difference ----------------------------------------------------------------------- */

/* Make the next level's directory, and go into it. */
static int make_level(struct taker *t, struct xb_error *err)
{
	const struct level *level = &t->levels.items[t->made];
	int fd, r;

	if (mkdirat(t->dest, level->name, 0700) < 0)
		return xb_error_errno(err, -errno, "making the directory %s", level->name);
	fd = openat(t->dest, level->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return xb_error_errno(err, -errno, "opening the directory %s", level->name);
	xb_cleanup_fd(&t->dest);
	t->dest = fd;
	t->made++;
	r = level->opaque ? xb_whiteout_make_opaque(fd) : 0;
	return r < 0 ? xb_error_errno(err, r, "marking the directory %s", level->name) : 0;
}

/* Something of the current directory differs: all levels have to be there. */
static int make_levels(struct taker *t, struct xb_error *err)
{
	int r = 0;

	while (r >= 0 && t->made < t->levels.len)
		r = make_level(t, err);
	return r;
}

/* The entry of the list that comes next is gone, and all below it. */
static int put_gone(struct taker *t, struct xb_error *err)
{
	xb_autofree char *path = xb_strdup(xb_str_text(&t->path));
	const char *slash = strrchr(path, '/');
	int r = make_levels(t, err);

	if (r < 0)
		return r;
	r = xb_whiteout_make(t->dest, slash != NULL ? slash + 1 : path);
	if (r < 0)
		return xb_error_errno(err, r, "noting that %s was removed", path);
	r = next_listed(t, err);
	return r < 0 ? r : skip_below(t, path, err);
}

static int put_gone_before(struct taker *t, const char *path, struct xb_error *err)
{
	int r = 0;

	while (r >= 0 && t->more && xb_listing_order(xb_str_text(&t->path), path) < 0)
		r = put_gone(t, err);
	return r;
}

static int put_gone_below(struct taker *t, const char *dir, struct xb_error *err)
{
	int r = 0;

	while (r >= 0 && t->more && is_below(xb_str_text(&t->path), dir))
		r = put_gone(t, err);
	return r;
}

/* What a step may have set must not mean something to an overlay that the file gets into. */
static int strip(int dirfd, const char *name, struct xb_error *err)
{
	xb_autofree char *path = xb_format("/proc/self/fd/%d/%s", dirfd, name);
	xb_autofree char *names = NULL;
	ssize_t n = llistxattr(path, NULL, 0);

	if (n > 0) {
		names = xb_alloc(XATTR_LIST_MAX);
		n = llistxattr(path, names, XATTR_LIST_MAX);
	}
	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1)
		if (strncmp(names + at, "user.overlay.", strlen("user.overlay.")) == 0 &&
		    lremovexattr(path, names + at) < 0)
			return xb_error_errno(err, -errno, "removing an attribute");
	return n < 0 && errno != ENOTSUP ? xb_error_errno(err, -errno, "listing attributes") : 0;
}

/* What a snapshot has for names that are gone cannot be in it as a file. */
static int refuse_mark(const struct xb_walk_entry *e, struct xb_error *err)
{
	(void)xb_error_set(err, -EINVAL, "%s cannot be kept in a layer: %s", e->path,
			   xb_whiteout_is(&e->st)
				   ? "a device 0/0 stands for a removed file there"
				   : "names that begin with .wh. stand for removed files there");
	(void)xb_error_hint(err, "remove or rename the file in the step that makes it");
	return xb_error_fault(err, XB_FAULT_STEP);
}

/* Such a socket is left where it is: no layer would have it. */
static bool is_refused(const struct xb_walk_entry *e)
{
	return (xb_whiteout_is(&e->st) && S_ISCHR(e->st.st_mode)) ||
	       strncmp(e->name, ".wh.", strlen(".wh.")) == 0;
}

static int move(struct taker *t, const struct xb_walk_entry *e, struct xb_error *err)
{
	int r = make_levels(t, err);

	if (r >= 0 && S_ISREG(e->st.st_mode))
		r = strip(e->dirfd, e->name, err);
	if (r < 0)
		return r;
	if (renameat(e->dirfd, e->name, t->dest, e->name) < 0)
		return xb_error_errno(err, -errno, "moving it to the snapshot");
	return 0;
}

/* ---- the walk ----------------------------------------------------------------------------- */

/* `was` is what the list has of it, or NULL. */
static int enter(struct taker *t, const struct xb_walk_entry *e, const struct xb_listed *was,
		 struct xb_error *err)
{
	struct level *level = xb_array_push(&t->levels);
	struct xb_listed is;
	bool changed;
	int r = 0;

	xb_listed_of(e->dirfd, e->name, &e->st, &is);
	changed = was == NULL || !xb_listed_unchanged(was, &is);
	level->name = xb_strdup(e->name);
	level->opaque = was != NULL && !xb_listed_same(was, &is);
	if (level->opaque)
		r = skip_below(t, e->path, err);
	if (r >= 0 && changed)
		r = make_levels(t, err);
	return r < 0 ? r : xb_walk_enter(t->walk, err);
}

/* The directory that is left gets its looks when nothing more is put into it. */
static int finish_level(struct taker *t, const struct xb_walk_entry *e, struct xb_error *err)
{
	xb_auto_fd int from =
		openat(e->dirfd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	xb_auto_fd int up = openat(t->dest, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (from < 0 || up < 0)
		return xb_error_errno(err, -errno, "opening a directory");
	r = xb_dress(from, t->dest, err);
	if (r >= 0)
		r = xb_dress_time(t->dest, &e->st, err);
	xb_cleanup_fd(&t->dest);
	t->dest = XB_STEAL_FD(up);
	t->made--;
	return r;
}

static int leave(struct taker *t, const struct xb_walk_entry *e, struct xb_error *err)
{
	int r = put_gone_below(t, e->path, err);

	if (r >= 0 && t->made == t->levels.len)
		r = finish_level(t, e, err);
	free(t->levels.items[--t->levels.len].name);
	return r;
}

static int take_leaf(struct taker *t, const struct xb_walk_entry *e, const struct xb_listed *was,
		     struct xb_error *err)
{
	struct xb_listed is;
	int r = 0;

	xb_listed_of(e->dirfd, e->name, &e->st, &is);
	if (was != NULL && xb_listed_unchanged(was, &is))
		return 0;
	if (was != NULL && S_ISDIR(was->mode))
		r = skip_below(t, e->path, err);
	return r < 0 ? r : move(t, e, err);
}

static int take_entry(struct taker *t, const struct xb_walk_entry *e, struct xb_error *err)
{
	struct xb_listed was;
	bool known;
	int r = is_refused(e) ? refuse_mark(e, err) : put_gone_before(t, e->path, err);

	if (r < 0)
		return r;
	known = t->more && strcmp(xb_str_text(&t->path), e->path) == 0;
	was = t->was;
	if (known)
		r = next_listed(t, err);
	if (r < 0)
		return r;
	return S_ISDIR(e->st.st_mode) ? enter(t, e, known ? &was : NULL, err)
				      : take_leaf(t, e, known ? &was : NULL, err);
}

static int take_all(struct taker *t, struct xb_error *err)
{
	struct xb_walk_entry e;
	int r = next_listed(t, err);

	while (r >= 0 && (r = xb_walk_next(t->walk, &e, err)) > 0) {
		r = e.event == XB_WALK_LEAVE ? leave(t, &e, err) : take_entry(t, &e, err);
		if (r < 0)
			return xb_error_wrap(err, r, "taking what has changed");
	}
	/* what is left of the list were the last entries of the root */
	while (r >= 0 && t->more)
		r = put_gone(t, err);
	return r;
}

static int take(struct taker *t, int tree, int dir, int upper, struct xb_error *err)
{
	struct stat st;
	int r;

	t->dest = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dest < 0 || fstat(tree, &st) < 0)
		return xb_error_errno(err, -errno, "opening a snapshot");
	r = xb_listing_open(dir, &t->listing, err);
	if (r >= 0)
		r = xb_walk_new(tree, &t->walk, err);
	if (r >= 0)
		r = take_all(t, err);
	if (r >= 0)
		r = xb_dress(tree, upper, err);
	return r < 0 ? r : xb_dress_time(upper, &st, err);
}

int xb_difference_take(int tree, int dir, int upper, struct xb_error *err)
{
	XB_CLEANUP(taker_clear)
	struct taker t = { .dest = -1, .path = XB_STR_INIT(XB_STR_OWN) };
	int r = take(&t, tree, dir, upper, err);

	return r < 0 ? xb_error_fault(err, XB_FAULT_STORE) : 0;
}
