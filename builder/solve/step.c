/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/step.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "builder/cache/explain.h"
#include "builder/cache/limit.h"
#include "builder/cache/means.h"
#include "builder/solve/blob.h"
#include "builder/solve/fetch.h"
#include "builder/solve/key.h"
#include "builder/solve/lock.h"
#include "builder/solve/mounts.h"
#include "builder/solve/trees.h"
#include "builder/solve/unpacking.h"
#include "builder/solve/work.h"

static int do_work(const struct xb_work *work, struct xb_error *err)
{
	switch (work->step->kind) {
	case XB_STEP_RUN:
		return xb_work_run(work, err);
	case XB_STEP_COPY:
		return xb_work_copy(work, err);
	case XB_STEP_WORKDIR:
		return xb_work_workdir(work, err);
	case XB_STEP_BASE:
	case XB_STEP_FETCH:
		break;
	}
	return xb_error_set(err, -EINVAL, "a step that has no snapshot of its own");
}

static void post_warnings(struct xb_step_shared *shared, size_t index, const struct xb_strv *lines)
{
	for (size_t i = 0; i < lines->len; i++)
		xb_events_post(shared->events, XB_EVENT_WARNING, index, 0,
			       xb_view(lines->items[i]));
}

/* That there are no overlays is told once, at the first step that would have used one. */
static void tell_means(struct xb_step_shared *shared, size_t index)
{
	xb_autofree char *notice = xb_means_notice(shared->store);

	if (notice != NULL)
		xb_events_post(shared->events, XB_EVENT_WARNING, index, 0, xb_view(notice));
}

/* Carry the step out on a fresh snapshot, which `record` then names. */
static int work_on_snapshot(const struct xb_work *plain, struct xb_record *record,
			    struct xb_error *err)
{
	struct xb_step_shared *shared = plain->shared;
	const struct xb_result *below = plain->inputs[0];
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_auto_site struct xb_site site = XB_SITE_INIT;
	struct xb_work work = *plain;
	int r = 0;

	work.lowers = &lowers;
	work.site = &site;
	if (below != NULL && !xb_step_is_linked(work.step) && work.ground == NULL)
		r = xb_trees_paths(shared->store, below, shared->max_layer, &lowers, &warnings,
				   err);
	post_warnings(shared, work.index, &warnings);
	if (r < 0)
		return r;
	r = xb_site_open(shared->store, &record->snapshot, &lowers, work.step->kind == XB_STEP_RUN,
			 &site, err);
	tell_means(shared, work.index);
	if (r == 0)
		r = do_work(&work, err);
	return r == 0 ? xb_site_close(&site, err) : r;
}

/*
 * Others wait for the tree, and their keys for its digest; compressing comes after that. A layer
 * that is in no image is not packed at all.
 */
static int pack(struct xb_step_shared *shared, size_t index, struct xb_record *record,
		struct xb_error *err)
{
	return (shared->uses[index] & (XB_RESULT_LAYER | XB_RESULT_TREE)) == XB_RESULT_LAYER
		       ? xb_step_pack(shared, XB_COMPRESSION_GZIP, 0, record, err)
		       : xb_step_digest(shared, record, err);
}

/* Whether anything of the step is wanted besides its layer in the plain form. */
static bool wants_tree(const struct xb_step_shared *shared, size_t index)
{
	return !shared->layers_only || shared->uses[index] != XB_RESULT_LAYER;
}

static void drop_snapshot(struct xb_step_shared *shared, struct xb_record *record)
{
	xb_snapshot_discard(shared->store, &record->snapshot);
	record->snapshot = (struct xb_snapshot){ 0 };
}

/*
 * Pack the layer of a copy whose tree nobody wants without making the tree, but for the directories
 * around it, which are taken away again. Returns 1 when that is done, 0 when the step has to be
 * carried out.
 */
static int pack_without_tree(const struct xb_work *work, struct xb_record *record,
			     struct xb_error *err)
{
	struct xb_step_shared *shared = work->shared;
	xb_auto_fd int upper = -1;
	int r;

	if (wants_tree(shared, work->index) || work->step->kind != XB_STEP_COPY ||
	    (work->ground == NULL && work->inputs[0] != NULL && !work->step->copy.link))
		return 0;
	r = xb_snapshot_begin(shared->store, &record->snapshot, err);
	if (r == 0)
		r = xb_snapshot_open(shared->store, &record->snapshot, &upper, err);
	if (r == 0)
		r = xb_work_copy_packed(work, upper, record, err);
	drop_snapshot(shared, record);
	return r;
}

