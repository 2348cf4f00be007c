/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "builder/layer/copy.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "builder/solve/owner.h"
#include "builder/solve/trees.h"
#include "builder/solve/work.h"

/* Where sources are looked up. */
struct origin {
	int root;
	int owned; /* a descriptor to close, or -1 */
	const struct xb_context *rules;
	bool keeps_owners;
};

static void origin_clear(struct origin *origin)
{
	xb_cleanup_fd(&origin->owned);
}

static void post_warnings(struct xb_step_shared *shared, size_t index, const struct xb_strv *lines)
{
	for (size_t i = 0; i < lines->len; i++)
		xb_events_post(shared->events, XB_EVENT_WARNING, index, 0,
			       xb_view(lines->items[i]));
}

static int open_origin(struct xb_step_shared *shared, const struct xb_step *step,
		       const struct xb_result *from, struct origin *ret, struct xb_error *err)
{
	size_t index = (size_t)(step - shared->plan->steps);
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;

	*ret = (struct origin){ .root = -1, .owned = -1 };
	if (step->copy.origin == XB_COPY_STEP) {
		ret->owned = xb_trees_open(shared->store, from, shared->max_layer, &warnings, err);
		ret->root = ret->owned;
		ret->keeps_owners = step->copy.chown == NULL;
		post_warnings(shared, index, &warnings);
		return ret->owned < 0 ? ret->owned : 0;
	}
	ret->rules = step->copy.origin == XB_COPY_NAMED
			     ? xb_sources_directory(shared->sources, step->copy.from_name)
			     : shared->context;
	if (ret->rules == NULL) {
		(void)xb_error_set(err, -ENOENT, "there is no build context to copy from");
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	ret->root = xb_context_dirfd(ret->rules);
	return 0;
}

/*
 * All paths that the sources of a step name, in order. A pattern may match nothing, as BuildKit has
 * it, so long as something else is copied.
 */
static int expand_sources(const struct origin *origin, const struct xb_step *step,
			  struct xb_strv *paths, struct xb_error *err)
{
	xb_auto_error struct xb_error missing = XB_ERROR_INIT;

	for (const char *const *source = step->copy.sources; *source != NULL; source++) {
		xb_auto_error struct xb_error cause = XB_ERROR_INIT;
		int r = xb_context_expand(origin->root, origin->rules, *source, paths, &cause);

		if (r == -ENOENT && strpbrk(*source, "*?[") != NULL) {
			xb_error_clear(&missing);
			xb_error_move(&missing, &cause);
		} else if (r < 0) {
			xb_error_move(err, &cause);
			return r;
		}
	}
	if (paths->len > 0)
		return 0;
	xb_error_move(err, &missing);
	return -ENOENT;
}

int xb_copy_key(struct xb_step_shared *shared, const struct xb_step *step,
		const struct xb_result *from, struct xb_hasher *h, struct xb_error *err)
{
	XB_CLEANUP(origin_clear) struct origin origin = { .root = -1, .owned = -1 };
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;
	struct xb_checksum_options options = { 0 };
	int r = open_origin(shared, step, from, &origin, err);

	if (r == 0)
		r = expand_sources(&origin, step, &paths, err);
	options.owner = origin.keeps_owners;
	xb_hasher_number(h, paths.len);
	for (size_t i = 0; r == 0 && i < paths.len; i++) {
		const char *slash = strrchr(paths.items[i], '/');
		struct xb_digest content;

		r = xb_context_checksum(origin.root, origin.rules, paths.items[i], &options,
					&content, err);
		xb_hasher_field(h, xb_view(slash != NULL ? slash + 1 : paths.items[i]));
		xb_hasher_field(h, xb_view(content.text));
	}
	return r;
}

static enum xb_copy_verdict filter(void *context, const char *path, const char *below, bool is_dir)
{
	static const enum xb_copy_verdict verdicts[] = {
		[XB_CONTEXT_TAKE] = XB_COPY_TAKE,
		[XB_CONTEXT_DESCEND] = XB_COPY_DESCEND,
		[XB_CONTEXT_SKIP] = XB_COPY_SKIP,
	};

	(void)below;
	return verdicts[xb_context_filter(context, path, is_dir)];
}

/* Open `path` if it is a file that ADD extracts. Returns 1 with `*ret_fd`, 0, or a negative errno.
 */
static int open_archive(const struct origin *origin, const char *path, int *ret_fd,
			struct xb_error *err)
{
	xb_auto_fd int fd = xb_open_in_root(origin->root, path, O_RDONLY | O_NONBLOCK, 0, NULL);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = xb_archive_is(fd, err);
	if (r > 0)
		*ret_fd = XB_STEAL_FD(fd);
	return r;
}

static int extract(const struct xb_work *work, int archive, int root, const char *destination,
		   const struct xb_copy_options *options, struct xb_error *err)
{
	xb_auto_unpack_report struct xb_unpack_report report = XB_UNPACK_REPORT_INIT;
	const struct xb_unpack_limits limits = { .unpacked = work->shared->max_layer };
	struct xb_archive_options how = XB_ARCHIVE_OPTIONS_INIT;
	int r;

	if (work->step->copy.chown != NULL) {
		how.uid = options->uid;
		how.gid = options->gid;
	}
	how.epoch = options->epoch;
	how.limits = &limits;
	r = xb_archive_extract(archive, root, destination, &how, &report, err);
	post_warnings(work->shared, work->index, &report.warnings);
	return r;
}

static int copy_one(const struct xb_work *work, const struct origin *origin, const char *source,
		    int root, const char *destination, const struct xb_copy_options *options,
		    struct xb_error *err)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	xb_auto_fd int archive = -1;
	/* What a link leads to must not be ignored; the copy has the name that was asked for. */
	int r = xb_context_resolve(origin->root, origin->rules, source, true, &path, err);

	if (r == 0 && work->step->copy.add)
		r = open_archive(origin, xb_str_text(&path), &archive, err);
	if (r > 0)
		return extract(work, archive, root, destination, options, err);
	if (r == 0)
		r = xb_copy_path(origin->root, source, root, destination, options, err);
	return r;
}

