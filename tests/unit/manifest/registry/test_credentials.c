/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials, as files and helpers have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/clock.h"
#include "base/file.h"
#include "manifest/registry/auth_file.h"
#include "manifest/registry/credentials.h"
#include "manifest/registry/helper.h"
#include "tests/unit/scratch.h"

/* Forget this user, and be one whose home is the scratch directory. */
static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	(void)unsetenv("REGISTRY_AUTH_FILE");
	(void)unsetenv("DOCKER_CONFIG");
	(void)unsetenv("XDG_RUNTIME_DIR");
	(void)unsetenv("XDG_CONFIG_HOME");
	xb_helper_limit_ms = 10000;
	return setenv("HOME", scratch, 1);
}

/* "user:password", "user:password identity=… registry=…", "" for none, or the error. */
static char *look(const char *domain, const char *path)
{
	xb_auto_credentials struct xb_credentials *credentials = xb_credentials_new();
	xb_auto_credential struct xb_credential found = XB_CREDENTIAL_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str shown = XB_STR_INIT(4096);

	if (xb_credentials_find(credentials, domain, path, &found, &err) < 0) {
		assert_int_equal(err.fault, XB_FAULT_REGISTRY);
		return XB_STEAL(err.message);
	}
	if (found.password != NULL)
		(void)xb_str_printf(&shown, "%s:%s", found.username, found.password);
	if (found.identity_token != NULL)
		(void)xb_str_printf(&shown, " identity=%s", found.identity_token);
	if (found.registry_token != NULL)
		(void)xb_str_printf(&shown, " registry=%s", found.registry_token);
	assert_true((found.source != NULL) == (shown.len > 0));
	return xb_str_steal(&shown);
}

#define CHECK(domain, path, wanted)                                                                \
	do {                                                                                       \
		xb_autofree char *xb_seen = look(domain, path);                                    \
		assert_string_equal(xb_seen, wanted);                                              \
	} while (0)
#define CHECK_HAS(domain, path, wanted)                                                            \
	do {                                                                                       \
		xb_autofree char *xb_seen = look(domain, path);                                    \
		if (strstr(xb_seen, wanted) == NULL)                                               \
			fail_msg("%s: not in: %s", wanted, xb_seen);                               \
	} while (0)

static void docker_config(const char *text)
{
	assert_int_equal(
		scratch_run((const char *[]){ "mkdir", "-p", scratch_path(".docker"), NULL }), 0);
	scratch_write(".docker/config.json", text);
}

static void nothing_anywhere(void **state)
{
	(void)state;
	CHECK("docker.io", "library/debian", "");
	(void)unsetenv("HOME");
	CHECK("docker.io", NULL, "");
}

static void entries(void **state)
{
	(void)state;
	docker_config("{\"auths\": {"
		      "\"a.example\": {\"auth\": \"dTpwOnE=\"},"
		      "\"b.example:5000\": {\"username\": \"u\", \"password\": \"p\"},"
		      "\"c.example\": {\"auth\": \"dTo=\", \"identitytoken\": \"i\"},"
		      "\"d.example\": {\"registrytoken\": \"r\"},"
		      "\"https://e.example/v2/\": {\"auth\": \"dTpw\"},"
		      "\"http://f.example\": {\"auth\": \"dTpw\"},"
		      "\"g.example/v1/\": {\"auth\": \"dTpw\"},"
		      "\"empty.example\": {},"
		      "\"null.example\": {\"auth\": null},"
		      "\"https://index.docker.io/v1/\": {\"auth\": \"aHViOnA=\"}"
		      "}, \"HttpHeaders\": {\"X\": \"y\"}, \"detachKeys\": \"ctrl-e\"}");
	CHECK("a.example", "x", "u:p:q");
	CHECK("A.Example", "x", "u:p:q");
	CHECK("b.example:5000", "x", "u:p");
	CHECK("b.example", "x", "");
	CHECK("c.example", "x", "u: identity=i");
	CHECK("d.example", "x", " registry=r");
	CHECK("e.example", "x/y", "u:p");
	CHECK("f.example", "x", "u:p");
	CHECK("g.example", NULL, "u:p");
	CHECK("empty.example", "x", "");
	CHECK("null.example", "x", "");
	CHECK("docker.io", "library/debian", "hub:p");
	CHECK("docker.io.evil.org", "library/debian", "");
	CHECK("x.a.example", "x", "");
}

