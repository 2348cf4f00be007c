/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/unpacking.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/pool.h"
#include "builder/cache/blob.h"
#include "builder/cache/explain.h"
#include "builder/cache/keylock.h"
#include "builder/cache/limit.h"
#include "builder/cache/means.h"
#include "builder/layer/unpack.h"
#include "builder/solve/layers.h"
#include "builder/solve/site.h"

static const struct xb_strv nothing;

/* Blobs that are on their way at the same time. */
#define MOST_COMING 8

/* A layer whose snapshot is being made, or was found. */
struct making {
	const struct xb_result_layer *layer;
	struct xb_keylock *lock; /* held while the snapshot is nobody's but this one's */
	struct xb_record record;
	struct xb_unpack_report report; /* `hidden`: what is still to be hidden */
	bool fetched;			/* its blob is in the store */
	uint64_t start;
};

/* How a layer is unpacked. */
struct manner {
	const struct xb_strv *lowers; /* what it is unpacked over, top first */
	bool alone;		      /* without what is below it */
	bool early; /* while its blob arrives; -EXDEV where that has to be done anew */
};

/* A blob that is unpacked while it arrives. */
struct arrival {
	const struct xb_unpack_layer *what;
	const struct xb_unpack_limits *limits;
	int tree;
	struct xb_unpack_job *job; /* NULL: none */
	bool spoiled;		   /* there are files of bytes that were taken back */
};

static void arrival_clear(struct arrival *a)
{
	xb_unpack_job_free(XB_STEAL(a->job));
}

static void arrival_begun(void *context, int fd)
{
	struct arrival *a = context;

	/* what cannot be begun now is unpacked once it is there, and says why it cannot */
	if (!a->spoiled)
		(void)xb_layer_unpack_begin(fd, a->what, a->tree, a->limits, &a->job, NULL);
}

static void arrival_grown(void *context, uint64_t size)
{
	struct arrival *a = context;

	if (a->job != NULL)
		xb_layer_unpack_grown(a->job, size);
}

static void arrival_undone(void *context)
{
	struct arrival *a = context;

	a->spoiled = a->spoiled || a->job != NULL;
	arrival_clear(a);
}

/* Unpack what is in the store. */
static int unpack_blob(struct making *m, const struct xb_unpacking *how, const struct arrival *a,
		       struct xb_error *err)
{
	xb_auto_fd int blob = -1;
	int r = xb_blob_open(how->store, &m->layer->blob, &blob, NULL, err);

	return r < 0 ? r : xb_layer_unpack(blob, a->what, a->tree, a->limits, &m->report, err);
}

/* Have the blob and unpack it, both at once where `early`. */
static int fetch_and_unpack(struct making *m, const struct xb_unpacking *how, struct arrival *a,
			    bool early, struct xb_error *err)
{
	const struct xb_supply_watcher watcher = { arrival_begun, arrival_grown, arrival_undone,
						   a };
	int r = xb_layers_fetch_watched(how->store, m->layer, early ? &watcher : NULL, err);

	if (r < 0)
		return r;
	m->fetched = true;
	if (a->spoiled)
		return xb_error_set(err, -EXDEV, "it began to arrive anew");
	return a->job != NULL ? xb_layer_unpack_finish(a->job, &m->report, err)
			      : unpack_blob(m, how, a, err);
}

/* Unpack one layer into its fresh snapshot. */
static int unpack_into(struct making *m, const struct xb_unpacking *how,
		       const struct manner *manner, struct xb_error *err)
{
	xb_auto_site struct xb_site site = XB_SITE_INIT;
	const struct xb_unpack_layer what = {
		.media_type = m->layer->media_type,
		.size = m->layer->blob_size,
		.digest = m->layer->blob,
		.diff_id = m->layer->diff_id,
		.alone = manner->alone,
	};
	const struct xb_unpack_limits limits = { .unpacked = how->max_layer };
	XB_CLEANUP(arrival_clear) struct arrival a = { .what = &what, .limits = &limits };
	xb_auto_fd int tree = -1;
	int r = xb_site_open(how->store, &m->record.snapshot, manner->lowers, false, &site, err);

	if (r >= 0)
		r = a.tree = tree = xb_site_mount(&site, err);
	if (r >= 0)
		r = fetch_and_unpack(m, how, &a, manner->early, err);
	xb_cleanup_fd(&tree);
	return r == 0 ? xb_site_close(&site, err) : r;
}

