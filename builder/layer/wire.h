/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What passes between a process and the confined child that it starts for foreign bytes: one
 * request in a sealed memfd, one answer on a pipe. Both are the same program, so the request is a
 * plain struct; the answer comes from a process that may have been taken over, so it is bounded and
 * every length in it is checked.
 */
#ifndef XB_BUILDER_LAYER_WIRE_H
#define XB_BUILDER_LAYER_WIRE_H

#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "builder/layer/decode.h"

/** The child's descriptors; it has no others. */
enum xb_wire_fd {
	XB_WIRE_REQUEST = 3,
	XB_WIRE_BLOB = 4,
	XB_WIRE_DEST = 5, /**< not there for XB_WIRE_IS_ARCHIVE */
	XB_WIRE_ANSWER = 6,
	XB_WIRE_GROWTH = 7, /**< only for a blob that grows */
	XB_WIRE_SCRATCH =
		8, /**< only for XB_WIRE_SURVEY: a file for what is too large for memory */
};

/** What the child is to do. */
enum xb_wire_task {
	XB_WIRE_LAYER,	    /**< apply a layer */
	XB_WIRE_ARCHIVE,    /**< extract an archive for ADD */
	XB_WIRE_TARFILE,    /**< extract an archive of documents and blobs */
	XB_WIRE_IS_ARCHIVE, /**< tell whether it is a tar: answer code 1 or 0 */
	XB_WIRE_DECODE,	    /**< write what a blob was made of; the destination is a file */
	XB_WIRE_LIST,	    /**< write the roster of a layer; the destination is a file */
	XB_WIRE_SURVEY,	    /**< write the survey of a layer; the destination is a file */
	XB_WIRE_HIDE,	    /**< remove names, which the blob has: builder/layer/hidden.h */
};

/** The request. */
struct xb_wire_request {
	uint32_t size; /**< of this struct */
	enum xb_wire_task task;
	enum xb_coding coding;
	struct xb_digest digest;  /**< of the blob, or empty */
	struct xb_digest content; /**< of the tar, or empty */
	uint64_t max_size;
	uint64_t max_count;
	uint64_t memory;  /**< 0: no limit */
	uint32_t grows;	  /**< 1: the blob is still being written, see struct xb_decode_options */
	uint32_t digests; /**< 1: a survey has the digests of files */
	uint32_t alone;	  /**< 1: the layers below are not there, see struct xb_apply_options */
	int64_t uid;
	int64_t gid;
};

/** The answer. */
struct xb_wire_answer {
	int code; /**< 0 or more, or a negative errno */
	uint64_t entries;
	uint64_t tar_size;
	int64_t newest; /**< time of the newest regular file in seconds, -1 without any */
	struct xb_strv warnings;
	struct xb_strv hidden; /**< as the layer has it: nothing to print */
	struct xb_error error; /**< its message and hint, when `code` is negative */
};

/** The most bytes of an encoded answer. */
#define XB_MAX_WIRE_ANSWER ((size_t)256 << 10)

/** Release what the answer holds. */
void xb_wire_answer_clear(struct xb_wire_answer *answer);

/** Append the encoded answer to `out`. */
void xb_wire_encode(const struct xb_wire_answer *answer, struct xb_str *out);
/**
 * Read an answer into `ret` (empty on entry). Texts are made safe to print. -EBADMSG when it is not
 * a whole answer.
 */
int xb_wire_decode(struct xb_view bytes, struct xb_wire_answer *ret, struct xb_error *err);

#endif
