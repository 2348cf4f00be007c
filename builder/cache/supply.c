/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/supply.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pool.h"
#include "builder/cache/blob.h"
#include "builder/cache/keylock.h"
#include "builder/cache/origin.h"
#include "builder/cache/state.h"

/* How often one who waits for another's fetch looks whether it is to stop, ms. */
#define WAIT_MS 50

struct xb_supply {
	struct xb_supplier supplier; /* none: `open` is NULL */
	const atomic_bool *stop;
};

static struct xb_supply *supply_of(struct xb_store *store)
{
	if (store->supply == NULL)
		store->supply = xb_calloc(1, sizeof(*store->supply));
	return store->supply;
}

void xb_supply_attach(struct xb_store *store, const struct xb_supplier *supplier)
{
	supply_of(store)->supplier = supplier != NULL ? *supplier : (struct xb_supplier){ 0 };
}

void xb_supply_stop_at(struct xb_store *store, const atomic_bool *stop)
{
	supply_of(store)->stop = stop;
}

static int check_stop(const struct xb_store *store, struct xb_error *err)
{
	const struct xb_supply *supply = store->supply;

	if (supply == NULL || supply->stop == NULL || !atomic_load(supply->stop))
		return 0;
	(void)xb_error_set(err, -ECANCELED, "cancelled");
	return xb_error_fault(err, XB_FAULT_INTERRUPTED);
}

static bool has_supplier(const struct xb_store *store)
{
	return store->supply != NULL && store->supply->supplier.open != NULL;
}

/* ---- one origin after the other ------------------------------------------------------------ */

static int nobody_has_it(const struct xb_descriptor *blob, struct xb_error *err)
{
	(void)xb_error_set(err, -ENOENT,
			   "the blob %s is not in the store, and nothing says where it is from",
			   blob->digest.text);
	(void)xb_error_hint(err, "pull or build anew the image that it is of");
	return xb_error_fault(err, XB_FAULT_STORE);
}

static int open_origin(struct xb_store *store, const char *name, struct xb_place **ret,
		       struct xb_error *err)
{
	if (has_supplier(store))
		return store->supply->supplier.open(store->supply->supplier.context, name, ret,
						    err);
	(void)xb_error_set(err, -ENETUNREACH, "it was left in %s, and registries are not asked",
			   name);
	(void)xb_error_hint(err, "`xbuild pull` gets an image with all of its layers");
	return xb_error_fault(err, XB_FAULT_REGISTRY);
}

/* What is wanted of an origin, and who gets it. */
struct want {
	const struct xb_descriptor *blob;
	const struct xb_blob_sink *sink;	 /* past the store */
	const struct xb_supply_watcher *watcher; /* into the store; NULL: nobody looks on */
};

/* What is done with an origin that is open. */
typedef int (*origin_function)(struct xb_store *store, struct xb_place *from,
			       const struct want *want, struct xb_error *err);

/* Try origins until one does; else the error is that of the first. */
static int try_origins(struct xb_store *store, const struct want *want, origin_function run,
		       struct xb_error *err)
{
	const struct xb_descriptor *blob = want->blob;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_error struct xb_error first = XB_ERROR_INIT;
	int result = xb_origin_find(store, &blob->digest, &names, err);

	if (result < 0 || names.len == 0)
		return result < 0 ? result : nobody_has_it(blob, err);
	for (size_t i = 0; i < names.len; i++) {
		xb_auto_error struct xb_error fault = XB_ERROR_INIT;
		struct xb_place *from = NULL;
		int r = open_origin(store, names.items[i], &from, &fault);

		if (r == 0)
			r = run(store, from, want, &fault);
		if (r == 0)
			return 0;
		if (i == 0 || r == -ECANCELED) {
			result = r;
			xb_error_clear(&first);
			xb_error_move(&first, &fault);
		}
		if (r == -ECANCELED)
			break;
	}
	if (err != NULL)
		xb_error_move(err, &first);
	return xb_error_wrap(err, result, "fetching the blob %s", blob->digest.text);
}

/* ---- into the store ------------------------------------------------------------------------ */

/* A blob that is on its way into the store. */
struct arrival {
	struct xb_store *store;
	struct xb_ingest *ingest;
	const struct xb_supply_watcher *watcher;
	uint64_t size;
};

static void tell_begun(const struct arrival *a)
{
	if (a->watcher != NULL)
		a->watcher->begun(a->watcher->context, xb_ingest_fd(a->ingest));
}

static void tell_undone(const struct arrival *a)
{
	if (a->watcher != NULL)
		a->watcher->undone(a->watcher->context);
}