static int explain(const struct making *m, int r, struct xb_error *err)
{
	/* a blob that did not come says so itself */
	if (m->fetched)
		r = xb_error_wrap(err, r, "unpacking layer %s", m->layer->blob.text);
	return xb_store_explain(err, r);
}

int xb_unpacking_restore(const struct xb_unpacking *how, const struct xb_result_layer *layer,
			 struct xb_snapshot *ret, struct xb_error *err)
{
	struct making m = { .layer = layer, .report = XB_UNPACK_REPORT_INIT };
	const struct manner manner = { .lowers = &nothing };
	int r;

	xb_limit_enforce(how->store);
	r = xb_snapshot_begin(how->store, &m.record.snapshot, err);
	if (r == 0)
		r = unpack_into(&m, how, &manner, err);
	if (r == 0)
		r = xb_snapshot_commit(how->store, &m.record.snapshot, err);
	xb_strv_append(how->warnings, &m.report.warnings);
	xb_unpack_report_clear(&m.report);
	if (r < 0) {
		xb_snapshot_discard(how->store, &m.record.snapshot);
		return explain(&m, r, err);
	}
	*ret = m.record.snapshot;
	return 0;
}

/* ---- one layer ------------------------------------------------------------------------------ */

/* What was not recorded goes, before anybody else may try. */
static void making_drop(struct making *m, struct xb_store *store)
{
	if (m->lock != NULL && m->record.snapshot.id[0] != '\0')
		xb_snapshot_discard(store, &m->record.snapshot);
	m->record = (struct xb_record){ 0 };
	xb_unpack_report_clear(&m->report);
	xb_keylock_free(XB_STEAL(m->lock));
}

static void key_of(const struct xb_result_layer *layer, struct xb_record *record)
{
	(void)snprintf(record->key, sizeof(record->key), "%s%s", XB_RECORD_CHAIN,
		       layer->chain.text);
}

/*
 * Begin, unless there is a record. Returns 1 with the snapshot begun, 0 with the record of one that
 * is there, -EAGAIN when somebody else is making it and this is not to `wait`.
 */
static int making_begin(struct making *m, struct xb_store *store, bool wait, struct xb_error *err)
{
	int r;

	key_of(m->layer, &m->record);
	r = xb_record_get(store, m->record.key, &m->record, err);
	if (r == 0)
		r = xb_keylock_take(store, m->record.key, wait, &m->lock, err);
	else
		return r > 0 ? 0 : r;
	if (r == 0)
		r = xb_record_get(store, m->record.key, &m->record, err);
	if (r > 0)
		xb_keylock_free(XB_STEAL(m->lock));
	if (r != 0)
		return r > 0 ? 0 : r;
	m->start = xb_clock_monotonic();
	m->report = XB_UNPACK_REPORT_INIT;
	xb_limit_enforce(store);
	r = xb_snapshot_begin(store, &m->record.snapshot, err);
	return r < 0 ? r : 1;
}

/* The snapshot is complete: everybody may have it. */
static int making_record(struct making *m, const struct xb_unpacking *how, struct xb_error *err)
{
	const struct xb_result_layer *layer = m->layer;
	struct xb_record *record = &m->record;
	int r = xb_snapshot_commit(how->store, &record->snapshot, err);

	if (r < 0)
		return r;
	record->diff_id = layer->diff_id;
	/* what lets a tag on an image keep the unpacked layer too */
	record->blob = layer->blob;
	record->blob_size = layer->blob_size;
	(void)snprintf(record->media_type, sizeof(record->media_type), "%s", layer->media_type);
	record->created = xb_clock_now();
	record->duration = xb_clock_monotonic() - m->start;
	r = xb_record_put(how->store, record, err);
	if (r == 0)
		xb_keylock_free(XB_STEAL(m->lock));
	return r;
}

