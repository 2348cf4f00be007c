/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/array.h"
#include "base/names.h"
#include "base/owner.h"
#include "base/str.h"

/* An entered directory. */
struct frame {
	struct xb_names names;
	size_t next;	   /* the name to look at next */
	size_t path_len;   /* of the directory's own path */
	size_t name_start; /* where its own name begins in the path */
	struct stat st;
};

struct xb_walk {
	int fd;		    /* the directory of the last frame */
	struct xb_str path; /* of the last entry */
	struct stat st;	    /* of the last entry */
	size_t name_start;  /* of the last entry, in `path` */
	struct frames XB_ARRAY(struct frame) frames;
};

/* Make the directory `fd`, which the walk then owns, the current one. */
static int push(struct xb_walk *walk, int fd, struct xb_error *err)
{
	xb_auto_names struct xb_names names = { 0 };
	struct frame *frame;
	int r = xb_names_of(fd, SIZE_MAX, &names);

	if (r < 0) {
		close(fd);
		return xb_error_errno(err, r, "listing a directory");
	}
	xb_cleanup_fd(&walk->fd);
	walk->fd = fd;
	frame = xb_array_push(&walk->frames);
	frame->names = names;
	names = (struct xb_names){ 0 };
	frame->path_len = walk->path.len;
	frame->name_start = walk->name_start;
	frame->st = walk->st;
	return 0;
}

int xb_walk_new(int rootfd, struct xb_walk **ret, struct xb_error *err)
{
	xb_auto_walk struct xb_walk *walk = xb_calloc(1, sizeof(*walk));
	int r, fd;

	walk->fd = -1;
	walk->path = (struct xb_str)XB_STR_INIT(XB_STR_OWN);
	fd = openat(rootfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &walk->st) < 0) {
		r = -errno;
		xb_cleanup_fd(&fd);
		return xb_error_errno(err, r, "opening a tree");
	}
	r = push(walk, fd, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(walk);
	return 0;
}

void xb_walk_free(struct xb_walk *walk)
{
	if (walk == NULL)
		return;
	for (size_t i = 0; i < walk->frames.len; i++)
		xb_names_clear(&walk->frames.items[i].names);
	xb_array_clear(&walk->frames);
	xb_cleanup_fd(&walk->fd);
	xb_str_clear(&walk->path);
	free(walk);
}

int xb_walk_dirfd(const struct xb_walk *walk)
{
	return walk->fd;
}

/* Leave the last frame for the one before it, by "..". */
static int pop(struct xb_walk *walk, struct xb_error *err)
{
	struct frame *done = &walk->frames.items[walk->frames.len - 1];
	const struct frame *back = done - 1;
	xb_auto_fd int fd = openat(walk->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "going up from %s", xb_str_text(&walk->path));
	if (st.st_dev != back->st.st_dev || st.st_ino != back->st.st_ino)
		return xb_error_set(err, -EXDEV, "%s was moved while it was read",
				    xb_str_text(&walk->path));

	xb_str_truncate(&walk->path, done->path_len);
	walk->name_start = done->name_start;
	walk->st = done->st;
	xb_names_clear(&done->names);
	walk->frames.len--;
	xb_cleanup_fd(&walk->fd);
	walk->fd = XB_STEAL_FD(fd);
	return 0;
}

/* Look at the next name of the last frame. */
static int look(struct xb_walk *walk, struct xb_error *err)
{
	struct frame *frame = &walk->frames.items[walk->frames.len - 1];
	const char *name = frame->names.items[frame->next++];

	xb_str_truncate(&walk->path, frame->path_len);
	if (frame->path_len > 0)
		xb_str_putc(&walk->path, '/');
	walk->name_start = walk->path.len;
	xb_str_puts(&walk->path, name);
	if (xb_str_overflowed(&walk->path))
		return xb_error_set(err, -ENAMETOOLONG, "a path of more than %zu bytes",
				    walk->path.max);
	if (xb_owner_stat(walk->fd, name, &walk->st) < 0)
		return xb_error_errno(err, -errno, "looking at %s", xb_str_text(&walk->path));
	return 0;
}

int xb_walk_next(struct xb_walk *walk, struct xb_walk_entry *ret, struct xb_error *err)
{
	const struct frame *frame = &walk->frames.items[walk->frames.len - 1];
	enum xb_walk_event event = XB_WALK_ENTRY;
	int r;

	if (frame->next < frame->names.len) {
		r = look(walk, err);
	} else if (walk->frames.len == 1) {
		return 0;
	} else {
		event = XB_WALK_LEAVE;
		r = pop(walk, err);
	}
	if (r < 0)
		return r;
	*ret = (struct xb_walk_entry){
		.event = event,
		.path = xb_str_text(&walk->path),
		.name = xb_str_text(&walk->path) + walk->name_start,
		.dirfd = walk->fd,
		.st = walk->st,
	};
	return 1;
}

int xb_walk_enter(struct xb_walk *walk, struct xb_error *err)
{
	const char *name = xb_str_text(&walk->path) + walk->name_start;
	xb_auto_fd int fd = openat(walk->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "opening %s", xb_str_text(&walk->path));
	if (st.st_dev != walk->st.st_dev || st.st_ino != walk->st.st_ino)
		return xb_error_set(err, -EXDEV, "%s was replaced while it was read",
				    xb_str_text(&walk->path));
	return push(walk, XB_STEAL_FD(fd), err);
}
