/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/image_doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/json.h"
#include "builder/image/audit.h"
#include "manifest/image.h"
#include "manifest/index.h"
#include "manifest/media.h"

/* As manifest/image.h has it. */
#define MAX_DEPTH XB_MAX_INDEX_DEPTH

/* An image of a platform, for comparison with its neighbours. */
struct patient {
	struct xb_descriptor descriptor;
	struct xb_platform platform; /* as labelled, else the config's; normalised */
	struct xb_manifest manifest;
};

struct examination {
	const struct xb_image_source *from;
	bool deep;
	struct XB_ARRAY(struct patient) patients;
	struct xb_diagnosis *ret;
};

static void examination_clear(struct examination *e)
{
	for (size_t i = 0; i < e->patients.len; i++) {
		xb_descriptor_clear(&e->patients.items[i].descriptor);
		xb_manifest_clear(&e->patients.items[i].manifest);
	}
	xb_array_clear(&e->patients);
}

void xb_diagnosis_clear(struct xb_diagnosis *d)
{
	for (size_t i = 0; i < d->ailments.len; i++) {
		free(d->ailments.items[i].where);
		free(d->ailments.items[i].sentence);
	}
	xb_array_clear(&d->ailments);
	*d = (struct xb_diagnosis){ 0 };
}

size_t xb_diagnosis_count(const struct xb_diagnosis *diagnosis, enum xb_audit_grade grade)
{
	size_t count = 0;

	for (size_t i = 0; i < diagnosis->ailments.len; i++)
		count += diagnosis->ailments.items[i].grade == grade;
	return count;
}

/* ---- findings ------------------------------------------------------------------------------- */

enum ailment {
	INDEX_DAMAGED,
	CHILD_MISSING,
	CHILD_DAMAGED,
	CHILD_UNKNOWN,
	CONFIG_MISSING,
	CONFIG_DAMAGED,
	LAYER_MISSING,
	LAYER_TYPE,
	LAYER_COUNT,
	PLATFORM_MISMATCH,
	PLATFORM_VARIANT,
	PLATFORM_UNLABELLED,
	PLATFORM_DUPLICATE,
	IMAGE_IDENTICAL,
	ATTESTATION_ORPHANED,
	INDEX_DEEP,
	INDEX_EMPTY,
	IMAGE_SINGLE,
	IMAGE_UNREADABLE
};

#define PUSH_AGAIN                                                                                 \
	"push the image again from where it is whole: `xbuild manifest copy` sends what is "       \
	"missing"

static const struct {
	const char *id;
	enum xb_audit_grade grade;
	const char *remedy;
} ailments[] = {
	[INDEX_DAMAGED] = { "index-damaged", XB_AUDIT_ERROR, PUSH_AGAIN },
	[CHILD_MISSING] = { "child-missing", XB_AUDIT_ERROR,
			    "build and push that platform again, or take it out: `xbuild manifest "
			    "rm`" },
	[CHILD_DAMAGED] = { "child-damaged", XB_AUDIT_ERROR, PUSH_AGAIN },
	[CHILD_UNKNOWN] = { "child-unknown", XB_AUDIT_NOTE, "nothing, if something reads it" },
	[CONFIG_MISSING] = { "config-missing", XB_AUDIT_ERROR, PUSH_AGAIN },
	[CONFIG_DAMAGED] = { "config-damaged", XB_AUDIT_ERROR, PUSH_AGAIN },
	[LAYER_MISSING] = { "layer-missing", XB_AUDIT_ERROR, PUSH_AGAIN },
	[LAYER_TYPE] = { "layer-type", XB_AUDIT_WARNING,
			 "build it again with a builder that writes OCI's types" },
	[LAYER_COUNT] = { "layer-count", XB_AUDIT_ERROR, "build the image again" },
	[PLATFORM_MISMATCH] = { "platform-mismatch", XB_AUDIT_ERROR,
				"`xbuild manifest annotate` if the config is right, else build "
				"again" },
	[PLATFORM_VARIANT] = { "platform-variant", XB_AUDIT_WARNING,
			       "`xbuild manifest annotate --variant`" },
	[PLATFORM_UNLABELLED] = { "platform-unlabelled", XB_AUDIT_WARNING,
				  "`xbuild manifest annotate --os --arch`" },
	[PLATFORM_DUPLICATE] = { "platform-duplicate", XB_AUDIT_ERROR,
				 "`xbuild manifest rm` the one that is not meant" },
	[IMAGE_IDENTICAL] = { "image-identical", XB_AUDIT_WARNING,
			      "look whether that platform was built at all: `xbuild audit`" },
	[ATTESTATION_ORPHANED] = { "attestation-orphaned", XB_AUDIT_WARNING,
				   "`xbuild manifest rm` the attestation" },
	[INDEX_DEEP] = { "index-deep", XB_AUDIT_ERROR,
			 "make one index of all: `xbuild manifest create`" },
	[INDEX_EMPTY] = { "index-empty", XB_AUDIT_ERROR, "build and push the platforms again" },
	[IMAGE_SINGLE] = { "image-single", XB_AUDIT_NOTE,
			   "build with --platform for several platforms, if that is meant" },
	[IMAGE_UNREADABLE] = { "image-unreadable", XB_AUDIT_ERROR, PUSH_AGAIN },
};

