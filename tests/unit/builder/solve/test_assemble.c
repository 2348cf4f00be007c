/* SPDX-License-Identifier: Apache-2.0 */
/* From results to documents: what they say, that they are the same again, where outputs put them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "builder/cache/blob.h"
#include "builder/cache/tag.h"
#include "builder/solve/assemble.h"
#include "builder/solve/output.h"
#include "manifest/media.h"
#include "manifest/place_layout.h"
#include "tests/unit/scratch.h"

#define EPOCH 1700000000

static struct xb_store *store;

static int setup(void **state)
{
	return scratch_setup(state) < 0 ? -1 : xb_store_open(scratch_path("store"), &store, NULL);
}

static int teardown(void **state)
{
	xb_store_free(XB_STEAL(store));
	return scratch_teardown(state);
}

/* A build of a base and two steps for up to two platforms, all made up. */
struct built {
	struct xb_plan_history history[3];
	struct xb_plan_target targets[2];
	struct xb_plan plan;
	struct xb_result items[3];
	struct xb_results results;
};

static void push_layer(struct xb_result *result, const char *bytes, int64_t created)
{
	struct xb_record record = { .created = created, .blob_size = strlen(bytes) };

	assert_int_equal(xb_blob_put(store, xb_view(bytes), &record.blob, NULL), 0);
	record.diff_id = record.blob;
	(void)snprintf(record.media_type, sizeof(record.media_type), "%s", XB_MEDIA_OCI_LAYER);
	xb_result_push(result, &record);
}

static void built_init(struct built *b, size_t platforms)
{
	static const char *const archs[] = { "amd64", "arm64" };

	*b = (struct built){
		.history = { { "ENV A=1", XB_STEP_NONE }, { "RUN one", 1 }, { "COPY two /", 2 } },
		.plan = { .targets = b->targets, .target_count = platforms, .step_count = 3 },
		.results = { .items = b->items, .len = 3 },
	};
	push_layer(&b->items[0], "base", 0);
	xb_result_copy(&b->items[1], &b->items[0]);
	push_layer(&b->items[1], "one", 1000);
	xb_result_copy(&b->items[2], &b->items[1]);
	push_layer(&b->items[2], "two", 2000);
	for (size_t t = 0; t < platforms; t++) {
		struct xb_plan_target *target = &b->targets[t];

		target->platform = (struct xb_platform){ .os = "linux" };
		(void)snprintf(target->platform.arch, sizeof(target->platform.arch), "%s",
			       archs[t]);
		target->config.platform = target->platform;
		target->step = 2;
		target->history = b->history;
		target->history_count = 3;
		xb_strv_push(&target->config.env, "A=1");
		*xb_array_push(&target->config.diff_ids) = b->items[0].layers.items[0].diff_id;
		xb_image_config_add_history(&target->config, "2001-01-01T00:00:00Z", "the base",
					    NULL, false);
	}
}

static void built_clear(struct built *b)
{
	for (size_t i = 0; i < 3; i++)
		xb_result_clear(&b->items[i]);
	for (size_t t = 0; t < b->plan.target_count; t++)
		xb_image_config_clear(&b->targets[t].config);
}

static void assemble(const struct built *b, int64_t epoch, struct xb_assembled *ret)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_assemble(store, &b->plan, &b->results, epoch, NULL, NULL, false, NULL, ret, &err) <
	    0)
		fail_msg("%s", err.message);
}

/* Read a document of the store. */
static json_t *document(const struct xb_digest *digest)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);
	json_t *json = NULL;

	assert_int_equal(xb_blob_read(store, digest, &text, NULL), 0);
	assert_int_equal(xb_json_parse(xb_str_view(&text), 1 << 20, &json, NULL), 0);
	return json;
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "(none)";
}

