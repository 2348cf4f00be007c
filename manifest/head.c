/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/head.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "manifest/document.h"

int xb_descriptors_from_json(const json_t *object, const char *key, struct xb_descriptors *ret,
			     struct xb_error *err)
{
	json_t *array = NULL, *item;
	size_t i;
	int r = xb_json_get_array(object, key, &array, err);

	if (r < 0)
		return r;
	json_array_foreach(array, i, item)
	{
		xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;

		r = xb_descriptor_from_json(item, &d, err);
		if (r < 0)
			return xb_error_wrap(err, r, "%s[%zu]", key, i);
		*xb_array_push(ret) = d;
		d = XB_DESCRIPTOR_INIT;
	}
	return 0;
}

json_t *xb_descriptors_to_json(const struct xb_descriptors *v)
{
	json_t *array = json_array();

	for (size_t i = 0; i < v->len; i++)
		(void)json_array_append_new(array, xb_descriptor_to_json(&v->items[i]));
	return array;
}

static int check_schema_version(const json_t *root, struct xb_error *err)
{
	uint64_t version = 0;
	int r = xb_json_get_u64(root, "schemaVersion", &version, err);

	if (r < 0)
		return r;
	if (version == 1)
		return xb_error_set(err, -EBADMSG,
				    "schemaVersion is 1: Docker's old form is not supported");
	if (version != 2)
		return xb_error_set(err, -EBADMSG, "schemaVersion is not 2");
	return 0;
}

static int read_media_type(const json_t *root, enum xb_media_kind kind, const char *expected,
			   char **ret, struct xb_error *err)
{
	const char *type = NULL;
	int r = xb_json_get_string(root, "mediaType", &type, err);

	if (r < 0)
		return r;
	if (type != NULL && !xb_media_type_valid(xb_view(type)))
		return xb_error_set(err, -EBADMSG, "mediaType is not a media type");
	if (expected != NULL && type != NULL && strcmp(expected, type) != 0)
		return xb_error_set(err, -EBADMSG,
				    "its descriptor says %s, but the document says %s", expected,
				    type);
	if (type == NULL)
		type = expected;
	if (type != NULL && xb_media_kind(type) != kind)
		return xb_error_set(err, -EBADMSG, "%s is not the media type of an image %s", type,
				    xb_media_kind_name(kind));
	*ret = xb_strdup(type);
	return 0;
}

static int read_subject(const json_t *root, const struct xb_head *head, struct xb_error *err)
{
	json_t *subject = NULL;
	int r = xb_json_get_object(root, "subject", &subject, err);

	if (r < 0 || subject == NULL)
		return r;
	r = xb_descriptor_from_json(subject, head->subject, err);
	if (r < 0)
		return xb_error_wrap(err, r, "subject");
	*head->has_subject = true;
	return 0;
}

static int read_artifact_type(const json_t *root, char **ret, struct xb_error *err)
{
	int r = xb_document_string(root, "artifactType", ret, err);

	/* written as "" by tools that mean none */
	if (r == 0 && *ret != NULL && **ret != '\0' && !xb_media_type_valid(xb_view(*ret)))
		return xb_error_set(err, -EBADMSG, "artifactType is not a media type");
	return r;
}

int xb_head_read(const json_t *root, enum xb_media_kind kind, const char *expected,
		 const char *const *foreign, const struct xb_head *head, struct xb_error *err)
{
	int r;

	for (; *foreign != NULL; foreign++)
		if (json_object_get(root, *foreign) != NULL)
			return xb_error_set(err, -EBADMSG,
					    "ambiguous: an image %s with the member \"%s\"%s%s",
					    xb_media_kind_name(kind), *foreign,
					    expected != NULL ? "; its descriptor says " : "",
					    expected != NULL ? expected : "");
	r = check_schema_version(root, err);
	if (r < 0)
		return r;
	r = read_media_type(root, kind, expected, head->media_type, err);
	if (r < 0)
		return r;
	r = read_artifact_type(root, head->artifact_type, err);
	if (r < 0)
		return r;
	r = read_subject(root, head, err);
	if (r < 0)
		return r;
	return xb_annotations_from_json(root, "annotations", head->annotations, err);
}

json_t *xb_head_begin(const struct xb_head *head, const char *default_type)
{
	json_t *root = json_object();

	xb_json_set_u64(root, "schemaVersion", 2);
	xb_json_set_string(root, "mediaType",
			   *head->media_type != NULL ? *head->media_type : default_type);
	xb_json_set_string(root, "artifactType", *head->artifact_type);
	return root;
}

void xb_head_end(json_t *root, const struct xb_head *head)
{
	json_t *annotations = xb_annotations_to_json(head->annotations);

	if (*head->has_subject)
		xb_json_set_new(root, "subject", xb_descriptor_to_json(head->subject));
	if (annotations != NULL)
		xb_json_set_new(root, "annotations", annotations);
}
