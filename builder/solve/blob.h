/* SPDX-License-Identifier: Apache-2.0 */
/** From the snapshot of a step to its layer's blob. */
#ifndef XB_BUILDER_SOLVE_BLOB_H
#define XB_BUILDER_SOLVE_BLOB_H

#include "base/error.h"
#include "builder/cache/record.h"
#include "builder/layer/layer.h"
#include "builder/layer/pack.h"
#include "builder/solve/shared.h"

/**
 * Pack the finished snapshot of `record` as a blob of the store, compressed so (level 0: the
 * default), and write to `record` what it is. What has been compressed before is copied from the
 * blob that has it.
 */
int xb_step_pack(struct xb_step_shared *shared, enum xb_compression compression, int level,
		 struct xb_record *record, struct xb_error *err);
/**
 * As xb_step_pack() in the plain form, of the tree `upper` with a directory in it as if it had been
 * copied there. Returns 0, or 1 when it has to be copied first: see xb_layer_pack_graft().
 */
int xb_step_pack_graft(struct xb_step_shared *shared, int upper, const struct xb_pack_graft *graft,
		       struct xb_record *record, struct xb_error *err);
/** As xb_step_pack(), of the tar that is the regular file `tar_fd`. */
int xb_step_repack(struct xb_step_shared *shared, enum xb_compression compression, int level,
		   int tar_fd, struct xb_record *record, struct xb_error *err);

/** Write to `record` the digest of the layer's tar alone, which keys of other steps need. */
int xb_step_digest(struct xb_step_shared *shared, struct xb_record *record, struct xb_error *err);

#endif
