/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "manifest/document.h"
#include "manifest/index_tags.h"
#include "manifest/manifest.h"
#include "manifest/media.h"

#define VERSION_FILE "oci-layout"
#define VERSION_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_FILE   "index.json"

struct xb_layout {
	int fd;
	char *path;
};

void xb_layout_free(struct xb_layout *layout)
{
	if (layout == NULL)
		return;
	xb_cleanup_fd(&layout->fd);
	free(layout->path);
	free(layout);
}

/* Takes `*fd` over. */
static struct xb_layout *layout_new(int *fd, const char *path)
{
	struct xb_layout *layout = xb_calloc(1, sizeof(*layout));

	layout->fd = XB_STEAL_FD(*fd);
	layout->path = xb_strdup(path);
	return layout;
}

const char *xb_layout_path(const struct xb_layout *layout)
{
	return layout->path;
}

int xb_layout_dirfd(const struct xb_layout *layout)
{
	return layout->fd;
}

static int check_version(const struct xb_layout *layout, struct xb_error *err)
{
	enum { LONGEST = 4096 };
	xb_auto_str struct xb_str text = XB_STR_INIT(LONGEST);
	xb_auto_json json_t *root = NULL;
	const char *version = NULL;
	int r = xb_file_read_at(layout->fd, VERSION_FILE, &text, err);

	if (r == -ENOENT) {
		(void)xb_error_set(err, -EBADMSG,
				   "%s is not an OCI image layout: it has no file " VERSION_FILE,
				   layout->path);
		return -EBADMSG;
	}
	if (r >= 0)
		r = xb_document_parse(xb_str_view(&text), LONGEST, &root, err);
	if (r >= 0)
		r = xb_json_get_string(root, "imageLayoutVersion", &version, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s/" VERSION_FILE, layout->path);
	if (version == NULL || strncmp(version, "1.", 2) != 0)
		return xb_error_set(err, -EBADMSG, "%s: not an image layout of version 1",
				    layout->path);
	return 0;
}

/* Takes `*fd` over. */
static int open_checked(int *fd, const char *path, struct xb_layout **ret, struct xb_error *err)
{
	xb_auto_layout struct xb_layout *layout = layout_new(fd, path);
	int r = check_version(layout, err);

	if (r < 0)
		return r;
	*ret = XB_STEAL(layout);
	return 0;
}

int xb_layout_open(const char *path, struct xb_layout **ret, struct xb_error *err)
{
	xb_auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return xb_error_errno(err, -errno, "image layout %s", path);
	return open_checked(&fd, path, ret, err);
}

/* The path of an open directory, for messages alone; `otherwise` where the system does not say. */
static char *path_of(int fd, const char *otherwise)
{
	char proc[32], path[PATH_MAX];
	ssize_t len;

	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	len = readlink(proc, path, sizeof(path));
	if (len <= 0 || len == (ssize_t)sizeof(path))
		return xb_strdup(otherwise);
	return xb_view_dup((struct xb_view){ path, (size_t)len });
}

int xb_layout_open_at(int dirfd, const char *path, struct xb_layout **ret, struct xb_error *err)
{
	xb_autofree char *shown = NULL;
	xb_auto_fd int fd = xb_open_beneath(dirfd, path, O_RDONLY | O_DIRECTORY, 0, err);

	if (fd < 0)
		return xb_error_wrap(err, fd, "image layout");
	shown = path_of(fd, path);
	return open_checked(&fd, shown, ret, err);
}

/*
 * Files of a layout may be read by whoever may read its directory: a store is 0700, so its files
 * become 0600; an output is 0755 or what the umask made of it.
 */
static int open_to_readers(const struct xb_layout *layout, const char *name, struct xb_error *err)
{
	struct stat st;

	if (fstat(layout->fd, &st) < 0 || fchmodat(layout->fd, name, st.st_mode & 0666, 0) < 0)
		return xb_error_errno(err, -errno, "setting the mode of %s/%s", layout->path, name);
	return 0;
}

static int replace_file(const struct xb_layout *layout, const char *name, struct xb_view text,
			bool sync, struct xb_error *err)
{
	int r = xb_file_replace_at(layout->fd, name, text.data, text.len, sync, err);

	if (r < 0)
		return xb_error_wrap(err, r, "writing %s/%s", layout->path, name);
	return open_to_readers(layout, name, err);
}

static int write_index(const struct xb_layout *layout, const struct xb_index *index, bool sync,
		       struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = xb_index_write(index, &text, err);

	if (r < 0)
		return xb_error_wrap(err, r, "%s/" INDEX_FILE, layout->path);
	return replace_file(layout, INDEX_FILE, xb_str_view(&text), sync, err);
}

static bool is_there(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int make_directory(const struct xb_layout *layout, const char *name, struct xb_error *err)
{
	struct stat st;

	if (fstat(layout->fd, &st) < 0)
		return xb_error_errno(err, -errno, "%s", layout->path);
	if (mkdirat(layout->fd, name, st.st_mode & 0777) < 0 && errno != EEXIST)
		return xb_error_errno(err, -errno, "making %s/%s", layout->path, name);
	return 0;
}

/* Whoever makes a layout or changes its index.json holds the lock on its directory meanwhile. */
static int lock_directory(int dirfd, const char *path, struct xb_error *err)
{
	xb_auto_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return xb_error_errno(err, -errno, "locking %s", path);
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return xb_error_errno(err, -errno, "locking %s", path);
	return XB_STEAL_FD(fd);
}

static int lock_index(const struct xb_layout *layout, struct xb_error *err)
{
	return lock_directory(layout->fd, layout->path, err);
}

/* Make what is missing; the version file comes last, so that what has it is whole. */
static int furnish(const struct xb_layout *layout, struct xb_error *err)
{
	xb_auto_index struct xb_index empty = XB_INDEX_INIT;
	int r;

	if (is_there(layout->fd, VERSION_FILE))
		return 0;
	r = make_directory(layout, "blobs", err);
	if (r < 0)
		return r;
	r = make_directory(layout, "blobs/sha256", err);
	if (r < 0)
		return r;
	if (!is_there(layout->fd, INDEX_FILE)) {
		r = write_index(layout, &empty, true, err);
		if (r < 0)
			return r;
	}
	return replace_file(layout, VERSION_FILE, XB_VIEW(VERSION_TEXT), true, err);
}

/* Takes `*fd` over. */
static int create_in(int *fd, const char *path, struct xb_layout **ret, struct xb_error *err)
{
	xb_auto_layout struct xb_layout *layout = layout_new(fd, path);
	int r = furnish(layout, err);

	if (r < 0)
		return r;
	r = check_version(layout, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(layout);
	return 0;
}

static void cleanup_dir(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

/* What is there also before the version file is: whoever made a layout may have been killed. */
static bool is_of_layout(const char *name)
{
	static const char *const names[] = { ".", "..", "blobs", INDEX_FILE };

	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return xb_view_starts(xb_view(name), XB_VIEW(XB_FILE_TEMP_PREFIX));
}

/* Whether a directory may become a layout: it is one, begins to be one, or is empty. */
static int check_usable(int fd, const char *path, struct xb_error *err)
{
	xb_auto_fd int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	XB_CLEANUP(cleanup_dir) DIR *dir = again >= 0 ? fdopendir(again) : NULL;
	const struct dirent *entry;

	if (dir == NULL)
		return xb_error_errno(err, -errno, "%s", path);
	(void)XB_STEAL_FD(again); /* the stream's now */
	if (is_there(fd, VERSION_FILE))
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		if (is_of_layout(entry->d_name))
			continue;
		(void)xb_error_set(err, -EEXIST, "%s is neither empty nor an OCI image layout",
				   path);
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return xb_error_hint(err, "name an empty or a new directory");
	}
	return 0;
}

int xb_layout_create(const char *path, struct xb_layout **ret, struct xb_error *err)
{
	xb_auto_fd int lock = -1;
	xb_auto_fd int fd = -1;
	int r = xb_mkdir_all(path, 0755, err);

	if (r < 0)
		return xb_error_wrap(err, r, "image layout %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return xb_error_errno(err, -errno, "image layout %s", path);
	/* several processes may make it at the same time: the first one does, the others find it */
	lock = lock_directory(fd, path, err);
	if (lock < 0)
		return lock;
	r = check_usable(fd, path, err);
	if (r < 0)
		return r;
	return create_in(&fd, path, ret, err);
}

int xb_layout_create_at(int dirfd, struct xb_layout **ret, struct xb_error *err)
{
	xb_auto_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	xb_autofree char *shown = NULL;

	if (fd < 0)
		return xb_error_errno(err, -errno, "image layout");
	shown = path_of(fd, ".");
	return create_in(&fd, shown, ret, err);
}

char *xb_layout_split_name(const char *text, char **ret_tag)
{
	const char *slash = strrchr(text, '/');
	const char *base = slash != NULL ? slash : text;
	size_t end = (size_t)(base - text) + strcspn(base, ":@");
	const char *digest = strchr(base, '@');

	if (text[end] != '\0')
		*ret_tag = xb_strdup(digest != NULL ? digest + 1 : text + end + 1);
	return xb_view_dup((struct xb_view){ text, end });
}

int xb_layout_index(const struct xb_layout *layout, struct xb_index *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = xb_file_read_at(layout->fd, INDEX_FILE, &text, err);

	if (r == -ENOENT) {
		xb_error_clear(err);
		return 0;
	}
	if (r >= 0)
		r = xb_index_parse(xb_str_view(&text), NULL, ret, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s/" INDEX_FILE, layout->path);
	return 0;
}

/* finding */

/* A digest that index.json does not list: the document itself must say what it is. */
static int find_document(const struct xb_layout *layout, const struct xb_digest *digest,
			 struct xb_descriptor *ret, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = xb_layout_blob_size(layout, digest, &d.size, err);

	if (r < 0)
		return r;
	d.digest = *digest;
	r = xb_layout_blob_read(layout, &d, XB_MAX_MANIFEST, &text, err);
	if (r < 0)
		return r;
	r = xb_index_document_type(xb_str_view(&text), &d.media_type, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s of %s", digest->text, layout->path);
	*ret = d;
	d = XB_DESCRIPTOR_INIT;
	return 0;
}

int xb_layout_resolve(const struct xb_layout *layout, const char *name, struct xb_descriptor *ret,
		      struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	const struct xb_descriptor *found = NULL;
	struct xb_digest digest;
	int r = xb_layout_index(layout, &index, err);

	if (r < 0)
		return r;
	if (name != NULL && xb_digest_parse(xb_view(name), &digest, NULL) == 0 &&
	    xb_index_find_digest(&index, &digest) == NULL)
		return find_document(layout, &digest, ret, err);
	r = xb_index_find(&index, layout->path, name, &found, err);
	if (r == 0)
		xb_descriptor_copy(ret, found);
	return r;
}

/* tagging */

int xb_layout_tag(struct xb_layout *layout, const struct xb_descriptor *descriptor, const char *tag,
		  bool sync, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_fd int lock = -1;
	int r;

	r = tag != NULL ? xb_index_check_tag(tag, err) : 0;
	if (r < 0)
		return r;
	lock = lock_index(layout, err);
	if (lock < 0)
		return lock;
	r = xb_layout_index(layout, &index, err);
	if (r < 0)
		return r;
	if (tag != NULL)
		xb_index_set_tag(&index, descriptor, tag);
	else if (xb_index_find_digest(&index, &descriptor->digest) == NULL)
		(void)xb_descriptors_add(&index.manifests, descriptor);
	else
		return 0;
	return write_index(layout, &index, sync, err);
}

int xb_layout_untag(struct xb_layout *layout, const char *tag, bool sync, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_fd int lock = lock_index(layout, err);
	int r;

	if (lock < 0)
		return lock;
	r = xb_layout_index(layout, &index, err);
	if (r < 0)
		return r;
	if (!xb_index_remove_tag(&index, tag))
		return xb_index_no_tag(&index, layout->path, tag, err);
	return write_index(layout, &index, sync, err);
}
