/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The parent side of a step: start its process, wait for it, kill it.
 *
 * The builder must be root of its user namespace (xb_proc_become_root()). A step is a small tree of
 * processes: xbuild-init (A) outside, xbuild-init as the first process of a pid namespace (B),
 * and the step's program (C) with all it starts. When B ends, the kernel ends the rest; B ends with
 * C, with A and with the builder, whichever is first and however it ends. All mounts of a step live
 * in its own mount namespace.
 *
 * Threads: a `struct xb_sandbox` belongs to one thread, but for xb_sandbox_kill(), which any thread
 * may call until xb_sandbox_free(). The thread that started a step may end before the step does.
 */
#ifndef XB_BUILDER_SANDBOX_SANDBOX_H
#define XB_BUILDER_SANDBOX_SANDBOX_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builder/sandbox/spec.h"

/** The step's standard descriptors, borrowed for the call of xb_sandbox_start(); -1: /dev/null. */
struct xb_sandbox_io {
	int stdin_fd;
	int stdout_fd;
	int stderr_fd;
};

/** Bytes of the sentence about a refused program, its end included. */
#define XB_SANDBOX_REFUSAL 1536

/** How the step's program ended. */
struct xb_sandbox_result {
	int exit_code; /**< 0..255, or -1 when a signal ended it */
	int signal;    /**< the signal, or 0 */
	bool oom;      /**< SIGKILL, and the kernel's out-of-memory killer was at work meanwhile */
	uid_t uid;     /**< whom it ran as, where owners are recorded (base/owner.h); else 0 */
	gid_t gid;
	unsigned refused; /**< how many programs of the machine the guard refused, however the
			       program took it */
	char refusal[XB_SANDBOX_REFUSAL]; /**< the first of them, a sentence for people, safe to
					       print; "" when there was none */
};

struct xb_sandbox;

/**
 * Start a step. Returns as soon as its first process exists; what fails in setting it up is told by
 * xb_sandbox_wait(). `spec` and `io` are borrowed for the call.
 * Errors: -EINVAL (no argv, no lowers, binfmt without private_userns), those of posix_spawn(),
 * memfd_create() and pipe().
 */
int xb_sandbox_start(const struct xb_sandbox_spec *spec, const struct xb_sandbox_io *io,
		     struct xb_sandbox **ret, struct xb_error *err);

/**
 * Whether a step like this can be started ahead, by xb_sandbox_begin(): it binds nothing of the
 * builder's, has no control groups, all walls, and no terminal.
 */
bool xb_sandbox_can_begin(const struct xb_sandbox_spec *spec);
/**
 * Whether what xb_sandbox_begin() makes for one of the two does for the other: the same network,
 * user namespace, emulators, guard and size of /dev/shm. Both can be started ahead.
 */
bool xb_sandbox_alike(const struct xb_sandbox_spec *a, const struct xb_sandbox_spec *b);
/**
 * Start a step of which only the walls are known yet: those of `like`. Its processes make what
 * they can and wait. Then xb_sandbox_go() or xb_sandbox_free(). Errors: as xb_sandbox_start().
 */
int xb_sandbox_begin(const struct xb_sandbox_spec *like, struct xb_sandbox **ret,
		     struct xb_error *err);
/**
 * Say what a step that was begun is for: `spec` is alike to what it was begun for; `spec` and `io`
 * are borrowed for the call. From then on it is as if xb_sandbox_start() had started it.
 * Errors: -EPIPE and -ECONNRESET when it has failed meanwhile; it is to be freed then, and
 * xb_sandbox_start() tells why.
 */
int xb_sandbox_go(struct xb_sandbox *sandbox, const struct xb_sandbox_spec *spec,
		  const struct xb_sandbox_io *io, struct xb_error *err);

/** A descriptor that becomes readable (poll) when the step has ended; borrowed. */
int xb_sandbox_fd(const struct xb_sandbox *sandbox);

/**
 * Wait for the end of the step: of all its processes, not only of its program. To be called once.
 * A program that ran is a success of the call whatever its exit code.
 * Errors, each with its sentence: what failed while the step was set up; fault XB_FAULT_STEP when
 * the step itself asks for what is not there: no such user, cwd missing, program not found
 * (-ENOENT) or not executable (-EACCES, -ENOEXEC: also a program of another architecture);
 * -ECANCELED after xb_sandbox_kill(), fault interrupted.
 */
int xb_sandbox_wait(struct xb_sandbox *sandbox, struct xb_sandbox_result *ret,
		    struct xb_error *err);

/**
 * Ask for the end of all processes of the step and return at once; xb_sandbox_wait() tells when
 * they are gone. Safe from any thread, and when the step has ended already.
 */
void xb_sandbox_kill(struct xb_sandbox *sandbox);

/** Kill what still runs, wait for its end, and release the object; NULL is left alone. */
void xb_sandbox_free(struct xb_sandbox *sandbox);

XB_DEFINE_CLEANUP(xb_cleanup_sandbox, struct xb_sandbox, xb_sandbox_free)
#define xb_auto_sandbox XB_CLEANUP(xb_cleanup_sandbox)

/**
 * Put Docker's default seccomp profile, for the capabilities of `spec`, into `spec`: an allow-list
 * for the host's architecture and those it runs directly; unknown numbers give ENOSYS, refused
 * ones EPERM; typing into the terminal (TIOCSTI, TIOCLINUX) is refused as well.
 * Source: moby/profiles seccomp/default.json. Errors: those of libseccomp, as negative errno.
 */
int xb_sandbox_default_seccomp(struct xb_sandbox_spec *spec, struct xb_error *err);

/**
 * Give the step its /etc/hosts (localhost, the host name, and `extra`: lines "address<TAB>name")
 * and /etc/resolv.conf (the builder's; empty without network) as files in memory.
 * `extra` may be NULL. Errors: those of reading /etc/resolv.conf; a missing one is empty.
 */
int xb_sandbox_network_files(struct xb_sandbox_spec *spec, const struct xb_strv *extra,
			     struct xb_error *err);

#endif
