/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Landlock. The kernel headers of the machine that builds may be older than its kernel, hence the
 * numbers here. Source: Documentation/userspace-api/landlock.rst.
 */
struct landlock_attr {
	uint64_t fs;	 /* since ABI 1 */
	uint64_t net;	 /* since ABI 4 */
	uint64_t scoped; /* since ABI 6 */
};

/* All rights that an ABI knows, and how much of the structure it takes. */
static const struct landlock_abi {
	int abi;
	size_t attr_size;
	struct landlock_attr rights;
} landlock_abis[] = {
	{ 2, 8, { .fs = (1U << 14) - 1 } },
	{ 3, 8, { .fs = (1U << 15) - 1 } },
	{ 4, 16, { .fs = (1U << 15) - 1, .net = 3 } },
	{ 5, 16, { .fs = (1U << 16) - 1, .net = 3 } },
	{ 6, 24, { .fs = (1U << 16) - 1, .net = 3, .scoped = 3 } },
};

/* What a program may do with files that it reads, and with those only that it may write. */
#define LANDLOCK_READ                                                                              \
	((uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |                    \
		    LANDLOCK_ACCESS_FS_READ_DIR))
#define LANDLOCK_FILE                                                                              \
	((uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |                    \
		    LANDLOCK_ACCESS_FS_WRITE_FILE) |                                               \
	 (uint64_t)3 << 14)
/* Below the writable directory: everything but starting programs and device ioctls. */
#define LANDLOCK_BELOW (~((uint64_t)LANDLOCK_ACCESS_FS_EXECUTE | (uint64_t)1 << 15))

/*
 * The newest ABI that both sides know. None for ABI 1, which refuses hard links and renames between
 * directories, that layers are full of; the other walls then stand alone.
 */
static const struct landlock_abi *landlock_probe(void)
{
	long have = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const struct landlock_abi *best = NULL;

	for (size_t i = 0; i < XB_COUNT(landlock_abis); i++)
		if (landlock_abis[i].abi <= have)
			best = &landlock_abis[i];
	return best;
}

static int landlock_apply(int writable_dir)
{
	const struct landlock_abi *abi = landlock_probe();
	struct landlock_path_beneath_attr below = { .parent_fd = writable_dir };
	xb_auto_fd int ruleset = -1;

	if (abi == NULL)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &abi->rights, abi->attr_size, 0);
	if (ruleset < 0)
		return -errno;
	below.allowed_access = abi->rights.fs & LANDLOCK_BELOW;
	if (writable_dir >= 0 &&
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0)
		return -errno;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* Allow what of `rights` the ABI knows, at a path that may be missing. */
static int landlock_allow(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	xb_auto_fd int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= LANDLOCK_FILE;
	rule.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
		       ? -errno
		       : 0;
}

static int landlock_allow_all(int ruleset, const char *const *paths, uint64_t rights)
{
	int r = 0;

	for (size_t i = 0; r == 0 && paths[i] != NULL; i++)
		r = landlock_allow(ruleset, paths[i], rights);
	return r;
}

static int landlock_program(const struct xb_confine_program *c)
{
	static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/random",
					       "/dev/urandom", NULL };
	const struct landlock_abi *abi = landlock_probe();
	struct landlock_attr rights;
	xb_auto_fd int ruleset = -1;
	int r;

	if (abi == NULL)
		return 0;
	rights = abi->rights;
	rights.net &= 1; /* binding; connecting is what it is for */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &rights, abi->attr_size, 0);
	if (ruleset < 0)
		return -errno;
	r = landlock_allow_all(ruleset, c->writable, rights.fs & LANDLOCK_BELOW);
	if (r == 0)
		r = landlock_allow_all(ruleset, c->readable, rights.fs & LANDLOCK_READ);
	if (r == 0)
		r = landlock_allow_all(ruleset, devices, rights.fs & LANDLOCK_FILE);
	if (r < 0)
		return r;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* Lower one limit; a hard limit that is lower already stays. */
static int limit(__rlimit_resource_t resource, uint64_t value)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0)
		return -errno;
	if (value < now.rlim_max)
		now.rlim_max = value;
	now.rlim_cur = now.rlim_max;
	return setrlimit(resource, &now) < 0 ? -errno : 0;
}

