/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/leg.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "manifest/document.h"
#include "manifest/head.h"
#include "manifest/media.h"
#include "manifest/reference.h"

/* The newest version of the format. What says nothing that is new in it is written as the one
 * before, which older programs read. */
#define VERSION 2
/* No Dockerfile is built for so many; each is compared with each. */
#define MAX_PLATFORMS 256
#define MAX_PLACES    64
#define MAX_REVISION  256

static void place_clear(struct xb_leg_place *place)
{
	free(place->repository);
	free(place->layout);
	free(place->archive);
}

void xb_leg_clear(struct xb_leg *leg)
{
	free(leg->name);
	free(leg->revision);
	free(leg->version);
	xb_annotations_clear(&leg->libraries);
	xb_array_clear(&leg->platforms);
	xb_annotations_clear(&leg->index.own);
	xb_annotations_clear(&leg->index.descriptor);
	for (size_t i = 0; i < leg->places.len; i++)
		place_clear(&leg->places.items[i]);
	xb_array_clear(&leg->places);
	xb_descriptors_clear(&leg->manifests);
	*leg = (struct xb_leg){ 0 };
}

ptrdiff_t xb_leg_declared(const struct xb_leg *leg, const struct xb_platform *platform)
{
	struct xb_platform wanted = *platform;

	xb_platform_normalise(&wanted);
	for (size_t i = 0; i < leg->platforms.len; i++) {
		if (xb_platform_eq(&leg->platforms.items[i].platform, &wanted))
			return (ptrdiff_t)i;
	}
	return -1;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* A member that has to be there, and may be shown: no control characters, no quotes of any kind. */
static int read_word(const json_t *object, const char *key, char **ret, struct xb_error *err)
{
	const char *text = NULL;
	int r = xb_json_get_string(object, key, &text, err);

	if (r < 0)
		return r;
	if (text == NULL || *text == '\0' || strlen(text) > MAX_REVISION)
		return xb_error_set(err, -EBADMSG, "%s is missing, empty or too long", key);
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return xb_error_set(err, -EBADMSG, "%s holds a control character", key);
	}
	*ret = xb_strdup(text);
	return 0;
}

static int read_digest(const json_t *object, const char *key, struct xb_digest *ret,
		       struct xb_error *err)
{
	const char *text = NULL;
	int r = xb_json_get_string(object, key, &text, err);

	if (r == 0 && (text == NULL || xb_digest_parse(xb_view(text), ret, NULL) < 0))
		r = xb_error_set(err, -EBADMSG, "%s is missing or no digest", key);
	return r;
}

/* Nothing may be there that this version does not know: it might mean something. */
static int only_known(const json_t *object, const char *const *known, const char *what,
		      struct xb_error *err)
{
	xb_autofree char *extra = NULL;
	xb_autofree char *shown = NULL;
	int r = xb_document_extra(object, known, &extra, err);

	if (r < 0 || extra == NULL)
		return r;
	shown = xb_document_quote(extra);
	return xb_error_set(err, -EBADMSG, "%s has members that are not known: %.200s", what,
			    shown);
}

/* An array's element as an object, or an error. */
static int as_object(const json_t *value, const char *what, struct xb_error *err)
{
	return json_is_object(value) ? 0 : xb_error_set(err, -EBADMSG, "%s is no object", what);
}

/* An array that has to be there, with 1 to `most` elements. */
static int read_list(const json_t *object, const char *key, size_t most, json_t **ret,
		     struct xb_error *err)
{
	int r = xb_json_get_array(object, key, ret, err);

	if (r == 0 && (*ret == NULL || json_array_size(*ret) == 0 || json_array_size(*ret) > most))
		r = xb_error_set(err, -EBADMSG, "%s is missing, empty or too long", key);
	return r;
}

static int add_platform(struct xb_leg *leg, const char *text, struct xb_error *err)
{
	struct xb_view name = xb_view(text);
	struct xb_leg_platform added = { .optional = xb_view_ends(name, XB_VIEW("?")) };
	int r;

	if (added.optional)
		name = xb_view_sub(name, 0, name.len - 1);
	/* whoever writes a leg writes os and architecture: there is nothing to fill in */
	if (xb_view_find(name, '/') < 0)
		return xb_error_set(err, -EBADMSG, "platforms: one is not of the form OS/ARCH");
	r = xb_platform_parse(name, NULL, &added.platform, err);
	if (r < 0)
		return xb_error_wrap(err, r, "platforms");
	if (xb_leg_declared(leg, &added.platform) >= 0)
		return xb_error_set(err, -EBADMSG, "platforms: %s stands there twice",
				    xb_platform_name(&added.platform).text);
	*xb_array_push(&leg->platforms) = added;
	return 0;
}

