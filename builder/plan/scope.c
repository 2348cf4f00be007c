/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/scope.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/location.h"

const char *const xb_scope_proxy_names[] = { "HTTP_PROXY",  "http_proxy", "HTTPS_PROXY",
					     "https_proxy", "FTP_PROXY",  "ftp_proxy",
					     "NO_PROXY",    "no_proxy",	  "ALL_PROXY",
					     "all_proxy",   NULL };

static void platform_args(struct xb_strv *args, const char *prefix, const struct xb_platform *p)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_platform_format(p, &text);
	xb_strv_printf(args, "%sPLATFORM=%s", prefix, xb_str_text(&text));
	xb_strv_printf(args, "%sOS=%s", prefix, p->os);
	xb_strv_printf(args, "%sARCH=%s", prefix, p->arch);
	xb_strv_printf(args, "%sVARIANT=%s", prefix, p->variant);
	xb_strv_printf(args, "%sOSVERSION=%s", prefix, p->os_version);
}

void xb_scope_automatic(struct xb_strv *args, const struct xb_platform *build,
			const struct xb_platform *target, const char *stage)
{
	platform_args(args, "BUILD", build);
	platform_args(args, "TARGET", target);
	xb_strv_printf(args, "TARGETSTAGE=%s", stage != NULL ? stage : "default");
}

static bool lookup(void *context, struct xb_view name, const char **ret_value)
{
	const struct xb_scope *scope = context;
	const char *value = scope->args != NULL ? xb_env_get(scope->args, name) : NULL;

	if (value == NULL && scope->env != NULL)
		value = xb_env_get(scope->env, name);
	if (value == NULL)
		return false;
	*ret_value = value;
	return true;
}

struct xb_expand_env xb_scope_env(const struct xb_scope *scope, const struct xb_dockerfile *file)
{
	return (struct xb_expand_env){
		.lookup = lookup,
		.ctx = (void *)(uintptr_t)scope,
		.escape = file->directives.escape,
	};
}

int xb_scope_expand(const struct xb_scope *scope, const struct xb_dockerfile *file,
		    const struct xb_word *word, struct xb_str *ret, struct xb_error *err)
{
	struct xb_expand_env env = xb_scope_env(scope, file);

	if (xb_expand_word(word->text, &env, ret, err) < 0)
		return xb_location_wrap(file, word->at, err);
	return 0;
}

int xb_scope_expand_document(const struct xb_scope *scope, const struct xb_dockerfile *file,
			     const struct xb_heredoc *heredoc, struct xb_str *ret,
			     struct xb_error *err)
{
	struct xb_expand_env env = xb_scope_env(scope, file);

	env.escape = '\\';
	env.keep_quotes = true;
	if (xb_expand_word(heredoc->content, &env, ret, err) < 0)
		return xb_location_wrap(file, heredoc->at, err);
	return 0;
}

int xb_scope_expand_split(const struct xb_scope *scope, const struct xb_dockerfile *file,
			  const struct xb_word *word, struct xb_strv *ret, struct xb_error *err)
{
	struct xb_expand_env env = xb_scope_env(scope, file);

	if (xb_expand_words(word->text, &env, ret, err) < 0)
		return xb_location_wrap(file, word->at, err);
	return 0;
}

void xb_scope_set_env(struct xb_strv *args, struct xb_view name, struct xb_view value)
{
	if (xb_env_get(args, name) != NULL)
		xb_env_set(args, name, value);
}

void xb_scope_inherit(struct xb_strv *args, const struct xb_strv *env)
{
	for (size_t i = 0; i < env->len; i++) {
		struct xb_view value = xb_view(env->items[i]);
		struct xb_view name;

		if (xb_view_split(&value, '=', &name))
			xb_scope_set_env(args, name, value);
	}
}

/* A default that hides what a platform is would build every platform as one. */
static int check_shadow(const struct xb_dockerfile *file, const struct xb_pair *pair,
			const char *name, const char *fallback, const char *automatic,
			struct xb_error *err)
{
	static const char *const names[] = { "TARGETPLATFORM", "TARGETOS", "TARGETARCH",
					     "TARGETVARIANT" };

	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (strcmp(names[i], name) != 0 || strcmp(fallback, automatic) == 0)
			continue;
		(void)xb_location_error(file, pair->name.at, err,
					"the default \"%s\" of %s would hide its value \"%s\"",
					fallback, name, automatic);
		(void)xb_error_hint(err, "write ARG %s without a default", name);
		if (err != NULL)
			err->fault = XB_FAULT_PROOF;
		return -EINVAL;
	}
	return 0;
}

int xb_scope_declare(const struct xb_scope *scope, const struct xb_dockerfile *file,
		     const struct xb_pair *pair, const struct xb_strv *build_args,
		     const struct xb_strv *inherited, struct xb_strv *args, char **ret_shown,
		     struct xb_error *err)
{
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str fallback = XB_STR_INIT(XB_STR_OWN);
	const char *automatic = NULL;
	const char *value;
	int r = xb_scope_expand(scope, file, &pair->name, &name, err);

	if (r < 0)
		return r;
	if (inherited != NULL)
		automatic = xb_env_get(inherited, xb_str_view(&name));
	value = xb_env_get(build_args, xb_str_view(&name));
	/* A default that is not used may well demand, with ${x:?}, what is not there. */
	if (value == NULL && pair->value.text != NULL)
		r = xb_scope_expand(scope, file, &pair->value, &fallback, err);
	if (r < 0)
		return r;
	if (value == NULL && pair->value.text != NULL) {
		value = xb_str_text(&fallback);
		if (automatic != NULL)
			r = check_shadow(file, pair, xb_str_text(&name), value, automatic, err);
	} else if (value == NULL) {
		value = automatic;
	}
	if (r < 0)
		return r;
	*ret_shown = value != NULL ? xb_format("%s=%s", xb_str_text(&name), value)
				   : xb_strdup(xb_str_text(&name));
	/* Last: in the global scope `value` is a string of `args` itself. */
	if (value != NULL)
		xb_env_set(args, xb_str_view(&name), xb_view(value));
	return 0;
}
