/* SPDX-License-Identifier: Apache-2.0 */
/* --call and --check: what they ask, and the answers as programs and people get them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "builder/cli/answer.h"
#include "builder/cli/call.h"

/* ---- the option --------------------------------------------------------------------------- */

static void asks(const char *text, bool check, enum xb_call_kind kind, bool json, bool ignore)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_call call = { 0 };

	if (xb_call_parse(text, check, &call, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	assert_int_equal(call.kind, kind);
	assert_int_equal(call.json, json);
	assert_int_equal(call.ignore_status, ignore);
}

static void test_call(void **state)
{
	(void)state;
	asks(NULL, false, XB_CALL_BUILD, false, false);
	asks(NULL, true, XB_CALL_CHECK, false, false);
	asks("build", false, XB_CALL_BUILD, false, false);
	asks("check", true, XB_CALL_CHECK, false, false);
	asks("lint,format=json", false, XB_CALL_CHECK, true, false);
	asks("format=json", true, XB_CALL_CHECK, true, false);
	asks("outline,format=text", false, XB_CALL_OUTLINE, false, false);
	asks("targets,format=json,ignorestatus=true", false, XB_CALL_TARGETS, true, true);
	asks("check,ignorestatus=false", false, XB_CALL_CHECK, false, false);
}

static void test_call_errors(void **state)
{
	static const char *const wrong[] = {
		"",	  "chek", "check,format=xml", "check,what=1", "check,ignorestatus",
		"check,", "Check"
	};
	struct xb_call call = { .json = true };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(wrong); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_call_parse(wrong[i], false, &call, &err) == 0)
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(err.hint);
	}
	assert_int_equal(xb_call_parse("targets", true, &call, NULL), -EINVAL);
	assert_true(call.json);
}

/* ---- answers ------------------------------------------------------------------------------ */

/* What `answer` writes to standard output. */
static char *written(void (*answer)(const struct xb_build_request *), const char *dockerfile)
{
	struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	struct xb_build_request request = { 0 };
	xb_auto_error struct xb_error problem = XB_ERROR_INIT;
	int file = memfd_create("written", MFD_CLOEXEC), saved;
	char bytes[4096];
	ssize_t n;

	request.dockerfile =
		xb_dockerfile_parse_part(xb_view(dockerfile), "dir/Dockerfile", &problem);
	*xb_array_push(&request.platforms) = (struct xb_platform){ .os = "linux", .arch = "amd64" };
	request.host = request.platforms.items[0];
	(void)fflush(stdout);
	saved = dup(STDOUT_FILENO);
	(void)dup2(file, STDOUT_FILENO);
	answer(&request);
	(void)fflush(stdout);
	(void)dup2(saved, STDOUT_FILENO);
	(void)close(saved);
	(void)lseek(file, 0, SEEK_SET);
	while ((n = read(file, bytes, sizeof(bytes))) > 0)
		(void)xb_str_append(&text, bytes, (size_t)n);
	(void)close(file);
	xb_build_request_clear(&request);
	return xb_str_steal(&text);
}

static void answer_check(const struct xb_build_request *request)
{
	xb_auto_check struct xb_check check = { 0 };

	(void)xb_check_run(request, true, &check, NULL, NULL);
	xb_answer_check(request, &check, &check.fault);
}

static void answer_outline(const struct xb_build_request *request)
{
	xb_auto_check struct xb_check check = { 0 };
	xb_auto_outline struct xb_outline outline = { 0 };

	(void)xb_check_run(request, false, &check, &outline, NULL);
	xb_answer_outline(request, &outline);
}

static void print_outline(const struct xb_build_request *request)
{
	xb_auto_check struct xb_check check = { 0 };
	xb_auto_outline struct xb_outline outline = { 0 };

	(void)xb_check_run(request, false, &check, &outline, NULL);
	xb_answer_print_outline(&outline);
}

static void answer_targets(const struct xb_build_request *request)
{
	xb_answer_targets(request->dockerfile);
}

static void print_targets(const struct xb_build_request *request)
{
	xb_answer_print_targets(request->dockerfile);
}

/* The members are a contract with programs: names, forms and what is left out. */
static void is_json(void (*answer)(const struct xb_build_request *), const char *dockerfile,
		    const char *want)
{
	xb_autofree char *text = written(answer, dockerfile);
	xb_auto_json json_t *got = json_loads(text, 0, NULL);
	xb_auto_json json_t *expected = json_loads(want, 0, NULL);

	assert_non_null(got);
	assert_non_null(expected);
	if (!json_equal(got, expected))
		fail_msg("got %s", text);
}

#define AT(first, last)                                                                            \
	"{\"ranges\":[{\"start\":{\"line\":" #first "},\"end\":{\"line\":" #last "}}]}"

