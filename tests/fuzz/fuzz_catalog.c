/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of cached steps: the bytes are a manifest, a line of 0x1e, and a list. What is read is
 * within its bounds, and what is written of it is read again as the same, and written as the same
 * bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/cache/catalog.h"
#include "manifest/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const struct xb_catalog_record *record)
{
	struct xb_record store = xb_catalog_to_record(record);

	if (strncmp(record->key, XB_RECORD_STEP, strlen(XB_RECORD_STEP)) != 0 ||
	    xb_digest_empty(&record->diff_id) || xb_digest_empty(&record->blob) ||
	    record->media_type == NULL || record->created < 0 || record->used < 0)
		abort();
	if (strcmp(store.key, record->key) != 0 || store.snapshot.id[0] != '\0')
		abort();
}

static void check(const struct xb_catalog *catalog)
{
	xb_auto_str struct xb_str once = XB_STR_INIT(8 * XB_MAX_CATALOG);
	xb_auto_str struct xb_str twice = XB_STR_INIT(8 * XB_MAX_CATALOG);
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	xb_auto_descriptors struct xb_descriptors again = { 0 };
	xb_auto_catalog struct xb_catalog copy = { 0 };

	if (catalog->records.len > XB_CATALOG_RECORDS)
		abort();
	for (size_t i = 0; i < catalog->records.len; i++)
		check_record(catalog->records.items[i]);
	if (xb_catalog_write(catalog, &once, &blobs, NULL) < 0)
		abort();
	/* escapes make the written form longer than what was read may be */
	if (once.len > XB_MAX_CATALOG)
		return;
	if (xb_catalog_parse(xb_str_view(&once), &blobs, &copy, NULL) < 0 ||
	    xb_catalog_write(&copy, &twice, &again, NULL) < 0)
		abort();
	if (!xb_view_eq(xb_str_view(&once), xb_str_view(&twice)) || blobs.len != again.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view rest = { (const char *)data, size };
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_catalog struct xb_catalog catalog = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_view head;

	(void)xb_view_split(&rest, '\x1e', &head);
	if (xb_manifest_parse(head, NULL, &manifest, NULL) < 0)
		return 0;
	if (xb_catalog_parse(rest, &manifest.layers, &catalog, &err) == 0)
		check(&catalog);
	else if (err.message == NULL || catalog.records.len > 0)
		abort();
	return 0;
}
