/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/output_mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "builder/layer/walk.h"

/* Whether a tree has what the walk came upon; what it is goes to `*ret`. */
static int look(const struct xb_pack_tree *tree, const struct xb_walk_entry *e, struct stat *ret,
		struct xb_error *err)
{
	xb_auto_fd int fd = -1;

	if (tree->directory != NULL) {
		ret->st_mode = S_IFDIR;
		return strcmp(e->path, tree->directory) == 0;
	}
	/* what is above it is a directory in the tree: the walk would not have got here else */
	fd = xb_open_beneath(tree->fd, e->path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, NULL);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0 || fstat(fd, ret) < 0)
		return xb_error_errno(err, fd < 0 ? fd : -errno, "looking for %s in the result",
				      e->path);
	return 1;
}

/* Whether an entry stays: every tree that has it has the same kind of thing, and one does. */
static int is_kept(const struct xb_pack_tree *trees, size_t count, const struct xb_walk_entry *e,
		   struct xb_error *err)
{
	int kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct stat st = { 0 };
		int r = look(&trees[i], e, &st, err);

		if (r < 0)
			return r;
		if (r > 0 && S_ISDIR(st.st_mode) != S_ISDIR(e->st.st_mode))
			return 0;
		kept |= r;
	}
	return kept;
}

static int refuse_root(int dest_fd, struct xb_error *err)
{
	struct stat here, root;

	if (fstat(dest_fd, &here) < 0 || stat("/", &root) < 0)
		return xb_error_errno(err, -errno, "looking at the destination");
	if (here.st_dev != root.st_dev || here.st_ino != root.st_ino)
		return 0;
	(void)xb_error_set(err, -EPERM, "mode=delete would remove the files of this system");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

int xb_output_mirror(int dest_fd, const struct xb_pack_tree *trees, size_t count,
		     struct xb_error *err)
{
	bool whole = count > 0 && trees[0].directory == NULL;
	xb_auto_walk struct xb_walk *walk = NULL;
	struct xb_walk_entry e;
	int r = refuse_root(dest_fd, err);

	if (r == 0)
		r = xb_walk_new(dest_fd, &walk, err);
	while (r >= 0 && (r = xb_walk_next(walk, &e, err)) > 0) {
		if (e.event != XB_WALK_ENTRY)
			continue;
		r = is_kept(trees, count, &e, err);
		if (r == 0)
			r = xb_remove_tree_at(e.dirfd, e.name, err);
		else if (r > 0 && whole && S_ISDIR(e.st.st_mode))
			r = xb_walk_enter(walk, err);
	}
	return r;
}
