/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/subject.h"

#include <errno.h>
#include <string.h>

#include "manifest/index.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "manifest/registry/request.h"

/* How often the index is written before others, who write it too, are given way. */
#define MAX_WRITES 5

char *xb_registry_referrers_tag(const struct xb_digest *subject)
{
	return xb_format("%.*s-%.64s", XB_VIEW_ARGS(xb_digest_algorithm(subject)),
			 xb_digest_hex(subject));
}

static int of_manifest(struct xb_view bytes, struct xb_digest *ret_subject,
		       struct xb_descriptor *entry)
{
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	const char *type;

	if (xb_manifest_parse(bytes, NULL, &m, NULL) < 0 || !m.has_subject)
		return 0;
	*ret_subject = m.subject.digest;
	type = m.artifact_type != NULL ? m.artifact_type : m.config.media_type;
	entry->artifact_type = xb_strdup(type);
	xb_annotations_copy(&entry->annotations, &m.annotations);
	return 1;
}

static int of_index(struct xb_view bytes, struct xb_digest *ret_subject,
		    struct xb_descriptor *entry)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	if (xb_index_parse(bytes, NULL, &index, NULL) < 0 || !index.has_subject)
		return 0;
	*ret_subject = index.subject.digest;
	if (index.artifact_type != NULL)
		entry->artifact_type = xb_strdup(index.artifact_type);
	xb_annotations_copy(&entry->annotations, &index.annotations);
	return 1;
}

int xb_registry_subject(const char *media_type, struct xb_view bytes, struct xb_digest *ret_subject,
			struct xb_descriptor *ret_entry)
{
	struct xb_digest digest = xb_digest_of(bytes.data, bytes.len);

	xb_descriptor_init(ret_entry, media_type, &digest, bytes.len);
	return xb_media_kind(media_type) == XB_MEDIA_INDEX
		       ? of_index(bytes, ret_subject, ret_entry)
		       : of_manifest(bytes, ret_subject, ret_entry);
}

/* The index under a tag; none is an empty one. */
static int read_index(struct xb_registry *registry, const struct xb_registry_endpoint *endpoint,
		      const char *tag, struct xb_index *ret, struct xb_error *err)
{
	xb_autofree char *url = xb_registry_url(endpoint, NULL, "manifests/%s", tag);
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	struct xb_registry_request request = XB_REGISTRY_REQUEST_INIT(endpoint, "pull,push");
	int r;

	xb_strv_push(&headers, "Accept: " XB_MEDIA_OCI_INDEX);
	request.http.url = url;
	request.http.headers = &headers;
	request.http.max_size = XB_MAX_MANIFEST;
	r = xb_registry_fetch(registry, &request, &text, &response, err);
	if (r == -ENOENT) {
		xb_error_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	r = xb_index_parse(xb_str_view(&text), NULL, ret, err);
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_REGISTRY);
	return r < 0 ? xb_error_wrap(err, r, "%s", tag) : 0;
}

static bool lists(const struct xb_index *index, const struct xb_digest *digest)
{
	for (size_t i = 0; i < index->manifests.len; i++) {
		if (xb_digest_eq(&index->manifests.items[i].digest, digest))
			return true;
	}
	return false;
}

static int write_index(struct xb_registry *registry, const struct xb_reference *ref, char *tag,
		       const struct xb_index *index, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	const struct xb_reference named = {
		.domain = ref->domain,
		.path = ref->path,
		.tag = tag,
	};
	int r = xb_index_write(index, &text, err);

	return r < 0 ? r
		     : xb_registry_put_manifest(registry, &named, XB_MEDIA_OCI_INDEX,
						xb_str_view(&text), err);
}

/* 1 when it was added and has to be looked for again, 0 when it is there. */
static int add_once(struct xb_registry *registry, const struct xb_reference *ref,
		    const struct xb_registry_endpoint *endpoint, char *tag,
		    const struct xb_descriptor *entry, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	int r = read_index(registry, endpoint, tag, &index, err);

	if (r < 0 || lists(&index, &entry->digest))
		return r;
	(void)xb_descriptors_add(&index.manifests, entry);
	r = write_index(registry, ref, tag, &index, err);
	return r < 0 ? r : 1;
}

int xb_registry_refer(struct xb_registry *registry, const struct xb_reference *ref,
		      const struct xb_registry_endpoint *endpoint, const struct xb_digest *subject,
		      const struct xb_descriptor *entry, struct xb_error *err)
{
	xb_autofree char *tag = xb_registry_referrers_tag(subject);
	int r = 1;

	for (int i = 0; r == 1 && i <= MAX_WRITES; i++)
		r = add_once(registry, ref, endpoint, tag, entry, err);
	if (r == 1) {
		(void)xb_error_set(err, -EAGAIN,
				   "others write its tag %s again and again, without it", tag);
		r = xb_error_fault(err, XB_FAULT_REGISTRY);
	}
	return r < 0 ? xb_error_wrap(err, r, "listing it among what refers to %s", subject->text)
		     : 0;
}
