/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "builder/cache/db.h"
#include "builder/cache/disk.h"
#include "builder/cache/lease.h"
#include "builder/cache/piece.h"
#include "builder/cache/record.h"
#include "builder/cache/state.h"
#include "builder/cache/tag.h"
#include "manifest/layout.h"
#include "manifest/manifest.h"
#include "manifest/media.h"

/* Seconds after which what is remembered of a context is removed, unless it was written anew. */
#define CONTEXT_AGE ((time_t)30 * 24 * 3600)

static char present;

/* What the tags reach: digests, and documents still to be read. */
struct reach {
	struct xb_map *digests;
	struct xb_descriptors queue;
};

static void reach_clear(struct reach *reach)
{
	xb_map_free(reach->digests);
	xb_descriptors_clear(&reach->queue);
}

static void reach_add(struct reach *reach, const struct xb_descriptor *d)
{
	if (d->media_type != NULL &&
	    xb_map_set(reach->digests, xb_view(d->digest.text), &present) == NULL)
		(void)xb_descriptors_add(&reach->queue, d);
}

static void reach_all(struct reach *reach, const struct xb_descriptors *v)
{
	for (size_t i = 0; i < v->len; i++)
		reach_add(reach, &v->items[i]);
}

static void reach_index(struct reach *reach, struct xb_view text, const char *type)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	if (xb_index_parse(text, type, &index, NULL) >= 0)
		reach_all(reach, &index.manifests);
}

static void reach_manifest(struct reach *reach, struct xb_view text, const char *type)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;

	if (xb_manifest_parse(text, type, &manifest, NULL) < 0)
		return;
	reach_add(reach, &manifest.config);
	reach_all(reach, &manifest.layers);
}

/* A document that is missing or broken reaches nothing: it is of no use to its tag either. */
static void reach_document(const struct xb_store *store, struct reach *reach,
			   const struct xb_descriptor *d)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	enum xb_media_kind kind = xb_media_kind(d->media_type);

	if (kind != XB_MEDIA_INDEX && kind != XB_MEDIA_MANIFEST)
		return;
	if (xb_layout_blob_read(store->layout, d, XB_MAX_MANIFEST, &text, NULL) < 0)
		return;
	if (kind == XB_MEDIA_INDEX)
		reach_index(reach, xb_str_view(&text), d->media_type);
	else
		reach_manifest(reach, xb_str_view(&text), d->media_type);
}

/* The size of a held blob that may be a document, else 0. */
static uint64_t document_size(const struct xb_store *store, const struct xb_digest *digest)
{
	struct xb_view algorithm = xb_digest_algorithm(digest);
	xb_autofree char *path =
		xb_format("%.*s/%s", XB_VIEW_ARGS(algorithm), xb_digest_hex(digest));
	xb_auto_fd int fd =
		openat(store->blobs, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char first;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size > XB_MAX_MANIFEST || read(fd, &first, 1) != 1 || first != '{')
		return 0;
	return (uint64_t)st.st_size;
}

struct held_visit {
	const struct xb_store *store;
	struct reach *reach;
};

/* A build that has made an index and not tagged it yet holds the index alone. */
static int reach_held(void *context, const char *line, void *value)
{
	struct held_visit *visit = context;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest;
	uint64_t size;

	(void)value;
	if (strncmp(line, "b ", 2) != 0 || xb_digest_parse(xb_view(line + 2), &digest, NULL) < 0)
		return 0;
	size = document_size(visit->store, &digest);
	if (size == 0)
		return 0;
	xb_descriptor_init(&d, XB_MEDIA_OCI_INDEX, &digest, size);
	if (xb_layout_blob_read(visit->store->layout, &d, XB_MAX_MANIFEST, &text, NULL) >= 0) {
		reach_index(visit->reach, xb_str_view(&text), NULL);
		reach_manifest(visit->reach, xb_str_view(&text), NULL);
	}
	return 0;
}

