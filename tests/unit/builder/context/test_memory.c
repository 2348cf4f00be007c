/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of files, and what must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "builder/context/context.h"
#include "builder/context/memory.h"
#include "tests/unit/scratch.h"

#define TEXT "what is in it"

/* Longer than the times of files may lag behind. */
static void wait_a_moment(void)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = 120 * 1000 * 1000 }, NULL);
}

static void write_file(const char *name, const char *text)
{
	assert_int_equal(xb_file_replace_at(scratch_fd, name, text, strlen(text), false, NULL), 0);
}

static struct stat look(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(scratch_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static struct xb_context_memory *open_memory(void)
{
	(void)mkdirat(scratch_fd, "m", 0700);
	xb_auto_fd int dir = openat(scratch_fd, "m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* the descriptor has to outlive the memory: the test's process ends soon enough */
	return xb_context_memory_open(XB_STEAL_FD(dir), scratch_fd);
}

/* Remember a file's text in one build, as it is when the next begins. */
static void remember(const char *name)
{
	xb_auto_context_memory struct xb_context_memory *m = open_memory();
	struct stat st = look(name);
	struct xb_digest digest = xb_digest_of(TEXT, strlen(TEXT));

	xb_context_memory_add(m, &st, &st, &digest);
	assert_int_equal(xb_context_memory_save(m, NULL), 0);
}

static bool knows(const char *name, struct xb_digest *ret)
{
	xb_auto_context_memory struct xb_context_memory *m = open_memory();
	struct stat st = look(name);

	return xb_context_memory_find(m, NULL, &st, ret);
}

static void a_file_is_known_until_it_changes(void **state)
{
	struct xb_digest digest, expected = xb_digest_of(TEXT, strlen(TEXT));
	struct timespec times[2];
	struct stat st;

	(void)state;
	write_file("file", TEXT);
	wait_a_moment();
	assert_false(knows("file", &digest));
	remember("file");
	assert_true(knows("file", &digest));
	assert_string_equal(digest.text, expected.text);
	/* the same size and time of change, as an editor that means harm would leave it */
	st = look("file");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	xb_auto_fd int fd = openat(scratch_fd, "file", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "W", 1, 0), 1);
	assert_int_equal(futimens(fd, times), 0);
	assert_false(knows("file", &digest));
}

/* The platforms of a build, and a step's two keys, ask for the same files. */
static void what_a_build_has_read_it_knows(void **state)
{
	enum { MANY = 3000 };
	xb_auto_context_memory struct xb_context_memory *m = NULL;
	struct xb_digest digest;
	struct stat st;

	(void)state;
	write_file("file", TEXT);
	wait_a_moment();
	m = open_memory();
	st = look("file");
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY; i++) {
			struct xb_digest own = xb_digest_of(&i, sizeof(i));

			st.st_ino = i + 1;
			assert_int_equal(xb_context_memory_find(m, NULL, &st, &digest), round > 0);
			if (round > 0)
				assert_string_equal(digest.text, own.text);
			else
				xb_context_memory_add(m, &st, &st, &own);
		}
	}
	st.st_ino = MANY + 1;
	assert_false(xb_context_memory_find(m, NULL, &st, &digest));
	assert_false(xb_context_memory_find(NULL, NULL, &st, &digest));
}

/* The most memory that this process ever had, in bytes. */
static size_t most_memory(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (size_t)usage.ru_maxrss * 1024;
}

/* Files `from` to `to`, as a build that meets them for the first time sees them. */
static void meet_files(struct xb_context_memory *m, struct stat *st, unsigned from, unsigned to,
		       bool known)
{
	xb_auto_ledger_reader struct xb_ledger_reader *reader = xb_context_memory_reader(m);
	struct xb_digest digest;

	for (unsigned i = from; i < to; i++) {
		struct xb_digest own = xb_digest_of(&i, sizeof(i));

		st->st_ino = i + 1;
		assert_int_equal(xb_context_memory_find(m, reader, st, &digest), known);
		if (known)
			assert_string_equal(digest.text, own.text);
		else
			xb_context_memory_add(m, st, st, &own);
	}
}

/* Ten times what is held at once, and more than one time so many that ledgers are joined. */
static void a_memory_grows_on_disk_alone(void **state)
{
	enum { MANY = 600000, ROOM = 24 << 20 };
	struct xb_context_memory *m = NULL;
	size_t before;
	struct stat st;

	(void)state;
	write_file("file", TEXT);
	wait_a_moment();
	st = look("file");
	before = most_memory();
	m = open_memory();
	meet_files(m, &st, 0, MANY, false);
	meet_files(m, &st, 0, MANY, true);
	assert_int_equal(xb_context_memory_save(m, NULL), 0);
	xb_context_memory_free(m);
	m = open_memory();
	meet_files(m, &st, 0, MANY, true);
	meet_files(m, &st, MANY, MANY + 1, false);
	assert_int_equal(xb_context_memory_save(m, NULL), 0);
	xb_context_memory_free(m);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* the entries alone are 43 MB; sanitizers have memory of their own */
	assert_in_range(most_memory() - before, 0, ROOM);
#else
	(void)before;
#endif
	m = open_memory();
	meet_files(m, &st, 0, MANY + 1, true);
	xb_context_memory_free(m);
	assert_int_equal(scratch_run((const char *[]){
				 "sh", "-c", "test $(ls -A \"$0\"/m | wc -l) = 1", scratch, NULL }),
			 0);
}

