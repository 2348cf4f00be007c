/* SPDX-License-Identifier: Apache-2.0 */
/* Images: found by platform through indexes, checked against what their documents promise. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/copy.h"
#include "manifest/image.h"
#include "manifest/media.h"
#include "manifest/place_layout.h"
#include "tests/unit/corpora.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };
static const struct xb_platform arm64 = { .os = "linux", .arch = "arm64" };
static const struct xb_platform s390x = { .os = "linux", .arch = "s390x" };

static struct xb_layout *layout;

static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	return xb_layout_create(scratch_path("l"), &layout, NULL);
}

static int teardown(void **state)
{
	xb_layout_free(XB_STEAL(layout));
	return scratch_teardown(state);
}

/* An image of one layer with these bytes, its config of platform `real`. */
static struct xb_descriptor make_image(const struct xb_platform *real, const char *bytes)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors layers = { 0 };
	struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest;
	struct xb_error err = XB_ERROR_INIT;

	config.platform = *real;
	assert_int_equal(xb_layout_add_bytes(layout, xb_view(bytes), false, &digest, NULL), 0);
	*xb_array_push(&config.diff_ids) = digest;
	xb_descriptor_init(xb_array_push(&layers), XB_MEDIA_OCI_LAYER, &digest, strlen(bytes));
	if (xb_image_write(layout, &config, &layers, NULL, false, &d, &err) < 0)
		fail_msg("%s", err.message);
	return d;
}

/* An index over `count` descriptors, which are released. */
static struct xb_descriptor make_index(struct xb_descriptor *entries, size_t count)
{
	xb_auto_descriptors struct xb_descriptors v = { 0 };
	struct xb_descriptor d = XB_DESCRIPTOR_INIT;

	for (size_t i = 0; i < count; i++) {
		(void)xb_descriptors_add(&v, &entries[i]);
		xb_descriptor_clear(&entries[i]);
	}
	assert_int_equal(xb_image_write_index(layout, &v, NULL, false, &d, NULL), 0);
	return d;
}

static void tag(struct xb_descriptor *d, const char *name)
{
	assert_int_equal(xb_layout_tag(layout, d, name, false, NULL), 0);
}

static void loads_the_image_of_a_platform(void **state)
{
	struct xb_descriptor both[] = { make_image(&amd64, "one"), make_image(&arm64, "two") };
	xb_auto_descriptor struct xb_descriptor index = make_index(both, 2);
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);

	(void)state;
	tag(&index, "x");
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &arm64, &image, NULL), 0);
	assert_string_equal(image.config.platform.arch, "arm64");
	assert_string_equal(image.descriptor.platform.arch, "arm64");
	assert_int_equal(image.manifest.layers.len, 1);
	assert_int_equal(
		xb_layout_blob_read(layout, &image.manifest.layers.items[0], 100, &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "two");
}

static void a_single_manifest_has_the_platform_of_its_config(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image(&arm64, "one");
	xb_auto_image struct xb_image image = XB_IMAGE_INIT, any = XB_IMAGE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	d.has_platform = false;
	tag(&d, "x");
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &arm64, &image, NULL), 0);
	assert_string_equal(image.descriptor.platform.arch, "arm64");
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), NULL, NULL, &any, NULL), 0);
	xb_image_clear(&any);
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &amd64, &any, &err), -ENOENT);
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
	assert_non_null(strstr(err.message, "linux/amd64"));
	assert_non_null(strstr(err.message, "linux/arm64"));
	assert_non_null(err.hint);
}

static void a_missing_platform_lists_what_there_is(void **state)
{
	struct xb_descriptor both[] = { make_image(&amd64, "one"), make_image(&arm64, "two") };
	xb_auto_descriptor struct xb_descriptor index = make_index(both, 2);
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	tag(&index, "x");
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &s390x, &image, &err), -ENOENT);
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
	assert_non_null(strstr(err.message, "linux/s390x (there is: linux/amd64, linux/arm64)"));
	xb_error_clear(&err);
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", NULL, &image, &err), -ENOENT);
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
}

/* An index that promises arm64 over an amd64 image: never an arm64 tag over amd64 bytes. */
static void a_lying_index_is_refused(void **state)
{
	struct xb_descriptor lie = make_image(&amd64, "one");
	xb_auto_descriptor struct xb_descriptor index = XB_DESCRIPTOR_INIT;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	xb_descriptor_set_platform(&lie, &arm64);
	index = make_index(&lie, 1);
	tag(&index, "x");
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &arm64, &image, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
	assert_non_null(strstr(err.message, "linux/arm64"));
	assert_non_null(strstr(err.message, "linux/amd64"));
	assert_non_null(err.hint);
	assert_null(image.descriptor.media_type);
}

