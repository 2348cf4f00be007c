/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "builder/cache/tag.h"
#include "builder/layer/copy.h"
#include "builder/layer/pack.h"
#include "builder/layer/tarfile.h"
#include "builder/solve/trees.h"
#include "manifest/archive.h"
#include "manifest/image.h"
#include "manifest/reference.h"

/* ---- the types ---------------------------------------------------------------------------- */

static int write_image(const struct xb_output *, const struct xb_output_source *,
		       struct xb_error *);
static int write_oci(const struct xb_output *, const struct xb_output_source *, struct xb_error *);
static int write_docker(const struct xb_output *, const struct xb_output_source *,
			struct xb_error *);
static int write_local(const struct xb_output *, const struct xb_output_source *,
		       struct xb_error *);
static int write_tar(const struct xb_output *, const struct xb_output_source *, struct xb_error *);
static int write_nothing(const struct xb_output *, const struct xb_output_source *,
			 struct xb_error *);

static int (*const writers[])(const struct xb_output *, const struct xb_output_source *,
			      struct xb_error *) = {
	[XB_OUTPUT_IMAGE] = write_image,   [XB_OUTPUT_OCI] = write_oci,
	[XB_OUTPUT_DOCKER] = write_docker, [XB_OUTPUT_LOCAL] = write_local,
	[XB_OUTPUT_TAR] = write_tar,	   [XB_OUTPUT_CACHE_ONLY] = write_nothing,
};

int xb_output_write(const struct xb_output *output, const struct xb_output_source *source,
		    struct xb_error *err)
{
	int r = writers[output->type](output, source, err);

	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_STORE);
		return xb_error_wrap(err, r, "writing output type=%s%s%s",
				     xb_output_type_name(output->type),
				     output->dest != NULL ? " to " : "",
				     output->dest != NULL ? output->dest : "");
	}
	return 0;
}

/* ---- files that appear whole -------------------------------------------------------------- */

/* A file being written: standard output, or a neighbour of the destination until it is done. */
struct sink {
	int fd;
	char *path; /* NULL: standard output */
	char *temporary;
};

static void sink_clear(struct sink *sink)
{
	if (sink->temporary != NULL)
		(void)unlink(sink->temporary);
	if (sink->path != NULL)
		xb_cleanup_fd(&sink->fd);
	free(sink->path);
	free(sink->temporary);
}

