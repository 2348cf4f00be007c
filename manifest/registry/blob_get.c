/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs of a registry: whether they are there, and their bytes, over as many connections as it
 * takes. */
#include <errno.h>
#include <string.h>

#include "base/http_header.h"
#include "manifest/registry/request.h"

/* Bytes after which the tries count afresh: a large blob may be cut more often than it may fail to
 * move. */
#define PROGRESS ((uint64_t)64 << 10)

/* A transfer. */
struct transfer {
	struct xb_registry *registry;
	const struct xb_descriptor *blob;
	const struct xb_blob_sink *sink;
	struct xb_hasher *hasher; /* of what was written */
	uint64_t done;		  /* bytes that were written */
	bool dirty;		  /* the sink has got something that was not right */

	/* of this answer */
	uint64_t asked; /* the byte that was asked for first */
	uint64_t skip;	/* bytes to come that have been written already */
	bool useless;	/* it is another part than the one that was asked for */
};

static void transfer_clear(struct transfer *t)
{
	xb_hasher_free(t->hasher);
}

static int wrong(struct xb_error *err, int r)
{
	return xb_error_fault(err, XB_FAULT_REGISTRY), r;
}

static int too_long(const struct transfer *t, struct xb_error *err)
{
	(void)xb_error_set(err, -EPROTO, "more came than the %llu bytes of the blob",
			   (unsigned long long)t->blob->size);
	return wrong(err, -EPROTO);
}

/* The answer is a part: it has to end with the blob and must not begin behind what is wanted. */
static int begin_part(struct transfer *t, const struct xb_http_response *response,
		      struct xb_error *err)
{
	struct xb_http_range range = { 0 };
	int r = xb_http_range(&response->headers, &range, err);

	if (r > 0 && range.first <= t->done &&
	    (range.total == UINT64_MAX || range.total == t->blob->size) &&
	    range.last < t->blob->size) {
		t->skip = t->done - range.first;
		return 0;
	}
	t->useless = true;
	return r < 0 ? r
		     : xb_error_set(err, -EPROTO, "another part than the one that was asked for");
}

static int begin_answer(void *context, const struct xb_http_response *response,
			struct xb_error *err)
{
	struct transfer *t = context;
	uint64_t length = 0;
	int r;

	if (response->status == 206)
		return begin_part(t, response, err);
	t->skip = t->done;
	r = xb_http_length(&response->headers, &length, err);
	if (r > 0 && length != t->blob->size) {
		(void)xb_error_set(err, -EPROTO, "%llu bytes are to come, the blob has %llu",
				   (unsigned long long)length, (unsigned long long)t->blob->size);
		return wrong(err, -EPROTO);
	}
	return r < 0 ? r : 0;
}

static int take(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct transfer *t = context;
	const char *bytes = data;
	size_t skip = t->skip < len ? (size_t)t->skip : len;
	int r;

	t->skip -= skip;
	bytes += skip;
	len -= skip;
	if (len == 0)
		return 0;
	if (len > t->blob->size - t->done)
		return too_long(t, err);
	r = t->sink->write(t->sink->context, bytes, len, err);
	if (r < 0)
		return r;
	xb_hasher_add(t->hasher, bytes, len);
	t->done += len;
	return 0;
}

/* Another try from the start, what was written being of no use. */
static int start_over(struct transfer *t, struct xb_error *err)
{
	xb_hasher_free(t->hasher);
	t->hasher = xb_hasher_new_like(&t->blob->digest);
	t->done = 0;
	t->dirty = false;
	return t->sink->restart(t->sink->context, err);
}

/* What came has to be all of it, and right. */
static int check(struct transfer *t, struct xb_error *err)
{
	struct xb_digest digest = xb_hasher_finish(t->hasher);

	t->dirty = true;
	if (t->done == t->blob->size && xb_digest_eq(&digest, &t->blob->digest))
		return 0;
	(void)xb_error_set(err, -EBADMSG, "its bytes are %s", digest.text);
	return wrong(err, -EBADMSG);
}

/* A server that has not the part that is asked for may have the whole. */
static bool is_no_part(const struct transfer *t, int r, const struct xb_http_response *response)
{
	return t->asked > 0 && ((r < 0 && t->useless) ||
				(r == 0 && (response->status == 416 || response->status == 412)));
}

/* One request for what is missing: 1 when the body has come as far as the server had it. */
static int ask_for_rest(struct transfer *t, struct xb_registry_request *request, bool whole,
			struct xb_http_response *response, struct xb_error *err)
{
	int r;

	t->asked = whole ? 0 : t->done;
	t->skip = 0;
	t->useless = false;
	request->http.from = t->asked;
	r = xb_registry_perform(t->registry, request, response, err);
	if (r < 0)
		return r;
	return response->status == 200 || response->status == 206;
}

