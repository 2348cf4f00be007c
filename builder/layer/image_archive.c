/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/image_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "builder/layer/tarread.h"
#include "builder/layer/tarwrite.h"
#include "manifest/docker_archive.h"
#include "manifest/index_tags.h"

/* The longest name of a member that counts. */
#define MAX_NAME 4096
/* Links to links, as docker has written them for equal layers. */
#define MAX_LINKS 8

/* A member: bytes of the file, or a document that was made here, or a link. */
struct member {
	uint64_t at, size;
	char *data; /* NULL: they are in the file */
	char *link; /* of whom it is another name; or NULL */
};

struct xb_archive {
	struct xb_place place;
	char *path;
	int fd;
	struct xb_map *members; /* name -> struct member *, owned */
	struct xb_map *blobs;	/* digest -> one of them */
	struct xb_index index;
	struct xb_descriptor only; /* of a Docker archive */
};

static struct xb_archive *own(struct xb_place *place)
{
	return (struct xb_archive *)place;
}

/* ---- bytes -------------------------------------------------------------------------------- */

/* A member as a source of bytes. */
struct reading {
	const struct xb_archive *archive;
	const struct member *member;
};

static ssize_t read_member(void *context, uint64_t offset, void *data, size_t size,
			   struct xb_error *err)
{
	const struct reading *reading = context;
	const struct member *m = reading->member;
	ssize_t n;

	if (offset >= m->size)
		return 0;
	if (size > m->size - offset)
		size = (size_t)(m->size - offset);
	if (m->data != NULL) {
		memcpy(data, m->data + offset, size);
		return (ssize_t)size;
	}
	do
		n = pread(reading->archive->fd, data, size, (off_t)(m->at + offset));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return xb_error_set(err, -EBADMSG, "%s has become shorter", reading->archive->path);
	return n < 0 ? xb_error_errno(err, -errno, "reading %s", reading->archive->path) : n;
}

static int append_piece(void *context, const void *data, size_t len, struct xb_error *err)
{
	if (xb_str_append(context, data, len) < 0)
		return xb_error_set(err, -EFBIG, "the document is too large");
	return 0;
}

static int read_whole(const struct xb_archive *archive, const struct member *m, struct xb_str *text,
		      struct xb_error *err)
{
	struct reading reading = { archive, m };
	const struct xb_blob_source source = { &reading, read_member };
	const struct xb_blob_sink sink = { .context = text, .write = append_piece };

	if (m->size > text->max - text->len)
		return xb_error_set(err, -EFBIG, "a document of %llu bytes",
				    (unsigned long long)m->size);
	return xb_blob_pump(&source, &sink, err);
}

/* ---- members ------------------------------------------------------------------------------ */

/* Put the path `link`, as seen from the directory of `name`, together; NULL when it leads outside.
 */
static char *join_link(const char *name, const char *link)
{
	xb_auto_strv struct xb_strv parts = XB_STRV_INIT;
	const char *slash = strrchr(name, '/');
	xb_autofree char *whole =
		xb_format("%.*s/%s", slash != NULL ? (int)(slash - name) : 0, name, link);
	struct xb_view rest = xb_view(whole), part;

	while (xb_view_split(&rest, '/', &part)) {
		if (part.len == 0 || xb_view_is(part, "."))
			continue;
		if (!xb_view_is(part, ".."))
			xb_strv_push_view(&parts, part);
		else if (parts.len > 0)
			xb_strv_remove(&parts, parts.len - 1);
		else
			return NULL;
	}
	return xb_strv_join(&parts, "/");
}

/* The member that a name means, through links; -ENOENT. */
static int find_member(const struct xb_archive *archive, const char *name,
		       const struct member **ret, struct xb_error *err)
{
	xb_autofree char *clean = join_link("", name);
	const struct member *m = NULL;

	for (int i = 0; clean != NULL && i < MAX_LINKS; i++) {
		m = xb_map_get(archive->members, xb_view(clean));
		if (m == NULL || m->link == NULL)
			break;
		free(clean);
		clean = xb_strdup(m->link);
	}
	if (m == NULL || m->link != NULL)
		return xb_error_set(err, -ENOENT, "the archive has no such file");
	*ret = m;
	return 0;
}

