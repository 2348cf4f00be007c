/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects, second tries and continued bodies, over single exchanges. */
#include "base/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/http_exchange.h"
#include "base/http_header.h"
#include "base/http_pause.h"
#include "base/http_url.h"

enum {
	DEFAULT_ATTEMPTS = 5,
	REFUSED_ATTEMPTS = 2, /* of an address where no name server or balancer is in the way */
	PROGRESS = 64 << 10,  /* bytes after which the attempts count afresh */
};

#define UNKNOWN UINT64_MAX

/* A request under way. */
struct work {
	struct xb_http *http;
	const struct xb_http_request *request;
	const char *method; /* of the request as it was made */
	struct xb_error *err;

	/* the body, as far as it has come; kept from one attempt to the next */
	struct xb_http_response good;
	bool began;	 /* `good` is what it began with */
	uint64_t total;	 /* its bytes, or UNKNOWN */
	char *validator; /* what the server knows it by, NULL: it cannot be continued */

	/* of this attempt */
	struct xb_http_url url; /* where it has got to */
	const char *now_method;
	bool left;		     /* a redirect has left the origin: no credentials any more */
	bool redirected;	     /* there was a redirect */
	bool ranged;		     /* the rest of the body was asked for */
	bool taking;		     /* what comes belongs to the body that is wanted */
	bool again;		     /* what went wrong may pass */
	bool decode;		     /* the body is in gzip, and not wanted so */
	bool anew;		     /* ... which came out just now: ask once more */
	struct xb_http_response bad; /* a final answer that is no success */
};

static void work_clear(struct work *w)
{
	xb_http_response_clear(&w->good);
	xb_http_response_clear(&w->bad);
	xb_http_url_clear(&w->url);
	free(w->validator);
}

void xb_http_response_clear(struct xb_http_response *response)
{
	xb_strv_clear(&response->headers);
	xb_str_clear(&response->text);
	free(response->origin);
	free(response->url);
	*response = XB_HTTP_RESPONSE_INIT;
}

static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

static bool is_redirect(const struct xb_http_exchange *x)
{
	return (x->status == 301 || x->status == 302 || x->status == 303 || x->status == 307 ||
		x->status == 308) &&
	       xb_http_header(&x->answer, "location", 0) != NULL;
}

static void fill_response(const struct work *w, const struct xb_http_exchange *x,
			  struct xb_http_response *ret)
{
	xb_http_response_clear(ret);
	ret->status = x->status;
	ret->origin = xb_strdup(w->url.origin);
	ret->url = xb_strdup(w->url.shown);
	xb_strv_copy(&ret->headers, &x->answer);
}

static bool has_body(const struct work *w)
{
	return strcmp(w->now_method, "HEAD") != 0;
}

static int too_large(const struct work *w)
{
	(void)xb_error_set(w->err, -EFBIG, "more than %llu bytes",
			   (unsigned long long)w->request->max_size);
	(void)xb_error_fault(w->err, XB_FAULT_SOURCE); /* and no use in trying again */
	return -EFBIG;
}

/* A body starts from its beginning. */
static int start_body(struct work *w, const struct xb_http_exchange *x)
{
	const struct xb_http_request *request = w->request;
	const char *units = xb_http_header(&x->answer, "accept-ranges", 0);
	const char *validator = xb_http_validator(&x->answer);
	int r = xb_http_length(&x->answer, &w->total, w->err);

	if (r < 0)
		return r;
	if (r == 0 || w->decode || !has_body(w))
		w->total = UNKNOWN;
	if (w->total != UNKNOWN && w->total > request->max_size)
		return too_large(w);
	if (w->began && request->begin == NULL && w->good.size > 0)
		return xb_error_set(w->err, -ECONNRESET, "it was cut and cannot be continued");
	free(w->validator);
	/* ranges are counted in the bytes that are sent */
	w->validator = !w->decode && (units == NULL || strcmp(units, "none") != 0)
			       ? xb_strdup(validator)
			       : NULL;
	fill_response(w, x, &w->good);
	w->began = true;
	return request->begin != NULL ? request->begin(request->context, &w->good, w->err) : 0;
}

/* The server continues a body: it has to be the same one, from where the first part ended. */
static int continue_body(struct work *w, const struct xb_http_exchange *x)
{
	const char *etag = xb_http_header(&x->answer, "etag", 0);
	const char *first_etag = xb_http_header(&w->good.headers, "etag", 0);
	struct xb_http_range range = { 0 };
	int r = x->status == 206 ? xb_http_range(&x->answer, &range, w->err) : 0;

	if (r < 0)
		return r;
	if (r > 0 && range.first == w->good.size &&
	    (range.total == UNKNOWN || w->total == UNKNOWN || range.total == w->total) &&
	    (etag == NULL || first_etag == NULL || strcmp(etag, first_etag) == 0)) {
		if (w->total == UNKNOWN)
			w->total = range.total;
		return 0;
	}
	/* from the start, then */
	free(w->validator);
	w->validator = NULL;
	w->again = true;
	return xb_error_set(w->err, -EPROTO, "another part than the one that was asked for");
}

