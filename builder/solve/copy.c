/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/owner.h"
#include "builder/cache/snapshot.h"
#include "builder/context/select.h"
#include "builder/layer/copy.h"
#include "builder/layer/unpack.h"
#include "builder/solve/blob.h"
#include "builder/solve/owner.h"
#include "builder/solve/trees.h"
#include "builder/solve/work.h"

/* Where sources are looked up. */
struct origin {
	int root;
	int owned; /* a descriptor to close, or -1 */
	const struct xb_context *rules;
	bool keeps_owners;
	const struct xb_digest *content; /* of the file that is all there is, or NULL */
};

/* All of a step: where its paths are looked up, and what it takes from elsewhere. */
struct origins {
	struct origin paths;
	struct origin *fetched; /* as many as the step has fetches */
	size_t fetched_count;
};

static void origins_clear(struct origins *origins)
{
	xb_cleanup_fd(&origins->paths.owned);
	for (size_t i = 0; i < origins->fetched_count; i++)
		xb_cleanup_fd(&origins->fetched[i].owned);
	free(origins->fetched);
}

static void post_warnings(struct xb_step_shared *shared, size_t index, const struct xb_strv *lines)
{
	for (size_t i = 0; i < lines->len; i++)
		xb_events_post(shared->events, XB_EVENT_WARNING, index, 0,
			       xb_view(lines->items[i]));
}

