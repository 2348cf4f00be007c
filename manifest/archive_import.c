/* SPDX-License-Identifier: Apache-2.0 */
/* Docker archives, unpacked, as images of a layout. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "manifest/archive.h"
#include "manifest/document.h"
#include "manifest/image.h"
#include "manifest/media.h"
#include "manifest/reference.h"

struct import {
	struct xb_layout *layout;
	int dirfd;
	bool sync;
};

/* A file of the archive; older ones hold links from one layer to an equal one. */
static int open_member(const struct import *in, const char *name, uint64_t *ret_size,
		       struct xb_error *err)
{
	xb_auto_fd int fd = xb_open_beneath(in->dirfd, name, O_RDONLY | O_NONBLOCK, 0, NULL);
	struct stat st;

	if (fd < 0)
		return xb_error_errno(err, fd, "opening it");
	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "opening it");
	if (!S_ISREG(st.st_mode))
		return xb_error_set(err, -EBADMSG, "it is not a regular file");
	*ret_size = (uint64_t)st.st_size;
	return XB_STEAL_FD(fd);
}

static int read_member(const struct import *in, const char *name, struct xb_str *text,
		       struct xb_error *err)
{
	uint64_t size = 0;
	xb_auto_fd int fd = open_member(in, name, &size, err);

	return fd < 0 ? fd : xb_file_read_fd(fd, text, err);
}

static enum xb_media_compression compression_of(const unsigned char *start, size_t len)
{
	static const unsigned char gzip[] = { 0x1f, 0x8b }, zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };

	if (len >= sizeof(gzip) && memcmp(start, gzip, sizeof(gzip)) == 0)
		return XB_MEDIA_GZIP;
	if (len >= sizeof(zstd) && memcmp(start, zstd, sizeof(zstd)) == 0)
		return XB_MEDIA_ZSTD;
	return XB_MEDIA_PLAIN;
}

/* Copy an open file into the layout; `ret` gets its descriptor as a layer. */
static int copy_layer(const struct import *in, int fd, struct xb_descriptor *ret,
		      struct xb_error *err)
{
	enum { PIECE = 1 << 18 };
	xb_auto_blob_writer struct xb_blob_writer *w = NULL;
	xb_autofree unsigned char *buffer = xb_alloc(PIECE);
	enum xb_media_compression compression = XB_MEDIA_PLAIN;
	struct xb_digest digest;
	uint64_t size = 0;
	bool first = true;
	ssize_t n;
	int r = xb_blob_writer_new(in->layout, NULL, 0, &w, err);

	if (r < 0)
		return r;
	while ((n = xb_read_full(fd, buffer, PIECE, err)) > 0) {
		if (first)
			compression = compression_of(buffer, (size_t)n);
		first = false;
		r = xb_blob_writer_write(w, buffer, (size_t)n, err);
		if (r < 0)
			return r;
	}
	if (n < 0)
		return (int)n;
	r = xb_blob_writer_commit(w, in->sync, &digest, &size, err);
	if (r < 0)
		return r;
	xb_descriptor_init(ret, xb_media_layer(compression, false), &digest, size);
	return 0;
}

/* An uncompressed layer is its own content: its digest must be the config's. */
static int check_diff_id(const struct xb_descriptor *layer, const struct xb_digest *diff_id,
			 struct xb_error *err)
{
	if (xb_media_lookup(layer->media_type)->compression != XB_MEDIA_PLAIN ||
	    xb_digest_eq(&layer->digest, diff_id))
		return 0;
	return xb_error_set(err, -EBADMSG, "its bytes have the digest %s, the config says %s",
			    layer->digest.text, diff_id->text);
}

static int import_layer(const struct import *in, const char *name, const struct xb_digest *diff_id,
			struct xb_descriptors *layers, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor layer = XB_DESCRIPTOR_INIT;
	uint64_t size = 0;
	xb_auto_fd int fd = open_member(in, name, &size, err);
	int r = fd;

	if (r >= 0)
		r = copy_layer(in, fd, &layer, err);
	if (r >= 0)
		r = check_diff_id(&layer, diff_id, err);
	if (r < 0) {
		xb_autofree char *shown = xb_document_quote(name);

		return xb_error_wrap(err, r, "layer %s", shown);
	}
	(void)xb_descriptors_add(layers, &layer);
	return 0;
}

