/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "builder/context/locate.h"
#include "builder/context/xattrs.h"
#include "builder/dockerfile/limits.h"

/* A directory on the way to where the walk is. */
struct frame {
	struct xb_strv names;
	size_t next;	      /* index of the name to look at next */
	size_t path_len;      /* bytes of state.path that name this directory */
	struct stat st;	      /* also to know it again when the walk comes back by ".." */
	struct xb_str xattrs; /* kept for a visit that comes later */
	bool pending;	      /* ignored, and nothing below it was visited yet */
};

struct frames XB_ARRAY(struct frame);

struct state {
	const struct xb_walk *walk;
	struct frames frames;
	int dir;	    /* the directory of the last frame, open for reading */
	struct xb_str path; /* of what is looked at, from the rules' root; "" for it */
	size_t base;	    /* bytes of `path` that name the start */
};

static void pop_frame(struct state *s)
{
	struct frame *top = &s->frames.items[s->frames.len - 1];

	xb_strv_clear(&top->names);
	xb_str_clear(&top->xattrs);
	s->frames.len--;
}

static void state_clear(struct state *s)
{
	while (s->frames.len > 0)
		pop_frame(s);
	xb_array_clear(&s->frames);
	xb_cleanup_fd(&s->dir);
	xb_str_clear(&s->path);
}

static const char *below(const struct state *s)
{
	const char *path = xb_str_text(&s->path);

	if (s->path.len <= s->base)
		return "";
	return path + s->base + (s->base > 0 ? 1 : 0);
}

static int visit(struct state *s, struct xb_walk_entry *entry, struct xb_error *err)
{
	entry->path = s->path.len > 0 ? xb_str_text(&s->path) : ".";
	entry->below = below(s);
	return s->walk->visit(s->walk->visitor, entry, err);
}

/* Something below them is taken: the ignored directories on the way to it exist after all. */
static int visit_pending(struct state *s, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->frames.len; i++) {
		struct frame *frame = &s->frames.items[i];
		struct xb_walk_entry entry = { .st = frame->st,
					       .dirfd = -1,
					       .xattrs = xb_str_view(&frame->xattrs) };
		xb_autofree char *path = NULL;

		if (!frame->pending)
			continue;
		frame->pending = false;
		path = xb_strdup(xb_str_text(&s->path));
		xb_str_truncate(&s->path, frame->path_len);
		r = visit(s, &entry, err);
		xb_str_reset(&s->path);
		xb_str_puts(&s->path, path);
	}
	return r;
}

static int failed(const struct state *s, int r, struct xb_error *err)
{
	(void)xb_error_errno(err, r, "reading %s",
			     s->path.len > 0 ? xb_str_text(&s->path) : "the build context");
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return r;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT);
}

static int enter(struct state *s, const char *name, const struct stat *st, bool pending,
		 struct xb_error *err)
{
	int parent = s->dir;
	xb_auto_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct frame *frame;
	int r;

	if (fd < 0)
		return failed(s, -errno, err);
	frame = xb_array_push(&s->frames);
	*frame = (struct frame){ .path_len = s->path.len,
				 .st = *st,
				 .xattrs = XB_STR_INIT(XB_MAX_XATTRS),
				 .pending = pending };
	r = fstat(fd, &frame->st) < 0 ? -errno : xb_names_of(fd, &frame->names);
	if (r >= 0 && !s->walk->names_only)
		r = xb_xattrs_encode(fd, &frame->xattrs);
	if (r < 0)
		return failed(s, r, err);
	xb_cleanup_fd(&s->dir);
	s->dir = XB_STEAL_FD(fd);
	if (pending)
		return 0;
	/* the visit of the directory itself is that of a pending one, at once */
	frame->pending = true;
	return visit_pending(s, err);
}

static int leave(struct state *s, struct xb_error *err)
{
	struct stat st;
	int fd;

	pop_frame(s);
	if (s->frames.len == 0)
		return 0;
	xb_str_truncate(&s->path, s->frames.items[s->frames.len - 1].path_len);
	fd = openat(s->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed(s, -errno, err);
	xb_cleanup_fd(&s->dir);
	s->dir = fd;
	if (fstat(fd, &st) < 0)
		return failed(s, -errno, err);
	/* moved elsewhere while it was walked: ".." is not where the walk came from */
	return same_file(&st, &s->frames.items[s->frames.len - 1].st) ? 0 : failed(s, -ESTALE, err);
}

static int visit_leaf(struct state *s, const char *name, const struct stat *st,
		      struct xb_error *err)
{
	struct xb_walk_entry entry = { .st = *st, .dirfd = s->dir, .name = name };
	char target[PATH_MAX];

	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(s->dir, name, target, sizeof(target));

		if (n < 0)
			return failed(s, -errno, err);
		entry.target = (struct xb_view){ target, (size_t)n };
	}
	return visit(s, &entry, err);
}

/* state.path names it already */
static int look(struct state *s, const char *name, struct xb_error *err)
{
	enum xb_context_verdict verdict = XB_CONTEXT_TAKE;
	struct stat st;
	int r;

	if (xb_context_has_rules(s->walk->context) && s->path.len > XB_MAX_PATTERN)
		return failed(s, -ENAMETOOLONG, err);
	if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : failed(s, -errno, err);
	verdict = xb_context_both(
		xb_context_filter(s->walk->context, xb_str_text(&s->path), S_ISDIR(st.st_mode)),
		xb_select_verdict(s->walk->select, below(s), S_ISDIR(st.st_mode)));
	if (verdict == XB_CONTEXT_SKIP || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0)))
		return 0;
	if (S_ISDIR(st.st_mode))
		return enter(s, name, &st, verdict == XB_CONTEXT_DESCEND, err);
	r = visit_pending(s, err);
	if (r != 0)
		return r;
	return visit_leaf(s, name, &st, err);
}

static int step(struct state *s, struct xb_error *err)
{
	struct frame *top = &s->frames.items[s->frames.len - 1];
	const char *name;

	if (top->next == top->names.len)
		return leave(s, err);
	name = top->names.items[top->next++];
	xb_str_truncate(&s->path, top->path_len);
	if (top->path_len > 0)
		xb_str_putc(&s->path, '/');
	xb_str_puts(&s->path, name);
	return look(s, name, err);
}

int xb_walk_run(const struct xb_walk *walk, int parent, const char *name, struct xb_error *err)
{
	XB_CLEANUP(state_clear)
	struct state s = { .walk = walk, .dir = -1, .path = XB_STR_INIT(XB_STR_OWN) };
	int r;

	if (strcmp(walk->path, ".") != 0)
		xb_str_puts(&s.path, walk->path);
	s.base = s.path.len;
	s.dir = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.dir < 0)
		return failed(&s, -errno, err);
	r = look(&s, name, err);
	while (r == 0 && s.frames.len > 0)
		r = step(&s, err);
	return r;
}

int xb_walk_open(const struct xb_walk_entry *entry, struct stat *ret_st, struct xb_error *err)
{
	xb_auto_fd int fd = openat(entry->dirfd, entry->name,
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int r = 0;

	if (fd < 0 || fstat(fd, ret_st) < 0)
		r = -errno;
	else if (!S_ISREG(ret_st->st_mode))
		r = -ESTALE;
	if (r == 0)
		return XB_STEAL_FD(fd);
	(void)xb_error_errno(err, r, "reading %s", entry->path);
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return r;
}