/* A file that was read twice in a build, and changed between, is what it was last. */
static void what_was_read_last_holds(void **state)
{
	struct xb_digest old = xb_digest_of("old", 3), new = xb_digest_of("new", 3), digest;
	struct xb_context_memory *m = NULL;
	struct stat st, later;

	(void)state;
	write_file("file", TEXT);
	wait_a_moment();
	st = look("file");
	later = st;
	later.st_size++;
	for (unsigned round = 0; round < 2; round++) {
		m = open_memory();
		xb_context_memory_add(m, &st, &st, &old);
		xb_context_memory_add(m, &later, &later, &new);
		assert_false(xb_context_memory_find(m, NULL, &st, &digest) && round == 0);
		assert_true(xb_context_memory_find(m, NULL, &later, &digest));
		assert_string_equal(digest.text, new.text);
		assert_int_equal(xb_context_memory_save(m, NULL), 0);
		xb_context_memory_free(m);
	}
	m = open_memory();
	assert_false(xb_context_memory_find(m, NULL, &st, &digest));
	assert_true(xb_context_memory_find(m, NULL, &later, &digest));
	xb_context_memory_free(m);
}

static void a_file_of_this_moment_is_not_remembered(void **state)
{
	struct xb_digest digest;

	(void)state;
	write_file("file", TEXT);
	remember("file");
	assert_false(knows("file", &digest));
}

static void a_file_that_changed_meanwhile_is_not_remembered(void **state)
{
	xb_auto_context_memory struct xb_context_memory *m = NULL;
	struct xb_digest digest = xb_digest_of(TEXT, strlen(TEXT));
	struct stat before, after;

	(void)state;
	write_file("file", TEXT);
	wait_a_moment();
	m = open_memory();
	before = look("file");
	write_file("file", TEXT);
	after = look("file");
	xb_context_memory_add(m, &before, &after, &digest);
	assert_int_equal(xb_context_memory_save(m, NULL), 0);
	assert_false(knows("file", &digest));
}

static void a_damaged_memory_is_empty(void **state)
{
	struct xb_digest digest;

	(void)state;
	write_file("file", TEXT);
	wait_a_moment();
	remember("file");
	assert_int_equal(
		scratch_run((const char *[]){ "sh", "-c",
					      "cd \"$0\"/m && for f in *; do printf x | dd "
					      "of=$f bs=1 seek=70 conv=notrunc; done "
					      "2>/dev/null",
					      scratch, NULL }),
		0);
	assert_false(knows("file", &digest));
	remember("file");
	assert_true(knows("file", &digest));
	assert_int_equal(scratch_run((const char *[]){
				 "sh", "-c", "cd \"$0\"/m && truncate -s 50 *", scratch, NULL }),
			 0);
	assert_false(knows("file", &digest));
}

static struct xb_digest checksum(const struct xb_context *context)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_digest ret;

	if (xb_context_checksum(xb_context_dirfd(context), context, ".", NULL, &ret, &err) < 0)
		fail_msg("%s", err.message);
	return ret;
}

/* A new context of the directory "c", with a memory or without. */
static struct xb_digest checksum_of(bool remembering)
{
	xb_auto_context struct xb_context *context = NULL;
	xb_auto_fd int dir = -1;
	struct xb_digest ret;

	(void)mkdirat(scratch_fd, "m", 0700);
	dir = openat(scratch_fd, "m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(xb_context_open(scratch_path("c"), NULL, &context, NULL), 0);
	if (remembering)
		xb_context_remember(context, dir);
	ret = checksum(context);
	assert_int_equal(xb_context_save(context, NULL), 0);
	return ret;
}

static void remembering_changes_no_checksum(void **state)
{
	static const char *const changes[] = {
		"mkdir c c/d && echo 1 >c/a && echo 2 >c/d/b && ln c/a c/d/hard && ln -s a c/soft",
		"true",
		"echo 3 >c/a",
		"chmod 700 c/a",
		"mv c/d/b c/d/e",
		"setfattr -n user.note -v 1 c/a",
		"rm c/d/hard && cp c/a c/d/hard",
		"rm c/a",
	};
	struct xb_digest last = { 0 };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(changes); i++) {
		xb_autofree char *line = xb_format("cd '%s' && %s", scratch, changes[i]);
		struct xb_digest plain, remembered;

		assert_int_equal(scratch_run((const char *[]){ "sh", "-c", line, NULL }), 0);
		wait_a_moment();
		plain = checksum_of(false);
		remembered = checksum_of(true);
		assert_string_equal(plain.text, remembered.text);
		remembered = checksum_of(true);
		assert_string_equal(plain.text, remembered.text);
		if (strcmp(changes[i], "true") == 0)
			assert_string_equal(plain.text, last.text);
		else
			assert_string_not_equal(plain.text, last.text);
		last = plain;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_known_until_it_changes),
		TEST(what_a_build_has_read_it_knows),
		TEST(a_memory_grows_on_disk_alone),
		TEST(what_was_read_last_holds),
		TEST(a_file_of_this_moment_is_not_remembered),
		TEST(a_file_that_changed_meanwhile_is_not_remembered),
		TEST(a_damaged_memory_is_empty),
		TEST(remembering_changes_no_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
