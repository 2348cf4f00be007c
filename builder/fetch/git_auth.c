/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git_auth.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/http_url.h"
#include "base/url.h"

#define MAX_HEADER ((size_t)64 << 10)

/* A secret too short to be one would be found everywhere. */
static void keep_secret(struct xb_git *git, struct xb_view text)
{
	if (text.len >= 4)
		xb_strv_push_view(&git->secrets, text);
}

/* "Basic" of "user:password". */
static void append_basic(struct xb_git *git, struct xb_str *header, const char *user,
			 struct xb_view password)
{
	xb_auto_str struct xb_str both = XB_STR_INIT(MAX_HEADER);
	xb_auto_str struct xb_str encoded = XB_STR_INIT(2 * MAX_HEADER);

	(void)xb_str_printf(&both, "%s:%.*s", user, XB_VIEW_ARGS(password));
	xb_http_base64(xb_str_view(&both), &encoded);
	keep_secret(git, password);
	keep_secret(git, xb_str_view(&encoded));
	(void)xb_str_printf(header, "Basic %s", xb_str_text(&encoded));
}

static bool find_secret(const struct xb_git *git, const char *id, struct xb_view *ret)
{
	const struct xb_fetch_options *o = git->options;

	return o->secret != NULL && o->secret(o->context, id, ret);
}

static int check_secret(const char *id, struct xb_view value, struct xb_error *err)
{
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.data[i] < ' ' || value.data[i] == 0x7f)
			return xb_error_set(err, -EINVAL, "the secret %s holds a control byte", id);
	}
	return value.len < MAX_HEADER ? 0
				      : xb_error_set(err, -EINVAL, "the secret %s is too long", id);
}

/* Append the header's value from a secret: 1, or 0 when there is no such secret. */
static int append_secret(struct xb_git *git, struct xb_str *header, const char *id, bool is_token,
			 struct xb_error *err)
{
	struct xb_view value;
	int r;

	if (!find_secret(git, id, &value))
		return 0;
	value = xb_view_trim(value); /* a file of one line ends with its end */
	r = check_secret(id, value, err);
	if (r < 0)
		return r;
	if (is_token) {
		append_basic(git, header, "x-access-token", value);
	} else {
		struct xb_view rest = value;
		struct xb_view word;

		/* "Basic c2VjcmV0" is secret, and so is its second word where a server says it */
		while (xb_view_split(&rest, ' ', &word))
			if (!xb_view_eq_nocase(word, XB_VIEW("basic")) &&
			    !xb_view_eq_nocase(word, XB_VIEW("bearer")))
				keep_secret(git, word);
		(void)xb_str_append_view(header, value);
	}
	return 1;
}

/* Whether it is where the source itself is; that is asked first. */
static bool is_own(struct xb_git *git, const struct xb_git_address *a)
{
	xb_autofree char *origin = xb_format("%s://%s", xb_git_scheme_name(a->scheme), a->host);

	if (git->origin == NULL)
		git->origin = XB_STEAL(origin);
	return origin == NULL || strcasecmp(git->origin, origin) == 0;
}

/* Append the value of the header Authorization, if there is one. */
static int append_credentials(struct xb_git *git, const struct xb_git_address *a,
			      struct xb_str *header, struct xb_error *err)
{
	static const struct {
		const char *id;
		bool with_host;
		bool is_token;
	} ids[] = {
		{ "GIT_AUTH_HEADER", true, false },
		{ "GIT_AUTH_TOKEN", true, true },
		{ "GIT_AUTH_HEADER", false, false },
		{ "GIT_AUTH_TOKEN", false, true },
	};
	bool own = is_own(git, a);
	int r = 0;

	for (size_t i = 0; r == 0 && i < XB_COUNT(ids); i++) {
		xb_autofree char *id = xb_format("%s%s%s", ids[i].id, ids[i].with_host ? "." : "",
						 ids[i].with_host ? a->host : "");

		if (ids[i].with_host || own)
			r = append_secret(git, header, id, ids[i].is_token, err);
	}
	if (r == 0 && a->user != NULL)
		append_basic(git, header, a->user, xb_view(a->password));
	return r < 0 ? r : 0;
}

/* The URLs that a header goes to. */
static const char *scope_of(const char *url)
{
	static const char *const whole[] = { "https://github.com/", "https://www.github.com/" };

	for (size_t i = 0; i < XB_COUNT(whole); i++) {
		if (strncmp(url, whole[i], strlen(whole[i])) == 0)
			return whole[i];
	}
	return url;
}

static int add_header(struct xb_git *git, const struct xb_git_address *a, struct xb_error *err)
{
	xb_auto_str struct xb_str header = XB_STR_INIT(2 * MAX_HEADER + 64);
	int r = append_credentials(git, a, &header, err);

	if (r < 0 || header.len == 0)
		return r;
	xb_strv_printf(&git->config, "http.%s.extraheader", scope_of(git->url));
	xb_strv_printf(&git->config, "Authorization: %s", xb_str_text(&header));
	xb_strv_push(&git->config, "http.followRedirects");
	xb_strv_push(&git->config, "false");
	return 0;
}

/* The remote without what stands before the host's '@', but for the user of ssh. */
static char *url_of(const struct xb_git_address *a)
{
	const char *authority = strstr(a->remote, "://");
	const char *path;

	if (a->short_form || authority == NULL)
		return xb_strdup(a->remote);
	path = authority + strlen("://");
	path += strcspn(path, "/");
	return xb_format("%s://%s%s%s%s", xb_git_scheme_name(a->scheme),
			 a->scheme == XB_GIT_SSH && a->user != NULL ? a->user : "",
			 a->scheme == XB_GIT_SSH && a->user != NULL ? "@" : "", a->host, path);
}

int xb_git_auth(struct xb_git *git, const struct xb_git_address *address, struct xb_error *err)
{
	bool is_http = address->scheme == XB_GIT_HTTP || address->scheme == XB_GIT_HTTPS;
	xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);

	git->url = url_of(address);
	git->remote = xb_strdup(address->remote);
	xb_url_append_shown(&shown, address->remote);
	git->shown = xb_str_steal(&shown);
	if (is_http)
		return add_header(git, address, err);
	if (address->password != NULL || (address->scheme == XB_GIT_GIT && address->user != NULL))
		return xb_error_set(err, -EINVAL, "%s: %s takes no password from a URL", git->shown,
				    xb_git_scheme_name(address->scheme));
	return 0;
}

/* Length of the secret that `text` begins with, or 0. */
static size_t secret_at(const struct xb_git *git, struct xb_view text)
{
	size_t longest = 0;

	for (size_t i = 0; i < git->secrets.len; i++) {
		struct xb_view secret = xb_view(git->secrets.items[i]);

		if (secret.len > longest && xb_view_starts(text, secret))
			longest = secret.len;
	}
	return longest;
}

void xb_git_show(const struct xb_git *git, struct xb_view text, struct xb_str *ret)
{
	size_t start = 0;
	size_t i = 0;

	while (i < text.len) {
		size_t secret = secret_at(git, xb_view_sub(text, i, text.len));

		if (secret == 0) {
			i++;
			continue;
		}
		(void)xb_str_append_quoted(ret, xb_view_sub(text, start, i - start));
		(void)xb_str_puts(ret, "xxxxx");
		i += secret;
		start = i;
	}
	(void)xb_str_append_quoted(ret, xb_view_sub(text, start, text.len));
}
