/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git_modules.h"

#include <errno.h>
#include <string.h>

#include "base/url.h"

#define MAX_MODULES 4096
/* A tree's listing; the largest known repositories have some ten. */
#define MAX_LISTING    ((size_t)512 << 20)
#define MAX_GITMODULES ((size_t)4 << 20)

#define OFF_HINT "submodules=0 in the URL's query leaves submodules out"

void xb_git_modules_clear(struct xb_git_modules *modules)
{
	for (size_t i = 0; i < modules->len; i++) {
		free(modules->items[i].path);
		free(modules->items[i].name);
		free(modules->items[i].url);
	}
	xb_array_clear(modules);
}

/* What a tree's listing tells. */
struct listing {
	struct xb_git_modules *modules;
	char gitmodules[XB_GIT_ID_SIZE]; /* id of the file; "" when there is none */
};

/* git refuses such paths when it checks a tree out; this does not rely on that. */
static bool is_path(struct xb_view path)
{
	struct xb_view rest = path;
	struct xb_view part;

	while (xb_view_split(&rest, '/', &part)) {
		if (part.len == 0 || xb_view_is(part, ".") || xb_view_is(part, "..") ||
		    xb_view_eq_nocase(part, XB_VIEW(".git")))
			return false;
	}
	for (size_t i = 0; i < path.len; i++) {
		if ((unsigned char)path.data[i] < ' ' || path.data[i] == 0x7f)
			return false;
	}
	return true;
}

static int add_module(struct xb_git_modules *modules, struct xb_view id, struct xb_view path,
		      struct xb_error *err)
{
	struct xb_git_module *m;

	if (!xb_git_is_commit(id) || !is_path(path)) {
		xb_error_set(err, -EBADMSG, "a submodule at %.*s", XB_VIEW_ARGS(path));
		return xb_error_hint(err, OFF_HINT);
	}
	if (modules->len >= MAX_MODULES)
		return xb_error_set(err, -E2BIG, "more than %d submodules", MAX_MODULES);
	m = xb_array_push(modules);
	m->path = xb_view_dup(path);
	memcpy(m->commit, id.data, id.len);
	return 0;
}

/* "MODE TYPE ID<TAB>PATH" */
static int take_entry(struct listing *l, struct xb_view entry, struct xb_error *err)
{
	struct xb_view path = entry;
	struct xb_view head, mode, type;

	(void)xb_view_split(&path, '\t', &head);
	(void)xb_view_split(&head, ' ', &mode);
	(void)xb_view_split(&head, ' ', &type);
	if (xb_view_is(type, "commit"))
		return add_module(l->modules, head, path, err);
	/* a link named .gitmodules is not read, as git does not */
	if (xb_view_is(path, ".gitmodules") && xb_view_starts(mode, XB_VIEW("100")) &&
	    xb_git_is_commit(head)) {
		memcpy(l->gitmodules, head.data, head.len);
		l->gitmodules[head.len] = '\0';
	}
	return 0;
}

static int read_tree(struct xb_git *git, const struct xb_git_repo *repo, const char *commit,
		     struct listing *l, struct xb_error *err)
{
	const char *const args[] = { "ls-tree", "-r", "-z", "--full-tree", commit, NULL };
	const struct xb_git_command command = {
		.args = args,
		.git_dir = repo->dir,
		.writable = { repo->dir },
	};
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_LISTING);
	struct xb_view rest, entry;
	int r = xb_git_run(git, &command, &text, err);

	rest = xb_str_view(&text);
	while (r == 0 && xb_view_split(&rest, '\0', &entry))
		r = entry.len > 0 ? take_entry(l, entry, err) : 0;
	return r;
}

/* What .gitmodules says of one name. */
struct said {
	char *name;
	char *path;
	char *url;
	bool none;
	bool command;
};
struct said_list XB_ARRAY(struct said);

static void said_clear(struct said_list *list)
{
	for (size_t i = 0; i < list->len; i++) {
		free(list->items[i].name);
		free(list->items[i].path);
		free(list->items[i].url);
	}
	xb_array_clear(list);
}

static struct said *find_said(struct said_list *list, struct xb_view name)
{
	struct said *s;

	for (size_t i = 0; i < list->len; i++) {
		if (xb_view_is(name, list->items[i].name))
			return &list->items[i];
	}
	s = xb_array_push(list);
	s->name = xb_view_dup(name);
	return s;
}

static void set(char **member, struct xb_view value)
{
	free(*member);
	*member = xb_view_dup(value);
}

/* How it is to be updated does not matter to a checkout, but for these two. */
static void set_update(struct said *s, struct xb_view value)
{
	s->none = xb_view_is(value, "none");
	s->command = xb_view_starts(value, XB_VIEW("!"));
}

/* "submodule.NAME.path<NEWLINE>VALUE"; NAME may hold dots. */
static void take_said(struct said_list *list, struct xb_view entry)
{
	struct xb_view value = entry;
	struct xb_view key;
	size_t dot;

	(void)xb_view_split(&value, '\n', &key);
	if (!xb_view_starts(key, XB_VIEW("submodule.")) || value.data == NULL)
		return;
	key = xb_view_sub(key, strlen("submodule."), key.len);
	for (dot = key.len; dot > 0 && key.data[dot - 1] != '.'; dot--)
		;
	if (dot <= 1 || list->len > MAX_MODULES)
		return;
	if (xb_view_is(xb_view_sub(key, dot, key.len), "path"))
		set(&find_said(list, xb_view_sub(key, 0, dot - 1))->path, value);
	else if (xb_view_is(xb_view_sub(key, dot, key.len), "url"))
		set(&find_said(list, xb_view_sub(key, 0, dot - 1))->url, value);
	else if (xb_view_is(xb_view_sub(key, dot, key.len), "update"))
		set_update(find_said(list, xb_view_sub(key, 0, dot - 1)), value);
}