/* Ask until all has come: 0, then. */
static int receive(struct transfer *t, struct xb_registry_request *request, struct xb_error *err)
{
	struct xb_registry_tries tries = { 0 };
	bool whole = false; /* the server does not serve parts */

	for (;;) {
		xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
		xb_auto_error struct xb_error own = XB_ERROR_INIT;
		uint64_t before = t->done;
		int r = ask_for_rest(t, request, whole, &response, &own), next;

		if (r > 0 && t->done == t->blob->size)
			return 0;
		if (t->done >= before + PROGRESS)
			tries = (struct xb_registry_tries){ 0 };
		if (r > 0) /* a body without a length that was cut */
			r = xb_error_set(&own, -ECONNRESET, "%llu bytes came of %llu",
					 (unsigned long long)t->done,
					 (unsigned long long)t->blob->size);
		response.may_pass = response.may_pass || r == -ECONNRESET;
		if (is_no_part(t, r, &response))
			response.may_pass = whole = true;
		next = xb_registry_again(t->registry, request, &tries, r, &response, &own);
		if (next > 0)
			continue;
		if (next == 0 && r == 0)
			r = xb_registry_fail(t->registry, request, &response, &own);
		(void)xb_error_fault(&own, XB_FAULT_REGISTRY);
		if (err != NULL)
			xb_error_move(err, &own);
		return next < 0 ? next : r;
	}
}

/* From one endpoint. What came in pieces and is not right may be so for their sake: once more. */
static int get_from(void *context, const struct xb_registry_endpoint *endpoint,
		    struct xb_error *err)
{
	struct transfer *t = context;
	xb_autofree char *url = xb_registry_url(endpoint, NULL, "blobs/%s", t->blob->digest.text);
	struct xb_registry_request request = XB_REGISTRY_REQUEST_INIT(endpoint, "pull");
	int r = t->dirty ? start_over(t, err) : 0;
	bool pieces;

	request.once = true;
	request.http.url = url;
	request.http.context = t;
	request.http.begin = begin_answer;
	request.http.write = take;
	request.http.max_size = UINT64_MAX;
	if (r >= 0)
		r = receive(t, &request, err);
	if (r < 0)
		return r;
	pieces = t->asked > 0;
	r = check(t, err);
	if (r < 0 && pieces) {
		xb_error_clear(err);
		r = start_over(t, err);
		if (r >= 0)
			r = receive(t, &request, err);
		if (r >= 0)
			r = check(t, err);
	}
	return r < 0 ? xb_error_wrap(err, r, "%s", url) : 0;
}

int xb_registry_get_blob(struct xb_registry *registry, const struct xb_reference *ref,
			 const struct xb_descriptor *blob, const struct xb_blob_sink *sink,
			 struct xb_error *err)
{
	XB_CLEANUP(transfer_clear)
	struct transfer t = { .registry = registry,
			      .blob = blob,
			      .sink = sink,
			      .hasher = xb_hasher_new_like(&blob->digest) };
	int r = xb_registry_each(registry, ref, get_from, &t, err);

	return r < 0 ? xb_error_wrap(err, r, "reading blob %s of %s/%s", blob->digest.text,
				     ref->domain, ref->path)
		     : 0;
}

/* A question whether a blob is there. */
struct question {
	struct xb_registry *registry;
	const struct xb_descriptor *blob;
	bool there;
};

/* 1: it is there, 0: it is not. */
static int read_head(const struct question *q, const struct xb_http_response *response,
		     struct xb_error *err)
{
	uint64_t length = 0;
	int r = xb_http_length(&response->headers, &length, err);

	if (r > 0 && length != q->blob->size) {
		(void)xb_error_set(err, -EPROTO, "%s: it has %llu bytes, not %llu", response->url,
				   (unsigned long long)length, (unsigned long long)q->blob->size);
		return wrong(err, -EPROTO);
	}
	return r < 0 ? r : 1;
}

static int has_at(struct question *q, const struct xb_registry_endpoint *endpoint,
		  struct xb_error *err)
{
	xb_autofree char *url = xb_registry_url(endpoint, NULL, "blobs/%s", q->blob->digest.text);
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	struct xb_registry_request request = XB_REGISTRY_REQUEST_INIT(endpoint, "pull");
	int r;

	request.http.method = "HEAD";
	request.http.url = url;
	r = xb_registry_perform(q->registry, &request, &response, err);
	if (r < 0)
		return r;
	if (response.status == 404)
		return 0;
	if (response.status != 200)
		return xb_registry_fail(q->registry, &request, &response, err);
	r = read_head(q, &response, err);
	q->there = r > 0;
	return r < 0 ? r : 0;
}

int xb_registry_has_blob(struct xb_registry *registry, const struct xb_reference *ref,
			 const struct xb_descriptor *blob, bool *ret, struct xb_error *err)
{
	xb_auto_registry_endpoints struct xb_registry_endpoints endpoints = { 0 };
	const struct xb_registry_endpoint *endpoint = NULL;
	struct question q = { .registry = registry, .blob = blob };
	int r = xb_registry_origin(registry, ref, &endpoints, &endpoint, err);

	if (r >= 0)
		r = has_at(&q, endpoint, err);
	if (r < 0)
		return xb_error_wrap(err, r, "asking for blob %s of %s/%s", blob->digest.text,
				     ref->domain, ref->path);
	*ret = q.there;
	return 0;
}
