/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The survey of a layer: its roster (builder/layer/roster.h) and, of each regular file, its size,
 * what it says of the machine that it is for (platforms/facts.h), the text of the few small files
 * that say how others are found, and, if wanted, its digest.
 *
 * The confined child writes it, one record for each entry in the tar's order. Whoever reads it
 * trusts it no more than the layer. It is not kept: it is as long as the process that asked.
 */
#ifndef XB_BUILDER_LAYER_SURVEY_H
#define XB_BUILDER_LAYER_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/layer/roster.h"
#include "platforms/facts.h"

/** The most bytes of a survey; a layer whose survey would have more is not surveyed. */
#define XB_MAX_SURVEY ((size_t)512 << 20)
/** The most bytes of a file whose text is kept. */
#define XB_MAX_SURVEY_TEXT ((uint64_t)8 << 20)

/** One entry; views are borrowed from the survey. */
struct xb_survey_entry {
	/** As the roster has it; of a file whose text is kept, `content` is it. */
	struct xb_roster_entry entry;
	uint64_t size;	       /**< of a regular file */
	char node;	       /**< of a node: 'c', 'b' or 'p'; else 0 */
	uint32_t device_major; /**< of a device */
	uint32_t device_minor; /**< likewise */
	struct xb_view facts;  /**< for xb_survey_facts(); empty: it says nothing */
	struct xb_digest
		digest; /**< of a regular file's data, if digests were wanted; else empty */
};

/**
 * Write the survey of a layer's tar to the regular file `fd`, from its position on. Large programs
 * are put into `scratch_fd`, a regular file that may be written to and read, while they are looked
 * at. `ret_count` gets the number of entries. Errors: as xb_roster_write().
 */
int xb_survey_write(struct xb_tar_reader *tar, const struct xb_roster_limits *limits, bool digests,
		    int scratch_fd, int fd, uint64_t *ret_count, struct xb_error *err);

/** Whether the text of a file (a cleaned name) is kept. */
bool xb_survey_keeps(struct xb_view name);

/** Check how a survey begins and take that off `rest`: 0, or -EBADMSG. */
int xb_survey_begin(struct xb_view *rest, struct xb_error *err);
/** The next entry: 1, 0 at the end, -EBADMSG when it is none. */
int xb_survey_next(struct xb_view *rest, struct xb_survey_entry *ret, struct xb_error *err);

/** Append the encoded facts. */
void xb_survey_put_facts(const struct xb_facts *facts, struct xb_str *out);
/**
 * The facts of an entry into `ret`, which is the caller's to clear; what its constant texts point
 * to is of `arena`. -EBADMSG when they are none; `ret` is empty then.
 */
int xb_survey_facts(struct xb_view bytes, struct xb_arena *arena, struct xb_facts *ret,
		    struct xb_error *err);

#endif
