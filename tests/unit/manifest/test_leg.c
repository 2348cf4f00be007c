/* SPDX-License-Identifier: Apache-2.0 */
/* Results of legs: stable bytes, nothing that is not known, nothing that leads elsewhere. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/leg.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"

/* A good result, piece by piece, so that a test can put another piece there. */
static const char *const good[][2] = {
	{ "xbuildLeg", "1" },
	{ "revision", "\"v1\"" },
	{ "sourceDateEpoch", "1700000000" },
	{ "dockerfile", "\"" D1 "\"" },
	{ "arguments", "\"" D2 "\"" },
	{ "builder", "{\"xbuild\":\"0.1.0\",\"libraries\":{\"gzip\":\"libdeflate 1.14\"}}" },
	{ "platforms", "[\"linux/amd64\",\"linux/arm64\",\"linux/s390x?\"]" },
	{ "index", "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		   "\"annotations\":{\"a\":\"b\"},\"descriptorAnnotations\":{\"c\":\"d\"}}" },
	{ "places", "[{\"repository\":\"localhost:5000/team/app\"},{\"layout\":\"legs/arm\"},"
		    "{\"archive\":\"arm.tar\"}]" },
	{ "manifests",
	  "[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D1
	  "\",\"size\":7,\"annotations\":{\"x\":\"y\"},"
	  "\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"}}]" },
};

/* The good one with `value` for `key`; NULL: without it; a key that is not there is added. */
static char *document(const char *key, const char *value)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	bool found = false;

	for (size_t i = 0; i < XB_COUNT(good); i++) {
		bool this = key != NULL && strcmp(key, good[i][0]) == 0;

		found |= this;
		if (!this || value != NULL)
			(void)xb_str_printf(&text, "%s\"%s\":%s", text.len > 0 ? "," : "{",
					    good[i][0], this ? value : good[i][1]);
	}
	if (key != NULL && !found)
		(void)xb_str_printf(&text, ",\"%s\":%s", key, value);
	(void)xb_str_puts(&text, "}");
	return xb_str_steal(&text);
}

