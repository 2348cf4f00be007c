/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/leg_result.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/layer/codec.h"
#include "builder/solve/output.h"
#include "manifest/leg.h"

bool xb_leg_leaves(const struct xb_build_request *request)
{
	return request->leg.on && !request->options.dry_run;
}

int xb_leg_begin(const struct xb_build_request *request, struct xb_error *err)
{
	const char *path = request->options.result;
	struct stat st;

	/* neither a device nor a link is a result */
	if (!xb_leg_leaves(request) || lstat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
	    unlink(path) == 0)
		return 0;
	(void)xb_error_errno(err, -errno, "removing the result of an earlier leg, %s", path);
	return xb_error_fault(err, XB_FAULT_USAGE);
}

/* ---- of what ------------------------------------------------------------------------------ */

/* Whether an argument is no part of what is built: the clock is told by itself, and proxies are
 * those of each machine. */
static bool is_machines_own(const char *arg)
{
	static const char *const names[] = { "SOURCE_DATE_EPOCH", "HTTP_PROXY", "HTTPS_PROXY",
					     "FTP_PROXY",	  "NO_PROXY",	"ALL_PROXY" };
	struct xb_view rest = xb_view(arg), name;

	(void)xb_view_split(&rest, '=', &name);
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (xb_view_eq_nocase(name, xb_view(names[i])))
			return true;
	}
	return false;
}

/* All that the images depend on beside the Dockerfile and the files that it copies. */
static struct xb_digest hash_arguments(const struct xb_build_request *request,
				       const struct xb_output *output)
{
	const struct xb_build_options *options = &request->options;
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();
	xb_auto_strv struct xb_strv args = XB_STRV_INIT;
	xb_auto_str struct xb_str pins = XB_STR_INIT(XB_MAX_PINS);

	for (size_t i = 0; i < options->build_args.len; i++) {
		if (!is_machines_own(options->build_args.items[i]))
			xb_strv_push(&args, options->build_args.items[i]);
	}
	xb_strv_sort(&args);
	xb_hasher_field(h, XB_VIEW("xbuild leg arguments 1"));
	xb_hasher_field(h, xb_view(options->target));
	xb_hasher_list(h, (const char *const *)xb_strv_argv(&args));
	xb_hasher_list(h, (const char *const *)xb_strv_argv(&options->labels));
	xb_hasher_list(h, (const char *const *)xb_strv_argv(&options->annotations));
	xb_hasher_number(h, output->form.compression);
	xb_hasher_number(h, (uint64_t)output->form.level);
	xb_hasher_number(h, output->form.force);
	/* what was read from a file fits where it is written */
	if (options->locked)
		(void)xb_pins_write(&request->pins, &pins, NULL);
	xb_hasher_field(h, xb_str_view(&pins));
	return xb_hasher_finish(h);
}

static void tell_libraries(struct xb_annotations *ret)
{
	xb_annotations_set(ret, "gzip", xb_codec_of(XB_COMPRESSION_GZIP)->version());
	xb_annotations_set(ret, "zstd", xb_codec_of(XB_COMPRESSION_ZSTD)->version());
}

static void tell_index(const struct xb_build_request *request, const struct xb_output *output,
		       struct xb_leg_index *ret)
{
	xb_auto_annotate struct xb_annotate all = { 0 };

	xb_annotate_append(&all, &request->parity.annotate);
	xb_annotate_append(&all, &output->annotate);
	ret->wanted = request->index;
	ret->docker = output->form.docker;
	ret->unlabelled = request->options.no_index_labels;
	xb_annotate_get(&all, XB_ANNOTATE_INDEX, NULL, &ret->own);
	xb_annotate_get(&all, XB_ANNOTATE_INDEX_DESCRIPTOR, NULL, &ret->descriptor);
}

static void tell_platforms(const struct xb_leg_request *leg, struct xb_leg_platforms *ret)
{
	for (size_t i = 0; i < leg->platforms.len; i++)
		*xb_array_push(ret) =
			(struct xb_leg_platform){ leg->platforms.items[i], leg->optional.items[i] };
}

/* ---- where -------------------------------------------------------------------------------- */

static void tell_places(const struct xb_build_request *request, const struct xb_output *output,
			struct xb_leg_places *ret)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;

	if (!output->push) {
		struct xb_leg_place *place = xb_array_push(ret);
		char **member = output->directory ? &place->layout : &place->archive;

		*member = xb_strdup(xb_leg_beside(request->options.result, output->dest));
		return;
	}
	xb_output_names(output, &request->options.names, &names);
	xb_leg_names(&names);
	for (size_t i = 0; i < names.len; i++)
		xb_array_push(ret)->repository = xb_strdup(names.items[i]);
}

/* The first output that has the images; there is one, since outputs were read. */
static size_t first_place(const struct xb_outputs *outputs)
{
	size_t i = 0;

	while (!xb_leg_is_place(&outputs->items[i]))
		i++;
	return i;
}

int xb_leg_describe(const struct xb_build_request *request,
		    const struct xb_assembled *const *images, struct xb_str *text,
		    struct xb_error *err)
{
	const struct xb_outputs *outputs = &request->outputs;
	size_t first = first_place(outputs);
	xb_auto_leg struct xb_leg leg = {
		.epoch = (uint64_t)request->epoch,
		.revision = xb_strdup(request->leg.revision),
		.version = xb_strdup(XB_VERSION),
		.dockerfile =
			xb_digest_of(request->dockerfile->text.data, request->dockerfile->text.len),
		.arguments = hash_arguments(request, &outputs->items[first]),
	};

	tell_libraries(&leg.libraries);
	tell_platforms(&request->leg, &leg.platforms);
	tell_index(request, &outputs->items[first], &leg.index);
	xb_descriptors_copy(&leg.manifests, &images[first]->manifests);
	for (size_t i = first; i < outputs->len; i++) {
		if (xb_leg_is_place(&outputs->items[i]) &&
		    xb_digest_eq(&images[i]->root.digest, &images[first]->root.digest))
			tell_places(request, &outputs->items[i], &leg.places);
	}
	return xb_leg_write(&leg, text, err);
}