static int open_paths(struct xb_step_shared *shared, const struct xb_step *step,
		      const struct xb_result *from, struct origin *ret, struct xb_error *err)
{
	size_t index = (size_t)(step - shared->plan->steps);
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;

	if (step->copy.sources[0] == NULL)
		return 0;
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

/* `inputs` are the step's from the origin of its paths on. */
static int open_origins(struct xb_step_shared *shared, const struct xb_step *step,
			const struct xb_result *const *inputs, struct origins *ret,
			struct xb_error *err)
{
	size_t count = step->copy.fetch_count;
	int r;

	*ret = (struct origins){ .paths = { .root = -1, .owned = -1 } };
	r = open_paths(shared, step, inputs[0], &ret->paths, err);
	ret->fetched = xb_calloc(count, sizeof(*ret->fetched));
	for (; r == 0 && ret->fetched_count < count; ret->fetched_count++) {
		const struct xb_result *tree = inputs[1 + ret->fetched_count];
		struct origin *origin = &ret->fetched[ret->fetched_count];

		origin->owned = -1;
		r = xb_snapshot_open(shared->store, &tree->layers.items[0].snapshot, &origin->owned,
				     err);
		origin->root = origin->owned;
		/* a repository's tree may be the same in another commit; a file is its content */
		if (strcmp(step->copy.fetches[ret->fetched_count].path, ".") != 0)
			origin->content = xb_result_chain(tree);
	}
	return r;
}

/* A path that is copied. */
struct item {
	const struct origin *origin;
	const struct xb_digest *content; /* of a file whose content is known; NULL: it is read */
	bool unpack;
	char *path;
	const struct xb_select *select; /* borrowed from the list */
};

/* All that a step copies. */
struct items {
	struct XB_ARRAY(struct item) paths;
	struct XB_ARRAY(struct xb_select *) selects;
};

static void items_clear(struct items *items)
{
	for (size_t i = 0; i < items->paths.len; i++)
		free(items->paths.items[i].path);
	xb_array_clear(&items->paths);
	for (size_t i = 0; i < items->selects.len; i++)
		xb_select_free(items->selects.items[i]);
	xb_array_clear(&items->selects);
}

static void add_item(struct items *items, const struct origin *origin, bool unpack,
		     const char *path, const struct xb_select *select)
{
	*xb_array_push(&items->paths) = (struct item){
		.origin = origin,
		.unpack = unpack,
		.path = xb_strdup(path),
		.select = select,
	};
}

/* What comes from elsewhere and is copied before the source of index `before`. */
static int expand_fetches(const struct origins *origins, const struct xb_step_copy *copy,
			  size_t before, struct items *items, struct xb_error *err)
{
	for (size_t i = 0; i < copy->fetch_count; i++) {
		const struct xb_copy_fetch *fetch = &copy->fetches[i];
		struct xb_select *select = NULL;
		int r;

		if (fetch->before != before)
			continue;
		r = xb_select_new(NULL, copy->excludes, &select, err);
		if (r < 0)
			return r;
		*xb_array_push(&items->selects) = select;
		add_item(items, &origins->fetched[i], fetch->unpack, fetch->path, select);
		items->paths.items[items->paths.len - 1].content = origins->fetched[i].content;
	}
	return 0;
}

/* The paths that one source names, and what of them is wanted. */
static int expand_source(const struct origin *origin, const struct xb_step_copy *copy,
			 const char *source, struct items *items, struct xb_error *err)
{
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;
	xb_autofree char *include = NULL;
	struct xb_select *select = NULL;
	int r = copy->parents ? xb_select_expand(origin->root, origin->rules, source, &paths,
						 &include, err)
			      : xb_context_expand(origin->root, origin->rules, source, &paths, err);

	if (r == 0)
		r = xb_select_new(include, copy->excludes, &select, err);
	if (r < 0)
		return r;
	*xb_array_push(&items->selects) = select;
	for (size_t i = 0; i < paths.len; i++)
		add_item(items, origin, copy->unpack, paths.items[i], select);
	return 0;
}

/* All that the sources of a step name, in order. */
static int expand_sources(const struct origins *origins, const struct xb_step *step,
			  struct items *items, struct xb_error *err)
{
	const char *const *sources = step->copy.sources;
	int r = 0;
	size_t i;

	for (i = 0; r == 0 && sources[i] != NULL; i++) {
		r = expand_fetches(origins, &step->copy, i, items, err);
		if (r == 0)
			r = expand_source(&origins->paths, &step->copy, sources[i], items, err);
	}
	return r < 0 ? r : expand_fetches(origins, &step->copy, i, items, err);
}

/* Patterns may match nothing, but who wrote them expects something to be copied. */
static void warn_of_nothing(const struct xb_work *work, const struct items *items)
{
	const struct xb_step_copy *copy = &work->step->copy;
	xb_auto_strv struct xb_strv lines = XB_STRV_INIT;

	if (items->paths.len > 0 || copy->file_count > 0)
		return;
	for (const char *const *source = copy->sources; *source != NULL; source++)
		xb_strv_printf(&lines, "nothing is copied: %s matches no file", *source);
	post_warnings(work->shared, work->index, &lines);
}

int xb_copy_key(struct xb_step_shared *shared, const struct xb_step *step,
		const struct xb_result *const *inputs, struct xb_hasher *h, uint64_t *state,
		struct xb_error *err)
{
	XB_CLEANUP(origins_clear) struct origins origins;
	XB_CLEANUP(items_clear) struct items items = { 0 };
	struct xb_checksum_options options = { 0 };
	int r = open_origins(shared, step, inputs, &origins, err);

	if (r == 0)
		r = expand_sources(&origins, step, &items, err);
	xb_hasher_number(h, items.paths.len);
	for (size_t i = 0; r == 0 && i < items.paths.len; i++) {
		const struct item *item = &items.paths.items[i];
		const char *slash = strrchr(item->path, '/');
		struct xb_digest content;

		options.owner = item->origin->keeps_owners;
		options.select = item->select;
		/* what the store holds does not change */
		options.state = item->origin->rules != NULL ? state : NULL;
		if (item->content != NULL)
			content = *item->content;
		else
			r = xb_context_checksum(item->origin->root, item->origin->rules, item->path,
						&options, &content, err);
		xb_hasher_number(h, item->unpack);
		xb_hasher_field(h, xb_view(slash != NULL ? slash + 1 : item->path));
		xb_hasher_field(h, xb_view(content.text));
	}
	return r;
}

/* ---- what is met ------------------------------------------------------------------------ */

/* Whether `place` has something of the name of an entry of the directory `fd`, wanted or not. */
static bool meets_entries(int fd, const struct xb_sight *place)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	bool met = dir == NULL;

	while (!met && (entry = readdir(dir)) != NULL)
		met = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		      xb_sight_has(place, entry->d_name);
	if (dir != NULL)
		closedir(dir);
	else
		close(fd);
	return met;
}

static bool meets_name(const char *path, const struct xb_sight *place)
{
	const char *slash = strrchr(path, '/');

	return xb_sight_has(place, slash != NULL ? slash + 1 : path);
}

/* Whether what an item copies into the directory `place` may meet something there. */
static bool meets(const struct item *item, const struct xb_sight *place)
{
	const struct origin *origin = item->origin;
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	int fd;

	if (xb_context_resolve(origin->root, origin->rules, item->path, true, &path, NULL) < 0)
		return true;
	fd = xb_open_in_root(origin->root, xb_str_text(&path), O_RDONLY | O_DIRECTORY, 0, NULL);
	return fd >= 0 ? meets_entries(fd, place) : meets_name(item->path, place);
}

