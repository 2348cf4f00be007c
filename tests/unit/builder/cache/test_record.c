/* SPDX-License-Identifier: Apache-2.0 */
/* Records: what is handed out is usable, what is not usable heals. */
#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/cache/fixture.h"

static void a_record_comes_back_as_it_was(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_record put = result_of(store, XB_RECORD_CHAIN "sha256:abc");
	struct xb_record got;

	(void)state;
	memset(&got, 0, sizeof(got));
	assert_int_equal(xb_record_get(store, put.key, &got, NULL), 1);
	assert_string_equal(got.key, put.key);
	assert_string_equal(got.snapshot.id, put.snapshot.id);
	assert_true(xb_digest_eq(&got.diff_id, &put.diff_id));
	assert_true(xb_digest_eq(&got.blob, &put.blob));
	assert_int_equal(got.blob_size, put.blob_size);
	assert_string_equal(got.media_type, put.media_type);
	assert_int_equal(got.created, 1);
	assert_int_equal(got.duration, 2);
	assert_int_equal(xb_record_get(store, "another", &got, NULL), 0);
	assert_int_equal(xb_record_remove(store, put.key, NULL), 0);
	assert_int_equal(xb_record_remove(store, put.key, NULL), 0);
	assert_int_equal(xb_record_get(store, put.key, &got, NULL), 0);
}

static void a_result_may_have_no_tree_or_no_blob(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_record record = { .key = "only a blob", .blob_size = 4 };
	struct xb_record got;

	(void)state;
	record.blob = put_blob(store, "blob");
	assert_int_equal(xb_record_put(store, &record, NULL), 0);
	assert_int_equal(xb_record_get(store, "only a blob", &got, NULL), 1);
	assert_string_equal(got.snapshot.id, "");

	record = (struct xb_record){ .key = "only a tree", .note = "etag \"x\"" };
	assert_int_equal(xb_snapshot_begin(store, &record.snapshot, NULL), 0);
	assert_int_equal(xb_snapshot_commit(store, &record.snapshot, NULL), 0);
	assert_int_equal(xb_record_put(store, &record, NULL), 0);
	assert_int_equal(xb_record_get(store, "only a tree", &got, NULL), 1);
	assert_string_equal(got.note, "etag \"x\"");
	assert_true(xb_digest_empty(&got.blob));
}

static void an_older_snapshot_goes_after_us(void **state)
{
	struct xb_store *store = open_store();
	struct xb_record older, newer;
	xb_autofree char *path = NULL;

	(void)state;
	assert_int_equal(make_result(store, "step", &older, NULL), 0);
	assert_int_equal(make_result(store, "step", &newer, NULL), 0);
	path = xb_format("store/snapshots/%s", older.snapshot.id);
	assert_int_equal(faccessat(scratch_fd, path, F_OK, 0), 0);
	xb_store_free(store);
	store = open_store();
	assert_int_not_equal(faccessat(scratch_fd, path, F_OK, 0), 0);
	assert_int_equal(xb_record_get(store, "step", &newer, NULL), 1);
	xb_store_free(store);
}

static void a_record_of_what_is_not_there_is_refused(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_record record = { .key = "key", .blob_size = 4 };

	(void)state;
	record.blob = xb_digest_of("gone", 4);
	assert_int_equal(xb_record_put(store, &record, NULL), -ENOENT);
	record.blob = (struct xb_digest){ 0 };
	record.key[0] = '\0';
	assert_int_equal(xb_record_put(store, &record, NULL), -EINVAL);
	memset(record.key, 'k', sizeof(record.key));
	assert_int_equal(xb_record_put(store, &record, NULL), -EINVAL);
	(void)snprintf(record.key, sizeof(record.key), "key");
	(void)snprintf(record.snapshot.id, sizeof(record.snapshot.id), "../../etc");
	assert_int_equal(xb_record_put(store, &record, NULL), -EINVAL);
}

static void a_record_without_its_snapshot_is_dropped(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_record record = result_of(store, "key");
	char name[256];

	(void)state;
	(void)snprintf(name, sizeof(name), "store/snapshots/%s", record.snapshot.id);
	assert_int_equal(xb_remove_tree_at(scratch_fd, name, NULL), 0);
	assert_int_equal(xb_record_get(store, "key", &record, NULL), 0);
	(void)result_of(store, "key");
	assert_int_equal(xb_record_get(store, "key", &record, NULL), 1);
}

