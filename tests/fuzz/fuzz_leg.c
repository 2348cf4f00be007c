/* SPDX-License-Identifier: Apache-2.0 */
/* Results of legs: what is read can be written, and what is written is read to the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/leg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_leg(const struct xb_leg *leg, struct xb_str *text)
{
	if (xb_leg_write(leg, text, NULL) < 0)
		abort();
}

static bool leads_out(const char *path)
{
	return path != NULL && (path[0] == '/' || strcmp(path, "..") == 0 ||
				strncmp(path, "../", 3) == 0 || strstr(path, "/../") != NULL);
}

static void check(const struct xb_leg *leg)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str again = XB_STR_INIT(XB_STR_OWN);
	xb_auto_leg struct xb_leg other = { 0 };

	for (size_t i = 0; i < leg->places.len; i++) {
		if (leads_out(leg->places.items[i].layout) ||
		    leads_out(leg->places.items[i].archive))
			abort();
	}
	write_leg(leg, &text);
	if (text.len > XB_MAX_LEG)
		return; /* indented it may be longer than what was read */
	if (xb_leg_parse(xb_str_view(&text), &other, NULL) < 0)
		abort();
	write_leg(&other, &again);
	if (!xb_view_eq(xb_str_view(&text), xb_str_view(&again)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_leg struct xb_leg leg = { 0 };
	int r = xb_leg_parse((struct xb_view){ (const char *)data, size }, &leg, &err);

	if (r == 0)
		check(&leg);
	else if (leg.manifests.items != NULL || err.fault != XB_FAULT_PROOF)
		abort();
	return 0;
}
