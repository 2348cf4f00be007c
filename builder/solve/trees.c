/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/trees.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/overlay.h"
#include "builder/cache/explain.h"
#include "builder/cache/keylock.h"
#include "builder/cache/limit.h"
#include "builder/cache/means.h"
#include "builder/layer/merge.h"
#include "builder/layer/tree.h"
#include "builder/solve/unpacking.h"

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
	struct xb_unpacking how;
	const struct xb_result *result;
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

/* Push the path of the snapshot of layer `i`, made when missing, on top of those below it. */
static int push_layer(const struct stack *stack, size_t i, struct xb_abreast *abreast,
		      struct xb_strv *lowers, struct xb_error *err)
{
	const struct xb_result_layer *layer = &stack->result->layers.items[i];
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	struct xb_snapshot snapshot = layer->snapshot;
	int r = 0;

	if (snapshot.id[0] == '\0')
		r = xb_unpacking_layer(&stack->how, layer, abreast, lowers, &snapshot, err);
	if (r < 0)
		return r;
	xb_snapshot_path(stack->how.store, &snapshot, &path);
	to_top(lowers, xb_str_text(&path));
	return 0;
}

static int stack_paths(const struct stack *stack, size_t n, struct xb_strv *lowers,
		       struct xb_error *err);

static int merge_into(const struct stack *stack, const struct xb_strv *lowers,
		      const struct xb_snapshot *snapshot, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	int r = xb_snapshot_open(stack->how.store, snapshot, &fd, err);

	if (r == 0)
		r = xb_tree_merge((const char *const *)xb_strv_argv(lowers), lowers->len,
				  XB_MERGE_LINK, fd, err);
	return r == 0 ? xb_snapshot_commit(stack->how.store, snapshot, err) : r;
}

static int merge_and_record(const struct stack *stack, size_t n, struct xb_record *record,
			    struct xb_error *err)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	uint64_t start = xb_clock_monotonic();
	int r = stack_paths(stack, n, &lowers, err);

	xb_limit_enforce(stack->how.store);
	if (r == 0)
		r = xb_snapshot_begin(stack->how.store, &record->snapshot, err);
	if (r < 0)
		return r;
	r = merge_into(stack, &lowers, &record->snapshot, err);
	if (r == 0) {
		record->created = xb_clock_now();
		record->duration = xb_clock_monotonic() - start;
		r = xb_record_put(stack->how.store, record, err);
	}
	if (r < 0)
		xb_snapshot_discard(stack->how.store, &record->snapshot);
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
	r = xb_record_get(stack->how.store, record.key, &record, err);
	if (r == 0) {
		r = xb_keylock_take(stack->how.store, record.key, true, &lock, err);
		if (r == 0)
			r = xb_record_get(stack->how.store, record.key, &record, err);
		if (r == 0)
			r = merge_and_record(stack, n, &record, err);
	}
	if (r < 0)
		return xb_store_explain(err,
					xb_error_wrap(err, r, "merging the first %zu layers", n));
	xb_snapshot_path(stack->how.store, &record.snapshot, &path);
	to_top(lowers, xb_str_text(&path));
	return 0;
}

/* The paths of the first `n` layers: of a deep stack, the oldest are one snapshot. */
static int stack_paths(const struct stack *stack, size_t n, struct xb_strv *lowers,
		       struct xb_error *err)
{
	size_t merged = n > MOST_LOWERS ? (n - 1) / MERGED_AT_ONCE * MERGED_AT_ONCE : 0;
	int r = merged > 0 ? push_merged(stack, merged, lowers, err) : 0;
	xb_auto_abreast struct xb_abreast *abreast = NULL;

	/* of no layers there need not be a result */
	if (r < 0 || n == 0)
		return r;
	r = xb_unpacking_abreast(&stack->how, &stack->result->layers, merged, n, &abreast, err);
	for (size_t i = merged; r == 0 && i < n; i++)
		r = push_layer(stack, i, abreast, lowers, err);
	return r;
}

int xb_trees_paths(struct xb_store *store, const struct xb_result *result, uint64_t max_layer,
		   struct xb_strv *lowers, struct xb_strv *warnings, struct xb_error *err)
{
	const struct stack stack = { { store, max_layer, warnings }, result };

	return stack_paths(&stack, result->layers.len, lowers, err);
}

int xb_trees_top(struct xb_store *store, const struct xb_result *result, uint64_t max_layer,
		 struct xb_snapshot *ret, struct xb_strv *warnings, struct xb_error *err)
{
	const struct xb_result_layer *top = &result->layers.items[result->layers.len - 1];
	xb_autofree char *key = xb_format("%s%s", XB_RECORD_CHAIN, top->chain.text);
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	struct xb_record record = { .snapshot = top->snapshot };
	int r = 0;

	if (top->snapshot.id[0] == '\0')
		r = xb_trees_paths(store, result, max_layer, &lowers, warnings, err);
	if (r == 0 && top->snapshot.id[0] == '\0')
		r = xb_record_get(store, key, &record, err);
	if (r >= 0 && record.snapshot.id[0] == '\0')
		r = xb_error_set(err, -ENOENT, "layer %s has gone again", top->blob.text);
	if (r >= 0)
		*ret = record.snapshot;
	return r < 0 ? r : 0;
}

static bool are_unpacked(struct xb_store *store, const struct xb_result *result, size_t n)
{
	/* any of them may be the first to be ready */
	for (size_t i = 0; i < n; i++) {
		if (!xb_unpacking_done(store, &result->layers.items[i]))
			return false;
	}
	return true;
}

int xb_trees_list(struct xb_store *store, const struct xb_result *result, struct xb_shapes *shapes,
		  uint64_t max_layer, struct xb_sight *ret, struct xb_error *err)
{
	const struct xb_shape *shape = NULL;
	size_t base = 0;
	int r;

	while (base < result->layers.len && result->layers.items[base].snapshot.id[0] == '\0')
		base++;
	if (are_unpacked(store, result, base))
		return 0;
	for (size_t i = result->layers.len; i-- > base;) {
		int fd;

		/* one from a cache, which is not unpacked either */
		if (result->layers.items[i].snapshot.id[0] == '\0')
			return 0;
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
	const struct stack stack = { { store, max_layer, warnings }, result };
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
