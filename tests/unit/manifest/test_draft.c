/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes that are changed: what nobody touched keeps its bytes, platforms are there once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/draft.h"
#include "manifest/media.h"

#define HEX4(c) c c c c
#define ID(c)	"sha256:" HEX4(HEX4(HEX4(c)))
#define HEAD                                                                                       \
	"{\"x\": [{\"manifests\": [1]}, \"]}\\\"\"], \"schemaVersion\": 2,\n \"mediaType\": "      \
	"\"" XB_MEDIA_OCI_INDEX "\",\n \"manifests\" : ["
#define ENTRY(c, rest)                                                                             \
	"{ \"size\":7,  \"digest\": \"" ID(c) "\", \"mediaType\":\"" XB_MEDIA_OCI_MANIFEST         \
					      "\"" rest "}"
#define FOR(os, arch) ", \"platform\": {\"os\":\"" os "\", \"architecture\":\"" arch "\"}"
#define AMD64	      ENTRY("a", FOR("linux", "amd64") ", \"z\": [\"}\", {\"k\":\"\\\\\"}]")
#define ARM64                                                                                      \
	ENTRY("b", ", \"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\","                  \
		   "\"variant\":\"v8\"}")
#define PROOF                                                                                      \
	ENTRY("c", FOR("unknown", "unknown") ", \"annotations\":{\"vnd.docker.reference.type\":"   \
					     "\"attestation-manifest\","                           \
					     "\"vnd.docker.reference.digest\":\"" ID("a") "\"}")
#define ARTIFACT ENTRY("d", "")

static const char whole[] = HEAD AMD64 " ,\n" ARM64 "," PROOF ", " ARTIFACT "]\n}";

static void parse(struct xb_draft *draft, const char *text)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_draft_parse(xb_view(text), XB_MEDIA_OCI_INDEX, draft, &err) < 0)
		fail_msg("%s", err.message);
}

/* What is written reads as an index of `count` entries; the text is the caller's. */
static char *written(const struct xb_draft *draft, size_t count)
{
	struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	assert_int_equal(xb_draft_write(draft, &text, NULL), 0);
	assert_int_equal(xb_index_parse(xb_str_view(&text), NULL, &index, NULL), 0);
	assert_int_equal(index.manifests.len, count);
	return xb_str_steal(&text);
}

static void unchanged_is_the_same(void **state)
{
	xb_auto_draft struct xb_draft draft = { 0 };
	xb_autofree char *text = NULL;

	(void)state;
	parse(&draft, whole);
	text = written(&draft, 4);
	assert_string_equal(text, whole);
	assert_string_equal(draft.entries.items[0].text, AMD64);
	assert_string_equal(draft.entries.items[3].text, ARTIFACT);
}

static void an_attestation_goes_with_its_image(void **state)
{
	xb_auto_draft struct xb_draft draft = { 0 };
	xb_auto_strv struct xb_strv notes = XB_STRV_INIT;
	struct xb_draft_places places = { 0 };
	xb_autofree char *text = NULL;

	(void)state;
	parse(&draft, whole);
	assert_int_equal(xb_draft_find(&draft, "amd64", &places, NULL), 0);
	assert_int_equal(places.len, 1);
	xb_draft_remove(&draft, places.items[0], &notes);
	xb_array_clear(&places);
	text = written(&draft, 2);
	assert_non_null(strstr(text, ARM64));
	assert_non_null(strstr(text, ARTIFACT));
	assert_int_equal(notes.len, 1);
	assert_non_null(strstr(notes.items[0], ID("c")));
}

/* A descriptor for linux/ARCH[/VARIANT] with the digest of sixty-four `c`. */
static struct xb_descriptor image(char c, const char *arch, const char *variant)
{
	struct xb_descriptor d = { .has_platform = true, .size = 7 };
	char text[72] = "sha256:";

	memset(text + 7, c, 64);
	assert_int_equal(xb_digest_parse(xb_view(text), &d.digest, NULL), 0);
	d.media_type = xb_strdup(XB_MEDIA_OCI_MANIFEST);
	strcpy(d.platform.os, "linux");
	strcpy(d.platform.arch, arch);
	strcpy(d.platform.variant, variant);
	return d;
}

static void one_platform_is_replaced(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = image('e', "aarch64", "");
	xb_auto_draft_entries struct xb_draft_entries entries = { 0 };
	xb_auto_draft struct xb_draft draft = { 0 };
	xb_auto_strv struct xb_strv notes = XB_STRV_INIT;
	xb_autofree char *text = NULL, *again = NULL;

	(void)state;
	parse(&draft, whole);
	xb_draft_entries_add(&entries, &d, NULL, "new");
	xb_draft_join(&draft, &entries, &notes);
	text = written(&draft, 4);
	assert_non_null(strstr(text, AMD64 ","));
	assert_non_null(strstr(text, PROOF));
	assert_null(strstr(text, ID("b")));
	/* in its place */
	assert_string_equal(draft.entries.items[1].descriptor.digest.text, d.digest.text);
	assert_int_equal(notes.len, 1);
	/* once more changes nothing */
	xb_draft_join(&draft, &entries, &notes);
	again = written(&draft, 4);
	assert_string_equal(text, again);
	assert_int_equal(notes.len, 1);
}

static void a_platform_twice_is_told_with_both(void **state)
{
	xb_auto_descriptor struct xb_descriptor one = image('1', "arm", ""),
						two = image('2', "arm", "v7");
	xb_auto_draft_entries struct xb_draft_entries entries = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	xb_draft_entries_add(&entries, &one, NULL, "first");
	xb_draft_entries_add(&entries, &one, NULL, "first again");
	assert_int_equal(xb_draft_check(&entries, NULL), 0);
	xb_draft_entries_add(&entries, &two, NULL, "second");
	assert_int_equal(xb_draft_check(&entries, &err), -EEXIST);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	assert_non_null(strstr(err.message, "of first"));
	assert_non_null(strstr(err.message, "of second"));
}

static void some_platforms_are_kept(void **state)
{
	xb_auto_draft struct xb_draft draft = { 0 };
	struct xb_draft_places places = { 0 };
	xb_autofree char *text = NULL;

	(void)state;
	parse(&draft, whole);
	assert_int_equal(xb_draft_find(&draft, "linux/arm64", &places, NULL), 0);
	xb_draft_keep(&draft, &places);
	xb_array_clear(&places);
	text = written(&draft, 2);
	assert_non_null(strstr(text, ARM64 ","));
	assert_non_null(strstr(text, ARTIFACT));
}

static void what_is_not_there_is_told(void **state)
{
	xb_auto_draft struct xb_draft draft = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_draft_places places = { 0 };

	(void)state;
	parse(&draft, whole);
	assert_int_equal(xb_draft_find(&draft, "linux/s390x", &places, &err), -ENOENT);
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
	assert_non_null(strstr(err.message, "linux/amd64"));
	assert_int_equal(xb_draft_find(&draft, ID("9"), &places, NULL), -ENOENT);
	assert_int_equal(xb_draft_find(&draft, "a b", &places, NULL), -EINVAL);
	assert_int_equal(places.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unchanged_is_the_same),
		cmocka_unit_test(an_attestation_goes_with_its_image),
		cmocka_unit_test(one_platform_is_replaced),
		cmocka_unit_test(a_platform_twice_is_told_with_both),
		cmocka_unit_test(some_platforms_are_kept),
		cmocka_unit_test(what_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
