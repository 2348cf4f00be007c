/* SPDX-License-Identifier: Apache-2.0 */
/* Join what the legs of a build have made: merge. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/cache/blob.h"
#include "builder/cache/place.h"
#include "builder/cli/command.h"
#include "builder/cli/outputs.h"
#include "builder/cli/registries.h"
#include "builder/cli/report.h"
#include "builder/cli/stop.h"
#include "builder/cli/transfers.h"
#include "builder/layer/image_archive.h"
#include "builder/solve/assemble.h"
#include "builder/solve/output_push.h"
#include "manifest/copy.h"
#include "manifest/image.h"
#include "manifest/legs.h"
#include "manifest/medley.h"
#include "manifest/place_layout.h"
#include "manifest/reference.h"
#include "manifest/registry/place.h"

struct merge_options {
	struct xb_strv names;
	struct xb_strv outputs;
	struct xb_registry_flags registries;
	const char *revision;
	const char *root;
	const char *progress;
	bool no_index_labels;
	bool push;
	bool load;
	bool allow_drop;
	bool dry_run;
	bool quiet;
	bool help;
};

#define AT(member) offsetof(struct merge_options, member)
#define SYNOPSIS   "xbuild merge [OPTIONS] RESULT…"

static const struct xb_option merge_table[] = {
	{ "tag", 't', XB_OPTION_LIST, AT(names), "NAME", "name of the image" },
	{ "output", 'o', XB_OPTION_LIST, AT(outputs), "SPEC",
	  "where it goes: type=oci|registry|image,dest=PATH" },
	{ "push", 0, XB_OPTION_FLAG, AT(push), NULL, "push it: -o type=registry" },
	{ "load", 0, XB_OPTION_FLAG, AT(load), NULL, "keep it in the store, as without -o" },
	{ "allow-drop", 0, XB_OPTION_FLAG, AT(allow_drop), NULL,
	  "let pushed tags lose platforms that they have now" },
	{ "dry-run", 0, XB_OPTION_FLAG, AT(dry_run), NULL,
	  "check, and print what would become of each tag; write and push nothing" },
	{ "revision", 0, XB_OPTION_TEXT, AT(revision), "TEXT",
	  "refuse what was built from another one" },
	{ "progress", 0, XB_OPTION_TEXT, AT(progress), "MODE", "auto, plain, tty, quiet, rawjson" },
	{ "no-index-labels", 0, XB_OPTION_FLAG, AT(no_index_labels), NULL,
	  "do not annotate the index with labels that all platforms have alike, whatever the "
	  "legs were told" },
	{ "quiet", 'q', XB_OPTION_FLAG, AT(quiet), NULL, "print the digest alone" },
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	XB_REGISTRY_OPTION_ROWS(merge_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

/* A place that a leg's images are in, and what it consists of. */
struct source {
	struct xb_place *place;
	struct xb_place *remote;
	struct xb_layout *layout;
	struct xb_layout_place in_layout;
	struct xb_archive *archive;
};

/* All that were opened, also in vain: what is read may still point into them. */
struct sources XB_ARRAY(struct source *);

static void sources_clear(struct sources *sources)
{
	for (size_t i = 0; i < sources->len; i++) {
		xb_place_free(sources->items[i]->remote);
		xb_layout_free(sources->items[i]->layout);
		xb_archive_free(sources->items[i]->archive);
		free(sources->items[i]);
	}
	xb_array_clear(sources);
}

/* A merge on its way. */
struct merge {
	struct merge_options options;
	struct xb_strv files;
	struct xb_outputs outputs;
	struct xb_registries registries;
	struct xb_store *store;
	struct xb_legs legs;
	struct sources sources;
	struct xb_medley *from; /* what the legs made, wherever it is */
	struct xb_descriptor root;
	enum xb_progress_mode mode;
	struct xb_transfers *transfers; /* while outputs are written */
	struct xb_stop *stop;
};

