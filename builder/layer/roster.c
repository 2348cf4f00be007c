/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/roster.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/file.h"
#include "builder/layer/bytes.h"
#include "builder/layer/entry.h"

#define MAGIC "xbuild-roster 1\n"
/* Bytes of passwd or group; whoever has more asks the unpacked layer. */
#define MAX_CONTENT ((uint64_t)1 << 20)
#define FLUSH_SIZE  ((size_t)64 << 10)

/* A record: these numbers, little-endian, then name, link and content. */
enum {
	AT_KIND = 0,
	AT_FLAGS = 1,
	AT_MODE = 2,
	AT_UID = 4,
	AT_GID = 8,
	AT_MTIME = 12,
	AT_MTIME_NS = 20,
	AT_NAME_LEN = 24,
	AT_LINK_LEN = 26,
	AT_CONTENT_LEN = 28,
	RECORD_SIZE = 32,
	HAS_ATTRIBUTES = 1,
	HAS_CONTENT = 2,
};

#define NS_PER_S 1000000000

/* ---- going through a tar -------------------------------------------------------------------- */

struct scan {
	uint64_t count;
	uint64_t size; /* of all files */
	const struct xb_roster_limits *limits;
	int (*visit)(void *context, struct xb_roster_entry *entry, const struct xb_tar_item *item,
		     struct xb_tar_reader *tar, struct xb_error *err);
	void *context;
	struct xb_str name;
	struct xb_str link;
};

static void scan_clear(struct scan *s)
{
	xb_str_clear(&s->name);
	xb_str_clear(&s->link);
}

static bool has_attributes(const struct xb_tar_item *item)
{
	for (size_t i = 0; i < item->xattrs.len; i++)
		if (xb_xattr_kept(item->xattrs.items[i].name))
			return true;
	return false;
}

static enum xb_roster_kind kind_of(const struct xb_tar_item *item)
{
	switch (item->type) {
	case XB_TAR_FILE:
		return XB_ROSTER_FILE;
	case XB_TAR_HARDLINK:
		return XB_ROSTER_HARDLINK;
	case XB_TAR_SYMLINK:
		return XB_ROSTER_SYMLINK;
	case XB_TAR_DIRECTORY:
		return XB_ROSTER_DIRECTORY;
	case XB_TAR_CHARDEV:
	case XB_TAR_BLOCKDEV:
	case XB_TAR_FIFO:
		break;
	}
	return XB_ROSTER_NODE;
}

static int scan_plain(struct scan *s, const struct xb_tar_item *item, struct xb_tar_reader *tar,
		      struct xb_error *err)
{
	struct xb_roster_entry e = {
		.kind = kind_of(item),
		.attributes = has_attributes(item),
		.mode = item->mode,
		.uid = item->uid,
		.gid = item->gid,
		.mtime = item->mtime,
		.mtime_ns = item->mtime_ns,
		.name = xb_str_view(&s->name),
	};
	int r = 0;

	if (s->name.len == 0 && e.kind != XB_ROSTER_DIRECTORY)
		return xb_error_set(err, -EBADMSG, "the root directory is not a directory");
	if (item->type == XB_TAR_CHARDEV && item->device_major == 0 && item->device_minor == 0)
		return xb_error_set(err, -EBADMSG, "a character device 0/0");
	if (e.kind == XB_ROSTER_SYMLINK)
		e.link = xb_view(item->link);
	if (e.kind == XB_ROSTER_HARDLINK) {
		r = xb_entry_clean(item->link, &s->link, err);
		if (r == 0 && s->link.len == 0)
			r = xb_error_set(err, -EBADMSG, "a hard link to the root directory");
		e.link = xb_str_view(&s->link);
	}
	return r < 0 ? r : s->visit(s->context, &e, item, tar, err);
}

/* "a/.wh.b" is the whiteout of "a/b", "a/.wh..wh..opq" makes "a" opaque. */
static int scan_hiding(struct scan *s, const char *hidden, struct xb_error *err)
{
	const char *slash = strrchr(xb_str_text(&s->name), '/');
	size_t parent = slash != NULL ? (size_t)(slash - s->name.data) : 0;
	struct xb_roster_entry e = { .kind = XB_ROSTER_OPAQUE };

	xb_str_reset(&s->link);
	xb_str_append_view(&s->link, xb_view_sub(xb_str_view(&s->name), 0, parent));
	if (hidden != NULL) {
		e.kind = XB_ROSTER_WHITEOUT;
		xb_str_printf(&s->link, "%s%s", parent > 0 ? "/" : "", hidden);
	}
	e.name = xb_str_view(&s->link);
	return s->visit(s->context, &e, NULL, NULL, err);
}

static int count(struct scan *s, const struct xb_tar_item *item, struct xb_error *err)
{
	if (++s->count > s->limits->max_count)
		return xb_error_set(err, -EFBIG, "more than %llu entries",
				    (unsigned long long)s->limits->max_count);
	if (item->size > s->limits->max_size - s->size)
		return xb_error_set(err, -EFBIG, "files of more than %llu MiB together",
				    (unsigned long long)(s->limits->max_size >> 20));
	s->size += item->size;
	return 0;
}

