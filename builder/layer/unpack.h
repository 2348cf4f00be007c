/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From foreign layer blobs and archives to files, in a confined child.
 *
 * The caller's process never looks at foreign bytes: it starts this program again as
 * `xbuild-unpack` with the blob, the destination and a result pipe as its only descriptors. The
 * child closes the walls of base/confine.h before it reads, applies entries relative to
 * directory descriptors resolved inside the destination, and reports back one record. main() (and
 * that of every test that unpacks) begins with
 *
 *	if (xb_unpack_wanted(argv[0]))
 *		return xb_unpack_main();
 *
 * What does not, and so comes to start a child as the child that it is, gets -ELOOP for it.
 *
 * Whatever fails leaves a half-filled destination behind, which the caller throws away.
 */
#ifndef XB_BUILDER_LAYER_UNPACK_H
#define XB_BUILDER_LAYER_UNPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "builder/layer/unpack_child.h"

/** Limits on one layer or archive; 0 in a field stands for its default. */
struct xb_unpack_limits {
	uint64_t unpacked; /**< bytes of the tar and, apart, of all files' sizes together; default
			      max(4 GiB, 100 times the blob) */
	uint64_t entries;  /**< default 2,000,000 */
	uint64_t memory;   /**< RLIMIT_AS of the child in bytes; default 512 MiB */
};

/** What an unpacking did; release with xb_unpack_report_clear(). */
struct xb_unpack_report {
	uint64_t entries;	 /**< entries applied */
	uint64_t tar_size;	 /**< bytes of the tar */
	int64_t newest;		 /**< time of its newest regular file in seconds, -1 without any */
	struct xb_strv warnings; /**< what was left out and why, at most 20 lines */
	struct xb_strv hidden;	 /**< of a layer unpacked alone: what xb_layer_hide() is to hide */
};

#define XB_UNPACK_REPORT_INIT                                                                      \
	((struct xb_unpack_report){                                                                \
		.newest = -1, .warnings = XB_STRV_INIT, .hidden = XB_STRV_INIT })

/** Release what the report holds. */
void xb_unpack_report_clear(struct xb_unpack_report *report);
#define xb_auto_unpack_report XB_CLEANUP(xb_unpack_report_clear)

/** Which blob a layer is; all is checked against what is read. */
struct xb_unpack_layer {
	const char *media_type; /**< OCI or Docker layer type; it alone says how it is compressed */
	uint64_t size;		/**< bytes of the blob */
	struct xb_digest digest;  /**< of the blob; empty: not checked */
	struct xb_digest diff_id; /**< of the tar; empty: not checked */
	bool alone; /**< unpack it without the layers below, onto an empty directory */
};

/**
 * Apply a layer blob (read from position 0 of `blob_fd`, a regular file) onto the tree at
 * `dest_fd`: the mounted view of the layers below, writable, so that whiteouts and links find
 * what they mean. `limits` and `report` may be NULL.
 *
 * Refused: entries with a `..` component, hard links out of the tree or to nothing, character
 * device 0/0, ids outside 0..65535 of a plain user's map (above 2^32-2 for root), whiteouts of
 * `.`, `..` and the empty name. Left out with a warning: device nodes that this user may not make,
 * attributes outside the list of builder/layer/pack.h.
 *
 * With `layer->alone`, `dest_fd` is the bare directory of a snapshot instead, empty: most layers
 * say all of what they are about, and then come out the same to whoever sees them over those below,
 * once xb_layer_hide() has hidden what `report->hidden` names. A layer that does not is refused
 * with -EXDEV, and is to be unpacked as above.
 *
 * Which layer it was is for the caller to say. Errors: fault store with -EBADMSG (not what the
 * digests say, damaged, not a tar), -EFBIG (a limit, with the hint how to raise it), -ENOTSUP
 * (unknown media type), those of writing.
 */
int xb_layer_unpack(int blob_fd, const struct xb_unpack_layer *layer, int dest_fd,
		    const struct xb_unpack_limits *limits, struct xb_unpack_report *report,
		    struct xb_error *err);

/**
 * Remove the names that a layer unpacked alone hides from `dest_fd`: the view of its snapshot over
 * those below it, writable, which the caller has not shown to anybody. Errors: fault store.
 */
int xb_layer_hide(int dest_fd, const struct xb_strv *hidden, struct xb_error *err);