/* "blobs/ALGORITHM/HEX" as a digest. */
static bool is_blob(const char *name, struct xb_digest *ret)
{
	xb_autofree char *text = NULL;
	char *slash;

	if (strncmp(name, "blobs/", strlen("blobs/")) != 0)
		return false;
	text = xb_strdup(name + strlen("blobs/"));
	slash = strchr(text, '/');
	if (slash == NULL)
		return false;
	*slash = ':';
	return xb_digest_parse(xb_view(text), ret, NULL) == 0;
}

/* Where a link leads; a hard link's is written from the root, a symbolic one's from where it is. */
static char *target_of(const struct xb_tar_item *item, const char *name)
{
	char *target = NULL;

	if (item->type == XB_TAR_HARDLINK)
		target = join_link("", item->link);
	else if (item->type == XB_TAR_SYMLINK)
		target = join_link(item->link[0] == '/' ? "" : name, item->link);
	return target;
}

static int add_member(struct xb_archive *archive, const struct xb_tar_item *item,
		      struct xb_error *err)
{
	xb_autofree char *name = join_link("", item->name), *target = NULL;
	struct xb_digest digest;
	struct member *m;

	if (item->sparse)
		return xb_error_set(err, -EBADMSG, "it has a sparse file");
	if (name == NULL || strlen(name) > MAX_NAME)
		return xb_error_set(err, -EBADMSG, "it has a name that leads outside, or too long");
	target = target_of(item, name);
	if (item->type != XB_TAR_FILE && target == NULL)
		return 0; /* what no image consists of */
	if (xb_map_get(archive->members, xb_view(name)) != NULL)
		return xb_error_set(err, -EBADMSG, "it has a file twice");
	m = xb_calloc(1, sizeof(*m));
	m->at = item->data_at;
	m->size = item->size;
	m->link = XB_STEAL(target);
	(void)xb_map_set(archive->members, xb_view(name), m);
	if (m->link == NULL && is_blob(name, &digest))
		(void)xb_map_set(archive->blobs, xb_view(digest.text), m);
	return 0;
}

/* A document that is not in the file. */
static void make_blob(struct xb_archive *archive, const struct xb_digest *digest,
		      struct xb_view bytes)
{
	xb_autofree char *key = xb_format("\n%s", digest->text); /* no member's name */
	struct member *m = xb_calloc(1, sizeof(*m));

	m->data = xb_view_dup(bytes);
	m->size = bytes.len;
	(void)xb_map_set(archive->members, xb_view(key), m);
	(void)xb_map_set(archive->blobs, xb_view(digest->text), m);
}

/* ---- going through it --------------------------------------------------------------------- */

/* The file as the tar reader wants it: headers are read, data is stepped over. */
struct passage {
	int fd;
	uint64_t at, size;
	char buffer[4 * XB_TAR_BLOCK];
};

