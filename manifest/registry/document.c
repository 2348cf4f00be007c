/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of a registry: asked for, read, written, deleted. */
#include <errno.h>
#include <string.h>

#include "base/http_header.h"
#include "base/json.h"
#include "manifest/document.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "manifest/registry/answer.h"
#include "manifest/registry/request.h"
#include "manifest/registry/subject.h"

/* What is asked for: all that can be read, so that nothing is translated for us. */
static const char *const accepted[] = {
	"Accept: " XB_MEDIA_OCI_INDEX,
	"Accept: " XB_MEDIA_DOCKER_INDEX,
	"Accept: " XB_MEDIA_OCI_MANIFEST,
	"Accept: " XB_MEDIA_DOCKER_MANIFEST,
};

/* A document that is wanted, and where it goes. */
struct wanted {
	struct xb_registry *registry;
	const struct xb_reference *ref;
	struct xb_str *bytes;	  /* NULL: only what it is */
	struct xb_descriptor got; /* empty until it was found */
};

static int broken(struct xb_error *err, int r)
{
	return xb_error_fault(err, XB_FAULT_REGISTRY), r;
}

/* "sha256:…" or the tag: what stands behind /manifests/. */
static int name_of(const struct xb_reference *ref, bool tag_first, const char **ret,
		   struct xb_error *err)
{
	bool digest = !xb_digest_empty(&ref->digest);

	if (ref->tag == NULL && !digest)
		return xb_error_set(err, -EINVAL, "neither a tag nor a digest to ask for");
	*ret = digest && (ref->tag == NULL || !tag_first) ? ref->digest.text : ref->tag;
	return 0;
}

static int refuse_digest(const struct xb_digest *wanted, const struct xb_digest *got,
			 struct xb_error *err)
{
	(void)xb_error_set(err, -EBADMSG, "%s was to come, %s came", wanted->text, got->text);
	return broken(err, -EBADMSG);
}

/* The digest that the bytes have by the algorithm of `like`. */
static struct xb_digest digest_like(const struct xb_digest *like, struct xb_view bytes)
{
	xb_auto_hasher struct xb_hasher *hasher =
		xb_digest_empty(like) ? xb_hasher_new() : xb_hasher_new_like(like);

	xb_hasher_add(hasher, bytes.data, bytes.len);
	return xb_hasher_finish(hasher);
}

/* Which digest the document has: the one that was asked for, else the one that its header names,
 * else its own; the bytes have to be of it. */
static int check_digest(const struct wanted *w, const struct xb_http_response *response,
			struct xb_digest *ret, struct xb_error *err)
{
	struct xb_digest named = { "" }, own;
	int r = 0;

	if (xb_digest_empty(&w->ref->digest))
		r = xb_registry_digest(&response->headers, &named, err);
	else
		named = w->ref->digest;
	if (r < 0)
		return broken(err, r);
	own = digest_like(&named, xb_str_view(w->bytes));
	if (!xb_digest_empty(&named) && !xb_digest_eq(&named, &own))
		return refuse_digest(&named, &own, err);
	*ret = own;
	return 0;
}

static bool is_document(const char *type)
{
	enum xb_media_kind kind = xb_media_kind(type);

	return kind == XB_MEDIA_INDEX || kind == XB_MEDIA_MANIFEST;
}

/* A server that knows nothing of images calls a document what it calls everything. */
static bool says_nothing(const char *type)
{
	static const char *const general[] = { "application/json", "application/octet-stream",
					       "text/plain", "binary/octet-stream" };

	for (size_t i = 0; type != NULL && i < XB_COUNT(general); i++) {
		if (strcmp(type, general[i]) == 0)
			return true;
	}
	return type == NULL;
}

static int refuse_type(const char *type, struct xb_error *err)
{
	(void)xb_error_set(err, -EBADMSG, "%s is no index and no manifest of an image",
			   type != NULL ? type : "a document without a type");
	if (type != NULL && strstr(type, "manifest.v1") != NULL && strstr(type, "docker") != NULL)
		(void)xb_error_hint(err, "Docker's old form, schema 1, is not supported: push the "
					 "image again with a newer tool");
	return broken(err, -EBADMSG);
}

