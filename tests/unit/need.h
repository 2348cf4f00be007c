/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a test needs of its machine. need("root", geteuid() == 0) lets the test go on when it is
 * there, fails it when XB_REQUIRE (a list with commas) names it, and skips the test otherwise.
 * Include it after cmocka.h.
 */
#ifndef XB_TESTS_UNIT_NEED_H
#define XB_TESTS_UNIT_NEED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/** How many user ids this process's namespace has, from 0 on (4294967295: all of them). */
static inline unsigned long count_ids(void)
{
	FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned long inside, outside, count, total = 0;

	while (map != NULL && fscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3)
		total += count;
	if (map != NULL)
		(void)fclose(map);
	return total;
}

/** Root with ids to give to others: not so inside `unshare -r`. */
static inline bool is_root_with_ids(void)
{
	return geteuid() == 0 && count_ids() >= 65536;
}

/** Root of the machine, who may also make devices. */
static inline bool is_real_root(void)
{
	return geteuid() == 0 && count_ids() == 4294967295;
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
