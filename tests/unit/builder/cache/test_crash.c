/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many processes on one store, and processes killed at any instant. What must hold afterwards is
 * looked up on the disk, not asked of the code under test.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/builder/cache/fixture.h"

#define KILLS	  60
#define PROCESSES 8
#define KEYS	  40

/* One line a run of a step, whole since it is short: runs/<key>. */
static int log_run(const char *key)
{
	char path[300];
	int fd;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/runs-%s", scratch, key);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	n = write(fd, "x", 1);
	(void)close(fd);
	return n == 1 ? 0 : -EIO;
}

/* What the solver does for a step. */
static int get_or_run(struct xb_store *store, const char *key, struct xb_record *ret,
		      struct xb_error *err)
{
	xb_auto_keylock struct xb_keylock *lock = NULL;
	int r = xb_record_get(store, key, ret, err);

	if (r == 0)
		r = xb_keylock_take(store, key, true, &lock, err);
	if (r == 0)
		r = xb_record_get(store, key, ret, err);
	if (r != 0)
		return r;
	r = log_run(key);
	return r < 0 ? r : make_result(store, key, ret, err);
}

/* What a record names is there and is what it was. */
static bool is_usable(const struct xb_record *record)
{
	char path[400];
	char text[64] = "";
	xb_auto_fd int file = -1;
	xb_auto_fd int blob = -1;

	(void)snprintf(path, sizeof(path), "%s/store/snapshots/%s/fs/file", scratch,
		       record->snapshot.id);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0 || strcmp(text, record->key) != 0)
		return false;
	(void)snprintf(path, sizeof(path), "%s/store/blobs/sha256/%s", scratch,
		       xb_digest_hex(&record->blob));
	blob = open(path, O_RDONLY | O_CLOEXEC);
	memset(text, 0, sizeof(text));
	return blob >= 0 && read(blob, text, sizeof(text) - 1) >= 0 &&
	       strcmp(text, record->key) == 0;
}

static void key_of(char *ret, size_t size, unsigned number)
{
	(void)snprintf(ret, size, "key%u", number);
}

/* Start `run` in a process; it ends with the status that `run` returns. */
static pid_t start(int (*run)(unsigned seed), unsigned seed)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(run(seed));
	assert_true(pid > 0);
	return pid;
}

static int say(const char *what, const struct xb_error *err)
{
	(void)fprintf(stderr, "%s: %s\n", what, err->message != NULL ? err->message : "");
	return 1;
}

/* Build for ever, a tag now and then; ends by SIGKILL. */
static int build_until_killed(unsigned seed)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_record record;

	for (;;) {
		struct xb_store *store = NULL;

		if (xb_store_open(scratch_path("store"), &store, &err) < 0)
			return say("open", &err);
		for (int i = 0; i < 8; i++) {
			char key[32];

			key_of(key, sizeof(key), (unsigned)rand_r(&seed) % 1000);
			if (get_or_run(store, key, &record, &err) < 0)
				return say("run", &err);
		}
		(void)tag_image(store, "a:latest", &record);
		xb_store_free(store);
	}
}

static int check_record(void *context, const struct xb_record *record)
{
	struct xb_strv *snapshots = context;

	if (!is_usable(record))
		return 1;
	xb_strv_push(snapshots, record->snapshot.id);
	return 0;
}

static void assert_blobs_are_whole(struct xb_store *store)
{
	DIR *dir = opendir(scratch_path("store/blobs/sha256"));
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_digest digest;
		char text[100];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(text, sizeof(text), "sha256:%.64s", entry->d_name);
		check(xb_digest_parse(xb_view(text), &digest, &err), &err);
		check(xb_blob_verify(store, &digest, &err), &err);
	}
	(void)closedir(dir);
}

static size_t count_hidden_in(const char *name)
{
	DIR *dir = opendir(scratch_path(name));
	const struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] == '.';
	(void)closedir(dir);
	return n - 2;
}

/* No repair, no wrong result, nothing left over. */
static void assert_store_is_sound(void)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_strv struct xb_strv snapshots = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r = xb_tag_get(store, "a:latest", &d, &err);

	assert_swept();
	assert_int_equal(count_in("store/leases"), 1);
	assert_int_equal(count_in("store/locks"), 1);
	assert_int_equal(count_hidden_in("store"), 0);
	assert_int_equal(xb_record_each(store, check_record, &snapshots, NULL), 0);
	assert_int_equal(count_in("store/snapshots"), snapshots.len);
	assert_blobs_are_whole(store);
	assert_true(r == 0 || r == -ENOENT);
	if (r == 0)
		assert_true(xb_blob_has(store, &d.digest));
}

static void kill_at_random(int (*run)(unsigned seed), unsigned kills)
{
	unsigned seed = 1;

	for (unsigned i = 0; i < kills; i++) {
		pid_t pids[2] = { start(run, i), start(run, i + 1000) };
		struct timespec pause = { .tv_nsec = rand_r(&seed) % 30000000 };
		int status;

		(void)nanosleep(&pause, NULL);
		for (size_t p = 0; p < XB_COUNT(pids); p++) {
			assert_int_equal(kill(pids[p], SIGKILL), 0);
			assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
			assert_true(WIFSIGNALED(status));
		}
		assert_store_is_sound();
	}
}

