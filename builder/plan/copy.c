/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/mode.h"
#include "builder/dockerfile/expand.h"
#include "builder/dockerfile/heredoc.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/values.h"
#include "builder/plan/apply.h"
#include "builder/plan/fetch.h"
#include "builder/plan/history.h"
#include "builder/plan/path.h"

/* Operands and flags of a COPY or ADD after expansion. */
struct operands {
	struct xb_strv sources; /* of paths */
	struct xb_strv shown;	/* of all, for the history */
	char *checksum;
	struct xb_copy_fetch *fetches;
	size_t fetch_count;
	char *destination; /* as written */
	struct xb_step_file *files;
	size_t file_count;
	char *chown;
	char *chmod;
	struct xb_strv excludes;
};

static void operands_clear(struct operands *o)
{
	xb_strv_clear(&o->sources);
	xb_strv_clear(&o->shown);
	free(o->checksum);
	xb_strv_clear(&o->excludes);
	free(o->destination);
	free(o->chown);
	free(o->chmod);
}

/* The here-document that a source stands for, or NULL. */
static const struct xb_heredoc *find_document(const struct xb_plan_apply *a,
					      const struct xb_word *word)
{
	struct xb_heredoc named;

	if (a->instruction->json ||
	    xb_heredoc_read_word(xb_view(word->text), a->planner->plan->arena, &named, NULL) <= 0)
		return NULL;
	for (size_t i = 0; i < a->instruction->heredoc_count; i++) {
		if (strcmp(a->instruction->heredocs[i].name, named.name) == 0)
			return &a->instruction->heredocs[i];
	}
	return NULL;
}

static int add_document(const struct xb_plan_apply *a, const struct xb_heredoc *heredoc,
			struct operands *o, struct xb_error *err)
{
	struct xb_arena *arena = a->planner->plan->arena;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = xb_plan_apply_check_name(a, heredoc, err);

	if (r == 0 && heredoc->expand)
		r = xb_scope_expand_document(&a->state->vars, a->file, heredoc, &text, err);
	else if (r == 0)
		(void)xb_str_puts(&text, heredoc->content);
	if (r == 0)
		r = xb_plan_apply_count(a, text.len, err);
	if (r < 0)
		return r;
	o->files[o->file_count++] = (struct xb_step_file){
		.name = xb_arena_dup(arena, xb_view(heredoc->name)),
		.content = xb_arena_dup(arena, xb_str_view(&text)),
	};
	return 0;
}

/* A flag of ADD may not say other than the query of the URL that it is for. */
static int check_conflicts(const struct xb_plan_apply *a, const struct xb_git_url *url,
			   const struct xb_step_fetch *fetch, struct xb_location at,
			   struct xb_error *err)
{
	if (fetch->keep_git_dir != XB_GIT_UNSAID && url->keep_git_dir != XB_GIT_UNSAID &&
	    fetch->keep_git_dir != url->keep_git_dir)
		return xb_location_error(a->file, at, err,
					 "--keep-git-dir is other than what the URL says");
	if (fetch->checksum != NULL && url->commit != NULL &&
	    strcmp(fetch->checksum, url->commit) != 0)
		return xb_location_error(a->file, at, err,
					 "--checksum=%s is other than the URL's %s",
					 fetch->checksum, url->commit);
	return 0;
}

static int set_git_flags(const struct xb_plan_apply *a, const struct xb_word *word,
			 struct xb_step_fetch *fetch, struct xb_error *err)
{
	xb_auto_git_url struct xb_git_url url = { 0 };
	int r = xb_git_url_parse(fetch->url, &url, err);

	if (r < 0)
		return xb_location_wrap(a->file, word->at, err);
	if (xb_instruction_flag(a->instruction, "keep-git-dir") != NULL)
		fetch->keep_git_dir = xb_instruction_flag_bool(a->instruction, "keep-git-dir")
					      ? XB_GIT_ON
					      : XB_GIT_OFF;
	return check_conflicts(a, &url, fetch, word->at, err);
}

/* Whether a flag of ADD is given and on. */
static bool flag_on(const struct xb_plan_apply *a, const char *name, bool fallback)
{
	return xb_instruction_flag(a->instruction, name) != NULL
		       ? xb_instruction_flag_bool(a->instruction, name)
		       : fallback;
}