/* The body comes in gzip though that was not asked for: as it is stored there, say. */
static bool is_encoded(const struct work *w, const struct xb_http_exchange *x)
{
	const char *encoding = xb_http_header(&x->answer, "content-encoding", 0);

	return encoding != NULL && strcasecmp(encoding, "gzip") == 0 && has_body(w);
}

static int on_head(void *context, struct xb_http_exchange *x, struct xb_error *err)
{
	struct work *w = context;

	(void)err;
	w->taking = is_success(x->status);
	if (x->status == 206 && w->request->from > 0)
		return start_body(w, x);
	if (x->status == 206 && !w->ranged)
		return xb_error_set(w->err, -EPROTO, "a part came where all was asked for");
	/* 416: there is no such part any more */
	if (x->status == 206 || (x->status == 416 && w->ranged))
		return continue_body(w, x);
	if (w->taking && w->request->decode && !w->decode && is_encoded(w, x)) {
		w->decode = w->anew = true;
		return xb_error_set(w->err, -EAGAIN, "the body is in gzip");
	}
	if (w->taking)
		return start_body(w, x);
	if (!is_redirect(x))
		fill_response(w, x, &w->bad);
	return 0;
}

static int on_body(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct work *w = context;
	const struct xb_http_request *request = w->request;
	int r = 0;

	if (len > request->max_size - w->good.size)
		return too_large(w);
	if (request->write != NULL)
		r = request->write(request->context, data, len, err);
	w->good.size += len;
	return r < 0 ? r : 0;
}

/* The body of an answer that is no success: its start will do. */
static int on_other_body(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct xb_http_response *bad = &((struct work *)context)->bad;
	size_t room = bad->text.max - bad->text.len;

	(void)err;
	(void)xb_str_append(&bad->text, data, len < room ? len : room);
	return len >= room;
}

static int dispatch_body(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct work *w = context;

	return w->taking ? on_body(w, data, len, err) : on_other_body(w, data, len, err);
}

/* A line of the caller's: no line end in it, no credentials, which have their own place. */
static int add_header(struct xb_strv *lines, const char *line, struct xb_error *err)
{
	static const char *const own[] = { "authorization", "cookie", "range", "if-range", "host" };
	xb_auto_strv struct xb_strv read = XB_STRV_INIT;
	int r = xb_http_header_add(&read, xb_view(line), NULL);

	for (size_t i = 0; r >= 0 && i < XB_COUNT(own); i++) {
		if (xb_http_header(&read, own[i], 0) != NULL)
			r = -EINVAL;
	}
	if (r < 0 || strpbrk(line, "\r\n") != NULL)
		return xb_error_set(err, -EINVAL, "malformed header in the request");
	xb_strv_push(lines, line);
	return 0;
}

static int add_credentials(const struct work *w, const char *user, struct xb_strv *lines)
{
	const char *value = w->request->authorization != NULL ? w->request->authorization : user;

	if (value == NULL || w->left)
		return 0;
	for (const char *c = value; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return xb_error_set(w->err, -EINVAL, "malformed credentials");
	}
	xb_strv_printf(lines, "Authorization: %s", value);
	return 0;
}

static int make_headers(struct work *w, const char *user, struct xb_strv *lines)
{
	const struct xb_strv *more = w->request->headers;
	int r = add_credentials(w, user, lines);

	xb_strv_push(lines, "Accept-Encoding: identity");
	xb_strv_push(lines, "User-Agent: xbuild/" XB_VERSION);
	for (size_t i = 0; r >= 0 && more != NULL && i < more->len; i++)
		r = add_header(lines, more->items[i], w->err);
	if (w->request->from > 0 && strcmp(w->now_method, "GET") == 0)
		xb_strv_printf(lines, "Range: bytes=%llu-", (unsigned long long)w->request->from);
	w->ranged = w->good.size > 0 && w->validator != NULL && strcmp(w->now_method, "GET") == 0;
	if (w->ranged) {
		xb_strv_printf(lines, "Range: bytes=%llu-", (unsigned long long)w->good.size);
		xb_strv_printf(lines, "If-Range: %s", w->validator);
	}
	return r;
}

