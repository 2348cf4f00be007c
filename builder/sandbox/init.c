/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/owner.h"
#include "builder/sandbox/init.h"
#include "builder/sandbox/record.h"
#include "emulation/binfmt.h"

/* Where B keeps its binfmt_misc instance; the specification is read by then. */
enum { FD_BINFMT = XB_INIT_FD_SPEC };

/* Exit status of a process of ours that has written a record of failure. */
enum { FAILED = 125 };

static void put_text(struct xb_init_record *record, size_t *at, const char *text, uint32_t *ret_len)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (len > XB_INIT_RECORD_TEXT - *at)
		len = XB_INIT_RECORD_TEXT - *at;
	if (len > 0)
		memcpy(record->text + *at, text, len);
	*at += len;
	*ret_len = (uint32_t)len;
}

/* One write, below PIPE_BUF: whole or, when the builder is gone, of no interest. */
static void send_record(const struct xb_init_record *record, size_t text_len)
{
	size_t len = offsetof(struct xb_init_record, text) + text_len;

	(void)!write(XB_INIT_FD_RESULT, record, len);
}

static int send_failure(const struct xb_error *err)
{
	struct xb_init_record record = { .code = err->code,
					 .exit_code = -1,
					 .fault = (int32_t)err->fault };
	size_t at = 0;

	put_text(&record, &at, err->message, &record.message_len);
	put_text(&record, &at, err->hint, &record.hint_len);
	send_record(&record, at);
	return FAILED;
}

static void send_status(int status, const struct init_calls *calls)
{
	struct xb_init_record record = {
		.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
	};
	char refusal[XB_INIT_RECORD_TEXT];
	size_t at = 0;

	init_calls_user(calls, &record.uid, &record.gid);
	record.refused = init_guard_read(refusal, sizeof(refusal));
	put_text(&record, &at, refusal, &record.message_len);
	send_record(&record, at);
}

/* Process B: the first of the step's pid namespace. */

/* Die with A. A may have died before this, which its end of the gate tells; B waits at the gate
 * until A has written the id maps. */
static int pass_gate(int gate, struct xb_error *err)
{
	struct pollfd p = { .fd = gate };
	ssize_t n;
	char go;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return xb_error_errno(err, -errno, "asking to die with the parent");
	do
		n = read(gate, &go, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1 || poll(&p, 1, 0) < 0 || (p.revents & POLLHUP) != 0)
		return xb_error_set(err, -ECANCELED, "the builder is gone");
	return 0;
}

static int raise_loopback(struct xb_error *err)
{
	xb_auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo" };

	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return xb_error_errno(err, -errno, "raising the loopback device");
	return 0;
}

/* The instance lives as long as its descriptor, which B keeps until its end, as FD_BINFMT. */
static int register_emulators(const struct xb_strv *lines, struct xb_error *err)
{
	int fd = lines->len > 0 ? xb_binfmt_mount(err) : -1;
	int r = lines->len > 0 ? fd : 0;

	for (size_t i = 0; r >= 0 && i < lines->len; i++)
		r = xb_binfmt_register(fd, lines->items[i], err);
	if (r >= 0 && fd >= 0 && fd != FD_BINFMT) {
		r = dup3(fd, FD_BINFMT, O_CLOEXEC);
		(void)close(fd);
	}
	return r < 0 ? r : 0;
}

static int set_hostname(const struct xb_sandbox_spec *spec, struct xb_error *err)
{
	const char *hostname = spec->hostname != NULL ? spec->hostname : "";

	if (sethostname(hostname, strlen(hostname)) < 0)
		return xb_error_errno(err, -errno, "setting the host name \"%s\"", hostname);
	return 0;
}

/* What can be done ahead. */
static int set_up_namespaces(const struct xb_sandbox_spec *spec, struct init_outside *outside,
			     struct init_stage *stage, struct xb_error *err)
{
	int r = 0;

	if (spec->network == XB_SANDBOX_NET_NONE)
		r = raise_loopback(err);
	if (r >= 0 && spec->guard != NULL)
		r = init_guard_open(spec->guard, err);
	if (r >= 0)
		r = register_emulators(&spec->binfmt, err);
	return r < 0 ? r : init_root_begin(spec, outside, stage, err);
}

/* Reap everything until the step's program ends. */
static int reap_until(pid_t program)
{
	int status;
	pid_t pid;

	do
		pid = wait(&status);
	while (pid != program && (pid > 0 || errno == EINTR));
	return pid == program ? status : -1;
}

/* The first descriptor that is nothing to the program's process. */
static unsigned first_foreign(void)
{
	return xb_owner_recorded() ? INIT_FD_CALLS + 1U : XB_INIT_FD_RESULT + 1U;
}

