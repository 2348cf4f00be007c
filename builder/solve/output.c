/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/output.h"

#include <errno.h>
#include <string.h>

#include "builder/cache/supply.h"
#include "builder/cache/tag.h"
#include "builder/layer/tarfile.h"
#include "builder/layer/tarwrite.h"
#include "builder/solve/output_blob.h"
#include "builder/solve/output_file.h"
#include "builder/solve/output_files.h"
#include "builder/solve/output_kept.h"
#include "manifest/archive.h"
#include "manifest/image.h"
#include "manifest/place_layout.h"
#include "manifest/reference.h"

/* ---- the types ---------------------------------------------------------------------------- */

static int write_image(const struct xb_output *, const struct xb_output_source *,
		       struct xb_error *);
static int write_oci(const struct xb_output *, const struct xb_output_source *, struct xb_error *);
static int write_docker(const struct xb_output *, const struct xb_output_source *,
			struct xb_error *);
static int write_nothing(const struct xb_output *, const struct xb_output_source *,
			 struct xb_error *);

static int (*const writers[])(const struct xb_output *, const struct xb_output_source *,
			      struct xb_error *) = {
	[XB_OUTPUT_IMAGE] = write_image,       [XB_OUTPUT_OCI] = write_oci,
	[XB_OUTPUT_DOCKER] = write_docker,     [XB_OUTPUT_LOCAL] = xb_output_write_local,
	[XB_OUTPUT_TAR] = xb_output_write_tar, [XB_OUTPUT_CACHE_ONLY] = write_nothing,
	[XB_OUTPUT_REGISTRY] = write_nothing, /* it is pushed: output_push.h */
};

int xb_output_write(const struct xb_output *output, const struct xb_output_source *source,
		    struct xb_error *err)
{
	int r = xb_output_cancelled(source->cancelled, err);

	if (r == 0)
		r = writers[output->type](output, source, err);
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_STORE);
		return xb_error_wrap(err, r, "writing output type=%s%s%s",
				     xb_output_type_name(output->type),
				     output->dest != NULL ? " to " : "",
				     output->dest != NULL ? output->dest : "");
	}
	return r;
}

/* ---- documents ---------------------------------------------------------------------------- */

void xb_output_names(const struct xb_output *output, const struct xb_strv *build,
		     struct xb_strv *names)
{
	xb_strv_append(names, build);
	for (size_t i = 0; i < output->names.len; i++) {
		if (xb_strv_find(names, output->names.items[i]) < 0)
			xb_strv_push(names, output->names.items[i]);
	}
}

static int write_image(const struct xb_output *output, const struct xb_output_source *source,
		       struct xb_error *err)
{
	const struct xb_descriptor *root = &source->assembled->root;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = 0;

	xb_output_names(output, source->names, &names);
	for (size_t i = 0; r == 0 && i < names.len; i++)
		r = xb_tag_set(source->store, names.items[i], root, err);
	return r;
}

static int write_nothing(const struct xb_output *output, const struct xb_output_source *source,
			 struct xb_error *err)
{
	(void)output;
	(void)source;
	(void)err;
	return 0;
}

/* Layers that were left in registries come now. */
static int fetch_layers(const struct xb_output_source *source, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	int r = xb_image_blobs(XB_PLACE_OF(xb_store_layout(source->store)),
			       &source->assembled->root, &blobs, err);

	return r < 0 ? r : xb_supply_all(source->store, &blobs, err);
}

