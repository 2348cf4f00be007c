/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/names.h"
#include "base/owner.h"
#include "base/pool.h"
#include "builder/context/lookahead.h"
#include "builder/context/xattrs.h"
#include "builder/dockerfile/limits.h"

/* So many entries are seen before threads are started: most contexts have fewer. */
#define ENTRIES_BEFORE_HELP 512
/* Threads beyond so many wait for the one that walks. */
#define MOST_HELPERS 3
/* Directories next to each other that are read ahead. */
#define ABREAST 8

/* A subdirectory that is being read ahead. */
struct ahead {
	size_t index; /* of its name */
	struct xb_asked *asked;
};

/* A directory on the way to where the walk is. */
struct frame {
	struct xb_names names;
	struct stat *stats; /* of the names, as struct xb_listing has them; NULL: of none */
	size_t next;	    /* index of the name to look at next */
	struct ahead ahead[ABREAST]; /* by index */
	size_t ahead_len;
	size_t ahead_next;    /* index of the first name that was not thought of yet */
	size_t path_len;      /* bytes of state.path that name this directory */
	struct stat st;	      /* also to know it again when the walk comes back by ".." */
	struct xb_str xattrs; /* kept for a visit that comes later */
	bool pending;	      /* ignored, and nothing below it was visited yet */
};

struct frames XB_ARRAY(struct frame);

struct state {
	const struct xb_walk *walk;
	struct xb_lookahead *lookahead; /* NULL: none yet, or it does not pay */
	uint64_t seen;			/* entries */
	struct frames frames;
	int dir;	    /* the directory of the last frame, open for reading */
	struct xb_str path; /* of what is looked at, from the rules' root; "" for it */
	size_t base;	    /* bytes of `path` that name the start */
};

static void pop_frame(struct state *s)
{
	struct frame *top = &s->frames.items[s->frames.len - 1];

	for (size_t i = 0; i < top->ahead_len; i++)
		(void)xb_lookahead_take(s->lookahead, top->ahead[i].asked, NULL);
	xb_names_clear(&top->names);
	free(top->stats);
	xb_str_clear(&top->xattrs);
	s->frames.len--;
}