static void test_read(void **state)
{
	xb_autofree char *text = document(NULL, NULL);
	xb_auto_leg struct xb_leg leg = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	if (xb_leg_parse(xb_view(text), &leg, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(leg.revision, "v1");
	assert_int_equal(leg.epoch, 1700000000);
	assert_string_equal(leg.dockerfile.text, D1);
	assert_string_equal(leg.arguments.text, D2);
	assert_string_equal(leg.version, "0.1.0");
	assert_string_equal(xb_annotations_get(&leg.libraries, "gzip"), "libdeflate 1.14");
	assert_int_equal(leg.platforms.len, 3);
	assert_false(leg.platforms.items[1].optional);
	assert_true(leg.platforms.items[2].optional);
	assert_true(leg.index.wanted);
	assert_false(leg.index.docker);
	assert_string_equal(xb_annotations_get(&leg.index.own, "a"), "b");
	assert_string_equal(xb_annotations_get(&leg.index.descriptor, "c"), "d");
	assert_string_equal(leg.places.items[0].repository, "localhost:5000/team/app");
	assert_string_equal(leg.places.items[1].layout, "legs/arm");
	assert_string_equal(leg.places.items[2].archive, "arm.tar");
	assert_int_equal(leg.manifests.len, 1);
	assert_int_equal(xb_leg_declared(&leg, &leg.manifests.items[0].platform), 1);
}

/* What is written does not depend on how the text that was read was written. */
static void test_stable(void **state)
{
	xb_autofree char *text = document(NULL, NULL);
	xb_auto_str struct xb_str first = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str second = XB_STR_INIT(XB_STR_OWN);
	xb_auto_leg struct xb_leg leg = { 0 }, again = { 0 };

	(void)state;
	assert_int_equal(xb_leg_parse(xb_view(text), &leg, NULL), 0);
	assert_int_equal(xb_leg_write(&leg, &first, NULL), 0);
	assert_int_equal(xb_leg_parse(xb_str_view(&first), &again, NULL), 0);
	assert_int_equal(xb_leg_write(&again, &second, NULL), 0);
	assert_string_equal(xb_str_text(&first), xb_str_text(&second));
	assert_non_null(strstr(xb_str_text(&first),
			       "  \"platforms\": [\n    \"linux/amd64\",\n    \"linux/arm64\",\n"
			       "    \"linux/s390x?\"\n  ],\n"));
}

/* Whether labels annotate the index is of version 2, and written in no other. */
static void test_labels(void **state)
{
	static const char index[] = "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
				    "\"labels\":";
	static const struct {
		const char *labels;
		int r;
		bool unlabelled;
	} cases[] = { { "true}", 0, false }, { "false}", 0, true }, { "null}", -EBADMSG, false } };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *value = xb_format("%s%s", index, cases[i].labels);
		xb_autofree char *text = document("index", value);
		xb_auto_str struct xb_str written = XB_STR_INIT(XB_STR_OWN);
		xb_auto_leg struct xb_leg leg = { 0 };

		*(strchr(text, ':') + 1) = '2'; /* the version is the first member */
		assert_int_equal(xb_leg_parse(xb_view(text), &leg, NULL), cases[i].r);
		if (cases[i].r < 0)
			continue;
		assert_int_equal(leg.index.unlabelled, cases[i].unlabelled);
		assert_int_equal(xb_leg_write(&leg, &written, NULL), 0);
		assert_non_null(strstr(xb_str_text(&written), cases[i].unlabelled
								      ? "\"xbuildLeg\": 2,"
								      : "\"xbuildLeg\": 1,"));
	}
}

/* The only image of a whole may go without an index, and then there is none. */
static void test_one_image(void **state)
{
	static const char one[] =
		"{\"xbuildLeg\":1,\"revision\":\"v1\",\"sourceDateEpoch\":0,\"dockerfile\":\"" D1
		"\",\"arguments\":\"" D2 "\",\"builder\":{\"xbuild\":\"1\"},"
		"\"platforms\":[\"linux/arm64\"],\"places\":[{\"layout\":\"a\"}],"
		"\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		"\"digest\":\"" D1 "\",\"size\":7,"
		"\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"}}]}";
	xb_auto_str struct xb_str written = XB_STR_INIT(XB_STR_OWN);
	xb_auto_leg struct xb_leg leg = { 0 };

	(void)state;
	assert_int_equal(xb_leg_parse(xb_view(one), &leg, NULL), 0);
	assert_false(leg.index.wanted);
	assert_int_equal(xb_leg_write(&leg, &written, NULL), 0);
	assert_null(strstr(xb_str_text(&written), "index"));
}

#define MANIFEST(type, rest)                                                                       \
	"[{\"mediaType\":\"application/vnd.oci.image." type "\",\"digest\":\"" D1                  \
	"\",\"size\":7" rest "}]"
#define ARM64 ",\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"}"