/* Process C. Its control groups hold the program and what that starts, and none of us. */
static int run_program(struct xb_sandbox_spec *spec, const struct init_outside *outside,
		       struct xb_error *err)
{
	int r = init_exec_enter(spec, outside, err);

	(void)syscall(SYS_close_range, first_foreign(), ~0U, 0);
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return r < 0 ? r : init_exec_step(spec, err);
}

static int run_first(struct xb_sandbox_spec *spec, struct init_outside *outside, int gate,
		     struct xb_error *err)
{
	struct init_stage stage;
	struct init_calls *calls = NULL;
	int r = pass_gate(gate, err);
	pid_t program;

	if (r >= 0)
		r = set_up_namespaces(spec, outside, &stage, err);
	if (r >= 0 && spec->ahead) {
		r = init_order_wait(spec, err);
		if (r == 0)
			_exit(0);
	}
	if (r >= 0)
		r = set_hostname(spec, err);
	if (r >= 0)
		r = init_root_enter(spec, outside, &stage, err);
	if (r >= 0)
		r = init_calls_begin(spec, &calls, err);
	if (r < 0)
		return r;
	/* What the step runs must not look into this process. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (spec->binfmt.len == 0)
		(void)close(FD_BINFMT);
	program = fork();
	if (program < 0)
		return xb_error_errno(err, -errno, "starting the step's program");
	if (program == 0)
		return run_program(spec, outside, err);
	if (calls == NULL)
		(void)syscall(SYS_close_range, XB_INIT_FD_RESULT + 1U, ~0U, 0);
	/* The standard descriptors are the program's alone: they end with it. */
	(void)syscall(SYS_close_range, 0U, 2U, 0);
	send_status(calls != NULL ? init_calls_serve(calls, program) : reap_until(program), calls);
	_exit(0);
}

/* Process A: outside. */

static uint64_t namespaces(const struct xb_sandbox_spec *spec)
{
	return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
	       (spec->network == XB_SANDBOX_NET_NONE ? CLONE_NEWNET : 0) |
	       (spec->private_userns ? CLONE_NEWUSER : 0);
}

/* As fork(), into new namespaces. Raw calls: libc has no wrapper that returns twice. Where clone3
 * is filtered (ENOSYS inside containers) clone does the same. */
static pid_t clone_into(uint64_t flags, int *ret_pidfd, struct xb_error *err)
{
	struct clone_args args = { .flags = flags | CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
				   .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0 && (errno == ENOSYS || errno == EPERM)) {
#ifdef __s390x__
		pid = syscall(SYS_clone, NULL, flags | CLONE_PIDFD | SIGCHLD, ret_pidfd, NULL, 0);
#else
		pid = syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, NULL, ret_pidfd, NULL, 0);
#endif
	}
	if (pid < 0) {
		(void)xb_error_errno(err, -errno, "making the step's namespaces");
		return (pid_t)xb_error_hint(err, "see /proc/sys/user/max_*_namespaces");
	}
	return (pid_t)pid;
}

/* Map every id that is mapped here to itself. */
static int write_map(pid_t pid, const char *name, struct xb_error *err)
{
	xb_auto_str struct xb_str own = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str map = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *own_path = xb_format("/proc/self/%s", name);
	xb_autofree char *path = xb_format("/proc/%d/%s", pid, name);
	xb_auto_fd int fd = -1;
	struct xb_view rest, line;
	int r = xb_file_read(own_path, &own, err);

	if (r < 0)
		return r;
	rest = xb_str_view(&own);
	while (xb_view_split(&rest, '\n', &line)) {
		xb_autofree char *text = xb_view_dup(line);
		unsigned inside, outside, count;

		if (sscanf(text, "%u %u %u", &inside, &outside, &count) == 3)
			xb_str_printf(&map, "%u %u %u\n", inside, inside, count);
	}
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return xb_error_errno(err, -errno, "%s", path);
	return xb_write_all(fd, map.data, map.len, err);
}

static int open_gate(const struct xb_sandbox_spec *spec, pid_t first, int gate,
		     struct xb_error *err)
{
	int r = 0;

	if (spec->private_userns)
		r = write_map(first, "uid_map", err);
	if (r >= 0 && spec->private_userns)
		r = write_map(first, "gid_map", err);
	return r < 0 ? xb_error_wrap(err, r, "mapping the step's ids")
		     : xb_write_all(gate, "g", 1, err);
}

/* Wait until B has ended; kill it when the builder says so (SIGTERM), or the terminal (SIGHUP), or
 * when nobody holds the other end of the record's pipe any more. */
