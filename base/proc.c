/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"

/* What posix_spawn() is told, put together in one place. */
struct spawn {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int first_free; /* no number below it may be overwritten in the child */
	int *copies;	/* of the given descriptors, from `first_free` up */
	size_t copy_count;
	int program; /* copy of the program's descriptor, or -1 */
	char program_path[32];
};

static void spawn_clear(struct spawn *s)
{
	(void)posix_spawn_file_actions_destroy(&s->actions);
	(void)posix_spawnattr_destroy(&s->attributes);
	for (size_t i = 0; i < s->copy_count; i++)
		xb_cleanup_fd(&s->copies[i]);
	free(s->copies);
	xb_cleanup_fd(&s->program);
}

static int spawn_init(struct spawn *s, const struct xb_proc_spec *spec)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t set;

	s->program = -1;
	s->first_free = STDERR_FILENO + 1;
	for (size_t i = 0; i < spec->fd_count; i++)
		if (spec->fds[i].to >= s->first_free)
			s->first_free = spec->fds[i].to + 1;
	if (posix_spawn_file_actions_init(&s->actions) != 0 ||
	    posix_spawnattr_init(&s->attributes) != 0)
		return -ENOMEM;
	(void)sigemptyset(&set);
	(void)posix_spawnattr_setsigmask(&s->attributes, &set);
	(void)sigfillset(&set);
	(void)posix_spawnattr_setsigdefault(&s->attributes, &set);
	if (spec->own_group) {
		(void)posix_spawnattr_setpgroup(&s->attributes, 0);
		flags |= POSIX_SPAWN_SETPGROUP;
	}
	(void)posix_spawnattr_setflags(&s->attributes, flags);
	return 0;
}

static bool is_given(const struct xb_proc_spec *spec, int number)
{
	for (size_t i = 0; i < spec->fd_count; i++)
		if (spec->fds[i].to == number)
			return true;
	return false;
}

/*
 * The child's dup2() calls happen one after the other, so that one of them could overwrite what a
 * later one needs: copies are made first, of numbers that none of them overwrites.
 */
static int spawn_copy_fds(struct spawn *s, const struct xb_proc_spec *spec)
{
	char more;
	int fd;

	s->copies = xb_calloc(spec->fd_count, sizeof(*s->copies));
	for (size_t i = 0; i < spec->fd_count; i++) {
		fd = fcntl(spec->fds[i].from, F_DUPFD_CLOEXEC, s->first_free);
		if (fd < 0)
			return -errno;
		s->copies[s->copy_count++] = fd;
	}
	if (sscanf(spec->path, "/proc/self/fd/%d%c", &fd, &more) != 1)
		return 0;
	s->program = fcntl(fd, F_DUPFD_CLOEXEC, s->first_free);
	if (s->program < 0)
		return -errno;
	(void)snprintf(s->program_path, sizeof(s->program_path), "/proc/self/fd/%d", s->program);
	return 0;
}

static int spawn_add_actions(struct spawn *s, const struct xb_proc_spec *spec)
{
	int r = 0;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && r == 0; fd++)
		if (!is_given(spec, fd))
			r = posix_spawn_file_actions_addopen(&s->actions, fd, "/dev/null", O_RDWR,
							     0);
	for (size_t i = 0; i < spec->fd_count && r == 0; i++)
		r = posix_spawn_file_actions_adddup2(&s->actions, s->copies[i], spec->fds[i].to);
	return -r;
}

static int spawn_start(struct spawn *s, const struct xb_proc_spec *spec, pid_t *ret)
{
	const char *path = s->program >= 0 ? s->program_path : spec->path;
	char *const *envp = spec->envp != NULL ? spec->envp : environ;

	return -posix_spawnp(ret, path, &s->actions, &s->attributes, spec->argv, envp);
}

