/* SPDX-License-Identifier: Apache-2.0 */
/* What each instruction does to the scope, and what a check says of it. */
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/lint_scopes.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/source.h"
#include "builder/dockerfile/text.h"
#include "builder/dockerfile/values.h"

static struct xb_scope_stage *stage_of(const struct xb_scopes *s)
{
	return &s->stages[s->stage];
}

/* Where a finding points: into the instruction, for a trigger at the FROM that it belongs to. */
static struct xb_location place(const struct xb_scopes *s, struct xb_location at)
{
	bool own = at.line >= s->subject->at.line && at.line <= s->subject->at.end_line;

	return own && !s->mute ? at : s->subject->at;
}

#define REPORT(s, rule, at, ...)                                                                   \
	do {                                                                                       \
		if (!(s)->mute)                                                                    \
			xb_linter_report((s)->linter, (rule), (s)->subject, place((s), (at)),      \
					 __VA_ARGS__);                                             \
	} while (0)

/* ---- words -------------------------------------------------------------------------------- */

/* Arguments of BuildKit's own that are declared without being variables. */
static bool is_setting(const char *name)
{
	return strcmp(name, "BUILDKIT_SBOM_SCAN_CONTEXT") == 0 ||
	       strcmp(name, "BUILDKIT_SBOM_SCAN_STAGE") == 0;
}

static void report_undefined(struct xb_scopes *s, const struct xb_scope_word *word)
{
	for (size_t i = 0; i < word->unset.len; i++) {
		const char *name = word->unset.items[i];
		const char *nearest;

		if (s->mute || is_setting(name) || xb_variables_has(s->scope, xb_view(name)))
			continue;
		nearest = xb_variables_nearest(s->scope, xb_view(name), true);
		REPORT(s, XB_RULE_UNDEFINED_VAR, xb_scopes_point(word->text, word->at, name),
		       "Usage of undefined variable '$%s'%s%s%s", name,
		       nearest != NULL ? " (did you mean $" : "", nearest != NULL ? nearest : "",
		       nearest != NULL ? "?)" : "");
	}
}

/* Expand what stands at `at`, and report what it uses without its being there. */
static bool expand_text(struct xb_scopes *s, const char *text, struct xb_location at,
			struct xb_str *out)
{
	xb_auto_scope_word struct xb_scope_word word = { .text = text,
							 .at = at,
							 .variables = s->scope };
	bool good = xb_scopes_expand(s, &word, out);

	report_undefined(s, &word);
	return good;
}

static bool expand(struct xb_scopes *s, const struct xb_word *word, struct xb_str *out)
{
	return expand_text(s, word->text, word->at, out);
}

static void use_words(struct xb_scopes *s, const struct xb_instruction *i)
{
	for (size_t w = 0; w < i->word_count && !s->stop; w++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_EXPANSION);

		(void)expand(s, &i->words[w], &text);
	}
}

/* ---- variables ---------------------------------------------------------------------------- */

static bool has_word(const char *name, const char *const *words)
{
	struct xb_view rest = xb_view(name), part;

	while (xb_view_split(&rest, '_', &part))
		for (size_t i = 0; words[i] != NULL; i++)
			if (xb_view_eq_nocase(part, xb_view(words[i])))
				return true;
	return false;
}

/* Whether the name is that of a secret: one of its words says so, and none says what it is else. */
static void check_secret(struct xb_scopes *s, const char *instruction, const char *name,
			 struct xb_location at)
{
	static const char *const secret[] = { "apikey", "auth",	    "credential", "credentials",
					      "key",	"password", "pword",	  "passwd",
					      "secret", "token",    NULL };
	static const char *const other[] = { "public", "file", "version", NULL };

	if (has_word(name, secret) && !has_word(name, other))
		REPORT(s, XB_RULE_SECRETS_USED_IN_ARG_OR_ENV, at,
		       "Do not use ARG or ENV instructions for sensitive data (%s \"%s\")",
		       instruction, name);
}

