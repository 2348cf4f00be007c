/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps where owners are recorded: which calls are answered by process B, the filter by which the
 * kernel asks, and B's life meanwhile. C loads the filter and sends B the descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/owner.h"
#include "builder/sandbox/init_calls.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* since Linux 5.19 */
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS	   SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0) /* since Linux 6.6 */
#endif

/* ---- the calls ---------------------------------------------------------------------------- */

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
#ifndef __NR_open
#define __NR_open -1
#endif
#ifndef __NR_creat
#define __NR_creat -1
#endif
#ifndef __NR_mkdir
#define __NR_mkdir -1
#endif
#ifndef __NR_symlink
#define __NR_symlink -1
#endif
#ifndef __NR_mknod
#define __NR_mknod -1
#endif
#ifndef __NR_stat
#define __NR_stat -1
#endif
#ifndef __NR_lstat
#define __NR_lstat -1
#endif
/* Where the kernel's struct stat is that of libc. 32-bit programs see all files as the user's. */
#if defined(__LP64__) && !defined(__mips__) && !defined(__alpha__)
#define OWN_STAT(number) number
#else
#define OWN_STAT(number) -1
#endif

/* Whom a call is answered for. */
enum whom { ALL, ROOT };

static const struct call {
	enum init_call_kind kind;
	enum whom whom; /* steps with USER have a namespace in which they are that user */
	int number;	/* -1: there is none */
	int compat16;
	int compat32;
} calls[] = {
	{ INIT_CHOWN, ALL, __NR_chown, 182, 212 },
	{ INIT_LCHOWN, ALL, __NR_lchown, 16, 198 },
	{ INIT_FCHOWN, ALL, __NR_fchown, 95, 207 },
	{ INIT_FCHOWNAT, ALL, __NR_fchownat, -1, COMPAT_FCHOWNAT },
	{ INIT_STAT, ALL, OWN_STAT(__NR_stat), -1, -1 },
	{ INIT_LSTAT, ALL, OWN_STAT(__NR_lstat), -1, -1 },
	{ INIT_FSTAT, ALL, OWN_STAT(__NR_fstat), -1, -1 },
	{ INIT_FSTATAT, ALL, OWN_STAT(__NR_newfstatat), -1, -1 },
	{ INIT_STATX, ALL, OWN_STAT(__NR_statx), -1, -1 },
	{ INIT_OPEN, ROOT, __NR_open, -1, -1 },
	{ INIT_OPENAT, ROOT, __NR_openat, -1, -1 },
	{ INIT_CREAT, ROOT, __NR_creat, -1, -1 },
	{ INIT_MKDIR, ROOT, __NR_mkdir, -1, -1 },
	{ INIT_MKDIRAT, ROOT, __NR_mkdirat, -1, -1 },
	{ INIT_SYMLINK, ROOT, __NR_symlink, -1, -1 },
	{ INIT_SYMLINKAT, ROOT, __NR_symlinkat, -1, -1 },
	{ INIT_MKNOD, ROOT, __NR_mknod, -1, -1 },
	{ INIT_MKNODAT, ROOT, __NR_mknodat, -1, -1 },
	{ INIT_SETUID, ROOT, __NR_setuid, 23, 213 },
	{ INIT_SETREUID, ROOT, __NR_setreuid, 70, 203 },
	{ INIT_SETRESUID, ROOT, __NR_setresuid, 164, 208 },
	{ INIT_SETFSUID, ROOT, __NR_setfsuid, 138, 215 },
	{ INIT_SETGID, ROOT, __NR_setgid, 46, 214 },
	{ INIT_SETREGID, ROOT, __NR_setregid, 71, 204 },
	{ INIT_SETRESGID, ROOT, __NR_setresgid, 170, 210 },
	{ INIT_SETFSGID, ROOT, __NR_setfsgid, 139, 216 },
	{ INIT_SETGROUPS, ROOT, __NR_setgroups, 81, 206 },
	{ INIT_GETUID, ROOT, __NR_getuid, 24, 199 },
	{ INIT_GETEUID, ROOT, __NR_geteuid, 49, 201 },
	{ INIT_GETRESUID, ROOT, __NR_getresuid, 165, 209 },
	{ INIT_GETGID, ROOT, __NR_getgid, 47, 200 },
	{ INIT_GETEGID, ROOT, __NR_getegid, 50, 202 },
	{ INIT_GETRESGID, ROOT, __NR_getresgid, 171, 211 },
	{ INIT_GETGROUPS, ALL, __NR_getgroups, 80, 205 },
	{ INIT_KEEPCAPS, ROOT, __NR_prctl, -1, -1 },
};

