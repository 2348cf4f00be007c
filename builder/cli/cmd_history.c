/* SPDX-License-Identifier: Apache-2.0 */
/* The last builds: history ls, inspect, logs, rm. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "builder/cache/history.h"
#include "builder/cache/store.h"
#include "builder/cli/command.h"
#include "builder/cli/options.h"
#include "builder/cli/report.h"

#define NS_PER_SECOND 1e9

struct history_options {
	const char *root;
	const char *format;
	const char *step;
	struct xb_strv operands; /* behind the verb */
	bool all;
	bool help;
};

#define AT(member) offsetof(struct history_options, member)

static const struct xb_option option_table[] = {
	{ "all", 'a', XB_OPTION_FLAG, AT(all), NULL, "rm: all builds" },
	{ "format", 0, XB_OPTION_TEXT, AT(format), "json", "ls, inspect: as JSON" },
	{ "step", 0, XB_OPTION_TEXT, AT(step), "N", "logs: of this step alone" },
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

/* What is said of a build comes from a file: a member that is missing or odd is shown as empty. */
static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

/* A word of ours, which another's file may have in its place: nothing that moves a cursor. */
static const char *word_of(const json_t *object, const char *key)
{
	const char *text = text_of(object, key);

	for (const char *p = text; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			return "?";
	}
	return text;
}

static uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

static void append_list(struct xb_str *out, const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		(void)xb_str_puts(out, i > 0 ? "," : "");
		(void)xb_str_append_quoted(out, xb_view(text));
	}
}

static double seconds_of(const json_t *object)
{
	return (double)number_of(object, "nanoseconds") / NS_PER_SECOND;
}

static json_t *parse(const char *id, const char *what)
{
	json_t *object = NULL;

	if (xb_json_parse(xb_view(what), XB_HISTORY_MAX_WHAT, &object, NULL) < 0 ||
	    !json_is_object(object)) {
		json_decref(object);
		object = json_object();
	}
	xb_json_set_string(object, "id", id);
	return object;
}

/* ---- ls ------------------------------------------------------------------------------------- */

static int print_build(void *context, const char *id, const char *what)
{
	xb_auto_json json_t *build = parse(id, what);
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);

	(void)context;
	append_list(&name, json_object_get(build, "tags"));
	if (name.len == 0)
		(void)xb_str_append_quoted(&name, xb_view(text_of(build, "context")));
	(void)printf("%-12.12s  %-20s  %-11s %8.1fs %6" PRIu64 " %6" PRIu64 "  %s\n", id,
		     word_of(build, "started"), word_of(build, "status"), seconds_of(build),
		     number_of(build, "ran"), number_of(build, "cached"), xb_str_text(&name));
	return 0;
}

static int add_build(void *context, const char *id, const char *what)
{
	json_t *build = parse(id, what);

	(void)json_object_del(build, "steps");
	(void)json_array_append_new(context, build);
	return 0;
}

static int ls(struct xb_store *store, const struct history_options *options, struct xb_error *err)
{
	xb_auto_json json_t *array = json_array();
	int r;

	if (options->format == NULL) {
		(void)printf("%-12s  %-20s  %-11s %9s %6s %6s  %s\n", "ID", "STARTED", "STATUS",
			     "TIME", "RAN", "CACHED", "NAME");
		return xb_history_each(store, print_build, NULL, err);
	}
	r = xb_history_each(store, add_build, array, err);
	return r < 0 ? r : xb_report_json(array, err);
}

/* ---- inspect -------------------------------------------------------------------------------- */

static int find(struct xb_store *store, const struct history_options *options,
		char ret_id[XB_HISTORY_ID_SIZE], json_t **ret, struct xb_error *err)
{
	xb_auto_str struct xb_str what = XB_STR_INIT(XB_HISTORY_MAX_WHAT);
	const char *id = options->operands.len > 0 ? options->operands.items[0] : "";
	int r = xb_history_find(store, id, ret_id, &what, err);

	if (r >= 0)
		*ret = parse(ret_id, xb_str_text(&what));
	return r;
}

