/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/descriptor.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "manifest/document.h"
#include "manifest/media.h"

void xb_descriptor_init(struct xb_descriptor *d, const char *media_type,
			const struct xb_digest *digest, uint64_t size)
{
	*d = XB_DESCRIPTOR_INIT;
	d->media_type = xb_strdup(media_type);
	d->digest = *digest;
	d->size = size;
}

void xb_descriptor_clear(struct xb_descriptor *d)
{
	free(d->media_type);
	free(d->artifact_type);
	free(d->extra);
	xb_annotations_clear(&d->annotations);
	*d = XB_DESCRIPTOR_INIT;
}

void xb_descriptor_copy(struct xb_descriptor *d, const struct xb_descriptor *from)
{
	if (d == from)
		return;
	xb_descriptor_clear(d);
	xb_descriptor_init(d, from->media_type, &from->digest, from->size);
	d->has_platform = from->has_platform;
	d->platform = from->platform;
	d->artifact_type = xb_strdup(from->artifact_type);
	d->extra = xb_strdup(from->extra);
	xb_annotations_copy(&d->annotations, &from->annotations);
}

void xb_descriptor_set_platform(struct xb_descriptor *d, const struct xb_platform *platform)
{
	d->has_platform = true;
	d->platform = *platform;
}

void xb_descriptors_clear(struct xb_descriptors *v)
{
	for (size_t i = 0; i < v->len; i++)
		xb_descriptor_clear(&v->items[i]);
	xb_array_clear(v);
}

struct xb_descriptor *xb_descriptors_add(struct xb_descriptors *v, const struct xb_descriptor *d)
{
	struct xb_descriptor copy = XB_DESCRIPTOR_INIT;
	struct xb_descriptor *added;

	xb_descriptor_copy(&copy, d); /* first: `d` may be an element, which growing moves */
	added = xb_array_push(v);
	*added = copy;
	return added;
}

void xb_descriptors_copy(struct xb_descriptors *v, const struct xb_descriptors *from)
{
	xb_descriptors_clear(v);
	for (size_t i = 0; i < from->len; i++)
		(void)xb_descriptors_add(v, &from->items[i]);
}

/* A required string that is a media type. */
static int read_media_type(const json_t *object, char **ret, struct xb_error *err)
{
	int r = xb_document_string(object, "mediaType", ret, err);

	if (r < 0)
		return r;
	if (*ret == NULL)
		return xb_error_set(err, -EBADMSG, "mediaType is missing");
	if (!xb_media_type_valid(xb_view(*ret)))
		return xb_error_set(err, -EBADMSG, "mediaType is not a media type");
	return 0;
}

static int read_digest(const json_t *object, struct xb_digest *ret, struct xb_error *err)
{
	const char *text = NULL;
	int r = xb_json_get_string(object, "digest", &text, err);

	if (r < 0)
		return r;
	if (text == NULL)
		return xb_error_set(err, -EBADMSG, "digest is missing");
	if (xb_digest_parse(xb_view(text), ret, err) < 0)
		return xb_error_wrap(err, -EBADMSG, "digest");
	return 0;
}

static int read_size(const json_t *object, uint64_t *ret, struct xb_error *err)
{
	const json_t *size = json_object_get(object, "size");

	if (size == NULL || json_is_null(size))
		return xb_error_set(err, -EBADMSG, "size is missing");
	return xb_json_get_u64(object, "size", ret, err);
}

static int read_platform(const json_t *object, struct xb_descriptor *d, struct xb_error *err)
{
	json_t *platform = NULL;
	int r = xb_json_get_object(object, "platform", &platform, err);

	if (r < 0 || platform == NULL)
		return r;
	r = xb_platform_from_json(platform, &d->platform, err);
	if (r < 0)
		return xb_error_wrap(err, r, "platform");
	d->has_platform = true;
	return 0;
}

static int read_optional(const json_t *object, struct xb_descriptor *d, struct xb_error *err)
{
	static const char *const known[] = { "mediaType",   "digest",	    "size", "platform",
					     "annotations", "artifactType", NULL };
	xb_auto_strv struct xb_strv urls = XB_STRV_INIT;
	int r = xb_document_string(object, "artifactType", &d->artifact_type, err);

	if (r < 0)
		return r;
	r = read_platform(object, d, err);
	if (r < 0)
		return r;
	r = xb_annotations_from_json(object, "annotations", &d->annotations, err);
	if (r < 0)
		return r;
	/* never fetched, but what we pass on must have its form */
	r = xb_document_strings(object, "urls", &urls, err);
	if (r < 0)
		return r;
	return xb_document_extra(object, known, &d->extra, err);
}

static int read_all(const json_t *object, struct xb_descriptor *d, struct xb_error *err)
{
	int r;

	if (!json_is_object(object))
		return xb_error_set(err, -EBADMSG, "it is not an object");
	r = read_media_type(object, &d->media_type, err);
	if (r < 0)
		return r;
	r = read_digest(object, &d->digest, err);
	if (r < 0)
		return r;
	r = read_size(object, &d->size, err);
	if (r < 0)
		return r;
	return read_optional(object, d, err);
}