static void merge_clear(struct merge *m)
{
	xb_stop_free(m->stop);
	xb_descriptor_clear(&m->root);
	xb_medley_free(m->from);
	sources_clear(&m->sources);
	xb_legs_clear(&m->legs);
	xb_registries_clear(&m->registries);
	xb_store_free(m->store);
	xb_outputs_clear(&m->outputs);
	xb_strv_clear(&m->files);
	xb_strv_clear(&m->options.names);
	xb_strv_clear(&m->options.outputs);
	xb_registry_flags_clear(&m->options.registries);
}

/* ---- results ------------------------------------------------------------------------------ */

static int read_result(const char *path, struct xb_leg *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_LEG);
	int r = xb_file_read(path, &text, err);

	if (r == 0)
		r = xb_leg_parse(xb_str_view(&text), ret, err);
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return xb_error_wrap(err, r, "reading the result %s", path);
	}
	ret->name = xb_strdup(path);
	return 0;
}

static int read_results(struct merge *m, struct xb_error *err)
{
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->files.len; i++)
		r = read_result(m->files.items[i], xb_array_push(&m->legs), err);
	if (r == 0)
		r = xb_legs_check(&m->legs, m->options.revision, &warnings, err);
	for (size_t i = 0; r == 0 && i < warnings.len; i++)
		xb_report_warning(warnings.items[i]);
	for (size_t i = 0; r == 0 && i < m->outputs.len; i++)
		r = xb_output_check(&m->outputs.items[i], m->legs.items[0].platforms.len, err);
	return r;
}

/* ---- images ------------------------------------------------------------------------------- */

/* The directory that a result is in. */
static int open_beside(const struct xb_leg *leg, struct xb_error *err)
{
	const char *slash = strrchr(leg->name, '/');
	size_t len = slash != NULL ? (size_t)(slash - leg->name) + 1 : 0;
	xb_autofree char *dir =
		len > 0 ? xb_view_dup((struct xb_view){ leg->name, len }) : xb_strdup(".");
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? xb_error_errno(err, -errno, "opening %s", dir) : fd;
}

/* Neither path can leave that directory, not even by a link. */
static int open_layout(const struct xb_leg *leg, const char *path, struct source *source,
		       struct xb_error *err)
{
	xb_auto_fd int dir = open_beside(leg, err);
	int r = dir < 0 ? dir : xb_layout_open_at(dir, path, &source->layout, err);

	if (r < 0)
		return r;
	source->in_layout = xb_layout_place(source->layout);
	source->place = &source->in_layout.place;
	return 0;
}

static int open_archive(const struct xb_leg *leg, const char *path, struct source *source,
			struct xb_error *err)
{
	xb_auto_fd int dir = open_beside(leg, err);
	int fd = dir < 0 ? dir
			 : xb_open_beneath(dir, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0, err);
	int r = fd < 0 ? fd : xb_archive_open_fd(fd, path, &source->archive, err);

	if (r == 0)
		source->place = xb_archive_place(source->archive);
	return r;
}

static int open_repository(struct merge *m, const char *name, struct source *source,
			   struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	struct xb_registry *registry = NULL;
	int r = xb_reference_parse_exact(xb_view(name), &ref, err);

	if (r == 0)
		r = xb_registries_open(&m->registries, &registry, err);
	if (r == 0)
		source->place = source->remote = xb_registry_place_new(registry, &ref);
	return r;
}

/* Look at an image of a leg: its documents are whole, it is of the platform that it is said to be
 * of, and a layout has its layers. */
static int look_at(struct xb_place *place, const struct xb_descriptor *manifest,
		   struct xb_error *err)
{
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	int r = xb_image_find(place, manifest, &manifest->platform, &image, err);

	if (r == 0)
		r = xb_image_check_layers(place, &image, err);
	return r < 0 ? xb_error_wrap(err, r, "the image for %s",
				     xb_platform_name(&manifest->platform).text)
		     : 0;
}

static int open_source(struct merge *m, const struct xb_leg *leg, const struct xb_leg_place *where,
		       struct source *source, struct xb_error *err)
{
	if (where->layout != NULL)
		return open_layout(leg, where->layout, source, err);
	return where->archive != NULL ? open_archive(leg, where->archive, source, err)
				      : open_repository(m, where->repository, source, err);
}