static void print_field(const json_t *build, const char *label, const char *key)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	const json_t *value = json_object_get(build, key);

	if (json_is_array(value))
		append_list(&text, value);
	else
		(void)xb_str_append_quoted(&text, xb_view(text_of(build, key)));
	if (text.len > 0)
		(void)printf("%-11s %s\n", label, xb_str_text(&text));
}

static void print_step(const json_t *step, size_t index)
{
	xb_auto_str struct xb_str title = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_append_quoted(&title, xb_view(text_of(step, "title")));
	(void)printf("#%-4zu %-11s %8.2fs %12" PRIu64 "  %-9s %s\n", index, word_of(step, "status"),
		     seconds_of(step), number_of(step, "layerBytes"), word_of(step, "strategy"),
		     xb_str_text(&title));
}

static void print_steps(const json_t *steps)
{
	if (json_array_size(steps) > 0)
		(void)printf("\n%-5s %-11s %9s %12s  %-9s %s\n", "STEP", "STATUS", "TIME", "LAYER",
			     "STRATEGY", "WHAT");
	for (size_t i = 0; i < json_array_size(steps); i++)
		print_step(json_array_get(steps, i), i);
}

static int inspect(struct xb_store *store, const struct history_options *options,
		   struct xb_error *err)
{
	xb_auto_json json_t *build = NULL;
	char id[XB_HISTORY_ID_SIZE];
	int r = find(store, options, id, &build, err);

	if (r < 0 || options->format != NULL)
		return r < 0 ? r : xb_report_json(build, err);
	print_field(build, "Id:", "id");
	print_field(build, "Started:", "started");
	print_field(build, "Status:", "status");
	print_field(build, "Error:", "error");
	(void)printf("%-11s %.1fs\n", "Time:", seconds_of(build));
	print_field(build, "Context:", "context");
	print_field(build, "Dockerfile:", "dockerfile");
	print_field(build, "Target:", "target");
	print_field(build, "Platforms:", "platforms");
	print_field(build, "Tags:", "tags");
	print_field(build, "Digest:", "digest");
	print_steps(json_object_get(build, "steps"));
	return 0;
}

/* ---- logs ----------------------------------------------------------------------------------- */

struct showing {
	const json_t *steps;
	bool one; /* only `step` */
	uint64_t step;
};

/* Foreign text, a line at a time; tabs stay. */
static void print_lines(size_t step, bool numbered, const char *text)
{
	struct xb_view rest = xb_view(text);
	struct xb_view line;

	while (rest.len > 0 && xb_view_split(&rest, '\n', &line)) {
		xb_auto_str struct xb_str safe = XB_STR_INIT(XB_STR_OWN);

		(void)xb_str_append_quoted(&safe, line);
		if (numbered)
			(void)printf("#%zu %s\n", step, xb_str_text(&safe));
		else
			(void)printf("%s\n", xb_str_text(&safe));
	}
}

static int print_log(void *context, const struct xb_history_log *log)
{
	const struct showing *showing = context;
	const json_t *step = json_array_get(showing->steps, log->step);
	xb_auto_str struct xb_str title = XB_STR_INIT(XB_STR_OWN);

	if (showing->one && log->step != showing->step)
		return 0;
	if (!showing->one) {
		(void)xb_str_append_quoted(&title, xb_view(text_of(step, "title")));
		(void)printf("#%zu %s\n", log->step, xb_str_text(&title));
	}
	print_lines(log->step, !showing->one, log->text);
	return 0;
}