static void declare(struct xb_scopes *s, const struct xb_instruction *i, const struct xb_pair *pair)
{
	xb_auto_scope_word struct xb_scope_word plain = { .text = pair->name.text,
							  .at = pair->name.at,
							  .variables = s->scope };
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_MAX_EXPANSION);
	xb_auto_str struct xb_str value = XB_STR_INIT(XB_MAX_EXPANSION);
	const char *given = NULL;
	bool inherited;

	if (!xb_scopes_expand(s, &plain, &name))
		return;
	check_secret(s, "ARG", xb_str_text(&name), pair->name.at);
	inherited = pair->value.text == NULL && xb_variables_has(s->globals, xb_str_view(&name));
	given = xb_variables_get(s->given, xb_str_view(&name));
	if (given == NULL && pair->value.text != NULL) {
		(void)expand(s, &pair->value, &value);
		given = xb_str_text(&value);
	} else if (given == NULL) {
		given = xb_variables_get(s->globals, xb_str_view(&name));
	}
	if (s->uses != NULL && !s->mute)
		xb_uses_arg(s->uses, s->stage, i, xb_str_text(&name), given, NULL, inherited);
	xb_variables_set(s->scope, xb_str_view(&name),
			 is_setting(xb_str_text(&name)) ? NULL : given);
}

static void apply_arg(struct xb_scopes *s, const struct xb_instruction *i)
{
	for (size_t p = 0; p < i->pair_count && !s->stop; p++)
		declare(s, i, &i->pairs[p]);
}

static void check_legacy(struct xb_scopes *s, const struct xb_instruction *i)
{
	if (i->legacy)
		REPORT(s, XB_RULE_LEGACY_KEY_VALUE_FORMAT, i->at,
		       "\"%s key=value\" should be used instead of legacy \"%s key value\" format",
		       i->keyword, i->keyword);
}

/* All pairs see the scope as it was before the instruction: names and values in turn. */
static void expand_pairs(struct xb_scopes *s, const struct xb_instruction *i, struct xb_strv *ret)
{
	for (size_t p = 0; p < i->pair_count && !s->stop; p++) {
		xb_auto_str struct xb_str name = XB_STR_INIT(XB_MAX_EXPANSION);
		xb_auto_str struct xb_str value = XB_STR_INIT(XB_MAX_EXPANSION);

		(void)expand(s, &i->pairs[p].name, &name);
		(void)expand(s, &i->pairs[p].value, &value);
		xb_strv_take(ret, xb_str_steal(&name));
		xb_strv_take(ret, xb_str_steal(&value));
	}
}

static void apply_env(struct xb_scopes *s, const struct xb_instruction *i)
{
	xb_auto_strv struct xb_strv pairs = XB_STRV_INIT;

	check_legacy(s, i);
	expand_pairs(s, i, &pairs);
	for (size_t p = 0; p + 1 < pairs.len; p += 2) {
		check_secret(s, "ENV", pairs.items[p], i->pairs[p / 2].name.at);
		xb_variables_set(s->scope, xb_view(pairs.items[p]), pairs.items[p + 1]);
	}
}

static void apply_label(struct xb_scopes *s, const struct xb_instruction *i)
{
	xb_auto_strv struct xb_strv pairs = XB_STRV_INIT;

	check_legacy(s, i);
	expand_pairs(s, i, &pairs);
}

/* ---- files -------------------------------------------------------------------------------- */

static void use_flags(struct xb_scopes *s, const struct xb_instruction *i)
{
	static const char *const names[] = { "chown", "chmod", "checksum" };

	for (size_t f = 0; f < i->flag_count && !s->stop; f++) {
		const struct xb_flag *flag = &i->flags[f];
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_EXPANSION);

		for (size_t n = 0; n < XB_COUNT(names); n++)
			if (flag->value != NULL && strcmp(flag->name, names[n]) == 0)
				(void)expand_text(s, flag->value, xb_scopes_value(flag), &text);
	}
}

static void use_documents(struct xb_scopes *s, const struct xb_instruction *i)
{
	for (size_t h = 0; h < i->heredoc_count && !s->stop; h++) {
		const struct xb_heredoc *heredoc = &i->heredocs[h];
		xb_auto_scope_word struct xb_scope_word word = { .text = heredoc->content,
								 .at = heredoc->at,
								 .variables = s->scope,
								 .document = true };
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_EXPANSION);

		if (!heredoc->expand)
			continue;
		(void)xb_scopes_expand(s, &word, &text);
		/* a place in the text of the document is not one in the line that names it */
		word.text = "";
		report_undefined(s, &word);
	}
}

