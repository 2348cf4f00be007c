/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry lists, page by page: tags, and what refers to a document. */
#include <errno.h>
#include <string.h>

#include "base/http_header.h"
#include "base/http_url.h"
#include "base/json.h"
#include "manifest/document.h"
#include "manifest/index.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "manifest/registry/answer.h"
#include "manifest/registry/request.h"
#include "manifest/registry/subject.h"

enum {
	MAX_PAGES = 10000,
	MAX_ENTRIES = 1000000,
	PAGE = 1000, /* entries that are asked for at once */
};

/* A list that is being read. */
struct listing {
	struct xb_registry *registry;
	const struct xb_reference *ref;
	const char *accept; /* a header, or NULL */
	/* Take what a page holds; returns 0, or a negative errno. */
	int (*take)(struct listing *l, struct xb_view page, const struct xb_http_response *response,
		    struct xb_error *err);
	struct xb_strv *tags;
	const char *artifact_type;
	struct xb_descriptors *referrers;
};

static int broken(struct xb_error *err, int r)
{
	return xb_error_fault(err, XB_FAULT_REGISTRY), r;
}

/* Where the next page is: at the same registry, and not where this one was. */
static int turn_page(const struct xb_http_response *response, char **url, struct xb_error *err)
{
	xb_autofree char *link = xb_registry_next(&response->headers);
	xb_auto_http_url struct xb_http_url here = XB_HTTP_URL_INIT, next = XB_HTTP_URL_INIT;
	int r;

	if (link == NULL)
		return 0;
	r = xb_http_url_parse(*url, &here, err);
	if (r < 0)
		return r;
	if (xb_http_url_resolve(&here, link, &next, NULL) < 0 ||
	    strcmp(here.origin, next.origin) != 0 || strcmp(here.text, next.text) == 0) {
		(void)xb_error_set(err, -EPROTO, "%s: the link to its next page leads nowhere",
				   response->url);
		return broken(err, -EPROTO);
	}
	free(*url);
	*url = XB_STEAL(next.text);
	return 1;
}

static int read_page(struct listing *l, const struct xb_registry_endpoint *endpoint, char **url,
		     struct xb_error *err)
{
	xb_auto_str struct xb_str page = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	struct xb_registry_request request = XB_REGISTRY_REQUEST_INIT(endpoint, "pull");
	int r;

	request.http.url = *url;
	request.http.max_size = XB_MAX_MANIFEST;
	if (l->accept != NULL) {
		xb_strv_push(&headers, l->accept);
		request.http.headers = &headers;
	}
	r = xb_registry_fetch(l->registry, &request, &page, &response, err);
	if (r < 0)
		return r;
	r = l->take(l, xb_str_view(&page), &response, err);
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_REGISTRY);
		return xb_error_wrap(err, r, "%s", response.url);
	}
	return turn_page(&response, url, err);
}

/* All pages from this one on. */
static int read_pages(struct listing *l, const struct xb_registry_endpoint *endpoint, char **url,
		      struct xb_error *err)
{
	int r = 1;

	for (int pages = 0; r > 0; pages++) {
		if (pages == MAX_PAGES) {
			(void)xb_error_set(err, -EFBIG, "more than %d pages", MAX_PAGES);
			return broken(err, -EFBIG);
		}
		r = read_page(l, endpoint, url, err);
	}
	return r;
}

static int take_tags(struct listing *l, struct xb_view page,
		     const struct xb_http_response *response, struct xb_error *err)
{
	xb_auto_json json_t *root = NULL;
	int r = xb_document_parse(page, XB_MAX_MANIFEST, &root, err);

	(void)response;
	if (r >= 0)
		r = xb_document_strings(root, "tags", l->tags, err);
	if (r < 0)
		return r;
	return l->tags->len > MAX_ENTRIES ? xb_error_set(err, -EFBIG, "too many tags") : 0;
}

static int tags_from(void *context, const struct xb_registry_endpoint *endpoint,
		     struct xb_error *err)
{
	struct listing *l = context;
	xb_autofree char *query = xb_format("n=%d", PAGE);
	xb_autofree char *url = xb_registry_url(endpoint, query, "tags/list");
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	struct xb_strv *all = l->tags;
	int r;

