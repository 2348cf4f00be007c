/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming root of a user namespace. The one place of the builder that forks: see make_helper(). */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "base/owner.h"

enum {
	MAX_SUBID_FILE = 1 << 20,
	MAX_SYSCTL = 64,
	/* The kernel takes no more lines in one map. */
	MAX_RANGES = 339,
};

/* What stands between a user and a user namespace, and what to do about it. */
static const struct obstacle {
	const char *sysctl;
	const char *value;
	const char *hint;
} obstacles[] = {
	{ "/proc/sys/user/max_user_namespaces", "0",
	  "allow user namespaces: sysctl user.max_user_namespaces=15000" },
	{ "/proc/sys/kernel/unprivileged_userns_clone", "0",
	  "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1" },
	{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
	  "give xbuild an AppArmor profile with \"userns,\", or set sysctl "
	  "kernel.apparmor_restrict_unprivileged_userns=0" },
};

static bool sysctl_is(const char *path, const char *value)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_SYSCTL);

	return xb_file_read(path, &text, NULL) == 0 &&
	       xb_view_is(xb_view_trim(xb_str_view(&text)), value);
}

static void hint_obstacle(struct xb_error *err)
{
	for (size_t i = 0; i < XB_COUNT(obstacles); i++)
		if (sysctl_is(obstacles[i].sysctl, obstacles[i].value))
			(void)xb_error_hint(err, "%s", obstacles[i].hint);
	(void)xb_error_hint(err, "run xbuild as root, or where user namespaces are allowed (a "
				 "container needs a seccomp profile that permits unshare and "
				 "mount)");
}

/* Whether this process may mount things where it is. */
static bool is_root(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (geteuid() != 0 || syscall(SYS_capget, &header, data) < 0)
		return false;
	return (data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN)) != 0;
}

/*
 * Slave, not private: what the machine mounts later is seen, and nothing goes out. Of a mount
 * namespace in a user namespace of its own the kernel has done it already.
 */
static int own_mounts(struct xb_error *err)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
		return 0;
	(void)xb_error_errno(err, -errno, "cutting the mounts off from the machine's");
	hint_obstacle(err);
	return xb_error_fault(err, XB_FAULT_PLATFORM);
}

static int become_root_by_rights(struct xb_error *err)
{
	if (unshare(CLONE_NEWNS) == 0)
		return own_mounts(err);
	(void)xb_error_errno(err, -errno, "making a mount namespace");
	hint_obstacle(err);
	return xb_error_fault(err, XB_FAULT_PLATFORM);
}

/* One kind of id: who we are in it, where the subordinate ones are listed, who maps them. */
struct id_kind {
	const char *file;
	const char *program;
	unsigned own;
};

/* The owner field of a line of /etc/subuid: a name, or a number. */
static bool owner_is(struct xb_view owner, const char *user, uid_t uid)
{
	uint64_t number;

	if (user != NULL && xb_view_is(owner, user))
		return true;
	return xb_view_parse_u64(owner, UINT32_MAX, &number) == 0 && number == uid;
}

/* Read "owner:start:count"; returns whether it is one of ours and not empty. */
static bool read_range(struct xb_view line, const char *user, uint64_t *ret_start,
		       uint64_t *ret_count)
{
	struct xb_view owner, start;

	if (!xb_view_split(&line, ':', &owner) || !xb_view_split(&line, ':', &start))
		return false;
	if (!owner_is(owner, user, getuid()))
		return false;
	return xb_view_parse_u64(start, UINT32_MAX - 1, ret_start) == 0 &&
	       xb_view_parse_u64(xb_view_trim(line), UINT32_MAX - *ret_start, ret_count) == 0 &&
	       *ret_count > 0;
}

/* Append "inside outside count" for all ranges that `text` gives us; returns how many. */
static size_t append_ranges(struct xb_strv *argv, struct xb_view text, const char *user)
{
	struct xb_view line;
	uint64_t start = 0, count = 0, inside = 1;
	size_t ranges = 0;

	while (ranges < MAX_RANGES && xb_view_split(&text, '\n', &line)) {
		if (!read_range(line, user, &start, &count) || count > UINT32_MAX - inside)
			continue;
		xb_strv_printf(argv, "%llu", (unsigned long long)inside);
		xb_strv_printf(argv, "%llu", (unsigned long long)start);
		xb_strv_printf(argv, "%llu", (unsigned long long)count);
		inside += count;
		ranges++;
	}
	return ranges;
}