static void test_refused(void **state)
{
	static const struct {
		const char *key;
		const char *value;
		const char *why;
	} cases[] = {
		{ "xbuildLeg", NULL, "not what a leg of xbuild leaves" },
		{ "xbuildLeg", "3", "of version 3, and this xbuild reads them up to 2" },
		{ "index",
		  "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"labels\":false}",
		  "it has members that are not known: {\"labels\":false}" },
		{ "xbuildLeg", "\"1\"", "xbuildLeg" },
		{ "more", "1", "members that are not known: {\"more\":1}" },
		{ "Places", "[]", "named like \"places\" but for its case" },
		{ "revision", NULL, "revision is missing" },
		{ "revision", "\"\"", "revision is missing, empty" },
		{ "revision", "\"a\\u001b[2J\"", "control character" },
		{ "revision", "7", "revision" },
		{ "sourceDateEpoch", NULL, "sourceDateEpoch is missing" },
		{ "sourceDateEpoch", "-1", "sourceDateEpoch" },
		{ "sourceDateEpoch", "1.5", "sourceDateEpoch" },
		{ "dockerfile", "\"sha256:12\"", "dockerfile is missing or no digest" },
		{ "arguments", NULL, "arguments is missing" },
		{ "builder", NULL, "builder: it is missing" },
		{ "builder", "{}", "builder: xbuild is missing" },
		{ "builder", "{\"xbuild\":\"1\",\"y\":1}", "builder: it has members" },
		{ "builder", "{\"xbuild\":\"1\",\"libraries\":{\"a\":1}}", "libraries" },
		{ "platforms", NULL, "platforms is missing" },
		{ "platforms", "[]", "platforms is missing, empty" },
		{ "platforms", "[7]", "platforms[0] is no string" },
		{ "platforms", "[\"arm64\"]", "not of the form OS/ARCH" },
		{ "platforms", "[\"linux/arm64\",\"linux/aarch64\"]", "stands there twice" },
		{ "platforms", "[\"linux/a b\"]", "platforms: " },
		{ "index", NULL, "index: it is missing" },
		{ "index", "{}", "index: mediaType" },
		{ "index", "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\"}",
		  "index: mediaType" },
		{ "places", NULL, "places is missing" },
		{ "places", "[{}]", "places[0]: it needs one of" },
		{ "places", "[7]", "places[0]: it is no object" },
		{ "places", "[{\"repository\":\"h:1/a\",\"layout\":\"b\"}]", "one of" },
		{ "places", "[{\"layout\":\"/etc\"}]", "leads out" },
		{ "places", "[{\"layout\":\"..\"}]", "leads out" },
		{ "places", "[{\"layout\":\"a/../../b\"}]", "leads out" },
		{ "places", "[{\"layout\":\"a\",\"archive\":\"b\"}]", "one of" },
		{ "places", "[{\"archive\":\"/etc/x\"}]", "leads out" },
		{ "places", "[{\"archive\":\"../x\"}]", "leads out" },
		{ "places", "[{\"layout\":\"\"}]", "leads out" },
		{ "places", "[{\"layout\":\"a//b\"}]", "leads out" },
		{ "places", "[{\"repository\":\"localhost:1/a:tag\"}]", "HOST/NAME" },
		{ "places", "[{\"repository\":\"localhost:1/a@" D1 "\"}]", "HOST/NAME" },
		{ "places", "[{\"repository\":\"app\"}]", "HOST/NAME" },
		{ "places", "[{\"layout\":\"a\",\"url\":\"b\"}]", "places[0]: it has members" },
		{ "manifests", "[]", "manifests is missing" },
		{ "manifests", MANIFEST("index.v1+json", ARM64), "no image manifest" },
		{ "manifests", MANIFEST("manifest.v1+json", ""), "has no platform" },
		{ "manifests",
		  MANIFEST("manifest.v1+json",
			   ",\"platform\":{\"architecture\":\"ppc64le\",\"os\":\"linux\"}"),
		  "not among those of the whole" },
		{ "manifests", MANIFEST("manifest.v1+json", ARM64 ",\"urls\":[\"http://x/\"]"),
		  "members that are not known" },
		{ "manifests",
		  "[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D1
		  "\",\"size\":7" ARM64
		  "},{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D2
		  "\",\"size\":7,\"platform\":{\"architecture\":\"arm64\",\"variant\":\"v8\","
		  "\"os\":\"linux\"}}]",
		  "manifests[1]: there is another one for its platform" },
		{ "manifests", "[{\"digest\":\"" D1 "\"}]", "manifests" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *text = document(cases[i].key, cases[i].value);
		xb_auto_leg struct xb_leg leg = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_leg_parse(xb_view(text), &leg, &err) >= 0)
			fail_msg("taken: %s", text);
		if (strstr(err.message, cases[i].why) == NULL)
			fail_msg("not \"%s\": %s", cases[i].why, err.message);
		assert_int_equal(err.fault, XB_FAULT_PROOF);
		assert_null(leg.manifests.items);
	}
}

static void test_not_json(void **state)
{
	static const char *const cases[] = {
		"", "[]", "7", "{", "{\"xbuildLeg\":1,\"xbuildLeg\":1}", "{\"xbuildLeg\":1} x"
	};
	xb_autofree char *large = xb_alloc(XB_MAX_LEG + 1);

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_leg struct xb_leg leg = { 0 };

		assert_int_equal(xb_leg_parse(xb_view(cases[i]), &leg, NULL), -EBADMSG);
	}
	memset(large, ' ', XB_MAX_LEG + 1);
	assert_int_equal(xb_leg_parse((struct xb_view){ large, XB_MAX_LEG + 1 },
				      &(struct xb_leg){ 0 }, NULL),
			 -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),	  cmocka_unit_test(test_stable),
		cmocka_unit_test(test_one_image), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_json),  cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