static char *name_of(const struct xb_descriptor *d)
{
	return d->has_platform
		       ? xb_format("%s %s", xb_platform_name(&d->platform).text, d->digest.text)
		       : xb_strdup(d->digest.text);
}

static void tell(struct examination *e, enum ailment what, const struct xb_descriptor *where,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void tell(struct examination *e, enum ailment what, const struct xb_descriptor *where,
		 const char *format, ...)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN), shown = XB_STR_INIT(XB_STR_OWN);
	struct xb_ailment *ailment = xb_array_push(&e->ret->ailments);
	va_list args;

	va_start(args, format);
	(void)xb_str_vprintf(&text, format, args);
	va_end(args);
	(void)xb_str_append_quoted(&shown, xb_str_view(&text));
	*ailment = (struct xb_ailment){ .grade = ailments[what].grade,
					.id = ailments[what].id,
					.remedy = ailments[what].remedy };
	ailment->where = name_of(where);
	ailment->sentence = xb_str_steal(&shown);
}

/* Whether an error is a finding and not the place's: what is not there, and what is not as it says.
 */
static bool is_finding(int r)
{
	return r == -ENOENT || r == -EBADMSG || r == -EFBIG || r == -EINVAL || r == -ENOTSUP;
}

/* Tell of a document that could not be read, or give the error on. */
static int cannot_read(struct examination *e, int r, struct xb_error *cause,
		       const struct xb_descriptor *d, enum ailment missing, enum ailment damaged,
		       struct xb_error *err)
{
	if (!is_finding(r)) {
		xb_error_move(err, cause);
		return r;
	}
	tell(e, r == -ENOENT ? missing : damaged, d, "%s",
	     cause->message != NULL ? cause->message : "it cannot be read");
	return 0;
}

/* ---- an image ------------------------------------------------------------------------------- */

static void examine_platform(struct examination *e, const struct xb_descriptor *d,
			     const struct xb_image_config *config)
{
	struct xb_platform label = d->platform, says = config->platform;

	if (!d->has_platform)
		return;
	xb_platform_normalise(&label);
	xb_platform_normalise(&says);
	if (strcmp(label.os, says.os) != 0 || strcmp(label.arch, says.arch) != 0)
		tell(e, PLATFORM_MISMATCH, d, "its config is for %s", xb_platform_name(&says).text);
	else if (strcmp(label.variant, says.variant) != 0)
		tell(e, PLATFORM_VARIANT, d, "its config is for %s", xb_platform_name(&says).text);
}

