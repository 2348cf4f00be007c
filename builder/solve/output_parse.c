/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/csv.h"
#include "builder/layer/codec.h"
#include "builder/solve/output.h"

/* More than any compression has. */
#define MAX_LEVEL 100

static const struct {
	const char *name;
	bool needs_dest;
	bool one_platform;
	bool image; /* it holds layers */
} types[] = {
	[XB_OUTPUT_IMAGE] = { "image", false, false, true },
	[XB_OUTPUT_REGISTRY] = { "registry", false, false, true },
	[XB_OUTPUT_OCI] = { "oci", true, false, true },
	[XB_OUTPUT_DOCKER] = { "docker", true, true, true },
	[XB_OUTPUT_LOCAL] = { "local", true, false, false },
	[XB_OUTPUT_TAR] = { "tar", true, false, false },
	[XB_OUTPUT_CACHE_ONLY] = { "cacheonly", false, false, false },
};

const char *xb_output_type_name(enum xb_output_type type)
{
	return types[type].name;
}

bool xb_output_has_image(const struct xb_output *output)
{
	return types[output->type].image;
}

void xb_outputs_clear(struct xb_outputs *outputs)
{
	for (size_t i = 0; i < outputs->len; i++) {
		free(outputs->items[i].dest);
		free(outputs->items[i].tag);
		xb_strv_clear(&outputs->items[i].names);
		xb_annotate_clear(&outputs->items[i].annotate);
	}
	xb_array_clear(outputs);
}

