/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/giturl.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"

#define GITHUB "github.com/"

void xb_git_url_clear(struct xb_git_url *url)
{
	xb_git_address_clear(&url->address);
	free(url->remote);
	free(url->name);
	free(url->ref);
	free(url->subdir);
	free(url->commit);
	*url = (struct xb_git_url){ 0 };
}

bool xb_git_is_commit(struct xb_view text)
{
	if (text.len != 40 && text.len != 64)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
	}
	return true;
}

void xb_git_subdir(const char *subdir, struct xb_str *ret)
{
	xb_auto_strv struct xb_strv parts = XB_STRV_INIT;
	struct xb_view rest = xb_view(subdir);
	xb_autofree char *joined = NULL;
	struct xb_view part;

	while (xb_view_split(&rest, '/', &part)) {
		if (xb_view_is(part, "..") && parts.len > 0)
			xb_strv_remove(&parts, parts.len - 1);
		else if (part.len > 0 && !xb_view_is(part, ".") && !xb_view_is(part, ".."))
			xb_strv_push_view(&parts, part);
	}
	joined = xb_strv_join(&parts, "/");
	(void)xb_str_puts(ret, joined);
}

/* A query being read. */
struct query {
	struct xb_git_url *url;
	char *tag;
	char *branch;
	unsigned seen; /* bits of the rows of `names` */
};

static void query_clear(struct query *q)
{
	free(q->tag);
	free(q->branch);
}

/* Set a string, which may have been set to the same before. */
static int set_text(char **member, const char *value, const char *what, struct xb_error *err)
{
	if (*member != NULL && strcmp(*member, value) != 0)
		return xb_error_set(err, -EINVAL, "%s conflicts: \"%s\" and \"%s\"", what, *member,
				    value);
	if (*member == NULL)
		*member = xb_strdup(value);
	return 0;
}

static int take_ref(struct query *q, const char *value, struct xb_error *err)
{
	return set_text(&q->url->ref, value, "ref", err);
}

static int take_tag(struct query *q, const char *value, struct xb_error *err)
{
	(void)err;
	q->tag = xb_strdup(value);
	return 0;
}

static int take_branch(struct query *q, const char *value, struct xb_error *err)
{
	(void)err;
	q->branch = xb_strdup(value);
	return 0;
}

static int take_subdir(struct query *q, const char *value, struct xb_error *err)
{
	return set_text(&q->url->subdir, value, "subdir", err);
}

static int take_commit(struct query *q, const char *value, struct xb_error *err)
{
	return set_text(&q->url->commit, value, "commit", err);
}

/* Go's words for on and off; a name alone is on. */
static int read_switch(const char *value, enum xb_git_switch *ret, struct xb_error *err)
{
	static const struct {
		const char *word;
		enum xb_git_switch means;
	} words[] = {
		{ "", XB_GIT_ON },	 { "1", XB_GIT_ON },	  { "t", XB_GIT_ON },
		{ "T", XB_GIT_ON },	 { "true", XB_GIT_ON },	  { "TRUE", XB_GIT_ON },
		{ "True", XB_GIT_ON },	 { "0", XB_GIT_OFF },	  { "f", XB_GIT_OFF },
		{ "F", XB_GIT_OFF },	 { "false", XB_GIT_OFF }, { "FALSE", XB_GIT_OFF },
		{ "False", XB_GIT_OFF },
	};

	for (size_t i = 0; i < XB_COUNT(words); i++) {
		if (strcmp(words[i].word, value) == 0) {
			*ret = words[i].means;
			return 0;
		}
	}
	return xb_error_set(err, -EINVAL, "\"%s\" is neither true nor false", value);
}

static int take_keep_git_dir(struct query *q, const char *value, struct xb_error *err)
{
	return read_switch(value, &q->url->keep_git_dir, err);
}

static int take_submodules(struct query *q, const char *value, struct xb_error *err)
{
	return read_switch(value, &q->url->submodules, err);
}

static int take_fetch_by_commit(struct query *q, const char *value, struct xb_error *err)
{
	enum xb_git_switch said = XB_GIT_UNSAID;
	int r = read_switch(value, &said, err);

	q->url->fetch_by_commit = said == XB_GIT_ON;
	return r;
}

