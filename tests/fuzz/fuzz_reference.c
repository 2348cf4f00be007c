/* SPDX-License-Identifier: Apache-2.0 */
/* Image references: the whole form and the familiar form both read as the same reference. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* `text` must read as `whole`. */
static void check_form(const char *text, const char *whole)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *again = NULL;

	if (xb_reference_parse(xb_view(text), &ref, NULL) < 0)
		abort();
	again = xb_reference_format(&ref);
	if (strcmp(again, whole) != 0)
		abort();
}

static void check_exact(struct xb_view text)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *again = NULL;

	if (xb_reference_parse_exact(text, &ref, NULL) < 0)
		return;
	again = xb_reference_format(&ref);
	if (!xb_view_is(text, again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view text = { (const char *)data, size };
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *whole = NULL, *familiar = NULL;

	check_exact(text);
	if (xb_reference_parse(text, &ref, &err) < 0) {
		if (err.message == NULL)
			abort();
		return 0;
	}
	whole = xb_reference_format(&ref);
	familiar = xb_reference_familiar(&ref);
	check_form(whole, whole);
	check_form(familiar, whole);
	return 0;
}
