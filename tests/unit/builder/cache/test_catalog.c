/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogs: what is merged in any order is the same, bounds hold, a bad list is no catalog. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/cache/catalog.h"
#include "manifest/media.h"

#define NOW ((int64_t)1700000000)

static struct xb_digest digest(unsigned n)
{
	return xb_digest_of(&n, sizeof(n));
}

static char title[] = "RUN make";

static struct xb_catalog_record record(unsigned key, unsigned layer)
{
	struct xb_catalog_record r = {
		.diff_id = digest(1000 + layer),
		.blob = digest(layer),
		.blob_size = 100 + layer,
		.media_type = XB_MEDIA_OCI_LAYER_GZIP,
		.created = NOW,
		.used = NOW,
		.title = title,
	};

	(void)snprintf(r.key, sizeof(r.key), XB_RECORD_STEP "%s", digest(key).text);
	return r;
}

static void add(struct xb_catalog *catalog, unsigned key, unsigned layer, int64_t used)
{
	struct xb_catalog_record r = record(key, layer);

	r.used = used;
	(void)xb_catalog_add(catalog, &r);
}

static char *text_of(const struct xb_catalog *catalog)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CATALOG);

	assert_int_equal(xb_catalog_write(catalog, &text, &blobs, NULL), 0);
	return xb_str_steal(&text);
}

static void test_written_and_read(void **state)
{
	xb_auto_catalog struct xb_catalog catalog = { 0 };
	xb_auto_catalog struct xb_catalog again = { 0 };
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CATALOG);
	xb_autofree char *twice = NULL;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		add(&catalog, i, i / 2, NOW + i);
	assert_int_equal(xb_catalog_write(&catalog, &text, &blobs, NULL), 0);
	assert_int_equal(blobs.len, 50);
	assert_int_equal(xb_catalog_parse(xb_str_view(&text), &blobs, &again, NULL), 0);
	assert_int_equal(again.records.len, 100);
	twice = text_of(&again);
	assert_string_equal(xb_str_text(&text), twice);
	assert_int_equal(xb_catalog_find(&again, record(7, 0).key)->used, NOW + 7);
	assert_string_equal(xb_catalog_find(&again, record(7, 0).key)->title, "RUN make");
	assert_null(xb_catalog_find(&again, record(100, 0).key));
}

/* Three catalogs of random records, merged in all six orders. */
static void test_any_order(void **state)
{
	static const unsigned orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	unsigned seed = 7;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		struct xb_catalog parts[3] = { 0 };
		xb_autofree char *first = NULL;

		for (unsigned i = 0; i < 60; i++)
			add(&parts[rand_r(&seed) % 3], (unsigned)rand_r(&seed) % 30,
			    (unsigned)rand_r(&seed) % 10, NOW + rand_r(&seed) % 100);
		for (unsigned o = 0; o < XB_COUNT(orders); o++) {
			xb_auto_catalog struct xb_catalog all = { 0 };
			xb_autofree char *text = NULL;

			for (unsigned i = 0; i < 3; i++)
				xb_catalog_merge(&all, &parts[orders[o][i]]);
			text = text_of(&all);
			if (first == NULL)
				first = xb_strdup(text);
			assert_string_equal(text, first);
		}
		for (unsigned i = 0; i < 3; i++)
			xb_catalog_clear(&parts[i]);
	}
}

static void test_news(void **state)
{
	xb_auto_catalog struct xb_catalog catalog = { 0 };
	struct xb_catalog_record r = record(1, 1);

	(void)state;
	assert_true(xb_catalog_add(&catalog, &r));
	assert_false(xb_catalog_add(&catalog, &r));
	r.used += XB_CATALOG_FRESH - 1;
	assert_false(xb_catalog_add(&catalog, &r));
	r.used += XB_CATALOG_FRESH;
	assert_true(xb_catalog_add(&catalog, &r));
	r.used = 0;
	assert_false(xb_catalog_add(&catalog, &r));
	assert_int_equal(catalog.records.items[0]->used, NOW + 2 * XB_CATALOG_FRESH - 1);
}

static void test_bounds(void **state)
{
	xb_auto_catalog struct xb_catalog catalog = { 0 };
	struct xb_catalog_record large = record(100001, 100001);

	(void)state;
	add(&catalog, 100000, 1, NOW - XB_CATALOG_AGE - 1);
	assert_int_equal(xb_catalog_prune(&catalog, NOW), 1);
	assert_int_equal(catalog.records.len, 0);
	for (unsigned i = 0; i < XB_CATALOG_RECORDS + 10; i++)
		add(&catalog, i, 0, NOW + i);
	assert_int_equal(xb_catalog_prune(&catalog, NOW), 10);
	assert_null(xb_catalog_find(&catalog, record(9, 0).key));
	assert_non_null(xb_catalog_find(&catalog, record(10, 0).key));
	/* what was used last stays, and a layer counts once */
	large.blob_size = XB_CATALOG_BYTES - 50;
	large.used = NOW + 100000;
	(void)xb_catalog_add(&catalog, &large);
	assert_int_equal(xb_catalog_prune(&catalog, NOW), XB_CATALOG_RECORDS);
	assert_int_equal(catalog.records.len, 1);
	assert_non_null(xb_catalog_find(&catalog, large.key));
}

static void test_as_records(void **state)
{
	struct xb_catalog_record r = record(3, 4);
	struct xb_record store = xb_catalog_to_record(&r);
	struct xb_catalog_record back = xb_catalog_from_record(&store, NOW + 5);

	(void)state;
	assert_string_equal(store.key, r.key);
	assert_string_equal(store.note, "");
	assert_string_equal(back.key, r.key);
	assert_string_equal(back.title, "RUN make");
	assert_string_equal(back.media_type, r.media_type);
	assert_true(xb_digest_eq(&back.blob, &r.blob));
	assert_true(xb_digest_eq(&back.diff_id, &r.diff_id));
	assert_int_equal(back.blob_size, r.blob_size);
	assert_int_equal(back.used, NOW + 5);
}

