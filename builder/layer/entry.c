/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/entry.h"

#include <errno.h>
#include <string.h>

int xb_entry_clean(const char *text, struct xb_str *out, struct xb_error *err)
{
	struct xb_view rest = xb_view(text), piece;

	xb_str_reset(out);
	while (xb_view_split(&rest, '/', &piece)) {
		if (piece.len == 0 || xb_view_is(piece, "."))
			continue;
		if (xb_view_is(piece, ".."))
			return xb_error_set(err, -EBADMSG, "a name with \"..\" in it");
		if (out->len > 0)
			xb_str_putc(out, '/');
		xb_str_append_view(out, piece);
	}
	return 0;
}

int xb_entry_meaning(const char *name, const char **ret_hidden, struct xb_error *err)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash != NULL ? slash + 1 : name;
	const char *hidden = base + strlen(".wh.");

	if (strncmp(base, ".wh.", strlen(".wh.")) != 0)
		return XB_ENTRY_PLAIN;
	if (strcmp(hidden, ".wh..opq") == 0)
		return XB_ENTRY_OPAQUE;
	if (strncmp(hidden, ".wh.", strlen(".wh.")) == 0)
		return XB_ENTRY_FOREIGN;
	if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return xb_error_set(err, -EBADMSG, "a whiteout of no name");
	*ret_hidden = hidden;
	return XB_ENTRY_WHITEOUT;
}
