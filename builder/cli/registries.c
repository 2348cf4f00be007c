/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/registries.h"

int xb_registries_init(struct xb_registries *registries, const struct xb_registry_flags *flags,
		       struct xb_error *err)
{
	return xb_registry_access_open(flags, &registries->access, err);
}

void xb_registries_clear(struct xb_registries *registries)
{
	xb_repositories_free(registries->repositories);
	xb_registry_free(registries->registry);
	xb_registry_access_clear(&registries->access);
	*registries = (struct xb_registries){ 0 };
}

int xb_registries_open(struct xb_registries *registries, struct xb_registry **ret,
		       struct xb_error *err)
{
	const struct xb_registry_options options =
		xb_registry_access_options(&registries->access, registries->cancel_fd);
	int r = 0;

	if (registries->registry == NULL)
		r = xb_registry_new(&options, &registries->registry, err);
	*ret = registries->registry;
	return r;
}

static int open_registry(void *context, struct xb_registry **ret, struct xb_error *err)
{
	return xb_registries_open(context, ret, err);
}

struct xb_registry_opener xb_registries_opener(struct xb_registries *registries)
{
	return (struct xb_registry_opener){ .open = open_registry, .context = registries };
}

void xb_registries_supply(struct xb_registries *registries, struct xb_store *store)
{
	const struct xb_registry_opener opener = xb_registries_opener(registries);

	registries->repositories = xb_repositories_new(store, &opener);
}
