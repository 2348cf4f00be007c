/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's default seccomp profile as a table, compiled by libseccomp.
 * Source: moby/profiles seccomp/default.json, with the rows that depend on the architecture put
 * among the others: where such a call does not exist, there is nothing to allow.
 */
#include "builder/sandbox/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/array.h"
#include "base/file.h"

/* Allowed to every step. */
static const char allowed[] =
	"_llseek _newselect accept accept4 access adjtimex alarm arch_prctl "
	"arm_fadvise64_64 arm_sync_file_range bind breakpoint brk cacheflush cachestat "
	"capget capset chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres "
	"clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
	"clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 "
	"dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 "
	"epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group "
	"faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod "
	"fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
	"flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs "
	"fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait "
	"futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd "
	"getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
	"getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority "
	"getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid "
	"getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat "
	"inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy "
	"io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl "
	"ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset "
	"landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount "
	"listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 "
	"madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir "
	"mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect "
	"mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
	"mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv "
	"msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open "
	"openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free "
	"pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 "
	"process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 "
	"ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv "
	"recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr "
	"removexattrat rename renameat renameat2 restart_syscall riscv_flush_icache "
	"riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
	"rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
	"rt_tgsigqueueinfo s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr "
	"sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr "
	"sched_getparam sched_getscheduler sched_rr_get_interval "
	"sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
	"sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
	"semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list "
	"set_thread_area set_tid_address set_tls setfsgid setfsgid32 setfsuid setfsuid32 "
	"setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid "
	"setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 "
	"setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt "
	"shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall "
	"socketpair splice stat stat64 statfs statfs64 statmount statx swapcontext symlink "
	"symlinkat sync sync_file_range sync_file_range2 syncfs sysinfo tee tgkill time "
	"timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
	"timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
	"timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask "
	"uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork "
	"vmsplice wait4 waitid waitpid write writev ";

