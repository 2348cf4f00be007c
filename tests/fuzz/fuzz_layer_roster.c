/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rosters of layers, one over the other: what begins like one begins a new layer. What comes out
 * is asked for by every name that is in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "builder/layer/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xb_view magic = XB_VIEW("xbuild-roster 1\n");

/* Go down by the components of `name`; all that is said of what is there must be readable. */
static void look(const struct xb_shape *shape, struct xb_view name)
{
	const struct xb_shape_node *node = xb_shape_root(shape);
	struct xb_view piece;

	while (node != NULL && xb_view_split(&name, '/', &piece)) {
		xb_autofree char *text = xb_view_dup(piece);
		struct xb_view content;
		struct stat st;

		if (xb_shape_kind(node) != XB_ROSTER_DIRECTORY)
			return;
		if (xb_shape_is_empty(node) && xb_shape_child(node, text) != NULL)
			__builtin_trap();
		node = xb_shape_child(node, text);
		if (node != NULL && xb_shape_content(node, &content) && content.len > 0)
			(void)xb_digest_of(content.data, content.len);
		if (node != NULL)
			(void)xb_shape_stat(node, &st);
	}
}

static void check_name(struct xb_view name)
{
	struct xb_view rest = name, piece;

	while (name.len > 0 && xb_view_split(&rest, '/', &piece))
		if (piece.len == 0 || xb_view_is(piece, "..") || xb_view_find(piece, '\0') >= 0)
			__builtin_trap();
}

static void look_for_all(const struct xb_shape *shape, struct xb_view rest)
{
	struct xb_roster_entry e;

	if (xb_roster_begin(&rest, NULL) < 0)
		return;
	while (xb_roster_next(&rest, &e, NULL) > 0) {
		check_name(e.name);
		look(shape, e.name);
	}
}

/* Where the next layer begins behind the start of this one. */
static size_t length_of(struct xb_view rest)
{
	size_t at = 1;

	while (at < rest.len && !xb_view_starts(xb_view_sub(rest, at, rest.len - at), magic))
		at++;
	return at < rest.len ? at : rest.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_shape *shape = xb_shape_new();
	struct xb_view rest = { (const char *)data, size };
	int r = 0;

	while (r == 0 && rest.len > 0) {
		struct xb_str text = XB_STR_INIT(XB_MAX_ROSTER);
		struct xb_error err = XB_ERROR_INIT;
		struct xb_view layer = xb_view_sub(rest, 0, length_of(rest));

		xb_str_append_view(&text, layer);
		r = xb_shape_add(shape, &text, &err);
		xb_str_clear(&text);
		if ((r < 0) != (err.message != NULL))
			__builtin_trap();
		xb_error_clear(&err);
		if (r == 0)
			look_for_all(shape, layer);
		rest = xb_view_sub(rest, layer.len, rest.len - layer.len);
	}
	xb_shape_free(shape);
	return 0;
}
