/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: containerd's vectors in full, and what they leave out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "platforms/platform.h"
#include "tests/unit/corpora.h"

static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static struct xb_platform parsed(const char *text)
{
	struct xb_error err = XB_ERROR_INIT;
	struct xb_platform p;

	if (xb_platform_parse(xb_view(text), &amd64, &p, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	return p;
}

/* Features in the document's form, an array, as the one text that we keep. */
static void join_features(const json_t *platform, char *to, size_t size)
{
	size_t i;
	json_t *feature;

	to[0] = '\0';
	json_array_foreach(json_object_get(platform, "os.features"), i, feature)
	{
		size_t len = strlen(to);

		(void)snprintf(to + len, size - len, "%s%s", i > 0 ? "," : "",
			       json_string_value(feature));
	}
}

static struct xb_platform from_json(const json_t *platform)
{
	struct xb_platform p = { 0 };

	(void)snprintf(p.os, sizeof(p.os), "%s", member(platform, "os"));
	(void)snprintf(p.arch, sizeof(p.arch), "%s", member(platform, "architecture"));
	(void)snprintf(p.variant, sizeof(p.variant), "%s", member(platform, "variant"));
	(void)snprintf(p.os_version, sizeof(p.os_version), "%s", member(platform, "os.version"));
	join_features(platform, p.os_features, sizeof(p.os_features));
	return p;
}

static void assert_platform(const struct xb_platform *p, const struct xb_platform *expected)
{
	assert_string_equal(p->os, expected->os);
	assert_string_equal(p->arch, expected->arch);
	assert_string_equal(p->variant, expected->variant);
	assert_string_equal(p->os_version, expected->os_version);
	assert_string_equal(p->os_features, expected->os_features);
	assert_true(xb_platform_eq(p, expected));
}

static void assert_format(const struct xb_platform *p, bool all, const char *expected)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(all ? xb_platform_format_all(p, &text) : xb_platform_format(p, &text), 0);
	assert_string_equal(xb_str_text(&text), expected);
}

static void check_parse(const json_t *vector)
{
	struct xb_platform expected = from_json(json_object_get(vector, "platform"));
	struct xb_error err = XB_ERROR_INIT;
	struct xb_platform p;

	assert_int_equal(
		xb_platform_parse_as_written(xb_view(member(vector, "input")), &amd64, &p, &err),
		0);
	assert_platform(&p, &expected);
	assert_format(&p, strcmp(member(vector, "format"), "all") == 0,
		      member(vector, "formatted"));
}

static void parses_as_containerd(void **state)
{
	(void)state;
	corpora_each("platforms", "parse", check_parse);
}

static void check_invalid(const json_t *vector)
{
	struct xb_error err = XB_ERROR_INIT;
	struct xb_platform p = amd64;

	assert_int_equal(xb_platform_parse(xb_view(member(vector, "input")), &amd64, &p, &err),
			 -EINVAL);
	assert_non_null(strstr(err.message, member(vector, "input")));
	assert_non_null(err.hint);
	assert_true(xb_platform_eq(&p, &amd64));
	xb_error_clear(&err);
}

static void refuses_what_containerd_refuses(void **state)
{
	(void)state;
	corpora_each("platforms", "parse-invalid", check_invalid);
}

static void check_format_all(const json_t *vector)
{
	struct xb_platform p = from_json(json_object_get(vector, "platform"));

	assert_format(&p, true, member(vector, "formatted"));
}

static void formats_as_containerd(void **state)
{
	(void)state;
	corpora_each("platforms", "format-all", check_format_all);
}

/* What the vector's matcher says of one offer; set by the tests below. */
static bool (*matches)(const struct xb_platform *wanted, const struct xb_platform *offered);

static void check_match(const json_t *vector)
{
	struct xb_platform wanted = parsed(member(vector, "wanted"));
	size_t i;
	json_t *text;

	json_array_foreach(json_object_get(vector, "match"), i, text)
	{
		struct xb_platform offered = parsed(json_string_value(text));

		if (!matches(&wanted, &offered))
			fail_msg("%s must serve %s", json_string_value(text),
				 member(vector, "wanted"));
	}
	json_array_foreach(json_object_get(vector, "no_match"), i, text)
	{
		struct xb_platform offered = parsed(json_string_value(text));

		if (matches(&wanted, &offered))
			fail_msg("%s must not serve %s", json_string_value(text),
				 member(vector, "wanted"));
	}
}

static bool by_rank(const struct xb_platform *wanted, const struct xb_platform *offered)
{
	return xb_platform_rank(wanted, offered) >= 0;
}

static bool by_rank_os(const struct xb_platform *wanted, const struct xb_platform *offered)
{
	return xb_platform_rank_os(wanted, offered) >= 0;
}

static void matches_with_fallbacks(void **state)
{
	(void)state;
	matches = by_rank;
	corpora_each("platforms", "match-only", check_match);
}

static void matches_strictly(void **state)
{
	(void)state;
	matches = xb_platform_match_strict;
	corpora_each("platforms", "match-only-strict", check_match);
}

static void matches_any_architecture(void **state)
{
	(void)state;
	matches = by_rank_os;
	corpora_each("platforms", "match-only-os", check_match);
}

/* Rank for ordering: what does not match comes last. */
static unsigned int order_of(const struct xb_platform *wanted, const char *text)
{
	struct xb_platform p = parsed(text);

	return (unsigned int)xb_platform_rank_os(wanted, &p);
}

static void check_order(const json_t *vector)
{
	struct xb_platform wanted = parsed(member(vector, "wanted"));
	json_t *items = json_deep_copy(json_object_get(vector, "input"));

	/* A stable insertion sort. */
	for (size_t i = 1; i < json_array_size(items); i++) {
		size_t j = i;
		json_t *item = json_incref(json_array_get(items, i));

		while (j > 0 && order_of(&wanted, json_string_value(json_array_get(items, j - 1))) >
					order_of(&wanted, json_string_value(item)))
			j--;
		json_array_remove(items, i);
		json_array_insert_new(items, j, item);
	}
	assert_true(json_equal(items, json_object_get(vector, "sorted")));
	json_decref(items);
}

static void orders_any_architecture(void **state)
{
	(void)state;
	corpora_each("platforms", "order-only-os", check_order);
}

static void normalises(void **state)
{
	static const struct {
		const char *input;
		const char *normal;
	} cases[] = {
		{ "linux/arm64/v8", "linux/arm64" },
		{ "linux/arm64/v8.0", "linux/arm64" },
		{ "linux/arm64/v9.0", "linux/arm64/v9" },
		{ "linux/arm64/v8.2", "linux/arm64/v8.2" },
		{ "linux/arm", "linux/arm/v7" },
		{ "linux/arm/6", "linux/arm/v6" },
		{ "armel", "linux/arm/v6" },
		{ "armhf", "linux/arm/v7" },
		{ "linux/amd64/v1", "linux/amd64" },
		{ "linux/amd64/v3", "linux/amd64/v3" },
		{ "x86-64", "linux/amd64" },
		{ "i386", "linux/386" },
		{ "macos/arm64", "darwin/arm64" },
		{ "LINUX/S390X", "linux/s390x" },
		{ "ppc64el", "linux/ppc64le" },
		{ "mips64el", "linux/mips64le" },
		{ "loongarch64", "linux/loong64" },
		{ "linux", "linux/amd64" },
		{ "plan9/mine", "plan9/mine" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		struct xb_platform p = parsed(cases[i].input);
		struct xb_platform again = p;

		assert_string_equal(xb_platform_name(&p).text, cases[i].normal);
		xb_platform_normalise(&again);
		assert_true(xb_platform_eq(&p, &again));
	}
}

static void defaults_fill_what_is_left_out(void **state)
{
	const struct xb_platform pi = { .os = "linux", .arch = "arm", .variant = "v6" };
	struct xb_platform p;

	(void)state;
	assert_int_equal(xb_platform_parse(XB_VIEW("linux"), &pi, &p, NULL), 0);
	assert_string_equal(xb_platform_name(&p).text, "linux/arm/v6");
	assert_int_equal(xb_platform_parse(XB_VIEW("amd64"), &pi, &p, NULL), 0);
	assert_string_equal(xb_platform_name(&p).text, "linux/amd64");
}

static void refuses_malformed_text(void **state)
{
	static const char *const texts[] = {
		"linux/",
		"/",
		"linux//v7",
		"linux/arm/v7/x",
		"linux/arm/v7/",
		"li.nux/amd64",
		"linux/am*d64",
		"*/*",
		"nonsense",
		"arm64(1)",
		"windows(10",
		"windows(10)x",
		"windows(%2)",
		"windows(%zz)",
		"windows(%00)",
		"windows(%0a)",
		"windows(%7f)",
		"windows(%ff)",
		"windows(a b)",
		"linux(+)",
		"linux(+a%2Cb)",
		"linux((a))",
		"local ",
		" linux/amd64",
		"linux/amd64\n",
		"linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"linux/arm/vvvvvvvvvvvvvvvvvvvv",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		struct xb_error err = XB_ERROR_INIT;
		struct xb_platform p;

		if (xb_platform_parse(xb_view(texts[i]), &amd64, &p, &err) != -EINVAL)
			fail_msg("\"%s\" must be refused", texts[i]);
		assert_null(strchr(err.message, '\n'));
		xb_error_clear(&err);
	}
}

static void nul_bytes_are_no_end(void **state)
{
	struct xb_platform p;

	(void)state;
	assert_int_equal(xb_platform_parse(XB_VIEW("linux/amd64\0x"), &amd64, &p, NULL), -EINVAL);
}

static void full_texts_are_normal(void **state)
{
	struct xb_platform p = parsed("linux(+simd+gpu+simd+a)/amd64");

	(void)state;
	assert_string_equal(p.os_features, "a,gpu,simd");
	assert_format(&p, true, "linux(+a+gpu+simd)/amd64");
	p = parsed("windows(1%24)/amd64");
	assert_string_equal(p.os_version, "1$");
	assert_format(&p, true, "windows(1%24)/amd64");
}

static void ranks_worse_fallbacks_later(void **state)
{
	static const char *const arm64[] = { "linux/arm64", "linux/arm/v8", "linux/arm/v7",
					     "linux/arm/v6", "linux/arm/v5" };
	static const char *const v3[] = { "linux/amd64/v3", "linux/amd64/v2", "linux/amd64",
					  "linux/386" };
	struct xb_platform wanted = parsed("arm64");
	struct xb_platform p;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(arm64); i++) {
		p = parsed(arm64[i]);
		assert_int_equal(xb_platform_rank(&wanted, &p), i);
		assert_true(xb_platform_fallback(&wanted, i, &p));
		assert_string_equal(xb_platform_name(&p).text, arm64[i]);
	}
	assert_false(xb_platform_fallback(&wanted, XB_COUNT(arm64), &p));
	wanted = parsed("linux/amd64/v3");
	for (size_t i = 0; i < XB_COUNT(v3); i++) {
		p = parsed(v3[i]);
		assert_int_equal(xb_platform_rank(&wanted, &p), i);
	}
}

static void windows_versions_agree_by_release(void **state)
{
	struct xb_platform wanted = parsed("windows(10.0.17763)/amd64");
	struct xb_platform same = parsed("windows(10.0.17763.2114)/amd64");
	struct xb_platform other = parsed("windows(10.0.20348.1)/amd64");

	(void)state;
	assert_int_equal(xb_platform_rank(&wanted, &same), 0);
	assert_int_equal(xb_platform_rank(&wanted, &other), -1);
}

static void an_empty_platform_is_unknown(void **state)
{
	struct xb_platform p = { 0 };

	(void)state;
	assert_true(xb_platform_is_empty(&p));
	assert_string_equal(xb_platform_name(&p).text, "unknown");
	assert_false(xb_platform_is_empty(&amd64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_as_containerd),
		cmocka_unit_test(refuses_what_containerd_refuses),
		cmocka_unit_test(formats_as_containerd),
		cmocka_unit_test(matches_with_fallbacks),
		cmocka_unit_test(matches_strictly),
		cmocka_unit_test(matches_any_architecture),
		cmocka_unit_test(orders_any_architecture),
		cmocka_unit_test(normalises),
		cmocka_unit_test(defaults_fill_what_is_left_out),
		cmocka_unit_test(refuses_malformed_text),
		cmocka_unit_test(nul_bytes_are_no_end),
		cmocka_unit_test(full_texts_are_normal),
		cmocka_unit_test(ranks_worse_fallbacks_later),
		cmocka_unit_test(windows_versions_agree_by_release),
		cmocka_unit_test(an_empty_platform_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
