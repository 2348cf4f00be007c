/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_header.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static bool is_token(struct xb_view name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if (c >= 0x80 || (!isalnum(c) && strchr("!#$%&'*+-.^_`|~", c) == NULL) || c == '\0')
			return false;
	}
	return name.len > 0;
}

static bool is_value(struct xb_view value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static int bad_header(struct xb_error *err)
{
	return xb_error_set(err, -EPROTO, "malformed header in the answer");
}

static struct xb_view cut_end(struct xb_view line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static int continue_last(struct xb_strv *headers, struct xb_view more, struct xb_error *err)
{
	xb_autofree char *joined = NULL;

	if (headers->len == 0)
		return bad_header(err);
	joined = xb_format("%s %.*s", headers->items[headers->len - 1], XB_VIEW_ARGS(more));
	xb_strv_remove(headers, headers->len - 1);
	xb_strv_take(headers, XB_STEAL(joined));
	return 0;
}

int xb_http_header_add(struct xb_strv *headers, struct xb_view line, struct xb_error *err)
{
	struct xb_view value = cut_end(line), name;
	xb_autofree char *text = NULL;

	if (!is_value(value))
		return bad_header(err);
	if (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
		return continue_last(headers, xb_view_trim(value), err);
	if (!xb_view_split(&value, ':', &name) || value.data == NULL || !is_token(name))
		return bad_header(err);
	value = xb_view_trim(value);
	text = xb_format("%.*s: %.*s", XB_VIEW_ARGS(name), XB_VIEW_ARGS(value));
	for (size_t i = 0; i < name.len; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	xb_strv_take(headers, XB_STEAL(text));
	return 0;
}

const char *xb_http_header(const struct xb_strv *headers, const char *name, size_t index)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < headers->len; i++) {
		const char *text = headers->items[i];

		if (strncmp(text, name, len) == 0 && text[len] == ':' && index-- == 0)
			return text + len + 2;
	}
	return NULL;
}

int xb_http_header_single(const struct xb_strv *headers, const char *name, const char **ret_value,
			  struct xb_error *err)
{
	const char *first = xb_http_header(headers, name, 0), *other;

	for (size_t i = 1; (other = xb_http_header(headers, name, i)) != NULL; i++) {
		if (strcmp(first, other) != 0)
			return xb_error_set(err, -EPROTO, "several headers %s in the answer", name);
	}
	if (first == NULL)
		return 0;
	*ret_value = first;
	return 1;
}

int xb_http_length(const struct xb_strv *headers, uint64_t *ret, struct xb_error *err)
{
	const char *text = NULL;
	int r = xb_http_header_single(headers, "content-length", &text, err);

	if (r > 0 && xb_view_parse_u64(xb_view(text), INT64_MAX, ret) < 0)
		return xb_error_set(err, -EPROTO, "the answer's Content-Length is no number");
	return r;
}

/* "bytes 0-99/200", "bytes 0-99" and '*' for the total. */
static bool read_range(const char *text, struct xb_http_range *ret)
{
	struct xb_view rest = xb_view(text), unit, first, last;

	if (!xb_view_split(&rest, ' ', &unit) || !xb_view_eq_nocase(unit, XB_VIEW("bytes")) ||
	    !xb_view_split(&rest, '-', &first) || !xb_view_split(&rest, '/', &last) ||
	    rest.data == NULL)
		return false;
	ret->total = UINT64_MAX;
	if (xb_view_parse_u64(first, INT64_MAX, &ret->first) < 0 ||
	    xb_view_parse_u64(last, INT64_MAX, &ret->last) < 0 ||
	    (!xb_view_is(rest, "*") && xb_view_parse_u64(rest, INT64_MAX, &ret->total) < 0))
		return false;
	return ret->first <= ret->last && ret->last < ret->total;
}

int xb_http_range(const struct xb_strv *headers, struct xb_http_range *ret, struct xb_error *err)
{
	const char *text = NULL;
	int r = xb_http_header_single(headers, "content-range", &text, err);

	if (r > 0 && !read_range(text, ret))
		return xb_error_set(err, -EPROTO, "the answer's Content-Range makes no sense");
	return r;
}

/* A date's form for strptime(), and how many letters of a day's name stand before it. */
static const char *const date_forms[] = {
	"%a, %d %b %Y %H:%M:%S GMT", /* what is sent today */
	"%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
	"%a %b %e %H:%M:%S %Y",	     /* asctime() */
};

/* strptime() takes the 31st of any month; timegm() would make another day of it. */
static bool is_date(const struct tm *tm, int64_t *ret_seconds)
{
	struct tm copy = *tm;
	time_t seconds = timegm(&copy);

	*ret_seconds = seconds;
	return copy.tm_mday == tm->tm_mday && copy.tm_mon == tm->tm_mon &&
	       copy.tm_hour == tm->tm_hour && copy.tm_sec == tm->tm_sec;
}

int xb_http_date(struct xb_view text, int64_t *ret_seconds)
{
	xb_autofree char *copy = NULL;

	text = xb_view_trim(text);
	if (text.len > 64 || memchr(text.data != NULL ? text.data : "", 0, text.len) != NULL)
		return -EINVAL;
	copy = xb_view_dup(text);
	for (size_t i = 0; i < XB_COUNT(date_forms); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(copy, date_forms[i], &tm);

		if (end != NULL && *end == '\0')
			return is_date(&tm, ret_seconds) ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int64_t xb_http_retry_after(const struct xb_strv *headers, int64_t now)
{
	const char *text = xb_http_header(headers, "retry-after", 0);
	uint64_t seconds;
	int64_t date;

	if (text == NULL)
		return -1;
	if (xb_view_parse_u64(xb_view(text), INT64_MAX, &seconds) >= 0)
		return (int64_t)seconds;
	if (xb_http_date(xb_view(text), &date) < 0)
		return -1;
	return date > now ? date - now : 0;
}

const char *xb_http_validator(const struct xb_strv *headers)
{
	const char *etag = xb_http_header(headers, "etag", 0);
	const char *modified = xb_http_header(headers, "last-modified", 0);
	const char *date = xb_http_header(headers, "date", 0);
	int64_t then, now;

	if (etag != NULL && etag[0] == '"')
		return etag;
	if (modified == NULL || date == NULL || xb_http_date(xb_view(modified), &then) < 0 ||
	    xb_http_date(xb_view(date), &now) < 0 || then >= now)
		return NULL;
	return modified;
}