static int import_config(const struct import *in, const char *name, struct xb_image_config *config,
			 struct xb_descriptor *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CONFIG);
	struct xb_digest digest;
	int r = read_member(in, name, &text, err);

	if (r >= 0)
		r = xb_image_config_parse(xb_str_view(&text), config, err);
	if (r >= 0)
		r = xb_layout_add_bytes(in->layout, xb_str_view(&text), in->sync, &digest, err);
	if (r < 0) {
		xb_autofree char *shown = xb_document_quote(name);

		return xb_error_wrap(err, r, "config %s", shown);
	}
	xb_descriptor_init(ret, XB_MEDIA_OCI_CONFIG, &digest, text.len);
	return 0;
}

/* Whether one of RepoTags, normalised, is `wanted`. */
static bool has_tag(const struct xb_strv *tags, const char *wanted)
{
	for (size_t i = 0; i < tags->len; i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
		xb_autofree char *whole = NULL;

		if (xb_reference_parse(xb_view(tags->items[i]), &ref, NULL) < 0)
			continue;
		whole = xb_reference_format(&ref);
		if (strcmp(whole, wanted) == 0)
			return true;
	}
	return false;
}

/* Find the image by its name; several and no name is an error. */
static int choose(json_t *images, const char *name, const json_t **ret, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *wanted = NULL;
	json_t *image;
	size_t i;
	int r;

	if (name == NULL) {
		if (json_array_size(images) != 1)
			return xb_error_set(err, -ENOENT, "it holds %zu images: name one",
					    json_array_size(images));
		*ret = json_array_get(images, 0);
		return 0;
	}
	r = xb_reference_parse(xb_view(name), &ref, err);
	if (r < 0)
		return r;
	xb_reference_complete(&ref);
	wanted = xb_reference_format(&ref);
	json_array_foreach(images, i, image)
	{
		xb_auto_strv struct xb_strv tags = XB_STRV_INIT;

		if (xb_document_strings(image, "RepoTags", &tags, NULL) == 0 &&
		    has_tag(&tags, wanted)) {
			*ret = image;
			return 0;
		}
	}
	return xb_error_set(err, -ENOENT, "it holds no image %s", wanted);
}

static int import_image(const struct import *in, const json_t *image, struct xb_descriptor *ret,
			struct xb_error *err)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_strv struct xb_strv layers = XB_STRV_INIT;
	const char *config_name = NULL;
	int r = xb_json_get_string(image, "Config", &config_name, err);

	if (r < 0)
		return r;
	if (config_name == NULL)
		return xb_error_set(err, -EBADMSG, "Config is missing");
	r = xb_document_strings(image, "Layers", &layers, err);
	if (r < 0)
		return r;
	r = import_config(in, config_name, &config, &manifest.config, err);
	if (r < 0)
		return r;
	if (layers.len != config.diff_ids.len)
		return xb_error_set(err, -EBADMSG,
				    "%zu layers, but the config names the contents of %zu",
				    layers.len, config.diff_ids.len);
	for (size_t i = 0; i < layers.len; i++) {
		r = import_layer(in, layers.items[i], &config.diff_ids.items[i], &manifest.layers,
				 err);
		if (r < 0)
			return r;
	}
	r = xb_image_write_manifest(in->layout, &manifest, in->sync, ret, err);
	if (r < 0)
		return r;
	xb_descriptor_set_platform(ret, &config.platform);
	return 0;
}

static int import_named(const struct import *in, const char *name, struct xb_descriptor *ret,
			struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_json json_t *images = NULL;
	const json_t *image = NULL;
	int r = read_member(in, "manifest.json", &text, err);

	if (r >= 0)
		r = xb_json_parse(xb_str_view(&text), XB_MAX_MANIFEST, &images, err);
	if (r < 0)
		return xb_error_wrap(err, r, "manifest.json");
	if (!json_is_array(images))
		return xb_error_set(err, -EBADMSG, "manifest.json is not an array");
	r = choose(images, name, &image, err);
	if (r < 0)
		return r;
	if (!json_is_object(image))
		return xb_error_set(err, -EBADMSG, "manifest.json does not hold objects");
	return import_image(in, image, ret, err);
}

int xb_import_docker(struct xb_layout *layout, int dirfd, const char *name, bool sync,
		     struct xb_descriptor *ret, struct xb_error *err)
{
	struct import in = { layout, dirfd, sync };
	int r = import_named(&in, name, ret, err);

	if (r < 0)
		return xb_error_wrap(err, r, "Docker archive");
	return 0;
}