/* Unpack it in its turn. */
static int make_over(const struct xb_unpacking *how, const struct xb_result_layer *layer,
		     const struct xb_strv *lowers, struct xb_snapshot *ret, struct xb_error *err)
{
	struct making m = { .layer = layer, .report = XB_UNPACK_REPORT_INIT };
	const struct manner manner = { .lowers = lowers };
	int r = making_begin(&m, how->store, true, err);

	if (r > 0) {
		r = unpack_into(&m, how, &manner, err);
		xb_strv_append(how->warnings, &m.report.warnings);
		if (r == 0)
			r = making_record(&m, how, err);
	}
	*ret = m.record.snapshot;
	making_drop(&m, how->store);
	return r < 0 ? explain(&m, r, err) : 0;
}

/* ---- several at once ------------------------------------------------------------------------ */

/* One of the layers that are unpacked at once. */
struct early {
	struct making making;
	int status;
	struct xb_error error;
};

struct early_layers XB_ARRAY(struct early);

struct xb_abreast {
	struct xb_unpacking how;
	struct early_layers layers; /* those that were missing, bottom first */
	bool bottom;		    /* nothing is below the first of them */
	atomic_size_t next;	    /* of these */
	atomic_bool failed;	    /* then no more are begun */
};

void xb_abreast_free(struct xb_abreast *abreast)
{
	if (abreast == NULL)
		return;
	for (size_t i = 0; i < abreast->layers.len; i++) {
		making_drop(&abreast->layers.items[i].making, abreast->how.store);
		xb_error_clear(&abreast->layers.items[i].error);
	}
	xb_array_clear(&abreast->layers);
	free(abreast);
}

/*
 * Unpack what `m` has begun without the layers below it, of which there are none for `bottom`. What
 * it hides of them is left to complete(); where trees are copied, that cannot be done.
 */
static int unpack_alone(struct making *m, const struct xb_unpacking *how, bool bottom,
			struct xb_error *err)
{
	const struct manner manner = { .lowers = &nothing, .alone = !bottom, .early = true };
	int r = unpack_into(m, how, &manner, err);

	if (r < 0)
		return r;
	if (m->report.hidden.len == 0)
		return making_record(m, how, err);
	r = xb_means_copies(how->store, err);
	return r > 0 ? xb_error_set(err, -EXDEV, "what it hides is in a copy") : r;
}

static int make_early(struct xb_abreast *abreast, size_t number, struct xb_error *err)
{
	struct making *m = &abreast->layers.items[number].making;
	int r = making_begin(m, abreast->how.store, false, err);

	if (r > 0)
		r = unpack_alone(m, &abreast->how, abreast->bottom && number == 0, err);
	return r;
}

static void make_early_or_drop(struct xb_abreast *abreast, size_t number)
{
	struct early *early = &abreast->layers.items[number];
	xb_auto_error struct xb_error why = XB_ERROR_INIT;
	int r = make_early(abreast, number, &why);

	if (r >= 0)
		return;
	making_drop(&early->making, abreast->how.store);
	/* in its turn, then */
	if (r == -EAGAIN || r == -EXDEV)
		return;
	early->status = r;
	xb_error_move(&early->error, &why);
	atomic_store(&abreast->failed, true);
}

/* One of several threads: take the next of the layers until none is left. */
static int make_some(void *context, size_t lane, struct xb_error *err)
{
	struct xb_abreast *abreast = context;
	size_t number;

	(void)lane;
	(void)err;
	while (!atomic_load(&abreast->failed) &&
	       (number = atomic_fetch_add(&abreast->next, 1)) < abreast->layers.len)
		make_early_or_drop(abreast, number);
	return 0;
}

/* The error of the lowest layer that failed. */
static int first_failure(struct xb_abreast *abreast, struct xb_error *err)
{
	for (size_t i = 0; i < abreast->layers.len; i++) {
		struct early *early = &abreast->layers.items[i];

		if (early->status < 0) {
			if (err != NULL)
				xb_error_move(err, &early->error);
			return explain(&early->making, early->status, err);
		}
	}
	return 0;
}