static int make_tree_and_pack(const struct xb_work *work, struct xb_record *record,
			      struct xb_error *err)
{
	struct xb_step_shared *shared = work->shared;
	int r = xb_snapshot_begin(shared->store, &record->snapshot, err);

	if (r < 0)
		return r;
	r = work_on_snapshot(work, record, err);
	if (r == 0)
		r = xb_step_cancelled(shared, err);
	if (r == 0)
		r = xb_snapshot_commit(shared->store, &record->snapshot, err);
	return r == 0 ? pack(shared, work->index, record, err) : r;
}

/*
 * The files that a key was made from may have become others before they were read for the work, or
 * meanwhile. Then the build goes on with what was read, but nobody finds it by that key.
 */
static void disown_if_changed(const struct xb_work *work, struct xb_record *record)
{
	if (!*work->changed)
		return;
	xb_step_key_disown(record->key);
	xb_events_post(work->shared->events, XB_EVENT_WARNING, work->index, 0,
		       XB_VIEW("files of the build context were changed while this step read them: "
			       "no later build takes what it made of them for its own"));
}

static int execute(const struct xb_work *work, struct xb_record *record, struct xb_error *err)
{
	static const struct xb_strv nothing = XB_STRV_INIT;
	struct xb_step_shared *shared = work->shared;
	uint64_t start = xb_clock_monotonic();
	bool changed = false;
	struct xb_work here = *work;
	int r;

	here.lowers = &nothing;
	here.changed = &changed;
	r = pack_without_tree(&here, record, err);
	if (r == 0)
		r = make_tree_and_pack(&here, record, err);
	record->created = shared->epoch >= 0 ? shared->epoch : xb_clock_now();
	record->duration = xb_clock_monotonic() - start;
	if (r >= 0) {
		disown_if_changed(&here, record);
		r = xb_record_put(shared->store, record, err);
	}
	if (r < 0)
		drop_snapshot(shared, record);
	return xb_store_explain(err, r);
}

/* Below the store's bound; and where the disk is full all the same, once more with room made. */
static int execute_with_room(const struct xb_work *work, struct xb_record *record,
			     struct xb_error *err)
{
	xb_auto_error struct xb_error full = XB_ERROR_INIT;
	const struct xb_record blank = *record;
	int r;

	xb_limit_enforce(work->shared->store);
	r = execute(work, record, &full);
	if (r == -ENOSPC && xb_limit_relieve(work->shared->store)) {
		*record = blank;
		return execute(work, record, err);
	}
	if (r < 0)
		xb_error_move(err, &full);
	return r;
}

/*
 * Look the key up. Returns 1 when `record` is its result, 0 when there is none. A record whose note
 * is a key stands for the one that has this key: its layer may have been packed since.
 */
static int look_up(struct xb_step_shared *shared, size_t index, const char *key,
		   struct xb_record *record, struct xb_error *err)
{
	char other[XB_RECORD_KEY_SIZE];
	int r;

	if (shared->no_cache || shared->plan->steps[index].fresh)
		return 0;
	r = xb_record_get(shared->store, key, record, err);
	if (r <= 0 || strncmp(record->note, XB_RECORD_STEP, strlen(XB_RECORD_STEP)) != 0)
		return r;
	(void)snprintf(other, sizeof(other), "%.*s", XB_RECORD_KEY_SIZE - 1, record->note);
	return xb_record_get(shared->store, other, record, err);
}

/* Look into caches outside of the store. As look_up(); the step's lock is held. */
static int look_far(struct xb_step_shared *shared, size_t index, const char *key,
		    struct xb_record *record)
{
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	bool found = !shared->no_cache && !shared->plan->steps[index].fresh &&
		     xb_imports_find(shared->imports, key, record, &warnings);

	post_warnings(shared, index, &warnings);
	return found;
}

/* Look there for a step's own key, before anybody has to look at its parent's tree. */
static int import_result(struct xb_step_shared *shared, size_t index, const char *key,
			 struct xb_record *record, struct xb_error *err)
{
	xb_auto_keylock struct xb_keylock *lock = NULL;
	int r = shared->imports != NULL ? xb_step_lock(shared, index, key, &lock, err) : 0;

	if (r < 0 || shared->imports == NULL)
		return r;
	r = look_up(shared, index, key, record, err);
	return r == 0 ? look_far(shared, index, key, record) : r;
}