/* Its digest is checked by the place that gives it. */
static int take_piece(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct arrival *a = context;
	int r = check_stop(a->store, err);

	if (r < 0)
		return r;
	r = xb_write_all(xb_ingest_fd(a->ingest), data, len, NULL);
	if (r < 0)
		return xb_store_errno(err, r, "writing a blob to %s", a->store->root);
	a->size += len;
	if (a->watcher != NULL && len > 0)
		a->watcher->grown(a->watcher->context, a->size);
	return 0;
}

static int take_again(void *context, struct xb_error *err)
{
	struct arrival *a = context;
	int fd = xb_ingest_fd(a->ingest);

	tell_undone(a);
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return xb_store_errno(err, -errno, "writing a blob to %s", a->store->root);
	a->size = 0;
	tell_begun(a);
	return 0;
}

/* The one place where a blob comes from a registry into the store. */
static int fetch_blob(struct xb_store *store, struct xb_place *from, const struct want *want,
		      struct xb_error *err)
{
	xb_auto_ingest struct xb_ingest *ingest = NULL;
	struct arrival arrival = { .store = store, .watcher = want->watcher };
	const struct xb_blob_sink sink = { &arrival, take_piece, take_again };
	int r = xb_blob_begin(store, &ingest, err);

	if (r < 0)
		return r;
	arrival.ingest = ingest;
	tell_begun(&arrival);
	r = from->ops->get(from, want->blob, &sink, err);
	if (r == 0)
		r = xb_blob_commit_as(ingest, &want->blob->digest, want->blob->size, err);
	if (r < 0)
		tell_undone(&arrival);
	return r;
}

/* Wait for whoever is at it. */
static int lock_blob(struct xb_store *store, const struct xb_digest *blob, struct xb_keylock **ret,
		     struct xb_error *err)
{
	xb_autofree char *key = xb_format("blob:%s", blob->text);

	for (;;) {
		xb_auto_error struct xb_error cause = XB_ERROR_INIT;
		int r = xb_keylock_take(store, key, false, ret, &cause);

		if (r == -EAGAIN) {
			r = check_stop(store, err);
			if (r < 0)
				return r;
			(void)poll(NULL, 0, WAIT_MS);
			continue;
		}
		if (r < 0 && err != NULL)
			xb_error_move(err, &cause);
		return r;
	}
}

int xb_supply_watched(struct xb_store *store, const struct xb_descriptor *blob,
		      const struct xb_supply_watcher *watcher, struct xb_error *err)
{
	const struct want want = { .blob = blob, .watcher = watcher };
	xb_auto_keylock struct xb_keylock *lock = NULL;
	int r;

	if (xb_blob_is_whole(store, blob))
		return 0;
	r = lock_blob(store, &blob->digest, &lock, err);
	if (r < 0 || xb_blob_is_whole(store, blob))
		return r;
	return try_origins(store, &want, fetch_blob, err);
}

int xb_supply_blob(struct xb_store *store, const struct xb_descriptor *blob, struct xb_error *err)
{
	return xb_supply_watched(store, blob, NULL, err);
}

/* Several, each by its number. */
struct supplies {
	struct xb_store *store;
	const struct xb_descriptors *blobs;
};

static int supply_one(void *context, size_t number, struct xb_error *err)
{
	const struct supplies *s = context;

	return xb_supply_blob(s->store, &s->blobs->items[number], err);
}

int xb_supply_all(struct xb_store *store, const struct xb_descriptors *blobs, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors missing = { 0 };

	for (size_t i = 0; i < blobs->len; i++) {
		if (!xb_blob_is_whole(store, &blobs->items[i]))
			(void)xb_descriptors_add(&missing, &blobs->items[i]);
	}
	return xb_pool_each(missing.len, supply_one, &(struct supplies){ store, &missing }, err);
}

/* ---- past the store ------------------------------------------------------------------------ */

static int stream_blob(struct xb_store *store, struct xb_place *from, const struct want *want,
		       struct xb_error *err)
{
	(void)store;
	return from->ops->get(from, want->blob, want->sink, err);
}

int xb_supply_stream(struct xb_store *store, const struct xb_descriptor *blob,
		     const struct xb_blob_sink *sink, struct xb_error *err)
{
	const struct want want = { .blob = blob, .sink = sink };

	return try_origins(store, &want, stream_blob, err);
}

struct xb_place *xb_supply_origin(struct xb_store *store, const struct xb_digest *blob,
				  size_t number)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	struct xb_place *place = NULL;

	if (!has_supplier(store) || xb_origin_find(store, blob, &names, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < names.len; i++) {
		if (open_origin(store, names.items[i], &place, NULL) == 0 && number-- == 0)
			return place;
	}
	return NULL;
}
