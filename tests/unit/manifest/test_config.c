/* SPDX-License-Identifier: Apache-2.0 */
/* Image configs: nothing is lost, the bytes are deterministic, nonsense is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/config.h"
#include "tests/unit/corpora.h"

#define ID   "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define BASE "\"architecture\":\"amd64\",\"os\":\"linux\""
#define ROOT "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" ID "\"]}"

/* Every member that there is, in the form and the order in which xbuild writes it. */
static const char full[] =
	"{\"architecture\":\"arm64\",\"author\":\"A <a@b>\",\"config\":{\"User\":\"1:1\","
	"\"ExposedPorts\":{\"53/udp\":{},\"80/tcp\":{}},\"Env\":[\"PATH=/bin\",\"X=\"],"
	"\"Entrypoint\":[\"/bin/sh\",\"-c\"],\"Cmd\":[\"a\"],\"Volumes\":{\"/a\":{},\"/b\":{}},"
	"\"WorkingDir\":\"/w\",\"Labels\":{\"a\":\"1\",\"b\":\"\"},\"StopSignal\":\"SIGTERM\","
	"\"ArgsEscaped\":true,\"Healthcheck\":{\"Test\":[\"CMD\",\"/t\"],\"Interval\":1000000000,"
	"\"Timeout\":2,\"StartPeriod\":3,\"StartInterval\":4,\"Retries\":5},"
	"\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/bash\",\"-c\"],"
	"\"Domainname\":\"\",\"Hostname\":\"h\"},\"created\":\"2026-01-02T03:04:05Z\","
	"\"docker_version\":\"27\",\"history\":[{\"created\":\"2026-01-02T03:04:05Z\","
	"\"created_by\":\"RUN \\\"ä\\\"\",\"author\":\"a\",\"comment\":\"c\"},"
	"{\"created_by\":\"CMD\",\"empty_layer\":true}],\"os\":\"linux\",\"os.features\":[\"f\"],"
	"\"os.version\":\"1\"," ROOT ",\"variant\":\"v8\",\"x\":{\"b\":[1,2.5],\"a\":null}}";

