/* SPDX-License-Identifier: Apache-2.0 */
/* `-o` as people write it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/solve/output.h"

static void test_good(void **state)
{
	static const struct {
		const char *text;
		enum xb_output_type type;
		const char *dest;
		bool directory;
		const char *names; /* with '|' between them */
		const char *tag;
	} cases[] = {
		{ "out", XB_OUTPUT_LOCAL, "out", false, "", NULL },
		{ "a/b c", XB_OUTPUT_LOCAL, "a/b c", false, "", NULL },
		{ "-", XB_OUTPUT_TAR, "-", false, "", NULL },
		{ "type=oci,dest=x.tar", XB_OUTPUT_OCI, "x.tar", false, "", NULL },
		{ "dest=x.tar,type=oci", XB_OUTPUT_OCI, "x.tar", false, "", NULL },
		{ "type=oci,dest=-", XB_OUTPUT_OCI, "-", false, "", NULL },
		{ "type=oci,dest=d,tar=false", XB_OUTPUT_OCI, "d", true, "", NULL },
		{ "type=oci,dest=d,rewrite-timestamp=true", XB_OUTPUT_OCI, "d", false, "", NULL },
		{ "type=oci,dest=d,tar=0", XB_OUTPUT_OCI, "d", true, "", NULL },
		{ "type=oci,dest=d,tar=true", XB_OUTPUT_OCI, "d", false, "", NULL },
		{ "type=oci,dest=d,tar=1", XB_OUTPUT_OCI, "d", false, "", NULL },
		{ "type=oci,dest=d,tag=v1", XB_OUTPUT_OCI, "d", false, "", "v1" },
		{ "type=docker,dest=x", XB_OUTPUT_DOCKER, "x", false, "", NULL },
		{ "type=local,dest=x", XB_OUTPUT_LOCAL, "x", false, "", NULL },
		{ "type=tar,dest=-", XB_OUTPUT_TAR, "-", false, "", NULL },
		{ "type=image", XB_OUTPUT_IMAGE, NULL, false, "", NULL },
		{ "type=image,name=app", XB_OUTPUT_IMAGE, NULL, false, "app", NULL },
		{ "type=cacheonly", XB_OUTPUT_CACHE_ONLY, NULL, false, "", NULL },
		/* a field in quotes, as in CSV */
		{ "type=image,\"name=a,b:1\"", XB_OUTPUT_IMAGE, NULL, false, "a|b:1", NULL },
		{ "\"type=oci\",\"dest=a,b\"", XB_OUTPUT_OCI, "a,b", false, "", NULL },
		{ "type=oci,\"dest=a\"\"b\"", XB_OUTPUT_OCI, "a\"b", false, "", NULL },
		{ "type=oci,dest=a=b", XB_OUTPUT_OCI, "a=b", false, "", NULL },
		{ "type=oci,dest=a,dest=b", XB_OUTPUT_OCI, "b", false, "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_outputs struct xb_outputs outputs = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		xb_autofree char *names = NULL;
		const struct xb_output *o;

		if (xb_output_parse(cases[i].text, &outputs, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.message);
		assert_int_equal(outputs.len, 1);
		o = &outputs.items[0];
		names = xb_strv_join(&o->names, "|");
		if (o->type != cases[i].type || o->directory != cases[i].directory)
			fail_msg("%s: type %d", cases[i].text, (int)o->type);
		assert_string_equal(o->dest != NULL ? o->dest : "none",
				    cases[i].dest != NULL ? cases[i].dest : "none");
		assert_string_equal(o->tag != NULL ? o->tag : "none",
				    cases[i].tag != NULL ? cases[i].tag : "none");
		assert_string_equal(names, cases[i].names);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} cases[] = {
		{ "", "it is empty" },
		{ "dest=x", "type= is missing" },
		{ "type=", "does not fit" },
		{ "type=zip,dest=x", "does not fit" },
		{ "type=OCI,dest=x", "does not fit" },
		{ "type=oci", "dest= is missing" },
		{ "type=oci,dest=", "does not fit" },
		{ "type=local", "dest= is missing" },
		{ "type=tar", "dest= is missing" },
		{ "type=docker", "dest= is missing" },
		{ "type=oci,dest=x,tar=maybe", "does not fit" },
		{ "type=oci,dest=x,colour=red", "not known" },
		{ "type=oci,dest=x,compression=lz4", "does not fit" },
		{ "type=oci,dest=x,compression=estargz", "estargz is not made" },
		{ "type=oci,dest=x,compression-level=0", "does not fit" },
		{ "type=oci,dest=x,compression-level=-1", "does not fit" },
		{ "type=oci,dest=x,compression-level=13", "from 1 to 12" },
		{ "type=oci,dest=x,compression-level=20,compression=zstd", "from 1 to 19" },
		{ "type=oci,dest=x,compression-level=1,compression=uncompressed", "no comp" },
		{ "type=oci,dest=x,force-compression=perhaps", "does not fit" },
		{ "type=docker,dest=x,compression=zstd", "docker load" },
		{ "type=oci,dest=x,compression=zstd,oci-mediatypes=false", "media types" },
		{ "type=local,dest=x,platform-split=maybe", "does not fit" },
		{ "type=oci,dest=x,annotation=v", "annotation[-TYPE]" },
		{ "type=oci,dest=x,annotation.=v", "annotation[-TYPE]" },
		{ "type=oci,dest=x,annotation-layer.k=v", "annotation[-TYPE]" },
		{ "type=oci,dest=x,annotation-.k=v", "annotation[-TYPE]" },
		{ "type=oci,dest=x,annotation[linux/amd64.k=v", "annotation[-TYPE]" },
		{ "type=oci,dest=x,annotation-manifest[nope/nope/nope/nope].k=v", "annotation[" },
		{ "type=oci,dest=x,annotations.k=v", "not known" },
		{ "type=local,dest=x,annotation.k=v", "of images" },
		{ "type=oci,dest=x,", "not known" },
		{ ",type=oci,dest=x", "not known" },
		{ "type=oci,dest=x,push", "push= is for type=image and type=registry" },
		{ "type=image,push-by-digest=true", "push-by-digest= is for what is pushed" },
		{ "type=image,push=maybe", "a value that does not fit" },
		{ "type=oci,\"dest=x", "quote" },
		/* a directory is nothing that standard output could be */
		{ "type=local,dest=-", "standard output" },
		{ "type=oci,dest=-,tar=false", "standard output" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_outputs struct xb_outputs outputs = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_output_parse(cases[i].text, &outputs, &err) >= 0)
			fail_msg("%s is taken", cases[i].text);
		assert_int_equal(err.code, -EINVAL);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(err.hint);
		if (strstr(err.message, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].text, err.message);
	}
}

static void test_forms(void **state)
{
	static const struct {
		const char *text;
		struct xb_form form;
	} cases[] = {
		{ "type=image", { 0 } },
		{ "type=image,compression=gzip,oci-mediatypes=true", { 0 } },
		{ "type=image,compression=zstd", { .compression = XB_COMPRESSION_ZSTD } },
		{ "type=image,compression-level=19,compression=zstd",
		  { .compression = XB_COMPRESSION_ZSTD, .level = 19 } },
		{ "type=docker,dest=x,compression=uncompressed",
		  { .compression = XB_COMPRESSION_NONE } },
		{ "type=oci,dest=x,force-compression=true", { .force = true } },
		{ "type=oci,dest=x,oci-mediatypes=false", { .docker = true } },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_outputs struct xb_outputs outputs = { 0 };

		assert_int_equal(xb_output_parse(cases[i].text, &outputs, NULL), 0);
		if (!xb_form_eq(&outputs.items[0].form, &cases[i].form))
			fail_msg("%s", cases[i].text);
	}
	/* what is the default anyway is no form of its own */
	assert_true(xb_form_is_plain(&(struct xb_form){ .level = 6 }));
	assert_false(xb_form_is_plain(&(struct xb_form){ .level = 7 }));
	assert_true(xb_form_eq(&(struct xb_form){ .level = 6 }, &cases[0].form));
}

/* Keys of annotations, as buildx has them. */
static void test_annotations(void **state)
{
	static const struct {
		const char *key;
		enum xb_annotate_level level;
		const char *platform; /* "" none */
		const char *name;
	} cases[] = {
		{ "annotation.a.b", XB_ANNOTATE_MANIFEST, "", "a.b" },
		{ "annotation[linux/arm64].k", XB_ANNOTATE_MANIFEST, "linux/arm64", "k" },
		{ "annotation-manifest.k", XB_ANNOTATE_MANIFEST, "", "k" },
		{ "annotation-manifest[linux/arm/v7].k", XB_ANNOTATE_MANIFEST, "linux/arm/v7",
		  "k" },
		{ "annotation-manifest-descriptor.k", XB_ANNOTATE_MANIFEST_DESCRIPTOR, "", "k" },
		{ "annotation-index.k", XB_ANNOTATE_INDEX, "", "k" },
		{ "annotation-index-descriptor.k.", XB_ANNOTATE_INDEX_DESCRIPTOR, "", "k." },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_outputs struct xb_outputs outputs = { 0 };
		xb_autofree char *text = xb_format("type=image,%s=v=w", cases[i].key);
		const struct xb_annotate_rule *rule;

		assert_int_equal(xb_output_parse(text, &outputs, NULL), 0);
		assert_int_equal(outputs.items[0].annotate.len, 1);
		rule = &outputs.items[0].annotate.items[0];
		assert_int_equal(rule->level, cases[i].level);
		assert_string_equal(rule->name, cases[i].name);
		assert_string_equal(rule->value, "v=w");
		assert_int_equal(rule->has_platform, cases[i].platform[0] != '\0');
		if (rule->has_platform)
			assert_string_equal(xb_platform_name(&rule->platform).text,
					    cases[i].platform);
	}
}

static void test_several(void **state)
{
	xb_auto_outputs struct xb_outputs outputs = { 0 };

	(void)state;
	assert_int_equal(xb_output_parse("a", &outputs, NULL), 0);
	assert_int_equal(xb_output_parse("type=image,name=n", &outputs, NULL), 0);
	assert_int_equal(outputs.len, 2);
	assert_string_equal(outputs.items[0].dest, "a");
	assert_string_equal(outputs.items[1].names.items[0], "n");
}

static void test_platforms(void **state)
{
	static const struct {
		const char *text;
		bool several;
	} cases[] = {
		{ "type=oci,dest=x", true },
		{ "type=local,dest=x", true },
		{ "type=image", true },
		{ "type=cacheonly", true },
		{ "type=docker,dest=x", false },
		{ "type=tar,dest=x", true },
		{ "type=tar,dest=x,platform-split=true", true },
		{ "type=tar,dest=x,platform-split=false", false },
		{ "type=local,dest=x,platform-split=false", true },
		{ "type=oci,dest=x,compression=gzip,rewrite-timestamp=true", true },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_outputs struct xb_outputs outputs = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(xb_output_parse(cases[i].text, &outputs, NULL), 0);
		assert_int_equal(xb_output_check(&outputs.items[0], 1, NULL), 0);
		assert_int_equal(xb_output_check(&outputs.items[0], 2, &err) == 0,
				 cases[i].several);
		if (!cases[i].several) {
			assert_int_equal(err.fault, XB_FAULT_USAGE);
			assert_non_null(err.hint);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	  cmocka_unit_test(test_bad),
		cmocka_unit_test(test_forms),	  cmocka_unit_test(test_several),
		cmocka_unit_test(test_platforms), cmocka_unit_test(test_annotations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
