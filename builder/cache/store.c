/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "builder/cache/broom.h"
#include "builder/cache/db.h"
#include "builder/cache/durable.h"
#include "builder/cache/hashed.h"
#include "builder/cache/lease.h"
#include "builder/cache/mend.h"
#include "builder/cache/state.h"
#include "builder/cache/use.h"
#include "manifest/layout.h"

/* What a store's directory may hold, as prefixes: a directory with anything else is not ours. */
static const char *const known_names[] = { "oci-layout", "index.json", "blobs",	   "snapshots",
					   "ingest",	 "xbuild.db",  "leases",   "locks",
					   "ballast",	 "caches",     "contexts", "lost+found",
					   "." };

/* SQLite's shared memory is 32 KiB, its log a page a record; twice that for leases and names. */
#define BALLAST ((off_t)256 << 10)

static int root_from(struct xb_str *ret, const char *variable, const char *below,
		     struct xb_error *err)
{
	const char *value = getenv(variable);
	int r;

	if (value == NULL || *value == '\0')
		return 0;
	if (*value != '/') {
		r = xb_error_set(err, -EINVAL, "$%s is not an absolute path: %s", variable, value);
		xb_error_fault(err, XB_FAULT_USAGE);
		return r;
	}
	xb_str_printf(ret, "%s%s", value, below);
	return 1;
}