/* The type that header and document agree on. */
static int check_type(const struct xb_http_response *response, struct xb_view bytes, char **ret,
		      struct xb_error *err)
{
	xb_autofree char *sent = xb_registry_media_type(&response->headers);
	xb_auto_json json_t *root = NULL;
	const char *own = NULL;
	int r = xb_document_parse(bytes, XB_MAX_MANIFEST, &root, err);

	if (r >= 0)
		r = xb_json_get_string(root, "mediaType", &own, err);
	if (r < 0)
		return broken(err, r);
	if (says_nothing(sent)) {
		free(sent);
		sent = xb_strdup(own);
	}
	if (sent == NULL || !is_document(sent))
		return refuse_type(sent, err);
	if (own != NULL && strcmp(sent, own) != 0) {
		xb_autofree char *shown = xb_document_quote(own);

		(void)xb_error_set(err, -EBADMSG, "it came as %s, but says that it is %s", sent,
				   shown);
		return broken(err, -EBADMSG);
	}
	*ret = XB_STEAL(sent);
	return 0;
}

/* A request for a document, or to do something with it. It stays where it is: it points into
 * itself. */
struct asking {
	struct xb_registry_request request;
	struct xb_strv headers;
	char *url;
};

static void asking_clear(struct asking *a)
{
	xb_strv_clear(&a->headers);
	free(a->url);
}
#define auto_asking XB_CLEANUP(asking_clear)

static void ask_about(const struct xb_registry_endpoint *endpoint, const char *name,
		      const char *method, const char *actions, struct asking *ret)
{
	ret->request = XB_REGISTRY_REQUEST_INIT(endpoint, actions);
	ret->url = xb_registry_url(endpoint, NULL, "manifests/%s", name);
	ret->request.http.method = method;
	ret->request.http.url = ret->url;
	ret->request.http.headers = &ret->headers;
}

/* `method`: HEAD, or NULL for GET. */
static int ask_for(const struct wanted *w, const struct xb_registry_endpoint *endpoint,
		   const char *method, struct asking *ret, struct xb_error *err)
{
	const char *name = NULL;
	int r = name_of(w->ref, false, &name, err);

	if (r < 0)
		return r;
	ask_about(endpoint, name, method, "pull", ret);
	for (size_t i = 0; i < XB_COUNT(accepted); i++)
		xb_strv_push(&ret->headers, accepted[i]);
	ret->request.http.max_size = XB_MAX_MANIFEST;
	return 0;
}

/* Its whole, from one endpoint. */
static int get_from(void *context, const struct xb_registry_endpoint *endpoint,
		    struct xb_error *err)
{
	struct wanted *w = context;
	auto_asking struct asking asking = { .headers = XB_STRV_INIT };
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	struct xb_digest digest = { "" };
	xb_autofree char *type = NULL;
	int r = ask_for(w, endpoint, NULL, &asking, err);

	if (r == 0)
		r = xb_registry_fetch(w->registry, &asking.request, w->bytes, &response, err);
	if (r < 0)
		return r;
	r = check_digest(w, &response, &digest, err);
	if (r >= 0)
		r = check_type(&response, xb_str_view(w->bytes), &type, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", response.url);
	xb_descriptor_init(&w->got, type, &digest, w->bytes->len);
	return 0;
}

static int name_error(const struct xb_reference *ref, const char *what, int r, struct xb_error *err)
{
	xb_autofree char *name = xb_reference_familiar(ref);

	return xb_error_wrap(err, r, "%s %s", what, name);
}

int xb_registry_get_manifest(struct xb_registry *registry, const struct xb_reference *ref,
			     struct xb_str *bytes, struct xb_descriptor *ret, struct xb_error *err)
{
	struct wanted w = { .registry = registry, .ref = ref, .bytes = bytes };
	int r = xb_registry_each(registry, ref, get_from, &w, err);

