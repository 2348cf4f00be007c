/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/image/libraries.h"

#include <elf.h>
#include <fnmatch.h>
#include <string.h>

/* A configuration that includes itself ends here. */
#define MAX_INCLUDES 100

void xb_libraries_clear(struct xb_libraries *l)
{
	xb_strv_clear(&l->environment);
	xb_strv_clear(&l->configured);
	xb_strv_clear(&l->musl);
	*l = (struct xb_libraries){ 0 };
}

/* ---- where to look -------------------------------------------------------------------------- */

/* Add the directories of a list whose separators are any of these; "" is the working directory,
 * which nobody knows. */
static void add_list(struct xb_strv *to, struct xb_view list, const char *separators)
{
	while (list.len > 0) {
		size_t len = 0;

		while (len < list.len && strchr(separators, list.data[len]) == NULL)
			len++;
		if (len > 0)
			xb_strv_push_view(to, xb_view_sub(list, 0, len));
		list = xb_view_sub(list, len + (len < list.len), list.len);
	}
}

static void add_configuration(struct xb_libraries *l, const char *path, unsigned *left);

/* "include /etc/ld.so.conf.d/ *.conf": files of one directory. */
static void include(struct xb_libraries *l, struct xb_view pattern, unsigned *left)
{
	xb_autofree char *text = xb_view_dup(pattern);
	char *slash = strrchr(text, '/');
	const struct xb_image_node *dir;

	if (slash == NULL)
		return;
	*slash = '\0';
	if (xb_image_tree_find(l->tree, NULL, text, true, &dir) < 0)
		return;
	for (size_t i = 0; i < xb_image_node_count(dir); i++) {
		const char *name = xb_image_node_name(xb_image_node_at(dir, i));
		xb_autofree char *path = xb_format("%s/%s", text, name);

		if (fnmatch(slash + 1, name, FNM_PERIOD) == 0)
			add_configuration(l, path, left);
	}
}

static void add_line(struct xb_libraries *l, struct xb_view line, unsigned *left)
{
	ptrdiff_t hash = xb_view_find(line, '#');

	if (hash >= 0)
		line = xb_view_sub(line, 0, (size_t)hash);
	line = xb_view_trim(line);
	if (xb_view_starts(line, XB_VIEW("include ")) || xb_view_starts(line, XB_VIEW("include\t")))
		include(l, xb_view_trim(xb_view_sub(line, strlen("include"), line.len)), left);
	else if (!xb_view_starts(line, XB_VIEW("hwcap ")))
		add_list(&l->configured, line, " \t,:");
}

static void add_configuration(struct xb_libraries *l, const char *path, unsigned *left)
{
	const struct xb_image_node *node;
	struct xb_view text, line;

	if (*left == 0 || xb_image_tree_find(l->tree, NULL, path, true, &node) < 0)
		return;
	--*left;
	text = xb_image_node_file(node)->text;
	while (text.data != NULL && xb_view_split(&text, '\n', &line))
		add_line(l, line, left);
}

/* Debian's directories of an architecture, whatever they are called. */
static void add_multiarch(struct xb_libraries *l, const char *parent)
{
	const struct xb_image_node *dir;

	if (xb_image_tree_find(l->tree, NULL, parent, true, &dir) < 0)
		return;
	for (size_t i = 0; i < xb_image_node_count(dir); i++) {
		const char *name = xb_image_node_name(xb_image_node_at(dir, i));

		if (strstr(name, "-linux-gnu") != NULL)
			xb_strv_printf(&l->configured, "%s/%s", parent, name);
	}
}

static void add_defaults(struct xb_libraries *l)
{
	static const char *const defaults[] = { "/lib",	   "/usr/lib",	  "/lib64",  "/usr/lib64",
						"/lib32",  "/usr/lib32",  "/libx32", "/usr/libx32",
						"/libo32", "/usr/libo32", "/libexec" };

	add_multiarch(l, "/lib");
	add_multiarch(l, "/usr/lib");
	for (size_t i = 0; i < XB_COUNT(defaults); i++)
		xb_strv_push(&l->configured, defaults[i]);
}

/* Which linkers there are, and what musl's is told. */
static void look_for_linkers(struct xb_libraries *l)
{
	static const char *const places[] = { "/lib", "/lib64", "/usr/lib", "/etc" };

	for (size_t p = 0; p < XB_COUNT(places); p++) {
		const struct xb_image_node *dir;

		if (xb_image_tree_find(l->tree, NULL, places[p], true, &dir) < 0)
			continue;
		for (size_t i = 0; i < xb_image_node_count(dir); i++) {
			const struct xb_image_node *node = xb_image_node_at(dir, i);
			const char *name = xb_image_node_name(node);

			if (fnmatch("ld-musl-*.so.1", name, 0) == 0)
				l->has_musl = true;
			else if (fnmatch("ld*.so.[123]", name, 0) == 0)
				l->has_glibc = true;
			else if (fnmatch("ld-musl-*.path", name, 0) == 0)
				add_list(&l->musl, xb_image_node_file(node)->text, ":\n");
		}
	}
	if (l->musl.len == 0)
		add_list(&l->musl, XB_VIEW("/lib:/usr/local/lib:/usr/lib"), ":");
}

void xb_libraries_init(struct xb_libraries *ret, const struct xb_image_tree *tree,
		       const char *library_path)
{
	unsigned left = MAX_INCLUDES;

	*ret = (struct xb_libraries){ .tree = tree };
	if (library_path != NULL)
		add_list(&ret->environment, xb_view(library_path), ":;");
	add_configuration(ret, "/etc/ld.so.conf", &left);
	add_defaults(ret);
	look_for_linkers(ret);
}