static int watch(int pidfd, int signals, bool *ret_orphaned, struct xb_error *err)
{
	struct pollfd fds[] = {
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = XB_INIT_FD_RESULT },
	};

	for (;;) {
		int n = poll(fds, XB_COUNT(fds), -1);

		if (n < 0 && errno != EINTR)
			return xb_error_errno(err, -errno, "waiting for the step");
		if (n > 0 && fds[0].revents != 0)
			return 0;
		if (n > 0 && (fds[1].revents != 0 || fds[2].revents != 0)) {
			*ret_orphaned = fds[2].revents != 0;
			(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
			fds[1].fd = fds[2].fd = -1;
		}
	}
}

static int end_of_first(pid_t first, struct xb_error *err)
{
	int status;

	while (waitpid(first, &status, __WALL) < 0) {
		if (errno != EINTR)
			return xb_error_errno(err, -errno, "waiting for the step");
	}
	if (!WIFSIGNALED(status))
		return 0; /* it has written a record */
	return xb_error_set(err, -ECHILD, "the step's first process was killed by signal %d",
			    WTERMSIG(status));
}

/* The builder is gone and cannot do it. The last process may still be on its way out. */
static void remove_groups(const struct xb_sandbox_spec *spec)
{
	for (size_t i = 0; i < spec->cgroups.len; i++) {
		int tries = 1000;

		while (rmdir(spec->cgroups.items[i]) < 0 && errno == EBUSY && tries-- > 0)
			(void)poll(NULL, 0, 1);
	}
}

/* The pipe is a process's own: only A and B have it, and B closes its writing end at once. */
static int run_outside(struct xb_sandbox_spec *spec, int signals, struct xb_error *err)
{
	struct init_outside outside;
	bool orphaned = false;
	int gate[2], pidfd = -1;
	pid_t first;
	int r = init_outside_open(spec, &outside, err);

	if (r < 0)
		return r;
	if (pipe2(gate, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "making a pipe");
	first = clone_into(namespaces(spec), &pidfd, err);
	if (first < 0)
		return first;
	if (first == 0) {
		(void)close(gate[1]);
		return run_first(spec, &outside, gate[0], err);
	}
	/* the order is B's: when B is gone there must be nobody left to take it */
	if (spec->ahead)
		(void)close(XB_INIT_FD_ORDER);
	r = open_gate(spec, first, gate[1], err);
	if (r < 0) {
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		(void)waitpid(first, NULL, __WALL);
		return r;
	}
	r = watch(pidfd, signals, &orphaned, err);
	if (r >= 0)
		r = end_of_first(first, err);
	if (orphaned)
		remove_groups(spec);
	return r;
}

static int read_spec(struct xb_sandbox_spec *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
	int r = xb_file_read_fd(XB_INIT_FD_SPEC, &bytes, err);

	(void)close(XB_INIT_FD_SPEC);
	return r < 0 ? r : xb_sandbox_spec_decode(xb_str_view(&bytes), ret, err);
}

static size_t count_sources(const struct xb_sandbox_spec *spec)
{
	size_t count = 0;

	for (size_t i = 0; i < spec->mounts.len; i++)
		count += spec->mounts.items[i].source_fd >= 0;
	return count;
}

/* Keep nothing that the builder did not mean to hand down; let nothing of it reach the program. */
static int fence_descriptors(const struct xb_sandbox_spec *spec, struct xb_error *err)
{
	unsigned first = XB_INIT_FD_SOURCES + (unsigned)count_sources(spec) + spec->ahead;

	if (spec->emulator_fd < 0)
		(void)close(XB_INIT_FD_EMULATOR);
	if (syscall(SYS_close_range, first, ~0U, 0) < 0 ||
	    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "closing descriptors");
	return 0;
}

/* Signals wait in a descriptor: A ends when B has, and B ends with its program, not otherwise. */
static int catch_signals(const struct xb_sandbox_spec *spec, struct xb_error *err)
{
	sigset_t all, wanted;
	int fd;

	sigfillset(&all);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGHUP);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return xb_error_errno(err, -errno, "blocking signals");
	fd = signalfd(-1, &wanted, SFD_CLOEXEC);
	if (fd < 0)
		return xb_error_errno(err, -errno, "catching signals");
	/* Out of reach of what is sent to the builder's group. No session: the kernel's scheduler
	 * shares out time by sessions first, and would set the step back against the builder. */
	if (!spec->terminal)
		(void)setpgid(0, 0);
	return fd;
}

static int run(struct xb_error *err)
{
	struct xb_sandbox_spec spec;
	int signals;
	int r = read_spec(&spec, err);

	if (r >= 0)
		r = fence_descriptors(&spec, err);
	signals = r < 0 ? r : catch_signals(&spec, err);
	return signals < 0 ? signals : run_outside(&spec, signals, err);
}

int main(int argc, char **argv)
{
	struct xb_error err = XB_ERROR_INIT;
	int r;

	if (argc > 1 && init_guard_is_handler(argv))
		return init_guard_refuse(argv);
	r = run(&err);
	return r < 0 ? send_failure(&err) : 0;
}
