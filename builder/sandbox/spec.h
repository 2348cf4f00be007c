/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What one step's process gets: plain data, made by the builder and carried out by xbuild-init.
 *
 * A specification says which root the step sees, what is mounted into it, who runs what in it, and
 * how far it may reach. It holds no descriptors that matter elsewhere and no pointers into the
 * builder, so that its encoding is all that a step needs (but for `source_fd` of a mount, which
 * the start hands down).
 *
 * Life cycle: xb_sandbox_spec_init(), fill in, xb_sandbox_start(), xb_sandbox_spec_clear(). One
 * specification may start any number of steps. All strings are owned by the specification.
 */
#ifndef XB_BUILDER_SANDBOX_SPEC_H
#define XB_BUILDER_SANDBOX_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"

/** The fourteen capabilities that Docker leaves a container, as a mask of 1 << CAP_x. */
#define XB_SANDBOX_CAPABILITIES UINT64_C(0x00000000a80425fb)
/** Bytes that an encoded specification may have at most: 64 MiB. */
#define XB_MAX_SANDBOX_SPEC ((size_t)64 << 20)
/** Size of the step's /dev/shm unless said otherwise, as Docker's: 64 MiB. */
#define XB_SANDBOX_SHM_SIZE (UINT64_C(64) << 20)

/** The network that a step sees. */
enum xb_sandbox_network {
	XB_SANDBOX_NET_HOST, /**< the builder's own */
	XB_SANDBOX_NET_NONE, /**< an empty namespace with the loopback device up */
	XB_SANDBOX_NET_COUNT_
};

/** What a mount shows. */
enum xb_sandbox_mount_kind {
	XB_SANDBOX_BIND, /**< a file or directory of the builder's, with what is mounted below it */
	XB_SANDBOX_TMPFS, /**< an empty directory in memory */
	XB_SANDBOX_FILE,  /**< a file in memory with the bytes of `content` */
	XB_SANDBOX_MOUNT_COUNT_
};

/**
 * One thing mounted into the step's root, in the order of the list, after /proc, /sys and /dev.
 * A target that the root lacks appears for the step only and leaves nothing in the upper directory.
 * Setuid programs do not work through any of them, devices through those alone that say so.
 */
struct xb_sandbox_mount {
	enum xb_sandbox_mount_kind kind;
	char *source;	       /**< BIND: absolute path in the builder's mount namespace, or NULL */
	int source_fd;	       /**< BIND: descriptor of the source (O_PATH or a detached mount's
				    root), borrowed, used when `source` is NULL; else -1 */
	char *target;	       /**< absolute, resolved inside the step's root */
	struct xb_str content; /**< FILE: its bytes */
	bool read_only;
	bool device;   /**< BIND: device nodes work */
	uint32_t mode; /**< FILE, TMPFS: permission bits */
	uint32_t uid;  /**< FILE, TMPFS: its owner */
	uint32_t gid;
	uint64_t size; /**< TMPFS: most bytes it may hold; 0: half of the memory */
};
struct xb_sandbox_mounts XB_ARRAY(struct xb_sandbox_mount);

/** One resource limit: `resource` is an RLIMIT_ constant, UINT64_MAX means no limit. */
struct xb_sandbox_rlimit {
	uint32_t resource;
	uint64_t soft;
	uint64_t hard;
};
struct xb_sandbox_rlimits XB_ARRAY(struct xb_sandbox_rlimit);

/** Group numbers. */
struct xb_sandbox_gids XB_ARRAY(uint32_t);

/** A step's process. */
struct xb_sandbox_spec {
	/* The root. Device nodes can be made in it and are there, but none of them works: an image
	 * may bring the machine's disk. Those that a step needs are in its /dev. Changes are not
	 * synced (overlay option `volatile`): whoever keeps `upper` syncs it. */
	struct xb_strv lowers; /**< absolute paths of the snapshot directories, top first; none is
				  an empty root */
	char *upper;	       /**< where changes go; NULL: see `scratch_upper` */
	char *work;	       /**< overlay's work directory, on the file system of `upper` */
	char *tree;   /**< a directory that is the root itself, written in place, instead of all of
			 the above (builder/sandbox/points.h); NULL: the root is an overlay */
	char *points; /**< with `tree`: a file, not there yet, for the list of mount points that
			 are made in it */
	bool scratch_upper; /**< with no `upper`: changes go to memory and are lost at the end;
				 without this the root is read-only */
	struct xb_sandbox_mounts mounts;
	struct xb_strv stubs; /**< further mount points to show in the root when it lacks them:
				   absolute paths, directories end with '/' */

