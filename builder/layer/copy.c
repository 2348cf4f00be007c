/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/owner.h"
#include "base/str.h"
#include "builder/layer/inodes.h"
#include "builder/layer/parents.h"
#include "builder/layer/walk.h"
#include "builder/layer/xattrs.h"

/* As many links as the kernel follows in one path. */
#define MAX_LINKS 40

/* A directory of the source that was entered. */
struct level {
	char *name;
	struct stat st;
	struct xb_xattrs xattrs;
	bool around;  /* made for what is below it */
	dev_t device; /* of the destination's directory around it */
	ino_t inode;
};

/* A copying under way. */
struct copier {
	const struct xb_copy_options *options;
	struct xb_str path; /* of what is copied, relative to the source root */
	size_t base_len;    /* of it, the part that is the source itself */
	int top;	    /* the destination's directory that links are relative to */
	int dest;	    /* the current one; the last level that was made */
	struct levels XB_ARRAY(struct level) levels;
	size_t made;		 /* how many levels are there in the destination */
	struct xb_inodes inodes; /* files with several names: index into `names` */
	struct xb_strv names;	 /* paths below `top` */
};

static void copier_clear(struct copier *c)
{
	for (size_t i = 0; i < c->levels.len; i++) {
		free(c->levels.items[i].name);
		xb_xattrs_clear(&c->levels.items[i].xattrs);
	}
	xb_array_clear(&c->levels);
	xb_str_clear(&c->path);
	xb_cleanup_fd(&c->top);
	xb_cleanup_fd(&c->dest);
	xb_inodes_clear(&c->inodes);
	xb_strv_clear(&c->names);
}

/* What the filter says of `below` the source. */
static enum xb_copy_verdict ask(struct copier *c, const char *below, bool is_dir)
{
	if (c->options->filter == NULL)
		return XB_COPY_TAKE;
	xb_str_truncate(&c->path, c->base_len);
	if (below[0] != '\0' && c->base_len > 0)
		xb_str_putc(&c->path, '/');
	xb_str_puts(&c->path, below);
	return c->options->filter(c->options->context, xb_str_text(&c->path), below, is_dir);
}

/* Metadata. */

void xb_copy_status(const struct xb_copy_options *options, struct stat *st)
{
	mode_t mode = st->st_mode & 07777;

	if (options->uid >= 0)
		st->st_uid = (uid_t)options->uid;
	if (options->gid >= 0)
		st->st_gid = (gid_t)options->gid;
	if (options->change != NULL)
		mode = xb_mode_apply(options->change, mode, S_ISDIR(st->st_mode));
	else if (options->mode >= 0)
		mode = (mode_t)options->mode;
	st->st_mode = (st->st_mode & S_IFMT) | mode;
}

static int owner_failed(uid_t uid, gid_t gid, struct xb_error *err)
{
	int r = -errno;

	if (r != -EINVAL)
		return xb_error_errno(err, r, "setting the owner");
	xb_error_set(err, r, "the owner %u:%u is not among the ids that this user may use", uid,
		     gid);
	(void)xb_error_hint(err, "give the user more ids in /etc/subuid and /etc/subgid");
	return r;
}

/* Owner before mode before attributes: each takes away from the next. */
static int set_metadata(const struct copier *c, int fd, const struct stat *st,
			const struct xb_xattrs *xattrs, struct xb_error *err)
{
	struct stat copy = *st;
	int r;

	xb_copy_status(c->options, &copy);
	if (!c->options->no_owner && xb_owner_set(fd, "", copy.st_uid, copy.st_gid) < 0)
		return owner_failed(copy.st_uid, copy.st_gid, err);
	if (fchmod(fd, copy.st_mode & 07777) < 0)
		return xb_error_errno(err, -errno, "setting the mode");
	/* what a file system or this user may not keep is lost, as in BuildKit */
	r = xb_xattrs_write(fd, "", xattrs, err);
	return r < 0 ? r : 0;
}

static int set_time(int fd, const struct stat *st, struct xb_error *err)
{
	struct timespec times[2] = { st->st_mtim, st->st_mtim };

	return futimens(fd, times) < 0 ? xb_error_errno(err, -errno, "setting the time") : 0;
}

