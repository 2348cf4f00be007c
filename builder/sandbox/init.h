/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The inside of xbuild-init: the small static program that makes a step's namespaces and root and
 * then becomes the step's program. Only init*.c include this; nothing here runs in the builder.
 *
 * Three processes, each single-threaded, each with its own file of work. Started ahead, A and B
 *make what does not depend on the step, and B waits for the order (init_order.c):
 *
 *	A  init.c         in the builder's namespaces: opens what only it may open, starts B, waits,
 *	                  kills B when the builder goes away or asks for it
 *	B  init_root.c    first process of the step's namespaces: root, mounts, walls; starts C,
 *reaps init_mounts.c C  init_exec.c    gives up rights and executes the step's program
 *
 * Each uses descriptors, never paths, below the step's root.
 */
#ifndef XB_BUILDER_SANDBOX_INIT_H
#define XB_BUILDER_SANDBOX_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"
#include "builder/sandbox/record.h"
#include "builder/sandbox/spec.h"

/** Device nodes that the step gets, the first being /dev/null. */
#define INIT_NODES 6

/** What A opens for B. Detached mounts; -1 where there is none. */
struct init_outside {
	int nodes[INIT_NODES]; /**< bind mounts of the machine's device nodes */
	int sys;	       /**< what to mount at /sys, when the step has the host's network */
	int *binds;	       /**< one for each mount of the specification, -1 unless it is BIND */
	int cgroup_fs;	       /**< what to mount at /sys/fs/cgroup, for a step without walls */
	int *cgroups; /**< the lists of processes of the step's control groups, for writing */
};

/** What every step's root has mounted: /proc, /sys and /dev. */
#define INIT_OWN_MOUNTS 3

/** What of a step's root does not depend on its layers; init_root_begin() makes it. */
struct init_stage {
	int memory;		  /**< a file system in memory, attached above "/" */
	int files;		  /**< a directory of it, for what is bound into the root */
	int own[INIT_OWN_MOUNTS]; /**< those mounts with all their walls, attached in `memory` */
};

/* init_outside.c */

/** Open what `spec` needs from the builder's namespaces. Descriptors live until the exec. */
int init_outside_open(const struct xb_sandbox_spec *spec, struct init_outside *ret,
		      struct xb_error *err);

/* init_mount.c: mounts by descriptor. All returned descriptors are close-on-exec. */

/** A file system option; `value` NULL for one that has none. */
struct init_option {
	const char *key;
	const char *value;
};

/** Make a file system of `type`, mounted nowhere; `attributes` are MOUNT_ATTR_*. */
int init_mount_new(const char *type, const struct init_option *options, size_t count,
		   unsigned attributes, struct xb_error *err);
/** Make a bind mount of `path` relative to `dirfd` ("": of `dirfd` itself), mounted nowhere; with
 *  `attributes` added, and with all that is mounted below it when `recursive`. */
int init_mount_clone(int dirfd, const char *path, unsigned attributes, bool recursive,
		     struct xb_error *err);
/** Attach a detached mount at the file or directory open at `target`. */
int init_mount_attach(int mount, int target, struct xb_error *err);
/** Attach a detached mount at `path`, which exists in `root` and names no link. */
int init_mount_attach_at(int mount, int root, const char *path, struct xb_error *err);

/* init_path.c */

/**
 * Where `path` leads in the tree `root`, as an absolute path without links, "." and "..": put into
 * `canonical`. `*ret_known` is the length of its longest prefix that exists: all of it when it
 * does. What is missing is taken as plain names.
 * Errors: -ELOOP, -ENOTDIR, -ENAMETOOLONG and those of openat().
 */
int init_path_resolve(int root, const char *path, struct xb_str *canonical, size_t *ret_known,
		      struct xb_error *err);

/* init_stubs.c */

/** A place in the root where something will be mounted. */
struct init_place {
	char *path; /**< canonical, once init_stubs_find() has run */
	bool directory;
	bool exact; /**< must not be reached through a link */
};
struct init_places XB_ARRAY(struct init_place);

/**
 * Resolve all `places` in `view`; the number of those that are missing, or a negative errno: a
 * directory where a file is wanted, or the reverse, is -EISDIR or -ENOTDIR.
 */
int init_stubs_find(int view, struct init_places *places, struct xb_error *err);
/**
 * Make in the empty directory `stubs` what `places` lack in `view`. Directories that `view` has
 * get the same owner, mode, times and attributes there. With a negative `view` all of them are
 * made, as new ones: for a layer below all others, where what those have hides it.
 */
int init_stubs_make(int view, int stubs, const struct init_places *places, struct xb_error *err);

/**
 * Whether stubs can be made without a view, in the hope that no link of the image leads elsewhere:
 * all paths are plain names.
 */
bool init_stubs_can_guess(const struct init_places *places);

/* init_points.c */

