/* SPDX-License-Identifier: Apache-2.0 */
/* xbuild manifest create, add, rm, annotate: a new index is made in memory and then published. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "builder/cli/manifest_tool.h"
#include "builder/solve/annotate.h"
#include "manifest/draft.h"
#include "manifest/image.h"
#include "manifest/labels.h"
#include "manifest/media.h"
#include "manifest/medley.h"
#include "manifest/members.h"

/* Images that were opened; they may not move. */
struct opened XB_ARRAY(struct xb_named_image *);
struct digests XB_ARRAY(struct xb_digest);

/* An index being made. */
struct edit {
	struct xb_manifest_tool *tool;
	struct xb_named_image target;
	struct xb_descriptor base; /* what is edited, with what its place says of it; or empty */
	struct opened members;
	struct xb_medley *medley;
	struct xb_draft draft;
	struct xb_annotate annotate;
	struct digests gone; /* of manifests that became others */
	struct xb_strv notes;
	struct xb_strv may_lose; /* platforms that the command line takes out */
};

static void edit_clear(struct edit *e)
{
	xb_medley_free(e->medley);
	for (size_t i = 0; i < e->members.len; i++) {
		xb_named_image_clear(e->members.items[i]);
		free(e->members.items[i]);
	}
	xb_array_clear(&e->members);
	xb_named_image_clear(&e->target);
	xb_descriptor_clear(&e->base);
	xb_draft_clear(&e->draft);
	xb_annotate_clear(&e->annotate);
	xb_array_clear(&e->gone);
	xb_strv_clear(&e->notes);
	xb_strv_clear(&e->may_lose);
}

/* Read --annotation. */
static int begin(struct edit *e, struct xb_error *err)
{
	const struct xb_strv *annotations = &e->tool->options.annotations;
	int r = 0;

	e->medley = xb_medley_new("the new index");
	for (size_t i = 0; r == 0 && i < annotations->len; i++)
		r = xb_annotate_parse(annotations->items[i], &e->annotate, err);
	return r;
}

static int open_target(struct edit *e, enum xb_named_use use, struct xb_error *err)
{
	return xb_manifest_tool_open(e->tool, e->tool->operands.items[0], use, &e->target, err);
}

static int read_base(struct edit *e, struct xb_error *err)
{
	struct xb_place *place = e->target.place;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = place->ops->resolve(place, e->target.tag, &e->base, err);

	if (r == 0 && xb_media_kind(e->base.media_type) != XB_MEDIA_INDEX)
		return xb_error_usage(err, "`xbuild manifest create` makes an index of images",
				      "it is of type %s and not an index", e->base.media_type);
	if (r == 0)
		r = xb_medley_add(e->medley, place, &e->base, err);
	if (r == 0)
		r = place->ops->read(place, &e->base, XB_MAX_MANIFEST, &text, err);
	return r < 0 ? r : xb_draft_parse(xb_str_view(&text), e->base.media_type, &e->draft, err);
}

static int open_base(struct edit *e, struct xb_error *err)
{
	int r = begin(e, err);

	if (r == 0)
		r = open_target(e, XB_NAMED_EDIT, err);
	if (r == 0)
		r = read_base(e, err);
	return r < 0 ? xb_error_wrap(err, r, "%s", e->tool->operands.items[0]) : 0;
}

/* ---- members ------------------------------------------------------------------------------ */

static int take_member(struct edit *e, const char *name, struct xb_draft_entries *entries,
		       struct xb_error *err)
{
	struct xb_named_image *image = xb_calloc(1, sizeof(*image));
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	int r;

	*xb_array_push(&e->members) = image;
	r = xb_manifest_tool_open(e->tool, name, XB_NAMED_READ, image, err);
	if (r == 0)
		r = image->place->ops->resolve(image->place, image->tag, &root, err);
	if (r == 0)
		r = xb_medley_add(e->medley, image->place, &root, err);
	if (r == 0)
		r = xb_members_add(image->place, &root, name, entries, err);
	return r < 0 ? xb_error_wrap(err, r, "member %s", name) : 0;
}

