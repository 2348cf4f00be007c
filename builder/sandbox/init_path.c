/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/sandbox/init.h"

enum { MAX_LINKS = 40 }; /* as the kernel has it */

/* A path being followed. Nobody else changes the tree meanwhile: the step does not run yet. */
struct walk {
	int root;
	struct xb_str *done; /* canonical: "" or "/a/b" */
	struct xb_str rest;  /* what is left to follow */
	size_t known;	     /* so much of `done` exists */
	int links;
};

static void walk_up(struct walk *w)
{
	const char *text = xb_str_text(w->done);
	const char *slash = strrchr(text, '/');

	if (slash != NULL)
		xb_str_truncate(w->done, (size_t)(slash - text));
	if (w->known > w->done->len)
		w->known = w->done->len;
}

/* Follow the link open at `fd`, whose name has been taken off `done` again. */
static int walk_link(struct walk *w, int fd)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(fd, "", target, sizeof(target));
	xb_auto_str struct xb_str rest = XB_STR_INIT(w->rest.max);
	struct xb_str old;

	if (n < 0)
		return -errno;
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	if (n > 0 && target[0] == '/') {
		xb_str_truncate(w->done, 0);
		w->known = 0;
	}
	xb_str_append(&rest, target, (size_t)n);
	xb_str_putc(&rest, '/');
	xb_str_append_view(&rest, xb_str_view(&w->rest));
	if (xb_str_overflowed(&rest))
		return -ENAMETOOLONG;
	old = w->rest;
	w->rest = rest;
	rest = old;
	return 0;
}

/* One name below `done`, all of which is known to exist and to be a directory. */
static int walk_existing(struct walk *w, struct xb_view name)
{
	size_t before = w->done->len;
	xb_auto_fd int fd = -1;
	struct stat st;

	xb_str_putc(w->done, '/');
	xb_str_append_view(w->done, name);
	fd = xb_open_in_root(w->root, xb_str_text(w->done), O_PATH | O_NOFOLLOW, 0, NULL);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode)) {
		xb_str_truncate(w->done, before);
		return walk_link(w, fd);
	}
	w->known = w->done->len;
	return 0;
}

static int walk_name(struct walk *w, struct xb_view name)
{
	if (name.len == 0 || xb_view_is(name, "."))
		return 0;
	if (xb_view_is(name, "..")) {
		walk_up(w);
		return 0;
	}
	if (w->known == w->done->len)
		return walk_existing(w, name);
	xb_str_putc(w->done, '/');
	xb_str_append_view(w->done, name);
	return 0;
}

static int walk_all(struct walk *w)
{
	while (w->rest.len > 0) {
		xb_autofree char *name = NULL;
		const char *text = xb_str_text(&w->rest);
		size_t len = strcspn(text, "/");
		size_t skip = len + (text[len] == '/');
		int r;

		name = xb_view_dup((struct xb_view){ text, len });
		memmove(w->rest.data, text + skip, w->rest.len - skip + 1);
		w->rest.len -= skip;
		r = walk_name(w, xb_view(name));
		if (r < 0)
			return r;
	}
	return xb_str_overflowed(w->done) ? -ENAMETOOLONG : 0;
}

int init_path_resolve(int root, const char *path, struct xb_str *canonical, size_t *ret_known,
		      struct xb_error *err)
{
	struct walk w = { .root = root,
			  .done = canonical,
			  .rest = XB_STR_INIT((size_t)MAX_LINKS * PATH_MAX) };
	int r;

	xb_str_reset(canonical);
	r = xb_str_puts(&w.rest, path);
	if (r >= 0)
		r = walk_all(&w);
	xb_str_clear(&w.rest);
	if (r < 0)
		return xb_error_errno(err, r, "%s in the image", path);
	if (canonical->len == 0)
		xb_str_putc(canonical, '/');
	*ret_known = w.known == 0 && canonical->len == 1 ? 1 : w.known;
	return 0;
}