static int add_fetch(const struct xb_plan_apply *a, const struct xb_word *word, const char *url,
		     enum xb_source_form form, struct operands *o, struct xb_error *err)
{
	xb_autofree char *name = form == XB_FORM_FILE ? xb_fetch_file_name(url) : NULL;
	struct xb_step_fetch fetch =
		xb_fetch_describe(a->planner->plan, url, form == XB_FORM_GIT, name, o->checksum);
	int r = 0;

	if (o->checksum != NULL && xb_fetch_check_checksum(form, o->checksum, err) < 0)
		return xb_location_wrap(a->file,
					xb_instruction_flag(a->instruction, "checksum")->at, err);
	if (fetch.git)
		r = set_git_flags(a, word, &fetch, err);
	if (r < 0)
		return r;
	xb_strv_push(&o->shown, fetch.shown);
	o->fetches[o->fetch_count++] = (struct xb_copy_fetch){
		.step = xb_fetch_add_step(a->planner, a->state, a->file, a->instruction, &fetch),
		.before = o->sources.len,
		.path = fetch.git ? "." : fetch.name,
		.unpack = !fetch.git && flag_on(a, "unpack", false),
	};
	return 0;
}

static int copy_from_elsewhere(const struct xb_plan_apply *a, const struct xb_word *word,
			       struct xb_error *err)
{
	(void)xb_location_error(a->file, word->at, err,
				"COPY takes no source from a URL or git repository");
	(void)xb_error_hint(err, "ADD does");
	return -EINVAL;
}

static int add_source(const struct xb_plan_apply *a, const struct xb_word *word, struct operands *o,
		      struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	const struct xb_heredoc *document = find_document(a, word);
	enum xb_source_form form = XB_FORM_PATH;
	int r;

	if (document != NULL)
		return add_document(a, document, o, err);
	r = xb_plan_apply_expand(a, word, &text, err);
	if (r == 0 && xb_source_form_of(xb_str_text(&text), &form, err) < 0)
		return xb_location_wrap(a->file, word->at, err);
	if (r == 0 && form != XB_FORM_PATH && a->instruction->kind != XB_INSTRUCTION_ADD)
		return copy_from_elsewhere(a, word, err);
	if (r == 0 && form != XB_FORM_PATH)
		return add_fetch(a, word, xb_str_text(&text), form, o, err);
	if (r < 0)
		return r;
	xb_strv_push(&o->shown, xb_str_text(&text));
	xb_strv_push(&o->sources, xb_str_text(&text));
	return 0;
}

/* All but the last word are sources. */
static int read_words(const struct xb_plan_apply *a, struct operands *o, struct xb_error *err)
{
	const struct xb_instruction *instruction = a->instruction;
	xb_auto_str struct xb_str destination = XB_STR_INIT(XB_STR_OWN);
	size_t count = instruction->word_count - 1;
	int r = 0;

	o->files = xb_arena_alloc(a->planner->plan->arena, count, sizeof(*o->files));
	o->fetches = xb_arena_alloc(a->planner->plan->arena, count, sizeof(*o->fetches));
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_source(a, &instruction->words[i], o, err);
	if (r == 0)
		r = xb_plan_apply_expand(a, &instruction->words[count], &destination, err);
	if (r == 0)
		o->destination = xb_str_steal(&destination);
	return r;
}

static int read_flag(const struct xb_plan_apply *a, const char *name, char **ret,
		     struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = xb_plan_apply_expand_flag(a, name, &text, err);

	if (r > 0 && text.len > 0)
		*ret = xb_str_steal(&text);
	return r < 0 ? r : 0;
}

static int read_excludes(const struct xb_plan_apply *a, struct operands *o, struct xb_error *err)
{
	for (size_t i = 0; i < a->instruction->flag_count; i++) {
		const struct xb_flag *flag = &a->instruction->flags[i];
		struct xb_word word = { .text = flag->value, .at = flag->at };
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
		int r;

		if (strcmp(flag->name, "exclude") != 0)
			continue;
		r = xb_plan_apply_expand(a, &word, &text, err);
		if (r < 0)
			return r;
		xb_strv_push(&o->excludes, xb_str_text(&text));
	}
	return 0;
}

/* Only what comes from elsewhere can be other than it is expected to be. */
static int check_checksum(const struct xb_plan_apply *a, const struct operands *o,
			  struct xb_error *err)
{
	if (o->checksum == NULL || (o->fetch_count == 1 && o->sources.len == 0))
		return 0;
	return xb_location_error(a->file, xb_instruction_flag(a->instruction, "checksum")->at, err,
				 "--checksum is for a single source from a URL or git repository");
}

