/* SPDX-License-Identifier: Apache-2.0 */
/* For CI systems that are not known here: legs, machines and commands, as JSON. */
#include "base/json.h"
#include "builder/cli/ci.h"

/* The version of the form. */
#define VERSION 1

static json_t *strings(const struct xb_strv *v)
{
	json_t *list = json_array();
	json_t *holder = json_object();

	for (size_t i = 0; i < v->len; i++) {
		/* as a member, so that what is not UTF-8 is replaced */
		xb_json_set_string(holder, "x", v->items[i]);
		(void)json_array_append(list, json_object_get(holder, "x"));
	}
	json_decref(holder);
	return list;
}

static json_t *platforms_of(const struct xb_ci_leg *leg)
{
	json_t *list = json_array();

	for (size_t i = 0; i < leg->platforms.len; i++) {
		const struct xb_ci_platform *p = &leg->platforms.items[i];
		xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
		json_t *object = json_object();

		(void)xb_platform_format_all(&p->platform, &name);
		xb_json_set_string(object, "platform", xb_str_text(&name));
		xb_json_set_string(object, "how", xb_ci_how_name(p->how));
		xb_json_set_new(object, "optional", json_boolean(p->optional));
		(void)json_array_append_new(list, object);
	}
	return list;
}

static json_t *leg_to_json(const struct xb_ci *ci, const struct xb_ci_leg *leg)
{
	xb_autofree char *result = xb_format(XB_CI_DIR "/%s.json", leg->name);
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	json_t *object = json_object();

	xb_strv_push(&words, "xbuild");
	xb_strv_push(&words, "build");
	xb_ci_leg_words(ci, leg, &words);
	xb_ci_common_words(ci, &words);
	xb_json_set_string(object, "name", leg->name);
	xb_json_set_new(object, "runner", strings(&ci->runners->items[leg->runner].labels));
	xb_json_set_new(object, "platforms", platforms_of(leg));
	xb_json_set_new(object, "emulator", json_boolean(leg->emulator));
	xb_json_set_new(object, "optional", json_boolean(leg->optional));
	xb_json_set_string(object, "result", result);
	xb_json_set_new(object, "command", strings(&words));
	return object;
}

static json_t *shared_to_json(const struct xb_ci_legs *legs)
{
	json_t *list = json_array();

	for (size_t i = 0; i < legs->shared_count; i++) {
		json_t *object = json_object();

		xb_json_set_string(object, "stage", legs->shared[i].stage);
		xb_json_set_u64(object, "steps", legs->shared[i].steps);
		(void)json_array_append_new(list, object);
	}
	return list;
}

static json_t *merge_to_json(const struct xb_ci *ci)
{
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	json_t *object = json_object();

	xb_ci_merge_words(ci, &words);
	xb_strv_push(&words, "--");
	for (size_t i = 0; i < ci->legs->len; i++)
		xb_strv_printf(&words, XB_CI_DIR "/%s.json", ci->legs->items[i].name);
	xb_json_set_new(object, "runner", strings(&ci->runners->items[0].labels));
	xb_json_set_new(object, "command", strings(&words));
	return object;
}

int xb_ci_write_json(const struct xb_ci *ci, struct xb_str *out, struct xb_error *err)
{
	xb_auto_json json_t *root = json_object();
	json_t *legs = json_array();
	xb_auto_strv struct xb_strv platforms = XB_STRV_INIT;
	struct xb_view rest = xb_view(ci->platforms), platform;

	while (xb_view_split(&rest, ',', &platform))
		xb_strv_push_view(&platforms, platform);
	for (size_t i = 0; i < ci->legs->len; i++)
		(void)json_array_append_new(legs, leg_to_json(ci, &ci->legs->items[i]));
	xb_json_set_u64(root, "xbuildCi", VERSION);
	xb_json_set_new(root, "platforms", strings(&platforms));
	xb_json_set_new(root, "legs", legs);
	xb_json_set_new(root, "shared", shared_to_json(ci->legs));
	xb_json_set_new(root, "merge", merge_to_json(ci));
	return xb_json_write_pretty(root, out, err);
}
