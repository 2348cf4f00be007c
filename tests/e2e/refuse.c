/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refuse COMMAND...: run it where no overlay can be mounted, as in a container whose rules forbid
 * that: fsopen() and mount() of an overlay give EPERM, of everything else they do what they do.
 * To be started as root; the command may then become somebody else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Those that name a file system ask us; this process makes none of them. */
static int ask_of_mounts(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsopen, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

static int is_overlay(const struct seccomp_notif *asked)
{
	off_t at = (off_t)asked->data.args[asked->data.nr == SYS_fsopen ? 0 : 2];
	char path[64], type[sizeof("overlay")] = "";
	int mem;

	(void)snprintf(path, sizeof(path), "/proc/%u/mem", asked->pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return 1;
	(void)pread(mem, type, sizeof(type), at);
	close(mem);
	return memcmp(type, "overlay", sizeof(type)) == 0;
}

static void answer(int listener)
{
	struct seccomp_notif asked = { 0 };
	struct seccomp_notif_resp said = { 0 };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
		return;
	said.id = asked.id;
	if (is_overlay(&asked))
		said.error = -EPERM;
	else
		said.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &said);
}

int main(int argc, char **argv)
{
	int listener = ask_of_mounts();
	int status = 0;
	pid_t pid;

	if (argc < 2 || listener < 0) {
		perror("refuse");
		return 125;
	}
	pid = fork();
	if (pid == 0) {
		close(listener);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct pollfd asked = { .fd = listener, .events = POLLIN };

		if (poll(&asked, 1, 20) > 0 && (asked.revents & POLLIN) != 0)
			answer(listener);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
