/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which system calls the filter of this process lets pass, as the kernel has it, without making any
 * of them. A child puts a second filter on top that asks a listener about every call; what the
 * first filter answers itself, the listener never hears of.
 *
 *	calls ABI	ABI is native, i386 or x32: a line for each answer: allowed, EPERM, ENOSYS,
 *			with the numbers from 0 to 470 that get it, as ranges; without the
 *			two that the kernel filters for nobody
 *	calls type	try to type into standard input (TIOCSTI), the request's upper half set
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAST = 470, X32_BIT = 0x40000000, HEARD = -E2BIG };

/* What child and listener share. */
static volatile struct {
	int listener; /* its descriptor; -1: not yet; below: a failure */
	int done;
	long answers[LAST + 1];
} * shared;

#ifdef __x86_64__
static long call_i386(int number)
{
	long r = number;

	__asm__ volatile("int $0x80"
			 : "+a"(r)
			 : "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)r;
}

static long call_native(int number)
{
	long r = number;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	register long r9 __asm__("r9") = 0;

	__asm__ volatile("syscall"
			 : "+a"(r)
			 : "D"(0), "S"(0), "d"(0), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#endif

static long call(const char *abi, int number)
{
#ifdef __x86_64__
	if (strcmp(abi, "i386") == 0)
		return call_i386(number);
	return call_native(strcmp(abi, "x32") == 0 ? number | X32_BIT : number);
#else
	(void)abi;
	(void)number;
	return 0;
#endif
}

/* uretprobe and uprobe: newer kernels make them in spite of every filter, and end who calls them
 * out of their place. */
static int is_never_filtered(const char *abi, int number)
{
	return strcmp(abi, "native") == 0 && (number == 335 || number == 336);
}

static int ask_about_all(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	struct sock_fprog program = { 1, &all };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* Makes no call of the C library once the filter is there. */
static int child(void *abi)
{
	shared->listener = ask_about_all();
	if (shared->listener < 0)
		_exit(1);
	for (int i = 0; i <= LAST; i++)
		shared->answers[i] = is_never_filtered(abi, i) ? 0 : call(abi, i);
	shared->done = 1;
	for (;;)
		;
}

static void answer(int listener)
{
	struct seccomp_notif request = { 0 };
	struct seccomp_notif_resp response = { .error = HEARD };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
		return;
	response.id = request.id;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static int listen_to(pid_t pid)
{
	while (shared->listener == -1 && waitpid(pid, NULL, WNOHANG) == 0)
		(void)usleep(1000);
	while (shared->listener >= 0 && !shared->done && waitpid(pid, NULL, WNOHANG) == 0) {
		struct pollfd fd = { .fd = shared->listener, .events = POLLIN };

		if (poll(&fd, 1, 20) > 0)
			answer(shared->listener);
	}
	(void)kill(pid, SIGKILL);
	return shared->listener < 0 || !shared->done ? -1 : 0;
}

static void print(const char *name, long wanted)
{
	(void)printf("%s", name);
	for (int i = 0; i <= LAST; i++) {
		int first = i;

		if (shared->answers[i] != wanted)
			continue;
		while (i < LAST && shared->answers[i + 1] == wanted)
			i++;
		if (first == i)
			(void)printf(" %d", first);
		else
			(void)printf(" %d-%d", first, i);
	}
	(void)printf("\n");
}

static int type(void)
{
	int r = (int)syscall(SYS_ioctl, 0, 0xffffffff00000000UL | TIOCSTI, "x");

	(void)printf("%s\n", r == 0 ? "typed" : errno == EPERM ? "EPERM" : strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	enum { STACK = 1 << 16 };
	char *stack;
	pid_t pid;

	if (argc == 2 && strcmp(argv[1], "type") == 0)
		return type();
	stack = malloc(STACK);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (argc != 2 || stack == NULL || shared == MAP_FAILED)
		return 2;
	shared->listener = -1;
	/* with the same descriptors, so that both have the listener's */
	pid = clone(child, stack + STACK, CLONE_FILES | SIGCHLD, argv[1]);
	if (pid < 0 || listen_to(pid) < 0)
		return 2;
	print("allowed", HEARD);
	print("EPERM", -EPERM);
	print("ENOSYS", -ENOSYS);
	for (int i = 0; i <= LAST; i++) {
		if (!is_never_filtered(argv[1], i) && shared->answers[i] != HEARD &&
		    shared->answers[i] != -EPERM && shared->answers[i] != -ENOSYS)
			(void)printf("%d: %ld\n", i, shared->answers[i]);
	}
	return 0;
}
