/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a step where owners are recorded: the calls by which programs give them away, and by
 * which they ask whose they are (docs/decisions/0043).
 *
 * B does what the caller may, and no more: it looks where the caller would, below the caller's own
 * root. What changes in the caller's memory or tree meanwhile misleads B about a file of the step.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/owner.h"
#include "builder/sandbox/init_calls.h"

/* ---- the file that a call names ----------------------------------------------------------- */

static int open_of(const struct init_calls *calls, pid_t pid, const char *what)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%d/%s", pid, what);
	fd = openat(calls->proc, path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_descriptor(const struct init_calls *calls, pid_t pid, int number)
{
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "fd/%d", number);
	fd = open_of(calls, pid, name);
	return fd == -ENOENT ? -EBADF : fd;
}

/* Where a path begins: a descriptor, the working directory, or nowhere in particular. */
static int open_base(const struct init_calls *calls, pid_t pid, int fd, const char *path)
{
	if (path[0] == '/')
		return open_of(calls, pid, "root");
	return fd == AT_FDCWD ? open_of(calls, pid, "cwd") : open_descriptor(calls, pid, fd);
}

/* Whether the caller's root is the step's, as that of almost all is. */
static bool has_own_root(const struct init_calls *calls, pid_t pid)
{
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%d/root", pid);
	return fstatat(calls->proc, path, &st, 0) < 0 || st.st_dev != calls->root_dev ||
	       st.st_ino != calls->root_ino;
}

