/* SPDX-License-Identifier: Apache-2.0 */
/* What of a URL may be shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/url.h"

static void credentials_are_not_shown(void **state)
{
	static const struct {
		const char *url;
		const char *shown;
	} examples[] = {
		{ "https://example.com/a?b=c#d", "https://example.com/a?b=c#d" },
		{ "https://user:pass@example.com/a", "https://example.com/a" },
		{ "https://pass@example.com", "https://example.com" },
		{ "https://user:p@ss@example.com/x@y", "https://example.com/x@y" },
		{ "https://user:pass@example.com?x=@", "https://example.com?x=@" },
		{ "http://h/a?X-Amz-Signature=s3cret&n=1", "http://h/a?X-Amz-Signature=xxxxx&n=1" },
		{ "http://h/a?n=1&ACCESS_TOKEN=s3cret#v1:sub",
		  "http://h/a?n=1&ACCESS_TOKEN=xxxxx#v1:sub" },
		{ "git@example.com:group/repo.git#main", "git@example.com:group/repo.git#main" },
		{ "ssh://git:pw@example.com/r.git", "ssh://example.com/r.git" },
		{ "http://h/?design=1&monkey=2&key=3&api_key=4&a=",
		  "http://h/?design=1&monkey=2&key=xxxxx&api_key=xxxxx&a=" },
		{ "", "" },
		{ "://", "://" },
		{ "http://", "http://" },
		{ "http://@", "http://" },
		{ "http://h?", "http://h?" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);

		xb_url_append_shown(&shown, examples[i].url);
		assert_string_equal(xb_str_text(&shown), examples[i].shown);
	}
}

static void credentials_in_text_are_masked_in_place(void **state)
{
	static const struct {
		const char *text;
		const char *masked;
	} examples[] = {
		{ "ADD https://u:pw@h/x /y", "ADD https://*:**@h/x /y" },
		{ "ADD [\"http://a@b\", \"c@d\"]", "ADD [\"http://*@b\", \"c@d\"]" },
		{ "RUN curl https://h/x?m=a@b; mail c@d", "RUN curl https://h/x?m=a@b; mail c@d" },
		{ "http://p@ss@h http://q@h", "http://****@h http://*@h" },
		{ "git@h:x ://@ ://", "git@h:x ://@ ://" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_str struct xb_str masked = XB_STR_INIT(XB_STR_OWN);

		xb_url_append_masked(&masked, xb_view(examples[i].text));
		assert_string_equal(xb_str_text(&masked), examples[i].masked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials_are_not_shown),
		cmocka_unit_test(credentials_in_text_are_masked_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
