/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/mask.h"

#include <string.h>

/* Shorter lines of longer secrets are masked only where nothing else stands on the line. */
#define SHORT_LINE 4

static void insert(struct xb_mask_views *views, struct xb_view needle)
{
	size_t i = views->len;

	*xb_array_push(views) = needle;
	for (; i > 0 && views->items[i - 1].len < needle.len; i--)
		views->items[i] = views->items[i - 1];
	views->items[i] = needle;
}

static void add_secret(struct xb_mask *mask, struct xb_view secret)
{
	bool several = xb_view_find(xb_view_trim(secret), '\n') >= 0;
	struct xb_view line;

	while (xb_view_split(&secret, '\n', &line)) {
		line = xb_view_trim(line);
		if (line.len == 0)
			continue;
		insert(several && line.len < SHORT_LINE ? &mask->lines : &mask->anywhere, line);
		if (line.len > mask->longest)
			mask->longest = line.len;
	}
}

void xb_mask_init(struct xb_mask *mask, const struct xb_secrets *secrets)
{
	for (size_t i = 0; secrets != NULL && i < secrets->len; i++)
		add_secret(mask, xb_str_view(&secrets->items[i].data));
}

void xb_mask_clear(struct xb_mask *mask)
{
	xb_array_clear(&mask->anywhere);
	xb_array_clear(&mask->lines);
}

/* Bytes of the secret that `text` begins with, or 0. */
static size_t match(const struct xb_mask *mask, struct xb_view text)
{
	for (size_t i = 0; i < mask->anywhere.len; i++) {
		if (xb_view_starts(text, mask->anywhere.items[i]))
			return mask->anywhere.items[i].len;
	}
	return 0;
}

static bool is_line(const struct xb_mask *mask, struct xb_view piece)
{
	struct xb_view line = xb_view_trim(piece);

	for (size_t i = 0; i < mask->lines.len; i++) {
		if (xb_view_eq(line, mask->lines.items[i]))
			return true;
	}
	return false;
}

size_t xb_mask_piece(const struct xb_mask *mask, struct xb_view piece, bool more,
		     struct xb_str *out)
{
	size_t keep = more && mask->longest > 0 ? mask->longest - 1 : 0;
	size_t i = 0;

	if (!more && is_line(mask, piece)) {
		(void)xb_str_puts(out, XB_MASK_TEXT);
		return piece.len;
	}
	while (i + keep < piece.len) {
		size_t n = match(mask, xb_view_sub(piece, i, piece.len));

		if (n > 0)
			(void)xb_str_puts(out, XB_MASK_TEXT);
		else
			(void)xb_str_putc(out, piece.data[i]);
		i += n > 0 ? n : 1;
	}
	return i;
}