int xb_descriptor_from_json(const json_t *object, struct xb_descriptor *ret, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	int r = read_all(object, &d, err);

	if (r < 0)
		return r;
	*ret = d;
	d = XB_DESCRIPTOR_INIT;
	return 0;
}

json_t *xb_descriptor_to_json(const struct xb_descriptor *d)
{
	json_t *object = json_object(), *annotations = xb_annotations_to_json(&d->annotations);

	xb_json_set_string(object, "mediaType", d->media_type);
	xb_json_set_string(object, "digest", d->digest.text);
	xb_json_set_u64(object, "size", d->size);
	if (annotations != NULL)
		xb_json_set_new(object, "annotations", annotations);
	if (d->has_platform)
		xb_json_set_new(object, "platform", xb_platform_to_json(&d->platform));
	xb_json_set_string(object, "artifactType", d->artifact_type);
	xb_document_add_extra(object, d->extra);
	return object;
}

/*
 * Copy a text of a platform. They are compared and shown, never opened; printable ASCII without
 * blanks is all that is ever in them.
 */
static int copy_part(const char *text, const char *key, char *ret, size_t room,
		     struct xb_error *err)
{
	size_t len = strlen(text);

	if (len >= room)
		return xb_error_set(err, -EBADMSG, "%s is longer than %zu bytes", key, room - 1);
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return xb_error_set(err, -EBADMSG, "%s holds other than printable ASCII",
					    key);
	memcpy(ret, text, len + 1);
	return 0;
}

/* os.features: the struct holds them sorted, with commas between. */
static int read_features(const json_t *object, struct xb_platform *p, struct xb_error *err)
{
	xb_auto_strv struct xb_strv features = XB_STRV_INIT;
	xb_autofree char *joined = NULL;
	int r = xb_document_strings(object, "os.features", &features, err);

	if (r < 0)
		return r;
	xb_strv_sort(&features);
	for (size_t i = 0; i < features.len; i++) {
		if (strchr(features.items[i], ',') != NULL)
			return xb_error_set(err, -EBADMSG, "os.features holds a comma");
		if (i > 0 && strcmp(features.items[i], features.items[i - 1]) == 0)
			return xb_error_set(err, -EBADMSG, "os.features names one twice");
	}
	joined = xb_strv_join(&features, ",");
	return copy_part(joined, "os.features", p->os_features, sizeof(p->os_features), err);
}

int xb_platform_from_json(const json_t *object, struct xb_platform *ret, struct xb_error *err)
{
	struct xb_platform p = { 0 };
	const struct {
		const char *key;
		char *to;
		size_t room;
		bool required;
	} parts[] = {
		{ "architecture", p.arch, sizeof(p.arch), true },
		{ "os", p.os, sizeof(p.os), true },
		{ "variant", p.variant, sizeof(p.variant), false },
		{ "os.version", p.os_version, sizeof(p.os_version), false },
	};
	int r;

	for (size_t i = 0; i < XB_COUNT(parts); i++) {
		const char *text = NULL;

		r = xb_json_get_string(object, parts[i].key, &text, err);
		if (r < 0)
			return r;
		if (text == NULL && parts[i].required)
			return xb_error_set(err, -EBADMSG, "%s is missing", parts[i].key);
		r = copy_part(text != NULL ? text : "", parts[i].key, parts[i].to, parts[i].room,
			      err);
		if (r < 0)
			return r;
	}
	r = read_features(object, &p, err);
	if (r < 0)
		return r;
	*ret = p;
	return 0;
}

/* NULL for "", so that what is not given is not written. */
static const char *given(const char *text)
{
	return *text != '\0' ? text : NULL;
}

json_t *xb_platform_to_json(const struct xb_platform *platform)
{
	json_t *object = json_object();
	struct xb_view rest = xb_view(platform->os_features), feature;

	xb_json_set_string(object, "architecture", platform->arch);
	xb_json_set_string(object, "os", platform->os);
	xb_json_set_string(object, "os.version", given(platform->os_version));
	if (rest.len > 0) {
		json_t *features = json_array();

		while (xb_view_split(&rest, ',', &feature))
			(void)json_array_append_new(features,
						    json_stringn(feature.data, feature.len));
		xb_json_set_new(object, "os.features", features);
	}
	xb_json_set_string(object, "variant", given(platform->variant));
	return object;
}

bool xb_descriptor_is_attestation(const struct xb_descriptor *d)
{
	const char *type = xb_annotations_get(&d->annotations, XB_ANNOTATION_REFERENCE_TYPE);

	if (type != NULL && strcmp(type, "attestation-manifest") == 0)
		return true;
	return d->has_platform && strcmp(d->platform.os, "unknown") == 0 &&
	       strcmp(d->platform.arch, "unknown") == 0;
}
