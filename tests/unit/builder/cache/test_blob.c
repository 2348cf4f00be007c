/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs are whole and right, or they are not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/cache/hashed.h"
#include "tests/unit/builder/cache/fixture.h"

static const char *blob_file(const struct xb_digest *digest)
{
	char name[256];

	(void)snprintf(name, sizeof(name), "store/blobs/sha256/%s", xb_digest_hex(digest));
	return scratch_path(name);
}

static void what_is_put_is_read(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	struct xb_digest digest = put_blob(store, "hello");
	struct xb_digest again = put_blob(store, "hello");
	struct xb_digest none = xb_digest_of("x", 1);
	uint64_t size = 0;
	int fd = -1;

	(void)state;
	assert_true(xb_digest_eq(&digest, &again));
	assert_true(xb_blob_has(store, &digest));
	assert_false(xb_blob_has(store, &none));
	assert_int_equal(xb_blob_read(store, &digest, &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "hello");
	assert_int_equal(xb_blob_open(store, &digest, &fd, &size, NULL), 0);
	assert_int_equal(size, 5);
	(void)close(fd);
	assert_int_equal(xb_blob_open(store, &none, &fd, &size, NULL), -ENOENT);
	assert_int_equal(count_in("store/blobs/sha256"), 1);
	assert_int_equal(count_in("store/ingest"), 0);
}

static void a_stream_becomes_a_blob(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest expected = xb_digest_of("onetwo", 6);
	struct xb_digest digest;
	struct xb_ingest *ingest = NULL;
	uint64_t size = 0;

	(void)state;
	assert_int_equal(xb_blob_begin(store, &ingest, NULL), 0);
	assert_int_equal(xb_ingest_write(ingest, "one", 3, NULL), 0);
	assert_int_equal(xb_ingest_write(ingest, "two", 3, NULL), 0);
	assert_int_equal(xb_blob_commit(ingest, &expected, &digest, &size, NULL), 0);
	xb_ingest_free(ingest);
	assert_true(xb_digest_eq(&digest, &expected));
	assert_int_equal(size, 6);
	assert_int_equal(xb_blob_verify(store, &digest, NULL), 0);
}

static void what_is_not_expected_is_not_kept(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_digest expected = xb_digest_of("one", 3);
	struct xb_ingest *ingest = NULL;

	(void)state;
	assert_int_equal(xb_blob_begin(store, &ingest, NULL), 0);
	assert_int_equal(xb_ingest_write(ingest, "two", 3, NULL), 0);
	assert_int_equal(xb_blob_commit(ingest, &expected, NULL, NULL, &err), -EBADMSG);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	xb_ingest_free(ingest);
	assert_int_equal(count_in("store/blobs/sha256"), 0);
	assert_int_equal(count_in("store/ingest"), 0);
}

static void a_packer_writes_and_hashes_itself(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest digest = xb_digest_of("layer", 5);
	struct xb_ingest *ingest = NULL;

	(void)state;
	assert_int_equal(xb_blob_begin(store, &ingest, NULL), 0);
	assert_int_equal(write(xb_ingest_fd(ingest), "layer", 5), 5);
	assert_int_equal(xb_blob_commit_as(ingest, &digest, 6, NULL), -EBADMSG);
	assert_int_equal(xb_blob_commit_as(ingest, &digest, 5, NULL), 0);
	xb_ingest_free(ingest);
	assert_int_equal(xb_blob_verify(store, &digest, NULL), 0);
}

static void import_checks_size_and_digest(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest digest = xb_digest_of("from elsewhere", 14);
	struct xb_digest wrong = xb_digest_of("from elsewherE", 14);
	xb_auto_fd int fd = -1;

	(void)state;
	scratch_write("blob", "from elsewhere");
	fd = open(scratch_path("blob"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(xb_blob_import(store, fd, &wrong, 14, NULL), -EBADMSG);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(xb_blob_import(store, fd, &digest, 13, NULL) < 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(xb_blob_import(store, fd, &digest, 15, NULL) < 0);
	assert_int_equal(count_in("store/blobs/sha256"), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(xb_blob_import(store, fd, &digest, 14, NULL), 0);
	assert_int_equal(xb_blob_import(store, -1, &digest, 14, NULL), 0);
	assert_int_equal(xb_blob_verify(store, &digest, NULL), 0);
	assert_int_equal(count_in("store/ingest"), 0);
}

static void sha512_blobs_have_their_own_directory(void **state)
{
	static const char hex[] =
		"sha512:9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7"
		"2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043";
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest digest;
	xb_auto_fd int fd = -1;

	(void)state;
	assert_int_equal(xb_digest_parse(xb_view(hex), &digest, NULL), 0);
	scratch_write("blob", "hello");
	fd = open(scratch_path("blob"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(xb_blob_import(store, fd, &digest, 5, NULL), 0);
	assert_int_equal(xb_blob_verify(store, &digest, NULL), 0);
	assert_int_equal(count_in("store/blobs/sha512"), 1);
}

static void a_flipped_byte_is_never_used(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	static const char text[] = "a document of some length, of which each byte is flipped";

	(void)state;
	for (off_t at = 0; at < (off_t)sizeof(text) - 1; at++) {
		xb_auto_str struct xb_str read = XB_STR_INIT(1000);
		struct xb_digest digest = put_blob(store, text);
		char flipped = (char)(text[at] ^ 1);
		xb_auto_fd int fd = open(blob_file(&digest), O_WRONLY | O_CLOEXEC);

		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		assert_int_equal(xb_blob_read(store, &digest, &read, NULL), -EBADMSG);
		assert_int_equal(read.len, 0);
		assert_int_equal(xb_blob_verify(store, &digest, NULL), -EBADMSG);
		assert_false(xb_blob_has(store, &digest));
	}
}

static void a_blob_of_the_wrong_size_is_replaced(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest digest = put_blob(store, "some text");

	(void)state;
	assert_int_equal(truncate(blob_file(&digest), 3), 0);
	(void)put_blob(store, "some text");
	assert_int_equal(xb_blob_verify(store, &digest, NULL), 0);
}

static void making_a_damaged_blob_anew_heals_it(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest digest = put_blob(store, "some text");
	struct xb_ingest *ingest = NULL;

	(void)state;
	for (int i = 0; i < 2; i++) {
		xb_auto_fd int fd = open(blob_file(&digest), O_WRONLY | O_CLOEXEC);

		assert_int_equal(pwrite(fd, "S", 1, 0), 1);
		if (i == 0) {
			(void)put_blob(store, "some text");
		} else {
			assert_int_equal(xb_blob_begin(store, &ingest, NULL), 0);
			assert_int_equal(xb_ingest_write(ingest, "some text", 9, NULL), 0);
			assert_int_equal(xb_blob_commit(ingest, NULL, NULL, NULL, NULL), 0);
			xb_ingest_free(ingest);
		}
		assert_int_equal(xb_blob_verify(store, &digest, NULL), 0);
	}
}

/* A tag may rely on it being on the disk, where the new one is not yet. */
static void a_whole_blob_is_not_replaced(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest digest = put_blob(store, "some text");
	xb_auto_ingest struct xb_ingest *ingest = NULL;
	struct stat before, after;

	(void)state;
	assert_int_equal(stat(blob_file(&digest), &before), 0);
	assert_int_equal(xb_blob_begin(store, &ingest, NULL), 0);
	assert_int_equal(xb_ingest_write(ingest, "some text", 9, NULL), 0);
	assert_int_equal(xb_blob_commit(ingest, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(stat(blob_file(&digest), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

/* Whether this process knows of the blob's file that it has hashed it. */
static bool is_hashed(struct xb_store *store, const struct xb_digest *digest)
{
	xb_auto_fd int fd = -1;

	assert_int_equal(xb_blob_open(store, digest, &fd, NULL, NULL), 0);
	return xb_blob_hashed(store, digest, fd);
}

static void what_was_hashed_is_known_until_it_is_touched(void **state)
{
	struct xb_store *store = open_store();
	struct xb_digest digest = put_blob(store, "some text");
	struct xb_digest other = put_blob(store, "other");
	xb_auto_fd int fd = open(blob_file(&digest), O_RDWR | O_CLOEXEC);
	struct stat st;

	(void)state;
	assert_true(is_hashed(store, &digest));
	assert_false(xb_blob_hashed(store, &other, fd));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, "S", 1, 0), 1);
	assert_int_equal(futimens(fd, (const struct timespec[]){ st.st_atim, st.st_mtim }), 0);
	assert_false(is_hashed(store, &digest));

	xb_store_free(store);
	store = open_store();
	assert_false(is_hashed(store, &other));
	assert_int_equal(xb_blob_verify(store, &other, NULL), 0);
	assert_true(is_hashed(store, &other));
	xb_store_free(store);
}

static void what_is_no_file_is_no_blob(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest digest = put_blob(store, "hello");
	uint64_t size;
	int fd;

	(void)state;
	scratch_write("elsewhere", "hello");
	assert_int_equal(unlink(blob_file(&digest)), 0);
	assert_int_equal(symlink(scratch_path("elsewhere"), blob_file(&digest)), 0);
	assert_false(xb_blob_has(store, &digest));
	assert_int_equal(xb_blob_open(store, &digest, &fd, &size, NULL), -ELOOP);
	assert_int_equal(unlink(blob_file(&digest)), 0);
	assert_int_equal(mkfifo(blob_file(&digest), 0600), 0);
	assert_false(xb_blob_has(store, &digest));
	assert_true(xb_blob_open(store, &digest, &fd, &size, NULL) < 0);
}

static void a_document_above_its_bound_is_refused(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_str struct xb_str text = XB_STR_INIT(4);
	struct xb_digest digest = put_blob(store, "hello");

	(void)state;
	assert_int_equal(xb_blob_read(store, &digest, &text, NULL), -EFBIG);
	assert_int_equal(text.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(what_is_put_is_read),
		scratch_test(a_stream_becomes_a_blob),
		scratch_test(what_is_not_expected_is_not_kept),
		scratch_test(a_packer_writes_and_hashes_itself),
		scratch_test(import_checks_size_and_digest),
		scratch_test(sha512_blobs_have_their_own_directory),
		scratch_test(a_flipped_byte_is_never_used),
		scratch_test(a_blob_of_the_wrong_size_is_replaced),
		scratch_test(making_a_damaged_blob_anew_heals_it),
		cmocka_unit_test(a_whole_blob_is_not_replaced),
		scratch_test(what_was_hashed_is_known_until_it_is_touched),
		scratch_test(what_is_no_file_is_no_blob),
		scratch_test(a_document_above_its_bound_is_refused),
	};

	return cmocka_run_group_tests_name("builder/cache blob", tests, NULL, NULL);
}