static bool is_docker(const struct xb_draft_entries *entries)
{
	bool docker = true;

	for (size_t i = 0; i < entries->len; i++)
		docker &= xb_media_lookup(entries->items[i].descriptor.media_type)->docker;
	return docker;
}

/* A list of Docker's is for Docker's images alone. */
static void set_type(struct xb_draft *draft)
{
	bool docker =
		xb_media_lookup(draft->head.media_type)->docker || draft->head.media_type == NULL;
	const char *type =
		docker && is_docker(&draft->entries) ? XB_MEDIA_DOCKER_INDEX : XB_MEDIA_OCI_INDEX;

	if (draft->head.media_type != NULL && strcmp(draft->head.media_type, type) == 0)
		return;
	free(draft->head.media_type);
	draft->head.media_type = xb_strdup(type);
	draft->changed = true;
}

static int take_members(struct edit *e, struct xb_error *err)
{
	const struct xb_strv *operands = &e->tool->operands;
	xb_auto_draft_entries struct xb_draft_entries entries = { 0 };
	int r = 0;

	for (size_t i = 1; r == 0 && i < operands->len; i++)
		r = take_member(e, operands->items[i], &entries, err);
	if (r == 0)
		r = xb_draft_check(&entries, err);
	if (r < 0)
		return r;
	xb_draft_join(&e->draft, &entries, &e->notes);
	set_type(&e->draft);
	return 0;
}

/* ---- annotations -------------------------------------------------------------------------- */

static bool set_all(struct xb_annotations *to, const struct xb_annotations *from)
{
	bool changed = false;

	for (size_t i = 0; i < from->len; i++) {
		const struct xb_annotation *a = &from->items[i];
		const char *now = xb_annotations_get(to, a->name);

		changed |= now == NULL || strcmp(now, a->value) != 0;
		xb_annotations_set(to, a->name, a->value);
	}
	return changed;
}

/* An image of an index as the rules of --annotation see it. */
static struct xb_platform platform_of(const struct xb_draft_entry *entry)
{
	struct xb_platform platform = entry->descriptor.platform;

	xb_platform_normalise(&platform);
	return platform;
}

static void annotate_descriptor(struct edit *e, size_t at)
{
	struct xb_draft_entry *entry = &e->draft.entries.items[at];
	struct xb_platform platform = platform_of(entry);
	xb_auto_annotations struct xb_annotations set = { 0 };

	xb_annotate_get(&e->annotate, XB_ANNOTATE_MANIFEST_DESCRIPTOR, &platform, &set);
	if (set_all(&entry->descriptor.annotations, &set))
		xb_draft_touch(&e->draft, at);
}

/* Put a changed manifest in the place of the one that the entry names. */
static int write_manifest(struct edit *e, size_t at, const struct xb_manifest *manifest,
			  struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_descriptor struct xb_descriptor made = XB_DESCRIPTOR_INIT;
	struct xb_descriptor *d = &e->draft.entries.items[at].descriptor;
	int r = xb_manifest_write(manifest, &text, err);

	if (r < 0)
		return r;
	xb_medley_make(e->medley, d->media_type, xb_str_view(&text), &made);
	*xb_array_push(&e->gone) = d->digest;
	d->digest = made.digest;
	d->size = made.size;
	xb_draft_touch(&e->draft, at);
	return 0;
}

static int annotate_manifest(struct edit *e, size_t at, struct xb_error *err)
{
	const struct xb_draft_entry *entry = &e->draft.entries.items[at];
	struct xb_platform platform = platform_of(entry);
	xb_auto_annotations struct xb_annotations set = { 0 };
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	int r;

	xb_annotate_get(&e->annotate, XB_ANNOTATE_MANIFEST, &platform, &set);
	if (set.len == 0)
		return 0;
	r = xb_image_read_manifest(xb_medley_place(e->medley), &entry->descriptor, &manifest, err);
	if (r < 0 || !set_all(&manifest.annotations, &set))
		return r;
	return write_manifest(e, at, &manifest, err);
}

