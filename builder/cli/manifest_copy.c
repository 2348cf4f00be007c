/* SPDX-License-Identifier: Apache-2.0 */
/* xbuild manifest copy, push */
#include <errno.h>
#include <string.h>

#include "builder/cli/manifest_tool.h"
#include "manifest/draft.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "manifest/medley.h"
#include "manifest/members.h"

#define STORE_PREFIX "store:"

static int find_platform(const struct xb_draft *draft, const char *name,
			 struct xb_draft_places *ret, struct xb_error *err)
{
	struct xb_draft_places found = { 0 };
	int r = xb_draft_find(draft, name, &found, err);

	for (size_t i = 0; r == 0 && i < found.len; i++)
		*xb_array_push(ret) = found.items[i];
	xb_array_clear(&found);
	return r;
}

/* The places in a draft of all platforms that are asked for. */
static int find_platforms(const struct xb_draft *draft, const struct xb_strv *lists,
			  struct xb_draft_places *ret, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; i < lists->len; i++) {
		struct xb_view rest = xb_view(lists->items[i]), name;

		while (r == 0 && xb_view_split(&rest, ',', &name)) {
			xb_autofree char *text = xb_view_dup(xb_view_trim(name));

			r = find_platform(draft, text, ret, err);
		}
	}
	return r;
}

static bool is_nested(const struct xb_draft *draft)
{
	bool nested = false;

	for (size_t i = 0; i < draft->entries.len; i++)
		nested |= xb_media_kind(draft->entries.items[i].descriptor.media_type) ==
			  XB_MEDIA_INDEX;
	return nested;
}

/* Entries of indexes in the index are its own from now on. */
static int flatten(struct xb_place *place, const struct xb_descriptor *root, struct xb_draft *draft,
		   struct xb_error *err)
{
	xb_draft_entries_clear(&draft->entries);
	draft->changed = true;
	return xb_members_add(place, root, NULL, &draft->entries, err);
}

/* The index, or for a single image what one would be that holds it alone. */
static int read_draft(struct xb_place *place, const struct xb_descriptor *root,
		      struct xb_draft *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r;

	if (xb_media_kind(root->media_type) != XB_MEDIA_INDEX)
		return xb_members_add(place, root, NULL, &ret->entries, err);
	r = place->ops->read(place, root, XB_MAX_MANIFEST, &text, err);
	if (r == 0)
		r = xb_draft_parse(xb_str_view(&text), root->media_type, ret, err);
	return r < 0 || !is_nested(ret) ? r : flatten(place, root, ret, err);
}

/* Put in the place of `root` the index of some of its platforms, which is in `medley`. */
static int narrow(const struct xb_manifest_tool *tool, struct xb_place *place,
		  struct xb_medley *medley, struct xb_descriptor *root, struct xb_error *err)
{
	xb_auto_draft struct xb_draft draft = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	struct xb_draft_places keep = { 0 };
	int r = xb_medley_add(medley, place, root, err);

	if (r == 0)
		r = read_draft(place, root, &draft, err);
	if (r == 0)
		r = find_platforms(&draft, &tool->options.platforms, &keep, err);
	if (r == 0)
		xb_draft_keep(&draft, &keep);
	xb_array_clear(&keep);
	/* all of it: the image itself, with its bytes */
	if (r < 0 || !draft.changed)
		return r;
	r = xb_draft_write(&draft, &text, err);
	xb_descriptor_clear(root);
	if (r == 0)
		xb_medley_make(medley, draft.head.media_type, xb_str_view(&text), root);
	return r;
}

/* Where it goes without a target: to the registry that the name of the store's image says. */
static int name_target(const struct xb_manifest_tool *tool, const struct xb_named_image *from,
		       const char **ret, struct xb_error *err)
{
	const char *name = tool->operands.items[0];

	*ret = tool->operands.items[tool->operands.len - 1];
	if (tool->operands.len == 2)
		return 0;
	if (from->layout != NULL || from->path != NULL)
		return xb_error_usage(err, "name a target: REGISTRY/NAME:TAG",
				      "%s: where it is pushed to is not said", name);
	if (strncmp(name, STORE_PREFIX, strlen(STORE_PREFIX)) == 0)
		*ret = name + strlen(STORE_PREFIX);
	return 0;
}

int xb_manifest_tool_copy(struct xb_manifest_tool *tool, struct xb_error *err)
{
	static const struct xb_publish_options plain;
	xb_auto_named_image struct xb_named_image from = { 0 };
	xb_auto_named_image struct xb_named_image to = { 0 };
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_auto_medley struct xb_medley *medley = NULL;
	const bool some = tool->options.platforms.len > 0 && !tool->options.all;
	const char *target = NULL;
	int r = xb_manifest_tool_open(tool, tool->operands.items[0], XB_NAMED_READ, &from, err);

	if (r == 0)
		r = name_target(tool, &from, &target, err);
	if (r == 0)
		r = from.place->ops->resolve(from.place, from.tag, &root, err);
	if (r < 0)
		return r;
	xb_annotations_clear(&root.annotations); /* its names where it was */
	medley = xb_medley_new(from.name);
	if (some)
		r = narrow(tool, from.place, medley, &root, err);
	if (r == 0)
		r = xb_manifest_tool_open(tool, target, XB_NAMED_CREATE, &to, err);
	if (r < 0)
		return r;
	return xb_manifest_tool_publish(tool, &to, some ? xb_medley_place(medley) : from.place,
					&root, &plain, err);
}
