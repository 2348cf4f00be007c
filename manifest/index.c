/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/index.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "manifest/document.h"
#include "manifest/head.h"
#include "manifest/manifest.h"
#include "manifest/media.h"

void xb_index_clear(struct xb_index *index)
{
	free(index->media_type);
	free(index->artifact_type);
	free(index->extra);
	xb_descriptors_clear(&index->manifests);
	xb_descriptor_clear(&index->subject);
	xb_annotations_clear(&index->annotations);
	*index = XB_INDEX_INIT;
}

static struct xb_head head_of(struct xb_index *index)
{
	return (struct xb_head){ &index->media_type, &index->artifact_type, &index->has_subject,
				 &index->subject, &index->annotations };
}

static int read_all(const json_t *root, const char *media_type, struct xb_index *index,
		    struct xb_error *err)
{
	static const char *const foreign[] = { "layers", "config", "fsLayers", NULL };
	static const char *const known[] = { "schemaVersion", "mediaType", "artifactType",
					     "manifests",     "subject",   "annotations",
					     "layers",	      "config",	   NULL };
	struct xb_head head = head_of(index);
	int r = xb_head_read(root, XB_MEDIA_INDEX, media_type, foreign, &head, err);

	if (r < 0)
		return r;
	/* null is what tools in Go write for none */
	if (json_object_get(root, "manifests") == NULL)
		return xb_error_set(err, -EBADMSG, "manifests is missing");
	r = xb_descriptors_from_json(root, "manifests", &index->manifests, err);
	if (r < 0)
		return r;
	return xb_document_extra(root, known, &index->extra, err);
}

int xb_index_parse(struct xb_view text, const char *media_type, struct xb_index *ret,
		   struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_json json_t *root = NULL;
	int r = xb_document_parse(text, XB_MAX_MANIFEST, &root, err);

	if (r >= 0)
		r = read_all(root, media_type, &index, err);
	if (r < 0)
		return xb_error_wrap(err, r, "image index");
	*ret = index;
	index = XB_INDEX_INIT;
	return 0;
}

int xb_index_write(const struct xb_index *index, struct xb_str *s, struct xb_error *err)
{
	struct xb_index borrowed = *index;
	struct xb_head head = head_of(&borrowed);
	xb_auto_json json_t *root = xb_head_begin(&head, XB_MEDIA_OCI_INDEX);

	xb_json_set_new(root, "manifests", xb_descriptors_to_json(&index->manifests));
	xb_head_end(root, &head);
	xb_document_add_extra(root, index->extra);
	return xb_document_write(root, "image index", s, err);
}

/* Each once, as far as a line of text goes. */
void xb_descriptors_platforms(const struct xb_descriptors *v, struct xb_str *s)
{
	enum { MOST = 32 };
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_autofree char *joined = NULL;

	for (size_t i = 0; i < v->len && names.len < MOST; i++) {
		struct xb_platform_name name;

		if (!v->items[i].has_platform || xb_descriptor_is_attestation(&v->items[i]))
			continue;
		name = xb_platform_name(&v->items[i].platform);
		if (xb_strv_find(&names, name.text) < 0)
			xb_strv_push(&names, name.text);
	}
	joined = xb_strv_join(&names, ", ");
	(void)xb_str_puts(s, names.len > 0 ? joined : "none");
	if (names.len == MOST)
		(void)xb_str_puts(s, ", …");
}

int xb_descriptors_select(const struct xb_descriptors *v, const struct xb_platform *wanted,
			  const struct xb_descriptor **ret, struct xb_error *err)
{
	xb_auto_str struct xb_str there = XB_STR_INIT(XB_STR_OWN);
	const struct xb_descriptor *best = NULL;
	int best_rank = -1;

	for (size_t i = 0; i < v->len && best_rank != 0; i++) {
		const struct xb_descriptor *d = &v->items[i];
		int rank;

		if (!d->has_platform || xb_descriptor_is_attestation(d))
			continue;
		rank = xb_platform_rank(wanted, &d->platform);
		if (rank < 0 || (best != NULL && rank >= best_rank))
			continue;
		best = d;
		best_rank = rank;
	}
	if (best != NULL) {
		*ret = best;
		return 0;
	}
	xb_descriptors_platforms(v, &there);
	(void)xb_error_set(err, -ENOENT, "no image for %s (there is: %s)",
			   xb_platform_name(wanted).text, xb_str_text(&there));
	(void)xb_error_fault(err, XB_FAULT_PLATFORM);
	(void)xb_error_hint(err, "ask for a platform that the image has, or use another image");
	return -ENOENT;
}

int xb_index_select(const struct xb_index *index, const struct xb_platform *wanted,
		    const struct xb_descriptor **ret, struct xb_error *err)
{
	return xb_descriptors_select(&index->manifests, wanted, ret, err);
}

int xb_index_document_type(struct xb_view text, char **ret, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	int r;

	if (xb_index_parse(text, NULL, &index, NULL) == 0) {
		*ret = xb_strdup(index.media_type != NULL ? index.media_type : XB_MEDIA_OCI_INDEX);
		return 0;
	}
	r = xb_manifest_parse(text, NULL, &manifest, err);
	if (r < 0)
		return r;
	*ret = xb_strdup(manifest.media_type != NULL ? manifest.media_type : XB_MEDIA_OCI_MANIFEST);
	return 0;
}
