/* SPDX-License-Identifier: Apache-2.0 */
/* Platform specifiers: what parses has a normal form, and its full text parses to the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "platforms/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int truth)
{
	if (!truth)
		abort();
}

static void check_text(const struct xb_platform *p, const struct xb_platform *defaults)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(4096);
	struct xb_platform again;

	expect(xb_platform_format_all(p, &text) == 0);
	expect(xb_platform_parse(xb_str_view(&text), defaults, &again, NULL) == 0);
	expect(xb_platform_eq(p, &again));
}

static void check_matching(const struct xb_platform *p)
{
	struct xb_platform fallback;
	size_t count = 0;

	expect(xb_platform_rank(p, p) == 0);
	expect(xb_platform_rank_os(p, p) == 0);
	while (xb_platform_fallback(p, count, &fallback)) {
		expect(xb_platform_rank(p, &fallback) == (int)count);
		expect(++count < 64);
	}
	expect(count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct xb_platform defaults = { .os = "linux", .arch = "arm", .variant = "v6" };
	const struct xb_view text = { (const char *)data, size };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_platform p;
	struct xb_platform normal;

	if (xb_platform_parse(text, &defaults, &p, &err) < 0) {
		expect(err.message != NULL && err.hint != NULL);
		return 0;
	}
	normal = p;
	xb_platform_normalise(&normal);
	expect(xb_platform_eq(&p, &normal));
	check_text(&p, &defaults);
	check_matching(&p);
	return 0;
}
