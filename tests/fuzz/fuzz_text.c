/* SPDX-License-Identifier: Apache-2.0 */
/* The small readers of base/: digests, times, numbers, text made safe to print. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_digest(struct xb_view text)
{
	struct xb_digest digest = { 0 };

	if (xb_digest_parse(text, &digest, NULL) < 0)
		return;
	if (!xb_view_is(text, digest.text) || strchr(xb_digest_hex(&digest), '/') != NULL)
		abort();
}

static void try_time(struct xb_view text)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(64);
	int64_t seconds, again;

	if (xb_clock_parse(text, &seconds, NULL) < 0 || xb_clock_format(seconds, &s) < 0)
		return;
	if (xb_clock_parse(xb_str_view(&s), &again, NULL) < 0 || again != seconds)
		abort();
}

static void try_quoted(struct xb_view text)
{
	xb_auto_str struct xb_str once = XB_STR_INIT(8 << 20);
	xb_auto_str struct xb_str twice = XB_STR_INIT(8 << 20);

	if (xb_str_append_quoted(&once, text) < 0)
		abort();
	for (size_t i = 0; i < once.len; i++)
		if ((unsigned char)once.data[i] < ' ')
			abort();
	/* What is safe to print stays as it is. */
	if (xb_str_append_quoted(&twice, xb_str_view(&once)) < 0 ||
	    !xb_view_eq(xb_str_view(&once), xb_str_view(&twice)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view text = { (const char *)data, size };
	uint64_t number;

	try_digest(text);
	try_time(text);
	try_quoted(text);
	if (xb_view_parse_u64(text, UINT64_MAX, &number) == 0 && size == 0)
		abort();
	return 0;
}
