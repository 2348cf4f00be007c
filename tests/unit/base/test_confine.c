/* SPDX-License-Identifier: Apache-2.0 */
/* Confinement: what an unpacker needs still works, everything else is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/proc.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_LIMIT 0
#else
#define MEMORY_LIMIT ((uint64_t)512 << 20)
#endif

/*
 * The children. Each confines itself to the scratch directory, tries things, and tells the
 * first thing that was not as it should be on standard error.
 */
#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)dprintf(STDERR_FILENO, "line %d: %s: errno %d\n", __LINE__,          \
				      #condition, errno);                                          \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)
#define REFUSED(call, number) EXPECT((call) < 0 && errno == (number))

/* Newer than the headers of some machines; Linux 6.6. */
#define FCHMODAT2 452

static int dir = -1;

static void confine(bool set_owners)
{
	struct xb_confine c = { .writable_dir = dir,
				.memory = MEMORY_LIMIT,
				.file_size = 1 << 20,
				.open_files = 64,
				.set_owners = set_owners };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_confine_apply(&c, &err) < 0) {
		(void)dprintf(STDERR_FILENO, "%s\n", err.message);
		_exit(1);
	}
}

static void make_files_inside(void)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 2 } };
	char text[8] = "", buffer[4096];
	int fd, sub;

	EXPECT(mkdirat(dir, "sub", 0700) == 0);
	sub = xb_open_in_root(dir, "sub", O_PATH | O_DIRECTORY, 0, NULL);
	EXPECT(sub >= 0);
	fd = xb_open_in_root(sub, "f", O_RDWR | O_CREAT | O_EXCL, 0644, NULL);
	EXPECT(fd >= 0);
	EXPECT(xb_write_all(fd, "content", 7, NULL) == 0);
	EXPECT(pread(fd, text, 7, 0) == 7 && strcmp(text, "content") == 0);
	EXPECT(fallocate(fd, 0, 0, 4096) == 0 || errno == EOPNOTSUPP);
	EXPECT(ftruncate(fd, 7) == 0);
	EXPECT(lseek(fd, 0, SEEK_END) == 7);
	EXPECT(fchmod(fd, 04755) == 0);
	EXPECT(futimens(fd, times) == 0);
	EXPECT(fsync(fd) == 0);
	EXPECT(linkat(sub, "f", dir, "hard", 0) == 0);
	EXPECT(symlinkat("sub/f", dir, "soft") == 0);
	EXPECT(readlinkat(dir, "soft", buffer, sizeof(buffer)) == 5);
	EXPECT(mknodat(dir, "fifo", S_IFIFO | 0600, 0) == 0);
	EXPECT(renameat(dir, "hard", sub, "moved") == 0);
	EXPECT(fchmodat(dir, "sub", 0755, 0) == 0);
	EXPECT(syscall(FCHMODAT2, dir, "sub", 0755, 0) == 0 || errno == ENOSYS);
	EXPECT(utimensat(dir, "soft", times, AT_SYMLINK_NOFOLLOW) == 0);
	EXPECT(syscall(SYS_getdents64, openat(dir, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		       buffer, sizeof(buffer)) > 0);
	EXPECT(unlinkat(sub, "f", 0) == 0 && unlinkat(sub, "moved", 0) == 0);
	EXPECT(unlinkat(dir, "sub", AT_REMOVEDIR) == 0);
	EXPECT(close(fd) == 0 && close(sub) == 0);
}

static void compute_inside(void)
{
	char *memory = malloc(1 << 20);
	struct timespec now;

	EXPECT(memory != NULL);
	memset(memory, 1, 1 << 20);
	free(memory);
	EXPECT(clock_gettime(CLOCK_REALTIME, &now) == 0);
}

static void work(void)
{
	confine(false);
	make_files_inside();
	compute_inside();
}

