/* SPDX-License-Identifier: Apache-2.0 */
/* Build contexts that come as an archive, or as a Dockerfile, through a pipe or from a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/eventfd.h>

#include "base/proc.h"
#include "builder/fetch/archive.h"
#include "builder/layer/unpack.h"
#include "tests/unit/builder/cache/fixture.h"

static bool have_ids;

#define NEWEST 1700000302

/* Run a shell command in the scratch directory. */
static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

/* A tar of a file, an executable, a link and a directory, all with known times. */
static void make_tar(void)
{
	shell("mkdir -p c/dir && echo one >c/one && echo two >c/dir/two && ln -s one c/link && "
	      "chmod 755 c/one && chmod 640 c/dir/two && touch -d @1500000000 c/one && "
	      "touch -d @1700000302 c/dir/two && touch -d @1800000000 c/dir && "
	      "tar --owner=1234 --group=4321 -C c -cf c.tar .");
}

static const struct xb_fetch_options plain = { .cancel_fd = -1 };

static int fetch_from(struct xb_store *store, int fd, const struct xb_fetch_options *options,
		      struct xb_str *text, struct xb_fetched *ret, struct xb_error *err)
{
	return xb_fetch_archive(store, fd, options != NULL ? options : &plain, text, ret, err);
}

static int fetch_file(struct xb_store *store, const char *name, struct xb_str *text,
		      struct xb_fetched *ret, struct xb_error *err)
{
	xb_auto_fd int fd = openat(scratch_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fetch_from(store, fd, NULL, text, ret, err);
}

/* What goes into a pipe, from a thread: a pipe holds less than an archive. */
struct feed {
	pthread_t thread;
	int to;
	const char *data;
	size_t len;
};

static void *feed_main(void *context)
{
	struct feed *f = context;

	for (size_t at = 0; at < f->len;) {
		/* odd pieces: a reader must not rely on whole blocks */
		ssize_t n = write(f->to, f->data + at, f->len - at < 777 ? f->len - at : 777);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	(void)close(f->to);
	return NULL;
}

static int fetch_pipe(struct xb_store *store, struct xb_view data, struct xb_str *text,
		      struct xb_fetched *ret, struct xb_error *err)
{
	struct feed f = { .data = data.data, .len = data.len };
	int ends[2], r;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	f.to = ends[1];
	assert_int_equal(pthread_create(&f.thread, NULL, feed_main, &f), 0);
	r = fetch_from(store, ends[0], NULL, text, ret, err);
	(void)close(ends[0]);
	assert_int_equal(pthread_join(f.thread, NULL), 0);
	return r;
}

static void check_entry(struct xb_store *store, const struct xb_fetched *got, const char *name,
			mode_t mode, int64_t time)
{
	xb_auto_fd int dir = -1;
	struct stat st;

	assert_int_equal(xb_snapshot_open(store, &got->snapshot, &dir, NULL), 0);
	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, mode);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 0);
	if (time >= 0)
		assert_int_equal(st.st_mtime, time);
}

static void check_tree(struct xb_store *store, const struct xb_fetched *got)
{
	check_entry(store, got, "one", S_IFREG | 0755, 1500000000);
	check_entry(store, got, "dir/two", S_IFREG | 0640, NEWEST);
	check_entry(store, got, "dir", S_IFDIR | 0755, 1800000000);
	check_entry(store, got, "link", S_IFLNK | 0777, -1);
	/* the newest file, not the newest directory */
	assert_int_equal(got->time, NEWEST);
	assert_string_equal(got->name, "");
	assert_string_equal(got->revision, "");
}

static void every_compression_from_files_and_pipes(void **state)
{
	static const char *const ways[] = { "cat", "gzip", "bzip2", "xz", "zstd" };
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	need("userns", have_ids);
	make_tar();
	for (size_t i = 0; i < XB_COUNT(ways); i++) {
		xb_autofree char *command = xb_format("%s <c.tar >x", ways[i]);
		xb_auto_str struct xb_str bytes = XB_STR_INIT(1 << 20);
		xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);
		struct xb_fetched first = { 0 }, second = { 0 };
		struct xb_digest digest;

		shell(command);
		check(xb_file_read_at(scratch_fd, "x", &bytes, &err), &err);
		digest = xb_digest_of(bytes.data, bytes.len);
		if (fetch_pipe(store, xb_str_view(&bytes), &text, &first, &err) != 1)
			fail_msg("%s: %s", ways[i], err.message);
		check_tree(store, &first);
		assert_false(first.cached);
		assert_true(xb_digest_eq(&first.content, &digest));
		/* the same bytes are unpacked once */
		assert_int_equal(fetch_file(store, "x", &text, &second, &err), 1);
		assert_true(second.cached);
		assert_string_equal(second.snapshot.id, first.snapshot.id);
		check_tree(store, &second);
		assert_int_equal(text.len, 0);
	}
}

static void fresh_unpacks_again(void **state)
{
	const struct xb_fetch_options fresh = { .cancel_fd = -1, .fresh = true };
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);
	struct xb_fetched first, second;
	xb_auto_fd int fd = -1;

	(void)state;
	need("userns", have_ids);
	make_tar();
	assert_int_equal(fetch_file(store, "c.tar", &text, &first, NULL), 1);
	fd = openat(scratch_fd, "c.tar", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fetch_from(store, fd, &fresh, &text, &second, NULL), 1);
	assert_false(second.cached);
	assert_string_not_equal(first.snapshot.id, second.snapshot.id);
}