uint32_t init_call_id(const struct init_call *call, uint64_t argument)
{
	uint32_t id = (uint32_t)argument;

	if (!call->is_short)
		return id;
	id &= 0xffff;
	return id == 0xffff ? INIT_KEEP : id;
}

bool init_call_waits(const struct init_calls *c, const struct init_call *call)
{
	return ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
}

/* In two pieces, of which the second may not be there: nothing that a page holds is missed. */
ssize_t init_call_read(const struct init_call *call, uint64_t address, void *data, size_t size)
{
	const size_t page = 4096;
	size_t head = page - (size_t)(address % page);
	struct iovec local = { .iov_base = data, .iov_len = size };
	struct iovec remote[2];
	ssize_t n;

	if (head > size)
		head = size;
	remote[0] = (struct iovec){ (void *)(uintptr_t)address, head };
	remote[1] = (struct iovec){ (void *)(uintptr_t)(address + head), size - head };
	n = process_vm_readv(call->pid, &local, 1, remote, 2, 0);
	return n < 0 ? -errno : n;
}

int init_call_path(const struct init_call *call, uint64_t address, char ret[static PATH_MAX])
{
	ssize_t n = init_call_read(call, address, ret, PATH_MAX);

	if (n <= 0)
		return -EFAULT;
	if (memchr(ret, '\0', (size_t)n) == NULL)
		return n < PATH_MAX ? -EFAULT : -ENAMETOOLONG;
	return 0;
}

int init_call_write(const struct init_call *call, uint64_t address, const void *data, size_t size)
{
	struct iovec local = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };

	return process_vm_writev(call->pid, &local, 1, &remote, 1, 0) == (ssize_t)size ? 0
										       : -EFAULT;
}

/* ---- the filter (process C) --------------------------------------------------------------- */

/* Two for each number, three more for three of them, and a handful around. */
#define MAX_FILTER (2 * 3 * XB_COUNT(calls) + 9 + 8)

struct filter {
	struct sock_filter items[MAX_FILTER];
	unsigned short len;
};