int xb_store_default_root(struct xb_str *ret, struct xb_error *err)
{
	int r = root_from(ret, "XBUILD_ROOT", "", err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (geteuid() == 0) {
		xb_str_puts(ret, "/var/lib/xbuild");
		return 0;
	}
	r = root_from(ret, "XDG_DATA_HOME", "/xbuild", err);
	if (r == 0)
		r = root_from(ret, "HOME", "/.local/share/xbuild", err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = xb_error_set(err, -ENOENT, "no directory for the store: $HOME is not set");
	xb_error_fault(err, XB_FAULT_USAGE);
	xb_error_hint(err, "name one with --root or $XBUILD_ROOT");
	return r;
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < XB_COUNT(known_names); i++) {
		if (strncmp(name, known_names[i], strlen(known_names[i])) == 0)
			return true;
	}
	return false;
}

/* Refuse a directory that something else lives in: its mode would be changed, its files mixed. */
static int check_names(const struct xb_store *store, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(store->dirfd, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		if (is_known(names.items[i]))
			continue;
		r = xb_error_set(err, -ENOTEMPTY, "%s is not a store: it holds %s", store->root,
				 names.items[i]);
		xb_error_fault(err, XB_FAULT_STORE);
		xb_error_hint(err, "name an empty or new directory with --root");
	}
	return r;
}

static int open_root(struct xb_store *store, const char *root, struct xb_error *err)
{
	struct stat st;
	int r = xb_mkdir_all(root, 0700, err);

	if (r < 0)
		return xb_store_wrap(err, r, "making the store %s", root);
	store->root = realpath(root, NULL);
	if (store->root == NULL)
		return xb_store_errno(err, -errno, "opening the store %s", root);
	store->dirfd = open(store->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dirfd < 0 || fstat(store->dirfd, &st) < 0)
		return xb_store_errno(err, -errno, "opening the store %s", root);
	if (st.st_uid != geteuid()) {
		r = xb_error_set(err, -EPERM, "the store %s belongs to another user (id %lu)", root,
				 (unsigned long)st.st_uid);
		xb_error_fault(err, XB_FAULT_STORE);
		xb_error_hint(err, "name a directory of your own with --root");
		return r;
	}
	r = check_names(store, err);
	if (r >= 0 && (st.st_mode & 077) != 0 && fchmod(store->dirfd, 0700) < 0)
		return xb_store_errno(err, -errno, "closing the store %s to others", root);
	return r;
}

static int open_dir(const struct xb_store *store, const char *name, int *ret, struct xb_error *err)
{
	if (mkdirat(store->dirfd, name, 0700) < 0 && errno != EEXIST)
		return xb_store_errno(err, -errno, "making %s/%s", store->root, name);
	*ret = openat(store->dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret < 0)
		return xb_store_errno(err, -errno, "opening %s/%s", store->root, name);
	return 0;
}

static int open_dirs(struct xb_store *store, struct xb_error *err)
{
	const struct {
		const char *name;
		int *fd;
	} dirs[] = {
		{ "blobs", &store->blobs },	  { "snapshots", &store->snapshots },
		{ "ingest", &store->ingest },	  { "leases", &store->leases },
		{ "locks", &store->locks },	  { "caches", &store->caches },
		{ "contexts", &store->contexts },
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < XB_COUNT(dirs); i++)
		r = open_dir(store, dirs[i].name, dirs[i].fd, err);
	if (r >= 0 && mkdirat(store->blobs, "sha256", 0700) < 0 && errno != EEXIST)
		return xb_store_errno(err, -errno, "making %s/blobs/sha256", store->root);
	return r;
}

static int open_layout(struct xb_store *store, struct xb_error *err)
{
	int r = xb_layout_create_at(store->dirfd, &store->layout, err);

	return r < 0 ? xb_store_wrap(err, r, "opening the store %s", store->root) : 0;
}

/*
 * Opening needs room for SQLite's shared memory and a lease, also on a disk so full that somebody
 * wants to prune. So a little is set aside while there is plenty, and given up in need.
 */
static void set_ballast_aside(const struct xb_store *store)
{
	xb_auto_fd int fd = -1;

	if (faccessat(store->dirfd, "ballast", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	fd = openat(store->dirfd, "ballast", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && posix_fallocate(fd, 0, BALLAST) != 0)
		(void)unlinkat(store->dirfd, "ballast", 0);
}

/* What was done by an earlier try stays. The lease comes first: it is what a kill leaves to see. */
static int open_files(struct xb_store *store, struct xb_error *err)
{
	int r = store->lease_fd >= 0 ? 0 : xb_lease_take(store, err);

	if (r >= 0 && store->layout == NULL)
		r = open_layout(store, err);
	if (r >= 0 && store->db == NULL)
		r = xb_db_open(store, err);
	return r;
}

static int open_files_on_full_disk(struct xb_store *store, struct xb_error *err)
{
	xb_auto_error struct xb_error full = XB_ERROR_INIT;
	int r = open_files(store, &full);

	if (r == -ENOSPC && unlinkat(store->dirfd, "ballast", 0) == 0) {
		xb_db_close(store);
		return open_files(store, err);
	}
	if (r < 0 && err != NULL)
		xb_error_move(err, &full);
	return r;
}

/* Everything that must not be half done when another process looks. */
static int open_locked(struct xb_store *store, struct xb_sweep *sweep, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(store, true, err);
	bool lost = false;
	int r = guard;

	if (r >= 0)
		r = open_files_on_full_disk(store, err);
	if (r >= 0)
		r = xb_durable_recover(store, &lost, err);
	if (r >= 0)
		r = xb_sweep_leases(store, sweep, err);
	if (r >= 0 && (sweep->dead || lost))
		r = xb_sweep_orphans(store, sweep, err);
	if (r >= 0)
		set_ballast_aside(store);
	return r;
}

static struct xb_store *new_store(void)
{
	struct xb_store *store = xb_calloc(1, sizeof(*store));

	*store = (struct xb_store){ .dirfd = -1,
				    .blobs = -1,
				    .snapshots = -1,
				    .ingest = -1,
				    .leases = -1,
				    .locks = -1,
				    .caches = -1,
				    .contexts = -1,
				    .lease_fd = -1,
				    .held = xb_map_new(),
				    .hashed = xb_map_new(),
				    .begun = xb_map_new() };
	(void)pthread_mutex_init(&store->mutex, NULL);
	return store;
}

/* Open the rest, and clear away what dead processes left. */
static int open_swept(struct xb_store *store, struct xb_error *err)
{
	struct xb_sweep sweep = XB_SWEEP_INIT;
	int r = open_locked(store, &sweep, err);

	xb_sweep_finish_behind(store, &sweep);
	return r;
}

/* After open_swept() has found the database damaged, which `cause` says. */
static int open_mended(struct xb_store *store, const struct xb_error *cause, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(store, true, err);
	int r = guard < 0 ? guard : xb_mend_database(store, err);

	if (r < 0)
		return r;
	store->mended = xb_strdup(cause->message);
	xb_guard_clear(&guard);
	return open_swept(store, err);
}

static int open_store(const char *root, bool mend, struct xb_store **ret, struct xb_error *err)
{
	xb_auto_store struct xb_store *store = new_store();
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = open_root(store, root, err);

	if (r >= 0)
		r = open_dirs(store, err);
	if (r < 0)
		return r;
	r = open_swept(store, &cause);
	if (r == -EUCLEAN && mend)
		r = open_mended(store, &cause, err);
	else if (r < 0)
		xb_error_move(err, &cause);
	if (r < 0)
		return r;
	xb_durable_settle(store);
	*ret = XB_STEAL(store);
	return 0;
}

int xb_store_open(const char *root, struct xb_store **ret, struct xb_error *err)
{
	return open_store(root, false, ret, err);
}

int xb_store_open_mending(const char *root, struct xb_store **ret, struct xb_error *err)
{
	return open_store(root, true, ret, err);
}

void xb_store_free(struct xb_store *store)
{
	if (store == NULL)
		return;
	xb_durable_settled(store);
	xb_broom_stop(store);
	xb_use_flush(store);
	xb_lease_drop(store);
	xb_db_close(store);
	xb_layout_free(store->layout);
	xb_cleanup_fd(&store->dirfd);
	xb_cleanup_fd(&store->blobs);
	xb_cleanup_fd(&store->snapshots);
	xb_cleanup_fd(&store->ingest);
	xb_cleanup_fd(&store->leases);
	xb_cleanup_fd(&store->locks);
	xb_cleanup_fd(&store->caches);
	xb_cleanup_fd(&store->contexts);
	xb_map_free(store->held);
	xb_map_free(store->begun);
	xb_blob_hashed_clear(store);
	(void)pthread_mutex_destroy(&store->mutex);
	free(store->lease);
	free(store->means_why);
	free(store->supply);
	free(store->mended);
	free(store->root);
	free(store);
}

const char *xb_store_root(const struct xb_store *store)
{
	return store->root;
}

struct xb_layout *xb_store_layout(const struct xb_store *store)
{
	return store->layout;
}

int xb_store_pin(const struct xb_store *store, struct xb_error *err)
{
	return xb_guard_take(store, false, err);
}

int xb_store_dirfd(const struct xb_store *store)
{
	return store->dirfd;
}

int xb_store_contexts(const struct xb_store *store)
{
	return store->contexts;
}
