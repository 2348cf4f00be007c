/* SPDX-License-Identifier: Apache-2.0 */
/* Maps: order of insertion, keys of any bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/map.h"

static int append_key(void *context, const char *key, void *value)
{
	(void)value;
	return xb_str_printf(context, "%s ", key);
}

static int stop_at_b(void *context, const char *key, void *value)
{
	++*(int *)context;
	(void)value;
	return strcmp(key, "b") == 0 ? 7 : 0;
}

static void entries_come_in_the_order_they_were_set(void **state)
{
	xb_auto_map struct xb_map *map = xb_map_new();
	xb_auto_str struct xb_str keys = XB_STR_INIT(100);
	int one = 1, two = 2, visited = 0;

	(void)state;
	assert_int_equal(xb_map_each(map, append_key, &keys), 0);
	assert_null(xb_map_set(map, XB_VIEW("z"), &one));
	assert_null(xb_map_set(map, XB_VIEW("b"), &one));
	assert_null(xb_map_set(map, XB_VIEW("a"), &one));
	assert_ptr_equal(xb_map_set(map, XB_VIEW("z"), &two), &one);
	assert_int_equal(xb_map_each(map, append_key, &keys), 0);
	assert_string_equal(xb_str_text(&keys), "z b a ");
	assert_int_equal(xb_map_each(map, stop_at_b, &visited), 7);
	assert_int_equal(visited, 2);
	assert_ptr_equal(xb_map_get(map, XB_VIEW("z")), &two);
	assert_ptr_equal(xb_map_remove(map, XB_VIEW("b")), &one);
	assert_null(xb_map_remove(map, XB_VIEW("b")));
	assert_null(xb_map_get(map, XB_VIEW("b")));
	assert_int_equal(xb_map_len(map), 2);
}

static void keys_are_copied_and_may_hold_any_byte(void **state)
{
	xb_auto_map struct xb_map *map = xb_map_new();
	char key[] = "a\0b";
	int one = 1, two = 2;

	(void)state;
	(void)xb_map_set(map, (struct xb_view){ key, 3 }, &one);
	key[2] = 'c';
	(void)xb_map_set(map, (struct xb_view){ key, 3 }, &two);
	(void)xb_map_set(map, (struct xb_view){ NULL, 0 }, &two);
	assert_ptr_equal(xb_map_get(map, XB_VIEW("a\0b")), &one);
	assert_ptr_equal(xb_map_get(map, XB_VIEW("a\0c")), &two);
	assert_ptr_equal(xb_map_get(map, XB_VIEW("")), &two);
	assert_null(xb_map_get(map, XB_VIEW("a")));
	assert_int_equal(xb_map_len(map), 3);
	xb_map_free(NULL);
}

static void many_keys_are_found_again(void **state)
{
	xb_auto_map struct xb_map *map = xb_map_new();
	static int values[20000];

	(void)state;
	for (size_t i = 0; i < XB_COUNT(values); i++) {
		xb_autofree char *key = xb_format("usr/share/doc/%zu", i);

		assert_null(xb_map_set(map, xb_view(key), &values[i]));
	}
	for (size_t i = 0; i < XB_COUNT(values); i += 2) {
		xb_autofree char *key = xb_format("usr/share/doc/%zu", i);

		assert_ptr_equal(xb_map_remove(map, xb_view(key)), &values[i]);
	}
	for (size_t i = 0; i < XB_COUNT(values); i++) {
		xb_autofree char *key = xb_format("usr/share/doc/%zu", i);

		assert_ptr_equal(xb_map_get(map, xb_view(key)), i % 2 == 1 ? &values[i] : NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_in_the_order_they_were_set),
		cmocka_unit_test(keys_are_copied_and_may_hold_any_byte),
		cmocka_unit_test(many_keys_are_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
