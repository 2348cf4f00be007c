/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/upload.h"

#include <errno.h>
#include <string.h>

#include "base/http_header.h"
#include "base/http_url.h"
#include "manifest/registry/answer.h"

enum {
	FINISH_SECONDS = 600, /* a registry may hash and move a large blob before it answers */
	CANCEL_SECONDS = 5,
};

void xb_upload_clear(struct xb_upload *u)
{
	free(u->location);
	u->location = NULL;
}

void xb_upload_answer_clear(struct xb_upload_answer *answer)
{
	xb_http_response_clear(&answer->response);
}

static int broken(struct xb_error *err, int r)
{
	return xb_error_fault(err, XB_FAULT_REGISTRY), r;
}

/* Where the Location of an answer to `asked` leads; without one the session stays where it is. */
static int follow(struct xb_upload *u, const char *asked, const struct xb_http_response *response,
		  struct xb_error *err)
{
	xb_auto_http_url struct xb_http_url base = XB_HTTP_URL_INIT, next = XB_HTTP_URL_INIT;
	const char *location = NULL;
	int r = xb_http_header_single(&response->headers, "location", &location, err);

	if (r <= 0)
		return r < 0 ? broken(err, r) : 0;
	r = xb_http_url_parse(asked, &base, err);
	if (r < 0)
		return r;
	if (xb_http_url_resolve(&base, location, &next, NULL) < 0) {
		(void)xb_error_set(err, -EPROTO, "%s: its Location is not a URL", response->url);
		return broken(err, -EPROTO);
	}
	if (base.tls && !next.tls) {
		(void)xb_error_set(err, -EPERM, "%s: its Location leads from https to http",
				   response->url);
		(void)xb_error_hint(err, "the registry has to know that it is behind https (the "
					 "header X-Forwarded-Proto of its proxy)");
		return broken(err, -EPERM);
	}
	free(u->location);
	u->location = XB_STEAL(next.text);
	return 0;
}

static struct xb_registry_request request_of(const struct xb_upload *u, const char *method,
					     const char *url)
{
	struct xb_registry_request request = XB_REGISTRY_REQUEST_INIT(u->endpoint, "pull,push");

	request.http.method = method;
	request.http.url = url;
	return request;
}

static void read_minimum(struct xb_upload *u, const struct xb_http_response *response)
{
	const char *text = xb_http_header(&response->headers, "oci-chunk-min-length", 0);

	u->minimum = 0;
	if (text != NULL)
		(void)xb_view_parse_u64(xb_view(text), INT64_MAX, &u->minimum);
}

int xb_upload_open(struct xb_upload *u, const char *query, const char *from, struct xb_error *err)
{
	xb_autofree char *url = xb_registry_url(u->endpoint, query, "blobs/uploads/");
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	struct xb_registry_request request = request_of(u, "POST", url);
	int r;

	request.from = from;
	xb_upload_clear(u);
	u->offset = 0;
	r = xb_registry_ask(u->registry, &request, &response, err);
	if (r < 0)
		return r;
	if (response.status == 201)
		return 1;
	read_minimum(u, &response);
	r = follow(u, url, &response, err);
	if (r < 0 || u->location != NULL)
		return r;
	(void)xb_error_set(err, -EPROTO, "%s: it began an upload without a Location", response.url);
	return broken(err, -EPROTO);
}

static ssize_t read_source(void *context, void *data, size_t size, struct xb_error *err)
{
	struct xb_upload *u = context;
	uint64_t left = u->end - u->at;
	ssize_t n;

	if (left == 0)
		return 0;
	n = u->source->read(u->source->context, u->at, data, left < size ? (size_t)left : size,
			    err);
	if (n == 0)
		return xb_error_set(err, -EIO, "blob %s is shorter than its %llu bytes",
				    u->blob->digest.text, (unsigned long long)u->blob->size);
	if (n > 0)
		u->at += (uint64_t)n;
	return n;
}

static int rewind_source(void *context, struct xb_error *err)
{
	struct xb_upload *u = context;

	(void)err;
	u->at = u->begin;
	return 0;
}

