/* SPDX-License-Identifier: Apache-2.0 */
/* Tags, and what collection takes and leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "tests/unit/builder/cache/fixture.h"

static void tags_are_set_found_listed_and_removed(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_tags struct xb_tags tags = { 0 };
	struct xb_record layer = result_of(store, "key");
	struct xb_digest digest;

	(void)state;
	(void)tag_image(store, "registry.example:5000/b/c:1.4", &layer);
	digest = tag_image(store, "a:latest", &layer);
	layer = result_of(store, "another key");
	digest = tag_image(store, "a:latest", &layer);
	assert_int_equal(xb_tag_list(store, &tags, NULL), 0);
	assert_int_equal(tags.len, 2);
	assert_string_equal(tags.items[0].name, "a:latest");
	assert_true(xb_digest_eq(&tags.items[0].descriptor.digest, &digest));
	assert_string_equal(tags.items[1].name, "registry.example:5000/b/c:1.4");
	assert_int_equal(xb_tag_get(store, "a:latest", &d, NULL), 0);
	assert_true(xb_digest_eq(&d.digest, &digest));
	assert_int_equal(xb_tag_remove(store, "a:latest", NULL), 0);
	assert_int_equal(xb_tag_remove(store, "a:latest", NULL), -ENOENT);
	xb_descriptor_clear(&d);
	assert_int_equal(xb_tag_get(store, "a:latest", &d, &err), -ENOENT);
	assert_non_null(strstr(err.message, "a:latest"));
}

static void a_tag_of_what_is_not_there_is_refused(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest = xb_digest_of("x", 1);

	(void)state;
	xb_descriptor_init(&d, XB_MEDIA_OCI_INDEX, &digest, 1);
	assert_int_equal(xb_tag_set(store, "a:latest", &d, NULL), -ENOENT);
}

/* A store with a tagged result and another one, made by a process that is gone. */
static void two_results(void)
{
	struct xb_store *store = open_store();
	struct xb_record layer = result_of(store, "tagged");

	(void)tag_image(store, "a:latest", &layer);
	(void)result_of(store, "loose");
	xb_store_free(store);
}

static struct xb_store_usage usage_of(struct xb_store *store)
{
	struct xb_store_usage usage = { 0 };

	assert_int_equal(xb_store_usage(store, &usage, NULL), 0);
	return usage;
}

static void what_tags_reach_stays(void **state)
{
	xb_auto_store struct xb_store *store = NULL;
	struct xb_store_pruned pruned = { 0 };
	struct xb_store_usage usage;
	struct xb_record record;

	(void)state;
	two_results();
	store = open_store();
	usage = usage_of(store);
	assert_int_equal(usage.tags, 1);
	assert_int_equal(usage.records, 2);
	assert_int_equal(usage.blobs, 5); /* two layers, config, manifest, index */
	assert_int_equal(usage.snapshots, 2);
	assert_true(usage.blob_bytes >= 5 * 512);
	assert_true(usage.snapshot_bytes >= 2 * 512);
	assert_int_equal(xb_store_prune(store, false, &pruned, NULL), 0);
	assert_int_equal(pruned.records, 1);
	assert_int_equal(pruned.blobs, 1);
	assert_int_equal(pruned.snapshots, 1);
	assert_true(pruned.bytes >= 2 * 512);
	usage = usage_of(store);
	assert_int_equal(usage.records, 1);
	assert_int_equal(usage.blobs, 4);
	assert_int_equal(usage.snapshots, 1);
	assert_int_equal(count_in("store/ingest"), 0);
	assert_int_equal(xb_record_get(store, "loose", &record, NULL), 0);
	assert_int_equal(xb_record_get(store, "tagged", &record, NULL), 1);
}

static void all_takes_the_trees_of_tagged_results_too(void **state)
{
	xb_auto_store struct xb_store *store = NULL;
	struct xb_store_pruned pruned = { 0 };
	struct xb_store_usage usage;

	(void)state;
	two_results();
	store = open_store();
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	usage = usage_of(store);
	assert_int_equal(usage.tags, 1);
	assert_int_equal(usage.records, 0);
	assert_int_equal(usage.blobs, 4);
	assert_int_equal(usage.snapshots, 0);
	assert_int_equal(xb_tag_remove(store, "a:latest", NULL), 0);
	assert_int_equal(xb_store_prune(store, false, &pruned, NULL), 0);
	usage = usage_of(store);
	assert_int_equal(usage.blobs, 0);
}

static void what_a_running_build_was_given_stays(void **state)
{
	xb_auto_store struct xb_store *build = NULL;
	xb_auto_store struct xb_store *pruner = NULL;
	struct xb_store_pruned pruned = { 0 };
	struct xb_record record;
	struct xb_digest put;

	(void)state;
	two_results();
	build = open_store();
	pruner = open_store();
	put = put_blob(build, "a new one");
	assert_int_equal(xb_record_get(build, "loose", &record, NULL), 1);
	assert_int_equal(xb_store_prune(pruner, true, &pruned, NULL), 0);
	assert_int_equal(pruned.records, 1);
	assert_true(xb_blob_has(build, &record.blob));
	assert_true(xb_blob_has(build, &put));
	assert_int_equal(xb_record_get(build, "loose", &record, NULL), 1);
	assert_int_equal(xb_record_get(build, "tagged", &record, NULL), 0);
}