static int take_mtime(struct query *q, const char *value, struct xb_error *err)
{
	if (strcmp(value, "checkout") == 0)
		q->url->mtime = XB_GIT_MTIME_CHECKOUT;
	else if (strcmp(value, "commit") == 0)
		q->url->mtime = XB_GIT_MTIME_COMMIT;
	else
		return xb_error_set(err, -EINVAL, "\"%s\" is neither checkout nor commit", value);
	return 0;
}

/* What a query may say. */
static const struct query_name {
	const char *name;
	int (*take)(struct query *q, const char *value, struct xb_error *err);
	bool alone; /* it may stand without a value */
} names[] = {
	{ "ref", take_ref, false },
	{ "tag", take_tag, false },
	{ "branch", take_branch, false },
	{ "subdir", take_subdir, false },
	{ "checksum", take_commit, false },
	{ "commit", take_commit, false },
	{ "keep-git-dir", take_keep_git_dir, true },
	{ "submodules", take_submodules, true },
	{ "fetch-by-commit", take_fetch_by_commit, true },
	{ "mtime", take_mtime, false },
};

static int find_name(struct xb_view name, struct xb_error *err)
{
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (xb_view_is(name, names[i].name))
			return (int)i;
	}
	xb_error_set(err, -EINVAL, "unexpected query \"%.*s\"", XB_VIEW_ARGS(name));
	return xb_error_hint(err, "a git source's query knows ref, tag, branch, subdir, commit, "
				  "checksum, keep-git-dir, submodules, fetch-by-commit and mtime");
}

/* Take one decoded pair of a query. */
static int take_pair(struct query *q, struct xb_view name, const char *value, struct xb_error *err)
{
	int row = find_name(name, err);
	int r;

	if (row < 0)
		return row;
	if ((q->seen & 1u << row) != 0)
		return xb_error_set(err, -EINVAL, "query \"%s\" has several values",
				    names[row].name);
	q->seen |= 1u << row;
	if (value[0] == '\0' && !names[row].alone)
		return xb_error_set(err, -EINVAL, "query \"%s\" has no value", names[row].name);
	r = names[row].take(q, value, err);
	return r < 0 ? xb_error_wrap(err, r, "query \"%s\"", names[row].name) : 0;
}

static int read_pair(struct query *q, struct xb_view pair, struct xb_error *err)
{
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str value = XB_STR_INIT(XB_STR_OWN);
	struct xb_view rest = pair;
	struct xb_view part;

	(void)xb_view_split(&rest, '=', &part);
	if (xb_view_find(pair, ';') >= 0 || xb_git_decode(part, true, &name) < 0 ||
	    xb_git_decode(rest, true, &value) < 0)
		return xb_error_set(err, -EINVAL, "a query with an escape that is none, or a ';'");
	return take_pair(q, xb_str_view(&name), xb_str_text(&value), err);
}

/* A tag or branch by its short name becomes the reference, which may say the same already. */
static int set_ref(struct xb_git_url *url, const char *kind, const char *name, struct xb_error *err)
{
	bool whole = strncmp(name, kind, strlen(kind)) == 0;
	xb_autofree char *ref = xb_format("%s%s", whole ? "" : kind, name);

	return set_text(&url->ref, ref, "ref", err);
}

static int read_query(struct xb_git_url *url, struct xb_error *err)
{
	XB_CLEANUP(query_clear) struct query q = { .url = url };
	struct xb_view rest = xb_view(url->address.query);
	struct xb_view pair;
	int r = 0;

	while (r == 0 && xb_view_split(&rest, '&', &pair)) {
		if (pair.len > 0)
			r = read_pair(&q, pair, err);
	}
	if (r == 0 && q.tag != NULL && q.branch != NULL)
		r = xb_error_set(err, -EINVAL, "branch conflicts with tag");
	if (r == 0 && q.tag != NULL)
		r = set_ref(url, "refs/tags/", q.tag, err);
	if (r == 0 && q.branch != NULL)
		r = set_ref(url, "refs/heads/", q.branch, err);
	return r;
}