static int sink_open(struct sink *sink, const char *dest, struct xb_error *err)
{
	if (strcmp(dest, "-") == 0) {
		sink->fd = STDOUT_FILENO;
		return 0;
	}
	sink->path = xb_strdup(dest);
	sink->temporary = xb_format("%s.%ld.partial", dest, (long)getpid());
	sink->fd = open(sink->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (sink->fd < 0) {
		int r = -errno;

		free(sink->temporary);
		sink->temporary = NULL;
		return xb_error_errno(err, r, "creating %s", dest);
	}
	return 0;
}

static int sink_done(struct sink *sink, struct xb_error *err)
{
	if (sink->path == NULL)
		return 0;
	/* not synced, as no tool's output is that can be made again */
	if (rename(sink->temporary, sink->path) < 0)
		return xb_error_errno(err, -errno, "finishing %s", sink->path);
	free(sink->temporary);
	sink->temporary = NULL;
	return 0;
}

/* ---- documents ---------------------------------------------------------------------------- */

/* The names of the build and of this output. */
static void all_names(const struct xb_output *output, const struct xb_output_source *source,
		      struct xb_strv *names)
{
	xb_strv_append(names, source->names);
	for (size_t i = 0; i < output->names.len; i++) {
		if (xb_strv_find(names, output->names.items[i]) < 0)
			xb_strv_push(names, output->names.items[i]);
	}
}

static int write_image(const struct xb_output *output, const struct xb_output_source *source,
		       struct xb_error *err)
{
	const struct xb_descriptor *root = &source->assembled->root;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = 0;

	all_names(output, source, &names);
	for (size_t i = 0; r == 0 && i < names.len; i++)
		r = xb_tag_set(source->store, names.items[i], root, err);
	return r;
}

static int write_nothing(const struct xb_output *output, const struct xb_output_source *source,
			 struct xb_error *err)
{
	(void)output;
	(void)source;
	(void)err;
	return 0;
}

/* An archive's members as the tar writer takes them; descriptors in `members` are to be closed. */
static int open_members(const struct xb_layout *layout, const struct xb_export *files,
			struct xb_tarfile_member *members, struct xb_error *err)
{
	for (size_t i = 0; i < files->len; i++) {
		const struct xb_export_file *file = &files->items[i];
		int r = 0;

		members[i] = (struct xb_tarfile_member){ .name = file->name, .fd = -1 };
		members[i].size = file->source == XB_EXPORT_DIRECTORY ? 0 : file->size;
		members[i].data = file->data;
		if (file->source == XB_EXPORT_BLOB)
			r = xb_layout_blob_open(layout, &file->blob, file->size, &members[i].fd,
						err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_archive(const struct xb_layout *layout, const struct xb_export *files,
			 const char *dest, int64_t epoch, struct xb_error *err)
{
	XB_CLEANUP(sink_clear) struct sink sink = { .fd = -1 };
	xb_autofree struct xb_tarfile_member *members = xb_calloc(files->len, sizeof(*members));
	int r;

	for (size_t i = 0; i < files->len; i++)
		members[i].fd = -1;
	r = open_members(layout, files, members, err);
	if (r == 0)
		r = sink_open(&sink, dest, err);
	if (r == 0)
		r = xb_tarfile_write(members, files->len, epoch > 0 ? epoch : 0, sink.fd, err);
	if (r == 0)
		r = sink_done(&sink, err);
	for (size_t i = 0; i < files->len; i++)
		xb_cleanup_fd(&members[i].fd);
	return r;
}

/* Containerd's importer knows images by the whole reference, others by the tag. */
static int tag_layout(struct xb_layout *layout, const struct xb_descriptor *root, const char *name,
		      const char *tag, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor entry = XB_DESCRIPTOR_INIT;
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *whole = NULL;
	int r = xb_reference_parse(xb_view(name), &ref, err);

	if (r < 0)
		return r;
	xb_reference_complete(&ref);
	whole = xb_reference_format(&ref);
	xb_descriptor_copy(&entry, root);
	xb_annotations_set(&entry.annotations, XB_ANNOTATION_CONTAINERD_NAME, whole);
	return xb_layout_tag(layout, &entry, tag, true, err);
}

/* The tag of "app:1.4" is "1.4"; a name without one is its own. */
static const char *tag_of(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash != NULL ? slash + 1 : name;
	const char *colon = strchr(base, ':');

	return colon != NULL ? colon + 1 : base;
}

static int write_layout(const struct xb_output *output, const struct xb_layout *store,
			const struct xb_descriptor *root, const struct xb_strv *names,
			struct xb_error *err)
{
	xb_auto_layout struct xb_layout *layout = NULL;
	int r = xb_layout_create(output->dest, &layout, err);

	if (r == 0)
		r = xb_image_copy(layout, store, root, true, err);
	if (r == 0 && (names->len == 0 || output->tag != NULL))
		return xb_layout_tag(layout, root, output->tag, true, err);
	for (size_t i = 0; r == 0 && i < names->len; i++)
		r = tag_layout(layout, root, names->items[i], tag_of(names->items[i]), err);
	return r;
}

static int write_oci(const struct xb_output *output, const struct xb_output_source *source,
		     struct xb_error *err)
{
	const struct xb_descriptor *root = &source->assembled->root;
	xb_auto_layout struct xb_layout *store = NULL;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	xb_auto_export struct xb_export files = { 0 };
	int r = xb_layout_open_at(xb_store_dirfd(source->store), ".", &store, err);

	all_names(output, source, &names);
	if (output->tag != NULL)
		xb_strv_push(&tags, output->tag);
	if (r == 0 && output->directory)
		return write_layout(output, store, root, &names, err);
	if (r == 0)
		r = xb_export_oci(store, root, output->tag != NULL ? &tags : &names, &files, err);
	if (r == 0)
		r = write_archive(store, &files, output->dest, source->epoch, err);
	return r;
}

static int write_docker(const struct xb_output *output, const struct xb_output_source *source,
			struct xb_error *err)
{
	xb_auto_layout struct xb_layout *store = NULL;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_auto_export struct xb_export files = { 0 };
	int r = xb_layout_open_at(xb_store_dirfd(source->store), ".", &store, err);

	all_names(output, source, &names);
	if (r == 0)
		r = xb_export_docker(store, &source->assembled->root, &names, &files, err);
	if (r == 0)
		r = write_archive(store, &files, output->dest, source->epoch, err);
	return r;
}

/* ---- files -------------------------------------------------------------------------------- */

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

/* Files that platforms before had; the first that comes again. */
struct visited {
	struct xb_map *files;
	char *again;
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
	if (!is_dir && xb_map_set(v->files, xb_view(path), v) != NULL && v->again == NULL)
		v->again = xb_strdup(path);
	return v->again != NULL ? XB_COPY_SKIP : XB_COPY_TAKE;
}

static int write_files(const struct xb_output_source *source, size_t target, const char *dest,
		       struct visited *visited, struct xb_error *err)
{
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;
	xb_auto_fd int tree = open_target(source, target, err);
	xb_auto_fd int dir = -1;
	int r = tree < 0 ? tree : xb_mkdir_all(dest, 0755, err);

	if (r < 0)
		return r;
	dir = open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return xb_error_errno(err, -errno, "opening %s", dest);
	if (source->own_files) {
		options.uid = 0;
		options.gid = 0;
	}
	if (visited != NULL) {
		options.filter = visit;
		options.context = visited;
	}
	return xb_copy_path(tree, ".", dir, ".", &options, err);
}

/* All into one directory: what one platform wrote, no other may write. */
static int write_together(const struct xb_output *output, const struct xb_output_source *source,
			  struct xb_error *err)
{
	XB_CLEANUP(visited_clear) struct visited visited = { .files = xb_map_new() };
	int r = 0;

	for (size_t t = 0; r == 0 && t < source->plan->target_count; t++) {
		r = write_files(source, t, output->dest, &visited, err);
		if (r == 0 && visited.again != NULL) {
			r = xb_error_set(err, -EEXIST, "%s is there for more than one platform",
					 visited.again);
			(void)xb_error_hint(err, "leave out platform-split=false");
			(void)xb_error_fault(err, XB_FAULT_USAGE);
		}
	}
	return r;
}

static int write_local(const struct xb_output *output, const struct xb_output_source *source,
		       struct xb_error *err)
{
	int r = 0;

	if (!is_split(output, source))
		return write_together(output, source, err);
	for (size_t t = 0; r == 0 && t < source->plan->target_count; t++) {
		xb_autofree char *name = platform_directory(&source->plan->targets[t].platform);
		xb_autofree char *dest = xb_format("%s/%s", output->dest, name);

		r = write_files(source, t, dest, NULL, err);
	}
	return r;
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

static int write_tar(const struct xb_output *output, const struct xb_output_source *source,
		     struct xb_error *err)
{
	XB_CLEANUP(sink_clear) struct sink sink = { .fd = -1 };
	XB_CLEANUP(trees_clear) struct trees trees = { 0 };
	struct xb_pack_options options = {
		.epoch = source->epoch,
		.compression = XB_COMPRESSION_NONE,
	};
	struct xb_layer_info info;
	int r = open_targets(output, source, &trees, err);

	if (r == 0)
		r = sink_open(&sink, output->dest, err);
	if (r == 0)
		r = xb_tree_pack(trees.items, trees.len, &options, sink.fd, &info, err);
	if (r == 0)
		r = sink_done(&sink, err);
	return r;
}