static int scan_item(struct scan *s, const struct xb_tar_item *item, struct xb_tar_reader *tar,
		     struct xb_error *err)
{
	const char *hidden = NULL;
	int r = count(s, item, err);

	if (r == 0)
		r = xb_entry_clean(item->name, &s->name, err);
	if (r == 0)
		r = xb_entry_meaning(xb_str_text(&s->name), &hidden, err);
	if (r < 0 || r == XB_ENTRY_FOREIGN)
		return r < 0 ? r : 0;
	return r == XB_ENTRY_PLAIN ? scan_plain(s, item, tar, err) : scan_hiding(s, hidden, err);
}

int xb_roster_scan(struct xb_tar_reader *tar, const struct xb_roster_limits *limits,
		   int (*visit)(void *context, struct xb_roster_entry *entry,
				const struct xb_tar_item *item, struct xb_tar_reader *tar,
				struct xb_error *err),
		   void *context, uint64_t *ret_count, struct xb_error *err)
{
	XB_CLEANUP(scan_clear)
	struct scan s = {
		.limits = limits,
		.visit = visit,
		.context = context,
		.name = XB_STR_INIT(XB_STR_OWN),
		.link = XB_STR_INIT(XB_STR_OWN),
	};
	struct xb_tar_item item;
	int r = 1;

	while (r >= 0 && (r = xb_tar_next(tar, &item, err)) > 0)
		r = scan_item(&s, &item, tar, err);
	if (r >= 0)
		*ret_count = s.count;
	return r < 0 ? r : 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct writer {
	int fd;
	uint64_t written; /* bytes given to `fd` */
	struct xb_str out;
	struct xb_str content;
};

static void writer_clear(struct writer *w)
{
	xb_str_clear(&w->out);
	xb_str_clear(&w->content);
}

static int flush(struct writer *w, size_t until, struct xb_error *err)
{
	int r;

	if (w->out.len < until)
		return 0;
	w->written += w->out.len;
	if (w->written > XB_MAX_ROSTER)
		return xb_error_set(err, -EFBIG, "a roster of more than %zu MiB",
				    XB_MAX_ROSTER >> 20);
	r = xb_write_all(w->fd, w->out.data, w->out.len, err);
	xb_str_reset(&w->out);
	return r;
}

static int put_entry(struct writer *w, const struct xb_roster_entry *e, struct xb_error *err)
{
	unsigned flags =
		(e->attributes ? HAS_ATTRIBUTES : 0U) | (e->has_content ? HAS_CONTENT : 0U);
	char record[RECORD_SIZE];

	if (e->name.len >= PATH_MAX || e->link.len >= PATH_MAX)
		return xb_error_errno(err, -ENAMETOOLONG, "listing it");
	xb_bytes_put(record, AT_KIND, 1, (unsigned char)e->kind);
	xb_bytes_put(record, AT_FLAGS, 1, flags);
	xb_bytes_put(record, AT_MODE, 2, e->mode);
	xb_bytes_put(record, AT_UID, 4, e->uid);
	xb_bytes_put(record, AT_GID, 4, e->gid);
	xb_bytes_put(record, AT_MTIME, 8, (uint64_t)e->mtime);
	xb_bytes_put(record, AT_MTIME_NS, 4, e->mtime_ns);
	xb_bytes_put(record, AT_NAME_LEN, 2, e->name.len);
	xb_bytes_put(record, AT_LINK_LEN, 2, e->link.len);
	xb_bytes_put(record, AT_CONTENT_LEN, 4, e->content.len);
	xb_str_append(&w->out, record, sizeof(record));
	xb_str_append_view(&w->out, e->name);
	xb_str_append_view(&w->out, e->link);
	xb_str_append_view(&w->out, e->content);
	return flush(w, FLUSH_SIZE, err);
}

static bool is_kept(const struct xb_tar_item *item, struct xb_view name)
{
	static const char *const kept[] = XB_ROSTER_KEPT;

	for (size_t i = 0; item->size <= MAX_CONTENT && i < XB_COUNT(kept); i++)
		if (xb_view_is(name, kept[i]))
			return true;
	return false;
}

/* All of a file, unless it has holes, which nobody's list of users has. */
static int gather(struct writer *w, const struct xb_tar_item *item, struct xb_tar_reader *tar,
		  struct xb_roster_entry *e, struct xb_error *err)
{
	const void *data;
	size_t len;
	uint64_t offset;
	bool whole = true;
	int r;

	xb_str_reset(&w->content);
	while ((r = xb_tar_data(tar, &data, &len, &offset, err)) > 0) {
		whole = whole && offset == w->content.len;
		if (whole)
			xb_str_append(&w->content, data, len);
	}
	e->has_content = whole && w->content.len == item->size;
	if (e->has_content)
		e->content = xb_str_view(&w->content);
	return r;
}

static int write_entry(void *context, struct xb_roster_entry *e, const struct xb_tar_item *item,
		       struct xb_tar_reader *tar, struct xb_error *err)
{
	struct writer *w = context;
	int r = 0;

	if (e->kind == XB_ROSTER_FILE && is_kept(item, e->name))
		r = gather(w, item, tar, e, err);
	return r < 0 ? r : put_entry(w, e, err);
}

int xb_roster_write(struct xb_tar_reader *tar, const struct xb_roster_limits *limits, int fd,
		    uint64_t *ret_count, struct xb_error *err)
{
	XB_CLEANUP(writer_clear)
	struct writer w = {
		.fd = fd,
		.out = XB_STR_INIT(XB_STR_OWN),
		.content = XB_STR_INIT(XB_STR_OWN),
	};
	int r;

	xb_str_puts(&w.out, MAGIC);
	r = xb_roster_scan(tar, limits, write_entry, &w, ret_count, err);
	return r < 0 ? r : flush(&w, 0, err);
}

/* ---- reading -------------------------------------------------------------------------------- */

static int no_roster(struct xb_error *err)
{
	return xb_error_set(err, -EBADMSG, "not the roster of a layer");
}

/* No "..", no empty components, no NUL, none too long for a file system. */
bool xb_roster_is_clean(struct xb_view name)
{
	struct xb_view piece;

	if (name.len == 0)
		return true;
	if (xb_view_find(name, '\0') >= 0 || name.data[name.len - 1] == '/')
		return false;
	while (xb_view_split(&name, '/', &piece))
		if (piece.len == 0 || piece.len > NAME_MAX || xb_view_is(piece, ".") ||
		    xb_view_is(piece, ".."))
			return false;
	return true;
}

/* Whether all fits together that its kind has. */
static bool is_sound(const struct xb_roster_entry *e)
{
	bool unnamed = e->kind == XB_ROSTER_DIRECTORY || e->kind == XB_ROSTER_OPAQUE;

	if (!xb_roster_is_clean(e->name) || (e->name.len == 0 && !unnamed) || e->mode > 07777 ||
	    e->mtime_ns >= NS_PER_S || e->uid == UINT32_MAX || e->gid == UINT32_MAX)
		return false;
	if (e->content.len > 0 && !e->has_content)
		return false;
	switch (e->kind) {
	case XB_ROSTER_FILE:
		return e->link.len == 0;
	case XB_ROSTER_SYMLINK:
		return xb_view_find(e->link, '\0') < 0 && !e->has_content;
	case XB_ROSTER_HARDLINK:
		return e->link.len > 0 && xb_roster_is_clean(e->link) && !e->has_content;
	case XB_ROSTER_DIRECTORY:
	case XB_ROSTER_NODE:
	case XB_ROSTER_WHITEOUT:
	case XB_ROSTER_OPAQUE:
		return e->link.len == 0 && !e->has_content;
	}
	return false;
}

int xb_roster_begin(struct xb_view *rest, struct xb_error *err)
{
	if (!xb_view_starts(*rest, XB_VIEW(MAGIC)))
		return no_roster(err);
	(void)xb_bytes_take(rest, strlen(MAGIC));
	return 0;
}

int xb_roster_next(struct xb_view *rest, struct xb_roster_entry *ret, struct xb_error *err)
{
	const char *record = rest->data;
	size_t name, link, content;

	if (rest->len == 0)
		return 0;
	if (xb_bytes_take(rest, RECORD_SIZE).len < RECORD_SIZE || (record[AT_FLAGS] & ~3) != 0)
		return no_roster(err);
	name = xb_bytes_get(record, AT_NAME_LEN, 2);
	link = xb_bytes_get(record, AT_LINK_LEN, 2);
	content = xb_bytes_get(record, AT_CONTENT_LEN, 4);
	if (name + link + content > rest->len || content > MAX_CONTENT)
		return no_roster(err);
	*ret = (struct xb_roster_entry){
		.kind = (enum xb_roster_kind)xb_bytes_get(record, AT_KIND, 1),
		.attributes = (record[AT_FLAGS] & HAS_ATTRIBUTES) != 0,
		.has_content = (record[AT_FLAGS] & HAS_CONTENT) != 0,
		.mode = (uint32_t)xb_bytes_get(record, AT_MODE, 2),
		.uid = (uint32_t)xb_bytes_get(record, AT_UID, 4),
		.gid = (uint32_t)xb_bytes_get(record, AT_GID, 4),
		.mtime = (int64_t)xb_bytes_get(record, AT_MTIME, 8),
		.mtime_ns = (uint32_t)xb_bytes_get(record, AT_MTIME_NS, 4),
		.name = xb_bytes_take(rest, name),
		.link = xb_bytes_take(rest, link),
		.content = xb_bytes_take(rest, content),
	};
	return is_sound(ret) ? 1 : no_roster(err);
}
