/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/token.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "manifest/registry/secret.h"
#include "manifest/registry/words.h"

enum {
	DEFAULT_SECONDS = 60, /* where the server does not say how long */
	MAX_SECONDS = 24 * 60 * 60,
	MAX_MARGIN = 30, /* of a tenth of the time: a request with it has to get there */
};

#define MAX_QUERY ((size_t)64 << 10)

/* What xbuild calls itself where a client has to have a name. */
#define CLIENT "xbuild"

void xb_token_clear(struct xb_token *token)
{
	xb_secret_free(token->value);
	xb_secret_free(token->refresh);
	*token = (struct xb_token){ 0 };
}

char *xb_token_basic(const char *username, const char *password)
{
	xb_auto_secret char *plain = xb_format("%s:%s", username, password);
	xb_auto_secret_str struct xb_str value = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_puts(&value, "Basic ");
	xb_http_base64(xb_view(plain), &value);
	return xb_strdup(xb_str_text(&value));
}

/* Append "name=value" of a query or form, with what has to stand before it. */
static void add_param(struct xb_str *query, const char *name, const char *value)
{
	if (value == NULL)
		return;
	(void)xb_str_printf(query, "%s%s=", query->len > 0 ? "&" : "", name);
	for (const char *c = value; *c != '\0'; c++) {
		if (isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL)
			(void)xb_str_putc(query, *c);
		else
			(void)xb_str_printf(query, "%%%02X", (unsigned)(unsigned char)*c);
	}
}

/* An exchange under way. */
struct exchange {
	struct xb_str answer;
	struct xb_str form; /* to send, empty with GET */
	size_t sent;
};

static void exchange_clear(struct exchange *x)
{
	xb_secret_clear(&x->answer);
	xb_secret_clear(&x->form);
}

static int begin(void *context, const struct xb_http_response *response, struct xb_error *err)
{
	(void)response;
	(void)err;
	xb_str_reset(&((struct exchange *)context)->answer);
	return 0;
}

static int write_answer(void *context, const void *data, size_t len, struct xb_error *err)
{
	if (xb_str_append(&((struct exchange *)context)->answer, data, len) < 0)
		return xb_error_set(err, -EFBIG, "the token is too large");
	return 0;
}

static ssize_t read_form(void *context, void *data, size_t size, struct xb_error *err)
{
	struct exchange *x = context;
	struct xb_view rest = xb_view_sub(xb_str_view(&x->form), x->sent, size);

	(void)err;
	if (rest.len > 0)
		memcpy(data, rest.data, rest.len);
	x->sent += rest.len;
	return (ssize_t)rest.len;
}

/* Refused for who is asking: 400 is what OAuth 2 has for a refresh token that is not good. */
static int refused(const struct xb_token_request *request, const struct xb_http_response *response,
		   struct xb_error *err)
{
	const struct xb_credential *credential = request->credential;
	xb_auto_str struct xb_str words = XB_STR_INIT(XB_STR_OWN);

	xb_registry_words(response, &words);
	if (xb_credential_is_empty(credential))
		(void)xb_error_set(err, -EACCES,
				   "the token server %s gives nobody in particular a token",
				   request->realm->host);
	else
		(void)xb_error_set(err, -EACCES, "the token server %s refuses the %s%s%s from %s",
				   request->realm->host,
				   credential->identity_token != NULL ? "identity token"
								      : "password",
				   credential->username != NULL ? " of " : "",
				   credential->username != NULL ? credential->username : "",
				   credential->source);
	if (words.len > 0 && err != NULL) {
		xb_autofree char *message = xb_format("%s: %s", err->message, xb_str_text(&words));

		(void)xb_error_set(err, -EACCES, "%s", message);
	}
	return xb_error_fault(err, XB_FAULT_REGISTRY), -EACCES;
}

static int judge(const struct xb_token_request *request, const struct xb_http_response *response,
		 struct xb_error *err)
{
	bool posted = request->credential->identity_token != NULL;

	if (response->status >= 200 && response->status < 300)
		return 0;
	if (response->status == 401 || response->status == 403 ||
	    (response->status == 400 && posted))
		return refused(request, response, err);
	return xb_error_wrap(err, xb_registry_refuse(response, err), "asking for a token");
}

static int no_token(const char *why, struct xb_error *err)
{
	(void)xb_error_set(err, -EPROTO, "the token server's answer %s", why);
	return xb_error_fault(err, XB_FAULT_REGISTRY), -EPROTO;
}

/* Whether a header can hold it and nothing behind it. */
static bool is_printable(const char *token)
{
	for (; *token != '\0'; token++) {
		if (*token <= ' ' || *token > '~')
			return false;
	}
	return true;
}

static uint64_t expiry(uint64_t asked, uint64_t seconds)
{
	uint64_t margin;

	if (seconds == 0)
		seconds = DEFAULT_SECONDS;
	if (seconds > MAX_SECONDS)
		seconds = MAX_SECONDS;
	margin = seconds / 10 < MAX_MARGIN ? seconds * 100 : MAX_MARGIN * 1000; /* in ms */
	return asked + (seconds * 1000 - margin) * 1000000;
}

