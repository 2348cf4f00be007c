/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depots: whoever writes at whatever moment, nothing that anybody wrote is lost; also where nothing
 * can be removed, where a slow writer comes late, and where tags cannot be listed.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "builder/solve/depot.h"
#include "manifest/image.h"
#include "manifest/index.h"
#include "manifest/media.h"
#include "manifest/place_layout.h"
#include "tests/unit/scratch.h"

#define NOW ((int64_t)1700000000)

static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };
static const struct xb_platform arm64 = { .os = "linux", .arch = "arm64" };

static struct xb_layout *layout, *blobs;
static struct xb_layout_place to, from;
static struct xb_place_ops ops; /* of the depot's place, with faults */
static struct xb_depot depot;

/* What happens at the place; each once. */
static struct {
	void (*before_tag)(const char *tag); /* before a tag is set */
	void (*before_look)(void);	     /* before it is asked what a tag means */
	const struct xb_descriptor *over;    /* what somebody else writes over the whole */
	int refuse;			     /* documents that are refused */
	const char *lost;		     /* a blob that is said not to be there */
} fault;

static int tag(struct xb_place *place, const char *name, const struct xb_descriptor *d,
	       struct xb_view bytes, struct xb_error *err)
{
	void (*before)(const char *) = fault.before_tag;

	if (before != NULL) {
		fault.before_tag = NULL;
		before(name);
	}
	if (fault.over != NULL) {
		d = fault.over;
		fault.over = NULL;
	}
	return xb_layout_place_ops.tag(place, name, d, bytes, err);
}

static int resolve(struct xb_place *place, const char *name, struct xb_descriptor *ret,
		   struct xb_error *err)
{
	void (*before)(void) = fault.before_look;

	if (before != NULL) {
		fault.before_look = NULL;
		before();
	}
	return xb_layout_place_ops.resolve(place, name, ret, err);
}

static int put_document(struct xb_place *place, const struct xb_descriptor *d, struct xb_view bytes,
			struct xb_error *err)
{
	if (fault.refuse > 0) {
		fault.refuse--;
		return xb_error_set(err, -EREMOTEIO, "a blob is unknown");
	}
	return xb_layout_place_ops.put_document(place, d, bytes, err);
}

static int has(struct xb_place *place, const struct xb_descriptor *d, bool *ret,
	       struct xb_error *err)
{
	int r = xb_layout_place_ops.has(place, d, ret, err);

	if (fault.lost != NULL && strcmp(d->digest.text, fault.lost) == 0)
		*ret = false;
	return r;
}

static int cannot_untag(struct xb_place *place, const char *name, const struct xb_descriptor *d,
			struct xb_error *err)
{
	(void)place;
	(void)d;
	return xb_error_set(err, -EREMOTEIO, "%s stays", name);
}

static int setup(void **state)
{
	if (scratch_setup(state) < 0 || xb_layout_create(scratch_path("blobs"), &blobs, NULL) < 0 ||
	    xb_layout_create(scratch_path("depot"), &layout, NULL) < 0)
		return -1;
	memset(&fault, 0, sizeof(fault));
	ops = xb_layout_place_ops;
	ops.tag = tag;
	ops.resolve = resolve;
	ops.put_document = put_document;
	ops.has = has;
	from = xb_layout_place(blobs);
	to = xb_layout_place_rw(layout, false);
	to.place.ops = &ops;
	depot = (struct xb_depot){ .place = &to.place, .tag = "main", .name = "depot" };
	return 0;
}

static int teardown(void **state)
{
	xb_layout_free(XB_STEAL(layout));
	xb_layout_free(XB_STEAL(blobs));
	return scratch_teardown(state);
}

/* ---- what is written, and what is there ---------------------------------------------------- */

static void key_of(unsigned n, char key[XB_RECORD_KEY_SIZE])
{
	(void)snprintf(key, XB_RECORD_KEY_SIZE, XB_RECORD_STEP "%s",
		       xb_digest_of(&n, sizeof(n)).text);
}

/* A record whose layer is among `blobs`. */
static void add(struct xb_depot_entries *entries, const struct xb_platform *platform, unsigned n)
{
	struct xb_catalog_record record = {
		.diff_id = xb_digest_of(&n, sizeof(n)),
		.blob_size = sizeof(n),
		.media_type = XB_MEDIA_OCI_LAYER,
		.created = NOW,
		.used = NOW,
	};
	struct xb_view bytes = { (const char *)&n, sizeof(n) };

	key_of(n, record.key);
	assert_int_equal(xb_layout_add_bytes(blobs, bytes, false, &record.blob, NULL), 0);
	(void)xb_catalog_add(xb_depot_entry(entries, platform), &record);
}

