/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layouts when the system says no: each system call on the way fails in turn. What was there stays
 * as it was, what was begun leaves nothing, and the error says which layout.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/image.h"
#include "manifest/layout.h"
#include "manifest/media.h"
#include "tests/unit/fault.h"
#include "tests/unit/scratch.h"

static struct xb_layout *layout;
static struct xb_error last; /* of the function that ran with a fault */

static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	return xb_layout_create(scratch_path("l"), &layout, NULL);
}

static int teardown(void **state)
{
	xb_error_clear(&last);
	xb_layout_free(XB_STEAL(layout));
	return scratch_teardown(state);
}

static size_t count_blobs(void)
{
	DIR *dir = opendir(scratch_path("l/blobs/sha256"));
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count - 2;
}

/* The call failed with this errno, said so, and named the layout. */
static void assert_failed(int r, const struct fault *fault)
{
	if (r != -fault->error)
		fail_msg("system call %ld: %d instead of %d (%s)", fault->number, r, -fault->error,
			 last.message != NULL ? last.message : "no message");
	assert_non_null(last.message);
	if (strstr(last.message, scratch) == NULL)
		fail_msg("\"%s\" does not name the layout", last.message);
	xb_error_clear(&last);
}

static int add_synced(void *context)
{
	(void)context;
	return xb_layout_add_bytes(layout, XB_VIEW("bytes"), true, NULL, &last);
}

static int sync_all(void *context)
{
	(void)context;
	return xb_layout_sync(layout, &last);
}

static void a_failing_sync_is_told(void **state)
{
	const struct fault fault = { SYS_syncfs, 0, 0, EIO };

	(void)state;
	assert_failed(with_fault(&fault, sync_all, NULL), &fault);
	assert_int_equal(sync_all(NULL), 0);
}

static void a_blob_is_whole_or_not_there(void **state)
{
	static const struct fault faults[] = {
		{ SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, ENOSPC },
		{ SYS_openat2, 0, 0, EIO },
		{ SYS_fchmod, 0, 0, EPERM },
		{ SYS_write, 0, 0, ENOSPC },
		{ SYS_write, 0, 0, EDQUOT },
		{ SYS_fsync, 0, 0, EIO },
		{ SYS_linkat, 0, 0, EMLINK },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(faults); i++) {
		assert_failed(with_fault(&faults[i], add_synced, NULL), &faults[i]);
		assert_int_equal(count_blobs(), 0);
	}
	assert_int_equal(add_synced(NULL), 0);
	assert_int_equal(count_blobs(), 1);
}

/* Some network file systems have no files without a name: a hidden one takes its place. */
static void file_systems_without_unnamed_files(void **state)
{
	static const struct fault none = { SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, EOPNOTSUPP };
	struct xb_digest digest = xb_digest_of("bytes", 5);

	(void)state;
	assert_int_equal(with_fault(&none, add_synced, NULL), 0);
	assert_true(xb_layout_blob_exists(layout, &digest, 5));
	assert_int_equal(count_blobs(), 1);
	assert_int_equal(with_fault(&none, add_synced, NULL), 0);
	assert_int_equal(count_blobs(), 1);
}

/* A blob of another size is replaced by a rename; where that fails, no hidden file stays. */
static void replacing_a_short_blob_fails_cleanly(void **state)
{
	static const struct fault faults[] = {
		{ SYS_renameat, 0, 0, EIO },
		{ SYS_linkat, 0, 0, EIO },
	};
	struct xb_digest digest = xb_digest_of("bytes", 5);
	xb_autofree char *name = xb_format("l/blobs/sha256/%s", xb_digest_hex(&digest));

	(void)state;
	scratch_write(name, "");
	for (size_t i = 0; i < XB_COUNT(faults); i++) {
		assert_failed(with_fault(&faults[i], add_synced, NULL), &faults[i]);
		assert_int_equal(count_blobs(), 1);
	}
	assert_int_equal(add_synced(NULL), 0);
	assert_true(xb_layout_blob_exists(layout, &digest, 5));
}

/* A blob that is there, but perhaps not on the disk yet, is synced when that is asked for. */
static void an_existing_blob_is_synced_too(void **state)
{
	static const struct fault fsync_fails = { SYS_fsync, 0, 0, EIO };

	(void)state;
	assert_int_equal(xb_layout_add_bytes(layout, XB_VIEW("bytes"), false, NULL, NULL), 0);
	assert_failed(with_fault(&fsync_fails, add_synced, NULL), &fsync_fails);
}

static int add_file(void *context)
{
	struct xb_digest digest = xb_digest_of("file bytes", 10);
	xb_auto_fd int fd = open(context, O_RDONLY | O_CLOEXEC);

	return xb_layout_add_fd(layout, fd, &digest, 10, true, &last);
}