static void state_clear(struct state *s)
{
	while (s->frames.len > 0)
		pop_frame(s);
	xb_array_clear(&s->frames);
	xb_lookahead_free(s->lookahead);
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

/* ---- reading ahead -------------------------------------------------------------------------- */

/* Start the threads, once it is known that there is work for them. */
static void get_help(struct state *s)
{
	unsigned wanted = s->walk->helpers;

	if (wanted == 0)
		wanted = xb_pool_processors() - 1;
	if (wanted > 0)
		s->lookahead = xb_lookahead_new(wanted < MOST_HELPERS ? wanted : MOST_HELPERS);
}

/* What the rules say of what state.path names. */
static enum xb_context_verdict verdict_on(const struct state *s, bool is_dir)
{
	return xb_context_both(xb_context_filter(s->walk->context, xb_str_text(&s->path), is_dir),
			       xb_select_verdict(s->walk->select, below(s), is_dir));
}

static void name_path(struct state *s, const struct frame *dir, const char *name)
{
	xb_str_truncate(&s->path, dir->path_len);
	if (dir->path_len > 0)
		xb_str_putc(&s->path, '/');
	xb_str_puts(&s->path, name);
}

/* Ask for the next subdirectories of the last frame, whose directory is open. */
static void ask_ahead(struct state *s, struct frame *top)
{
	if (s->lookahead == NULL)
		return;
	if (top->ahead_next < top->next)
		top->ahead_next = top->next;
	while (top->ahead_len < ABREAST && top->ahead_next < top->names.len) {
		size_t index = top->ahead_next;
		struct ahead *ahead = &top->ahead[top->ahead_len];

		if (xb_names_is_dir(&top->names, index)) {
			name_path(s, top, top->names.items[index]);
			if (verdict_on(s, true) != XB_CONTEXT_SKIP) {
				ahead->index = index;
				ahead->asked = xb_lookahead_ask(
					s->lookahead, s->dir, top->names.items[index],
					top->ahead_len > 0 ? ahead[-1].asked : NULL);
				if (ahead->asked == NULL)
					return;
				top->ahead_len++;
			}
		}
		top->ahead_next++;
	}
}

/* Take what was read of the name that the last frame is at, if it is still what `st` is of. */
static bool was_read(struct state *s, const struct stat *st, struct xb_listing *ret)
{
	struct frame *top = s->frames.len > 0 ? &s->frames.items[s->frames.len - 1] : NULL;
	struct xb_asked *asked;

	if (top == NULL || top->ahead_len == 0 || top->ahead[0].index != top->next - 1)
		return false;
	asked = top->ahead[0].asked;
	top->ahead_len--;
	memmove(top->ahead, top->ahead + 1, top->ahead_len * sizeof(top->ahead[0]));
	return xb_lookahead_take(s->lookahead, asked, ret) && same_file(&ret->st, st);
}

/* ---- directories ---------------------------------------------------------------------------- */

/* Open and list a directory, if that was not done ahead. */
static int list(struct state *s, const char *name, const struct stat *st, struct xb_listing *ret)
{
	if (was_read(s, st, ret))
		return 0;
	xb_listing_clear(ret);
	ret->fd = openat(s->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ret->fd < 0 || fstat(ret->fd, &ret->st) < 0)
		return -errno;
	return xb_names_of(ret->fd, SIZE_MAX, &ret->names);
}

static int enter(struct state *s, const char *name, const struct stat *st, bool pending,
		 struct xb_error *err)
{
	xb_auto_listing struct xb_listing listing = XB_LISTING_INIT;
	struct frame *frame;
	int r = list(s, name, st, &listing);

	if (r < 0)
		return r == -ENOENT ? 0 : failed(s, r, err);
	frame = xb_array_push(&s->frames);
	*frame = (struct frame){ .path_len = s->path.len,
				 .st = listing.st,
				 .xattrs = XB_STR_INIT(XB_MAX_XATTRS),
				 .pending = pending };
	(void)xb_owner_read(listing.fd, "", &frame->st);
	frame->names = listing.names;
	listing.names = (struct xb_names){ 0 };
	frame->stats = XB_STEAL(listing.stats);
	if (!s->walk->names_only)
		r = xb_xattrs_encode(listing.fd, &frame->xattrs);
	if (r < 0)
		return failed(s, r, err);
	xb_cleanup_fd(&s->dir);
	s->dir = XB_STEAL_FD(listing.fd);
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
			return errno == ENOENT ? 0 : failed(s, -errno, err);
		entry.target = (struct xb_view){ target, (size_t)n };
	}
	return visit(s, &entry, err);
}

/* The status of what the last frame is at; of what was not known ahead it is asked for. */
static int status_of(const struct state *s, const char *name, struct stat *ret)
{
	const struct frame *top = s->frames.len > 0 ? &s->frames.items[s->frames.len - 1] : NULL;

	if (top != NULL && top->stats != NULL && top->stats[top->next - 1].st_mode != 0) {
		*ret = top->stats[top->next - 1];
		return 0;
	}
	return fstatat(s->dir, name, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* state.path names it already */
static int look(struct state *s, const char *name, struct xb_error *err)
{
	enum xb_context_verdict verdict;
	struct stat st;
	int r;

	if (xb_context_has_rules(s->walk->context) && s->path.len > XB_MAX_PATTERN)
		return failed(s, -ENAMETOOLONG, err);
	r = status_of(s, name, &st);
	if (r < 0)
		return r == -ENOENT ? 0 : failed(s, r, err);
	verdict = verdict_on(s, S_ISDIR(st.st_mode));
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
	if (++s->seen == ENTRIES_BEFORE_HELP)
		get_help(s);
	ask_ahead(s, top);
	name = top->names.items[top->next++];
	name_path(s, top, name);
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
