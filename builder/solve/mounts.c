/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/owner.h"
#include "builder/layer/copy.h"
#include "builder/solve/site.h"
#include "builder/solve/trees.h"

/* How often a step that waits for a cache looks whether it was cancelled, ms. */
#define LOCK_POLL_MS 50
/* The name of a copied source in its snapshot. */
#define COPY_NAME "source"
/* What a tmpfs is by itself. */
#define TMPFS_MODE 01777

/* ---- whose files -------------------------------------------------------------------------- */

/* Where the files of a mount are looked up. */
struct origin {
	int root;
	int owned; /* a descriptor to close, or -1 */
	const struct xb_context *rules;
};

static void origin_clear(struct origin *origin)
{
	xb_cleanup_fd(&origin->owned);
}

/* A path as the context's functions take it. */
static const char *path_of(const struct xb_step_mount *mount)
{
	return mount->source[1] != '\0' ? mount->source + 1 : ".";
}

static void post_warnings(struct xb_step_shared *shared, size_t index, const struct xb_strv *lines)
{
	for (size_t i = 0; i < lines->len; i++)
		xb_events_post(shared->events, XB_EVENT_WARNING, index, 0,
			       xb_view(lines->items[i]));
}

static int open_origin(struct xb_step_shared *shared, const struct xb_step *step,
		       const struct xb_step_mount *mount, const struct xb_result *from,
		       struct origin *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;

	if (mount->origin == XB_COPY_STEP) {
		ret->owned = xb_trees_view(shared->store, from, shared->max_layer, &warnings, err);
		ret->root = ret->owned;
		post_warnings(shared, (size_t)(step - shared->plan->steps), &warnings);
		return ret->owned < 0 ? ret->owned : 0;
	}
	ret->rules = mount->origin == XB_COPY_NAMED
			     ? xb_sources_directory(shared->sources, mount->from_name)
			     : shared->context;
	if (ret->rules == NULL) {
		(void)xb_error_set(err, -ENOENT, "there is no build context to mount from");
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	ret->root = xb_context_dirfd(ret->rules);
	return 0;
}

/* Whether the mount has files of somebody: a cache may begin empty. */
static bool has_files(const struct xb_step_mount *mount)
{
	return mount->type == XB_MOUNT_BIND ||
	       (mount->type == XB_MOUNT_CACHE &&
		(mount->origin != XB_COPY_STEP || mount->from != XB_STEP_NONE));
}

/*
 * What the files are, as text. The whole tree of another step is what that step made; of anything
 * less the content counts, so that a change elsewhere in that tree does not matter.
 */
static int content_of(struct xb_step_shared *shared, const struct xb_step *step,
		      const struct xb_step_mount *mount, const struct xb_result *from,
		      uint64_t *state, struct xb_digest *ret, struct xb_error *err)
{
	XB_CLEANUP(origin_clear) struct origin origin = { .root = -1, .owned = -1 };
	struct xb_checksum_options options = { .owner = mount->origin == XB_COPY_STEP,
					       .self = true };
	int r;

	*ret = (struct xb_digest){ 0 };
	if (mount->origin == XB_COPY_STEP && strcmp(mount->source, "/") == 0) {
		if (from != NULL)
			*ret = *xb_result_chain(from);
		return 0;
	}
	r = open_origin(shared, step, mount, from, &origin, err);
	/* what the store holds does not change */
	options.state = origin.rules != NULL ? state : NULL;
	if (r == 0)
		r = xb_context_checksum(origin.root, origin.rules, path_of(mount), &options, ret,
					err);
	return r < 0 ? xb_error_wrap(err, r, "the mount at %s", mount->target) : 0;
}

int xb_mounts_key(struct xb_step_shared *shared, const struct xb_step *step,
		  const struct xb_result *const *inputs, struct xb_hasher *h, uint64_t *state,
		  struct xb_error *err)
{
	xb_hasher_number(h, step->run.mount_count);
	for (size_t i = 0; i < step->run.mount_count; i++) {
		const struct xb_step_mount *mount = &step->run.mounts[i];
		struct xb_digest content = { 0 };
		int r = 0;

		if (has_files(mount))
			r = content_of(shared, step, mount, inputs[i], state, &content, err);
		if (r < 0)
			return r;
		xb_step_mount_hash(mount, h);
		xb_hasher_field(h, xb_view(content.text));
	}
	return 0;
}

/* ---- bind --------------------------------------------------------------------------------- */

/* Everything of a mount being opened. */
struct opening {
	const struct xb_work *work;
	const struct xb_step_mount *mount;
	const struct xb_result *from;
	struct xb_mounts *mounts;
	struct xb_mount_source *ret;
};

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

/* Copy `path` of `origin` to `name` of `dir`; a directory gets the mode of its source. */
static int copy_tree(const struct origin *origin, const char *path, int dir, const char *name,
		     struct xb_error *err)
{
	struct xb_copy_options options = XB_COPY_OPTIONS_INIT;
	xb_auto_str struct xb_str real = XB_STR_INIT(XB_STR_OWN);
	xb_auto_fd int source = -1;
	struct stat st;
	int r = xb_context_resolve(origin->root, origin->rules, path, true, &real, err);

	if (r < 0)
		return r;
	source = xb_open_in_root(origin->root, xb_str_text(&real), O_PATH, 0, err);
	if (source < 0)
		return source;
	if (xb_owner_stat(source, "", &st) < 0)
		return xb_error_errno(err, -errno, "looking at %s", path);
	if (S_ISDIR(st.st_mode) && mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return xb_error_errno(err, -errno, "making a directory");
	if (origin->rules != NULL) {
		options.uid = 0;
		options.gid = 0;
		options.filter = filter;
		options.context = (void *)(uintptr_t)origin->rules;
	}
	r = xb_copy_path(origin->root, xb_str_text(&real), dir, name, &options, err);
	if (r == 0 && S_ISDIR(st.st_mode) && fchmodat(dir, name, st.st_mode & 07777, 0) < 0)
		return xb_error_errno(err, -errno, "setting the mode of %s", path);
	if (r == 0 && S_ISDIR(st.st_mode) && origin->rules == NULL &&
	    xb_owner_set(dir, name, st.st_uid, st.st_gid) < 0)
		return xb_error_errno(err, -errno, "setting the owner of %s", path);
	return r;
}

static int begin_scratch(const struct opening *o, int *ret_dir, struct xb_error *err)
{
	int r = xb_snapshot_begin(o->mounts->store, &o->ret->scratch, err);

	if (r == 0)
		r = xb_snapshot_open(o->mounts->store, &o->ret->scratch, ret_dir, err);
	return r;
}

/*
 * Files of a directory of the user's are copied for the step: it shall see those that the ignore
 * rules leave, owned by root, and not what becomes of them meanwhile.
 */
static int bind_copy(const struct opening *o, const struct origin *origin, struct xb_error *err)
{
	xb_auto_fd int dir = -1;
	int r = begin_scratch(o, &dir, err);

	if (r == 0)
		r = copy_tree(origin, path_of(o->mount), dir, COPY_NAME, err);
	if (r < 0)
		return r;
	o->ret->fd = xb_open_in_root(dir, COPY_NAME, O_PATH | O_NOFOLLOW, 0, err);
	return o->ret->fd < 0 ? o->ret->fd : 0;
}

/* What a step may write to, and then is lost: a view of the tree with a snapshot of its own. */
static int open_writable(const struct opening *o, struct xb_error *err)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	struct xb_store *store = o->mounts->store;
	int r = xb_snapshot_begin(store, &o->ret->scratch, err);

	if (r == 0 && o->from != NULL)
		r = xb_trees_paths(store, o->from, o->work->shared->max_layer, &lowers, &warnings,
				   err);
	if (r < 0)
		return r;
	return xb_site_scratch(store, &o->ret->scratch, &lowers, err);
}

/* Kernels before 6.15 bind nothing but the root of a mount that is attached nowhere. */
static bool can_bind(int fd)
{
	xb_auto_fd int clone =
		open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	return clone >= 0 || errno != EINVAL;
}

static int bind_tree(const struct opening *o, struct xb_error *err)
{
	struct origin origin = { .root = -1, .owned = -1 };
	int r = 0;

	if (o->mount->read_only)
		r = open_origin(o->work->shared, o->work->step, o->mount, o->from, &origin, err);
	else
		r = origin.root = open_writable(o, err);
	if (r < 0)
		return r;
	o->ret->view = origin.root;
	o->ret->fd = xb_open_in_root(o->ret->view, o->mount->source, O_PATH, 0, err);
	if (o->ret->fd < 0)
		return xb_error_fault(err, XB_FAULT_SOURCE);
	if (strcmp(o->mount->source, "/") == 0 || can_bind(o->ret->fd))
		return 0;
	xb_cleanup_fd(&o->ret->fd);
	if (!o->mount->read_only)
		return xb_error_set(err, -ENOTSUP,
				    "this kernel (before Linux 6.15) cannot mount a part of a tree "
				    "to write to");
	return bind_copy(o, &origin, err);
}

static int open_bind(const struct opening *o, struct xb_error *err)
{
	struct origin origin = { .root = -1, .owned = -1 };
	int r;

	if (o->mount->origin == XB_COPY_STEP)
		return bind_tree(o, err);
	r = open_origin(o->work->shared, o->work->step, o->mount, o->from, &origin, err);
	return r < 0 ? r : bind_copy(o, &origin, err);
}

/* ---- cache -------------------------------------------------------------------------------- */

static int fill_cache(void *context, int fs, struct xb_error *err)
{
	const struct opening *o = context;
	XB_CLEANUP(origin_clear) struct origin origin = { .root = -1, .owned = -1 };
	int r = 0;

	if (has_files(o->mount)) {
		r = open_origin(o->work->shared, o->work->step, o->mount, o->from, &origin, err);
		if (r == 0)
			r = copy_tree(&origin, path_of(o->mount), fs, ".", err);
		return r;
	}
	if (xb_owner_set(fs, "", o->mount->uid, o->mount->gid) < 0 ||
	    fchmod(fs, o->mount->mode) < 0)
		return xb_error_errno(err, -errno, "setting the owner of a cache");
	return 0;
}

/* Caches are one when id, owner, mode and what they begin with are. */
static int cache_key(const struct opening *o, char **ret, struct xb_error *err)
{
	const struct xb_step_mount *m = o->mount;
	struct xb_digest content = { 0 };
	bool files = has_files(m);
	int r = 0;

	if (files)
		r = content_of(o->work->shared, o->work->step, m, o->from, NULL, &content, err);
	if (r < 0)
		return r;
	*ret = xb_format("cache 1\n%o %u %u\n%s\n%s\n%s", m->mode, m->uid, m->gid, content.text,
			 files ? m->source : "", m->id);
	return 0;
}

static int take_cache(const struct opening *o, const char *key, enum xb_cachedir_use use,
		      struct xb_error *err)
{
	const struct xb_cachedir_seed seed = { .fill = fill_cache,
					       .context = (void *)(uintptr_t)o };
	struct xb_step_shared *shared = o->work->shared;

	for (;;) {
		struct pollfd fd = { .fd = shared->cancel_fd, .events = POLLIN };
		xb_auto_error struct xb_error cause = XB_ERROR_INIT;
		int r = xb_cachedir_take(o->mounts->store, key, use, &seed, &o->ret->cache, &cause);

		if (r != -EAGAIN) {
			if (r < 0)
				xb_error_move(err, &cause);
			return r;
		}
		if (poll(&fd, 1, LOCK_POLL_MS) > 0) {
			(void)xb_error_set(err, -ECANCELED, "cancelled");
			return xb_error_fault(err, XB_FAULT_INTERRUPTED);
		}
	}
}

/* The part of the cache that is mounted; what a cache begins with is the part already. */
static int open_in_cache(const struct opening *o, int fs, struct xb_error *err)
{
	const char *path = has_files(o->mount) ? "/" : o->mount->source;

	o->ret->fd = xb_open_in_root(fs, path, O_PATH, 0, err);
	if (o->ret->fd >= 0)
		return 0;
	(void)xb_error_hint(err, "a cache has what earlier steps have put there");
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

/* The keys of a step's caches, by mount; NULL for other mounts. */
struct cache_keys {
	char **items;
	size_t len;
};

static void cache_keys_clear(struct cache_keys *keys)
{
	for (size_t i = 0; i < keys->len; i++)
		free(keys->items[i]);
	free(keys->items);
}

/* How much a mount excludes: of two mounts of one cache in a step the stricter one counts. */
static enum xb_cachedir_use use_of(const struct xb_step_mount *mount)
{
	static const enum xb_cachedir_use uses[] = {
		[XB_MOUNT_SHARED] = XB_CACHEDIR_SHARED,
		[XB_MOUNT_PRIVATE] = XB_CACHEDIR_PRIVATE,
		[XB_MOUNT_LOCKED] = XB_CACHEDIR_LOCKED,
	};

	return uses[mount->sharing];
}

/* ---- all of a step ------------------------------------------------------------------------ */

static struct opening opening_of(const struct xb_work *work, struct xb_mounts *mounts, size_t i)
{
	return (struct opening){
		.work = work,
		.mount = &work->step->run.mounts[i],
		.from = work->inputs[1 + i],
		.mounts = mounts,
		.ret = &mounts->sources.items[i],
	};
}

/* The first mount of the cache that `key` names whose turn it is: keys in order, so that two steps
 * never wait for each other. */
static size_t next_cache(const struct cache_keys *keys, const char *after)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < keys->len; i++) {
		const char *key = keys->items[i];

		if (key == NULL || (after != NULL && strcmp(key, after) <= 0))
			continue;
		if (found == SIZE_MAX || strcmp(key, keys->items[found]) < 0)
			found = i;
	}
	return found;
}

