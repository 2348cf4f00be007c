/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: addresses that stay, memory that is zero. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void memory_is_zero_aligned_and_stays(void **state)
{
	xb_auto_arena struct xb_arena *arena = xb_arena_new();
	uint64_t *first = xb_arena_alloc(arena, 1, sizeof(*first));

	(void)state;
	*first = 42;
	for (size_t size = 0; size < 200000; size = size * 3 / 2 + 1) {
		unsigned char *p = xb_arena_alloc(arena, size, 1);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
	assert_int_equal(*first, 42);
}

static void texts_are_copies(void **state)
{
	xb_auto_arena struct xb_arena *arena = xb_arena_new();
	char text[] = "RUN make";
	char *copy = xb_arena_dup(arena, xb_view_sub(xb_view(text), 4, SIZE_MAX));
	char *formatted = xb_arena_format(arena, "%s:%d", text, 3);
	char *empty = xb_arena_dup(arena, (struct xb_view){ NULL, 0 });

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_string_equal(copy, "make");
	assert_string_equal(formatted, "RUN make:3");
	assert_string_equal(empty, "");
	xb_arena_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zero_aligned_and_stays),
		cmocka_unit_test(texts_are_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
