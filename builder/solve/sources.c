/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/sources.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/pool.h"
#include "builder/cache/origin.h"
#include "builder/cache/place.h"
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
	const struct xb_root *root; /* NULL: it is of a layout */
};
struct found_list XB_ARRAY(struct found);

struct xb_sources {
	struct xb_store *store;
	struct named_list named;
	struct xb_repositories *repositories; /* NULL: there are none */
	struct xb_roots *roots;
	bool offline;
	pthread_mutex_t lock; /* guards `found` while it grows, which it does while planning */
	struct found_list found;
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
		(void)xb_error_fault(err,
				     xb_error_is_passing(r) ? XB_FAULT_SOURCE : XB_FAULT_USAGE);
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
	sources->roots = xb_roots_new(store, NULL, &(struct xb_roots_policy){ 0 });
	(void)pthread_mutex_init(&sources->lock, NULL);
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
	xb_roots_free(sources->roots);
	xb_repositories_free(sources->repositories);
	(void)pthread_mutex_destroy(&sources->lock);
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

/* The name of an image that `name` is another name of, or itself. */
static const char *image_of(const struct xb_sources *sources, const char *name,
			    struct named **ret_named)
{
	struct named *named = find_named(sources, name);

	if (named != NULL && named->image != NULL) {
		name = named->image;
		named = find_named(sources, name);
	}
	/* A name of a name of an image is not followed: it might lead in a circle. */
	*ret_named = named != NULL && named->layout != NULL ? named : NULL;
	return name;
}

static int load_layout(struct named *named, const struct xb_platform *platform, bool any,
		       struct found *found, struct xb_image *image, struct xb_error *err)
{
	struct xb_place *place = &named->place.place;
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	int r = place->ops->resolve(place, named->tag, &root, err);

	found->place = place;
	if (r == 0)
		return xb_image_load_at(place, &root, platform, any, image, err);
	(void)xb_error_fault(err, XB_FAULT_STORE);
	return xb_error_wrap(err, r, "image of %s", place->name);
}

/* A document is not in the store, and nobody is asked. */
static int not_here(const char *name, const struct xb_platform *platform, struct xb_error *err)
{
	xb_autofree char *text = xb_format("%s for %s", name, xb_platform_name(platform).text);

	xb_error_clear(err);
	return xb_roots_not_here(text, err);
}

static int load_image(struct xb_sources *sources, const char *name,
		      const struct xb_platform *platform, bool any, struct found *found,
		      struct xb_image *image, struct xb_error *err)
{
	xb_auto_error struct xb_error fault = XB_ERROR_INIT;
	int r = xb_roots_find(sources->roots, name, &found->root, &fault);

	if (r == 0) {
		found->place = found->root->place;
		r = xb_image_load_at(found->place, &found->root->descriptor, platform, any, image,
				     &fault);
		if (r == -ENOENT && sources->offline && fault.fault == XB_FAULT_STORE)
			r = not_here(name, platform, &fault);
	}
	if (r == 0)
		r = xb_roots_check(sources->roots, found->root, platform, &image->descriptor.digest,
				   &fault);
	if (r < 0 && err != NULL)
		xb_error_move(err, &fault);
	return r;
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

/* Keep what was found, unless another thread was faster; the one that is kept. */
static const struct xb_image *keep(struct xb_sources *sources, const struct found *found,
				   struct xb_image *image)
{
	const struct found *known;
	struct found *added;