/* `uname -m` words and variants that go without saying are no lies. */
static void spellings_of_a_platform_agree(void **state)
{
	struct xb_platform written = { .os = "Linux", .arch = "aarch64", .variant = "v8" };
	struct xb_descriptor d = make_image(&written, "one");
	xb_auto_descriptor struct xb_descriptor index = XB_DESCRIPTOR_INIT;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;

	(void)state;
	xb_descriptor_set_platform(&d, &arm64);
	index = make_index(&d, 1);
	tag(&index, "x");
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &arm64, &image, NULL), 0);
}

static void indexes_inside_of_indexes(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image(&amd64, "one");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	for (int depth = 1; depth <= XB_MAX_INDEX_DEPTH + 1; depth++) {
		xb_auto_image struct xb_image image = XB_IMAGE_INIT;
		struct xb_descriptor inner = d;

		d = make_index(&inner, 1);
		tag(&d, "x");
		assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &amd64, &image, &err),
				 depth <= XB_MAX_INDEX_DEPTH ? 0 : -ELOOP);
	}
}

/* An index named twelve times is read once, and its images are listed once. */
static void a_digest_is_visited_once(void **state)
{
	struct xb_descriptor d = make_image(&amd64, "one"), inner = make_index(&d, 1);
	struct xb_descriptor twelve[12] = { 0 };
	xb_auto_descriptor struct xb_descriptor outer = XB_DESCRIPTOR_INIT;
	xb_auto_descriptors struct xb_descriptors images = { 0 }, blobs = { 0 };

	(void)state;
	for (size_t i = 0; i < 12; i++)
		xb_descriptor_copy(&twelve[i], &inner);
	xb_descriptor_clear(&inner);
	outer = make_index(twelve, 12);
	assert_int_equal(xb_image_list(XB_PLACE_OF(layout), &outer, &images, NULL), 0);
	assert_int_equal(images.len, 1);
	assert_int_equal(xb_image_blobs(XB_PLACE_OF(layout), &outer, &blobs, NULL), 0);
	assert_int_equal(blobs.len, 5); /* layer, config, manifest, two indexes */
}

/* What stands beside the images of an index: attestations, artifacts, types of the future. */
static void other_entries_are_passed_over(void **state)
{
	struct xb_platform unknown = { .os = "unknown", .arch = "unknown" };
	struct xb_descriptor entries[4] = { 0 };
	xb_auto_descriptor struct xb_descriptor index = XB_DESCRIPTOR_INIT;
	xb_auto_manifest struct xb_manifest artifact = XB_MANIFEST_INIT;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	struct xb_digest digest;

	(void)state;
	assert_int_equal(xb_layout_add_bytes(layout, XB_VIEW("{}"), false, &digest, NULL), 0);
	xb_descriptor_init(&artifact.config, "application/vnd.oci.empty.v1+json", &digest, 2);
	assert_int_equal(xb_image_write_manifest(layout, &artifact, false, &entries[0], NULL), 0);
	xb_descriptor_init(&entries[1], "application/x-future", &digest, 2);
	xb_descriptor_init(&entries[2], XB_MEDIA_OCI_MANIFEST, &digest, 2);
	xb_descriptor_set_platform(&entries[2], &unknown);
	entries[3] = make_image(&amd64, "one");
	entries[3].has_platform = false;
	index = make_index(entries, 4);
	tag(&index, "x");
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &amd64, &image, NULL), 0);
	xb_image_clear(&image);
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", NULL, &image, NULL), 0);
}

static void layers_and_diff_ids_are_counted(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image(&amd64, "one");
	xb_auto_descriptor struct xb_descriptor more = XB_DESCRIPTOR_INIT;
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors layers = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_image_read_manifest(XB_PLACE_OF(layout), &d, &m, NULL), 0);
	(void)xb_descriptors_add(&m.layers, &m.layers.items[0]);
	assert_int_equal(xb_image_write_manifest(layout, &m, false, &more, NULL), 0);
	assert_int_equal(xb_image_find(XB_PLACE_OF(layout), &more, &amd64, &image, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "2 layers"));
	/* nor can such an image be written */
	(void)xb_descriptors_add(&layers, &m.layers.items[0]);
	xb_descriptor_clear(&more);
	assert_int_equal(xb_image_write(layout, &config, &layers, NULL, false, &more, &err),
			 -EINVAL);
}

/* Remove the blob that holds `text`. */
static void remove_blob(const char *text)
{
	struct xb_digest digest = xb_digest_of(text, strlen(text));
	xb_autofree char *name = xb_format("l/blobs/sha256/%s", xb_digest_hex(&digest));

	assert_int_equal(unlink(scratch_path(name)), 0);
}

