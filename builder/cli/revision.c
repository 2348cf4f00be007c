/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/revision.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"

#define MAX_FILE   ((size_t)4096)
#define MAX_PACKED ((size_t)256 << 20)

/* Whether a text is a commit's id. */
static bool is_commit(struct xb_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (strchr("0123456789abcdef", text.data[i]) == NULL || text.data[i] == '\0')
			return false;
	}
	return text.len == 40 || text.len == 64;
}

/* A small file of `dir` without the white space at its end; NULL when there is none. */
static char *read_line(const char *dir, const char *name)
{
	xb_autofree char *path = xb_format("%s/%s", dir, name);
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_FILE);

	if (xb_file_read(path, &text, NULL) < 0)
		return NULL;
	return xb_view_dup(xb_view_trim(xb_str_view(&text)));
}

/* `path`, from `dir` where it is relative. */
static char *from_dir(const char *dir, const char *path)
{
	return path[0] == '/' ? xb_strdup(path) : xb_format("%s/%s", dir, path);
}

/* The git directory of a working tree's root, or NULL: .git, or where the file .git leads to. */
static char *git_dir_of(const char *root)
{
	xb_autofree char *dir = xb_format("%s/.git", root);
	xb_autofree char *file = NULL;
	struct stat st;

	if (stat(dir, &st) < 0)
		return NULL;
	if (S_ISDIR(st.st_mode))
		return XB_STEAL(dir);
	file = read_line(root, ".git");
	return file != NULL && strncmp(file, "gitdir: ", 8) == 0 ? from_dir(root, file + 8) : NULL;
}

/* The git directory of `path` or of the nearest directory above it. */
static char *find_git_dir(const char *path)
{
	xb_autofree char *at = realpath(path, NULL);

	while (at != NULL && *at != '\0') {
		char *found = git_dir_of(at);

		if (found != NULL)
			return found;
		*strrchr(at, '/') = '\0';
	}
	return NULL;
}

/* The commit of a branch in the file that has many of them, one "ID NAME" a line. */
static char *find_packed(const char *dir, const char *name)
{
	xb_autofree char *path = xb_format("%s/packed-refs", dir);
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_PACKED);
	struct xb_view rest, line, id;

	if (xb_file_read(path, &text, NULL) < 0)
		return NULL;
	rest = xb_str_view(&text);
	while (xb_view_split(&rest, '\n', &line)) {
		(void)xb_view_split(&line, ' ', &id);
		if (xb_view_is(line, name))
			return xb_view_dup(id);
	}
	return NULL;
}

/* What HEAD says, and the branch that it may lead to. Worktrees keep branches where the repository
 * is that they belong to. */
static char *read_head(const char *git)
{
	xb_autofree char *head = read_line(git, "HEAD");
	xb_autofree char *shared = read_line(git, "commondir");
	xb_autofree char *common = shared != NULL ? from_dir(git, shared) : xb_strdup(git);
	const char *branch;
	char *commit;

	if (head == NULL || strncmp(head, "ref: ", 5) != 0)
		return XB_STEAL(head);
	branch = head + 5;
	/* names of branches below the directory alone */
	if (strncmp(branch, "refs/", 5) != 0 || strstr(branch, "..") != NULL)
		return NULL;
	commit = read_line(common, branch);
	return commit != NULL ? commit : find_packed(common, branch);
}

int xb_revision_find(const char *path, char **ret, struct xb_error *err)
{
	xb_autofree char *git = find_git_dir(path);
	xb_autofree char *commit = git != NULL ? read_head(git) : NULL;

	*ret = NULL;
	if (git == NULL)
		return 0;
	if (commit == NULL || !is_commit(xb_view(commit)))
		return xb_error_set(err, -EBADMSG, "%s does not say which commit is checked out",
				    git);
	*ret = XB_STEAL(commit);
	return 0;
}
