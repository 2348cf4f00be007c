/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/request.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/http_header.h"
#include "base/http_pause.h"
#include "base/http_url.h"
#include "manifest/registry/throttle.h"
#include "manifest/registry/words.h"

enum {
	DEFAULT_ATTEMPTS = 7,
	MIRROR_ATTEMPTS = 2, /* there is another to ask */
	DEFAULT_PAUSE_MS = 250,
	/* For how many times the first pause a registry may go on saying "too many requests": two
	 * minutes. */
	PATIENCE = 480,
	MAX_IDLE = 16, /* clients that are kept */
};

/* A client that nobody uses, and the host that its connection may still be good for. */
struct idle {
	struct xb_http *http;
	char *host;
};

struct xb_registry {
	struct xb_registry_options options;
	struct xb_auth *auth;
	struct xb_throttle *throttle;
	pthread_mutex_t lock;				/* of `idle` */
	struct idle_clients XB_ARRAY(struct idle) idle; /* the longest unused first */
};

int xb_registry_new(const struct xb_registry_options *options, struct xb_registry **ret,
		    struct xb_error *err)
{
	struct xb_registry *registry = xb_calloc(1, sizeof(*registry));
	struct xb_registry_options *own = &registry->options;
	struct xb_auth_options auth;

	(void)err;
	*own = *options;
	if (own->attempts == 0)
		own->attempts = DEFAULT_ATTEMPTS;
	if (own->pause_ms == 0)
		own->pause_ms = DEFAULT_PAUSE_MS;
	auth = (struct xb_auth_options){ .hosts = own->hosts,
					 .credentials = own->credentials,
					 .cancel_fd = own->cancel_fd,
					 .attempts = own->attempts,
					 .pause_ms = own->pause_ms };
	registry->auth = xb_auth_new(&auth);
	registry->throttle = xb_throttle_new(own->pause_ms / 2 + 1);
	(void)pthread_mutex_init(&registry->lock, NULL);
	*ret = registry;
	return 0;
}

void xb_registry_free(struct xb_registry *registry)
{
	if (registry == NULL)
		return;
	for (size_t i = 0; i < registry->idle.len; i++) {
		xb_http_free(registry->idle.items[i].http);
		free(registry->idle.items[i].host);
	}
	xb_array_clear(&registry->idle);
	xb_auth_free(registry->auth);
	xb_throttle_free(registry->throttle);
	(void)pthread_mutex_destroy(&registry->lock);
	free(registry);
}

/* Take the idle client at `index` out. */
static struct xb_http *take_idle(struct xb_registry *registry, size_t index)
{
	struct xb_http *http = registry->idle.items[index].http;

	free(registry->idle.items[index].host);
	registry->idle.len--;
	for (size_t i = index; i < registry->idle.len; i++)
		registry->idle.items[i] = registry->idle.items[i + 1];
	return http;
}

/* A client, if there is one with a connection to this host. */
static int take_client(struct xb_registry *registry, const char *host, struct xb_http **ret,
		       struct xb_error *err)
{
	struct xb_http *http = NULL;

	(void)pthread_mutex_lock(&registry->lock);
	for (size_t i = registry->idle.len; http == NULL && i-- > 0;) {
		if (strcmp(registry->idle.items[i].host, host) == 0)
			http = take_idle(registry, i);
	}
	(void)pthread_mutex_unlock(&registry->lock);
	if (http == NULL)
		return xb_http_new(ret, err);
	*ret = http;
	return 0;
}

static void give_client(struct xb_registry *registry, const char *host, struct xb_http *http)
{
	struct xb_http *oldest = NULL;

	(void)pthread_mutex_lock(&registry->lock);
	if (registry->idle.len == MAX_IDLE)
		oldest = take_idle(registry, 0);
	*xb_array_push(&registry->idle) = (struct idle){ .http = http, .host = xb_strdup(host) };
	(void)pthread_mutex_unlock(&registry->lock);
	xb_http_free(oldest);
}