	(void)pthread_mutex_lock(&sources->lock);
	known = find_found(sources, found->name, &found->platform, found->any);
	if (known == NULL) {
		added = xb_array_push(&sources->found);
		*added = *found;
		added->name = xb_strdup(found->name);
		added->image = xb_alloc(sizeof(*added->image));
		*added->image = *image;
		*image = XB_IMAGE_INIT;
		known = added;
	}
	image = known->image;
	(void)pthread_mutex_unlock(&sources->lock);
	return image;
}

static const struct xb_image *recall(struct xb_sources *sources, const char *name,
				     const struct xb_platform *platform, bool any)
{
	const struct found *known;
	const struct xb_image *image;

	(void)pthread_mutex_lock(&sources->lock);
	known = find_found(sources, name, platform, any);
	image = known != NULL ? known->image : NULL;
	(void)pthread_mutex_unlock(&sources->lock);
	return image;
}

static int source_image(void *context, const char *name, const struct xb_platform *platform,
			bool any, const struct xb_image **ret, struct xb_error *err)
{
	struct xb_sources *sources = context;
	struct found found = { .name = (char *)(uintptr_t)name, .platform = *platform, .any = any };
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	struct named *layout = NULL;
	const char *meant;
	int r;

	*ret = recall(sources, name, platform, any);
	if (*ret != NULL)
		return 0;
	meant = image_of(sources, name, &layout);
	r = layout != NULL ? load_layout(layout, platform, any, &found, &image, err)
			   : load_image(sources, meant, platform, any, &found, &image, err);
	if (r < 0)
		return r;
	*ret = keep(sources, &found, &image);
	return 0;
}

/* ---- what a plan will ask for -------------------------------------------------------------- */

/* Images that are looked for at once. */
struct expectation {
	struct xb_sources *sources;
	const struct xb_plan_wants *wants;
};

static int expect_one(void *context, size_t number, struct xb_error *err)
{
	const struct expectation *e = context;
	const struct xb_plan_want *want = &e->wants->items[number];
	const struct xb_image *image = NULL;
	struct named *layout = NULL;
	const char *name = image_of(e->sources, want->name, &layout);

	(void)err;
	/* what goes wrong the planner meets again, where it can say at which instruction; a
	 * registry that has not answered is not asked in vain for each platform */
	if (layout != NULL || xb_roots_know(e->sources->roots, name))
		(void)source_image(e->sources, want->name, &want->platform, false, &image, NULL);
	return 0;
}

/* The names of images among what is wanted, each once. */
static void list_names(struct xb_sources *sources, const struct xb_plan_wants *wants,
		       struct xb_strv *ret)
{
	for (size_t i = 0; i < wants->len; i++) {
		struct named *layout = NULL;
		const char *name = image_of(sources, wants->items[i].name, &layout);

		if (layout == NULL && xb_strv_find(ret, name) < 0)
			xb_strv_push(ret, name);
	}
}

static int tell_missing(struct xb_sources *sources, struct xb_error *err)
{
	xb_auto_strv struct xb_strv here = XB_STRV_INIT;
	xb_auto_strv struct xb_strv pinned = XB_STRV_INIT;
	xb_autofree char *text = NULL;

	xb_roots_missing(sources->roots, XB_ROOT_NOT_HERE, &here);
	xb_roots_missing(sources->roots, XB_ROOT_NOT_PINNED, &pinned);
	if (pinned.len > 0) {
		text = xb_strv_join(&pinned, ", ");
		return xb_roots_not_pinned(text, err);
	}
	if (here.len == 0)
		return 0;
	text = xb_strv_join(&here, ", ");
	return xb_roots_not_here(text, err);
}

int xb_sources_expect(struct xb_sources *sources, const struct xb_plan_wants *wants,
		      struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	struct expectation e = { sources, wants };
	int r;

	list_names(sources, wants, &names);
	xb_roots_expect(sources->roots, &names);
	r = tell_missing(sources, err);
	if (r == 0 && names.len > 0)
		(void)xb_pool_each(wants->len, expect_one, &e, NULL);
	return r;
}

void xb_sources_pin(const struct xb_sources *sources, struct xb_pins *pins)
{
	for (size_t i = 0; i < sources->found.len; i++) {
		const struct found *found = &sources->found.items[i];

		if (found->root != NULL)
			xb_pins_set_image(pins, found->root->reference, found->root->name,
					  &found->root->descriptor.digest,
					  xb_platform_name(&found->platform).text,
					  &found->image->descriptor.digest);
	}
}

/* ---- the planner's view -------------------------------------------------------------------- */

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
			     const struct xb_roots_policy *policy)
{
	static const struct xb_registry_opener nobody;

	xb_roots_free(sources->roots);
	sources->repositories =
		xb_repositories_new(sources->store, policy->offline ? &nobody : opener);
	sources->roots = xb_roots_new(sources->store, sources->repositories, policy);
	sources->offline = policy->offline;
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
	/* of the store: it is known where they are */
	if (found->place->ops->put != NULL)
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
