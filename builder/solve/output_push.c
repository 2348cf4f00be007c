/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/output_push.h"

#include <errno.h>
#include <string.h>

#include "builder/cache/place.h"
#include "builder/solve/output.h"
#include "manifest/publish.h"
#include "manifest/registry/place.h"

bool xb_output_is_pushed(const struct xb_output *output)
{
	return output->push;
}

/* ---- names -------------------------------------------------------------------------------- */

/* The reference of a name to push; "latest" where it has no tag, unless it goes by digest. */
static int read_name(const struct xb_output *output, const char *name, struct xb_reference *ret,
		     struct xb_error *err)
{
	int r = xb_reference_parse(xb_view(name), ret, err);

	if (r == 0 && !xb_digest_empty(&ret->digest))
		r = xb_error_set(err, -EINVAL, "a digest cannot be chosen");
	if (r == 0 && output->push_by_digest && ret->tag != NULL)
		r = xb_error_set(err, -EINVAL, "push-by-digest=true gives no tag");
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return xb_error_wrap(err, r, "pushing %s", name);
	}
	if (!output->push_by_digest)
		xb_reference_complete(ret);
	return 0;
}

int xb_output_push_check(const struct xb_output *output, const struct xb_strv *names,
			 struct xb_error *err)
{
	xb_auto_strv struct xb_strv all = XB_STRV_INIT;
	int r = 0;

	xb_output_names(output, names, &all);
	if (all.len == 0) {
		(void)xb_error_set(err, -EINVAL, "pushing an image that has no name");
		(void)xb_error_hint(err, "give it one with -t REGISTRY/NAME:TAG");
		return xb_error_fault(err, XB_FAULT_USAGE);
	}
	for (size_t i = 0; r == 0 && i < all.len; i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

		r = read_name(output, all.items[i], &ref, err);
	}
	return r;
}

/* ---- places ------------------------------------------------------------------------------- */

/* The repositories that an image goes to, each once. */
struct repositories XB_ARRAY(struct xb_place *);

static void repositories_clear(struct repositories *repositories)
{
	for (size_t i = 0; i < repositories->len; i++)
		xb_place_free(repositories->items[i]);
	xb_array_clear(repositories);
}

static struct xb_place *repository_of(struct repositories *repositories,
				      struct xb_registry *registry, const struct xb_reference *ref)
{
	xb_autofree char *name = xb_reference_name(ref);

	for (size_t i = 0; i < repositories->len; i++) {
		if (strcmp(repositories->items[i]->name, name) == 0)
			return repositories->items[i];
	}
	return *xb_array_push(repositories) = xb_registry_place_new(registry, ref);
}

static int gather(const struct xb_output *output, const struct xb_strv *build,
		  struct xb_registry *registry, struct repositories *repositories,
		  struct xb_tag_moves *moves, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = 0;

	xb_output_names(output, build, &names);
	for (size_t i = 0; r == 0 && i < names.len; i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
		xb_autofree char *whole = NULL;

		r = read_name(output, names.items[i], &ref, err);
		if (r < 0)
			return r;
		whole = xb_reference_format(&ref);
		xb_tag_moves_add(moves, repository_of(repositories, registry, &ref), whole,
				 ref.tag);
	}
	return r;
}

int xb_output_push_from(const struct xb_output *output, const struct xb_strv *names,
			struct xb_place *from, const struct xb_descriptor *root,
			const atomic_bool *cancelled, const struct xb_output_push *how,
			struct xb_error *err)
{
	XB_CLEANUP(repositories_clear) struct repositories repositories = { 0 };
	xb_auto_tag_moves struct xb_tag_moves moves = { 0 };
	const struct xb_publish_options options = {
		.copy = { .cancelled = cancelled, .watch = how->watch },
		.allow_drop = how->allow_drop,
	};
	struct xb_registry *registry = NULL;
	int r = how->opener->open(how->opener->context, &registry, err);

	if (r == 0)
		r = gather(output, names, registry, &repositories, &moves, err);
	if (r == 0 && how->dry_run)
		r = xb_publish_look(&moves, from, root, err);
	else if (r == 0)
		r = xb_publish(&moves, from, root, &options, err);
	if (r < 0)
		return xb_error_wrap(err, r, "pushing");
	xb_publish_print(&moves, root, how->notes);
	return 0;
}

int xb_output_push(const struct xb_output *output, const struct xb_output_source *source,
		   const struct xb_output_push *how, struct xb_error *err)
{
	struct xb_store_place from = xb_store_place(source->store);

	return xb_output_push_from(output, source->names, &from.place, &source->assembled->root,
				   source->cancelled, how, err);
}