#define A64	      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64	      "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C64	      "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define KEY	      "\"key\":\"step:sha256:" A64 "\""
#define DIFF	      "\"diffID\":\"sha256:" A64 "\""
#define BLOB	      "\"blob\":\"sha256:" A64 "\""
#define GOOD	      "{" KEY "," DIFF "," BLOB ",\"created\":1,\"used\":2}"
#define LIST(records) "{\"version\":1,\"records\":[" records "]}"

static const struct {
	const char *text;
	int status;
	const char *says;
} bad[] = {
	{ "", -EBADMSG, "JSON" },
	{ "[", -EBADMSG, "JSON" },
	{ "[]", -EBADMSG, "not an object" },
	{ "{}", -EPROTONOSUPPORT, "version" },
	{ "{\"version\":2,\"records\":[]}", -EPROTONOSUPPORT, "version is 2" },
	{ "{\"version\":\"1\",\"records\":[]}", -EBADMSG, "version" },
	{ "{\"version\":1}", -EBADMSG, "records is missing" },
	{ "{\"version\":1,\"records\":null}", -EBADMSG, "records is missing" },
	{ "{\"version\":1,\"records\":{}}", -EBADMSG, "records" },
	{ "{\"version\":1,\"version\":1,\"records\":[]}", -EBADMSG, "JSON" },
	{ LIST("7"), -EBADMSG, "records[0]: not an object" },
	{ LIST("{}"), -EBADMSG, "records[0]: key" },
	{ LIST("{\"key\":\"chain:sha256:" A64 "\"," DIFF "," BLOB "}"), -EBADMSG, "key" },
	{ LIST("{\"key\":\"step:../../etc/passwd\"," DIFF "," BLOB "}"), -EBADMSG, "key" },
	{ LIST("{\"key\":\"step:sha256:" A64 "x\"," DIFF "," BLOB "}"), -EBADMSG, "key" },
	{ LIST("{\"key\":7," DIFF "," BLOB "}"), -EBADMSG, "key" },
	{ LIST("{" KEY ",\"diffID\":\"sha256:xyz\"," BLOB "}"), -EBADMSG, "diffID" },
	{ LIST("{" KEY "," BLOB "}"), -EBADMSG, "diffID" },
	{ LIST("{" KEY "," DIFF "}"), -EBADMSG, "blob" },
	{ LIST("{" KEY "," DIFF ",\"blob\":\"sha256:" B64 "\"}"), -EBADMSG, "no layer" },
	{ LIST("{" KEY "," DIFF ",\"blob\":\"sha256:" C64 "\"}"), -EBADMSG, "not among" },
	{ LIST("{" KEY "," DIFF "," BLOB ",\"created\":-1}"), -EBADMSG, "created" },
	{ LIST("{" KEY "," DIFF "," BLOB ",\"created\":1.5}"), -EBADMSG, "created" },
	{ LIST("{" KEY "," DIFF "," BLOB ",\"used\":9007199254740993}"), -EBADMSG, "used" },
	{ LIST("{" KEY "," DIFF "," BLOB ",\"title\":[]}"), -EBADMSG, "title" },
	{ LIST(GOOD "," GOOD), -EBADMSG, "records[1]: its key is there twice" },
};

static void test_bad_lists(void **state)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	xb_auto_catalog struct xb_catalog good = { 0 };
	struct xb_digest a, b;

	(void)state;
	assert_int_equal(xb_digest_parse(XB_VIEW("sha256:" A64), &a, NULL), 0);
	assert_int_equal(xb_digest_parse(XB_VIEW("sha256:" B64), &b, NULL), 0);
	xb_descriptor_init(xb_array_push(&blobs), XB_MEDIA_DOCKER_LAYER_GZIP, &a, 10);
	xb_descriptor_init(xb_array_push(&blobs), "application/x-tar", &b, 10);
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_catalog struct xb_catalog catalog = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		print_message("%s\n", bad[i].text);
		assert_int_equal(xb_catalog_parse(xb_view(bad[i].text), &blobs, &catalog, &err),
				 bad[i].status);
		assert_non_null(strstr(err.message, bad[i].says));
		assert_int_equal(catalog.records.len, 0);
	}
	assert_int_equal(xb_catalog_parse(XB_VIEW(LIST(GOOD)), &blobs, &good, NULL), 0);
	/* Docker's spelling of the type is read as OCI's */
	assert_string_equal(good.records.items[0]->media_type, XB_MEDIA_OCI_LAYER_GZIP);
}

static void test_too_many(void **state)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	xb_auto_catalog struct xb_catalog catalog = { 0 };
	xb_auto_catalog struct xb_catalog read = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str large = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	for (unsigned i = 0; i < XB_CATALOG_RECORDS + 1; i++)
		add(&catalog, i, 0, NOW);
	assert_int_equal(xb_catalog_write(&catalog, &text, &blobs, NULL), 0);
	assert_int_equal(xb_catalog_parse(xb_str_view(&text), &blobs, &read, NULL), -EFBIG);
	for (size_t i = 0; i <= XB_MAX_CATALOG; i++)
		(void)xb_str_putc(&large, ' ');
	assert_int_equal(xb_catalog_parse(xb_str_view(&large), &blobs, &read, NULL), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_and_read),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_as_records),
		cmocka_unit_test(test_bad_lists),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