/* A context with exceptions to what it ignores is not judged: they may be below a directory. */
static void check_ignored(struct xb_scopes *s, const struct xb_instruction *i,
			  const struct xb_word *word, struct xb_view path)
{
	const struct xb_ignore *ignore = s->linter->request->ignore;
	xb_auto_str struct xb_str clean = XB_STR_INIT(XB_MAX_EXPANSION);
	bool root, ignored = false;

	if (ignore == NULL || xb_ignore_has_exceptions(ignore))
		return;
	xb_ignore_clean(path, &clean);
	root = xb_view_is(xb_str_view(&clean), ".") || xb_view_is(xb_str_view(&clean), "/");
	if (root)
		ignored = xb_ignore_covers_all(ignore);
	else if (xb_ignore_match(ignore, xb_str_view(&clean), &ignored, NULL) < 0)
		return;
	if (ignored)
		REPORT(s, XB_RULE_COPY_IGNORED_FILE, word->at,
		       "Attempting to %s file \"%s%s\" that is excluded by .dockerignore",
		       i->kind == XB_INSTRUCTION_ADD ? "Add" : "Copy",
		       path.len > 0 && path.data[0] == '/' && !root ? "/" : "",
		       xb_str_text(&clean));
}

static void apply_copy(struct xb_scopes *s, const struct xb_instruction *i)
{
	bool context = xb_instruction_flag(i, "from") == NULL;

	use_flags(s, i);
	for (size_t w = 0; w < i->word_count && !s->stop; w++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_EXPANSION);
		bool source = w + 1 < i->word_count && i->heredoc_count == 0;
		enum xb_source_form form = XB_FORM_PATH;

		if (!expand(s, &i->words[w], &text) || !context || !source)
			continue;
		(void)xb_source_form_of(xb_str_text(&text), &form, NULL);
		if (i->kind == XB_INSTRUCTION_COPY || form == XB_FORM_PATH)
			check_ignored(s, i, &i->words[w], xb_str_view(&text));
	}
	use_documents(s, i);
}

static bool is_absolute(const struct xb_scope_stage *stage, struct xb_view path)
{
	if (path.len > 0 && path.data[0] == '/')
		return true;
	if (strcmp(stage->platform.os, "windows") != 0)
		return false;
	return path.len > 0 && (path.data[0] == '\\' || xb_view_find(path, ':') == 1);
}

/* What a base image has for a directory may change; a file that names one of its own is safe. */
static void apply_workdir(struct xb_scopes *s, const struct xb_instruction *i)
{
	struct xb_scope_stage *stage = stage_of(s);
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_MAX_EXPANSION);
	xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);

	(void)expand(s, &i->words[0], &path);
	if (!stage->directory && !is_absolute(stage, xb_str_view(&path))) {
		xb_text_quote(xb_str_view(&path), &shown);
		REPORT(s, XB_RULE_WORKDIR_RELATIVE_PATH, i->words[0].at,
		       "Relative workdir %s can have unexpected results if the base image changes",
		       xb_str_text(&shown));
	}
	stage->directory = true;
}

/* ---- commands ----------------------------------------------------------------------------- */

/* What stands twice is reported where it stands first: that is the one that counts for nothing. */
static void check_once(struct xb_scopes *s, const struct xb_instruction *i, enum xb_once what)
{
	const struct xb_instruction **last = &stage_of(s)->once[what];

	if (*last != NULL && !s->mute &&
	    xb_linter_wants(s->linter, XB_RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED, s->subject))
		xb_linter_report(s->linter, XB_RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED, *last,
				 (*last)->at,
				 "Multiple %s instructions should not be used in the same stage "
				 "because only the last one will be used",
				 i->keyword);
	if (!s->mute)
		*last = s->subject;
}

static void check_json(struct xb_scopes *s, const struct xb_instruction *i)
{
	if (!i->json && !stage_of(s)->shell)
		REPORT(s, XB_RULE_JSON_ARGS_RECOMMENDED, i->at,
		       "JSON arguments recommended for %s to prevent unintended behavior related "
		       "to OS signals",
		       i->keyword);
}

static void apply_cmd(struct xb_scopes *s, const struct xb_instruction *i)
{
	check_once(s, i, XB_ONCE_CMD);
	check_json(s, i);
}

static void apply_entrypoint(struct xb_scopes *s, const struct xb_instruction *i)
{
	check_once(s, i, XB_ONCE_ENTRYPOINT);
	check_json(s, i);
}

static void apply_healthcheck(struct xb_scopes *s, const struct xb_instruction *i)
{
	check_once(s, i, XB_ONCE_HEALTHCHECK);
}

