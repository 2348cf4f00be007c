/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is a tree whose places lie in it, or an error that says where. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/dump.h"
#include "builder/dockerfile/frontend.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/parse.h"
#include "builder/dockerfile/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_place(const struct xb_dockerfile *dockerfile, struct xb_location at)
{
	struct xb_view line = xb_location_line(dockerfile, at.line);

	if (at.line == 0 || at.column == 0 || at.end_line < at.line)
		abort();
	if (line.data == NULL)
		abort();
}

static void read_values(const struct xb_dockerfile *dockerfile,
			const struct xb_instruction *instruction)
{
	xb_auto_strv struct xb_strv ports = XB_STRV_INIT;
	struct xb_healthcheck_options options;
	mode_t mode;
	int number;

	if (instruction->kind == XB_INSTRUCTION_HEALTHCHECK)
		(void)xb_healthcheck_read(dockerfile, instruction, &options, NULL);
	for (size_t i = 0; i < instruction->word_count && i < 4; i++) {
		(void)xb_expose_parse(instruction->words[i].text, &ports, NULL);
		(void)xb_chmod_parse(instruction->words[i].text, &mode, NULL);
		(void)xb_signal_parse(instruction->words[i].text, &number, NULL);
	}
}

static void check_instruction(const struct xb_dockerfile *dockerfile,
			      const struct xb_instruction *instruction)
{
	check_place(dockerfile, instruction->at);
	for (size_t i = 0; i < instruction->flag_count; i++)
		check_place(dockerfile, instruction->flags[i].at);
	for (size_t i = 0; i < instruction->word_count; i++) {
		check_place(dockerfile, instruction->words[i].at);
		if (strlen(instruction->words[i].text) != instruction->words[i].len)
			abort();
	}
	for (size_t i = 0; i < instruction->pair_count; i++) {
		check_place(dockerfile, instruction->pairs[i].name.at);
		if (instruction->pairs[i].value.text != NULL)
			check_place(dockerfile, instruction->pairs[i].value.at);
	}
	for (size_t i = 0; i < instruction->heredoc_count; i++)
		check_place(dockerfile, instruction->heredocs[i].at);
	if (instruction->child != NULL)
		check_instruction(dockerfile, instruction->child);
	read_values(dockerfile, instruction);
}

static int append(void *context, struct xb_view text)
{
	return xb_str_append_view(context, text);
}

static void check_tree(const struct xb_dockerfile *dockerfile)
{
	xb_auto_json json_t *json = NULL;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	size_t count = dockerfile->arg_count;

	for (size_t i = 0; i < dockerfile->stage_count; i++)
		count += 1 + dockerfile->stages[i].instruction_count;
	if (count != dockerfile->instruction_count)
		abort();
	for (size_t i = 0; i < dockerfile->instruction_count && i < 1000; i++)
		check_instruction(dockerfile, &dockerfile->instructions[i]);
	if (xb_dockerfile_write_json(dockerfile, append, &text) < 0 ||
	    xb_json_parse(xb_str_view(&text), text.len, &json, NULL) < 0)
		abort();
}

/* A text that asks for another frontend is refused with the place where it does. */
static void check_frontend(struct xb_view text)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_frontend_check(text, "Dockerfile", NULL, &err) < 0 &&
	    (err.fault != XB_FAULT_SOURCE || strncmp(err.message, "Dockerfile:", 11) != 0))
		abort();
}

static void check_syntax(struct xb_view text)
{
	xb_auto_dockerfile struct xb_dockerfile *dockerfile = NULL;
	xb_auto_str struct xb_str dump = XB_STR_INIT(XB_STR_OWN);

	if (xb_dockerfile_parse_syntax(text, "Dockerfile", &dockerfile, NULL) == 0)
		xb_dockerfile_dump(dockerfile, &dump);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view text = { (const char *)data, size };
	xb_auto_dockerfile struct xb_dockerfile *dockerfile = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	check_frontend(text);
	check_syntax(text);
	if (xb_dockerfile_parse(text, "Dockerfile", &dockerfile, &err) == 0)
		check_tree(dockerfile);
	else if (err.message == NULL || err.fault != XB_FAULT_SOURCE ||
		 strncmp(err.message, "Dockerfile:", 11) != 0)
		abort();
	return 0;
}
