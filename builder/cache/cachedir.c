/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/cachedir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/file.h"
#include "builder/cache/state.h"

/* Private caches of one key at the same time; as many steps never run at once. */
#define MAX_PRIVATE 4096

struct xb_cachedir {
	int lock; /* caches/<name>, locked */
	int fs;
	char *path; /* of fs */
};

/* A cache being taken. */
struct taking {
	struct xb_store *store;
	const char *name; /* below caches/ */
	enum xb_cachedir_use use;
	const struct xb_cachedir_seed *seed;
};

static int fill_new(const struct taking *t, const char *path, struct xb_error *err)
{
	xb_autofree char *below = xb_format("%s/fs", path);
	xb_auto_fd int fs = -1;

	if (mkdirat(t->store->ingest, path, 0700) < 0 || mkdirat(t->store->ingest, below, 0700) < 0)
		return xb_store_errno(err, -errno, "making a cache in %s", t->store->root);
	fs = openat(t->store->ingest, below, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fs < 0 || fchmod(fs, 0755) < 0)
		return xb_store_errno(err, -errno, "making a cache in %s", t->store->root);
	return t->seed->fill != NULL ? t->seed->fill(t->seed->context, fs, err) : 0;
}

/* Make the cache aside and move it into its place; somebody else's is as good. */
static int make(const struct taking *t, struct xb_error *err)
{
	xb_autofree char *path = xb_store_ingest_name(t->store);
	int r = fill_new(t, path, err);

	/* replaces no other, as none is empty; NFS does not know RENAME_NOREPLACE */
	if (r >= 0 && renameat(t->store->ingest, path, t->store->caches, t->name) == 0)
		return 0;
	if (r >= 0 && errno != EEXIST && errno != ENOTEMPTY)
		r = xb_store_errno(err, -errno, "making a cache in %s", t->store->root);
	(void)xb_remove_tree_at(t->store->ingest, path, NULL);
	return r < 0 ? r : 0;
}

/* Whether the locked directory still has its name: it may have been pruned before it was locked. */
static bool in_place(const struct taking *t, int lock)
{
	struct stat held;
	struct stat named;

	return fstat(lock, &held) == 0 &&
	       fstatat(t->store->caches, t->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* Returns 1 with the lock, 0 when there is no such cache (any more), or a negative errno. */
static int lock_existing(const struct taking *t, int *ret, struct xb_error *err)
{
	int how = (t->use == XB_CACHEDIR_SHARED ? LOCK_SH : LOCK_EX) | LOCK_NB;
	xb_auto_fd int fd =
		openat(t->store->caches, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return xb_store_errno(err, -errno, "opening a cache in %s", t->store->root);
	if (flock(fd, how) < 0)
		return errno == EWOULDBLOCK ? xb_error_set(err, -EAGAIN, "the cache is in use")
					    : xb_store_errno(err, -errno, "locking a cache in %s",
							     t->store->root);
	if (!in_place(t, fd))
		return 0;
	*ret = XB_STEAL_FD(fd);
	return 1;
}

static int take(const struct taking *t, struct xb_cachedir **ret, struct xb_error *err)
{
	xb_auto_cachedir struct xb_cachedir *dir = xb_calloc(1, sizeof(*dir));
	int r;

	*dir = (struct xb_cachedir){ .lock = -1, .fs = -1 };
	while ((r = lock_existing(t, &dir->lock, err)) == 0) {
		r = make(t, err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	/* the time of its last use */
	(void)futimens(dir->lock, NULL);
	dir->fs = openat(dir->lock, "fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir->fs < 0)
		return xb_store_errno(err, -errno, "opening a cache in %s", t->store->root);
	dir->path = xb_format("%s/caches/%s/fs", t->store->root, t->name);
	*ret = XB_STEAL(dir);
	return 0;
}

int xb_cachedir_take(struct xb_store *store, const char *key, enum xb_cachedir_use use,
		     const struct xb_cachedir_seed *seed, struct xb_cachedir **ret,
		     struct xb_error *err)
{
	struct xb_digest digest = xb_digest_of(key, xb_view(key).len);
	int tries = use == XB_CACHEDIR_PRIVATE ? MAX_PRIVATE : 1;
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < tries; i++) {
		xb_autofree char *numbered = xb_format("%s.%d", xb_digest_hex(&digest), i);
		struct taking t = { .store = store,
				    .name = i > 0 ? numbered : xb_digest_hex(&digest),
				    .use = use,
				    .seed = seed };
		xb_auto_error struct xb_error cause = XB_ERROR_INIT;

		r = take(&t, ret, &cause);
		if (r < 0 && (r != -EAGAIN || i + 1 == tries))
			xb_error_move(err, &cause);
	}
	return r;
}

int xb_cachedir_fd(const struct xb_cachedir *dir)
{
	return dir->fs;
}

const char *xb_cachedir_path(const struct xb_cachedir *dir)
{
	return dir->path;
}

void xb_cachedir_free(struct xb_cachedir *dir)
{
	if (dir == NULL)
		return;
	xb_cleanup_fd(&dir->fs);
	xb_cleanup_fd(&dir->lock);
	free(dir->path);
	free(dir);
}
