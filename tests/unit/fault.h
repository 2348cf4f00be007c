/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Run a function while a system call fails.
 *
 * The function runs in a thread of its own, whose seccomp filter answers one system call with an
 * errno without doing it; the other threads are not affected. It must not use cmocka's assertions,
 * which jump back into the main thread: let it return what happened.
 */
#ifndef XB_TESTS_UNIT_FAULT_H
#define XB_TESTS_UNIT_FAULT_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/** A call that fails: system call `number`, if argument `argument` has all bits of `mask`. */
struct fault {
	long number;
	unsigned argument;
	uint32_t mask; /* 0: always */
	int error;     /* positive errno */
};

struct fault_run {
	const struct fault *fault;
	int (*function)(void *context);
	void *context;
	int result;
};

/** Offset of the low half of an argument in what a filter sees. */
static inline uint32_t fault_argument(unsigned argument)
{
	uint32_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;

	return (uint32_t)offsetof(struct seccomp_data, args) + argument * 8 + low;
}

/** The thread. */
static inline void *fault_thread(void *arg)
{
	struct fault_run *run = arg;
	const struct fault *f = run->fault;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)f->number, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, fault_argument(f->argument)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, f->mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, f->mask, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)f->error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		run->result = INT32_MIN;
	else
		run->result = run->function(run->context);
	return NULL;
}

/** What `function(context)` returns while `fault` is there; INT32_MIN when it cannot be made. */
static inline int with_fault(const struct fault *fault, int (*function)(void *), void *context)
{
	struct fault_run run = { fault, function, context, INT32_MIN };
	pthread_t thread;

	if (pthread_create(&thread, NULL, fault_thread, &run) == 0)
		(void)pthread_join(thread, NULL);
	return run.result;
}

#endif
