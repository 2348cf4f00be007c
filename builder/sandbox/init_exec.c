/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/sandbox/init.h"

/* Where Docker looks for programs when the environment has no PATH. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int set_limits(const struct xb_sandbox_spec *spec, struct xb_error *err)
{
	for (size_t i = 0; i < spec->rlimits.len; i++) {
		const struct xb_sandbox_rlimit *l = &spec->rlimits.items[i];
		struct rlimit limit = { .rlim_cur = l->soft, .rlim_max = l->hard };

		if (setrlimit((__rlimit_resource_t)l->resource, &limit) < 0)
			return xb_error_errno(err, -errno, "setting resource limit %u to %llu",
					      l->resource, (unsigned long long)l->hard);
	}
	return 0;
}

/* One that the image's config names and its layers lack is made for the step's user, as Docker
 * does. */
static int open_cwd(int root, const char *cwd, const struct init_user *user, struct xb_error *err)
{
	int fd = xb_open_in_root(root, cwd, O_PATH | O_DIRECTORY, 0, NULL);

	if (fd == -ENOENT) {
		xb_auto_fd int made = xb_mkdir_in_root(root, cwd, 0755, user->uid, user->gid, err);

		if (made < 0)
			return made;
	}
	/* again by its name, which must not go through a magic link */
	return fd >= 0 ? fd : xb_open_in_root(root, cwd, O_PATH | O_DIRECTORY, 0, err);
}

/* Magic links are refused: /proc/self/fd/N as working directory must never lead out. */
static int enter_cwd(int root, const char *cwd, const struct init_user *user, struct xb_error *err)
{
	char buffer[PATH_MAX];
	xb_auto_fd int fd = open_cwd(root, cwd, user, err);

	if (fd < 0) {
		(void)xb_error_wrap(err, fd, "working directory");
		return xb_error_fault(err, XB_FAULT_STEP);
	}
	if (fchdir(fd) < 0)
		return xb_error_errno(err, -errno, "entering the working directory %s", cwd);
	if (getcwd(buffer, sizeof(buffer)) == NULL || buffer[0] != '/')
		return xb_error_set(err, -EXDEV, "the working directory %s lies outside the root",
				    cwd);
	return 0;
}

static int set_capabilities(uint64_t permitted, uint64_t inheritable, struct xb_error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .permitted = (uint32_t)permitted,
		  .effective = (uint32_t)permitted,
		  .inheritable = (uint32_t)inheritable },
		{ .permitted = (uint32_t)(permitted >> 32),
		  .effective = (uint32_t)(permitted >> 32),
		  .inheritable = (uint32_t)(inheritable >> 32) },
	};

	if (syscall(SYS_capset, &header, data) < 0)
		return xb_error_errno(err, -errno, "setting capabilities");
	return 0;
}

/* The bounding set falls to `mask`, which has no bits beyond the last capability of this kernel:
 * the first number that it does not know ends the loop. The ambient set is emptied. */
static int drop_bounding(uint64_t mask, struct xb_error *err)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		if ((mask >> cap & 1) != 0 || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL)
			break;
		return xb_error_errno(err, -errno, "dropping capability %lu", cap);
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return xb_error_errno(err, -errno, "clearing the ambient capabilities");
	return 0;
}

/* What every program of a step without walls has, whoever runs it. */
static int raise_ambient(uint64_t mask, struct xb_error *err)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		if ((mask >> cap & 1) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return xb_error_errno(err, -errno, "raising capability %lu", cap);
	}
	return 0;
}

static int load_filter(const struct xb_str *program, struct xb_error *err)
{
	xb_autofree struct sock_filter *filter = NULL;
	struct sock_fprog fprog;

	if (program->len == 0)
		return 0;
	if (program->len % sizeof(*filter) != 0 || program->len / sizeof(*filter) > BPF_MAXINSNS)
		return xb_error_set(err, -EINVAL, "a seccomp filter of %zu bytes", program->len);
	filter = xb_alloc(program->len); /* aligned, which the string need not be */
	memcpy(filter, program->data, program->len);
	fprog.filter = filter;
	fprog.len = (unsigned short)(program->len / sizeof(*filter));
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) < 0)
		return xb_error_errno(err, -errno, "loading the seccomp filter");
	return 0;
}