static void set_owners(void)
{
	int fd;

	confine(true);
	make_files_inside();
	fd = openat(dir, "owned", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT(fchown(fd, 1, 2) == 0);
	EXPECT(fchownat(dir, "owned", 3, 4, AT_SYMLINK_NOFOLLOW) == 0);
	EXPECT(fsetxattr(fd, "user.test", "x", 1, 0) == 0 || errno == EOPNOTSUPP);
	EXPECT(mknodat(dir, "null", S_IFCHR | 0600, makedev(1, 3)) == 0);
}

static void refuse_owners(void)
{
	int fd = openat(dir, "owned", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	confine(false);
	REFUSED(fchown(fd, 1, 1), EPERM);
	REFUSED(fsetxattr(fd, "user.test", "x", 1, 0), EPERM);
	REFUSED(mknodat(dir, "null", S_IFCHR | 0600, makedev(1, 3)), EPERM);
}

static void stay_inside(void)
{
	int held = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char byte;

	confine(true);
	/* What was open stays usable. */
	EXPECT(read(held, &byte, 1) == 1 && byte == 'N');
	EXPECT(write(null, "x", 1) == 1);
	REFUSED(open("/etc/passwd", O_RDONLY | O_CLOEXEC), EACCES);
	REFUSED(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), EACCES);
	REFUSED(openat(dir, "../canary", O_RDONLY | O_CLOEXEC), EACCES);
	REFUSED(openat(dir, "../canary", O_WRONLY | O_TRUNC | O_CLOEXEC), EACCES);
	REFUSED(openat(dir, "../new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EACCES);
	REFUSED(mkdirat(dir, "../new", 0700), EACCES);
	REFUSED(symlinkat("x", dir, "../new"), EACCES);
	REFUSED(mknodat(dir, "../new", S_IFIFO | 0600, 0), EACCES);
	REFUSED(unlinkat(dir, "../canary", 0), EACCES);
	EXPECT(renameat(dir, "../canary", dir, "in") < 0 && (errno == EACCES || errno == EXDEV));
	EXPECT(linkat(dir, "../canary", dir, "in", 0) < 0 && (errno == EACCES || errno == EXDEV));
	EXPECT(symlinkat("../canary", dir, "out") == 0);
	REFUSED(openat(dir, "out", O_RDONLY | O_CLOEXEC), EACCES);
}

static void start_nothing(void)
{
	static char *const argv[] = { NULL };
	pid_t pid;

	confine(true);
	REFUSED(execve("/proc/self/exe", argv, argv), EPERM);
	EXPECT(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, argv) == EPERM);
	REFUSED(socket(AF_INET, SOCK_STREAM, 0), EPERM);
	REFUSED(socket(AF_UNIX, SOCK_DGRAM, 0), EPERM);
	REFUSED(syscall(SYS_connect, 0, NULL, 0), EPERM);
	REFUSED(kill(getppid(), SIGTERM), EPERM);
	REFUSED(syscall(SYS_tgkill, getppid(), getppid(), SIGTERM), EPERM);
	REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL), EPERM);
	REFUSED(mount("none", "/", "tmpfs", 0, NULL), EPERM);
	REFUSED(umount2("/", MNT_DETACH), EPERM);
	REFUSED(setns(dir, 0), EPERM);
	REFUSED(setresuid(0, 0, 0), EPERM);
	REFUSED(chroot("."), EPERM);
	REFUSED(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), EPERM);
	REFUSED(syscall(SYS_io_uring_setup, 1, NULL), EPERM);
	REFUSED(syscall(SYS_bpf, 0, NULL, 0), EPERM);
	REFUSED(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0), EPERM);
	REFUSED(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0), EPERM);
	REFUSED(syscall(SYS_memfd_create, "x", 0), EPERM);
	REFUSED(fcntl(dir, F_SETOWN, getppid()), EPERM);
	REFUSED(syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, NULL, NULL), EPERM);
	EXPECT(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		       MAP_FAILED &&
	       errno == EPERM);
}