/* Read the document that came for a request that was made at `asked`. */
static int read_token(struct xb_view text, uint64_t asked, struct xb_token *ret,
		      struct xb_error *err)
{
	xb_auto_secret_json json_t *document = NULL;
	const char *value = NULL, *other = NULL, *refresh = NULL;
	uint64_t seconds = 0;

	/* the parser's own words may be the token's */
	if (xb_json_parse(text, XB_MAX_TOKEN_DOCUMENT, &document, NULL) < 0 ||
	    xb_json_get_string(document, "token", &value, NULL) < 0 ||
	    xb_json_get_string(document, "access_token", &other, NULL) < 0 ||
	    xb_json_get_string(document, "refresh_token", &refresh, NULL) < 0 ||
	    xb_json_get_u64(document, "expires_in", &seconds, NULL) < 0)
		return no_token("is not the JSON of a token", err);
	if (value == NULL || value[0] == '\0')
		value = other;
	if (value == NULL || value[0] == '\0')
		return no_token("has no token in it", err);
	if (!is_printable(value))
		return no_token("has a token that no header can hold", err);
	ret->value = xb_strdup(value);
	ret->refresh = refresh != NULL && refresh[0] != '\0' ? xb_strdup(refresh) : NULL;
	ret->expires = expiry(asked, seconds);
	return 0;
}

static int exchange(struct xb_http *http, const struct xb_token_request *request,
		    struct xb_http_request *what, struct exchange *x, struct xb_token *ret,
		    struct xb_error *err)
{
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	uint64_t asked = xb_clock_monotonic();
	int r;

	what->context = x;
	what->tls = &request->realm->tls;
	what->begin = begin;
	what->write = write_answer;
	what->max_size = XB_MAX_TOKEN_DOCUMENT;
	what->cancel_fd = request->cancel_fd;
	what->attempts = request->attempts;
	what->pause_ms = request->pause_ms;
	r = xb_http_perform(http, what, &response, err);
	if (r < 0)
		return xb_error_wrap(err, r, "asking for a token");
	r = judge(request, &response, err);
	return r < 0 ? r : read_token(xb_str_view(&x->answer), asked, ret, err);
}

/* By GET, with the password where there is one. */
static int get(struct xb_http *http, const struct xb_token_request *request, struct xb_token *ret,
	       struct xb_error *err)
{
	const struct xb_credential *credential = request->credential;
	const char *realm = request->realm->url.text;
	XB_CLEANUP(exchange_clear)
	struct exchange x = { .answer = XB_STR_INIT(XB_MAX_TOKEN_DOCUMENT) };
	struct xb_http_request what = XB_HTTP_REQUEST_INIT;
	xb_auto_str struct xb_str query = XB_STR_INIT(MAX_QUERY);
	xb_auto_secret char *basic = NULL;
	xb_autofree char *url = NULL;

	add_param(&query, "service", request->service);
	for (size_t i = 0; i < request->scopes->len; i++)
		add_param(&query, "scope", request->scopes->items[i]);
	if (credential->password != NULL) {
		add_param(&query, "account", credential->username);
		basic = xb_token_basic(credential->username != NULL ? credential->username : "",
				       credential->password);
	}
	url = xb_format("%s%s%s", realm,
			query.len == 0		     ? ""
			: strchr(realm, '?') != NULL ? "&"
						     : "?",
			xb_str_text(&query));
	what.url = url;
	what.authorization = basic;
	return exchange(http, request, &what, &x, ret, err);
}

/* By POST, with the identity token; a redirect that would have it sent on is not followed. */
static int post(struct xb_http *http, const struct xb_token_request *request, struct xb_token *ret,
		struct xb_error *err)
{
	xb_autofree char *scope = xb_strv_join(request->scopes, " ");
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;
	XB_CLEANUP(exchange_clear)
	struct exchange x = { .answer = XB_STR_INIT(XB_MAX_TOKEN_DOCUMENT),
			      .form = XB_STR_INIT(MAX_QUERY) };
	struct xb_http_request what = XB_HTTP_REQUEST_INIT;

	add_param(&x.form, "grant_type", "refresh_token");
	add_param(&x.form, "service", request->service);
	add_param(&x.form, "client_id", CLIENT);
	add_param(&x.form, "scope", request->scopes->len > 0 ? scope : NULL);
	add_param(&x.form, "refresh_token", request->credential->identity_token);
	if (xb_str_overflowed(&x.form))
		return xb_error_set(err, -EFBIG, "the identity token is too large");
	xb_strv_push(&headers, "Content-Type: application/x-www-form-urlencoded");
	what.method = "POST";
	what.url = request->realm->url.text;
	what.headers = &headers;
	what.read = read_form;
	what.body_size = x.form.len;
	return exchange(http, request, &what, &x, ret, err);
}

int xb_token_fetch(struct xb_http *http, const struct xb_token_request *request,
		   struct xb_token *ret, struct xb_error *err)
{
	if (request->credential->identity_token != NULL)
		return post(http, request, ret, err);
	return get(http, request, ret, err);
}
