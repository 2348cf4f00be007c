/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/names.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/array.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/mount.h"

static char *lower(const char *name)
{
	char *copy = xb_strdup(name);

	for (char *c = copy; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	return copy;
}

void xb_stage_names_init(struct xb_stage_names *names, const struct xb_dockerfile *file)
{
	*names = (struct xb_stage_names){
		.file = file,
		.last = xb_map_new(),
		.before = xb_calloc(file->stage_count + 1, sizeof(*names->before)),
	};
	for (size_t i = 0; i < file->stage_count; i++) {
		const char *name = file->stages[i].name; /* the parser has it in lower case */
		void *place = (void *)(uintptr_t)(i + 1);

		if (name != NULL)
			names->before[i] =
				(size_t)(uintptr_t)xb_map_set(names->last, xb_view(name), place);
	}
}

void xb_stage_names_clear(struct xb_stage_names *names)
{
	xb_map_free(names->last);
	free(names->before);
	*names = (struct xb_stage_names){ 0 };
}

size_t xb_stage_names_find(const struct xb_stage_names *names, const char *name, size_t before)
{
	xb_autofree char *key = lower(name);
	size_t place = (size_t)(uintptr_t)xb_map_get(names->last, xb_view(key));

	while (place > before)
		place = names->before[place - 1];
	return place > 0 ? place - 1 : XB_STAGE_NONE;
}

size_t xb_stage_names_origin(const struct xb_stage_names *names, const char *from, size_t stage)
{
	size_t count = names->file->stage_count;
	size_t found = xb_stage_names_find(names, from, stage);
	uint64_t number = 0;

	if (found == XB_STAGE_NONE)
		found = xb_stage_names_find(names, from, count);
	if (found == XB_STAGE_NONE && count > 0 &&
	    xb_view_parse_u64(xb_view(from), count - 1, &number) == 0)
		found = (size_t)number;
	return found;
}

/* ---- circles ------------------------------------------------------------------------------ */

enum colour { UNSEEN, OPEN, DONE };

/* A stage that is being looked at, and how far. */
struct visit {
	size_t stage;
	size_t instruction;    /* the next one; 0 is FROM */
	size_t flag;	       /* its next flag */
	struct xb_location at; /* where the stage that comes next in the chain is named */
};

struct chain XB_ARRAY(struct visit);

static void chain_clear(struct chain *chain)
{
	xb_array_clear(chain);
}

static size_t from_of_flag(const struct xb_stage_names *names,
			   const struct xb_instruction *instruction, const struct xb_flag *flag,
			   size_t stage)
{
	bool mount = strcmp(flag->name, "mount") == 0;
	xb_autofree char *from = NULL;

	if (flag->value == NULL)
		return XB_STAGE_NONE;
	if (instruction->kind == XB_INSTRUCTION_RUN && mount)
		from = xb_mount_from(flag->value);
	else if (instruction->kind == XB_INSTRUCTION_COPY && strcmp(flag->name, "from") == 0)
		from = xb_strdup(flag->value);
	return from != NULL ? xb_stage_names_origin(names, from, stage) : XB_STAGE_NONE;
}

/* The next stage that the one of `visit` needs, or XB_STAGE_NONE when there are no more. */
static size_t next_need(const struct xb_stage_names *names, struct visit *visit)
{
	const struct xb_stage *stage = &names->file->stages[visit->stage];

	if (visit->instruction == 0) {
		size_t base = xb_stage_names_find(names, stage->from->words[0].text, visit->stage);

		visit->instruction = 1;
		visit->at = stage->from->at;
		if (base != XB_STAGE_NONE)
			return base;
	}
	while (visit->instruction <= stage->instruction_count) {
		const struct xb_instruction *i = &stage->instructions[visit->instruction - 1];
		size_t need = XB_STAGE_NONE;

		if (visit->flag < i->flag_count) {
			visit->at = i->flags[visit->flag].at;
			need = from_of_flag(names, i, &i->flags[visit->flag++], visit->stage);
		} else {
			visit->instruction++;
			visit->flag = 0;
		}
		if (need != XB_STAGE_NONE)
			return need;
	}
	return XB_STAGE_NONE;
}

static void append_name(const struct xb_stage_names *names, size_t stage, struct xb_str *out)
{
	const char *name = names->file->stages[stage].name;

	if (name != NULL)
		(void)xb_str_puts(out, name);
	else
		(void)xb_str_printf(out, "stage-%zu", stage);
}

static int circle(const struct xb_stage_names *names, const struct chain *chain, size_t need,
		  struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	size_t from = chain->len - 1;

	while (chain->items[from].stage != need)
		from--;
	for (size_t i = from; i < chain->len; i++) {
		append_name(names, chain->items[i].stage, &text);
		(void)xb_str_puts(&text, " needs ");
	}
	append_name(names, need, &text);
	(void)xb_location_error(names->file, chain->items[chain->len - 1].at, err,
				"the stages need each other in a circle: %s", xb_str_text(&text));
	(void)xb_error_hint(err, "move what both need into a stage before them");
	return -EINVAL;
}

/* Follow all that a stage needs, with the chain on the heap: it may be as long as the file. */
static int follow(const struct xb_stage_names *names, unsigned char *colours, size_t stage,
		  struct xb_error *err)
{
	XB_CLEANUP(chain_clear) struct chain chain = { 0 };

	xb_array_push(&chain)->stage = stage;
	colours[stage] = OPEN;
	while (chain.len > 0) {
		struct visit *visit = &chain.items[chain.len - 1];
		size_t need = next_need(names, visit);

		if (need == XB_STAGE_NONE) {
			colours[visit->stage] = DONE;
			chain.len--;
		} else if (colours[need] == OPEN) {
			return circle(names, &chain, need, err);
		} else if (colours[need] == UNSEEN) {
			colours[need] = OPEN;
			*xb_array_push(&chain) = (struct visit){ .stage = need };
		}
	}
	return 0;
}

int xb_stage_names_check_circles(const struct xb_stage_names *names, struct xb_error *err)
{
	size_t count = names->file->stage_count;
	xb_autofree unsigned char *colours = xb_calloc(count + 1, 1);
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (colours[i] == UNSEEN)
			r = follow(names, colours, i, err);
	}
	return r;
}
