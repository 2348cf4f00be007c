/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing: no tag moves before all is there, none loses a platform, what moved is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/image.h"
#include "manifest/media.h"
#include "manifest/place_layout.h"
#include "manifest/publish.h"
#include "tests/unit/scratch.h"

static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };
static const struct xb_platform arm64 = { .os = "linux", .arch = "arm64" };

static struct xb_layout *from, *to;
static struct xb_layout_place target;
static struct xb_place_ops ops; /* the target's, with faults */

/* What goes wrong at the target. */
static struct {
	atomic_int puts_left;	    /* documents that are taken before it fails */
	atomic_int tags_left;	    /* tags, likewise */
	bool forgets;		    /* it does not have what it took */
	bool somebody;		    /* somebody else moves a tag right after us */
	struct xb_descriptor other; /* to this */
} fault;

static int put_document(struct xb_place *place, const struct xb_descriptor *d, struct xb_view bytes,
			struct xb_error *err)
{
	if (atomic_fetch_sub(&fault.puts_left, 1) <= 0)
		return xb_error_set(err, -EREMOTEIO, "no more documents");
	return xb_layout_place_ops.put_document(place, d, bytes, err);
}

static int tag(struct xb_place *place, const char *name, const struct xb_descriptor *d,
	       struct xb_view bytes, struct xb_error *err)
{
	if (atomic_fetch_sub(&fault.tags_left, 1) <= 0)
		return xb_error_set(err, -EREMOTEIO, "no more tags");
	return xb_layout_place_ops.tag(place, name, fault.somebody ? &fault.other : d, bytes, err);
}

static int has(struct xb_place *place, const struct xb_descriptor *d, bool *ret,
	       struct xb_error *err)
{
	int r = xb_layout_place_ops.has(place, d, ret, err);

	if (fault.forgets)
		*ret = false;
	return r;
}

static int setup(void **state)
{
	if (scratch_setup(state) < 0 || xb_layout_create(scratch_path("from"), &from, NULL) < 0)
		return -1;
	memset(&fault, 0, sizeof(fault));
	fault.puts_left = fault.tags_left = 1000;
	ops = xb_layout_place_ops;
	ops.put_document = put_document;
	ops.tag = tag;
	ops.has = has;
	if (xb_layout_create(scratch_path("to"), &to, NULL) < 0)
		return -1;
	target = xb_layout_place_rw(to, false);
	target.place.ops = &ops;
	return 0;
}

static int teardown(void **state)
{
	xb_descriptor_clear(&fault.other);
	xb_layout_free(XB_STEAL(from));
	xb_layout_free(XB_STEAL(to));
	return scratch_teardown(state);
}

static void add_image(struct xb_descriptors *v, const struct xb_platform *platform,
		      const char *bytes)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors layers = { 0 };
	struct xb_digest digest;

	config.platform = *platform;
	assert_int_equal(xb_layout_add_bytes(from, xb_view(bytes), false, &digest, NULL), 0);
	*xb_array_push(&config.diff_ids) = digest;
	xb_descriptor_init(xb_array_push(&layers), XB_MEDIA_OCI_LAYER, &digest, strlen(bytes));
	assert_int_equal(xb_image_write(from, &config, &layers, NULL, 0, xb_array_push(v), NULL),
			 0);
}

/* An index of both platforms, or of amd64 alone; `bytes` makes it its own. */
static struct xb_descriptor make(bool both, const char *bytes)
{
	xb_auto_descriptors struct xb_descriptors v = { 0 };
	struct xb_descriptor d = XB_DESCRIPTOR_INIT;

	add_image(&v, &amd64, bytes);
	if (both)
		add_image(&v, &arm64, bytes);
	assert_int_equal(xb_image_write_index(from, &v, NULL, 0, &d, NULL), 0);
	return d;
}

/* Publish under `names` (separated by spaces); returns the status, and the message in `err`. */
static int publish(const struct xb_descriptor *root, const char *names, bool allow_drop,
		   struct xb_error *err)
{
	xb_auto_tag_moves struct xb_tag_moves moves = { 0 };
	const struct xb_publish_options options = { .allow_drop = allow_drop };
	struct xb_view rest = xb_view(names), name;

	while (xb_view_split(&rest, ' ', &name)) {
		xb_autofree char *text = xb_view_dup(name);

		xb_tag_moves_add(&moves, &target.place, text, text);
	}
	return xb_publish(&moves, XB_PLACE_OF(from), root, &options, err);
}

