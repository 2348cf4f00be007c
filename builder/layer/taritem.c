/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/taritem.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "builder/layer/tarwrite.h"

/* Names and maps come from headers that the reader has bounded already. */
#define MAX_TEXT ((size_t)2 << 20)
/* More attributes than a file can have: their names must fit into 64 KiB. */
#define MAX_XATTRS 4096

void xb_tar_extra_init(struct xb_tar_extra *x)
{
	*x = (struct xb_tar_extra){
		.path = XB_STR_INIT(MAX_TEXT),
		.link = XB_STR_INIT(MAX_TEXT),
		.gnu_path = XB_STR_INIT(MAX_TEXT),
		.gnu_link = XB_STR_INIT(MAX_TEXT),
		.sparse_name = XB_STR_INIT(MAX_TEXT),
	};
}

void xb_tar_extra_clear(struct xb_tar_extra *x)
{
	xb_str_clear(&x->path);
	xb_str_clear(&x->link);
	xb_str_clear(&x->gnu_path);
	xb_str_clear(&x->gnu_link);
	xb_str_clear(&x->sparse_name);
	xb_xattrs_clear(&x->xattrs);
	xb_array_clear(&x->runs);
	xb_tar_extra_init(x);
}

static int damaged(struct xb_error *err, const char *what)
{
	return xb_error_set(err, -EBADMSG, "damaged tar: %s", what);
}

bool xb_tar_block_valid(const void *block)
{
	const unsigned char *bytes = block;
	int64_t said;
	int64_t plain = 0, with_sign = 0;

	if (xb_tar_field((const char *)block + 148, 8, "checksum", &said, NULL) < 0)
		return false;
	for (size_t i = 0; i < XB_TAR_BLOCK; i++) {
		unsigned char c = i >= 148 && i < 156 ? ' ' : bytes[i];

		plain += c;
		with_sign += (signed char)c;
	}
	return said == plain || said == with_sign;
}

/* Two's complement, big-endian, the first bit being the mark of this form. */
static int base256(const unsigned char *field, size_t size, int64_t *ret)
{
	bool negative = (field[0] & 0x40) != 0;
	uint64_t value = negative ? UINT64_MAX : 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char c = field[i];

		if (i == 0)
			c = negative ? c | 0x80 : c & 0x7f;
		/* what is shifted out, and the sign, must be nothing but sign */
		if (value >> 55 != (negative ? UINT64_MAX >> 55 : 0))
			return -ERANGE;
		value = value << 8 | c;
	}
	*ret = (int64_t)value;
	return 0;
}

/* Octal digits between blanks and NULs; nothing at all is 0. */
static int octal(struct xb_view field, int64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < field.len && (field.data[i] == ' ' || field.data[i] == '\0'))
		i++;
	for (; i < field.len && field.data[i] != ' ' && field.data[i] != '\0'; i++) {
		if (field.data[i] < '0' || field.data[i] > '7')
			return -EINVAL;
		value = value << 3 | (uint64_t)(field.data[i] - '0');
	}
	for (; i < field.len && field.data[i] != '\0'; i++)
		if (field.data[i] != ' ')
			return -EINVAL;
	*ret = (int64_t)value; /* twelve digits are 36 bits */
	return 0;
}

int xb_tar_field(const char *field, size_t size, const char *what, int64_t *ret,
		 struct xb_error *err)
{
	int r = (field[0] & 0x80) != 0 ? base256((const unsigned char *)field, size, ret)
				       : octal((struct xb_view){ field, size }, ret);

	if (r < 0)
		return xb_error_set(err, -EBADMSG, "damaged tar: the %s is not a number", what);
	return 0;
}

int xb_tar_runs_check(const struct xb_tar_runs *runs, uint64_t size, uint64_t stored,
		      struct xb_error *err)
{
	uint64_t at = 0, sum = 0;

	for (size_t i = 0; i < runs->len; i++) {
		const struct xb_tar_run *run = &runs->items[i];

		if (run->offset < at || run->offset > size || run->len > size - run->offset)
			return damaged(err, "a sparse file's map is not in order");
		at = run->offset + run->len;
		sum += run->len;
	}
	if (sum != stored)
		return damaged(err, "a sparse file's map does not fit its data");
	return 0;
}