/* The command that maps ids of `kind` for process `pid`. */
static int map_command(const struct id_kind *kind, const char *user, pid_t pid,
		       struct xb_strv *argv, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_SUBID_FILE);
	int r = access(kind->file, F_OK) == 0 ? xb_file_read(kind->file, &text, err) : 0;

	if (r < 0)
		return r;
	xb_strv_push(argv, kind->program);
	xb_strv_printf(argv, "%d", (int)pid);
	xb_strv_push(argv, "0");
	xb_strv_printf(argv, "%u", kind->own);
	xb_strv_push(argv, "1");
	if (append_ranges(argv, xb_str_view(&text), user) > 0)
		return 0;
	(void)xb_error_set(err, -ENOENT, "%s gives no subordinate ids to user %s (%u)", kind->file,
			   user != NULL ? user : "?", (unsigned)getuid());
	return xb_error_hint(err,
			     "as root, add the line %s:100000:65536 to /etc/subuid and /etc/subgid",
			     user != NULL ? user : "NAME");
}

/* Whether a program is on PATH, as posix_spawnp() would find it. */
static bool is_on_path(const char *program)
{
	struct xb_view path = xb_view(getenv("PATH")), dir;

	if (path.data == NULL)
		path = XB_VIEW("/bin:/usr/bin");
	while (xb_view_split(&path, ':', &dir)) {
		xb_autofree char *file = xb_format("%.*s/%s", XB_VIEW_ARGS(dir), program);

		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static int check_program(const char *program, struct xb_error *err)
{
	if (is_on_path(program))
		return 0;
	(void)xb_error_set(err, -ENOENT, "the program %s is not there", program);
	return xb_error_hint(err, "install the package uidmap (shadow-utils on some systems)");
}

/* The process that waits outside for the new namespace, and maps its ids. */
struct helper {
	pid_t pid;
	int start; /* one byte written to it starts the mapping; closing it gives up */
};

static void helper_clear(struct helper *h)
{
	xb_cleanup_fd(&h->start);
	if (h->pid > 0)
		while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
			;
	h->pid = -1;
}

/* The helper's whole life; its errors are told by the programs themselves. */
_Noreturn static void helper_main(int start, const struct xb_strv *commands, size_t count)
{
	struct xb_proc_status status = { 0 };
	char byte;

	if (xb_read_full(start, &byte, 1, NULL) != 1)
		_exit(1);
	for (size_t i = 0; i < count; i++) {
		int r = xb_proc_run(xb_strv_argv(&commands[i]), (struct xb_view){ 0 }, NULL,
				    &status, NULL);

		if (r < 0 || status.exit_code != 0)
			_exit(2 + (int)i);
	}
	_exit(0);
}

/*
 * Ids can be mapped only from outside of the new namespace, where we will no longer be; hence a
 * helper that is made before. It is a fork and not a program of its own because nothing but this
 * process knows what to do; that is safe while there is one thread.
 */
static int make_helper(const struct xb_strv *commands, size_t count, struct helper *ret,
		       struct xb_error *err)
{
	xb_auto_fd int start = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "making a pipe");
	start = ends[0];
	pid = fork();
	if (pid == 0) {
		(void)close(ends[1]); /* else the parent's death would go unnoticed */
		helper_main(start, commands, count);
	}
	ret->start = ends[1];
	ret->pid = pid;
	if (pid < 0)
		return xb_error_errno(err, -errno, "starting a helper process");
	return 0;
}

/* Let the helper map the ids, and wait until it has. */
static int run_helper(struct helper *h, const struct xb_strv *commands, struct xb_error *err)
{
	int status = -1, r = xb_write_all(h->start, "", 1, err);

	if (r < 0)
		return xb_error_wrap(err, r, "mapping user ids");
	while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
		;
	h->pid = -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 2) {
		xb_autofree char *command = xb_strv_join(&commands[WEXITSTATUS(status) - 2], " ");

		(void)xb_error_set(err, -EPERM, "mapping user ids: %s failed", command);
	} else {
		(void)xb_error_set(err, -EPERM, "mapping user ids failed");
	}
	return xb_error_hint(err, "check that newuidmap and newgidmap are setuid root or have the "
				  "file capabilities cap_setuid and cap_setgid, and that the "
				  "container allows them");
}

