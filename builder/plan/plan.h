/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The plan: one graph of steps for all platforms of a build, made before anything runs.
 *
 * A step is plain data: what it does, on which tree, for which platform, native or emulated and
 * why. Steps that do equal work (the same instruction after expansion, on the same parents, in the
 * same environment) appear once, whichever stages and platforms want them; a step always stands
 * after the steps it needs. Stages that no target needs do not appear. Host paths and handles are
 * not part of a plan.
 *
 * Everything lives in the plan's arena or is owned by it, and never changes once made.
 */
#ifndef XB_BUILDER_PLAN_PLAN_H
#define XB_BUILDER_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "builder/dockerfile/ast.h"
#include "builder/dockerfile/giturl.h"
#include "builder/dockerfile/mount.h"
#include "emulation/strategy.h"
#include "manifest/image.h"
#include "platforms/platform.h"

/** No step: the empty tree of `FROM scratch`. */
#define XB_STEP_NONE ((size_t)-1)

/** What a step does. */
enum xb_step_kind {
	XB_STEP_BASE,	 /**< the tree of an image */
	XB_STEP_RUN,	 /**< a process in a sandbox */
	XB_STEP_COPY,	 /**< COPY and ADD */
	XB_STEP_WORKDIR, /**< make a directory */
	XB_STEP_FETCH	 /**< get a file or a repository from elsewhere */
};

/** Where COPY and ADD take their sources from. */
enum xb_copy_origin {
	XB_COPY_CONTEXT, /**< the build context */
	XB_COPY_NAMED,	 /**< a directory given by --build-context */
	XB_COPY_STEP	 /**< the tree of another step (a stage or an image) */
};

/** Where a command finds the script that it was given as a here-document with "#!". */
#define XB_STEP_SCRIPTS "/dev/pipes/"

/** A base image. */
struct xb_step_base {
	const char *name;	      /**< as FROM names it, after expansion */
	const struct xb_image *image; /**< borrowed from the build's sources */
};

/** Something mounted for the time of a RUN. */
struct xb_step_mount {
	enum xb_mount_type type;
	enum xb_copy_origin origin; /**< BIND, CACHE: whose files it shows or begins with */
	size_t from;		    /**< their step, for XB_COPY_STEP; XB_STEP_NONE: no files */
	const char *from_name;	    /**< their context, for XB_COPY_NAMED */
	const char *source;	    /**< BIND, CACHE: absolute path among them, "/" for all */
	const char *target; /**< absolute; NULL: a SECRET that is a variable only, an SSH socket
			       where it is by default */
	const char *id;	    /**< CACHE, SECRET, SSH */
	const char *env;    /**< SECRET: the variable that gets it, or NULL */
	enum xb_mount_sharing sharing;
	bool read_only;
	bool required;
	uint32_t mode; /**< CACHE (when it is made), SECRET, SSH: permission bits and owner */
	uint32_t uid;
	uint32_t gid;
	uint64_t size; /**< TMPFS: most bytes; 0: not limited */
};

/** A file whose content stands in the Dockerfile: a here-document. */
struct xb_step_file {
	const char *name; /**< one component of a path */
	const char *content;
};

/** The process of a RUN. */
struct xb_step_run {
	const char *const *argv;  /**< ends with NULL */
	const char *const *env;	  /**< "NAME=value", ends with NULL; what a key covers */
	const char *const *proxy; /**< proxy variables, ends with NULL; not covered by a key */
	const char *cwd;	  /**< absolute */
	const char *user;	  /**< "user[:group]", "" for root */
	const char *hostname;	  /**< NULL: the sandbox's own */
	const struct xb_step_mount *mounts;
	size_t mount_count;
	bool no_network;		   /**< --network=none */
	bool insecure;			   /**< --security=insecure, which the user has granted */
	const char *const *devices;	   /**< names of the machine's devices, ends with NULL */
	const struct xb_step_file *script; /**< an executable in XB_STEP_SCRIPTS, or NULL */
};

/** A source of ADD from elsewhere. */
struct xb_copy_fetch {
	size_t step;	  /**< the step that fetches it */
	size_t before;	  /**< it is copied before the source of this index */
	const char *path; /**< of its tree: the file's name; ".": all */
	bool unpack;	  /**< an archive is unpacked */
};