/* Take the cache of mount `first` for it and for all other mounts of the same cache. */
static int share_cache(const struct xb_work *work, struct xb_mounts *mounts,
		       const struct cache_keys *keys, size_t first, struct xb_error *err)
{
	const char *key = keys->items[first];
	struct opening o = opening_of(work, mounts, first);
	enum xb_cachedir_use use = use_of(o.mount);
	int r;

	for (size_t i = first + 1; i < keys->len; i++) {
		if (keys->items[i] != NULL && strcmp(keys->items[i], key) == 0 &&
		    use_of(&work->step->run.mounts[i]) > use)
			use = use_of(&work->step->run.mounts[i]);
	}
	r = take_cache(&o, key, use, err);
	for (size_t i = first; r == 0 && i < keys->len; i++) {
		struct opening other = opening_of(work, mounts, i);

		if (keys->items[i] != NULL && strcmp(keys->items[i], key) == 0)
			r = open_in_cache(&other, xb_cachedir_fd(o.ret->cache), err);
	}
	return r;
}

static int open_caches(const struct xb_work *work, struct xb_mounts *mounts, struct xb_error *err)
{
	size_t n = work->step->run.mount_count;
	XB_CLEANUP(cache_keys_clear)
	struct cache_keys keys = { .items = xb_calloc(n + 1, sizeof(char *)), .len = n };
	const char *after = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct opening o = opening_of(work, mounts, i);

		if (o.mount->type == XB_MOUNT_CACHE)
			r = cache_key(&o, &keys.items[i], err);
	}
	while (r == 0) {
		size_t first = next_cache(&keys, after);

		if (first == SIZE_MAX)
			break;
		after = keys.items[first];
		r = share_cache(work, mounts, &keys, first, err);
	}
	return r;
}

