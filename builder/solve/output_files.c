/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/output_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "base/owner.h"
#include "base/pool.h"
#include "builder/layer/copy.h"
#include "builder/layer/pack.h"
#include "builder/solve/output_file.h"
#include "builder/solve/output_mirror.h"
#include "builder/solve/trees.h"

static int open_target(const struct xb_output_source *source, size_t target, struct xb_error *err)
{
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	size_t step = source->plan->targets[target].step;

	return xb_trees_open(source->store,
			     step != XB_STEP_NONE ? &source->results->items[step] : NULL,
			     source->max_layer, &warnings, err);
}

/* "linux/arm/v7" as the name of a directory: "linux_arm_v7". */
static char *platform_directory(const struct xb_platform *platform)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	char *name;

	(void)xb_platform_format_all(platform, &text);
	name = xb_str_steal(&text);
	for (char *p = name; *p != '\0'; p++) {
		if (*p == '/')
			*p = '_';
	}
	return name;
}

/* Whether the files of each platform have a directory for themselves. */
static bool is_split(const struct xb_output *output, const struct xb_output_source *source)
{
	if (output->split == XB_SPLIT_DEFAULT)
		return source->several;
	return output->split == XB_SPLIT_ALWAYS;
}

/* A copy under way. */
struct visited {
	const atomic_bool *cancelled;
	struct xb_map *files; /* that platforms before had; NULL: that does not matter */
	char *again;	      /* the first that comes again */
};

static void visited_clear(struct visited *v)
{
	xb_map_free(v->files);
	free(v->again);
}

static enum xb_copy_verdict visit(void *context, const char *path, const char *below, bool is_dir)
{
	struct visited *v = context;

	(void)below;
	if (v->cancelled != NULL && atomic_load(v->cancelled))
		return XB_COPY_SKIP;
	if (v->files != NULL && !is_dir && xb_map_set(v->files, xb_view(path), v) != NULL &&
	    v->again == NULL)
		v->again = xb_strdup(path);
	return v->again != NULL ? XB_COPY_SKIP : XB_COPY_TAKE;
}

struct trees XB_ARRAY(struct xb_pack_tree);

static void trees_clear(struct trees *trees)
{
	for (size_t i = 0; i < trees->len; i++) {
		xb_cleanup_fd(&trees->items[i].fd);
		free((void *)(uintptr_t)trees->items[i].directory);
	}
	xb_array_clear(trees);
}

static int open_targets(const struct xb_output *output, const struct xb_output_source *source,
			struct trees *trees, struct xb_error *err)
{
	for (size_t t = 0; t < source->plan->target_count; t++) {
		struct xb_pack_tree *tree = xb_array_push(trees);

		tree->fd = open_target(source, t, err);
		if (tree->fd < 0)
			return tree->fd;
		if (is_split(output, source))
			tree->directory = platform_directory(&source->plan->targets[t].platform);
	}
	return 0;
}

static int open_dest(const char *dest, struct xb_error *err)
{
	int r = xb_mkdir_all(dest, 0755, err);
	int dir = r < 0 ? r : open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return r == 0 && dir < 0 ? xb_error_errno(err, -errno, "opening %s", dest) : dir;
}

static int write_files(const struct xb_output_source *source, int tree, int dir,
		       struct visited *visited, struct xb_error *err)
{
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;
	int r;

	if (source->own_files) {
		options.uid = 0;
		options.gid = 0;
	}
	options.no_owner = xb_owner_recorded();
	options.filter = visit;
	options.context = visited;
	visited->cancelled = source->cancelled;
	r = xb_copy_path(tree, ".", dir, ".", &options, err);
	return r < 0 ? r : xb_output_cancelled(source->cancelled, err);
}

/* All into one directory: what one platform wrote, no other may write. */
static int write_together(const struct xb_output *output, const struct xb_output_source *source,
			  struct xb_error *err)
{
	XB_CLEANUP(visited_clear) struct visited visited = { .files = xb_map_new() };
	XB_CLEANUP(trees_clear) struct trees trees = { 0 };
	xb_auto_fd int dir = open_dest(output->dest, err);
	int r = dir < 0 ? dir : open_targets(output, source, &trees, err);

	if (r == 0 && output->mirror)
		r = xb_output_mirror(dir, trees.items, trees.len, err);
	for (size_t t = 0; r == 0 && t < trees.len; t++) {
		r = write_files(source, trees.items[t].fd, dir, &visited, err);
		if (r == 0 && visited.again != NULL) {
			r = xb_error_set(err, -EEXIST, "%s is there for more than one platform",
					 visited.again);
			(void)xb_error_hint(err, "leave out platform-split=false");
			(void)xb_error_fault(err, XB_FAULT_USAGE);
		}
	}
	return r;
}

/* What the workers of one output have in common. */
struct split {
	const struct xb_output *output;
	const struct xb_output_source *source;
	const struct trees *trees;
};

/* The files of one target, in a worker. */
static int write_target(void *context, size_t target, struct xb_error *err)
{
	const struct split *split = context;
	const struct xb_pack_tree *tree = &split->trees->items[target];
	xb_autofree char *dest = xb_format("%s/%s", split->output->dest, tree->directory);
	const struct xb_pack_tree alone = { .fd = tree->fd };
	struct visited visited = { 0 };
	xb_auto_fd int dir = open_dest(dest, err);
	int r = dir < 0 ? dir : 0;

	if (r == 0 && split->output->mirror)
		r = xb_output_mirror(dir, &alone, 1, err);
	return r < 0 ? r : write_files(split->source, tree->fd, dir, &visited, err);
}

int xb_output_write_local(const struct xb_output *output, const struct xb_output_source *source,
			  struct xb_error *err)
{
	XB_CLEANUP(trees_clear) struct trees trees = { 0 };
	struct split split = { output, source, &trees };
	xb_auto_fd int dir = -1;
	int r;

	if (!is_split(output, source))
		return write_together(output, source, err);
	dir = open_dest(output->dest, err);
	r = dir < 0 ? dir : open_targets(output, source, &trees, err);
	if (r == 0 && output->mirror)
		r = xb_output_mirror(dir, trees.items, trees.len, err);
	return r < 0 ? r : xb_pool_each(trees.len, write_target, &split, err);
}

int xb_output_write_tar(const struct xb_output *output, const struct xb_output_source *source,
			struct xb_error *err)
{
	xb_auto_output_file struct xb_output_file sink = XB_OUTPUT_FILE_INIT;
	XB_CLEANUP(trees_clear) struct trees trees = { 0 };
	struct xb_pack_options options = {
		.epoch = source->epoch,
		.compression = XB_COMPRESSION_NONE,
		.cancelled = source->cancelled,
	};
	struct xb_layer_info info;
	int r = open_targets(output, source, &trees, err);

	if (r == 0)
		r = xb_output_file_open(&sink, output->dest, source->cancelled, err);
	if (r == 0)
		r = xb_tree_pack(trees.items, trees.len, &options, sink.fd, &info, err);
	if (r == 0)
		r = xb_output_file_done(&sink, err);
	return r;
}