/* Every platform that a rule names is there. */
static int check_rules(const struct edit *e, struct xb_error *err)
{
	const struct xb_draft_entries *entries = &e->draft.entries;
	xb_autofree struct xb_platform *platforms = xb_calloc(entries->len + 1, sizeof(*platforms));
	size_t count = 0;

	for (size_t i = 0; i < entries->len; i++) {
		if (xb_draft_is_image(&entries->items[i]))
			platforms[count++] = platform_of(&entries->items[i]);
	}
	return xb_annotate_check(&e->annotate, platforms, count, true, err);
}

/* The annotations of the entries `at`. What attests a manifest that is another now goes. */
static int annotate_entries(struct edit *e, const struct xb_draft_places *at, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < at->len; i++) {
		annotate_descriptor(e, at->items[i]);
		r = annotate_manifest(e, at->items[i], err);
	}
	for (size_t i = 0; i < e->gone.len; i++)
		xb_draft_forget(&e->draft, &e->gone.items[i], &e->notes);
	return r;
}

static void all_images(const struct xb_draft *draft, struct xb_draft_places *ret)
{
	for (size_t i = 0; i < draft->entries.len; i++) {
		if (xb_draft_is_image(&draft->entries.items[i]))
			*xb_array_push(ret) = i;
	}
}

static int annotate_index(struct edit *e, struct xb_error *err)
{
	xb_auto_annotations struct xb_annotations index = { 0 }, descriptor = { 0 };

	xb_annotate_get(&e->annotate, XB_ANNOTATE_INDEX, NULL, &index);
	xb_annotate_get(&e->annotate, XB_ANNOTATE_INDEX_DESCRIPTOR, NULL, &descriptor);
	if (descriptor.len > 0 && e->target.remote != NULL)
		return xb_error_usage(err, "annotate the index itself: index:NAME=VALUE",
				      "the annotation index-descriptor:%s: a registry keeps no "
				      "descriptors of indexes, layouts and archives do",
				      descriptor.items[0].name);
	e->draft.changed |= set_all(&e->draft.head.annotations, &index);
	(void)set_all(&e->base.annotations, &descriptor);
	return 0;
}

/* All that --annotation says, of the entries `at`, of the index, and of its descriptor. */
static int annotate(struct edit *e, const struct xb_draft_places *at, struct xb_error *err)
{
	int r = check_rules(e, err);

	if (r == 0)
		r = annotate_entries(e, at, err);
	return r < 0 ? r : annotate_index(e, err);
}

static int annotate_all(struct edit *e, struct xb_error *err)
{
	struct xb_draft_places places = { 0 };
	int r;

	all_images(&e->draft, &places);
	r = annotate(e, &places, err);
	xb_array_clear(&places);
	return r;
}

/* Labels that all images have alike; a list of Docker's has no annotations. */
static int annotate_labels(struct edit *e, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors manifests = { 0 };

	if (e->tool->options.no_index_labels || xb_media_lookup(e->draft.head.media_type)->docker)
		return 0;
	for (size_t i = 0; i < e->draft.entries.len; i++)
		(void)xb_descriptors_add(&manifests, &e->draft.entries.items[i].descriptor);
	return xb_labels_common(xb_medley_place(e->medley), &manifests, &e->draft.head.annotations,
				err);
}

/* ---- the end ------------------------------------------------------------------------------ */

