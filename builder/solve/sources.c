/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/sources.h"

#include <errno.h>
#include <string.h>

#include "base/pool.h"
#include "builder/cache/origin.h"
#include "builder/cache/place.h"
#include "builder/cache/tag.h"
#include "builder/plan/fetch.h"
#include "builder/solve/remote.h"
#include "builder/solve/repositories.h"
#include "manifest/place_layout.h"
#include "manifest/reference.h"
#include "platforms/host.h"

#define LAYOUT_SCHEME "oci-layout://"
#define IMAGE_SCHEME  "docker-image://"
#define PLATFORM_MARK "::"

/* One --build-context. */
struct named {
	char *name;		    /* as given, without its platform */
	char *platform;		    /* "::PLATFORM" behind the name: it is for that one; or NULL */
	char *reference;	    /* the name as a normalised image reference, or NULL */
	struct xb_context *context; /* a directory, or NULL: an image */
	char *image;		    /* the image that it is another name of, or NULL */
	char *url;		    /* of something elsewhere, or NULL */
	struct xb_layout *layout;
	struct xb_layout_place place; /* the layout */
	char *tag;		      /* within the layout, NULL: its only one */
};
struct named_list XB_ARRAY(struct named);

/* An image that was found, with the place that has its blobs. */
struct found {
	char *name;
	struct xb_platform platform;
	bool any; /* it may be an image for another platform */
	struct xb_image *image;
	struct xb_place *place;
};
struct found_list XB_ARRAY(struct found);

struct xb_sources {
	struct xb_store *store;
	struct xb_store_place tagged; /* the store, for its tags */
	struct named_list named;
	struct found_list found;
	struct xb_repositories *repositories; /* NULL: there are none */
	bool fresh;			      /* tags of the store do not count */
	struct xb_fetch_options fetch;
};

/* What two spellings of an image's name have in common; NULL when it is none. */
static char *normal_reference(const char *name)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	if (xb_reference_parse(xb_view(name), &ref, NULL) < 0)
		return NULL;
	xb_reference_complete(&ref);
	return xb_reference_format(&ref);
}

/* Split NAME[::PLATFORM]; the platform as it is normally written, NULL where there is none. */
static int split_name(struct xb_view text, char **ret_name, char **ret_platform,
		      struct xb_error *err)
{
	xb_autofree char *name = xb_view_dup(text);
	char *colons = strstr(name, PLATFORM_MARK);
	struct xb_platform host, platform;
	int r = 0;

	if (colons != NULL) {
		*colons = '\0';
		r = xb_platform_host(&host, err);
		if (r == 0)
			r = xb_platform_parse(xb_view(colons + strlen(PLATFORM_MARK)), &host,
					      &platform, err);
		if (r < 0)
			return r;
		*ret_platform = xb_strdup(xb_platform_name(&platform).text);
	}
	*ret_name = XB_STEAL(name);
	return 0;
}

static int check_image(const char *name, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	return xb_reference_parse(xb_view(name), &ref, err);
}

/* A directory, or what is fetched when it is needed. */
static int open_files(struct named *named, const char *value, struct xb_error *err)
{
	enum xb_source_form form = XB_FORM_PATH;
	int r = xb_source_context_form(value, &form, err);

	if (r < 0 && err != NULL)
		err->fault = XB_FAULT_USAGE; /* not a source of the Dockerfile's */
	if (r == 0 && form != XB_FORM_PATH)
		named->url = xb_strdup(value);
	if (r < 0 || form != XB_FORM_PATH)
		return r;
	if (strstr(value, "://") == NULL)
		return xb_context_open(value, NULL, &named->context, err);
	(void)xb_error_set(err, -EINVAL, "%s: this is no kind of build context", value);
	(void)xb_error_hint(err, "give a directory, a URL, a git repository, "
				 "oci-layout://DIR[:TAG] or docker-image://NAME");
	return -EINVAL;
}

