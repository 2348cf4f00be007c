/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/archive.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "manifest/document.h"
#include "manifest/image.h"
#include "manifest/index.h"
#include "manifest/media.h"
#include "manifest/reference.h"

void xb_export_clear(struct xb_export *e)
{
	for (size_t i = 0; i < e->len; i++) {
		free(e->items[i].name);
		free(e->items[i].data);
		free(e->items[i].media_type);
	}
	xb_array_clear(e);
}

static bool has_file(const struct xb_export *e, const char *name)
{
	for (size_t i = 0; i < e->len; i++)
		if (strcmp(e->items[i].name, name) == 0)
			return true;
	return false;
}

static void add_directory(struct xb_export *e, const char *name)
{
	struct xb_export_file *file;

	if (has_file(e, name))
		return;
	file = xb_array_push(e);
	file->name = xb_strdup(name);
	file->source = XB_EXPORT_DIRECTORY;
}

static void add_text(struct xb_export *e, const char *name, struct xb_str *text)
{
	struct xb_export_file *file = xb_array_push(e);

	file->name = xb_strdup(name);
	file->source = XB_EXPORT_MEMORY;
	file->size = text->len;
	file->data = xb_str_steal(text);
}

static char *blob_name(const struct xb_digest *digest)
{
	return xb_format("blobs/%.*s/%s", XB_VIEW_ARGS(xb_digest_algorithm(digest)),
			 xb_digest_hex(digest));
}

static void add_blobs(struct xb_export *e, const struct xb_descriptors *blobs)
{
	add_directory(e, "blobs/");
	for (size_t i = 0; i < blobs->len; i++) {
		const struct xb_digest *digest = &blobs->items[i].digest;
		xb_autofree char *dir =
			xb_format("blobs/%.*s/", XB_VIEW_ARGS(xb_digest_algorithm(digest)));

		add_directory(e, dir);
	}
	for (size_t i = 0; i < blobs->len; i++) {
		struct xb_export_file *file = xb_array_push(e);

		file->name = blob_name(&blobs->items[i].digest);
		file->source = XB_EXPORT_BLOB;
		file->blob = blobs->items[i].digest;
		file->media_type = xb_strdup(blobs->items[i].media_type);
		file->size = blobs->items[i].size;
	}
}

/*
 * Name an entry. A word is a tag; a reference gives its tag, and its whole for containerd, whose
 * importers would else not know the repository.
 */
static int name_entry(struct xb_descriptor *entry, const char *name, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *whole = NULL;
	int r;

	if (strpbrk(name, ":/") == NULL) {
		xb_annotations_set(&entry->annotations, XB_ANNOTATION_REF_NAME, name);
		return 0;
	}
	r = xb_reference_parse(xb_view(name), &ref, err);
	if (r < 0)
		return r;
	xb_reference_complete(&ref);
	whole = xb_reference_format(&ref);
	xb_annotations_set(&entry->annotations, XB_ANNOTATION_CONTAINERD_NAME, whole);
	if (ref.tag != NULL)
		xb_annotations_set(&entry->annotations, XB_ANNOTATION_REF_NAME, ref.tag);
	return 0;
}

static int make_index(const struct xb_descriptor *root, const struct xb_strv *tags,
		      struct xb_index *ret, struct xb_error *err)
{
	for (size_t i = 0; i < tags->len; i++) {
		int r = name_entry(xb_descriptors_add(&ret->manifests, root), tags->items[i], err);

		if (r < 0)
			return r;
	}
	if (tags->len == 0)
		(void)xb_descriptors_add(&ret->manifests, root);
	return 0;
}

static int add_index(struct xb_export *e, const struct xb_index *index, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = xb_index_write(index, &text, err);

	if (r < 0)
		return r;
	add_text(e, "index.json", &text);
	return 0;
}

static void add_version(struct xb_export *e)
{
	struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_puts(&text, "{\"imageLayoutVersion\":\"1.0.0\"}");
	add_text(e, "oci-layout", &text);
}

/* What all entries of an index need, each once. */
static int list_blobs(struct xb_place *place, const struct xb_index *index,
		      struct xb_descriptors *ret, struct xb_error *err)
{
	xb_auto_map struct xb_map *seen = xb_map_new();

	for (size_t i = 0; i < index->manifests.len; i++) {
		xb_auto_descriptors struct xb_descriptors blobs = { 0 };
		int r = xb_image_blobs(place, &index->manifests.items[i], &blobs, err);

		if (r < 0)
			return r;
		for (size_t k = 0; k < blobs.len; k++) {
			if (xb_map_set(seen, xb_view(blobs.items[k].digest.text), seen) == NULL)
				(void)xb_descriptors_add(ret, &blobs.items[k]);
		}
	}
	return 0;
}

