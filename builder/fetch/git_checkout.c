/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git_checkout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "builder/fetch/git_keep.h"
#include "builder/fetch/git_modules.h"
#include "builder/fetch/git_repo.h"
#include "builder/layer/walk.h"

#define MAX_DEPTH 32
/* Of all levels together: a few small repositories can name each other in very many ways. */
#define MAX_PLACES 4096

/* A checkout under way; all but `wanted` is owned. */
struct layout {
	const struct xb_git_checkout *wanted;
	struct xb_snapshot snapshot;
	char *base; /* snapshots/<id> */
	char *tree; /* where the repository's root is laid out */
	bool keep;
	unsigned places; /* repositories so far */
};

/* One repository of it: the top one or a submodule. Paths are absolute and of the layout's tree. */
struct place {
	char *tree;
	char *git_dir;	       /* NULL: none is kept */
	char *worktree_config; /* or NULL */
	unsigned depth;
};

static void place_clear(struct place *p)
{
	free(p->tree);
	free(p->git_dir);
	free(p->worktree_config);
}

static void layout_clear(struct layout *l)
{
	xb_snapshot_discard(l->wanted->store, &l->snapshot);
	free(l->base);
	free(l->tree);
}

static int layout_begin(struct layout *l, struct xb_error *err)
{
	xb_auto_str struct xb_str fs = XB_STR_INIT(XB_STR_OWN);
	bool whole = l->wanted->subdir[0] == '\0';
	struct xb_snapshot snapshot;
	int r = xb_snapshot_begin(l->wanted->store, &snapshot, err);

	if (r < 0)
		return r;
	l->snapshot = snapshot;
	xb_snapshot_path(l->wanted->store, &l->snapshot, &fs);
	l->base = xb_format("%.*s", (int)(fs.len - strlen("/fs")), xb_str_text(&fs));
	l->tree = xb_format("%s/%s", l->base, whole ? "fs" : "work/tree");
	l->keep = l->wanted->keep_git_dir && whole;
	if (!whole && mkdir(l->tree, 0755) < 0)
		return xb_error_errno(err, -errno, "making a directory for a checkout");
	return 0;
}

/* Write the commit's files. */
static int write_files(struct xb_git *git, const struct layout *l, const struct xb_git_repo *repo,
		       const char *commit, const struct place *p, struct xb_error *err)
{
	const char *const args[] = { "read-tree", "--reset", "-u", commit, NULL };
	xb_auto_str struct xb_str index = XB_STR_INIT(XB_STR_OWN);
	struct xb_git_command command = {
		.args = args,
		.git_dir = p->git_dir != NULL ? p->git_dir : repo->dir,
		.work_tree = p->tree,
		.writable = { l->base, repo->dir },
	};
	int r;

	xb_snapshot_work_path(l->wanted->store, &l->snapshot, &index);
	(void)xb_str_puts(&index, "/index");
	if (p->git_dir == NULL)
		command.index = xb_str_text(&index);
	r = xb_git_run(git, &command, NULL, err);
	(void)unlink(xb_str_text(&index));
	return r;
}

static int lay_out(struct xb_git *git, const struct layout *l, const struct xb_git_repo *repo,
		   const struct xb_git_target *target, const struct place *p, struct xb_error *err)
{
	const struct xb_git_keep keep = {
		.top = l->base,
		.git_dir = p->git_dir,
		.work_tree = p->tree,
		.worktree_config = p->worktree_config,
	};
	int r = p->git_dir != NULL ? xb_git_keep(git, repo, target, &keep, err) : 0;

	if (r == 0)
		r = write_files(git, l, repo, target->commit, p, err);
	return r < 0 ? xb_error_wrap(err, r, "checking out %s", target->commit) : 0;
}

/* Whether what went wrong may be the store's repository. */
static bool may_be_damaged(int r, const struct xb_error *err)
{
	return r == -EIO && err->fault == XB_FAULT_STORE;
}

/* With the repository in hand: fetch, lay out, and see which submodules there are. */
static int place_with(struct xb_git *git, const struct layout *l, struct xb_git_repo *repo,
		      struct xb_git_target *target, const struct place *p,
		      struct xb_git_modules *modules, int64_t *ret_time, struct xb_error *err)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = xb_git_repo_fetch(git, repo, target, ret_time, &cause);

	if (r == 0)
		r = lay_out(git, l, repo, target, p, &cause);
	if (r == 0 && l->wanted->submodules)
		r = xb_git_modules_read(git, repo, target->commit, modules, &cause);
	if (r == 0)
		return 0;
	if (may_be_damaged(r, &cause) && xb_git_repo_repair(git, repo, NULL) > 0)
		r = -EAGAIN;
	xb_error_move(err, &cause);
	return r;
}

