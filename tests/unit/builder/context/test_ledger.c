/* SPDX-License-Identifier: Apache-2.0 */
/* Ledgers give back what was written, whatever inodes there are, and nothing that was not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/context/ledger.h"
#include "tests/unit/scratch.h"

/* More than some blocks, and no whole number of them. */
enum { MANY = 1000 };

static struct xb_ledger_entry entry(uint64_t inode, uint64_t device, unsigned char mark)
{
	struct xb_ledger_entry ret = { .inode = inode, .device = device, .size = mark };

	memset(ret.digest, mark, sizeof(ret.digest));
	return ret;
}

static struct xb_ledger *ledger_of(const struct xb_ledger_entry *entries, size_t count)
{
	struct xb_ledger *ledger = NULL;

	assert_int_equal(xb_ledger_of(scratch_fd, entries, count, &ledger, NULL), 0);
	assert_int_equal(xb_ledger_count(ledger), count);
	return ledger;
}

/* The mark of a file in a ledger, or -1; by a reader of few blocks, which have to make way. */
static int mark_of(const struct xb_ledger *ledger, uint64_t inode, uint64_t device)
{
	xb_auto_ledger_reader struct xb_ledger_reader *reader = xb_ledger_reader_new(ledger, 2);
	const struct xb_ledger_entry *found = xb_ledger_find(reader, inode, device, NULL);

	return found != NULL && found->digest[31] == found->size ? (int)found->size : -1;
}

/* Write it under a name; NULL keeps all. */
static void save(struct xb_ledger *const *from, size_t count,
		 bool (*keeps)(const void *context, size_t index))
{
	xb_auto_fd int fd = openat(scratch_fd, "saved", O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(xb_ledger_write(fd, from, count, keeps, NULL, NULL), 0);
}

/* Inodes of all distances, and every tenth one of three devices, over where blocks meet. */
static size_t make_entries(struct xb_ledger_entry *ret)
{
	uint64_t inode = 5;
	size_t len = 0;

	for (size_t i = 0; len < MANY; i++) {
		unsigned devices = i % 10 == 0 ? 3 : 1;

		inode += i % 7 == 0 ? UINT64_C(1) << i % 40 : 1 + i % 3;
		for (unsigned device = 1; device <= devices && len < MANY; device++, len++)
			ret[len] = entry(inode, device, (unsigned char)(len * 31));
	}
	return len;
}

static void every_file_is_found_and_no_other(void **state)
{
	static struct xb_ledger_entry entries[MANY];
	size_t count = make_entries(entries);
	xb_auto_ledger struct xb_ledger *ledger = ledger_of(entries, count);
	xb_auto_ledger_reader struct xb_ledger_reader *reader = xb_ledger_reader_new(ledger, 3);

	(void)state;
	/* in steps that go through all of them, up and down */
	for (size_t i = 0, at = 0; i < count; i++, at = (at + 377) % count) {
		size_t index = 0;
		const struct xb_ledger_entry *found =
			xb_ledger_find(reader, entries[at].inode, entries[at].device, &index);

		assert_non_null(found);
		assert_memory_equal(found, &entries[at], sizeof(*found));
		assert_int_equal(index, at);
		assert_null(xb_ledger_find(reader, entries[at].inode, 4, NULL));
		assert_null(xb_ledger_find(reader, entries[at].inode, 0, NULL));
	}
	assert_null(xb_ledger_find(reader, 0, 1, NULL));
	assert_null(xb_ledger_find(reader, UINT64_MAX, 1, NULL));
}

static void an_empty_one_has_nothing(void **state)
{
	xb_auto_ledger struct xb_ledger *none = ledger_of(NULL, 0);
	xb_auto_ledger struct xb_ledger *opened = NULL;

	(void)state;
	assert_int_equal(mark_of(none, 1, 1), -1);
	save(&none, 1, NULL);
	opened = xb_ledger_open(scratch_fd, "saved");
	assert_non_null(opened);
	assert_int_equal(xb_ledger_count(opened), 0);
}

static void the_last_ledger_knows_best(void **state)
{
	static struct xb_ledger_entry first[MANY], second[MANY];
	xb_auto_ledger struct xb_ledger *a = NULL;
	xb_auto_ledger struct xb_ledger *b = NULL;
	xb_auto_ledger struct xb_ledger *both = NULL;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		first[i] = entry(2 * i, 1, 1);	/* 0, 2, 4 … */
		second[i] = entry(3 * i, 1, 2); /* 0, 3, 6 … */
	}
	a = ledger_of(first, MANY);
	b = ledger_of(second, MANY);
	assert_int_equal(
		xb_ledger_merge(scratch_fd, (struct xb_ledger *[]){ a, b }, 2, &both, NULL), 0);
	/* every sixth file up to 1998 is in both */
	assert_int_equal(xb_ledger_count(both), 2 * MANY - 334);
	for (unsigned i = 0; i < 3 * MANY; i++)
		assert_int_equal(mark_of(both, i, 1), i % 3 == 0	       ? 2
						      : i % 2 == 0 && i < 2000 ? 1
									       : -1);
}

