/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git.h"

#include <errno.h>

int xb_fetch_git(struct xb_store *store, const struct xb_git_url *url,
		 const struct xb_fetch_options *options, struct xb_fetched *ret,
		 struct xb_error *err)
{
	(void)store;
	(void)url;
	(void)options;
	(void)ret;
	xb_error_set(err, -ENOTSUP, "git sources are not supported yet");
	return xb_error_fault(err, XB_FAULT_SOURCE);
}
