/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/answer.h"
#include "builder/cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_url.h"
#include "base/json.h"
#include "builder/dockerfile/instruction.h"

/* ---- JSON --------------------------------------------------------------------------------- */

/* A member that is left out when there is nothing to say. */
static void set_text(json_t *object, const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0')
		xb_json_set_string(object, name, text);
}

static json_t *position(uint32_t line)
{
	json_t *object = json_object();

	xb_json_set_u64(object, "line", line);
	return object;
}

static json_t *lines(uint32_t first, uint32_t last)
{
	json_t *location = json_object();
	json_t *ranges = json_array();
	json_t *range = json_object();

	xb_json_set_new(range, "start", position(first));
	xb_json_set_new(range, "end", position(last));
	(void)json_array_append_new(ranges, range);
	xb_json_set_new(location, "ranges", ranges);
	return location;
}

static json_t *base64(struct xb_view text)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);

	xb_http_base64(text, &out);
	return json_string(xb_str_text(&out));
}

static json_t *warning(const struct xb_finding *finding)
{
	const struct xb_rule *rule = xb_rule(finding->rule);
	json_t *object = json_object();

	xb_json_set_string(object, "ruleName", rule->name);
	xb_json_set_string(object, "description", rule->description);
	set_text(object, "url", rule->url);
	xb_json_set_string(object, "detail", finding->detail);
	xb_json_set_new(object, "location", lines(finding->first_line, finding->last_line));
	return object;
}

static json_t *source(const struct xb_dockerfile *dockerfile)
{
	json_t *object = json_object();

	xb_json_set_string(object, "filename", dockerfile->path);
	xb_json_set_string(object, "language", "Dockerfile");
	xb_json_set_new(object, "data", base64(dockerfile->text));
	return object;
}

/* The line in "PATH:LINE:COLUMN: ...", 0 where there is none. */
static uint32_t fault_line(const struct xb_dockerfile *dockerfile, const struct xb_error *fault)
{
	size_t len = strlen(dockerfile->path);

	if (strncmp(fault->message, dockerfile->path, len) != 0 || fault->message[len] != ':')
		return 0;
	return (uint32_t)strtoul(fault->message + len + 1, NULL, 10);
}

static json_t *build_error(const struct xb_dockerfile *dockerfile, const struct xb_error *fault)
{
	json_t *object = json_object();
	uint32_t line = fault_line(dockerfile, fault);

	xb_json_set_string(object, "message", fault->message);
	xb_json_set_new(object, "location", line > 0 ? lines(line, line) : json_object());
	return object;
}

void xb_answer_check(const struct xb_build_request *request, const struct xb_check *check,
		     const struct xb_error *fault)
{
	xb_auto_json json_t *object = json_object();
	json_t *warnings = json_array();
	json_t *sources = json_array();

	for (size_t i = 0; i < check->lint.findings.len; i++)
		(void)json_array_append_new(warnings, warning(&check->lint.findings.items[i]));
	(void)json_array_append_new(sources, source(request->dockerfile));
	xb_json_set_new(object, "warnings", warnings);
	xb_json_set_new(object, "sources", sources);
	if (fault->code != 0)
		xb_json_set_new(object, "buildError", build_error(request->dockerfile, fault));
	(void)xb_report_json(object, NULL);
}

static json_t *outline_item(const struct xb_outline_item *item, const char *name)
{
	json_t *object = json_object();

	xb_json_set_string(object, name, item->name);
	set_text(object, "description", item->description);
	set_text(object, "value", item->value);
	if (item->required)
		(void)json_object_set_new(object, "required", json_true());
	xb_json_set_new(object, "location", lines(item->at.line, item->at.end_line));
	return object;
}

static void set_items(json_t *object, const char *member, const struct xb_outline_items *items,
		      const char *name)
{
	json_t *array;

	if (items->len == 0)
		return;
	array = json_array();
	for (size_t i = 0; i < items->len; i++)
		(void)json_array_append_new(array, outline_item(&items->items[i], name));
	xb_json_set_new(object, member, array);
}

static void set_sources(json_t *object, const struct xb_dockerfile *dockerfile)
{
	json_t *sources = json_array();

	(void)json_array_append_new(sources, base64(dockerfile->text));
	xb_json_set_new(object, "sources", sources);
}

void xb_answer_outline(const struct xb_build_request *request, const struct xb_outline *outline)
{
	xb_auto_json json_t *object = json_object();

	set_text(object, "name", outline->name);
	set_text(object, "description", outline->description);
	set_items(object, "args", &outline->args, "name");
	set_items(object, "secrets", &outline->secrets, "name");
	set_items(object, "ssh", &outline->agents, "name");
	set_items(object, "cache", &outline->caches, "ID");
	set_sources(object, request->dockerfile);
	(void)xb_report_json(object, NULL);
}