/**
 * A layer that is unpacked while its blob arrives: the child reads what is there and waits for
 *more.
 *
 *	xb_layer_unpack_begin()
 *	xb_layer_unpack_grown()		each time that bytes were added to the blob's file
 *	xb_layer_unpack_finish()	only when it is 0 may a record name what was unpacked
 *	xb_unpack_job_free()		before that: ends the child; the destination is to be thrown
 *away
 *
 * Whoever writes the blob never waits for the unpacking, but in finish(). Used by one thread at a
 * time.
 */
struct xb_unpack_job;

/**
 * Start. `blob_fd` is a regular file, empty or with the blob's first bytes, to which its bytes are
 * added in order (what was told to be there is never changed); it and `dest_fd` may be closed
 * afterwards. The layer's digest must be given. All else, and errors, as for xb_layer_unpack().
 */
int xb_layer_unpack_begin(int blob_fd, const struct xb_unpack_layer *layer, int dest_fd,
			  const struct xb_unpack_limits *limits, struct xb_unpack_job **ret,
			  struct xb_error *err);
/** The first `size` bytes of the blob are in its file: at least as many as the last time. */
void xb_layer_unpack_grown(struct xb_unpack_job *job, uint64_t size);
/**
 * There come no more bytes: wait until all of them are applied, and both digests checked. -EBADMSG
 * too when the blob is cut short. The job can only be freed afterwards.
 */
int xb_layer_unpack_finish(struct xb_unpack_job *job, struct xb_unpack_report *report,
			   struct xb_error *err);
/** Release; ends the child if it still runs. NULL is left alone. */
void xb_unpack_job_free(struct xb_unpack_job *job);

XB_DEFINE_CLEANUP(xb_unpack_job_cleanup, struct xb_unpack_job, xb_unpack_job_free)
#define xb_auto_unpack_job XB_CLEANUP(xb_unpack_job_cleanup)

/**
 * Write the tar of a layer blob to the regular file `out_fd`, from its position on. `limits` (may
 * be NULL) as for xb_layer_unpack(), whose errors these are.
 */
int xb_layer_decode(int blob_fd, const struct xb_unpack_layer *layer, int out_fd,
		    const struct xb_unpack_limits *limits, struct xb_error *err);

/**
 * Write the roster of a layer (builder/layer/roster.h) to the regular file `out_fd`, from its
 * position on. `limits` (may be NULL) and errors as for xb_layer_unpack(); -EFBIG also for a layer
 * with too many names to be listed.
 */
int xb_layer_list(int blob_fd, const struct xb_unpack_layer *layer, int out_fd,
		  const struct xb_unpack_limits *limits, struct xb_error *err);

/**
 * Write the survey of a layer (builder/layer/survey.h) to the regular file `out_fd`, from its
 * position on, with the digests of files if they are wanted. `scratch_fd` is another regular file,
 * open for reading and writing, whose contents are nobody's. `limits` (may be NULL) and errors as
 * for xb_layer_list().
 */
int xb_layer_survey(int blob_fd, const struct xb_unpack_layer *layer, bool digests, int scratch_fd,
		    int out_fd, const struct xb_unpack_limits *limits, struct xb_error *err);

/** How ADD extracts an archive. */
struct xb_archive_options {
	int64_t uid;   /**< owner of all entries and created parents, or -1: as in the archive */
	int64_t gid;   /**< likewise */
	int64_t epoch; /**< time of created parent directories in seconds, or -1: now */
	const struct xb_unpack_limits *limits; /**< or NULL */
};

#define XB_ARCHIVE_OPTIONS_INIT ((struct xb_archive_options){ .uid = -1, .gid = -1, .epoch = -1 })

/**
 * Whether a file is an archive that ADD extracts: a tar, plain or compressed by gzip, bzip2, xz or
 * zstd, whose first header is valid. Returns 1, 0 or a negative errno. The position of `fd` is not
 * used or changed. Source: BuildKit, solver/llbsolver/file, isArchivePath.
 */
int xb_archive_is(int fd, struct xb_error *err);

/**
 * Extract an archive below `path` (resolved inside `root_fd`, made when missing, 0755). Whiteout
 * names have no meaning in it. Same refusals and errors as xb_layer_unpack(), fault source.
 */
int xb_archive_extract(int archive_fd, int root_fd, const char *path,
		       const struct xb_archive_options *options, struct xb_unpack_report *report,
		       struct xb_error *err);

/**
 * xb_tarfile_extract() but for its link in the chain of errors: no whiteouts, owners, times or
 * attributes; files and directories alone. See builder/layer/tarfile.h.
 */
int xb_unpack_tarfile(int fd, int dest_fd, struct xb_error *err);

#endif