static int open_named(struct named *named, const char *value, struct xb_error *err)
{
	xb_autofree char *dir = NULL;
	int r;

	if (strncmp(value, LAYOUT_SCHEME, strlen(LAYOUT_SCHEME)) == 0) {
		dir = xb_layout_split_name(value + strlen(LAYOUT_SCHEME), &named->tag);
		r = xb_layout_open(dir, &named->layout, err);
		if (r == 0)
			named->place = xb_layout_place(named->layout);
	} else if (strncmp(value, IMAGE_SCHEME, strlen(IMAGE_SCHEME)) == 0) {
		/* looked for when it is needed, not before */
		named->image = xb_strdup(value + strlen(IMAGE_SCHEME));
		r = check_image(named->image, err);
	} else {
		r = open_files(named, value, err);
	}
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return xb_error_wrap(err, r, "--build-context %s", named->name);
	}
	return 0;
}

static int add_named(struct xb_sources *sources, struct xb_view name, const char *value,
		     struct xb_error *err)
{
	struct named *entry = xb_array_push(&sources->named);

	if (split_name(name, &entry->name, &entry->platform, err) < 0) {
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return xb_error_wrap(err, -EINVAL, "--build-context %.*s", XB_VIEW_ARGS(name));
	}
	entry->reference = normal_reference(entry->name);
	return open_named(entry, value, err);
}

int xb_sources_new(struct xb_store *store, const struct xb_strv *named, struct xb_sources **ret,
		   struct xb_error *err)
{
	xb_auto_sources struct xb_sources *sources = xb_calloc(1, sizeof(*sources));

	sources->store = store;
	sources->tagged = xb_store_place(store);
	sources->fetch.cancel_fd = -1;
	for (size_t i = 0; i < named->len; i++) {
		struct xb_view value = xb_view(named->items[i]);
		struct xb_view name;
		int r;

		(void)xb_view_split(&value, '=', &name);
		if (name.len == 0 || name.data[0] == ':' || value.len == 0) {
			(void)xb_error_set(err, -EINVAL, "--build-context %s: not NAME=VALUE",
					   named->items[i]);
			return xb_error_fault(err, XB_FAULT_USAGE);
		}
		r = add_named(sources, name, value.data, err);
		if (r < 0)
			return r;
	}
	*ret = XB_STEAL(sources);
	return 0;
}