	if (r < 0)
		return name_error(ref, "reading", r, err);
	*ret = w.got;
	return 0;
}

/* What an answer to HEAD says of a document: 1 when that is all, 0 when it is not enough. */
static int read_head(const struct wanted *w, const struct xb_http_response *response,
		     struct xb_descriptor *ret, struct xb_error *err)
{
	xb_autofree char *type = xb_registry_media_type(&response->headers);
	struct xb_digest digest = { "" };
	uint64_t size = 0;
	int r = xb_registry_digest(&response->headers, &digest, err);

	if (r > 0 && !xb_digest_empty(&w->ref->digest) &&
	    xb_view_eq(xb_digest_algorithm(&digest), xb_digest_algorithm(&w->ref->digest)) &&
	    !xb_digest_eq(&digest, &w->ref->digest))
		return refuse_digest(&w->ref->digest, &digest, err);
	if (r > 0 || (r == 0 && !xb_digest_empty(&w->ref->digest)))
		r = xb_http_length(&response->headers, &size, err);
	if (r < 0)
		return broken(err, r);
	if (r == 0 || size == 0 || !is_document(type))
		return 0;
	if (size > XB_MAX_MANIFEST) {
		(void)xb_error_set(err, -EFBIG, "a document of %llu bytes",
				   (unsigned long long)size);
		return broken(err, -EFBIG);
	}
	xb_descriptor_init(ret, type, xb_digest_empty(&w->ref->digest) ? &digest : &w->ref->digest,
			   size);
	return 1;
}

/* GET, for its answer alone. */
static int head_by_get(struct wanted *w, const struct xb_registry_endpoint *endpoint,
		       struct xb_error *err)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_MANIFEST);
	int r;

	w->bytes = &bytes;
	r = get_from(w, endpoint, err);
	w->bytes = NULL;
	return r;
}

static int head_from(void *context, const struct xb_registry_endpoint *endpoint,
		     struct xb_error *err)
{
	struct wanted *w = context;
	auto_asking struct asking asking = { .headers = XB_STRV_INIT };
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	int r = ask_for(w, endpoint, "HEAD", &asking, err);

	if (r == 0)
		r = xb_registry_perform(w->registry, &asking.request, &response, err);
	if (r < 0)
		return r;
	if (response.status == 404)
		return xb_registry_fail(w->registry, &asking.request, &response, err);
	if (response.status == 200) {
		r = read_head(w, &response, &w->got, err);
		if (r != 0)
			return r < 0 ? xb_error_wrap(err, r, "%s", response.url) : 0;
	}
	return head_by_get(w, endpoint, err);
}

int xb_registry_head(struct xb_registry *registry, const struct xb_reference *ref,
		     struct xb_descriptor *ret, struct xb_error *err)
{
	struct wanted w = { .registry = registry, .ref = ref };
	int r = xb_registry_each(registry, ref, head_from, &w, err);

	if (r < 0)
		return name_error(ref, "asking for", r, err);
	*ret = w.got;
	return 0;
}

/* A document that is sent. */
struct sent {
	struct xb_view bytes;
	size_t at;
};

static ssize_t read_sent(void *context, void *data, size_t size, struct xb_error *err)
{
	struct sent *sent = context;
	struct xb_view piece = xb_view_sub(sent->bytes, sent->at, size);

	(void)err;
	if (piece.len > 0)
		memcpy(data, piece.data, piece.len);
	sent->at += piece.len;
	return (ssize_t)piece.len;
}

static int rewind_sent(void *context, struct xb_error *err)
{
	(void)err;
	((struct sent *)context)->at = 0;
	return 0;
}

/* What the registry calls what it got has to be what was sent. */
static int check_sent(const struct xb_http_response *response, struct xb_view bytes,
		      struct xb_error *err)
{
	struct xb_digest named = { "" }, own;
	int r = xb_registry_digest(&response->headers, &named, err);

	if (r <= 0)
		return r < 0 ? broken(err, r) : 0;
	own = digest_like(&named, bytes);
	if (xb_digest_eq(&named, &own))
		return 0;
	(void)xb_error_set(err, -EPROTO, "%s: it took %s for %s", response->url, own.text,
			   named.text);
	return broken(err, -EPROTO);
}

