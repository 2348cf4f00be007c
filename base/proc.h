/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Processes. None of our code runs between fork and exec: children are made with posix_spawn(),
 * and waited for through a pidfd. Only this module and builder/sandbox/init.c make processes or
 * namespaces.
 */
#ifndef XB_BASE_PROC_H
#define XB_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/** One descriptor that the child gets: `from` of this process as number `to` of the child. */
struct xb_proc_fd {
	int from;
	int to;
};

/** What to start. All is borrowed for the duration of the call. */
struct xb_proc_spec {
	/**
	 * The program, as for execve(); looked up on PATH if it has no '/'. "/proc/self/fd/N" with
	 * N a descriptor of ours, close-on-exec or not, starts that (a sealed memfd).
	 */
	const char *path;
	char *const *argv;	      /**< ends with NULL */
	char *const *envp;	      /**< ends with NULL; NULL: this process's environment */
	const struct xb_proc_fd *fds; /**< 0, 1, 2 not named here are /dev/null */
	size_t fd_count;
	bool own_group; /**< make it the leader of a process group of its own */
};

/** A child: XB_PROC_NONE until started. */
struct xb_proc {
	pid_t pid;
	int pidfd; /**< readable once it has ended */
};
#define XB_PROC_NONE ((struct xb_proc){ .pid = -1, .pidfd = -1 })

/** How a child ended. */
struct xb_proc_status {
	int exit_code; /**< 0..255, or -1 when a signal ended it */
	int signal;    /**< the signal, or 0 */
};

/**
 * Start a child. It inherits exactly the descriptors of `fds` (every other must be close-on-exec,
 * as all of ours are), default signal handling and an empty signal mask. `from` and `to` numbers
 * may overlap in any way; each `to` must differ from the others.
 * SIGCHLD must not be ignored. Errors: those of posix_spawn() and pidfd_open().
 */
int xb_proc_spawn(const struct xb_proc_spec *spec, struct xb_proc *ret, struct xb_error *err);
/** Wait until it ends; the child is then reaped, its pidfd closed and `p` XB_PROC_NONE. */
int xb_proc_wait(struct xb_proc *p, struct xb_proc_status *ret, struct xb_error *err);
/** Send a signal through the pidfd; a child that has ended already is not an error. */
void xb_proc_signal(const struct xb_proc *p, int signal);
/**
 * Send a signal to all processes of the group that a child leads (`own_group` of its
 * specification); to be called before it is waited for. No such process is not an error.
 */
void xb_proc_signal_group(const struct xb_proc *p, int signal);
/** Cleanup: SIGKILL what still runs, and reap it. */
void xb_proc_clear(struct xb_proc *p);

#define xb_auto_proc XB_CLEANUP(xb_proc_clear)

/**
 * Run a program (argv[0], looked up on PATH) to its end with `input` on its standard input (empty
 * view: /dev/null) and its standard output appended to `output` (NULL: /dev/null); standard error
 * goes to ours. A non-zero exit is not an error of the call; more output than `output` may hold is
 * (-EFBIG).
 */
int xb_proc_run(char *const *argv, struct xb_view input, struct xb_str *output,
		struct xb_proc_status *ret, struct xb_error *err);

/**
 * Make this single-threaded process root of a user namespace, and the owner of a mount namespace:
 * for a plain user with the subordinate ids that /etc/subuid and /etc/subgid give it, by
 * newuidmap and newgidmap: id 0 is the user, 1 up are the subordinate ids. Where there are none, or
 * not these programs, id 0 is all there is, and owners are recorded (base/owner.h). For a process
 * that is root with CAP_SYS_ADMIN already, in whatever user namespace: only a private mount
 * namespace. Mounts made outside later are still seen; nothing that is mounted here gets out.
 * Called once at start. Errors: -EPERM with a hint, fault platform.
 */
int xb_proc_become_root(struct xb_error *err);

/**
 * Make all descriptors above 2 that this process was started with close-on-exec, so that none
 * reaches a child. Called first thing in main().
 */
void xb_proc_keep_descriptors(void);

/** The path by which this process can start itself again ("/proc/self/exe"), borrowed. */
const char *xb_proc_self_path(void);

#endif