static const char *name_of(const struct xb_leg_place *where)
{
	if (where->layout != NULL)
		return where->layout;
	return where->archive != NULL ? where->archive : where->repository;
}

static int add_from(struct merge *m, const struct xb_leg *leg, const struct xb_leg_place *where,
		    struct xb_error *err)
{
	struct source *source = *xb_array_push(&m->sources) = xb_calloc(1, sizeof(*source));
	int r = open_source(m, leg, where, source, err);

	/* all of them, before any counts */
	for (size_t i = 0; r == 0 && i < leg->manifests.len; i++)
		r = look_at(source->place, &leg->manifests.items[i], err);
	for (size_t i = 0; r == 0 && i < leg->manifests.len; i++)
		r = xb_medley_add(m->from, source->place, &leg->manifests.items[i], err);
	return r < 0 ? xb_error_wrap(err, r, "%s", name_of(where)) : 0;
}

/* The first of a leg's places that has its images counts; the error is that of the first. */
static int add_leg(struct merge *m, const struct xb_leg *leg, struct xb_error *err)
{
	xb_auto_error struct xb_error first = XB_ERROR_INIT;

	for (size_t i = 0; i < leg->places.len; i++) {
		xb_auto_error struct xb_error cause = XB_ERROR_INIT;

		if (add_from(m, leg, &leg->places.items[i], &cause) == 0)
			return 0;
		if (first.code == 0)
			xb_error_move(&first, &cause);
	}
	xb_error_move(err, &first);
	(void)xb_error_fault(err, XB_FAULT_PROOF);
	return xb_error_wrap(err, err->code, "%s", leg->name);
}

/* Write the root as a build of all platforms would. */
static int make_root(struct merge *m, struct xb_error *err)
{
	const struct xb_leg_index *index = &m->legs.items[0].index;
	const struct xb_assembled_root how = {
		.index = index->wanted,
		.docker = index->docker,
		.own = &index->own,
		.descriptor = &index->descriptor,
		.labels = m->options.no_index_labels || index->unlabelled
				  ? NULL
				  : xb_medley_place(m->from),
	};
	xb_auto_descriptors struct xb_descriptors manifests = { 0 };
	xb_auto_layout struct xb_layout *layout = NULL;
	int r = xb_layout_open_at(xb_store_dirfd(m->store), ".", &layout, err);

	xb_legs_manifests(&m->legs, &manifests);
	if (r == 0)
		r = xb_assemble_root(layout, &manifests, &how, &m->root, err);
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_STORE);
	return r;
}

/* Likewise; until the root, which names all that is written for it, is under the lease, nothing may
 * be collected. */
static int keep_root(struct merge *m, struct xb_error *err)
{
	xb_auto_fd int pin = xb_store_pin(m->store, err);
	int r = pin < 0 ? pin : make_root(m, err);

	if (r == 0)
		(void)xb_blob_has(m->store, &m->root.digest);
	return r;
}

static int gather(struct merge *m, struct xb_store_place *store, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->legs.len; i++)
		r = add_leg(m, &m->legs.items[i], err);
	if (r == 0)
		r = keep_root(m, err);
	if (r == 0)
		xb_medley_add_one(m->from, &store->place, &m->root.digest);
	return r;
}

/* ---- outputs ------------------------------------------------------------------------------ */

static int write_outputs(struct merge *m, struct xb_store_place *store, struct xb_error *err)
{
	const struct xb_assembled image = { .root = m->root };
	const struct xb_output_source source = {
		.store = m->store,
		.assembled = &image,
		.names = &m->options.names,
		.epoch = (int64_t)m->legs.items[0].epoch,
		.own_files = true,
		.cancelled = xb_stop_flag(m->stop),
	};
	const struct xb_transfer_options how = {
		.cancelled = xb_stop_flag(m->stop),
		.watch = xb_transfers_watch(m->transfers),
	};
	bool stored = false;
	int r = 0;

	/* 1 stands for an archive that was there already */
	for (size_t i = 0; r >= 0 && i < m->outputs.len; i++) {
		const struct xb_output *output = &m->outputs.items[i];

		if (output->type == XB_OUTPUT_REGISTRY)
			continue;
		if (!stored)
			r = xb_copy_image(&store->place, xb_medley_place(m->from), &m->root, &how,
					  err);
		stored = true;
		if (r >= 0)
			r = xb_output_write(output, &source, err);
	}
	return r < 0 ? xb_error_fault(err, XB_FAULT_STORE) : 0;
}

