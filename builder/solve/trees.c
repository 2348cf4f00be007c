/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/trees.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/overlay.h"
#include "builder/cache/blob.h"
#include "builder/cache/explain.h"
#include "builder/cache/keylock.h"
#include "builder/cache/limit.h"
#include "builder/cache/means.h"
#include "builder/layer/merge.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "builder/solve/site.h"

/*
 * A stack of more layers has its oldest ones merged, so that any kernel takes it, with room for
 * the layer of mount points that a step may need. Merging goes by fixed numbers of layers, so that
 * all that follow use the same merged snapshot.
 */
#define MOST_LOWERS    192
#define MERGED_AT_ONCE 96
_Static_assert(MOST_LOWERS + 2 <= XB_OVERLAY_SAFE_LOWERS, "a stack with its mount points");

/* A result whose tree is wanted. All borrowed. */
struct stack {
	struct xb_store *store;
	const struct xb_result *result;
	uint64_t max_layer;
	struct xb_strv *warnings;
};

static void to_top(struct xb_strv *lowers, const char *path)
{
	xb_strv_push(lowers, path);
	for (size_t i = lowers->len - 1; i > 0; i--) {
		char *below = lowers->items[i - 1];

		lowers->items[i - 1] = lowers->items[i];
		lowers->items[i] = below;
	}
}

/* Unpack one layer over `lowers` into the fresh snapshot. */
static int unpack_into(struct xb_store *store, const struct xb_result_layer *layer,
		       uint64_t max_layer, const struct xb_strv *lowers,
		       const struct xb_snapshot *snapshot, struct xb_strv *warnings,
		       struct xb_error *err)
{
	xb_auto_site struct xb_site site = XB_SITE_INIT;
	xb_auto_unpack_report struct xb_unpack_report report = XB_UNPACK_REPORT_INIT;
	struct xb_unpack_layer what = {
		.media_type = layer->media_type,
		.size = layer->blob_size,
		.digest = layer->blob,
		.diff_id = layer->diff_id,
	};
	const struct xb_unpack_limits limits = { .unpacked = max_layer };
	xb_auto_fd int blob = -1;
	xb_auto_fd int tree = -1;
	int r = xb_blob_open(store, &layer->blob, &blob, NULL, err);

	if (r < 0)
		return r;
	r = xb_site_open(store, snapshot, lowers, false, &site, err);
	if (r >= 0)
		r = tree = xb_site_mount(&site, err);
	if (r < 0)
		return r;
	r = xb_layer_unpack(blob, &what, tree, &limits, &report, err);
	xb_strv_append(warnings, &report.warnings);
	xb_cleanup_fd(&tree);
	return r == 0 ? xb_site_close(&site, err) : r;
}

int xb_trees_restore(struct xb_store *store, const struct xb_result_layer *layer,
		     uint64_t max_layer, struct xb_snapshot *ret, struct xb_strv *warnings,
		     struct xb_error *err)
{
	static const struct xb_strv nothing = XB_STRV_INIT;
	struct xb_snapshot snapshot = { 0 };
	int r;

	xb_limit_enforce(store);
	r = xb_snapshot_begin(store, &snapshot, err);
	if (r == 0)
		r = unpack_into(store, layer, max_layer, &nothing, &snapshot, warnings, err);
	if (r == 0)
		r = xb_snapshot_commit(store, &snapshot, err);
	if (r < 0) {
		xb_snapshot_discard(store, &snapshot);
		return xb_error_wrap(err, r, "unpacking layer %s", layer->blob.text);
	}
	*ret = snapshot;
	return 0;
}

static int unpack_and_record(struct xb_store *store, const struct xb_result_layer *layer,
			     uint64_t max_layer, const struct xb_strv *lowers,
			     struct xb_record *record, struct xb_strv *warnings,
			     struct xb_error *err)
{
	uint64_t start = xb_clock_monotonic();
	int r;