static int limits_apply(const struct xb_confine *c)
{
	int r = limit(RLIMIT_CORE, 0);

	if (r == 0 && c->memory > 0)
		r = limit(RLIMIT_AS, c->memory);
	if (r == 0 && c->open_files > 0)
		r = limit(RLIMIT_NOFILE, c->open_files);
	if (r == 0 && c->file_size > 0)
		r = limit(RLIMIT_FSIZE, c->file_size);
	/* Else a write past the limit ends the process before it can say why. */
	if (c->file_size > 0)
		(void)signal(SIGXFSZ, SIG_IGN);
	return r;
}

/* Calls allowed with any arguments. Names that this architecture or libseccomp lacks are passed
 * over. */
static const char *const allowed[] = {
	/* bytes of what is open */
	"read",
	"readv",
	"pread64",
	"preadv",
	"preadv2",
	"write",
	"writev",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"lseek",
	"_llseek",
	"sendfile",
	"sendfile64",
	"copy_file_range",
	"fallocate",
	"ftruncate",
	"ftruncate64",
	"fadvise64",
	"fadvise64_64",
	"arm_fadvise64_64",
	"fsync",
	"fdatasync",
	"syncfs",
	"sync_file_range",
	"sync_file_range2",
	"poll",
	"ppoll",
	"ppoll_time64",
	"close",
	"close_range",
	"dup",
	"dup2",
	"dup3",
	/* names; Landlock says which */
	"open",
	"openat",
	"openat2",
	"mkdir",
	"mkdirat",
	"unlink",
	"unlinkat",
	"rmdir",
	"link",
	"linkat",
	"symlink",
	"symlinkat",
	"rename",
	"renameat",
	"renameat2",
	"readlink",
	"readlinkat",
	"getdents",
	"getdents64",
	"access",
	"faccessat",
	"faccessat2",
	"getcwd",
	"chdir",
	"fchdir",
	"umask",
	/* what files say about themselves */
	"stat",
	"lstat",
	"fstat",
	"stat64",
	"lstat64",
	"fstat64",
	"newfstatat",
	"fstatat64",
	"statx",
	"fstatfs",
	"fstatfs64",
	"statfs",
	"statfs64",
	"chmod",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"utimensat",
	"utimensat_time64",
	"futimesat",
	"utimes",
	"getxattr",
	"lgetxattr",
	"fgetxattr",
	"listxattr",
	"llistxattr",
	"flistxattr",
	"getxattrat",
	"listxattrat",
	/* memory */
	"munmap",
	"mremap",
	"madvise",
	"brk",
	"membarrier",
	/* this process */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigreturn",
	"sigaltstack",
	"restart_syscall",
	"getpid",
	"gettid",
	"getppid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getuid32",
	"geteuid32",
	"getgid32",
	"getegid32",
	"getgroups",
	"getgroups32",
	"getrusage",
	"getrlimit",
	"ugetrlimit",
	"set_robust_list",
	"set_tid_address",
	"rseq",
	"futex",
	"futex_time64",
	"sched_yield",
	"sched_getaffinity",
	"exit",
	"exit_group",
	/* the world */
	"clock_gettime",
	"clock_gettime64",
	"clock_getres",
	"clock_getres_time64",
	"gettimeofday",
	"time",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"nanosleep",
	"getrandom",
	"uname",
	"sysinfo",
};

/* Calls allowed beside them with `set_owners`. */
static const char *const allowed_owners[] = {
	"chown",       "chown32",      "lchown",       "lchown32",  "fchown",
	"fchown32",    "fchownat",     "setxattr",     "lsetxattr", "fsetxattr",
	"removexattr", "lremovexattr", "fremovexattr", "mknod",	    "mknodat",
};

/* Calls allowed when (argument & mask) is `value`. */
static const struct conditional {
	const char *name;
	unsigned argument;
	uint64_t mask;
	uint64_t value;
} conditionals[] = {
	/* nothing becomes a program */
	{ "mmap", 2, PROT_EXEC, 0 },
	{ "mmap2", 2, PROT_EXEC, 0 },
	{ "mprotect", 2, PROT_EXEC, 0 },
	/* no signals to others by F_SETOWN, no leases */
	{ "fcntl", 1, UINT32_MAX, F_DUPFD },
	{ "fcntl", 1, UINT32_MAX, F_DUPFD_CLOEXEC },
	{ "fcntl", 1, UINT32_MAX, F_GETFD },
	{ "fcntl", 1, UINT32_MAX, F_SETFD },
	{ "fcntl", 1, UINT32_MAX, F_GETFL },
	{ "fcntl64", 1, UINT32_MAX, F_DUPFD },
	{ "fcntl64", 1, UINT32_MAX, F_DUPFD_CLOEXEC },
	{ "fcntl64", 1, UINT32_MAX, F_GETFD },
	{ "fcntl64", 1, UINT32_MAX, F_SETFD },
	{ "fcntl64", 1, UINT32_MAX, F_GETFL },
	{ "ioctl", 1, UINT32_MAX, FICLONE },
	{ "ioctl", 1, UINT32_MAX, FICLONERANGE },
	/* of itself only */
	{ "prlimit64", 0, UINT32_MAX, 0 },
	/* nodes without a device behind them */
	{ "mknod", 1, S_IFMT, S_IFREG },
	{ "mknod", 1, S_IFMT, S_IFIFO },
	{ "mknod", 1, S_IFMT, S_IFSOCK },
	{ "mknodat", 2, S_IFMT, S_IFREG },
	{ "mknodat", 2, S_IFMT, S_IFIFO },
	{ "mknodat", 2, S_IFMT, S_IFSOCK },
};