static void test_one_platform_is_a_manifest(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_json json_t *manifest = NULL;

	(void)state;
	built_init(&b, 1);
	assemble(&b, EPOCH, &a);
	assert_string_equal(a.root.media_type, XB_MEDIA_OCI_MANIFEST);
	assert_int_equal(a.manifests.len, 1);
	assert_true(xb_digest_eq(&a.root.digest, &a.manifests.items[0].digest));
	manifest = document(&a.root.digest);
	assert_int_equal(json_array_size(json_object_get(manifest, "layers")), 3);
}

static void test_several_are_an_index(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_json json_t *index = NULL;
	const json_t *list;

	(void)state;
	built_init(&b, 2);
	assemble(&b, EPOCH, &a);
	assert_string_equal(a.root.media_type, XB_MEDIA_OCI_INDEX);
	index = document(&a.root.digest);
	list = json_object_get(index, "manifests");
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *entry = json_array_get(list, i);
		const json_t *platform = json_object_get(entry, "platform");

		assert_string_equal(text_at(entry, "digest"), a.manifests.items[i].digest.text);
		assert_string_equal(text_at(platform, "os"), "linux");
		assert_string_equal(text_at(platform, "architecture"), i == 0 ? "amd64" : "arm64");
	}
}

/* The config of the first manifest. */
static json_t *config_of(const struct xb_assembled *a)
{
	xb_auto_json json_t *manifest = document(&a->manifests.items[0].digest);
	struct xb_digest digest;

	assert_int_equal(
		xb_digest_parse(xb_view(text_at(json_object_get(manifest, "config"), "digest")),
				&digest, NULL),
		0);
	return document(&digest);
}

static void test_config_and_history(void **state)
{
	static const struct {
		const char *created_by;
		const char *created;
		bool empty;
	} expected[] = {
		{ "the base", "2001-01-01T00:00:00Z", false },
		{ "ENV A=1", "1970-01-01T00:33:20Z", true },
		{ "RUN one", "1970-01-01T00:16:40Z", false },
		{ "COPY two /", "1970-01-01T00:33:20Z", false },
	};
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_json json_t *config = NULL;
	const json_t *history;
	const json_t *diff_ids;

	(void)state;
	built_init(&b, 1);
	assemble(&b, -1, &a);
	config = config_of(&a);
	/* the time of the newest layer: a build that ran nothing gives the same documents */
	assert_string_equal(text_at(config, "created"), "1970-01-01T00:33:20Z");
	assert_string_equal(text_at(config, "architecture"), "amd64");
	history = json_object_get(config, "history");
	assert_int_equal(json_array_size(history), XB_COUNT(expected));
	for (size_t i = 0; i < XB_COUNT(expected); i++) {
		const json_t *entry = json_array_get(history, i);

		assert_string_equal(text_at(entry, "created_by"), expected[i].created_by);
		assert_string_equal(text_at(entry, "created"), expected[i].created);
		assert_int_equal(json_is_true(json_object_get(entry, "empty_layer")),
				 expected[i].empty);
	}
	diff_ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	assert_int_equal(json_array_size(diff_ids), 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(json_string_value(json_array_get(diff_ids, i)),
				    b.items[2].layers.items[i].diff_id.text);
}

/* A base without history: there is an entry for each layer all the same. */
static void test_base_without_history(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_json json_t *config = NULL;
	const json_t *history;
	size_t layers = 0;

	(void)state;
	built_init(&b, 1);
	for (size_t i = 0; i < b.targets[0].config.history.len; i++)
		b.targets[0].config.history.items[i].empty_layer = true;
	assemble(&b, EPOCH, &a);
	config = config_of(&a);
	history = json_object_get(config, "history");
	for (size_t i = 0; i < json_array_size(history); i++)
		layers += !json_is_true(json_object_get(json_array_get(history, i), "empty_layer"));
	assert_int_equal(layers, 3);
}

static void test_epoch(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_json json_t *config = NULL;
	const json_t *history;

	(void)state;
	built_init(&b, 1);
	assemble(&b, EPOCH, &a);
	config = config_of(&a);
	history = json_object_get(config, "history");
	assert_string_equal(text_at(config, "created"), "2023-11-14T22:13:20Z");
	assert_string_equal(text_at(json_array_get(history, 0), "created"), "2001-01-01T00:00:00Z");
	for (size_t i = 1; i < 4; i++)
		assert_string_equal(text_at(json_array_get(history, i), "created"),
				    "2023-11-14T22:13:20Z");
}

static void test_same_again(void **state)
{
	XB_CLEANUP(built_clear) struct built b;

	(void)state;
	built_init(&b, 2);
	for (int64_t epoch = -1; epoch <= 1; epoch++) {
		xb_auto_assembled struct xb_assembled one = { 0 };
		xb_auto_assembled struct xb_assembled two = { 0 };

		assemble(&b, epoch, &one);
		assemble(&b, epoch, &two);
		assert_string_equal(one.root.digest.text, two.root.digest.text);
	}
}

/* Under an epoch, when the layers were made does not matter. */
static void test_epoch_hides_the_clock(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled one = { 0 };
	xb_auto_assembled struct xb_assembled two = { 0 };

	(void)state;
	built_init(&b, 2);
	assemble(&b, 0, &one);
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 1; k < b.items[i].layers.len; k++)
			b.items[i].layers.items[k].created += 12345;
	}
	assemble(&b, 0, &two);
	assert_string_equal(one.root.digest.text, two.root.digest.text);
}

