/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount points that the image lacks. They are made in a directory in memory, which becomes a
 * layer of the step's root: nothing is created in, and nothing has to be removed from, the
 * directory that becomes the step's result.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/owner.h"
#include "builder/sandbox/init.h"

static int check_kind(int view, const struct init_place *place, struct xb_error *err)
{
	xb_auto_fd int fd = xb_open_in_root(view, place->path, O_PATH | O_NOFOLLOW, 0, err);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "%s", place->path);
	if (place->directory && !S_ISDIR(st.st_mode))
		return xb_error_set(err, -ENOTDIR,
				    "%s is not a directory in the image, but one has to be "
				    "mounted there",
				    place->path);
	if (!place->directory && S_ISDIR(st.st_mode))
		return xb_error_set(err, -EISDIR,
				    "%s is a directory in the image, but a file has to be "
				    "mounted there",
				    place->path);
	return 0;
}

/* Not over the root, where it would not be seen, and not in /proc, whose walls it would hide. */
static bool refused(const char *path)
{
	return strcmp(path, "/") == 0 || strcmp(path, "/proc") == 0 ||
	       strncmp(path, "/proc/", strlen("/proc/")) == 0;
}

/* Returns 1 when it is missing. */
static int find_place(int view, struct init_place *place, struct xb_error *err)
{
	xb_auto_str struct xb_str canonical = XB_STR_INIT(PATH_MAX);
	size_t known;
	int r = init_path_resolve(view, place->path, &canonical, &known, err);

	if (r < 0)
		return r;
	if (place->exact && strcmp(place->path, xb_str_text(&canonical)) != 0)
		return xb_error_set(err, -ELOOP, "%s is a symbolic link in the image", place->path);
	if (!place->exact && refused(xb_str_text(&canonical)))
		return xb_error_set(err, -EINVAL, "nothing can be mounted on %s", place->path);
	free(place->path);
	place->path = xb_str_steal(&canonical);
	return known < strlen(place->path) ? 1 : check_kind(view, place, err);
}

int init_stubs_find(int view, struct init_places *places, struct xb_error *err)
{
	int missing = 0;

	for (size_t i = 0; i < places->len; i++) {
		int r = find_place(view, &places->items[i], err);

		if (r < 0)
			return xb_error_fault(err, XB_FAULT_STEP);
		missing += r;
	}
	return missing;
}

static void copy_xattr(int from, int to, const char *name)
{
	char value[XATTR_SIZE_MAX];
	ssize_t n = fgetxattr(from, name, value, sizeof(value));

	/* What the memory file system cannot hold matters only if the step changes this very
	 * directory, and only where the image has hidden the mount point in a layer above. */
	if (n >= 0)
		(void)fsetxattr(to, name, value, (size_t)n, 0);
}

static void copy_xattrs(int from, int to)
{
	char names[XATTR_LIST_MAX];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1)
		copy_xattr(from, to, names + at);
}

/* Make `made`, a directory of the stubs, look like `path` of the view, or like new: root's, 0755,
 * and of no particular time. */
static int dress(int view, const char *path, int made)
{
	xb_auto_fd int from =
		xb_open_in_root(view, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);
	struct stat st = { .st_mode = S_IFDIR | 0755 };
	struct timespec times[2];

	if (from >= 0 && xb_owner_stat(from, "", &st) < 0)
		return -errno;
	/* a file system in memory may take no records; nothing of it gets into the result */
	if (xb_owner_set(made, "", st.st_uid, st.st_gid) < 0 && errno != ENOTSUP)
		return -errno;
	if (fchmod(made, st.st_mode & 07777) < 0)
		return -errno;
	if (from >= 0)
		copy_xattrs(from, made);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return futimens(made, times) < 0 ? -errno : 0;
}

/* Make the directory `path` of the stubs with all above it; they are dressed by dress_all(). */
static int make_directory(int stubs, const char *path)
{
	xb_auto_fd int fd = xb_mkdir_in_root(stubs, path, 0755, 0, 0, NULL);

	return fd < 0 ? fd : 0;
}

/* Whether `path` is in the list already; it is from now on. */
static bool note_dressed(struct xb_strv *dressed, const char *path)
{
	for (size_t i = 0; i < dressed->len; i++) {
		if (strcmp(dressed->items[i], path) == 0)
			return true;
	}
	xb_strv_push(dressed, path);
	return false;
}

/* Deepest first, so that making a child does not change the times of what is dressed already:
 * nothing is made any more when this runs. */
static int dress_all(int view, int stubs, const char *path, struct xb_strv *dressed)
{
	xb_autofree char *at = xb_strdup(path);
	int r = 0;

	for (char *slash = at + strlen(at); r >= 0 && slash != NULL; slash = strrchr(at, '/')) {
		xb_auto_fd int made = -1;

		*slash = '\0';
		if (note_dressed(dressed, at))
			break;
		made = xb_open_in_root(stubs, at[0] != '\0' ? at : "/", O_RDONLY | O_DIRECTORY, 0,
				       NULL);
		if (made >= 0) /* a file has no need of it */
			r = dress(view, at[0] != '\0' ? at : "/", made);
	}
	return r;
}

static int make_stub(int stubs, const struct init_place *place)
{
	xb_autofree char *parent = NULL;
	xb_auto_fd int fd = -1;
	int r;

	if (place->directory)
		return make_directory(stubs, place->path);
	parent = xb_view_dup(
		(struct xb_view){ place->path, (size_t)(strrchr(place->path, '/') - place->path) });
	r = make_directory(stubs, parent[0] != '\0' ? parent : "/");
	if (r < 0)
		return r;
	fd = xb_open_in_root(stubs, place->path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644, NULL);
	return fd < 0 ? fd : 0;
}

/* Without a view everything is. */
static bool is_missing(int view, const char *path)
{
	xb_auto_fd int fd = xb_open_in_root(view, path, O_PATH | O_NOFOLLOW, 0, NULL);

	return fd < 0;
}

/* Whether `path` leads where its text says, as far as one can tell without following it. */
static bool is_plain(const char *path)
{
	struct xb_view rest = xb_view(path + 1), name;

	while (xb_view_split(&rest, '/', &name)) {
		if (name.len == 0 || xb_view_is(name, ".") || xb_view_is(name, ".."))
			return false;
	}
	return path[0] == '/' && path[1] != '\0';
}

bool init_stubs_can_guess(const struct init_places *places)
{
	for (size_t i = 0; i < places->len; i++) {
		if (!is_plain(places->items[i].path))
			return false;
	}
	return true;
}

int init_stubs_make(int view, int stubs, const struct init_places *places, struct xb_error *err)
{
	xb_auto_strv struct xb_strv dressed = XB_STRV_INIT;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < places->len; i++) {
		if (is_missing(view, places->items[i].path))
			r = make_stub(stubs, &places->items[i]);
	}
	for (size_t i = 0; r >= 0 && i < places->len; i++)
		r = dress_all(view, stubs, places->items[i].path, &dressed);
	return r < 0 ? xb_error_errno(err, r, "making mount points that the image lacks") : 0;
}