/* For links and nodes, which are not opened. */
static int set_named_metadata(const struct copier *c, const char *name, const struct stat *st,
			      const struct xb_xattrs *xattrs, struct xb_error *err)
{
	struct timespec times[2] = { st->st_mtim, st->st_mtim };
	struct stat copy = *st;
	int r;

	xb_copy_status(c->options, &copy);
	if (!c->options->no_owner && xb_owner_set(c->dest, name, copy.st_uid, copy.st_gid) < 0)
		return owner_failed(copy.st_uid, copy.st_gid, err);
	if (!S_ISLNK(st->st_mode) &&
	    fchmodat(c->dest, name, copy.st_mode & 07777, AT_SYMLINK_NOFOLLOW) < 0)
		return xb_error_errno(err, -errno, "setting the mode");
	if (utimensat(c->dest, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return xb_error_errno(err, -errno, "setting the time");
	r = xb_xattrs_write(c->dest, name, xattrs, err);
	return r < 0 ? r : 0;
}

/* Files, links and nodes, into the current directory of the destination. */

static int make_room(const struct copier *c, const char *name, struct xb_error *err)
{
	struct stat st;

	if (fstatat(c->dest, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : xb_error_errno(err, -errno, "looking at %s", name);
	if (S_ISDIR(st.st_mode))
		return xb_error_set(err, -EISDIR, "a file cannot replace the directory %s", name);
	return unlinkat(c->dest, name, 0) < 0 ? xb_error_errno(err, -errno, "replacing %s", name)
					      : 0;
}

static int copy_file(const struct copier *c, int dirfd, const char *name, const char *to,
		     struct xb_error *err)
{
	/* not to block: what is there now may not be what was looked at */
	xb_auto_fd int from = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	xb_auto_xattrs struct xb_xattrs xattrs = { 0 };
	xb_auto_fd int fd = -1;
	struct stat st;
	int r;

	if (from < 0 || xb_owner_stat(from, "", &st) < 0)
		return xb_error_errno(err, -errno, "opening it");
	if (!S_ISREG(st.st_mode))
		return xb_error_set(err, -EILSEQ, "it changed while it was copied");
	r = xb_xattrs_read(from, "", &xattrs, err);
	if (r < 0)
		return r;
	fd = openat(c->dest, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return xb_error_errno(err, -errno, "making the copy");
	r = xb_copy_data(from, fd, XB_COPY_TO_END, err);
	if (r >= 0)
		r = set_metadata(c, fd, &st, &xattrs, err);
	if (r >= 0)
		r = set_time(fd, &st, err);
	return r < 0 ? r : xb_file_close(&fd, err);
}

static int copy_symlink(const struct copier *c, int dirfd, const char *name, const struct stat *st,
			const char *to, struct xb_error *err)
{
	xb_auto_xattrs struct xb_xattrs xattrs = { 0 };
	char target[PATH_MAX + 1];
	ssize_t n = readlinkat(dirfd, name, target, PATH_MAX);
	int r;

	if (n < 0)
		return xb_error_errno(err, -errno, "reading the link");
	target[n] = '\0';
	r = xb_xattrs_read(dirfd, name, &xattrs, err);
	if (r < 0)
		return r;
	if (symlinkat(target, c->dest, to) < 0)
		return xb_error_errno(err, -errno, "making the link");
	return set_named_metadata(c, to, st, &xattrs, err);
}

static int copy_node(const struct copier *c, int dirfd, const char *name, const struct stat *st,
		     const char *to, struct xb_error *err)
{
	xb_auto_xattrs struct xb_xattrs xattrs = { 0 };
	/* no layer holds a socket: as in BuildKit, an empty file stands for it */
	mode_t type = S_ISSOCK(st->st_mode) ? S_IFREG : st->st_mode & S_IFMT;
	int r = xb_xattrs_read(dirfd, name, &xattrs, err);

	if (r < 0)
		return r;
	if (mknodat(c->dest, to, type | 0600, st->st_rdev) < 0)
		return xb_error_errno(err, -errno, "making the node");
	return set_named_metadata(c, to, st, &xattrs, err);
}

static int copy_leaf(const struct copier *c, int dirfd, const char *name, const struct stat *st,
		     const char *to, struct xb_error *err)
{
	int r = make_room(c, to, err);

	if (r < 0)
		return r;
	if (S_ISREG(st->st_mode))
		return copy_file(c, dirfd, name, to, err);
	if (S_ISLNK(st->st_mode))
		return copy_symlink(c, dirfd, name, st, to, err);
	return copy_node(c, dirfd, name, st, to, err);
}

/* Make `to` another name of what was copied to `earlier` (below `top`). */
static int link_earlier(const struct copier *c, const char *earlier, const char *to,
			struct xb_error *err)
{
	const char *slash = strrchr(earlier, '/');
	xb_autofree char *dir =
		slash != NULL ? xb_view_dup((struct xb_view){ earlier, (size_t)(slash - earlier) })
			      : xb_strdup(".");
	xb_auto_fd int fd = xb_open_beneath(c->top, dir, O_PATH | O_DIRECTORY, 0, err);
	int r = fd < 0 ? fd : make_room(c, to, err);

	if (r < 0)
		return r;
	if (linkat(fd, slash != NULL ? slash + 1 : earlier, c->dest, to, 0) < 0)
		return xb_error_errno(err, -errno, "making the hard link");
	return 0;
}

/* Copy what the walk stands at into the current directory of the destination. */
static int copy_entry(struct copier *c, const struct xb_walk_entry *e, struct xb_error *err)
{
	size_t index = XB_INODES_NONE;

	if (e->st.st_nlink > 1)
		index = xb_inodes_get(&c->inodes, &e->st);
	if (index != XB_INODES_NONE)
		return link_earlier(c, c->names.items[index], e->name, err);
	if (e->st.st_nlink > 1) {
		xb_inodes_set(&c->inodes, &e->st, c->names.len);
		xb_strv_push(&c->names, e->path);
	}
	return copy_leaf(c, e->dirfd, e->name, &e->st, e->name, err);
}

/* Directories. */

/*
 * As BuildKit has it, a directory that is there already takes owner and attributes of the source's
 * only when it is wanted itself; its mode also for something below it, whatever --chmod says.
 */
static int set_level(const struct copier *c, int fd, const struct level *level, bool found,
		     struct xb_error *err)
{
	if (!found || !level->around)
		return set_metadata(c, fd, &level->st, &level->xattrs, err);
	if (fchmod(fd, level->st.st_mode & 07777) < 0)
		return xb_error_errno(err, -errno, "setting the mode");
	return 0;
}

/* Make a level's directory in the current one of the destination, and go into it. */
static int make_level(struct copier *c, struct level *level, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	struct stat around;
	bool found = mkdirat(c->dest, level->name, 0700) < 0;
	int r;

	if (found && errno != EEXIST)
		return xb_error_errno(err, -errno, "making the directory %s", level->name);
	fd = openat(c->dest, level->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return xb_error_set(err, -ENOTDIR, "a directory cannot replace the file %s",
				    level->name);
	if (fd < 0 || fstat(c->dest, &around) < 0)
		return xb_error_errno(err, -errno, "opening the directory %s", level->name);
	r = set_level(c, fd, level, found, err);
	if (r < 0)
		return r;
	level->device = around.st_dev;
	level->inode = around.st_ino;
	xb_cleanup_fd(&c->dest);
	c->dest = XB_STEAL_FD(fd);
	c->made++;
	return 0;
}

/* Something below is copied: make the directories around it that are not there yet. */
static int make_levels(struct copier *c, struct xb_error *err)
{
	int r = 0;

	while (r >= 0 && c->made < c->levels.len)
		r = make_level(c, &c->levels.items[c->made], err);
	return r;
}

static int enter(struct copier *c, struct xb_walk *walk, const struct xb_walk_entry *e,
		 enum xb_copy_verdict verdict, struct xb_error *err)
{
	struct level *level = xb_array_push(&c->levels);
	int r;

	level->name = xb_strdup(e->name);
	level->st = e->st;
	level->around = verdict == XB_COPY_AROUND;
	r = xb_walk_enter(walk, err);
	if (r >= 0)
		r = xb_xattrs_read(xb_walk_dirfd(walk), "", &level->xattrs, err);
	if (r >= 0 && verdict == XB_COPY_TAKE)
		r = make_levels(c, err);
	return r;
}

/* A directory is done. */
static int leave(struct copier *c, struct xb_error *err)
{
	struct level *level = &c->levels.items[c->levels.len - 1];
	bool made = c->made == c->levels.len;
	xb_auto_fd int up = -1;
	struct stat st;
	int r = made ? set_time(c->dest, &level->st, err) : 0;

	if (r >= 0 && made) {
		up = openat(c->dest, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (up < 0 || fstat(up, &st) < 0)
			return xb_error_errno(err, -errno, "going up from %s", level->name);
		if (st.st_dev != level->device || st.st_ino != level->inode)
			return xb_error_set(err, -EXDEV, "%s was moved meanwhile", level->name);
		xb_cleanup_fd(&c->dest);
		c->dest = XB_STEAL_FD(up);
		c->made--;
	}
	free(level->name);
	xb_xattrs_clear(&level->xattrs);
	c->levels.len--;
	return r;
}

static int copy_walked(struct copier *c, struct xb_walk *walk, const struct xb_walk_entry *e,
		       struct xb_error *err)
{
	bool is_dir = S_ISDIR(e->st.st_mode);
	enum xb_copy_verdict verdict;
	int r;

	if (e->event == XB_WALK_LEAVE)
		return leave(c, err);
	verdict = ask(c, e->path, is_dir);
	if (verdict == XB_COPY_SKIP || (verdict != XB_COPY_TAKE && !is_dir))
		return 0;
	if (is_dir)
		return enter(c, walk, e, verdict, err);
	r = make_levels(c, err);
	return r < 0 ? r : copy_entry(c, e, err);
}

/* The contents of the directory `src` into the current directory of the destination. */
static int copy_contents(struct copier *c, int src, struct xb_error *err)
{
	xb_auto_walk struct xb_walk *walk = NULL;
	struct xb_walk_entry e;
	int r = xb_walk_new(src, &walk, err);

	if (r < 0)
		return r;
	while ((r = xb_walk_next(walk, &e, err)) > 0) {
		xb_autofree char *path = xb_strdup(e.path); /* for the message */

		r = copy_walked(c, walk, &e, err);
		if (r < 0)
			return xb_error_wrap(err, r, "%s", path);
	}
	return r;
}

/* Where things go. */

/* The last component, without slashes behind it; "" for the root. */
static struct xb_view base_name(const char *path)
{
	struct xb_view v = xb_view(path);
	size_t start;

	while (v.len > 0 && v.data[v.len - 1] == '/')
		v.len--;
	for (start = v.len; start > 0 && v.data[start - 1] != '/'; start--)
		;
	return xb_view_sub(v, start, v.len);
}

/* What stands before the last component, "/" when nothing does. */
static char *dir_name(const char *path)
{
	struct xb_view base = base_name(path);
	size_t len = base.len > 0 ? (size_t)(base.data - path) : 0;

	return len > 0 ? xb_view_dup((struct xb_view){ path, len }) : xb_strdup("/");
}

/* Whether a path can only be that of a directory. */
static bool says_directory(const char *path)
{
	size_t len = strlen(path);
	struct xb_view base = base_name(path);

	return base.len == 0 || path[len - 1] == '/' || xb_view_is(base, ".") ||
	       xb_view_is(base, "..");
}

/* Whether there is a directory at `path`, links followed. */
static bool is_directory(int root, const char *path)
{
	xb_auto_fd int fd = xb_open_in_root(root, path, O_PATH | O_DIRECTORY, 0, NULL);

	return fd >= 0;
}

/* Follow the link that the last component of `*path` may be; 1 when there was one. */
static int follow_once(int root, char **path, struct xb_error *err)
{
	xb_autofree char *dir = dir_name(*path);
	xb_autofree char *name = xb_view_dup(base_name(*path));
	xb_auto_fd int fd = xb_open_in_root(root, dir, O_PATH | O_DIRECTORY, 0, NULL);
	char target[PATH_MAX + 1];
	ssize_t n = fd >= 0 ? readlinkat(fd, name, target, PATH_MAX) : -1;

	if (fd == -ENOTDIR)
		return xb_error_set(err, -ENOTDIR, "%s is not a directory", dir);
	if (n < 0)
		return 0; /* nothing there, or not a link */
	target[n] = '\0';
	free(*path);
	*path = target[0] == '/' ? xb_strdup(target) : xb_format("%s/%s", dir, target);
	return 1;
}

/*
 * The path of a file to be made at `dst`: a link there is followed, as BuildKit follows it, though
 * what it leads to may be missing. The result's last component is no link.
 */
static int follow(int root, const char *dst, char **ret, struct xb_error *err)
{
	xb_autofree char *path = xb_strdup(dst);
	int r = 1;

	for (int links = 0; r > 0; links++) {
		if (links > MAX_LINKS)
			return xb_error_errno(err, -ELOOP, "%s", dst);
		r = says_directory(path) ? 0 : follow_once(root, &path, err);
	}
	if (r < 0)
		return r;
	*ret = XB_STEAL(path);
	return 0;
}

int xb_copy_destination(int root, const char *path, const struct xb_copy_options *options,
			struct xb_error *err)
{
	const struct xb_parents parents = {
		.mode = options->mode >= 0 ? (mode_t)options->mode : 0755,
		.uid = options->uid >= 0 ? (uid_t)options->uid : 0,
		.gid = options->gid >= 0 ? (gid_t)options->gid : 0,
		.epoch = options->epoch,
	};

	return xb_parents_make(root, path, &parents, err);
}

/* Open the directory `path` of the destination, made when missing. */
static int open_destination(struct copier *c, int root, const char *path, struct xb_error *err)
{
	xb_auto_fd int fd = xb_copy_destination(root, path, c->options, err);

	if (fd < 0)
		return fd;
	c->dest = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c->top = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dest < 0 || c->top < 0)
		return xb_error_errno(err, -errno, "opening %s", path);
	return 0;
}

/* Open the source, links followed, and say what it is and where it really lies. */
static int open_source(int root, const char *src, struct stat *ret_st, struct xb_error *err)
{
	const char *path = src[0] != '\0' ? src : ".";
	xb_auto_fd int fd = xb_open_in_root(root, path, O_PATH, 0, err);

	if (fd < 0) {
		xb_error_fault(err, XB_FAULT_SOURCE);
		return fd;
	}
	if (xb_owner_stat(fd, "", ret_st) < 0)
		return xb_error_errno(err, -errno, "looking at it");
	return XB_STEAL_FD(fd);
}

/* The kernel's name of an open file, or NULL. */
static char *kernel_path(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return n > 0 && n < (ssize_t)sizeof(path) ? xb_view_dup((struct xb_view){ path, (size_t)n })
						  : NULL;
}

/* Where the source lies below its root: what the filter knows it by. Taken from the kernel, which
 * has followed the links; as written when it does not say. */
static void set_path(struct copier *c, int root, int source, const char *src)
{
	xb_autofree char *from = kernel_path(root);
	xb_autofree char *full = kernel_path(source);
	size_t len = from != NULL && strcmp(from, "/") != 0 ? strlen(from) : 0;
	struct xb_view path = xb_view(src);

	if (from != NULL && full != NULL && strncmp(full, from, len) == 0 &&
	    (full[len] == '/' || full[len] == '\0'))
		path = xb_view(full + len);
	while (path.len > 0 && path.data[0] == '/')
		path = xb_view_sub(path, 1, path.len);
	while (path.len > 0 && path.data[path.len - 1] == '/')
		path.len--;
	xb_str_append_view(&c->path, path);
	c->base_len = path.len;
}

static int copy_directory(struct copier *c, int source, int dst_root, const char *dst,
			  struct xb_error *err)
{
	int r = open_destination(c, dst_root, dst, err);

	return r < 0 ? r : copy_contents(c, source, err);
}

/*
 * Where a file, link or node goes: `dst`, or into it under `name`. Opens the directory, made when
 * missing, and gives the name in it.
 */
static int open_place(struct copier *c, const char *name, int dst_root, const char *dst,
		      char **ret_name, struct xb_error *err)
{
	xb_autofree char *where = NULL;
	xb_autofree char *dir = NULL;
	int r;

	if (says_directory(dst) || is_directory(dst_root, dst)) {
		r = open_destination(c, dst_root, dst, err);
		if (r >= 0)
			*ret_name = xb_strdup(name);
		return r;
	}
	r = follow(dst_root, dst, &where, err);
	if (r < 0)
		return r;
	dir = dir_name(where);
	r = open_destination(c, dst_root, dir, err);
	if (r >= 0)
		*ret_name = xb_view_dup(base_name(where));
	return r;
}

static int copy_single(struct copier *c, int src_root, const char *src, const struct stat *st,
		       int dst_root, const char *dst, struct xb_error *err)
{
	xb_autofree char *src_name = xb_view_dup(base_name(src));
	xb_autofree char *name = NULL;
	xb_autofree char *real = NULL;
	xb_autofree char *real_dir = NULL;
	xb_autofree char *real_name = NULL;
	xb_auto_fd int from = -1;
	int r = open_place(c, src_name, dst_root, dst, &name, err);

	if (r >= 0)
		r = follow(src_root, src, &real, err);
	if (r < 0)
		return r;
	real_dir = dir_name(real);
	real_name = xb_view_dup(base_name(real));
	from = xb_open_in_root(src_root, real_dir, O_PATH | O_DIRECTORY, 0, err);
	return from < 0 ? from : copy_leaf(c, from, real_name, st, name, err);
}

static int copy_path(struct copier *c, int src_root, const char *src, int dst_root, const char *dst,
		     struct xb_error *err)
{
	struct stat st;
	xb_auto_fd int source = open_source(src_root, src, &st, err);
	bool is_dir = source >= 0 && S_ISDIR(st.st_mode);

	if (source < 0)
		return source;
	set_path(c, src_root, source, src);
	if (ask(c, "", is_dir) == XB_COPY_SKIP)
		return 0;
	return is_dir ? copy_directory(c, source, dst_root, dst, err)
		      : copy_single(c, src_root, src, &st, dst_root, dst, err);
}

static struct copier copier_of(const struct xb_copy_options *options)
{
	return (struct copier){
		.options = options,
		.path = XB_STR_INIT(XB_STR_OWN),
		.top = -1,
		.dest = -1,
	};
}

int xb_copy_path(int src_root, const char *src, int dst_root, const char *dst,
		 const struct xb_copy_options *options, struct xb_error *err)
{
	XB_CLEANUP(copier_clear) struct copier c = copier_of(options);
	int r = copy_path(&c, src_root, src, dst_root, dst, err);

	if (r >= 0)
		return 0;
	xb_error_wrap(err, r, "copying %s to %s", src, dst);
	return r;
}

int xb_copy_leaf(int from_dir, const char *name, const struct stat *st, int to_dir,
		 struct xb_error *err)
{
	const struct xb_copy_options options = XB_COPY_OPTIONS_INIT;
	/* owns nothing: not cleared */
	struct copier c = { .options = &options, .top = to_dir, .dest = to_dir };

	return copy_leaf(&c, from_dir, name, st, name, err);
}

static int write_content(struct copier *c, const char *name, struct xb_view content, int dst_root,
			 const char *dst, struct xb_error *err)
{
	static const struct xb_xattrs none = { 0 };
	int64_t time = c->options->epoch >= 0 ? c->options->epoch : xb_clock_now();
	struct stat st = { .st_mode = S_IFREG | 0644, .st_mtim = { .tv_sec = time } };
	xb_autofree char *to = NULL;
	xb_auto_fd int fd = -1;
	int r = open_place(c, name, dst_root, dst, &to, err);

	if (r >= 0)
		r = make_room(c, to, err);
	if (r < 0)
		return r;
	fd = openat(c->dest, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return xb_error_errno(err, -errno, "making the file");
	r = xb_write_all(fd, content.data, content.len, err);
	if (r >= 0)
		r = set_metadata(c, fd, &st, &none, err);
	if (r >= 0)
		r = set_time(fd, &st, err);
	return r < 0 ? r : xb_file_close(&fd, err);
}

int xb_copy_content(const char *name, struct xb_view content, int dst_root, const char *dst,
		    const struct xb_copy_options *options, struct xb_error *err)
{
	XB_CLEANUP(copier_clear) struct copier c = copier_of(options);
	int r = write_content(&c, name, content, dst_root, dst, err);

	return r < 0 ? xb_error_wrap(err, r, "writing %s to %s", name, dst) : 0;
}
