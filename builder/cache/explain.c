/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/explain.h"

#include <errno.h>

int xb_store_explain(struct xb_error *err, int r)
{
	if (r == -ENOSPC || r == -EDQUOT) {
		(void)xb_error_fault(err, XB_FAULT_STORE);
		(void)xb_error_hint(err, "`xbuild cache prune` makes room");
	}
	return r;
}
