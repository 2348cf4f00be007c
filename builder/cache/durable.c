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
#include "builder/cache/db.h"

/* Bytes of a boot's id. */
#define BOOT_SIZE 36
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

/* Blobs that records of earlier boots name. */
static int list_doubtful(struct xb_store *store, const char *boot, struct xb_strv *ret,
			 struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r = xb_db_prepare(store,
			      "SELECT blob FROM record WHERE boot <> '' AND substr(boot, 1, 36) "
			      "<> ?1",
			      &stmt, err);

	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, boot);
	while ((r = xb_db_step(store, stmt, "listing the records of", err)) > 0)
		xb_strv_push(ret, (const char *)sqlite3_column_text(stmt, 0));
	return r;
}

static int remove_doubtful(struct xb_store *store, const char *boot, struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r = xb_db_prepare(store,
			      "DELETE FROM record WHERE boot <> '' AND substr(boot, 1, 36) <> ?1",
			      &stmt, err);

	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, boot);
	return xb_db_step(store, stmt, "removing records from", err);
}

/* Remove a blob that is not what its name says. */
static void drop_damaged(const struct xb_store *store, const char *blob)
{
	struct xb_digest digest, found;
	xb_autofree char *path = NULL;
	xb_auto_fd int fd = -1;

	if (xb_digest_parse(xb_view(blob), &digest, NULL) < 0)
		return;
	path = xb_format("%.*s/%s", XB_VIEW_ARGS(xb_digest_algorithm(&digest)),
			 xb_digest_hex(&digest));
	fd = openat(store->blobs, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && xb_digest_of_file(fd, &digest, &found) >= 0 &&
	    !xb_digest_eq(&digest, &found))
		(void)unlinkat(store->blobs, path, 0);
}

int xb_durable_recover(struct xb_store *store, bool *ret_lost, struct xb_error *err)
{
	xb_auto_strv struct xb_strv blobs = XB_STRV_INIT;
	char boot[XB_STAMP_SIZE];
	int r;

	XB_STORE_LOCKED(store);
	xb_durable_stamp(boot);
	boot[BOOT_SIZE] = '\0';
	r = list_doubtful(store, boot, &blobs, err);
	*ret_lost = blobs.len > 0;
	if (r < 0 || blobs.len == 0)
		return r;
	for (size_t i = 0; i < blobs.len; i++)
		drop_damaged(store, blobs.items[i]);
	return remove_doubtful(store, boot, err);
}

/* ---- syncing -------------------------------------------------------------------------------- */

/* The oldest stamp that is left, "" when there is none. */
static int oldest_stamp(struct xb_store *store, char ret[XB_STAMP_SIZE], struct xb_error *err)
{
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	const char *text;
	int r;

	ret[0] = '\0';
	XB_STORE_LOCKED(store);
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
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	XB_STORE_LOCKED(store);
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

static void *settle(void *argument)
{
	/* a help for later: the next who opens the store tries again */
	(void)xb_durable_sync(argument, NULL);
	return NULL;
}

void xb_durable_settle(struct xb_store *store)
{
	char oldest[XB_STAMP_SIZE];
	char limit[XB_STAMP_SIZE];
	sigset_t all, before;

	stamp_at(SETTLE_AGE, limit);
	if (oldest_stamp(store, oldest, NULL) < 0 || oldest[0] == '\0' || strcmp(oldest, limit) > 0)
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
