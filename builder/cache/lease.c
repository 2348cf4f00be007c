/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/file.h"
#include "builder/cache/broom.h"
#include "builder/cache/db.h"

/* A lease is a list of names this process touched: 64 MiB hold over 700,000. */
#define MAX_LEASE ((size_t)64 << 20)

/* What NFS calls a file that was removed while somebody had it open; it goes by itself. */
#define REMOVED_PREFIX ".nfs"

/* The value of keys that are only there or not. */
static char present;

static int lock_file(int fd, int operation)
{
	int r;

	do
		r = flock(fd, operation);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int xb_guard_take(const struct xb_store *store, bool exclusive, struct xb_error *err)
{
	xb_auto_fd int fd = openat(store->locks, "store", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : lock_file(fd, exclusive ? LOCK_EX : LOCK_SH);

	if (r >= 0)
		return XB_STEAL_FD(fd);
	(void)xb_store_errno(err, r, "locking the store %s", store->root);
	if (r == -ENOLCK || r == -EOPNOTSUPP || r == -ENOSYS)
		(void)xb_error_hint(err, "its file system takes no locks (flock): name a store on "
					 "a local disk with --root");
	return r;
}

void xb_guard_clear(int *fd)
{
	/* a child between fork and exec shares the open file: closing ours would not unlock it */
	if (*fd >= 0)
		(void)flock(*fd, LOCK_UN);
	xb_cleanup_fd(fd);
}

static char *boot_id(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(128);

	if (xb_file_read("/proc/sys/kernel/random/boot_id", &text, NULL) < 0)
		return xb_strdup("unknown");
	return xb_view_dup(xb_view_trim(xb_str_view(&text)));
}

int xb_lease_take(struct xb_store *store, struct xb_error *err)
{
	xb_autofree char *boot = boot_id();
	char id[33];
	int r;

	/* processes of two pid namespaces may share both pid and boot: hence the random part */
	xb_store_random_id(id);
	free(store->lease); /* of an earlier try */
	store->lease = xb_format("%ld-%s-%.8s", (long)getpid(), boot, id);
	store->lease_fd = openat(store->leases, store->lease,
				 O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = store->lease_fd < 0 ? -errno : lock_file(store->lease_fd, LOCK_EX);
	if (r < 0)
		return xb_store_errno(err, r, "taking a lease of the store %s", store->root);
	return 0;
}

void xb_lease_drop(struct xb_store *store)
{
	if (store->lease_fd < 0)
		return;
	if (xb_map_len(store->begun) == 0)
		(void)unlinkat(store->leases, store->lease, 0);
	xb_guard_clear(&store->lease_fd);
}

static int hold(struct xb_store *store, char kind, const char *id, struct xb_error *err)
{
	xb_autofree char *line = xb_format("%c %s\n", kind, id);
	int r;

	XB_STORE_LOCKED(store);
	if (xb_map_get(store->held, xb_view(line)) != NULL)
		return 0;
	r = xb_write_all(store->lease_fd, line, strlen(line), NULL);
	if (r < 0)
		return xb_store_errno(err, r, "writing the lease %s", store->lease);
	/* not NULL, and in order: see builder/cache/use.c */
	xb_map_set(store->held, xb_view(line), (void *)(uintptr_t)(xb_map_len(store->held) + 1));
	return 0;
}

int xb_hold_snapshot(struct xb_store *store, const char *id, struct xb_error *err)
{
	return hold(store, 's', id, err);
}

int xb_hold_blob(struct xb_store *store, const struct xb_digest *digest, struct xb_error *err)
{
	return hold(store, 'b', digest->text, err);
}

static void close_dir(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

int xb_store_list(int dirfd, const char *name, struct xb_strv *ret, struct xb_error *err)
{
	xb_auto_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	XB_CLEANUP(close_dir) DIR *dir = NULL;
	const struct dirent *entry;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL)
		return xb_store_errno(err, -errno, "listing %s of the store", name);
	(void)XB_STEAL_FD(fd);

	for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strncmp(entry->d_name, REMOVED_PREFIX, strlen(REMOVED_PREFIX)) != 0)
			xb_strv_push(ret, entry->d_name);
	}
	if (errno != 0)
		return xb_store_errno(err, -errno, "listing %s of the store", name);
	xb_strv_sort(ret);
	return 0;
}

static int read_lease(struct xb_sweep *sweep, int fd, const char *name, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_LEASE);
	struct xb_view rest;
	struct xb_view line;
	int r = xb_file_read_fd(fd, &text, err);

	if (r < 0)
		return xb_store_wrap(err, r, "reading the lease %s", name);
	rest = xb_str_view(&text);
	while (xb_view_split(&rest, '\n', &line)) {
		if (line.len > 0)
			xb_map_set(sweep->held, line, &present);
	}
	return 0;
}

static int sweep_lease(struct xb_store *store, struct xb_sweep *sweep, const char *name,
		       struct xb_error *err)
{
	/* for writing: NFS locks nothing else exclusively */
	xb_auto_guard int fd = openat(store->leases, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) /* its process has just dropped it */
		return 0;
	if (fd < 0)
		return xb_store_errno(err, -errno, "opening the lease %s", name);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		sweep->dead = true;
		(void)unlinkat(store->leases, name, 0);
		return 0;
	}
	xb_map_set(sweep->live, xb_view(name), &present);
	return read_lease(sweep, fd, name, err);
}

