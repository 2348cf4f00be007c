/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/blob.h"

#include <stdio.h>

#include "builder/cache/blob.h"
#include "builder/cache/piece.h"
#include "builder/layer/pack.h"

/* What a layer that is being packed finds in the store, and leaves there. */
struct memory {
	struct xb_store *store;
	struct xb_pieces made;
};

static void memory_clear(struct memory *memory)
{
	xb_array_clear(&memory->made);
}

static size_t find(void *context, const struct xb_digest *piece, void *out, size_t cap,
		   uint32_t *ret_check)
{
	const struct memory *memory = context;

	return xb_piece_find(memory->store, piece, out, cap, ret_check);
}

static void made(void *context, const struct xb_digest *piece, uint64_t at, size_t len,
		 uint32_t check)
{
	struct memory *memory = context;

	*xb_array_push(&memory->made) = (struct xb_piece){ *piece, at, len, check };
}

static int publish(struct xb_ingest *ingest, const struct xb_layer_info *info,
		   const struct memory *memory, struct xb_error *err)
{
	int r = xb_blob_commit_as(ingest, &info->digest, info->size, err);

	return r < 0 ? r : xb_piece_put(memory->store, &info->digest, &memory->made, err);
}

/* What a blob is made of. */
struct source {
	int fd; /* a tree, or a tar */
	bool is_tar;
	const struct xb_pack_graft *graft; /* of a tree; NULL: none */
};

static int pack(const struct source *from, const struct xb_pack_options *options, int out_fd,
		struct xb_layer_info *ret, struct xb_error *err)
{
	if (from->is_tar)
		return xb_tar_pack(from->fd, options, out_fd, ret, err);
	if (from->graft != NULL)
		return xb_layer_pack_graft(from->fd, from->graft, options, out_fd, ret, err);
	return xb_layer_pack(from->fd, options, out_fd, ret, err);
}

/* Make a blob. Returns 1 for a graft that cannot be packed. */
static int make(struct xb_step_shared *shared, const struct xb_pack_options *how,
		const struct source *from, struct xb_record *record, struct xb_error *err)
{
	XB_CLEANUP(memory_clear) struct memory memory = { .store = shared->store };
	const struct xb_pack_memory remember = { &memory, find, made };
	struct xb_pack_options options = *how;
	xb_auto_ingest struct xb_ingest *ingest = NULL;
	struct xb_layer_info info;
	int r = xb_blob_begin(shared->store, &ingest, err);

	options.crew = shared->crew;
	options.memory = &remember;
	options.cancelled = &shared->cancelled;
	if (r == 0)
		r = pack(from, &options, xb_ingest_fd(ingest), &info, err);
	if (r == 0)
		r = publish(ingest, &info, &memory, err);
	if (r < 0)
		return xb_error_wrap(err, r, "packing the layer");
	if (r > 0)
		return r;
	record->diff_id = info.diff_id;
	record->blob = info.digest;
	record->blob_size = info.size;
	(void)snprintf(record->media_type, sizeof(record->media_type), "%s", info.media_type);
	return 0;
}

int xb_step_pack(struct xb_step_shared *shared, enum xb_compression compression, int level,
		 struct xb_record *record, struct xb_error *err)
{
	struct xb_pack_options options = {
		.epoch = shared->epoch,
		.compression = compression,
		.level = level,
	};
	xb_auto_fd int upper = -1;
	int r = xb_snapshot_open(shared->store, &record->snapshot, &upper, err);

	return r < 0 ? xb_error_wrap(err, r, "packing the layer")
		     : make(shared, &options, &(struct source){ .fd = upper }, record, err);
}

int xb_step_pack_graft(struct xb_step_shared *shared, int upper, const struct xb_pack_graft *graft,
		       struct xb_record *record, struct xb_error *err)
{
	struct xb_pack_options options = { .epoch = shared->epoch };
	const struct source from = { .fd = upper, .graft = graft };

	return make(shared, &options, &from, record, err);
}

int xb_step_repack(struct xb_step_shared *shared, enum xb_compression compression, int level,
		   int tar_fd, struct xb_record *record, struct xb_error *err)
{
	struct xb_pack_options options = { .compression = compression, .level = level };

	return make(shared, &options, &(struct source){ .fd = tar_fd, .is_tar = true }, record,
		    err);
}

int xb_step_digest(struct xb_step_shared *shared, struct xb_record *record, struct xb_error *err)
{
	struct xb_pack_options options = {
		.epoch = shared->epoch,
		.cancelled = &shared->cancelled,
	};
	struct xb_layer_info info;
	xb_auto_fd int upper = -1;
	int r = xb_snapshot_open(shared->store, &record->snapshot, &upper, err);

	if (r == 0)
		r = xb_layer_pack(upper, &options, -1, &info, err);
	if (r < 0)
		return xb_error_wrap(err, r, "reading what the step made");
	record->diff_id = info.diff_id;
	return 0;
}