	/* a mirror's first pages are of no use when its last one fails */
	l->tags = &tags;
	r = read_pages(l, endpoint, &url, err);
	l->tags = all;
	if (r >= 0)
		xb_strv_append(all, &tags);
	return r;
}

int xb_registry_tags(struct xb_registry *registry, const struct xb_reference *ref,
		     struct xb_strv *ret, struct xb_error *err)
{
	struct listing l = { .registry = registry, .ref = ref, .take = take_tags, .tags = ret };
	int r = xb_registry_each(registry, ref, tags_from, &l, err);

	return r < 0 ? xb_error_wrap(err, r, "listing the tags of %s/%s", ref->domain, ref->path)
		     : 0;
}

static int take_referrers(struct listing *l, struct xb_view page,
			  const struct xb_http_response *response, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	int r = xb_index_parse(page, NULL, &index, err);

	(void)response;
	if (r < 0)
		return r;
	for (size_t i = 0; i < index.manifests.len; i++) {
		const struct xb_descriptor *d = &index.manifests.items[i];

		/* whether the registry has chosen already is of no interest */
		if (l->artifact_type == NULL ||
		    (d->artifact_type != NULL && strcmp(d->artifact_type, l->artifact_type) == 0))
			(void)xb_descriptors_add(l->referrers, d);
	}
	return l->referrers->len > MAX_ENTRIES ? xb_error_set(err, -EFBIG, "too many referrers")
					       : 0;
}

/* The tag that stands for the API where there is none: "sha256-…". */
static int referrers_by_tag(struct listing *l, const struct xb_registry_endpoint *endpoint,
			    struct xb_error *err)
{
	xb_autofree char *tag = xb_registry_referrers_tag(&l->ref->digest);
	xb_autofree char *url = xb_registry_url(endpoint, NULL, "manifests/%s", tag);
	int r = read_pages(l, endpoint, &url, err);

	if (r != -ENOENT)
		return r;
	xb_error_clear(err);
	return 0;
}

static int referrers_from(void *context, const struct xb_registry_endpoint *endpoint,
			  struct xb_error *err)
{
	struct listing *l = context;
	xb_auto_str struct xb_str query = XB_STR_INIT(XB_STR_OWN);
	xb_auto_descriptors struct xb_descriptors found = { 0 };
	struct xb_descriptors *all = l->referrers;
	xb_autofree char *url = NULL;
	int r;

	if (l->artifact_type != NULL) {
		(void)xb_str_puts(&query, "artifactType=");
		xb_registry_query(&query, l->artifact_type);
	}
	url = xb_registry_url(endpoint, query.len > 0 ? xb_str_text(&query) : NULL, "referrers/%s",
			      l->ref->digest.text);
	l->referrers = &found;
	r = read_pages(l, endpoint, &url, err);
	if (r == -ENOENT || r == -EREMOTEIO) {
		xb_error_clear(err);
		r = referrers_by_tag(l, endpoint, err);
	}
	l->referrers = all;
	for (size_t i = 0; r >= 0 && i < found.len; i++)
		(void)xb_descriptors_add(all, &found.items[i]);
	return r;
}

int xb_registry_referrers(struct xb_registry *registry, const struct xb_reference *ref,
			  const char *artifact_type, struct xb_descriptors *ret,
			  struct xb_error *err)
{
	struct listing l = { .registry = registry,
			     .ref = ref,
			     .accept = "Accept: " XB_MEDIA_OCI_INDEX,
			     .take = take_referrers,
			     .artifact_type = artifact_type,
			     .referrers = ret };
	int r;

	if (xb_digest_empty(&ref->digest)) {
		(void)xb_error_set(err, -EINVAL, "no digest to ask for what refers to it");
		return xb_error_fault(err, XB_FAULT_INTERNAL), -EINVAL;
	}
	r = xb_registry_each(registry, ref, referrers_from, &l, err);
	return r < 0 ? xb_error_wrap(err, r, "listing what refers to %s of %s/%s", ref->digest.text,
				     ref->domain, ref->path)
		     : 0;
}