/**
 * Make in the directory `root` what it lacks of `places`, whose paths are canonical, and list it in
 * the new file `list`, an absolute path.
 */
int init_points_make(int root, const char *list, const struct init_places *places,
		     struct xb_error *err);

/* init_root.c */

/** Make what does not depend on the step's layers; of `spec` only the walls count. */
int init_root_begin(const struct xb_sandbox_spec *spec, struct init_outside *outside,
		    struct init_stage *ret, struct xb_error *err);
/**
 * Make the step's root with everything mounted in it, `stage` included, and make it this process's
 * root and working directory. The machine's own mounts are then gone from this mount namespace.
 */
int init_root_enter(const struct xb_sandbox_spec *spec, struct init_outside *outside,
		    const struct init_stage *stage, struct xb_error *err);

/* init_mounts.c */

/** Where every step has its own mounts, in the order of init_stage.own. */
extern const char *const init_own_paths[INIT_OWN_MOUNTS];

/** Mount /proc, /sys and /dev with their walls in `stage->memory`, which has nothing there yet. */
int init_mounts_begin(const struct xb_sandbox_spec *spec, struct init_outside *outside,
		      struct init_stage *stage, struct xb_error *err);
/** Move those to `root`, then mount what the specification says at `places` (which begin with
 *  those of init_own_paths). */
int init_mounts_make(const struct xb_sandbox_spec *spec, struct init_outside *outside, int root,
		     const struct init_stage *stage, const struct init_places *places,
		     struct xb_error *err);

/* init_order.c */

/**
 * Wait for the order and put its specification in the place of `spec` and its descriptors in that
 * of 0, 1 and 2. Returns 1, or 0 when there will be none. Errors: -EBADMSG, and -EINVAL for a
 * specification that only A could carry out (binds, control groups).
 */
int init_order_wait(struct xb_sandbox_spec *spec, struct xb_error *err);

/* init_guard.c */

/**
 * Make the board on which the guard's handler finds the step's platform and leaves what it refused.
 * It can be reached from everywhere in the step, by every user. Errors: those of shmget() and
 * shmat(); a kernel without System V memory is none, refusals are then said and not counted.
 */
int init_guard_open(const char *platform, struct xb_error *err);
/** How many programs were refused so far. The sentence about the first of them, if it is finished,
 *  is put into `text`, of `size` bytes: foreign bytes, but ended by a NUL. */
unsigned init_guard_read(char *text, size_t size);
/** Whether this process was started in the place of a program that is refused. */
bool init_guard_is_handler(char *const *argv);
/** Say which program that was, to standard error and on the board; returns the exit status. */
int init_guard_refuse(char *const *argv);

/* init_user.c */

/** Whom the step runs as. */
struct init_user {
	uid_t uid;
	gid_t gid;
	struct init_gids XB_ARRAY(gid_t) gids; /**< supplementary groups, the primary one first */
	char *home;			       /**< never NULL */
};

/**
 * Look "user[:group]" up in the passwd and group files of `root`, as Docker does: names first,
 * then numbers. Errors, fault step: -ENOENT no such name, -EINVAL not a regular file, -EFBIG,
 * -ERANGE a number above 2147483647.
 */
int init_user_find(int root, const char *text, struct init_user *ret, struct xb_error *err);
/** Release what `user` holds. */
void init_user_clear(struct init_user *user);

/* init_calls.c: where owners are recorded (base/owner.h); elsewhere these do nothing */

/** Where the program's process finds the socket to B: the emulator is registered by then. */
#define INIT_FD_CALLS XB_INIT_FD_EMULATOR

/** What B answers calls with (init_calls.h). */
struct init_calls;

/** Prepare for it in B, in the step's root, before the program's process is made. `*ret` lives as
 *  long as B; NULL where nothing is to be answered. */
int init_calls_begin(const struct xb_sandbox_spec *spec, struct init_calls **ret,
		     struct xb_error *err);
/** Answer until `program` ends, and reap everything meanwhile. Returns its wait status. */
int init_calls_serve(struct init_calls *calls, pid_t program);
/** Whom the step runs as; 0:0 for NULL. */
void init_calls_user(const struct init_calls *calls, uint32_t *ret_uid, uint32_t *ret_gid);
/** In the program's process: become root of a user namespace whose only id is the user's. */
int init_calls_become(const struct init_user *user, struct xb_error *err);
/** There, before the step's own filter is loaded: have B asked from now on. */
int init_calls_watch(const struct init_user *user, struct xb_error *err);

/* init_exec.c */

/** Enter the step's control groups, which `outside` has open, as their root. */
int init_exec_enter(const struct xb_sandbox_spec *spec, const struct init_outside *outside,
		    struct xb_error *err);
/** Become the step's program: only returns, a negative errno, when that fails. */
int init_exec_step(struct xb_sandbox_spec *spec, struct xb_error *err);

#endif