static void a_missing_layer_is_found_before_work_begins(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image(&amd64, "one");
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	tag(&d, "x");
	remove_blob("one");
	assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &amd64, &image, &err), -ENOENT);
	assert_non_null(strstr(err.message, "layer 0"));
	assert_int_equal(xb_image_find(XB_PLACE_OF(layout), &d, &amd64, &image, NULL), 0);
	assert_int_equal(xb_image_check_layers(XB_PLACE_OF(layout), &image, NULL), -ENOENT);
}

/* Whoever copies in this order never has a document before what it names. */
static void blobs_come_before_what_names_them(void **state)
{
	struct xb_descriptor both[] = { make_image(&amd64, "one"), make_image(&arm64, "one") };
	xb_auto_descriptor struct xb_descriptor index = make_index(both, 2);
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	static const enum xb_media_kind kinds[] = { XB_MEDIA_LAYER,    XB_MEDIA_CONFIG,
						    XB_MEDIA_MANIFEST, XB_MEDIA_CONFIG,
						    XB_MEDIA_MANIFEST, XB_MEDIA_INDEX };

	(void)state;
	assert_int_equal(xb_image_blobs(XB_PLACE_OF(layout), &index, &blobs, NULL), 0);
	assert_int_equal(blobs.len, XB_COUNT(kinds)); /* the shared layer once */
	for (size_t i = 0; i < blobs.len; i++)
		assert_int_equal(xb_media_kind(blobs.items[i].media_type), kinds[i]);
}

static int copy(struct xb_layout *to, const struct xb_descriptor *root)
{
	struct xb_layout_place target = xb_layout_place_rw(to, true);

	return xb_copy_image(&target.place, XB_PLACE_OF(layout), root,
			     &(struct xb_transfer_options){ 0 }, NULL);
}

static void images_are_copied_whole(void **state)
{
	struct xb_descriptor both[] = { make_image(&amd64, "one"), make_image(&arm64, "two") };
	xb_auto_descriptor struct xb_descriptor index = make_index(both, 2);
	xb_auto_layout struct xb_layout *to = NULL;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;

	(void)state;
	assert_int_equal(xb_layout_create(scratch_path("to"), &to, NULL), 0);
	assert_int_equal(copy(to, &index), 0);
	assert_int_equal(xb_layout_tag(to, &index, "t", true, NULL), 0);
	assert_int_equal(xb_image_load(XB_PLACE_OF(to), "t", &arm64, &image, NULL), 0);
	remove_blob("two");
	xb_layout_free(XB_STEAL(to));
	assert_int_equal(xb_layout_create(scratch_path("to2"), &to, NULL), 0);
	assert_int_equal(copy(to, &index), -ENOENT);
}

/* The same image written twice has one digest. */
static void writing_is_deterministic(void **state)
{
	xb_auto_descriptor struct xb_descriptor a = make_image(&amd64, "one");
	xb_auto_descriptor struct xb_descriptor b = make_image(&amd64, "one");

	(void)state;
	assert_string_equal(a.digest.text, b.digest.text);
	assert_string_equal(a.media_type, XB_MEDIA_OCI_MANIFEST);
	assert_string_equal(a.platform.arch, "amd64");
}

/* A document whose bytes are not those of its digest is never used, at whatever level it stands. */
static void changed_documents_are_found(void **state)
{
	struct xb_descriptor d = make_image(&amd64, "one");
	xb_auto_descriptor struct xb_descriptor index = make_index(&d, 1);
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };

	(void)state;
	assert_int_equal(xb_image_blobs(XB_PLACE_OF(layout), &index, &blobs, NULL), 0);
	for (size_t i = 1; i < blobs.len;
	     i++) { /* the layer's bytes are read when it is unpacked */
		const struct xb_descriptor *blob = &blobs.items[i];
		xb_autofree char *name =
			xb_format("l/blobs/sha256/%s", xb_digest_hex(&blob->digest));
		xb_auto_image struct xb_image image = XB_IMAGE_INIT;
		xb_auto_str struct xb_str text = XB_STR_INIT(4096);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		xb_auto_fd int fd = -1;

		assert_int_equal(xb_layout_blob_read(layout, blob, 4096, &text, NULL), 0);
		fd = open(scratch_path(name), O_WRONLY | O_CLOEXEC);
		assert_int_equal(pwrite(fd, " ", 1, (off_t)text.len - 1), 1);
		assert_int_equal(xb_image_find(XB_PLACE_OF(layout), &index, &amd64, &image, &err),
				 -EBADMSG);
		assert_non_null(strstr(err.message, blob->digest.text));
		assert_non_null(err.hint);
		assert_int_equal(pwrite(fd, "}", 1, (off_t)text.len - 1), 1);
		assert_int_equal(xb_image_find(XB_PLACE_OF(layout), &index, &amd64, &image, NULL),
				 0);
	}
}

