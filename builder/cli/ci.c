/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/ci.h"

static void add(struct xb_strv *words, const char *option, const char *value)
{
	xb_strv_push(words, option);
	xb_strv_push(words, value);
}

void xb_ci_leg_words(const struct xb_ci *ci, const struct xb_ci_leg *leg, struct xb_strv *ret)
{
	xb_autofree char *platforms = xb_ci_leg_platforms(leg);

	add(ret, "--leg", platforms);
	xb_strv_push(ret, "--result");
	xb_strv_printf(ret, XB_CI_DIR "/%s.json", leg->name);
	if (ci->push)
		return;
	xb_strv_push(ret, "--output");
	xb_strv_printf(ret, "type=oci,dest=" XB_CI_DIR "/%s.tar", leg->name);
}

void xb_ci_common_words(const struct xb_ci *ci, struct xb_strv *ret)
{
	add(ret, "--platform", ci->platforms);
	xb_strv_append(ret, ci->options);
	xb_strv_append(ret, ci->access);
	for (size_t i = 0; i < ci->names->len; i++)
		add(ret, "--tag", ci->names->items[i]);
	if (ci->push)
		xb_strv_push(ret, "--push");
	/* what begins with a dash is no option */
	if (ci->context[0] == '-')
		xb_strv_push(ret, "--");
	xb_strv_push(ret, ci->context);
}

void xb_ci_merge_words(const struct xb_ci *ci, struct xb_strv *ret)
{
	xb_strv_push(ret, "xbuild");
	xb_strv_push(ret, "merge");
	xb_strv_append(ret, ci->access);
	for (size_t i = 0; i < ci->names->len; i++)
		add(ret, "--tag", ci->names->items[i]);
	for (size_t i = 0; i < ci->outputs->len; i++)
		add(ret, "--output", ci->outputs->items[i]);
	if (ci->push)
		xb_strv_push(ret, "--push");
	else if (ci->outputs->len == 0)
		add(ret, "--output", "type=oci,dest=" XB_CI_ARCHIVE);
	if (ci->allow_drop)
		xb_strv_push(ret, "--allow-drop");
}