static void what_is_no_archive_is_text(void **state)
{
	static const struct xb_view texts[] = {
		XB_VIEW(""),
		XB_VIEW("F"),
		XB_VIEW("FROM scratch\n"),
		XB_VIEW("PK\3\4 a zip"),
		XB_VIEW("\x1f\x8b"),
		XB_VIEW("\xfd"
			"7zXY\0"),
	};
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched got = { .time = 77 };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);

		assert_int_equal(fetch_pipe(store, texts[i], &text, &got, &err), 0);
		assert_true(xb_view_eq(xb_str_view(&text), texts[i]));
		assert_int_equal(got.time, 77);
	}
	assert_int_equal(count_in("store/snapshots"), 0);
}

static void a_long_text_comes_whole_or_not_at_all(void **state)
{
	enum { SIZE = 700000 };
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *long_text = xb_alloc(SIZE);
	const struct xb_view view = { long_text, SIZE };
	xb_auto_str struct xb_str enough = XB_STR_INIT(SIZE);
	xb_auto_str struct xb_str little = XB_STR_INIT(SIZE - 1);
	struct xb_fetched got;

	(void)state;
	memset(long_text, '#', SIZE);
	assert_int_equal(fetch_pipe(store, view, &enough, &got, NULL), 0);
	assert_true(xb_view_eq(xb_str_view(&enough), view));
	assert_int_equal(fetch_pipe(store, view, &little, &got, &err), -EFBIG);
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
	assert_non_null(strstr(err.message, "Dockerfile"));
}

static void it_is_read_from_where_it_stands(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	xb_auto_fd int fd = -1;
	struct xb_fetched got;

	(void)state;
	scratch_write("f", "skipped\nFROM scratch\n");
	fd = openat(scratch_fd, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(fd, 8, SEEK_SET), 8);
	assert_int_equal(fetch_from(store, fd, NULL, &text, &got, NULL), 0);
	assert_string_equal(xb_str_text(&text), "FROM scratch\n");
}

static void damage_is_an_error_and_leaves_nothing(void **state)
{
	static const char *const ways[] = {
		"echo FROM scratch | gzip",
		"gzip <c.tar | head -c 60",
		"head -c 700 c.tar",
		"gzip <c.tar && echo more",
		"head -c 100000 /dev/zero | bzip2",
		"tar -C c --transform 's,^,../,' -Pcf - one",
	};
	xb_auto_store struct xb_store *store = open_store();

	(void)state;
	need("userns", have_ids);
	make_tar();
	for (size_t i = 0; i < XB_COUNT(ways); i++) {
		xb_autofree char *command = xb_format("(%s) >x", ways[i]);
		xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_fetched got;
		int r;

		shell(command);
		r = fetch_file(store, "x", &text, &got, &err);
		/* zeros that are compressed are a tar without members */
		if (r != (i == 4 ? 1 : -EBADMSG))
			fail_msg("%s: %d, %s", ways[i], r, err.message);
		assert_true(r > 0 || err.fault == XB_FAULT_SOURCE);
		assert_true(r < 0 || got.time == -1);
	}
	assert_int_equal(count_in("store/snapshots"), 1);
}

static void a_bomb_is_stopped(void **state)
{
	const struct xb_fetch_options small = { .cancel_fd = -1, .max_size = 1 << 20 };
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int fd = -1;
	struct xb_fetched got;

	(void)state;
	need("userns", have_ids);
	shell("truncate -s 20M z && tar -czf z.tgz z");
	fd = openat(scratch_fd, "z.tgz", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fetch_from(store, fd, &small, &text, &got, &err), -EFBIG);
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
	assert_non_null(err.hint);
	assert_int_equal(count_in("store/snapshots"), 0);
}

/* Through a pipe there may come more than there is room for, without an end. */
static void an_endless_archive_is_stopped(void **state)
{
	const struct xb_fetch_options small = { .cancel_fd = -1, .max_size = 1 << 20 };
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int fd = -1;
	struct xb_fetched got;

	(void)state;
	shell("head -c 2M /dev/urandom >r && tar -cf r.tar r");
	fd = openat(scratch_fd, "r.tar", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fetch_from(store, fd, &small, &text, &got, &err), -EFBIG);
	assert_non_null(strstr(err.message, "more than 1048576 bytes"));
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
	assert_non_null(strstr(err.hint, "--max-layer-size"));
	/* it was not read to its end */
	assert_true(lseek(fd, 0, SEEK_CUR) < 3 << 19);
	assert_int_equal(count_in("store/snapshots"), 0);
}

static void waiting_is_cancelled(void **state)
{
	xb_auto_fd int cancel = eventfd(1, EFD_CLOEXEC);
	const struct xb_fetch_options options = { .cancel_fd = cancel };
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched got;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fetch_from(store, ends[0], &options, &text, &got, &err), -ECANCELED);
	assert_int_equal(err.fault, XB_FAULT_INTERRUPTED);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void what_cannot_be_read(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched got;

	(void)state;
	assert_int_equal(fetch_from(store, scratch_fd, NULL, &text, &got, &err), -EISDIR);
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		scratch_test(every_compression_from_files_and_pipes),
		scratch_test(fresh_unpacks_again),
		scratch_test(what_is_no_archive_is_text),
		scratch_test(a_long_text_comes_whole_or_not_at_all),
		scratch_test(it_is_read_from_where_it_stands),
		scratch_test(damage_is_an_error_and_leaves_nothing),
		scratch_test(a_bomb_is_stopped),
		scratch_test(an_endless_archive_is_stopped),
		scratch_test(waiting_is_cancelled),
		scratch_test(what_cannot_be_read),
	};

	(void)argc;
	if (xb_unpack_wanted(argv[0]))
		return xb_unpack_main();
	have_ids = xb_proc_become_root(NULL) == 0 && is_root_with_ids();
	(void)umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
