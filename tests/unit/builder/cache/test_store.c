/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a store: whose it is, what it refuses, and what dead processes leave behind. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/builder/cache/fixture.h"

static void a_new_store_is_private_and_an_oci_layout(void **state)
{
	xb_auto_layout struct xb_layout *layout = NULL;
	mode_t mask = umask(0);
	struct xb_store *store = open_store();
	struct stat st;

	(void)state;
	(void)put_blob(store, "text");
	(void)result_of(store, "key");
	(void)umask(mask);
	assert_int_equal(stat(scratch_path("store"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(scratch_path("store/xbuild.db"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(scratch_path("store/snapshots"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_string_equal(xb_store_root(store), scratch_path("store"));
	assert_int_equal(xb_layout_open(xb_store_root(store), &layout, NULL), 0);
	xb_store_free(store);
	assert_int_equal(count_in("store/leases"), 0);
}

static void it_can_be_opened_again_and_twice(void **state)
{
	struct xb_store *one = open_store();
	struct xb_store *two = open_store();
	struct xb_record record;

	(void)state;
	(void)result_of(one, "key");
	assert_int_equal(xb_record_get(two, "key", &record, NULL), 1);
	xb_store_free(one);
	xb_store_free(two);
	xb_store_free(NULL);
	xb_ingest_free(NULL);
	one = open_store();
	assert_int_equal(xb_record_get(one, "key", &record, NULL), 1);
	xb_store_free(one);
}

static void an_existing_open_directory_is_closed(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(scratch_path("store"), 0755), 0);
	xb_store_free(open_store());
	assert_int_equal(stat(scratch_path("store"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void somebody_elses_directory_is_refused(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *store = NULL;

	(void)state;
	assert_int_equal(mkdir(scratch_path("store"), 0777), 0);
	/* also refused to the root of a namespace with one id */
	need("root", chown(scratch_path("store"), 12345, 12345) == 0);
	assert_int_equal(xb_store_open(scratch_path("store"), &store, &err), -EPERM);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_non_null(strstr(err.message, "12345"));
	assert_int_equal(count_in("store"), 0);
}

static void a_directory_with_other_things_is_refused_and_left_alone(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *store = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(scratch_path("store"), 0755), 0);
	assert_int_equal(chmod(scratch_path("store"), 0755), 0);
	scratch_write("store/thesis.tex", "years of work");
	assert_int_equal(xb_store_open(scratch_path("store"), &store, &err), -ENOTEMPTY);
	assert_non_null(strstr(err.message, "thesis.tex"));
	assert_int_equal(stat(scratch_path("store"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(count_in("store"), 1);
}

static void a_newer_store_is_refused(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *store = NULL;
	xb_auto_fd int fd = -1;

	(void)state;
	xb_store_free(open_store());
	/* the database's header has the user version at byte 60 */
	fd = open(scratch_path("store/xbuild.db"), O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\0\0\0\x63", 4, 60), 4);
	assert_int_equal(xb_store_open(scratch_path("store"), &store, &err), -EPROTONOSUPPORT);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_non_null(strstr(err.message, "99"));
	assert_non_null(err.hint);
}

static void a_broken_database_says_what_to_do(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *store = NULL;

	(void)state;
	xb_store_free(open_store());
	scratch_write("store/xbuild.db", "this has never been a database, nor will it ever be one");
	assert_int_equal(xb_store_open(scratch_path("store"), &store, &err), -EUCLEAN);
	assert_non_null(strstr(err.hint, "cache check --repair"));
	assert_int_equal(unlink(scratch_path("store/xbuild.db")), 0);
	xb_store_free(open_store());
}

static void set(const char *name, const char *value)
{
	if (value != NULL)
		assert_int_equal(setenv(name, value, 1), 0);
	else
		assert_int_equal(unsetenv(name), 0);
}

static void the_default_root_follows_the_environment(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str root = XB_STR_INIT(4096);

	(void)state;
	set("XBUILD_ROOT", "/a/b");
	set("XDG_DATA_HOME", "/data");
	assert_int_equal(xb_store_default_root(&root, &err), 0);
	assert_string_equal(xb_str_text(&root), "/a/b");

	xb_str_reset(&root);
	set("XBUILD_ROOT", NULL);
	assert_int_equal(xb_store_default_root(&root, &err), 0);
	assert_string_equal(xb_str_text(&root),
			    geteuid() == 0 ? "/var/lib/xbuild" : "/data/xbuild");

	set("XBUILD_ROOT", "a/b");
	assert_int_equal(xb_store_default_root(&root, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	set("XBUILD_ROOT", NULL);
}

/* A process that leaves everything half done: killed, or alive until the pipe is closed. */
static pid_t start_half_done(int *ret_alive)
{
	int ready[2];
	int alive[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct xb_store *store = open_store();
		struct xb_keylock *lock = NULL;
		struct xb_ingest *ingest = NULL;
		struct xb_snapshot snapshot;

		(void)xb_blob_begin(store, &ingest, NULL);
		(void)xb_ingest_write(ingest, "half", 4, NULL);
		(void)xb_snapshot_begin(store, &snapshot, NULL);
		(void)xb_keylock_take(store, "key", true, &lock, NULL);
		(void)put_blob(store, "whole");
		(void)close(alive[1]);
		_exit(write(ready[1], "x", 1) == 1 && read(alive[0], &byte, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	(void)close(alive[0]);
	*ret_alive = alive[1];
	return pid;
}

static void what_the_living_hold_stays_and_what_the_dead_held_goes(void **state)
{
	int alive;
	pid_t pid = start_half_done(&alive);
	struct xb_store *store = open_store();
	struct xb_keylock *lock = NULL;
	struct xb_store_pruned pruned;
	int status;

	(void)state;
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_int_equal(count_in("store/ingest"), 1);
	assert_int_equal(count_in("store/snapshots"), 1);
	assert_int_equal(count_in("store/blobs/sha256"), 1);
	assert_int_equal(count_in("store/leases"), 2);
	assert_int_equal(xb_keylock_take(store, "key", false, &lock, NULL), -EAGAIN);
	xb_store_free(store);

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(alive);
	store = open_store();
	assert_swept();
	assert_int_equal(count_in("store/snapshots"), 0);
	assert_int_equal(count_in("store/leases"), 1);
	assert_int_equal(count_in("store/locks"), 1);
	assert_int_equal(xb_keylock_take(store, "key", false, &lock, NULL), 0);
	xb_keylock_free(lock);
	xb_store_free(store);
}

static void a_closed_store_leaves_half_made_snapshots_to_the_next(void **state)
{
	struct xb_store *store = open_store();
	struct xb_snapshot snapshot;

	(void)state;
	assert_int_equal(xb_snapshot_begin(store, &snapshot, NULL), 0);
	xb_store_free(store);
	store = open_store();
	assert_int_equal(count_in("store/snapshots"), 0);
	assert_int_equal(xb_snapshot_begin(store, &snapshot, NULL), 0);
	xb_snapshot_discard(store, &snapshot);
	assert_int_equal(count_in("store/snapshots"), 0);
	xb_store_free(store);
	assert_int_equal(count_in("store/leases"), 0);
}

static void a_snapshot_is_an_image_root_and_a_work_directory(void **state)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(4096);
	struct xb_store *store = open_store();
	struct xb_snapshot snapshot;
	mode_t mask = umask(077);
	struct stat st;

	(void)state;
	assert_int_equal(xb_snapshot_begin(store, &snapshot, NULL), 0);
	(void)umask(mask);
	xb_snapshot_path(store, &snapshot, &path);
	assert_int_equal(stat(xb_str_text(&path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	xb_str_reset(&path);
	xb_snapshot_work_path(store, &snapshot, &path);
	assert_int_equal(stat(xb_str_text(&path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(xb_snapshot_commit(store, &snapshot, NULL), 0);
	assert_int_equal(stat(xb_str_text(&path), &st), -1);
	xb_snapshot_discard(store, &snapshot);
	xb_store_free(store);
}

/* As overlayfs leaves it: behind the commit it goes, and nothing of it is left when we end. */
static void a_used_work_directory_goes_when_its_snapshot_is_complete(void **state)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(4096);
	struct xb_store *store = open_store();
	struct xb_snapshot snapshot;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(xb_snapshot_begin(store, &snapshot, NULL), 0);
		xb_str_reset(&path);
		xb_snapshot_work_path(store, &snapshot, &path);
		xb_str_puts(&path, "/work");
		xb_str_puts(&path, "/incompat"); /* as overlayfs has it */
		assert_int_equal(xb_mkdir_all(xb_str_text(&path), 0755, NULL), 0);
		assert_int_equal(xb_snapshot_commit(store, &snapshot, NULL), 0);
		xb_str_reset(&path);
		xb_str_printf(&path, "store/snapshots/%s", snapshot.id);
		assert_int_equal(count_in(xb_str_text(&path)), 1); /* fs */
		xb_snapshot_discard(store, &snapshot);
	}
	xb_store_free(store);
	assert_int_equal(count_in("store/ingest"), 0);
	assert_int_equal(count_in("store/leases"), 0);
}

/* The rest, and the lease that it belongs to, wait for the next who opens the store. */
static void what_cannot_be_removed_is_tried_again(void **state)
{
	char mounted[300];

	(void)state;
	need("root", geteuid() == 0);
	(void)snprintf(mounted, sizeof(mounted), "%s/store/ingest/1-dead.0/fs", scratch);
	xb_store_free(open_store());
	assert_int_equal(xb_mkdir_all(mounted, 0755, NULL), 0);
	scratch_write("store/leases/1-dead", "");
	/* a mount point, which nobody removes; it goes with its namespace */
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("none", mounted, "tmpfs", 0, NULL), 0);
	(void)snprintf(mounted, sizeof(mounted), "%s/store/ingest", scratch);
	xb_store_free(open_store());
	assert_int_equal(count_in("store/ingest"), 1);
	assert_int_equal(count_in("store/leases"), 1);
	assert_int_equal(
		scratch_run((const char *[]){ "sh", "-c", "umount \"$0\"/*/fs", mounted, NULL }),
		0);
	xb_store_free(open_store());
	assert_int_equal(count_in("store/ingest"), 0);
	assert_int_equal(count_in("store/leases"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_new_store_is_private_and_an_oci_layout),
		scratch_test(it_can_be_opened_again_and_twice),
		scratch_test(an_existing_open_directory_is_closed),
		scratch_test(somebody_elses_directory_is_refused),
		scratch_test(a_directory_with_other_things_is_refused_and_left_alone),
		scratch_test(a_newer_store_is_refused),
		scratch_test(a_broken_database_says_what_to_do),
		cmocka_unit_test(the_default_root_follows_the_environment),
		scratch_test(what_the_living_hold_stays_and_what_the_dead_held_goes),
		scratch_test(a_closed_store_leaves_half_made_snapshots_to_the_next),
		scratch_test(what_cannot_be_removed_is_tried_again),
		scratch_test(a_snapshot_is_an_image_root_and_a_work_directory),
		scratch_test(a_used_work_directory_goes_when_its_snapshot_is_complete),
	};

	return cmocka_run_group_tests_name("builder/cache store", tests, NULL, NULL);
}