static bool all_pass(const struct xb_step_copy *copy, const struct items *items,
		     const struct xb_sight *place)
{
	bool met = false;

	for (size_t i = 0; !met && i < items->paths.len; i++)
		met = meets(&items->paths.items[i], place);
	for (size_t i = 0; !met && i < copy->file_count; i++)
		met = meets_name(copy->files[i].name, place);
	return !met;
}

/* Archives may hold anything, and links that lead anywhere. */
static bool may_stand_apart(const struct xb_step_copy *copy)
{
	for (size_t i = 0; i < copy->fetch_count; i++)
		if (copy->fetches[i].unpack)
			return false;
	return !copy->unpack && !copy->parents;
}

bool xb_copy_stands_apart(struct xb_step_shared *shared, const struct xb_step *step,
			  const struct xb_result *const *inputs, const struct xb_sight *root,
			  struct xb_ground *ret)
{
	XB_CLEANUP(origins_clear) struct origins origins = { .paths = { .owned = -1 } };
	XB_CLEANUP(items_clear) struct items items = { 0 };
	xb_auto_sight struct xb_sight place = { 0 };

	if (!may_stand_apart(&step->copy) ||
	    (step->copy.chown != NULL && !xb_ground_own(root, step->copy.chown, ret)) ||
	    !xb_ground_find(root, step->copy.destination, ret, &place))
		return false;
	if (!ret->complete || xb_sight_is_empty(&place))
		return true;
	return open_origins(shared, step, inputs, &origins, NULL) == 0 &&
	       expand_sources(&origins, step, &items, NULL) == 0 &&
	       all_pass(&step->copy, &items, &place);
}

bool xb_workdir_stands_apart(const struct xb_step *step, const struct xb_sight *root,
			     struct xb_ground *ret)
{
	xb_auto_sight struct xb_sight place = { 0 };

	return (step->workdir.user[0] == '\0' || xb_ground_own(root, step->workdir.user, ret)) &&
	       xb_ground_find(root, step->workdir.path, ret, &place);
}

/* ---- copying ---------------------------------------------------------------------------- */

/* What decides of each path: the rules of the context, and what is wanted of the source. */
struct decider {
	const struct xb_context *rules;
	const struct xb_select *select;
};

static enum xb_copy_verdict filter(void *context, const char *path, const char *below, bool is_dir)
{
	static const enum xb_copy_verdict verdicts[] = {
		[XB_CONTEXT_TAKE] = XB_COPY_TAKE,
		[XB_CONTEXT_DESCEND] = XB_COPY_DESCEND,
		[XB_CONTEXT_SKIP] = XB_COPY_SKIP,
	};
	const struct decider *d = context;
	enum xb_context_verdict wanted = xb_select_verdict(d->select, below, is_dir);
	enum xb_context_verdict both =
		xb_context_both(xb_context_filter(d->rules, path, is_dir), wanted);

	/* what .dockerignore shows of a directory is the directory as far as COPY knows */
	if (both == XB_CONTEXT_DESCEND && wanted == XB_CONTEXT_DESCEND)
		return XB_COPY_AROUND;
	return verdicts[both];
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

static int copy_one(const struct xb_work *work, const struct item *item, int root,
		    const struct xb_copy_options *options, struct xb_error *err)
{
	const char *destination = work->step->copy.destination;
	const struct origin *origin = item->origin;
	struct decider decider = { .rules = origin->rules, .select = item->select };
	struct xb_copy_options chosen = *options;
	const char *source = item->path;
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	xb_auto_fd int archive = -1;
	/* What a link leads to must not be ignored; the copy has the name that was asked for. */
	int r = xb_context_resolve(origin->root, origin->rules, source, true, &path, err);

	if (r == 0 && item->unpack)
		r = open_archive(origin, xb_str_text(&path), &archive, err);
	if (r > 0)
		return extract(work, archive, root, destination, options, err);
	chosen.filter = filter;
	chosen.context = &decider;
	if (r == 0)
		r = xb_copy_path(origin->root, source, root, destination, &chosen, err);
	return r;
}

/* The owner of here-documents is root unless --chown says otherwise, wherever the rest is from. */
static int copy_files(const struct xb_work *work, int root, const struct xb_copy_options *options,
		      struct xb_error *err)
{
	const struct xb_step_copy *copy = &work->step->copy;
	int r = 0;