static int origin_of(const char *url, char **ret, struct xb_error *err)
{
	xb_auto_http_url struct xb_http_url parsed = XB_HTTP_URL_INIT;
	int r = xb_http_url_parse(url, &parsed, err);

	if (r < 0)
		return r;
	*ret = XB_STEAL(parsed.origin);
	return 0;
}

/* A request under way, with what is decided for it here. */
struct call {
	struct xb_registry *registry;
	const struct xb_registry_request *request;
	struct xb_auth_scope scope;
	struct xb_http_request http;
	struct xb_http *client;
	char *origin;	     /* the endpoint's */
	bool elsewhere;	     /* the URL is of another origin */
	char *authorization; /* what goes with it, or NULL */
	bool answered;	     /* a 401 has been, since the last answer that was none */
};

static void call_clear(struct call *call)
{
	if (call->client != NULL)
		give_client(call->registry, call->request->endpoint->host, call->client);
	free(call->origin);
	xb_auth_value_free(call->authorization);
}

static int call_begin(struct call *call, struct xb_error *err)
{
	const struct xb_registry_request *request = call->request;
	xb_autofree char *origin = NULL;
	int r = origin_of(request->endpoint->url, &call->origin, err);

	if (r >= 0)
		r = origin_of(request->http.url, &origin, err);
	if (r < 0)
		return r;
	call->elsewhere = strcmp(origin, call->origin) != 0;
	call->http = request->http;
	call->http.attempts = 1;
	call->http.cancel_fd = call->registry->options.cancel_fd;
	call->http.redirected = call->elsewhere;
	call->http.tls = &request->endpoint->tls;
	call->scope = (struct xb_auth_scope){ .path = request->endpoint->path,
					      .actions = request->actions,
					      .from = request->from };
	if (!call->elsewhere)
		xb_auth_get(call->registry->auth, request->endpoint, &call->scope,
			    &call->authorization);
	return take_client(call->registry, request->endpoint->host, &call->client, err);
}

/* Wait for this host's turn, ask, and note how it took it. */
static int ask_once(struct call *call, struct xb_http_response *ret, struct xb_error *err)
{
	struct xb_registry *registry = call->registry;
	const char *host = call->request->endpoint->host;
	uint64_t wait = xb_throttle_ask(registry->throttle, host, xb_clock_monotonic());
	int r = 0;

	if (wait > 0)
		r = xb_http_sleep(registry->options.cancel_fd, wait / 1000000, err);
	if (r < 0)
		return r;
	call->http.authorization = call->authorization;
	r = xb_http_perform(call->client, &call->http, ret, err);
	if (r >= 0)
		xb_throttle_tell(registry->throttle, host, ret->status,
				 xb_http_retry_after(&ret->headers, xb_clock_now()),
				 xb_clock_monotonic());
	return r;
}

static bool is_from_endpoint(const struct call *call, const struct xb_http_response *response)
{
	return response->origin != NULL && strcmp(response->origin, call->origin) == 0;
}

/* Do what a 401 asks for: 1 to ask once more, 0 when it is final. */
static int authorise(struct call *call, struct xb_http_response *refused, struct xb_error *err)
{
	char *value = NULL;
	int r;

	if (refused->status != 401 || call->answered || call->elsewhere ||
	    !is_from_endpoint(call, refused))
		return 0;
	call->answered = true;
	r = xb_auth_answer(call->registry->auth, call->client, call->request->endpoint,
			   &call->scope, refused, call->authorization, &value, err);
	if (r < 0)
		return r;
	xb_auth_value_free(call->authorization);
	call->authorization = value;
	if (call->http.rewind != NULL)
		r = call->http.rewind(call->http.context, err);
	xb_http_response_clear(refused);
	return r < 0 ? r : 1;
}

/* One try, the 401 that is part of it included. */
static int try_call(struct call *call, struct xb_http_response *ret, struct xb_error *err)
{
	int r;

	call->answered = false;
	do {
		r = ask_once(call, ret, err);
		if (r >= 0)
			r = authorise(call, ret, err);
	} while (r > 0);
	if (r == 0 && (ret->status == 401 || ret->status == 403) && !is_from_endpoint(call, ret))
		ret->may_pass = true;
	return r;
}