/* "digits\n" off the front of `*rest`. */
static int map_number(struct xb_view *rest, uint64_t *ret)
{
	struct xb_view line;
	ptrdiff_t end = xb_view_find(*rest, '\n');

	if (end <= 0)
		return -EINVAL;
	line = xb_view_sub(*rest, 0, (size_t)end);
	*rest = xb_view_sub(*rest, (size_t)end + 1, rest->len);
	return xb_view_parse_u64(line, INT64_MAX, ret) < 0 ? -EINVAL : 0;
}

ssize_t xb_tar_sparse_map(struct xb_view text, size_t lines, struct xb_tar_runs *runs,
			  struct xb_error *err)
{
	struct xb_view rest = text;
	uint64_t count = 0;
	int r = map_number(&rest, &count);

	if (r >= 0 && count > (SIZE_MAX - 1) / 2)
		r = -ERANGE;
	if (r >= 0 && lines < 1 + 2 * count)
		return 0;
	runs->len = 0;
	for (uint64_t i = 0; r >= 0 && i < count; i++) {
		uint64_t offset = 0, len = 0;

		r = map_number(&rest, &offset);
		if (r >= 0)
			r = map_number(&rest, &len);
		*xb_array_push(runs) = (struct xb_tar_run){ offset, len };
	}
	if (r < 0)
		return damaged(err, "a sparse file's map is not made of numbers");
	return (ssize_t)(text.len - rest.len);
}

/* Values of pax records. Each gets the whole value; an empty one takes back what was said. */

static int set_text(struct xb_str *text, struct xb_view value)
{
	if (value.len > 0 && memchr(value.data, '\0', value.len) != NULL)
		return -EINVAL;
	xb_str_reset(text);
	return xb_str_append_view(text, value);
}

static int set_number(struct xb_tar_number *number, struct xb_view value)
{
	uint64_t n = 0;

	if (value.len > 0 && xb_view_parse_u64(value, INT64_MAX, &n) < 0)
		return -EINVAL;
	*number = (struct xb_tar_number){ value.len > 0, (int64_t)n };
	return 0;
}

/* The digits of a fraction as nanoseconds; digits beyond the ninth are cut. */
static int nanoseconds(struct xb_view digits, uint32_t *ret)
{
	uint32_t ns = 0;

	for (size_t i = 0; i < 9 || i < digits.len; i++) {
		char c = i < digits.len ? digits.data[i] : '0';

		if (c < '0' || c > '9')
			return -EINVAL;
		if (i < 9)
			ns = ns * 10 + (uint32_t)(c - '0');
	}
	*ret = ns;
	return 0;
}

/* "[-]seconds[.fraction]" */
static int set_time(struct xb_tar_extra *x, struct xb_view value)
{
	bool negative = value.len > 0 && value.data[0] == '-';
	struct xb_view seconds = xb_view_sub(value, negative ? 1 : 0, value.len);
	struct xb_view fraction = { NULL, 0 };
	ptrdiff_t dot = xb_view_find(seconds, '.');
	uint32_t ns = 0;
	int r;

	if (dot >= 0) {
		fraction = xb_view_sub(seconds, (size_t)dot + 1, seconds.len);
		seconds = xb_view_sub(seconds, 0, (size_t)dot);
	}
	if (negative && seconds.len == 0)
		return -EINVAL;
	r = set_number(&x->mtime, seconds);
	if (r >= 0)
		r = nanoseconds(fraction, &ns);
	if (r < 0)
		return r;
	if (negative) {
		x->mtime.value = -x->mtime.value - (ns > 0 ? 1 : 0);
		ns = ns > 0 ? 1000000000 - ns : 0;
	}
	x->mtime_ns = ns;
	return 0;
}

static int add_run(struct xb_tar_extra *x, struct xb_view len)
{
	struct xb_tar_number n = { 0 };

	if (!x->sparse_offset.set || set_number(&n, len) < 0 || !n.set)
		return -EINVAL;
	*xb_array_push(&x->runs) =
		(struct xb_tar_run){ (uint64_t)x->sparse_offset.value, (uint64_t)n.value };
	x->sparse_offset.set = false;
	return 0;
}

/* 0.1: "offset,length,offset,length" */
static int set_runs(struct xb_tar_extra *x, struct xb_view value)
{
	struct xb_view piece;
	int r = 0;

	x->runs.len = 0;
	for (bool length = false; r >= 0 && xb_view_split(&value, ',', &piece); length = !length)
		r = length ? add_run(x, piece) : set_number(&x->sparse_offset, piece);
	return r < 0 || x->sparse_offset.set ? -EINVAL : 0;
}