static void keys_of_repositories(void **state)
{
	(void)state;
	docker_config("{\"auths\": {"
		      "\"q.example\": {\"auth\": \"aG9zdDpw\"},"
		      "\"q.example/team\": {\"auth\": \"dGVhbTpw\"},"
		      "\"q.example/team/app\": {\"auth\": \"YXBwOnA=\"},"
		      "\"docker.io/team\": {\"auth\": \"dGVhbTpw\"},"
		      "\"docker.io\": {\"auth\": \"aHViOnA=\"}}}");
	CHECK("q.example", "team/app", "app:p");
	CHECK("q.example", "team/app/deep", "app:p");
	CHECK("q.example", "team/application", "team:p");
	CHECK("q.example", "teams/app", "host:p");
	CHECK("q.example", NULL, "host:p");
	CHECK("docker.io", "team/app", "team:p");
	CHECK("docker.io", "library/debian", "hub:p");
}

static void which_file(void **state)
{
	(void)state;
	docker_config("{\"auths\": {\"a.example\": {\"auth\": \"ZG9ja2VyOnA=\"}}}");
	scratch_write("one.json", "{\"auths\": {\"a.example\": {\"auth\": \"b25lOnA=\"}}}");
	assert_int_equal(mkdir(scratch_path("run"), 0700), 0);
	assert_int_equal(mkdir(scratch_path("run/containers"), 0700), 0);
	scratch_write("run/containers/auth.json",
		      "{\"auths\": {\"a.example\": {\"auth\": \"cnVuOnA=\"},"
		      "\"b.example\": {\"auth\": \"cnVuOnA=\"}}}");
	(void)setenv("XDG_RUNTIME_DIR", scratch_path("run"), 1);
	CHECK("a.example", "x", "docker:p");
	CHECK("b.example", "x", "run:p");
	(void)setenv("DOCKER_CONFIG", scratch_path("nowhere"), 1);
	CHECK("a.example", "x", "run:p");
	(void)setenv("REGISTRY_AUTH_FILE", scratch_path("one.json"), 1);
	CHECK("a.example", "x", "one:p");
	CHECK("b.example", "x", "");
	(void)setenv("REGISTRY_AUTH_FILE", scratch_path("missing.json"), 1);
	CHECK("a.example", "x", "");
}

static void bad_files(void **state)
{
	static const char *const texts[] = {
		"{\"auths\": {\"a.example\": {\"auth\": \"s3cret\"}",
		"[\"s3cret\"]",
		"s3cret",
		"{\"auths\": \"s3cret\"}",
		"{\"auths\": {\"a.example\": \"s3cret\"}}",
		"{\"auths\": {\"a.example\": {\"auth\": \"s3cret\"}}}",
		"{\"auths\": {\"a.example\": {\"auth\": \"s3cre\\u0000\"}}}",
		"{\"auths\": {\"a.example\": {\"auth\": \"czNjcmV0\"}}}",
		"{\"auths\": {\"a.example\": {\"auth\": 7}}}",
		"{\"auths\": {\"a.example\": {\"identitytoken\": [\"s3cret\"]}}}",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		xb_autofree char *seen = NULL;

		docker_config(texts[i]);
		seen = look("a.example", "x");
		if (strstr(seen, ".docker/config.json") == NULL)
			fail_msg("%s gives: %s", texts[i], seen);
		assert_null(strstr(seen, "s3cret"));
		assert_null(strstr(seen, "s3cre"));
	}
	docker_config("");
	CHECK("a.example", "x", "");
	docker_config(" \n");
	CHECK("a.example", "x", "");
}

/* A helper on PATH, in front of all others. */
static void helper(const char *name, const char *script)
{
	xb_autofree char *path = xb_format("%s/bin:/usr/bin:/bin", scratch);
	xb_autofree char *file = xb_format("bin/docker-credential-%s", name);
	xb_autofree char *text = xb_format("#!/bin/sh\ncd '%s'\n%s", scratch, script);

	(void)mkdir(scratch_path("bin"), 0700);
	scratch_write(file, text);
	assert_int_equal(chmod(scratch_path(file), 0700), 0);
	(void)setenv("PATH", path, 1);
}

