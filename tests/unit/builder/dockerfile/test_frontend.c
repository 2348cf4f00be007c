/* SPDX-License-Identifier: Apache-2.0 */
/* Which frontend a text asks for, in all the ways in which BuildKit looks, and which are built in.
 */
#include "builder/dockerfile/frontend.h"
#include "tests/unit/builder/dockerfile/data.h"

static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool builtin;
	} cases[] = {
		{ "docker/dockerfile:1", true },
		{ "docker/dockerfile", true },
		{ "docker/dockerfile:1.26", true },
		{ "docker/dockerfile:1.7.1-labs", true },
		{ "docker/dockerfile:1-labs", true },
		{ "docker/dockerfile:labs", true },
		{ "docker/dockerfile:latest", true },
		{ "docker.io/docker/dockerfile:1.4", true },
		{ "docker.io/docker/dockerfile@sha256:abc", true },
		{ "docker/dockerfile:1.4@sha256:abc", true },
		{ "docker/dockerfile-upstream:master", true },
		{ "docker/dockerfile-upstream:master-labs", true },
		{ "docker/dockerfile-upstream", true },
		{ "docker/dockerfile:1.0-experimental", true },
		{ "dockerfile.v0", true },
		{ "docker/dockerfile:2", false },
		{ "docker/dockerfile:10", false },
		{ "docker/dockerfile:", false },
		{ "docker/dockerfile-other:1", false },
		{ "docker/dockerfilex", false },
		{ "registry.example/docker/dockerfile:1", false },
		{ "evil/x", false },
		{ "gateway.v0", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		if (xb_frontend_is_builtin(xb_view(cases[i].name)) != cases[i].builtin)
			fail_msg("%s", cases[i].name);
	}
}

static void test_texts(void **state)
{
	static const struct {
		const char *text;
		const char *message; /* NULL: nothing else is asked for */
	} cases[] = {
		{ "FROM a\n", NULL },
		{ "", NULL },
		{ "# syntax=docker/dockerfile:1\nFROM a\n", NULL },
		{ "#syntax = docker/dockerfile:1 some arguments\nFROM a\n", NULL },
		{ "# syntax=evil/x\nFROM a\n", "Dockerfile:1:10: the syntax evil/x is" },
		{ "\xEF\xBB\xBF# syntax=evil/x\n", "Dockerfile:1:10: " },
		{ "#!/usr/bin/env x\n# Syntax=evil/x y\n",
		  "Dockerfile:2:10: the syntax evil/x is" },
		{ "# escape=`\n# check=skip=all\n# syntax=evil/x\n", "Dockerfile:3:10: " },
		{ "// syntax=evil/x\n", "Dockerfile:1:11: " },
		{ "{\"a\": 1, \"syntax\": \"evil/x\"}\n", "Dockerfile:1:1: the syntax evil/x is" },
		{ "# syntax=evil/x\r\nFROM a\r\n", "Dockerfile:1:10: the syntax evil/x is" },
		/* where directives have ended it is a comment */
		{ "# a comment\n# syntax=evil/x\nFROM a\n", NULL },
		{ "# other=x\n# syntax=evil/x\nFROM a\n", NULL },
		{ "\n# syntax=evil/x\nFROM a\n", NULL },
		{ "FROM a\n# syntax=evil/x\n", NULL },
		{ "# syntax=\nFROM a\n", NULL },
		{ "# syntax\nFROM a\n", NULL },
		{ "{\"a\": 1}\n", NULL },
		{ "{\"syntax\": 1}\n", NULL },
		{ "{\"syntax\": \"docker/dockerfile:1\"}\n", NULL },
		{ "{\"syntax\": \"evil/x\"\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r = xb_frontend_check(xb_view(cases[i].text), "Dockerfile", NULL, &err);

		if (cases[i].message == NULL) {
			if (r != 0)
				fail_msg("%s: %s", cases[i].text, err.message);
			continue;
		}
		assert_int_equal(r, -ENOTSUP);
		assert_int_equal(err.code, -ENOTSUP);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_non_null(err.hint);
		if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) != 0)
			fail_msg("%s", err.message);
	}
}

/* BUILDKIT_SYNTAX is asked in place of the text. */
static void test_override(void **state)
{
	static const char evil[] = "# syntax=evil/x\nFROM a\n";
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_frontend_check(xb_view(evil), "x", "docker/dockerfile:1", NULL), 0);
	assert_int_equal(xb_frontend_check(xb_view(evil), "x", "dockerfile.v0", NULL), 0);
	assert_int_equal(xb_frontend_check(xb_view(evil), "x", "", NULL), -ENOTSUP);
	assert_int_equal(xb_frontend_check(XB_VIEW("FROM a\n"), "x", " evil/x y", &err), -ENOTSUP);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	assert_non_null(strstr(err.message, "BUILDKIT_SYNTAX=evil/x:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_override),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