/* Enter the new namespaces; still as nobody in them. */
static int enter_namespaces(struct xb_error *err)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		(void)xb_error_errno(err, -errno, "making a user namespace");
		hint_obstacle(err);
		return -EPERM;
	}
	/* newuidmap looks at /proc/PID, which is root's while the process may not be dumped. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}

/* Be id 0 in every respect. */
static int take_ids(struct xb_error *err)
{
	/* Refused where setgroups is denied in the namespace; the groups then just stay. */
	(void)setgroups(0, NULL);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return xb_error_errno(err, -errno, "becoming root of the user namespace");
	/* A change of ids makes /proc/self root's again, which here we are not. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}

static int map_ids(const struct xb_strv *commands, size_t count, struct xb_error *err)
{
	XB_CLEANUP(helper_clear) struct helper helper = { .pid = -1, .start = -1 };
	int r = make_helper(commands, count, &helper, err);

	if (r == 0)
		r = enter_namespaces(err);
	if (r == 0)
		r = run_helper(&helper, commands, err);
	if (r == 0)
		r = take_ids(err);
	return r;
}

/* The lines of a map, or a word, into a file of our own /proc. */
static int write_proc(const char *path, const char *text, struct xb_error *err)
{
	xb_auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? xb_error_errno(err, -errno, "%s", path)
		      : xb_write_all(fd, text, strlen(text), err);
}

/* Our own ids as 0, and no others: what every user may do. */
static int map_own_ids(struct xb_error *err)
{
	xb_autofree char *uids = xb_format("0 %u 1\n", geteuid());
	xb_autofree char *gids = xb_format("0 %u 1\n", getegid());
	int r = enter_namespaces(err);

	if (r == 0)
		r = write_proc("/proc/self/setgroups", "deny", err);
	if (r == 0)
		r = write_proc("/proc/self/gid_map", gids, err);
	if (r == 0)
		r = write_proc("/proc/self/uid_map", uids, err);
	return r < 0 ? r : take_ids(err);
}

/* The commands that map the subordinate ids; -ENOENT when there are none, or no such programs. */
static int list_commands(struct xb_strv commands[2], struct xb_error *err)
{
	const struct passwd *entry = getpwuid(getuid());
	const struct id_kind kinds[] = {
		{ "/etc/subuid", "newuidmap", getuid() },
		{ "/etc/subgid", "newgidmap", getgid() },
	};
	int r = 0;

	for (size_t i = 0; i < XB_COUNT(kinds) && r == 0; i++) {
		r = check_program(kinds[i].program, err);
		if (r == 0)
			r = map_command(&kinds[i], entry != NULL ? entry->pw_name : NULL, getpid(),
					&commands[i], err);
	}
	return r;
}

static int become_root_by_map(struct xb_error *err)
{
	struct xb_strv commands[2] = { 0 };
	int r = list_commands(commands, err);

	if (r == -ENOENT) {
		xb_error_clear(err);
		r = map_own_ids(err);
	} else if (r == 0) {
		r = map_ids(commands, XB_COUNT(commands), err);
	}
	for (size_t i = 0; i < XB_COUNT(commands); i++)
		xb_strv_clear(&commands[i]);
	return r;
}

int xb_proc_become_root(struct xb_error *err)
{
	int r;

	if (is_root())
		return become_root_by_rights(err);
	r = become_root_by_map(err);
	if (r < 0) {
		(void)xb_error_wrap(err, r, "becoming root of a user namespace");
		(void)xb_error_fault(err, XB_FAULT_PLATFORM);
		return r;
	}
	xb_owner_detect();
	return own_mounts(err);
}
