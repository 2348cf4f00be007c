/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/tarread.h"

#include <errno.h>
#include <string.h>

#include "builder/layer/taritem.h"

/* Offsets in a header block. */
enum {
	AT_NAME = 0,
	AT_MODE = 100,
	AT_UID = 108,
	AT_GID = 116,
	AT_SIZE = 124,
	AT_MTIME = 136,
	AT_TYPE = 156,
	AT_LINK = 157,
	AT_MAGIC = 257,
	AT_MAJOR = 329,
	AT_MINOR = 337,
	AT_PREFIX = 345,
	/* old GNU sparse files keep the first runs where others keep the prefix */
	AT_GNU_RUNS = 386,
	AT_GNU_MORE = 482,
	AT_GNU_REAL_SIZE = 483,
	GNU_RUNS_IN_HEADER = 4,
	GNU_RUNS_IN_BLOCK = 21,
	AT_GNU_BLOCK_MORE = 504,
};

struct xb_tar_reader {
	struct xb_tar_input input;
	const char *data; /* what is left of the input's last run */
	size_t len;
	uint64_t position; /* in the stream, of what is left */
	uint64_t stored;   /* bytes of the entry's data that are still in the stream */
	uint64_t padding;  /* and behind them */
	struct xb_tar_runs runs;
	size_t run;	   /* the run that comes next */
	uint64_t run_done; /* bytes of it that were given out */
	char block[XB_TAR_BLOCK];
	struct xb_tar_extra extra;
	struct xb_str name;
	struct xb_str link;
	struct xb_str special;
	bool ended;
};

struct xb_tar_reader *xb_tar_reader_new(const struct xb_tar_input *input)
{
	struct xb_tar_reader *t = xb_calloc(1, sizeof(*t));

	t->input = *input;
	t->name = XB_STR_INIT(2 * XB_MAX_TAR_SPECIAL);
	t->link = XB_STR_INIT(2 * XB_MAX_TAR_SPECIAL);
	t->special = XB_STR_INIT(XB_MAX_TAR_SPECIAL + XB_TAR_BLOCK);
	xb_tar_extra_init(&t->extra);
	return t;
}

void xb_tar_reader_free(struct xb_tar_reader *t)
{
	if (t == NULL)
		return;
	xb_array_clear(&t->runs);
	xb_tar_extra_clear(&t->extra);
	xb_str_clear(&t->name);
	xb_str_clear(&t->link);
	xb_str_clear(&t->special);
	free(t);
}

static int damaged(struct xb_error *err, const char *what)
{
	return xb_error_set(err, -EBADMSG, "damaged tar: %s", what);
}

/* Have at least one byte at hand: 1, 0 at the end of the stream. */
static int fill(struct xb_tar_reader *t, struct xb_error *err)
{
	while (t->len == 0) {
		const void *data = NULL;
		int r = t->input.next(t->input.context, &data, &t->len, err);

		if (r <= 0) {
			t->len = 0;
			return r;
		}
		t->data = data;
	}
	return 1;
}

/* Take at most `max` bytes off what is at hand. */
static struct xb_view take(struct xb_tar_reader *t, uint64_t max)
{
	struct xb_view v = { t->data, max < t->len ? (size_t)max : t->len };

	/* where nothing has been read yet there is nothing to point to */
	if (v.len == 0)
		return v;
	t->data += v.len;
	t->len -= v.len;
	t->position += v.len;
	return v;
}

static int truncated(int r, struct xb_error *err)
{
	return r < 0 ? r : damaged(err, "it ends in the middle of an entry");
}

static int skip(struct xb_tar_reader *t, uint64_t bytes, struct xb_error *err)
{
	bytes -= take(t, bytes).len;
	if (bytes > 0 && t->input.skip != NULL) {
		t->position += bytes;
		return t->input.skip(t->input.context, bytes, err);
	}
	while (bytes > 0) {
		int r = fill(t, err);

		if (r <= 0)
			return truncated(r, err);
		bytes -= take(t, bytes).len;
	}
	return 0;
}