/* A registry that keeps the list of what refers to a document says so; others have it kept. */
static int keep_referrers(struct xb_registry *registry, const struct xb_reference *ref,
			  const struct xb_registry_endpoint *endpoint,
			  const struct xb_http_response *response, const char *media_type,
			  struct xb_view bytes, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor entry = XB_DESCRIPTOR_INIT;
	struct xb_digest subject;

	if (xb_http_header(&response->headers, "oci-subject", 0) != NULL ||
	    xb_registry_subject(media_type, bytes, &subject, &entry) == 0)
		return 0;
	return xb_registry_refer(registry, ref, endpoint, &subject, &entry, err);
}

static int put_at(struct xb_registry *registry, const struct xb_reference *ref,
		  const struct xb_registry_endpoint *endpoint, const char *name,
		  const char *media_type, struct xb_view bytes, struct xb_error *err)
{
	auto_asking struct asking asking = { .headers = XB_STRV_INIT };
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	struct sent sent = { .bytes = bytes };
	int r;

	ask_about(endpoint, name, "PUT", "pull,push", &asking);
	xb_strv_printf(&asking.headers, "Content-Type: %s", media_type);
	asking.request.http.context = &sent;
	asking.request.http.read = read_sent;
	asking.request.http.rewind = rewind_sent;
	asking.request.http.body_size = bytes.len;
	r = xb_registry_ask(registry, &asking.request, &response, err);
	if (r == 0)
		r = check_sent(&response, bytes, err);
	return r < 0 ? r
		     : keep_referrers(registry, ref, endpoint, &response, media_type, bytes, err);
}

/* What cannot be sent, before anything is. */
static int check_put(const struct xb_reference *ref, const char *media_type, struct xb_view bytes,
		     struct xb_error *err)
{
	struct xb_digest own;

	if (!xb_media_type_valid(xb_view(media_type)))
		return xb_error_set(err, -EINVAL, "its type is not a media type");
	if (bytes.len > XB_MAX_MANIFEST)
		return xb_error_set(err, -EFBIG, "it is larger than the %zu bytes of a manifest",
				    XB_MAX_MANIFEST);
	if (xb_digest_empty(&ref->digest))
		return 0;
	own = digest_like(&ref->digest, bytes);
	if (!xb_digest_eq(&own, &ref->digest))
		return xb_error_set(err, -EINVAL, "the document is %s", own.text);
	return 0;
}

int xb_registry_put_manifest(struct xb_registry *registry, const struct xb_reference *ref,
			     const char *media_type, struct xb_view bytes, struct xb_error *err)
{
	xb_auto_registry_endpoints struct xb_registry_endpoints endpoints = { 0 };
	const struct xb_registry_endpoint *endpoint = NULL;
	const char *name = NULL;
	int r = name_of(ref, true, &name, err);

	if (r >= 0)
		r = check_put(ref, media_type, bytes, err);
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_INTERNAL);
	if (r >= 0)
		r = xb_registry_origin(registry, ref, &endpoints, &endpoint, err);
	if (r >= 0)
		r = put_at(registry, ref, endpoint, name, media_type, bytes, err);
	return r < 0 ? name_error(ref, "writing", r, err) : 0;
}

int xb_registry_delete_manifest(struct xb_registry *registry, const struct xb_reference *ref,
				struct xb_error *err)
{
	xb_auto_registry_endpoints struct xb_registry_endpoints endpoints = { 0 };
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	const struct xb_registry_endpoint *endpoint = NULL;
	auto_asking struct asking asking = { .headers = XB_STRV_INIT };
	const char *name = NULL;
	int r = name_of(ref, true, &name, err);

	if (r >= 0)
		r = xb_registry_origin(registry, ref, &endpoints, &endpoint, err);
	if (r < 0)
		return r;
	ask_about(endpoint, name, "DELETE", "pull,delete", &asking);
	r = xb_registry_ask(registry, &asking.request, &response, err);
	return r < 0 ? name_error(ref, "deleting", r, err) : 0;
}
