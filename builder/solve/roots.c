/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/roots.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/pool.h"
#include "builder/cache/name.h"
#include "builder/cache/place.h"
#include "builder/cache/tag.h"
#include "manifest/manifest.h"
#include "manifest/reference.h"

struct xb_roots {
	struct xb_store *store;
	struct xb_store_place tagged; /* the store, for its tags and what it knows */
	struct xb_repositories *repositories;
	struct xb_roots_policy policy;
	pthread_mutex_t lock; /* guards what follows, and `used` of pins */
	struct XB_ARRAY(struct xb_root *) found;
};

static void root_free(struct xb_root *root)
{
	free(root->name);
	free(root->reference);
	xb_descriptor_clear(&root->descriptor);
	xb_error_clear(&root->error);
	free(root);
}

struct xb_roots *xb_roots_new(struct xb_store *store, struct xb_repositories *repositories,
			      const struct xb_roots_policy *policy)
{
	struct xb_roots *roots = xb_calloc(1, sizeof(*roots));

	roots->store = store;
	roots->tagged = xb_store_place(store);
	roots->repositories = repositories;
	roots->policy = *policy;
	(void)pthread_mutex_init(&roots->lock, NULL);
	return roots;
}

void xb_roots_free(struct xb_roots *roots)
{
	if (roots == NULL)
		return;
	for (size_t i = 0; i < roots->found.len; i++)
		root_free(roots->found.items[i]);
	xb_array_clear(&roots->found);
	(void)pthread_mutex_destroy(&roots->lock);
	free(roots);
}

int xb_roots_not_here(const char *names, struct xb_error *err)
{
	(void)xb_error_set(err, -ENETUNREACH, "--offline, and not in the store: %s", names);
	(void)xb_error_hint(err, "`xbuild pull NAME`, or a build without --offline, gets it");
	return xb_error_fault(err, XB_FAULT_REGISTRY);
}

int xb_roots_not_pinned(const char *names, struct xb_error *err)
{
	(void)xb_error_set(err, -ENOKEY, "--locked, and not in " XB_PINS_FILE ": %s", names);
	(void)xb_error_hint(err, "`xbuild lock` with the same options adds it");
	return xb_error_fault(err, XB_FAULT_PROOF);
}

/* ---- one name ------------------------------------------------------------------------------ */

/* A name that is being looked for. */
struct search {
	struct xb_roots *roots;
	struct xb_root *root;
	struct xb_reference ref;
	const struct xb_pin_image *pin; /* NULL: there is none */
	bool fresh;
};

static void search_clear(struct search *s)
{
	xb_reference_clear(&s->ref);
}

static int not_pinned(struct search *s, struct xb_error *err)
{
	s->root->miss = XB_ROOT_NOT_PINNED;
	return xb_roots_not_pinned(s->root->name, err);
}

static int changed(const char *name, const struct xb_digest *is, const struct xb_digest *pinned,
		   struct xb_error *err)
{
	(void)xb_error_set(err, -EBADMSG, "%s is %s, and " XB_PINS_FILE " says %s", name, is->text,
			   pinned->text);
	(void)xb_error_hint(err, "`xbuild lock --update %s` takes what it is now", name);
	return xb_error_fault(err, XB_FAULT_PROOF);
}

/* Without a pin the name says what is wanted; with one that does. */
static int apply_pin(struct search *s, struct xb_error *err)
{
	if (s->pin == NULL)
		return s->roots->policy.locked ? not_pinned(s, err) : 0;
	if (!xb_digest_empty(&s->ref.digest) && !xb_digest_eq(&s->ref.digest, &s->pin->digest))
		return changed(s->root->name, &s->ref.digest, &s->pin->digest, err);
	s->ref.digest = s->pin->digest;
	return 0;
}

static int read_name(struct search *s, struct xb_error *err)
{
	const struct xb_roots_policy *policy = &s->roots->policy;

	if (xb_reference_parse(xb_view(s->root->name), &s->ref, err) < 0) {
		(void)xb_error_fault(err, XB_FAULT_SOURCE);
		return -EINVAL;
	}
	xb_reference_complete(&s->ref);
	s->root->reference = xb_reference_format(&s->ref);
	s->fresh = policy->fresh;
	if (policy->renewed != NULL && xb_strv_find(policy->renewed, s->root->reference) >= 0)
		s->fresh = true;
	if (policy->pins != NULL)
		s->pin = xb_pins_image(policy->pins, s->root->reference);
	return apply_pin(s, err);
}

/* Whether two names are spellings of one reference. */
static bool same_reference(const char *text, const char *reference)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *normal = NULL;

	if (xb_reference_parse(xb_view(text), &ref, NULL) < 0)
		return false;
	xb_reference_complete(&ref);
	normal = xb_reference_format(&ref);
	return strcmp(normal, reference) == 0;
}