static void helpers(void **state)
{
	(void)state;
	helper("one",
	       "read server; echo \"$1 $server\" >>log\n"
	       "case $server in\n"
	       "a.example) echo '{\"ServerURL\":\"x\",\"Username\":\"u\",\"Secret\":\"p\"}' ;;\n"
	       "t.example) echo '{\"Username\":\"<token>\",\"Secret\":\"i\"}' ;;\n"
	       "https://index.docker.io/v1/) echo '{\"Username\":\"hub\",\"Secret\":\"p\"}' ;;\n"
	       "*) echo credentials not found in native keychain; exit 1 ;;\n"
	       "esac\n");
	docker_config("{\"credsStore\": \"two\", \"credHelpers\": {\"a.example\": \"one\","
		      "\"t.example\": \"one\", \"docker.io\": \"one\", \"n.example\": \"one\","
		      "\"none.example\": \"\"},"
		      "\"auths\": {\"a.example\": {}, \"n.example\": {\"auth\": \"ZmlsZTpw\"},"
		      "\"none.example\": {\"auth\": \"ZmlsZTpw\"},"
		      "\"s.example\": {}}}");
	helper("two", "cat >/dev/null; echo '{\"Username\":\"store\",\"Secret\":\"p\"}'\n");
	CHECK("a.example", "x", "u:p");
	CHECK("t.example", "x", " identity=i");
	CHECK("docker.io", "library/debian", "hub:p");
	CHECK("n.example", "x", "file:p");
	CHECK("none.example", "x", "file:p");
	CHECK("s.example", "x", "store:p");
	CHECK("any.example", "x", "store:p");
}

/* A helper is asked once. */
static void answers_are_remembered(void **state)
{
	xb_auto_credentials struct xb_credentials *credentials = xb_credentials_new();
	xb_auto_str struct xb_str log = XB_STR_INIT(4096);

	(void)state;
	helper("one", "echo asked >>log; echo credentials not found; exit 1\n");
	docker_config("{\"credsStore\": \"one\"}");
	for (int i = 0; i < 3; i++) {
		xb_auto_credential struct xb_credential found = XB_CREDENTIAL_INIT;

		assert_int_equal(xb_credentials_find(credentials, "a.example", "x", &found, NULL),
				 0);
		assert_true(xb_credential_is_empty(&found));
	}
	assert_int_equal(xb_file_read(scratch_path("log"), &log, NULL), 0);
	assert_string_equal(xb_str_text(&log), "asked\n");
}

static void what_is_put_goes_before(void **state)
{
	xb_auto_credentials struct xb_credentials *credentials = xb_credentials_new();
	xb_auto_credential struct xb_credential found = XB_CREDENTIAL_INIT;
	struct xb_credential put = { .username = scratch, .password = scratch };

	(void)state;
	docker_config("{\"auths\": {\"a.example\": {\"auth\": \"dTpw\"}}}");
	assert_int_equal(xb_credentials_find(credentials, "a.example", "x", &found, NULL), 0);
	assert_string_equal(found.username, "u");
	xb_credential_clear(&found);
	xb_credentials_put(credentials, "a.example", &(struct xb_credential){ 0 });
	xb_credentials_put(credentials, "a.example", &put);
	assert_int_equal(xb_credentials_find(credentials, "a.example", "x", &found, NULL), 0);
	assert_string_equal(found.username, scratch);
	xb_credential_clear(&found);
	assert_int_equal(xb_credentials_find(credentials, "b.example", "x", &found, NULL), 0);
	assert_true(xb_credential_is_empty(&found));
}