static void a_record_without_its_blob_is_dropped(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_record record = result_of(store, "key");
	char name[256];

	(void)state;
	(void)snprintf(name, sizeof(name), "store/blobs/sha256/%s", xb_digest_hex(&record.blob));
	assert_int_equal(truncate(scratch_path(name), 1), 0);
	assert_int_equal(xb_record_get(store, "key", &record, NULL), 0);
	assert_int_equal(unlink(scratch_path(name)), 0);
	record = result_of(store, "key");
	assert_int_equal(unlink(scratch_path(name)), 0);
	assert_int_equal(xb_record_get(store, "key", &record, NULL), 0);
}

static int collect_keys(void *context, const struct xb_record *record)
{
	struct xb_str *keys = context;

	xb_str_printf(keys, "%s ", record->key);
	return strcmp(record->key, "c") == 0 ? 7 : 0;
}

static void all_are_listed_in_order_of_key(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_str struct xb_str keys = XB_STR_INIT(1000);

	(void)state;
	(void)result_of(store, "b");
	(void)result_of(store, "a");
	assert_int_equal(xb_record_each(store, collect_keys, &keys, NULL), 0);
	assert_string_equal(xb_str_text(&keys), "a b ");
	xb_str_reset(&keys);
	(void)result_of(store, "d");
	(void)result_of(store, "c");
	assert_int_equal(xb_record_each(store, collect_keys, &keys, NULL), 7);
	assert_string_equal(xb_str_text(&keys), "a b c ");
}

static void a_damaged_row_is_no_record(void **state)
{
	static const char *const damages[] = {
		"UPDATE record SET snapshot = '../../../etc/passwd'",
		"UPDATE record SET blob = 'sha256:../../../../etc/passwd'",
		"UPDATE record SET snapshot = hex(zeroblob(400))",
		"UPDATE record SET blob_size = -1",
		"UPDATE record SET media_type = hex(zeroblob(400))",
		"UPDATE record SET diff_id = x'00ff'",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(damages); i++) {
		struct xb_store *store = open_store();
		struct xb_record record = result_of(store, "key");
		sqlite3 *db = NULL;

		assert_int_equal(sqlite3_open(scratch_path("store/xbuild.db"), &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, damages[i], NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
		record = (struct xb_record){ .key = "untouched" };
		if (i != 5) /* x'00ff' reads as an empty digest: harmless */
			assert_int_equal(xb_record_get(store, "key", &record, NULL), 0);
		(void)result_of(store, "key");
		assert_int_equal(xb_record_get(store, "key", &record, NULL), 1);
		xb_store_free(store);
	}
}

/* Threads of one process. */

struct counter {
	struct xb_store *store;
	int inside; /* under the lock */
	int runs;
	int failures;
};

static void *run_once(void *context)
{
	struct counter *c = context;

	for (int i = 0; i < 50; i++) {
		char key[32];
		struct xb_keylock *lock = NULL;
		struct xb_record record;

		(void)snprintf(key, sizeof(key), "key %d", i);
		if (xb_keylock_take(c->store, key, true, &lock, NULL) < 0) {
			__atomic_add_fetch(&c->failures, 1, __ATOMIC_SEQ_CST);
			continue;
		}
		if (xb_record_get(c->store, key, &record, NULL) == 0) {
			__atomic_add_fetch(&c->runs, 1, __ATOMIC_SEQ_CST);
			if (make_result(c->store, key, NULL, NULL) < 0)
				__atomic_add_fetch(&c->failures, 1, __ATOMIC_SEQ_CST);
		}
		xb_keylock_free(lock);
	}
	return NULL;
}

/* Who waits can tell for whom. */
static void the_holder_of_a_lock_is_known(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_keylock *lock = NULL, *second = NULL;
	int64_t seconds = -1;
	pid_t pid = 0;

	(void)state;
	assert_false(xb_keylock_holder(store, "key", &pid, &seconds));
	assert_int_equal(xb_keylock_take(store, "key", false, &lock, NULL), 0);
	assert_int_equal(xb_keylock_take(store, "key", false, &second, NULL), -EAGAIN);
	assert_true(xb_keylock_holder(store, "key", &pid, &seconds));
	assert_int_equal(pid, getpid());
	assert_in_range(seconds, 0, 60);
	assert_false(xb_keylock_holder(store, "other", &pid, &seconds));
	xb_keylock_free(lock);
	assert_false(xb_keylock_holder(store, "key", &pid, &seconds));
}

static void threads_share_a_store(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct counter c = { .store = store };
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_once, &c), 0);
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(c.failures, 0);
	assert_int_equal(c.runs, 50);
	assert_int_equal(count_in("store/locks"), 1);
}