static int push_outputs(struct merge *m, struct xb_str *notes, struct xb_error *err)
{
	const struct xb_registry_opener opener = xb_registries_opener(&m->registries);
	const struct xb_output_push how = {
		.watch = xb_transfers_watch(m->transfers),
		.opener = &opener,
		.allow_drop = m->options.allow_drop,
		.dry_run = m->options.dry_run,
		.notes = notes,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->outputs.len; i++) {
		if (xb_output_is_pushed(&m->outputs.items[i]))
			r = xb_output_push_from(&m->outputs.items[i], &m->options.names,
						xb_medley_place(m->from), &m->root,
						xb_stop_flag(m->stop), &how, err);
	}
	return r;
}

static int deliver(struct merge *m, struct xb_store_place *store, struct xb_error *err)
{
	xb_auto_str struct xb_str notes = XB_STR_INIT(XB_STR_OWN);
	int r = 0;

	m->transfers = xb_transfers_new(m->mode);
	if (!m->options.dry_run)
		r = write_outputs(m, store, err);
	if (r == 0)
		r = push_outputs(m, &notes, err);
	xb_transfers_free(m->transfers);
	if (!m->options.quiet || m->options.dry_run)
		(void)fputs(xb_str_text(&notes), stderr);
	return r;
}

/* ---- the command -------------------------------------------------------------------------- */

static int merge(struct merge *m, struct xb_error *err)
{
	struct xb_store_place store = xb_store_place(m->store);
	int r = read_results(m, err);

	if (r == 0)
		r = gather(m, &store, err);
	if (r == 0)
		r = deliver(m, &store, err);
	if (r == 0)
		(void)printf("%s\n", m->root.digest.text);
	return r;
}

static int read_outputs(struct merge *m, struct xb_error *err)
{
	const struct xb_outputs_options options = {
		.outputs = &m->options.outputs,
		.names = &m->options.names,
		.push = m->options.push,
		.load = m->options.load,
	};
	int r = xb_outputs_read(&options, &m->outputs, err);

	m->mode = XB_PROGRESS_QUIET;
	if (r == 0 && !m->options.quiet)
		r = xb_progress_mode(m->options.progress, &m->mode, err);
	return r < 0 ? r : xb_outputs_check_merged(&m->outputs, err);
}

static int print_help(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_options_help(merge_table, &text);
	(void)printf(SYNOPSIS
		     "\n\n"
		     "Join what the legs of a build made (xbuild build --leg --result) to one "
		     "image.\n\n%s",
		     xb_str_text(&text));
	return 0;
}

int xb_cmd_merge(const struct xb_invocation *invocation, struct xb_error *err)
{
	XB_CLEANUP(merge_clear) struct merge m = { .from = xb_medley_new("the legs") };
	int r = xb_options_parse(merge_table, invocation->argv, false, &m.options, &m.files, err);

	if (r == 0 && m.options.help)
		return print_help();
	if (r == 0 && m.files.len == 0)
		return xb_error_usage(err, SYNOPSIS, "no result of a leg is named");
	if (r == 0)
		r = read_outputs(&m, err);
	m.registries.cancel_fd = invocation->stop_fd;
	m.stop = xb_stop_new(invocation->stop_fd);
	if (r == 0)
		r = xb_registries_init(&m.registries, &m.options.registries, err);
	if (r == 0)
		r = xb_store_open(m.options.root != NULL ? m.options.root
							 : invocation->default_root,
				  &m.store, err);
	if (r < 0)
		return r;
	xb_registries_supply(&m.registries, m.store);
	return merge(&m, err);
}