static void a_file_is_added_whole_or_not(void **state)
{
	static const struct fault faults[] = {
		{ SYS_openat2, 0, 0, EIO },
		{ SYS_fsync, 0, 0, EIO },
		{ SYS_linkat, 0, 0, EIO },
	};
	char *path;

	(void)state;
	scratch_write("f", "file bytes");
	path = xb_strdup(scratch_path("f"));
	for (size_t i = 0; i < XB_COUNT(faults); i++) {
		assert_failed(with_fault(&faults[i], add_file, path), &faults[i]);
		assert_int_equal(count_blobs(), 0);
	}
	assert_int_equal(add_file(path), 0);
	free(path);
}

/* More than the file has, a descriptor that cannot seek, and none. */
static void files_that_cannot_be_added(void **state)
{
	struct xb_digest digest = xb_digest_of("file bytes", 10);
	xb_auto_fd int fd = -1, other = -1;
	int ends[2];

	(void)state;
	scratch_write("f", "file");
	fd = open(scratch_path("f"), O_RDONLY | O_CLOEXEC);
	assert_true(xb_layout_add_fd(layout, fd, &digest, 10, false, NULL) < 0);
	assert_int_equal(pipe(ends), 0);
	other = ends[0];
	(void)close(ends[1]);
	assert_int_equal(xb_layout_add_fd(layout, other, &digest, 10, false, NULL), -ESPIPE);
	assert_int_equal(count_blobs(), 0);
}

static int tag_it(void *context)
{
	return xb_layout_tag(layout, context, "new", true, &last);
}

static int untag_it(void *context)
{
	(void)context;
	return xb_layout_untag(layout, "old", true, &last);
}

static char *index_text(void)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	struct xb_str s = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_layout_index(layout, &index, NULL), 0);
	assert_int_equal(xb_index_write(&index, &s, NULL), 0);
	return xb_str_steal(&s);
}

static void index_json_is_replaced_whole_or_not(void **state)
{
	static const struct fault faults[] = {
		{ SYS_flock, 0, 0, ENOLCK }, { SYS_openat, 2, O_DIRECTORY, EMFILE },
		{ SYS_write, 0, 0, ENOSPC }, { SYS_fsync, 0, 0, EIO },
		{ SYS_renameat, 0, 0, EIO },
	};
	struct xb_digest digest = xb_digest_of("", 0);
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_autofree char *before = NULL;

	(void)state;
	xb_descriptor_init(&d, XB_MEDIA_OCI_INDEX, &digest, 0);
	assert_int_equal(xb_layout_tag(layout, &d, "old", false, NULL), 0);
	before = index_text();
	for (size_t i = 0; i < XB_COUNT(faults); i++) {
		xb_autofree char *after = NULL;

		assert_failed(with_fault(&faults[i], tag_it, &d), &faults[i]);
		assert_failed(with_fault(&faults[i], untag_it, NULL), &faults[i]);
		after = index_text();
		assert_string_equal(after, before);
	}
	assert_int_equal(tag_it(&d), 0);
	assert_int_equal(untag_it(NULL), 0);
}

static int create_it(void *context)
{
	xb_auto_layout struct xb_layout *made = NULL;

	return xb_layout_create(context, &made, &last);
}

/* What was half made is no layout, and the next attempt finishes it. */
static void creation_is_finished_later(void **state)
{
	static const struct fault faults[] = {
		{ SYS_mkdirat, 0, 0, ENOSPC }, { SYS_write, 0, 0, ENOSPC },
		{ SYS_fsync, 0, 0, EIO },      { SYS_renameat, 0, 0, EIO },
		{ SYS_fchmodat, 0, 0, EPERM },
	};
	int fd;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(faults); i++) {
		xb_autofree char *name = xb_format("new%zu", i);
		xb_autofree char *path = xb_strdup(scratch_path(name));
		xb_auto_layout struct xb_layout *made = NULL;

		assert_int_equal(mkdir(path, 0755), 0);
		assert_failed(with_fault(&faults[i], create_it, path), &faults[i]);
		assert_int_equal(xb_layout_open(path, &made, NULL), -EBADMSG);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_int_equal(xb_layout_create_at(fd, &made, NULL), 0);
		assert_int_equal(close(fd), 0);
	}
}

static int write_image(void *context)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors layers = { 0 };
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;

	(void)context;
	return xb_image_write(layout, &config, &layers, NULL, true, &d, &last);
}

static int write_index(void *context)
{
	xb_auto_descriptors struct xb_descriptors none = { 0 };
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;

	(void)context;
	return xb_image_write_index(layout, &none, NULL, true, &d, &last);
}

static void documents_are_not_half_written(void **state)
{
	static const struct fault full = { SYS_write, 0, 0, ENOSPC };

	(void)state;
	assert_failed(with_fault(&full, write_image, NULL), &full);
	assert_failed(with_fault(&full, write_index, NULL), &full);
	assert_int_equal(count_blobs(), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_failing_sync_is_told),
		TEST(a_blob_is_whole_or_not_there),
		TEST(file_systems_without_unnamed_files),
		TEST(replacing_a_short_blob_fails_cleanly),
		TEST(an_existing_blob_is_synced_too),
		TEST(a_file_is_added_whole_or_not),
		TEST(files_that_cannot_be_added),
		TEST(index_json_is_replaced_whole_or_not),
		TEST(creation_is_finished_later),
		TEST(documents_are_not_half_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
