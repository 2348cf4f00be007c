/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests and indexes: no text is both; what was read is written so that it reads as the same,
 * and writing that again gives the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/draft.h"
#include "manifest/index.h"
#include "manifest/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read what was written once, and write it again: the bytes must be the same. */
static void check_again(const struct xb_str *once, int (*rewrite)(struct xb_view, struct xb_str *))
{
	xb_auto_str struct xb_str twice = XB_STR_INIT(2 * XB_MAX_MANIFEST);

	/* escapes make the written form longer than what was read may be */
	if (once->len > XB_MAX_MANIFEST)
		return;
	if (rewrite(xb_str_view(once), &twice) < 0)
		abort();
	if (!xb_view_eq(xb_str_view(once), xb_str_view(&twice)))
		abort();
}

static int rewrite_manifest(struct xb_view text, struct xb_str *ret)
{
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	xb_auto_manifest struct xb_manifest copy = XB_MANIFEST_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_manifest_parse(text, NULL, &m, &err) < 0) {
		if (err.message == NULL)
			abort();
		return -1;
	}
	xb_manifest_copy(&copy, &m);
	(void)xb_manifest_check_image(&copy, &err);
	if (xb_manifest_write(&copy, ret, NULL) < 0)
		abort();
	return 0;
}

static int rewrite_index(struct xb_view text, struct xb_str *ret)
{
	static const struct xb_platform wanted = { .os = "linux", .arch = "arm64" };
	const struct xb_descriptor *chosen = NULL;
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_index_parse(text, NULL, &index, &err) < 0) {
		if (err.message == NULL)
			abort();
		return -1;
	}
	if ((xb_index_select(&index, &wanted, &chosen, &err) == 0) != (chosen != NULL))
		abort();
	if (xb_index_write(&index, ret, NULL) < 0)
		abort();
	return 0;
}

/* A changed index has the entries of the one that was read, each with its bytes. */
static void check_draft(struct xb_view text)
{
	xb_auto_draft struct xb_draft draft = { 0 };
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_str struct xb_str again = XB_STR_INIT(4 * XB_MAX_MANIFEST);

	if (xb_draft_parse(text, NULL, &draft, NULL) < 0)
		return;
	draft.changed = true;
	if (xb_draft_write(&draft, &again, NULL) < 0)
		abort();
	if (again.len > XB_MAX_MANIFEST)
		return;
	if (xb_index_parse(xb_str_view(&again), NULL, &index, NULL) < 0 ||
	    index.manifests.len != draft.entries.len)
		abort();
	for (size_t i = 0; i < index.manifests.len; i++) {
		if (!xb_digest_eq(&index.manifests.items[i].digest,
				  &draft.entries.items[i].descriptor.digest) ||
		    memmem(text.data, text.len, draft.entries.items[i].text,
			   strlen(draft.entries.items[i].text)) == NULL)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view text = { (const char *)data, size };
	xb_auto_str struct xb_str manifest = XB_STR_INIT(4 * XB_MAX_MANIFEST);
	xb_auto_str struct xb_str index = XB_STR_INIT(4 * XB_MAX_MANIFEST);
	int as_manifest = rewrite_manifest(text, &manifest);
	int as_index = rewrite_index(text, &index);

	if (as_manifest == 0 && as_index == 0)
		abort();
	if (as_manifest == 0)
		check_again(&manifest, rewrite_manifest);
	check_draft(text);
	if (as_index == 0)
		check_again(&index, rewrite_index);
	return 0;
}