static void a_held_index_reaches_what_it_names(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_store struct xb_store *build = open_store();
	xb_auto_store struct xb_store *pruner = NULL;
	struct xb_store_pruned pruned = { 0 };
	struct xb_digest root;

	(void)state;
	/* made and tagged by one process, untagged, then met again by another */
	{
		xb_auto_store struct xb_store *maker = open_store();
		struct xb_record layer = result_of(maker, "layer");

		root = tag_image(maker, "a:latest", &layer);
		check(xb_tag_remove(maker, "a:latest", &err), &err);
	}
	assert_true(xb_blob_has(build, &root));
	pruner = open_store();
	check(xb_store_prune(pruner, false, &pruned, &err), &err);
	assert_int_equal(pruned.blobs, 0);
	assert_int_equal(pruned.records, 0);
}

static void other_tools_entries_count_as_tags(void **state)
{
	struct xb_store *store = open_store();
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest = put_blob(store, "{}");
	struct xb_store_pruned pruned = { 0 };

	(void)state;
	xb_descriptor_init(&d, "application/vnd.example+json", &digest, 2);
	assert_int_equal(xb_layout_tag(xb_store_layout(store), &d, NULL, false, NULL), 0);
	xb_store_free(store);
	store = open_store();
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_int_equal(pruned.blobs, 0);
	xb_store_free(store);
}

static void a_broken_document_does_not_stop_it(void **state)
{
	struct xb_store *store = open_store();
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest = put_blob(store, "{\"layers\":");
	struct xb_store_pruned pruned = { 0 };

	(void)state;
	xb_descriptor_init(&d, XB_MEDIA_OCI_MANIFEST, &digest, 10);
	assert_int_equal(xb_tag_set(store, "broken:latest", &d, NULL), 0);
	(void)result_of(store, "loose");
	xb_store_free(store);
	store = open_store();
	assert_int_equal(xb_store_prune(store, false, &pruned, NULL), 0);
	assert_int_equal(pruned.records, 1);
	assert_int_equal(pruned.blobs, 1);
	xb_store_free(store);
}

/* Fill the file system that the store is on to the last byte. */
static void fill(const char *name)
{
	static const char zeros[65536];
	xb_auto_fd int fd = open(scratch_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	for (size_t piece = sizeof(zeros); piece > 0; piece /= 2) {
		while (write(fd, zeros, piece) > 0)
			continue;
	}
}

static void prune_makes_room_on_a_full_disk(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *store = NULL;
	struct xb_ingest *ingest = NULL;
	struct xb_store_pruned pruned = { 0 };
	struct xb_record record;
	int r = 0;

	(void)state;
	need("root", geteuid() == 0);
	assert_int_equal(mkdir(scratch_path("disk"), 0700), 0);
	need("root", mount("none", scratch_path("disk"), "tmpfs", 0, "size=4m") == 0);
	assert_int_equal(symlink("disk/store", scratch_path("store")), 0);
	assert_int_equal(mkdir(scratch_path("disk/store"), 0700), 0);
	two_results();
	fill("disk/filler");

	store = open_store();
	if (xb_blob_begin(store, &ingest, &err) >= 0) {
		for (int i = 0; r >= 0 && i < 65536; i++)
			r = xb_ingest_write(ingest, "0123456789abcdef", 16, &err);
		xb_ingest_free(ingest);
	}
	assert_int_equal(err.code, -ENOSPC);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_non_null(strstr(err.hint, "prune"));
	xb_error_clear(&err);
	check(xb_store_prune(store, false, &pruned, &err), &err);
	assert_int_equal(pruned.records, 1);
	check(make_result(store, "new", NULL, &err), &err);
	assert_int_equal(xb_record_get(store, "loose", &record, NULL), 0);
	assert_int_equal(xb_record_get(store, "tagged", &record, NULL), 1);
	xb_store_free(store);
}

static int unmount_teardown(void **state)
{
	(void)umount2(scratch_path("disk"), MNT_DETACH);
	return scratch_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(tags_are_set_found_listed_and_removed),
		scratch_test(a_tag_of_what_is_not_there_is_refused),
		scratch_test(what_tags_reach_stays),
		scratch_test(all_takes_the_trees_of_tagged_results_too),
		scratch_test(what_a_running_build_was_given_stays),
		scratch_test(a_held_index_reaches_what_it_names),
		scratch_test(other_tools_entries_count_as_tags),
		scratch_test(a_broken_document_does_not_stop_it),
		cmocka_unit_test_setup_teardown(prune_makes_room_on_a_full_disk, scratch_setup,
						unmount_teardown),
	};

	return cmocka_run_group_tests_name("builder/cache prune", tests, NULL, NULL);
}
