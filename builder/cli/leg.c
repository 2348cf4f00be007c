/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/leg.h"

#include <string.h>

#include "builder/cli/revision.h"
#include "builder/solve/output.h"
#include "manifest/reference.h"

void xb_leg_request_clear(struct xb_leg_request *leg)
{
	xb_array_clear(&leg->platforms);
	xb_array_clear(&leg->optional);
	free(leg->revision);
}

/* ---- platforms ---------------------------------------------------------------------------- */

static bool is_among(const struct xb_platforms *platforms, const struct xb_platform *wanted)
{
	for (size_t i = 0; i < platforms->len; i++) {
		if (xb_platform_eq(&platforms->items[i], wanted))
			return true;
	}
	return false;
}

static int check_chosen(const struct xb_platforms *chosen, const struct xb_platforms *whole,
			struct xb_error *err)
{
	for (size_t i = 0; i < chosen->len; i++) {
		if (!is_among(whole, &chosen->items[i]))
			return xb_error_usage(
				err,
				"--platform names the platforms of all legs, --leg those of one",
				"--leg %s: it is not among those of --platform",
				xb_platform_name(&chosen->items[i]).text);
	}
	return 0;
}

static int choose(const struct xb_leg_options *options, struct xb_platforms *platforms,
		  struct xb_flags *optional, struct xb_leg_request *ret, struct xb_error *err)
{
	struct xb_platforms chosen = { 0 };
	struct xb_flags ignored = { 0 };
	int r = 0;

	if (options->legs->len > 0)
		r = xb_platforms_read(options->legs, options->host, &chosen, &ignored, err);
	if (r == 0)
		r = check_chosen(&chosen, platforms, err);
	if (r == 0) {
		ret->platforms = *platforms;
		ret->optional = *optional;
		*platforms = (struct xb_platforms){ 0 };
		*optional = (struct xb_flags){ 0 };
	}
	for (size_t i = 0; i < ret->platforms.len; i++) {
		if (chosen.len > 0 && !is_among(&chosen, &ret->platforms.items[i]))
			continue;
		*xb_array_push(platforms) = ret->platforms.items[i];
		*xb_array_push(optional) = ret->optional.items[i];
	}
	xb_array_clear(&chosen);
	xb_array_clear(&ignored);
	return r;
}

/* ---- options ------------------------------------------------------------------------------ */

/* Where nobody says of which revision the build is, the context's repository may know. */
static int find_revision(const struct xb_leg_options *options, struct xb_leg_request *ret,
			 struct xb_error *err)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;

	ret->revision = xb_strdup(options->revision);
	if (ret->revision == NULL && options->context != NULL)
		(void)xb_revision_find(options->context, &ret->revision, &cause);
	if (ret->revision != NULL && ret->revision[0] != '\0')
		return 0;
	return xb_error_usage(err, "say --revision TEXT, such as the commit's id",
			      "of which revision this leg is cannot be found out%s%s",
			      cause.message != NULL ? ": " : "",
			      cause.message != NULL ? cause.message : "");
}

int xb_leg_read(const struct xb_leg_options *options, struct xb_platforms *platforms,
		struct xb_flags *optional, struct xb_leg_request *ret, struct xb_error *err)
{
	int r;

	if (options->result == NULL && options->legs->len > 0)
		return xb_error_usage(err, "say --result FILE, which `xbuild merge` reads",
				      "--leg: a leg leaves a result");
	if (options->result == NULL)
		return 0;
	r = choose(options, platforms, optional, ret, err);
	if (r == 0)
		r = find_revision(options, ret, err);
	ret->on = r == 0;
	return r;
}

/* ---- outputs ------------------------------------------------------------------------------ */

void xb_leg_names(struct xb_strv *names)
{
	struct xb_strv left = XB_STRV_INIT;

	for (size_t i = 0; i < names->len; i++) {
		xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
		xb_autofree char *name = NULL;

		if (xb_reference_parse(xb_view(names->items[i]), &ref, NULL) == 0 &&
		    xb_digest_empty(&ref.digest))
			name = xb_reference_name(&ref);
		else
			name = xb_strdup(names->items[i]);
		if (xb_strv_find(&left, name) < 0)
			xb_strv_push(&left, name);
	}
	xb_strv_clear(names);
	*names = left;
}

bool xb_leg_is_place(const struct xb_output *output)
{
	return output->push || output->type == XB_OUTPUT_OCI;
}

/* "./x" is "x" */
static const char *without_dot(const char *path)
{
	while (strncmp(path, "./", 2) == 0)
		path += 2 + strspn(path + 2, "/");
	return path;
}

const char *xb_leg_beside(const char *result, const char *file)
{
	const char *from = without_dot(result);
	const char *slash = strrchr(from, '/');
	size_t len = slash != NULL ? (size_t)(slash - from) + 1 : 0;
	const char *to = without_dot(file);
	const char *path = to + len;

	if (strcmp(file, "-") == 0 || strncmp(to, from, len) != 0 || *path == '\0' || *path == '/')
		return NULL;
	for (const char *p = strstr(path, ".."); p != NULL; p = strstr(p + 1, "..")) {
		if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
			return NULL;
	}
	return path;
}

static int make_pushed(struct xb_output *output)
{
	output->push_by_digest = true;
	xb_leg_names(&output->names);
	return 0;
}

static int make_local(struct xb_output *output, const char *result, struct xb_error *err)
{
	size_t end = strlen(output->dest);

	/* as a directory may be written */
	while (end > 1 && output->dest[end - 1] == '/')
		output->dest[--end] = '\0';
	if (output->tag != NULL)
		return xb_error_usage(err, "leave out tag=: the merge gives names",
				      "-o type=oci,tag=%s: a leg names nothing", output->tag);
	if (xb_leg_beside(result, output->dest) == NULL)
		return xb_error_usage(err,
				      "write both into one directory: --result legs/a.json "
				      "-o type=oci,dest=legs/a.tar",
				      "%s is not beside the result %s", output->dest, result);
	xb_strv_clear(&output->names);
	return 0;
}

static int make_output(struct xb_output *output, const char *result, struct xb_error *err)
{
	if (output->push)
		return make_pushed(output);
	if (xb_leg_is_place(output))
		return make_local(output, result, err);
	if (!xb_output_has_image(output))
		return 0;
	return xb_error_usage(
		err, "use --push, or -o type=oci,dest=FILE",
		"an output type=%s of a leg: it would name an image of some platforms "
		"alone",
		xb_output_type_name(output->type));
}

int xb_leg_outputs(struct xb_outputs *outputs, const char *result, struct xb_error *err)
{
	bool placed = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < outputs->len; i++) {
		r = make_output(&outputs->items[i], result, err);
		placed |= xb_leg_is_place(&outputs->items[i]);
	}
	if (r < 0 || placed)
		return r;
	return xb_error_usage(err, "say --push, or -o type=oci,dest=FILE",
			      "--result: the images of a leg have to be somewhere");
}