static void test_image_without_layers(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_json json_t *manifest = NULL;

	(void)state;
	built_init(&b, 1);
	b.targets[0].step = XB_STEP_NONE;
	b.targets[0].history_count = 1;
	xb_image_config_clear(&b.targets[0].config);
	b.targets[0].config.platform = b.targets[0].platform;
	assemble(&b, EPOCH, &a);
	manifest = document(&a.root.digest);
	/* the member has to be there, even so */
	assert_true(json_is_array(json_object_get(manifest, "layers")));
	assert_int_equal(json_array_size(json_object_get(manifest, "layers")), 0);
}

/* Each level where buildx has it; what is for one platform stands there alone, and wins. */
static void test_annotations(void **state)
{
	static const char *const given[] = {
		"plain=1",
		"manifest:both=all",
		"manifest[linux/arm64]:both=arm",
		"manifest-descriptor,index,index-descriptor:many=m",
		"index[linux/arm64]:i=2",
		"manifest:k=a=b:c",
		"",
	};
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_annotate struct xb_annotate annotate = { 0 };
	xb_auto_json json_t *index = NULL;
	xb_auto_json json_t *first = NULL;
	xb_auto_json json_t *second = NULL;
	struct xb_platform platforms[2];
	json_t *in;

	(void)state;
	built_init(&b, 2);
	for (size_t i = 0; i < XB_COUNT(platforms); i++)
		platforms[i] = b.targets[i].platform;
	for (size_t i = 0; i < XB_COUNT(given); i++)
		assert_int_equal(xb_annotate_parse(given[i], &annotate, NULL), 0);
	assert_int_equal(xb_annotate_check(&annotate, platforms, 2, true, NULL), 0);
	assert_int_equal(
		xb_assemble(store, &b.plan, &b.results, 0, &annotate, NULL, true, NULL, &a, NULL),
		0);
	index = document(&a.root.digest);
	first = document(&a.manifests.items[0].digest);
	second = document(&a.manifests.items[1].digest);
	in = json_object_get(first, "annotations");
	assert_int_equal(json_object_size(in), 3);
	assert_string_equal(text_at(in, "plain"), "1");
	assert_string_equal(text_at(in, "both"), "all");
	assert_string_equal(text_at(in, "k"), "a=b:c");
	assert_string_equal(text_at(json_object_get(second, "annotations"), "both"), "arm");
	in = json_object_get(index, "annotations");
	assert_string_equal(text_at(in, "many"), "m");
	assert_string_equal(text_at(in, "i"), "2");
	in = json_object_get(json_array_get(json_object_get(index, "manifests"), 1), "annotations");
	assert_int_equal(json_object_size(in), 1);
	assert_string_equal(text_at(in, "many"), "m");
	assert_string_equal(xb_annotations_get(&a.root.annotations, "many"), "m");
}