static int reach_roots(struct xb_store *store, const struct xb_sweep *sweep, struct reach *reach,
		       struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	struct held_visit visit = { .store = store, .reach = reach };
	int r = xb_layout_index(store->layout, &index, err);

	if (r < 0)
		return r;
	reach_all(reach, &index.manifests);
	(void)xb_map_each(sweep->held, reach_held, &visit);
	for (size_t i = 0; i < reach->queue.len; i++) {
		/* the queue grows, hence moves, while this one is read */
		xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;

		xb_descriptor_copy(&d, &reach->queue.items[i]);
		reach_document(store, reach, &d);
	}
	return 0;
}

/* The decision on each record, for xb_record_each(). */
struct selection {
	const struct xb_sweep *sweep;
	const struct reach *reach;
	bool all;
	struct xb_map *blobs;	  /* of records that stay */
	struct xb_strv keys;	  /* of records that go */
	struct xb_strv snapshots; /* of records that go */
};

static void selection_clear(struct selection *s)
{
	xb_map_free(s->blobs);
	xb_strv_clear(&s->keys);
	xb_strv_clear(&s->snapshots);
}

static bool record_stays(const struct selection *s, const struct xb_record *record)
{
	if (record->snapshot.id[0] != '\0' && xb_sweep_held(s->sweep, 's', record->snapshot.id))
		return true;
	if (xb_digest_empty(&record->blob))
		return false;
	if (record->snapshot.id[0] == '\0' && xb_sweep_held(s->sweep, 'b', record->blob.text))
		return true;
	return !s->all && xb_map_get(s->reach->digests, xb_view(record->blob.text)) != NULL;
}

static int select_record(void *context, const struct xb_record *record)
{
	struct selection *s = context;

	if (record_stays(s, record)) {
		if (!xb_digest_empty(&record->blob))
			xb_map_set(s->blobs, xb_view(record->blob.text), &present);
		return 0;
	}
	xb_strv_push(&s->keys, record->key);
	if (record->snapshot.id[0] != '\0')
		xb_strv_push(&s->snapshots, record->snapshot.id);
	return 0;
}

static int remove_records(struct xb_store *store, const struct xb_strv *keys, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < keys->len; i++)
		r = xb_record_remove(store, keys->items[i], err);
	return r;
}

static int trash_blobs_of(struct xb_store *store, struct xb_sweep *sweep, const struct selection *s,
			  const char *algorithm, struct xb_store_pruned *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(store->blobs, algorithm, &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *digest = xb_format("%s:%s", algorithm, names.items[i]);
		xb_autofree char *path = xb_format("%s/%s", algorithm, names.items[i]);

		if (xb_map_get(s->reach->digests, xb_view(digest)) != NULL ||
		    xb_map_get(s->blobs, xb_view(digest)) != NULL ||
		    xb_sweep_held(sweep, 'b', digest))
			continue;
		r = xb_sweep_trash(store, sweep, store->blobs, path, err);
		ret->blobs++;
	}
	return r;
}

static int trash_blobs(struct xb_store *store, struct xb_sweep *sweep, const struct selection *s,
		       struct xb_store_pruned *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv algorithms = XB_STRV_INIT;
	int r = xb_store_list(store->blobs, ".", &algorithms, err);

	for (size_t i = 0; r >= 0 && i < algorithms.len; i++)
		r = trash_blobs_of(store, sweep, s, algorithms.items[i], ret, err);
	return r;
}

