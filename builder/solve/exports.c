/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/exports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "builder/cache/place.h"
#include "builder/solve/cache_place.h"

/* ---- gathering ---------------------------------------------------------------------------- */

/* Which steps' layers are in the image of a target. */
static void mark_images(const struct xb_plan *plan, bool *ret)
{
	for (size_t t = 0; t < plan->target_count; t++) {
		size_t at = plan->targets[t].step;

		for (; at != XB_STEP_NONE && !ret[at]; at = plan->steps[at].parent)
			ret[at] = true;
	}
}

/* The record of a key, which may stand for another one. 1, or 0 without a packed layer. */
static int find_record(struct xb_store *store, const char *key, struct xb_record *ret,
		       struct xb_error *err)
{
	char other[XB_RECORD_KEY_SIZE];
	int r = xb_record_get(store, key, ret, err);

	if (r > 0 && xb_view_starts(xb_view(ret->note), XB_VIEW(XB_RECORD_STEP))) {
		(void)snprintf(other, sizeof(other), "%.*s", XB_RECORD_KEY_SIZE - 1, ret->note);
		r = xb_record_get(store, other, ret, err);
	}
	return r > 0 ? !xb_digest_empty(&ret->blob) : r;
}

/* Likewise, also of what another cache has and the store does not. */
static int find_anywhere(const struct xb_exports *exports, const char *key, struct xb_record *ret,
			 struct xb_error *err)
{
	int r = find_record(exports->store, key, ret, err);
	const struct xb_record *left = r == 0 ? xb_imports_left(exports->imports, key) : NULL;

	if (left != NULL)
		*ret = *left;
	return left != NULL ? 1 : r;
}

/* Both keys of a step name the same layer. */
static int add_step(const struct xb_exports *exports, size_t step, int64_t used,
		    struct xb_depot_entries *ret, struct xb_error *err)
{
	const struct xb_result *result = &exports->results->items[step];
	const char *const keys[] = { result->key, result->apart };

	for (size_t i = 0; i < XB_COUNT(keys); i++) {
		struct xb_record record = { 0 };
		struct xb_catalog_record line;
		int r = keys[i] != NULL ? find_anywhere(exports, keys[i], &record, err) : 0;

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		(void)snprintf(record.key, sizeof(record.key), "%s", keys[i]);
		line = xb_catalog_from_record(&record, used);
		(void)xb_catalog_add(xb_depot_entry(ret, &exports->plan->steps[step].platform),
				     &line);
	}
	return 0;
}

int xb_exports_gather(const struct xb_exports *exports, bool all, int64_t used,
		      struct xb_depot_entries *ret, struct xb_error *err)
{
	const struct xb_plan *plan = exports->plan;
	xb_autofree bool *wanted = xb_calloc(plan->step_count + 1, sizeof(*wanted));
	int r = 0;

	mark_images(plan, wanted);
	for (size_t i = 0; r == 0 && i < plan->step_count; i++) {
		if ((all || wanted[i]) && xb_results_have(exports->results, i))
			r = add_step(exports, i, used, ret, err);
	}
	return r;
}

/* ---- writing ------------------------------------------------------------------------------ */

static struct xb_place *source(void *context, const struct xb_catalog_record *record)
{
	struct xb_store_place *store = context;

	(void)record;
	return &store->place;
}

static int write_cache(const struct xb_exports *exports, const struct xb_cache_spec *spec,
		       struct xb_strv *notes, struct xb_error *err)
{
	XB_CLEANUP(xb_cache_place_clear) struct xb_cache_place place = { 0 };
	xb_auto_depot_entries struct xb_depot_entries entries = { 0 };
	struct xb_store_place from = xb_store_place(exports->store);
	struct xb_depot_writing what = {
		.entries = &entries,
		.source = source,
		.context = &from,
		.now = xb_clock_now(),
	};
	struct xb_depot_written written = { 0 };
	struct xb_depot depot = { 0 };
	int r = xb_exports_gather(exports, spec->all, what.now, &entries, err);

	if (r == 0)
		r = xb_cache_place_init(&place, spec, exports->opener, err);
	if (r == 0)
		r = xb_cache_place_open(&place, true, &depot, err);
	if (r == 0)
		r = xb_depot_write(&depot, &what, &written, err);
	if (r == 0)
		xb_strv_printf(notes, "cache %s: %zu records, %zu of them new", spec->where,
			       written.records, written.added);
	if (r < 0)
		(void)xb_error_fault(err, spec->type == XB_CACHE_LOCAL ? XB_FAULT_STORE
								       : XB_FAULT_REGISTRY);
	return r < 0 ? xb_error_wrap(err, r, "--cache-to %s", spec->text) : 0;
}

int xb_exports_write(const struct xb_exports *exports, struct xb_strv *notes, struct xb_error *err)
{
	int result = 0;

	for (size_t i = 0; i < exports->specs->len; i++) {
		const struct xb_cache_spec *spec = &exports->specs->items[i];
		xb_auto_error struct xb_error cause = XB_ERROR_INIT;
		int r = spec->type == XB_CACHE_INLINE ? 0
						      : write_cache(exports, spec, notes, &cause);

		if (r < 0 && spec->ignore_error && r != -ECANCELED) {
			xb_strv_printf(notes, "warning: %s", cause.message);
		} else if (r < 0 && result == 0) {
			result = r;
			xb_error_move(err, &cause);
		}
	}
	return result;
}
