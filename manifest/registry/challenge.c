/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/challenge.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/http_header.h"
#include "base/http_request.h"

void xb_challenges_clear(struct xb_challenges *challenges)
{
	for (size_t i = 0; i < challenges->len; i++) {
		free(challenges->items[i].scheme);
		free(challenges->items[i].realm);
		free(challenges->items[i].service);
		free(challenges->items[i].scope);
		free(challenges->items[i].error);
	}
	xb_array_clear(challenges);
}

static int malformed(struct xb_error *err)
{
	(void)xb_error_set(err, -EPROTO, "malformed WWW-Authenticate header");
	return xb_error_fault(err, XB_FAULT_REGISTRY), -EPROTO;
}

static void skip(struct xb_view *rest, const char *what)
{
	while (rest->len > 0 && rest->data[0] != '\0' && strchr(what, rest->data[0]) != NULL)
		*rest = xb_view_sub(*rest, 1, rest->len);
}

/* Cut off the bytes that are letters, digits or one of `others`. */
static struct xb_view take(struct xb_view *rest, const char *others)
{
	struct xb_view taken = { rest->data, 0 };

	while (taken.len < rest->len &&
	       (isalnum((unsigned char)taken.data[taken.len]) ||
		(taken.data[taken.len] != '\0' && strchr(others, taken.data[taken.len]) != NULL)))
		taken.len++;
	*rest = xb_view_sub(*rest, taken.len, rest->len);
	return taken;
}

static struct xb_view take_token(struct xb_view *rest)
{
	return take(rest, "!#$%&'*+-.^_`|~");
}

static bool is_next(struct xb_view rest, char c)
{
	return rest.len > 0 && rest.data[0] == c;
}

/* What stands between quotes, escapes undone; false without the second quote. */
static bool take_quoted(struct xb_view *rest, struct xb_str *ret)
{
	size_t i = 1;

	for (; i < rest->len && rest->data[i] != '"'; i++) {
		if (rest->data[i] == '\\')
			i++;
		if (i < rest->len)
			(void)xb_str_putc(ret, rest->data[i]);
	}
	if (i >= rest->len)
		return false;
	*rest = xb_view_sub(*rest, i + 1, rest->len);
	return true;
}

/* A value; one without quotes may hold what should have been quoted, up to the next comma. */
static bool take_value(struct xb_view *rest, struct xb_str *ret)
{
	size_t len = 0;

	if (is_next(*rest, '"'))
		return take_quoted(rest, ret);
	while (len < rest->len && strchr(", \t\"", rest->data[len]) == NULL)
		len++;
	(void)xb_str_append(ret, rest->data, len);
	*rest = xb_view_sub(*rest, len, rest->len);
	return len > 0;
}

/* The member that a parameter fills, or NULL for one that means nothing here. */
static char **member_of(struct xb_challenge *challenge, struct xb_view name)
{
	const struct {
		const char *name;
		char **member;
	} members[] = {
		{ "realm", &challenge->realm },
		{ "service", &challenge->service },
		{ "scope", &challenge->scope },
		{ "error", &challenge->error },
	};

	for (size_t i = 0; i < XB_COUNT(members); i++) {
		if (xb_view_eq_nocase(name, xb_view(members[i].name)))
			return members[i].member;
	}
	return NULL;
}

static int set_param(struct xb_challenge *challenge, struct xb_view name, struct xb_str *value,
		     struct xb_error *err)
{
	char **member = member_of(challenge, name);

	if (member == NULL)
		return 0;
	/* of two, the one that is checked might not be the one that others use */
	if (*member != NULL)
		return malformed(err);
	*member = xb_str_steal(value);
	return 0;
}

/* Parameters up to the next challenge, which begins with a name that no '=' follows. */
static int read_params(struct xb_view *rest, struct xb_challenge *challenge, struct xb_error *err)
{
	for (int r = 0;;) {
		xb_auto_str struct xb_str value = XB_STR_INIT(XB_MAX_HTTP_HEADERS);
		struct xb_view at, name;

		skip(rest, ", \t");
		at = *rest;
		name = take_token(&at);
		skip(&at, " \t");
		if (name.len == 0 || !is_next(at, '='))
			return 0;
		skip(&at, "=");
		skip(&at, " \t");
		if (!take_value(&at, &value))
			return malformed(err);
		r = set_param(challenge, name, &value, err);
		if (r < 0)
			return r;
		*rest = at;
	}
}

/* The form of Negotiate and NTLM: one run of base64, which means nothing here. */
static void skip_token68(struct xb_view *rest)
{
	struct xb_view at = *rest;

	skip(&at, " \t");
	(void)take(&at, "-._~+/");
	skip(&at, "=");
	skip(&at, " \t");
	if (at.len == 0 || at.data[0] == ',')
		*rest = at;
}

static char *lower_dup(struct xb_view text)
{
	char *copy = xb_view_dup(text);

	for (char *c = copy; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static int read_line(struct xb_view rest, struct xb_challenges *ret, struct xb_error *err)
{
	for (skip(&rest, ", \t"); rest.len > 0; skip(&rest, ", \t")) {
		struct xb_view scheme = take_token(&rest);
		struct xb_challenge *challenge;
		int r;

		if (scheme.len == 0 || ret->len == XB_MAX_CHALLENGES)
			return malformed(err);
		challenge = xb_array_push(ret);
		challenge->scheme = lower_dup(scheme);
		skip_token68(&rest);
		r = read_params(&rest, challenge, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int xb_challenges_read(const struct xb_strv *headers, struct xb_challenges *ret,
		       struct xb_error *err)
{
	const char *line;
	int r = 0;

	for (size_t i = 0;
	     r == 0 && (line = xb_http_header(headers, "www-authenticate", i)) != NULL; i++)
		r = read_line(xb_view(line), ret, err);
	return r;
}

const struct xb_challenge *xb_challenges_find(const struct xb_challenges *challenges,
					      const char *scheme)
{
	for (size_t i = 0; i < challenges->len; i++) {
		if (strcmp(challenges->items[i].scheme, scheme) == 0)
			return &challenges->items[i];
	}
	return NULL;
}
