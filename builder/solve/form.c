/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/form.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "builder/cache/blob.h"
#include "builder/cache/explain.h"
#include "builder/layer/codec.h"
#include "builder/layer/pack.h"
#include "builder/layer/unpack.h"
#include "builder/solve/blob.h"
#include "builder/solve/layers.h"
#include "builder/solve/lock.h"
#include "manifest/media.h"

static int level_of(const struct xb_form *form)
{
	return form->level != 0 ? form->level : xb_codec_of(form->compression)->default_level;
}

bool xb_form_is_plain(const struct xb_form *form)
{
	const struct xb_form plain = { 0 };

	return form->compression == plain.compression && level_of(form) == level_of(&plain);
}

bool xb_form_eq(const struct xb_form *a, const struct xb_form *b)
{
	return a->compression == b->compression && level_of(a) == level_of(b) &&
	       a->force == b->force && a->docker == b->docker;
}

size_t xb_forms_add(struct xb_forms *forms, const struct xb_form *form)
{
	for (size_t i = 0; i < forms->len; i++) {
		if (xb_form_eq(&forms->items[i], form))
			return i;
	}
	*xb_array_push(forms) = *form;
	return forms->len - 1;
}

static bool is_of_base(const struct xb_result_layer *layer)
{
	return layer->snapshot.id[0] == '\0';
}

bool xb_form_wanted(const struct xb_form *form, const struct xb_result_layer *layer)
{
	if (!is_of_base(layer))
		return !xb_form_is_plain(form);
	return form->force &&
	       (form->level != 0 || xb_media_lookup(layer->media_type)->compression !=
					    xb_codec_of(form->compression)->media);
}

/*
 * A base's tar is compressed as a stream of bytes, a step's along its files: two forms of one tar,
 * of which each has to be the same on every machine.
 */
static void key_of(const struct xb_form *form, const struct xb_result_layer *layer,
		   char key[XB_RECORD_KEY_SIZE])
{
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);

	xb_codec_name(xb_codec_of(form->compression), level_of(form), &name);
	(void)snprintf(key, XB_RECORD_KEY_SIZE, "%s:%s:%s", is_of_base(layer) ? "again" : "form",
		       xb_str_text(&name), layer->diff_id.text);
}

static int pack_step(struct xb_step_shared *shared, const struct xb_form *form,
		     struct xb_record *record, const struct xb_digest *diff_id,
		     struct xb_error *err)
{
	int r = xb_step_pack(shared, form->compression, form->level, record, err);

	if (r == 0 && !xb_digest_eq(&record->diff_id, diff_id))
		return xb_error_set(err, -EILSEQ, "the layer has changed since its step was done");
	return r;
}

/* The blob of a base's layer, decoded in a confined child and compressed again. */
static int pack_base(struct xb_step_shared *shared, const struct xb_form *form,
		     const struct xb_result_layer *layer, struct xb_record *record,
		     struct xb_error *err)
{
	const struct xb_unpack_layer what = {
		.media_type = layer->media_type,
		.size = layer->blob_size,
		.digest = layer->blob,
		.diff_id = layer->diff_id,
	};
	const struct xb_unpack_limits limits = { .unpacked = shared->max_layer };
	xb_auto_ingest struct xb_ingest *tar = NULL;
	xb_auto_fd int blob = -1;
	int r = xb_layers_fetch_one(shared->store, layer, err);

	if (r == 0)
		r = xb_blob_open(shared->store, &layer->blob, &blob, NULL, err);
	if (r == 0)
		r = xb_blob_begin(shared->store, &tar, err);
	if (r == 0)
		r = xb_layer_decode(blob, &what, xb_ingest_fd(tar), &limits, err);
	return r < 0 ? r
		     : xb_step_repack(shared, form->compression, form->level, xb_ingest_fd(tar),
				      record, err);
}

int xb_form_make(struct xb_step_shared *shared, const struct xb_form *form,
		 const struct xb_result_layer *layer, struct xb_error *err)
{
	xb_auto_keylock struct xb_keylock *lock = NULL;
	struct xb_record record = { .snapshot = layer->snapshot };
	struct xb_record known;
	char key[XB_RECORD_KEY_SIZE];
	int r;

	key_of(form, layer, key);
	r = xb_step_lock(shared, XB_STEP_NONE, key, &lock, err);
	if (r == 0)
		r = xb_record_get(shared->store, key, &known, err);
	if (r != 0)
		return r < 0 ? xb_store_explain(err, r) : 0;
	r = is_of_base(layer) ? pack_base(shared, form, layer, &record, err)
			      : pack_step(shared, form, &record, &layer->diff_id, err);
	/* the record is about the blob: the snapshot may go before it */
	record.snapshot = (struct xb_snapshot){ 0 };
	record.created = xb_clock_now();
	(void)snprintf(record.key, sizeof(record.key), "%s", key);
	if (r == 0)
		r = xb_record_put(shared->store, &record, err);
	return xb_store_explain(err, r);
}

/* Docker has no type of its own for zstd that its tools would know. */
static const char *media_type_of(const struct xb_form *form, const char *media_type)
{
	const struct xb_media *media = xb_media_lookup(media_type);

	if (media->kind != XB_MEDIA_LAYER || media->foreign)
		return media_type;
	return xb_media_layer(media->compression, form->docker);
}

int xb_form_descriptor(struct xb_store *store, const struct xb_form *form,
		       const struct xb_result_layer *layer, struct xb_descriptor *ret,
		       struct xb_error *err)
{
	struct xb_record record = { 0 };
	char key[XB_RECORD_KEY_SIZE];
	int r;

	if (!xb_form_wanted(form, layer)) {
		xb_descriptor_init(ret, media_type_of(form, layer->media_type), &layer->blob,
				   layer->blob_size);
		return 0;
	}
	key_of(form, layer, key);
	r = xb_record_get(store, key, &record, err);
	if (r == 0)
		r = xb_error_set(err, -ENOENT, "the layer %s is not there any more",
				 layer->diff_id.text);
	if (r < 0)
		return r;
	xb_descriptor_init(ret, media_type_of(form, record.media_type), &record.blob,
			   record.blob_size);
	return 0;
}