	for (size_t i = 0; r == 0 && i < copy->file_count; i++)
		r = xb_copy_content(copy->files[i].name, xb_view(copy->files[i].content), root,
				    copy->destination, options, err);
	return r;
}

/* Who owns what is made: as was found of the ground, else by the lists of users of the tree. */
static int find_owner(const struct xb_work *work, const char *owner, bool empty, int root,
		      uid_t *ret_uid, gid_t *ret_gid, struct xb_error *err)
{
	const struct xb_owner_files files = xb_owner_files_of(&root);
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	int r;

	if (work->ground != NULL) {
		post_warnings(work->shared, work->index, &work->ground->warnings);
		*ret_uid = work->ground->uid;
		*ret_gid = work->ground->gid;
		return 0;
	}
	r = xb_owner_resolve(empty ? NULL : &files, owner, ret_uid, ret_gid, &warnings, err);
	post_warnings(work->shared, work->index, &warnings);
	return r;
}

/* The owner of what is copied, as options. */
static int set_owner(const struct xb_work *work, const struct origin *origin, int root,
		     struct xb_copy_options *options, struct xb_error *err)
{
	const char *owner = work->step->copy.chown;
	bool empty = work->step->copy.link || work->lowers->len == 0;
	uid_t uid = 0;
	gid_t gid = 0;
	int r = 0;

	if (origin->keeps_owners)
		return 0;
	if (owner != NULL)
		r = find_owner(work, owner, empty, root, &uid, &gid, err);
	options->uid = uid;
	options->gid = gid;
	return r;
}

/* The tree that is changed: the parent's, or an empty one that shows the new layer alone. */
static int open_tree(const struct xb_work *work, struct xb_error *err)
{
	return xb_site_mount(work->site, err);
}

/* As in BuildKit, one file after the other takes the name of the destination. */
static void warn_of_replacing(const struct xb_work *work, int root, const struct items *items)
{
	const struct xb_step_copy *copy = &work->step->copy;
	xb_auto_strv struct xb_strv lines = XB_STRV_INIT;
	xb_auto_fd int fd = -1;

	if (items->paths.len + copy->file_count < 2)
		return;
	fd = xb_open_in_root(root, copy->destination, O_PATH | O_DIRECTORY, 0, NULL);
	if (fd >= 0)
		return;
	xb_strv_printf(&lines,
		       "several files were copied to %s, which is no directory: only the last is "
		       "there. Write %s/ for a directory",
		       copy->destination, copy->destination);
	post_warnings(work->shared, work->index, &lines);
}

/* All but the filter; `change` is room for what the options may need. */
static int set_options(const struct xb_work *work, const struct origin *origin, int root,
		       struct xb_mode_change *change, struct xb_copy_options *options,
		       struct xb_error *err)
{
	const struct xb_step_copy *copy = &work->step->copy;
	int r = 0;

