/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/sight.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/owner.h"
#include "builder/layer/whiteout.h"
#include "builder/layer/xattrs.h"

/* What a layer on disk has of a name. */
enum found {
	NOTHING,   /* what is below shows */
	WHITEOUT,  /* nothing below shows */
	DIRECTORY, /* merged with the directories of that name below */
	OTHER,
};

void xb_sight_clear(struct xb_sight *sight)
{
	for (size_t i = 0; i < sight->fds.len; i++)
		close(sight->fds.items[i]);
	xb_array_clear(&sight->fds);
	*sight = (struct xb_sight){ 0 };
}

void xb_sight_push(struct xb_sight *sight, int fd)
{
	*xb_array_push(&sight->fds) = fd;
}

int xb_sight_copy(const struct xb_sight *sight, struct xb_sight *ret)
{
	for (size_t i = 0; i < sight->fds.len; i++) {
		int fd = fcntl(sight->fds.items[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return -errno;
		xb_sight_push(ret, fd);
	}
	ret->shape = sight->shape;
	return 0;
}

static int look(int dir, const char *name, struct stat *st)
{
	if (xb_owner_stat(dir, name, st) < 0)
		return errno == ENOENT ? NOTHING : -errno;
	if (xb_whiteout_is(st))
		return WHITEOUT;
	return S_ISDIR(st->st_mode) ? DIRECTORY : OTHER;
}

static bool has_attributes(int fd)
{
	xb_auto_xattrs struct xb_xattrs list = { 0 };

	return xb_xattrs_read(fd, "", &list, NULL) < 0 || list.len > 0;
}

/*
 * Take the directory `name` of the layer on disk `dir` into `to`. Returns 1 when what is below it
 * shows too, 0 when it does not.
 */
static int take_directory(int dir, const char *name, struct xb_sight *to)
{
	xb_auto_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool opaque;

	if (fd < 0)
		return -errno;
	/* the uppermost says all of it */
	if (to->fds.len == 0 && has_attributes(fd))
		return -EINVAL;
	opaque = xb_whiteout_is_opaque(fd);
	xb_sight_push(to, XB_STEAL_FD(fd));
	return !opaque;
}

/* The layers on disk: 1 when what is below them shows too, 0 when it does not. */
static int enter_layers(const struct xb_sight *sight, const char *name, struct xb_sight *to,
			struct stat *ret_st)
{
	int r = 1;

	for (size_t i = 0; r == 1 && i < sight->fds.len; i++) {
		struct stat st;
		int found = look(sight->fds.items[i], name, &st);

		if (found < 0)
			return found;
		if (found == OTHER && to->fds.len == 0)
			return -ENOTDIR;
		if (found == DIRECTORY) {
			if (to->fds.len == 0)
				*ret_st = st;
			r = take_directory(sight->fds.items[i], name, to);
		} else if (found != NOTHING) {
			r = 0;
		}
	}
	return r;
}

static int enter_shape(const struct xb_sight *sight, const char *name, struct xb_sight *to,
		       struct stat *ret_st)
{
	const struct xb_shape_node *node =
		sight->shape != NULL ? xb_shape_child(sight->shape, name) : NULL;

	if (node == NULL)
		return 0;
	if (xb_shape_kind(node) != XB_ROSTER_DIRECTORY)
		return to->fds.len > 0 ? 0 : -ENOTDIR;
	to->shape = node;
	if (to->fds.len > 0)
		return 0;
	return !xb_shape_has_attributes(node) && xb_shape_stat(node, ret_st) ? 0 : -EINVAL;
}

int xb_sight_enter(struct xb_sight *sight, const char *name, struct stat *ret_st)
{
	xb_auto_sight struct xb_sight to = { 0 };
	int r = enter_layers(sight, name, &to, ret_st);

	if (r > 0)
		r = enter_shape(sight, name, &to, ret_st);
	if (r < 0 || (to.fds.len == 0 && to.shape == NULL))
		return r;
	xb_sight_clear(sight);
	*sight = to;
	to = (struct xb_sight){ 0 };
	return 1;
}

bool xb_sight_has(const struct xb_sight *sight, const char *name)
{
	for (size_t i = 0; i < sight->fds.len; i++) {
		struct stat st;
		int found = look(sight->fds.items[i], name, &st);

		if (found != NOTHING)
			return found != WHITEOUT;
	}
	return sight->shape != NULL && xb_shape_child(sight->shape, name) != NULL;
}

static bool dir_is_empty(int dir)
{
	xb_auto_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool empty = stream != NULL;

	if (stream == NULL)
		return false;
	(void)XB_STEAL_FD(fd);
	while (empty && (entry = readdir(stream)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	(void)closedir(stream);
	return empty;
}

bool xb_sight_is_empty(const struct xb_sight *sight)
{
	bool empty = sight->shape == NULL || xb_shape_is_empty(sight->shape);

	for (size_t i = 0; empty && i < sight->fds.len; i++)
		empty = dir_is_empty(sight->fds.items[i]);
	return empty;
}

static int read_file(int dir, const char *name, struct xb_str *text)
{
	xb_auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = xb_file_read_fd(fd, text, NULL);
	return r < 0 ? r : 1;
}

static int read_shape(const struct xb_shape_node *dir, const char *name, struct xb_str *text)
{
	const struct xb_shape_node *node = dir != NULL ? xb_shape_child(dir, name) : NULL;
	struct xb_view content;

	if (node == NULL)
		return 0;
	if (xb_shape_kind(node) != XB_ROSTER_FILE || !xb_shape_content(node, &content))
		return -EINVAL;
	return xb_str_append_view(text, content) < 0 ? -EFBIG : 1;
}

static int read_here(const struct xb_sight *sight, const char *name, struct xb_str *text)
{
	for (size_t i = 0; i < sight->fds.len; i++) {
		struct stat st;
		int found = look(sight->fds.items[i], name, &st);

		if (found == WHITEOUT)
			return 0;
		if (found != NOTHING)
			return found < 0 ? found : read_file(sight->fds.items[i], name, text);
	}
	return read_shape(sight->shape, name, text);
}

int xb_sight_read(const struct xb_sight *sight, const char *path, struct xb_str *text)
{
	xb_auto_sight struct xb_sight at = { 0 };
	struct xb_view rest = xb_view(path), part;
	int r = xb_sight_copy(sight, &at);

	while (r >= 0 && xb_view_split(&rest, '/', &part)) {
		xb_autofree char *name = xb_view_dup(part);
		struct stat st;

		if (rest.data == NULL)
			return read_here(&at, name, text);
		r = xb_sight_enter(&at, name, &st);
		if (r == 0)
			return 0;
	}
	return r;
}