/** What COPY and ADD copy. */
struct xb_step_copy {
	bool add;     /**< ADD */
	bool unpack;  /**< archives are unpacked */
	bool link;    /**< onto an empty tree, whose layer is then put on the parent's */
	bool parents; /**< each source keeps the directories that stand in its path */
	enum xb_copy_origin origin;
	size_t from;		    /**< step whose tree it copies from, for XB_COPY_STEP */
	const char *from_name;	    /**< name of the context, for XB_COPY_NAMED */
	const char *const *sources; /**< as written after expansion, ends with NULL */
	const struct xb_copy_fetch *fetches; /**< in order of `before` */
	size_t fetch_count;
	const struct xb_step_file *files; /**< here-documents, copied after the sources */
	size_t file_count;
	const char *const *excludes; /**< patterns of what is left out, ends with NULL */
	const char *destination;     /**< absolute; a trailing slash is kept */
	const char *chown; /**< "user[:group]", NULL: keep (other trees) or 0:0 (contexts) */
	int mode;	   /**< of --chmod, -1: keep, or `chmod` */
	const char *chmod; /**< of --chmod, symbolic; NULL: `mode` */
};

/** The directory of WORKDIR. */
struct xb_step_workdir {
	const char *path; /**< absolute, clean */
	const char *user; /**< owner of directories that are made, "" for root */
};

/** What is fetched from elsewhere: its result is a tree, never a layer. */
struct xb_step_fetch {
	const char *url;   /**< may hold credentials: never shown */
	const char *shown; /**< the URL as it may be shown */
	bool git;	   /**< a repository, see builder/dockerfile/giturl.h; else one file */
	const char *name;  /**< what the file is called; NULL for a repository */
	const char
		*checksum; /**< what it has to be: digest of the file, id of the commit, or NULL */
	enum xb_git_switch keep_git_dir; /**< of --keep-git-dir; over what the URL says */
};

/** One step. Its index in the plan is its name. */
struct xb_step {
	enum xb_step_kind kind;
	size_t parent; /**< step whose tree it changes, or XB_STEP_NONE */
	struct xb_platform platform;
	enum xb_strategy strategy;	  /**< for XB_STEP_RUN; others are the builder's own work */
	const char *reason;		  /**< why that strategy, for people; whether with the
						 emulator's version is up to the request's strategy */
	const char *stage;		  /**< name or number of its stage */
	const char *title;		  /**< "[linux/arm64 build 2/5] RUN make" */
	const struct xb_dockerfile *file; /**< where the instruction stands: also a base's ONBUILD
					       triggers are one */
	const struct xb_instruction *instruction;
	bool fresh;		   /**< is run whatever is known of its result */
	struct xb_digest identity; /**< of all of the above that can change the result */
	union {
		struct xb_step_base base;
		struct xb_step_run run;
		struct xb_step_copy copy;
		struct xb_step_workdir workdir;
		struct xb_step_fetch fetch;
	};
};

/** One entry of a target's history that this build adds. */
struct xb_plan_history {
	const char *created_by;
	size_t step; /**< the step whose layer it stands for, XB_STEP_NONE: no layer */
};

/** What is wanted for one platform: a tree and the image config that goes with it. */
struct xb_plan_target {
	struct xb_platform platform;
	size_t step;		       /**< the final tree, or XB_STEP_NONE */
	struct xb_image_config config; /**< its layers and history are the base's alone */
	const struct xb_plan_history *history;
	size_t history_count;
};

struct xb_plan_triggers XB_ARRAY(struct xb_dockerfile *);

/** A plan; owns everything in it but the Dockerfile and the images. */
struct xb_plan {
	struct xb_arena *arena;
	const struct xb_dockerfile *dockerfile; /**< borrowed; must outlive the plan */
	struct xb_platform build_platform;
	struct xb_step *steps;
	size_t step_count;
	struct xb_plan_target *targets; /**< in the order asked for */
	size_t target_count;
	int64_t epoch;			  /**< SOURCE_DATE_EPOCH in seconds; -1: none */
	struct xb_strv warnings;	  /**< one line each */
	struct xb_plan_triggers triggers; /**< owned: ONBUILD instructions of bases */
};

/**
 * What a name in FROM or --from can stand for besides a stage. What --build-context gives takes the
 * place of a stage of that name, too.
 */
enum xb_source_kind {
	XB_SOURCE_IMAGE,     /**< an image: ask `image` */
	XB_SOURCE_NAMED,     /**< an image given by --build-context: ask `image` */
	XB_SOURCE_SCRATCH,   /**< docker-image://scratch: nothing */
	XB_SOURCE_DIRECTORY, /**< a directory given by --build-context */
	XB_SOURCE_REMOTE,    /**< a URL given by --build-context: ask `url` */
};

