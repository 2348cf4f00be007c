/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/csv.h"

/* Fields of `text`, joined with '|'; NULL where a quote does not end. malloc()ed. */
static char *fields_of(const char *text)
{
	xb_auto_str struct xb_str field = XB_STR_INIT(XB_STR_OWN);
	xb_auto_strv struct xb_strv all = XB_STRV_INIT;
	struct xb_view rest = xb_view(text);
	int r;

	while ((r = xb_csv_next(&rest, &field)) > 0)
		xb_strv_push(&all, xb_str_text(&field));
	assert_true(r == 0 || r == -EINVAL);
	return r < 0 ? NULL : xb_strv_join(&all, "|");
}

static void test_fields(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" },
		{ "a", "a" },
		{ "a,b=c,", "a|b=c|" },
		{ "\"a,b\",c", "a,b|c" },
		{ "\"a\"\"b\"", "a\"b" },
		{ "k=\"v,w\"", "k=v,w" },
		{ ",,", "||" },
		{ "\"a", NULL },
		{ "a,b\"", NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		xb_autofree char *got = fields_of(pairs[i][0]);

		if (pairs[i][1] == NULL)
			assert_null(got);
		else
			assert_string_equal(got, pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
