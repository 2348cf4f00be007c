/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/map.h"
#include "builder/cache/db.h"
#include "builder/cache/lease.h"

/* Bytes of a boot's id. */
#define BOOT_SIZE 36
/* Beside the database: the boot in which the blobs were last looked at. */
#define SEEN_BOOT "xbuild.db-boot"
/* When the kernel has written by itself what is dirty, so that a sync costs nothing; seconds. */
#define SETTLE_AGE 60

/* Stamps are compared as text: the boot, then nanoseconds since it as 16 digits. */
static void stamp_at(int64_t seconds_ago, char ret[XB_STAMP_SIZE])
{
	xb_auto_str struct xb_str text = XB_STR_INIT(128);
	struct xb_view boot;
	struct timespec now;
	int64_t at;

	ret[0] = '\0';
	if (xb_file_read("/proc/sys/kernel/random/boot_id", &text, NULL) < 0)
		return;
	boot = xb_view_trim(xb_str_view(&text));
	if (boot.len != BOOT_SIZE || clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return;
	at = ((int64_t)now.tv_sec - seconds_ago) * 1000000000 + now.tv_nsec;
	(void)snprintf(ret, XB_STAMP_SIZE, "%.*s/%016llx", XB_VIEW_ARGS(boot),
		       (unsigned long long)(at > 0 ? at : 0));
}

void xb_durable_stamp(char ret[XB_STAMP_SIZE])
{
	stamp_at(0, ret);
}

/* ---- after a reboot ------------------------------------------------------------------------- */

/* The boot in which this was last done, in a file of its own: the database may have lost its end.
 */
static bool is_new_boot(struct xb_store *store, const char *boot)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STAMP_SIZE);

	return xb_file_read_at(store->dirfd, SEEN_BOOT, &text, NULL) < 0 ||
	       !xb_view_eq(xb_str_view(&text), xb_view(boot));
}

/* Digests of blobs that are known to be on the disk, as keys. */
static int list_durable(struct xb_store *store, struct xb_map *ret, struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r = xb_db_prepare(store, "SELECT blob FROM record WHERE boot = ''", &stmt, err);

	while (r >= 0 && (r = xb_db_step(store, stmt, "listing the records of", err)) > 0)
		(void)xb_map_set(ret, xb_view((const char *)sqlite3_column_text(stmt, 0)), ret);
	return r;
}

/* Records of earlier boots: how many there were. */
static int remove_doubtful(struct xb_store *store, const char *boot, struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r = xb_db_prepare(store,
			      "DELETE FROM record WHERE boot <> '' AND substr(boot, 1, 36) <> ?1",
			      &stmt, err);

	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, boot);
	r = xb_db_step(store, stmt, "removing records from", err);
	return r < 0 ? r : sqlite3_changes(store->db);
}