/* A cache that a step uses is locked by it. */
static int trash_cache(struct xb_store *store, struct xb_sweep *sweep, const char *name,
		       struct xb_store_pruned *ret, struct xb_error *err)
{
	xb_auto_fd int fd =
		openat(store->caches, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	ret->caches++;
	return xb_sweep_trash(store, sweep, store->caches, name, err);
}

static int trash_caches(struct xb_store *store, struct xb_sweep *sweep, struct xb_store_pruned *ret,
			struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(store->caches, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++)
		r = trash_cache(store, sweep, names.items[i], ret, err);
	return r;
}

/* What is remembered of contexts costs a reading at most: all of it goes, or what is old. */
static int remove_contexts(struct xb_store *store, bool all, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	time_t limit = time(NULL) - CONTEXT_AGE;
	int r = xb_store_list(store->contexts, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		struct stat st;

		if (fstatat(store->contexts, names.items[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    (all || st.st_mtim.tv_sec < limit))
			(void)unlinkat(store->contexts, names.items[i], 0);
	}
	return r;
}

/*
 * Decide and move away, under the store lock. Things go before the records that name them, which a
 * kill in between leaves harmless: a record without its things is dropped when it is met. And on a
 * full disk, room is there once the trash is gone: the records are then removed afterwards.
 */
static int collect(struct xb_store *store, struct xb_sweep *sweep, struct selection *s,
		   struct reach *reach, struct xb_store_pruned *ret, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(store, true, err);
	int r = guard;

	if (r >= 0)
		r = xb_sweep_leases(store, sweep, err);
	if (r >= 0)
		r = reach_roots(store, sweep, reach, err);
	if (r >= 0)
		r = xb_record_each(store, select_record, s, err);
	for (size_t i = 0; r >= 0 && i < s->snapshots.len; i++) {
		r = xb_sweep_trash(store, sweep, store->snapshots, s->snapshots.items[i], err);
		ret->snapshots++;
	}
	if (r >= 0)
		r = trash_blobs(store, sweep, s, ret, err);
	if (r >= 0 && s->all)
		r = trash_caches(store, sweep, ret, err);
	if (r >= 0)
		r = remove_contexts(store, s->all, err);
	if (r >= 0)
		r = xb_sweep_orphans(store, sweep, err);
	if (r < 0)
		return r;
	ret->snapshots += (uint64_t)r;
	ret->records = s->keys.len;
	return remove_records(store, &s->keys, err);
}

int xb_store_prune(struct xb_store *store, bool all, struct xb_store_pruned *ret,
		   struct xb_error *err)
{
	XB_CLEANUP(reach_clear) struct reach reach = { .digests = xb_map_new() };
	struct xb_sweep sweep = XB_SWEEP_INIT;
	XB_CLEANUP(selection_clear)
	struct selection s = {
		.sweep = &sweep, .reach = &reach, .all = all, .blobs = xb_map_new()
	};
	struct xb_store_pruned pruned = { 0 };
	xb_auto_error struct xb_error full = XB_ERROR_INIT;
	int r = collect(store, &sweep, &s, &reach, &pruned, &full);

	for (size_t i = 0; i < sweep.trash.len; i++)
		pruned.bytes += xb_disk_room(store->ingest, sweep.trash.items[i]).bytes;
	xb_sweep_finish(store, &sweep);
	if (r == -ENOSPC) {
		(void)unlinkat(store->dirfd, "ballast", 0);
		r = remove_records(store, &s.keys, err);
	} else if (r < 0)
		xb_error_move(err, &full);
	if (r >= 0)
		r = xb_piece_sweep(store, err);
	if (r < 0)
		return xb_store_wrap(err, r, "collecting in %s", store->root);
	*ret = pruned;
	return 0;
}

static int count_record(void *context, const struct xb_record *record)
{
	uint64_t *count = context;

	(void)record;
	++*count;
	return 0;
}

static int count_dir(int dirfd, const char *name, uint64_t *ret_count, uint64_t *ret_bytes,
		     struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(dirfd, name, &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *path = xb_format("%s/%s", name, names.items[i]);

		*ret_bytes += xb_disk_room(dirfd, path).bytes;
		++*ret_count;
	}
	return r;
}

int xb_store_usage(struct xb_store *store, struct xb_store_usage *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv algorithms = XB_STRV_INIT;
	xb_auto_tags struct xb_tags tags = { 0 };
	struct xb_store_usage usage = { 0 };
	int r = xb_tag_list(store, &tags, err);

	usage.tags = tags.len;
	if (r >= 0)
		r = xb_record_each(store, count_record, &usage.records, err);
	if (r >= 0)
		r = xb_store_list(store->blobs, ".", &algorithms, err);
	for (size_t i = 0; r >= 0 && i < algorithms.len; i++)
		r = count_dir(store->blobs, algorithms.items[i], &usage.blobs, &usage.blob_bytes,
			      err);
	if (r >= 0)
		r = count_dir(store->snapshots, ".", &usage.snapshots, &usage.snapshot_bytes, err);
	if (r >= 0)
		r = count_dir(store->caches, ".", &usage.caches, &usage.cache_bytes, err);
	if (r < 0)
		return r;
	*ret = usage;
	return 0;
}