/* Allowed when the step has the capability. */
static const struct {
	int capability;
	const char *names;
} allowed_with[] = {
	{ CAP_DAC_READ_SEARCH, "open_by_handle_at " },
	{ CAP_SYS_ADMIN,
	  "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
	  "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr "
	  "move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
	  "sethostname setns syslog umount umount2 unshare " },
	{ CAP_SYS_BOOT, "reboot " },
	{ CAP_SYS_CHROOT, "chroot " },
	{ CAP_SYS_MODULE, "delete_module finit_module init_module " },
	{ CAP_SYS_PACCT, "acct " },
	{ CAP_SYS_PTRACE,
	  "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace " },
	{ CAP_SYS_RAWIO, "ioperm iopl " },
	{ CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime " },
	{ CAP_SYS_TTY_CONFIG, "vhangup " },
	{ CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node " },
	{ CAP_SYSLOG, "syslog " },
	{ CAP_BPF, "bpf " },
	{ CAP_PERFMON, "perf_event_open " },
};

/* Allowed when an argument compares so. */
static const struct {
	const char *name;
	struct scmp_arg_cmp argument;
} allowed_if[] = {
	/* neither AF_ALG (38) nor AF_VSOCK (40) */
	{ "socket", { 0, SCMP_CMP_LT, 38, 0 } },
	{ "socket", { 0, SCMP_CMP_EQ, 39, 0 } },
	{ "socket", { 0, SCMP_CMP_GT, 40, 0 } },
	/* PER_LINUX, PER_LINUX32, each with and without UNAME26, and asking */
	{ "personality", { 0, SCMP_CMP_EQ, 0x0, 0 } },
	{ "personality", { 0, SCMP_CMP_EQ, 0x8, 0 } },
	{ "personality", { 0, SCMP_CMP_EQ, 0x20000, 0 } },
	{ "personality", { 0, SCMP_CMP_EQ, 0x20008, 0 } },
	{ "personality", { 0, SCMP_CMP_EQ, 0xffffffff, 0 } },
};

/* The CLONE_NEW* flags: without CAP_SYS_ADMIN a step may not make namespaces. */
#define CLONE_NAMESPACES 0x7e020000

/*
 * Calls that the profile allows and that libseccomp 2.5.4 does not know. Since 424 a new call has
 * one number on all architectures (but alpha; x32 sets a bit, which the program takes off).
 */
static const unsigned allowed_new[] = {
	451, /* cachestat */
	452, /* fchmodat2 */
	453, /* map_shadow_stack */
	454, /* futex_wake */
	455, /* futex_wait */
	456, /* futex_requeue */
	457, /* statmount */
	458, /* listmount */
	462, /* mseal */
	463, /* setxattrat */
	464, /* getxattrat */
	465, /* listxattrat */
	466, /* removexattrat */
};
enum {
	FIRST_NEW = 451,
	/* Newer than the profile: ENOSYS, so that libc falls back to what the profile allows. */
	LAST_NEW = 466,
	X32_BIT = 0x40000000,
	X32_FIRST = 512, /* numbers that x32 alone has */
	X32_LAST = 547,
};

/* The architectures whose programs a kernel runs directly, the host's own first. */
static const uint32_t families[][3] = {
	{ SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32 },
	{ SCMP_ARCH_AARCH64, SCMP_ARCH_ARM, 0 },
	{ SCMP_ARCH_S390X, SCMP_ARCH_S390, 0 },
	{ SCMP_ARCH_MIPSEL64, SCMP_ARCH_MIPSEL, SCMP_ARCH_MIPSEL64N32 },
};

static void release(void *ctx)
{
	seccomp_release(*(scmp_filter_ctx *)ctx);
}

static int allow(scmp_filter_ctx ctx, struct xb_view name)
{
	xb_autofree char *text = xb_view_dup(name);
	int number = seccomp_syscall_resolve_name(text);

	/* no architecture that this libseccomp knows has it */
	if (name.len == 0 || number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, 0, NULL);
}

static int allow_all(scmp_filter_ctx ctx, const char *names)
{
	struct xb_view rest = xb_view(names), name;
	int r = 0;

	while (r == 0 && xb_view_split(&rest, ' ', &name))
		r = allow(ctx, name);
	return r;
}

static int allow_clone(scmp_filter_ctx ctx)
{
	/* s390 has the flags second */
	bool second = seccomp_arch_native() == SCMP_ARCH_S390X;
	struct scmp_arg_cmp flags = { second ? 1 : 0, SCMP_CMP_MASKED_EQ, CLONE_NAMESPACES, 0 };
	int r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &flags);

	/* Its flags are in memory, where no filter sees them; libc falls back to clone. */
	return r != 0 ? r
		      : seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0,
					       NULL);
}

static int add_architectures(scmp_filter_ctx ctx)
{
	uint32_t native = seccomp_arch_native();
	int r = 0;

	for (size_t i = 0; i < XB_COUNT(families); i++) {
		for (size_t j = 1; families[i][0] == native && j < 3 && r == 0; j++)
			r = families[i][j] != 0 ? seccomp_arch_add(ctx, families[i][j]) : 0;
	}
	return r;
}

static int add_rules(scmp_filter_ctx ctx, uint64_t capabilities)
{
	int r = allow_all(ctx, allowed);

	for (size_t i = 0; r == 0 && i < XB_COUNT(allowed_with); i++) {
		if ((capabilities >> allowed_with[i].capability & 1) != 0)
			r = allow_all(ctx, allowed_with[i].names);
	}
	for (size_t i = 0; r == 0 && i < XB_COUNT(allowed_if); i++)
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
					   seccomp_syscall_resolve_name(allowed_if[i].name), 1,
					   &allowed_if[i].argument);
	if (r == 0 && (capabilities >> CAP_SYS_ADMIN & 1) == 0)
		r = allow_clone(ctx);
	return r;
}