static int read_platforms(const json_t *root, struct xb_leg *leg, struct xb_error *err)
{
	json_t *list = NULL, *value;
	size_t i;
	int r = read_list(root, "platforms", MAX_PLATFORMS, &list, err);

	if (r < 0)
		return r;
	json_array_foreach(list, i, value)
	{
		if (!json_is_string(value))
			return xb_error_set(err, -EBADMSG, "platforms[%zu] is no string", i);
		r = add_platform(leg, json_string_value(value), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_builder(const json_t *root, struct xb_leg *leg, struct xb_error *err)
{
	static const char *const known[] = { "xbuild", "libraries", NULL };
	json_t *builder = NULL;
	int r = xb_json_get_object(root, "builder", &builder, err);

	if (r == 0 && builder == NULL)
		r = xb_error_set(err, -EBADMSG, "it is missing");
	if (r == 0)
		r = only_known(builder, known, "it", err);
	if (r == 0)
		r = read_word(builder, "xbuild", &leg->version, err);
	if (r == 0)
		r = xb_annotations_from_json(builder, "libraries", &leg->libraries, err);
	return r < 0 ? xb_error_wrap(err, r, "builder") : 0;
}

static int read_index_type(const json_t *index, struct xb_leg_index *ret, struct xb_error *err)
{
	const char *type = NULL;
	int r = xb_json_get_string(index, "mediaType", &type, err);

	if (r == 0 && xb_media_kind(type) != XB_MEDIA_INDEX)
		r = xb_error_set(err, -EBADMSG, "mediaType is not that of an index");
	if (r == 0)
		ret->docker = xb_media_lookup(type)->docker;
	return r;
}

static int read_labels(const json_t *index, struct xb_leg_index *ret, struct xb_error *err)
{
	const json_t *labels = json_object_get(index, "labels");

	if (labels != NULL && !json_is_boolean(labels))
		return xb_error_set(err, -EBADMSG, "labels is neither true nor false");
	ret->unlabelled = json_is_false(labels);
	return 0;
}

static int read_index(const json_t *root, struct xb_leg *leg, struct xb_error *err)
{
	/* what version 1 does not have stands last */
	static const char *const known[] = { "mediaType", "annotations", "descriptorAnnotations",
					     "labels", NULL };
	static const char *const known_1[] = { "mediaType", "annotations", "descriptorAnnotations",
					       NULL };
	json_t *index = NULL;
	uint64_t version = 1;
	int r = xb_json_get_object(root, "index", &index, err);

	if (r == 0 && index == NULL && leg->platforms.len > 1)
		r = xb_error_set(err, -EBADMSG, "it is missing, and there are several platforms");
	leg->index.wanted = index != NULL;
	if (r == 0 && index != NULL)
		r = xb_json_get_u64(root, "xbuildLeg", &version, err);
	if (r == 0 && index != NULL)
		r = only_known(index, version == 1 ? known_1 : known, "it", err);
	if (r == 0 && index != NULL)
		r = read_labels(index, &leg->index, err);
	if (r == 0 && index != NULL)
		r = read_index_type(index, &leg->index, err);
	if (r == 0 && index != NULL)
		r = xb_annotations_from_json(index, "annotations", &leg->index.own, err);
	if (r == 0 && index != NULL)
		r = xb_annotations_from_json(index, "descriptorAnnotations", &leg->index.descriptor,
					     err);
	return r < 0 ? xb_error_wrap(err, r, "index") : 0;
}

/* Whether a path leads downwards from where the file is. */
static bool leads_down(const char *path)
{
	struct xb_view rest = xb_view(path), name;

	if (*path == '\0' || *path == '/')
		return false;
	while (xb_view_split(&rest, '/', &name)) {
		if (name.len == 0 || xb_view_is(name, ".."))
			return false;
	}
	return true;
}

static int check_repository(const char *text, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	int r = xb_reference_parse_exact(xb_view(text), &ref, err);

	if (r == 0 && (ref.domain == NULL || ref.tag != NULL || !xb_digest_empty(&ref.digest)))
		r = xb_error_set(err, -EBADMSG, "the repository is not of the form HOST/NAME");
	return r < 0 ? -EBADMSG : 0;
}

/* What is said of a place, borrowed: a repository, or the path of something. */
struct said {
	const char *repository, *layout, *archive;
};

static int check_place(const struct said *said, struct xb_error *err)
{
	const char *path = said->layout != NULL ? said->layout : said->archive;

	if ((said->repository != NULL) + (said->layout != NULL) + (said->archive != NULL) != 1)
		return xb_error_set(err, -EBADMSG,
				    "it needs one of repository, layout and archive");
	if (path != NULL && !leads_down(path))
		return xb_error_set(err, -EBADMSG, "its path leads out of the directory");
	return said->repository != NULL ? check_repository(said->repository, err) : 0;
}

static int add_place(struct xb_leg *leg, const json_t *value, struct xb_error *err)
{
	static const char *const known[] = { "repository", "layout", "archive", NULL };
	struct said said = { 0 };
	int r = as_object(value, "it", err);

	if (r == 0)
		r = only_known(value, known, "it", err);
	if (r == 0)
		r = xb_json_get_string(value, "repository", &said.repository, err);
	if (r == 0)
		r = xb_json_get_string(value, "layout", &said.layout, err);
	if (r == 0)
		r = xb_json_get_string(value, "archive", &said.archive, err);
	if (r == 0)
		r = check_place(&said, err);
	if (r == 0)
		*xb_array_push(&leg->places) = (struct xb_leg_place){
			.repository = xb_strdup(said.repository),
			.layout = xb_strdup(said.layout),
			.archive = xb_strdup(said.archive),
		};
	return r;
}

static int read_places(const json_t *root, struct xb_leg *leg, struct xb_error *err)
{
	json_t *list = NULL, *value;
	size_t i;
	int r = read_list(root, "places", MAX_PLACES, &list, err);

	if (r < 0)
		return r;
	json_array_foreach(list, i, value)
	{
		r = add_place(leg, value, err);
		if (r < 0)
			return xb_error_wrap(err, r, "places[%zu]", i);
	}
	return 0;
}

/* What is wrong with an image that goes into an index as it is; NULL: nothing. */
static const char *fault_of(const struct xb_leg *leg, size_t i)
{
	const struct xb_descriptor *d = &leg->manifests.items[i];
	ptrdiff_t declared = xb_leg_declared(leg, &d->platform);

	if (xb_media_kind(d->media_type) != XB_MEDIA_MANIFEST)
		return "it is no image manifest";
	if (!d->has_platform)
		return "it has no platform";
	if (declared < 0)
		return "its platform is not among those of the whole";
	if (d->extra != NULL || d->artifact_type != NULL)
		return "it has members that are not known";
	for (size_t k = 0; k < i; k++) {
		if (xb_leg_declared(leg, &leg->manifests.items[k].platform) == declared)
			return "there is another one for its platform";
	}
	return NULL;
}

static int read_manifests(const json_t *root, struct xb_leg *leg, struct xb_error *err)
{
	json_t *list = NULL;
	int r = read_list(root, "manifests", MAX_PLATFORMS, &list, err);

	if (r == 0)
		r = xb_descriptors_from_json(root, "manifests", &leg->manifests, err);
	for (size_t i = 0; r == 0 && i < leg->manifests.len; i++) {
		const char *fault = fault_of(leg, i);

		if (fault != NULL)
			r = xb_error_set(err, -EBADMSG, "manifests[%zu]: %s", i, fault);
	}
	return r;
}

static int read_version(const json_t *root, struct xb_error *err)
{
	uint64_t version = 0;
	int r = xb_json_get_u64(root, "xbuildLeg", &version, err);

	if (r == 0 && version == 0)
		r = xb_error_set(err, -EBADMSG, "it is not what a leg of xbuild leaves");
	if (r == 0 && version > VERSION) {
		r = xb_error_set(err, -ENOTSUP,
				 "it is of version %llu, and this xbuild reads them up to %d",
				 (unsigned long long)version, VERSION);
		(void)xb_error_hint(err, "use one xbuild for all legs and for the merge");
	}
	return r;
}

static int read_epoch(const json_t *root, struct xb_leg *leg, struct xb_error *err)
{
	leg->epoch = UINT64_MAX;
	if (xb_json_get_u64(root, "sourceDateEpoch", &leg->epoch, NULL) == 0 &&
	    leg->epoch != UINT64_MAX)
		return 0;
	return xb_error_set(err, -EBADMSG, "sourceDateEpoch is missing or no number of seconds");
}

static int read_leg(const json_t *root, struct xb_leg *leg, struct xb_error *err)
{
	static const char *const known[] = { "xbuildLeg",  "revision",	"sourceDateEpoch",
					     "dockerfile", "arguments", "builder",
					     "platforms",  "index",	"places",
					     "manifests",  NULL };
	static int (*const readers[])(const json_t *, struct xb_leg *, struct xb_error *) = {
		read_epoch, read_builder, read_platforms, read_index, read_places, read_manifests,
	};
	int r = read_version(root, err);

	if (r == 0)
		r = only_known(root, known, "the file", err);
	if (r == 0)
		r = read_word(root, "revision", &leg->revision, err);
	if (r == 0)
		r = read_digest(root, "dockerfile", &leg->dockerfile, err);
	if (r == 0)
		r = read_digest(root, "arguments", &leg->arguments, err);
	for (size_t i = 0; r == 0 && i < XB_COUNT(readers); i++)
		r = readers[i](root, leg, err);
	return r;
}

int xb_leg_parse(struct xb_view text, struct xb_leg *ret, struct xb_error *err)
{
	xb_auto_json json_t *root = NULL;
	xb_auto_leg struct xb_leg leg = { 0 };
	int r = xb_document_parse(text, XB_MAX_LEG, &root, err);

	if (r == 0)
		r = read_leg(root, &leg, err);
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_PROOF);
		return r;
	}
	*ret = leg;
	leg = (struct xb_leg){ 0 };
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------ */

static json_t *platforms_to_json(const struct xb_leg *leg)
{
	json_t *list = json_array();

	for (size_t i = 0; i < leg->platforms.len; i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

		(void)xb_platform_format_all(&leg->platforms.items[i].platform, &text);
		if (leg->platforms.items[i].optional)
			(void)xb_str_putc(&text, '?');
		(void)json_array_append_new(list, json_string(xb_str_text(&text)));
	}
	return list;
}

static void set_annotations(json_t *object, const char *key, const struct xb_annotations *a)
{
	json_t *value = xb_annotations_to_json(a);

	if (value != NULL)
		xb_json_set_new(object, key, value);
}

static json_t *index_to_json(const struct xb_leg_index *index)
{
	json_t *object = json_object();

	xb_json_set_string(object, "mediaType",
			   index->docker ? XB_MEDIA_DOCKER_INDEX : XB_MEDIA_OCI_INDEX);
	set_annotations(object, "annotations", &index->own);
	set_annotations(object, "descriptorAnnotations", &index->descriptor);
	if (index->unlabelled)
		xb_json_set_new(object, "labels", json_false());
	return object;
}

static json_t *places_to_json(const struct xb_leg *leg)
{
	json_t *list = json_array();

	for (size_t i = 0; i < leg->places.len; i++) {
		json_t *object = json_object();

		xb_json_set_string(object, "repository", leg->places.items[i].repository);
		xb_json_set_string(object, "layout", leg->places.items[i].layout);
		xb_json_set_string(object, "archive", leg->places.items[i].archive);
		(void)json_array_append_new(list, object);
	}
	return list;
}

int xb_leg_write(const struct xb_leg *leg, struct xb_str *text, struct xb_error *err)
{
	xb_auto_json json_t *root = json_object();
	json_t *builder = json_object();

	xb_json_set_u64(root, "xbuildLeg",
			leg->index.wanted && leg->index.unlabelled ? VERSION : 1);
	xb_json_set_string(root, "revision", leg->revision);
	xb_json_set_u64(root, "sourceDateEpoch", leg->epoch);
	xb_json_set_string(root, "dockerfile", leg->dockerfile.text);
	xb_json_set_string(root, "arguments", leg->arguments.text);
	xb_json_set_string(builder, "xbuild", leg->version);
	set_annotations(builder, "libraries", &leg->libraries);
	xb_json_set_new(root, "builder", builder);
	xb_json_set_new(root, "platforms", platforms_to_json(leg));
	if (leg->index.wanted)
		xb_json_set_new(root, "index", index_to_json(&leg->index));
	xb_json_set_new(root, "places", places_to_json(leg));
	xb_json_set_new(root, "manifests", xb_descriptors_to_json(&leg->manifests));
	return xb_json_write_pretty(root, text, err);
}