/* Find the result of `key`, or carry the step out, by one of all who want it at once. */
static int find_or_execute(struct xb_step_shared *shared, size_t index,
			   const struct xb_result *const *inputs, const struct xb_ground *ground,
			   const struct xb_step_key *key, struct xb_record *record,
			   bool *ret_cached, struct xb_error *err)
{
	const struct xb_work work = {
		.shared = shared,
		.index = index,
		.step = &shared->plan->steps[index],
		.inputs = inputs,
		.ground = ground,
		.key = key,
	};
	xb_auto_keylock struct xb_keylock *lock = NULL;
	int r = look_up(shared, index, key->text, record, err);

	if (r == 0)
		r = xb_step_lock(shared, index, key->text, &lock, err);
	if (r == 0)
		r = look_up(shared, index, key->text, record, err);
	if (r == 0 && ground != NULL)
		r = look_far(shared, index, key->text, record);
	*ret_cached = r > 0;
	if (r != 0)
		return r < 0 ? r : 0;
	*record = (struct xb_record){ 0 };
	xb_events_post(shared->events, XB_EVENT_STARTED, index, 0, xb_view(NULL));
	(void)snprintf(record->key, sizeof(record->key), "%s", key->text);
	(void)snprintf(record->title, sizeof(record->title), "%s", work.step->title);
	return execute_with_room(&work, record, err);
}

/* Whether the files of the base that a step stands on are wanted by somebody anyway. */
static bool is_unpacked_anyway(const struct xb_step_shared *shared, size_t index)
{
	const struct xb_plan *plan = shared->plan;
	bool wanted = false;

	for (size_t at = plan->steps[index].parent; at != XB_STEP_NONE; at = plan->steps[at].parent)
		wanted = (shared->uses[at] & XB_RESULT_FILES) != 0;
	return wanted;
}

static bool stands_apart(struct xb_step_shared *shared, const struct xb_step *step,
			 const struct xb_result *const *inputs, const struct xb_sight *root,
			 struct xb_ground *ret)
{
	xb_ground_clear(ret);
	return step->kind == XB_STEP_COPY
		       ? xb_copy_stands_apart(shared, step, inputs + 1, root, ret)
		       : xb_workdir_stands_apart(step, root, ret);
}

/* The same by what layers list of a base that nobody has unpacked yet: 1, or 0 in any doubt. */
static int find_listed_ground(struct xb_step_shared *shared, size_t index,
			      const struct xb_result *const *inputs, struct xb_ground *ret)
{
	xb_auto_sight struct xb_sight root = { 0 };

	return !is_unpacked_anyway(shared, index) &&
	       xb_trees_list(shared->store, inputs[0], shared->shapes, shared->max_layer, &root,
			     NULL) > 0 &&
	       stands_apart(shared, &shared->plan->steps[index], inputs, &root, ret);
}

/* Whether the step is one that needs no more of its parent's tree than `ret`. */
static int find_ground(struct xb_step_shared *shared, size_t index,
		       const struct xb_result *const *inputs, struct xb_ground *ret,
		       struct xb_error *err)
{
	const struct xb_step *step = &shared->plan->steps[index];
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_auto_sight struct xb_sight root = { 0 };
	int fd;

	if (step->kind == XB_STEP_RUN || xb_step_is_linked(step) || inputs[0] == NULL)
		return 0;
	if (find_listed_ground(shared, index, inputs, ret))
		return 1;
	fd = xb_trees_open(shared->store, inputs[0], shared->max_layer, &warnings, err);
	post_warnings(shared, index, &warnings);
	if (fd < 0)
		return fd;
	xb_sight_push(&root, fd);
	return stands_apart(shared, step, inputs, &root, ret);
}

/* How a step's result was found. */
struct finding {
	/* the step's own; where its files have changed, the record's */
	char key[XB_RECORD_KEY_SIZE];
	bool cached;
};

/* Have `key` stand for a record of another key, whose tree and blob are counted there. */
static int put_alias(struct xb_step_shared *shared, const char *key, const struct xb_record *record,
		     struct xb_error *err)
{
	/* when it was put, and not the image's time: whoever collects goes by it */
	struct xb_record alias = { .created = xb_clock_now(), .duration = record->duration };

	(void)snprintf(alias.title, sizeof(alias.title), "%s", record->title);
	(void)snprintf(alias.key, sizeof(alias.key), "%s", key);
	(void)snprintf(alias.note, sizeof(alias.note), "%s", record->key);
	return xb_store_explain(err, xb_record_put(shared->store, &alias, err));
}

/* The result by the key `apart`, which needs no more than `ground` of the parent's tree. */
static int find_or_make_apart(struct xb_step_shared *shared, size_t index,
			      const struct xb_result *const *inputs, const struct xb_ground *ground,
			      const struct xb_step_key *key, struct xb_record *record,
			      struct finding *ret, struct xb_error *err)
{
	const struct xb_step *step = &shared->plan->steps[index];
	struct xb_step_key apart = { 0 };
	int r = xb_step_key_make(shared, step, inputs, ground, &apart, err);
	bool same = apart.state == key->state;