static int open_path(int base, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(O_PATH | O_CLOEXEC | flags),
				.resolve = RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, base, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Look up as one who lives in the root `root`. */
static int open_inside(const struct init_calls *calls, int root, int base, const char *path,
		       int flags)
{
	int fd;

	if (fchdir(root) < 0 || chroot(".") < 0)
		return -errno;
	fd = open_path(base, path, flags);
	if (fchdir(calls->root) < 0 || chroot(".") < 0)
		_exit(1); /* never go on in a root of the step's choice */
	return fd;
}

int init_owners_open(const struct init_calls *calls, const struct init_call *call, int base_fd,
		     const char *path, int flags)
{
	int follow = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
	xb_auto_fd int root = -1;
	xb_auto_fd int base = -1;

	if (path[0] == '\0' && (flags & AT_EMPTY_PATH) == 0)
		return -ENOENT;
	base = open_base(calls, call->pid, base_fd, path);
	if (has_own_root(calls, call->pid))
		root = open_of(calls, call->pid, "root");
	/* up to here this might have been another process, after ours had died */
	if (!init_call_waits(calls, call))
		return -ENOENT;
	if (base < 0)
		return base;
	if (path[0] == '\0')
		return XB_STEAL_FD(base);
	return root < 0 ? open_path(base, path, follow)
			: open_inside(calls, root, base, path, follow);
}

static int open_named(const struct init_calls *calls, const struct init_call *call, int base_fd,
		      uint64_t address, int flags)
{
	char path[PATH_MAX];
	int r = init_call_path(call, address, path);

	return r < 0 ? r : init_owners_open(calls, call, base_fd, path, flags);
}

/* ---- giving it away ----------------------------------------------------------------------- */

/* What a call wants. */
struct change {
	uint32_t uid; /* INIT_KEEP: stays */
	uint32_t gid;
	int fd; /* the file, as O_PATH */
};

static int read_change(const struct init_calls *calls, const struct init_call *call,
		       struct change *ret)
{
	bool at = call->kind == INIT_FCHOWNAT;
	int fd = (int)(uint32_t)call->args[0];

	ret->uid = init_call_id(call, call->args[at ? 2 : 1]);
	ret->gid = init_call_id(call, call->args[at ? 3 : 2]);
	if (call->kind == INIT_FCHOWN)
		ret->fd = open_descriptor(calls, call->pid, fd);
	else if (at)
		ret->fd = open_named(calls, call, fd, call->args[1], (int)(uint32_t)call->args[4]);
	else
		ret->fd = open_named(calls, call, AT_FDCWD, call->args[0],
				     call->kind == INIT_LCHOWN ? AT_SYMLINK_NOFOLLOW : 0);
	return ret->fd < 0 ? ret->fd : 0;
}

static bool has_group(const struct init_identity *who, uint32_t gid)
{
	for (size_t i = 0; i < who->count; i++)
		if (who->groups[i] == gid)
			return true;
	return gid == who->gid[1];
}

/* The kernel's rule: users may give files of theirs to groups of theirs. */
static bool may_change(const struct init_identity *who, const struct change *c,
		       const struct stat *st)
{
	if (who->uid[1] == 0 || (c->uid == INIT_KEEP && c->gid == INIT_KEEP))
		return true;
	return st->st_uid == who->uid[1] && (c->uid == INIT_KEEP || c->uid == st->st_uid) &&
	       (c->gid == INIT_KEEP || c->gid == st->st_gid || has_group(who, c->gid));
}

/* Whose a file is. Without a record it is the step's user's, as far as one can tell now. */
static bool look(const struct init_calls *calls, int fd, struct stat *ret)
{
	const struct init_identity *user = &calls->identities.items[0];
	bool found = xb_owner_read(fd, "", ret);

	if (!found || ret->st_uid == XB_OWNER_UNKNOWN)
		ret->st_uid = user->uid[0];
	if (!found || ret->st_gid == XB_OWNER_UNKNOWN)
		ret->st_gid = user->gid[0];
	return found;
}

/* What is written: a part that was not known stays so. */
static int record(const struct change *c, const struct stat *had)
{
	uint32_t uid = c->uid != INIT_KEEP ? c->uid : had->st_uid;
	uint32_t gid = c->gid != INIT_KEEP ? c->gid : had->st_gid;

	/* what takes no records (a pipe, /proc) is not of the step's result */
	return xb_owner_set(c->fd, "", uid, gid) < 0 && errno != ENOTSUP && errno != EPERM ? -errno
											   : 0;
}

/*
 * The call itself is made, to the only ids there are: it takes set-id bits and capabilities away,
 * and an overlay copies the file. It takes away the records of links, too, hence is read before.
 */
static int change_owner(const struct init_calls *calls, pid_t pid, const struct change *c)
{
	struct stat st, had;

	if (fstatat(c->fd, "", &st, AT_EMPTY_PATH) < 0)
		return -errno;
	had = st;
	if (!xb_owner_read(c->fd, "", &had))
		had.st_uid = had.st_gid = XB_OWNER_UNKNOWN;
	(void)look(calls, c->fd, &st);
	if (!may_change(init_ids_of(calls, pid), c, &st))
		return -EPERM;
	if (fchownat(c->fd, "", c->uid == INIT_KEEP ? INIT_KEEP : 0,
		     c->gid == INIT_KEEP ? INIT_KEEP : 0, AT_EMPTY_PATH) < 0)
		return -errno;
	return record(c, &had);
}

static int64_t answer_change(const struct init_calls *calls, const struct init_call *call)
{
	struct change change = { .fd = -1 };
	int r = read_change(calls, call, &change);

	if (r >= 0)
		r = change_owner(calls, call->pid, &change);
	xb_cleanup_fd(&change.fd);
	/* through /proc/self/fd the kernel alone can look it up for the caller */
	return r == -ELOOP ? INIT_CALL_AS_IT_IS : r;
}

/* ---- asking whose it is ------------------------------------------------------------------- */

/* What is asked about. */
struct question {
	int base; /* the caller's descriptor, or AT_FDCWD */
	int flags;
	char path[PATH_MAX];
};

static int read_question(const struct init_call *call, struct question *ret)
{
	bool at = call->kind == INIT_FSTATAT || call->kind == INIT_STATX;
	bool descriptor = at || call->kind == INIT_FSTAT;

	ret->base = descriptor ? (int)(uint32_t)call->args[0] : AT_FDCWD;
	ret->flags = 0;
	ret->path[0] = '\0';
	if (call->kind == INIT_LSTAT)
		ret->flags = AT_SYMLINK_NOFOLLOW;
	if (call->kind == INIT_FSTAT)
		ret->flags = AT_EMPTY_PATH;
	if (at)
		ret->flags = (int)(uint32_t)call->args[call->kind == INIT_STATX ? 2 : 3];
	return call->kind == INIT_FSTAT ? 0 : init_call_path(call, call->args[at], ret->path);
}

/*
 * Whether the kernel's answer is right already, as it mostly is: by the caller's names in /proc,
 * with one call and nothing opened. A wrong yes, for a caller that has a root of its own or has
 * ended, leaves the kernel's answer.
 */
static bool is_the_users(const struct init_calls *calls, const struct init_call *call,
			 const struct question *q)
{
	const struct init_identity *user = &calls->identities.items[0];
	bool follow = (q->flags & AT_SYMLINK_NOFOLLOW) == 0 || q->path[0] == '\0';
	const char *slash = q->path[0] != '\0' ? "/" : "";
	char path[PATH_MAX + 64];
	uint32_t uid, gid;

	if (q->path[0] == '/')
		(void)snprintf(path, sizeof(path), "%s", q->path);
	else if (q->base == AT_FDCWD)
		(void)snprintf(path, sizeof(path), "/proc/%d/cwd/%s", call->pid, q->path);
	else
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d%s%s", call->pid, q->base, slash,
			       q->path);
	return !has_own_root(calls, call->pid) && xb_owner_peek(path, follow, &uid, &gid) &&
	       uid == user->uid[0] && gid == user->gid[0];
}