static int examine_layers(struct examination *e, const struct xb_descriptor *d,
			  const struct xb_manifest *manifest, struct xb_error *err)
{
	struct xb_place *place = e->from->place;

	for (size_t i = 0; i < manifest->layers.len; i++) {
		const struct xb_descriptor *layer = &manifest->layers.items[i];
		const struct xb_media *media = xb_media_lookup(layer->media_type);
		bool there = false;
		int r;

		e->ret->blobs++;
		if (media->kind != XB_MEDIA_LAYER)
			tell(e, LAYER_TYPE, d, "layer %s is of the type %s", layer->digest.text,
			     layer->media_type);
		else if (media->foreign)
			tell(e, LAYER_TYPE, d, "layer %s is not to be distributed",
			     layer->digest.text);
		r = place->ops->has(place, layer, &there, err);
		if (r < 0)
			return r;
		if (!there && !media->foreign)
			tell(e, LAYER_MISSING, d, "layer %s is not there", layer->digest.text);
	}
	return 0;
}

/* What is in the files: only where nothing was found missing before. */
static int examine_files(struct examination *e, const struct xb_descriptor *d,
			 const struct xb_manifest *manifest, const struct xb_image_config *config,
			 struct xb_error *err)
{
	const struct xb_platform *platform = d->has_platform ? &d->platform : &config->platform;
	xb_auto_image_tree struct xb_image_tree *tree = NULL;
	xb_auto_image_findings struct xb_image_findings found = { 0 };
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = xb_image_tree_load(e->from, manifest, config->diff_ids.items, config->diff_ids.len,
				   &tree, &cause);

	if (r < 0)
		return cannot_read(e, r, &cause, d, IMAGE_UNREADABLE, IMAGE_UNREADABLE, err);
	xb_image_audit(tree, platform, config, NULL, &found);
	for (size_t i = 0; i < found.len; i++) {
		const struct xb_image_finding *f = &found.items[i];

		if (f->grade == XB_AUDIT_NOTE)
			continue;
		*xb_array_push(&e->ret->ailments) = (struct xb_ailment){
			.grade = f->grade,
			.id = f->rule->id,
			.where = xb_format("%s %s", xb_platform_name(platform).text, f->path),
			.sentence = xb_strdup(f->sentence),
			.remedy = f->rule->remedy,
		};
	}
	return 0;
}

static void remember(struct examination *e, const struct xb_descriptor *d,
		     const struct xb_manifest *manifest, const struct xb_image_config *config)
{
	struct patient *patient = xb_array_push(&e->patients);

	*patient = (struct patient){ .platform = d->has_platform ? d->platform : config->platform };
	xb_platform_normalise(&patient->platform);
	xb_descriptor_copy(&patient->descriptor, d);
	xb_manifest_copy(&patient->manifest, manifest);
}

static int examine_image(struct examination *e, const struct xb_descriptor *d,
			 const struct xb_manifest *manifest, struct xb_error *err)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	size_t before = e->ret->ailments.len;
	int r = xb_image_read_config(e->from->place, manifest, &config, &cause);

	if (r < 0)
		return cannot_read(e, r, &cause, d, CONFIG_MISSING, CONFIG_DAMAGED, err);
	e->ret->documents++;
	if (config.diff_ids.len != manifest->layers.len)
		tell(e, LAYER_COUNT, d, "its config tells of %zu layers, it has %zu",
		     config.diff_ids.len, manifest->layers.len);
	examine_platform(e, d, &config);
	r = examine_layers(e, d, manifest, err);
	remember(e, d, manifest, &config);
	if (r == 0 && e->deep && e->ret->ailments.len == before)
		r = examine_files(e, d, manifest, &config, err);
	return r;
}

static int examine_manifest(struct examination *e, const struct xb_descriptor *d,
			    struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = xb_image_read_manifest(e->from->place, d, &manifest, &cause);

	if (r < 0)
		return cannot_read(e, r, &cause, d, CHILD_MISSING, CHILD_DAMAGED, err);
	e->ret->documents++;
	if (xb_media_kind(manifest.config.media_type) != XB_MEDIA_CONFIG) {
		tell(e, CHILD_UNKNOWN, d, "it is no image but an artifact of the type %s",
		     manifest.config.media_type);
		return 0;
	}
	return examine_image(e, d, &manifest, err);
}