static struct xb_place *source(void *context, const struct xb_catalog_record *record)
{
	(void)record;
	return context;
}

static int write_entries(const struct xb_depot_entries *entries, struct xb_depot_written *ret,
			 struct xb_error *err)
{
	const struct xb_depot_writing what = {
		.entries = entries,
		.source = source,
		.context = &from.place,
		.now = NOW,
	};

	return xb_depot_write(&depot, &what, ret, err);
}

static struct xb_depot_written write_one(const struct xb_platform *platform, unsigned n)
{
	xb_auto_depot_entries struct xb_depot_entries entries = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_depot_written written = { 0 };

	add(&entries, platform, n);
	if (write_entries(&entries, &written, &err) < 0)
		fail_msg("%s", err.message);
	return written;
}

/* How many of the records below `n` are there; their layers are, too. */
static unsigned count(const struct xb_platform *platform, unsigned n)
{
	xb_auto_depot_view struct xb_depot_view view = { 0 };
	struct xb_depot_page *page;
	unsigned found = 0;

	assert_int_equal(xb_depot_look(&depot, &view, NULL), 0);
	page = xb_depot_find(&view, platform);
	if (page == NULL)
		return 0;
	assert_int_equal(xb_depot_read(&depot, page, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		char key[XB_RECORD_KEY_SIZE];
		const struct xb_catalog_record *record;

		key_of(i, key);
		record = xb_catalog_find(&page->catalog, key);
		if (record == NULL)
			continue;
		assert_true(xb_layout_blob_exists(layout, &record->blob, record->blob_size));
		found++;
	}
	return found;
}

static size_t count_tags(void)
{
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;

	assert_int_equal(xb_layout_place_ops.tags(&to.place, &tags, NULL), 0);
	return tags.len;
}

/* ---- one writer after another -------------------------------------------------------------- */

static void test_one_after_another(void **state)
{
	struct xb_depot_written written;

	(void)state;
	assert_int_equal(count(&amd64, 5), 0);
	for (unsigned i = 0; i < 5; i++) {
		written = write_one(&amd64, i);
		assert_int_equal(written.added, 1);
		assert_int_equal(written.blobs, 1);
		assert_int_equal(written.records, i + 1);
		/* the whole and the last part */
		assert_int_equal(count_tags(), 2);
	}
	written = write_one(&amd64, 3);
	assert_int_equal(written.added, 0);
	assert_int_equal(written.blobs, 0);
	assert_int_equal(count(&amd64, 5), 5);
}

static struct xb_digest sheet_of(const struct xb_platform *platform)
{
	xb_auto_depot_view struct xb_depot_view view = { 0 };

	assert_int_equal(xb_depot_look(&depot, &view, NULL), 0);
	assert_int_equal(xb_depot_find(&view, platform)->sheets.len, 1);
	return xb_depot_find(&view, platform)->sheets.items[0].digest;
}

static void test_other_platforms_stay(void **state)
{
	struct xb_platform spelt = { .os = "linux", .arch = "arm64", .variant = "v8" };
	struct xb_digest before, after;

	(void)state;
	(void)write_one(&amd64, 1);
	before = sheet_of(&amd64);
	(void)write_one(&spelt, 2);
	(void)write_one(&arm64, 3);
	after = sheet_of(&amd64);
	assert_true(xb_digest_eq(&before, &after));
	assert_int_equal(count(&amd64, 5), 1);
	assert_int_equal(count(&arm64, 5), 2);
}

static void test_only_what_is_new_is_written(void **state)
{
	struct xb_digest before, after;
	xb_auto_descriptor struct xb_descriptor first = XB_DESCRIPTOR_INIT;
	xb_auto_descriptor struct xb_descriptor second = XB_DESCRIPTOR_INIT;

	(void)state;
	(void)write_one(&amd64, 1);
	before = sheet_of(&amd64);
	assert_int_equal(xb_layout_resolve(layout, "main", &first, NULL), 0);
	(void)write_one(&amd64, 1);
	after = sheet_of(&amd64);
	assert_int_equal(xb_layout_resolve(layout, "main", &second, NULL), 0);
	assert_true(xb_digest_eq(&before, &after));
	assert_true(xb_digest_eq(&first.digest, &second.digest));
}

/* ---- many at once ------------------------------------------------------------------------- */

#define WRITERS 8
#define EACH	4

struct writer {
	pthread_t thread;
	struct xb_depot_entries entries[EACH];
	int status;
	struct xb_error error;
};

static void *run_writer(void *argument)
{
	struct writer *w = argument;

	for (unsigned i = 0; w->status == 0 && i < EACH; i++) {
		struct xb_depot_written written;

		w->status = write_entries(&w->entries[i], &written, &w->error);
	}
	return NULL;
}

static void write_at_once(void)
{
	struct writer writers[WRITERS] = { 0 };

	for (unsigned i = 0; i < WRITERS * EACH; i++)
		add(&writers[i % WRITERS].entries[i / WRITERS], i % 2 == 0 ? &amd64 : &arm64, i);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i].thread, NULL, run_writer, &writers[i]),
				 0);
	for (unsigned i = 0; i < WRITERS; i++) {
		assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
		if (writers[i].status < 0)
			print_message("%s\n", writers[i].error.message);
		assert_int_equal(writers[i].status, 0);
		for (unsigned k = 0; k < EACH; k++)
			xb_depot_entries_clear(&writers[i].entries[k]);
	}
	assert_int_equal(count(&amd64, WRITERS * EACH), WRITERS * EACH / 2);
	assert_int_equal(count(&arm64, WRITERS * EACH), WRITERS * EACH / 2);
}