static int usage(struct xb_error *err, const char *text, const char *what)
{
	(void)xb_error_set(err, -EINVAL, "-o %s: %s", text, what);
	(void)xb_error_hint(err,
			    "write type=registry|oci|docker|local|tar|image|cacheonly,dest=PATH");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int set_type(struct xb_output *output, struct xb_view value)
{
	for (size_t i = 0; i < XB_COUNT(types); i++) {
		if (xb_view_is(value, types[i].name)) {
			output->type = (enum xb_output_type)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_bool(bool *member, struct xb_view value, bool inverted)
{
	bool yes = xb_view_is(value, "true") || xb_view_is(value, "1") || value.len == 0;

	if (!yes && !xb_view_is(value, "false") && !xb_view_is(value, "0"))
		return -EINVAL;
	*member = yes != inverted;
	return 0;
}

static int set_split(struct xb_output *output, struct xb_view value)
{
	bool split = false;
	int r = set_bool(&split, value, false);

	output->split = split ? XB_SPLIT_ALWAYS : XB_SPLIT_NEVER;
	return r;
}

static int set_compression(struct xb_output *output, struct xb_view value)
{
	static const char *const names[] = {
		[XB_COMPRESSION_GZIP] = "gzip",
		[XB_COMPRESSION_ZSTD] = "zstd",
		[XB_COMPRESSION_NONE] = "uncompressed",
	};

	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (xb_view_is(value, names[i])) {
			output->form.compression = (enum xb_compression)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The keys that say how layers are packed, and annotations. */
static int set_form(struct xb_output *output, struct xb_view key, struct xb_view value)
{
	uint64_t level = 0;

	if (xb_view_is(key, "compression"))
		return set_compression(output, value);
	if (xb_view_is(key, "force-compression"))
		return set_bool(&output->form.force, value, false);
	if (xb_view_is(key, "oci-mediatypes"))
		return set_bool(&output->form.docker, value, true);
	if (!xb_view_is(key, "compression-level"))
		return xb_annotate_parse_key(key, value, &output->annotate);
	if (xb_view_parse_u64(value, MAX_LEVEL, &level) < 0 || level == 0)
		return -EINVAL;
	output->form.level = (int)level;
	return 0;
}

static int set_field(struct xb_output *output, struct xb_view key, struct xb_view value,
		     bool *ret_typed)
{
	if (xb_view_is(key, "type")) {
		*ret_typed = true;
		return set_type(output, value);
	}
	if (xb_view_is(key, "dest") || xb_view_is(key, "tag")) {
		char **member = xb_view_is(key, "dest") ? &output->dest : &output->tag;

		free(*member);
		*member = xb_view_dup(value);
		return value.len > 0 ? 0 : -EINVAL;
	}
	if (xb_view_is(key, "name")) {
		while (value.data != NULL) {
			struct xb_view name;

			if (xb_view_split(&value, ',', &name) && name.len > 0)
				xb_strv_push_view(&output->names, name);
		}
		return 0;
	}
	if (xb_view_is(key, "tar"))
		return set_bool(&output->directory, value, true);
	/* times in layers are never later than SOURCE_DATE_EPOCH, asked for or not */
	if (xb_view_is(key, "rewrite-timestamp"))
		return set_bool(&(bool){ false }, value, false);
	if (xb_view_is(key, "mode")) {
		output->mirror = xb_view_is(value, "delete");
		return output->mirror || xb_view_is(value, "copy") ? 0 : -EINVAL;
	}
	if (xb_view_is(key, "platform-split"))
		return set_split(output, value);
	if (xb_view_is(key, "push"))
		return set_bool(&output->push, value, false);
	if (xb_view_is(key, "push-by-digest"))
		return set_bool(&output->push_by_digest, value, false);
	/* the digest is printed and in the metadata, asked for or not */
	if (xb_view_is(key, "name-canonical"))
		return set_bool(&(bool){ false }, value, false);
	return set_form(output, key, value);
}

static int check_form(const struct xb_output *output, const char *text, struct xb_error *err)
{
	const struct xb_form *form = &output->form;
	int most = xb_codec_of(form->compression)->max_level;
	xb_autofree char *range = xb_format("compression-level= is from 1 to %d for it", most);

	if (form->level != 0 && form->compression == XB_COMPRESSION_NONE)
		return usage(err, text, "what is not compressed has no compression-level=");
	if (form->level > most)
		return usage(err, text, range);
	if (output->type == XB_OUTPUT_DOCKER && form->compression == XB_COMPRESSION_ZSTD)
		return usage(err, text, "docker load does not take layers in zstd");
	if (form->docker && form->compression == XB_COMPRESSION_ZSTD)
		return usage(err, text, "layers in zstd have media types of OCI alone");
	return 0;
}

/* What only shows once all fields are read. */
static int check_output(const struct xb_output *output, const char *text, bool typed,
			struct xb_error *err)
{
	bool directory = output->directory || output->type == XB_OUTPUT_LOCAL;

	if (!typed)
		return usage(err, text, "type= is missing");
	if (types[output->type].needs_dest && output->dest == NULL)
		return usage(err, text, "dest= is missing");
	if (directory && output->dest != NULL && strcmp(output->dest, "-") == 0)
		return usage(err, text, "a directory cannot go to standard output");
	if (output->push && output->type != XB_OUTPUT_IMAGE && output->type != XB_OUTPUT_REGISTRY)
		return usage(err, text, "push= is for type=image and type=registry");
	if (output->push_by_digest && !output->push)
		return usage(err, text, "push-by-digest= is for what is pushed");
	if (output->mirror && output->type != XB_OUTPUT_LOCAL)
		return usage(err, text, "mode=delete is for type=local");
	if (output->annotate.len > 0 && !types[output->type].image)
		return usage(err, text, "annotations are of images");
	return check_form(output, text, err);
}

static const char *problem_of(int r, struct xb_view key, struct xb_view value)
{
	if (r == -ENOENT)
		return "a key that is not known or not supported yet";
	if (xb_view_is(key, "compression") && xb_view_is(value, "estargz"))
		return "estargz is not made: use gzip, zstd or uncompressed";
	if (xb_view_starts(key, XB_VIEW("annotation")))
		return "not of the form annotation[-TYPE][[PLATFORM]].NAME=VALUE, where TYPE is "
		       "manifest, manifest-descriptor, index or index-descriptor";
	return "a value that does not fit its key";
}

int xb_output_parse(const char *text, struct xb_outputs *outputs, struct xb_error *err)
{
	struct xb_output *output = xb_array_push(outputs);
	xb_auto_str struct xb_str field = XB_STR_INIT(XB_STR_OWN);
	struct xb_view rest = xb_view(text);
	bool typed = false;
	int r;

	if (strchr(text, '=') == NULL) {
		output->type = strcmp(text, "-") == 0 ? XB_OUTPUT_TAR : XB_OUTPUT_LOCAL;
		output->dest = xb_strdup(text);
		return *text != '\0' ? 0 : usage(err, text, "it is empty");
	}
	while ((r = xb_csv_next(&rest, &field)) > 0) {
		struct xb_view value = xb_str_view(&field);
		struct xb_view key;

		(void)xb_view_split(&value, '=', &key);
		r = set_field(output, key, value, &typed);
		if (r < 0)
			return usage(err, text, problem_of(r, key, value));
	}
	if (r < 0)
		return usage(err, text, "a quote does not end");
	output->push |= output->type == XB_OUTPUT_REGISTRY;
	return check_output(output, text, typed, err);
}

int xb_output_check(const struct xb_output *output, size_t platforms, struct xb_error *err)
{
	bool together = output->type == XB_OUTPUT_TAR && output->split == XB_SPLIT_NEVER;

	if (platforms == 1 || (!types[output->type].one_platform && !together))
		return 0;
	(void)xb_error_set(err, -EINVAL, "-o type=%s holds one platform, and %zu are asked for",
			   types[output->type].name, platforms);
	(void)xb_error_hint(err, "use type=oci, or build each platform on its own");
	return xb_error_fault(err, XB_FAULT_USAGE);
}