static void kill_and_reap(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int xb_proc_spawn(const struct xb_proc_spec *spec, struct xb_proc *ret, struct xb_error *err)
{
	XB_CLEANUP(spawn_clear) struct spawn s = { 0 };
	struct xb_proc p = XB_PROC_NONE;
	int r = spawn_init(&s, spec);

	if (r == 0)
		r = spawn_copy_fds(&s, spec);
	if (r == 0)
		r = spawn_add_actions(&s, spec);
	if (r == 0)
		r = spawn_start(&s, spec, &p.pid);
	if (r < 0)
		return xb_error_errno(err, r, "starting %s", spec->path);
	p.pidfd = (int)syscall(SYS_pidfd_open, p.pid, 0);
	if (p.pidfd < 0) {
		r = -errno;
		kill_and_reap(p.pid);
		return xb_error_errno(err, r, "watching %s", spec->path);
	}
	*ret = p;
	return 0;
}

/* waitid() on the pidfd, whose number glibc takes as an id_t. */
static int wait_pidfd(int pidfd, siginfo_t *info)
{
	int r;

	do
		r = waitid(P_PIDFD, (id_t)pidfd, info, WEXITED);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int xb_proc_wait(struct xb_proc *p, struct xb_proc_status *ret, struct xb_error *err)
{
	siginfo_t info = { 0 };
	int r = wait_pidfd(p->pidfd, &info);

	if (r < 0)
		return xb_error_errno(err, r, "waiting for process %d", (int)p->pid);
	xb_cleanup_fd(&p->pidfd);
	*p = XB_PROC_NONE;
	ret->exit_code = info.si_code == CLD_EXITED ? info.si_status : -1;
	ret->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
	return 0;
}

void xb_proc_signal(const struct xb_proc *p, int signal)
{
	if (p->pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, p->pidfd, signal, NULL, 0);
}

void xb_proc_signal_group(const struct xb_proc *p, int signal)
{
	/* not reaped yet, so that nobody else can have the number */
	if (p->pid > 0)
		(void)kill(-p->pid, signal);
}

void xb_proc_clear(struct xb_proc *p)
{
	siginfo_t info;

	if (p->pidfd >= 0) {
		xb_proc_signal(p, SIGKILL);
		(void)wait_pidfd(p->pidfd, &info);
	}
	xb_cleanup_fd(&p->pidfd);
	*p = XB_PROC_NONE;
}

/*
 * A descriptor that gives `input` to a child: a file in memory, because a pipe would have to be
 * fed while the child runs, and would raise SIGPIPE when the child does not care for it.
 */
static int open_input(struct xb_view input, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	int r;

	if (input.len == 0) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return xb_error_errno(err, -errno, "/dev/null");
		return XB_STEAL_FD(fd);
	}
	fd = xb_memfd_new("input", err);
	if (fd < 0)
		return fd;
	r = xb_write_all(fd, input.data, input.len, err);
	if (r == 0)
		r = xb_memfd_seal(fd, err);
	return r < 0 ? r : XB_STEAL_FD(fd);
}

/* A pipe for a child's output, or /dev/null to write to and nothing to read from. */
static int open_output(const struct xb_str *output, int *ret_read, int *ret_write)
{
	int ends[2];

	if (output == NULL) {
		*ret_write = open("/dev/null", O_WRONLY | O_CLOEXEC);
		return *ret_write < 0 ? -errno : 0;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

int xb_proc_run(char *const *argv, struct xb_view input, struct xb_str *output,
		struct xb_proc_status *ret, struct xb_error *err)
{
	xb_auto_proc struct xb_proc child = XB_PROC_NONE;
	xb_auto_fd int in = open_input(input, err);
	xb_auto_fd int out_read = -1;
	xb_auto_fd int out_write = -1;
	int r;

	if (in < 0)
		return xb_error_wrap(err, in, "starting %s", argv[0]);
	r = open_output(output, &out_read, &out_write);
	if (r < 0)
		return xb_error_errno(err, r, "starting %s", argv[0]);
	r = xb_proc_spawn(
		&(struct xb_proc_spec){
			.path = argv[0],
			.argv = argv,
			.fds =
				(struct xb_proc_fd[]){
					{ in, STDIN_FILENO },
					{ out_write, STDOUT_FILENO },
					{ STDERR_FILENO, STDERR_FILENO },
				},
			.fd_count = 3,
		},
		&child, err);
	if (r < 0)
		return r;
	xb_cleanup_fd(&out_write); /* else our own end would keep the pipe open */
	if (output != NULL)
		r = xb_file_read_fd(out_read, output, err);
	if (r < 0)
		return xb_error_wrap(err, r, "output of %s", argv[0]);
	return xb_proc_wait(&child, ret, err);
}

void xb_proc_keep_descriptors(void)
{
	/* Older than Linux 5.11: then whoever starts xbuild has to care. */
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

const char *xb_proc_self_path(void)
{
	return "/proc/self/exe";
}