	xb_limit_enforce(store);
	r = xb_snapshot_begin(store, &record->snapshot, err);
	if (r < 0)
		return r;
	r = unpack_into(store, layer, max_layer, lowers, &record->snapshot, warnings, err);
	if (r == 0)
		r = xb_snapshot_commit(store, &record->snapshot, err);
	if (r == 0) {
		record->diff_id = layer->diff_id;
		/* what lets a tag on an image keep the unpacked layer too */
		record->blob = layer->blob;
		record->blob_size = layer->blob_size;
		(void)snprintf(record->media_type, sizeof(record->media_type), "%s",
			       layer->media_type);
		record->created = xb_clock_now();
		record->duration = xb_clock_monotonic() - start;
		r = xb_record_put(store, record, err);
	}
	if (r < 0)
		xb_snapshot_discard(store, &record->snapshot);
	return r;
}

/* The snapshot of a base image's layer: known, or made now. */
static int base_snapshot(struct xb_store *store, const struct xb_result_layer *layer,
			 uint64_t max_layer, const struct xb_strv *lowers, struct xb_snapshot *ret,
			 struct xb_strv *warnings, struct xb_error *err)
{
	struct xb_record record = { 0 };
	xb_auto_keylock struct xb_keylock *lock = NULL;
	int r;

	(void)snprintf(record.key, sizeof(record.key), "%s%s", XB_RECORD_CHAIN, layer->chain.text);
	r = xb_record_get(store, record.key, &record, err);
	if (r == 0) {
		r = xb_keylock_take(store, record.key, true, &lock, err);
		if (r == 0)
			r = xb_record_get(store, record.key, &record, err);
		if (r == 0)
			r = unpack_and_record(store, layer, max_layer, lowers, &record, warnings,
					      err);
	}
	if (r < 0)
		return xb_store_explain(
			err, xb_error_wrap(err, r, "unpacking layer %s", layer->blob.text));
	*ret = record.snapshot;
	return 0;
}

/* Push the path of the snapshot of layer `i`, made when missing, on top of those below it. */
static int push_layer(const struct stack *stack, size_t i, struct xb_strv *lowers,
		      struct xb_error *err)
{
	const struct xb_result_layer *layer = &stack->result->layers.items[i];
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	struct xb_snapshot snapshot = layer->snapshot;
	int r = 0;

	if (snapshot.id[0] == '\0')
		r = base_snapshot(stack->store, layer, stack->max_layer, lowers, &snapshot,
				  stack->warnings, err);
	if (r < 0)
		return r;
	xb_snapshot_path(stack->store, &snapshot, &path);
	to_top(lowers, xb_str_text(&path));
	return 0;
}

static int stack_paths(const struct stack *stack, size_t n, struct xb_strv *lowers,
		       struct xb_error *err);

static int merge_into(const struct stack *stack, const struct xb_strv *lowers,
		      const struct xb_snapshot *snapshot, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	int r = xb_snapshot_open(stack->store, snapshot, &fd, err);

	if (r == 0)
		r = xb_tree_merge((const char *const *)xb_strv_argv(lowers), lowers->len,
				  XB_MERGE_LINK, fd, err);
	return r == 0 ? xb_snapshot_commit(stack->store, snapshot, err) : r;
}

static int merge_and_record(const struct stack *stack, size_t n, struct xb_record *record,
			    struct xb_error *err)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	uint64_t start = xb_clock_monotonic();
	int r = stack_paths(stack, n, &lowers, err);

	xb_limit_enforce(stack->store);
	if (r == 0)
		r = xb_snapshot_begin(stack->store, &record->snapshot, err);
	if (r < 0)
		return r;
	r = merge_into(stack, &lowers, &record->snapshot, err);
	if (r == 0) {
		record->created = xb_clock_now();
		record->duration = xb_clock_monotonic() - start;
		r = xb_record_put(stack->store, record, err);
	}
	if (r < 0)
		xb_snapshot_discard(stack->store, &record->snapshot);
	return r;
}

