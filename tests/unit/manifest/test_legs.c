/* SPDX-License-Identifier: Apache-2.0 */
/* Legs that belong together, and those that do not: what is said, and the order of the images. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/legs.h"
#include "manifest/media.h"

static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };
static const struct xb_platform arm64 = { .os = "linux", .arch = "arm64" };
static const struct xb_platform s390x = { .os = "linux", .arch = "s390x" };

/* A leg called `name` with images for `a` and `b` (NULL: none). */
static struct xb_leg *add(struct xb_legs *legs, const char *name, const struct xb_platform *a,
			  const struct xb_platform *b)
{
	struct xb_leg *leg = xb_array_push(legs);
	const struct xb_platform *const images[] = { a, b };

	leg->name = xb_strdup(name);
	leg->revision = xb_strdup("v1");
	leg->epoch = 5;
	leg->version = xb_strdup("1.4.2");
	leg->dockerfile = xb_digest_of("D", 1);
	leg->arguments = xb_digest_of("A", 1);
	leg->index.wanted = true;
	xb_annotations_set(&leg->index.own, "x", "y");
	xb_array_push(&leg->platforms)->platform = amd64;
	xb_array_push(&leg->platforms)->platform = arm64;
	*xb_array_push(&leg->platforms) = (struct xb_leg_platform){ s390x, true };
	for (size_t i = 0; i < 2 && images[i] != NULL; i++) {
		struct xb_descriptor *d = xb_array_push(&leg->manifests);
		struct xb_digest digest = xb_digest_of(images[i]->arch, 5);

		xb_descriptor_init(d, XB_MEDIA_OCI_MANIFEST, &digest, 7);
		xb_descriptor_set_platform(d, images[i]);
	}
	return leg;
}

static void refused(const struct xb_legs *legs, const char *why)
{
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	assert_int_equal(xb_legs_check(legs, NULL, &warnings, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_PROOF);
	assert_non_null(err.hint);
	if (strcmp(err.message, why) != 0)
		fail_msg("not \"%s\": %s", why, err.message);
}

static void test_good(void **state)
{
	xb_auto_legs struct xb_legs legs = { 0 };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_auto_descriptors struct xb_descriptors images = { 0 };

	(void)state;
	(void)add(&legs, "b", &s390x, &arm64);
	(void)add(&legs, "a", &amd64, NULL);
	assert_int_equal(xb_legs_check(&legs, "v1", &warnings, NULL), 0);
	assert_int_equal(warnings.len, 0);
	xb_legs_manifests(&legs, &images);
	assert_int_equal(images.len, 3);
	assert_string_equal(images.items[0].platform.arch, "amd64");
	assert_string_equal(images.items[1].platform.arch, "arm64");
	assert_string_equal(images.items[2].platform.arch, "s390x");
}

static void test_may_be_missing(void **state)
{
	xb_auto_legs struct xb_legs legs = { 0 };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_auto_descriptors struct xb_descriptors images = { 0 };

	(void)state;
	(void)add(&legs, "a", &amd64, &arm64);
	assert_int_equal(xb_legs_check(&legs, NULL, &warnings, NULL), 0);
	assert_int_equal(warnings.len, 1);
	assert_string_equal(warnings.items[0],
			    "no leg has an image for linux/s390x: it is left out");
	xb_legs_manifests(&legs, &images);
	assert_int_equal(images.len, 2);
}

static void test_set(void **state)
{
	xb_auto_legs struct xb_legs doubled = { 0 };
	xb_auto_legs struct xb_legs missing = { 0 };

	(void)state;
	(void)add(&missing, "s", &s390x, NULL);
	refused(&missing, "no leg has an image for linux/amd64, linux/arm64");
	(void)add(&doubled, "a", &amd64, &arm64);
	(void)add(&doubled, "b", &arm64, NULL);
	refused(&doubled, "a and b both have an image for linux/arm64");
}

static void set(char **text, const char *value)
{
	free(*text);
	*text = xb_strdup(value);
}

/* Each change to the second leg, and what is said of it. */
static void test_together(void **state)
{
	static const char *const why[] = {
		"a is of revision v1, and b of v2",
		"a has the clock 5, and b 6",
		"a is a leg of linux/amd64,linux/arm64,linux/s390x?, and b one of "
		"linux/amd64,linux/arm64",
		"a is a leg of linux/amd64,linux/arm64,linux/s390x?, and b one of "
		"linux/amd64,linux/arm64,linux/s390x",
		"a and b were built with different Dockerfiles",
		"a and b were built with different build arguments or options",
		"a and b were built with different annotations or media types of the index",
		"a and b were built with different annotations or media types of the index",
		"a was built by xbuild 1.4.2, and b by 1.5.2",
		"a was built by xbuild 1.4.2, and b by 1.40.2",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(why); i++) {
		xb_auto_legs struct xb_legs legs = { 0 };
		struct xb_leg *b;

		(void)add(&legs, "a", &amd64, NULL);
		b = add(&legs, "b", &arm64, NULL);
		switch (i) {
		case 0:
			set(&b->revision, "v2");
			break;
		case 1:
			b->epoch = 6;
			break;
		case 2:
			b->platforms.len--;
			break;
		case 3:
			b->platforms.items[2].optional = false;
			break;
		case 4:
			b->dockerfile = xb_digest_of("E", 1);
			break;
		case 5:
			b->arguments = xb_digest_of("B", 1);
			break;
		case 6:
			xb_annotations_set(&b->index.own, "x", "z");
			break;
		case 7:
			b->index.docker = true;
			break;
		default:
			set(&b->version, i == 8 ? "1.5.2" : "1.40.2");
			break;
		}
		refused(&legs, why[i]);
	}
}

static void test_versions(void **state)
{
	xb_auto_legs struct xb_legs legs = { 0 };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	struct xb_leg *b;

	(void)state;
	(void)add(&legs, "a", &amd64, &s390x);
	b = add(&legs, "b", &arm64, NULL);
	xb_annotations_set(&b->libraries, "gzip", "libdeflate 2");
	assert_int_equal(xb_legs_check(&legs, NULL, &warnings, NULL), 0);
	assert_int_equal(warnings.len, 1);
	assert_non_null(strstr(warnings.items[0], "different versions of libraries"));
	set(&b->version, "1.4.3");
	assert_int_equal(xb_legs_check(&legs, NULL, &warnings, NULL), 0);
	assert_int_equal(warnings.len, 2);
	assert_non_null(strstr(warnings.items[1], "by xbuild 1.4.2, and b by 1.4.3"));
}

static void test_asked_revision(void **state)
{
	xb_auto_legs struct xb_legs legs = { 0 };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	(void)add(&legs, "a", &amd64, &arm64);
	assert_int_equal(xb_legs_check(&legs, "v7", &warnings, &err), -EINVAL);
	assert_string_equal(err.message, "a is of revision v1, and v7 is asked for");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	 cmocka_unit_test(test_may_be_missing),
		cmocka_unit_test(test_set),	 cmocka_unit_test(test_together),
		cmocka_unit_test(test_versions), cmocka_unit_test(test_asked_revision),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
