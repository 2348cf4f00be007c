/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store on a file system over the network: locks of its own kind, removed files that stay while
 * somebody has them open, bytes that are known to be lost when a file is closed and not before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "builder/cache/cachedir.h"
#include "tests/unit/builder/cache/fixture.h"

static struct {
	bool strict;	 /* what is open for reading alone is not locked exclusively */
	int no_locks;	 /* the errno of every lock */
	bool keeps_open; /* key locks' files are renamed when they are removed */
	int lost;	 /* the errno of the next close() of a file that was written */
} nfs;

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

static int failed(int error)
{
	errno = error;
	return -1;
}

static int access_of(int fd)
{
	return fcntl(fd, F_GETFL) & O_ACCMODE;
}

/* Whether there is something that can be lost. */
static bool has_bytes(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Instead of the C library's. */
int flock(int fd, int operation)
{
	if (nfs.no_locks != 0)
		return failed(nfs.no_locks);
	if (nfs.strict && (operation & LOCK_EX) != 0 && is_regular(fd) && access_of(fd) == O_RDONLY)
		return failed(EBADF);
	return REAL(int (*)(int, int), "flock")(fd, operation);
}

int unlinkat(int dir, const char *name, int flags)
{
	static unsigned count;
	char kept[32];

	if (!nfs.keeps_open || strncmp(name, "key-", 4) != 0)
		return REAL(int (*)(int, const char *, int), "unlinkat")(dir, name, flags);
	(void)snprintf(kept, sizeof(kept), ".nfs%08x", count++);
	return renameat(dir, name, dir, kept);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	return flags != 0 ? failed(EINVAL) : renameat(from, old, to, new);
}

int close(int fd)
{
	int error = nfs.lost;

	if (error == 0 || !has_bytes(fd) || access_of(fd) == O_RDONLY)
		return (int)syscall(SYS_close, fd);
	nfs.lost = 0;
	(void)syscall(SYS_close, fd);
	return failed(error);
}

static int setup(void **state)
{
	memset(&nfs, 0, sizeof(nfs));
	return scratch_setup(state);
}

static int teardown(void **state)
{
	memset(&nfs, 0, sizeof(nfs));
	return scratch_teardown(state);
}

#define network_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- locks ---------------------------------------------------------------------------------- */

/* What a process left that ended in the middle: a lease that nobody has, and a lock of a step. */
static void leave_behind(void)
{
	assert_int_equal(mkdirat(scratch_fd, "store/ingest/1-boot-x.1", 0700), 0);
	scratch_write("store/leases/1-boot-x", "");
	scratch_write("store/locks/key-x", "1\n");
}

static void what_the_dead_left_goes_all_the_same(void **state)
{
	(void)state;
	nfs.strict = true;
	xb_store_free(open_store());
	leave_behind();
	xb_store_free(open_store());
	assert_swept();
	assert_int_equal(count_in("store/leases"), 0);
	assert_int_equal(access(scratch_path("store/locks/key-x"), F_OK), -1);
}

struct waiter {
	pthread_t thread;
	struct xb_store *store;
	struct xb_keylock *lock;
	int r;
};

static void *wait_for_lock(void *context)
{
	struct waiter *w = context;

	w->r = xb_keylock_take(w->store, "step", true, &w->lock, NULL);
	return NULL;
}

/* Whether a lock of this process is waited for. */
static bool is_waited_for(void)
{
	xb_autofree char *line = xb_format("-> FLOCK  ADVISORY  WRITE %d ", getpid());
	xb_auto_str struct xb_str locks = XB_STR_INIT(1 << 20);

	assert_int_equal(xb_file_read("/proc/locks", &locks, NULL), 0);
	return strstr(xb_str_text(&locks), line) != NULL;
}

/* Who waited for the file of a lock that was then removed has no lock yet: the step runs once. */
static void a_lock_has_one_holder(void **state)
{
	struct xb_store *store = open_store();
	struct waiter waiter = { .store = store };
	struct xb_keylock *first = NULL, *third = NULL;

	(void)state;
	nfs.keeps_open = true;
	assert_int_equal(xb_keylock_take(store, "step", true, &first, NULL), 0);
	assert_int_equal(pthread_create(&waiter.thread, NULL, wait_for_lock, &waiter), 0);
	while (!is_waited_for())
		(void)usleep(1000);
	xb_keylock_free(first);
	assert_int_equal(pthread_join(waiter.thread, NULL), 0);
	assert_int_equal(waiter.r, 0);
	assert_int_equal(xb_keylock_take(store, "step", false, &third, NULL), -EAGAIN);
	xb_keylock_free(waiter.lock);
	assert_int_equal(xb_keylock_take(store, "step", false, &third, NULL), 0);
	xb_keylock_free(third);
	xb_store_free(store);
}

static void no_locks_are_told_as_such(void **state)
{
	static const int errors[] = { ENOLCK, EOPNOTSUPP, ENOSYS };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(errors); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_store *store = NULL;

		nfs.no_locks = errors[i];
		assert_int_equal(xb_store_open(scratch_path("store"), &store, &err), -errors[i]);
		assert_null(store);
		assert_int_equal(err.fault, XB_FAULT_STORE);
		assert_non_null(strstr(err.message, "locking the store"));
		assert_non_null(strstr(err.hint, "takes no locks"));
	}
}