/* An archive's members as the tar writer takes them; descriptors in `members` are to be closed. */
static int open_members(const struct xb_output_source *source, const struct xb_layout *layout,
			const struct xb_export *files, struct xb_tarfile_member *members,
			struct xb_error *err)
{
	for (size_t i = 0; i < files->len; i++) {
		const struct xb_export_file *file = &files->items[i];
		int r = 0;

		members[i] = (struct xb_tarfile_member){ .name = file->name, .fd = -1 };
		members[i].size = file->source == XB_EXPORT_DIRECTORY ? 0 : file->size;
		members[i].data = file->data;
		if (file->source == XB_EXPORT_BLOB)
			r = xb_output_open_blob(source, layout, &file->blob, file->size,
						&members[i].fd, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* All that the bytes of an archive depend on. */
static struct xb_digest content_of(const struct xb_export *files, int64_t mtime)
{
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();

	xb_hasher_field(h, XB_VIEW("xbuild archive " XB_VERSION));
	xb_hasher_number(h, (uint64_t)mtime);
	for (size_t i = 0; i < files->len; i++) {
		const struct xb_export_file *file = &files->items[i];

		xb_hasher_field(h, xb_view(file->name));
		xb_hasher_number(h, file->source);
		xb_hasher_number(h, file->size);
		if (file->source == XB_EXPORT_MEMORY)
			xb_hasher_field(h, (struct xb_view){ file->data, file->size });
		else if (file->source == XB_EXPORT_BLOB)
			xb_hasher_field(h, xb_view(file->blob.text));
	}
	return xb_hasher_finish(h);
}

/* Bytes of an archive with these members, if none of their names is long. */
static uint64_t size_of(const struct xb_export *files)
{
	uint64_t size = (uint64_t)2 * XB_TAR_BLOCK;

	for (size_t i = 0; i < files->len; i++) {
		uint64_t data =
			files->items[i].source == XB_EXPORT_DIRECTORY ? 0 : files->items[i].size;

		size += XB_TAR_BLOCK + data + xb_tar_padding(data);
	}
	return size;
}

static int write_members(const struct xb_layout *layout, const struct xb_export *files,
			 const char *dest, int64_t mtime, const struct xb_digest *content,
			 const struct xb_output_source *source, struct xb_error *err)
{
	xb_auto_output_file struct xb_output_file sink = XB_OUTPUT_FILE_INIT;
	xb_autofree struct xb_tarfile_member *members = xb_calloc(files->len, sizeof(*members));
	int r;

	for (size_t i = 0; i < files->len; i++)
		members[i].fd = -1;
	r = open_members(source, layout, files, members, err);
	if (r == 0)
		r = xb_output_file_open(&sink, dest, source->cancelled, err);
	if (r == 0)
		r = xb_output_file_reserve(&sink, size_of(files), err);
	if (r == 0)
		r = xb_tarfile_write(members, files->len, mtime, sink.fd, source->cancelled, err);
	if (r == 0)
		r = xb_output_file_done(&sink, err);
	if (r == 0 && sink.path != NULL)
		xb_output_remember(xb_store_contexts(source->store), dest, sink.fd, content);
	for (size_t i = 0; i < files->len; i++)
		xb_cleanup_fd(&members[i].fd);
	return r;
}

/* Returns 1 where the archive is there already. */
static int write_archive(const struct xb_layout *layout, const struct xb_export *files,
			 const char *dest, const struct xb_output_source *source,
			 struct xb_error *err)
{
	int64_t mtime = source->epoch > 0 ? source->epoch : 0;
	struct xb_digest content = content_of(files, mtime);

	if (strcmp(dest, "-") != 0 &&
	    xb_output_kept(xb_store_contexts(source->store), dest, &content))
		return 1;
	return write_members(layout, files, dest, mtime, &content, source, err);
}

/* Containerd's importer knows images by the whole reference, others by the tag. */
static int tag_layout(struct xb_layout *layout, const struct xb_descriptor *root, const char *name,
		      const char *tag, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor entry = XB_DESCRIPTOR_INIT;
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *whole = NULL;
	int r = xb_reference_parse(xb_view(name), &ref, err);

	if (r < 0)
		return r;
	xb_reference_complete(&ref);
	whole = xb_reference_format(&ref);
	xb_descriptor_copy(&entry, root);
	xb_annotations_set(&entry.annotations, XB_ANNOTATION_CONTAINERD_NAME, whole);
	return xb_layout_tag(layout, &entry, tag, true, err);
}

/* The tag of "app:1.4" is "1.4"; a name without one is its own. */
static const char *tag_of(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash != NULL ? slash + 1 : name;
	const char *colon = strchr(base, ':');

	return colon != NULL ? colon + 1 : base;
}

/* Where the file system can share blocks blobs are not copied. */
static int copy_blobs(struct xb_layout *to, const struct xb_layout *store,
		      const struct xb_output_source *source, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	int r = xb_image_blobs(XB_PLACE_OF(store), &source->assembled->root, &blobs, err);

	for (size_t i = 0; r == 0 && i < blobs.len; i++) {
		const struct xb_descriptor *blob = &blobs.items[i];
		xb_auto_fd int fd = -1;

		if (xb_layout_blob_exists(to, &blob->digest, blob->size))
			continue;
		r = xb_output_cancelled(source->cancelled, err);
		if (r == 0)
			r = xb_output_open_blob(source, store, &blob->digest, blob->size, &fd, err);
		if (r == 0)
			r = xb_layout_add_fd(to, fd, &blob->digest, blob->size, false, err);
	}
	/* at once, for those too that somebody else left there: a tag is to name them */
	return r == 0 ? xb_layout_sync(to, err) : r;
}

static int write_layout(const struct xb_output *output, const struct xb_layout *store,
			const struct xb_output_source *source, const struct xb_strv *names,
			struct xb_error *err)
{
	const struct xb_descriptor *root = &source->assembled->root;
	xb_auto_layout struct xb_layout *layout = NULL;
	int r = xb_layout_create(output->dest, &layout, err);

	if (r == 0)
		r = copy_blobs(layout, store, source, err);
	if (r == 0 && (names->len == 0 || output->tag != NULL))
		return xb_layout_tag(layout, root, output->tag, true, err);
	for (size_t i = 0; r == 0 && i < names->len; i++)
		r = tag_layout(layout, root, names->items[i], tag_of(names->items[i]), err);
	return r;
}

static int write_oci(const struct xb_output *output, const struct xb_output_source *source,
		     struct xb_error *err)
{
	const struct xb_descriptor *root = &source->assembled->root;
	xb_auto_layout struct xb_layout *store = NULL;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	xb_auto_export struct xb_export files = { 0 };
	int r = fetch_layers(source, err);

	if (r == 0)
		r = xb_layout_open_at(xb_store_dirfd(source->store), ".", &store, err);
	xb_output_names(output, source->names, &names);
	if (output->tag != NULL)
		xb_strv_push(&tags, output->tag);
	if (r == 0 && output->directory)
		return write_layout(output, store, source, &names, err);
	if (r == 0)
		r = xb_export_oci(XB_PLACE_OF(store), root, output->tag != NULL ? &tags : &names,
				  &files, err);
	if (r == 0)
		r = write_archive(store, &files, output->dest, source, err);
	return r;
}

static int write_docker(const struct xb_output *output, const struct xb_output_source *source,
			struct xb_error *err)
{
	xb_auto_layout struct xb_layout *store = NULL;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_export struct xb_export files = { 0 };
	int r = fetch_layers(source, err);

	if (r == 0)
		r = xb_layout_open_at(xb_store_dirfd(source->store), ".", &store, err);
	xb_output_names(output, source->names, &names);
	if (r == 0)
		r = xb_export_docker(XB_PLACE_OF(store), &source->assembled->root, &names, &files,
				     err);
	if (r == 0)
		r = write_archive(store, &files, output->dest, source, err);
	return r;
}
