/* SPDX-License-Identifier: Apache-2.0 */
/* --cache-from and --cache-to: what is read of them, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/solve/cache_spec.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *text;
	bool to;
	struct xb_cache_spec spec;
} good[] = {
	{ "registry.test/a/cache:main",
	  false,
	  { .where = (char[]){ "registry.test/a/cache:main" } } },
	{ "cache", true, { .where = (char[]){ "cache" } } },
	{ "type=registry,ref=a/b@" DIGEST, false, { .where = (char[]){ "a/b@" DIGEST } } },
	{ "type=inline,ref=a/b", false, { .type = XB_CACHE_INLINE, .where = (char[]){ "a/b" } } },
	{ "type=inline", true, { .type = XB_CACHE_INLINE } },
	{ "type=local,src=/c", false, { .type = XB_CACHE_LOCAL, .where = (char[]){ "/c" } } },
	{ "type=local,src=c,tag=x,digest=" DIGEST,
	  false,
	  { .type = XB_CACHE_LOCAL,
	    .where = (char[]){ "c" },
	    .tag = (char[]){ "x" },
	    .digest = (char[]){ DIGEST } } },
	{ "type=local,dest=c,mode=max",
	  true,
	  { .type = XB_CACHE_LOCAL, .where = (char[]){ "c" }, .all = true } },
	{ "type=local,\"dest=a,b\",mode=min,ignore-error=true",
	  true,
	  { .type = XB_CACHE_LOCAL, .where = (char[]){ "a,b" }, .ignore_error = true } },
	{ "type=registry,ref=a,oci-mediatypes=true,image-manifest=true,compression=gzip,force-"
	  "compression=true",
	  true,
	  { .where = (char[]){ "a" } } },
};

static void same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		assert_ptr_equal(a, b);
	else
		assert_string_equal(a, b);
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(good); i++) {
		xb_auto_cache_specs struct xb_cache_specs specs = { 0 };
		const struct xb_cache_spec *wanted = &good[i].spec;
		const struct xb_cache_spec *got;

		print_message("%s\n", good[i].text);
		assert_int_equal(good[i].to ? xb_cache_to_parse(good[i].text, &specs, NULL)
					    : xb_cache_from_parse(good[i].text, &specs, NULL),
				 0);
		got = &specs.items[0];
		assert_int_equal(got->type, wanted->type);
		assert_string_equal(got->text, good[i].text);
		same(got->where, wanted->where);
		same(got->tag, wanted->tag);
		same(got->digest, wanted->digest);
		assert_int_equal(got->all, wanted->all);
		assert_int_equal(got->ignore_error, wanted->ignore_error);
		assert_int_equal(xb_cache_specs_want_all(&specs), wanted->all);
		assert_int_equal(xb_cache_specs_want_inline(&specs),
				 wanted->type == XB_CACHE_INLINE);
	}
}

static const struct {
	const char *text;
	bool to;
	const char *says;
} bad[] = {
	{ "", false, "no reference" },
	{ "UPPER", true, "no reference" },
	{ "type=gha", true, "not supported" },
	{ "type=s3,bucket=x", false, "not supported" },
	{ "type=registry", false, "ref= is missing" },
	{ "type=registry,ref=", false, "empty" },
	{ "type=registry,ref=A", true, "no reference" },
	{ "type=registry,src=x", false, "does not have" },
	{ "type=local", false, "src= is missing" },
	{ "type=local", true, "dest= is missing" },
	{ "type=local,dest=x", false, "not known" },
	{ "type=local,src=x", true, "not known" },
	{ "src=x,type=local", false, "type= comes first" },
	{ "type=local,src=x,digest=latest", false, "no digest" },
	{ "type=local,src=x,mode=max", false, "not known" },
	{ "type=local,dest=x,mode=most", true, "min or max" },
	{ "type=local,dest=x,ignore-error=maybe", true, "true or false" },
	{ "type=local,dest=x,compression=zstd", true, "gzip" },
	{ "type=local,dest=x,oci-mediatypes=false", true, "artifact" },
	{ "type=registry,ref=x,image-manifest=false", true, "artifact" },
	{ "type=inline,ref=x", true, "no ref=" },
	{ "a/b@" DIGEST, true, "gets a digest" },
	{ "a/"
	  "b:x123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
	  "567890123456",
	  true, "too long" },
	{ "type=inline,mode=max", true, "does not have" },
	{ "type=inline", false, "ref= is missing" },
	{ "type=local,\"dest=x", true, "quote" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_cache_specs struct xb_cache_specs specs = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		print_message("%s\n", bad[i].text);
		assert_int_equal(bad[i].to ? xb_cache_to_parse(bad[i].text, &specs, &err)
					   : xb_cache_from_parse(bad[i].text, &specs, &err),
				 -EINVAL);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(err.hint);
		assert_non_null(strstr(err.message, bad[i].says));
		assert_non_null(strstr(err.message, bad[i].to ? "--cache-to" : "--cache-from"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