/* In a user namespace that its maker had no right to give groups to (unshare -r), nobody can. */
static bool groups_are_denied(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(64);

	return xb_file_read("/proc/self/setgroups", &text, NULL) == 0 &&
	       xb_view_starts(xb_str_view(&text), XB_VIEW("deny"));
}

static int refuse_id(const char *what, unsigned id, int r, struct xb_error *err)
{
	(void)xb_error_errno(err, r, "becoming %s %u", what, id);
	if (r == -EINVAL)
		(void)xb_error_hint(err, "the id is not mapped here: give this user subordinate "
					 "ids in /etc/subuid and /etc/subgid");
	return r;
}

static int become_user(const struct init_user *user, struct xb_error *err)
{
	if (setgroups(user->gids.len, user->gids.items) < 0 &&
	    (errno != EPERM || !groups_are_denied()))
		return xb_error_errno(err, -errno, "setting the supplementary groups");
	if (setresgid(user->gid, user->gid, user->gid) < 0)
		return refuse_id("group", user->gid, -errno, err);
	if (setresuid(user->uid, user->uid, user->uid) < 0)
		return refuse_id("user", user->uid, -errno, err);
	return 0;
}

/*
 * Without no_new_privs (a step's sudo must work) only CAP_SYS_ADMIN may load a filter, and the
 * filter must not be in the way of becoming the user. So: become the user but keep the permitted
 * capabilities, raise that one alone, load, then fall to what the step may have.
 */
static int drop_rights(const struct xb_sandbox_spec *spec, const struct init_user *user,
		       struct xb_error *err)
{
	const uint64_t admin = UINT64_C(1) << CAP_SYS_ADMIN;
	const uint64_t final = user->uid == 0 || spec->insecure ? spec->capabilities : 0;
	int r = init_calls_become(user, err);

	if (r >= 0)
		r = drop_bounding(spec->capabilities, err);
	if (r >= 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return xb_error_errno(err, -errno, "keeping capabilities");
	if (r >= 0)
		r = become_user(user, err);
	if (r >= 0)
		r = set_capabilities(final | admin, 0, err);
	if (r >= 0 && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return xb_error_errno(err, -errno, "dropping capabilities");
	if (r >= 0)
		r = init_calls_watch(user, err);
	if (r >= 0)
		r = load_filter(&spec->seccomp, err);
	if (r >= 0)
		r = set_capabilities(final, spec->insecure ? final : 0, err);
	return r < 0 || !spec->insecure ? r : raise_ambient(final, err);
}

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What stands behind "#!" in the script `path`, or "" when it is no script. */
static void script_interpreter(const char *path, char ret[static 128])
{
	xb_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char line[128] = "";
	ssize_t n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : 0;
	char *name = line + 2;

	ret[0] = '\0';
	if (n < 2 || memcmp(line, "#!", 2) != 0)
		return;
	name += strspn(name, " \t");
	name[strcspn(name, " \t\r\n")] = '\0';
	memcpy(ret, name, strlen(name) + 1);
}

static int say_missing(const char *path, struct xb_error *err)
{
	char interpreter[128];

	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return xb_error_set(err, -ENOENT, "exec: %s: no such file", path);
	script_interpreter(path, interpreter);
	if (interpreter[0] != '\0')
		return xb_error_set(err, -ENOENT,
				    "exec: %s: its interpreter %s is not in the image", path,
				    interpreter);
	(void)xb_error_set(err, -ENOENT, "exec: %s: its dynamic loader is not in the image", path);
	return xb_error_hint(err, "link it statically, or start from an image that has its libc");
}

static int say_why(const char *path, int r, struct xb_error *err)
{
	if (r == -ENOENT)
		return say_missing(path, err);
	if (r == -ENOEXEC) {
		(void)xb_error_set(err, r, "exec: %s: exec format error", path);
		return xb_error_hint(err, "it is built for another platform, or a script without "
					  "\"#!\" in its first line");
	}
	return xb_error_errno(err, r, "exec: %s", path);
}

/*
 * execve(), waiting a second at most for a file that is being written. The builder wrote it and has
 * closed it, but a child that another of its threads is starting right now has the descriptor until
 * it executes its own program.
 */
static void try_to_execute(const char *file, char *const *argv, char *const *envp)
{
	enum { TIMES = 200 };
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };

	for (int i = 0; i < TIMES; i++) {
		execve(file, argv, envp);
		if (errno != ETXTBSY)
			return;
		(void)nanosleep(&pause, NULL);
		errno = ETXTBSY;
	}
}

/* Try `name` in each directory of `path`, as execvp() does. */
static int exec_on_path(const char *path, char *const *argv, char *const *envp,
			struct xb_error *err)
{
	struct xb_view rest = xb_view(path), dir;
	int found = -ENOENT;

