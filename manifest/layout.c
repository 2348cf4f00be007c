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

/* Whether a directory may become a layout: it is one, or is empty. */
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
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
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
	xb_auto_fd int fd = -1;
	int r = xb_mkdir_all(path, 0755, err);

	if (r < 0)
		return xb_error_wrap(err, r, "image layout %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return xb_error_errno(err, -errno, "image layout %s", path);
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

static const char *tag_of(const struct xb_descriptor *d)
{
	return xb_annotations_get(&d->annotations, XB_ANNOTATION_REF_NAME);
}

/* The names that there are, for a message, as far as a line of text goes. */
static char *list_names(const struct xb_index *index)
{
	enum { MOST = 16 };
	struct xb_str s = XB_STR_INIT(XB_STR_OWN);
	size_t count = 0;

	for (size_t i = 0; i < index->manifests.len && count < MOST; i++) {
		const char *tag = tag_of(&index->manifests.items[i]);
		xb_autofree char *shown = tag != NULL ? xb_document_quote(tag) : NULL;

		if (shown != NULL)
			(void)xb_str_printf(&s, "%s%s", count++ > 0 ? ", " : "", shown);
	}
	if (count == 0)
		(void)xb_str_puts(&s, "none");
	return xb_str_steal(&s);
}

static int not_found(const struct xb_layout *layout, const struct xb_index *index, const char *name,
		     struct xb_error *err)
{
	xb_autofree char *names = list_names(index), *shown = NULL;

	if (name == NULL)
		return xb_error_set(err, -ENOENT,
				    "%s holds %zu images and none is tagged latest (there is: %s)",
				    layout->path, index->manifests.len, names);
	shown = xb_document_quote(name);
	return xb_error_set(err, -ENOENT, "%s holds no image \"%s\" (there is: %s)", layout->path,
			    shown, names);
}

/*
 * The entry whose annotation `key` is `name`, NULL when there is none; -EEXIST when two entries of
 * different content have it.
 */
static int find_annotated(const struct xb_layout *layout, const struct xb_index *index,
			  const char *key, const char *name, const struct xb_descriptor **ret,
			  struct xb_error *err)
{
	*ret = NULL;
	for (size_t i = 0; i < index->manifests.len; i++) {
		const struct xb_descriptor *d = &index->manifests.items[i];
		const char *value = xb_annotations_get(&d->annotations, key);

		if (value == NULL || strcmp(value, name) != 0)
			continue;
		if (*ret == NULL) {
			*ret = d;
		} else if (!xb_digest_eq(&(*ret)->digest, &d->digest)) {
			xb_autofree char *shown = xb_document_quote(name);

			(void)xb_error_set(err, -EEXIST, "%s holds two images named \"%s\"",
					   layout->path, shown);
			return xb_error_hint(err, "name one by its digest: %s or %s",
					     (*ret)->digest.text, d->digest.text);
		}
	}
	return 0;
}

static int find_tag(const struct xb_layout *layout, const struct xb_index *index, const char *name,
		    const struct xb_descriptor **ret, struct xb_error *err)
{
	int r = find_annotated(layout, index, XB_ANNOTATION_REF_NAME, name, ret, err);

	if (r < 0 || *ret != NULL)
		return r;
	return find_annotated(layout, index, XB_ANNOTATION_CONTAINERD_NAME, name, ret, err);
}

static const struct xb_descriptor *find_digest(const struct xb_index *index,
					       const struct xb_digest *digest)
{
	for (size_t i = 0; i < index->manifests.len; i++)
		if (xb_digest_eq(&index->manifests.items[i].digest, digest))
			return &index->manifests.items[i];
	return NULL;
}

/* What a document that no descriptor told us of says it is. */
static int type_of_document(struct xb_view text, char **ret, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	int r;

	if (xb_index_parse(text, NULL, &index, NULL) == 0) {
		*ret = xb_strdup(index.media_type != NULL ? index.media_type : XB_MEDIA_OCI_INDEX);
		return 0;
	}
	r = xb_manifest_parse(text, NULL, &manifest, err);
	if (r < 0)
		return r;
	*ret = xb_strdup(manifest.media_type != NULL ? manifest.media_type : XB_MEDIA_OCI_MANIFEST);
	return 0;
}

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
	r = type_of_document(xb_str_view(&text), &d.media_type, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s of %s", digest->text, layout->path);
	*ret = d;
	d = XB_DESCRIPTOR_INIT;
	return 0;
}

static int find_default(const struct xb_layout *layout, const struct xb_index *index,
			const struct xb_descriptor **ret, struct xb_error *err)
{
	if (index->manifests.len != 1)
		return find_tag(layout, index, "latest", ret, err);
	*ret = &index->manifests.items[0];
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
	if (name == NULL) {
		r = find_default(layout, &index, &found, err);
	} else if (xb_digest_parse(xb_view(name), &digest, NULL) == 0) {
		found = find_digest(&index, &digest);
		if (found == NULL)
			return find_document(layout, &digest, ret, err);
	} else {
		r = find_tag(layout, &index, name, &found, err);
	}
	if (r < 0)
		return r;
	if (found == NULL)
		return not_found(layout, &index, name, err);
	xb_descriptor_copy(ret, found);
	return 0;
}

/* tagging */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/*
 * annotations.md: components of letters and digits with "-", ".", "_", ":", "@", "+" or "--"
 * between, and "/" between components. Close to it: marks only between letters and digits, which
 * allows every image reference.
 */
static bool tag_valid(const char *tag)
{
	size_t len = strlen(tag);

	if (len == 0 || len > 1024 || !is_alnum(tag[0]) || !is_alnum(tag[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(tag[i]) && strchr("-._:@+/", tag[i]) == NULL)
			return false;
	return true;
}

/* Whoever changes index.json holds the lock on the layout's directory meanwhile. */
static int lock_index(const struct xb_layout *layout, struct xb_error *err)
{
	xb_auto_fd int fd = openat(layout->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return xb_error_errno(err, -errno, "locking %s", layout->path);
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return xb_error_errno(err, -errno, "locking %s", layout->path);
	return XB_STEAL_FD(fd);
}

static void remove_entry(struct xb_descriptors *v, size_t at)
{
	xb_descriptor_clear(&v->items[at]);
	memmove(&v->items[at], &v->items[at + 1], (v->len - at - 1) * sizeof(*v->items));
	v->len--;
}

/* Index of the first entry tagged `tag` from `from` on, or the number of entries. */
static size_t find_tagged(const struct xb_descriptors *v, const char *tag, size_t from)
{
	for (; from < v->len; from++) {
		const char *name = tag_of(&v->items[from]);

		if (name != NULL && strcmp(name, tag) == 0)
			break;
	}
	return from;
}

/* Remove every entry tagged `tag` from `from` on; returns whether there was one. */
static bool remove_tagged(struct xb_descriptors *v, const char *tag, size_t from)
{
	bool removed = false;

	while ((from = find_tagged(v, tag, from)) < v->len) {
		remove_entry(v, from);
		removed = true;
	}
	return removed;
}

static void set_entry(struct xb_index *index, const struct xb_descriptor *descriptor,
		      const char *tag)
{
	size_t at = find_tagged(&index->manifests, tag, 0);
	struct xb_descriptor *entry;

	if (at < index->manifests.len) {
		entry = &index->manifests.items[at];
		xb_descriptor_copy(entry, descriptor);
	} else {
		entry = xb_descriptors_add(&index->manifests, descriptor);
	}
	xb_annotations_set(&entry->annotations, XB_ANNOTATION_REF_NAME, tag);
	(void)remove_tagged(&index->manifests, tag, at + 1);
}

int xb_layout_tag(struct xb_layout *layout, const struct xb_descriptor *descriptor, const char *tag,
		  bool sync, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_fd int lock = -1;
	int r;

	if (tag != NULL && !tag_valid(tag)) {
		xb_autofree char *shown = xb_document_quote(tag);

		return xb_error_set(err, -EINVAL, "\"%s\" cannot be a tag of an image layout",
				    shown);
	}
	lock = lock_index(layout, err);
	if (lock < 0)
		return lock;
	r = xb_layout_index(layout, &index, err);
	if (r < 0)
		return r;
	if (tag != NULL)
		set_entry(&index, descriptor, tag);
	else if (find_digest(&index, &descriptor->digest) == NULL)
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
	if (!remove_tagged(&index.manifests, tag, 0))
		return not_found(layout, &index, tag, err);
	return write_index(layout, &index, sync, err);
}
