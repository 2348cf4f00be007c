/* SPDX-License-Identifier: Apache-2.0 */
/** What the store's tests share: a store in the scratch directory, results made in one call. */
#ifndef XB_TESTS_UNIT_CACHE_FIXTURE_H
#define XB_TESTS_UNIT_CACHE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "base/digest.h"
#include "base/file.h"
#include "builder/cache/blob.h"
#include "builder/cache/keylock.h"
#include "builder/cache/prune.h"
#include "builder/cache/record.h"
#include "builder/cache/snapshot.h"
#include "builder/cache/store.h"
#include "builder/cache/tag.h"
#include "manifest/index.h"
#include "manifest/layout.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

/** Open the store "store" of the scratch directory. */
static inline struct xb_store *open_store(void)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *store = NULL;

	if (xb_store_open(scratch_path("store"), &store, &err) < 0)
		fail_msg("%s", err.message);
	return store;
}

/** Fail with the error's sentence unless `r` is good. */
static inline void check(int r, struct xb_error *err)
{
	if (r < 0)
		fail_msg("%d: %s", r, err->message != NULL ? err->message : "no message");
}

/** Put a blob of this text. */
static inline struct xb_digest put_blob(struct xb_store *store, const char *text)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_digest digest = { 0 };

	check(xb_blob_put(store, xb_view(text), &digest, &err), &err);
	return digest;
}

/** Do all that a step does: a snapshot with one file, a blob, a record. */
static inline int make_result(struct xb_store *store, const char *key, struct xb_record *ret,
			      struct xb_error *err)
{
	struct xb_record record = { .created = 1, .duration = 2 };
	xb_auto_fd int dir = -1;
	int r;

	(void)snprintf(record.key, sizeof(record.key), "%s", key);
	(void)snprintf(record.media_type, sizeof(record.media_type), "%s", XB_MEDIA_OCI_LAYER);
	r = xb_snapshot_begin(store, &record.snapshot, err);
	if (r >= 0)
		r = xb_snapshot_open(store, &record.snapshot, &dir, err);
	if (r >= 0)
		r = xb_file_replace_at(dir, "file", key, strlen(key), false, err);
	if (r >= 0)
		r = xb_blob_put(store, xb_view(key), &record.blob, err);
	record.blob_size = strlen(key);
	record.diff_id = record.blob;
	if (r >= 0)
		r = xb_snapshot_commit(store, &record.snapshot, err);
	if (r >= 0)
		r = xb_record_put(store, &record, err);
	if (r >= 0 && ret != NULL)
		*ret = record;
	return r;
}

/** make_result() that has to work. */
static inline struct xb_record result_of(struct xb_store *store, const char *key)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_record record = { 0 };

	check(make_result(store, key, &record, &err), &err);
	return record;
}

/** A test with a scratch directory of its own. */
#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

/** Number of entries of a directory of the store. */
static inline size_t count_in(const char *name)
{
	DIR *dir = opendir(scratch_path(name));
	const struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

/** What dead processes left is gone, or goes in this moment behind the back of who opened it. */
static inline void assert_swept(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < 60000 && count_in("store/ingest") > 0; i++)
		(void)nanosleep(&pause, NULL);
	assert_int_equal(count_in("store/ingest"), 0);
}

/** Tag an image whose single layer is `layer`; returns its descriptor's digest. */
static inline struct xb_digest tag_image(struct xb_store *store, const char *name,
					 const struct xb_record *layer)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);
	struct xb_digest digest = put_blob(store, "{}");

	xb_descriptor_init(&manifest.config, XB_MEDIA_OCI_CONFIG, &digest, 2);
	xb_descriptor_init(&d, layer->media_type, &layer->blob, layer->blob_size);
	(void)xb_descriptors_add(&manifest.layers, &d);
	check(xb_manifest_write(&manifest, &text, &err), &err);
	digest = put_blob(store, xb_str_text(&text));
	xb_descriptor_clear(&d);
	xb_descriptor_init(&d, XB_MEDIA_OCI_MANIFEST, &digest, text.len);
	(void)xb_descriptors_add(&index.manifests, &d);
	xb_str_reset(&text);
	check(xb_index_write(&index, &text, &err), &err);
	digest = put_blob(store, xb_str_text(&text));
	xb_descriptor_clear(&d);
	xb_descriptor_init(&d, XB_MEDIA_OCI_INDEX, &digest, text.len);
	check(xb_tag_set(store, name, &d, &err), &err);
	return digest;
}

#endif
