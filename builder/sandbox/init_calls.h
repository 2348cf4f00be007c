/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Calls of a step's programs that xbuild-init's process B answers, where owners are recorded
 * (docs/decisions/0043). init_calls.c has the table, the filter and the loop; init_owners.c answers
 * what is of files, init_ids.c what is of users.
 */
#ifndef XB_BUILDER_SANDBOX_INIT_CALLS_H
#define XB_BUILDER_SANDBOX_INIT_CALLS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "builder/sandbox/init.h"

/** What is answered, in the order of the table. */
enum init_call_kind {
	INIT_CHOWN,
	INIT_LCHOWN,
	INIT_FCHOWN,
	INIT_FCHOWNAT,
	INIT_STAT,
	INIT_LSTAT,
	INIT_FSTAT,
	INIT_FSTATAT,
	INIT_STATX,
	INIT_OPEN, /**< here begin those that make files; open() only with O_CREAT */
	INIT_OPENAT,
	INIT_CREAT,
	INIT_MKDIR,
	INIT_MKDIRAT,
	INIT_SYMLINK,
	INIT_SYMLINKAT,
	INIT_MKNOD,
	INIT_MKNODAT,
	INIT_SETUID, /**< here begin those of users */
	INIT_SETREUID,
	INIT_SETRESUID,
	INIT_SETFSUID,
	INIT_SETGID,
	INIT_SETREGID,
	INIT_SETRESGID,
	INIT_SETFSGID,
	INIT_SETGROUPS,
	INIT_GETUID,
	INIT_GETEUID,
	INIT_GETRESUID,
	INIT_GETGID,
	INIT_GETEGID,
	INIT_GETRESGID,
	INIT_GETGROUPS,
	INIT_KEEPCAPS, /**< prctl(PR_SET_KEEPCAPS) */
};

/** One call that waits for its answer. */
struct init_call {
	enum init_call_kind kind;
	uint64_t id; /**< the kernel's name of it */
	pid_t pid;   /**< the thread */
	uint64_t args[6];
	bool is_short; /**< ids have 16 bits, as in old calls of 32-bit programs */
};

/** Answered with this, the kernel carries the call out; other answers are its value, or a negative
 *  errno. */
#define INIT_CALL_AS_IT_IS INT64_MIN
/** It has been answered. */
#define INIT_CALL_DONE (INT64_MIN + 1)

/** An id that stays as it is, in whatever width the call has. */
#define INIT_KEEP UINT32_MAX

/** Groups of a user that are remembered; more are cut. */
#define INIT_MAX_GROUPS 64

/** Whom a process takes itself for; ids are real, effective and saved. */
struct init_identity {
	uint32_t uid[3];
	uint32_t gid[3];
	uint32_t keeps; /**< 1: has its rights also as a user, and may become others */
	uint32_t count;
	uint32_t groups[INIT_MAX_GROUPS];
};
struct init_identities XB_ARRAY(struct init_identity);

/** What B answers with. */
struct init_calls {
	int listener; /**< where the kernel asks; -1: nobody does */
	int socket;   /**< where it comes from */
	int wait;     /**< tells that a process has ended */
	int root;     /**< the step's, and B's own */
	int proc;
	dev_t root_dev; /**< of `root` */
	ino_t root_ino;
	struct init_identities identities; /**< the first is the step's user */
};

/** An id as the call gives it; INIT_KEEP for -1. */
uint32_t init_call_id(const struct init_call *call, uint64_t argument);
/** Whether it still waits: what was opened by its pid is the caller's own then. */
bool init_call_waits(const struct init_calls *calls, const struct init_call *call);
/** Read up to `size` bytes of the caller's memory; fewer where it ends. Returns how many, or a
 *  negative errno. */
ssize_t init_call_read(const struct init_call *call, uint64_t address, void *data, size_t size);
/** Write to it. Returns 0 or -EFAULT. */
int init_call_write(const struct init_call *call, uint64_t address, const void *data, size_t size);

/** Read the path at `address`, its end included. Errors: -EFAULT, -ENAMETOOLONG. */
int init_call_path(const struct init_call *call, uint64_t address, char ret[static PATH_MAX]);

/** Answer a call that makes a file. */
int64_t init_makes_answer(const struct init_calls *calls, const struct init_call *call);

/**
 * Open, as O_PATH, what `path` is to the caller, with what it has open as `base_fd` or AT_FDCWD.
 * `flags`: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW. Errors: those of openat2(); -ELOOP also for a link
 * of /proc that leads to what a process has open; -ENOENT when the caller is gone.
 */
int init_owners_open(const struct init_calls *calls, const struct init_call *call, int base_fd,
		     const char *path, int flags);
/** Answer a call that changes the owner of a file, or asks for it. */
int64_t init_owners_answer(const struct init_calls *calls, const struct init_call *call);

/** Answer a call by which a process becomes another user, or asks who it is. */
int64_t init_ids_answer(struct init_calls *calls, const struct init_call *call);
/** Put the groups into the order in which the kernel tells them. */
void init_ids_sort(struct init_identity *identity);
/** Whom the caller takes itself for; the address holds until the next call is answered. */
const struct init_identity *init_ids_of(const struct init_calls *calls, pid_t pid);

#endif