/* 429, and 503 that says for how long, are no failures as long as there is patience. */
static bool is_too_much(const struct xb_http_response *response)
{
	return response->status == 429 ||
	       (response->status == 503 &&
		xb_http_retry_after(&response->headers, xb_clock_now()) >= 0);
}

static bool has_patience(const struct xb_registry *registry, struct xb_registry_tries *tries)
{
	uint64_t now = xb_clock_monotonic();

	if (tries->since == 0)
		tries->since = now;
	return now - tries->since < registry->options.pause_ms * UINT64_C(1000000) * PATIENCE;
}

static unsigned most_attempts(const struct xb_registry *registry,
			      const struct xb_registry_request *request, int r)
{
	unsigned attempts = registry->options.attempts;

	/* nobody there, or there is somebody else */
	if ((request->endpoint->mirror || r == -ECONNREFUSED) && attempts > MIRROR_ATTEMPTS)
		return MIRROR_ATTEMPTS;
	return attempts;
}

/* How long to pause in milliseconds, or -1: there is no use in waiting. */
static int64_t pause_for(struct xb_registry *registry, const struct xb_registry_request *request,
			 struct xb_registry_tries *tries, int r,
			 const struct xb_http_response *response)
{
	int64_t asked = r < 0 ? -1 : xb_http_retry_after(&response->headers, xb_clock_now());
	uint64_t pause;

	if (!response->may_pass || asked > XB_MAX_HTTP_PAUSE)
		return -1;
	tries->count++;
	if (r == 0 && is_too_much(response) ? !has_patience(registry, tries)
					    : tries->count >= most_attempts(registry, request, r))
		return -1;
	pause = xb_http_pause(registry->options.pause_ms, tries->count);
	if (asked >= 0 && (uint64_t)asked * 1000 > pause)
		pause = (uint64_t)asked * 1000;
	return (int64_t)pause;
}

int xb_registry_again(struct xb_registry *registry, const struct xb_registry_request *request,
		      struct xb_registry_tries *tries, int r, struct xb_http_response *response,
		      struct xb_error *err)
{
	int64_t pause = pause_for(registry, request, tries, r, response);

	if (pause < 0)
		return 0;
	xb_error_clear(err);
	xb_http_response_clear(response);
	r = xb_http_sleep(registry->options.cancel_fd, (uint64_t)pause, err);
	return r < 0 ? r : 1;
}

int xb_registry_perform(struct xb_registry *registry, const struct xb_registry_request *request,
			struct xb_http_response *ret, struct xb_error *err)
{
	XB_CLEANUP(call_clear)
	struct call call = { .registry = registry, .request = request };
	struct xb_registry_tries tries = { 0 };
	xb_auto_error struct xb_error own = XB_ERROR_INIT;
	int r = call_begin(&call, err), next = r < 0 ? 0 : 1;

	while (next > 0) {
		r = try_call(&call, ret, &own);
		next = request->once ? 0
				     : xb_registry_again(registry, request, &tries, r, ret, &own);
		if (next > 0 && call.http.rewind != NULL)
			next = call.http.rewind(call.http.context, &own) < 0 ? own.code : 1;
	}
	r = next < 0 ? next : r;
	if (r < 0 && err != NULL && own.message != NULL)
		xb_error_move(err, &own);
	return r;
}

int xb_registry_fail(struct xb_registry *registry, const struct xb_registry_request *request,
		     const struct xb_http_response *response, struct xb_error *err)
{
	const struct xb_auth_scope scope = { .path = request->endpoint->path,
					     .actions = request->actions,
					     .from = request->from };
	int64_t asked = xb_http_retry_after(&response->headers, xb_clock_now());
	xb_autofree char *origin = NULL;
	int r = origin_of(request->endpoint->url, &origin, err);

	if (r < 0)
		return r;
	if (response->status >= 200 && response->status < 300) {
		(void)xb_error_set(err, -EPROTO, "%s: status %d was not to be expected",
				   response->url, response->status);
		return xb_error_fault(err, XB_FAULT_REGISTRY), -EPROTO;
	}
	if ((response->status == 401 || response->status == 403) &&
	    strcmp(response->origin, origin) == 0)
		return xb_auth_refuse(registry->auth, request->endpoint, &scope, response, err);
	r = xb_registry_refuse(response, err);
	if (asked > 0)
		(void)xb_error_hint(err, "it asks to be left alone for %lld seconds",
				    (long long)asked);
	return r;
}

