/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/caches.h"

#include <stdio.h>

#include "builder/cli/report.h"

void xb_caches_clear(struct xb_caches *caches)
{
	xb_imports_free(caches->imports);
	xb_cache_specs_clear(&caches->from);
	xb_cache_specs_clear(&caches->to);
	*caches = (struct xb_caches){ 0 };
}

int xb_caches_read(const struct xb_strv *from, const struct xb_strv *to, struct xb_caches *ret,
		   struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->len; i++)
		r = xb_cache_from_parse(from->items[i], &ret->from, err);
	for (size_t i = 0; r == 0 && i < to->len; i++)
		r = xb_cache_to_parse(to->items[i], &ret->to, err);
	return r;
}

static bool any_remote(const struct xb_cache_specs *specs)
{
	bool any = false;

	for (size_t i = 0; i < specs->len; i++)
		any |= specs->items[i].type == XB_CACHE_REGISTRY;
	return any;
}

bool xb_caches_ask(const struct xb_caches *caches)
{
	return any_remote(&caches->from) || any_remote(&caches->to);
}

int xb_caches_prepare(struct xb_caches *caches, const struct xb_registry_opener *opener,
		      struct xb_solve_request *what, struct xb_error *err)
{
	int r = 0;

	if (caches->from.len > 0 && !what->no_cache)
		r = xb_imports_new(what->store, what->plan, &caches->from, opener, &caches->imports,
				   err);
	what->imports = caches->imports;
	what->keep_keys = caches->to.len > 0;
	what->pack_images = caches->to.len > 0;
	what->pack_all = xb_cache_specs_want_all(&caches->to);
	return r;
}

static int solve_and_fetch(const struct xb_caches *caches, const struct xb_solve_request *what,
			   bool keep, struct xb_results *ret, struct xb_error *err)
{
	int r = xb_solve(what, ret, err);

	for (size_t t = 0;
	     r == 0 && keep && caches->imports != NULL && t < what->plan->target_count; t++) {
		size_t step = what->plan->targets[t].step;

		if (step != XB_STEP_NONE && xb_results_have(ret, step))
			r = xb_imports_fetch(caches->imports, &ret->items[step], err);
	}
	return r;
}

int xb_caches_solve(struct xb_caches *caches, const struct xb_solve_request *what, bool keep,
		    struct xb_results *ret, struct xb_error *err)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = solve_and_fetch(caches, what, keep, ret, &cause);

	if (r < 0 && xb_imports_distrust(caches->imports, &cause)) {
		xb_autofree char *text =
			xb_format("%s: once more, without layers that caches have and do not give",
				  cause.message);

		xb_report_warning(text);
		xb_error_clear(&cause);
		xb_results_clear(ret);
		r = solve_and_fetch(caches, what, keep, ret, &cause);
	}
	if (r < 0)
		xb_error_move(err, &cause);
	xb_imports_record(caches->imports);
	return r;
}

int xb_caches_inline(const struct xb_caches *caches, struct xb_store *store,
		     const struct xb_plan *plan, const struct xb_results *results,
		     struct xb_catalog *ret, struct xb_error *err)
{
	const struct xb_exports what = {
		.store = store,
		.plan = plan,
		.results = results,
		.imports = caches->imports,
	};
	xb_auto_depot_entries struct xb_depot_entries entries = { 0 };
	int r = 0;

	/* when it was used is no part of what an image is */
	if (xb_cache_specs_want_inline(&caches->to))
		r = xb_exports_gather(&what, false, 0, &entries, err);
	for (size_t i = 0; r == 0 && i < entries.len; i++)
		xb_catalog_merge(ret, &entries.items[i].catalog);
	return r;
}

int xb_caches_write(const struct xb_caches *caches, const struct xb_exports *what, bool quiet,
		    struct xb_error *err)
{
	xb_auto_strv struct xb_strv notes = XB_STRV_INIT;
	int r = caches->to.len > 0 ? xb_exports_write(what, &notes, err) : 0;

	for (size_t i = 0; i < notes.len; i++) {
		xb_auto_str struct xb_str safe = XB_STR_INIT(XB_STR_OWN);

		(void)xb_str_append_quoted(&safe, xb_view(notes.items[i]));
		if (!quiet || xb_view_starts(xb_view(notes.items[i]), XB_VIEW("warning")))
			(void)fprintf(stderr, "%s\n", xb_str_text(&safe));
	}
	return r;
}