int xb_sweep_leases(struct xb_store *store, struct xb_sweep *sweep, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r;

	sweep->live = xb_map_new();
	sweep->held = xb_map_new();
	r = xb_store_list(store->leases, ".", &names, err);
	for (size_t i = 0; r >= 0 && i < names.len; i++)
		r = sweep_lease(store, sweep, names.items[i], err);
	return r;
}

bool xb_sweep_held(const struct xb_sweep *sweep, char kind, const char *id)
{
	xb_autofree char *line = xb_format("%c %s", kind, id);

	return xb_map_get(sweep->held, xb_view(line)) != NULL;
}

int xb_sweep_trash(struct xb_store *store, struct xb_sweep *sweep, int dirfd, const char *name,
		   struct xb_error *err)
{
	xb_autofree char *to = xb_store_ingest_name(store);

	if (renameat(dirfd, name, store->ingest, to) < 0) {
		if (errno == ENOENT)
			return 0;
		return xb_store_errno(err, -errno, "moving %s of the store away", name);
	}
	xb_strv_take(&sweep->trash, XB_STEAL(to));
	return 0;
}

/* Whether a living process's lease is in the name of a file of ingest/. */
static bool is_ingested(const struct xb_sweep *sweep, const char *name)
{
	struct xb_view rest = xb_view(name);
	struct xb_view lease;

	(void)xb_view_split(&rest, '.', &lease);
	return xb_map_get(sweep->live, lease) != NULL;
}

static int sweep_ingest(struct xb_store *store, struct xb_sweep *sweep, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(store->ingest, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		if (!is_ingested(sweep, names.items[i]))
			r = xb_sweep_trash(store, sweep, store->ingest, names.items[i], err);
	}
	return r;
}

/* Nobody's snapshot but for a living process: it may end without anybody looking again, so our
 * lease file outlives us, too. */
static void look_again(struct xb_store *store, const char *id)
{
	XB_STORE_LOCKED(store);
	(void)xb_map_set(store->begun, xb_view(id), &present);
}

static int sweep_snapshots(struct xb_store *store, struct xb_sweep *sweep, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(store->snapshots, ".", &names, err);
	int count = 0;

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		r = xb_db_snapshot_used(store, names.items[i], err);
		if (r != 0)
			continue;
		if (xb_sweep_held(sweep, 's', names.items[i])) {
			look_again(store, names.items[i]);
			continue;
		}
		r = xb_sweep_trash(store, sweep, store->snapshots, names.items[i], err);
		count++;
	}
	return r < 0 ? r : count;
}

/* Files of step locks whose holder was killed. Removing one under its lock is what its holder does,
 * so those that wait for it notice. */
static int sweep_keylocks(struct xb_store *store, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(store->locks, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_auto_guard int fd = -1;

		if (strncmp(names.items[i], "key-", 4) != 0)
			continue;
		fd = openat(store->locks, names.items[i], O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)unlinkat(store->locks, names.items[i], 0);
	}
	return r;
}

/* A new index.json whose writer was killed before it renamed it; writers hold the store lock. */
static int sweep_root(struct xb_store *store, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(store->dirfd, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		if (xb_view_starts(xb_view(names.items[i]), XB_VIEW(XB_FILE_TEMP_PREFIX)))
			(void)unlinkat(store->dirfd, names.items[i], 0);
	}
	return r;
}

int xb_sweep_orphans(struct xb_store *store, struct xb_sweep *sweep, struct xb_error *err)
{
	int r = sweep_ingest(store, sweep, err);

	if (r >= 0)
		r = sweep_keylocks(store, err);
	if (r >= 0)
		r = sweep_root(store, err);
	return r < 0 ? r : sweep_snapshots(store, sweep, err);
}

static int list_ingest(struct xb_store *store, const struct xb_sweep *sweep, struct xb_strv *ret,
		       struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(store->ingest, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		if (!is_ingested(sweep, names.items[i]))
			xb_strv_printf(ret, "ingest/%s", names.items[i]);
	}
	return r;
}

int xb_sweep_list(struct xb_store *store, const struct xb_sweep *sweep, struct xb_strv *ret,
		  struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = list_ingest(store, sweep, ret, err);

	if (r >= 0)
		r = xb_store_list(store->snapshots, ".", &names, err);
	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		if (xb_sweep_held(sweep, 's', names.items[i]))
			continue;
		r = xb_db_snapshot_used(store, names.items[i], err);
		if (r == 0)
			xb_strv_printf(ret, "snapshots/%s", names.items[i]);
	}
	return r < 0 ? r : 0;
}

void xb_sweep_finish(struct xb_store *store, struct xb_sweep *sweep)
{
	/* what cannot be removed now bears our lease's name, and is swept after us */
	for (size_t i = 0; i < sweep->trash.len; i++)
		(void)xb_remove_tree_at(store->ingest, sweep->trash.items[i], NULL);
	xb_sweep_clear(sweep);
}

void xb_sweep_finish_behind(struct xb_store *store, struct xb_sweep *sweep)
{
	xb_broom_give(store, &sweep->trash);
	xb_sweep_clear(sweep);
}

void xb_sweep_clear(struct xb_sweep *sweep)
{
	xb_strv_clear(&sweep->trash);
	xb_map_free(sweep->live);
	xb_map_free(sweep->held);
	*sweep = XB_SWEEP_INIT;
}
