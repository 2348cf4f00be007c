/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays, vectors of strings, environments. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/array.h"

struct numbers XB_ARRAY(uint32_t);

static void pushed_elements_are_zero_even_where_others_were(void **state)
{
	struct numbers n = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t *at = xb_array_push(&n);

		assert_int_equal(*at, 0);
		*at = i + 1;
	}
	assert_int_equal(n.len, 1000);
	assert_int_equal(n.items[999], 1000);
	n.len -= 10;
	assert_int_equal(*xb_array_push(&n), 0);
	xb_array_clear(&n);
	assert_null(n.items);
	assert_int_equal(n.len, 0);
}

static void a_vector_can_be_executed_at_any_time(void **state)
{
	xb_auto_strv struct xb_strv v = XB_STRV_INIT;

	(void)state;
	assert_null(xb_strv_argv(&v)[0]);
	for (size_t i = 0; i < 50; i++) {
		xb_strv_printf(&v, "%zu", i);
		assert_null(xb_strv_argv(&v)[v.len]);
	}
	while (v.len > 0) {
		xb_strv_remove(&v, v.len / 2);
		assert_null(xb_strv_argv(&v)[v.len]);
	}
}

static void vectors_are_put_together(void **state)
{
	xb_auto_strv struct xb_strv v = XB_STRV_INIT;
	xb_auto_strv struct xb_strv w = XB_STRV_INIT;
	xb_autofree char *joined = NULL;
	xb_autofree char *none = NULL;

	(void)state;
	none = xb_strv_join(&v, ",");
	assert_string_equal(none, "");
	xb_strv_push(&v, "b");
	xb_strv_push_view(&v, XB_VIEW("a"));
	xb_strv_take(&v, strdup("c"));
	xb_strv_copy(&w, &v);
	assert_true(xb_strv_eq(&v, &w));
	xb_strv_append(&w, &w);
	assert_int_equal(w.len, 6);
	assert_false(xb_strv_eq(&v, &w));
	xb_strv_sort(&w);
	joined = xb_strv_join(&w, ", ");
	assert_string_equal(joined, "a, a, b, b, c, c");
	assert_int_equal(xb_strv_find(&w, "c"), 4);
	assert_int_equal(xb_strv_find(&w, "d"), -1);
	xb_strv_copy(&v, &v);
	assert_int_equal(v.len, 3);
}

static void an_environment_keeps_its_order(void **state)
{
	xb_auto_strv struct xb_strv env = XB_STRV_INIT;
	xb_autofree char *joined = NULL;

	(void)state;
	xb_env_set(&env, XB_VIEW("PATH"), XB_VIEW("/bin"));
	xb_env_set(&env, XB_VIEW("A"), XB_VIEW("x=y"));
	xb_env_set(&env, XB_VIEW("EMPTY"), XB_VIEW(""));
	xb_env_set(&env, XB_VIEW("PATH"), XB_VIEW("/usr/bin"));
	assert_string_equal(xb_env_get(&env, XB_VIEW("PATH")), "/usr/bin");
	assert_string_equal(xb_env_get(&env, XB_VIEW("A")), "x=y");
	assert_string_equal(xb_env_get(&env, XB_VIEW("EMPTY")), "");
	assert_null(xb_env_get(&env, XB_VIEW("PAT")));
	assert_null(xb_env_get(&env, XB_VIEW("A=x")));
	assert_true(xb_env_unset(&env, XB_VIEW("A")));
	assert_false(xb_env_unset(&env, XB_VIEW("A")));
	joined = xb_strv_join(&env, ";");
	assert_string_equal(joined, "PATH=/usr/bin;EMPTY=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pushed_elements_are_zero_even_where_others_were),
		cmocka_unit_test(a_vector_can_be_executed_at_any_time),
		cmocka_unit_test(vectors_are_put_together),
		cmocka_unit_test(an_environment_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
