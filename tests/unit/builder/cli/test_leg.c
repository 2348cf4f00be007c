/* SPDX-License-Identifier: Apache-2.0 */
/* Legs: which platforms they build, and what becomes of names and outputs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/cli/leg.h"
#include "builder/solve/output.h"

static const struct xb_platform host = { .os = "linux", .arch = "amd64" };

static char *show(const struct xb_platforms *platforms, const struct xb_flags *optional)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(10000);

	for (size_t i = 0; i < platforms->len; i++)
		(void)xb_str_printf(&text, "%s%s%s", i > 0 ? " " : "",
				    xb_platform_name(&platforms->items[i]).text,
				    optional->items[i] ? "?" : "");
	return xb_str_steal(&text);
}

/* Read --platform and --leg; "whole | built" or the message. */
static char *read_legs(const char *all, const char *legs, const char *result)
{
	xb_auto_strv struct xb_strv whole = XB_STRV_INIT;
	xb_auto_strv struct xb_strv chosen = XB_STRV_INIT;
	XB_CLEANUP(xb_leg_request_clear) struct xb_leg_request leg = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_platforms platforms = { 0 };
	struct xb_flags optional = { 0 };
	const struct xb_leg_options options = {
		.legs = &chosen,
		.result = result,
		.revision = "v1",
		.host = &host,
	};
	xb_autofree char *of_whole = NULL;
	xb_autofree char *built = NULL;
	char *text;

	xb_strv_push(&whole, all);
	if (legs != NULL)
		xb_strv_push(&chosen, legs);
	assert_int_equal(xb_platforms_read(&whole, &host, &platforms, &optional, NULL), 0);
	if (xb_leg_read(&options, &platforms, &optional, &leg, &err) < 0) {
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		text = xb_strdup(err.message);
	} else {
		of_whole = show(&leg.platforms, &leg.optional);
		built = show(&platforms, &optional);
		text = xb_format("%s | %s", of_whole, built);
	}
	xb_array_clear(&platforms);
	xb_array_clear(&optional);
	return text;
}

static void test_platforms(void **state)
{
	static const struct {
		const char *all, *legs, *result, *outcome;
	} cases[] = {
		{ "linux/amd64,linux/arm64", NULL, NULL, " | linux/amd64 linux/arm64" },
		{ "linux/amd64,linux/arm64", NULL, "r",
		  "linux/amd64 linux/arm64 | linux/amd64 "
		  "linux/arm64" },
		{ "linux/amd64,linux/arm64", "arm64", "r",
		  "linux/amd64 linux/arm64 | linux/arm64" },
		{ "linux/amd64,linux/arm,linux/s390x?", "s390x,linux/amd64", "r",
		  "linux/amd64 linux/arm/v7 linux/s390x? | linux/amd64 linux/s390x?" },
		{ "linux/amd64,linux/arm64", "local", "r",
		  "linux/amd64 linux/arm64 | linux/amd64" },
		{ "linux/amd64", "linux/arm64", "r",
		  "--leg linux/arm64: it is not among those of --platform" },
		{ "linux/amd64", "linux/amd64", NULL, "--leg: a leg leaves a result" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *outcome = read_legs(cases[i].all, cases[i].legs, cases[i].result);

		assert_string_equal(outcome, cases[i].outcome);
	}
}

static void test_names(void **state)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_autofree char *text = NULL;

	(void)state;
	xb_strv_push(&names, "localhost:5000/team/app:1");
	xb_strv_push(&names, "localhost:5000/team/app:latest");
	xb_strv_push(&names, "app");
	xb_strv_push(&names, "No Name");
	xb_leg_names(&names);
	text = xb_strv_join(&names, " ");
	assert_string_equal(text, "localhost:5000/team/app docker.io/library/app No Name");
}

static void test_beside(void **state)
{
	static const struct {
		const char *result, *layout, *path;
	} cases[] = {
		{ "a.json", "a", "a" },
		{ "a.json", "x/a", "x/a" },
		{ "legs/a.json", "legs/a", "a" },
		{ "/x/legs/a.json", "/x/legs/deep/a..b", "deep/a..b" },
		{ "./a.json", "x", "x" },
		{ "a.json", ".//./x", "x" },
		{ "./legs/a.json", "legs/x", "x" },
		{ "legs/a.json", "other/a", NULL },
		{ "a.json", "./", NULL },
		{ "a.json", ".", "." },
		{ "legs/a.json", "legs/../a", NULL },
		{ "a.json", "..", NULL },
		{ "a.json", "x/..", NULL },
		{ "a.json", "/a", NULL },
		{ "legs/a.json", "legs/", NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		const char *path = xb_leg_beside(cases[i].result, cases[i].layout);

		if (cases[i].path == NULL)
			assert_null(path);
		else
			assert_string_equal(path, cases[i].path);
	}
}

static void test_outputs(void **state)
{
	static const struct {
		const char *output;
		const char *why; /* NULL: taken */
	} cases[] = {
		{ "type=registry,name=h:1/a:1", NULL },
		{ "type=image,name=h:1/a:1,push=true", NULL },
		{ "type=oci,dest=legs/a/,tar=false,name=x", NULL },
		{ "type=oci,dest=a,tar=false", "not beside" },
		{ "type=oci,dest=legs/a,tar=false,tag=1", "names nothing" },
		{ "type=oci,dest=legs/a", NULL },
		{ "type=oci,dest=a.tar", "not beside" },
		{ "type=oci,dest=-", "not beside" },
		{ "type=docker,dest=legs/a.tar", "type=docker of a leg" },
		{ "type=image,name=a", "type=image of a leg" },
		{ "type=local,dest=files", "have to be somewhere" },
		{ "type=cacheonly", "have to be somewhere" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_outputs struct xb_outputs outputs = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r;

		assert_int_equal(xb_output_parse(cases[i].output, &outputs, NULL), 0);
		r = xb_leg_outputs(&outputs, "legs/a.json", &err);
		if (cases[i].why != NULL && (r == 0 || strstr(err.message, cases[i].why) == NULL))
			fail_msg("%s: %s", cases[i].output, r == 0 ? "taken" : err.message);
		if (cases[i].why != NULL)
			continue;
		assert_int_equal(r, 0);
		assert_true(xb_leg_is_place(&outputs.items[0]));
		if (outputs.items[0].push) {
			assert_true(outputs.items[0].push_by_digest);
			assert_string_equal(outputs.items[0].names.items[0], "h:1/a");
		} else {
			assert_int_equal(outputs.items[0].names.len, 0);
			assert_string_equal(outputs.items[0].dest, "legs/a");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_platforms),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_outputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