/* Annotations go where they are meant. */
static void annotations_are_written(void **state)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors none = { 0 };
	xb_auto_annotations struct xb_annotations notes = { 0 };
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT, index = XB_DESCRIPTOR_INIT;
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(4096);

	(void)state;
	config.platform = amd64;
	xb_annotations_set(&notes, "a", "1");
	assert_int_equal(xb_image_write(layout, &config, &none, &notes, false, &d, NULL), 0);
	assert_int_equal(xb_image_read_manifest(XB_PLACE_OF(layout), &d, &m, NULL), 0);
	assert_string_equal(xb_annotations_get(&m.annotations, "a"), "1");
	assert_int_equal(xb_image_write_index(layout, &none, &notes, false, &index, NULL), 0);
	assert_int_equal(xb_layout_blob_read(layout, &index, 4096, &text, NULL), 0);
	assert_string_equal(xb_str_text(&text),
			    "{\"schemaVersion\":2,\"mediaType\":\"" XB_MEDIA_OCI_INDEX
			    "\",\"manifests\":[],\"annotations\":{\"a\":\"1\"}}");
}

static void what_is_no_image(void **state)
{
	static const char *const types[] = { XB_MEDIA_OCI_CONFIG, "text/plain", XB_MEDIA_OCI_INDEX,
					     XB_MEDIA_OCI_MANIFEST };
	struct xb_digest digest;

	(void)state;
	assert_int_equal(xb_layout_add_bytes(layout, XB_VIEW("{}"), false, &digest, NULL), 0);
	for (size_t i = 0; i < XB_COUNT(types); i++) {
		xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
		xb_auto_image struct xb_image image = XB_IMAGE_INIT;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		xb_descriptor_init(&d, types[i], &digest, 2);
		tag(&d, "x");
		assert_int_equal(xb_image_load(XB_PLACE_OF(layout), "x", &amd64, &image, &err),
				 -EBADMSG);
		assert_int_equal(err.fault, XB_FAULT_STORE);
		assert_non_null(strstr(err.message, digest.text));
	}
	assert_int_equal(
		xb_image_load(XB_PLACE_OF(layout), "y", &amd64, &(struct xb_image){ 0 }, NULL),
		-ENOENT);
}

/* Layouts made by an adversary; what each should lead to is in their cases.json. */

static bool printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void check_case(const json_t *c)
{
	const char *id = corpora_member(c, "id");
	xb_autofree char *path = xb_format("layouts/%s", id);
	xb_auto_layout struct xb_layout *evil = NULL;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r = xb_layout_open(scratch_path(path), &evil, &err);

	if (r == 0)
		r = xb_image_load(XB_PLACE_OF(evil), "latest", &amd64, &image, &err);
	/* what is wrong with the tars of the other groups is not ours to see */
	if (id[0] == 'g' && strcmp(corpora_member(c, "expected"), "reject") == 0 && r == 0)
		fail_msg("%s is taken: %s", id, corpora_member(c, "what"));
	if (id[0] != 'g' && r < 0)
		fail_msg("%s: %s", id, err.message);
	if (r < 0 && !printable(err.message))
		fail_msg("%s: the message holds control characters", id);
}

static void hostile_layouts(void **state)
{
	const char *dir = getenv("XB_EVIL");
	xb_autofree char *cases = NULL, *archive = NULL;
	json_t *document;
	json_error_t error;
	size_t i;
	json_t *c;

	(void)state;
	need("evil (XB_EVIL)", dir != NULL && *dir != '\0');
	cases = xb_format("%s/cases.json", dir);
	archive = xb_format("%s/layouts.tar.zst", dir);
	document = json_load_file(cases, 0, &error);
	assert_non_null(document);
	assert_int_equal(scratch_run((const char *[]){ "tar", "--zstd", "--no-same-owner", "-C",
						       scratch, "-xf", archive, NULL }),
			 0);
	assert_true(json_array_size(json_object_get(document, "cases")) > 0);
	json_array_foreach(json_object_get(document, "cases"), i, c) check_case(c);
	json_decref(document);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(loads_the_image_of_a_platform),
		TEST(a_single_manifest_has_the_platform_of_its_config),
		TEST(a_missing_platform_lists_what_there_is),
		TEST(a_lying_index_is_refused),
		TEST(spellings_of_a_platform_agree),
		TEST(indexes_inside_of_indexes),
		TEST(a_digest_is_visited_once),
		TEST(other_entries_are_passed_over),
		TEST(layers_and_diff_ids_are_counted),
		TEST(a_missing_layer_is_found_before_work_begins),
		TEST(blobs_come_before_what_names_them),
		TEST(images_are_copied_whole),
		TEST(writing_is_deterministic),
		TEST(changed_documents_are_found),
		TEST(annotations_are_written),
		TEST(what_is_no_image),
		TEST(hostile_layouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