/*
 * The store's tag of that name, in its own spelling or normalised: 1, or 0 when there is none, or
 * it is not what is pinned.
 */
static int find_tag(struct search *s, struct xb_error *err)
{
	xb_auto_tags struct xb_tags tags = { 0 };
	struct xb_root *root = s->root;
	int r = xb_tag_list(s->roots->store, &tags, err);

	for (size_t i = 0; r == 0 && i < tags.len; i++) {
		const struct xb_tag *tag = &tags.items[i];

		if (strcmp(tag->name, root->name) != 0 &&
		    !same_reference(tag->name, root->reference))
			continue;
		if (s->pin != NULL && !xb_digest_eq(&tag->descriptor.digest, &s->pin->digest))
			return 0;
		xb_descriptor_copy(&root->descriptor, &tag->descriptor);
		root->place = &s->roots->tagged.place;
		return 1;
	}
	return r;
}

/* What the name of a document of a registry is remembered by. */
static char *key_of(const struct search *s)
{
	xb_autofree char *name = NULL;

	if (xb_digest_empty(&s->ref.digest))
		return xb_reference_format(&s->ref);
	name = xb_reference_name(&s->ref);
	return xb_format("%s@%s", name, s->ref.digest.text);
}

/* What the store knows a name by: a digest means the same for ever. 1, or 0. */
static int recall(struct search *s, struct xb_error *err)
{
	xb_autofree char *key = key_of(s);

	if (!s->roots->policy.offline && (s->fresh || xb_digest_empty(&s->ref.digest)))
		return 0;
	return xb_name_get(s->roots->store, key, &s->root->descriptor, err);
}

static int remember(const struct search *s, struct xb_error *err)
{
	xb_autofree char *name = xb_reference_name(&s->ref);
	xb_autofree char *own = xb_format("%s@%s", name, s->root->descriptor.digest.text);
	xb_autofree char *key = key_of(s);
	int r = xb_name_put(s->roots->store, key, &s->root->descriptor, err);

	return r < 0 ? r : xb_name_put(s->roots->store, own, &s->root->descriptor, err);
}

static int no_registries(const char *name, struct xb_error *err)
{
	(void)xb_error_set(err, -ENOENT,
			   "no image called %s among the build contexts and the store's "
			   "tags, and registries are not asked",
			   name);
	(void)xb_error_hint(err, "give it with --build-context %s=oci-layout://DIR[:TAG]", name);
	return xb_error_fault(err, XB_FAULT_REGISTRY);
}

static int pin_is_gone(const struct search *s, int r, struct xb_error *err)
{
	if (s->pin == NULL || r != -ENOENT)
		return r;
	(void)xb_error_hint(err, "`xbuild lock --update %s` takes what it is now", s->root->name);
	return xb_error_wrap(err, r,
			     "the registry no longer has what " XB_PINS_FILE " says: %s is %s",
			     s->root->name, s->pin->digest.text);
}

static int ask(struct search *s, struct xb_error *err)
{
	struct xb_place *place = s->root->place;
	const char *tag = xb_digest_empty(&s->ref.digest) ? s->ref.tag : s->ref.digest.text;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	struct xb_descriptor *root = &s->root->descriptor;
	int r = place->ops->resolve(place, tag, root, err);

	/* into the store, by reading it through that */
	if (r == 0)
		r = place->ops->read(place, root, XB_MAX_MANIFEST, &text, err);
	if (r == 0)
		r = remember(s, err);
	if (r == 0)
		return 0;
	(void)xb_error_fault(err, XB_FAULT_STORE);
	return pin_is_gone(s, xb_error_wrap(err, r, "image of %s", place->name), err);
}

static int find_remote(struct search *s, struct xb_error *err)
{
	const struct xb_roots *roots = s->roots;
	int r = recall(s, err);

	if (r < 0)
		return r;
	if (roots->policy.offline) {
		s->root->place = &s->roots->tagged.place;
		s->root->miss = XB_ROOT_NOT_HERE;
		return r > 0 ? 0 : xb_roots_not_here(s->root->name, err);
	}
	if (roots->repositories == NULL)
		return no_registries(s->root->name, err);
	if (r == 0) {
		r = xb_repositories_open(roots->repositories, &s->ref, &s->root->place, err);
		return r < 0 ? r : ask(s, err);
	}
	return xb_repositories_open(roots->repositories, &s->ref, &s->root->place, err);
}