void xb_sources_free(struct xb_sources *sources)
{
	if (sources == NULL)
		return;
	for (size_t i = 0; i < sources->named.len; i++) {
		free(sources->named.items[i].name);
		free(sources->named.items[i].platform);
		free(sources->named.items[i].reference);
		free(sources->named.items[i].image);
		free(sources->named.items[i].url);
		free(sources->named.items[i].tag);
		xb_context_free(sources->named.items[i].context);
		xb_layout_free(sources->named.items[i].layout);
	}
	for (size_t i = 0; i < sources->found.len; i++) {
		free(sources->found.items[i].name);
		xb_image_clear(sources->found.items[i].image);
		free(sources->found.items[i].image);
	}
	xb_repositories_free(sources->repositories);
	xb_array_clear(&sources->named);
	xb_array_clear(&sources->found);
	free(sources);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* `text` is NAME or NAME::PLATFORM, and an entry with a platform is only found by the latter. */
static struct named *find_named(const struct xb_sources *sources, const char *text)
{
	xb_autofree char *name = NULL;
	xb_autofree char *platform = NULL;
	xb_autofree char *reference = NULL;

	if (split_name(xb_view(text), &name, &platform, NULL) < 0)
		return NULL;
	reference = normal_reference(name);
	for (size_t i = 0; i < sources->named.len; i++) {
		struct named *named = &sources->named.items[i];

		if (!same_text(named->platform, platform))
			continue;
		if (strcmp(named->name, name) == 0)
			return named;
		if (reference != NULL && named->reference != NULL &&
		    strcmp(named->reference, reference) == 0)
			return named;
	}
	return NULL;
}

/* The store's tag of that name, in its own spelling or normalised; NULL: there is none. */
static int find_tag(struct xb_sources *sources, const char *name, char **ret_digest,
		    struct xb_error *err)
{
	xb_autofree char *reference = normal_reference(name);
	xb_auto_tags struct xb_tags tags = { 0 };
	int r = xb_tag_list(sources->store, &tags, err);

	for (size_t i = 0; r == 0 && *ret_digest == NULL && i < tags.len; i++) {
		xb_autofree char *other = normal_reference(tags.items[i].name);

		if (strcmp(tags.items[i].name, name) == 0 ||
		    (reference != NULL && other != NULL && strcmp(reference, other) == 0))
			*ret_digest = xb_strdup(tags.items[i].descriptor.digest.text);
	}
	return r;
}

/* In a registry: `*ret_tag` is a digest where the name has one, else its tag. */
static int locate_remote(struct xb_sources *sources, const char *name, struct xb_place **ret,
			 char **ret_tag, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	int r = xb_reference_parse(xb_view(name), &ref, err);

	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_SOURCE);
		return r;
	}
	if (sources->repositories == NULL) {
		(void)xb_error_set(err, -ENOENT,
				   "no image called %s among the build contexts and the store's "
				   "tags, and registries are not asked",
				   name);
		(void)xb_error_hint(err, "give it with --build-context %s=oci-layout://DIR[:TAG]",
				    name);
		return xb_error_fault(err, XB_FAULT_REGISTRY);
	}
	xb_reference_complete(&ref);
	*ret_tag = xb_strdup(xb_digest_empty(&ref.digest) ? ref.tag : ref.digest.text);
	return xb_repositories_open(sources->repositories, &ref, ret, err);
}

/* Which place and which name in it `name` means. */
static int locate(struct xb_sources *sources, const char *name, struct xb_place **ret,
		  char **ret_tag, struct xb_error *err)
{
	struct named *named = find_named(sources, name);
	int r = 0;

	if (named != NULL && named->image != NULL) {
		name = named->image;
		named = find_named(sources, name);
	}
	/* A name of a name of an image is not followed: it might lead in a circle. */
	if (named != NULL && named->layout != NULL) {
		*ret = &named->place.place;
		*ret_tag = xb_strdup(named->tag);
		return 0;
	}
	if (!sources->fresh)
		r = find_tag(sources, name, ret_tag, err);
	if (r < 0)
		return r;
	if (*ret_tag == NULL)
		return locate_remote(sources, name, ret, ret_tag, err);
	*ret = &sources->tagged.place;
	return 0;
}

static const struct found *find_found(const struct xb_sources *sources, const char *name,
				      const struct xb_platform *platform, bool any)
{
	for (size_t i = 0; i < sources->found.len; i++) {
		const struct found *found = &sources->found.items[i];

		if (strcmp(found->name, name) == 0 && found->any == any &&
		    xb_platform_eq(&found->platform, platform))
			return found;
	}
	return NULL;
}

static int source_image(void *context, const char *name, const struct xb_platform *platform,
			bool any, const struct xb_image **ret, struct xb_error *err)
{
	struct xb_sources *sources = context;
	const struct found *known = find_found(sources, name, platform, any);
	struct xb_place *place = NULL;
	xb_autofree char *tag = NULL;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	struct found *found;
	int r;

	if (known != NULL) {
		*ret = known->image;
		return 0;
	}
	r = locate(sources, name, &place, &tag, err);
	if (r == 0)
		r = any ? xb_image_load_any(place, tag, platform, &image, err)
			: xb_image_load(place, tag, platform, &image, err);
	if (r < 0)
		return r;
	found = xb_array_push(&sources->found);
	found->name = xb_strdup(name);
	found->platform = *platform;
	found->any = any;
	found->place = place;
	found->image = xb_alloc(sizeof(*found->image));
	*found->image = image;
	image = XB_IMAGE_INIT;
	*ret = found->image;
	return 0;
}

