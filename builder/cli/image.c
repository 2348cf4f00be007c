/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/image.h"

#include <errno.h>
#include <string.h>

#include "builder/cache/tag.h"
#include "manifest/registry/place.h"

#define LAYOUT_PREFIX "oci:"

void xb_named_image_clear(struct xb_named_image *image)
{
	xb_place_free(image->remote);
	xb_layout_free(image->layout);
	free(image->tag);
	free(image->name);
	*image = (struct xb_named_image){ 0 };
}

static bool is_layout(const char *name)
{
	return strncmp(name, LAYOUT_PREFIX, strlen(LAYOUT_PREFIX)) == 0;
}

/* Split "DIR[:TAG][@DIGEST]"; a ':' before the last '/' belongs to the directory. */
static char *split_layout(const char *text, char **ret_tag)
{
	const char *slash = strrchr(text, '/');
	const char *base = slash != NULL ? slash : text;
	size_t end = (size_t)(base - text) + strcspn(base, ":@");
	const char *digest = strchr(base, '@');

	if (text[end] != '\0')
		*ret_tag = xb_strdup(digest != NULL ? digest + 1 : text + end + 1);
	return xb_view_dup((struct xb_view){ text, end });
}

static int open_layout(const char *name, bool writable, struct xb_named_image *ret,
		       struct xb_error *err)
{
	xb_autofree char *dir = split_layout(name + strlen(LAYOUT_PREFIX), &ret->tag);
	int r = writable ? xb_layout_create(dir, &ret->layout, err)
			 : xb_layout_open(dir, &ret->layout, err);

	if (r < 0)
		return r;
	ret->in_layout =
		writable ? xb_layout_place_rw(ret->layout, true) : xb_layout_place(ret->layout);
	ret->place = &ret->in_layout.place;
	return 0;
}

static int open_remote(const char *name, struct xb_registries *registries,
		       struct xb_named_image *ret, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	struct xb_registry *registry = NULL;
	int r = xb_reference_parse(xb_view(name), &ref, err);

	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return r;
	}
	xb_reference_complete(&ref);
	r = xb_registries_open(registries, &registry, err);
	if (r < 0)
		return r;
	free(ret->name);
	ret->name = xb_reference_format(&ref);
	ret->tag = xb_strdup(xb_digest_empty(&ref.digest) ? ref.tag : ref.digest.text);
	ret->remote = xb_registry_place_new(registry, &ref);
	ret->place = ret->remote;
	return 0;
}

/* Whether the store has a tag of this name. */
static int look_in_store(const char *name, struct xb_store *store, bool *ret, struct xb_error *err)
{
	xb_auto_tags struct xb_tags tags = { 0 };
	int r = xb_tag_list(store, &tags, err);

	*ret = false;
	for (size_t i = 0; r == 0 && i < tags.len; i++)
		*ret |= strcmp(tags.items[i].name, name) == 0;
	return r;
}

int xb_named_image_open(const char *name, struct xb_store *store, struct xb_registries *registries,
			struct xb_named_image *ret, struct xb_error *err)
{
	bool stored = false;
	int r;

	ret->name = xb_strdup(name);
	if (is_layout(name))
		return open_layout(name, false, ret, err);
	r = look_in_store(name, store, &stored, err);
	if (r < 0 || !stored)
		return r < 0 ? r : open_remote(name, registries, ret, err);
	ret->in_store = xb_store_place(store);
	ret->place = &ret->in_store.place;
	ret->tag = xb_strdup(name);
	return 0;
}

int xb_named_image_create(const char *name, struct xb_registries *registries,
			  struct xb_named_image *ret, struct xb_error *err)
{
	struct xb_digest digest;
	int r;

	ret->name = xb_strdup(name);
	r = is_layout(name) ? open_layout(name, true, ret, err)
			    : open_remote(name, registries, ret, err);
	if (r < 0)
		return r;
	if (ret->tag != NULL && xb_digest_parse(xb_view(ret->tag), &digest, NULL) < 0)
		return 0;
	return xb_error_usage(err, "name it REGISTRY/NAME:TAG or oci:DIR:TAG",
			      "%s: what is written needs a tag", name);
}