static int open_asked(const struct init_calls *calls, const struct init_call *call,
		      const struct question *q)
{
	return call->kind == INIT_FSTAT ? open_descriptor(calls, call->pid, q->base)
					: init_owners_open(calls, call, q->base, q->path, q->flags);
}

static int put_statx(const struct init_calls *calls, const struct init_call *call, int fd,
		     const struct stat *st)
{
	struct statx stx;
	int flags = (int)(uint32_t)call->args[2] & AT_STATX_SYNC_TYPE;

	if (statx(fd, "", flags | AT_EMPTY_PATH, (unsigned)call->args[3], &stx) < 0)
		return -errno;
	stx.stx_uid = st->st_uid;
	stx.stx_gid = st->st_gid;
	return init_call_waits(calls, call)
		       ? init_call_write(call, call->args[4], &stx, sizeof(stx))
		       : -ENOENT;
}

static int put_stat(const struct init_calls *calls, const struct init_call *call,
		    const struct stat *st)
{
	uint64_t address = call->args[call->kind == INIT_FSTATAT ? 2 : 1];

	return init_call_waits(calls, call) ? init_call_write(call, address, st, sizeof(*st))
					    : -ENOENT;
}

/* Where the kernel says what is recorded, and wherever anything is wrong, it answers itself. */
static int64_t answer_question(const struct init_calls *calls, const struct init_call *call)
{
	const struct init_identity *user = &calls->identities.items[0];
	xb_auto_fd int fd = -1;
	struct question q;
	struct stat st;

	if (read_question(call, &q) < 0 || is_the_users(calls, call, &q))
		return INIT_CALL_AS_IT_IS;
	fd = open_asked(calls, call, &q);
	if (fd < 0 || fstatat(fd, "", &st, AT_EMPTY_PATH) < 0 || !look(calls, fd, &st) ||
	    (st.st_uid == user->uid[0] && st.st_gid == user->gid[0]))
		return INIT_CALL_AS_IT_IS;
	return call->kind == INIT_STATX ? put_statx(calls, call, fd, &st)
					: put_stat(calls, call, &st);
}

int64_t init_owners_answer(const struct init_calls *calls, const struct init_call *call)
{
	return call->kind <= INIT_FCHOWNAT ? answer_change(calls, call)
					   : answer_question(calls, call);
}