static void test_check_json(void **state)
{
	(void)state;
	is_json(answer_check, "FROM scratch\nMAINTAINER \\\nme\n",
		"{\"warnings\":[{\"ruleName\":\"MaintainerDeprecated\","
		"\"description\":\"The MAINTAINER instruction is deprecated, use a label instead "
		"to define an image author\","
		"\"url\":\"https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/\","
		"\"detail\":\"Maintainer instruction is deprecated in favor of using label\","
		"\"location\":" AT(2,
				   3) "}],"
				      "\"sources\":[{\"filename\":\"dir/"
				      "Dockerfile\",\"language\":\"Dockerfile\","
				      "\"data\":\"RlJPTSBzY3JhdGNoCk1BSU5UQUlORVIgXAptZQo=\"}]}");
	is_json(answer_check, "FROM scratch\n",
		"{\"warnings\":[],\"sources\":[{\"filename\":\"dir/Dockerfile\","
		"\"language\":\"Dockerfile\",\"data\":\"RlJPTSBzY3JhdGNoCg==\"}]}");
	is_json(answer_check, "FROM a$x\n",
		"{\"warnings\":[{\"ruleName\":\"UndefinedArgInFrom\","
		"\"description\":\"FROM command must use declared ARGs\","
		"\"url\":\"https://docs.docker.com/go/dockerfile/rule/undefined-arg-in-from/\","
		"\"detail\":\"FROM argument 'x' is not declared\",\"location\":" AT(
			1, 1) "}],"
			      "\"sources\":[{\"filename\":\"dir/"
			      "Dockerfile\",\"language\":\"Dockerfile\","
			      "\"data\":\"RlJPTSBhJHgK\"}]}");
}

static void test_outline_json(void **state)
{
	(void)state;
	is_json(answer_outline,
		"# t is it\nFROM scratch AS t\n# A is a\nARG A=1 B\n"
		"RUN --mount=type=secret,id=s,required --mount=type=ssh "
		"--mount=type=cache,target=/c x\n",
		"{\"name\":\"t\",\"description\":\"is it\",\"args\":["
		"{\"name\":\"A\",\"description\":\"is a\",\"value\":\"1\",\"location\":" AT(4, 4) "},{\"name\":\"B\",\"location\":" AT(
			4, 4) "}],"
			      "\"secrets\":[{\"name\":\"s\",\"required\":true,\"location\":" AT(
				      5, 5) "}],"
					    "\"ssh\":[{\"name\":\"default\",\"location\":" AT(
						    5,
						    5) "}],"
						       "\"cache\":[{\"ID\":\"/c\",\"location\":" AT(
							       5, 5) "}],\"sources\":["
								     "\"IyB0IGlzIGl0CkZST00gc2NyYXR"
								     "jaCBBUyB0CiMgQSBpcyBhCkFSRyBB"
								     "PTEgQgpSVU4gLS1tb3VudD"
								     "10eXBlPXNlY3JldCxpZD1zLHJlcXV"
								     "pcmVkIC0tbW91bnQ9dHlwZT1zc2gg"
								     "LS1tb3VudD10eXBlPWNhY2"
								     "hlLHRhcmdldD0vYyB4Cg==\"]}");
}

static void test_targets_json(void **state)
{
	(void)state;
	is_json(answer_targets, "# a is it\nFROM b:$c AS a\nFROM --platform=$BUILDPLATFORM a\n",
		"{\"targets\":[{\"name\":\"a\",\"description\":\"is it\",\"base\":\"b:$c\","
		"\"location\":" AT(2, 2) "},{\"default\":true,\"base\":\"a\","
					 "\"platform\":\"$BUILDPLATFORM\",\"location\":" AT(
						 3, 3) "}],\"sources\":["
						       "\"IyBhIGlzIGl0CkZST00gYjokYyBBUyBhCkZST00gL"
						       "S1wbGF0Zm9ybT0kQlVJTERQTEFURk9STSBhCg"
						       "==\"]}");
}

static void test_tables(void **state)
{
	xb_autofree char *outline = written(
		print_outline, "FROM scratch AS last\n# name is what\nARG name=a-long-value other\n"
			       "RUN --mount=type=secret,id=s,required --mount=type=ssh x\n");
	xb_autofree char *nothing = written(print_outline, "FROM scratch\n");
	xb_autofree char *targets =
		written(print_targets, "# one is first\nFROM scratch AS one\nFROM scratch\n");
	xb_autofree char *named = written(print_targets, "FROM scratch AS a\n");

	(void)state;
	assert_string_equal(outline, "TARGET: last\n"
				     "\n"
				     "BUILD ARG   VALUE          DESCRIPTION\n"
				     "name        a-long-value   is what\n"
				     "other                      \n"
				     "\n"
				     "SECRET   REQUIRED\n"
				     "s        true\n"
				     "\n"
				     "SSH       REQUIRED\n"
				     "default   \n"
				     "\n");
	assert_string_equal(nothing, "");
	assert_string_equal(targets, "TARGET    DESCRIPTION\n"
				     "one       is first\n"
				     "(default) \n");
	assert_string_equal(named, "TARGET      DESCRIPTION\na (default) \n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),	     cmocka_unit_test(test_call_errors),
		cmocka_unit_test(test_check_json),   cmocka_unit_test(test_outline_json),
		cmocka_unit_test(test_targets_json), cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