/* One image has an index when that is wanted, and its annotations then, too. */
static void test_index_of_one(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_json json_t *index = NULL;

	(void)state;
	built_init(&b, 1);
	assert_int_equal(
		xb_assemble(store, &b.plan, &b.results, 0, NULL, NULL, true, NULL, &a, NULL), 0);
	index = document(&a.root.digest);
	assert_int_equal(json_array_size(json_object_get(index, "manifests")), 1);
	assert_string_not_equal(a.root.digest.text, a.manifests.items[0].digest.text);
}

static void test_annotations_that_are_wrong(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "novalue", "--annotation novalue: no value" },
		{ "=v", "--annotation =v: no name" },
		{ "manifest:=v", "--annotation manifest:=v: no name" },
		{ "layer:k=v", "--annotation layer:k=v: unknown type \"layer\"" },
		{ "manifest,x:k=v", "--annotation manifest,x:k=v: unknown type \"x\"" },
		{ "manifest[linux/amd64:k=v", "--annotation manifest[linux/amd64:k=v: \"" },
		{ "manifest[no/such/platform/at/all]:k=v", "--annotation manifest[no/" },
		{ ":k=v", "--annotation :k=v: unknown type \"\"" },
	};
	static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_annotate struct xb_annotate annotate = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_true(xb_annotate_parse(cases[i].text, &annotate, &err) < 0);
		assert_int_equal(strncmp(err.message, cases[i].message, strlen(cases[i].message)),
				 0);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
	}
	for (size_t i = 0; i < 2; i++) {
		xb_auto_annotate struct xb_annotate annotate = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(
			xb_annotate_parse(i == 0 ? "index:k=v" : "manifest[linux/arm64]:k=v",
					  &annotate, NULL),
			0);
		assert_true(xb_annotate_check(&annotate, &amd64, 1, false, &err) < 0);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(err.hint);
	}
}

/* ---- outputs of documents ----------------------------------------------------------------- */

static int write_output(const struct built *b, const struct xb_assembled *a, const char *spec,
			struct xb_error *err)
{
	xb_auto_outputs struct xb_outputs outputs = { 0 };
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	struct xb_output_source source = {
		.store = store,
		.plan = &b->plan,
		.results = &b->results,
		.assembled = a,
		.names = &names,
		.epoch = EPOCH,
	};

	xb_strv_push(&names, "example.org/app:1.4");
	assert_int_equal(xb_output_parse(spec, &outputs, NULL), 0);
	return xb_output_write(&outputs.items[0], &source, err);
}

static void test_output_image(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_descriptor struct xb_descriptor one = XB_DESCRIPTOR_INIT;
	xb_auto_descriptor struct xb_descriptor two = XB_DESCRIPTOR_INIT;

	(void)state;
	built_init(&b, 2);
	assemble(&b, EPOCH, &a);
	assert_int_equal(write_output(&b, &a, "type=image,name=more", NULL), 0);
	assert_int_equal(xb_tag_get(store, "example.org/app:1.4", &one, NULL), 0);
	assert_int_equal(xb_tag_get(store, "more", &two, NULL), 0);
	assert_true(xb_digest_eq(&one.digest, &a.root.digest));
	assert_true(xb_digest_eq(&two.digest, &a.root.digest));
}