/* Append the next `bytes` bytes of the stream to `to`. */
static int gather(struct xb_tar_reader *t, uint64_t bytes, struct xb_str *to, struct xb_error *err)
{
	while (bytes > 0) {
		int r = fill(t, err);
		struct xb_view piece;

		if (r <= 0)
			return truncated(r, err);
		piece = take(t, bytes);
		bytes -= piece.len;
		if (xb_str_append_view(to, piece) < 0)
			return damaged(err, "an extended header of more than 1 MiB");
	}
	return 0;
}

/* Read a block: 1, or 0 when the stream ends before its first byte. */
static int read_block(struct xb_tar_reader *t, struct xb_error *err)
{
	size_t have = 0;

	while (have < XB_TAR_BLOCK) {
		int r = fill(t, err);
		struct xb_view piece;

		if (r == 0 && have == 0)
			return 0;
		if (r <= 0)
			return truncated(r, err);
		piece = take(t, XB_TAR_BLOCK - have);
		memcpy(t->block + have, piece.data, piece.len);
		have += piece.len;
	}
	return 1;
}

static bool block_is_zero(const char *block)
{
	for (size_t i = 0; i < XB_TAR_BLOCK; i++)
		if (block[i] != '\0')
			return false;
	return true;
}

/* The next header block: 1, or 0 at the end of the archive. */
static int read_header(struct xb_tar_reader *t, struct xb_error *err)
{
	int r = read_block(t, err);

	if (r <= 0)
		return r;
	if (block_is_zero(t->block)) {
		r = read_block(t, err);
		if (r > 0 && !block_is_zero(t->block))
			return damaged(err, "an entry follows a block of zeros");
		return r < 0 ? r : 0;
	}
	if (!xb_tar_block_valid(t->block))
		return damaged(err, "a header's checksum is wrong");
	return 1;
}

static int field(const struct xb_tar_reader *t, size_t at, size_t size, const char *what,
		 int64_t *ret, struct xb_error *err)
{
	return xb_tar_field(t->block + at, size, what, ret, err);
}

static struct xb_view text_field(const struct xb_tar_reader *t, size_t at, size_t size)
{
	return (struct xb_view){ t->block + at, strnlen(t->block + at, size) };
}

/* Headers that belong to the next entry: 'x', 'g', 'L', 'K'. */

static int read_special(struct xb_tar_reader *t, struct xb_error *err)
{
	int64_t size;
	int r = field(t, AT_SIZE, 12, "size", &size, err);

	xb_str_reset(&t->special);
	if (r < 0)
		return r;
	if (size < 0 || (uint64_t)size > XB_MAX_TAR_SPECIAL)
		return damaged(err, "an extended header of more than 1 MiB");
	r = gather(t, (uint64_t)size, &t->special, err);
	return r < 0 ? r : skip(t, xb_tar_padding((uint64_t)size), err);
}

static int take_special(struct xb_tar_reader *t, char type, struct xb_error *err)
{
	struct xb_str *name = type == 'L' ? &t->extra.gnu_path : &t->extra.gnu_link;
	struct xb_view text;
	int r = read_special(t, err);

	if (r < 0 || type == 'g')
		return r;
	if (type == 'x')
		return xb_tar_extra_records(&t->extra, xb_str_view(&t->special), err);
	text = xb_str_view(&t->special);
	xb_str_reset(name);
	return xb_str_append(name, text.data, strnlen(text.data, text.len));
}

