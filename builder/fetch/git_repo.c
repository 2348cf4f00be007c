/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git_repo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "builder/fetch/git_words.h"

/* Names below the cache's directory. */
#define REPO "git"
#define NEW  "git.new"

/* How long to sleep between two looks at a lock that others hold. */
#define LOCK_MS 100

void xb_git_repo_clear(struct xb_git_repo *repo)
{
	xb_cachedir_free(repo->cache);
	free(repo->dir);
	*repo = (struct xb_git_repo){ 0 };
}

static int take_cache(struct xb_store *store, const struct xb_git *git, const char *key,
		      struct xb_cachedir **ret, struct xb_error *err)
{
	static const struct xb_cachedir_seed seed;

	for (;;) {
		xb_auto_error struct xb_error busy = XB_ERROR_INIT;
		int r = xb_cachedir_take(store, key, XB_CACHEDIR_LOCKED, &seed, ret, &busy);

		if (r != -EAGAIN) {
			if (r < 0)
				xb_error_move(err, &busy);
			return r;
		}
		r = xb_git_wait(git->options, LOCK_MS, err);
		if (r < 0)
			return r;
	}
}

/* Made aside and moved into its place, so that it is whole or not there. */
static int make_repo(struct xb_git *git, struct xb_git_repo *repo, struct xb_error *err)
{
	xb_autofree char *aside = xb_format("%s/" NEW, xb_cachedir_path(repo->cache));
	const char *const args[] = { "init",
				     "-q",
				     "--bare",
				     "--template=",
				     repo->sha256 ? "--object-format=sha256"
						  : "--object-format=sha1",
				     NULL };
	const struct xb_git_command command = {
		.args = args,
		.git_dir = aside,
		.writable = { xb_cachedir_path(repo->cache) },
	};
	int fd = xb_cachedir_fd(repo->cache);
	int r = xb_remove_tree_at(fd, NEW, err);

	if (r == 0)
		r = xb_remove_tree_at(fd, REPO, err);
	if (r == 0)
		r = xb_git_run(git, &command, NULL, err);
	if (r == 0 && renameat(fd, NEW, fd, REPO) < 0)
		r = xb_error_errno(err, -errno, "making a repository");
	repo->made = r == 0;
	return r < 0 ? xb_error_fault(err, XB_FAULT_STORE) : 0;
}

static void remove_pack(int packs, const char *name)
{
	if (strncmp(name, "tmp_", 4) == 0 || strncmp(name, ".tmp-", 5) == 0)
		(void)unlinkat(packs, name, 0);
}

