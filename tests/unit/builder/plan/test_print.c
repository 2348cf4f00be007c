/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan as people and programs see it, beside tests/data/plan/NAME.{table,json}.golden. With
 * XB_UPDATE_GOLDEN set, the golden files are written instead of compared. Identities are left out,
 * and the emulator that this machine happens to have is called QEMU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "tests/unit/builder/plan/fixture.h"
#include "tests/unit/need.h"

static void read_data(const char *name, struct xb_str *ret)
{
	xb_autofree char *path = xb_format("tests/data/plan/%s", name);

	assert_int_equal(xb_file_read(path, ret, NULL), 0);
}

/* Compare `text` with a golden file. */
static void assert_golden(const char *name, const char *text)
{
	xb_auto_str struct xb_str expected = XB_STR_INIT(XB_STR_OWN);
	FILE *file;

	if (getenv("XB_UPDATE_GOLDEN") != NULL) {
		xb_autofree char *path = xb_format("tests/data/plan/%s", name);

		file = fopen(path, "we");
		assert_non_null(file);
		(void)fputs(text, file);
		(void)fclose(file);
	}
	read_data(name, &expected);
	assert_string_equal(text, xb_str_text(&expected));
}

/* Put QEMU for each reason that names this machine's emulator. */
static char *without_machine(const struct xb_plan *plan, const char *text)
{
	char *result = xb_strdup(text);

	for (size_t i = 0; i < plan->step_count; i++) {
		const char *reason = plan->steps[i].reason;
		char *at;

		while (plan->steps[i].strategy == XB_STRATEGY_EMULATED &&
		       (at = strstr(result, reason)) != NULL) {
			char *changed = xb_format("%.*sQEMU%s", (int)(at - result), result,
						  at + strlen(reason));

			free(result);
			result = changed;
		}
	}
	return result;
}

static void assert_table(const struct xb_plan *plan, const char *name)
{
	xb_auto_str struct xb_str table = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *text = NULL;

	xb_plan_print(plan, &table);
	text = without_machine(plan, xb_str_text(&table));
	assert_golden(name, text);
}

static void assert_json(const struct xb_plan *plan, const char *name)
{
	xb_auto_json json_t *json = xb_plan_to_json(plan);
	xb_auto_str struct xb_str document = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *text = NULL;
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(json, "steps"), i, step)
	{
		struct xb_digest digest;
		const char *identity = json_string_value(json_object_get(step, "identity"));

		assert_int_equal(xb_digest_parse(xb_view(identity), &digest, NULL), 0);
		(void)json_object_del(step, "identity");
	}
	assert_int_equal(xb_json_write_pretty(json, &document, NULL), 0);
	text = without_machine(plan, xb_str_text(&document));
	assert_golden(name, text);
}

static void golden(struct fixture *f, const char *name)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *source = xb_format("%s.Dockerfile", name);
	xb_autofree char *table = xb_format("%s.table.golden", name);
	xb_autofree char *json = xb_format("%s.json.golden", name);
	const struct xb_plan *plan;

	set_platforms(f, "linux/amd64,linux/arm64");
	read_data(source, &text);
	plan = plan_of(f, xb_str_text(&text));
	assert_table(plan, table);
	assert_json(plan, json);
}

static void test_cross(void **state)
{
	golden(*state, "cross");
}

static void test_emulated(void **state)
{
	struct fixture *f = *state;

	need("binfmt", can_emulate(f));
	golden(f, "emulated");
}

static void test_data(void **state)
{
	golden(*state, "data");
}

/* A Dockerfile may hold any bytes; what is printed of it is text. */
static void test_foreign_bytes(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM base\nRUN printf '\x1b]0;title\a\xff\xfe'\nCOPY \xff\x1b[0m /\n");
	xb_auto_str struct xb_str table = XB_STR_INIT(XB_STR_OWN);
	xb_auto_json json_t *json = xb_plan_to_json(plan);
	xb_auto_str struct xb_str document = XB_STR_INIT(XB_STR_OWN);
	const json_t *steps = json_object_get(json, "steps");
	const json_t *run = json_object_get(json_array_get(steps, 1), "run");
	const json_t *copy = json_object_get(json_array_get(steps, 2), "copy");

	xb_plan_print(plan, &table);
	for (const char *c = xb_str_text(&table); *c != '\0'; c++)
		assert_true((unsigned char)*c >= 0x20 || *c == '\n');
	assert_int_equal(xb_view_utf8_len(xb_view("\xff")), 0);
	assert_null(strchr(xb_str_text(&table), '\xff'));
	assert_int_equal(xb_json_write(json, &document, NULL), 0);
	/* no argument is lost, whatever its bytes */
	assert_int_equal(json_array_size(json_object_get(run, "argv")), 3);
	assert_int_equal(json_array_size(json_object_get(copy, "sources")), 1);
	assert_non_null(json_object_get(json_array_get(steps, 1), "instruction"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_cross),
		plan_test(test_emulated),
		plan_test(test_data),
		plan_test(test_foreign_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
