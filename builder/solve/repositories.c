/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/repositories.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/array.h"
#include "builder/cache/place.h"
#include "builder/cache/supply.h"
#include "manifest/registry/place.h"

struct repository {
	char *name;
	struct xb_place *remote;
	struct xb_store_place place; /* the store in front of it */
};

struct xb_repositories {
	struct xb_store *store;
	struct xb_registry_opener opener;
	pthread_mutex_t lock; /* guards what follows */
	struct xb_registry *registry;
	struct XB_ARRAY(struct repository *) open;
};

bool xb_repositories_usable(const struct xb_repositories *repositories)
{
	return repositories->opener.open != NULL;
}

static struct repository *find(const struct xb_repositories *all, const char *name)
{
	for (size_t i = 0; i < all->open.len; i++) {
		if (strcmp(all->open.items[i]->name, name) == 0)
			return all->open.items[i];
	}
	return NULL;
}

static int get_client(struct xb_repositories *all, struct xb_error *err)
{
	return all->registry != NULL ? 0
				     : all->opener.open(all->opener.context, &all->registry, err);
}

static int open_locked(struct xb_repositories *all, const struct xb_reference *ref,
		       struct repository **ret, struct xb_error *err)
{
	xb_autofree char *name = xb_reference_name(ref);
	struct repository *repository = find(all, name);
	int r = repository == NULL ? get_client(all, err) : 0;

	if (r < 0)
		return r;
	if (repository == NULL) {
		repository = xb_calloc(1, sizeof(*repository));
		repository->name = XB_STEAL(name);
		repository->remote = xb_registry_place_new(all->registry, ref);
		repository->place = xb_store_place_before(all->store, repository->remote);
		*xb_array_push(&all->open) = repository;
	}
	*ret = repository;
	return 0;
}

static int not_asked(const struct xb_reference *ref, struct xb_error *err)
{
	xb_autofree char *name = xb_reference_name(ref);

	(void)xb_error_set(err, -ENETUNREACH, "%s: registries are not asked", name);
	(void)xb_error_hint(err, "`xbuild pull NAME`, or a build without --offline, gets it");
	return xb_error_fault(err, XB_FAULT_REGISTRY);
}

static int open_one(struct xb_repositories *all, const struct xb_reference *ref,
		    struct repository **ret, struct xb_error *err)
{
	int r;

	if (!xb_repositories_usable(all))
		return not_asked(ref, err);
	(void)pthread_mutex_lock(&all->lock);
	r = open_locked(all, ref, ret, err);
	(void)pthread_mutex_unlock(&all->lock);
	return r;
}

int xb_repositories_open(struct xb_repositories *repositories, const struct xb_reference *ref,
			 struct xb_place **ret, struct xb_error *err)
{
	struct repository *found = NULL;
	int r = open_one(repositories, ref, &found, err);

	if (r == 0)
		*ret = &found->place.place;
	return r;
}

/* As the supplier: registries themselves, which blobs can be mounted from. */
static int supply(void *context, const char *name, struct xb_place **ret, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	struct repository *found = NULL;
	int r = xb_reference_parse(xb_view(name), &ref, err);

	if (r == 0)
		r = open_one(context, &ref, &found, err);
	if (r == 0)
		*ret = found->remote;
	return r;
}

struct xb_repositories *xb_repositories_new(struct xb_store *store,
					    const struct xb_registry_opener *opener)
{
	struct xb_repositories *all = xb_calloc(1, sizeof(*all));

	all->store = store;
	all->opener = *opener;
	(void)pthread_mutex_init(&all->lock, NULL);
	xb_supply_attach(store, &(struct xb_supplier){ .open = supply, .context = all });
	return all;
}

void xb_repositories_free(struct xb_repositories *repositories)
{
	if (repositories == NULL)
		return;
	xb_supply_attach(repositories->store, NULL);
	for (size_t i = 0; i < repositories->open.len; i++) {
		free(repositories->open.items[i]->name);
		xb_place_free(repositories->open.items[i]->remote);
		free(repositories->open.items[i]);
	}
	xb_array_clear(&repositories->open);
	(void)pthread_mutex_destroy(&repositories->lock);
	free(repositories);
}