	/* the program */
	struct xb_strv argv; /**< argv[0] without '/' is looked up on PATH of `env`, in the root */
	struct xb_strv env;  /**< all of the environment; HOME is added when it lacks it */
	char *cwd;	     /**< absolute; made for the user when missing */
	char *user; /**< "user[:group]" as in USER, names looked up in the root's /etc/passwd
			 and /etc/group; NULL or "": root */
	struct xb_sandbox_gids gids; /**< supplementary groups besides the user's own */
	uint32_t umask;

	/* the walls */
	char *hostname;
	enum xb_sandbox_network network;
	bool private_userns;   /**< a user namespace of its own, mapped one to one */
	struct xb_strv binfmt; /**< registrations (see emulation/binfmt.h) for a binfmt_misc of its
				    own; needs `private_userns` */
	int emulator_fd; /**< what XB_INIT_EMULATOR in a registration stands for (xb_guard_carry()),
			      borrowed; -1: none does */
	char *guard; /**< the step's platform, when `binfmt` holds the guard's registrations, whose
			  interpreter is XB_INIT_GUARD; else NULL */
	uint64_t capabilities; /**< bounding set, and what root gets: mask of 1 << CAP_x */
	struct xb_str seccomp; /**< struct sock_filter[]; empty: no filter */
	bool insecure; /**< nothing of /proc and /sys is hidden or read-only, device nodes work in
			    the root and in /dev, every user has `capabilities` */
	struct xb_strv cgroups; /**< directories of control groups that the program enters, in the
				     builder's mount namespace; whoever made them removes them, or
				     xbuild-init when that one is gone */
	struct xb_sandbox_rlimits rlimits;
	uint64_t shm_size; /**< of /dev/shm, bytes */
	bool terminal;	   /**< standard input and output are the user's terminal: stay in its
				session, so that ^C reaches the step (and the builder, who should
				ignore SIGINT then); else the step gets a session of its own */
	bool ahead; /**< set by xb_sandbox_begin(): no program and no root yet, they come with
			 the order */
};

/**
 * Start a specification: empty, with root "/" as cwd, umask 0022, hostname "xbuild", Docker's
 * capabilities, XB_SANDBOX_SHM_SIZE, the host's network and no seccomp filter
 * (xb_sandbox_default_seccomp() adds that).
 */
void xb_sandbox_spec_init(struct xb_sandbox_spec *spec);
/** Release what the specification holds; it is then zeroed. Does not close `source_fd`s. */
void xb_sandbox_spec_clear(struct xb_sandbox_spec *spec);

#define xb_auto_sandbox_spec XB_CLEANUP(xb_sandbox_spec_clear)

/**
 * Add a mount of `kind` at `target` (copied) and return it to be filled in: mode 0755 for TMPFS,
 * 0644 for FILE, no source, owner 0:0. The address holds until the next call.
 */
struct xb_sandbox_mount *xb_sandbox_spec_mount(struct xb_sandbox_spec *spec,
					       enum xb_sandbox_mount_kind kind, const char *target);

/**
 * Append the encoding of `spec`: a version, then every member in order, each string and list with
 * its length in front. `source_fd` travels as it is. Equal specifications give equal bytes.
 * Returns 0, or -EFBIG when `bytes` cannot take it.
 */
int xb_sandbox_spec_encode(const struct xb_sandbox_spec *spec, struct xb_str *bytes);

/**
 * Read an encoding back into `*ret`, which the caller clears. Every length is checked against what
 * is left before it is used.
 * Errors: -EBADMSG for bytes that no xb_sandbox_spec_encode() of this version makes.
 */
int xb_sandbox_spec_decode(struct xb_view bytes, struct xb_sandbox_spec *ret, struct xb_error *err);

#endif