/*
 * Calls that libseccomp may be too old to know, with the number that all architectures share. The C
 * library falls back from them on ENOSYS but not on EPERM.
 */
static const struct newer {
	const char *name;
	int number;
} newer[] = {
	{ "fchmodat2", 452 },
	{ "getxattrat", 464 },
	{ "listxattrat", 465 },
};

/* The number of a call here, or __NR_SCMP_ERROR. */
static int resolve(const char *name)
{
	int call = seccomp_syscall_resolve_name(name);

	for (size_t i = 0; i < XB_COUNT(newer) && call == __NR_SCMP_ERROR; i++)
		if (strcmp(newer[i].name, name) == 0)
			call = newer[i].number;
	return call;
}

static void filter_cleanup(scmp_filter_ctx *filter)
{
	if (*filter != NULL)
		seccomp_release(*filter);
}

static int allow(scmp_filter_ctx filter, const char *name)
{
	int call = resolve(name);

	return call == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
}

static int allow_all(scmp_filter_ctx filter, const char *const *names, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = allow(filter, names[i]);
	return r;
}

static int allow_if(scmp_filter_ctx filter, const char *name, unsigned argument, uint64_t mask,
		    uint64_t value)
{
	const struct scmp_arg_cmp compare = { argument, SCMP_CMP_MASKED_EQ, mask, value };
	int call = resolve(name);

	if (call == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &compare);
}

static int allow_conditionals(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; i < XB_COUNT(conditionals) && r == 0; i++)
		r = allow_if(filter, conditionals[i].name, conditionals[i].argument,
			     conditionals[i].mask, conditionals[i].value);
	/* abort() signals itself. */
	if (r == 0)
		r = allow_if(filter, "tgkill", 0, UINT32_MAX, (uint64_t)getpid());
	return r;
}

static int seccomp_apply(bool set_owners)
{
	XB_CLEANUP(filter_cleanup) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (filter == NULL)
		return -ENOSYS;
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = allow_all(filter, allowed, XB_COUNT(allowed));
	if (r == 0 && set_owners)
		r = allow_all(filter, allowed_owners, XB_COUNT(allowed_owners));
	if (r == 0)
		r = allow_conditionals(filter);
	return r < 0 ? r : seccomp_load(filter);
}

/*
 * Without new privileges an execve() of root's gets none either. The bounding set takes a
 * capability to be lowered, so a process that has none has nothing to lower.
 */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (unsigned long cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int xb_confine_program(const struct xb_confine_program *c, struct xb_error *err)
{
	const struct xb_confine limits = { .file_size = c->file_size };
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return xb_error_errno(err, -errno, "giving up new privileges");
	r = landlock_program(c);
	if (r < 0)
		return xb_error_errno(err, r, "confining by Landlock");
	r = limits_apply(&limits);
	if (r < 0)
		return xb_error_errno(err, r, "setting resource limits");
	r = drop_capabilities();
	if (r < 0)
		return xb_error_errno(err, r, "giving up capabilities");
	return 0;
}

int xb_confine_apply(const struct xb_confine *c, struct xb_error *err)
{
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return xb_error_errno(err, -errno, "giving up new privileges");
	r = landlock_apply(c->writable_dir);
	if (r < 0)
		return xb_error_errno(err, r, "confining by Landlock");
	r = limits_apply(c);
	if (r < 0)
		return xb_error_errno(err, r, "setting resource limits");
	r = seccomp_apply(c->set_owners);
	if (r < 0)
		return xb_error_errno(err, r, "confining by seccomp");
	return 0;
}
