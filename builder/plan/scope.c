/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/scope.h"

#include <errno.h>
#include <string.h>

#include "builder/dockerfile/location.h"

const char *const xb_scope_proxy_names[] = { "HTTP_PROXY",  "http_proxy", "HTTPS_PROXY",
					     "https_proxy", "FTP_PROXY",  "ftp_proxy",
					     "NO_PROXY",    "no_proxy",	  "ALL_PROXY",
					     "all_proxy",   NULL };

static void set_automatic(struct xb_vars *vars, const struct xb_vars *build_args,
			  const char *prefix, const char *suffix, const char *value)
{
	xb_autofree char *name = xb_format("%s%s", prefix, suffix);
	const char *given = xb_vars_get(build_args, xb_view(name));

	xb_vars_set(vars, xb_view(name), xb_view(given != NULL ? given : value));
}

static void platform_args(struct xb_vars *vars, const struct xb_vars *build_args,
			  const char *prefix, const struct xb_platform *p,
			  int (*format)(const struct xb_platform *, struct xb_str *))
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)format(p, &text);
	set_automatic(vars, build_args, prefix, "PLATFORM", xb_str_text(&text));
	set_automatic(vars, build_args, prefix, "OS", p->os);
	set_automatic(vars, build_args, prefix, "OSVERSION", p->os_version);
	set_automatic(vars, build_args, prefix, "ARCH", p->arch);
	set_automatic(vars, build_args, prefix, "VARIANT", p->variant);
}

void xb_scope_automatic(struct xb_vars *vars, const struct xb_platform *build,
			const struct xb_platform *target, const char *stage,
			const struct xb_vars *build_args)
{
	/* as in BuildKit, only the target's has its OS version in it */
	platform_args(vars, build_args, "BUILD", build, xb_platform_format);
	platform_args(vars, build_args, "TARGET", target, xb_platform_format_all);
	set_automatic(vars, build_args, "TARGET", "STAGE", stage != NULL ? stage : "default");
}

static bool lookup(void *context, struct xb_view name, const char **ret_value)
{
	const char *value = xb_vars_get(context, name);

	if (value == NULL)
		return false;
	*ret_value = value;
	return true;
}

struct xb_expand_env xb_scope_env(const struct xb_vars *vars, const struct xb_dockerfile *file)
{
	return (struct xb_expand_env){
		.lookup = lookup,
		.ctx = (void *)(uintptr_t)vars,
		.escape = file->directives.escape,
		.work = vars->work,
	};
}

int xb_scope_expand(const struct xb_vars *vars, const struct xb_dockerfile *file,
		    const struct xb_word *word, struct xb_str *ret, struct xb_error *err)
{
	struct xb_expand_env env = xb_scope_env(vars, file);

	if (xb_expand_word(word->text, &env, ret, err) < 0)
		return xb_location_wrap(file, word->at, err);
	return 0;
}

int xb_scope_expand_document(const struct xb_vars *vars, const struct xb_dockerfile *file,
			     const struct xb_heredoc *heredoc, struct xb_str *ret,
			     struct xb_error *err)
{
	struct xb_expand_env env = xb_scope_env(vars, file);

	env.escape = '\\';
	env.keep_quotes = true;
	if (xb_expand_word(heredoc->content, &env, ret, err) < 0)
		return xb_location_wrap(file, heredoc->at, err);
	return 0;
}

int xb_scope_expand_split(const struct xb_vars *vars, const struct xb_dockerfile *file,
			  const struct xb_word *word, struct xb_strv *ret, struct xb_error *err)
{
	struct xb_expand_env env = xb_scope_env(vars, file);

	if (xb_expand_words(word->text, &env, ret, err) < 0)
		return xb_location_wrap(file, word->at, err);
	return 0;
}

/* A default that hides what a platform is would build every platform as one. */
static int check_shadow(const struct xb_scope_arguments *arguments, const struct xb_pair *pair,
			const char *fallback, const char *automatic, struct xb_error *err)
{
	static const char *const names[] = { "TARGETPLATFORM", "TARGETOS", "TARGETARCH",
					     "TARGETVARIANT" };
	const char *name = pair->name.text;

	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (strcmp(names[i], name) != 0 || automatic == NULL ||
		    strcmp(fallback, automatic) == 0 || arguments->may_shadow)
			continue;
		(void)xb_location_error(arguments->file, pair->name.at, err,
					"the default \"%s\" of %s would hide its value \"%s\"",
					fallback, name, automatic);
		(void)xb_error_hint(err,
				    "write ARG %s without a default, or build with "
				    "--allow-mismatch=shadowed-arg",
				    name);
		if (err != NULL)
			err->fault = XB_FAULT_PROOF;
		return -EINVAL;
	}
	return 0;
}

/* The default, expanded; one that is not used may well demand, with ${x:?}, what is not there. */
static int expand_default(const struct xb_scope_arguments *arguments, const struct xb_pair *pair,
			  const struct xb_vars *vars, struct xb_str *ret, struct xb_error *err)
{
	const struct xb_vars *globals = arguments->globals != NULL ? arguments->globals : vars;
	int r = xb_scope_expand(vars, arguments->file, &pair->value, ret, err);

	if (r < 0)
		return r;
	return check_shadow(arguments, pair, xb_str_text(ret),
			    xb_vars_get(globals, xb_view(pair->name.text)), err);
}

int xb_scope_declare(const struct xb_scope_arguments *arguments, const struct xb_pair *pair,
		     struct xb_vars *vars, char **ret_shown, struct xb_error *err)
{
	xb_auto_str struct xb_str fallback = XB_STR_INIT(XB_STR_OWN);
	struct xb_view name = xb_view(pair->name.text);
	const char *value = xb_vars_get(arguments->build_args, name);
	int r = 0;

	if (value == NULL && pair->value.text != NULL) {
		r = expand_default(arguments, pair, vars, &fallback, err);
		value = xb_str_text(&fallback);
	} else if (value == NULL && arguments->globals != NULL) {
		value = xb_vars_get(arguments->globals, name);
	}
	if (r < 0)
		return r;
	*ret_shown = value != NULL ? xb_format("%s=%s", pair->name.text, value)
				   : xb_strdup(pair->name.text);
	if (value != NULL)
		xb_vars_set(vars, name, xb_view(value));
	return 0;
}
