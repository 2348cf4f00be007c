/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_url.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/http_curl.h"

void xb_http_url_clear(struct xb_http_url *url)
{
	free(url->text);
	free(url->origin);
	free(url->host);
	free(url->path);
	free(url->user);
	free(url->shown);
	*url = XB_HTTP_URL_INIT;
}

/* libcurl's own handle of a URL, and the calls for it. */
struct handle {
	const struct xb_curl *curl;
	CURLU *url;
};

static void handle_clear(struct handle *h)
{
	if (h->curl != NULL)
		h->curl->url_cleanup(h->url);
}

static int handle_open(struct handle *h, struct xb_error *err)
{
	h->curl = xb_curl_get(err);
	if (h->curl == NULL)
		return -ENOSYS;
	h->url = h->curl->url();
	if (h->url == NULL)
		xb_die("out of memory");
	return 0;
}

static int malformed(struct xb_error *err)
{
	(void)xb_error_set(err, -EINVAL, "not a URL of http or https");
	return xb_error_fault(err, XB_FAULT_SOURCE), -EINVAL;
}

/* Absolute, or relative to what the handle holds. */
static int handle_set(struct handle *h, const char *text, struct xb_error *err)
{
	if (strlen(text) > XB_MAX_HTTP_URL ||
	    h->curl->url_set(h->url, CURLUPART_URL, text, CURLU_ALLOW_SPACE | CURLU_URLENCODE) !=
		    CURLUE_OK)
		return malformed(err);
	return 0;
}

/* A copy of a part, NULL when the URL does not have it. */
static char *part(const struct handle *h, CURLUPart what, unsigned flags)
{
	char *text = NULL, *copy;

	if (h->curl->url_get(h->url, what, &text, flags) != CURLUE_OK)
		return NULL;
	copy = xb_strdup(text);
	h->curl->free(text);
	return copy;
}

static void lower(char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		*text = (char)tolower((unsigned char)*text);
}

void xb_http_base64(struct xb_view data, struct xb_str *ret)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < data.len; i += 3) {
		unsigned group = 0;

		for (size_t k = 0; k < 3; k++)
			group = group << 8 |
				(i + k < data.len ? (unsigned char)data.data[i + k] : 0U);
		for (size_t k = 0; k < 4; k++)
			(void)xb_str_putc(
				ret, i + k <= data.len ? digits[group >> (18 - 6 * k) & 63] : '=');
	}
}

static char *basic(const char *user, const char *password)
{
	xb_auto_str struct xb_str plain = XB_STR_INIT(2 * XB_MAX_HTTP_URL);
	xb_auto_str struct xb_str value = XB_STR_INIT(4 * XB_MAX_HTTP_URL);

	(void)xb_str_printf(&plain, "%s:%s", user != NULL ? user : "",
			    password != NULL ? password : "");
	(void)xb_str_puts(&value, "Basic ");
	xb_http_base64(xb_str_view(&plain), &value);
	return xb_str_steal(&value);
}

/* Take user name and password out of the handle. */
static char *take_user(struct handle *h)
{
	xb_autofree char *user = part(h, CURLUPART_USER, CURLU_URLDECODE);
	xb_autofree char *password = part(h, CURLUPART_PASSWORD, CURLU_URLDECODE);

	(void)h->curl->url_set(h->url, CURLUPART_USER, NULL, 0);
	(void)h->curl->url_set(h->url, CURLUPART_PASSWORD, NULL, 0);
	(void)h->curl->url_set(h->url, CURLUPART_OPTIONS, NULL, 0);
	return user != NULL || password != NULL ? basic(user, password) : NULL;
}

static char *shown(const char *text)
{
	const char *query = strchr(text, '?');

	return query == NULL ? xb_strdup(text) : xb_format("%.*s?…", (int)(query - text), text);
}

/* Fill `ret` from what the handle holds. */
static int take_apart(struct handle *h, struct xb_http_url *ret, struct xb_error *err)
{
	xb_auto_http_url struct xb_http_url url = XB_HTTP_URL_INIT;
	xb_autofree char *scheme = part(h, CURLUPART_SCHEME, 0);
	xb_autofree char *port = part(h, CURLUPART_PORT, CURLU_DEFAULT_PORT);

	lower(scheme);
	url.user = take_user(h);
	(void)h->curl->url_set(h->url, CURLUPART_FRAGMENT, NULL, 0);
	url.text = part(h, CURLUPART_URL, 0);
	url.host = part(h, CURLUPART_HOST, 0);
	url.path = part(h, CURLUPART_PATH, CURLU_URLDECODE);
	if (url.path == NULL) /* control bytes would come out of it */
		url.path = part(h, CURLUPART_PATH, 0);
	lower(url.host);
	if (scheme == NULL || port == NULL || url.text == NULL || url.host == NULL ||
	    url.host[0] == '\0' || url.path == NULL)
		return malformed(err);
	url.tls = strcmp(scheme, "https") == 0;
	if (!url.tls && strcmp(scheme, "http") != 0)
		return malformed(err);
	url.origin = xb_format("%s://%s:%s", scheme, url.host, port);
	url.shown = shown(url.text);
	*ret = url;
	url = XB_HTTP_URL_INIT;
	return 0;
}

/* libcurl also takes one slash, or three, as a browser does. */
static bool has_authority(const char *text)
{
	const char *after = strstr(text, "://");

	return after != NULL && after[3] != '/';
}

int xb_http_url_parse(const char *text, struct xb_http_url *ret, struct xb_error *err)
{
	XB_CLEANUP(handle_clear) struct handle h = { 0 };
	int r = handle_open(&h, err);

	if (r >= 0 && !has_authority(text))
		r = malformed(err);
	if (r >= 0)
		r = handle_set(&h, text, err);
	return r < 0 ? r : take_apart(&h, ret, err);
}

int xb_http_url_resolve(const struct xb_http_url *base, const char *location,
			struct xb_http_url *ret, struct xb_error *err)
{
	XB_CLEANUP(handle_clear) struct handle h = { 0 };
	int r = handle_open(&h, err);

	if (r >= 0)
		r = handle_set(&h, base->text, err);
	if (r >= 0)
		r = handle_set(&h, location, err);
	if (r >= 0)
		r = take_apart(&h, ret, err);
	if (r >= 0) {
		free(ret->user);
		ret->user = NULL;
	}
	return r;
}