static enum xb_source_kind source_kind(void *context, const char *name)
{
	const struct named *named = find_named(context, name);

	if (named == NULL)
		return XB_SOURCE_IMAGE;
	if (named->url != NULL)
		return XB_SOURCE_REMOTE;
	if (named->image != NULL && strcmp(named->image, "scratch") == 0)
		return XB_SOURCE_SCRATCH;
	return named->context != NULL ? XB_SOURCE_DIRECTORY : XB_SOURCE_NAMED;
}

static const char *source_url(void *context, const char *name)
{
	return find_named(context, name)->url;
}

static int source_time(void *context, const struct xb_step_fetch *fetch, int64_t *ret,
		       struct xb_error *err)
{
	const struct xb_sources *sources = context;

	return xb_fetch_time(sources->store, fetch, &sources->fetch, ret, err);
}

void xb_sources_set_fetch(struct xb_sources *sources, const struct xb_fetch_options *how)
{
	sources->fetch = *how;
}

void xb_sources_set_registry(struct xb_sources *sources, const struct xb_registry_opener *opener,
			     bool fresh)
{
	sources->repositories = xb_repositories_new(sources->store, opener);
	sources->fresh = fresh;
}

struct xb_plan_sources xb_sources_for_plan(struct xb_sources *sources)
{
	return (struct xb_plan_sources){
		.context = sources,
		.kind = source_kind,
		.image = source_image,
		.url = source_url,
		.time = source_time,
	};
}

const struct xb_context *xb_sources_directory(const struct xb_sources *sources, const char *name)
{
	const struct named *named = find_named(sources, name);

	return named != NULL ? named->context : NULL;
}

/* The layers of an image on their way from a layout into the store. */
struct import {
	struct xb_store *store;
	const struct found *found;
};

static int import_layer(void *context, size_t number, struct xb_error *err)
{
	const struct import *import = context;

	return xb_store_fetch_blob(import->store, import->found->place,
				   &import->found->image->manifest.layers.items[number], err);
}

static bool is_layout(const struct xb_sources *sources, const struct xb_place *place)
{
	for (size_t i = 0; i < sources->named.len; i++) {
		if (place == &sources->named.items[i].place.place)
			return true;
	}
	return false;
}

/* A layout may be gone tomorrow; what is in a registry is fetched when it is needed. */
static int take(const struct xb_sources *sources, const struct found *found, struct xb_error *err)
{
	const struct xb_descriptors *layers = &found->image->manifest.layers;

	if (is_layout(sources, found->place))
		return xb_pool_each(layers->len, import_layer,
				    &(struct import){ sources->store, found }, err);
	if (found->place == &sources->tagged.place)
		return 0;
	return xb_origin_put(sources->store, found->place->name, layers, err);
}

int xb_sources_import(const struct xb_sources *sources, const struct xb_image *image,
		      struct xb_error *err)
{
	const struct found *found = NULL;
	int r;

	for (size_t i = 0; i < sources->found.len && found == NULL; i++) {
		if (sources->found.items[i].image == image)
			found = &sources->found.items[i];
	}
	if (found == NULL)
		return xb_error_set(err, -EINVAL, "an image of other sources");
	r = take(sources, found, err);
	return r < 0 ? xb_error_wrap(err, r, "base image %s", found->name) : 0;
}

void xb_sources_remember(struct xb_sources *sources)
{
	for (size_t i = 0; i < sources->named.len; i++) {
		struct named *named = &sources->named.items[i];

		if (named->context != NULL)
			xb_context_remember(named->context, xb_store_contexts(sources->store));
	}
}

int xb_sources_save(struct xb_sources *sources, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sources->named.len; i++)
		r = xb_context_save(sources->named.items[i].context, err);
	return r;
}
