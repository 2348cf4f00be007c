/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process makes after it has become another user, where owners are recorded: B makes it in
 * its place, and records whose it is. Whatever is not as simple as that, or cannot be done, is left
 * to the kernel, which also tells what is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/owner.h"
#include "builder/sandbox/init_calls.h"

/* Since Linux 5.14; without it the kernel makes the file. */
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

/* What is to be made. */
struct making {
	const struct init_call *call;
	const struct init_identity *who;
	int dir;    /* where, as O_PATH */
	char *name; /* in `path` */
	char path[PATH_MAX];
	mode_t mode; /* without what the caller's umask takes away */
};

/* Where each call has its arguments; -1: it has none such. */
static const struct layout {
	int dir;
	int path;
	int mode;
	int flags;
} layouts[] = {
	[INIT_OPEN - INIT_OPEN] = { -1, 0, 2, 1 },
	[INIT_OPENAT - INIT_OPEN] = { 0, 1, 3, 2 },
	[INIT_CREAT - INIT_OPEN] = { -1, 0, 1, -1 },
	[INIT_MKDIR - INIT_OPEN] = { -1, 0, 1, -1 },
	[INIT_MKDIRAT - INIT_OPEN] = { 0, 1, 2, -1 },
	[INIT_SYMLINK - INIT_OPEN] = { -1, 1, -1, -1 },
	[INIT_SYMLINKAT - INIT_OPEN] = { 1, 2, -1, -1 },
	[INIT_MKNOD - INIT_OPEN] = { -1, 0, 1, -1 },
	[INIT_MKNODAT - INIT_OPEN] = { 0, 1, 2, -1 },
};

static mode_t umask_of(const struct init_calls *calls, pid_t pid)
{
	char path[32], text[512];
	unsigned mask = 0;
	const char *line;
	xb_auto_fd int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/status", pid);
	fd = openat(calls->proc, path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	line = strstr(text, "\nUmask:");
	return line != NULL && sscanf(line, "\nUmask: %o", &mask) == 1 ? (mode_t)mask : 0022;
}

/* Cut the last component off; false where that is not a plain name. */
static bool split(struct making *m)
{
	size_t len = strlen(m->path);
	char *slash;

	while (len > 1 && m->path[len - 1] == '/')
		m->path[--len] = '\0';
	slash = strrchr(m->path, '/');
	m->name = slash != NULL ? slash + 1 : m->path;
	return m->name[0] != '\0' && strcmp(m->name, ".") != 0 && strcmp(m->name, "..") != 0;
}

static int open_around(const struct init_calls *calls, struct making *m, int base)
{
	xb_autofree char *above = NULL;

	if (m->name == m->path)
		return init_owners_open(calls, m->call, base, ".", 0);
	above = xb_view_dup((struct xb_view){ m->path, (size_t)(m->name - m->path) });
	return init_owners_open(calls, m->call, base, above, 0);
}

static int prepare(const struct init_calls *calls, struct making *m)
{
	const struct layout *at = &layouts[m->call->kind - INIT_OPEN];
	const uint64_t *args = m->call->args;
	int r = init_call_path(m->call, args[at->path], m->path);

	if (r < 0 || !split(m))
		return -EINVAL;
	m->mode = at->mode >= 0 ? (mode_t)args[at->mode] & ~umask_of(calls, m->call->pid) : 0;
	m->dir = open_around(calls, m, at->dir >= 0 ? (int)(uint32_t)args[at->dir] : AT_FDCWD);
	return m->dir < 0 ? m->dir : 0;
}

/* A directory with the set-group-id bit gives its group; which, is settled after the step. */
static int record(const struct making *m)
{
	struct stat st;
	bool inherits = fstat(m->dir, &st) == 0 && (st.st_mode & S_ISGID) != 0;

	return xb_owner_set(m->dir, m->name, m->who->uid[1],
			    inherits ? XB_OWNER_UNKNOWN : m->who->gid[1]);
}

/* Returns 0, or -1 where nothing was made. */
static int make_entry(const struct making *m)
{
	char target[PATH_MAX];
	mode_t type = m->mode & S_IFMT;

	switch (m->call->kind) {
	case INIT_MKDIR:
	case INIT_MKDIRAT:
		return mkdirat(m->dir, m->name, m->mode);
	case INIT_SYMLINK:
	case INIT_SYMLINKAT:
		return init_call_path(m->call, m->call->args[0], target) < 0
			       ? -1
			       : symlinkat(target, m->dir, m->name);
	default:
		return type == S_IFCHR || type == S_IFBLK ? -1
							  : mknodat(m->dir, m->name, m->mode, 0);
	}
}

/* Give the caller a descriptor, as the value of its call. */
static int64_t hand_over(const struct init_calls *calls, const struct init_call *call, int fd,
			 int flags)
{
	struct seccomp_notif_addfd add = {
		.id = call->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = (uint32_t)(flags & O_CLOEXEC),
	};

	return ioctl(calls->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno
									   : INIT_CALL_DONE;
}

/* What is there already is opened by the kernel. */
static int64_t make_file(const struct init_calls *calls, const struct making *m)
{
	const struct layout *at = &layouts[m->call->kind - INIT_OPEN];
	int flags = at->flags >= 0 ? (int)(uint32_t)m->call->args[at->flags]
				   : O_CREAT | O_WRONLY | O_TRUNC;
	xb_auto_fd int fd = -1;

	if ((flags & (O_PATH | O_DIRECTORY)) != 0)
		return INIT_CALL_AS_IT_IS;
	fd = openat(m->dir, m->name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    m->mode & 07777);
	if (fd < 0)
		return INIT_CALL_AS_IT_IS;
	return record(m) < 0 ? -errno : hand_over(calls, m->call, fd, flags);
}

int64_t init_makes_answer(const struct init_calls *calls, const struct init_call *call)
{
	const struct init_identity *user = &calls->identities.items[0];
	struct making m = { .call = call, .who = init_ids_of(calls, call->pid), .dir = -1 };
	int64_t r = INIT_CALL_AS_IT_IS;

	if (m.who->uid[1] == user->uid[1] && m.who->gid[1] == user->gid[1])
		return r;
	if (prepare(calls, &m) < 0)
		return r;
	if (call->kind <= INIT_CREAT)
		r = make_file(calls, &m);
	else if (make_entry(&m) == 0)
		r = record(&m) < 0 ? -errno : 0;
	xb_cleanup_fd(&m.dir);
	return r;
}