static json_t *target(const struct xb_dockerfile *dockerfile, const struct xb_stage *stage)
{
	const struct xb_instruction *from = stage->from;
	json_t *object = json_object();
	xb_autofree char *description =
		stage->name != NULL ? xb_outline_describe(from, stage->name) : NULL;

	set_text(object, "name", stage->name);
	if (stage == &dockerfile->stages[dockerfile->stage_count - 1])
		(void)json_object_set_new(object, "default", json_true());
	set_text(object, "description", description);
	set_text(object, "base", from->words[0].text);
	set_text(object, "platform", xb_instruction_flag_value(from, "platform"));
	xb_json_set_new(object, "location", lines(from->at.line, from->at.end_line));
	return object;
}

void xb_answer_targets(const struct xb_dockerfile *dockerfile)
{
	xb_auto_json json_t *object = json_object();
	json_t *targets = json_array();

	for (size_t i = 0; i < dockerfile->stage_count; i++)
		(void)json_array_append_new(targets, target(dockerfile, &dockerfile->stages[i]));
	xb_json_set_new(object, "targets", targets);
	set_sources(object, dockerfile);
	(void)xb_report_json(object, NULL);
}

/* ---- tables ------------------------------------------------------------------------------- */

#define COLUMNS 3

/* Rows of at most COLUMNS cells, one behind the other; the cells of a column stand below each
 * other. */
struct table {
	struct xb_strv cells;
	size_t columns;
};

static void add_cell(struct table *table, const char *text)
{
	xb_auto_str struct xb_str safe = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_append_quoted(&safe, xb_view(text));
	xb_strv_push(&table->cells, xb_str_text(&safe));
}

static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xC0U) != 0x80U;
	return width;
}

static void print_table(struct table *table, size_t gap)
{
	size_t widths[COLUMNS] = { 0 };

	for (size_t i = 0; i < table->cells.len; i++) {
		size_t *width = &widths[i % table->columns];
		size_t own = width_of(table->cells.items[i]);

		*width = own > *width ? own : *width;
	}
	for (size_t i = 0; i < table->cells.len; i++) {
		const char *cell = table->cells.items[i];
		size_t column = i % table->columns;
		bool last = column + 1 == table->columns;

		(void)printf("%s%*s%s", cell,
			     last ? 0 : (int)(widths[column] - width_of(cell) + gap), "",
			     last ? "\n" : "");
	}
	xb_strv_clear(&table->cells);
}

static void print_args(const struct xb_outline_items *args)
{
	struct table table = { .columns = 3 };

	if (args->len == 0)
		return;
	add_cell(&table, "BUILD ARG");
	add_cell(&table, "VALUE");
	add_cell(&table, "DESCRIPTION");
	for (size_t i = 0; i < args->len; i++) {
		add_cell(&table, args->items[i].name);
		add_cell(&table, args->items[i].value);
		add_cell(&table, args->items[i].description);
	}
	print_table(&table, 3);
	(void)puts("");
}

static void print_required(const char *what, const struct xb_outline_items *items)
{
	struct table table = { .columns = 2 };

	if (items->len == 0)
		return;
	add_cell(&table, what);
	add_cell(&table, "REQUIRED");
	for (size_t i = 0; i < items->len; i++) {
		add_cell(&table, items->items[i].name);
		add_cell(&table, items->items[i].required ? "true" : "");
	}
	print_table(&table, 3);
	(void)puts("");
}

static void print_caches(const struct xb_outline_items *caches)
{
	struct table table = { .columns = 1 };

	if (caches->len == 0)
		return;
	add_cell(&table, "CACHE");
	for (size_t i = 0; i < caches->len; i++)
		add_cell(&table, caches->items[i].name);
	print_table(&table, 3);
	(void)puts("");
}

void xb_answer_print_outline(const struct xb_outline *outline)
{
	struct table table = { .columns = 2 };

	if (outline->name != NULL) {
		add_cell(&table, "TARGET:");
		add_cell(&table, outline->name);
	}
	if (outline->description != NULL) {
		add_cell(&table, "DESCRIPTION:");
		add_cell(&table, outline->description);
	}
	if (table.cells.len > 0) {
		print_table(&table, 1);
		(void)puts("");
	}
	print_args(&outline->args);
	print_required("SECRET", &outline->secrets);
	print_required("SSH", &outline->agents);
	print_caches(&outline->caches);
}

void xb_answer_print_targets(const struct xb_dockerfile *dockerfile)
{
	struct table table = { .columns = 2 };

	add_cell(&table, "TARGET");
	add_cell(&table, "DESCRIPTION");
	for (size_t i = 0; i < dockerfile->stage_count; i++) {
		const struct xb_stage *stage = &dockerfile->stages[i];
		bool last = i + 1 == dockerfile->stage_count;
		xb_autofree char *name =
			xb_format("%s%s%s", stage->name != NULL ? stage->name : "",
				  stage->name != NULL && last ? " " : "", last ? "(default)" : "");
		xb_autofree char *description =
			stage->name != NULL ? xb_outline_describe(stage->from, stage->name) : NULL;

		add_cell(&table, name);
		add_cell(&table, description);
	}
	print_table(&table, 1);
}