/* ---- an index ------------------------------------------------------------------------------- */

static bool has_entry(const struct xb_index *index, const char *digest)
{
	for (size_t i = 0; digest != NULL && i < index->manifests.len; i++)
		if (strcmp(index->manifests.items[i].digest.text, digest) == 0 &&
		    !xb_descriptor_is_attestation(&index->manifests.items[i]))
			return true;
	return false;
}

static int examine_attestation(struct examination *e, const struct xb_index *index,
			       const struct xb_descriptor *d, struct xb_error *err)
{
	const char *of = xb_annotations_get(&d->annotations, XB_ANNOTATION_REFERENCE_DIGEST);
	bool there = false;
	int r = e->from->place->ops->has(e->from->place, d, &there, err);

	if (r < 0)
		return r;
	if (!there)
		tell(e, CHILD_MISSING, d, "the attestation is not there");
	if (!has_entry(index, of))
		tell(e, ATTESTATION_ORPHANED, d, "it is of %s, which the index has not",
		     of != NULL ? of : "nothing");
	return 0;
}

static int examine_index(struct examination *e, const struct xb_descriptor *d, unsigned depth,
			 struct xb_error *err);

static int examine_entry(struct examination *e, const struct xb_index *index,
			 const struct xb_descriptor *d, unsigned depth, struct xb_error *err)
{
	if (xb_descriptor_is_attestation(d))
		return examine_attestation(e, index, d, err);
	switch (xb_media_kind(d->media_type)) {
	case XB_MEDIA_INDEX:
		if (depth < MAX_DEPTH)
			return examine_index(e, d, depth + 1, err);
		tell(e, INDEX_DEEP, d, "indexes in indexes, more than %d deep", MAX_DEPTH);
		return 0;
	case XB_MEDIA_MANIFEST:
		if (!d->has_platform || strcmp(d->platform.os, "unknown") == 0)
			tell(e, PLATFORM_UNLABELLED, d,
			     "the index does not say which platform it is for");
		return examine_manifest(e, d, err);
	default:
		tell(e, CHILD_UNKNOWN, d, "it is of the type %s", d->media_type);
		return 0;
	}
}

static int examine_index(struct examination *e, const struct xb_descriptor *d, unsigned depth,
			 struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	struct xb_place *place = e->from->place;
	int r = place->ops->read(place, d, XB_MAX_MANIFEST, &text, &cause);

	if (r == 0)
		r = xb_index_parse(xb_str_view(&text), d->media_type, &index, &cause);
	if (r < 0)
		return cannot_read(e, r, &cause, d, CHILD_MISSING, INDEX_DAMAGED, err);
	e->ret->documents++;
	if (index.manifests.len == 0)
		tell(e, INDEX_EMPTY, d, "it has no entry");
	for (size_t i = 0; r == 0 && i < index.manifests.len; i++)
		r = examine_entry(e, &index, &index.manifests.items[i], depth, err);
	return r;
}

/* ---- neighbours ----------------------------------------------------------------------------- */

static bool same_layers(const struct xb_manifest *a, const struct xb_manifest *b)
{
	if (a->layers.len != b->layers.len || a->layers.len == 0)
		return false;
	for (size_t i = 0; i < a->layers.len; i++)
		if (!xb_digest_eq(&a->layers.items[i].digest, &b->layers.items[i].digest))
			return false;
	return true;
}