/* The bytes up to `end` as the body of a request. */
static void set_body(struct xb_upload *u, uint64_t end, struct xb_registry_request *request)
{
	u->begin = u->at = u->offset;
	u->end = end;
	if (end == u->offset)
		return;
	request->http.context = u;
	request->http.read = read_source;
	request->http.rewind = rewind_source;
	request->http.body_size = end - u->offset;
}

static int send_body(struct xb_upload *u, const char *method, const char *url, uint64_t end,
		     struct xb_upload_answer *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;
	int r;

	ret->request = request_of(u, method, url);
	ret->request.once = true;
	ret->request.http.headers = &headers;
	ret->request.http.stall_seconds = FINISH_SECONDS;
	set_body(u, end, &ret->request);
	xb_strv_push(&headers, "Content-Type: application/octet-stream");
	/* a whole body goes without, which is the older and the wider known form */
	if (u->offset > 0 && end > u->offset)
		xb_strv_printf(&headers, "Content-Range: %llu-%llu", (unsigned long long)u->offset,
			       (unsigned long long)(end - 1));
	ret->response = XB_HTTP_RESPONSE_INIT;
	r = xb_registry_perform(u->registry, &ret->request, &ret->response, err);
	ret->request.http.headers = NULL;
	ret->request.http.url = NULL;
	return r;
}

int xb_upload_send(struct xb_upload *u, uint64_t end, struct xb_upload_answer *ret,
		   struct xb_error *err)
{
	return send_body(u, "PATCH", u->location, end, ret, err);
}

int xb_upload_finish(struct xb_upload *u, struct xb_upload_answer *ret, struct xb_error *err)
{
	xb_autofree char *url =
		xb_format("%s%cdigest=%s", u->location,
			  strchr(u->location, '?') != NULL ? '&' : '?', u->blob->digest.text);

	return send_body(u, "PUT", url, u->blob->size, ret, err);
}

int xb_upload_sent(struct xb_upload *u, const struct xb_http_response *response,
		   struct xb_error *err)
{
	xb_autofree char *asked = xb_strdup(u->location);
	uint64_t last = 0;
	int r = follow(u, asked, response, err);

	if (r >= 0)
		r = xb_registry_upload_range(&response->headers, &last, err);
	if (r < 0)
		return broken(err, r);
	/* "0-0" is what some say whatever they have; that they took it, they have said */
	if (r == 0 || last == 0)
		last = u->end - 1;
	if (last >= u->end || last + 1 < u->begin) {
		(void)xb_error_set(err, -EPROTO, "%s: it has %llu bytes, of %llu that were sent",
				   response->url, (unsigned long long)last + 1,
				   (unsigned long long)u->end);
		return broken(err, -EPROTO);
	}
	u->offset = last + 1;
	return 0;
}

int xb_upload_ask(struct xb_upload *u, struct xb_error *err)
{
	xb_autofree char *asked = xb_strdup(u->location);
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	struct xb_registry_request request = request_of(u, "GET", asked);
	uint64_t last = 0;
	int r = xb_registry_perform(u->registry, &request, &response, err);

	if (r < 0)
		return r;
	if (response.status < 200 || response.status >= 300)
		return 0;
	/* "0-0" may be one byte or none, or all that a registry ever says here */
	if (xb_registry_upload_range(&response.headers, &last, NULL) <= 0 || last == 0 ||
	    last >= u->blob->size)
		return 0;
	r = follow(u, asked, &response, err);
	if (r < 0)
		return r;
	u->offset = last + 1;
	return 1;
}

void xb_upload_cancel(struct xb_upload *u)
{
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	struct xb_registry_request request;

	if (u->location == NULL)
		return;
	request = request_of(u, "DELETE", u->location);
	request.once = true;
	request.http.stall_seconds = CANCEL_SECONDS;
	request.http.connect_seconds = CANCEL_SECONDS;
	(void)xb_registry_perform(u->registry, &request, &response, NULL);
	xb_upload_clear(u);
}
