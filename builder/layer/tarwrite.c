/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/tarwrite.h"

#include <stdio.h>
#include <string.h>

/* The header as POSIX lays it out. */
struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[8]; /* "ustar", NUL, "00" */
	char uname[32];
	char gname[32];
	char device_major[8];
	char device_minor[8];
	char prefix[155];
	char rest[12];
};
_Static_assert(sizeof(struct ustar) == XB_TAR_BLOCK, "a tar header is one block");

#define MAX_ID	  UINT64_C(07777777)	 /* seven octal digits */
#define MAX_LONG  UINT64_C(077777777777) /* eleven */
#define MAX_FIELD 100			 /* bytes of a name or link target */

static void put_octal(char *field, size_t size, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%0*llo", (int)size - 1, (unsigned long long)value);
	memcpy(field, digits, size); /* its NUL included */
}

static void put_text(char *field, size_t size, struct xb_view text)
{
	memcpy(field, text.data, text.len < size ? text.len : size);
}

static void put_header(struct xb_str *out, const struct xb_tar_entry *e)
{
	struct ustar h = { 0 };
	unsigned sum = 0;

	put_text(h.name, sizeof(h.name), xb_view(e->name));
	put_octal(h.mode, sizeof(h.mode), e->mode & 07777);
	put_octal(h.uid, sizeof(h.uid), e->uid > MAX_ID ? 0 : e->uid);
	put_octal(h.gid, sizeof(h.gid), e->gid > MAX_ID ? 0 : e->gid);
	put_octal(h.size, sizeof(h.size), e->size > MAX_LONG ? 0 : e->size);
	put_octal(h.mtime, sizeof(h.mtime), (uint64_t)e->mtime > MAX_LONG ? 0 : (uint64_t)e->mtime);
	h.type = (char)e->type;
	if (e->link != NULL)
		put_text(h.link, sizeof(h.link), xb_view(e->link));
	memcpy(h.magic, "ustar\00000", sizeof(h.magic));
	put_octal(h.device_major, sizeof(h.device_major), e->device_major);
	put_octal(h.device_minor, sizeof(h.device_minor), e->device_minor);

	/* the sum is taken with blanks in its own place, and written in six digits, NUL, blank */
	memset(h.checksum, ' ', sizeof(h.checksum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((const unsigned char *)&h)[i];
	put_octal(h.checksum, sizeof(h.checksum) - 1, sum);
	xb_str_append(out, &h, sizeof(h));
}

/* "LENGTH keyword=value\n", where LENGTH counts its own digits too. */
static void put_record(struct xb_str *out, const char *prefix, const char *key,
		       struct xb_view value)
{
	size_t rest = strlen(prefix) + strlen(key) + value.len + 3; /* blank, '=', newline */
	size_t total = rest + 1;
	char digits[24];

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", total) + rest != total)
		total = rest + strlen(digits);
	xb_str_printf(out, "%s %s%s=", digits, prefix, key);
	xb_str_append_view(out, value);
	xb_str_putc(out, '\n');
}

static void put_number_record(struct xb_str *out, const char *key, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	put_record(out, "", key, xb_view(digits));
}

/* The records that this entry needs, sorted by keyword. */
static void put_records(struct xb_str *out, const struct xb_tar_entry *e)
{
	for (size_t i = 0; e->xattrs != NULL && i < e->xattrs->len; i++) {
		const struct xb_xattr *a = &e->xattrs->items[i];

		put_record(out, "SCHILY.xattr.", a->name, (struct xb_view){ a->value, a->len });
	}
	if (e->gid > MAX_ID)
		put_number_record(out, "gid", e->gid);
	if (e->link != NULL && strlen(e->link) > MAX_FIELD)
		put_record(out, "", "linkpath", xb_view(e->link));
	if (e->mtime > (int64_t)MAX_LONG)
		put_number_record(out, "mtime", (uint64_t)e->mtime);
	if (strlen(e->name) > MAX_FIELD)
		put_record(out, "", "path", xb_view(e->name));
	if (e->size > MAX_LONG)
		put_number_record(out, "size", e->size);
	if (e->uid > MAX_ID)
		put_number_record(out, "uid", e->uid);
}

void xb_tar_header(struct xb_str *out, const struct xb_tar_entry *entry)
{
	static const char zeros[XB_TAR_BLOCK];
	xb_auto_str struct xb_str records = XB_STR_INIT(XB_STR_OWN);
	struct xb_tar_entry e = *entry;

	if (e.mtime < 0)
		e.mtime = 0;
	put_records(&records, &e);
	if (records.len > 0) {
		put_header(out, &(struct xb_tar_entry){ .name = "PaxHeaders.0/entry",
							.type = (enum xb_tar_type)'x',
							.mode = 0644,
							.size = records.len });
		xb_str_append_view(out, xb_str_view(&records));
		xb_str_append(out, zeros, xb_tar_padding(records.len));
	}
	put_header(out, &e);
}