/* "ref:subdir" */
static void read_fragment(struct xb_git_url *url)
{
	xb_auto_str struct xb_str subdir = XB_STR_INIT(XB_STR_OWN);
	struct xb_view rest = xb_view(url->address.fragment);
	struct xb_view ref;

	(void)xb_view_split(&rest, ':', &ref);
	if (ref.len > 0)
		url->ref = xb_view_dup(ref);
	if (rest.len == 0)
		return;
	xb_autofree char *said = xb_view_dup(rest);

	xb_git_subdir(said, &subdir);
	if (subdir.len > 0)
		url->subdir = xb_str_steal(&subdir);
}

static void set_names(struct xb_git_url *url)
{
	const char *scheme_end = strstr(url->address.remote, "://");
	const char *slash;
	size_t len;

	url->remote = xb_strdup(url->local_like && scheme_end != NULL ? scheme_end + strlen("://")
								      : url->address.remote);
	slash = strrchr(url->remote, '/');
	url->name = xb_strdup(slash != NULL ? slash + 1 : url->remote);
	len = strlen(url->name);
	if (xb_view_ends(xb_view(url->name), XB_VIEW(".git")))
		url->name[len - strlen(".git")] = '\0';
}

static int check(const struct xb_git_url *url, struct xb_error *err)
{
	if (url->ref != NULL && url->ref[0] == '-')
		return xb_error_set(err, -EINVAL, "invalid git ref \"%s\"", url->ref);
	return 0;
}

/* Everything but the address. */
static int read_rest(struct xb_git_url *url, struct xb_error *err)
{
	int r = 0;

	url->unencrypted = url->address.scheme == XB_GIT_HTTP || url->address.scheme == XB_GIT_GIT;
	set_names(url);
	if (url->address.fragment != NULL)
		read_fragment(url);
	if (url->address.query != NULL)
		r = read_query(url, err);
	return r < 0 ? r : check(url, err);
}

/* http and https name a repository only by a path that ends with .git: else it is a file. */
static bool is_file(const struct xb_git_url *url)
{
	enum xb_git_scheme scheme = url->address.scheme;

	return !url->local_like && (scheme == XB_GIT_HTTP || scheme == XB_GIT_HTTPS) &&
	       !xb_view_ends(xb_view(url->address.path), XB_VIEW(".git"));
}

/* A malformed URL of http is a repository's only if it looks like one. */
static bool is_meant(const char *text)
{
	struct xb_view path = { text, strcspn(text, "?#") };

	return strncasecmp(text, "http", 4) != 0 || xb_view_ends(path, XB_VIEW(".git"));
}

int xb_git_url_parse(const char *text, struct xb_git_url *ret, struct xb_error *err)
{
	xb_auto_git_url struct xb_git_url url = {
		.local_like = strncmp(text, GITHUB, strlen(GITHUB)) == 0,
	};
	xb_autofree char *whole = url.local_like ? xb_format("https://%s", text) : xb_strdup(text);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = xb_git_address_parse(whole, &url.address, &cause);

	if (r == 0 || (r < 0 && !is_meant(whole)) || (r > 0 && is_file(&url)))
		return 0;
	if (r > 0)
		r = read_rest(&url, &cause);
	if (r < 0) {
		xb_error_fault(&cause, XB_FAULT_SOURCE);
		xb_error_move(err, &cause);
		return r;
	}
	*ret = url;
	url = (struct xb_git_url){ 0 };
	return 1;
}

bool xb_git_url_fragment(const char *text, bool with_subdir, struct xb_str *ret)
{
	xb_auto_git_url struct xb_git_url url = { 0 };
	xb_auto_str struct xb_str subdir = XB_STR_INIT(XB_STR_OWN);

	if (xb_git_url_parse(text, &url, NULL) <= 0) {
		(void)xb_str_puts(ret, text);
		return false;
	}
	if (with_subdir && url.subdir != NULL)
		xb_git_subdir(url.subdir, &subdir);
	(void)xb_str_puts(ret, url.remote);
	if (url.ref != NULL || subdir.len > 0)
		(void)xb_str_printf(ret, "#%s", url.ref != NULL ? url.ref : "");
	if (subdir.len > 0)
		(void)xb_str_printf(ret, ":%s", xb_str_text(&subdir));
	return true;
}
