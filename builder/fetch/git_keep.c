/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

/* A line for each object of one commit. */
#define MAX_OBJECTS ((size_t)1 << 30)
#define MAX_COMMIT  ((size_t)16 << 20)

/* Run a command in the new repository. */
static int run_kept(struct xb_git *git, const struct xb_git_keep *keep, const char *const *args,
		    struct xb_error *err)
{
	const struct xb_git_command command = {
		.args = args,
		.git_dir = keep->git_dir,
		.work_tree = keep->work_tree,
		.writable = { keep->top },
	};

	return xb_git_run(git, &command, NULL, err);
}

/* Run a command in the store's repository. */
static int run_stored(struct xb_git *git, const struct xb_git_repo *repo,
		      const struct xb_git_keep *keep, const char *const *args, struct xb_view input,
		      struct xb_str *output, struct xb_error *err)
{
	const struct xb_git_command command = {
		.args = args,
		.git_dir = repo->dir,
		.writable = { repo->dir, keep->top },
		.input = input,
	};

	return xb_git_run(git, &command, output, err);
}

static int init(struct xb_git *git, const struct xb_git_repo *repo, const struct xb_git_keep *keep,
		struct xb_error *err)
{
	const char *const args[] = { "init", "-q", "--template=",
				     repo->sha256 ? "--object-format=sha256"
						  : "--object-format=sha1",
				     NULL };

	return run_kept(git, keep, args, err);
}

/* One pack with what the commit needs, and the tag that leads to it. */
static int pack(struct xb_git *git, const struct xb_git_repo *repo,
		const struct xb_git_target *target, const struct xb_git_keep *keep,
		struct xb_error *err)
{
	xb_autofree char *name = xb_format("%s/objects/pack/pack", keep->git_dir);
	const char *const list[] = { "rev-list", "--objects", "--no-walk", target->object, NULL };
	const char *const pack_objects[] = { "pack-objects", "-q", name, NULL };
	xb_auto_str struct xb_str objects = XB_STR_INIT(MAX_OBJECTS);
	int r = run_stored(git, repo, keep, list, XB_VIEW(""), &objects, err);

	if (r < 0)
		return r;
	return run_stored(git, repo, keep, pack_objects, xb_str_view(&objects), NULL, err);
}

/* Whether the commit has parents, which then are not here. */
static int has_parents(struct xb_git *git, const struct xb_git_repo *repo,
		       const struct xb_git_target *target, const struct xb_git_keep *keep,
		       struct xb_error *err)
{
	const char *const args[] = { "cat-file", "commit", target->commit, NULL };
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_COMMIT);
	struct xb_view rest, line;
	int r = run_stored(git, repo, keep, args, XB_VIEW(""), &text, err);

	rest = xb_str_view(&text);
	while (r == 0 && xb_view_split(&rest, '\n', &line) && line.len > 0) {
		if (xb_view_starts(line, XB_VIEW("parent ")))
			return 1;
	}
	return r;
}

static int write_shallow(const struct xb_git_target *target, const struct xb_git_keep *keep,
			 struct xb_error *err)
{
	xb_autofree char *path = xb_format("%s/shallow", keep->git_dir);
	xb_autofree char *line = xb_format("%s\n", target->commit);
	xb_auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return xb_error_errno(err, -errno, "making .git/shallow");
	return xb_write_all(fd, line, strlen(line), err);
}

static int set_refs(struct xb_git *git, const struct xb_git_target *target,
		    const struct xb_git_keep *keep, struct xb_error *err)
{
	const char *const head[] = { "update-ref", "--no-deref", "HEAD", target->commit, NULL };
	const char *const ref[] = { "update-ref", target->ref, target->object, NULL };
	int r = run_kept(git, keep, head, err);

	if (r == 0 && target->ref != NULL && strncmp(target->ref, "refs/", 5) == 0)
		r = run_kept(git, keep, ref, err);
	return r;
}

static int set_config(struct xb_git *git, const struct xb_git_keep *keep, const char *key,
		      const char *value, struct xb_error *err)
{
	const char *const args[] = { "config", key, value, NULL };

	return run_kept(git, keep, args, err);
}

int xb_git_keep(struct xb_git *git, const struct xb_git_repo *repo,
		const struct xb_git_target *target, const struct xb_git_keep *keep,
		struct xb_error *err)
{
	int r = init(git, repo, keep, err);

	if (r == 0)
		r = pack(git, repo, target, keep, err);
	if (r == 0)
		r = has_parents(git, repo, target, keep, err);
	if (r > 0)
		r = write_shallow(target, keep, err);
	if (r == 0)
		r = set_refs(git, target, keep, err);
	if (r == 0)
		r = set_config(git, keep, "remote.origin.url", git->url, err);
	if (r == 0)
		r = set_config(git, keep, "remote.origin.fetch",
			       "+refs/heads/*:refs/remotes/origin/*", err);
	if (r == 0 && keep->worktree_config != NULL)
		r = set_config(git, keep, "core.worktree", keep->worktree_config, err);
	return r < 0 ? xb_error_wrap(err, r, "making .git") : 0;
}

int xb_git_keep_module(struct xb_git *git, const struct xb_git_keep *keep, const char *name,
		       const char *url, struct xb_error *err)
{
	xb_autofree char *url_key = xb_format("submodule.%s.url", name);
	xb_autofree char *active_key = xb_format("submodule.%s.active", name);
	int r = set_config(git, keep, url_key, url, err);

	return r < 0 ? r : set_config(git, keep, active_key, "true", err);
}

void xb_git_keep_name(const char *name, struct xb_str *ret)
{
	for (size_t i = 0; name[i] != '\0'; i++) {
		unsigned char c = (unsigned char)name[i];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    c == '_' || (c == '-' && i > 0) || (c == '.' && i > 0))
			(void)xb_str_putc(ret, (char)c);
		else
			(void)xb_str_printf(ret, "%%%02x", c);
	}
}