static int export(scmp_filter_ctx ctx, struct xb_str *program, struct xb_error *err)
{
	xb_auto_fd int fd = xb_memfd_new("seccomp", err);
	int r;

	if (fd < 0)
		return fd;
	r = seccomp_export_bpf(ctx, fd);
	if (r != 0)
		return xb_error_errno(err, r, "exporting the seccomp filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return xb_error_errno(err, -errno, "reading the seccomp filter");
	return xb_file_read_fd(fd, program, err);
}

static int compile(uint64_t capabilities, struct xb_str *program, struct xb_error *err)
{
	XB_CLEANUP(release) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (ctx == NULL)
		return xb_error_set(err, -ENOMEM, "making a seccomp filter");
	r = add_architectures(ctx);
	if (r == 0)
		r = add_rules(ctx, capabilities);
	/* A binary tree: the kernel walks the filter once for each call's number to find those
	 * that it may let pass without the filter, and that is the time which loading takes. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r != 0)
		return xb_error_errno(err, r, "making a seccomp filter");
	return export(ctx, program, err);
}

struct instructions XB_ARRAY(struct sock_filter);

static void emit(struct instructions *out, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
	*xb_array_push(out) = (struct sock_filter){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
}

static void load_field(struct instructions *out, size_t offset)
{
	emit(out, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* When the accumulator is `k`, end with `action`. */
static void end_if(struct instructions *out, uint32_t k, uint32_t action)
{
	emit(out, BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
	emit(out, BPF_RET | BPF_K, action, 0, 0);
}

/* Calls that libseccomp does not know; the others fall through. */
static void emit_new_calls(struct instructions *out)
{
	const unsigned skip = 2 * (unsigned)XB_COUNT(allowed_new) + 4;

	load_field(out, offsetof(struct seccomp_data, nr));
	emit(out, BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)X32_BIT, 0, 0);
	emit(out, BPF_JMP | BPF_JGE | BPF_K, FIRST_NEW, 0, skip);
	for (size_t i = 0; i < XB_COUNT(allowed_new); i++)
		end_if(out, allowed_new[i], SECCOMP_RET_ALLOW);
	emit(out, BPF_JMP | BPF_JGT | BPF_K, LAST_NEW, 0, 3);
	emit(out, BPF_JMP | BPF_JGE | BPF_K, X32_FIRST, 0, 1);
	emit(out, BPF_JMP | BPF_JGT | BPF_K, X32_LAST, 0, 1);
	emit(out, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
}

/*
 * Typing into the terminal that the step shares with the user (`xbuild run`) would run commands
 * outside. The kernel looks at the low half of the request alone, and so does this; libseccomp
 * cannot say "anything but" of a part of an argument.
 */
static void emit_ioctl(struct instructions *out, uint32_t arch, int number)
{
	/* x32 has the audit architecture of x86_64 and numbers of its own */
	uint32_t audit = arch == SCMP_ARCH_X32 ? (uint32_t)SCMP_ARCH_X86_64 : arch;

	load_field(out, offsetof(struct seccomp_data, arch));
	emit(out, BPF_JMP | BPF_JEQ | BPF_K, audit, 0, 7);
	load_field(out, offsetof(struct seccomp_data, nr));
	emit(out, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 5);
	load_field(out, offsetof(struct seccomp_data, args[1]) +
				(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0));
	end_if(out, TIOCSTI, SECCOMP_RET_ERRNO | EPERM);
	end_if(out, TIOCLINUX, SECCOMP_RET_ERRNO | EPERM);
}

static void emit_ioctls(struct instructions *out)
{
	uint32_t native = seccomp_arch_native();

	for (size_t i = 0; i < XB_COUNT(families); i++) {
		for (size_t j = 0; families[i][0] == native && j < 3; j++) {
			uint32_t arch = families[i][j];

			if (arch != 0)
				emit_ioctl(out, arch,
					   seccomp_syscall_resolve_name_arch(arch, "ioctl"));
		}
	}
}

/* What stands in front of libseccomp's program; jumps are relative, so it can. */
int xb_seccomp_compile(uint64_t capabilities, struct xb_str *program, struct xb_error *err)
{
	struct instructions prefix = { 0 };

#ifndef __mips__ /* its numbers begin at 5000 */
	emit_new_calls(&prefix);
#endif
	emit_ioctls(&prefix);
	(void)xb_str_append(program, prefix.items, prefix.len * sizeof(*prefix.items));
	xb_array_clear(&prefix);
	return compile(capabilities, program, err);
}
