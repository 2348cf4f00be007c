/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of blobs are found again, as long as their blob is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "builder/cache/piece.h"
#include "tests/unit/builder/cache/fixture.h"

static void put_pieces(struct xb_store *store, const struct xb_digest *blob,
		       const struct xb_digest *first, const struct xb_digest *second)
{
	struct xb_pieces pieces = { 0 };

	*xb_array_push(&pieces) = (struct xb_piece){ *first, 0, 5, 11 };
	*xb_array_push(&pieces) = (struct xb_piece){ *second, 5, 6, 22 };
	assert_int_equal(xb_piece_put(store, blob, &pieces, NULL), 0);
	xb_array_clear(&pieces);
}

static void pieces_are_read_from_their_blob(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest blob = put_blob(store, "first second");
	struct xb_digest one = xb_digest_of("1", 1), two = xb_digest_of("2", 1);
	char out[16] = "";
	uint32_t check = 0;

	(void)state;
	assert_int_equal(xb_piece_find(store, &one, out, sizeof(out), &check), 0);
	put_pieces(store, &blob, &one, &two);
	assert_int_equal(xb_piece_find(store, &two, out, sizeof(out), &check), 6);
	assert_memory_equal(out, " secon", 6);
	assert_int_equal(check, 22);
	assert_int_equal(xb_piece_find(store, &one, out, 4, &check), 0);
}

static void the_newest_blob_counts(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest old = put_blob(store, "first second");
	struct xb_digest new = put_blob(store, "FIRST SECOND");
	struct xb_digest one = xb_digest_of("1", 1), two = xb_digest_of("2", 1);
	char out[16] = "";
	uint32_t check = 0;

	(void)state;
	put_pieces(store, &old, &one, &two);
	put_pieces(store, &new, &one, &two);
	assert_int_equal(xb_piece_find(store, &one, out, sizeof(out), &check), 5);
	assert_memory_equal(out, "FIRST", 5);
}

static void pieces_go_with_their_blob(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest blob = put_blob(store, "first second");
	struct xb_digest one = xb_digest_of("1", 1), two = xb_digest_of("2", 1);
	xb_autofree char *path = xb_format("store/blobs/sha256/%s", xb_digest_hex(&blob));
	char out[16] = "";
	uint32_t check = 0;

	(void)state;
	put_pieces(store, &blob, &one, &two);
	assert_int_equal(unlinkat(scratch_fd, path, 0), 0);
	assert_int_equal(xb_piece_find(store, &one, out, sizeof(out), &check), 0);
	assert_int_equal(xb_piece_sweep(store, NULL), 0);
	/* back again, but nobody knows any more what is in it */
	(void)put_blob(store, "first second");
	assert_int_equal(xb_piece_find(store, &one, out, sizeof(out), &check), 0);
}

static void a_blob_that_has_become_short_has_none(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_digest blob = put_blob(store, "first second");
	struct xb_digest one = xb_digest_of("1", 1), two = xb_digest_of("2", 1);
	xb_autofree char *path = xb_format("store/blobs/sha256/%s", xb_digest_hex(&blob));
	char out[16] = "";
	uint32_t check = 0;

	(void)state;
	put_pieces(store, &blob, &one, &two);
	assert_int_equal(truncate(scratch_path(path), 8), 0);
	assert_int_equal(xb_piece_find(store, &one, out, sizeof(out), &check), 5);
	assert_int_equal(xb_piece_find(store, &two, out, sizeof(out), &check), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pieces_are_read_from_their_blob),
		TEST(the_newest_blob_counts),
		TEST(pieces_go_with_their_blob),
		TEST(a_blob_that_has_become_short_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