static void emit(struct filter *f, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
	f->items[f->len++] = (struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
}

static void emit_call(struct filter *f, int number)
{
	if (number < 0)
		return;
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
	emit(f, BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF, 0, 0);
}

/* Of a call only those whose `argument` has a bit (BPF_JSET) of `k`, or is `k` (BPF_JEQ). */
static void emit_call_if(struct filter *f, int number, unsigned argument, unsigned test, uint32_t k)
{
	const size_t low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;

	if (number < 0)
		return;
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4);
	emit(f, BPF_LD | BPF_W | BPF_ABS,
	     (uint32_t)(offsetof(struct seccomp_data, args) + 8UL * argument + low), 0, 0);
	emit(f, BPF_JMP | test | BPF_K, k, 0, 1);
	emit(f, BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF, 0, 0);
	emit(f, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* What may make a file, and the one matter of prctl(). */
static void emit_native(struct filter *f, const struct call *call)
{
	if (call->kind == INIT_OPEN || call->kind == INIT_OPENAT)
		emit_call_if(f, call->number, call->kind == INIT_OPEN ? 1 : 2, BPF_JSET, O_CREAT);
	else if (call->kind == INIT_KEEPCAPS)
		emit_call_if(f, call->number, 0, BPF_JEQ, PR_SET_KEEPCAPS);
	else
		emit_call(f, call->number);
}

static void emit_calls(struct filter *f, bool compat, bool root)
{
	emit(f, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	for (size_t i = 0; i < XB_COUNT(calls); i++) {
		if (calls[i].whom == ROOT && !root)
			continue;
		if (!compat) {
			emit_native(f, &calls[i]);
			continue;
		}
		emit_call(f, calls[i].compat16);
		emit_call(f, calls[i].compat32);
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

int init_calls_watch(const struct init_user *user, struct xb_error *err)
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
	r = listener < 0 ? listener : send_descriptor(INIT_FD_CALLS, listener);
	(void)close(INIT_FD_CALLS);
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

int init_calls_become(const struct init_user *user, struct xb_error *err)
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

/* A call as the kernel tells it. Newer kernels may say more of it than we know. */
union request {
	struct seccomp_notif notif;
	char room[512];
};

static bool read_call(const struct seccomp_notif *n, struct init_call *ret)
{
	bool compat = COMPAT_ARCH != 0 && n->data.arch == COMPAT_ARCH;

	for (size_t i = 0; i < XB_COUNT(calls); i++) {
		bool is_short = compat && n->data.nr == calls[i].compat16;

		if (!is_short && n->data.nr != (compat ? calls[i].compat32 : calls[i].number))
			continue;
		*ret = (struct init_call){
			.kind = calls[i].kind,
			.id = n->id,
			.pid = (pid_t)n->pid,
			.is_short = is_short,
		};
		memcpy(ret->args, n->data.args, sizeof(ret->args));
		return true;
	}
	return false;
}

static int64_t answer_to(struct init_calls *c, const struct init_call *call)
{
	if (call->kind < INIT_OPEN)
		return init_owners_answer(c, call);
	return call->kind < INIT_SETUID ? init_makes_answer(c, call) : init_ids_answer(c, call);
}

static void answer(struct init_calls *c)
{
	union request request = { .room = "" };
	struct seccomp_notif_resp response = { 0 };
	struct init_call call;
	int64_t r = INIT_CALL_AS_IT_IS;

	if (ioctl(c->listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return; /* the caller was killed meanwhile */
	if (read_call(&request.notif, &call))
		r = answer_to(c, &call);
	if (r == INIT_CALL_DONE)
		return;
	response.id = request.notif.id;
	if (r == INIT_CALL_AS_IT_IS)
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (r < 0)
		response.error = (int32_t)r;
	else
		response.val = r;
	(void)ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* ---- its life (process B) ----------------------------------------------------------------- */

/* The program's own process tells what is wrong with the user. */
static void find_user(const struct xb_sandbox_spec *spec, struct init_calls *c)
{
	struct init_identity *identity = xb_array_push(&c->identities);
	struct init_user user = { 0 };

	if (init_user_find(c->root, spec->user != NULL ? spec->user : "", &user, NULL) < 0)
		return;
	for (size_t i = 0; i < XB_COUNT(identity->uid); i++) {
		identity->uid[i] = user.uid;
		identity->gid[i] = user.gid;
	}
	for (size_t i = 0; i < user.gids.len && i < INIT_MAX_GROUPS; i++)
		identity->groups[identity->count++] = user.gids.items[i];
	for (size_t i = 0; i < spec->gids.len && identity->count < INIT_MAX_GROUPS; i++)
		identity->groups[identity->count++] = spec->gids.items[i];
	init_ids_sort(identity);
	init_user_clear(&user);
}

static int open_all(struct init_calls *c)
{
	sigset_t ends_of_processes;
	struct stat st;
	int ends[2];

	c->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	c->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root < 0 || c->proc < 0 || fstat(c->root, &st) < 0)
		return -errno;
	c->root_dev = st.st_dev;
	c->root_ino = st.st_ino;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	c->socket = ends[0];
	sigemptyset(&ends_of_processes);
	sigaddset(&ends_of_processes, SIGCHLD);
	c->wait = signalfd(-1, &ends_of_processes, SFD_CLOEXEC);
	if (c->wait < 0 || dup3(ends[1], INIT_FD_CALLS, O_CLOEXEC) < 0)
		return -errno;
	(void)close(ends[1]);
	return 0;
}

int init_calls_begin(const struct xb_sandbox_spec *spec, struct init_calls **ret,
		     struct xb_error *err)
{
	struct init_calls *c;
	int r;

	*ret = NULL;
	if (!xb_owner_recorded())
		return 0;
	c = xb_calloc(1, sizeof(*c));
	c->listener = -1;
	r = open_all(c);
	if (r < 0)
		return xb_error_errno(err, r, "preparing for changes of owners");
	find_user(spec, c);
	*ret = c;
	return 0;
}

void init_calls_user(const struct init_calls *c, uint32_t *ret_uid, uint32_t *ret_gid)
{
	*ret_uid = c != NULL ? c->identities.items[0].uid[0] : 0;
	*ret_gid = c != NULL ? c->identities.items[0].gid[0] : 0;
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

/* Where the kernel can, the one who waits for an answer is woken at once, on this processor. */
static void take_listener(struct init_calls *c)
{
	c->listener = receive_descriptor(c->socket);
	xb_cleanup_fd(&c->socket);
	if (c->listener >= 0)
		(void)ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
			    SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
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
static void keep_own(const struct init_calls *c)
{
	const int kept[] = { c->socket, c->wait, c->root, c->proc };
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

int init_calls_serve(struct init_calls *c, pid_t program)
{
	struct pollfd fds[] = { { .fd = c->wait, .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo info;
	int status = -1;

	keep_own(c); /* not the program's end of the socket, else its end would not be seen */
	take_listener(c);
	(void)umask(0); /* for what is made in a program's place, its own counts */
	fds[1].fd = c->listener;
	for (bool ended = false; !ended;) {
		if (poll(fds, XB_COUNT(fds), -1) < 0)
			continue;
		if ((fds[1].revents & POLLIN) != 0)
			answer(c);
		else if (fds[1].revents != 0)
			fds[1].fd = -1; /* nobody is left who could ask */
		if (fds[0].revents != 0 && read(c->wait, &info, sizeof(info)) > 0)
			ended = reap(program, &status);
	}
	return status;
}
