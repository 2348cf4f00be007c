/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/select.h"

#include <string.h>

#include "builder/context/context.h"
#include "builder/context/locate.h"
#include "builder/dockerfile/glob.h"
#include "builder/dockerfile/ignore.h"

struct xb_select {
	struct xb_ignore *others;  /* ignores all but what is included; NULL: nothing */
	struct xb_ignore *exclude; /* NULL: nothing */
};

void xb_select_free(struct xb_select *select)
{
	if (select == NULL)
		return;
	xb_ignore_free(select->others);
	xb_ignore_free(select->exclude);
	free(select);
}

int xb_select_new(const char *include, const char *const *excludes, struct xb_select **ret,
		  struct xb_error *err)
{
	xb_auto_select struct xb_select *select = xb_calloc(1, sizeof(*select));
	xb_auto_strv struct xb_strv others = XB_STRV_INIT;
	xb_auto_strv struct xb_strv patterns = XB_STRV_INIT;
	int r = 0;

	if (include != NULL && *include != '\0') {
		xb_strv_push(&others, "**");
		xb_strv_printf(&others, "!%s", include);
		r = xb_ignore_new(&others, &select->others, err);
	}
	for (; *excludes != NULL; excludes++) {
		if (**excludes != '\0')
			xb_strv_push(&patterns, *excludes);
	}
	if (r == 0 && patterns.len > 0)
		r = xb_ignore_new(&patterns, &select->exclude, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(select);
	return 0;
}

static enum xb_context_verdict verdict(const struct xb_ignore *ignore, const char *below,
				       bool is_dir)
{
	struct xb_view path = xb_view(below);
	bool is_ignored = true;

	if (ignore == NULL)
		return XB_CONTEXT_TAKE;
	if (xb_ignore_match(ignore, path, &is_ignored, NULL) < 0)
		return XB_CONTEXT_SKIP;
	if (!is_ignored)
		return XB_CONTEXT_TAKE;
	return is_dir && xb_ignore_may_descend(ignore, path) ? XB_CONTEXT_DESCEND : XB_CONTEXT_SKIP;
}

enum xb_context_verdict xb_select_verdict(const void *opaque, const char *below, bool is_dir)
{
	const struct xb_select *select = opaque;

	if (select == NULL || *below == '\0')
		return XB_CONTEXT_TAKE;
	return xb_context_both(verdict(select->others, below, is_dir),
			       verdict(select->exclude, below, is_dir));
}

void xb_select_split(const char *source, char **ret_root, char **ret_pattern)
{
	const char *pivot = strstr(source, "/./");
	const char *pattern = pivot != NULL ? pivot + 2 : source;
	size_t len = pivot != NULL ? (size_t)(pivot - source) : 0;
	xb_autofree char *clean = xb_path_clean(pattern);

	*ret_root = len > 0 ? xb_view_dup((struct xb_view){ source, len }) : xb_strdup(".");
	*ret_pattern = xb_strdup(strcmp(clean, ".") == 0 ? "" : clean);
}

int xb_select_expand(int rootfd, const struct xb_context *context, const char *source,
		     struct xb_strv *ret, char **ret_pattern, struct xb_error *err)
{
	xb_auto_strv struct xb_strv required = XB_STRV_INIT;
	xb_autofree char *root = NULL;
	xb_autofree char *pattern = NULL;
	int r = 0;

	xb_select_split(source, &root, &pattern);
	if (!xb_glob_has_wildcard(root) && !xb_glob_has_wildcard(pattern)) {
		xb_autofree char *path = xb_format("%s/%s", root, pattern);

		r = xb_context_expand(rootfd, context, path, &required, err);
	}
	if (r == 0)
		r = xb_context_expand(rootfd, context, root, ret, err);
	if (r == 0)
		*ret_pattern = XB_STEAL(pattern);
	return r;
}
