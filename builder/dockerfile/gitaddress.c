/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/gitaddress.h"

#include <errno.h>
#include <string.h>

/* No server takes a longer one, and it has to fit into an argument of a program. */
#define MAX_ADDRESS ((size_t)16 << 10)

static const char *const scheme_names[] = {
	[XB_GIT_HTTPS] = "https",
	[XB_GIT_HTTP] = "http",
	[XB_GIT_SSH] = "ssh",
	[XB_GIT_GIT] = "git",
};

void xb_git_address_clear(struct xb_git_address *a)
{
	free(a->user);
	free(a->password);
	free(a->host);
	free(a->path);
	free(a->query);
	free(a->fragment);
	free(a->remote);
	*a = (struct xb_git_address){ 0 };
}

const char *xb_git_scheme_name(enum xb_git_scheme scheme)
{
	return scheme_names[scheme];
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool has_control(struct xb_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_control(text.data[i]))
			return true;
	}
	return false;
}

int xb_git_decode(struct xb_view text, bool plus, struct xb_str *ret)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '+' && plus) {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
			int low = i + 2 < text.len ? hex_digit(text.data[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (is_control(c))
			return -EINVAL;
		(void)xb_str_putc(ret, c);
	}
	return 0;
}

/* Decode into a fresh string of the address. */
static int decode(struct xb_view text, char **ret)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(MAX_ADDRESS);
	int r = xb_git_decode(text, false, &s);

	if (r == 0)
		*ret = xb_str_steal(&s);
	return r;
}

/* Cut what follows the first `separator` off `*text`; NULL data when it has none. */
static struct xb_view cut(struct xb_view *text, char separator)
{
	ptrdiff_t at = xb_view_find(*text, separator);
	struct xb_view rest = { 0 };

	if (at < 0)
		return rest;
	rest = xb_view_sub(*text, (size_t)at + 1, text->len);
	if (rest.data == NULL)
		rest.data = "";
	text->len = (size_t)at;
	return rest;
}

static int malformed(struct xb_error *err, const char *what)
{
	xb_error_set(err, -EINVAL, "%s", what);
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

static bool is_port(struct xb_view text)
{
	uint64_t port;

	return text.len == 0 || xb_view_parse_u64(text, UINT16_MAX, &port) == 0;
}

/* "[address]" and what follows it. */
static bool is_bracketed(struct xb_view host)
{
	ptrdiff_t end = xb_view_find(host, ']');
	size_t i = 1;

	if (end < 2)
		return false;
	while (i < (size_t)end &&
	       (hex_digit(host.data[i]) >= 0 || host.data[i] == ':' || host.data[i] == '.'))
		i++;
	if (i != (size_t)end)
		return false;
	host = xb_view_sub(host, i + 1, host.len);
	return host.len == 0 || (host.data[0] == ':' && is_port(xb_view_sub(host, 1, host.len)));
}

static bool is_host(struct xb_view host)
{
	struct xb_view name = host;

	if (host.len > 0 && host.data[0] == '[')
		return is_bracketed(host);
	if (!is_port(cut(&name, ':')) || name.len == 0 || name.data[0] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (!is_alnum(name.data[i]) && strchr("-._", name.data[i]) == NULL)
			return false;
	}
	return true;
}

/* Append a path as it may stand in a URL. */
static void append_path(struct xb_str *s, struct xb_view path)
{
	for (size_t i = 0; i < path.len; i++) {
		char c = path.data[i];

		if (is_alnum(c) || strchr("-._~!$&'()*+,;=:@[]/%", c) != NULL)
			(void)xb_str_putc(s, c);
		else
			(void)xb_str_printf(s, "%%%02X", (unsigned)(unsigned char)c);
	}
}

/* "user[:password]" before the '@' of an authority. */
static int parse_user(struct xb_view info, struct xb_git_address *a)
{
	struct xb_view password = cut(&info, ':');

	if (decode(info, &a->user) < 0 ||
	    (password.data != NULL && decode(password, &a->password) < 0))
		return -EINVAL;
	return 0;
}

/* Cut "user[:password]@" off an authority; its end is the last '@'. */
static struct xb_view cut_user(struct xb_view *authority)
{
	struct xb_view info = { 0 };

	for (size_t n = authority->len; n > 0; n--) {
		if (authority->data[n - 1] == '@') {
			info = xb_view_sub(*authority, 0, n - 1);
			*authority = xb_view_sub(*authority, n, authority->len);
			break;
		}
	}
	return info;
}

/* ssh gets it as part of an argument. */
static bool is_ssh_user(const char *user)
{
	if (*user == '-' || *user == '\0')
		return false;
	while (is_alnum(*user) || (*user != '\0' && strchr("-._+", *user) != NULL))
		user++;
	return *user == '\0';
}

static int parse_authority(struct xb_view authority, struct xb_git_address *a, struct xb_error *err)
{
	struct xb_view info = cut_user(&authority);

	if (info.data != NULL && parse_user(info, a) < 0)
		return malformed(err, "a user name or password with an escape that is none");
	if (a->scheme == XB_GIT_SSH && a->user != NULL && !is_ssh_user(a->user))
		return malformed(err, "a user name of ssh that is none");
	if (!is_host(authority))
		return malformed(err, "a host that is none");
	a->host = xb_view_dup(authority);
	return 0;
}

/* The remote of a URL: its text without query and fragment. */
static void set_remote(struct xb_git_address *a, struct xb_view authority, struct xb_view path)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(4 * MAX_ADDRESS);

	(void)xb_str_printf(&s, "%s://%.*s", scheme_names[a->scheme], XB_VIEW_ARGS(authority));
	append_path(&s, path);
	a->remote = xb_str_steal(&s);
}

