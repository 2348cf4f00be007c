/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/dump.h"

#include <string.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/text.h"

static void append_word(struct xb_view text, struct xb_str *out)
{
	(void)xb_str_putc(out, ' ');
	xb_text_quote(text, out);
}

static void dump_flags(const struct xb_instruction *instruction, struct xb_str *out)
{
	for (size_t i = 0; i < instruction->flag_count; i++) {
		const struct xb_flag *flag = &instruction->flags[i];
		xb_autofree char *text =
			xb_format("--%s%s%s", flag->name, flag->value != NULL ? "=" : "",
				  flag->value != NULL ? flag->value : "");

		(void)xb_str_puts(out, i == 0 ? " [" : " ");
		xb_text_quote(xb_view(text), out);
	}
	if (instruction->flag_count > 0)
		(void)xb_str_putc(out, ']');
}

/* ARG keeps NAME=VALUE together, ENV and LABEL give name, value and what stood between them. */
static void dump_pair(const struct xb_instruction *instruction, const struct xb_pair *pair,
		      struct xb_str *out)
{
	xb_autofree char *whole = NULL;

	if (instruction->kind == XB_INSTRUCTION_ARG) {
		whole = xb_format("%s%s%s", pair->name.text, pair->value.text != NULL ? "=" : "",
				  pair->value.text != NULL ? pair->value.text : "");
		append_word(xb_view(whole), out);
		return;
	}
	append_word(xb_view(pair->name.text), out);
	append_word(xb_view(pair->value.text), out);
	append_word(xb_view(instruction->legacy ? "" : "="), out);
}

static void dump_instruction(const struct xb_instruction *instruction, struct xb_str *out)
{
	(void)xb_str_putc(out, '(');
	for (const char *c = xb_instruction_name(instruction->kind); *c != 0; c++)
		(void)xb_str_putc(out, (char)(*c | 0x20));
	dump_flags(instruction, out);
	for (size_t i = 0; i < instruction->word_count; i++)
		append_word(
			(struct xb_view){ instruction->words[i].text, instruction->words[i].len },
			out);
	for (size_t i = 0; i < instruction->pair_count; i++)
		dump_pair(instruction, &instruction->pairs[i], out);
	if (instruction->child != NULL) {
		(void)xb_str_putc(out, ' ');
		dump_instruction(instruction->child, out);
	}
	(void)xb_str_putc(out, ')');
}

void xb_dockerfile_dump(const struct xb_dockerfile *dockerfile, struct xb_str *out)
{
	for (size_t i = 0; i < dockerfile->instruction_count; i++) {
		dump_instruction(&dockerfile->instructions[i], out);
		(void)xb_str_putc(out, '\n');
	}
}

/* JSON. */

static void set_place(json_t *object, struct xb_location at)
{
	xb_json_set_u64(object, "line", at.line);
	xb_json_set_u64(object, "column", at.column);
	xb_json_set_u64(object, "endLine", at.end_line);
}

static void set_flags(json_t *object, const struct xb_instruction *instruction)
{
	json_t *flags;

	if (instruction->flag_count == 0)
		return;
	flags = json_array();
	for (size_t i = 0; i < instruction->flag_count; i++) {
		json_t *flag = json_object();

		xb_json_set_string(flag, "name", instruction->flags[i].name);
		xb_json_set_string(flag, "value", instruction->flags[i].value);
		set_place(flag, instruction->flags[i].at);
		(void)json_array_append_new(flags, flag);
	}
	xb_json_set_new(object, "flags", flags);
}

static void set_words(json_t *object, const struct xb_instruction *instruction)
{
	json_t *words;

	if (instruction->word_count == 0 && !instruction->json)
		return;
	words = json_array();
	for (size_t i = 0; i < instruction->word_count; i++) {
		json_t *word = json_object();

		xb_json_set_string(word, "text", instruction->words[i].text);
		set_place(word, instruction->words[i].at);
		(void)json_array_append_new(words, word);
	}
	xb_json_set_new(object, "words", words);
	xb_json_set_new(object, "json", json_boolean(instruction->json));
}

static void set_pairs(json_t *object, const struct xb_instruction *instruction)
{
	json_t *pairs;

	if (instruction->pair_count == 0)
		return;
	pairs = json_array();
	for (size_t i = 0; i < instruction->pair_count; i++) {
		json_t *pair = json_object();

		xb_json_set_string(pair, "name", instruction->pairs[i].name.text);
		xb_json_set_string(pair, "value", instruction->pairs[i].value.text);
		set_place(pair, instruction->pairs[i].name.at);
		(void)json_array_append_new(pairs, pair);
	}
	xb_json_set_new(object, "pairs", pairs);
	xb_json_set_new(object, "legacy", json_boolean(instruction->legacy));
}

