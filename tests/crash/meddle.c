/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run a command and meddle with one system call of it: of the whole tree of processes that it
 * becomes, threads included, the calls are counted as they are made, and at the Nth
 *
 *	meddle count   0 COMMAND...	nothing happens: how many there are
 *	meddle self    N COMMAND...	the process that makes it is killed
 *	meddle builder N COMMAND...	the command's first process is killed
 *	meddle cut     N COMMAND...	the file system $MEDDLE_DISK ends without another write, as
 *					in a power cut, and all processes are killed
 *	meddle fail    N COMMAND...	the call fails with one of the errors it may have, the
 *					$MEDDLE_ERROR'th; with $MEDDLE_LASTING so does every later
 *					call that may have that error
 *
 * For `fail` (and for `count` with $MEDDLE_ERROR) only calls count that may fail so, made by the
 * program $MEDDLE_PROGRAM and by what runs from memory: what a step's own command makes of an error
 * is its own business.
 *
 * Exits as the command does (128 + signal), 99 when after $MEDDLE_SECONDS (300) it still runs. To
 * $MEDDLE_REPORT: "calls COUNT call NUMBER error ERRNO left PROCESSES hang 0|1 builder PID"; `left`
 * are those that live twenty seconds after the first process has ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define FS_SHUTDOWN _IOR('X', 125, uint32_t)
enum { NO_LOG_FLUSH = 2, MAX_TASKS = 4096, HUNG = 99, LINGER = 20 };

enum mode { COUNT, SELF, BUILDER, CUT, FAIL };
static const char *const modes[] = { "count", "self", "builder", "cut", "fail" };

/* Which errors a call may have; EIO and ENOMEM where a disk or the kernel's memory is involved. */
#define WRITES                                                                                     \
	{                                                                                          \
		ENOSPC, EIO, EDQUOT, EINTR                                                         \
	}
#define MAKES                                                                                      \
	{                                                                                          \
		ENOSPC, EIO, EDQUOT, EROFS, ENOMEM                                                 \
	}
#define OPENS                                                                                      \
	{                                                                                          \
		ENOSPC, EIO, EMFILE, ENOMEM, EROFS, EDQUOT, ENFILE                                 \
	}
#define READS                                                                                      \
	{                                                                                          \
		EIO, EINTR, ENOMEM                                                                 \
	}
#define SYNCS                                                                                      \
	{                                                                                          \
		EIO, ENOSPC, EDQUOT                                                                \
	}
#define MOUNTS                                                                                     \
	{                                                                                          \
		ENOMEM, EMFILE, ENOSPC, EINVAL, EPERM                                              \
	}
#define CHILDREN                                                                                   \
	{                                                                                          \
		EAGAIN, ENOMEM                                                                     \
	}
#define MEMORY                                                                                     \
	{                                                                                          \
		ENOMEM                                                                             \
	}
#define DESCRIPTORS                                                                                \
	{                                                                                          \
		EMFILE, ENFILE, ENOMEM                                                             \
	}
#define ATTRIBUTES                                                                                 \
	{                                                                                          \
		EIO, EROFS, ENOSPC, EDQUOT                                                         \
	}
#define LOCKS                                                                                      \
	{                                                                                          \
		EINTR, ENOLCK                                                                      \
	}
#define WAITS                                                                                      \
	{                                                                                          \
		EINTR                                                                              \
	}