static bool is_special(char type)
{
	return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

/* Putting an entry together. */

static void set_name(struct xb_tar_reader *t)
{
	struct xb_view prefix = text_field(t, AT_PREFIX, 155);
	const struct xb_tar_extra *x = &t->extra;

	xb_str_reset(&t->name);
	if (x->sparse_name.len > 0)
		xb_str_append_view(&t->name, xb_str_view(&x->sparse_name));
	else if (x->gnu_path.len > 0)
		xb_str_append_view(&t->name, xb_str_view(&x->gnu_path));
	else if (x->path.len > 0)
		xb_str_append_view(&t->name, xb_str_view(&x->path));
	else {
		/* GNU and older tars use the place of the prefix for other things */
		if (prefix.len > 0 && memcmp(t->block + AT_MAGIC, "ustar", 6) == 0)
			xb_str_printf(&t->name, "%.*s/", XB_VIEW_ARGS(prefix));
		xb_str_append_view(&t->name, text_field(t, AT_NAME, 100));
	}
}

static void set_link(struct xb_tar_reader *t)
{
	const struct xb_tar_extra *x = &t->extra;

	xb_str_reset(&t->link);
	if (x->gnu_link.len > 0)
		xb_str_append_view(&t->link, xb_str_view(&x->gnu_link));
	else if (x->link.len > 0)
		xb_str_append_view(&t->link, xb_str_view(&x->link));
	else
		xb_str_append_view(&t->link, text_field(t, AT_LINK, 100));
}

/* The type that a header's letter means, 0 when it is none that a tree can hold. */
static int type_of(char letter, struct xb_view name)
{
	switch (letter) {
	case '\0': /* older tars know a directory by its name */
		return name.len > 0 && name.data[name.len - 1] == '/' ? XB_TAR_DIRECTORY
								      : XB_TAR_FILE;
	case '7': /* "contiguous", which no system has */
	case 'S': /* GNU: sparse */
		return XB_TAR_FILE;
	default:
		return letter >= '0' && letter <= '6' ? letter : 0;
	}
}

static int set_id(const struct xb_tar_reader *t, size_t at, const struct xb_tar_number *said,
		  const char *what, uint32_t *ret, struct xb_error *err)
{
	int64_t id = said->value;
	int r = said->set ? 0 : field(t, at, 8, what, &id, err);

	if (r < 0)
		return r;
	/* 2^32-1 means "leave it" to the kernel */
	if (id < 0 || id >= UINT32_MAX)
		return xb_error_set(err, -EBADMSG, "damaged tar: the %s %lld is out of range", what,
				    (long long)id);
	*ret = (uint32_t)id;
	return 0;
}

static int set_device(const struct xb_tar_reader *t, struct xb_tar_item *item, struct xb_error *err)
{
	int64_t major = 0, minor = 0;
	int r;

	if (item->type != XB_TAR_CHARDEV && item->type != XB_TAR_BLOCKDEV)
		return 0;
	r = field(t, AT_MAJOR, 8, "device number", &major, err);
	if (r >= 0)
		r = field(t, AT_MINOR, 8, "device number", &minor, err);
	if (r < 0)
		return r;
	if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
		return damaged(err, "a device number is out of range");
	item->device_major = (uint32_t)major;
	item->device_minor = (uint32_t)minor;
	return 0;
}

static int set_numbers(struct xb_tar_reader *t, struct xb_tar_item *item, struct xb_error *err)
{
	const struct xb_tar_extra *x = &t->extra;
	int64_t mode;
	int r = field(t, AT_MODE, 8, "mode", &mode, err);

	if (r >= 0)
		r = set_id(t, AT_UID, &x->uid, "user id", &item->uid, err);
	if (r >= 0)
		r = set_id(t, AT_GID, &x->gid, "group id", &item->gid, err);
	if (r >= 0 && !x->mtime.set)
		r = field(t, AT_MTIME, 12, "time", &item->mtime, err);
	if (r >= 0)
		r = set_device(t, item, err);
	if (r < 0)
		return r;
	item->mode = (uint32_t)mode & 07777;
	if (x->mtime.set) {
		item->mtime = x->mtime.value;
		item->mtime_ns = x->mtime_ns;
	}
	return 0;
}

/* The size of what follows in the stream; only files have data, whatever their header says. */
static int set_stored(struct xb_tar_reader *t, const struct xb_tar_item *item, struct xb_error *err)
{
	int64_t size = t->extra.size.value;
	int r = t->extra.size.set ? 0 : field(t, AT_SIZE, 12, "size", &size, err);

	if (r < 0)
		return r;
	if (size < 0)
		return damaged(err, "a size is negative");
	t->stored = item->type == XB_TAR_FILE ? (uint64_t)size : 0;
	t->padding = xb_tar_padding(t->stored);
	return 0;
}

/* Sparse files. */

static int add_gnu_runs(struct xb_tar_reader *t, size_t at, size_t count, struct xb_error *err)
{
	for (size_t i = 0; i < count; i++, at += 24) {
		int64_t offset, len;
		int r = field(t, at, 12, "sparse offset", &offset, err);

		if (r >= 0)
			r = field(t, at + 12, 12, "sparse length", &len, err);
		if (r < 0)
			return r;
		if (offset < 0 || len < 0)
			return damaged(err, "a sparse file's map is negative");
		if (len > 0)
			*xb_array_push(&t->runs) =
				(struct xb_tar_run){ (uint64_t)offset, (uint64_t)len };
	}
	return 0;
}

/* The old GNU form: the map is in the header and in blocks behind it. */
static int read_gnu_map(struct xb_tar_reader *t, uint64_t *ret_size, struct xb_error *err)
{
	int64_t size;
	bool more = t->block[AT_GNU_MORE] != '\0';
	int r = field(t, AT_GNU_REAL_SIZE, 12, "sparse size", &size, err);

	if (r >= 0 && size < 0)
		return damaged(err, "a size is negative");
	if (r >= 0)
		r = add_gnu_runs(t, AT_GNU_RUNS, GNU_RUNS_IN_HEADER, err);
	for (size_t read = 0; r >= 0 && more; read += XB_TAR_BLOCK) {
		if (read >= XB_MAX_TAR_SPECIAL)
			return damaged(err, "a sparse map of more than 1 MiB");
		r = read_block(t, err);
		if (r == 0)
			return truncated(0, err);
		if (r > 0)
			r = add_gnu_runs(t, 0, GNU_RUNS_IN_BLOCK, err);
		more = t->block[AT_GNU_BLOCK_MORE] != '\0';
	}
	*ret_size = (uint64_t)size;
	return r < 0 ? r : 0;
}

static size_t count_lines(struct xb_view text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	return lines;
}

/*
 * Version 1.0: the map is at the start of the data, one number a line, the first saying how many
 * pairs follow; padded to a block. Blocks are taken until all its lines are there.
 */
static int read_pax_map(struct xb_tar_reader *t, struct xb_error *err)
{
	size_t lines = 0;
	ssize_t used = 0;

	xb_str_reset(&t->special);
	while (used == 0) {
		size_t before = t->special.len;
		int r;

		if (t->stored < XB_TAR_BLOCK || before >= XB_MAX_TAR_SPECIAL)
			return damaged(err, "a sparse file's map is cut short or more than 1 MiB");
		r = gather(t, XB_TAR_BLOCK, &t->special, err);
		if (r < 0)
			return r;
		t->stored -= XB_TAR_BLOCK;
		lines += count_lines(xb_view_sub(xb_str_view(&t->special), before, XB_TAR_BLOCK));
		used = xb_tar_sparse_map(xb_str_view(&t->special), lines, &t->runs, err);
	}
	return used < 0 ? (int)used : 0;
}

static void one_run(struct xb_tar_reader *t)
{
	if (t->stored > 0)
		*xb_array_push(&t->runs) = (struct xb_tar_run){ 0, t->stored };
}

/* Fill in `t->runs` and the size of the file. */
static int set_runs(struct xb_tar_reader *t, struct xb_tar_item *item, struct xb_error *err)
{
	const struct xb_tar_extra *x = &t->extra;
	bool gnu = t->block[AT_TYPE] == 'S';
	int r = 0;

	t->runs.len = 0;
	t->run = 0;
	t->run_done = 0;
	item->size = t->stored;
	item->data_at = t->position;
	item->sparse = item->type == XB_TAR_FILE && (gnu || x->sparse_size.set);
	if (!item->sparse) {
		one_run(t);
		return 0;
	}
	if (x->sparse_size.set)
		item->size = (uint64_t)x->sparse_size.value;
	if (gnu) {
		r = read_gnu_map(t, &item->size, err);
	} else if (x->sparse_major.set && x->sparse_major.value == 1) {
		r = read_pax_map(t, err);
	} else {
		for (size_t i = 0; i < x->runs.len; i++)
			*xb_array_push(&t->runs) = x->runs.items[i];
	}
	return r < 0 ? r : xb_tar_runs_check(&t->runs, item->size, t->stored, err);
}

static int build_item(struct xb_tar_reader *t, struct xb_tar_item *item, struct xb_error *err)
{
	char letter = t->block[AT_TYPE];
	int type;
	int r;

	set_name(t);
	set_link(t);
	type = type_of(letter, xb_str_view(&t->name));
	if (type == 0)
		return xb_error_set(err, -EBADMSG,
				    "damaged tar: an entry of the unknown type 0x%02x",
				    (unsigned)(unsigned char)letter);
	item->name = xb_str_text(&t->name);
	item->link = xb_str_text(&t->link);
	item->type = (enum xb_tar_type)type;
	item->xattrs = t->extra.xattrs;
	r = set_numbers(t, item, err);
	if (r >= 0)
		r = set_stored(t, item, err);
	return r < 0 ? r : set_runs(t, item, err);
}

/* Go past what is left of the last entry. */
static int finish_entry(struct xb_tar_reader *t, struct xb_error *err)
{
	int r = skip(t, t->stored, err);

	if (r >= 0)
		r = skip(t, t->padding, err);
	t->stored = 0;
	t->padding = 0;
	t->runs.len = 0;
	t->run = 0;
	xb_tar_extra_clear(&t->extra);
	return r;
}

int xb_tar_next(struct xb_tar_reader *t, struct xb_tar_item *ret, struct xb_error *err)
{
	struct xb_tar_item item = { 0 };
	bool special = false;
	int r = t->ended ? 0 : finish_entry(t, err);

	if (r < 0 || t->ended)
		return r;
	while ((r = read_header(t, err)) > 0 && is_special(t->block[AT_TYPE])) {
		special = t->block[AT_TYPE] != 'g';
		r = take_special(t, t->block[AT_TYPE], err);
		if (r < 0)
			return r;
	}
	if (r > 0)
		r = build_item(t, &item, err);
	else if (r == 0 && special)
		return damaged(err, "it ends behind an extended header");
	else if (r == 0)
		t->ended = true;
	if (r < 0 || t->ended)
		return r;
	*ret = item;
	return 1;
}

int xb_tar_data(struct xb_tar_reader *t, const void **ret_data, size_t *ret_len,
		uint64_t *ret_offset, struct xb_error *err)
{
	const struct xb_tar_run *run;
	struct xb_view piece;
	int r;

	while (t->run < t->runs.len && t->run_done == t->runs.items[t->run].len) {
		t->run++;
		t->run_done = 0;
	}
	if (t->run == t->runs.len)
		return 0;
	run = &t->runs.items[t->run];
	r = fill(t, err);
	if (r <= 0)
		return truncated(r, err);
	piece = take(t, run->len - t->run_done);
	*ret_data = piece.data;
	*ret_len = piece.len;
	*ret_offset = run->offset + t->run_done;
	t->run_done += piece.len;
	t->stored -= piece.len;
	return 1;
}
