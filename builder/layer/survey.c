/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/survey.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/layer/bytes.h"

#define MAGIC	   "xbuild-survey 1\n"
#define FLUSH_SIZE ((size_t)64 << 10)
/* So much of a file is in memory before it is known whether it is worth more. */
#define FIRST_BYTES ((size_t)64 << 10)
/* A file of more is put into the scratch file to be looked at. */
#define MOST_IN_MEMORY ((uint64_t)8 << 20)

/* A record: these numbers, little-endian, then name, link, content, facts, and the digest's text.
 */
enum {
	AT_KIND = 0,
	AT_FLAGS = 1,
	AT_MODE = 2,
	AT_UID = 4,
	AT_GID = 8,
	AT_MTIME = 12,
	AT_MTIME_NS = 20,
	AT_SIZE = 24,
	AT_MAJOR = 32,
	AT_MINOR = 36,
	AT_NODE = 40,
	AT_DIGEST_LEN = 41,
	AT_NAME_LEN = 42,
	AT_LINK_LEN = 44,
	AT_CONTENT_LEN = 46,
	AT_FACTS_LEN = 50,
	RECORD_SIZE = 54,
	HAS_ATTRIBUTES = 1,
	HAS_CONTENT = 2,
};

#define NS_PER_S 1000000000

bool xb_survey_keeps(struct xb_view name)
{
	static const char *const patterns[] = {
		"etc/passwd",
		"etc/group",
		"etc/ld.so.conf",
		"etc/ld.so.conf.d/*.conf",
		"etc/ld-musl-*.path",
		"etc/os-release",
		"usr/lib/os-release",
		"var/lib/dpkg/status",
		"var/lib/dpkg/status.d/*",
		"lib/apk/db/installed",
		"usr/lib/apk/db/installed",
	};
	xb_autofree char *text = xb_view_dup(name);

	for (size_t i = 0; i < XB_COUNT(patterns); i++)
		if (fnmatch(patterns[i], text, FNM_PATHNAME) == 0)
			return true;
	return false;
}

/* ---- looking at a file ---------------------------------------------------------------------- */

/* The data of the file at hand: its start in memory, all of it in the scratch file where that is
 * not enough. */
struct specimen {
	struct xb_str head;
	int scratch;
	bool spilled;
	struct xb_hasher *hasher; /* NULL: no digest is wanted */
	uint64_t hashed;	  /* bytes, holes included */
};

static ssize_t read_specimen(void *context, void *to, size_t len, uint64_t offset,
			     struct xb_error *err)
{
	const struct specimen *s = context;
	ssize_t n;

	if (!s->spilled) {
		struct xb_view v = { NULL, 0 };

		if (offset < s->head.len)
			v = xb_view_sub(xb_str_view(&s->head), (size_t)offset, len);
		memcpy(to, v.len > 0 ? v.data : "", v.len);
		return (ssize_t)v.len;
	}
	do
		n = pread(s->scratch, to, len, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? xb_error_errno(err, -errno, "reading what was put aside") : n;
}

static int put_aside(struct specimen *s, const void *data, size_t len, uint64_t offset,
		     struct xb_error *err)
{
	const char *from = data;