static int logs(struct xb_store *store, const struct history_options *options, struct xb_error *err)
{
	xb_auto_json json_t *build = NULL;
	struct showing showing = { .one = options->step != NULL };
	char id[XB_HISTORY_ID_SIZE];
	int r;

	if (options->step != NULL &&
	    xb_view_parse_u64(xb_view(options->step), SIZE_MAX, &showing.step) < 0) {
		(void)xb_error_set(err, -EINVAL, "--step %s is not a number", options->step);
		return xb_error_fault(err, XB_FAULT_USAGE);
	}
	r = find(store, options, id, &build, err);
	if (r < 0)
		return r;
	showing.steps = json_object_get(build, "steps");
	return xb_history_logs(store, id, print_log, &showing, err);
}

/* ---- rm ------------------------------------------------------------------------------------- */

static int remove_one(struct xb_store *store, const char *name, struct xb_error *err)
{
	xb_auto_str struct xb_str what = XB_STR_INIT(XB_HISTORY_MAX_WHAT);
	char id[XB_HISTORY_ID_SIZE];
	int r = xb_history_find(store, name, id, &what, err);

	return r < 0 ? r : xb_history_remove(store, id, err);
}

static int rm(struct xb_store *store, const struct history_options *options, struct xb_error *err)
{
	int r = 0;

	if (options->all)
		return xb_history_remove(store, NULL, err);
	for (size_t i = 0; r >= 0 && i < options->operands.len; i++)
		r = remove_one(store, options->operands.items[i], err);
	return r;
}

/* ---- the command ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t most; /* operands */
	int (*run)(struct xb_store *, const struct history_options *, struct xb_error *);
} verbs[] = {
	{ "ls", 0, ls },
	{ "inspect", 1, inspect },
	{ "logs", 1, logs },
	{ "rm", SIZE_MAX, rm },
};

static int usage(struct xb_error *err, const char *message)
{
	(void)xb_error_set(err, -EINVAL, "xbuild history: %s", message);
	(void)xb_error_hint(err,
			    "xbuild history [ls | inspect [ID] | logs [ID] | rm ID… | rm --all]");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

/* Which verb the operands begin with, and whether the rest fits it; `ls` may be left out. */
static int choose(struct history_options *options, size_t *ret, struct xb_error *err)
{
	struct xb_strv *operands = &options->operands;

	*ret = 0;
	if (options->format != NULL && strcmp(options->format, "json") != 0)
		return usage(err, "--format is json or left out");
	if (operands->len == 0)
		return 0;
	while (*ret < XB_COUNT(verbs) && strcmp(operands->items[0], verbs[*ret].name) != 0)
		++*ret;
	if (*ret == XB_COUNT(verbs))
		return usage(err, "name what to do");
	xb_strv_remove(operands, 0);
	if (operands->len > verbs[*ret].most)
		return usage(err, "too many operands");
	if (verbs[*ret].run == rm && (operands->len == 0) != options->all)
		return usage(err, "name the builds to remove, or --all");
	for (size_t i = 0; i < operands->len; i++) {
		if (operands->items[i][0] == '\0')
			return usage(err, "an empty name is no build's");
	}
	return 0;
}

static int print_help(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_options_help(option_table, &text);
	(void)printf(
		"xbuild history [ls|inspect|logs|rm] [OPTIONS] [ID…]\n\n"
		"An ID is a build's name or the beginning of it; without one, the last build's.\n"
		"\n%s",
		xb_str_text(&text));
	return 0;
}

static int run(const struct xb_invocation *invocation, struct history_options *options,
	       struct xb_error *err)
{
	xb_auto_store struct xb_store *store = NULL;
	size_t verb = 0;
	int r = xb_options_parse(option_table, invocation->argv, false, options, &options->operands,
				 err);

	if (r < 0 || options->help)
		return r < 0 ? r : print_help();
	r = choose(options, &verb, err);
	if (r >= 0)
		r = xb_store_open(options->root != NULL ? options->root : invocation->default_root,
				  &store, err);
	return r < 0 ? r : verbs[verb].run(store, options, err);
}

int xb_cmd_history(const struct xb_invocation *invocation, struct xb_error *err)
{
	struct history_options options = { 0 };
	int r = run(invocation, &options, err);

	xb_strv_clear(&options.operands);
	return r;
}