/* Whether `name` means `root` at the target; NULL: whether it means nothing. */
static bool means(const char *name, const struct xb_descriptor *root)
{
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	int r = xb_layout_resolve(to, name, &d, NULL);

	return root == NULL ? r == -ENOENT : r == 0 && xb_digest_eq(&d.digest, &root->digest);
}

static void a_tag_means_what_was_published(void **state)
{
	xb_auto_descriptor struct xb_descriptor root = make(true, "1");
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;

	(void)state;
	assert_int_equal(publish(&root, "a b", false, NULL), 0);
	assert_true(means("a", &root));
	assert_true(means("b", &root));
	assert_int_equal(xb_image_load(XB_PLACE_OF(to), "b", &arm64, &image, NULL), 0);
}

static void a_platform_is_not_lost_by_accident(void **state)
{
	xb_auto_descriptor struct xb_descriptor two = make(true, "1");
	xb_auto_descriptor struct xb_descriptor one = make(false, "2");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(publish(&two, "a", false, NULL), 0);
	assert_int_equal(publish(&one, "new a", false, &err), -EPERM);
	assert_int_equal(err.fault, XB_FAULT_PROOF);
	assert_non_null(strstr(err.message, "a has an image for linux/arm64 now"));
	assert_non_null(strstr(err.hint, "--allow-drop"));
	assert_true(means("a", &two));
	assert_true(means("new", NULL));
	assert_int_equal(publish(&one, "a", true, NULL), 0);
	assert_true(means("a", &one));
	assert_int_equal(publish(&two, "a", false, NULL), 0);
}

static void what_is_not_whole_is_not_tagged(void **state)
{
	xb_auto_descriptor struct xb_descriptor root = make(true, "1");

	(void)state;
	for (unsigned i = 0; i < 2; i++) { /* a manifest, the other one, and then the index */
		fault.puts_left = 1;
		assert_int_equal(publish(&root, "a", false, NULL), -EREMOTEIO);
		assert_true(means("a", NULL));
	}
	fault.puts_left = 1000;
	fault.forgets = true;
	assert_int_equal(publish(&root, "a", false, NULL), -EREMOTEIO);
	assert_true(means("a", NULL));
	fault.forgets = false;
	assert_int_equal(publish(&root, "a", false, NULL), 0);
}

static void half_of_the_tags_is_told(void **state)
{
	xb_auto_descriptor struct xb_descriptor root = make(true, "1");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	fault.tags_left = 2;
	assert_int_equal(publish(&root, "a b c d", false, &err), -EREMOTEIO);
	assert_string_equal(err.message, "moved: a, b; not moved: c, d: tagging c: no more tags");
}

static void anothers_move_is_noticed(void **state)
{
	xb_auto_descriptor struct xb_descriptor root = make(true, "1");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	fault.other = make(true, "2");
	assert_int_equal(publish(&fault.other, "x", false, NULL), 0);
	fault.somebody = true;
	assert_int_equal(publish(&root, "a", false, &err), -EAGAIN);
	assert_non_null(strstr(err.message, "somebody else moved it"));
}

static void moves_are_printed(void **state)
{
	xb_auto_descriptor struct xb_descriptor two = make(true, "1");
	xb_auto_descriptor struct xb_descriptor one = make(false, "2");
	xb_auto_tag_moves struct xb_tag_moves moves = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *expected = NULL;

	(void)state;
	assert_int_equal(publish(&two, "a", false, NULL), 0);
	xb_tag_moves_add(&moves, &target.place, "host/app:a", "a");
	xb_tag_moves_add(&moves, &target.place, "host/app:b", "b");
	assert_int_equal(xb_publish_look(&moves, XB_PLACE_OF(from), &one, NULL), 0);
	xb_publish_print(&moves, &one, &text);
	expected = xb_format("host/app:a: %s -> %s -linux/arm64\n"
			     "host/app:b: (none) -> %s +linux/amd64\n",
			     two.digest.text, one.digest.text, one.digest.text);
	assert_string_equal(xb_str_text(&text), expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tag_means_what_was_published, setup, teardown),
		cmocka_unit_test_setup_teardown(a_platform_is_not_lost_by_accident, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_not_whole_is_not_tagged, setup, teardown),
		cmocka_unit_test_setup_teardown(half_of_the_tags_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(anothers_move_is_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(moves_are_printed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