	*options = XB_COPY_OPTIONS_INIT;
	options->mode = copy->mode;
	options->epoch = work->shared->epoch;
	if (copy->chmod != NULL) {
		r = xb_mode_parse(copy->chmod, change, err);
		options->change = change;
	}
	return r == 0 ? set_owner(work, origin, root, options, err) : r;
}

static int copy_items(const struct xb_work *work, const struct origin *origin,
		      const struct items *items, int root, struct xb_error *err)
{
	struct xb_copy_options options;
	struct xb_mode_change change;
	int r = set_options(work, origin, root, &change, &options, err);

	for (size_t i = 0; r == 0 && i < items->paths.len; i++)
		r = copy_one(work, &items->paths.items[i], root, &options, err);
	if (r == 0)
		r = copy_files(work, root, &options, err);
	if (r == 0)
		warn_of_replacing(work, root, items);
	return r;
}

int xb_work_copy(const struct xb_work *work, struct xb_error *err)
{
	XB_CLEANUP(origins_clear) struct origins origins;
	XB_CLEANUP(items_clear) struct items items = { 0 };
	xb_auto_fd int root = -1;
	int r = open_origins(work->shared, work->step, work->inputs + 1, &origins, err);

	if (r == 0)
		r = expand_sources(&origins, work->step, &items, err);
	if (r < 0)
		return r;
	warn_of_nothing(work, &items);
	root = open_tree(work, err);
	r = root;
	if (r >= 0 && work->ground != NULL)
		r = xb_ground_make(work->ground, root, err);
	if (r >= 0)
		r = copy_items(work, &origins.paths, &items, root, err);
	if (r >= 0 && work->ground != NULL)
		r = xb_ground_unmake(work->ground, root, err);
	if (r >= 0)
		xb_work_read_all(work);
	return r < 0 ? r : 0;
}

/* ---- packing without a copy ------------------------------------------------------------------ */

/* Whether what is copied may have such an owner: a plain user has but some ids. */
static bool may_own(int dir, const struct xb_copy_options *options)
{
	struct stat st;

	if (xb_owner_recorded())
		return true;
	return fstat(dir, &st) == 0 &&
	       fchown(dir, options->uid >= 0 ? (uid_t)options->uid : st.st_uid,
		      options->gid >= 0 ? (gid_t)options->gid : st.st_gid) == 0 &&
	       fchown(dir, st.st_uid, st.st_gid) == 0;
}

/* The destination in the tree `root`, as it is once something has been put into it, or -1. */
static int make_place(const struct xb_work *work, int root, const struct xb_copy_options *options)
{
	xb_auto_fd int made = -1;
	int fd;

	if (work->ground != NULL && xb_ground_make(work->ground, root, NULL) < 0)
		return -1;
	made = xb_copy_destination(root, work->step->copy.destination, options, NULL);
	fd = made < 0 ? -1 : openat(made, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && (!may_own(fd, options) || futimens(fd, NULL) < 0))
		xb_cleanup_fd(&fd);
	return fd;
}

static int pack_item(const struct xb_work *work, const struct item *item, int root,
		     struct xb_record *record, struct xb_error *err)
{
	const struct origin *origin = item->origin;
	struct decider decider = { .rules = origin->rules, .select = item->select };
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	xb_auto_fd int source = -1;
	xb_auto_fd int place = -1;
	struct xb_copy_options options;
	struct xb_mode_change change;
	struct xb_pack_graft graft = { .how = &options };

	if (xb_context_resolve(origin->root, origin->rules, item->path, true, &path, NULL) < 0)
		return 1;
	source = xb_open_in_root(origin->root, xb_str_text(&path), O_RDONLY | O_DIRECTORY, 0, NULL);
	if (source < 0 || set_options(work, origin, root, &change, &options, NULL) < 0)
		return 1;
	options.filter = filter;
	options.context = &decider;
	graft.path = xb_view_is(xb_str_view(&path), ".") ? "" : xb_str_text(&path);
	place = make_place(work, root, &options);
	if (place < 0 || filter(&decider, graft.path, "", true) == XB_COPY_SKIP)
		return 1;
	graft.place = place;
	graft.source = source;
	return xb_step_pack_graft(work->shared, root, &graft, record, err);
}

int xb_work_copy_packed(const struct xb_work *work, int upper, struct xb_record *record,
			struct xb_error *err)
{
	const struct xb_step_copy *copy = &work->step->copy;
	XB_CLEANUP(origins_clear) struct origins origins = { .paths = { .owned = -1 } };
	XB_CLEANUP(items_clear) struct items items = { 0 };
	int r;

	if (copy->unpack || copy->parents || copy->fetch_count > 0 || copy->file_count > 0 ||
	    open_origins(work->shared, work->step, work->inputs + 1, &origins, NULL) < 0 ||
	    expand_sources(&origins, work->step, &items, NULL) < 0 || items.paths.len != 1)
		return 0;
	r = pack_item(work, &items.paths.items[0], upper, record, err);
	if (r == 0)
		xb_work_read_all(work);
	return r < 0 ? r : r == 0;
}

/* Make the directory of WORKDIR in the open tree. */
static int make_workdir(const struct xb_work *work, int root, struct xb_error *err)
{
	const struct xb_step_workdir *workdir = &work->step->workdir;
	xb_auto_fd int made = -1;
	uid_t uid = 0;
	gid_t gid = 0;
	int r = 0;

	if (workdir->user[0] != '\0')
		r = find_owner(work, workdir->user, false, root, &uid, &gid, err);
	if (r < 0)
		return r;
	made = xb_mkdir_in_root(root, workdir->path, 0755, uid, gid, err);
	if (made < 0)
		(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return made < 0 ? made : 0;
}

int xb_work_workdir(const struct xb_work *work, struct xb_error *err)
{
	xb_auto_fd int root = open_tree(work, err);
	int r = root < 0 ? root : 0;

	if (r == 0 && work->ground != NULL)
		r = xb_ground_make(work->ground, root, err);
	if (r == 0)
		r = make_workdir(work, root, err);
	if (r == 0 && work->ground != NULL)
		r = xb_ground_unmake(work->ground, root, err);
	return r;
}