/* What stands behind "scheme://". */
static int parse_url(struct xb_view rest, struct xb_git_address *a, struct xb_error *err)
{
	struct xb_view fragment = cut(&rest, '#');
	struct xb_view query = cut(&rest, '?');
	ptrdiff_t slash = xb_view_find(rest, '/');
	struct xb_view authority = xb_view_sub(rest, 0, slash < 0 ? rest.len : (size_t)slash);
	struct xb_view path = xb_view_sub(rest, authority.len, rest.len);
	int r = parse_authority(authority, a, err);

	if (r < 0)
		return r;
	if (decode(path, &a->path) < 0)
		return malformed(err, "a path with an escape that is none");
	if (fragment.data != NULL && decode(fragment, &a->fragment) < 0)
		return malformed(err, "a fragment with an escape that is none");
	a->query = query.data != NULL ? xb_view_dup(query) : NULL;
	set_remote(a, authority, path);
	return 0;
}

/* Bytes of the user of the short form, or 0 when the text does not have it. */
static size_t short_user(struct xb_view text)
{
	size_t n = 0;

	while (n < text.len && (is_alnum(text.data[n]) || strchr("-_", text.data[n]) != NULL))
		n++;
	return n < text.len && text.data[n] == '@' ? n : 0;
}

/* "user@host:path"; `user` is the length of its first part. */
static int parse_short(struct xb_view text, size_t user, struct xb_git_address *a,
		       struct xb_error *err)
{
	struct xb_view host;
	struct xb_view path = text;
	struct xb_view fragment = cut(&path, '#');
	struct xb_view query = cut(&path, '?');
	struct xb_view remote = path;

	a->scheme = XB_GIT_SSH;
	a->short_form = true;
	a->user = xb_view_dup(xb_view_sub(text, 0, user));
	host = xb_view_sub(path, user + 1, path.len);
	path = cut(&host, ':');
	if (a->user[0] == '-' || !is_host(host) || (path.len > 0 && path.data[0] == '-'))
		return malformed(err, "a user, host or path that is none or begins with a dash");
	a->host = xb_view_dup(host);
	a->path = xb_view_dup(path);
	a->remote = xb_view_dup(remote);
	a->query = query.data != NULL ? xb_view_dup(query) : NULL;
	a->fragment = fragment.data != NULL ? xb_view_dup(fragment) : NULL;
	return 0;
}

/* Whether the text has the short form's user and, before query and fragment, "host:". */
static bool is_short(struct xb_view text, size_t user)
{
	struct xb_view rest = xb_view_sub(text, user + 1, text.len);
	size_t n = 0;

	while (n < rest.len && (is_alnum(rest.data[n]) || strchr("-.", rest.data[n]) != NULL))
		n++;
	return user > 0 && n > 0 && n < rest.len && rest.data[n] == ':';
}

/* The row of `scheme_names` that a text of the form "scheme://" begins with, or -1. */
static int find_scheme(struct xb_view text, size_t *ret_len)
{
	for (size_t i = 0; i < XB_COUNT(scheme_names); i++) {
		size_t n = strlen(scheme_names[i]);

		if (xb_view_eq_nocase(xb_view_sub(text, 0, n), xb_view(scheme_names[i])) &&
		    xb_view_starts(xb_view_sub(text, n, text.len), XB_VIEW("://"))) {
			*ret_len = n + strlen("://");
			return (int)i;
		}
	}
	return -1;
}

int xb_git_address_parse(const char *text, struct xb_git_address *ret, struct xb_error *err)
{
	xb_auto_git_address struct xb_git_address a = { 0 };
	struct xb_view view = xb_view(text);
	size_t user = short_user(view);
	size_t start = 0;
	int scheme = find_scheme(view, &start);
	int r;

	if (scheme < 0 && !is_short(view, user))
		return 0;
	if (view.len > MAX_ADDRESS)
		return malformed(err, "a URL of more than 16 KiB");
	if (has_control(view))
		return malformed(err, "a URL with control bytes");
	if (scheme >= 0) {
		a.scheme = (enum xb_git_scheme)scheme;
		r = parse_url(xb_view_sub(view, start, view.len), &a, err);
	} else {
		r = parse_short(view, user, &a, err);
	}
	if (r < 0)
		return r;
	*ret = a;
	a = (struct xb_git_address){ 0 };
	return 1;
}