static int publish(struct edit *e, struct xb_error *err)
{
	const struct xb_publish_options how = {
		.may_lose = &e->may_lose,
		.expected = xb_digest_empty(&e->base.digest) ? NULL : &e->base.digest,
	};
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	int r = xb_draft_write(&e->draft, &text, err);

	if (r < 0)
		return r;
	xb_medley_make(e->medley, e->draft.head.media_type, xb_str_view(&text), &root);
	/* what the place says of the index besides: it stays */
	xb_annotations_copy(&root.annotations, &e->base.annotations);
	(void)xb_annotations_unset(&root.annotations, XB_ANNOTATION_REF_NAME);
	xb_manifest_tool_notes(&e->notes);
	return xb_manifest_tool_publish(e->tool, &e->target, xb_medley_place(e->medley), &root,
					&how, err);
}

/* ---- the tools ---------------------------------------------------------------------------- */

int xb_manifest_tool_create(struct xb_manifest_tool *tool, struct xb_error *err)
{
	XB_CLEANUP(edit_clear) struct edit e = { .tool = tool };
	int r = begin(&e, err);

	if (r == 0)
		r = take_members(&e, err);
	/* a layout is made only for what can be made */
	if (r == 0)
		r = open_target(&e, XB_NAMED_CREATE, err);
	if (r == 0)
		r = annotate_labels(&e, err);
	if (r == 0)
		r = annotate_all(&e, err);
	return r < 0 ? r : publish(&e, err);
}

int xb_manifest_tool_add(struct xb_manifest_tool *tool, struct xb_error *err)
{
	XB_CLEANUP(edit_clear) struct edit e = { .tool = tool };
	int r = open_base(&e, err);

	if (r == 0)
		r = take_members(&e, err);
	if (r == 0)
		r = annotate_all(&e, err);
	return r < 0 ? r : publish(&e, err);
}

/* A platform that goes because the command line says so. */
static void let_go(struct edit *e, const struct xb_draft_entry *entry)
{
	struct xb_platform platform = platform_of(entry);

	if (xb_draft_is_image(entry))
		xb_strv_push(&e->may_lose, xb_platform_name(&platform).text);
}

static int remove_member(struct edit *e, const char *name, struct xb_error *err)
{
	struct xb_draft_places places = { 0 };
	int r = xb_draft_find(&e->draft, name, &places, err);

	for (size_t i = places.len; r == 0 && i-- > 0;) {
		let_go(e, &e->draft.entries.items[places.items[i]]);
		xb_draft_remove(&e->draft, places.items[i], &e->notes);
	}
	xb_array_clear(&places);
	return r;
}

int xb_manifest_tool_rm(struct xb_manifest_tool *tool, struct xb_error *err)
{
	XB_CLEANUP(edit_clear) struct edit e = { .tool = tool };
	int r = open_base(&e, err);

	for (size_t i = 1; r == 0 && i < tool->operands.len; i++)
		r = remove_member(&e, tool->operands.items[i], err);
	if (r == 0 && e.draft.entries.len == 0)
		return xb_error_usage(err, "remove the name itself where it is kept",
				      "%s: nothing would be left in the index", e.target.name);
	return r < 0 ? r : publish(&e, err);
}

/* ---- annotate ----------------------------------------------------------------------------- */

static bool says_platform(const struct xb_manifest_options *o)
{
	return o->os != NULL || o->arch != NULL || o->variant != NULL || o->os_version != NULL ||
	       o->os_features.len > 0;
}

/* One part of a platform, NULL leaving it as it is. What is in it is what a document may have. */
static int set_part(const char *option, const char *value, char *part, size_t room,
		    struct xb_error *err)
{
	size_t len = value != NULL ? strlen(value) : 0;

	if (value == NULL)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (value[i] <= ' ' || value[i] > '~')
			len = room;
	}
	if (len >= room)
		return xb_error_usage(err, "give it as the OCI image specification spells it",
				      "--%s: not text of at most %zu letters without blanks",
				      option, room - 1);
	memcpy(part, value, len + 1);
	return 0;
}

