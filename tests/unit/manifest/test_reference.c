/* SPDX-License-Identifier: Apache-2.0 */
/* Image references: the vectors of distribution/reference in full, and what they leave out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/reference.h"
#include "tests/unit/corpora.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* "" and NULL are the same to the vectors. */
static void assert_text(const char *got, const char *wanted)
{
	assert_string_equal(got != NULL ? got : "", wanted != NULL ? wanted : "");
}

static bool parses(const char *text)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	return xb_reference_parse(xb_view(text), &ref, NULL) == 0;
}

static bool parses_exactly(const char *text)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	return xb_reference_parse_exact(xb_view(text), &ref, NULL) == 0;
}

static void check_parse(const json_t *v)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *name = NULL;
	const char *input = corpora_member(v, "input");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r = xb_reference_parse_exact(xb_view(input), &ref, &err);

	if (corpora_member(v, "error") != NULL) {
		/* their digests know sha256 alone in that test */
		if (strncmp(input, "validname@sha512:", 17) == 0)
			return;
		if (r == 0)
			fail_msg("%s is refused by distribution/reference", input);
		assert_int_equal(r, strcmp(corpora_member(v, "error"), "ErrNameTooLong") == 0
					    ? -ENAMETOOLONG
					    : -EINVAL);
		assert_null(ref.path);
		return;
	}
	if (r < 0)
		fail_msg("%s", err.message);
	name = xb_reference_name(&ref);
	assert_text(name, corpora_member(v, "repository"));
	assert_text(ref.domain, corpora_member(v, "domain"));
	assert_text(ref.tag, corpora_member(v, "tag"));
	assert_text(ref.digest.text, corpora_member(v, "digest"));
}

static void vectors_parse(void **state)
{
	(void)state;
	corpora_each("references", "parse", check_parse);
}

/* ParseNamed takes only what is in the normal form already. */
static void check_parse_named(const json_t *v)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *whole = NULL;

	assert_non_null(corpora_member(v, "error"));
	if (xb_reference_parse(xb_view(corpora_member(v, "input")), &ref, NULL) < 0)
		return;
	whole = xb_reference_format(&ref);
	assert_string_not_equal(whole, corpora_member(v, "input"));
}

static void vectors_parse_named(void **state)
{
	(void)state;
	corpora_each("references", "parse-named", check_parse_named);
}

static void check_split(const json_t *v)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	assert_int_equal(xb_reference_parse(xb_view(corpora_member(v, "input")), &ref, NULL), 0);
	assert_string_equal(ref.domain, corpora_member(v, "domain"));
	assert_string_equal(ref.path, corpora_member(v, "path"));
}

static void vectors_split(void **state)
{
	(void)state;
	corpora_each("references", "split", check_split);
}

static void check_valid(const json_t *v)
{
	if (!parses(corpora_member(v, "input")))
		fail_msg("%s is a reference", corpora_member(v, "input"));
}

static void check_invalid(const json_t *v)
{
	if (parses(corpora_member(v, "input")))
		fail_msg("%s is no reference", corpora_member(v, "input"));
}

static void vectors_normalized(void **state)
{
	(void)state;
	corpora_each("references", "normalized-valid", check_valid);
	corpora_each("references", "normalized-invalid", check_invalid);
	corpora_each("references", "remote-name-valid", check_valid);
	corpora_each("references", "remote-name-invalid", check_invalid);
}

/* As ParseDockerRef: `latest` where nothing is given, no tag beside a digest. */
static void check_normalize(const json_t *v)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *whole = NULL;

	assert_int_equal(xb_reference_parse(xb_view(corpora_member(v, "input")), &ref, NULL), 0);
	xb_reference_complete(&ref);
	if (!xb_digest_empty(&ref.digest)) {
		free(ref.tag);
		ref.tag = NULL;
	}
	whole = xb_reference_format(&ref);
	assert_string_equal(whole, corpora_member(v, "normalized"));
}

static void vectors_normalize(void **state)
{
	(void)state;
	corpora_each("references", "normalize", check_normalize);
}

static void check_info(const json_t *v)
{
	static const char *const forms[] = { "familiar_name", "full_name", "ambiguous_name" };

	for (size_t i = 0; i < XB_COUNT(forms); i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
		xb_autofree char *name = NULL, *familiar = NULL;
		const char *input = corpora_member(v, forms[i]);

		if (*input == '\0')
			continue;
		assert_int_equal(xb_reference_parse(xb_view(input), &ref, NULL), 0);
		name = xb_reference_name(&ref);
		familiar = xb_reference_familiar(&ref);
		assert_string_equal(name, corpora_member(v, "full_name"));
		assert_string_equal(familiar, corpora_member(v, "familiar_name"));
		assert_string_equal(ref.domain, corpora_member(v, "domain"));
		assert_string_equal(ref.path, corpora_member(v, "remote_name"));
	}
}

static void vectors_repository_info(void **state)
{
	(void)state;
	corpora_each("references", "repository-info", check_info);
}

static void check_domain(const json_t *v)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *text = xb_format("%s/x", corpora_member(v, "input"));
	bool match = xb_reference_parse_exact(xb_view(text), &ref, NULL) == 0 &&
		     ref.domain != NULL && strcmp(ref.domain, corpora_member(v, "input")) == 0;

	if (match != json_is_true(json_object_get(v, "match")))
		fail_msg("domain %s", corpora_member(v, "input"));
}

static void check_name(const json_t *v)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	const char *input = corpora_member(v, "input");
	const json_t *parts = json_object_get(v, "parts");
	bool match = xb_reference_parse_exact(xb_view(input), &ref, NULL) == 0 && ref.tag == NULL;

	if (match != json_is_true(json_object_get(v, "match")))
		fail_msg("name %s", input);
	if (match && parts != NULL) {
		assert_text(ref.domain, json_string_value(json_array_get(parts, 0)));
		assert_text(ref.path, json_string_value(json_array_get(parts, 1)));
	}
}