static void add_bind(const struct opening *o, struct xb_sandbox_spec *spec, const char *target)
{
	struct xb_sandbox_mount *m = xb_sandbox_spec_mount(spec, XB_SANDBOX_BIND, target);

	m->source_fd = o->ret->fd;
	m->read_only = o->mount->read_only && o->mount->type != XB_MOUNT_SSH;
}

static void add_tmpfs(const struct opening *o, struct xb_sandbox_spec *spec)
{
	struct xb_sandbox_mount *m =
		xb_sandbox_spec_mount(spec, XB_SANDBOX_TMPFS, o->mount->target);

	m->mode = TMPFS_MODE;
	m->size = o->mount->size;
	m->read_only = o->mount->read_only;
}

static int secret_missing(const struct opening *o, struct xb_error *err)
{
	const char *id = o->mount->id;

	if (!o->mount->required)
		return 0;
	(void)xb_error_set(err, -ENOENT, "secret %s: not found", id);
	(void)xb_error_hint(err, "give it with --secret id=%s,src=FILE or --secret id=%s,env=NAME",
			    id, id);
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

static int add_secret(const struct opening *o, struct xb_sandbox_spec *spec, struct xb_error *err)
{
	const struct xb_secret *secret = xb_secrets_find(o->work->shared->secrets, o->mount->id);
	struct xb_view bytes;

	if (secret == NULL)
		return secret_missing(o, err);
	bytes = xb_str_view(&secret->data);
	if (o->mount->env != NULL) {
		if (xb_view_find(bytes, '\0') >= 0) {
			(void)xb_error_set(err, -EINVAL,
					   "secret %s has a zero byte, which a variable cannot "
					   "hold",
					   o->mount->id);
			return xb_error_fault(err, XB_FAULT_SOURCE);
		}
		xb_env_set(&spec->env, xb_view(o->mount->env), bytes);
	}
	if (o->mount->target != NULL) {
		struct xb_sandbox_mount *m =
			xb_sandbox_spec_mount(spec, XB_SANDBOX_FILE, o->mount->target);

		(void)xb_str_append_view(&m->content, bytes);
		m->mode = o->mount->mode;
		m->uid = o->mount->uid;
		m->gid = o->mount->gid;
		m->read_only = true;
	}
	return 0;
}

static int agent_missing(const struct opening *o, struct xb_error *err)
{
	if (!o->mount->required)
		return 0;
	(void)xb_error_set(err, -ENOENT, "no SSH agent called %s is lent to the build",
			   o->mount->id);
	(void)xb_error_hint(err, "lend it with --ssh %s, or --ssh %s=SOCKET", o->mount->id,
			    o->mount->id);
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

/* `number` counts the step's ssh mounts. */
static int add_agent(const struct opening *o, unsigned number, struct xb_sandbox_spec *spec,
		     struct xb_error *err)
{
	const struct xb_agent_source *source = xb_agent_find(o->work->shared->agents, o->mount->id);
	xb_autofree char *target = NULL;
	xb_auto_fd int dir = -1;
	struct xb_agent_request request = {
		.mode = o->mount->mode,
		.uid = o->mount->uid,
		.gid = o->mount->gid,
	};
	int r;

	if (source == NULL)
		return agent_missing(o, err);
	r = begin_scratch(o, &dir, err);
	request.socket = source->socket;
	request.dirfd = dir;
	if (r == 0)
		r = xb_agent_start(&request, &o->ret->agent, err);
	if (r == 0)
		r = o->ret->fd = fcntl(xb_agent_fd(o->ret->agent), F_DUPFD_CLOEXEC, 0);
	if (r < 0)
		return r;
	target = o->mount->target != NULL ? xb_strdup(o->mount->target)
					  : xb_format("/run/buildkit/ssh_agent.%u", number);
	add_bind(o, spec, target);
	if (xb_env_get(&spec->env, XB_VIEW("SSH_AUTH_SOCK")) == NULL)
		xb_env_set(&spec->env, XB_VIEW("SSH_AUTH_SOCK"), xb_view(target));
	return 0;
}

static int open_mount(const struct opening *o, unsigned *agents, struct xb_sandbox_spec *spec,
		      struct xb_error *err)
{
	int r = 0;

	switch (o->mount->type) {
	case XB_MOUNT_BIND:
		r = open_bind(o, err);
		if (r == 0)
			add_bind(o, spec, o->mount->target);
		break;
	case XB_MOUNT_CACHE:
		add_bind(o, spec, o->mount->target);
		break;
	case XB_MOUNT_TMPFS:
		add_tmpfs(o, spec);
		break;
	case XB_MOUNT_SECRET:
		r = add_secret(o, spec, err);
		break;
	case XB_MOUNT_SSH:
		r = add_agent(o, (*agents)++, spec, err);
		break;
	case XB_MOUNT_COUNT_:
		break;
	}
	return r < 0 ? xb_error_wrap(err, r, "the %s mount", xb_mount_type_name(o->mount->type))
		     : 0;
}

/* Outer mounts come first, whatever the order of the flags is, or they would hide the inner ones.
 */
static void sort_mounts(struct xb_sandbox_mounts *mounts, size_t from)
{
	for (size_t i = from + 1; i < mounts->len; i++) {
		struct xb_sandbox_mount m = mounts->items[i];
		size_t k = i;

		for (; k > from && strcmp(mounts->items[k - 1].target, m.target) > 0; k--)
			mounts->items[k] = mounts->items[k - 1];
		mounts->items[k] = m;
	}
}

int xb_mounts_open(const struct xb_work *work, struct xb_mounts *mounts,
		   struct xb_sandbox_spec *spec, struct xb_error *err)
{
	size_t n = work->step->run.mount_count;
	size_t before = spec->mounts.len;
	unsigned agents = 0;
	bool secret = false;
	int r;

	mounts->store = work->shared->store;
	for (size_t i = 0; i < n; i++)
		*xb_array_push(&mounts->sources) = (struct xb_mount_source){ .fd = -1, .view = -1 };
	r = open_caches(work, mounts, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct opening o = opening_of(work, mounts, i);

		r = open_mount(&o, &agents, spec, err);
		secret = secret || o.mount->type == XB_MOUNT_SECRET;
	}
	/* a core file would take the secret into the layer */
	if (secret)
		*xb_array_push(&spec->rlimits) =
			(struct xb_sandbox_rlimit){ .resource = RLIMIT_CORE };
	sort_mounts(&spec->mounts, before);
	return r;
}

void xb_mounts_close(struct xb_mounts *mounts)
{
	for (size_t i = 0; i < mounts->sources.len; i++) {
		struct xb_mount_source *source = &mounts->sources.items[i];

		xb_cleanup_fd(&source->fd);
		xb_cleanup_fd(&source->view);
		xb_agent_free(source->agent);
		xb_cachedir_free(source->cache);
		xb_snapshot_discard(mounts->store, &source->scratch);
	}
	xb_array_clear(&mounts->sources);
}