/* --os-features may be given several times, and hold several with commas between. */
static char *join_features(const struct xb_strv *given)
{
	xb_auto_strv struct xb_strv all = XB_STRV_INIT;

	for (size_t i = 0; i < given->len; i++) {
		struct xb_view rest = xb_view(given->items[i]), feature;

		while (xb_view_split(&rest, ',', &feature)) {
			xb_autofree char *text = xb_view_dup(feature);

			if (*text != '\0' && xb_strv_find(&all, text) < 0)
				xb_strv_push(&all, text);
		}
	}
	xb_strv_sort(&all);
	return given->len > 0 ? xb_strv_join(&all, ",") : NULL;
}

static int read_platform(const struct xb_manifest_options *o, struct xb_platform *p,
			 struct xb_error *err)
{
	xb_autofree char *features = join_features(&o->os_features);
	const struct {
		const char *option, *value;
		char *part;
		size_t room;
	} parts[] = {
		{ "os", o->os, p->os, sizeof(p->os) },
		{ "arch", o->arch, p->arch, sizeof(p->arch) },
		{ "variant", o->variant, p->variant, sizeof(p->variant) },
		{ "os-version", o->os_version, p->os_version, sizeof(p->os_version) },
		{ "os-features", features, p->os_features, sizeof(p->os_features) },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < XB_COUNT(parts); i++)
		r = set_part(parts[i].option, parts[i].value, parts[i].part, parts[i].room, err);
	return r;
}

/* What is called another platform than its config says would not be used by anybody. */
static int check_config(const struct edit *e, const struct xb_descriptor *d, struct xb_error *err)
{
	struct xb_place *place = xb_medley_place(e->medley);
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	int r = xb_image_read_manifest(place, d, &manifest, err);

	if (r < 0 || xb_media_kind(manifest.config.media_type) != XB_MEDIA_CONFIG)
		return r;
	r = xb_image_read_config(place, &manifest, &config, err);
	return r < 0 ? r : xb_image_check_platform(d, &config, err);
}

static int set_platform(struct edit *e, size_t at, struct xb_error *err)
{
	struct xb_draft_entry *entry = &e->draft.entries.items[at];
	struct xb_platform platform = entry->descriptor.platform;
	int r = read_platform(&e->tool->options, &platform, err);

	if (r < 0)
		return r;
	if (platform.os[0] == '\0' || platform.arch[0] == '\0')
		return xb_error_usage(err, "give --os and --arch", "%s has no platform so far",
				      entry->descriptor.digest.text);
	let_go(e, entry);
	xb_descriptor_set_platform(&entry->descriptor, &platform);
	xb_draft_touch(&e->draft, at);
	return check_config(e, &entry->descriptor, err);
}

static int annotate_member(struct edit *e, const char *name, struct xb_error *err)
{
	struct xb_draft_places places = { 0 };
	int r = xb_draft_find(&e->draft, name, &places, err);

	for (size_t i = 0; r == 0 && says_platform(&e->tool->options) && i < places.len; i++)
		r = set_platform(e, places.items[i], err);
	if (r == 0)
		r = xb_draft_check(&e->draft.entries, err);
	if (r == 0)
		r = annotate(e, &places, err);
	xb_array_clear(&places);
	return r;
}

int xb_manifest_tool_annotate(struct xb_manifest_tool *tool, struct xb_error *err)
{
	XB_CLEANUP(edit_clear) struct edit e = { .tool = tool };
	const struct xb_strv *operands = &tool->operands;
	int r;

	if (operands->len == 1 && says_platform(&tool->options))
		return xb_error_usage(err, "name the member, by its digest or its platform",
				      "a platform is said of no member");
	r = open_base(&e, err);
	if (r == 0)
		r = operands->len == 1 ? annotate_all(&e, err)
				       : annotate_member(&e, operands->items[1], err);
	return r < 0 ? r : publish(&e, err);
}
