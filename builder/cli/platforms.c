/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/platforms.h"

static void push_platform(const struct xb_platform *platform, bool may_fail,
			  struct xb_platforms *ret, struct xb_flags *optional)
{
	for (size_t i = 0; i < ret->len; i++) {
		if (xb_platform_eq(&ret->items[i], platform)) {
			optional->items[i] = optional->items[i] && may_fail;
			return;
		}
	}
	*xb_array_push(ret) = *platform;
	*xb_array_push(optional) = may_fail;
}

static int add_platform(struct xb_view text, const struct xb_platform *host,
			struct xb_platforms *ret, struct xb_flags *optional, struct xb_error *err)
{
	struct xb_platform platform = *host;
	bool may_fail = xb_view_ends(text, XB_VIEW("?"));
	int r = 0;

	if (may_fail)
		text = xb_view_sub(text, 0, text.len - 1);
	if (!xb_view_is(text, "local"))
		r = xb_platform_parse(text, host, &platform, err);
	if (r < 0)
		return xb_error_fault(err, XB_FAULT_USAGE);
	push_platform(&platform, may_fail, ret, optional);
	return 0;
}

int xb_platforms_read(const struct xb_strv *texts, const struct xb_platform *host,
		      struct xb_platforms *ret, struct xb_flags *optional, struct xb_error *err)
{
	int r = 0;

	if (texts->len == 0)
		r = add_platform(XB_VIEW("local"), host, ret, optional, err);
	for (size_t i = 0; r == 0 && i < texts->len; i++) {
		struct xb_view rest = xb_view(texts->items[i]);
		struct xb_view text;

		while (r == 0 && xb_view_split(&rest, ',', &text))
			r = add_platform(xb_view_trim(text), host, ret, optional, err);
	}
	return r;
}