static struct xb_cachedir *take_cache(struct xb_store *store, int expected)
{
	static const struct xb_cachedir_seed none;
	struct xb_cachedir *dir = NULL;

	assert_int_equal(xb_cachedir_take(store, "cache", XB_CACHEDIR_LOCKED, &none, &dir, NULL),
			 expected);
	return dir;
}

/* A cache that cannot be locked is not used as if it were; one is made without a special rename. */
static void a_cache_is_locked_or_not_used(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_cachedir struct xb_cachedir *dir = NULL;

	(void)state;
	dir = take_cache(store, 0);
	(void)take_cache(store, -EAGAIN);
	assert_int_equal(count_in("store/caches"), 1);
	assert_int_equal(count_in("store/ingest"), 0);
	nfs.no_locks = ENOLCK;
	(void)take_cache(store, -ENOLCK);
}

/* ---- removed files that somebody has open --------------------------------------------------- */

static void what_goes_by_itself_is_nobody_s(void **state)
{
	static const char *const names[] = { "store/ingest/.nfs01", "store/snapshots/.nfs02",
					     "store/leases/.nfs03", "store/locks/.nfs04" };

	(void)state;
	xb_store_free(open_store());
	for (size_t i = 0; i < XB_COUNT(names); i++)
		scratch_write(names[i], "");
	xb_store_free(open_store());
	for (size_t i = 0; i < XB_COUNT(names); i++)
		assert_int_equal(access(scratch_path(names[i]), F_OK), 0);
}

/* ---- bytes that are lost -------------------------------------------------------------------- */

static void a_blob_whose_bytes_are_lost_is_none(void **state)
{
	xb_auto_store struct xb_store *store = open_store();
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_digest digest = xb_digest_of("text", 4);

	(void)state;
	nfs.lost = EDQUOT;
	assert_int_equal(xb_blob_put(store, XB_VIEW("text"), &digest, &err), -EDQUOT);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_non_null(err.hint);
	assert_int_equal(nfs.lost, 0);
	assert_false(xb_blob_has(store, &digest));
	assert_int_equal(count_in("store/ingest"), 0);
	assert_int_equal(xb_blob_put(store, XB_VIEW("text"), &digest, NULL), 0);
}

static void a_file_whose_bytes_are_lost_replaces_none(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);

	(void)state;
	scratch_write("f", "old");
	nfs.lost = EIO;
	assert_int_equal(xb_file_replace_at(scratch_fd, "f", "new", 3, false, &err), -EIO);
	assert_int_equal(xb_file_read(scratch_path("f"), &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "old");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		network_test(what_the_dead_left_goes_all_the_same),
		network_test(a_lock_has_one_holder),
		network_test(no_locks_are_told_as_such),
		network_test(a_cache_is_locked_or_not_used),
		network_test(what_goes_by_itself_is_nobody_s),
		network_test(a_blob_whose_bytes_are_lost_is_none),
		network_test(a_file_whose_bytes_are_lost_replaces_none),
	};

	return cmocka_run_group_tests_name("builder/cache network", tests, NULL, NULL);
}