/* Fetch and lay out one repository; others may use the store's of it as soon as this returns. */
static int place_one(struct xb_git *git, const struct layout *l, struct xb_git_target *target,
		     const struct place *p, struct xb_git_modules *modules, int64_t *ret_time,
		     struct xb_error *err)
{
	xb_auto_git_repo struct xb_git_repo repo = { 0 };
	int r = xb_git_repo_open(l->wanted->store, git, strlen(target->object) == 64, &repo, err);

	return r < 0 ? r : place_with(git, l, &repo, target, p, modules, ret_time, err);
}

/* Open a directory below `dir` that is reached by directories alone. */
static int open_plain(int dir, const char *path, struct xb_error *err)
{
	xb_auto_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct xb_view rest = xb_view(path);
	struct xb_view part;

	while (fd >= 0 && rest.len > 0 && xb_view_split(&rest, '/', &part)) {
		xb_autofree char *name = xb_view_dup(part);
		int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int r = next < 0 ? -errno : 0;

		if (r == -ELOOP)
			r = -ENOTDIR;
		if (r < 0) {
			xb_error_errno(err, r, "the directory %s of the repository", path);
			xb_error_hint(err, "it has to be there, and reached without links");
			return xb_error_fault(err, XB_FAULT_SOURCE);
		}
		xb_cleanup_fd(&fd);
		fd = next;
	}
	if (fd < 0)
		return xb_error_errno(err, -errno, "opening a checkout");
	return XB_STEAL_FD(fd);
}

static int open_plain_at(const char *base, const char *path, struct xb_error *err)
{
	xb_auto_fd int dir = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return xb_error_errno(err, -errno, "opening a checkout");
	return open_plain(dir, path, err);
}

/* Append `count` times "../" for the components of a relative path. */
static void append_up(struct xb_str *s, const char *path)
{
	struct xb_view rest = xb_view(path);
	struct xb_view part;

	while (xb_view_split(&rest, '/', &part)) {
		if (part.len > 0)
			(void)xb_str_puts(s, "../");
	}
}

/* `path` below the layout's tree. */
static const char *below_tree(const struct layout *l, const char *path)
{
	return path + strlen(l->tree) + 1;
}

/* A kept submodule: its repository lies in the one above, and a file .git says where. */
static int link_git_dir(const struct layout *l, const struct xb_git_module *m,
			const struct place *above, struct place *p, struct xb_error *err)
{
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str up = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *modules = xb_format("%s/modules", above->git_dir);
	xb_autofree char *file = xb_format("%s/.git", p->tree);
	xb_auto_fd int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return xb_error_errno(err, -errno, "making .git of the submodule");
	if (mkdir(modules, 0755) < 0 && errno != EEXIST)
		return xb_error_errno(err, -errno, "making .git/modules");
	xb_git_keep_name(m->name, &name);
	p->git_dir = xb_format("%s/%s", modules, xb_str_text(&name));
	append_up(&up, below_tree(l, p->git_dir));
	p->worktree_config = xb_format("%s%s", xb_str_text(&up), below_tree(l, p->tree));
	(void)xb_str_puts(&line, "gitdir: ");
	append_up(&line, below_tree(l, p->tree));
	(void)xb_str_printf(&line, "%s\n", below_tree(l, p->git_dir));
	return xb_write_all(fd, line.data, line.len, err);
}

static int keep_module(struct xb_git *git, const struct layout *l, const struct xb_git_module *m,
		       const char *url, const struct place *above, struct place *p,
		       struct xb_error *err)
{
	const struct xb_git_keep keep = {
		.top = l->base,
		.git_dir = above->git_dir,
		.work_tree = above->tree,
	};
	int r;

	if (above->git_dir == NULL)
		return 0;
	r = link_git_dir(l, m, above, p, err);
	return r < 0 ? r : xb_git_keep_module(git, &keep, m->name, url, err);
}

static int place_all(struct xb_git *git, struct layout *l, struct xb_git_target *target,
		     const struct place *p, int64_t *ret_time, struct xb_error *err);

static int place_module(struct xb_git *git, struct layout *l, const struct xb_git_module *m,
			const struct place *above, struct xb_error *err)
{
	xb_auto_git_address struct xb_git_address address = { 0 };
	xb_auto_git struct xb_git sub = { 0 };
	xb_auto_git_target struct xb_git_target target = { 0 };
	XB_CLEANUP(place_clear)
	struct place p = { .tree = xb_format("%s/%s", above->tree, m->path),
			   .depth = above->depth + 1 };
	xb_auto_fd int dir = open_plain_at(above->tree, m->path, err);
	int64_t time;
	int r = dir < 0 ? dir : xb_git_module_address(git, m, &address, err);

	sub.origin = xb_strdup(git->origin);
	if (r == 0)
		r = xb_git_open(&sub, &address, git->schemes, l->wanted->known_hosts, git->options,
				err);
	if (r == 0)
		r = keep_module(git, l, m, sub.url, above, &p, err);
	if (r < 0)
		return r;
	memcpy(target.object, m->commit, sizeof(target.object));
	return place_all(&sub, l, &target, &p, &time, err);
}

