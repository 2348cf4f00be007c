/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "builder/cache/db.h"
#include "builder/cache/lease.h"
#include "builder/cache/mend.h"
#include "builder/cache/origin.h"
#include "builder/cache/record.h"
#include "builder/cache/state.h"
#include "builder/cache/tag.h"
#include "manifest/image.h"
#include "manifest/layout.h"
#include "manifest/place_layout.h"

/* A verification. */
struct verifying {
	struct xb_store *store;
	const struct xb_verify *what;
	struct xb_verified verified;
	struct xb_strv keys; /* of records that name what is not there */
	uint64_t readable;   /* records */
};

static void flaw(struct verifying *v, const char *kind, const char *name, const char *what,
		 bool repaired)
{
	const struct xb_flaw found = {
		.kind = kind, .name = name, .what = what, .repaired = repaired
	};

	v->verified.flaws++;
	v->verified.repaired += repaired;
	if (v->what->visit != NULL)
		v->what->visit(v->what->context, &found);
}

/* ---- the database --------------------------------------------------------------------------- */

/* What the database says is wrong with itself. */
static int ask_database(struct verifying *v, struct xb_strv *ret, struct xb_error *err)
{
	XB_STORE_LOCKED(v->store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(v->store, "PRAGMA integrity_check(20)", &stmt, err);
	while (r >= 0 && (r = xb_db_step(v->store, stmt, "checking", err)) > 0) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);

		if (text != NULL && strcmp(text, "ok") != 0)
			xb_strv_push(ret, text);
	}
	return r;
}

static int mend_database(struct verifying *v, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(v->store, true, err);

	return guard < 0 ? guard : xb_mend_database(v->store, err);
}

static int verify_database(struct verifying *v, struct xb_error *err)
{
	xb_auto_strv struct xb_strv found = XB_STRV_INIT;
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	bool repair = v->what->repair;
	int r = ask_database(v, &found, &cause);

	if (v->store->mended != NULL)
		flaw(v, "database", "xbuild.db", v->store->mended, true);
	if (r < 0 && (r != -EUCLEAN || !repair)) {
		xb_error_move(err, &cause);
		return r;
	}
	if (r < 0)
		xb_strv_push(&found, cause.message);
	r = repair && found.len > 0 ? mend_database(v, err) : 0;
	for (size_t i = 0; i < found.len; i++)
		flaw(v, "database", "xbuild.db", found.items[i], repair && r >= 0);
	return r;
}

/* ---- blobs ---------------------------------------------------------------------------------- */

/* What is wrong with the blob of this name, or NULL. */
static const char *blob_flaw(struct verifying *v, const char *path, const char *name)
{
	struct xb_digest digest, found;
	struct stat st;
	xb_auto_fd int fd =
		openat(v->store->blobs, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) /* collected meanwhile */
		return NULL;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "it is not a file that can be read";
	if (xb_digest_parse(xb_view(name), &digest, NULL) < 0)
		return "its name is not a digest";
	v->verified.blobs++;
	v->verified.bytes += (uint64_t)st.st_size;
	if (xb_digest_of_file(fd, &digest, &found) < 0)
		return "it cannot be read";
	return xb_digest_eq(&digest, &found) ? NULL : "its content is not what its name says";
}

static int verify_blobs_of(struct verifying *v, const char *algorithm, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(v->store->blobs, algorithm, &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *path = xb_format("%s/%s", algorithm, names.items[i]);
		xb_autofree char *name = xb_format("%s:%s", algorithm, names.items[i]);
		const char *what = blob_flaw(v, path, name);

		if (what != NULL)
			flaw(v, "blob", name, what,
			     v->what->repair && unlinkat(v->store->blobs, path, 0) == 0);
	}
	return r;
}

static int verify_blobs(struct verifying *v, struct xb_error *err)
{
	xb_auto_strv struct xb_strv algorithms = XB_STRV_INIT;
	int r = xb_store_list(v->store->blobs, ".", &algorithms, err);

	for (size_t i = 0; r >= 0 && i < algorithms.len; i++)
		r = verify_blobs_of(v, algorithms.items[i], err);
	return r;
}

/* ---- records -------------------------------------------------------------------------------- */

static int verify_record(void *context, const struct xb_record *record)
{
	struct verifying *v = context;
	const char *what = xb_record_flaw(v->store, record);

	v->readable++;
	if (what == NULL)
		return 0;
	/* not while they are listed */
	if (v->what->repair)
		xb_strv_push(&v->keys, record->key);
	flaw(v, "record", record->key, what, v->what->repair);
	return 0;
}

/* Rows that are no records, which nobody ever sees, are counted alone. */
static int verify_rows(struct verifying *v, struct xb_error *err)
{
	XB_STORE_LOCKED(v->store);
	xb_auto_stmt struct sqlite3_stmt *stmt = NULL;
	int r;

	r = xb_db_prepare(v->store, "SELECT count(*) FROM record", &stmt, err);
	if (r >= 0)
		r = xb_db_step(v->store, stmt, "counting the records of", err);
	if (r < 0)
		return r;
	v->verified.records = (uint64_t)sqlite3_column_int64(stmt, 0);
	if (v->verified.records > v->readable)
		flaw(v, "database", "xbuild.db", "some of its records cannot be read", false);
	return 0;
}

/* Under the lock nobody adds records, or moves away what they name. */
static int look_at_records(struct verifying *v, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(v->store, true, err);
	int r = guard;

	if (r >= 0)
		r = xb_record_each(v->store, verify_record, v, err);
	return r < 0 ? r : verify_rows(v, err);
}

static int verify_records(struct verifying *v, struct xb_error *err)
{
	int r = look_at_records(v, err);

	for (size_t i = 0; r >= 0 && i < v->keys.len; i++)
		r = xb_record_remove(v->store, v->keys.items[i], err);
	return r;
}