	/* from here on nothing may have changed since the first key was made: both are to be true
	 */
	apart.state = key->state;
	if (r == 0)
		r = find_or_execute(shared, index, inputs, ground, &apart, record, &ret->cached,
				    err);
	if (r < 0)
		return r;
	if (same && (ret->cached || strcmp(record->key, apart.text) == 0))
		return put_alias(shared, key->text, record, err);
	(void)snprintf(ret->key, sizeof(ret->key), "%s", record->key);
	return 0;
}

/*
 * The step's own key needs nothing of its parent's tree, so it comes first: what nobody has to look
 * at need not be unpacked.
 */
static int find_or_make(struct xb_step_shared *shared, size_t index,
			const struct xb_result *const *inputs, struct xb_record *record,
			struct finding *ret, struct xb_error *err)
{
	const struct xb_step *step = &shared->plan->steps[index];
	xb_auto_ground struct xb_ground ground = { 0 };
	struct xb_step_key key = { 0 };
	int r = xb_step_key_make(shared, step, inputs, NULL, &key, err);

	if (r == 0)
		r = look_up(shared, index, key.text, record, err);
	if (r == 0)
		r = import_result(shared, index, key.text, record, err);
	ret->cached = r > 0;
	(void)snprintf(ret->key, sizeof(ret->key), "%s", key.text);
	if (r != 0)
		return r < 0 ? r : 0;
	r = find_ground(shared, index, inputs, &ground, err);
	if (r > 0)
		return find_or_make_apart(shared, index, inputs, &ground, &key, record, ret, err);
	if (r == 0)
		r = find_or_execute(shared, index, inputs, NULL, &key, record, &ret->cached, err);
	if (r == 0 && !ret->cached)
		(void)snprintf(ret->key, sizeof(ret->key), "%s", record->key);
	return r;
}

/* A layer that was packed without a tree gets one, once for all who want it. */
static int restore_tree(struct xb_step_shared *shared, size_t index, struct xb_record *record,
			struct xb_error *err)
{
	xb_auto_keylock struct xb_keylock *lock = NULL;
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	struct xb_result_layer layer = { 0 };
	struct xb_record now = { 0 };
	int r = xb_step_lock(shared, index, record->key, &lock, err);

	if (r == 0)
		r = xb_record_get(shared->store, record->key, &now, err);
	if (r > 0 && now.snapshot.id[0] != '\0') {
		*record = now;
		return 0;
	}
	layer.blob = record->blob;
	layer.blob_size = record->blob_size;
	layer.diff_id = record->diff_id;
	(void)snprintf(layer.media_type, sizeof(layer.media_type), "%s", record->media_type);
	if (r >= 0)
		r = xb_unpacking_restore(
			&(struct xb_unpacking){ shared->store, shared->max_layer, &warnings },
			&layer, &record->snapshot, err);
	post_warnings(shared, index, &warnings);
	if (r == 0)
		r = xb_record_put(shared->store, record, err);
	if (r < 0)
		drop_snapshot(shared, record);
	return xb_store_explain(err, r);
}

static bool is_stacked(const struct xb_record *record)
{
	return record->snapshot.id[0] == '\0' && strcmp(record->note, XB_RECORD_STACKED) == 0;
}

/*
 * The tree of a layer from a cache is made by whoever needs it, as that of a base's layer is. That
 * is the case here when the layer is wanted in a form that is made from a tree.
 */
static int unpack_stacked(struct xb_step_shared *shared, size_t index,
			  const struct xb_result *below, struct xb_record *record,
			  struct xb_error *err)
{
	XB_CLEANUP(xb_result_clear) struct xb_result result = { 0 };
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	int r;

	if ((shared->uses[index] & XB_RESULT_FORM) == 0)
		return 0;
	xb_result_copy(&result, below);
	xb_result_push(&result, record);
	r = xb_trees_top(shared->store, &result, shared->max_layer, &record->snapshot, &warnings,
			 err);
	post_warnings(shared, index, &warnings);
	return r;
}

/* Who exports what was built needs to know under which keys it is found. */
static void note_keys(const struct xb_step_shared *shared, const char *key,
		      const struct xb_record *record, struct xb_result *ret)
{
	if (!shared->keep_keys)
		return;
	ret->key = xb_strdup(key);
	if (strcmp(record->key, key) != 0)
		ret->apart = xb_strdup(record->key);
}