static int search(struct xb_roots *roots, struct xb_root *root, struct xb_error *err)
{
	XB_CLEANUP(search_clear) struct search s = { .roots = roots, .root = root };
	int r = read_name(&s, err);

	if (r == 0 && !(s.fresh && !roots->policy.offline))
		r = find_tag(&s, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return find_remote(&s, err);
}

/* ---- all names ----------------------------------------------------------------------------- */

static size_t index_of(const struct xb_roots *roots, const char *name)
{
	size_t i = 0;

	while (i < roots->found.len && strcmp(roots->found.items[i]->name, name) != 0)
		i++;
	return i;
}

/* Look for a name, and keep what came of it, unless another thread was faster. */
static void look(struct xb_roots *roots, const char *name)
{
	struct xb_root *root = xb_calloc(1, sizeof(*root));

	root->name = xb_strdup(name);
	root->status = search(roots, root, &root->error);
	(void)pthread_mutex_lock(&roots->lock);
	if (index_of(roots, name) == roots->found.len)
		*xb_array_push(&roots->found) = XB_STEAL(root);
	(void)pthread_mutex_unlock(&roots->lock);
	if (root != NULL)
		root_free(root);
}

/* What is known of a name. Returns 1; 0 when nothing is; an error that was kept is taken out. */
static int take(struct xb_roots *roots, const char *name, const struct xb_root **ret,
		struct xb_error *err)
{
	size_t i = index_of(roots, name);
	struct xb_root *root;
	int r;

	if (i == roots->found.len)
		return 0;
	root = roots->found.items[i];
	*ret = root;
	if (root->status == 0)
		return 1;
	roots->found.items[i] = roots->found.items[--roots->found.len];
	r = root->status;
	if (err != NULL)
		xb_error_move(err, &root->error);
	root_free(root);
	return r;
}

static int take_locked(struct xb_roots *roots, const char *name, const struct xb_root **ret,
		       struct xb_error *err)
{
	int r;

	(void)pthread_mutex_lock(&roots->lock);
	r = take(roots, name, ret, err);
	(void)pthread_mutex_unlock(&roots->lock);
	return r;
}

int xb_roots_find(struct xb_roots *roots, const char *name, const struct xb_root **ret,
		  struct xb_error *err)
{
	int r;

	while ((r = take_locked(roots, name, ret, err)) == 0)
		look(roots, name);
	return r < 0 ? r : 0;
}

/* Names that are looked for at once. */
struct expectation {
	struct xb_roots *roots;
	const struct xb_strv *names;
};

static int look_one(void *context, size_t number, struct xb_error *err)
{
	const struct expectation *e = context;

	(void)err;
	look(e->roots, e->names->items[number]);
	return 0;
}

void xb_roots_expect(struct xb_roots *roots, const struct xb_strv *names)
{
	struct expectation e = { roots, names };

	(void)xb_pool_each(names->len, look_one, &e, NULL);
}

bool xb_roots_know(struct xb_roots *roots, const char *name)
{
	size_t i;
	bool known;

	(void)pthread_mutex_lock(&roots->lock);
	i = index_of(roots, name);
	known = i < roots->found.len && roots->found.items[i]->status == 0;
	(void)pthread_mutex_unlock(&roots->lock);
	return known;
}

void xb_roots_missing(struct xb_roots *roots, enum xb_root_miss miss, struct xb_strv *ret)
{
	for (size_t i = 0; i < roots->found.len; i++) {
		const struct xb_root *root = roots->found.items[i];

		if (root->status < 0 && root->miss == miss)
			xb_strv_push(ret, root->name);
	}
}

/* ---- pins ---------------------------------------------------------------------------------- */

static struct xb_pin_image *use_pin(struct xb_roots *roots, const struct xb_root *root)
{
	struct xb_pin_image *pin = NULL;

	if (roots->policy.pins != NULL && root->reference != NULL)
		pin = xb_pins_image(roots->policy.pins, root->reference);
	(void)pthread_mutex_lock(&roots->lock);
	if (pin != NULL)
		pin->used = true;
	(void)pthread_mutex_unlock(&roots->lock);
	return pin;
}

int xb_roots_check(struct xb_roots *roots, const struct xb_root *root,
		   const struct xb_platform *platform, const struct xb_digest *image,
		   struct xb_error *err)
{
	const struct xb_pin_image *pin = use_pin(roots, root);
	struct xb_platform_name name = xb_platform_name(platform);
	const struct xb_digest *pinned =
		pin != NULL ? xb_pin_platform_digest(pin, name.text) : NULL;
	xb_autofree char *text = NULL;

	if (!roots->policy.locked || (pinned != NULL && xb_digest_eq(pinned, image)))
		return 0;
	text = xb_format("%s for %s", root->name, name.text);
	return pinned != NULL ? changed(text, image, pinned, err) : xb_roots_not_pinned(text, err);
}