/* What a fetch that was killed leaves: locks, and halves of packs. */
static void clean(const struct xb_git_repo *repo)
{
	static const char *const locks[] = { REPO "/shallow.lock", REPO "/packed-refs.lock",
					     REPO "/config.lock" };
	int fd = xb_cachedir_fd(repo->cache);
	int packs = openat(fd, REPO "/objects/pack", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = packs >= 0 ? fdopendir(packs) : NULL;
	const struct dirent *entry;

	for (size_t i = 0; i < XB_COUNT(locks); i++)
		(void)unlinkat(fd, locks[i], 0);
	if (dir == NULL) {
		xb_cleanup_fd(&packs);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		remove_pack(packs, entry->d_name);
	(void)closedir(dir);
}

int xb_git_repo_open(struct xb_store *store, struct xb_git *git, bool sha256,
		     struct xb_git_repo *ret, struct xb_error *err)
{
	xb_auto_git_repo struct xb_git_repo repo = { .sha256 = sha256 };
	xb_autofree char *key = xb_format("git %s %s", sha256 ? "sha256" : "sha1", git->url);
	int r = take_cache(store, git, key, &repo.cache, err);

	if (r < 0)
		return r;
	repo.dir = xb_format("%s/" REPO, xb_cachedir_path(repo.cache));
	if (faccessat(xb_cachedir_fd(repo.cache), REPO, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		r = make_repo(git, &repo, err);
	else
		clean(&repo);
	if (r < 0)
		return r;
	*ret = repo;
	repo = (struct xb_git_repo){ 0 };
	return 0;
}

static struct xb_git_command command_of(const struct xb_git_repo *repo, const char *const *args)
{
	return (struct xb_git_command){
		.args = args,
		.git_dir = repo->dir,
		.writable = { xb_cachedir_path(repo->cache) },
	};
}

/* Fill the target's commit and `*ret_time`: 1, or 0 when the object is not there. */
static int look(struct xb_git *git, struct xb_git_repo *repo, struct xb_git_target *target,
		int64_t *ret_time, struct xb_error *err)
{
	xb_autofree char *ref = xb_format("refs/xbuild/%s", target->object);
	xb_autofree char *commit = xb_format("%s^{commit}", ref);
	const char *const ask[] = { "show-ref", "--verify", "--quiet", "--", ref, NULL };
	const char *const tell[] = { "log", "-1", "--no-show-signature", "--format=%H %ct", commit,
				     "--",  NULL };
	struct xb_git_command command = command_of(repo, ask);
	xb_auto_str struct xb_str text = XB_STR_INIT(4096);
	char id[XB_GIT_ID_SIZE];
	long long seconds;
	int r = xb_git_ask(git, &command, err);

	if (r <= 0)
		return r;
	command = command_of(repo, tell);
	r = xb_git_run(git, &command, &text, err);
	if (r < 0)
		return r;
	if (sscanf(xb_str_text(&text), "%64[0-9a-f] %lld", id, &seconds) != 2 ||
	    !xb_git_is_commit(xb_view(id)))
		return xb_error_set(err, -EBADMSG, "git log says something else than a commit");
	memcpy(target->commit, id, sizeof(id));
	*ret_time = seconds;
	return 1;
}

static int fetch_id(struct xb_git *git, struct xb_git_repo *repo, const char *id, bool deep,
		    struct xb_error *err)
{
	xb_autofree char *spec = xb_format("+%s:refs/xbuild/%s", id, id);
	const char *const args[] = { "fetch",
				     "-q",
				     "--no-tags",
				     "--no-write-fetch-head",
				     deep ? "--force" : "--depth=1",
				     "--",
				     "origin",
				     spec,
				     NULL };
	struct xb_git_command command = command_of(repo, args);

	command.network = true;
	return xb_git_run(git, &command, NULL, err);
}

/* For servers that give out what a branch or tag leads to, and nothing by its id. */
static int fetch_all(struct xb_git *git, struct xb_git_repo *repo, const char *id,
		     struct xb_error *err)
{
	bool shallow = faccessat(xb_cachedir_fd(repo->cache), REPO "/shallow", F_OK, 0) == 0;
	xb_autofree char *ref = xb_format("refs/xbuild/%s", id);
	const char *const args[] = { "fetch",
				     "-q",
				     "--prune",
				     "--no-tags",
				     "--no-write-fetch-head",
				     shallow ? "--unshallow" : "--force",
				     "--",
				     "origin",
				     "+refs/heads/*:refs/all/heads/*",
				     "+refs/tags/*:refs/all/tags/*",
				     NULL };
	const char *const exists[] = { "cat-file", "-e", id, NULL };
	const char *const mark[] = { "update-ref", ref, id, NULL };
	struct xb_git_command command = command_of(repo, args);
	int r;

	command.network = true;
	r = xb_git_run(git, &command, NULL, err);
	if (r < 0)
		return r;
	command = command_of(repo, exists);
	r = xb_git_ask(git, &command, err);
	if (r < 0)
		return r;
	if (r == 0) {
		xb_error_set(err, -ENOENT, "the repository does not contain %s", id);
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	command = command_of(repo, mark);
	return xb_git_run(git, &command, NULL, err);
}

/* From the way that fetches least to the one that every server knows. */
static int fetch(struct xb_git *git, struct xb_git_repo *repo, const char *id, struct xb_error *err)
{
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = fetch_id(git, repo, id, false, &cause);

	if (r == XB_GIT_NO_DEPTH) {
		xb_error_clear(&cause);
		r = fetch_id(git, repo, id, true, &cause);
	}
	if (r == XB_GIT_NO_ID || r == XB_GIT_NO_DEPTH) {
		xb_error_clear(&cause);
		r = fetch_all(git, repo, id, &cause);
	}
	if (r < 0)
		xb_error_move(err, &cause);
	return r;
}

int xb_git_repo_fetch(struct xb_git *git, struct xb_git_repo *repo, struct xb_git_target *target,
		      int64_t *ret_time, struct xb_error *err)
{
	int r = look(git, repo, target, ret_time, err);

	if (r == 0) {
		xb_git_tell(git, "fetching %s from %s",
			    target->ref != NULL ? target->ref : target->object, git->shown);
		r = fetch(git, repo, target->object, err);
		if (r == 0)
			r = look(git, repo, target, ret_time, err);
		if (r == 0)
			r = xb_error_set(err, -EIO, "git fetched no %s", target->object);
	}
	return r < 0 ? xb_error_wrap(err, r, "%s", git->shown) : 0;
}

int xb_git_repo_repair(struct xb_git *git, struct xb_git_repo *repo, struct xb_error *err)
{
	static const char *const args[] = { "fsck", "--connectivity-only", "--no-dangling", NULL };
	const struct xb_git_command command = command_of(repo, args);
	int r = repo->made ? 1 : xb_git_ask(git, &command, err);

	if (r != 0)
		return r < 0 ? r : 0;
	xb_git_tell(git, "the store's repository of %s is damaged: made anew", git->shown);
	r = make_repo(git, repo, err);
	return r < 0 ? r : 1;
}