/* What parsing and writing make of a document. */
static char *rewritten(const char *text)
{
	xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_str s = XB_STR_INIT(XB_MAX_CONFIG);

	if (xb_image_config_parse(xb_view(text), &c, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(xb_image_config_write(&c, &s, &err), 0);
	return xb_str_steal(&s);
}

static void nothing_is_lost(void **state)
{
	xb_autofree char *text = rewritten(full);

	(void)state;
	assert_string_equal(text, full);
}

static void members_are_read(void **state)
{
	xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;

	(void)state;
	assert_int_equal(xb_image_config_parse(xb_view(full), &c, NULL), 0);
	assert_string_equal(c.platform.arch, "arm64");
	assert_string_equal(c.platform.variant, "v8");
	assert_string_equal(c.user, "1:1");
	assert_string_equal(xb_env_get(&c.env, XB_VIEW("PATH")), "/bin");
	assert_int_equal(c.entrypoint.len, 2);
	assert_true(c.has_cmd);
	assert_int_equal(xb_strv_find(&c.volumes, "/b"), 1);
	assert_string_equal(xb_annotations_get(&c.labels, "a"), "1");
	assert_true(c.has_healthcheck);
	assert_int_equal(c.healthcheck.interval, 1000000000);
	assert_int_equal(c.healthcheck.retries, 5);
	assert_int_equal(c.diff_ids.len, 1);
	assert_int_equal(c.history.len, 2);
	assert_true(c.history.items[1].empty_layer);
	assert_null(c.history.items[1].created);
	assert_string_equal(c.history.items[0].created_by, "RUN \"ä\"");
}

static void copies_are_deep(void **state)
{
	xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;
	xb_auto_image_config struct xb_image_config copy = XB_IMAGE_CONFIG_INIT;
	xb_auto_str struct xb_str s = XB_STR_INIT(XB_MAX_CONFIG);

	(void)state;
	assert_int_equal(xb_image_config_parse(xb_view(full), &c, NULL), 0);
	xb_image_config_copy(&copy, &c);
	xb_image_config_copy(&copy, &c);
	xb_image_config_copy(&copy, &copy);
	xb_image_config_clear(&c);
	assert_int_equal(xb_image_config_write(&copy, &s, NULL), 0);
	assert_string_equal(xb_str_text(&s), full);
}

/* In what order things were set does not change the bytes. */
static void order_does_not_matter(void **state)
{
	static const char *const names[] = { "c", "a", "b" };
	xb_auto_str struct xb_str first = XB_STR_INIT(4096), second = XB_STR_INIT(4096);

	(void)state;
	for (int round = 0; round < 2; round++) {
		xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;

		(void)strcpy(c.platform.os, "linux");
		(void)strcpy(c.platform.arch, "amd64");
		for (size_t i = 0; i < XB_COUNT(names); i++) {
			const char *name = names[round == 0 ? i : XB_COUNT(names) - 1 - i];

			xb_image_config_add(&c.exposed_ports, name);
			xb_image_config_add(&c.exposed_ports, name);
			xb_image_config_add(&c.volumes, name);
			xb_annotations_set(&c.labels, name, "1");
		}
		assert_int_equal(xb_image_config_write(&c, round == 0 ? &first : &second, NULL), 0);
	}
	assert_string_equal(xb_str_text(&first), xb_str_text(&second));
	assert_non_null(
		strstr(xb_str_text(&first), "\"ExposedPorts\":{\"a\":{},\"b\":{},\"c\":{}}"));
}

/* No command, an empty one and null: the first and the last are the same, the other is not. */
static void absent_and_empty_commands(void **state)
{
	xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;
	xb_autofree char *text = NULL;

	(void)state;
	assert_int_equal(
		xb_image_config_parse(
			XB_VIEW("{" BASE ",\"config\":{\"Cmd\":[],\"Entrypoint\":null,"
				"\"Env\":null,\"Volumes\":null,\"Labels\":null}," ROOT "}"),
			&c, NULL),
		0);
	assert_true(c.has_cmd);
	assert_int_equal(c.cmd.len, 0);
	assert_false(c.has_entrypoint);
	text = rewritten("{" BASE ",\"config\":{\"Cmd\":[],\"Entrypoint\":null}," ROOT "}");
	assert_string_equal(text, "{\"architecture\":\"amd64\",\"config\":{\"Cmd\":[]},"
				  "\"os\":\"linux\"," ROOT "}");
}

static void history_and_text(void **state)
{
	xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;
	xb_auto_str struct xb_str s = XB_STR_INIT(4096);

	(void)state;
	(void)strcpy(c.platform.os, "linux");
	(void)strcpy(c.platform.arch, "amd64");
	xb_image_config_set(&c.user, "a");
	xb_image_config_set(&c.user, c.user);
	xb_image_config_set(&c.working_dir, "/");
	xb_image_config_set(&c.working_dir, NULL);
	xb_image_config_add_history(&c, NULL, "USER a", "xbuild", true);
	assert_int_equal(xb_image_config_write(&c, &s, NULL), 0);
	assert_string_equal(
		xb_str_text(&s),
		"{\"architecture\":\"amd64\",\"config\":{\"User\":\"a\"},\"history\":[{"
		"\"created_by\":\"USER a\",\"comment\":\"xbuild\",\"empty_layer\":true}],"
		"\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}");
}

static void refusals(void **state)
{
	static const struct {
		const char *why, *text;
	} rows[] = {
		{ "architecture is missing", "{\"os\":\"linux\"," ROOT "}" },
		{ "os is missing", "{\"architecture\":\"amd64\"," ROOT "}" },
		{ "empty", "{\"architecture\":\"\",\"os\":\"linux\"," ROOT "}" },
		{ "rootfs is missing", "{" BASE "}" },
		{ "rootfs.type", "{" BASE ",\"rootfs\":{\"diff_ids\":[]}}" },
		{ "rootfs.type", "{" BASE ",\"rootfs\":{\"type\":\"x\",\"diff_ids\":[]}}" },
		{ "diff_ids is missing", "{" BASE ",\"rootfs\":{\"type\":\"layers\"}}" },
		{ "diff_ids[0]",
		  "{" BASE ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]}}" },
		{ "diff_ids[0]", "{" BASE ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}" },
		{ "Cmd", "{" BASE ",\"config\":{\"Cmd\":\"x\"}," ROOT "}" },
		{ "Env[1]", "{" BASE ",\"config\":{\"Env\":[\"a\",1]}," ROOT "}" },
		{ "Volumes", "{" BASE ",\"config\":{\"Volumes\":{\"/a\":1}}," ROOT "}" },
		{ "Volumes", "{" BASE ",\"config\":{\"Volumes\":[\"/a\"]}," ROOT "}" },
		{ "Labels", "{" BASE ",\"config\":{\"Labels\":{\"a\":null}}," ROOT "}" },
		{ "ArgsEscaped", "{" BASE ",\"config\":{\"ArgsEscaped\":1}," ROOT "}" },
		{ "Healthcheck: Interval",
		  "{" BASE ",\"config\":{\"Healthcheck\":{\"Interval\":-1}}," ROOT "}" },
		{ "Healthcheck", "{" BASE ",\"config\":{\"Healthcheck\":[]}," ROOT "}" },
		{ "history[0]", "{" BASE "," ROOT ",\"history\":[1]}" },
		{ "history[0]", "{" BASE "," ROOT ",\"history\":[{\"empty_layer\":0}]}" },
		{ "case", "{" BASE "," ROOT ",\"Config\":{\"User\":\"0\"}}" },
		{ "case", "{" BASE "," ROOT ",\"config\":{\"user\":\"0\"}}" },
		{ "case",
		  "{" BASE "," ROOT ",\"config\":{\"Healthchec\342\204\252\":{}}}" }, /* KELVIN */
		{ "User", "{" BASE "," ROOT ",\"config\":{\"User\":0}}" },
		{ "created", "{" BASE "," ROOT ",\"created\":0}" },
		{ "history", "{" BASE "," ROOT ",\"history\":{}}" },
		{ "rootfs", "{" BASE ",\"rootfs\":[]}" },
		{ "rootfs: type", "{" BASE ",\"rootfs\":{\"type\":1,\"diff_ids\":[]}}" },
		{ "rootfs: diff_ids",
		  "{" BASE ",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":1}}" },
		{ "duplicate", "{" BASE "," ROOT ",\"os\":\"linux\"}" },
		{ "object", "[]" },
		{ "JSON", "not JSON" },
		{ "config", "{" BASE "," ROOT ",\"config\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r = xb_image_config_parse(xb_view(rows[i].text), &c, &err);

		if (r != -EBADMSG)
			fail_msg("read with %d: %s", r, rows[i].text);
		if (strstr(err.message, rows[i].why) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.message, rows[i].why);
		assert_int_equal(c.diff_ids.len, 0);
	}
}

static void a_config_has_a_limit(void **state)
{
	size_t size = XB_MAX_CONFIG + 1;
	xb_autofree char *text = xb_alloc(size);
	xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;

	(void)state;
	memset(text, ' ', size);
	assert_int_equal(xb_image_config_parse((struct xb_view){ text, size }, &c, NULL), -EFBIG);
}

static void check_round_trip(const json_t *v)
{
	xb_autofree char *once = NULL, *twice = NULL;

	if (!json_is_true(json_object_get(v, "valid")))
		return;
	once = rewritten(corpora_member(v, "document"));
	twice = rewritten(once);
	assert_string_equal(once, twice);
}

static void vectors_round_trip(void **state)
{
	(void)state;
	corpora_each("oci-documents", "config", check_round_trip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(members_are_read),
		cmocka_unit_test(copies_are_deep),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(absent_and_empty_commands),
		cmocka_unit_test(history_and_text),
		cmocka_unit_test(refusals),
		cmocka_unit_test(a_config_has_a_limit),
		cmocka_unit_test(vectors_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
