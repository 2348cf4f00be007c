/* SPDX-License-Identifier: Apache-2.0 */
/* Results: layers upon layers, and the chain IDs that name them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "builder/solve/result.h"
#include "manifest/media.h"

/* SHA-256 of "a", "b", "c", and the chain IDs of a, ab, abc as sha256sum makes them. */
static const char *const diff_ids[] = {
	"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
	"sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
	"sha256:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6",
};
static const char *const chain_ids[] = {
	"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
	"sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676",
	"sha256:2fce7f8ce91bcf0a1428b36e1024639fdbd9469eea762dba98aa749631885106",
};

static struct xb_record record_of(size_t i)
{
	struct xb_record record = { .blob_size = 10 + i, .created = 100 + (int64_t)i };

	assert_int_equal(xb_digest_parse(xb_view(diff_ids[i]), &record.diff_id, NULL), 0);
	record.blob = record.diff_id;
	(void)snprintf(record.media_type, sizeof(record.media_type), "%s", XB_MEDIA_OCI_LAYER_GZIP);
	(void)snprintf(record.snapshot.id, sizeof(record.snapshot.id), "s%zu", i);
	return record;
}

/* Source: OCI image-spec 1.1 config.md, "Layer ChainID": the first is the diff ID itself, each
 * later one the digest of "CHAIN DIFFID". */
static void test_chain_ids(void **state)
{
	struct xb_result result = { 0 };

	(void)state;
	assert_true(xb_digest_empty(xb_result_chain(&result)));
	for (size_t i = 0; i < 3; i++) {
		struct xb_record record = record_of(i);

		xb_result_push(&result, &record);
		assert_string_equal(xb_result_chain(&result)->text, chain_ids[i]);
		assert_string_equal(result.layers.items[i].diff_id.text, diff_ids[i]);
	}
	assert_true(result.layers.items[2].blob_size == 12);
	assert_true(result.layers.items[2].created == 102);
	assert_string_equal(result.layers.items[2].snapshot.id, "s2");
	assert_string_equal(result.layers.items[2].media_type, XB_MEDIA_OCI_LAYER_GZIP);
	xb_result_clear(&result);
	xb_result_clear(&result);
}

static void test_copy(void **state)
{
	struct xb_result from = { 0 };
	struct xb_result to = { 0 };
	struct xb_result none = { 0 };
	struct xb_record record = record_of(0);

	(void)state;
	xb_result_push(&from, &record);
	xb_result_copy(&to, &from);
	record = record_of(1);
	xb_result_push(&to, &record);
	assert_int_equal(from.layers.len, 1);
	assert_string_equal(xb_result_chain(&to)->text, chain_ids[1]);
	xb_result_copy(&none, NULL);
	assert_int_equal(none.layers.len, 0);
	xb_result_clear(&from);
	xb_result_clear(&to);
	xb_result_clear(&none);
}

/* Docker's spelling of a layer's type becomes OCI's; the compression stays. */
static void test_of_image(void **state)
{
	static const struct {
		const char *given;
		const char *oci;
	} types[] = {
		{ XB_MEDIA_DOCKER_LAYER_GZIP, XB_MEDIA_OCI_LAYER_GZIP },
		{ XB_MEDIA_OCI_LAYER_ZSTD, XB_MEDIA_OCI_LAYER_ZSTD },
		{ XB_MEDIA_OCI_LAYER, XB_MEDIA_OCI_LAYER },
	};
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	struct xb_result result = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct xb_digest digest;

		assert_int_equal(xb_digest_parse(xb_view(diff_ids[i]), &digest, NULL), 0);
		*xb_array_push(&image.config.diff_ids) = digest;
		xb_descriptor_init(xb_array_push(&image.manifest.layers), types[i].given, &digest,
				   7 + i);
	}
	xb_result_of_image(&result, &image);
	assert_int_equal(result.layers.len, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(result.layers.items[i].media_type, types[i].oci);
		assert_string_equal(result.layers.items[i].chain.text, chain_ids[i]);
		assert_true(result.layers.items[i].blob_size == 7 + i);
		assert_string_equal(result.layers.items[i].snapshot.id, "");
		assert_true(result.layers.items[i].created == 0);
	}
	xb_result_clear(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_ids),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_of_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