static const struct rule {
	long call;
	int errors[8];
} rules[] = {
	{ SYS_openat, OPENS },
	{ SYS_openat2, OPENS },
	{ SYS_write, WRITES },
	{ SYS_pwrite64, WRITES },
	{ SYS_writev, WRITES },
	{ SYS_copy_file_range, WRITES },
	{ SYS_sendfile, WRITES },
	{ SYS_fallocate, WRITES },
	{ SYS_ftruncate, MAKES },
	{ SYS_mkdirat, MAKES },
	{ SYS_mknodat, MAKES },
	{ SYS_linkat, MAKES },
	{ SYS_symlinkat, MAKES },
	{ SYS_renameat, MAKES },
	{ SYS_renameat2, MAKES },
	{ SYS_unlinkat, { EIO, EROFS, ENOMEM } },
#ifdef SYS_rename
	{ SYS_open, OPENS },
	{ SYS_mkdir, MAKES },
	{ SYS_rename, MAKES },
	{ SYS_unlink, { EIO, EROFS, ENOMEM } },
	{ SYS_fork, CHILDREN },
	{ SYS_vfork, CHILDREN },
	{ SYS_stat, { EIO, ENOMEM } },
	{ SYS_lstat, { EIO, ENOMEM } },
#endif
	{ SYS_clone, CHILDREN },
	{ SYS_clone3, CHILDREN },
	{ SYS_fsync, SYNCS },
	{ SYS_fdatasync, SYNCS },
	{ SYS_syncfs, SYNCS },
	{ SYS_read, READS },
	{ SYS_pread64, READS },
	{ SYS_getdents64, { EIO, ENOMEM } },
	{ SYS_newfstatat, { EIO, ENOMEM } },
	{ SYS_statx, { EIO, ENOMEM } },
	{ SYS_fstat, { EIO } },
	{ SYS_mount, MOUNTS },
	{ SYS_move_mount, MOUNTS },
	{ SYS_open_tree, MOUNTS },
	{ SYS_fsopen, MOUNTS },
	{ SYS_fsconfig, MOUNTS },
	{ SYS_fsmount, MOUNTS },
	{ SYS_mount_setattr, MOUNTS },
	{ SYS_unshare, { ENOMEM, ENOSPC, EPERM } },
	{ SYS_setns, { ENOMEM, EPERM } },
	{ SYS_pivot_root, MOUNTS },
	{ SYS_mmap, MEMORY },
	{ SYS_mremap, MEMORY },
	{ SYS_execve, { ENOMEM, EIO, EAGAIN } },
	{ SYS_execveat, { ENOMEM, EIO, EAGAIN } },
	{ SYS_memfd_create, DESCRIPTORS },
	{ SYS_pipe2, DESCRIPTORS },
	{ SYS_socketpair, DESCRIPTORS },
	{ SYS_socket, DESCRIPTORS },
	{ SYS_eventfd2, DESCRIPTORS },
	{ SYS_signalfd4, DESCRIPTORS },
	{ SYS_pidfd_open, DESCRIPTORS },
	{ SYS_epoll_create1, DESCRIPTORS },
	{ SYS_fcntl, { EMFILE, EINTR } },
	{ SYS_dup3, { EMFILE, EINTR } },
	{ SYS_flock, LOCKS },
	{ SYS_fchmod, ATTRIBUTES },
	{ SYS_fchmodat, ATTRIBUTES },
	{ SYS_fchown, ATTRIBUTES },
	{ SYS_fchownat, ATTRIBUTES },
	{ SYS_utimensat, ATTRIBUTES },
	{ SYS_fsetxattr, ATTRIBUTES },
	{ SYS_wait4, WAITS },
	{ SYS_ppoll, WAITS },
	{ SYS_poll, WAITS },
	{ SYS_recvmsg, { EINTR, ENOMEM } },
	{ SYS_sendmsg, { EINTR, ENOMEM } },
};

struct task {
	pid_t id;
	bool known; /* whether `ours` has been looked up since the last exec */
	bool ours;
	int fail; /* what the call that it is in shall return */
};

static struct {
	enum mode mode;
	unsigned long n, count;
	unsigned pick;
	bool lasting, chosen; /* `chosen`: only calls that may fail are counted */
	int error;	      /* lasting: this one, from now on */
	struct stat program;
	pid_t builder;
	struct task tasks[MAX_TASKS];
	size_t len;
	/* for the report */
	long call;
	int reported_error, left, hung, status;
	bool over;
} m;

static volatile sig_atomic_t late;