static void check_reference(const json_t *v)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *name = NULL;
	const json_t *parts = json_object_get(v, "parts");
	bool match = xb_reference_parse_exact(xb_view(corpora_member(v, "input")), &ref, NULL) == 0;

	if (match != json_is_true(json_object_get(v, "match")))
		fail_msg("reference %s", corpora_member(v, "input"));
	if (!match || parts == NULL)
		return;
	name = xb_reference_name(&ref);
	assert_text(name, json_string_value(json_array_get(parts, 0)));
	assert_text(ref.tag, json_string_value(json_array_get(parts, 1)));
	assert_text(ref.digest.text, json_string_value(json_array_get(parts, 2)));
}

static void check_identifier(const json_t *v)
{
	assert_int_equal(xb_reference_is_identifier(xb_view(corpora_member(v, "input"))),
			 json_is_true(json_object_get(v, "match")));
}

static void vectors_grammar(void **state)
{
	(void)state;
	corpora_each("references", "grammar-domain", check_domain);
	corpora_each("references", "grammar-name", check_name);
	corpora_each("references", "grammar-reference", check_reference);
	corpora_each("references", "grammar-identifier", check_identifier);
}

/* 64 hexadecimal digits would be an image's id: the error says how a digest is written. */
static void an_image_id_is_no_name(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	(void)state;
	assert_true(xb_reference_is_identifier(XB_VIEW(HEX64)));
	assert_int_equal(xb_reference_parse(XB_VIEW(HEX64), &ref, &err), -EINVAL);
	assert_non_null(strstr(err.hint, "@sha256:" HEX64));
}

static void upper_case_has_a_hint(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	(void)state;
	assert_int_equal(xb_reference_parse(XB_VIEW("debian/Slim"), &ref, &err), -EINVAL);
	assert_non_null(strstr(err.message, "debian/Slim"));
	assert_non_null(strstr(err.hint, "lower case"));
	assert_int_equal(err.fault, XB_FAULT_NONE);
}

static void foreign_text_is_quoted_in_errors(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	(void)state;
	assert_true(xb_reference_parse(XB_VIEW("a\033[31mb"), &ref, &err) < 0);
	assert_null(strchr(err.message, '\033'));
	xb_error_clear(&err);
	assert_true(xb_reference_parse((struct xb_view){ "a\0b", 3 }, &ref, &err) < 0);
	xb_error_clear(&err);
	assert_true(xb_reference_parse(XB_VIEW(""), &ref, &err) < 0);
}

static void tag_and_digest_together(void **state)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *whole = NULL, *familiar = NULL;

	(void)state;
	assert_int_equal(xb_reference_parse(XB_VIEW("debian:12@sha256:" HEX64), &ref, NULL), 0);
	xb_reference_complete(&ref);
	whole = xb_reference_format(&ref);
	familiar = xb_reference_familiar(&ref);
	assert_string_equal(whole, "docker.io/library/debian:12@sha256:" HEX64);
	assert_string_equal(familiar, "debian:12@sha256:" HEX64);
	assert_true(parses("a@sha512:" HEX64 HEX64));
	assert_false(parses("a@sha512:" HEX64));
	assert_false(parses("a@sha256:" HEX64 HEX64));
	assert_false(parses("a@md5:" HEX64));
}

static void limits(void **state)
{
	char tag[2 + 129 + 1] = "a:";
	char path[258];
	xb_autofree char *huge = xb_alloc(100000);

	(void)state;
	memset(tag + 2, 'x', 128);
	assert_true(parses_exactly(tag));
	memset(tag + 2, 'x', 129);
	tag[131] = '\0';
	assert_false(parses_exactly(tag));
	memset(path, 'x', 255);
	path[255] = '\0';
	assert_true(parses_exactly(path));
	memcpy(path + 255, "x", 2);
	assert_false(parses_exactly(path));
	memset(huge, 'x', 99999);
	huge[99999] = '\0';
	assert_false(parses(huge));
}

/* What the short form of would mean another registry stays long. */
static void familiar_reads_back(void **state)
{
	static const char *const names[] = {
		"docker.io/a.b/c:1",	 "docker.io/library/debian:12", "docker.io/localhost/x",
		"docker.io/library/a/b", "ghcr.io/library/x",		"docker.io/library/" HEX64,
		"docker.io/lib/x",	 "localhost:5000/x:y",		"[::1]/x",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
		xb_auto_reference struct xb_reference again = XB_REFERENCE_INIT;
		xb_autofree char *familiar = NULL, *whole = NULL;

		assert_int_equal(xb_reference_parse(xb_view(names[i]), &ref, NULL), 0);
		familiar = xb_reference_familiar(&ref);
		assert_int_equal(xb_reference_parse(xb_view(familiar), &again, NULL), 0);
		whole = xb_reference_format(&again);
		assert_string_equal(whole, names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_parse),
		cmocka_unit_test(vectors_parse_named),
		cmocka_unit_test(vectors_split),
		cmocka_unit_test(vectors_normalized),
		cmocka_unit_test(vectors_normalize),
		cmocka_unit_test(vectors_repository_info),
		cmocka_unit_test(vectors_grammar),
		cmocka_unit_test(an_image_id_is_no_name),
		cmocka_unit_test(upper_case_has_a_hint),
		cmocka_unit_test(foreign_text_is_quoted_in_errors),
		cmocka_unit_test(tag_and_digest_together),
		cmocka_unit_test(limits),
		cmocka_unit_test(familiar_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
