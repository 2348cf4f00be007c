/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/disk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/file.h"
#include "base/map.h"
#include "builder/cache/lease.h"

/* A walk. */
struct walk {
	struct xb_room room;
	struct xb_strv dirs; /* still to be read */
	struct xb_map *seen; /* files of several names */
};

static void walk_clear(struct walk *w)
{
	xb_strv_clear(&w->dirs);
	xb_map_free(w->seen);
}

static bool seen_before(struct walk *w, const struct stat *st)
{
	xb_autofree char *key = NULL;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return false;
	key = xb_format("%lu %lu", (unsigned long)st->st_dev, (unsigned long)st->st_ino);
	return xb_map_set(w->seen, xb_view(key), w) != NULL;
}

static void count(struct walk *w, const struct stat *st)
{
	if (seen_before(w, st))
		return;
	w->room.bytes += (uint64_t)st->st_blocks * 512;
	w->room.inodes++;
}

static void count_entries(struct walk *w, int fd, const char *path)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;

	if (xb_store_list(fd, ".", &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.len; i++) {
		struct stat st;

		if (fstatat(fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		count(w, &st);
		if (S_ISDIR(st.st_mode))
			xb_strv_printf(&w->dirs, "%s/%s", path, names.items[i]);
	}
}

struct xb_room xb_disk_room(int dirfd, const char *name)
{
	XB_CLEANUP(walk_clear) struct walk w = { .seen = xb_map_new() };
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return w.room;
	count(&w, &st);
	if (S_ISDIR(st.st_mode))
		xb_strv_push(&w.dirs, name);
	while (w.dirs.len > 0) {
		xb_autofree char *path = xb_strdup(w.dirs.items[w.dirs.len - 1]);
		xb_auto_fd int fd = -1;

		xb_strv_remove(&w.dirs, w.dirs.len - 1);
		fd = xb_open_beneath(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);
		if (fd >= 0)
			count_entries(&w, fd, path);
	}
	return w.room;
}
