/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removal of trees as deep and as wide as others made them. One directory is open at a time; the
 * way back up is by "..", and is believed only when it leads to the directory that we came from.
 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"

enum {
	DIRENT_BYTES = 32 << 10,
	/* How often a directory may turn out not to be empty after all, in the whole tree. */
	MAX_REFILLED = 1000,
	/* What an attempt to remove tells when the entry is a directory that must be emptied. */
	MUST_ENTER = 1,
};

/* A directory that is being emptied, as its parent knows it. */
struct level {
	dev_t parent_dev;
	ino_t parent_ino;
	char *name;
};

struct levels XB_ARRAY(struct level);

struct removal {
	int top;	      /* what holds the tree; never closed here */
	int fd;		      /* the innermost directory; -1 at the top */
	struct levels levels; /* the way from the top to it */
	int refilled;
	bool (*stop)(void *context); /* NULL: never */
	void *context;
	_Alignas(struct dirent64) char dirents[DIRENT_BYTES];
};

static void removal_clear(struct removal *r)
{
	xb_cleanup_fd(&r->fd);
	for (size_t i = 0; i < r->levels.len; i++)
		free(r->levels.items[i].name);
	xb_array_clear(&r->levels);
}

static int current(const struct removal *r)
{
	return r->levels.len > 0 ? r->fd : r->top;
}

static int open_child(int dirfd, const char *name, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | flags),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	long fd;

	do
		fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : (int)fd;
}

/* Make a directory that may not be read accessible to us, its owner, and open it. */
static int open_locked_child(int dirfd, const char *name)
{
	xb_auto_fd int fd = open_child(dirfd, name, O_PATH);
	char path[64];

	if (fd < 0)
		return fd;
	/* fchmod() takes no O_PATH descriptor, and a name could be changed under us. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (chmod(path, 0700) < 0)
		return -errno;
	return open_child(dirfd, name, O_RDONLY);
}

/* Go down into `name`. */
static int enter(struct removal *r, const char *name)
{
	xb_auto_fd int fd = open_child(current(r), name, O_RDONLY);
	struct stat parent, st;
	struct level *level;

	if (fd == -EACCES)
		fd = open_locked_child(current(r), name);
	if (fd < 0)
		return fd;
	if (fstat(current(r), &parent) < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Without these its entries cannot go; when it fails, their removal tells. */
	if ((st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700);
	level = xb_array_push(&r->levels);
	*level = (struct level){ parent.st_dev, parent.st_ino, xb_strdup(name) };
	xb_cleanup_fd(&r->fd);
	r->fd = XB_STEAL_FD(fd);
	return 0;
}

/* Go back up out of an emptied directory, and remove it. */
static int leave(struct removal *r)
{
	struct level *level = &r->levels.items[r->levels.len - 1];
	xb_auto_fd int parent = -1;
	xb_autofree char *name = NULL;
	struct stat st;

	if (r->levels.len > 1) {
		parent = openat(r->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0 || fstat(parent, &st) < 0)
			return -errno;
		if (st.st_dev != level->parent_dev || st.st_ino != level->parent_ino)
			return -ESTALE;
	}
	xb_cleanup_fd(&r->fd);
	r->fd = XB_STEAL_FD(parent);
	name = XB_STEAL(level->name);
	r->levels.len--;
	if (unlinkat(current(r), name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	/* Someone adds to it, or readdir() passed over what moved: it is met again. */
	if (errno == ENOTEMPTY && ++r->refilled < MAX_REFILLED)
		return r->levels.len > 0 ? 0 : enter(r, name);
	return -errno;
}

/* Remove one entry of the current directory: 0, MUST_ENTER, or a negative errno. */
static int remove_entry(const struct removal *r, const char *name, unsigned char type)
{
	if (type != DT_DIR) {
		if (unlinkat(current(r), name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return -errno;
	}
	if (unlinkat(current(r), name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	/* EBUSY: a mount point; entering it gives the better error. */
	return errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY ? MUST_ENTER : -errno;
}

/* Remove an entry, or go down into it; as remove_entry(). */
static int remove_or_enter(struct removal *r, const char *name, unsigned char type,
			   struct xb_error *err)
{
	int n = 0, entered = 0;

	if (r->stop != NULL && r->stop(r->context))
		return xb_error_errno(err, -ECANCELED, "%s", name);
	n = remove_entry(r, name, type);
	if (n == MUST_ENTER)
		entered = enter(r, name);
	if (entered == -ENOENT)
		return 0;
	if (n < 0 || entered < 0)
		return xb_error_errno(err, n < 0 ? n : entered, "%s", name);
	return n;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Remove what `len` bytes of directory entries name, up to the first directory to go down into. */
static int remove_dirents(struct removal *r, size_t len, struct xb_error *err)
{
	int n = 0;

	for (size_t at = 0; at < len && n == 0;) {
		const struct dirent64 *entry = (const struct dirent64 *)(r->dirents + at);

		at += entry->d_reclen;
		if (!is_dot(entry->d_name))
			n = remove_or_enter(r, entry->d_name, entry->d_type, err);
	}
	return n;
}

/* Empty the current directory: 0 when it is, MUST_ENTER when we are now one further down. */
static int empty_current(struct removal *r, struct xb_error *err)
{
	ssize_t len;
	int n = 0;

	/* Always from the start: what was met before is gone. */
	if (lseek(r->fd, 0, SEEK_SET) < 0)
		return xb_error_errno(err, -errno, "rewinding a directory");
	do {
		len = getdents64(r->fd, r->dirents, sizeof(r->dirents));
		if (len < 0)
			return xb_error_errno(err, -errno, "reading a directory");
		n = remove_dirents(r, (size_t)len, err);
	} while (len > 0 && n == 0);
	return n;
}

static int remove_below(struct removal *r, const char *name, struct xb_error *err)
{
	int n = remove_or_enter(r, name, DT_UNKNOWN, err);

	while (n >= 0 && r->levels.len > 0) {
		n = empty_current(r, err);
		if (n != 0)
			continue;
		n = leave(r);
		if (n < 0)
			return xb_error_errno(err, n, "removing an emptied directory");
	}
	return n < 0 ? n : 0;
}

/* Open what holds `path`; yields the last component, borrowed. */
static int open_parent(int dirfd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	xb_autofree char *parent = NULL;
	int fd;

	if (slash == NULL) {
		parent = xb_strdup(".");
		*ret_name = path;
	} else {
		parent = xb_format("%.*s", (int)(slash - path) + 1, path);
		*ret_name = slash + 1;
	}
	if (**ret_name == '\0' || is_dot(*ret_name))
		return -EINVAL;
	fd = openat(dirfd, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int xb_remove_tree_until(int dirfd, const char *name, bool (*stop)(void *context), void *context,
			 struct xb_error *err)
{
	xb_autofree struct removal *r = xb_calloc(1, sizeof(*r));
	xb_auto_fd int top = -1;
	const char *last = NULL;
	int n;

	top = open_parent(dirfd, name, &last);
	if (top == -ENOENT)
		return 0;
	if (top < 0)
		return xb_error_errno(err, top, "removing %s", name);
	r->top = top;
	r->fd = -1;
	r->stop = stop;
	r->context = context;
	n = remove_below(r, last, err);
	removal_clear(r);
	if (n < 0)
		return xb_error_wrap(err, n, "removing %s", name);
	return 0;
}

int xb_remove_tree_at(int dirfd, const char *name, struct xb_error *err)
{
	return xb_remove_tree_until(dirfd, name, NULL, NULL, err);
}