static bool is_even(const void *context, size_t index)
{
	(void)context;
	return index % 2 == 0;
}

static void what_is_not_kept_goes(void **state)
{
	static struct xb_ledger_entry entries[MANY];
	struct xb_ledger_entry one = entry(1, 1, 9);
	xb_auto_ledger struct xb_ledger *a = NULL;
	xb_auto_ledger struct xb_ledger *b = ledger_of(&one, 1);
	xb_auto_ledger struct xb_ledger *saved = NULL;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		entries[i] = entry(i, 1, 3);
	a = ledger_of(entries, MANY);
	save((struct xb_ledger *[]){ a, b }, 2, is_even);
	saved = xb_ledger_open(scratch_fd, "saved");
	assert_non_null(saved);
	assert_int_equal(xb_ledger_count(saved), MANY / 2 + 1);
	assert_int_equal(mark_of(saved, 0, 1), 3);
	assert_int_equal(mark_of(saved, 1, 1), 9);
	assert_int_equal(mark_of(saved, 2, 1), 3);
	assert_int_equal(mark_of(saved, 3, 1), -1);
	/* nothing but what is new */
	save((struct xb_ledger *[]){ NULL, b }, 2, is_even);
	xb_ledger_free(saved);
	saved = xb_ledger_open(scratch_fd, "saved");
	assert_int_equal(xb_ledger_count(saved), 1);
}

/* Each byte counts, and so does each that is missing or too many. */
static void a_changed_byte_makes_it_nothing(void **state)
{
	struct xb_ledger_entry entries[3] = { entry(1, 1, 1), entry(2, 1, 2), entry(3, 1, 3) };
	xb_auto_ledger struct xb_ledger *ledger = ledger_of(entries, 3);
	xb_auto_fd int fd = -1;
	struct stat st;

	(void)state;
	save(&ledger, 1, NULL);
	fd = openat(scratch_fd, "saved", O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		unsigned char was, now;

		assert_int_equal(pread(fd, &was, 1, at), 1);
		now = was ^ 0x10;
		assert_int_equal(pwrite(fd, &now, 1, at), 1);
		assert_null(xb_ledger_open(scratch_fd, "saved"));
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	for (off_t len = 0; len < 2 * st.st_size; len++) {
		xb_auto_ledger struct xb_ledger *opened = NULL;

		if (len == st.st_size)
			continue;
		save(&ledger, 1, NULL);
		assert_int_equal(truncate(scratch_path("saved"), len), 0);
		opened = xb_ledger_open(scratch_fd, "saved");
		assert_null(opened);
	}
	assert_null(xb_ledger_open(scratch_fd, "missing"));
	assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
	assert_null(xb_ledger_open(scratch_fd, "fifo"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_file_is_found_and_no_other), TEST(an_empty_one_has_nothing),
		TEST(the_last_ledger_knows_best),	TEST(what_is_not_kept_goes),
		TEST(a_changed_byte_makes_it_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
