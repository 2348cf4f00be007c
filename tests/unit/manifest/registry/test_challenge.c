/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges as registries send them, and as they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/http_header.h"
#include "manifest/registry/challenge.h"

struct row {
	const char *lines[3];
	const char *shown; /* "scheme[realm|service|scope|error] …", NULL: refused */
};

static const struct row rows[] = {
	{ { "WWW-Authenticate: Bearer realm=\"https://auth.docker.io/token\","
	    "service=\"registry.docker.io\",scope=\"repository:library/debian:pull\"" },
	  "bearer[https://auth.docker.io/token|registry.docker.io|repository:library/"
	  "debian:pull|]" },
	{ { "WWW-Authenticate: Basic realm=\"a b\"" }, "basic[a b|||]" },
	{ { "WWW-Authenticate: Basic" }, "basic[|||]" },
	{ { "www-authenticate: BEARER Realm = \"x\" , ERROR=insufficient_scope" },
	  "bearer[x|||insufficient_scope]" },
	/* several, in one line and in two */
	{ { "WWW-Authenticate: Basic realm=\"x\", Bearer realm=\"https://y/t\",service=s" },
	  "basic[x|||] bearer[https://y/t|s||]" },
	{ { "WWW-Authenticate: Negotiate", "WWW-Authenticate: Basic realm=x" },
	  "negotiate[|||] basic[x|||]" },
	{ { "WWW-Authenticate: NTLM, Negotiate YWJj/+==, Basic realm=x, charset=\"UTF-8\"" },
	  "ntlm[|||] negotiate[|||] basic[x|||]" },
	{ { "WWW-Authenticate: , ,Basic realm=x,, ," }, "basic[x|||]" },
	/* commas and quotes in values, and values that lack their quotes */
	{ { "WWW-Authenticate: Bearer realm=\"https://y/t\",scope=\"repository:a:pull,push\"" },
	  "bearer[https://y/t||repository:a:pull,push|]" },
	{ { "WWW-Authenticate: Bearer realm=\"a\\\"b\\\\c\"" }, "bearer[a\"b\\c|||]" },
	{ { "WWW-Authenticate: Bearer realm=https://y/t?a=b,service=s" },
	  "bearer[https://y/t?a=b|s||]" },
	{ { "WWW-Authenticate: Bearer realm=\"\"" }, "bearer[|||]" },
	{ { "WWW-Authenticate: Bearer unknown=\"a\",unknown=\"b\",realm=x" }, "bearer[x|||]" },
	{ { "Content-Type: text/plain" }, "" },
	{ { "WWW-Authenticate:" }, "" },
	/* refused */
	{ { "WWW-Authenticate: Bearer realm=\"https://y/t" }, NULL },
	{ { "WWW-Authenticate: Bearer realm=\"https://y/t\\" }, NULL },
	{ { "WWW-Authenticate: Bearer realm=\"a\",realm=\"b\"" }, NULL },
	{ { "WWW-Authenticate: Bearer realm=\"a\",REALM=\"a\"" }, NULL },
	{ { "WWW-Authenticate: Bearer service=s,realm=" }, NULL },
	{ { "WWW-Authenticate: \"Bearer\"" }, NULL },
	{ { "WWW-Authenticate: =x" }, NULL },
	{ { "WWW-Authenticate: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q" }, NULL },
};

static const char *text_of(const char *text)
{
	return text != NULL ? text : "";
}

static void check(const struct row *row)
{
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;
	xb_auto_challenges struct xb_challenges found = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str shown = XB_STR_INIT(4096);
	int r;

	for (size_t i = 0; i < XB_COUNT(row->lines) && row->lines[i] != NULL; i++)
		assert_int_equal(xb_http_header_add(&headers, xb_view(row->lines[i]), NULL), 0);
	r = xb_challenges_read(&headers, &found, &err);
	if (row->shown == NULL) {
		assert_int_equal(r, -EPROTO);
		assert_int_equal(err.fault, XB_FAULT_REGISTRY);
		return;
	}
	assert_int_equal(r, 0);
	for (size_t i = 0; i < found.len; i++)
		(void)xb_str_printf(&shown, "%s%s[%s|%s|%s|%s]", i > 0 ? " " : "",
				    found.items[i].scheme, text_of(found.items[i].realm),
				    text_of(found.items[i].service), text_of(found.items[i].scope),
				    text_of(found.items[i].error));
	assert_string_equal(xb_str_text(&shown), row->shown);
}

static void all_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++)
		check(&rows[i]);
}

static void the_first_of_a_scheme(void **state)
{
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;
	xb_auto_challenges struct xb_challenges found = { 0 };

	(void)state;
	xb_strv_push(&headers, "www-authenticate: Basic realm=a, Bearer realm=b, Bearer realm=c");
	assert_int_equal(xb_challenges_read(&headers, &found, NULL), 0);
	assert_string_equal(xb_challenges_find(&found, "bearer")->realm, "b");
	assert_null(xb_challenges_find(&found, "digest"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_rows),
		cmocka_unit_test(the_first_of_a_scheme),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
