/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps where owners are recorded (docs/decisions/0043): the calls by which programs give files
 * away are answered by B, and those by which they become somebody else succeed and do nothing.
 *
 * B does what the caller may, and no more: it looks where the caller would, below the caller's own
 * root. What changes in the caller's memory or tree meanwhile misleads B about a file of the step.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "base/owner.h"
#include "builder/sandbox/init.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* since Linux 5.19 */
#endif

/* ---- the calls ---------------------------------------------------------------------------- */

enum kind { CHOWN, LCHOWN, FCHOWN, FCHOWNAT, BECOME };

/* The 32-bit architecture whose programs the kernel runs as well, and the numbers that its calls
 * have there: those with ids of 16 bits, which i386 and arm have alike, and those with 32. */
#if defined(__x86_64__)
#define COMPAT_ARCH AUDIT_ARCH_I386
enum { COMPAT_FCHOWNAT = 298 };
#elif defined(__aarch64__)
#define COMPAT_ARCH AUDIT_ARCH_ARM
enum { COMPAT_FCHOWNAT = 325 };
#else
#define COMPAT_ARCH 0U
enum { COMPAT_FCHOWNAT = -1 };
#endif
#ifndef __NR_chown
#define __NR_chown -1
#endif
#ifndef __NR_lchown
#define __NR_lchown -1
#endif

static const struct call {
	enum kind kind;
	int number;
	int compat16;
	int compat32;
} calls[] = {
	{ CHOWN, __NR_chown, 182, 212 },      { LCHOWN, __NR_lchown, 16, 198 },
	{ FCHOWN, __NR_fchown, 95, 207 },     { FCHOWNAT, __NR_fchownat, -1, COMPAT_FCHOWNAT },
	{ BECOME, __NR_setuid, 23, 213 },     { BECOME, __NR_setgid, 46, 214 },
	{ BECOME, __NR_setreuid, 70, 203 },   { BECOME, __NR_setregid, 71, 204 },
	{ BECOME, __NR_setgroups, 81, 206 },  { BECOME, __NR_setresuid, 164, 208 },
	{ BECOME, __NR_setresgid, 170, 210 }, { BECOME, __NR_setfsuid, 138, 215 },
	{ BECOME, __NR_setfsgid, 139, 216 },
};

/* ---- the filter (process C) --------------------------------------------------------------- */

/* Two for each number, and a handful around. */
#define MAX_FILTER (2 * 3 * XB_COUNT(calls) + 8)

struct filter {
	struct sock_filter items[MAX_FILTER];
	unsigned short len;
};

