/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/cache/db.h"
#include "builder/cache/durable.h"
#include "builder/cache/lease.h"
#include "manifest/index.h"
#include "manifest/manifest.h"

#define INDEX	   "index.json"
#define INDEX_COPY "index.json-copy"
#define INDEX_LOST "index.json-damaged"

/* ---- the database --------------------------------------------------------------------------- */

/* Others have the files open, and would go on writing to what was set aside. */
static int refuse_company(struct xb_store *store, struct xb_error *err)
{
	xb_auto_sweep struct xb_sweep sweep = XB_SWEEP_INIT;
	int r = xb_sweep_leases(store, &sweep, err);

	if (r < 0 || xb_map_len(sweep.live) <= 1)
		return r;
	(void)xb_error_set(
		err, -EBUSY,
		"the database of %s is damaged, and other xbuild processes use the store",
		store->root);
	(void)xb_error_fault(err, XB_FAULT_STORE);
	(void)xb_error_hint(err, "wait until they have ended, and repair it then");
	return -EBUSY;
}

/* The log belongs to the file whose name it has. */
static int move_database(const struct xb_store *store, struct xb_error *err)
{
	static const char *const suffixes[] = { "-shm", "-wal", "" };

	for (size_t i = 0; i < XB_COUNT(suffixes); i++) {
		xb_autofree char *from = xb_format("xbuild.db%s", suffixes[i]);
		xb_autofree char *to = xb_format("xbuild.db-damaged%s", suffixes[i]);

		(void)unlinkat(store->dirfd, to, 0);
		if (renameat(store->dirfd, from, store->dirfd, to) < 0 && errno != ENOENT)
			return xb_store_errno(err, -errno, "setting %s/%s aside", store->root,
					      from);
	}
	return 0;
}

int xb_mend_database(struct xb_store *store, struct xb_error *err)
{
	int r = refuse_company(store, err);

	if (r < 0)
		return r;
	xb_durable_settled(store); /* it may have a connection of its own */
	XB_STORE_LOCKED(store);
	xb_db_close(store);
	r = move_database(store, err);
	return r < 0 ? r : xb_db_open(store, err);
}

/* ---- index.json ----------------------------------------------------------------------------- */

/* Read the copy; whether it is an index. */
static bool read_copy(const struct xb_store *store, struct xb_str *text, struct xb_index *ret)
{
	return xb_file_read_at(store->dirfd, INDEX_COPY, text, NULL) >= 0 &&
	       xb_index_parse(xb_str_view(text), NULL, ret, NULL) >= 0;
}

int xb_mend_index(struct xb_store *store, bool *ret_names, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = 0;

	(void)unlinkat(store->dirfd, INDEX_LOST, 0);
	if (linkat(store->dirfd, INDEX, store->dirfd, INDEX_LOST, 0) < 0 && errno != ENOENT)
		return xb_store_errno(err, -errno, "keeping %s/" INDEX, store->root);
	*ret_names = read_copy(store, &text, &index);
	if (!*ret_names) {
		xb_auto_index struct xb_index empty = XB_INDEX_INIT;

		xb_str_reset(&text);
		r = xb_index_write(&empty, &text, err);
	}
	if (r >= 0)
		r = xb_file_replace_at(store->dirfd, INDEX, text.data, text.len, true, err);
	return r < 0 ? xb_store_wrap(err, r, "mending %s/" INDEX, store->root) : 0;
}

bool xb_mend_wanted(const struct xb_store *store)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);

	return faccessat(store->dirfd, INDEX, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
	       read_copy(store, &text, &index) && index.manifests.len > 0;
}

void xb_mend_keep_index(const struct xb_store *store)
{
	xb_auto_str struct xb_str now = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_str struct xb_str copy = XB_STR_INIT(XB_MAX_MANIFEST);
	/* who changes index.json has this lock: two who have changed it do not copy crosswise */
	xb_auto_fd int lock = openat(store->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lock >= 0 && flock(lock, LOCK_EX) == 0 &&
	    xb_file_read_at(store->dirfd, INDEX, &now, NULL) >= 0) {
		if (xb_file_read_at(store->dirfd, INDEX_COPY, &copy, NULL) >= 0 &&
		    xb_view_eq(xb_str_view(&copy), xb_str_view(&now)))
			return;
		if (xb_file_replace_at(store->dirfd, INDEX_COPY, now.data, now.len, false, NULL) >=
		    0)
			return;
	}
	(void)unlinkat(store->dirfd, INDEX_COPY, 0);
}
