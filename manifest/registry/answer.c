/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/answer.h"

#include <errno.h>
#include <stdbool.h>

#include "base/http_header.h"
#include "manifest/media.h"

int xb_registry_digest(const struct xb_strv *headers, struct xb_digest *ret, struct xb_error *err)
{
	const char *text = NULL;
	int r = xb_http_header_single(headers, "docker-content-digest", &text, err);

	if (r > 0 && xb_digest_parse(xb_view(text), ret, NULL) < 0)
		return xb_error_set(err, -EPROTO, "its Docker-Content-Digest is not a digest");
	return r;
}

char *xb_registry_media_type(const struct xb_strv *headers)
{
	struct xb_view rest = xb_view(xb_http_header(headers, "content-type", 0)), type;

	if (!xb_view_split(&rest, ';', &type))
		return NULL;
	type = xb_view_trim(type);
	return xb_media_type_valid(type) ? xb_view_dup(type) : NULL;
}

int xb_registry_upload_range(const struct xb_strv *headers, uint64_t *ret_last,
			     struct xb_error *err)
{
	const char *text = NULL;
	struct xb_view rest, first;
	uint64_t number = 0;
	int r = xb_http_header_single(headers, "range", &text, err);

	if (r <= 0)
		return r;
	rest = xb_view(text);
	if (xb_view_starts(rest, XB_VIEW("bytes=")))
		rest = xb_view_sub(rest, 6, rest.len);
	if (!xb_view_split(&rest, '-', &first) ||
	    xb_view_parse_u64(first, INT64_MAX, &number) < 0 || number != 0 ||
	    xb_view_parse_u64(rest, INT64_MAX, ret_last) < 0)
		return xb_error_set(err, -EPROTO, "its Range of the upload makes no sense");
	return 1;
}

/* The parameters of a link, behind its '>': whether one is rel with "next" among its words. */
static bool is_next(struct xb_view parameters)
{
	struct xb_view piece;

	while (xb_view_split(&parameters, ';', &piece)) {
		struct xb_view name, word;

		if (!xb_view_split(&piece, '=', &name) || piece.data == NULL ||
		    !xb_view_eq_nocase(xb_view_trim(name), XB_VIEW("rel")))
			continue;
		piece = xb_view_trim(piece);
		if (piece.len >= 2 && piece.data[0] == '"' && piece.data[piece.len - 1] == '"')
			piece = xb_view_sub(piece, 1, piece.len - 2);
		while (xb_view_split(&piece, ' ', &word)) {
			if (xb_view_eq_nocase(word, XB_VIEW("next")))
				return true;
		}
	}
	return false;
}

/* One header: links with commas between them, which the targets may hold as well. */
static char *find_next(struct xb_view rest)
{
	struct xb_view before, target, parameters;

	while (xb_view_split(&rest, '<', &before) && rest.data != NULL) {
		struct xb_view behind;

		if (!xb_view_split(&rest, '>', &target) || rest.data == NULL)
			return NULL;
		behind = rest;
		(void)xb_view_split(&behind, '<', &parameters);
		parameters = xb_view_trim(parameters);
		if (parameters.len > 0 && parameters.data[parameters.len - 1] == ',')
			parameters.len--;
		if (is_next(parameters) && target.len > 0)
			return xb_view_dup(target);
	}
	return NULL;
}

char *xb_registry_next(const struct xb_strv *headers)
{
	const char *text;
	char *next = NULL;

	for (size_t i = 0; next == NULL && (text = xb_http_header(headers, "link", i)) != NULL; i++)
		next = find_next(xb_view(text));
	return next;
}