/** Where base images come from; passed in, so that planning does no I/O of its own. */
struct xb_plan_sources {
	void *context;
	/** What `name` stands for; never fails (unknown names are images). */
	enum xb_source_kind (*kind)(void *context, const char *name);
	/** The image `name` for `platform`; borrowed, must outlive the plan. `any`: a name of one
	 * image gives it whatever its platform is. */
	int (*image)(void *context, const char *name, const struct xb_platform *platform, bool any,
		     const struct xb_image **ret, struct xb_error *err);
	/** The URL of a XB_SOURCE_REMOTE, borrowed. */
	const char *(*url)(void *context, const char *name);
	/**
	 * The time of something from elsewhere, for SOURCE_DATE_EPOCH: a commit's; of a file, when
	 * it was last modified or, where that is unknown and it is an archive, the newest time in
	 * it; -1: it has none. The only callback that waits for the network.
	 */
	int (*time)(void *context, const struct xb_step_fetch *fetch, int64_t *ret,
		    struct xb_error *err);
};

/**
 * What the user grants to commands beyond the sandbox. It holds for ONBUILD instructions of bases
 * as for the user's own. Zeroed: nothing.
 */
struct xb_plan_grants {
	bool insecure; /**< --allow security.insecure */
	void *context;
	/**
	 * Append the names of the machine's devices that `name` of RUN --device stands for: none
	 * when there is none and it is not required. Errors, without a place: -ENODEV, and -EPERM
	 * for a device that is not granted. NULL: the machine has no devices.
	 */
	int (*devices)(void *context, const char *name, bool required, struct xb_strv *ret,
		       struct xb_error *err);
};

/**
 * What is an error unless it is allowed (--allow-mismatch): each makes an image for a platform of
 * what belongs to another.
 */
struct xb_plan_allow {
	bool shadowed_arg;   /**< a default that hides TARGETARCH or one of its relatives */
	bool stage_platform; /**< FROM --platform on a stage of another platform: has no effect */
	bool pinned_target;  /**< the last stage has a platform of its own: stamped with that asked
				  for */
	bool digest_pin;     /**< a base by digest, which is for another platform */
	bool base_platform;  /**< a base by name, which is for another platform */
};

/** What to plan; all borrowed. */
struct xb_plan_request {
	const struct xb_dockerfile *dockerfile;
	const struct xb_platform *platforms; /**< distinct; at least one */
	size_t platform_count;
	struct xb_platform build_platform;
	bool no_network;		  /**< no RUN has one, nor can it ask for it */
	const char *target;		  /**< stage name or number, NULL: the last */
	const struct xb_strv *build_args; /**< "NAME=value" */
	const struct xb_strv *labels;	  /**< "NAME=value", added to every target's config */
	int64_t context_time;		  /**< of the build context, in seconds; -1: it has none */
	struct xb_plan_allow allow;
	const struct xb_strv *fresh_stages; /**< names of stages of which all steps run; or NULL */
	const char *hostname;		    /**< of commands; NULL: the sandbox's own */
	const char *cache_ns; /**< goes in front of the ids of cache mounts; NULL: nothing */
	const struct xb_strategy_options *strategy;
	struct xb_plan_sources sources;
	struct xb_plan_grants grants;
};

/** How many trees a step reads: its parent, what COPY takes from, what each mount shows. */
size_t xb_step_input_count(const struct xb_step *step);
/**
 * The step that makes tree number `i` (below xb_step_input_count()), or XB_STEP_NONE where that is
 * no step's: the parent is 0, the origin of COPY 1, what it takes from elsewhere 2 and on; the
 * origin of mount `m` 1 + m.
 */
size_t xb_step_input(const struct xb_step *step, size_t i);

/**
 * Add to an identity or a key all that a mount says, but whether it must be there, and which step
 * its files are from. Secrets and agents count by their ids, never by what they hold.
 */
void xb_step_mount_hash(const struct xb_step_mount *mount, struct xb_hasher *h);

/** Release a plan; NULL is left alone. */
void xb_plan_free(struct xb_plan *plan);

XB_DEFINE_CLEANUP(xb_plan_cleanup, struct xb_plan, xb_plan_free)
#define xb_auto_plan XB_CLEANUP(xb_plan_cleanup)

/**
 * Make the error of a step that failed: -EINVAL, with the place of its instruction, the source line
 * and a caret, fault step. Returns -EINVAL.
 */
int xb_plan_step_error(const struct xb_step *step, struct xb_error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Append the plan as a table for people. */
void xb_plan_print(const struct xb_plan *plan, struct xb_str *out);
/** The plan as JSON; the caller owns the reference. */
json_t *xb_plan_to_json(const struct xb_plan *plan);
/** The word for a step's strategy: "native", "compat", "cross", "emulated", "builder". */
const char *xb_plan_strategy_name(const struct xb_plan *plan, const struct xb_step *step);

#endif