static void test_many_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		write_at_once();
	/* the next one gathers what is left of them */
	(void)write_one(&amd64, 1000);
	assert_int_equal(count_tags(), 2);
	assert_int_equal(count(&amd64, WRITERS * EACH), WRITERS * EACH / 2);
}

static void test_nothing_can_be_removed(void **state)
{
	xb_auto_depot_view struct xb_depot_view view = { 0 };

	(void)state;
	ops.untag = cannot_untag;
	write_at_once();
	(void)write_one(&amd64, 1000);
	assert_int_equal(xb_depot_look(&depot, &view, NULL), 0);
	assert_true(view.parts.len > 1);
	assert_int_equal(view.loose, 0); /* the whole names them all */
	ops.untag = NULL;
	(void)write_one(&amd64, 1001);
	assert_int_equal(count(&amd64, 1002), WRITERS * EACH / 2 + 2);
}

/* ---- at the worst moment ------------------------------------------------------------------ */

static void write_between(const char *name)
{
	(void)name;
	(void)write_one(&amd64, 2);
	(void)write_one(&amd64, 3);
}

/* A writer has looked, and two others come and go before it names what it wrote. */
static void test_late(void **state)
{
	(void)state;
	(void)write_one(&amd64, 0);
	fault.before_tag = write_between;
	(void)write_one(&amd64, 1);
	assert_int_equal(count(&amd64, 4), 4);
}

static void between_part_and_whole(const char *name)
{
	(void)name;
	fault.before_tag = write_between;
}

/* It is late with the whole alone, which then is older than what the others wrote. */
static void test_late_whole(void **state)
{
	xb_auto_depot_view struct xb_depot_view view = { 0 };

	(void)state;
	(void)write_one(&amd64, 0);
	fault.before_tag = between_part_and_whole;
	(void)write_one(&amd64, 1);
	assert_int_equal(count(&amd64, 4), 4);
	assert_int_equal(xb_depot_look(&depot, &view, NULL), 0);
	assert_true(view.loose > 0);
	(void)write_one(&amd64, 4);
	assert_int_equal(count(&amd64, 5), 5);
	assert_int_equal(count_tags(), 2);
}

static void write_while_reading(void)
{
	(void)write_one(&amd64, 1);
}

/* The parts that a reader has listed are gone when it wants to read them. */
static void test_read_while_written(void **state)
{
	(void)state;
	(void)write_one(&amd64, 0);
	/* without the whole the parts are what there is */
	assert_int_equal(xb_layout_untag(layout, "main", false, NULL), 0);
	fault.before_look = write_while_reading;
	assert_int_equal(count(&amd64, 2), 2);
}

/* Where tags cannot be listed, the whole is all there is: who wrote it looks whether it stays. */
static void test_without_a_list(void **state)
{
	xb_auto_descriptor struct xb_descriptor old = XB_DESCRIPTOR_INIT;

	(void)state;
	ops.tags = NULL;
	(void)write_one(&amd64, 0);
	assert_int_equal(xb_layout_resolve(layout, "main", &old, NULL), 0);
	(void)write_one(&arm64, 1);
	fault.over = &old;
	(void)write_one(&amd64, 2);
	assert_int_equal(count_tags(), 1);
	assert_int_equal(count(&amd64, 3), 2);
}

/* ---- what is not as it should be ----------------------------------------------------------- */

