/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/manifest.h"

#include <errno.h>

#include "base/json.h"
#include "manifest/document.h"
#include "manifest/head.h"
#include "manifest/media.h"

void xb_manifest_clear(struct xb_manifest *m)
{
	free(m->media_type);
	free(m->artifact_type);
	free(m->extra);
	xb_descriptor_clear(&m->config);
	xb_descriptors_clear(&m->layers);
	xb_descriptor_clear(&m->subject);
	xb_annotations_clear(&m->annotations);
	*m = XB_MANIFEST_INIT;
}

void xb_manifest_copy(struct xb_manifest *m, const struct xb_manifest *from)
{
	if (m == from)
		return;
	xb_manifest_clear(m);
	m->media_type = xb_strdup(from->media_type);
	m->artifact_type = xb_strdup(from->artifact_type);
	m->extra = xb_strdup(from->extra);
	xb_descriptor_copy(&m->config, &from->config);
	xb_descriptors_copy(&m->layers, &from->layers);
	m->has_subject = from->has_subject;
	xb_descriptor_copy(&m->subject, &from->subject);
	xb_annotations_copy(&m->annotations, &from->annotations);
}

static struct xb_head head_of(struct xb_manifest *m)
{
	return (struct xb_head){ &m->media_type, &m->artifact_type, &m->has_subject, &m->subject,
				 &m->annotations };
}

static int read_body(const json_t *root, struct xb_manifest *m, struct xb_error *err)
{
	json_t *config = NULL;
	int r = xb_json_get_object(root, "config", &config, err);

	if (r < 0)
		return r;
	if (config == NULL)
		return xb_error_set(err, -EBADMSG, "config is missing");
	r = xb_descriptor_from_json(config, &m->config, err);
	if (r < 0)
		return xb_error_wrap(err, r, "config");
	/* null is what tools in Go write for none */
	if (json_object_get(root, "layers") == NULL)
		return xb_error_set(err, -EBADMSG, "layers is missing");
	return xb_descriptors_from_json(root, "layers", &m->layers, err);
}

static int read_all(const json_t *root, const char *media_type, struct xb_manifest *m,
		    struct xb_error *err)
{
	static const char *const foreign[] = { "manifests", "fsLayers", NULL };
	static const char *const known[] = { "schemaVersion", "mediaType", "artifactType",
					     "config",	      "layers",	   "subject",
					     "annotations",   "manifests", NULL };
	struct xb_head head = head_of(m);
	int r = xb_head_read(root, XB_MEDIA_MANIFEST, media_type, foreign, &head, err);

	if (r < 0)
		return r;
	r = read_body(root, m, err);
	if (r < 0)
		return r;
	return xb_document_extra(root, known, &m->extra, err);
}

int xb_manifest_parse(struct xb_view text, const char *media_type, struct xb_manifest *ret,
		      struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	xb_auto_json json_t *root = NULL;
	int r = xb_document_parse(text, XB_MAX_MANIFEST, &root, err);

	if (r >= 0)
		r = read_all(root, media_type, &m, err);
	if (r < 0)
		return xb_error_wrap(err, r, "image manifest");
	*ret = m;
	m = XB_MANIFEST_INIT;
	return 0;
}

int xb_manifest_write(const struct xb_manifest *m, struct xb_str *s, struct xb_error *err)
{
	struct xb_manifest borrowed = *m;
	struct xb_head head = head_of(&borrowed);
	xb_auto_json json_t *root = xb_head_begin(&head, XB_MEDIA_OCI_MANIFEST);

	xb_json_set_new(root, "config", xb_descriptor_to_json(&m->config));
	xb_json_set_new(root, "layers", xb_descriptors_to_json(&m->layers));
	xb_head_end(root, &head);
	xb_document_add_extra(root, m->extra);
	return xb_document_write(root, "image manifest", s, err);
}

int xb_manifest_check_image(const struct xb_manifest *m, struct xb_error *err)
{
	if (xb_media_kind(m->config.media_type) != XB_MEDIA_CONFIG)
		return xb_error_set(err, -EBADMSG, "not an image: its config is of type %s",
				    m->config.media_type);
	for (size_t i = 0; i < m->layers.len; i++) {
		const char *type = m->layers.items[i].media_type;

		if (xb_media_kind(type) != XB_MEDIA_LAYER)
			return xb_error_set(err, -EBADMSG,
					    "layer %zu is of type %s, which is no image layer", i,
					    type);
	}
	return 0;
}