static void helpers_that_fail(void **state)
{
	(void)state;
	helper("bad", "echo s3cret\n");
	helper("fail", "echo 'the keychain is locked'; exit 3\n");
	helper("silent", "exit 1\n");
	helper("killed", "kill -9 $$\n");
	helper("much", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done\n");
	helper("empty", "echo '{\"ServerURL\":\"x\",\"Username\":\"\",\"Secret\":\"\"}'\n");
	docker_config("{\"credHelpers\": {"
		      "\"bad.example\": \"bad\", \"fail.example\": \"fail\","
		      "\"silent.example\": \"silent\", \"killed.example\": \"killed\","
		      "\"much.example\": \"much\", \"empty.example\": \"empty\","
		      "\"missing.example\": \"missing\", \"up.example\": \"../bin/bad\","
		      "\"shell.example\": \"bad;id\", \"space.example\": \"bad x\","
		      "\"capital.example\": \"BAD\", \"h\\nost\": \"bad\", \"h%0aost\": \"bad\"}}");
	CHECK_HAS("bad.example", "x", "not the JSON of a credential");
	CHECK_HAS("fail.example", "x", "status 3: the keychain is locked");
	CHECK_HAS("silent.example", "x", "status 1");
	CHECK_HAS("killed.example", "x", "signal 9");
	CHECK_HAS("much.example", "x", "prints more than 65536 bytes");
	CHECK("empty.example", "x", "");
	CHECK_HAS("missing.example", "x", "docker-credential-missing");
	CHECK_HAS("up.example", "x", "small letters, digits and dashes only");
	CHECK_HAS("shell.example", "x", "small letters, digits and dashes only");
	CHECK_HAS("space.example", "x", "small letters, digits and dashes only");
	CHECK_HAS("capital.example", "x", "small letters, digits and dashes only");
	CHECK_HAS("h\nost", "x", "no credential helper is asked for a host like this");
	CHECK_HAS("h%0aost", "x", "no credential helper is asked for a host like this");
}

/* Neither it nor what it has started lives longer than its time, also with its output closed. */
static void helpers_that_hang(void **state)
{
	xb_autofree char *hang = xb_format("sleep 600.%d & sleep 600.%d\n", getpid(), getpid());
	xb_autofree char *quiet = xb_format("exec >&-; sleep 600.%d\n", getpid());
	xb_autofree char *living = xb_format("pgrep -f 'sleep 600[.]%d' >/dev/null", getpid());
	uint64_t start = xb_clock_monotonic();

	(void)state;
	helper("hang", hang);
	helper("quiet", quiet);
	docker_config("{\"credHelpers\": {\"a.example\": \"hang\", \"b.example\": \"quiet\"}}");
	xb_helper_limit_ms = 1000;
	CHECK_HAS("a.example", "x", "not answered in 1 seconds");
	CHECK_HAS("b.example", "x", "not answered in 1 seconds");
	/* a signal is no more than on its way */
	for (int i = 0; i < 600 && system(living) == 0; i++)
		(void)usleep(100000);
	assert_int_not_equal(system(living), 0);
	assert_true(xb_clock_monotonic() - start < UINT64_C(300) * 1000000000);
}

static void helpers_keep_and_forget(void **state)
{
	xb_auto_str struct xb_str log = XB_STR_INIT(4096);
	char user[] = "u", password[] = "p\"w", token[] = "t";
	const struct xb_credential with_password = { .username = user, .password = password };
	const struct xb_credential with_token = { .username = user, .identity_token = token };

	(void)state;
	helper("one", "echo \"$1\" \"$(cat)\" >>log\n");
	helper("none", "cat >/dev/null; echo credentials not found in native keychain; exit 1\n");
	assert_int_equal(xb_helper_store("one", "a.example", &with_password, NULL), 0);
	assert_int_equal(xb_helper_store("one", "b.example", &with_token, NULL), 0);
	assert_int_equal(xb_helper_erase("one", "a.example", NULL), 0);
	assert_int_equal(xb_helper_erase("none", "a.example", NULL), 0);
	assert_int_equal(xb_file_read(scratch_path("log"), &log, NULL), 0);
	assert_string_equal(
		xb_str_text(&log),
		"store {\"ServerURL\":\"a.example\",\"Username\":\"u\",\"Secret\":\"p\\\"w\"}\n"
		"store {\"ServerURL\":\"b.example\",\"Username\":\"<token>\",\"Secret\":\"t\"}\n"
		"erase a.example\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, scratch_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(nothing_anywhere),
		TEST(entries),
		TEST(keys_of_repositories),
		TEST(which_file),
		TEST(bad_files),
		TEST(helpers),
		TEST(answers_are_remembered),
		TEST(what_is_put_goes_before),
		TEST(helpers_that_fail),
		TEST(helpers_that_hang),
		TEST(helpers_keep_and_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