static void test_output_layout(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_layout struct xb_layout *layout = NULL;
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_autofree char *spec = NULL;

	(void)state;
	built_init(&b, 2);
	assemble(&b, EPOCH, &a);
	spec = xb_format("type=oci,dest=%s,tar=false", scratch_path("out"));
	assert_int_equal(write_output(&b, &a, spec, NULL), 0);
	assert_int_equal(xb_layout_open(scratch_path("out"), &layout, NULL), 0);
	assert_int_equal(xb_layout_resolve(layout, "1.4", &root, NULL), 0);
	assert_true(xb_digest_eq(&root.digest, &a.root.digest));
	assert_int_equal(xb_image_blobs(XB_PLACE_OF(layout), &root, &blobs, NULL), 0);
	for (size_t i = 0; i < blobs.len; i++)
		assert_true(
			xb_layout_blob_exists(layout, &blobs.items[i].digest, blobs.items[i].size));
	/* into the same directory once more */
	assert_int_equal(write_output(&b, &a, spec, NULL), 0);
}

static void test_output_archives_are_the_same_again(void **state)
{
	static const char *const types[] = { "oci", "docker" };
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };

	(void)state;
	built_init(&b, 1);
	assemble(&b, EPOCH, &a);
	for (size_t i = 0; i < XB_COUNT(types); i++) {
		xb_auto_str struct xb_str one = XB_STR_INIT(1 << 20);
		xb_auto_str struct xb_str two = XB_STR_INIT(1 << 20);
		xb_autofree char *first = xb_format("type=%s,dest=%s", types[i], scratch_path("1"));
		xb_autofree char *second =
			xb_format("type=%s,dest=%s", types[i], scratch_path("2"));

		assert_int_equal(write_output(&b, &a, first, NULL), 0);
		assert_int_equal(write_output(&b, &a, second, NULL), 0);
		assert_int_equal(xb_file_read(scratch_path("1"), &one, NULL), 0);
		assert_int_equal(xb_file_read(scratch_path("2"), &two, NULL), 0);
		assert_true(one.len > 0);
		assert_true(xb_view_eq(xb_str_view(&one), xb_str_view(&two)));
	}
}

/* A file that could not be finished is not there, and says whose fault it is. */
static void test_output_fails(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *spec = NULL;

	(void)state;
	built_init(&b, 1);
	assemble(&b, EPOCH, &a);
	spec = xb_format("type=oci,dest=%s", scratch_path("no/such/dir"));
	assert_true(write_output(&b, &a, spec, &err) < 0);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_non_null(strstr(err.message, "no/such/dir"));
	xb_error_clear(&err);
	free(spec);
	/* a directory in the way */
	assert_int_equal(mkdirat(scratch_fd, "dir", 0755), 0);
	spec = xb_format("type=oci,dest=%s", scratch_path("dir"));
	assert_true(write_output(&b, &a, spec, &err) < 0);
	assert_int_equal(faccessat(scratch_fd, "dir", F_OK, 0), 0);
	xb_autofree char *partial = xb_format("dir.%ld.partial", (long)getpid());
	assert_int_equal(faccessat(scratch_fd, partial, F_OK, 0), -1);
}

/* type=oci into a directory that holds other things would mix with them. */
static void test_output_does_not_mix(void **state)
{
	XB_CLEANUP(built_clear) struct built b;
	xb_auto_assembled struct xb_assembled a = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *spec = NULL;

	(void)state;
	built_init(&b, 1);
	assemble(&b, EPOCH, &a);
	assert_int_equal(mkdirat(scratch_fd, "dir", 0755), 0);
	scratch_write("dir/thesis.txt", "mine");
	spec = xb_format("type=oci,dest=%s,tar=false", scratch_path("dir"));
	assert_true(write_output(&b, &a, spec, &err) < 0);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
}

#define case_of(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		case_of(test_one_platform_is_a_manifest),
		case_of(test_several_are_an_index),
		case_of(test_config_and_history),
		case_of(test_base_without_history),
		case_of(test_epoch),
		case_of(test_same_again),
		case_of(test_epoch_hides_the_clock),
		case_of(test_image_without_layers),
		case_of(test_annotations),
		case_of(test_index_of_one),
		case_of(test_annotations_that_are_wrong),
		case_of(test_output_image),
		case_of(test_output_layout),
		case_of(test_output_archives_are_the_same_again),
		case_of(test_output_fails),
		case_of(test_output_does_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