static int read_said(struct xb_git *git, const struct xb_git_repo *repo, const char *blob,
		     struct said_list *list, struct xb_error *err)
{
	const char *const args[] = { "config", "--blob", blob, "-z", "--list", NULL };
	const struct xb_git_command command = {
		.args = args,
		.git_dir = repo->dir,
		.writable = { repo->dir },
	};
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_GITMODULES);
	struct xb_view rest, entry;
	int r = xb_git_run(git, &command, &text, err);

	rest = xb_str_view(&text);
	while (r == 0 && xb_view_split(&rest, '\0', &entry))
		take_said(list, entry);
	return r < 0 ? xb_error_wrap(err, r, "reading .gitmodules") : 0;
}

/* A path, as git takes it for one, in which nothing leads up. */
static bool is_name(const char *name)
{
	return name[0] != '/' && is_path(xb_view(name));
}

static int take_module(struct xb_git_module *m, const struct said *s, struct xb_error *err)
{
	if (s->command || !is_name(s->name)) {
		xb_error_set(err, -EBADMSG, ".gitmodules has a %s for the submodule at %s",
			     s->command ? "command" : "name that leads elsewhere", m->path);
		return xb_error_hint(err, OFF_HINT);
	}
	set(&m->name, xb_view(s->name));
	set(&m->url, xb_view(s->url));
	m->none = s->none;
	return 0;
}

/* What .gitmodules says of a submodule; of several with its path the last. */
static int join_one(struct xb_git_module *m, const struct said_list *list, struct xb_error *err)
{
	for (size_t k = list->len; k > 0; k--) {
		const struct said *s = &list->items[k - 1];

		if (s->path != NULL && s->url != NULL && strcmp(s->path, m->path) == 0)
			return take_module(m, s, err);
	}
	xb_error_set(err, -EBADMSG, ".gitmodules has no URL for the submodule at %s", m->path);
	return xb_error_hint(err, OFF_HINT);
}

/* Bring both together. */
static int join(struct xb_git_modules *modules, const struct said_list *list, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < modules->len; i++)
		r = join_one(&modules->items[i], list, err);
	return r;
}

int xb_git_modules_read(struct xb_git *git, const struct xb_git_repo *repo, const char *commit,
			struct xb_git_modules *ret, struct xb_error *err)
{
	xb_auto_git_modules struct xb_git_modules modules = { 0 };
	XB_CLEANUP(said_clear) struct said_list list = { 0 };
	struct listing l = { .modules = &modules };
	int r = read_tree(git, repo, commit, &l, err);

	if (r == 0 && modules.len > 0 && l.gitmodules[0] != '\0')
		r = read_said(git, repo, l.gitmodules, &list, err);
	if (r == 0)
		r = join(&modules, &list, err);
	if (r < 0)
		return xb_error_fault(err, XB_FAULT_SOURCE);
	*ret = modules;
	modules = (struct xb_git_modules){ 0 };
	return 0;
}

/* Take the last component off a URL, never its host: false when there is none. */
static bool chop(struct xb_str *url)
{
	const char *authority = strstr(xb_str_text(url), "://");
	size_t first; /* where the path begins */
	size_t n = url->len;

	if (authority != NULL) {
		authority += strlen("://");
		first = (size_t)(authority - url->data) + strcspn(authority, "/");
	} else {
		first = strcspn(xb_str_text(url), ":") + 1;
	}
	while (n > first && url->data[n - 1] == '/')
		n--;
	while (n > first && url->data[n - 1] != '/')
		n--;
	if (n >= url->len || first >= url->len)
		return false;
	/* the slash goes too, and comes back before what follows; behind "host:" there is none */
	xb_str_truncate(url, n > first ? n - 1 : n);
	return true;
}

/* The URL that "../x" or "./x" stands for; NULL when it leads out of the host. */
static char *resolve(const char *base, const char *relative)
{
	xb_auto_str struct xb_str url = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_puts(&url, base);
	while (url.len > 0 && url.data[url.len - 1] == '/')
		xb_str_truncate(&url, url.len - 1);
	for (;;) {
		if (strncmp(relative, "./", 2) == 0) {
			relative += 2;
		} else if (strncmp(relative, "../", 3) == 0) {
			relative += 3;
			if (!chop(&url))
				return NULL;
		} else {
			break;
		}
	}
	(void)xb_str_printf(&url, "%s%s", url.len > 0 && url.data[url.len - 1] == ':' ? "" : "/",
			    relative);
	return xb_str_steal(&url);
}

int xb_git_module_address(const struct xb_git *git, const struct xb_git_module *module,
			  struct xb_git_address *ret, struct xb_error *err)
{
	bool is_relative =
		strncmp(module->url, "./", 2) == 0 || strncmp(module->url, "../", 3) == 0;
	xb_autofree char *url =
		is_relative ? resolve(git->remote, module->url) : xb_strdup(module->url);
	xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);
	int r = url != NULL ? xb_git_address_parse(url, ret, err) : 0;

	if (r > 0 && ret->query == NULL && ret->fragment == NULL)
		return 0;
	xb_url_append_shown(&shown, module->url);
	if (r < 0) {
		xb_error_wrap(err, r, "%s", xb_str_text(&shown));
	} else {
		r = -ENOTSUP;
		xb_error_set(err, r,
			     "%s is not an address that submodules are fetched from "
			     "(https, http, git, ssh)",
			     xb_str_text(&shown));
	}
	xb_error_hint(err, OFF_HINT);
	return xb_error_fault(err, XB_FAULT_SOURCE);
}
