/* SPDX-License-Identifier: Apache-2.0 */
/* Lock files: the same pins give the same bytes, and what is not of the form is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/solve/pins.h"

#define A      "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B      "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define COMMIT "0123456789012345678901234567890123456789"

static const char golden[] = "{\n"
			     "  \"version\": 1,\n"
			     "  \"images\": {\n"
			     "    \"docker.io/library/debian:12\": {\n"
			     "      \"as\": [\n"
			     "        \"debian:12\",\n"
			     "        \"docker.io/debian:12\"\n"
			     "      ],\n"
			     "      \"digest\": \"" A "\",\n"
			     "      \"platforms\": {\n"
			     "        \"linux/amd64\": \"" B "\",\n"
			     "        \"linux/arm64\": \"" A "\"\n"
			     "      }\n"
			     "    },\n"
			     "    \"host.io/x:1\": {\n"
			     "      \"as\": [\n"
			     "        \"host.io/x:1\"\n"
			     "      ],\n"
			     "      \"digest\": \"" B "\",\n"
			     "      \"platforms\": {\n"
			     "        \"linux/amd64\": \"" B "\"\n"
			     "      }\n"
			     "    }\n"
			     "  },\n"
			     "  \"fetched\": {\n"
			     "    \"https://a/x\": \"" A "\",\n"
			     "    \"https://b/r.git\": \"" COMMIT "\"\n"
			     "  }\n"
			     "}\n";

static struct xb_digest digest(const char *text)
{
	struct xb_digest d = { 0 };

	assert_int_equal(xb_digest_parse(xb_view(text), &d, NULL), 0);
	return d;
}

static void set(struct xb_pins *pins, const char *reference, const char *name, const char *root,
		const char *platform, const char *image)
{
	struct xb_digest r = digest(root), i = digest(image);

	xb_pins_set_image(pins, reference, name, &r, platform, &i);
}

static void fill(struct xb_pins *pins)
{
	set(pins, "host.io/x:1", "host.io/x:1", B, "linux/amd64", B);
	set(pins, "docker.io/library/debian:12", "docker.io/debian:12", A, "linux/arm64", A);
	xb_pins_set_fetch(pins, "https://b/r.git", COMMIT);
	set(pins, "docker.io/library/debian:12", "debian:12", A, "linux/amd64", B);
	xb_pins_set_fetch(pins, "https://a/x", B);
	xb_pins_set_fetch(pins, "https://a/x", A);
}

static void assert_text(const struct xb_pins *pins, const char *expected)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_pins_write(pins, &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), expected);
}

static void order_does_not_matter(void **state)
{
	xb_auto_pins struct xb_pins pins = { 0 };
	xb_auto_pins struct xb_pins again = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	fill(&pins);
	assert_text(&pins, golden);
	if (xb_pins_parse(xb_view(golden), &again, &err) < 0)
		fail_msg("%s", err.message);
	assert_text(&again, golden);
}

static void pins_are_found_and_removed(void **state)
{
	xb_auto_pins struct xb_pins pins = { 0 };
	const struct xb_pin_image *pin;

	(void)state;
	fill(&pins);
	pin = xb_pins_image(&pins, "docker.io/library/debian:12");
	assert_non_null(pin);
	assert_string_equal(pin->digest.text, A);
	assert_string_equal(xb_pin_platform_digest(pin, "linux/amd64")->text, B);
	assert_null(xb_pin_platform_digest(pin, "linux/s390x"));
	assert_null(xb_pins_image(&pins, "debian:12"));
	assert_string_equal(xb_pins_fetch(&pins, "https://b/r.git")->checksum, COMMIT);
	assert_true(xb_pins_remove(&pins, "https://b/r.git"));
	assert_null(xb_pins_fetch(&pins, "https://b/r.git"));
	assert_true(xb_pins_remove(&pins, "docker.io/library/debian:12"));
	assert_false(xb_pins_remove(&pins, "docker.io/library/debian:12"));
	assert_non_null(xb_pins_image(&pins, "host.io/x:1"));
}

#define IMAGE(name, rest) "{\"version\":1,\"images\":{\"" name "\":" rest "}}"
#define GOOD(platforms)	  "{\"digest\":\"" A "\",\"platforms\":" platforms "}"

static const struct {
	const char *text;
	int r;
	const char *message;
} bad[] = {
	{ "", -EBADMSG, "" },
	{ "[]", -EBADMSG, "not an object" },
	{ "{}", -EBADMSG, "which version" },
	{ "{\"version\":\"1\"}", -EBADMSG, "version" },
	{ "{\"version\":2}", -EPROTONOSUPPORT, "of version 2, and this xbuild knows 1" },
	{ "{\"version\":1,\"pictures\":{}}", -EBADMSG, "pictures is not known" },
	{ "{\"version\":1,\"version\":1}", -EBADMSG, "version" },
	{ "{\"version\":1,\"images\":[]}", -EBADMSG, "images" },
	{ IMAGE("host.io/x:1", "7"), -EBADMSG, "images: host.io/x:1: it is not an object" },
	{ IMAGE("host.io/x:1", "{}"), -EBADMSG, "images: host.io/x:1: a digest is not a string" },
	{ IMAGE("host.io/x:1", "{\"digest\":\"x\"}"), -EBADMSG, "images: host.io/x:1" },
	{ IMAGE("host.io/x:1", "{\"digest\":\"" A "\"}"), -EBADMSG, "it has no platforms" },
	{ IMAGE("host.io/x:1", GOOD("{}")), -EBADMSG, "it has no platforms" },
	{ IMAGE("host.io/x:1", GOOD("{\"linux/aarch64\":\"" A "\"}")), -EBADMSG,
	  "platforms: linux/aarch64: the platform linux/aarch64 would be written linux/arm64" },
	{ IMAGE("host.io/x:1", GOOD("{\"linux/amd64\":\"sha256:0\"}")), -EBADMSG,
	  "platforms: linux/amd64" },
	{ IMAGE("host.io/x:1", "{\"size\":1}"), -EBADMSG, "size is not known" },
	{ IMAGE("debian", GOOD("{\"linux/amd64\":\"" A "\"}")), -EBADMSG,
	  "would be written docker.io/library/debian:latest" },
	{ IMAGE("Host/X", "{}"), -EBADMSG, "images: Host/X" },
	{ "{\"version\":1,\"fetched\":{\"https://a\":1}}", -EBADMSG, "fetched: https://a" },
	{ "{\"version\":1,\"fetched\":{\"https://a\":\"main\"}}", -EBADMSG, "fetched: https://a" },
};

static void what_is_not_of_the_form_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_pins struct xb_pins pins = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_pins_parse(xb_view(bad[i].text), &pins, &err) != bad[i].r)
			fail_msg("%s: %s", bad[i].text, err.message);
		if (strstr(err.message, bad[i].message) == NULL)
			fail_msg("%s: %s", bad[i].text, err.message);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_int_equal(pins.images.len + pins.fetches.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(pins_are_found_and_removed),
		cmocka_unit_test(what_is_not_of_the_form_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