static void keep_limits(void)
{
	struct rlimit core;
	int fd = openat(dir, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	confine(false);
	REFUSED(pwrite(fd, "x", 1, 1 << 20), EFBIG);
	EXPECT(pwrite(fd, "x", 1, (1 << 20) - 1) == 1);
	REFUSED(fcntl(fd, F_DUPFD_CLOEXEC, 64), EINVAL);
	EXPECT(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
	if (MEMORY_LIMIT > 0)
		EXPECT(mmap(NULL, (size_t)1 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		       MAP_FAILED);
	core.rlim_max = 1 << 20;
	REFUSED(syscall(SYS_prlimit64, 0, RLIMIT_CORE, &core, NULL), EPERM);
}

static void confine_to_nothing(void)
{
	const struct xb_confine c = { .writable_dir = -1 };
	struct rlimit before, after;

	EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
	EXPECT(xb_confine_apply(&c, NULL) == 0);
	EXPECT(getrlimit(RLIMIT_NOFILE, &after) == 0);
	EXPECT(before.rlim_cur == after.rlim_cur);
	REFUSED(openat(dir, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600), EACCES);
}

static void abort_inside(void)
{
	confine(false);
	abort();
}

static void call_other_table(void)
{
	confine(false);
#if defined(__x86_64__)
	int pid;

	/* getpid() of the 32-bit table, which has another number here */
	__asm__ volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory");
#endif
}

static void has_no_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	EXPECT(syscall(SYS_capget, &header, data) == 0);
	for (size_t i = 0; i < 2; i++)
		EXPECT((data[i].permitted | data[i].effective | data[i].inheritable) == 0);
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void writes_to_its_directory(const char *path)
{
	xb_auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char block[4096] = { 0 };
	xb_autofree char *other = xb_format("%s.other", path);

	EXPECT(fd >= 0);
	EXPECT(write(fd, block, sizeof(block)) == sizeof(block));
	REFUSED(write(fd, block, sizeof(block)), EFBIG);
	EXPECT(rename(path, other) == 0 && unlink(other) == 0);
}

/* The scratch directory is its working directory; `dir` in it may be written to. */
static void be_a_program(void)
{
	xb_autofree char *writable = xb_format("/proc/self/fd/%d", dir);
	char real[4096] = "";
	ssize_t n = readlink(writable, real, sizeof(real) - 1);
	xb_autofree char *file = NULL;
	xb_autofree char *readable = NULL;
	xb_autofree char *outside = NULL;

	EXPECT(n > 0);
	file = xb_format("%s/file", real);
	readable = xb_format("%s/../read_only", real);
	outside = xb_format("%s/../outside", real);
	const struct xb_confine_program walls = {
		.writable = (const char *const[]){ real, "/no/such/directory", NULL },
		.readable =
			(const char *const[]){ "/usr", "/bin", "/lib", "/lib64", readable, NULL },
		.file_size = 4096,
	};

	EXPECT(xb_confine_program(&walls, NULL) == 0);
	has_no_capabilities();
	writes_to_its_directory(file);
	EXPECT(open(readable, O_RDONLY | O_CLOEXEC) >= 0);
	REFUSED(open(readable, O_WRONLY | O_CLOEXEC), EACCES);
	REFUSED(open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EACCES);
	REFUSED(open("/etc/passwd", O_RDONLY | O_CLOEXEC), EACCES);
	REFUSED(open("/proc/self/environ", O_RDONLY | O_CLOEXEC), EACCES);
	EXPECT(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
	EXPECT(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
	/* it and what it starts */
	(void)execl("/bin/sh", "sh", "-c", "! cat /etc/passwd 2>/dev/null", (char *)NULL);
	EXPECT(false);
}

static const struct child {
	const char *name;
	void (*run)(void);
} children[] = {
	{ "work", work },
	{ "set_owners", set_owners },
	{ "refuse_owners", refuse_owners },
	{ "stay_inside", stay_inside },
	{ "start_nothing", start_nothing },
	{ "keep_limits", keep_limits },
	{ "confine_to_nothing", confine_to_nothing },
	{ "abort_inside", abort_inside },
	{ "call_other_table", call_other_table },
	{ "be_a_program", be_a_program },
};

static int run_child(const char *name, const char *path)
{
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < XB_COUNT(children); i++) {
		if (strcmp(children[i].name, name) == 0) {
			children[i].run();
			_exit(0);
		}
	}
	return 2;
}

/* The tests. */
static struct xb_proc_status run(const char *name)
{
	const char *const argv[] = { xb_proc_self_path(), name, scratch_path("dir"), NULL };
	const struct xb_proc_fd err = { STDERR_FILENO, STDERR_FILENO };
	struct xb_proc_spec spec = { .path = xb_proc_self_path(),
				     .argv = (char *const *)(uintptr_t)argv,
				     .fds = &err,
				     .fd_count = 1 };
	struct xb_proc p = XB_PROC_NONE;
	struct xb_proc_status status;

	assert_int_equal(xb_proc_spawn(&spec, &p, NULL), 0);
	assert_int_equal(xb_proc_wait(&p, &status, NULL), 0);
	return status;
}

static void check(const char *name)
{
	struct xb_proc_status status = run(name);

	assert_int_equal(status.signal, 0);
	assert_int_equal(status.exit_code, 0);
}

static bool have_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 2;
}

static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	scratch_write("canary", "kept");
	return mkdir(scratch_path("dir"), 0700);
}

static int teardown(void **state)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(10);
	bool kept = xb_file_read_at(scratch_fd, "canary", &s, NULL) == 0 &&
		    strcmp(xb_str_text(&s), "kept") == 0;

	return scratch_teardown(state) == 0 && kept ? 0 : -1;
}

static void an_unpacker_can_do_its_work(void **state)
{
	(void)state;
	check("work");
}

static void owners_and_devices_are_set_when_allowed(void **state)
{
	struct stat st;

	(void)state;
	need("root", is_real_root());
	check("set_owners");
	assert_int_equal(stat(scratch_path("dir/owned"), &st), 0);
	assert_int_equal(st.st_uid, 3);
	assert_int_equal(st.st_gid, 4);
}

static void owners_and_devices_are_refused_else(void **state)
{
	(void)state;
	check("refuse_owners");
}

static void nothing_outside_is_opened_or_made(void **state)
{
	(void)state;
	need("landlock", have_landlock());
	check("stay_inside");
}

static void nothing_is_started_or_reached(void **state)
{
	(void)state;
	check("start_nothing");
}

static void limits_hold(void **state)
{
	(void)state;
	check("keep_limits");
}

static void without_a_directory_nothing_is_opened(void **state)
{
	(void)state;
	need("landlock", have_landlock());
	check("confine_to_nothing");
}

static void a_fault_still_ends_the_process(void **state)
{
	struct xb_proc_status status = run("abort_inside");

	(void)state;
	assert_true(status.signal == SIGABRT);
}

static void a_program_keeps_to_its_directories(void **state)
{
	(void)state;
	need("landlock", have_landlock());
	scratch_write("read_only", "text");
	check("be_a_program");
}

static void calls_of_another_table_end_the_process(void **state)
{
	struct xb_proc_status status;

	(void)state;
#if defined(__x86_64__)
	status = run("call_other_table");
	assert_true(status.signal != 0);
#else
	(void)status;
	need("x86_64", false);
#endif
}

#define in_dir(test) cmocka_unit_test_setup_teardown((test), setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		in_dir(an_unpacker_can_do_its_work),
		in_dir(owners_and_devices_are_set_when_allowed),
		in_dir(owners_and_devices_are_refused_else),
		in_dir(nothing_outside_is_opened_or_made),
		in_dir(nothing_is_started_or_reached),
		in_dir(limits_hold),
		in_dir(without_a_directory_nothing_is_opened),
		in_dir(a_fault_still_ends_the_process),
		in_dir(calls_of_another_table_end_the_process),
		in_dir(a_program_keeps_to_its_directories),
	};

	if (argc == 3)
		return run_child(argv[1], argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