/* The owner of what is copied, as options. */
static int set_owner(const struct xb_work *work, const struct origin *origin, int root,
		     struct xb_copy_options *options, struct xb_error *err)
{
	uid_t uid = 0;
	gid_t gid = 0;
	int r = 0;

	if (origin->keeps_owners)
		return 0;
	if (work->step->copy.chown != NULL)
		r = xb_owner_resolve(root, work->step->copy.chown, &uid, &gid, err);
	options->uid = uid;
	options->gid = gid;
	return r;
}

/* Several files go into a directory, whatever the destination looks like. */
static char *destination_of(const struct xb_step_copy *copy, bool several)
{
	bool slash = xb_view_ends(xb_view(copy->destination), XB_VIEW("/"));

	return xb_format("%s%s", copy->destination, several && !slash ? "/" : "");
}

int xb_work_copy(const struct xb_work *work, struct xb_error *err)
{
	const struct xb_step_copy *copy = &work->step->copy;
	XB_CLEANUP(origin_clear) struct origin origin = { .root = -1, .owned = -1 };
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;
	xb_autofree char *destination = NULL;
	xb_auto_fd int root = -1;
	int r = open_origin(work->shared, work->step, work->inputs[1], &origin, err);

	if (r == 0)
		r = expand_sources(&origin, work->step, &paths, err);
	if (r < 0)
		return r;
	root = xb_tree_mount((const char *const *)xb_strv_argv(work->lowers), work->lowers->len,
			     work->upper, work->work, err);
	if (root < 0)
		return root;
	options.mode = copy->mode;
	options.epoch = work->shared->epoch;
	if (origin.rules != NULL) {
		options.filter = filter;
		options.context = (void *)(uintptr_t)origin.rules;
	}
	destination = destination_of(copy, paths.len > 1);
	r = set_owner(work, &origin, root, &options, err);
	for (size_t i = 0; r == 0 && i < paths.len; i++)
		r = copy_one(work, &origin, paths.items[i], root, destination, &options, err);
	return r;
}

int xb_work_workdir(const struct xb_work *work, struct xb_error *err)
{
	const struct xb_step_workdir *workdir = &work->step->workdir;
	xb_auto_fd int root = xb_tree_mount((const char *const *)xb_strv_argv(work->lowers),
					    work->lowers->len, work->upper, work->work, err);
	xb_auto_fd int made = -1;
	uid_t uid = 0;
	gid_t gid = 0;
	int r = root < 0 ? root : 0;

	if (r == 0 && workdir->user[0] != '\0')
		r = xb_owner_resolve(root, workdir->user, &uid, &gid, err);
	if (r < 0)
		return r;
	made = xb_mkdir_in_root(root, workdir->path, 0755, uid, gid, err);
	if (made < 0)
		(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return made < 0 ? made : 0;
}
