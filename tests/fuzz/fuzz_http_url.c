/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A URL, and after a line end a location that leads on from it. What is taken is one of http or
 * https, means the same when it is read again, and shows no credentials.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(const struct xb_http_url *url)
{
	xb_auto_http_url struct xb_http_url again = XB_HTTP_URL_INIT;
	size_t authority;

	if (strncmp(url->origin, url->tls ? "https://" : "http://", url->tls ? 8 : 7) != 0)
		abort();
	if (xb_http_url_parse(url->text, &again, NULL) < 0 || strcmp(again.text, url->text) != 0 ||
	    strcmp(again.origin, url->origin) != 0 || again.user != NULL)
		abort();
	authority = strcspn(strstr(url->shown, "://") + 3, "/?#");
	if (memchr(strstr(url->shown, "://") + 3, '@', authority) != NULL ||
	    strpbrk(url->text, "\r\n \t") != NULL || strchr(url->text, '#') != NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view rest = { (const char *)data, size }, line = { 0 };
	xb_autofree char *first = NULL;
	xb_autofree char *second = NULL;
	xb_auto_http_url struct xb_http_url url = XB_HTTP_URL_INIT;
	xb_auto_http_url struct xb_http_url next = XB_HTTP_URL_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)xb_view_split(&rest, '\n', &line);
	first = xb_view_dup(line);
	second = xb_view_dup(rest);
	if (xb_http_url_parse(first, &url, &err) < 0) {
		if (err.fault != XB_FAULT_SOURCE)
			abort();
		return 0;
	}
	check_url(&url);
	if (xb_http_url_resolve(&url, second, &next, NULL) < 0)
		return 0;
	check_url(&next);
	if (next.user != NULL)
		abort();
	return 0;
}
