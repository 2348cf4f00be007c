/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: what is asked for, whom credentials belong to, what may be shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/http_url.h"

static void parts(void **state)
{
	static const struct {
		const char *url, *text, *origin, *path, *user, *shown;
	} cases[] = {
		{ "http://Example.ORG/a/b.txt", NULL, "http://example.org:80", "/a/b.txt", NULL,
		  NULL },
		{ "https://h", "https://h/", "https://h:443", "/", NULL, "https://h/" },
		{ "HTTPS://h:443/", NULL, "https://h:443", "/", NULL, NULL },
		{ "http://h:8080/a%20b?q=1#f", "http://h:8080/a%20b?q=1", "http://h:8080", "/a b",
		  NULL, "http://h:8080/a%20b?…" },
		{ "http://h/a b", "http://h/a%20b", "http://h:80", "/a b", NULL, "http://h/a%20b" },
		{ "http://u:p@h/x", "http://h/x", "http://h:80", "/x", "Basic dTpw", "http://h/x" },
		{ "http://u%40x:p%3a@h/x", "http://h/x", "http://h:80", "/x", "Basic dUB4OnA6",
		  "http://h/x" },
		{ "http://u@h/x", "http://h/x", "http://h:80", "/x", "Basic dTo=", "http://h/x" },
		{ "http://h/a%0ab%00", "http://h/a%0ab%00", "http://h:80", "/a%0ab%00", NULL,
		  NULL },
		{ "http://[::1]:81/x", "http://[::1]:81/x", "http://[::1]:81", "/x", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_http_url struct xb_http_url url = XB_HTTP_URL_INIT;

		assert_int_equal(xb_http_url_parse(cases[i].url, &url, NULL), 0);
		if (cases[i].text != NULL)
			assert_string_equal(url.text, cases[i].text);
		assert_string_equal(url.origin, cases[i].origin);
		assert_string_equal(url.path, cases[i].path);
		assert_int_equal(url.user == NULL, cases[i].user == NULL);
		if (url.user != NULL)
			assert_string_equal(url.user, cases[i].user);
		if (cases[i].shown != NULL)
			assert_string_equal(url.shown, cases[i].shown);
		assert_int_equal(url.tls, strncmp(url.origin, "https", 5) == 0);
	}
}

static void what_is_no_url_of_a_file(void **state)
{
	static const char *const urls[] = {
		"",
		"h",
		"/x",
		"http://",
		"http:///x",
		"file:///etc/passwd",
		"ftp://h/x",
		"h:80/x",
		"http://h:99999/",
		"http://h:x/",
		"http://a\nb/",
		"http://h/a\nb",
		"http://h/a\x01",
		"http://[::1/",
		"gopher://h/",
		"javascript:alert(1)",
		"http://u:p@/",
		"http//h/",
		"httpx://s3cret@h/",
	};
	xb_autofree char *large = xb_alloc(XB_MAX_HTTP_URL + 100);
	xb_auto_http_url struct xb_http_url url = XB_HTTP_URL_INIT;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(urls); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_http_url_parse(urls[i], &url, &err) != -EINVAL)
			fail_msg("taken: %s", urls[i]);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_null(strstr(err.message, "s3cret"));
	}
	memset(large, 'x', XB_MAX_HTTP_URL + 99);
	memcpy(large, "http://h/", 9);
	large[XB_MAX_HTTP_URL + 99] = '\0';
	assert_int_equal(xb_http_url_parse(large, &url, NULL), -EINVAL);
}

static void locations(void **state)
{
	static const struct {
		const char *location;
		const char *text; /* NULL: refused */
	} cases[] = {
		{ "/x", "https://h:81/x" },
		{ "x", "https://h:81/a/x" },
		{ "../x?y", "https://h:81/x?y" },
		{ "?y", "https://h:81/a/b?y" },
		{ "//other/x", "https://other/x" },
		{ "http://u:p@other/x#f", "http://other/x" },
		{ "HTTP://other", "http://other/" },
		{ "file:///etc/passwd", NULL },
		{ "ftp://other/", NULL },
		{ "http://", NULL },
		{ "http://a b/", NULL },
		{ "/x\x01", NULL },
	};
	xb_auto_http_url struct xb_http_url base = XB_HTTP_URL_INIT;

	(void)state;
	assert_int_equal(xb_http_url_parse("https://u:p@h:81/a/b?q", &base, NULL), 0);
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_http_url struct xb_http_url url = XB_HTTP_URL_INIT;
		int r = xb_http_url_resolve(&base, cases[i].location, &url, NULL);

		if (r != (cases[i].text != NULL ? 0 : -EINVAL))
			fail_msg("%s: %d, %s", cases[i].location, r, url.text);
		if (r < 0)
			continue;
		assert_string_equal(url.text, cases[i].text);
		assert_null(url.user);
	}
}

static void base64(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(100);

		xb_http_base64(xb_view(cases[i].from), &text);
		assert_string_equal(xb_str_text(&text), cases[i].to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(what_is_no_url_of_a_file),
		cmocka_unit_test(locations),
		cmocka_unit_test(base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
