/* SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include <string.h>

/* The value of a parameter is nobody's business when its name has one of these as a part. */
static const char *const secret_words[] = {
	"token",  "accesstoken", "signature",	"sig", "password", "passwd", "pw",
	"secret", "credential",	 "credentials", "key", "apikey",   "auth",   "authorization",
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_secret_word(struct xb_view part)
{
	for (size_t i = 0; i < XB_COUNT(secret_words); i++) {
		if (xb_view_eq_nocase(part, xb_view(secret_words[i])))
			return true;
	}
	return false;
}

/* "X-Amz-Signature" is, "design" is not. */
static bool is_secret(struct xb_view name)
{
	size_t from = 0;

	for (size_t i = 0; i <= name.len; i++) {
		if (i < name.len && is_letter(name.data[i]))
			continue;
		if (is_secret_word(xb_view_sub(name, from, i - from)))
			return true;
		from = i + 1;
	}
	return false;
}

/* Append a query, from its '?' to where a fragment begins. */
static void append_query(struct xb_view query, struct xb_str *ret)
{
	struct xb_view rest = xb_view_sub(query, 1, query.len);
	struct xb_view pair;
	char before = '?';

	while (xb_view_split(&rest, '&', &pair)) {
		struct xb_view value = pair;
		struct xb_view name;

		(void)xb_view_split(&value, '=', &name);
		(void)xb_str_putc(ret, before);
		if (value.data != NULL && is_secret(name))
			(void)xb_str_printf(ret, "%.*s=xxxxx", XB_VIEW_ARGS(name));
		else
			(void)xb_str_append_view(ret, pair);
		before = '&';
	}
}

/* Bytes of `text` before the first of `stops`. */
static size_t span(struct xb_view text, const char *stops)
{
	size_t n = 0;

	while (n < text.len && strchr(stops, text.data[n]) == NULL)
		n++;
	return n;
}

/* Bytes of "user:password@" that what stands before the path begins with. */
static size_t user_length(struct xb_view authority)
{
	for (size_t n = authority.len; n > 0; n--) {
		if (authority.data[n - 1] == '@')
			return n;
	}
	return 0;
}

void xb_url_append_shown(struct xb_str *ret, const char *url)
{
	const char *scheme = strstr(url, "://");
	size_t start = scheme != NULL ? (size_t)(scheme - url) + strlen("://") : 0;
	struct xb_view rest = xb_view(url + start);
	struct xb_view authority = xb_view_sub(rest, 0, span(rest, "/?#"));
	struct xb_view query;
	size_t path;

	(void)xb_str_append(ret, url, start);
	/* "git@host:path" is a short form of ssh; its user is part of how one writes it */
	if (scheme != NULL)
		rest = xb_view_sub(rest, user_length(authority), rest.len);
	path = span(rest, "?#");
	(void)xb_str_append_view(ret, xb_view_sub(rest, 0, path));
	query = xb_view_sub(rest, path, rest.len);
	rest = xb_view_sub(query, span(query, "#"), query.len);
	if (query.len > rest.len)
		append_query(xb_view_sub(query, 0, query.len - rest.len), ret);
	(void)xb_str_append_view(ret, rest);
}

/* Where an authority ends, in text of any kind. */
static bool ends_authority(char c)
{
	return strchr("/?#\"'<>\\", c) != NULL || (unsigned char)c <= ' ';
}

/* Bytes of "user:password" before the '@' that an authority at the start of `text` has, or 0. */
static size_t user_of(struct xb_view text)
{
	size_t user = 0;

	for (size_t n = 0; n < text.len && !ends_authority(text.data[n]); n++) {
		if (text.data[n] == '@')
			user = n;
	}
	return user;
}

void xb_url_append_masked(struct xb_str *ret, struct xb_view text)
{
	size_t at = 0;

	while (at < text.len) {
		struct xb_view rest = xb_view_sub(text, at, text.len);
		size_t user;

		if (!xb_view_starts(rest, XB_VIEW("://"))) {
			(void)xb_str_putc(ret, text.data[at++]);
			continue;
		}
		(void)xb_str_puts(ret, "://");
		at += strlen("://");
		user = user_of(xb_view_sub(text, at, text.len));
		for (size_t i = 0; i < user; i++)
			(void)xb_str_putc(ret, text.data[at + i] == ':' ? ':' : '*');
		at += user;
	}
}