	while (len > 0) {
		ssize_t n = pwrite(s->scratch, from, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xb_error_errno(err, -errno, "putting a file aside");
		from += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* The file is larger than what is held: from here on it lies in the scratch file. */
static int spill(struct specimen *s, uint64_t size, struct xb_error *err)
{
	int r;

	if (ftruncate(s->scratch, 0) < 0 || ftruncate(s->scratch, (off_t)size) < 0)
		return xb_error_errno(err, -errno, "making room to put a file aside");
	r = put_aside(s, s->head.data, s->head.len, 0, err);
	s->spilled = r == 0;
	return r;
}

static void hash(struct specimen *s, const void *data, size_t len, uint64_t offset)
{
	static const char zeros[4096];

	if (s->hasher == NULL)
		return;
	while (s->hashed < offset) {
		uint64_t hole = offset - s->hashed;
		size_t n = hole < sizeof(zeros) ? (size_t)hole : sizeof(zeros);

		xb_hasher_add(s->hasher, zeros, n);
		s->hashed += n;
	}
	xb_hasher_add(s->hasher, data, len);
	s->hashed += len;
}

/* Holes are zeros. */
static void put_in_memory(struct specimen *s, const void *data, size_t len, uint64_t offset)
{
	while (s->head.len < offset)
		xb_str_putc(&s->head, '\0');
	xb_str_append(&s->head, data, len);
}

/* Whether more than the first bytes of a file can matter. */
static bool is_worth_more(const struct xb_str *head)
{
	static const struct {
		const char *magic;
		size_t len;
	} starts[] = { { "\177ELF", 4 },      { "!<arch>\n", 8 },	 { "MZ", 2 },
		       { "\xfe\xed\xfa", 3 }, { "\xce\xfa\xed\xfe", 4 }, { "\xcf\xfa\xed\xfe", 4 },
		       { "\xca\xfe\xba", 3 } };

	for (size_t i = 0; i < XB_COUNT(starts); i++)
		if (head->len >= starts[i].len &&
		    memcmp(head->data, starts[i].magic, starts[i].len) == 0)
			return true;
	return false;
}

/* What becomes of a run of data. */
static int take_run(struct specimen *s, const struct xb_tar_item *item, bool kept, const void *data,
		    size_t len, uint64_t offset, struct xb_error *err)
{
	int r = 0;

	hash(s, data, len, offset);
	if (s->spilled)
		return put_aside(s, data, len, offset, err);
	if (!kept && s->head.len >= FIRST_BYTES && !is_worth_more(&s->head))
		return 0;
	/* a hole at the start says that it is none of the kinds that are known */
	if (!kept && s->head.len == 0 && offset > 0)
		return 0;
	if (item->size <= MOST_IN_MEMORY) {
		put_in_memory(s, data, len, offset);
		return 0;
	}
	if (s->head.len + len <= FIRST_BYTES && offset == s->head.len) {
		put_in_memory(s, data, len, offset);
		return 0;
	}
	if (s->head.len == 0)
		put_in_memory(s, data, len < FIRST_BYTES ? len : FIRST_BYTES, 0);
	if (!is_worth_more(&s->head))
		return 0;
	r = spill(s, item->size, err);
	return r < 0 ? r : put_aside(s, data, len, offset, err);
}

static int read_data(struct specimen *s, const struct xb_tar_item *item, bool kept,
		     struct xb_tar_reader *tar, struct xb_error *err)
{
	const void *data;
	size_t len;
	uint64_t offset;
	int r;

	xb_str_reset(&s->head);
	s->spilled = false;
	s->hashed = 0;
	while ((r = xb_tar_data(tar, &data, &len, &offset, err)) > 0) {
		r = take_run(s, item, kept, data, len, offset, err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		hash(s, NULL, 0, item->size);
	return r;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct writer {
	int fd;
	uint64_t written;
	struct xb_str out;
	struct xb_str facts;
	struct specimen specimen;
};

static void writer_clear(struct writer *w)
{
	xb_str_clear(&w->out);
	xb_str_clear(&w->facts);
	xb_str_clear(&w->specimen.head);
	xb_hasher_free(w->specimen.hasher);
}

static int flush(struct writer *w, size_t until, struct xb_error *err)
{
	int r;

	if (w->out.len < until)
		return 0;
	w->written += w->out.len;
	if (w->written > XB_MAX_SURVEY)
		return xb_error_set(err, -EFBIG, "a survey of more than %zu MiB",
				    XB_MAX_SURVEY >> 20);
	r = xb_write_all(w->fd, w->out.data, w->out.len, err);
	xb_str_reset(&w->out);
	return r;
}

static int put_entry(struct writer *w, const struct xb_survey_entry *s, struct xb_error *err)
{
	const struct xb_roster_entry *e = &s->entry;
	size_t digest = strlen(s->digest.text);
	char record[RECORD_SIZE];

	if (e->name.len >= PATH_MAX || e->link.len >= PATH_MAX)
		return xb_error_errno(err, -ENAMETOOLONG, "looking at it");
	xb_bytes_put(record, AT_KIND, 1, (unsigned char)e->kind);
	xb_bytes_put(record, AT_FLAGS, 1,
		     (e->attributes ? HAS_ATTRIBUTES : 0U) | (e->has_content ? HAS_CONTENT : 0U));
	xb_bytes_put(record, AT_MODE, 2, e->mode);
	xb_bytes_put(record, AT_UID, 4, e->uid);
	xb_bytes_put(record, AT_GID, 4, e->gid);
	xb_bytes_put(record, AT_MTIME, 8, (uint64_t)e->mtime);
	xb_bytes_put(record, AT_MTIME_NS, 4, e->mtime_ns);
	xb_bytes_put(record, AT_SIZE, 8, s->size);
	xb_bytes_put(record, AT_MAJOR, 4, s->device_major);
	xb_bytes_put(record, AT_MINOR, 4, s->device_minor);
	xb_bytes_put(record, AT_NODE, 1, (unsigned char)s->node);
	xb_bytes_put(record, AT_DIGEST_LEN, 1, digest);
	xb_bytes_put(record, AT_NAME_LEN, 2, e->name.len);
	xb_bytes_put(record, AT_LINK_LEN, 2, e->link.len);
	xb_bytes_put(record, AT_CONTENT_LEN, 4, e->content.len);
	xb_bytes_put(record, AT_FACTS_LEN, 4, s->facts.len);
	xb_str_append(&w->out, record, sizeof(record));
	xb_str_append_view(&w->out, e->name);
	xb_str_append_view(&w->out, e->link);
	xb_str_append_view(&w->out, e->content);
	xb_str_append_view(&w->out, s->facts);
	xb_str_append(&w->out, s->digest.text, digest);
	return flush(w, FLUSH_SIZE, err);
}

static int look_at(struct writer *w, const struct xb_tar_item *item, struct xb_tar_reader *tar,
		   struct xb_survey_entry *s, struct xb_error *err)
{
	struct specimen *specimen = &w->specimen;
	bool kept = xb_survey_keeps(s->entry.name) && item->size <= XB_MAX_SURVEY_TEXT;
	struct xb_facts_source source = { .read = read_specimen, .context = specimen };
	xb_auto_facts struct xb_facts facts = { 0 };
	int r = read_data(specimen, item, kept, tar, err);

	if (r < 0)
		return r;
	if (specimen->hasher != NULL)
		s->digest = xb_hasher_finish(specimen->hasher);
	source.size = specimen->spilled ? item->size : specimen->head.len;
	r = xb_facts_read(&source, &facts, err);
	if (r < 0)
		return r;
	xb_str_reset(&w->facts);
	if (facts.kind != XB_FACTS_OTHER)
		xb_survey_put_facts(&facts, &w->facts);
	s->facts = xb_str_view(&w->facts);
	s->entry.has_content = kept;
	if (kept)
		s->entry.content = xb_str_view(&specimen->head);
	return 0;
}

static char node_of(const struct xb_tar_item *item)
{
	switch (item->type) {
	case XB_TAR_CHARDEV:
		return 'c';
	case XB_TAR_BLOCKDEV:
		return 'b';
	case XB_TAR_FIFO:
		return 'p';
	default:
		return 0;
	}
}

static int write_entry(void *context, struct xb_roster_entry *e, const struct xb_tar_item *item,
		       struct xb_tar_reader *tar, struct xb_error *err)
{
	struct xb_survey_entry s = { .entry = *e };
	int r = 0;

	if (item != NULL) {
		s.size = item->size;
		s.node = node_of(item);
		s.device_major = item->device_major;
		s.device_minor = item->device_minor;
	}
	if (e->kind == XB_ROSTER_FILE)
		r = look_at(context, item, tar, &s, err);
	return r < 0 ? r : put_entry(context, &s, err);
}

int xb_survey_write(struct xb_tar_reader *tar, const struct xb_roster_limits *limits, bool digests,
		    int scratch_fd, int fd, uint64_t *ret_count, struct xb_error *err)
{
	XB_CLEANUP(writer_clear)
	struct writer w = {
		.fd = fd,
		.out = XB_STR_INIT(XB_STR_OWN),
		.facts = XB_STR_INIT(XB_STR_OWN),
		.specimen = { .head = XB_STR_INIT(XB_STR_OWN),
			      .scratch = scratch_fd,
			      .hasher = digests ? xb_hasher_new() : NULL },
	};
	int r;

	xb_str_puts(&w.out, MAGIC);
	r = xb_roster_scan(tar, limits, write_entry, &w, ret_count, err);
	return r < 0 ? r : flush(&w, 0, err);
}

/* ---- reading -------------------------------------------------------------------------------- */

static int no_survey(struct xb_error *err)
{
	return xb_error_set(err, -EBADMSG, "not the survey of a layer");
}

static bool is_node(const struct xb_survey_entry *s)
{
	return s->node == 'c' || s->node == 'b' || s->node == 'p';
}

/* Whether all fits together that its kind has. */
static bool is_sound(const struct xb_survey_entry *s)
{
	const struct xb_roster_entry *e = &s->entry;
	bool file = e->kind == XB_ROSTER_FILE;
	bool linked = e->kind == XB_ROSTER_SYMLINK || e->kind == XB_ROSTER_HARDLINK;

	if (!xb_roster_is_clean(e->name) || e->mode > 07777 || e->mtime_ns >= NS_PER_S ||
	    (e->name.len == 0 && e->kind != XB_ROSTER_DIRECTORY && e->kind != XB_ROSTER_OPAQUE) ||
	    (e->content.len > 0 && !e->has_content))
		return false;
	if (!file && (s->facts.len > 0 || e->has_content || s->digest.text[0] != '\0'))
		return false;
	if (e->kind == XB_ROSTER_HARDLINK && (e->link.len == 0 || !xb_roster_is_clean(e->link)))
		return false;
	if (!linked && e->link.len > 0)
		return false;
	if (xb_view_find(e->link, '\0') >= 0 || (e->kind == XB_ROSTER_NODE) != is_node(s))
		return false;
	return file || linked || is_node(s) || e->kind == XB_ROSTER_DIRECTORY ||
	       e->kind == XB_ROSTER_WHITEOUT || e->kind == XB_ROSTER_OPAQUE;
}

int xb_survey_begin(struct xb_view *rest, struct xb_error *err)
{
	if (!xb_view_starts(*rest, XB_VIEW(MAGIC)))
		return no_survey(err);
	(void)xb_bytes_take(rest, strlen(MAGIC));
	return 0;
}

static void read_numbers(const char *record, struct xb_survey_entry *ret)
{
	unsigned flags = (unsigned char)record[AT_FLAGS];

	*ret = (struct xb_survey_entry){
		.entry = { .kind = (enum xb_roster_kind)xb_bytes_get(record, AT_KIND, 1),
			   .attributes = (flags & HAS_ATTRIBUTES) != 0,
			   .has_content = (flags & HAS_CONTENT) != 0,
			   .mode = (uint32_t)xb_bytes_get(record, AT_MODE, 2),
			   .uid = (uint32_t)xb_bytes_get(record, AT_UID, 4),
			   .gid = (uint32_t)xb_bytes_get(record, AT_GID, 4),
			   .mtime = (int64_t)xb_bytes_get(record, AT_MTIME, 8),
			   .mtime_ns = (uint32_t)xb_bytes_get(record, AT_MTIME_NS, 4) },
		.size = xb_bytes_get(record, AT_SIZE, 8),
		.node = record[AT_NODE],
		.device_major = (uint32_t)xb_bytes_get(record, AT_MAJOR, 4),
		.device_minor = (uint32_t)xb_bytes_get(record, AT_MINOR, 4),
	};
}

int xb_survey_next(struct xb_view *rest, struct xb_survey_entry *ret, struct xb_error *err)
{
	const char *record = rest->data;
	size_t name, link, content, facts, digest;
	struct xb_view text;

	if (rest->len == 0)
		return 0;
	if (xb_bytes_take(rest, RECORD_SIZE).len < RECORD_SIZE || (record[AT_FLAGS] & ~3) != 0)
		return no_survey(err);
	name = xb_bytes_get(record, AT_NAME_LEN, 2);
	link = xb_bytes_get(record, AT_LINK_LEN, 2);
	content = xb_bytes_get(record, AT_CONTENT_LEN, 4);
	facts = xb_bytes_get(record, AT_FACTS_LEN, 4);
	digest = xb_bytes_get(record, AT_DIGEST_LEN, 1);
	if (name + link + content + facts + digest > rest->len || content > XB_MAX_SURVEY_TEXT)
		return no_survey(err);
	read_numbers(record, ret);
	ret->entry.name = xb_bytes_take(rest, name);
	ret->entry.link = xb_bytes_take(rest, link);
	ret->entry.content = xb_bytes_take(rest, content);
	ret->facts = xb_bytes_take(rest, facts);
	text = xb_bytes_take(rest, digest);
	if (digest > 0 && xb_digest_parse(text, &ret->digest, NULL) < 0)
		return no_survey(err);
	return is_sound(ret) ? 1 : no_survey(err);
}
