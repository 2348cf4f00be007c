/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/keylock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "builder/cache/state.h"

struct xb_keylock {
	int dirfd;
	int fd;
	char *name;
};

/*
 * A help for those who wait, no more: nothing is wrong when it cannot be written. A new file is not
 * truncated: ext4 writes what was truncated before to the disk when it is closed.
 */
static void note_holder(int fd, off_t old_size)
{
	if (old_size == 0 || ftruncate(fd, 0) == 0)
		(void)dprintf(fd, "%ld\n", (long)getpid());
}

/* Whether the file still has its name. To count its links is not enough: NFS renames what is
 * removed while somebody has it open. */
static bool in_place(const struct xb_keylock *lock, const struct stat *held)
{
	struct stat named;

	return fstatat(lock->dirfd, lock->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == held->st_dev && named.st_ino == held->st_ino;
}

/*
 * The holder removes the file before it unlocks it, so that the directory stays small. Whoever
 * waited for that file then holds a lock that nobody else can see, and has to start again.
 * Returns 1 with the lock, 0 to start again.
 */
static int try_take(struct xb_keylock *lock, bool wait)
{
	xb_auto_fd int fd =
		openat(lock->dirfd, lock->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	do
		r = flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
	while (r < 0 && errno == EINTR);
	if (r < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!in_place(lock, &st))
		return 0;
	note_holder(fd, st.st_size);
	lock->fd = XB_STEAL_FD(fd);
	return 1;
}

static char *name_of(const char *key)
{
	struct xb_digest digest = xb_digest_of(key, strlen(key));

	return xb_format("key-%s", xb_digest_hex(&digest));
}

int xb_keylock_take(struct xb_store *store, const char *key, bool wait, struct xb_keylock **ret,
		    struct xb_error *err)
{
	xb_auto_keylock struct xb_keylock *lock = xb_calloc(1, sizeof(*lock));
	int r;

	lock->fd = -1;
	lock->name = name_of(key);
	lock->dirfd = fcntl(store->locks, F_DUPFD_CLOEXEC, 0);
	r = lock->dirfd < 0 ? -errno : 0;
	while (r == 0)
		r = try_take(lock, wait);
	if (r == -EAGAIN)
		return xb_error_set(err, r, "the step is running elsewhere");
	if (r < 0)
		return xb_store_errno(err, r, "locking a step in %s", store->root);
	*ret = XB_STEAL(lock);
	return 0;
}

bool xb_keylock_holder(struct xb_store *store, const char *key, pid_t *ret_pid,
		       int64_t *ret_seconds)
{
	xb_autofree char *name = name_of(key);
	xb_auto_fd int fd = openat(store->locks, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[32] = "";
	int64_t now = xb_clock_now();
	struct stat st;
	long pid;

	if (fd < 0 || fstat(fd, &st) < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	pid = strtol(text, NULL, 10);
	if (pid <= 0 || pid > INT_MAX)
		return false;
	*ret_pid = (pid_t)pid;
	*ret_seconds = now > st.st_mtim.tv_sec ? now - st.st_mtim.tv_sec : 0;
	return true;
}

void xb_keylock_free(struct xb_keylock *lock)
{
	if (lock == NULL)
		return;
	if (lock->fd >= 0) {
		(void)unlinkat(lock->dirfd, lock->name, 0);
		(void)flock(lock->fd, LOCK_UN);
	}
	xb_cleanup_fd(&lock->fd);
	xb_cleanup_fd(&lock->dirfd);
	free(lock->name);
	free(lock);
}