static void test_lost_layers(void **state)
{
	struct xb_digest lost = xb_digest_of(&(unsigned){ 0 }, sizeof(unsigned));

	(void)state;
	(void)write_one(&amd64, 0);
	(void)write_one(&amd64, 1);
	/* the registry refuses a manifest, and has lost a layer of an older record */
	fault.refuse = 1;
	fault.lost = lost.text;
	(void)write_one(&amd64, 2);
	assert_int_equal(count(&amd64, 3), 2);
}

static void test_refused(void **state)
{
	xb_auto_depot_entries struct xb_depot_entries entries = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_depot_written written;

	(void)state;
	(void)write_one(&amd64, 0);
	add(&entries, &amd64, 1);
	fault.refuse = 100;
	assert_int_equal(write_entries(&entries, &written, &err), -EREMOTEIO);
	assert_non_null(strstr(err.message, "writing the cache depot"));
	fault.refuse = 0;
	assert_int_equal(count(&amd64, 2), 1);
	assert_int_equal(count_tags(), 2);
}

static void put_index(const struct xb_index *index, const char *name)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest;

	assert_int_equal(xb_index_write(index, &text, NULL), 0);
	assert_int_equal(xb_layout_add_bytes(layout, xb_str_view(&text), false, &digest, NULL), 0);
	xb_descriptor_init(&d, XB_MEDIA_OCI_INDEX, &digest, text.len);
	assert_int_equal(xb_layout_tag(layout, &d, name, false, NULL), 0);
}

static void test_something_else(void **state)
{
	xb_auto_depot_entries struct xb_depot_entries entries = { 0 };
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_depot_view struct xb_depot_view view = { 0 };
	struct xb_depot_written written;

	(void)state;
	put_index(&index, "main");
	add(&entries, &amd64, 1);
	assert_int_equal(write_entries(&entries, &written, &err), -EEXIST);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	assert_int_equal(count_tags(), 1);
	assert_int_equal(xb_depot_look(&depot, &view, NULL), 0);
	assert_true(view.foreign);
}

/* A depot whose index names, under a platform or none, what is no list of records. */
static int look_at(const char *media_type, bool with_platform, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_depot_view struct xb_depot_view view = { 0 };
	struct xb_descriptor *d = xb_array_push(&index.manifests);
	struct xb_digest digest;
	int r;

	assert_int_equal(xb_layout_add_bytes(layout, XB_VIEW("{}"), false, &digest, NULL), 0);
	xb_descriptor_init(d, media_type, &digest, 2);
	if (with_platform)
		xb_descriptor_set_platform(d, &amd64);
	index.artifact_type = xb_strdup(XB_MEDIA_DEPOT);
	put_index(&index, "main");
	r = xb_depot_look(&depot, &view, err);
	if (r < 0)
		return r;
	return xb_depot_read(&depot, xb_depot_find(&view, &amd64), err);
}

static void test_bad_documents(void **state)
{
	static const struct {
		const char *media_type;
		bool with_platform;
		const char *says;
	} bad[] = {
		{ XB_MEDIA_OCI_MANIFEST, false, "no list of a platform's steps" },
		{ XB_MEDIA_OCI_INDEX, true, "no list of a platform's steps" },
		{ XB_MEDIA_OCI_MANIFEST, true, "image manifest" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(look_at(bad[i].media_type, bad[i].with_platform, &err), -EBADMSG);
		assert_non_null(strstr(err.message, bad[i].says));
		assert_non_null(strstr(err.message, "cache depot"));
	}
}

static void test_too_old(void **state)
{
	xb_auto_depot_entries struct xb_depot_entries entries = { 0 };
	struct xb_depot_writing what = {
		.entries = &entries,
		.source = source,
		.context = &from.place,
		.now = NOW + XB_CATALOG_AGE + 1,
	};
	struct xb_depot_written written = { 0 };

	(void)state;
	(void)write_one(&amd64, 0);
	(void)write_one(&arm64, 1);
	add(&entries, &amd64, 2);
	entries.items[0].catalog.records.items[0]->used = what.now;
	assert_int_equal(xb_depot_write(&depot, &what, &written, NULL), 0);
	assert_int_equal(written.dropped, 1);
	assert_int_equal(count(&amd64, 3), 1);
	/* what is not written is not judged */
	assert_int_equal(count(&arm64, 3), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_after_another),
		TEST(test_other_platforms_stay),
		TEST(test_only_what_is_new_is_written),
		TEST(test_many_at_once),
		TEST(test_nothing_can_be_removed),
		TEST(test_late),
		TEST(test_late_whole),
		TEST(test_read_while_written),
		TEST(test_without_a_list),
		TEST(test_lost_layers),
		TEST(test_refused),
		TEST(test_something_else),
		TEST(test_bad_documents),
		TEST(test_too_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