static int find_or_make_whole(struct xb_step_shared *shared, size_t index,
			      const struct xb_result *const *inputs, struct xb_record *record,
			      struct xb_result *ret, struct xb_error *err)
{
	struct finding found = { 0 };
	int r = find_or_make(shared, index, inputs, record, &found, err);

	if (r < 0)
		return r;
	ret->cached = found.cached;
	note_keys(shared, found.key, record, ret);
	if (is_stacked(record))
		return unpack_stacked(shared, index, inputs[0], record, err);
	if (record->snapshot.id[0] != '\0' || !wants_tree(shared, index))
		return 0;
	return restore_tree(shared, index, record, err);
}

static int carry_out_base(struct xb_step_shared *shared, size_t index, struct xb_result *ret,
			  struct xb_error *err)
{
	const struct xb_image *image = shared->plan->steps[index].base.image;
	int r = xb_sources_import(shared->sources, image, err);

	if (r < 0)
		return r;
	xb_result_of_image(ret, image);
	ret->cached = true;
	return 0;
}

/* What the user, or whoever the files are from, has to mend is shown at the step's instruction. */
static int add_place(const struct xb_step *step, int r, struct xb_error *err)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;

	if (err == NULL || err->excerpt != NULL ||
	    (err->fault != XB_FAULT_SOURCE && err->fault != XB_FAULT_REGISTRY))
		return r;
	xb_error_move(&cause, err);
	(void)xb_plan_step_error(step, err, "%s", cause.message);
	err->code = cause.code;
	err->fault = cause.fault;
	if (cause.hint != NULL)
		(void)xb_error_hint(err, "%s", cause.hint);
	return r;
}

int xb_step_carry_out(struct xb_step_shared *shared, size_t index,
		      const struct xb_result *const *inputs, struct xb_result *ret,
		      struct xb_record *record, struct xb_error *err)
{
	const struct xb_step *step = &shared->plan->steps[index];
	int r = xb_step_cancelled(shared, err);

	if (r < 0)
		return r;
	if (step->kind == XB_STEP_BASE)
		r = carry_out_base(shared, index, ret, err);
	else if (step->kind == XB_STEP_FETCH)
		r = xb_store_explain(err, xb_step_fetch(shared, index, ret, err));
	else
		r = find_or_make_whole(shared, index, inputs, record, ret, err);
	if (r < 0)
		return add_place(step, r, err);
	if (step->kind != XB_STEP_BASE && step->kind != XB_STEP_FETCH) {
		xb_result_copy(ret, inputs[0]);
		xb_result_push(ret, record);
	}
	if (ret->cached)
		xb_events_post(shared->events, XB_EVENT_CACHED, index, 0, xb_view(NULL));
	return 0;
}

bool xb_step_recall(struct xb_step_shared *shared, size_t index,
		    const struct xb_result *const *inputs, struct xb_result *ret,
		    struct xb_record *record)
{
	const struct xb_step *step = &shared->plan->steps[index];
	xb_auto_error struct xb_error ignored = XB_ERROR_INIT;
	struct xb_step_key key = { 0 };

	if (step->kind != XB_STEP_WORKDIR &&
	    (step->kind != XB_STEP_RUN || step->run.mount_count > 0))
		return false;
	if (xb_step_key_make(shared, step, inputs, NULL, &key, &ignored) < 0 ||
	    look_up(shared, index, key.text, record, &ignored) <= 0)
		return false;
	if (is_stacked(record) && (shared->uses[index] & XB_RESULT_FORM) != 0)
		return false;
	note_keys(shared, key.text, record, ret);
	xb_result_copy(ret, inputs[0]);
	xb_result_push(ret, record);
	ret->cached = true;
	xb_events_post(shared->events, XB_EVENT_CACHED, index, 0, xb_view(NULL));
	return true;
}

int xb_step_pack_later(struct xb_step_shared *shared, struct xb_record *record,
		       struct xb_error *err)
{
	xb_auto_keylock struct xb_keylock *lock = NULL;
	struct xb_record now = { 0 };
	int r = xb_step_lock(shared, XB_STEP_NONE, record->key, &lock, err);

	if (r == 0)
		r = xb_record_get(shared->store, record->key, &now, err);
	if (r > 0 && !xb_digest_empty(&now.blob) &&
	    strcmp(now.snapshot.id, record->snapshot.id) == 0) {
		*record = now;
		return 0;
	}
	if (r >= 0)
		r = xb_step_pack(shared, XB_COMPRESSION_GZIP, 0, record, err);
	if (r == 0)
		r = xb_record_put(shared->store, record, err);
	return xb_store_explain(err, r);
}
