/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a test needs of its machine. need("root", geteuid() == 0) lets the test go on when it is
 * there, fails it when XB_REQUIRE (a list with commas) names it, and skips the test otherwise.
 * Include it after cmocka.h.
 */
#ifndef XB_TESTS_UNIT_NEED_H
#define XB_TESTS_UNIT_NEED_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/** Whether XB_REQUIRE names `what`. */
static inline bool is_required(const char *what)
{
	const char *list = getenv("XB_REQUIRE");
	size_t len = strlen(what);

	while (list != NULL && *list != '\0') {
		if (strncmp(list, what, len) == 0 && (list[len] == ',' || list[len] == '\0'))
			return true;
		list = strchr(list, ',');
		list = list != NULL ? list + 1 : NULL;
	}
	return false;
}

/** Skip, or fail, the running test when `what` is not to be had. */
static inline void need(const char *what, bool have)
{
	if (have)
		return;
	print_message("needs %s\n", what);
	if (is_required(what))
		fail_msg("XB_REQUIRE names %s, but it is not to be had", what);
	skip();
}

#endif