static int read_operands(const struct xb_plan_apply *a, struct operands *o, struct xb_error *err)
{
	int r = read_flag(a, "checksum", &o->checksum, err);

	if (r == 0)
		r = read_words(a, o, err);
	if (r == 0)
		r = check_checksum(a, o, err);
	if (r == 0)
		r = read_flag(a, "chown", &o->chown, err);
	if (r == 0)
		r = read_flag(a, "chmod", &o->chmod, err);
	if (r == 0)
		r = read_excludes(a, o, err);
	return r;
}

/* --chmod: octal digits, or a change that depends on the mode that a file has. */
static int set_mode(const struct xb_plan_apply *a, const char *text, struct xb_step_copy *copy,
		    struct xb_error *err)
{
	struct xb_mode_change change;
	mode_t mode = 0;
	int r;

	if (text[0] >= '0' && text[0] <= '9') {
		r = xb_chmod_parse(text, &mode, err);
		copy->mode = (int)mode;
	} else {
		r = xb_mode_parse(text, &change, err);
		copy->chmod = xb_arena_dup(a->planner->plan->arena, xb_view(text));
	}
	if (r < 0)
		return xb_location_wrap(a->file, xb_instruction_flag(a->instruction, "chmod")->at,
					err);
	return 0;
}

static int fill_copy(const struct xb_plan_apply *a, const struct operands *o,
		     struct xb_step_copy *ret, struct xb_error *err)
{
	const struct xb_instruction *instruction = a->instruction;
	struct xb_plan *plan = a->planner->plan;
	const char *cwd = a->state->config.working_dir;
	xb_autofree char *destination =
		xb_plan_destination(cwd != NULL ? cwd : "/", o->destination);
	bool add = instruction->kind == XB_INSTRUCTION_ADD;

	*ret = (struct xb_step_copy){
		.add = add,
		.unpack = flag_on(a, "unpack", add),
		/* as in BuildKit, where the flags do not work together */
		.link = xb_instruction_flag_bool(instruction, "link") && o->chmod == NULL,
		.parents = xb_instruction_flag_bool(instruction, "parents"),
		.origin = a->source->origin,
		.from = a->source->step,
		.from_name = a->source->name,
		.sources = xb_plan_list(plan, &o->sources),
		.fetches = o->fetches,
		.fetch_count = o->fetch_count,
		.files = o->files,
		.file_count = o->file_count,
		.excludes = xb_plan_list(plan, &o->excludes),
		.destination = xb_arena_dup(plan->arena, xb_view(destination)),
		.mode = -1,
	};
	if (o->chown != NULL)
		ret->chown = xb_arena_dup(plan->arena, xb_view(o->chown));
	return o->chmod != NULL ? set_mode(a, o->chmod, ret, err) : 0;
}

static char *copy_history(const struct xb_step_copy *copy, const struct operands *o)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_puts(&text, copy->add ? "ADD" : "COPY");
	if (copy->parents)
		(void)xb_str_puts(&text, " --parents");
	if (o->chown != NULL)
		(void)xb_str_printf(&text, " --chown=%s", o->chown);
	if (o->chmod != NULL)
		(void)xb_str_printf(&text, " --chmod=%s", o->chmod);
	for (size_t i = 0; i < o->shown.len; i++)
		(void)xb_str_printf(&text, " %s", o->shown.items[i]);
	for (size_t i = 0; i < o->file_count; i++)
		(void)xb_str_printf(&text, " <<%s", o->files[i].name);
	(void)xb_str_printf(&text, " %s" XB_HISTORY_MARK, o->destination);
	return xb_str_steal(&text);
}

int xb_plan_apply_copy(const struct xb_plan_apply *a, struct xb_error *err)
{
	struct xb_stage_state *state = a->state;
	XB_CLEANUP(operands_clear) struct operands operands = { 0 };
	struct xb_step step =
		xb_stage_step(a->planner, state, XB_STEP_COPY, a->file, a->instruction);
	int r = read_operands(a, &operands, err);

	if (r == 0)
		r = fill_copy(a, &operands, &step.copy, err);
	if (r < 0)
		return r;
	state->tip = xb_steps_add(&a->planner->steps, &step);
	xb_stage_record(a->planner, state, copy_history(&step.copy, &operands), state->tip);
	return 0;
}