static int place_modules(struct xb_git *git, struct layout *l, const struct xb_git_modules *modules,
			 const struct place *p, struct xb_error *err)
{
	for (size_t i = 0; i < modules->len; i++) {
		const struct xb_git_module *m = &modules->items[i];
		int r;

		if (m->none) {
			xb_git_tell(git, "the submodule %s says update = none: left out", m->path);
			continue;
		}
		r = place_module(git, l, m, p, err);
		if (r < 0)
			return xb_error_wrap(err, r, "submodule %s", m->path);
	}
	return 0;
}

/* One repository and all its submodules. */
static int place_all(struct xb_git *git, struct layout *l, struct xb_git_target *target,
		     const struct place *p, int64_t *ret_time, struct xb_error *err)
{
	xb_auto_git_modules struct xb_git_modules modules = { 0 };
	int r;

	if (p->depth > MAX_DEPTH) {
		xb_error_set(err, -ELOOP, "submodules more than %d levels deep", MAX_DEPTH);
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	if (++l->places > MAX_PLACES) {
		xb_error_set(err, -E2BIG, "more than %d submodules, with theirs", MAX_PLACES);
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	r = place_one(git, l, target, p, &modules, ret_time, err);
	return r < 0 ? r : place_modules(git, l, &modules, p, err);
}

static int move_entries(int from, int to, struct xb_error *err)
{
	xb_auto_walk struct xb_walk *walk = NULL;
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	struct xb_walk_entry e;
	int r = xb_walk_new(from, &walk, err);

	while (r >= 0 && (r = xb_walk_next(walk, &e, err)) > 0)
		xb_strv_push(&names, e.name);
	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		if (renameat(from, names.items[i], to, names.items[i]) < 0)
			r = xb_error_errno(err, -errno, "moving %s", names.items[i]);
	}
	return r < 0 ? r : 0;
}

/* Make the subdirectory the root of the snapshot. */
static int take_subdir(const struct layout *l, struct xb_error *err)
{
	xb_auto_fd int from = -1;
	xb_auto_fd int to = -1;
	int r;

	if (l->wanted->subdir[0] == '\0')
		return 0;
	from = open_plain_at(l->tree, l->wanted->subdir, err);
	r = from < 0 ? from : xb_snapshot_open(l->wanted->store, &l->snapshot, &to, err);
	return r < 0 ? r : move_entries(from, to, err);
}

/* Give everything one time; a directory after what is in it. */
static int set_times(const struct layout *l, int64_t seconds, struct xb_error *err)
{
	const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };
	xb_auto_walk struct xb_walk *walk = NULL;
	xb_auto_fd int root = -1;
	struct xb_walk_entry e;
	int r = xb_snapshot_open(l->wanted->store, &l->snapshot, &root, err);

	if (r >= 0)
		r = xb_walk_new(root, &walk, err);
	while (r >= 0 && (r = xb_walk_next(walk, &e, err)) > 0) {
		if (e.event == XB_WALK_ENTRY && S_ISDIR(e.st.st_mode))
			r = xb_walk_enter(walk, err);
		else if (utimensat(e.dirfd, e.name, times, AT_SYMLINK_NOFOLLOW) < 0)
			r = xb_error_errno(err, -errno, "setting the time of %s", e.path);
	}
	if (r >= 0 && futimens(root, times) < 0)
		r = xb_error_errno(err, -errno, "setting the time of the checkout");
	return r < 0 ? r : 0;
}

int xb_git_check_out(struct xb_git *git, const struct xb_git_checkout *wanted,
		     struct xb_git_target *target, struct xb_snapshot *ret, int64_t *ret_time,
		     struct xb_error *err)
{
	XB_CLEANUP(layout_clear) struct layout l = { .wanted = wanted };
	XB_CLEANUP(place_clear) struct place top = { 0 };
	int r = layout_begin(&l, err);

	if (r < 0)
		return r;
	top.tree = xb_strdup(l.tree);
	top.git_dir = l.keep ? xb_format("%s/.git", l.tree) : NULL;
	r = place_all(git, &l, target, &top, ret_time, err);
	if (r == 0)
		r = take_subdir(&l, err);
	if (r == 0 && wanted->commit_times)
		r = set_times(&l, *ret_time, err);
	if (r == 0)
		r = xb_snapshot_commit(wanted->store, &l.snapshot, err);
	if (r < 0)
		return r;
	*ret = l.snapshot;
	l.snapshot.id[0] = '\0';
	return 0;
}
