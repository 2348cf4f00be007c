/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: known answers, what is refused, encodings that cannot be confused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/digest.h"

#define OF_EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OF_ABC	 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA512_OF_ABC                                                                              \
	"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"                  \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

/* FIPS 180-4's examples. */
static void known_answers_come_out(void **state)
{
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();

	(void)state;
	assert_string_equal(xb_digest_of("", 0).text, OF_EMPTY);
	assert_string_equal(xb_digest_of(NULL, 0).text, OF_EMPTY);
	assert_string_equal(xb_digest_of("abc", 3).text, OF_ABC);
	xb_hasher_add(h, "a", 1);
	xb_hasher_add(h, NULL, 0);
	xb_hasher_add(h, "bc", 2);
	assert_string_equal(xb_hasher_finish(h).text, OF_ABC);
	assert_string_equal(xb_hasher_finish(h).text, OF_EMPTY);
}

static void a_hasher_verifies_what_the_digest_says(void **state)
{
	struct xb_digest like, got;
	xb_auto_hasher struct xb_hasher *h = NULL;

	(void)state;
	assert_int_equal(xb_digest_parse(XB_VIEW(SHA512_OF_ABC), &like, NULL), 0);
	h = xb_hasher_new_like(&like);
	xb_hasher_add(h, "abc", 3);
	got = xb_hasher_finish(h);
	assert_true(xb_digest_eq(&got, &like));
	assert_true(xb_view_is(xb_digest_algorithm(&got), "sha512"));
	xb_hasher_free(NULL);
}

static void a_valid_digest_is_read(void **state)
{
	struct xb_digest d = { 0 }, empty = { 0 };

	(void)state;
	assert_true(xb_digest_empty(&d));
	assert_string_equal(xb_digest_hex(&d), "");
	assert_int_equal(xb_digest_parse(XB_VIEW(OF_ABC), &d, NULL), 0);
	assert_false(xb_digest_empty(&d));
	assert_string_equal(d.text, OF_ABC);
	assert_string_equal(xb_digest_hex(&d), strchr(OF_ABC, ':') + 1);
	assert_true(xb_view_is(xb_digest_algorithm(&d), "sha256"));
	assert_false(xb_digest_eq(&d, &empty));
}

static const char *const refused[] = {
	"",
	":",
	"sha256",
	"sha256:",
	"sha256:e3b0",
	"sha256:../../../../../../../../../../../../../../../../../../../../../etc/passwd",
	"sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
	"SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	" " OF_EMPTY,
	OF_EMPTY "\n",
	OF_EMPTY "0",
	OF_EMPTY ":",
	"sha384:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"sha256+b64:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8",
	"sha256::3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
};

static void anything_else_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(refused); i++) {
		struct xb_digest d = { 0 };

		if (xb_digest_parse(xb_view(refused[i]), &d, NULL) != -EINVAL)
			fail_msg("\"%s\" is taken", refused[i]);
		assert_true(xb_digest_empty(&d));
	}
	assert_int_equal(
		xb_digest_parse((struct xb_view){ NULL, 0 }, &(struct xb_digest){ 0 }, NULL),
		-EINVAL);
}

static struct xb_digest of_fields(const char *a, const char *b)
{
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();

	xb_hasher_field(h, xb_view(a));
	xb_hasher_field(h, xb_view(b));
	return xb_hasher_finish(h);
}

static void fields_do_not_run_together(void **state)
{
	struct xb_digest a = of_fields("ab", "c"), b = of_fields("a", "bc"),
			 c = of_fields("abc", "");

	(void)state;
	assert_false(xb_digest_eq(&a, &b));
	assert_false(xb_digest_eq(&a, &c));
	assert_false(xb_digest_eq(&b, &c));
}

/* Stores outlive programs: the encoding must never change. */
static void the_encoding_of_fields_is_fixed(void **state)
{
	static const char bytes[] = "\0\0\0\0\0\0\0\3RUN\0\0\0\0\0\0\0\x08\x01\2\3\4\5\6\7\x08";
	struct xb_digest expected = xb_digest_of(bytes, sizeof(bytes) - 1), got;
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();

	(void)state;
	xb_hasher_field(h, XB_VIEW("RUN"));
	xb_hasher_number(h, 0x0102030405060708U);
	got = xb_hasher_finish(h);
	assert_string_equal(got.text, expected.text);
}

static void checksums_of_downloads_may_be_sha384(void **state)
{
	static const char sha384[] =
		"sha384:59e1748777448c69de6b800d7a33bbfb9ff1b463e44354c3553bcdb9c666fa90"
		"125a3c79f90397bdf5f6a13de828684f";
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_digest digest, found;
	struct xb_hasher *hasher;

	(void)state;
	/* no descriptor and no path has one */
	assert_int_equal(xb_digest_parse(xb_view(sha384), &digest, NULL), -EINVAL);
	assert_int_equal(xb_digest_parse_checksum(xb_view(sha384), &digest, NULL), 0);
	hasher = xb_hasher_new_like(&digest);
	xb_hasher_add(hasher, "hello", 5);
	found = xb_hasher_finish(hasher);
	xb_hasher_free(hasher);
	assert_true(xb_digest_eq(&found, &digest));
	found = xb_digest_of("hello", 5);
	assert_int_equal(xb_digest_parse_checksum(xb_view(found.text), &digest, NULL), 0);
	assert_int_equal(xb_digest_parse_checksum(xb_view("md5:00"), &digest, &err), -EINVAL);
	assert_int_equal(xb_digest_parse_checksum(xb_view(found.text + 7), &digest, &err), -EINVAL);
}

/* A list is told from its members alone, and from one that is cut elsewhere. */
static void test_lists(void **state)
{
	const char *const lists[][3] = { { "ab", "c" }, { "a", "bc" }, { "abc" }, { NULL } };
	struct xb_digest digests[XB_COUNT(lists)];
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();
	struct xb_digest by_hand;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(lists); i++) {
		xb_hasher_list(h, lists[i]);
		digests[i] = xb_hasher_finish(h);
		for (size_t k = 0; k < i; k++)
			assert_false(xb_digest_eq(&digests[i], &digests[k]));
	}
	xb_hasher_number(h, 2);
	xb_hasher_field(h, XB_VIEW("ab"));
	xb_hasher_field(h, XB_VIEW("c"));
	by_hand = xb_hasher_finish(h);
	assert_true(xb_digest_eq(&by_hand, &digests[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_of_downloads_may_be_sha384),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(known_answers_come_out),
		cmocka_unit_test(a_hasher_verifies_what_the_digest_says),
		cmocka_unit_test(a_valid_digest_is_read),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(fields_do_not_run_together),
		cmocka_unit_test(the_encoding_of_fields_is_fixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
