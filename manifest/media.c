/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/media.h"

#include <string.h>

#define FOREIGN_OCI    "application/vnd.oci.image.layer.nondistributable.v1.tar"
#define FOREIGN_DOCKER "application/vnd.docker.image.rootfs.foreign.diff.tar"

static const struct xb_media table[] = {
	{ .name = XB_MEDIA_OCI_INDEX, .kind = XB_MEDIA_INDEX },
	{ .name = XB_MEDIA_DOCKER_INDEX, .kind = XB_MEDIA_INDEX, .docker = true },
	{ .name = XB_MEDIA_OCI_MANIFEST, .kind = XB_MEDIA_MANIFEST },
	{ .name = XB_MEDIA_DOCKER_MANIFEST, .kind = XB_MEDIA_MANIFEST, .docker = true },
	{ .name = XB_MEDIA_OCI_CONFIG, .kind = XB_MEDIA_CONFIG },
	{ .name = XB_MEDIA_DOCKER_CONFIG, .kind = XB_MEDIA_CONFIG, .docker = true },
	{ .name = XB_MEDIA_OCI_LAYER, .kind = XB_MEDIA_LAYER },
	{ .name = XB_MEDIA_OCI_LAYER_GZIP, .kind = XB_MEDIA_LAYER, .compression = XB_MEDIA_GZIP },
	{ .name = XB_MEDIA_OCI_LAYER_ZSTD, .kind = XB_MEDIA_LAYER, .compression = XB_MEDIA_ZSTD },
	{ .name = XB_MEDIA_DOCKER_LAYER, .kind = XB_MEDIA_LAYER, .docker = true },
	{ .name = XB_MEDIA_DOCKER_LAYER_GZIP,
	  .kind = XB_MEDIA_LAYER,
	  .compression = XB_MEDIA_GZIP,
	  .docker = true },
	{ .name = XB_MEDIA_DOCKER_LAYER_ZSTD,
	  .kind = XB_MEDIA_LAYER,
	  .compression = XB_MEDIA_ZSTD,
	  .docker = true },
	{ .name = FOREIGN_OCI, .kind = XB_MEDIA_LAYER, .foreign = true },
	{ .name = FOREIGN_OCI "+gzip",
	  .kind = XB_MEDIA_LAYER,
	  .compression = XB_MEDIA_GZIP,
	  .foreign = true },
	{ .name = FOREIGN_OCI "+zstd",
	  .kind = XB_MEDIA_LAYER,
	  .compression = XB_MEDIA_ZSTD,
	  .foreign = true },
	{ .name = FOREIGN_DOCKER, .kind = XB_MEDIA_LAYER, .docker = true, .foreign = true },
	{ .name = FOREIGN_DOCKER ".gzip",
	  .kind = XB_MEDIA_LAYER,
	  .compression = XB_MEDIA_GZIP,
	  .docker = true,
	  .foreign = true },
};

static const struct xb_media unknown = { .name = "", .kind = XB_MEDIA_UNKNOWN };

const struct xb_media *xb_media_lookup(const char *media_type)
{
	for (size_t i = 0; media_type != NULL && i < XB_COUNT(table); i++)
		if (strcmp(table[i].name, media_type) == 0)
			return &table[i];
	return &unknown;
}

enum xb_media_kind xb_media_kind(const char *media_type)
{
	return xb_media_lookup(media_type)->kind;
}

const char *xb_media_layer(enum xb_media_compression compression, bool docker)
{
	for (size_t i = 0; i < XB_COUNT(table); i++) {
		const struct xb_media *row = &table[i];

		if (row->kind == XB_MEDIA_LAYER && !row->foreign && row->docker == docker &&
		    row->compression == compression)
			return row->name;
	}
	return unknown.name;
}

const char *xb_media_kind_name(enum xb_media_kind kind)
{
	static const char *const names[] = {
		[XB_MEDIA_UNKNOWN] = "unknown",	  [XB_MEDIA_INDEX] = "index",
		[XB_MEDIA_MANIFEST] = "manifest", [XB_MEDIA_CONFIG] = "config",
		[XB_MEDIA_LAYER] = "layer",
	};

	return (size_t)kind < XB_COUNT(names) ? names[kind] : names[XB_MEDIA_UNKNOWN];
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 6838: restricted-name. */
static bool name_valid(struct xb_view name)
{
	if (name.len == 0 || name.len > 127 || !is_alnum(name.data[0]))
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!is_alnum(name.data[i]) &&
		    (name.data[i] == '\0' || strchr("!#$&^_.+-", name.data[i]) == NULL))
			return false;
	return true;
}

bool xb_media_type_valid(struct xb_view text)
{
	ptrdiff_t slash = xb_view_find(text, '/');

	if (slash < 0)
		return false;
	return name_valid(xb_view_sub(text, 0, (size_t)slash)) &&
	       name_valid(xb_view_sub(text, (size_t)slash + 1, text.len));
}