/* Remove a blob that is not what its name says. */
static void drop_damaged(const struct xb_store *store, const struct xb_digest *digest)
{
	struct xb_view algorithm = xb_digest_algorithm(digest);
	xb_autofree char *path =
		xb_format("%.*s/%s", XB_VIEW_ARGS(algorithm), xb_digest_hex(digest));
	xb_auto_fd int fd =
		openat(store->blobs, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct xb_digest found;

	if (fd >= 0 && xb_digest_of_file(fd, digest, &found) >= 0 && !xb_digest_eq(digest, &found))
		(void)unlinkat(store->blobs, path, 0);
}

static int check_blobs_of(const struct xb_store *store, const char *algorithm,
			  const struct xb_map *durable, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(store->blobs, algorithm, &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *text = xb_format("%s:%s", algorithm, names.items[i]);
		struct xb_digest digest;

		if (xb_map_get(durable, xb_view(text)) == NULL &&
		    xb_digest_parse(xb_view(text), &digest, NULL) >= 0)
			drop_damaged(store, &digest);
	}
	return r;
}

/*
 * All blobs but those of records that had been synced: others may bear a name that reached the disk
 * before their bytes did, also where the record that would tell so did not reach it.
 */
static int check_blobs(struct xb_store *store, struct xb_error *err)
{
	xb_auto_strv struct xb_strv algorithms = XB_STRV_INIT;
	xb_auto_map struct xb_map *durable = xb_map_new();
	int r = list_durable(store, durable, err);

	if (r >= 0)
		r = xb_store_list(store->blobs, ".", &algorithms, err);
	for (size_t i = 0; r >= 0 && i < algorithms.len; i++)
		r = check_blobs_of(store, algorithms.items[i], durable, err);
	return r;
}

int xb_durable_recover(struct xb_store *store, bool *ret_lost, struct xb_error *err)
{
	char boot[XB_STAMP_SIZE];
	bool new_boot;
	int r;

	XB_STORE_LOCKED(store);
	xb_durable_stamp(boot);
	boot[BOOT_SIZE] = '\0';
	new_boot = is_new_boot(store, boot);
	r = remove_doubtful(store, boot, err);
	*ret_lost = new_boot || r > 0;
	if (r >= 0 && *ret_lost)
		r = check_blobs(store, err);
	if (r >= 0 && new_boot)
		r = xb_file_replace_at(store->dirfd, SEEN_BOOT, boot, strlen(boot), false, err);
	return r < 0 ? xb_store_wrap(err, r, "recovering the store %s", store->root) : 0;
}

/* ---- syncing -------------------------------------------------------------------------------- */

/* The oldest stamp that is left, "" when there is none. */
static int oldest_stamp(struct xb_store *store, char ret[XB_STAMP_SIZE], struct xb_error *err)
{
	const char *text;
	int r;

	ret[0] = '\0';
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	r = xb_db_prepare(store, "SELECT min(boot) FROM record WHERE boot <> ''", &stmt, err);
	if (r >= 0)
		r = xb_db_step(store, stmt, "looking for records in", err);
	if (r < 0)
		return r;
	text = (const char *)sqlite3_column_text(stmt, 0);
	(void)snprintf(ret, XB_STAMP_SIZE, "%s", text != NULL ? text : "");
	return 0;
}

int xb_durable_waiting(struct xb_store *store, bool *ret, struct xb_error *err)
{
	char oldest[XB_STAMP_SIZE];
	int r = oldest_stamp(store, oldest, err);

	*ret = oldest[0] != '\0';
	return r;
}

static int take_stamps(struct xb_store *store, const char *until, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(store, "UPDATE record SET boot = '' WHERE boot <> '' AND boot <= ?1",
			  &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, until);
	return xb_db_step(store, stmt, "writing to", err);
}

int xb_durable_sync(struct xb_store *store, struct xb_error *err)
{
	char now[XB_STAMP_SIZE];

	xb_durable_stamp(now);
	if (syncfs(store->dirfd) < 0)
		return xb_store_errno(err, -errno, "syncing the store %s", store->root);
	/* what was stamped up to then had been written before */
	return take_stamps(store, now, err);
}

/* Whether there are stamps that waited long enough for one sync to take in many of them. */
static bool has_old_stamps(struct xb_store *store)
{
	char oldest[XB_STAMP_SIZE];
	char limit[XB_STAMP_SIZE];

	stamp_at(SETTLE_AGE, limit);
	return oldest_stamp(store, oldest, NULL) >= 0 && oldest[0] != '\0' &&
	       strcmp(oldest, limit) <= 0;
}

/* A help for later: the next who opens the store tries again. */
static void *settle(void *argument)
{
	struct xb_store *store = argument;

	if (has_old_stamps(store))
		(void)xb_durable_sync(store, NULL);
	if (xb_db_log_is_long(store))
		xb_db_shorten_log(store);
	return NULL;
}

void xb_durable_settle(struct xb_store *store)
{
	sigset_t all, before;

	if (!has_old_stamps(store) && !xb_db_log_is_long(store))
		return;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	store->settling = pthread_create(&store->settler, NULL, settle, store) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void xb_durable_settled(struct xb_store *store)
{
	if (store->settling)
		(void)pthread_join(store->settler, NULL);
	store->settling = false;
}