static void apply_shell(struct xb_scopes *s, const struct xb_instruction *i)
{
	stage_of(s)->shell = i->word_count > 0;
}

static void apply_mount(struct xb_scopes *s, const struct xb_instruction *i,
			const struct xb_flag *flag)
{
	xb_auto_scope_word struct xb_scope_word word = { .text = flag->value,
							 .at = xb_scopes_value(flag) };
	xb_auto_mount struct xb_mount mount = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_expand_env env = { .lookup = xb_variables_lookup,
				     .ctx = s->scope,
				     .escape = s->linter->file->directives.escape,
				     .used = &word.used,
				     .unset = &word.unset,
				     .work = &s->work };

	if (xb_mount_parse(flag->value, &env, &mount, &err) < 0) {
		xb_scopes_fault(s, flag->at, &err);
		return;
	}
	report_undefined(s, &word);
	if (s->uses != NULL && !s->mute)
		xb_uses_mount(s->uses, s->stage, i, &mount);
}

static void apply_run(struct xb_scopes *s, const struct xb_instruction *i)
{
	for (size_t f = 0; f < i->flag_count; f++)
		if (strcmp(i->flags[f].name, "mount") == 0 && i->flags[f].value != NULL)
			apply_mount(s, i, &i->flags[f]);
}

/* ---- EXPOSE ------------------------------------------------------------------------------- */

static bool has_capital(struct xb_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] >= 'A' && text.data[i] <= 'Z')
			return true;
	return false;
}

static void check_port(struct xb_scopes *s, const struct xb_word *word, const char *port)
{
	const char *mapped = strrchr(port, ':');
	const char *own = mapped != NULL ? mapped + 1 : port;
	const char *slash = strchr(own, '/');

	if (slash != NULL && has_capital(xb_view(slash)))
		REPORT(s, XB_RULE_EXPOSE_PROTO_CASING, word->at,
		       "Defined protocol '%s' in EXPOSE instruction should be lowercase", port);
	if (mapped != NULL && mapped > port)
		REPORT(s, XB_RULE_EXPOSE_INVALID_FORMAT, word->at,
		       "EXPOSE instruction should not define an IP address or host-port mapping, "
		       "found '%s'",
		       port);
}

static void apply_expose(struct xb_scopes *s, const struct xb_instruction *i)
{
	struct xb_expand_env env = { .lookup = xb_variables_lookup,
				     .ctx = s->scope,
				     .escape = s->linter->file->directives.escape,
				     .work = &s->work };

	for (size_t w = 0; w < i->word_count; w++) {
		xb_auto_strv struct xb_strv ports = XB_STRV_INIT;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_expand_words(i->words[w].text, &env, &ports, &err) < 0)
			xb_scopes_fault(s, i->words[w].at, &err);
		for (size_t p = 0; p < ports.len; p++)
			check_port(s, &i->words[w], ports.items[p]);
	}
}

/* ---- all ---------------------------------------------------------------------------------- */

void xb_scopes_apply(struct xb_scopes *s, const struct xb_instruction *instruction)
{
	static void (*const table[XB_INSTRUCTION_COUNT])(struct xb_scopes *,
							 const struct xb_instruction *) = {
		[XB_INSTRUCTION_ADD] = apply_copy,
		[XB_INSTRUCTION_ARG] = apply_arg,
		[XB_INSTRUCTION_CMD] = apply_cmd,
		[XB_INSTRUCTION_COPY] = apply_copy,
		[XB_INSTRUCTION_ENTRYPOINT] = apply_entrypoint,
		[XB_INSTRUCTION_ENV] = apply_env,
		[XB_INSTRUCTION_EXPOSE] = apply_expose,
		[XB_INSTRUCTION_HEALTHCHECK] = apply_healthcheck,
		[XB_INSTRUCTION_LABEL] = apply_label,
		[XB_INSTRUCTION_RUN] = apply_run,
		[XB_INSTRUCTION_SHELL] = apply_shell,
		[XB_INSTRUCTION_STOPSIGNAL] = use_words,
		[XB_INSTRUCTION_USER] = use_words,
		[XB_INSTRUCTION_VOLUME] = use_words,
		[XB_INSTRUCTION_WORKDIR] = apply_workdir,
	};

	if (table[instruction->kind] != NULL)
		table[instruction->kind](s, instruction);
}