	while (xb_view_split(&rest, ':', &dir)) {
		xb_autofree char *file = NULL;

		file = dir.len > 0 ? xb_format("%.*s/%s", XB_VIEW_ARGS(dir), argv[0])
				   : xb_format("./%s", argv[0]);
		try_to_execute(file, argv, envp);
		if (errno == EACCES)
			found = -EACCES;
		if (errno == EACCES || errno == ENOTDIR || errno == ENAMETOOLONG ||
		    (errno == ENOENT && faccessat(AT_FDCWD, file, F_OK, 0) < 0))
			continue;
		return say_why(file, -errno, err);
	}
	(void)xb_error_set(err, found, "exec: \"%s\": %s", argv[0],
			   found == -EACCES ? "permission denied"
					    : "executable file not found in $PATH");
	return xb_error_hint(err, "PATH is %s", path);
}

static int exec_program(const struct xb_sandbox_spec *spec, struct xb_error *err)
{
	char *const *argv = xb_strv_argv(&spec->argv);
	char *const *envp = xb_strv_argv(&spec->env);
	const char *path = xb_env_get(&spec->env, XB_VIEW("PATH"));
	int r;

	if (strchr(argv[0], '/') == NULL)
		r = exec_on_path(path != NULL ? path : DEFAULT_PATH, argv, envp, err);
	else {
		try_to_execute(argv[0], argv, envp);
		r = say_why(argv[0], -errno, err);
	}
	(void)xb_error_fault(err, XB_FAULT_STEP);
	return r;
}

int init_exec_enter(const struct xb_sandbox_spec *spec, const struct init_outside *outside,
		    struct xb_error *err)
{
	for (size_t i = 0; i < spec->cgroups.len; i++) {
		int r = xb_write_all(outside->cgroups[i], "0", 1, err);

		if (r < 0)
			return xb_error_wrap(err, r, "entering the control group %s",
					     spec->cgroups.items[i]);
	}
	if (spec->cgroups.len > 0 && unshare(CLONE_NEWCGROUP) < 0)
		return xb_error_errno(err, -errno, "making a cgroup namespace");
	return 0;
}

static void add_groups(const struct xb_sandbox_spec *spec, struct init_user *user)
{
	for (size_t i = 0; i < spec->gids.len; i++)
		*xb_array_push(&user->gids) = spec->gids.items[i];
}

int init_exec_step(struct xb_sandbox_spec *spec, struct xb_error *err)
{
	xb_auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct init_user user = { 0 };
	int r;

	if (!spec->terminal && setsid() < 0)
		return xb_error_errno(err, -errno, "starting a session");
	r = set_limits(spec, err);
	if (r >= 0)
		r = init_user_find(root, spec->user != NULL ? spec->user : "", &user, err);
	if (r >= 0)
		r = enter_cwd(root, spec->cwd != NULL ? spec->cwd : "/", &user, err);
	if (r < 0)
		return r;
	add_groups(spec, &user);
	if (xb_env_get(&spec->env, XB_VIEW("HOME")) == NULL)
		xb_env_set(&spec->env, XB_VIEW("HOME"), xb_view(user.home));
	(void)umask(spec->umask);
	r = drop_rights(spec, &user, err);
	init_user_clear(&user);
	if (r < 0)
		return r;
	reset_signals();
	return exec_program(spec, err);
}
