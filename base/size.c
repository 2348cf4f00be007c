/* SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char units[] = "bkmgtp";

/* The factor of "k", "MB", "GiB" and the like; 0: no unit. */
static uint64_t unit_factor(struct xb_view unit)
{
	struct xb_view rest = xb_view_sub(unit, 1, unit.len);
	const char *found;

	if (unit.len == 0)
		return 1;
	found = strchr(units, unit.data[0] | 0x20);
	if (found == NULL || *found == '\0' || (rest.len > 0 && found == units))
		return 0;
	if (rest.len > 0 && !xb_view_eq_nocase(rest, XB_VIEW("b")) &&
	    !xb_view_eq_nocase(rest, XB_VIEW("ib")))
		return 0;
	return UINT64_C(1) << (10 * (found - units));
}

int xb_size_parse(struct xb_view text, uint64_t *ret)
{
	xb_autofree char *copy = xb_view_dup(text);
	size_t digits = strspn(copy, "0123456789.");
	uint64_t factor = unit_factor(xb_view_trim(xb_view(copy + digits)));
	char *end = NULL;
	double size;

	copy[digits] = '\0';
	size = strtod(copy, &end) * (double)factor;
	if (strlen(copy) != digits || digits == 0 || *end != '\0' || factor == 0 ||
	    !(size < (double)INT64_MAX))
		return -EINVAL;
	*ret = (uint64_t)size;
	return 0;
}

void xb_size_print(uint64_t bytes, struct xb_str *out)
{
	static const char letters[] = "\0KMGTP";
	size_t unit = 0;

	while (bytes > 0 && bytes % 1024 == 0 && unit + 1 < XB_COUNT(units) - 1) {
		bytes /= 1024;
		unit++;
	}
	(void)xb_str_printf(out, "%" PRIu64, bytes);
	if (unit > 0)
		(void)xb_str_putc(out, letters[unit]);
}
