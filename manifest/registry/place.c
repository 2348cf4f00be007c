/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/place.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/map.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "manifest/registry/registry.h"

/* How many bytes of documents are kept. */
#define MAX_KEPT ((size_t)8 << 20)

struct registry_place {
	struct xb_place place;
	struct xb_registry *registry;
	char *domain;
	char *path;
	char *name;

	pthread_mutex_t lock; /* guards what follows */
	struct xb_map *kept;  /* digest -> struct xb_str * */
	size_t kept_size;
};

static struct registry_place *own(struct xb_place *place)
{
	return (struct registry_place *)place;
}

/* A reference into the repository; its strings are the place's but for the tag, which is `tag`. */
static struct xb_reference name_it(struct registry_place *place, const char *tag,
				   const struct xb_digest *digest)
{
	struct xb_reference ref = { .domain = place->domain, .path = place->path };

	ref.tag = (char *)(uintptr_t)tag;
	if (digest != NULL)
		ref.digest = *digest;
	return ref;
}

/* ---- documents that were read ------------------------------------------------------------- */

static void keep(struct registry_place *place, const struct xb_digest *digest, struct xb_view bytes)
{
	struct xb_str *copy;

	(void)pthread_mutex_lock(&place->lock);
	if (place->kept_size + bytes.len <= MAX_KEPT &&
	    xb_map_get(place->kept, xb_view(digest->text)) == NULL) {
		copy = xb_alloc(sizeof(*copy));
		*copy = XB_STR_INIT(XB_STR_OWN);
		(void)xb_str_append_view(copy, bytes);
		(void)xb_map_set(place->kept, xb_view(digest->text), copy);
		place->kept_size += bytes.len;
	}
	(void)pthread_mutex_unlock(&place->lock);
}

/* Append a document that was kept; returns whether there is one. */
static bool recall(struct registry_place *place, const struct xb_descriptor *document,
		   struct xb_str *text)
{
	const struct xb_str *kept;

	(void)pthread_mutex_lock(&place->lock);
	kept = xb_map_get(place->kept, xb_view(document->digest.text));
	(void)pthread_mutex_unlock(&place->lock);
	return kept != NULL && kept->len == document->size &&
	       xb_str_append_view(text, xb_str_view(kept)) == 0;
}

static int forget(void *context, const char *key, void *value)
{
	struct xb_str *text = value;

	(void)context;
	(void)key;
	xb_str_clear(text);
	free(text);
	return 0;
}

/* ---- what a place can do ------------------------------------------------------------------ */

static int registry_resolve(struct xb_place *place, const char *name, struct xb_descriptor *ret,
			    struct xb_error *err)
{
	struct registry_place *self = own(place);
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_MANIFEST);
	struct xb_reference ref = name_it(self, name != NULL ? name : "latest", NULL);
	int r;

	if (name != NULL && xb_digest_parse(xb_view(name), &ref.digest, NULL) == 0)
		ref.tag = NULL;
	r = xb_registry_get_manifest(self->registry, &ref, &bytes, ret, err);
	if (r == 0)
		keep(self, &ret->digest, xb_str_view(&bytes));
	return r;
}

static bool is_document(const struct xb_descriptor *d)
{
	enum xb_media_kind kind = xb_media_kind(d->media_type);

	return kind == XB_MEDIA_INDEX || kind == XB_MEDIA_MANIFEST;
}

/* A config, or another document that is a blob to a registry. */
static int append_piece(void *context, const void *data, size_t len, struct xb_error *err)
{
	if (xb_str_append(context, data, len) < 0)
		return xb_error_set(err, -EFBIG, "the document is too large");
	return 0;
}

static int append_restart(void *context, struct xb_error *err)
{
	(void)err;
	xb_str_truncate(context, 0);
	return 0;
}

static int read_blob(struct registry_place *self, const struct xb_descriptor *document,
		     size_t limit, struct xb_str *text, struct xb_error *err)
{
	struct xb_reference ref = name_it(self, NULL, NULL);
	xb_auto_str struct xb_str bytes = XB_STR_INIT(limit);
	const struct xb_blob_sink sink = { &bytes, append_piece, append_restart };
	int r = xb_registry_get_blob(self->registry, &ref, document, &sink, err);

	if (r == 0 && xb_str_append_view(text, xb_str_view(&bytes)) < 0)
		r = xb_error_set(err, -EFBIG, "%s is too large", document->digest.text);
	return r;
}

static int read_manifest(struct registry_place *self, const struct xb_descriptor *document,
			 size_t limit, struct xb_str *text, struct xb_error *err)
{
	struct xb_reference ref = name_it(self, NULL, &document->digest);
	xb_auto_descriptor struct xb_descriptor got = XB_DESCRIPTOR_INIT;
	xb_auto_str struct xb_str bytes = XB_STR_INIT(limit);
	int r = xb_registry_get_manifest(self->registry, &ref, &bytes, &got, err);

	if (r < 0)
		return r;
	if (got.size != document->size) {
		(void)xb_error_set(err, -EBADMSG, "%s has %llu bytes, its descriptor says %llu",
				   document->digest.text, (unsigned long long)got.size,
				   (unsigned long long)document->size);
		return xb_error_fault(err, XB_FAULT_REGISTRY);
	}
	keep(self, &document->digest, xb_str_view(&bytes));
	if (xb_str_append_view(text, xb_str_view(&bytes)) < 0)
		return xb_error_set(err, -EFBIG, "%s is too large", document->digest.text);
	return 0;
}

static int registry_read(struct xb_place *place, const struct xb_descriptor *document, size_t limit,
			 struct xb_str *text, struct xb_error *err)
{
	struct registry_place *self = own(place);

