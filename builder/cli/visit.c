/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/visit.h"

int xb_visit_begin(const struct xb_invocation *invocation, const char *root,
		   const struct xb_registry_flags *flags, struct xb_visit *ret,
		   struct xb_error *err)
{
	int r;

	ret->registries.cancel_fd = invocation->stop_fd;
	r = xb_registries_init(&ret->registries, flags, err);
	if (r == 0)
		r = xb_store_open(root != NULL ? root : invocation->default_root, &ret->store, err);
	if (r == 0)
		xb_registries_supply(&ret->registries, ret->store);
	return r;
}

void xb_visit_end(struct xb_visit *visit)
{
	xb_registries_clear(&visit->registries);
	xb_store_free(visit->store);
}

int xb_visit_image(struct xb_visit *visit, const char *name, struct xb_named_image *ret,
		   struct xb_descriptor *ret_root, struct xb_error *err)
{
	int r = xb_named_image_open(name, XB_NAMED_READ, visit->store, &visit->registries, ret,
				    err);

	return r < 0 ? r : ret->place->ops->resolve(ret->place, ret->tag, ret_root, err);
}
