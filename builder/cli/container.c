/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/container.h"

#include "builder/cache/means.h"
#include "builder/solve/site.h"

int xb_container_root(struct xb_store *store, const struct xb_strv *lowers,
		      struct xb_snapshot *scratch, struct xb_sandbox_spec *spec,
		      struct xb_error *err)
{
	xb_auto_site struct xb_site site = XB_SITE_INIT;
	int r = xb_means_copies(store, err);

	if (r == 0) {
		xb_strv_copy(&spec->lowers, lowers);
		spec->scratch_upper = true;
	}
	if (r <= 0)
		return r;
	r = xb_snapshot_begin(store, scratch, err);
	if (r == 0)
		r = xb_site_open(store, scratch, lowers, true, &site, err);
	if (r == 0)
		xb_site_spec(&site, spec);
	return r;
}