bool xb_unpacking_done(struct xb_store *store, const struct xb_result_layer *layer)
{
	struct xb_record record = { 0 };

	key_of(layer, &record);
	return xb_record_get(store, record.key, &record, NULL) > 0;
}

/* Of what is here, no more at once than there are processors; what arrives waits mostly. */
static size_t count_lanes(const struct xb_abreast *abreast)
{
	size_t processors = xb_pool_processors();
	size_t coming = 0;
	size_t lanes;

	for (size_t i = 0; i < abreast->layers.len; i++)
		coming += !xb_layers_has(abreast->how.store, abreast->layers.items[i].making.layer);
	/* one layer, or one processor: it may as well be done in its turn */
	if (coming == 0 && processors < 2)
		return 0;
	coming = coming < MOST_COMING ? coming : MOST_COMING;
	lanes = processors > coming ? processors : coming;
	lanes = lanes < abreast->layers.len ? lanes : abreast->layers.len;
	return coming == 0 && lanes < 2 ? 0 : lanes;
}

static void add_missing(struct xb_abreast *abreast, const struct xb_result_layer *layer)
{
	struct early *early;

	if (layer->snapshot.id[0] != '\0' || xb_unpacking_done(abreast->how.store, layer))
		return;
	early = xb_array_push(&abreast->layers);
	*early = (struct early){
		.making = { .layer = layer, .report = XB_UNPACK_REPORT_INIT },
		.error = XB_ERROR_INIT,
	};
}

int xb_unpacking_abreast(const struct xb_unpacking *how, const struct xb_result_layers *layers,
			 size_t first, size_t end, struct xb_abreast **ret, struct xb_error *err)
{
	xb_auto_abreast struct xb_abreast *abreast = xb_calloc(1, sizeof(*abreast));
	size_t lanes;
	int r;

	abreast->how = *how;
	for (size_t i = first; i < end; i++)
		add_missing(abreast, &layers->items[i]);
	lanes = count_lanes(abreast);
	if (lanes == 0)
		return 0;
	abreast->bottom = first == 0 && abreast->layers.items[0].making.layer == &layers->items[0];
	r = xb_pool_each(lanes, make_some, abreast, err);
	if (r == 0)
		r = first_failure(abreast, err);
	if (r == 0)
		*ret = XB_STEAL(abreast);
	return r;
}

/* Hide what the layer hides of those below it. */
static int complete(struct making *m, const struct xb_unpacking *how, const struct xb_strv *lowers,
		    struct xb_error *err)
{
	xb_auto_site struct xb_site site = XB_SITE_INIT;
	xb_auto_fd int tree = -1;
	int r = xb_site_open(how->store, &m->record.snapshot, lowers, false, &site, err);

	if (r >= 0)
		r = tree = xb_site_mount(&site, err);
	if (r >= 0)
		r = xb_layer_hide(tree, &m->report.hidden, err);
	xb_cleanup_fd(&tree);
	if (r >= 0)
		r = xb_site_close(&site, err);
	return r < 0 ? r : making_record(m, how, err);
}

static struct making *find_early(struct xb_abreast *abreast, const struct xb_result_layer *layer)
{
	for (size_t i = 0; abreast != NULL && i < abreast->layers.len; i++) {
		if (abreast->layers.items[i].making.layer == layer)
			return &abreast->layers.items[i].making;
	}
	return NULL;
}

int xb_unpacking_layer(const struct xb_unpacking *how, const struct xb_result_layer *layer,
		       struct xb_abreast *abreast, const struct xb_strv *lowers,
		       struct xb_snapshot *ret, struct xb_error *err)
{
	struct making *m = find_early(abreast, layer);
	int r;

	/* not tried, or in vain */
	if (m == NULL || m->record.snapshot.id[0] == '\0')
		return make_over(how, layer, lowers, ret, err);
	xb_strv_append(how->warnings, &m->report.warnings);
	r = m->lock != NULL ? complete(m, how, lowers, err) : 0;
	if (r < 0)
		return explain(m, r, err);
	*ret = m->record.snapshot;
	return 0;
}