/* From then on once a second: a signal just before waitpid() is then not the last. */
static void set_alarm(unsigned seconds)
{
	const struct itimerval timer = { { 1, 0 }, { (time_t)seconds, 0 } };

	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void on_alarm(int signal_number)
{
	(void)signal_number;
	late = 1;
}

static struct task *task_of(pid_t id)
{
	for (size_t i = 0; i < m.len; i++) {
		if (m.tasks[i].id == id)
			return &m.tasks[i];
	}
	if (m.len == MAX_TASKS)
		exit(HUNG);
	m.tasks[m.len] = (struct task){ .id = id };
	return &m.tasks[m.len++];
}

static void forget(pid_t id)
{
	for (size_t i = 0; i < m.len; i++) {
		if (m.tasks[i].id == id) {
			m.tasks[i] = m.tasks[--m.len];
			return;
		}
	}
}

static bool is_ours(struct task *task)
{
	char path[64], target[32] = "";
	struct stat st;

	if (task->known)
		return task->ours;
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)task->id);
	task->known = true;
	task->ours = (stat(path, &st) == 0 && st.st_dev == m.program.st_dev &&
		      st.st_ino == m.program.st_ino) ||
		     (readlink(path, target, sizeof(target) - 1) > 0 &&
		      strncmp(target, "/memfd:", 7) == 0);
	return task->ours;
}

static const int *errors_of(long call)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		if (rules[i].call == call)
			return rules[i].errors;
	}
	return NULL;
}

static bool may_have(const int *errors, int error)
{
	for (size_t i = 0; errors != NULL && errors[i] != 0; i++) {
		if (errors[i] == error)
			return true;
	}
	return false;
}

/* Make the call at whose entry the task stands none; at its exit it gets its result. */
static void skip_call(struct task *task, int error)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, task->id, NULL, &regs) < 0)
		return;
	regs.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, task->id, NULL, &regs) == 0)
		task->fail = error;
#endif
}

static void set_result(struct task *task)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, task->id, NULL, &regs) == 0) {
		regs.rax = (unsigned long long)-(long long)task->fail;
		(void)ptrace(PTRACE_SETREGS, task->id, NULL, &regs);
	}
#endif
	task->fail = 0;
}

static void end_all(void)
{
	for (size_t i = 0; i < m.len; i++)
		(void)kill(m.tasks[i].id, SIGKILL);
}

static void cut_power(void)
{
	uint32_t how = NO_LOG_FLUSH;
	int fd = open(getenv("MEDDLE_DISK"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, FS_SHUTDOWN, &how) < 0)
		perror("meddle: cutting the power");
	(void)close(fd);
	end_all();
}

static void act(struct task *task, long call, const int *errors)
{
	unsigned choices = 0;

	m.call = call;
	switch (m.mode) {
	case SELF:
		(void)kill(task->id, SIGKILL);
		break;
	case BUILDER:
		(void)kill(m.builder, SIGKILL);
		break;
	case CUT:
		cut_power();
		break;
	case FAIL:
		while (errors[choices] != 0)
			choices++;
		m.reported_error = errors[m.pick % choices];
		/* a wait that is always interrupted waits for ever */
		m.error = m.lasting && m.reported_error != EINTR ? m.reported_error : 0;
		skip_call(task, m.reported_error);
		break;
	case COUNT:
		break;
	}
}

/*
 * Messages have to be seen, and are not written to a disk here. fcntl() has errors where it makes a
 * descriptor; SQLite takes any error of a lock for somebody else's lock, and waits.
 */
static bool is_spared(long call, const uint64_t *arguments)
{
	if (call == SYS_write || call == SYS_writev)
		return arguments[0] == 1 || arguments[0] == 2;
	return call == SYS_fcntl && arguments[1] != F_DUPFD && arguments[1] != F_DUPFD_CLOEXEC;
}