/* Whether what came is all that was said to come. */
static int check_whole(struct work *w, const struct xb_http_exchange *x)
{
	if (!is_success(x->status) || w->total == UNKNOWN || w->good.size == w->total)
		return 0;
	w->again = w->good.size < w->total;
	return xb_error_set(w->err, w->again ? -ECONNRESET : -EPROTO, "%llu bytes came of %llu",
			    (unsigned long long)w->good.size, (unsigned long long)w->total);
}

static int send_body_again(struct work *w)
{
	if (w->request->read == NULL)
		return 0;
	if (w->request->rewind == NULL)
		return xb_error_set(w->err, -EPERM, "the body would have to be sent again");
	return w->request->rewind(w->request->context, w->err);
}

static int refuse_redirect(struct work *w, const char *why)
{
	return xb_error_set(w->err, -EPERM, "a redirect %s is not followed", why);
}

/* What the method becomes; 307 and 308 keep it. */
static int change_method(struct work *w, int status)
{
	bool plain = strcmp(w->now_method, "GET") == 0 || strcmp(w->now_method, "HEAD") == 0;

	if (plain)
		return 0;
	if (status == 307 || status == 308)
		return send_body_again(w);
	w->now_method = "GET";
	return 0;
}

static int follow(struct work *w, const struct xb_http_exchange *x)
{
	xb_auto_http_url struct xb_http_url next = XB_HTTP_URL_INIT;
	const char *location = NULL;
	int r = xb_http_header_single(&x->answer, "location", &location, w->err);

	if (r < 0)
		return r;
	if (xb_http_url_resolve(&w->url, location, &next, NULL) < 0)
		return refuse_redirect(w, "to something that is not http or https");
	if (w->url.tls && !next.tls)
		return refuse_redirect(w, "from https to http");
	w->left = w->left || strcmp(w->url.origin, next.origin) != 0;
	w->redirected = true;
	xb_http_url_clear(&w->url);
	w->url = next;
	next = XB_HTTP_URL_INIT;
	return change_method(w, x->status);
}

/* One hop: 1 when there is another, since `url` or how to read its body has changed; 0 with a final
 * answer. */
static int hop(struct work *w, const char *user)
{
	xb_auto_strv struct xb_strv lines = XB_STRV_INIT;
	XB_CLEANUP(xb_http_exchange_clear)
	struct xb_http_exchange x = {
		.request = w->request,
		.method = w->now_method,
		.url = &w->url,
		.headers = &lines,
		.send_body = w->request->read != NULL && strcmp(w->now_method, w->method) == 0,
		.redirected = w->redirected,
		.tls = w->request->tls,
		.left = w->left,
		.decode = w->decode,
		.context = w,
		.head = on_head,
		.body = dispatch_body,
	};
	int r = make_headers(w, user, &lines);

	w->taking = false;
	xb_http_response_clear(&w->bad);
	if (r < 0)
		return r;
	r = xb_http_exchange_run(w->http, &x, w->err);
	w->again = w->again || x.again;
	if (w->anew) {
		w->anew = false;
		xb_error_clear(w->err);
		return 1;
	}
	if (r < 0)
		return r;
	if (is_redirect(&x)) {
		r = follow(w, &x);
		return r < 0 ? r : 1;
	}
	return check_whole(w, &x);
}

/* From the request's own URL to a final answer. */
static int attempt(struct work *w)
{
	xb_autofree char *user = NULL;
	int r;

	w->now_method = w->method;
	w->left = w->redirected = w->request->redirected;
	w->again = false;
	xb_http_url_clear(&w->url);
	r = xb_http_url_parse(w->request->url, &w->url, w->err);
	if (r < 0)
		return r;
	user = xb_strdup(w->url.user);
	for (int hops = 0; (r = hop(w, user)) > 0; hops++) {
		if (hops == XB_MAX_HTTP_REDIRECTS)
			return xb_error_set(w->err, -ELOOP, "more than %d redirects",
					    XB_MAX_HTTP_REDIRECTS);
	}
	return r;
}

static bool may_pass(int status)
{
	return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
	       status == 504;
}

/* What is wanted by it can be asked for twice without being done twice. */
static bool may_repeat(const struct work *w)
{
	static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE" };

	for (size_t i = 0; i < XB_COUNT(methods); i++) {
		if (strcmp(w->method, methods[i]) == 0)
			return w->request->read == NULL || w->request->rewind != NULL;
	}
	return false;
}

/* Whether it is this machine, or one that is named by its address. */
static bool is_address(const char *host)
{
	struct in_addr address;

	return host[0] == '[' || strcmp(host, "localhost") == 0 ||
	       inet_pton(AF_INET, host, &address) == 1;
}

static unsigned most_attempts(const struct work *w, int r)
{
	unsigned attempts = w->request->attempts != 0 ? w->request->attempts : DEFAULT_ATTEMPTS;

	if (w->request->from > 0)
		return 1;
	if (r == -ECONNREFUSED && attempts > REFUSED_ATTEMPTS && w->url.host != NULL &&
	    is_address(w->url.host))
		return REFUSED_ATTEMPTS;
	return attempts;
}