static void emit(struct filter *f, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
	f->items[f->len++] = (struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
}

static void emit_call(struct filter *f, int number, uint32_t action)
{
	if (number < 0)
		return;
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
	emit(f, BPF_RET | BPF_K, action, 0, 0);
}

static void emit_calls(struct filter *f, bool compat, bool root)
{
	emit(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	for (size_t i = 0; i < XB_COUNT(calls); i++) {
		bool become = calls[i].kind == BECOME;
		uint32_t action = become ? SECCOMP_RET_ERRNO : SECCOMP_RET_USER_NOTIF;

		if (become && !root)
			continue;
		emit_call(f, compat ? calls[i].compat16 : calls[i].number, action);
		emit_call(f, compat ? calls[i].compat32 : -1, action);
	}
	emit(f, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static void make_filter(struct filter *f, bool root)
{
	struct filter native = { .len = 0 };

	f->len = 0;
	emit_calls(&native, false, root);
	emit(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, COMPAT_ARCH, native.len, 0);
	memcpy(f->items + f->len, native.items, native.len * sizeof(*native.items));
	f->len = (unsigned short)(f->len + native.len);
	emit_calls(f, true, root);
}

static int load(struct filter *f)
{
	struct sock_fprog program = { .len = f->len, .filter = f->items };
	const unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);

	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	return fd < 0 ? -errno : (int)fd;
}

/* Space of a message with one descriptor, aligned as the kernel wants it. */
union carrier {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_descriptor(int to, int fd)
{
	union carrier control = { .bytes = "" };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int init_owners_watch(const struct init_user *user, struct xb_error *err)
{
	struct filter filter;
	xb_auto_fd int listener = -1;
	int r;

	if (!xb_owner_recorded())
		return 0;
	make_filter(&filter, user->uid == 0);
	listener = load(&filter);
	/* an outer builder listens to our processes already: the kernel allows one of them */
	if (listener == -EBUSY)
		return 0;
	r = listener < 0 ? listener : send_descriptor(INIT_FD_OWNERS, listener);
	(void)close(INIT_FD_OWNERS);
	return r < 0 ? xb_error_errno(err, r, "watching for changes of owners") : 0;
}

static int write_map(const char *path, unsigned id, struct xb_error *err)
{
	xb_auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	char line[32];
	int n = snprintf(line, sizeof(line), "%u 0 1\n", id);

	if (fd < 0)
		return xb_error_errno(err, -errno, "%s", path);
	return xb_write_all(fd, line, (size_t)n, err);
}

int init_owners_become(const struct init_user *user, struct xb_error *err)
{
	xb_auto_fd int groups = -1;
	int r;

	if (!xb_owner_recorded() || (user->uid == 0 && user->gid == 0))
		return 0;
	if (unshare(CLONE_NEWUSER) < 0)
		return xb_error_errno(err, -errno, "making a user namespace for user %u",
				      user->uid);
	groups = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
	if (groups < 0 || write(groups, "deny", 4) != 4)
		return xb_error_errno(err, -errno, "/proc/self/setgroups");
	r = write_map("/proc/self/gid_map", user->gid, err);
	return r < 0 ? r : write_map("/proc/self/uid_map", user->uid, err);
}

/* ---- answering (process B) ---------------------------------------------------------------- */

/* A call that waits. Newer kernels may say more of it than we know. */
union request {
	struct seccomp_notif notif;
	char room[512];
};

/* What a call wants. */
struct change {
	uid_t uid; /* XB_OWNER_UNKNOWN: stays */
	gid_t gid;
	int fd; /* the file, as O_PATH */
};

static int open_of(const struct init_owners *o, pid_t pid, const char *what, int flags)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%d/%s", pid, what);
	fd = openat(o->proc, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The caller's descriptor, or its working directory. */
static int open_base(const struct init_owners *o, pid_t pid, int fd)
{
	char name[32];

	if (fd == AT_FDCWD)
		return open_of(o, pid, "cwd", O_PATH);
	(void)snprintf(name, sizeof(name), "fd/%d", fd);
	fd = open_of(o, pid, name, O_PATH);
	return fd == -ENOENT ? -EBADF : fd;
}

static int read_path(const struct init_owners *o, pid_t pid, uint64_t address,
		     char ret[static PATH_MAX])
{
	xb_auto_fd int memory = open_of(o, pid, "mem", O_RDONLY);
	ssize_t n = memory < 0 ? memory : pread(memory, ret, PATH_MAX, (off_t)address);

	if (memory < 0)
		return memory;
	if (n <= 0)
		return -EFAULT;
	if (memchr(ret, '\0', (size_t)n) == NULL)
		return n < PATH_MAX ? -EFAULT : -ENAMETOOLONG;
	return 0;
}

/* Look `path` up as the caller would, which may live in a root of its own. */
static int open_below(const struct init_owners *o, int root, int base, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(O_PATH | O_CLOEXEC | flags),
				.resolve = RESOLVE_NO_MAGICLINKS };
	long fd;

	if (fchdir(root) < 0 || chroot(".") < 0)
		return -errno;
	fd = syscall(SYS_openat2, base, path, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	if (fchdir(o->root) < 0 || chroot(".") < 0)
		_exit(1); /* never go on in a root of the step's choice */
	return (int)fd;
}

static int open_named(const struct init_owners *o, const struct seccomp_notif *n, int base_fd,
		      uint64_t address, int flags)
{
	pid_t pid = (pid_t)n->pid;
	char path[PATH_MAX];
	xb_auto_fd int root = open_of(o, pid, "root", O_PATH | O_DIRECTORY);
	xb_auto_fd int base = open_base(o, pid, base_fd);
	int r = read_path(o, pid, address, path);

	/* up to here this might have been another process, after ours had died */
	if (ioctl(o->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n->id) < 0)
		return -ENOENT;
	if (r < 0 || root < 0)
		return r < 0 ? r : root;
	if (base < 0 && path[0] != '/')
		return base;
	if (path[0] == '\0' && (flags & AT_EMPTY_PATH) != 0)
		return XB_STEAL_FD(base);
	return open_below(o, root, base, path, (flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0);
}

static const struct call *call_of(const struct seccomp_data *data, bool *ret_short)
{
	bool compat = COMPAT_ARCH != 0 && data->arch == COMPAT_ARCH;

	for (size_t i = 0; i < XB_COUNT(calls); i++) {
		const struct call *call = &calls[i];

		*ret_short = compat && data->nr == call->compat16;
		if (*ret_short || data->nr == (compat ? call->compat32 : call->number))
			return call;
	}
	return NULL;
}

static uint32_t id_of(uint64_t argument, bool is_short)
{
	uint32_t id = (uint32_t)argument;

	if (is_short)
		id &= 0xffff;
	return is_short && id == 0xffff ? XB_OWNER_UNKNOWN : id;
}

static int read_change(const struct init_owners *o, const struct seccomp_notif *n,
		       struct change *ret)
{
	const uint64_t *args = (const uint64_t *)n->data.args;
	bool is_short = false;
	const struct call *call = call_of(&n->data, &is_short);
	bool at = call != NULL && call->kind == FCHOWNAT;
	int fd = (int)(uint32_t)args[0];

	if (call == NULL)
		return -ENOSYS;
	ret->uid = id_of(args[at ? 2 : 1], is_short);
	ret->gid = id_of(args[at ? 3 : 2], is_short);
	if (call->kind == FCHOWN)
		ret->fd = open_base(o, (pid_t)n->pid, fd == AT_FDCWD ? -1 : fd);
	else if (at)
		ret->fd = open_named(o, n, fd, args[1], (int)(uint32_t)args[4]);
	else
		ret->fd = open_named(o, n, AT_FDCWD, args[0],
				     call->kind == LCHOWN ? AT_SYMLINK_NOFOLLOW : 0);
	return ret->fd < 0 ? ret->fd : 0;
}

/* What the kernel lets a user do to a file of `st`: give it to a group of its own. */
static bool may_change(const struct init_owners *o, const struct change *c, const struct stat *st)
{
	uid_t owner = st->st_uid == XB_OWNER_UNKNOWN ? o->uid : st->st_uid;

	if (o->uid == 0)
		return true;
	return owner == o->uid && (c->uid == XB_OWNER_UNKNOWN || c->uid == owner) &&
	       (c->gid == XB_OWNER_UNKNOWN || c->gid == o->gid || c->gid == st->st_gid);
}

/*
 * The call itself is made, to the only ids there are: it takes set-id bits and capabilities away,
 * and an overlay copies the file. It takes away the records of links, too, hence is read before.
 */
static int change_owner(const struct init_owners *o, const struct change *c)
{
	struct stat st;
	bool found;

	if (fstatat(c->fd, "", &st, AT_EMPTY_PATH) < 0)
		return -errno;
	found = xb_owner_read(c->fd, "", &st);
	if (!found)
		st.st_uid = st.st_gid = XB_OWNER_UNKNOWN;
	if (!may_change(o, c, &st))
		return -EPERM;
	if (fchownat(c->fd, "", c->uid == XB_OWNER_UNKNOWN ? c->uid : 0,
		     c->gid == XB_OWNER_UNKNOWN ? c->gid : 0, AT_EMPTY_PATH) < 0)
		return -errno;
	if (c->uid != XB_OWNER_UNKNOWN)
		st.st_uid = c->uid;
	if (c->gid != XB_OWNER_UNKNOWN)
		st.st_gid = c->gid;
	/* what takes no records (a pipe, /proc) is not of the step's result */
	return xb_owner_set(c->fd, "", st.st_uid, st.st_gid) < 0 && errno != ENOTSUP &&
			       errno != EPERM
		       ? -errno
		       : 0;
}

static void answer(const struct init_owners *o)
{
	union request request = { .room = "" };
	struct seccomp_notif_resp response = { 0 };
	struct change change = { .fd = -1 };
	int r;

	if (ioctl(o->listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return; /* the caller was killed meanwhile */
	r = read_change(o, &request.notif, &change);
	if (r >= 0)
		r = change_owner(o, &change);
	xb_cleanup_fd(&change.fd);
	response.id = request.notif.id;
	response.error = r;
	/* through /proc/self/fd the kernel alone can look it up for the caller */
	if (r == -ELOOP) {
		response.error = 0;
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	}
	(void)ioctl(o->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* ---- its life (process B) ----------------------------------------------------------------- */

int init_owners_begin(const struct xb_sandbox_spec *spec, struct init_owners *ret,
		      struct xb_error *err)
{
	struct init_user user = { 0 };
	sigset_t ends_of_processes;
	int ends[2];

	*ret = (struct init_owners){ .listener = -1, .socket = -1, .root = -1, .proc = -1 };
	if (!xb_owner_recorded())
		return 0;
	ret->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ret->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ret->root < 0 || ret->proc < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return xb_error_errno(err, -errno, "preparing for changes of owners");
	ret->socket = ends[0];
	sigemptyset(&ends_of_processes);
	sigaddset(&ends_of_processes, SIGCHLD);
	ret->wait = signalfd(-1, &ends_of_processes, SFD_CLOEXEC);
	if (ret->wait < 0 || dup3(ends[1], INIT_FD_OWNERS, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "preparing for changes of owners");
	(void)close(ends[1]);
	/* the program's own process tells what is wrong with it */
	if (init_user_find(ret->root, spec->user != NULL ? spec->user : "", &user, NULL) >= 0) {
		ret->uid = user.uid;
		ret->gid = user.gid;
		init_user_clear(&user);
	}
	return 0;
}

static int receive_descriptor(int from)
{
	union carrier control = { .bytes = "" };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *c;
	int fd = -1;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	c = CMSG_FIRSTHDR(&message);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Reap whoever has ended; whether the step's program is among them. */
static bool reap(pid_t program, int *ret_status)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == program) {
			*ret_status = status;
			return true;
		}
	}
	return false;
}

/* Of what this process has above the record's pipe, keep what answering takes. */
static void keep_own(const struct init_owners *o)
{
	const int kept[] = { o->socket, o->wait, o->root, o->proc };
	unsigned from = XB_INIT_FD_RESULT + 1U;

	for (;;) {
		unsigned next = ~0U;

		for (size_t i = 0; i < XB_COUNT(kept); i++)
			if ((unsigned)kept[i] >= from && (unsigned)kept[i] < next)
				next = (unsigned)kept[i];
		if (next > from)
			(void)syscall(SYS_close_range, from, next == ~0U ? next : next - 1, 0);
		if (next == ~0U)
			return;
		from = next + 1;
	}
}

int init_owners_serve(struct init_owners *o, pid_t program)
{
	struct pollfd fds[] = { { .fd = o->wait, .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo info;
	int status = -1;

	keep_own(o); /* not the program's end of the socket, else its end would not be seen */
	fds[1].fd = o->listener = receive_descriptor(o->socket);
	xb_cleanup_fd(&o->socket);
	while (!reap(program, &status)) {
		if (poll(fds, XB_COUNT(fds), -1) < 0)
			continue;
		if (fds[0].revents != 0)
			(void)!read(o->wait, &info, sizeof(info));
		if ((fds[1].revents & POLLIN) != 0)
			answer(o);
		else if (fds[1].revents != 0)
			fds[1].fd = -1; /* nobody is left who could ask */
	}
	return status;
}