struct writer {
	struct xb_store *store;
	struct xb_record record;
	int failures;
};

/* What a step does with the database: it asks, and it writes. */
static void *ask_and_write(void *context)
{
	struct writer *w = context;
	struct xb_record found;

	for (int i = 0; i < 300; i++) {
		if (xb_record_get(w->store, w->record.key, &found, NULL) != 1 ||
		    xb_record_put(w->store, &w->record, NULL) < 0)
			w->failures++;
	}
	return NULL;
}

/* A thread's write must not fall into what another's question began before a third process wrote.
 */
static void nobody_finds_the_database_locked(void **state)
{
	struct xb_store *stores[2] = { open_store(), open_store() };
	struct writer writers[6] = { 0 };
	pthread_t threads[XB_COUNT(writers)];

	(void)state;
	for (size_t i = 0; i < XB_COUNT(writers); i++) {
		char key[] = { 'k', (char)('0' + i), '\0' };

		writers[i].store = stores[i % 2];
		assert_int_equal(make_result(stores[i % 2], key, &writers[i].record, NULL), 0);
	}
	for (size_t i = 0; i < XB_COUNT(writers); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_and_write, &writers[i]), 0);
	for (size_t i = 0; i < XB_COUNT(writers); i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(writers[i].failures, 0);
	}
	xb_store_free(stores[0]);
	xb_store_free(stores[1]);
}

static void *contend(void *context)
{
	struct counter *c = context;

	for (int i = 0; i < 500; i++) {
		struct xb_keylock *lock = NULL;

		if (xb_keylock_take(c->store, "one key", true, &lock, NULL) < 0 ||
		    __atomic_add_fetch(&c->inside, 1, __ATOMIC_SEQ_CST) != 1)
			__atomic_add_fetch(&c->failures, 1, __ATOMIC_SEQ_CST);
		(void)sched_yield();
		__atomic_sub_fetch(&c->inside, 1, __ATOMIC_SEQ_CST);
		xb_keylock_free(lock);
	}
	return NULL;
}

static void a_contended_key_has_one_holder_at_a_time(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct counter c = { .store = store };
	pthread_t threads[8];

	(void)state;
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, contend, &c), 0);
	for (size_t i = 0; i < XB_COUNT(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(c.failures, 0);
	assert_int_equal(count_in("store/locks"), 1);
}

static void a_key_is_locked_once(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	struct xb_keylock *one = NULL;
	struct xb_keylock *two = NULL;

	(void)state;
	assert_int_equal(xb_keylock_take(store, "a", true, &one, NULL), 0);
	assert_int_equal(xb_keylock_take(store, "a", false, &two, NULL), -EAGAIN);
	assert_int_equal(xb_keylock_take(store, "b", false, &two, NULL), 0);
	xb_keylock_free(two);
	xb_keylock_free(one);
	assert_int_equal(xb_keylock_take(store, "a", false, &one, NULL), 0);
	xb_keylock_free(one);
	xb_keylock_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_record_comes_back_as_it_was),
		scratch_test(a_result_may_have_no_tree_or_no_blob),
		scratch_test(an_older_snapshot_goes_after_us),
		scratch_test(a_record_of_what_is_not_there_is_refused),
		scratch_test(a_record_without_its_snapshot_is_dropped),
		scratch_test(a_record_without_its_blob_is_dropped),
		scratch_test(all_are_listed_in_order_of_key),
		scratch_test(a_damaged_row_is_no_record),
		scratch_test(the_holder_of_a_lock_is_known),
		scratch_test(threads_share_a_store),
		scratch_test(nobody_finds_the_database_locked),
		scratch_test(a_contended_key_has_one_holder_at_a_time),
		scratch_test(a_key_is_locked_once),
	};

	return cmocka_run_group_tests_name("builder/cache record", tests, NULL, NULL);
}