/* Which field a keyword sets. */
static const struct keyword {
	const char *name;
	size_t offset; /* of a `struct xb_str` or `struct xb_tar_number` in xb_tar_extra */
	bool text;
} keywords[] = {
	{ "path", offsetof(struct xb_tar_extra, path), true },
	{ "linkpath", offsetof(struct xb_tar_extra, link), true },
	{ "size", offsetof(struct xb_tar_extra, size), false },
	{ "uid", offsetof(struct xb_tar_extra, uid), false },
	{ "gid", offsetof(struct xb_tar_extra, gid), false },
	{ "GNU.sparse.name", offsetof(struct xb_tar_extra, sparse_name), true },
	{ "GNU.sparse.size", offsetof(struct xb_tar_extra, sparse_size), false },
	{ "GNU.sparse.realsize", offsetof(struct xb_tar_extra, sparse_size), false },
	{ "GNU.sparse.major", offsetof(struct xb_tar_extra, sparse_major), false },
	{ "GNU.sparse.minor", offsetof(struct xb_tar_extra, sparse_minor), false },
	{ "GNU.sparse.offset", offsetof(struct xb_tar_extra, sparse_offset), false },
};

static int set_xattr(struct xb_tar_extra *x, struct xb_view name, struct xb_view value)
{
	if (name.len == 0 || x->xattrs.len >= MAX_XATTRS ||
	    memchr(name.data, '\0', name.len) != NULL)
		return -EINVAL;
	xb_xattrs_add(&x->xattrs, name, value);
	return 0;
}

static int set_keyword(struct xb_tar_extra *x, struct xb_view key, struct xb_view value)
{
	static const struct xb_view xattr = XB_VIEW("SCHILY.xattr.");

	for (size_t i = 0; i < XB_COUNT(keywords); i++) {
		void *field = (char *)x + keywords[i].offset;

		if (xb_view_is(key, keywords[i].name))
			return keywords[i].text ? set_text(field, value) : set_number(field, value);
	}
	if (xb_view_starts(key, xattr))
		return set_xattr(x, xb_view_sub(key, xattr.len, key.len), value);
	if (xb_view_is(key, "mtime"))
		return set_time(x, value);
	if (xb_view_is(key, "GNU.sparse.numbytes"))
		return add_run(x, value);
	if (xb_view_is(key, "GNU.sparse.map"))
		return set_runs(x, value);
	return 0; /* says nothing that a layer keeps */
}

/* Cut "LENGTH key=value\n" off the front of `*rest`. */
static int cut_record(struct xb_view *rest, struct xb_view *ret_key, struct xb_view *ret_value)
{
	ptrdiff_t blank = xb_view_find(xb_view_sub(*rest, 0, 20), ' ');
	struct xb_view body;
	ptrdiff_t equals;
	uint64_t len;

	if (blank <= 0 ||
	    xb_view_parse_u64(xb_view_sub(*rest, 0, (size_t)blank), rest->len, &len) < 0)
		return -EINVAL;
	if (len <= (uint64_t)blank + 1 || rest->data[len - 1] != '\n')
		return -EINVAL;
	body = xb_view_sub(*rest, (size_t)blank + 1, (size_t)len - (size_t)blank - 2);
	equals = xb_view_find(body, '=');
	if (equals <= 0)
		return -EINVAL;
	*ret_key = xb_view_sub(body, 0, (size_t)equals);
	*ret_value = xb_view_sub(body, (size_t)equals + 1, body.len);
	*rest = xb_view_sub(*rest, (size_t)len, rest->len);
	return 0;
}

int xb_tar_extra_records(struct xb_tar_extra *x, struct xb_view records, struct xb_error *err)
{
	while (records.len > 0) {
		struct xb_view key, value;

		if (cut_record(&records, &key, &value) < 0)
			return damaged(err, "a pax header is not made of records");
		if (set_keyword(x, key, value) < 0) {
			xb_auto_str struct xb_str quoted = XB_STR_INIT(XB_STR_OWN);

			xb_str_append_quoted(&quoted, xb_view_sub(key, 0, 80));
			return xb_error_set(err, -EBADMSG, "damaged tar: pax record %s is wrong",
					    xb_str_text(&quoted));
		}
	}
	return 0;
}