bool xb_libraries_is_musl(const struct xb_libraries *l, const struct xb_facts *facts)
{
	if (facts->interpreter != NULL)
		return strstr(facts->interpreter, "/ld-musl-") != NULL;
	for (size_t i = 0; i < facts->needed.len; i++)
		if (strncmp(facts->needed.items[i], "libc.musl-", 10) == 0)
			return true;
	return l->has_musl && !l->has_glibc;
}

/* ---- looking -------------------------------------------------------------------------------- */

/* One search. */
struct search {
	const struct xb_libraries *libraries;
	const struct xb_image_node *node;
	const struct xb_elf_code *code;
	const char *name;
	const struct xb_image_node *other;
};

/* Code that the linker takes for the same machine: others of the name it passes over. */
static bool fits(const struct xb_elf_code *a, const struct xb_elf_code *b)
{
	return a->class == b->class && a->data == b->data && a->machine == b->machine;
}

static const struct xb_image_node *try_path(struct search *s, const char *path)
{
	const struct xb_image_node *found;
	const struct xb_image_file *file;

	if (xb_image_tree_find(s->libraries->tree, xb_image_node_parent(s->node), path, true,
			       &found) < 0)
		return NULL;
	file = xb_image_node_file(found);
	if (file->facts == NULL || file->facts->kind != XB_FACTS_ELF)
		return NULL;
	if (fits(&file->facts->elf, s->code))
		return found;
	s->other = found;
	return NULL;
}

/* $ORIGIN is the directory that the file lies in, links followed; $LIB and $PLATFORM are several.
 */
static void expand(const struct search *s, const char *text, const char *lib, struct xb_str *out)
{
	static const char *const names[] = { "ORIGIN", "LIB", "PLATFORM" };

	while (*text != '\0') {
		size_t braced = text[0] == '$' && text[1] == '{', at = 0, len = 0;

		for (; text[0] == '$' && at < XB_COUNT(names); at++) {
			len = strlen(names[at]);
			if (strncmp(text + 1 + braced, names[at], len) == 0)
				break;
		}
		if (text[0] != '$' || at == XB_COUNT(names)) {
			xb_str_putc(out, *text++);
			continue;
		}
		if (at == 0)
			xb_image_node_path(xb_image_node_parent(s->node), out);
		else if (at == 1)
			xb_str_puts(out, lib);
		text += 1 + 2 * braced + len;
	}
}

static const struct xb_image_node *try_dir(struct search *s, const char *dir)
{
	static const char *const libs[] = { "lib", "lib64" };
	const struct xb_image_node *found = NULL;
	size_t several = strstr(dir, "LIB") != NULL ? XB_COUNT(libs) : 1;

	for (size_t i = 0; found == NULL && i < several; i++) {
		xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);

		expand(s, dir, libs[i], &path);
		xb_str_printf(&path, "/%s", s->name);
		found = try_path(s, xb_str_text(&path));
	}
	return found;
}

static const struct xb_image_node *try_dirs(struct search *s, const struct xb_strv *dirs)
{
	const struct xb_image_node *found = NULL;

	for (size_t i = 0; found == NULL && i < dirs->len; i++)
		found = try_dir(s, dirs->items[i]);
	return found;
}

static const struct xb_image_node *try_list(struct search *s, const char *list)
{
	xb_auto_strv struct xb_strv dirs = XB_STRV_INIT;

	if (list == NULL)
		return NULL;
	add_list(&dirs, xb_view(list), ":");
	return try_dirs(s, &dirs);
}

/* Names that musl answers itself. */
static bool is_musl_own(const char *name)
{
	static const char *const own[] = { "c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet." };

	for (size_t i = 0; strncmp(name, "lib", 3) == 0 && i < XB_COUNT(own); i++)
		if (strncmp(name + 3, own[i], strlen(own[i])) == 0)
			return true;
	return false;
}

static const struct xb_image_node *find_glibc(struct search *s, const struct xb_facts *facts)
{
	const struct xb_image_node *found = NULL;

	if (facts->runpath == NULL)
		found = try_list(s, facts->rpath);
	if (found == NULL)
		found = try_dirs(s, &s->libraries->environment);
	if (found == NULL)
		found = try_list(s, facts->runpath);
	return found != NULL ? found : try_dirs(s, &s->libraries->configured);
}

static const struct xb_image_node *find_musl(struct search *s, const struct xb_facts *facts)
{
	const struct xb_image_node *found = try_dirs(s, &s->libraries->environment);

	if (found == NULL)
		found = try_list(s, facts->runpath != NULL ? facts->runpath : facts->rpath);
	return found != NULL ? found : try_dirs(s, &s->libraries->musl);
}

const struct xb_image_node *xb_libraries_find(const struct xb_libraries *libraries,
					      const struct xb_image_node *node, const char *name,
					      const struct xb_image_node **ret_other,
					      bool *ret_itself)
{
	const struct xb_facts *facts = xb_image_node_file(node)->facts;
	struct search s = {
		.libraries = libraries, .node = node, .code = &facts->elf, .name = name
	};
	bool musl = xb_libraries_is_musl(libraries, facts);
	const struct xb_image_node *found;

	if (ret_itself != NULL)
		*ret_itself = musl && is_musl_own(name);
	if (musl && is_musl_own(name))
		return NULL;
	if (strchr(name, '/') != NULL)
		found = try_path(&s, name);
	else
		found = musl ? find_musl(&s, facts) : find_glibc(&s, facts);
	if (ret_other != NULL)
		*ret_other = found == NULL ? s.other : NULL;
	return found;
}