static void set_heredocs(json_t *object, const struct xb_instruction *instruction)
{
	json_t *heredocs;

	if (instruction->heredoc_count == 0)
		return;
	heredocs = json_array();
	for (size_t i = 0; i < instruction->heredoc_count; i++) {
		const struct xb_heredoc *from = &instruction->heredocs[i];
		json_t *heredoc = json_object();

		xb_json_set_string(heredoc, "name", from->name);
		xb_json_set_string(heredoc, "content", from->content);
		xb_json_set_u64(heredoc, "fd", from->fd);
		xb_json_set_new(heredoc, "expand", json_boolean(from->expand));
		xb_json_set_new(heredoc, "stripTabs", json_boolean(from->strip_tabs));
		set_place(heredoc, from->at);
		(void)json_array_append_new(heredocs, heredoc);
	}
	xb_json_set_new(object, "heredocs", heredocs);
}

static json_t *instruction_to_json(const struct xb_instruction *instruction)
{
	json_t *object = json_object();

	xb_json_set_string(object, "instruction", xb_instruction_name(instruction->kind));
	set_place(object, instruction->at);
	xb_json_set_string(object, "source", instruction->source);
	set_flags(object, instruction);
	set_words(object, instruction);
	set_pairs(object, instruction);
	set_heredocs(object, instruction);
	if (instruction->child != NULL)
		xb_json_set_new(object, "trigger", instruction_to_json(instruction->child));
	return object;
}

/* Where the text goes, and what came of it. */
struct writer {
	int (*write)(void *context, struct xb_view text);
	void *context;
	struct xb_str text; /* scratch */
	int r;
};

static void writer_clear(struct writer *w)
{
	xb_str_clear(&w->text);
}

static void put(struct writer *w, const char *text)
{
	if (w->r == 0)
		w->r = w->write(w->context, xb_view(text));
}

/* Takes the reference over. */
static void put_json(struct writer *w, json_t *value)
{
	xb_auto_json json_t *owned = value;

	xb_str_reset(&w->text);
	if (w->r == 0)
		w->r = xb_json_write(owned, &w->text, NULL);
	if (w->r == 0)
		w->r = w->write(w->context, xb_str_view(&w->text));
}

static void put_instructions(struct writer *w, const struct xb_instruction *instructions,
			     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		put(w, i == 0 ? "\n" : ",\n");
		put_json(w, instruction_to_json(&instructions[i]));
	}
	put(w, "]");
}

static void put_stage(struct writer *w, const struct xb_stage *stage)
{
	put(w, "{\"name\":");
	put_json(w, stage->name != NULL ? json_string(stage->name) : json_null());
	put(w, ",\n\"from\":");
	put_json(w, instruction_to_json(stage->from));
	put(w, ",\n\"instructions\":[");
	put_instructions(w, stage->instructions, stage->instruction_count);
	put(w, "}");
}

static json_t *directives_to_json(const struct xb_directives *directives)
{
	const char escape[2] = { directives->escape, 0 };
	json_t *object = json_object();

	xb_json_set_string(object, "syntax", directives->syntax);
	xb_json_set_string(object, "check", directives->check);
	xb_json_set_string(object, "escape", escape);
	return object;
}

int xb_dockerfile_write_json(const struct xb_dockerfile *dockerfile,
			     int (*write)(void *context, struct xb_view text), void *context)
{
	XB_CLEANUP(writer_clear)
	struct writer w = { .write = write, .context = context, .text = XB_STR_INIT(XB_STR_OWN) };
	xb_auto_json json_t *path = json_object();

	xb_json_set_string(path, "path", dockerfile->path);
	put(&w, "{\"path\":");
	put_json(&w, json_incref(json_object_get(path, "path")));
	put(&w, ",\n\"directives\":");
	put_json(&w, directives_to_json(&dockerfile->directives));
	put(&w, ",\n\"args\":[");
	put_instructions(&w, dockerfile->args, dockerfile->arg_count);
	put(&w, ",\n\"stages\":[");
	for (size_t i = 0; i < dockerfile->stage_count; i++) {
		put(&w, i == 0 ? "\n" : ",\n");
		put_stage(&w, &dockerfile->stages[i]);
	}
	put(&w, "]}\n");
	return w.r;
}
