/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/name.h"

#include <sqlite3.h>

#include "base/clock.h"
#include "builder/cache/blob.h"
#include "builder/cache/db.h"
#include "builder/cache/state.h"

/* Nothing is written where nothing has changed. */
int xb_name_put(struct xb_store *store, const char *name, const struct xb_descriptor *root,
		struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_recall(store,
			 "INSERT INTO name (name, digest, size, media_type, noted)"
			 " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO UPDATE"
			 " SET digest = ?2, size = ?3, media_type = ?4, noted = ?5"
			 " WHERE digest <> ?2",
			 &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, name);
	xb_db_bind_text(stmt, 2, root->digest.text);
	xb_db_bind_number(stmt, 3, (int64_t)root->size);
	xb_db_bind_text(stmt, 4, root->media_type);
	xb_db_bind_number(stmt, 5, xb_clock_now());
	return xb_db_step(store, stmt, "writing a name to", err);
}

static int find_row(struct xb_store *store, const char *name, struct xb_descriptor *ret,
		    struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	struct xb_digest digest = { 0 };
	const char *type;
	int r;

	r = xb_db_recall(store, "SELECT digest, media_type, size FROM name WHERE name = ?1", &stmt,
			 err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, name);
	r = xb_db_step(store, stmt, "looking for a name in", err);
	if (r <= 0)
		return r;
	type = (const char *)sqlite3_column_text(stmt, 1);
	/* what is not of the right form in a damaged database is not there */
	if (type == NULL ||
	    xb_digest_parse(xb_view((const char *)sqlite3_column_text(stmt, 0)), &digest, NULL) < 0)
		return 0;
	xb_descriptor_init(ret, type, &digest, (uint64_t)sqlite3_column_int64(stmt, 2));
	return 1;
}

int xb_name_get(struct xb_store *store, const char *name, struct xb_descriptor *ret,
		struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor found = XB_DESCRIPTOR_INIT;
	int r = find_row(store, name, &found, err);

	if (r <= 0 || !xb_blob_is_whole(store, &found))
		return r < 0 ? r : 0;
	*ret = found;
	found = XB_DESCRIPTOR_INIT;
	return 1;
}

static int list_names(struct xb_store *store, struct xb_strv *names, struct xb_strv *digests,
		      struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(store, "SELECT name, digest FROM name", &stmt, err);
	while (r >= 0 && (r = xb_db_step(store, stmt, "listing the names of", err)) > 0) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		const char *digest = (const char *)sqlite3_column_text(stmt, 1);

		xb_strv_push(names, name != NULL ? name : "");
		xb_strv_push(digests, digest != NULL ? digest : "");
	}
	return r;
}

static int forget(struct xb_store *store, const char *name, struct xb_error *err)
{
	XB_STORE_LOCKED(store);
	xb_auto_kept struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_recall(store, "DELETE FROM name WHERE name = ?1", &stmt, err);
	if (r < 0)
		return r;
	xb_db_bind_text(stmt, 1, name);
	return xb_db_step(store, stmt, "removing a name from", err);
}

int xb_name_sweep(struct xb_store *store, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_strv struct xb_strv digests = XB_STRV_INIT;
	int r = list_names(store, &names, &digests, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		struct xb_digest digest = { 0 };

		if (xb_digest_parse(xb_view(digests.items[i]), &digest, NULL) < 0 ||
		    !xb_blob_exists(store, &digest))
			r = forget(store, names.items[i], err);
	}
	return r;
}
