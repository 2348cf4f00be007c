/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* As the kernel has it. */
#define MAX_LINKS 40

void xb_located_clear(struct xb_located *found)
{
	xb_cleanup_fd(&found->parent);
	xb_str_clear(&found->path);
	free(found->name);
	*found = XB_LOCATED_INIT;
}

/* Add the names of `path` to a stack so that the first is on top. */
static void push_names(struct xb_strv *stack, const char *path)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	struct xb_view rest = xb_view(path);
	struct xb_view name;

	while (xb_view_split(&rest, '/', &name)) {
		if (name.len > 0 && !xb_view_is(name, "."))
			xb_strv_push_view(&names, name);
	}
	for (size_t i = names.len; i > 0; i--)
		xb_strv_push(stack, names.items[i - 1]);
}

static void pop(struct xb_strv *stack)
{
	if (stack->len > 0)
		xb_strv_remove(stack, stack->len - 1);
}

char *xb_path_clean(const char *path)
{
	xb_auto_strv struct xb_strv left = XB_STRV_INIT;
	xb_auto_strv struct xb_strv done = XB_STRV_INIT;

	for (push_names(&left, path); left.len > 0; pop(&left)) {
		const char *name = left.items[left.len - 1];

		if (strcmp(name, "..") == 0)
			pop(&done);
		else
			xb_strv_push(&done, name);
	}
	return done.len > 0 ? xb_strv_join(&done, "/") : xb_strdup(".");
}

/* The walk: `done` has no links and `dir` is open on it but for the last name of `done`. */
struct walk {
	int rootfd;
	const struct xb_context *context;
	struct xb_strv left; /* names to go, the next at the end */
	struct xb_strv done;
	int dir; /* the directory `done`, or -1: to be opened */
	int links;
};

static void walk_clear(struct walk *w)
{
	xb_strv_clear(&w->left);
	xb_strv_clear(&w->done);
	xb_cleanup_fd(&w->dir);
}

static int open_child(int dir, const char *name)
{
	int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Have `dir` open on `done`, from the root, name by name: a link that has come meanwhile fails. */
static int open_done(struct walk *w)
{
	int fd;

	if (w->dir >= 0)
		return 0;
	fd = open_child(w->rootfd, ".");
	for (size_t i = 0; fd >= 0 && i < w->done.len; i++) {
		int child = open_child(fd, w->done.items[i]);

		xb_cleanup_fd(&fd);
		fd = child;
	}
	w->dir = fd;
	return fd < 0 ? fd : 0;
}

static int follow_link(struct walk *w, const char *name)
{
	char target[PATH_MAX];
	ssize_t n;

	if (++w->links > MAX_LINKS)
		return -ELOOP;
	n = readlinkat(w->dir, name, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (target[0] == '/') {
		xb_strv_clear(&w->done);
		xb_cleanup_fd(&w->dir);
	}
	push_names(&w->left, target);
	return 0;
}

static int ignored(struct xb_error *err)
{
	xb_error_set(err, -ENOENT, "not in the build context");
	xb_error_hint(err, "a rule of the .dockerignore file excludes it");
	return -ENOENT;
}

/* One name that is neither "." nor "..". `last`: what follows it is nothing. */
static int walk_name(struct walk *w, const char *name, bool follow, struct stat *st,
		     struct xb_error *err)
{
	xb_autofree char *path = NULL;
	enum xb_context_verdict verdict;
	int r = open_done(w);

	if (r < 0)
		return r;
	xb_strv_push(&w->done, name);
	path = xb_strv_join(&w->done, "/");
	verdict = xb_context_filter(w->context, path, true);
	if (verdict == XB_CONTEXT_SKIP)
		return ignored(err);
	if (fstatat(w->dir, name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISDIR(st->st_mode) && verdict != XB_CONTEXT_TAKE)
		return ignored(err);
	if (S_ISLNK(st->st_mode) && (w->left.len > 0 || follow)) {
		pop(&w->done);
		return follow_link(w, name);
	}
	if (w->left.len == 0)
		return 0;
	/* "a/.." and "a/b" need `a` to be a directory */
	r = open_child(w->dir, name);
	if (r < 0)
		return r;
	xb_cleanup_fd(&w->dir);
	w->dir = r;
	return 0;
}

static int walk_all(struct walk *w, bool follow, struct stat *st, struct xb_error *err)
{
	int r = 0;

	while (r >= 0 && w->left.len > 0) {
		xb_autofree char *name = xb_strdup(w->left.items[w->left.len - 1]);

		pop(&w->left);
		if (strcmp(name, "..") == 0) {
			pop(&w->done);
			xb_cleanup_fd(&w->dir);
		} else {
			r = walk_name(w, name, follow, st, err);
		}
	}
	return r;
}

/* The end may have come by "..", or by a link to "/": look at `done` afresh, then split it. */
static int finish(struct walk *w, struct xb_located *ret)
{
	ret->name = xb_strdup(w->done.len > 0 ? w->done.items[w->done.len - 1] : ".");
	if (w->done.len > 0) {
		xb_autofree char *path = xb_strv_join(&w->done, "/");

		xb_str_puts(&ret->path, path);
	} else {
		xb_str_puts(&ret->path, ".");
	}
	pop(&w->done);
	xb_cleanup_fd(&w->dir);
	if (open_done(w) < 0)
		return w->dir;
	if (fstatat(w->dir, ret->name, &ret->st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	ret->parent = XB_STEAL_FD(w->dir);
	return 0;
}

int xb_locate(int rootfd, const struct xb_context *context, const char *path, bool follow,
	      struct xb_located *ret, struct xb_error *err)
{
	XB_CLEANUP(walk_clear)
	struct walk w = { .rootfd = rootfd, .context = context, .dir = -1 };
	xb_auto_located struct xb_located found = XB_LOCATED_INIT;
	xb_auto_error struct xb_error inner = XB_ERROR_INIT;
	struct stat st;
	int r;

	push_names(&w.left, path);
	r = walk_all(&w, follow, &st, &inner);
	if (r >= 0)
		r = finish(&w, &found);
	if (r < 0) {
		if (inner.message == NULL)
			(void)xb_error_errno(&inner, r, "%s", path);
		else
			(void)xb_error_wrap(&inner, r, "%s", path);
		(void)xb_error_fault(&inner, XB_FAULT_SOURCE);
		if (err != NULL)
			xb_error_move(err, &inner);
		return r;
	}
	*ret = found;
	found = XB_LOCATED_INIT;
	return 0;
}