int xb_registry_ask(struct xb_registry *registry, const struct xb_registry_request *request,
		    struct xb_http_response *ret, struct xb_error *err)
{
	int r = xb_registry_perform(registry, request, ret, err);

	if (r < 0 || (ret->status >= 200 && ret->status < 300))
		return r;
	return xb_registry_fail(registry, request, ret, err);
}

static int begin_body(void *context, const struct xb_http_response *response, struct xb_error *err)
{
	(void)response;
	(void)err;
	xb_str_reset(context);
	return 0;
}

static int take_body(void *context, const void *data, size_t len, struct xb_error *err)
{
	return xb_str_append(context, data, len) < 0
		       ? xb_error_set(err, -EFBIG, "the answer is too large")
		       : 0;
}

int xb_registry_fetch(struct xb_registry *registry, const struct xb_registry_request *request,
		      struct xb_str *ret_body, struct xb_http_response *ret, struct xb_error *err)
{
	struct xb_registry_request fetch = *request;

	fetch.http.context = ret_body;
	fetch.http.begin = begin_body;
	fetch.http.write = take_body;
	return xb_registry_ask(registry, &fetch, ret, err);
}

void xb_registry_query(struct xb_str *s, const char *value)
{
	for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
		bool plain = (*c >= '0' && *c <= '9') ||
			     ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z') ||
			     strchr("-._~:/", *c) != NULL;

		if (plain)
			(void)xb_str_putc(s, (char)*c);
		else
			(void)xb_str_printf(s, "%%%02X", *c);
	}
}

char *xb_registry_url(const struct xb_registry_endpoint *endpoint, const char *query,
		      const char *format, ...)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(XB_STR_OWN);
	va_list args;

	(void)xb_str_printf(&s, "%s/%s/", endpoint->url, endpoint->path);
	va_start(args, format);
	(void)xb_str_vprintf(&s, format, args);
	va_end(args);
	if (endpoint->ns != NULL) {
		(void)xb_str_puts(&s, "?ns=");
		xb_registry_query(&s, endpoint->ns);
	}
	if (query != NULL)
		(void)xb_str_printf(&s, "%c%s", endpoint->ns != NULL ? '&' : '?', query);
	return xb_str_steal(&s);
}

/* Another may have it where this one has not, or has it wrong. */
static bool is_next_worth_it(const struct xb_error *err)
{
	return err->fault == XB_FAULT_REGISTRY || err->fault == XB_FAULT_SOURCE ||
	       err->fault == XB_FAULT_PROOF;
}

int xb_registry_each(struct xb_registry *registry, const struct xb_reference *ref,
		     int (*read)(void *context, const struct xb_registry_endpoint *endpoint,
				 struct xb_error *err),
		     void *context, struct xb_error *err)
{
	xb_auto_registry_endpoints struct xb_registry_endpoints endpoints = { 0 };
	int r = xb_registry_hosts_find(registry->options.hosts, ref->domain, ref->path, &endpoints,
				       err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < endpoints.len; i++) {
		xb_auto_error struct xb_error own = XB_ERROR_INIT;

		r = read(context, &endpoints.items[i], &own);
		if (r >= 0)
			return r;
		if (i + 1 == endpoints.len || !is_next_worth_it(&own)) {
			if (err != NULL)
				xb_error_move(err, &own);
			return r;
		}
	}
	return r;
}

int xb_registry_origin(struct xb_registry *registry, const struct xb_reference *ref,
		       struct xb_registry_endpoints *endpoints,
		       const struct xb_registry_endpoint **ret, struct xb_error *err)
{
	int r = xb_registry_hosts_find(registry->options.hosts, ref->domain, ref->path, endpoints,
				       err);

	if (r < 0)
		return r;
	*ret = &endpoints->items[endpoints->len - 1];
	return 0;
}
