/* SPDX-License-Identifier: Apache-2.0 */
/* Files below a root that others control: every resolution is the kernel's, by openat2(). */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owner.h"

enum {
	MAX_LINKS = 40, /* as the kernel */
	/* openat2() gives EAGAIN when a rename crosses its way; someone may do that all the time.
	 */
	MAX_CROSSED = 1000,
};
/* The links' targets can multiply what is left to walk. */
#define MAX_WALK ((size_t)MAX_LINKS * PATH_MAX)

/* openat2() as it is, but for the repetitions; returns the descriptor or a negative errno. */
static int open_resolved(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = creates ? mode : 0, /* else openat2() wants it to be 0 */
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};
	int crossed = 0;
	long fd;

	do
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++crossed < MAX_CROSSED)));
	return fd < 0 ? -errno : (int)fd;
}

static int open_or_say(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve,
		       struct xb_error *err)
{
	int fd = open_resolved(dirfd, path, flags, mode, resolve);

	if (fd < 0)
		(void)xb_error_errno(err, fd, "%s", path);
	if (fd == -ENOSYS)
		(void)xb_error_hint(err, "xbuild needs Linux 5.11 or later");
	return fd;
}

int xb_open_in_root(int rootfd, const char *path, int flags, mode_t mode, struct xb_error *err)
{
	return open_or_say(rootfd, path, flags, mode, RESOLVE_IN_ROOT, err);
}

int xb_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct xb_error *err)
{
	return open_or_say(dirfd, path, flags, mode, RESOLVE_BENEATH, err);
}

/* A path being walked and made: `done` holds no link, so that ".." may be taken off its end. */
struct walk {
	int rootfd;
	struct xb_str done; /* "a/b", "" at the root */
	struct xb_str rest; /* what is left */
	int links;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

static void walk_clear(struct walk *w)
{
	xb_str_clear(&w->done);
	xb_str_clear(&w->rest);
}

static void walk_up(struct walk *w)
{
	const char *text = xb_str_text(&w->done), *slash = strrchr(text, '/');

	xb_str_truncate(&w->done, slash != NULL ? (size_t)(slash - text) : 0);
}

/* Open what has been walked so far; renames by others make it fail, never leave the root. */
static int walk_open_done(const struct walk *w, int flags)
{
	const char *path = w->done.len > 0 ? xb_str_text(&w->done) : ".";

	return open_resolved(w->rootfd, path, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* Put the target of the link open at `fd` in front of what is left. */
static int walk_link(struct walk *w, int fd)
{
	xb_auto_str struct xb_str rest = XB_STR_INIT(MAX_WALK);
	char target[PATH_MAX];
	ssize_t len = readlinkat(fd, "", target, sizeof(target));

	if (len < 0)
		return -errno;
	if (++w->links > MAX_LINKS)
		return -ELOOP;
	if (len > 0 && target[0] == '/')
		xb_str_reset(&w->done);
	(void)xb_str_append(&rest, target, (size_t)len);
	(void)xb_str_putc(&rest, '/');
	(void)xb_str_append_view(&rest, xb_str_view(&w->rest));
	if (xb_str_overflowed(&rest))
		return -ENAMETOOLONG;
	xb_str_clear(&w->rest);
	w->rest = rest;
	rest = XB_STR_INIT(MAX_WALK);
	return 0;
}

/* Give a directory made here its owner and its exact mode. */
static int walk_set_metadata(const struct walk *w, int parent, const char *name)
{
	xb_auto_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (xb_owner_set(fd, "", w->uid, w->gid) < 0)
		return -errno;
	return fchmod(fd, w->mode) < 0 ? -errno : 0;
}

/* Make `name` in what has been walked so far. */
static int walk_make(struct walk *w, const char *name)
{
	xb_auto_fd int parent = walk_open_done(w, O_PATH | O_DIRECTORY);

	if (parent < 0)
		return parent;
	/* Ours until it is finished; someone else may have been quicker. */
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	return walk_set_metadata(w, parent, name);
}

/* Go into what `fd` is, `name` in what has been walked so far. */
static int walk_enter(struct walk *w, int fd, const char *name)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return walk_link(w, fd);
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (w->done.len > 0)
		(void)xb_str_putc(&w->done, '/');
	return xb_str_puts(&w->done, name) < 0 ? -ENAMETOOLONG : 0;
}

static int walk_component(struct walk *w, const char *name)
{
	int r = 0;

	if (strcmp(name, "..") == 0) {
		walk_up(w);
		return 0;
	}
	for (int attempt = 0; attempt < MAX_CROSSED && r == 0; attempt++) {
		xb_auto_fd int parent = walk_open_done(w, O_PATH | O_DIRECTORY);
		xb_auto_fd int fd = -1;

		if (parent < 0)
			return parent;
		fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			return walk_enter(w, fd, name);
		r = errno == ENOENT ? walk_make(w, name) : -errno;
	}
	return r < 0 ? r : -EAGAIN;
}

/* Take the next component off what is left; NULL at the end. The caller frees it. */
static char *walk_next(struct walk *w)
{
	xb_auto_str struct xb_str rest = XB_STR_INIT(MAX_WALK);
	struct xb_view left = xb_str_view(&w->rest), piece;
	char *name = NULL;

	while (name == NULL && xb_view_split(&left, '/', &piece))
		if (piece.len > 0 && !xb_view_is(piece, "."))
			name = xb_view_dup(piece);
	(void)xb_str_append_view(&rest, left);
	xb_str_clear(&w->rest);
	w->rest = rest;
	rest = XB_STR_INIT(MAX_WALK);
	return name;
}

static int walk_all(struct walk *w)
{
	int r = 0;

	while (r == 0) {
		xb_autofree char *name = walk_next(w);

		if (name == NULL)
			return walk_open_done(w, O_PATH | O_DIRECTORY);
		r = walk_component(w, name);
	}
	return r;
}

int xb_mkdir_in_root(int rootfd, const char *path, mode_t mode, uid_t uid, gid_t gid,
		     struct xb_error *err)
{
	XB_CLEANUP(walk_clear)
	struct walk w = {
		.rootfd = rootfd,
		.done = XB_STR_INIT(PATH_MAX),
		.rest = XB_STR_INIT(MAX_WALK),
		.mode = mode,
		.uid = uid,
		.gid = gid,
	};
	int r = xb_str_puts(&w.rest, path) < 0 ? -ENAMETOOLONG : walk_all(&w);

	if (r < 0)
		return xb_error_errno(err, r, "making the directory %s", path);
	return r;
}

/* Make one directory; one that is there already is as good, whatever mkdir() says of it. */
static int make_dir(const char *path, mode_t mode)
{
	struct stat st;
	int r;

	if (mkdir(path, mode) == 0)
		return 0;
	r = -errno;
	if (stat(path, &st) < 0)
		return r;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int xb_mkdir_all(const char *path, mode_t mode, struct xb_error *err)
{
	xb_autofree char *part = xb_strdup(path);
	int r = 0;

	for (char *at = strchr(part + (*part == '/'), '/'); at != NULL && r == 0;
	     at = strchr(at + 1, '/')) {
		*at = '\0';
		r = make_dir(part, mode);
		*at = '/';
	}
	if (r == 0)
		r = make_dir(part, mode);
	if (r < 0)
		return xb_error_errno(err, r, "making the directory %s", path);
	return 0;
}