/* The snapshot that shows the first `n` layers together: known, or made now. */
static int push_merged(const struct stack *stack, size_t n, struct xb_strv *lowers,
		       struct xb_error *err)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	xb_auto_keylock struct xb_keylock *lock = NULL;
	struct xb_record record = { 0 };
	int r;

	(void)snprintf(record.key, sizeof(record.key), "%s%s", XB_RECORD_MERGED,
		       stack->result->layers.items[n - 1].chain.text);
	r = xb_record_get(stack->store, record.key, &record, err);
	if (r == 0) {
		r = xb_keylock_take(stack->store, record.key, true, &lock, err);
		if (r == 0)
			r = xb_record_get(stack->store, record.key, &record, err);
		if (r == 0)
			r = merge_and_record(stack, n, &record, err);
	}
	if (r < 0)
		return xb_store_explain(err,
					xb_error_wrap(err, r, "merging the first %zu layers", n));
	xb_snapshot_path(stack->store, &record.snapshot, &path);
	to_top(lowers, xb_str_text(&path));
	return 0;
}

/* The paths of the first `n` layers: of a deep stack, the oldest are one snapshot. */
static int stack_paths(const struct stack *stack, size_t n, struct xb_strv *lowers,
		       struct xb_error *err)
{
	size_t merged = n > MOST_LOWERS ? (n - 1) / MERGED_AT_ONCE * MERGED_AT_ONCE : 0;
	int r = merged > 0 ? push_merged(stack, merged, lowers, err) : 0;

	for (size_t i = merged; r == 0 && i < n; i++)
		r = push_layer(stack, i, lowers, err);
	return r;
}

int xb_trees_paths(struct xb_store *store, const struct xb_result *result, uint64_t max_layer,
		   struct xb_strv *lowers, struct xb_strv *warnings, struct xb_error *err)
{
	const struct stack stack = { store, result, max_layer, warnings };

	return stack_paths(&stack, result->layers.len, lowers, err);
}

/* Whether a base image's layer has been unpacked. */
static bool is_unpacked(struct xb_store *store, const struct xb_result_layer *layer)
{
	struct xb_record record = { 0 };
	xb_autofree char *key = xb_format("%s%s", XB_RECORD_CHAIN, layer->chain.text);

	return xb_record_get(store, key, &record, NULL) > 0;
}

int xb_trees_list(struct xb_store *store, const struct xb_result *result, struct xb_shapes *shapes,
		  uint64_t max_layer, struct xb_sight *ret, struct xb_error *err)
{
	const struct xb_shape *shape = NULL;
	size_t base = 0;
	int r;

	while (base < result->layers.len && result->layers.items[base].snapshot.id[0] == '\0')
		base++;
	/* the upper ones have been unpacked with those below them */
	if (base == 0 || is_unpacked(store, &result->layers.items[base - 1]))
		return 0;
	for (size_t i = result->layers.len; i-- > base;) {
		int fd;

		r = xb_snapshot_open(store, &result->layers.items[i].snapshot, &fd, err);
		if (r < 0)
			return r;
		xb_sight_push(ret, fd);
	}
	r = xb_shapes_get(shapes, store, result, base, max_layer, &shape, err);
	if (r < 0)
		return r;
	ret->shape = xb_shape_root(shape);
	return 1;
}

/* Views are made by xb_tree_mount() or xb_tree_view(), which differ in how long they last. */
typedef int view_function(const char *const *lowers, size_t n, const char *upper, const char *work,
			  struct xb_error *err);

static int open_with(view_function *view, struct xb_store *store, const struct xb_result *result,
		     uint64_t max_layer, struct xb_strv *warnings, struct xb_error *err)
{
	const struct stack stack = { store, result, max_layer, warnings };
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	size_t n = result != NULL ? result->layers.len : 0;
	/* one layer needs no overlay to be seen, nor does none */
	int r = n > 1 ? xb_means_copies(store, err) : 0;

	if (r >= 0)
		r = r > 0 ? push_merged(&stack, n, &lowers, err)
			  : stack_paths(&stack, n, &lowers, err);
	if (r < 0)
		return r;
	return view((const char *const *)xb_strv_argv(&lowers), lowers.len, NULL, NULL, err);
}

int xb_trees_open(struct xb_store *store, const struct xb_result *result, uint64_t max_layer,
		  struct xb_strv *warnings, struct xb_error *err)
{
	return open_with(xb_tree_mount, store, result, max_layer, warnings, err);
}

int xb_trees_view(struct xb_store *store, const struct xb_result *result, uint64_t max_layer,
		  struct xb_strv *warnings, struct xb_error *err)
{
	return open_with(xb_tree_view, store, result, max_layer, warnings, err);
}