/* ---- tags ----------------------------------------------------------------------------------- */

/* What is wrong with the image, or NULL; owned. */
static char *image_flaw(struct xb_store *store, const struct xb_descriptor *root)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;

	if (xb_image_blobs(XB_PLACE_OF(store->layout), root, &blobs, &cause) < 0)
		return xb_strdup(cause.message != NULL ? cause.message : "it cannot be read");
	for (size_t i = 0; i < blobs.len; i++) {
		const struct xb_descriptor *d = &blobs.items[i];

		if (!xb_layout_blob_exists(store->layout, &d->digest, d->size) &&
		    !xb_origin_known(store, &d->digest))
			return xb_format("its blob %s is missing", d->digest.text);
	}
	return NULL;
}

/* List the tags, from an index.json that was made anew where it has to be and may be. */
static int list_tags(struct verifying *v, struct xb_tags *ret, struct xb_error *err)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	xb_autofree char *what = NULL;
	bool names = false;
	int r = xb_tag_list(v->store, ret, &cause);

	if (r >= 0 && !xb_mend_wanted(v->store))
		return 0;
	if (!v->what->repair) {
		flaw(v, "index", "index.json", r < 0 ? cause.message : "it is missing", false);
		return 0;
	}
	r = xb_mend_index(v->store, &names, err);
	what = xb_format("%s%s", cause.message != NULL ? cause.message : "it is missing",
			 names ? "" : "; there is no copy of it: the names of images are lost");
	flaw(v, "index", "index.json", what, r >= 0);
	return r < 0 ? r : xb_tag_list(v->store, ret, err);
}

/* Under the lock no tag gets another image, and no image is collected. Appends names to `broken`.
 */
static int look_at_tags(struct verifying *v, struct xb_strv *broken, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(v->store, true, err);
	xb_auto_tags struct xb_tags tags = { 0 };
	int r = guard < 0 ? guard : list_tags(v, &tags, err);

	if (r < 0)
		return r;
	v->verified.tags = tags.len;
	for (size_t i = 0; i < tags.len; i++) {
		xb_autofree char *what = image_flaw(v->store, &tags.items[i].descriptor);

		if (what == NULL)
			continue;
		flaw(v, "tag", tags.items[i].name, what, v->what->repair);
		xb_strv_push(broken, tags.items[i].name);
	}
	return 0;
}

static int verify_tags(struct verifying *v, struct xb_error *err)
{
	xb_auto_strv struct xb_strv broken = XB_STRV_INIT;
	int r = look_at_tags(v, &broken, err);

	for (size_t i = 0; v->what->repair && r >= 0 && i < broken.len; i++)
		r = xb_tag_remove(v->store, broken.items[i], err);
	return r == -ENOENT ? 0 : r;
}

/* ---- directories ---------------------------------------------------------------------------- */

static int verify_caches(struct verifying *v, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = xb_store_list(v->store->caches, ".", &names, err);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		xb_autofree char *path = xb_format("%s/fs", names.items[i]);

		if (faccessat(v->store->caches, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
		    faccessat(v->store->caches, names.items[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		flaw(v, "cache", names.items[i], "it has no directory",
		     v->what->repair &&
			     xb_remove_tree_at(v->store->caches, names.items[i], NULL) >= 0);
	}
	return r;
}

static int verify_orphans(struct verifying *v, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(v->store, true, err);
	xb_auto_sweep struct xb_sweep sweep = XB_SWEEP_INIT;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = guard;

	if (r >= 0)
		r = xb_sweep_leases(v->store, &sweep, err);
	if (r >= 0)
		r = xb_sweep_list(v->store, &sweep, &names, err);
	for (size_t i = 0; r >= 0 && i < names.len; i++)
		flaw(v, "orphan", names.items[i],
		     "no record and no running process accounts for it", v->what->repair);
	return r;
}

/* Orphans, and the trees of records that were removed. */
static int remove_orphans(struct verifying *v, struct xb_sweep *sweep, struct xb_error *err)
{
	xb_auto_guard int guard = xb_guard_take(v->store, true, err);
	int r = guard;

	if (r >= 0)
		r = xb_sweep_leases(v->store, sweep, err);
	if (r >= 0)
		r = xb_sweep_orphans(v->store, sweep, err);
	return r;
}

static int repair(struct verifying *v, struct xb_error *err)
{
	struct xb_sweep sweep = XB_SWEEP_INIT;
	int r = remove_orphans(v, &sweep, err);

	xb_sweep_finish(v->store, &sweep);
	return r;
}

/* ---- all ------------------------------------------------------------------------------------ */

/* Blobs go first: records and tags that name a damaged one are then seen to lack it. */
static int verify(struct verifying *v, struct xb_error *err)
{
	int r = verify_database(v, err);

	if (r >= 0)
		r = verify_blobs(v, err);
	if (r >= 0)
		r = verify_tags(v, err);
	if (r >= 0)
		r = verify_caches(v, err);
	/* before the trees of records that are removed are nobody's, too */
	if (r >= 0)
		r = verify_orphans(v, err);
	if (r >= 0)
		r = verify_records(v, err);
	return r < 0 || !v->what->repair || v->verified.flaws == 0 ? r : repair(v, err);
}

int xb_store_verify(struct xb_store *store, const struct xb_verify *what, struct xb_verified *ret,
		    struct xb_error *err)
{
	struct verifying v = { .store = store, .what = what };
	int r = verify(&v, err);

	xb_strv_clear(&v.keys);
	if (r < 0)
		return xb_store_wrap(err, r, "checking %s", store->root);
	*ret = v.verified;
	return 0;
}