static void on_entry(struct task *task, long call, const uint64_t *arguments)
{
	const int *errors = m.chosen ? errors_of(call) : NULL;

	if (m.chosen && (errors == NULL || is_spared(call, arguments) || !is_ours(task)))
		return;
	if (++m.count == m.n)
		act(task, call, errors);
	else if (m.error != 0 && may_have(errors, m.error))
		skip_call(task, m.error);
}

static void on_call(struct task *task)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->id, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(task, (long)info.entry.nr, (const uint64_t *)info.entry.args);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT && task->fail != 0)
		set_result(task);
}

static void on_stop(pid_t id, int status)
{
	struct task *task = task_of(id);
	int event = status >> 16;
	int pass = 0;

	if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
		on_call(task);
	} else if (event == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP) {
		(void)ptrace(PTRACE_LISTEN, id, NULL, NULL);
		return;
	} else if (event == PTRACE_EVENT_EXEC) {
		task->known = false;
	} else if (event == 0) {
		pass = WSTOPSIG(status);
	}
	(void)ptrace(PTRACE_SYSCALL, id, NULL, (void *)(intptr_t)pass);
}

static void on_end(pid_t id, int status)
{
	forget(id);
	if (id != m.builder)
		return;
	m.over = true;
	m.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	set_alarm(LINGER);
}

/* Too late: the builder hangs, or what it began outlives it. */
static void on_late(void)
{
	late = 0;
	if (!m.over) {
		m.hung = 1;
		m.status = HUNG;
		m.over = true;
	}
	if (m.left == 0)
		m.left = (int)m.len;
	end_all();
}

static void trace(void)
{
	int status;

	for (;;) {
		pid_t id = waitpid(-1, &status, __WALL);

		if (id < 0 && errno == ECHILD)
			return;
		if (late)
			on_late();
		if (id < 0)
			continue;
		if (WIFSTOPPED(status))
			on_stop(id, status);
		else
			on_end(id, status);
	}
}

static void start(char **command)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int status;

	m.builder = fork();
	if (m.builder == 0) {
		(void)raise(SIGSTOP);
		(void)execvp(command[0], command);
		_exit(127);
	}
	(void)waitpid(m.builder, &status, WUNTRACED);
	if (ptrace(PTRACE_SEIZE, m.builder, NULL, options) < 0) {
		perror("meddle: tracing");
		(void)kill(m.builder, SIGKILL);
		exit(HUNG);
	}
	(void)task_of(m.builder);
	(void)kill(m.builder, SIGCONT);
}

static unsigned number(const char *variable, unsigned otherwise)
{
	const char *value = getenv(variable);

	return value != NULL ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

static void report(void)
{
	const char *path = getenv("MEDDLE_REPORT");
	FILE *out = path != NULL ? fopen(path, "w") : NULL;

	if (out == NULL)
		return;
	(void)fprintf(out, "calls %lu call %ld error %d left %d hang %d builder %d\n", m.count,
		      m.call, m.reported_error, m.left, m.hung, (int)m.builder);
	(void)fclose(out);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_alarm }; /* without SA_RESTART */
	const char *program = getenv("MEDDLE_PROGRAM");

	while (argc > 3 && m.mode <= FAIL && strcmp(argv[1], modes[m.mode]) != 0)
		m.mode++;
	if (argc < 4 || m.mode > FAIL) {
		(void)fprintf(stderr, "meddle count|self|builder|cut|fail N COMMAND...\n");
		return 2;
	}
	m.n = strtoul(argv[2], NULL, 10);
	m.call = -1;
	m.pick = number("MEDDLE_ERROR", 0);
	m.lasting = number("MEDDLE_LASTING", 0) != 0;
	m.chosen = m.mode == FAIL || getenv("MEDDLE_ERROR") != NULL;
	if (program != NULL && stat(program, &m.program) < 0)
		perror(program);
	/* what the builder leaves behind becomes our child, and is seen to end */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)sigaction(SIGALRM, &action, NULL);
	start(argv + 3);
	set_alarm(number("MEDDLE_SECONDS", 300));
	trace();
	report();
	return m.status;
}