	if (document->size > limit) {
		(void)xb_error_set(err, -EFBIG, "%s has %llu bytes; at most %zu are read",
				   document->digest.text, (unsigned long long)document->size,
				   limit);
		return xb_error_fault(err, XB_FAULT_REGISTRY);
	}
	if (recall(self, document, text))
		return 0;
	return is_document(document) ? read_manifest(self, document, limit, text, err)
				     : read_blob(self, document, limit, text, err);
}

static int registry_has(struct xb_place *place, const struct xb_descriptor *blob, bool *ret,
			struct xb_error *err)
{
	struct registry_place *self = own(place);
	struct xb_reference ref = name_it(self, NULL, is_document(blob) ? &blob->digest : NULL);
	xb_auto_descriptor struct xb_descriptor found = XB_DESCRIPTOR_INIT;
	xb_auto_error struct xb_error fault = XB_ERROR_INIT;
	int r;

	if (!is_document(blob))
		return xb_registry_has_blob(self->registry, &ref, blob, ret, err);
	r = xb_registry_head(self->registry, &ref, &found, &fault);
	*ret = r == 0;
	if (r == 0 || r == -ENOENT)
		return 0;
	if (err != NULL)
		xb_error_move(err, &fault);
	return r;
}

static int registry_check(struct xb_place *place, const struct xb_descriptor *blob,
			  struct xb_error *err)
{
	(void)place;
	(void)blob;
	(void)err;
	return 0;
}

static int registry_get(struct xb_place *place, const struct xb_descriptor *blob,
			const struct xb_blob_sink *sink, struct xb_error *err)
{
	struct registry_place *self = own(place);
	struct xb_reference ref = name_it(self, NULL, NULL);

	return xb_registry_get_blob(self->registry, &ref, blob, sink, err);
}

static int registry_put(struct xb_place *place, const struct xb_descriptor *blob,
			const struct xb_blob_source *source, struct xb_error *err)
{
	struct registry_place *self = own(place);
	struct xb_reference ref = name_it(self, NULL, NULL);

	return xb_registry_put_blob(self->registry, &ref, blob, source, err);
}

static int registry_put_document(struct xb_place *place, const struct xb_descriptor *document,
				 struct xb_view bytes, struct xb_error *err)
{
	struct registry_place *self = own(place);
	struct xb_reference ref = name_it(self, NULL, &document->digest);

	return xb_registry_put_manifest(self->registry, &ref, document->media_type, bytes, err);
}

static const struct xb_place_ops registry_ops;

static int registry_mount(struct xb_place *place, struct xb_place *from,
			  const struct xb_descriptor *blob, bool *ret, struct xb_error *err)
{
	struct registry_place *self = own(place);
	struct xb_reference ref = name_it(self, NULL, NULL);

	*ret = false;
	if (from->ops != &registry_ops || strcmp(own(from)->domain, self->domain) != 0)
		return 0;
	return xb_registry_mount_blob(self->registry, &ref, own(from)->path, blob, ret, err);
}

static int registry_tag(struct xb_place *place, const char *tag,
			const struct xb_descriptor *document, struct xb_view bytes,
			struct xb_error *err)
{
	struct registry_place *self = own(place);
	struct xb_reference ref = name_it(self, tag, &document->digest);

	return xb_registry_put_manifest(self->registry, &ref, document->media_type, bytes, err);
}

/* A repository that is not there yet has no tags. */
static int registry_tags(struct xb_place *place, struct xb_strv *ret, struct xb_error *err)
{
	struct registry_place *self = own(place);
	struct xb_reference ref = name_it(self, NULL, NULL);
	xb_auto_error struct xb_error fault = XB_ERROR_INIT;
	int r = xb_registry_tags(self->registry, &ref, ret, &fault);

	if (r < 0 && r != -ENOENT)
		xb_error_move(err, &fault);
	return r == -ENOENT ? 0 : r;
}

/* Not all registries take back a tag alone; what is left then is the document with all its tags. */
static int registry_untag(struct xb_place *place, const char *tag,
			  const struct xb_descriptor *document, struct xb_error *err)
{
	struct registry_place *self = own(place);
	struct xb_reference by_tag = name_it(self, tag, NULL);
	struct xb_reference by_digest = name_it(self, NULL, &document->digest);

	if (xb_registry_delete_manifest(self->registry, &by_tag, NULL) == 0)
		return 0;
	return xb_registry_delete_manifest(self->registry, &by_digest, err);
}

static void registry_free(struct xb_place *place)
{
	struct registry_place *self = own(place);

	(void)xb_map_each(self->kept, forget, NULL);
	xb_map_free(self->kept);
	(void)pthread_mutex_destroy(&self->lock);
	free(self->domain);
	free(self->path);
	free(self->name);
	free(self);
}

static const struct xb_place_ops registry_ops = {
	.resolve = registry_resolve,
	.read = registry_read,
	.has = registry_has,
	.check = registry_check,
	.get = registry_get,
	.put = registry_put,
	.put_document = registry_put_document,
	.mount = registry_mount,
	.tag = registry_tag,
	.tags = registry_tags,
	.untag = registry_untag,
	.free = registry_free,
};

struct xb_place *xb_registry_place_new(struct xb_registry *registry, const struct xb_reference *ref)
{
	struct registry_place *self = xb_calloc(1, sizeof(*self));

	self->registry = registry;
	self->domain = xb_strdup(ref->domain);
	self->path = xb_strdup(ref->path);
	self->name = xb_reference_name(ref);
	self->kept = xb_map_new();
	(void)pthread_mutex_init(&self->lock, NULL);
	self->place = (struct xb_place){ .ops = &registry_ops, .name = self->name };
	return &self->place;
}