/* Whether to try again, after the pause that it takes: 1, 0 or -ECANCELED. */
static int pause_before_next(struct work *w, int r, unsigned tries)
{
	uint64_t pause = xb_http_pause(w->request->pause_ms, tries);
	int64_t asked = -1;

	if (tries >= most_attempts(w, r) || !may_repeat(w) ||
	    !(r < 0 ? w->again : may_pass(w->bad.status)))
		return 0;
	if (r >= 0)
		asked = xb_http_retry_after(&w->bad.headers, xb_clock_now());
	if (asked > XB_MAX_HTTP_PAUSE)
		return 0;
	if (asked >= 0 && (uint64_t)asked * 1000 > pause)
		pause = (uint64_t)asked * 1000;
	r = xb_http_sleep(w->request->cancel_fd, pause, w->err);
	if (r >= 0)
		r = send_body_again(w);
	return r < 0 ? r : 1;
}

static int perform(struct work *w)
{
	for (unsigned tries = 1;; tries++) {
		uint64_t before = w->good.size;
		int r = attempt(w), next;

		/* a large body may be cut more often than it may fail to move */
		if (w->good.size >= before + PROGRESS)
			tries = 1;
		next = pause_before_next(w, r, tries);

		if (next < 0)
			return next;
		if (next == 0)
			return r;
		xb_error_clear(w->err);
	}
}

/* Say where it happened; the URL that was asked for is the caller's to name. */
static int describe(const struct work *w, int r)
{
	if (w->url.shown == NULL)
		return r;
	(void)xb_error_wrap(w->err, r, "%s", w->url.shown);
	(void)xb_error_fault(w->err, XB_FAULT_REGISTRY);
	return r;
}

int xb_http_perform(struct xb_http *http, const struct xb_http_request *request,
		    struct xb_http_response *ret, struct xb_error *err)
{
	xb_auto_error struct xb_error own = XB_ERROR_INIT;
	XB_CLEANUP(work_clear)
	struct work w = {
		.http = http,
		.request = request,
		.method = request->method != NULL ? request->method : "GET",
		.err = &own,
		.good = XB_HTTP_RESPONSE_INIT,
		.bad = XB_HTTP_RESPONSE_INIT,
		.total = UNKNOWN,
	};
	int r = perform(&w);

	if (r < 0) {
		r = describe(&w, r);
		ret->may_pass = w.again;
		if (err != NULL)
			xb_error_move(err, &own);
		return r;
	}
	*ret = w.bad.status != 0 ? w.bad : w.good;
	ret->may_pass = may_pass(ret->status);
	if (w.bad.status != 0)
		w.bad = XB_HTTP_RESPONSE_INIT;
	else
		w.good = XB_HTTP_RESPONSE_INIT;
	return 0;
}

/* The statuses that have an error of their own, or a word that helps more than their number. */
static const struct {
	int status;
	int r;
	enum xb_fault fault;
	const char *word;
} refusals[] = {
	{ 304, -EPROTO, XB_FAULT_REGISTRY, "not modified, which was not asked" },
	{ 401, -EACCES, XB_FAULT_SOURCE, "credentials are wanted" },
	{ 403, -EACCES, XB_FAULT_SOURCE, "forbidden" },
	{ 404, -ENOENT, XB_FAULT_SOURCE, "not found" },
	{ 407, -EACCES, XB_FAULT_SOURCE, "the proxy wants credentials" },
	{ 410, -ENOENT, XB_FAULT_SOURCE, "gone" },
	{ 429, -EREMOTEIO, XB_FAULT_REGISTRY, "too many requests" },
	{ 500, -EREMOTEIO, XB_FAULT_REGISTRY, "a fault of the server" },
	{ 503, -EREMOTEIO, XB_FAULT_REGISTRY, "not available now" },
};

int xb_http_refuse(const struct xb_http_response *response, struct xb_error *err)
{
	int r = -EREMOTEIO;
	enum xb_fault fault = XB_FAULT_REGISTRY;
	const char *word = "";

	for (size_t i = 0; i < XB_COUNT(refusals); i++) {
		if (refusals[i].status == response->status) {
			r = refusals[i].r;
			fault = refusals[i].fault;
			word = refusals[i].word;
		}
	}
	(void)xb_error_set(err, r, "%s: status %d%s%s", response->url, response->status,
			   word[0] != '\0' ? ", " : "", word);
	(void)xb_error_fault(err, fault);
	if (may_pass(response->status))
		(void)xb_error_hint(err, "try again later");
	return r;
}