/* The later of two images, held against the earlier. */
static void compare(struct examination *e, const struct patient *one, const struct patient *other)
{
	const char *platform = xb_platform_name(&one->platform).text;

	if (xb_platform_eq(&one->platform, &other->platform))
		tell(e, PLATFORM_DUPLICATE, &other->descriptor,
		     "it is for the same platform as %s, and which is taken depends on who asks",
		     one->descriptor.digest.text);
	else if (xb_digest_eq(&one->descriptor.digest, &other->descriptor.digest))
		tell(e, IMAGE_IDENTICAL, &other->descriptor, "it is the image for %s", platform);
	else if (same_layers(&one->manifest, &other->manifest))
		tell(e, IMAGE_IDENTICAL, &other->descriptor,
		     "it has the same layers as the image for %s", platform);
}

int xb_diagnosis_make(const struct xb_image_source *from, const struct xb_descriptor *root,
		      bool deep, struct xb_diagnosis *ret, struct xb_error *err)
{
	XB_CLEANUP(examination_clear)
	struct examination e = { .from = from, .deep = deep, .ret = ret };
	bool index = xb_media_kind(root->media_type) == XB_MEDIA_INDEX;
	int r = index ? examine_index(&e, root, 0, err) : examine_manifest(&e, root, err);

	if (r < 0)
		return r;
	if (!index && e.patients.len > 0)
		tell(&e, IMAGE_SINGLE, root, "it is one image, for %s alone",
		     xb_platform_name(&e.patients.items[0].platform).text);
	for (size_t i = 0; i < e.patients.len; i++)
		for (size_t k = 0; k < i; k++)
			compare(&e, &e.patients.items[k], &e.patients.items[i]);
	return 0;
}

/* ---- telling -------------------------------------------------------------------------------- */

void xb_diagnosis_print(const struct xb_diagnosis *diagnosis, const char *name,
			const struct xb_descriptor *root, FILE *out)
{
	(void)fprintf(out,
		      "%s %s: %zu documents read, %zu layers asked for; %zu errors, %zu warnings\n",
		      name, root->digest.text, diagnosis->documents, diagnosis->blobs,
		      xb_diagnosis_count(diagnosis, XB_AUDIT_ERROR),
		      xb_diagnosis_count(diagnosis, XB_AUDIT_WARNING));
	for (int grade = XB_AUDIT_ERROR; grade >= XB_AUDIT_NOTE; grade--) {
		for (size_t i = 0; i < diagnosis->ailments.len; i++) {
			const struct xb_ailment *a = &diagnosis->ailments.items[i];
			xb_auto_str struct xb_str where = XB_STR_INIT(XB_STR_OWN);

			if ((int)a->grade != grade)
				continue;
			(void)xb_str_append_quoted(&where, xb_view(a->where));
			(void)fprintf(out, "%s %s: %s\n  %s\n  hint: %s\n",
				      xb_audit_grade_name(a->grade), a->id, xb_str_text(&where),
				      a->sentence, a->remedy);
		}
	}
}

static json_t *describe(const struct xb_ailment *a)
{
	json_t *object = json_object();
	xb_auto_str struct xb_str where = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_append_quoted(&where, xb_view(a->where));
	xb_json_set_string(object, "rule", a->id);
	xb_json_set_string(object, "grade", xb_audit_grade_name(a->grade));
	xb_json_set_string(object, "where", xb_str_text(&where));
	xb_json_set_string(object, "message", a->sentence);
	xb_json_set_string(object, "remedy", a->remedy);
	return object;
}

int xb_diagnosis_print_json(const struct xb_diagnosis *diagnosis, const char *name,
			    const struct xb_descriptor *root, FILE *out, struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	json_t *findings = json_array();
	int r;

	xb_json_set_string(object, "name", name);
	xb_json_set_string(object, "digest", root->digest.text);
	xb_json_set_u64(object, "documents", diagnosis->documents);
	xb_json_set_u64(object, "layers", diagnosis->blobs);
	for (size_t i = 0; i < diagnosis->ailments.len; i++)
		(void)json_array_append_new(findings, describe(&diagnosis->ailments.items[i]));
	xb_json_set_new(object, "findings", findings);
	r = xb_json_write(object, &text, err);
	if (r == 0)
		(void)fprintf(out, "%s\n", xb_str_text(&text));
	return r;
}