/* The blobs and index.json of an archive. */
static int add_all(struct xb_place *place, const struct xb_index *index, struct xb_export *e,
		   struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	int r = list_blobs(place, index, &blobs, err);

	if (r < 0)
		return r;
	add_blobs(e, &blobs);
	return add_index(e, index, err);
}

static int add_layout(struct xb_place *place, const struct xb_descriptor *root,
		      const struct xb_strv *tags, struct xb_export *e, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	int r = make_index(root, tags, &index, err);

	return r < 0 ? r : add_all(place, &index, e, err);
}

int xb_export_index(struct xb_place *place, const struct xb_index *index, struct xb_export *ret,
		    struct xb_error *err)
{
	xb_auto_export struct xb_export e = { 0 };
	int r = add_all(place, index, &e, err);

	if (r < 0)
		return xb_error_wrap(err, r, "OCI archive");
	add_version(&e);
	*ret = e;
	e = (struct xb_export){ 0 };
	return 0;
}

int xb_export_oci(struct xb_place *place, const struct xb_descriptor *root,
		  const struct xb_strv *tags, struct xb_export *ret, struct xb_error *err)
{
	xb_auto_export struct xb_export e = { 0 };
	int r = add_layout(place, root, tags, &e, err);

	if (r < 0)
		return xb_error_wrap(err, r, "OCI archive");
	add_version(&e);
	*ret = e;
	e = (struct xb_export){ 0 };
	return 0;
}

/* The names that docker knows images by: without docker.io/ and library/, with a tag. */
static int repo_tags(const struct xb_strv *tags, json_t *array, struct xb_error *err)
{
	for (size_t i = 0; i < tags->len; i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
		xb_autofree char *familiar = NULL;
		int r = xb_reference_parse(xb_view(tags->items[i]), &ref, err);

		if (r < 0)
			return r;
		ref.digest = (struct xb_digest){ 0 };
		xb_reference_complete(&ref);
		familiar = xb_reference_familiar(&ref);
		(void)json_array_append_new(array, json_string(familiar));
	}
	return 0;
}

static int add_docker_manifest(struct xb_export *e, const struct xb_manifest *manifest,
			       const struct xb_strv *tags, struct xb_error *err)
{
	xb_auto_json json_t *root = json_array();
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_autofree char *config = blob_name(&manifest->config.digest);
	json_t *image = json_object(), *names = json_array(), *layers = json_array();
	int r;

	(void)json_array_append_new(root, image);
	xb_json_set_string(image, "Config", config);
	xb_json_set_new(image, "RepoTags", names);
	xb_json_set_new(image, "Layers", layers);
	for (size_t i = 0; i < manifest->layers.len; i++) {
		xb_autofree char *name = blob_name(&manifest->layers.items[i].digest);

		(void)json_array_append_new(layers, json_string(name));
	}
	r = repo_tags(tags, names, err);
	if (r < 0)
		return r;
	r = xb_document_write(root, "manifest.json", &text, err);
	if (r < 0)
		return r;
	add_text(e, "manifest.json", &text);
	return 0;
}

static int export_docker(struct xb_place *place, const struct xb_descriptor *root,
			 const struct xb_strv *tags, struct xb_export *e, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	int r;

	if (xb_media_kind(root->media_type) != XB_MEDIA_MANIFEST) {
		(void)xb_error_set(err, -EINVAL, "it holds the image of one platform only");
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return xb_error_hint(err, "build one platform, or write type=oci");
	}
	r = xb_image_read_manifest(place, root, &manifest, err);
	if (r < 0)
		return r;
	r = xb_manifest_check_image(&manifest, err);
	if (r < 0)
		return r;
	r = add_layout(place, root, tags, e, err);
	if (r < 0)
		return r;
	return add_docker_manifest(e, &manifest, tags, err);
}

int xb_export_docker(struct xb_place *place, const struct xb_descriptor *root,
		     const struct xb_strv *tags, struct xb_export *ret, struct xb_error *err)
{
	xb_auto_export struct xb_export e = { 0 };
	int r = export_docker(place, root, tags, &e, err);

	if (r < 0)
		return xb_error_wrap(err, r, "Docker archive");
	add_version(&e);
	*ret = e;
	e = (struct xb_export){ 0 };
	return 0;
}