static int next_piece(void *context, const void **ret_data, size_t *ret_len, struct xb_error *err)
{
	struct passage *p = context;
	ssize_t n;

	do
		n = pread(p->fd, p->buffer, sizeof(p->buffer), (off_t)p->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return xb_error_errno(err, -errno, "reading it");
	p->at += (uint64_t)n;
	*ret_data = p->buffer;
	*ret_len = (size_t)n;
	return n > 0;
}

static int skip_bytes(void *context, uint64_t bytes, struct xb_error *err)
{
	struct passage *p = context;

	if (bytes > p->size - p->at)
		return xb_error_set(err, -EBADMSG,
				    "damaged tar: it ends in the middle of an entry");
	p->at += bytes;
	return 0;
}

static int refuse_compressed(const struct passage *p, struct xb_error *err)
{
	unsigned char start[8] = { 0 };
	ssize_t n = pread(p->fd, start, sizeof(start), 0);

	if (n > 0 && xb_docker_layer_compression(start, (size_t)n) == XB_MEDIA_PLAIN)
		return 0;
	if (n <= 0)
		return xb_error_set(err, -EBADMSG, "it is empty");
	return xb_error_usage(err, "decompress it first, with gunzip or unzstd",
			      "it is compressed, and a compressed archive cannot be read in place");
}

static int go_through(struct xb_archive *archive, struct passage *p, struct xb_error *err)
{
	const struct xb_tar_input input = { .next = next_piece, .context = p, .skip = skip_bytes };
	xb_auto_tar_reader struct xb_tar_reader *reader = xb_tar_reader_new(&input);
	struct xb_tar_item item;
	size_t count = 0;
	int r = refuse_compressed(p, err);

	while (r == 0 && (r = xb_tar_next(reader, &item, err)) > 0) {
		if (++count > XB_MAX_ARCHIVE_MEMBERS)
			return xb_error_set(err, -E2BIG, "it has more than %d members",
					    XB_MAX_ARCHIVE_MEMBERS);
		r = add_member(archive, &item, err);
	}
	return r;
}

static int read_file(struct xb_archive *archive, struct xb_error *err)
{
	struct passage p = { 0 };
	struct stat st;

	if (archive->fd < 0 || fstat(archive->fd, &st) < 0)
		return xb_error_errno(err, -errno, "opening it");
	if (!S_ISREG(st.st_mode))
		return xb_error_usage(err, "name a file", "it is not a regular file");
	p.fd = archive->fd;
	p.size = (uint64_t)st.st_size;
	return go_through(archive, &p, err);
}

static int open_file(struct xb_archive *archive, struct xb_error *err)
{
	archive->fd = open(archive->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return read_file(archive, err);
}

/* ---- OCI ---------------------------------------------------------------------------------- */

static int read_index(struct xb_archive *archive, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	const struct member *m = NULL;
	int r = find_member(archive, "oci-layout", &m, err);

	if (r == 0)
		r = find_member(archive, "index.json", &m, err);
	if (r < 0) {
		(void)xb_error_set(err, -EBADMSG,
				   "it is no OCI archive: oci-layout or index.json "
				   "is not in it");
		return xb_error_hint(err, "what `docker save` wrote is docker-archive:FILE");
	}
	r = read_whole(archive, m, &text, err);
	if (r == 0)
		r = xb_index_parse(xb_str_view(&text), NULL, &archive->index, err);
	return r < 0 ? xb_error_wrap(err, r, "index.json") : 0;
}

/* ---- Docker ------------------------------------------------------------------------------- */

static int docker_read(void *context, const char *name, struct xb_str *text, struct xb_error *err)
{
	const struct member *m = NULL;
	int r = find_member(context, name, &m, err);

	return r < 0 ? r : read_whole(context, m, text, err);
}

static int hash_piece(void *context, const void *data, size_t len, struct xb_error *err)
{
	(void)err;
	xb_hasher_add(context, data, len);
	return 0;
}

/* The digest of a compressed layer: its name says it, or it is hashed. */
static int digest_layer(struct xb_archive *archive, const char *name, const struct member *m,
			struct xb_digest *ret, struct xb_error *err)
{
	xb_auto_hasher struct xb_hasher *hasher = NULL;
	struct reading reading = { archive, m };
	const struct xb_blob_source source = { &reading, read_member };
	struct xb_blob_sink sink = { .write = hash_piece };
	int r;

	if (is_blob(name, ret))
		return 0;
	sink.context = hasher = xb_hasher_new();
	r = xb_blob_pump(&source, &sink, err);
	*ret = xb_hasher_finish(hasher);
	return r;
}

static int docker_layer(void *context, const char *name, const struct xb_digest *diff_id,
			struct xb_descriptor *ret, struct xb_error *err)
{
	struct xb_archive *archive = context;
	const struct member *m = NULL;
	unsigned char start[4];
	struct xb_digest digest = *diff_id;
	enum xb_media_compression compression;
	ssize_t n;
	int r = find_member(archive, name, &m, err);

	if (r < 0)
		return r;
	n = read_member(&(struct reading){ archive, m }, 0, start, sizeof(start), err);
	if (n < 0)
		return (int)n;
	compression = xb_docker_layer_compression(start, (size_t)n);
	if (compression != XB_MEDIA_PLAIN)
		r = digest_layer(archive, name, m, &digest, err);
	if (r < 0)
		return r;
	xb_descriptor_init(ret, xb_media_layer(compression, false), &digest, m->size);
	(void)xb_map_set(archive->blobs, xb_view(digest.text), (void *)(uintptr_t)m);
	return 0;
}

static int read_docker(struct xb_archive *archive, const char *name, struct xb_error *err)
{
	const struct xb_docker_files files = { archive, docker_read, docker_layer };
	xb_auto_docker_image struct xb_docker_image image = XB_DOCKER_IMAGE_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	struct xb_digest digest;
	int r = xb_docker_archive_read(&files, name, &image, err);

	if (r == 0)
		r = xb_manifest_write(&image.manifest, &text, err);
	if (r < 0)
		return r;
	digest = xb_digest_of(xb_str_text(&text), text.len);
	make_blob(archive, &digest, xb_str_view(&text));
	make_blob(archive, &image.manifest.config.digest, xb_str_view(&image.config));
	xb_descriptor_init(&archive->only, XB_MEDIA_OCI_MANIFEST, &digest, text.len);
	xb_descriptor_set_platform(&archive->only, &image.platform);
	return 0;
}

/* ---- what the place can do ---------------------------------------------------------------- */

static int find_blob(const struct xb_archive *archive, const struct xb_descriptor *blob,
		     const struct member **ret, struct xb_error *err)
{
	const struct member *m = xb_map_get(archive->blobs, xb_view(blob->digest.text));

	if (m == NULL)
		return xb_error_set(err, -ENOENT, "blob %s is not in %s", blob->digest.text,
				    archive->path);
	if (m->size != blob->size)
		return xb_error_set(err, -EBADMSG, "blob %s of %s has %llu bytes and not %llu",
				    blob->digest.text, archive->path, (unsigned long long)m->size,
				    (unsigned long long)blob->size);
	*ret = m;
	return 0;
}

static int archive_get(struct xb_place *place, const struct xb_descriptor *blob,
		       const struct xb_blob_sink *sink, struct xb_error *err)
{
	struct reading reading = { own(place), NULL };
	const struct xb_blob_source source = { &reading, read_member };
	int r = find_blob(own(place), blob, &reading.member, err);

	return r < 0 ? r : xb_blob_pump_verified(&source, &blob->digest, place->name, sink, err);
}

static int archive_read(struct xb_place *place, const struct xb_descriptor *document, size_t limit,
			struct xb_str *text, struct xb_error *err)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(limit);
	const struct xb_blob_sink sink = { .context = &bytes, .write = append_piece };
	int r = archive_get(place, document, &sink, err);

	if (r == 0 && xb_str_append_view(text, xb_str_view(&bytes)) < 0)
		r = xb_error_set(err, -EFBIG, "%s is too large", document->digest.text);
	return r;
}

static int archive_has(struct xb_place *place, const struct xb_descriptor *blob, bool *ret,
		       struct xb_error *err)
{
	const struct member *m = NULL;

	(void)err;
	*ret = find_blob(own(place), blob, &m, NULL) == 0;
	return 0;
}

static int archive_check(struct xb_place *place, const struct xb_descriptor *blob,
			 struct xb_error *err)
{
	const struct member *m = NULL;

	return find_blob(own(place), blob, &m, err);
}

/* A document that index.json does not list says itself what it is. */
static int resolve_blob(struct xb_archive *archive, const struct xb_digest *digest,
			struct xb_descriptor *ret, struct xb_error *err)
{
	const struct member *m = xb_map_get(archive->blobs, xb_view(digest->text));
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	int r;

	if (m == NULL)
		return xb_index_no_tag(&archive->index, archive->path, digest->text, err);
	xb_descriptor_init(&d, XB_MEDIA_OCI_INDEX, digest, m->size);
	r = archive_read(&archive->place, &d, XB_MAX_MANIFEST, &text, err);
	free(d.media_type);
	d.media_type = NULL;
	if (r == 0)
		r = xb_index_document_type(xb_str_view(&text), &d.media_type, err);
	if (r == 0)
		xb_descriptor_copy(ret, &d);
	return r;
}

static int archive_resolve(struct xb_place *place, const char *name, struct xb_descriptor *ret,
			   struct xb_error *err)
{
	struct xb_archive *archive = own(place);
	const struct xb_descriptor *found = NULL;
	struct xb_digest digest;
	int r = 0;

	if (name != NULL && *name == '\0')
		name = NULL;
	if (archive->only.media_type != NULL)
		found = &archive->only;
	else if (name != NULL && xb_digest_parse(xb_view(name), &digest, NULL) == 0 &&
		 xb_index_find_digest(&archive->index, &digest) == NULL)
		return resolve_blob(archive, &digest, ret, err);
	else
		r = xb_index_find(&archive->index, archive->path, name, &found, err);
	if (r == 0)
		xb_descriptor_copy(ret, found);
	return r;
}

static const struct xb_place_ops archive_ops = {
	.resolve = archive_resolve,
	.read = archive_read,
	.has = archive_has,
	.check = archive_check,
	.get = archive_get,
};

/* ---- life --------------------------------------------------------------------------------- */

static struct xb_archive *archive_new(const char *path)
{
	struct xb_archive *archive = xb_calloc(1, sizeof(*archive));

	archive->path = xb_strdup(path);
	archive->fd = -1;
	archive->members = xb_map_new();
	archive->blobs = xb_map_new();
	archive->place = (struct xb_place){ .ops = &archive_ops, .name = archive->path };
	return archive;
}

static int forget(void *context, const char *key, void *value)
{
	struct member *m = value;

	(void)context;
	(void)key;
	free(m->data);
	free(m->link);
	free(m);
	return 0;
}

void xb_archive_free(struct xb_archive *archive)
{
	if (archive == NULL)
		return;
	(void)xb_map_each(archive->members, forget, NULL);
	xb_map_free(archive->members);
	xb_map_free(archive->blobs);
	xb_index_clear(&archive->index);
	xb_descriptor_clear(&archive->only);
	xb_cleanup_fd(&archive->fd);
	free(archive->path);
	free(archive);
}

/* `r`: what opening its file came to. */
static int open_oci(struct xb_archive *archive, int r, struct xb_archive **ret,
		    struct xb_error *err)
{
	if (r == 0)
		r = read_index(archive, err);
	if (r < 0)
		return xb_error_wrap(err, r, "OCI archive %s", archive->path);
	*ret = archive;
	return 0;
}

int xb_archive_open(const char *path, struct xb_archive **ret, struct xb_error *err)
{
	xb_auto_archive struct xb_archive *archive = archive_new(path);
	int r = open_oci(archive, open_file(archive, err), ret, err);

	archive = r == 0 ? NULL : archive;
	return r;
}

int xb_archive_open_fd(int fd, const char *name, struct xb_archive **ret, struct xb_error *err)
{
	xb_auto_archive struct xb_archive *archive = archive_new(name);
	int r;

	archive->fd = fd;
	r = open_oci(archive, read_file(archive, err), ret, err);
	archive = r == 0 ? NULL : archive;
	return r;
}

int xb_archive_open_docker(const char *path, const char *name, struct xb_archive **ret,
			   struct xb_error *err)
{
	xb_auto_archive struct xb_archive *archive = archive_new(path);
	int r = open_file(archive, err);

	if (r == 0)
		r = read_docker(archive, name, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", path);
	*ret = XB_STEAL(archive);
	return 0;
}

struct xb_place *xb_archive_place(struct xb_archive *archive)
{
	return &archive->place;
}

const struct xb_index *xb_archive_index(const struct xb_archive *archive)
{
	return &archive->index;
}