static void a_kill_at_any_instant_leaves_a_sound_store(void **state)
{
	(void)state;
	kill_at_random(build_until_killed, KILLS);
}

/* Build and prune in turn, so that kills hit collection as well. */
static int prune_until_killed(unsigned seed)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	for (;;) {
		struct xb_store *store = NULL;
		struct xb_store_pruned pruned;
		struct xb_record record;
		char key[32];

		if (xb_store_open(scratch_path("store"), &store, &err) < 0)
			return say("open", &err);
		key_of(key, sizeof(key), (unsigned)rand_r(&seed) % 20);
		if (get_or_run(store, key, &record, &err) < 0)
			return say("run", &err);
		if (!is_usable(&record))
			return say("what was given is gone", &err);
		if (xb_store_prune(store, seed % 2 == 0, &pruned, &err) < 0)
			return say("prune", &err);
		xb_store_free(store);
	}
}

static int drop_unusable(void *context, const struct xb_record *record)
{
	if (!is_usable(record))
		xb_strv_push(context, record->key);
	return 0;
}

static void a_kill_while_collecting_leaves_a_store_that_heals(void **state)
{
	unsigned seed = 2;

	(void)state;
	for (unsigned i = 0; i < KILLS; i++) {
		struct timespec pause = { .tv_nsec = rand_r(&seed) % 30000000 };
		pid_t pid = start(prune_until_killed, i);
		xb_auto_strv struct xb_strv broken = XB_STRV_INIT;
		struct xb_store *store;
		struct xb_record record;
		int status;

		(void)nanosleep(&pause, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		store = open_store();
		assert_swept();
		assert_blobs_are_whole(store);
		assert_int_equal(xb_record_each(store, drop_unusable, &broken, NULL), 0);
		for (size_t k = 0; k < broken.len; k++)
			assert_int_equal(xb_record_get(store, broken.items[k], &record, NULL), 0);
		xb_store_free(store);
	}
}

static int build_all_keys(unsigned seed)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *store = NULL;
	struct xb_record record;

	if (xb_store_open(scratch_path("store"), &store, &err) < 0)
		return say("open", &err);
	for (unsigned i = 0; i < 3 * KEYS; i++) {
		char key[32];

		key_of(key, sizeof(key), i < KEYS ? (unsigned)rand_r(&seed) % KEYS : i % KEYS);
		if (get_or_run(store, key, &record, &err) < 0)
			return say("run", &err);
		if (!is_usable(&record))
			return say("not usable", &err);
	}
	xb_store_free(store);
	return 0;
}

static void wait_for_all(const pid_t *pids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int status = -1;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

static void the_same_step_wanted_by_many_runs_once(void **state)
{
	pid_t pids[PROCESSES];

	(void)state;
	for (unsigned i = 0; i < PROCESSES; i++)
		pids[i] = start(build_all_keys, i);
	wait_for_all(pids, PROCESSES);
	for (unsigned i = 0; i < KEYS; i++) {
		struct stat st;
		char name[64];

		(void)snprintf(name, sizeof(name), "runs-key%u", i);
		assert_int_equal(stat(scratch_path(name), &st), 0);
		assert_int_equal(st.st_size, 1);
	}
	assert_store_is_sound();
}

static int build_some_keys(unsigned seed)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	for (unsigned i = 0; i < 30; i++) {
		struct xb_store *store = NULL;
		struct xb_record records[5];
		char key[32];

		if (xb_store_open(scratch_path("store"), &store, &err) < 0)
			return say("open", &err);
		for (size_t k = 0; k < XB_COUNT(records); k++) {
			key_of(key, sizeof(key), (unsigned)rand_r(&seed) % 10);
			if (get_or_run(store, key, &records[k], &err) < 0)
				return say("run", &err);
		}
		for (size_t k = 0; k < XB_COUNT(records); k++) {
			if (!is_usable(&records[k]))
				return say("what was given is gone", &err);
		}
		xb_store_free(store);
	}
	return 0;
}

static void collection_beside_builds_disturbs_none(void **state)
{
	struct xb_store_pruned pruned;
	pid_t pids[PROCESSES];
	struct xb_store *store = open_store();
	int status;

	(void)state;
	for (unsigned i = 0; i < PROCESSES; i++)
		pids[i] = start(build_some_keys, i);
	while (waitpid(pids[PROCESSES - 1], &status, WNOHANG) == 0) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		check(xb_store_prune(store, true, &pruned, &err), &err);
	}
	assert_int_equal(status, 0);
	wait_for_all(pids, PROCESSES - 1);
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	xb_store_free(store);
	assert_int_equal(count_in("store/blobs/sha256"), 0);
	assert_int_equal(count_in("store/snapshots"), 0);
	assert_store_is_sound();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_kill_at_any_instant_leaves_a_sound_store),
		scratch_test(a_kill_while_collecting_leaves_a_store_that_heals),
		scratch_test(the_same_step_wanted_by_many_runs_once),
		scratch_test(collection_beside_builds_disturbs_none),
	};

	return cmocka_run_group_tests_name("builder/cache crash", tests, NULL, NULL);
}
