/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: how they are given, and how they are kept out of the log. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/solve/mask.h"
#include "builder/solve/secret.h"
#include "tests/unit/scratch.h"

static int parse(struct xb_secrets *secrets, struct xb_error *err, const char *format,
		 const char *path)
{
	xb_autofree char *text = NULL;
	const char *at = strstr(format, "@");

	text = at == NULL ? xb_strdup(format)
			  : xb_format("%.*s%s%s", (int)(at - format), format, path, at + 1);
	return xb_secret_parse(text, secrets, err);
}

static void test_given(void **state)
{
	static const char *const pairs[][2] = {
		{ "id=s,src=@", "of the file" },
		{ "id=s,source=@", "of the file" },
		{ "type=file,id=s,src=@", "of the file" },
		{ "ID=s,env=XB_TEST_SECRET", "of the variable" },
		{ "id=s,type=env,src=XB_TEST_SECRET", "of the variable" },
		{ "id=XB_TEST_SECRET", "of the variable" },
		{ "id=XB_TEST_SECRET,type=env", "of the variable" },
		{ "id=@", "of the file" },
		{ "id=s,env=XB_TEST_UNSET", NULL },
		{ "\"id=s\",\"src=@\"", "of the file" },
	};

	(void)state;
	scratch_write("s", "of the file");
	assert_int_equal(setenv("XB_TEST_SECRET", "of the variable", 1), 0);
	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		xb_auto_secrets struct xb_secrets secrets = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (parse(&secrets, &err, pairs[i][0], scratch_path("s")) < 0)
			fail_msg("%s: %s", pairs[i][0], err.message);
		if (pairs[i][1] == NULL) {
			assert_int_equal(secrets.len, 0);
			continue;
		}
		assert_string_equal(xb_str_text(&secrets.items[0].data), pairs[i][1]);
		assert_ptr_equal(xb_secrets_find(&secrets, secrets.items[0].id), &secrets.items[0]);
		assert_null(xb_secrets_find(&secrets, "other"));
	}
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"src=@",
		"id=",
		"id=s,src=",
		"id=s,colour=red",
		"id=s,x",
		"id=s,src=@.no",
		"id=s,type=zip,src=@",
		"\"id=s",
	};

	(void)state;
	scratch_write("s", "x");
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		xb_auto_secrets struct xb_secrets secrets = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (parse(&secrets, &err, texts[i], scratch_path("s")) == 0)
			fail_msg("%s is taken", texts[i]);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_int_equal(secrets.len, 0);
	}
}

static void test_too_long(void **state)
{
	xb_auto_secrets struct xb_secrets secrets = { 0 };
	xb_auto_str struct xb_str big = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	while (big.len <= XB_MAX_SECRET)
		(void)xb_str_puts(&big, "0123456789abcdef");
	scratch_write("s", xb_str_text(&big));
	assert_int_equal(parse(&secrets, &err, "id=s,src=@", scratch_path("s")), -EFBIG);
}

static void add(struct xb_secrets *secrets, const char *bytes, size_t len)
{
	struct xb_secret *secret = xb_array_push(secrets);

	secret->id = xb_strdup("s");
	secret->data = XB_STR_INIT(XB_MAX_SECRET);
	(void)xb_str_append(&secret->data, bytes, len);
}

/* What is shown of `line` with `secret` masked; malloc()ed. */
static char *masked(const char *secret, const char *line)
{
	xb_auto_secrets struct xb_secrets secrets = { 0 };
	XB_CLEANUP(xb_mask_clear) struct xb_mask mask = { 0 };
	struct xb_str out = XB_STR_INIT(XB_STR_OWN);

	add(&secrets, secret, strlen(secret));
	xb_mask_init(&mask, &secrets);
	assert_int_equal(xb_mask_piece(&mask, xb_view(line), false, &out), strlen(line));
	return out.data != NULL ? xb_str_steal(&out) : xb_strdup("");
}

static void test_masked(void **state)
{
	static const char *const cases[][3] = {
		{ "hush", "a hush b hush", "a *** b ***" },
		{ "hush", "hushhush", "******" },
		{ "hush\n", "say hush", "say ***" },
		{ "hush", "hus", "hus" },
		{ "hush", "", "" },
		{ "", "all of it", "all of it" },
		{ "\n \n", "all of it", "all of it" },
		{ "pw", "the pw", "the ***" },
		{ "{\n  \"key\": 1\n}\n", "x { } \"key\": 1", "x { } ***" },
		{ "{\n  \"key\": 1\n}\n", " } ", "***" },
		{ "aab", "aaab", "a***" },
		{ "abab", "ababab", "***ab" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *got = masked(cases[i][0], cases[i][1]);

		assert_string_equal(got, cases[i][2]);
	}
}

/* The longer of two secrets, one of which begins with the other, is masked as a whole. */
static void test_overlapping(void **state)
{
	xb_auto_secrets struct xb_secrets secrets = { 0 };
	XB_CLEANUP(xb_mask_clear) struct xb_mask mask = { 0 };
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	add(&secrets, "pass", 4);
	add(&secrets, "password", 8);
	xb_mask_init(&mask, &secrets);
	(void)xb_mask_piece(&mask, XB_VIEW("password pass"), false, &out);
	assert_string_equal(xb_str_text(&out), "*** ***");
}

/* A line that comes in pieces shows nothing of a secret, wherever it is cut. */
static void test_pieces(void **state)
{
	static const char line[] = "one secret, two secrets, secretsecret, secre";
	xb_auto_secrets struct xb_secrets secrets = { 0 };
	XB_CLEANUP(xb_mask_clear) struct xb_mask mask = { 0 };

	(void)state;
	add(&secrets, "secret", 6);
	xb_mask_init(&mask, &secrets);
	for (size_t cut = 0; cut <= strlen(line); cut++) {
		xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
		struct xb_view all = xb_view(line);
		size_t taken = xb_mask_piece(&mask, xb_view_sub(all, 0, cut), true, &out);

		assert_true(taken + mask.longest > cut);
		(void)xb_mask_piece(&mask, xb_view_sub(all, taken, all.len), false, &out);
		assert_string_equal(xb_str_text(&out), "one ***, two ***s, ******, secre");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_given),
		TEST(test_refused),
		TEST(test_too_long),
		cmocka_unit_test(test_masked),
		cmocka_unit_test(test_overlapping),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
