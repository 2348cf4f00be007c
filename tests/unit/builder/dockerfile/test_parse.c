/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing: what the tree holds, where it points, and what an error tells. */
#include "builder/dockerfile/parse.h"

#include "builder/dockerfile/dump.h"
#include "builder/dockerfile/heredoc.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/json_array.h"
#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/location.h"
#include "tests/unit/builder/dockerfile/data.h"
#include "tests/unit/corpora.h"

/* The tree of `text` as the dump shows it must be `want`. */
static void assert_tree(const char *text, const char *want)
{
	xb_auto_dockerfile struct xb_dockerfile *dockerfile = NULL;
	xb_auto_str struct xb_str got = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_dockerfile_parse_syntax(xb_view(text), "Dockerfile", &dockerfile, &err) < 0)
		fail_msg("%s\n%s", text, err.message);
	xb_dockerfile_dump(dockerfile, &got);
	assert_string_equal(xb_str_text(&got), want);
}

static void assert_place(struct xb_location at, uint32_t line, uint32_t column, uint32_t end_line)
{
	assert_int_equal(at.line, line);
	assert_int_equal(at.column, column);
	assert_int_equal(at.end_line, end_line);
}

static void test_stages(void **state)
{
	xb_auto_dockerfile struct xb_dockerfile *d =
		parse_good("ARG A=1 B\n"
			   "FROM --platform=$BUILDPLATFORM debian:${A} AS Build\n"
			   "RUN make\n"
			   "COPY --from=x --chown=a:b src /dst\n"
			   "FROM scratch\n"
			   "FROM build as other.stage\n"
			   "CMD [\"/a\"]\n");

	(void)state;
	assert_int_equal(d->arg_count, 1);
	assert_int_equal(d->args[0].pair_count, 2);
	assert_string_equal(d->args[0].pairs[0].name.text, "A");
	assert_string_equal(d->args[0].pairs[0].value.text, "1");
	assert_string_equal(d->args[0].pairs[1].name.text, "B");
	assert_null(d->args[0].pairs[1].value.text);
	assert_int_equal(d->stage_count, 3);
	assert_string_equal(d->stages[0].name, "build");
	assert_int_equal(d->stages[0].instruction_count, 2);
	assert_string_equal(d->stages[0].from->words[0].text, "debian:${A}");
	assert_string_equal(xb_instruction_flag_value(d->stages[0].from, "platform"),
			    "$BUILDPLATFORM");
	assert_string_equal(xb_instruction_flag_value(&d->stages[0].instructions[1], "chown"),
			    "a:b");
	assert_null(xb_instruction_flag(&d->stages[0].instructions[1], "chmod"));
	assert_null(d->stages[1].name);
	assert_int_equal(d->stages[1].instruction_count, 0);
	assert_string_equal(d->stages[2].name, "other.stage");
	assert_true(d->stages[2].instructions[0].json);
}

static void test_places(void **state)
{
	xb_auto_dockerfile struct xb_dockerfile *d = parse_good("# a comment\n"
								"FROM a\n"
								"\n"
								"  COPY --chmod=755 \\\n"
								"    # not this\n"
								"\n"
								"    one tw\\\n"
								"o /three\n"
								"ENV A=b \\\n"
								"  CC='d e'\n"
								"CMD [\"x\", \\\n"
								"  \"y\"]\n");
	const struct xb_instruction *copy = &d->instructions[1];

	(void)state;
	assert_place(d->instructions[0].at, 2, 1, 2);
	assert_place(copy->at, 4, 3, 8);
	assert_place(copy->flags[0].at, 4, 8, 4);
	assert_place(copy->words[0].at, 7, 5, 7);
	assert_string_equal(copy->words[1].text, "two");
	assert_place(copy->words[1].at, 7, 9, 8);
	assert_place(copy->words[2].at, 8, 3, 8);
	assert_place(d->instructions[2].pairs[1].name.at, 10, 3, 10);
	assert_place(d->instructions[2].pairs[1].value.at, 10, 6, 10);
	assert_string_equal(d->instructions[2].pairs[1].value.text, "'d e'");
	assert_place(d->instructions[3].words[1].at, 12, 3, 12);
	assert_string_equal(copy->source, "COPY --chmod=755     one two /three");
	assert_string_equal(copy->keyword, "COPY");
}

static void test_directives(void **state)
{
	xb_auto_dockerfile struct xb_dockerfile *d =
		parse_good("\xEF\xBB\xBF#syntax = docker/dockerfile:1  \r\n"
			   "# Escape=`\r\n"
			   "# check=skip=all\r\n"
			   "# other=x\r\n"
			   "# escape=\\\r\n"
			   "FROM a\r\n"
			   "RUN dir c:\\ `\r\n"
			   "  /b\r\n");

	(void)state;
	assert_string_equal(d->directives.syntax, "docker/dockerfile:1");
	assert_string_equal(d->directives.check, "skip=all");
	assert_int_equal(d->directives.escape, '`');
	assert_string_equal(d->instructions[1].words[0].text, "dir c:\\   /b");
	assert_place(d->instructions[1].words[0].at, 7, 5, 8);
}

static void test_shebang(void **state)
{
	xb_auto_dockerfile struct xb_dockerfile *d = parse_good("#!/usr/bin/env xbuild\n"
								"# syntax=a/b\n"
								"# escape=`\n"
								"FROM a\n"
								"RUN x \\\n y");

	(void)state;
	assert_string_equal(d->directives.syntax, "a/b");
	assert_int_equal(d->directives.escape, '\\');
	assert_string_equal(d->instructions[1].words[0].text, "x  y");
}

static void test_directives_end(void **state)
{
	xb_auto_dockerfile struct xb_dockerfile *d = parse_good("\n# escape=`\nFROM a\n");

	(void)state;
	assert_int_equal(d->directives.escape, '\\');
}

static void test_trees(void **state)
{
	(void)state;
	assert_tree("from a", "(from \"a\")\n");
	assert_tree("FROM\ta\v b ", "(from \"a\" \"b\")\n");
	assert_tree("LABEL a=b 'c d'=\"e\\\" f\" g=", "(label \"a\" \"b\" \"=\" \"'c d'\" "
						      "\"\\\"e\\\\\\\" f\\\"\" \"=\" \"g\" \"\" "
						      "\"=\")\n");
	assert_tree("ENV a b=c", "(env \"a\" \"b=c\" \"\")\n");
	assert_tree("ARG a='x y' \"b c\"", "(arg \"a='x y'\" \"\\\"b c\\\"\")\n");
	assert_tree("RUN --mount=\"type=bind,src=a b\" -- --x y",
		    "(run [\"--mount=type=bind,src=a b\"] \"--x y\")\n");
	assert_tree("COPY --a='b\"c' --d=\\ e x y",
		    "(copy [\"--a=b\\\"c\" \"--d= e\"] \"x\" \"y\")\n");
	assert_tree("COPY [\"a b\", \"c\"]", "(copy \"a b\" \"c\")\n");
	assert_tree("COPY [a] b", "(copy \"[a]\" \"b\")\n");
	assert_tree("ONBUILD COPY --x a b", "(onbuild (copy [\"--x\"] \"a\" \"b\"))\n");
	assert_tree("ONBUILD", "(onbuild)\n");
	assert_tree("HEALTHCHECK --x=1 CMD [\"a\"]", "(healthcheck [\"--x=1\"] \"CMD\" \"a\")\n");
	assert_tree("HEALTHCHECK", "(healthcheck)\n");
	assert_tree("MAINTAINER  A <b@c> ", "(maintainer \"A <b@c>\")\n");
	assert_tree("USER a b", "(user \"a b\")\n");
	assert_tree("RUN echo \\\\\nCMD x", "(run \"echo \\\\\\\\\")\n(cmd \"x\")\n");
	assert_tree("RUN a\\ \t\nb", "(run \"ab\")\n");
	assert_tree("\\\nRUN a", "(run \"a\")\n");
	assert_tree("RUN a\xC2\xA0", "(run \"a\")\n");
	assert_tree("CMD [\"\\uD83D\\uDE00\\uD800\\u00e9\"]", "(cmd \"\xF0\x9F\x98\x80\xEF\xBF\xBD"
							      "\xC3\xA9\")\n");
}

static void test_heredocs(void **state)
{
	xb_auto_dockerfile struct xb_dockerfile *d =
		parse_good("FROM a\n"
			   "RUN <<EOF\n# kept\n  x \\\nEOF\n"
			   "COPY <<-'A' <<\"B\" /d/\n\ta\n\t\tb $X\n\tA\nB\n"
			   "RUN 3<<X cat\r\ny\r\nX\r\n"
			   "ONBUILD RUN <<E\nz\nE\n"
			   "CMD <<NOT\n"
			   "RUN <<e'o'f && echo '<<NOT' \"<<NOT\"\neof\n"
			   "RUN [\"<<NOT\"]\n"
			   "RUN << E cat\nE\n");
	const struct xb_instruction *i = d->instructions;

	(void)state;
	assert_string_equal(i[1].heredocs[0].content, "# kept\n  x \\\n");
	assert_true(i[1].heredocs[0].expand);
	assert_place(i[1].at, 2, 1, 5);
	assert_place(i[1].heredocs[0].at, 2, 5, 2);
	assert_int_equal(i[2].heredoc_count, 2);
	assert_string_equal(i[2].heredocs[0].content, "a\nb $X\n");
	assert_string_equal(i[2].heredocs[0].raw, "\ta\n\t\tb $X\n");
	assert_false(i[2].heredocs[0].expand);
	assert_true(i[2].heredocs[0].strip_tabs);
	assert_string_equal(i[2].heredocs[1].content, "");
	assert_place(i[2].heredocs[1].at, 6, 13, 6);
	assert_int_equal(i[3].heredocs[0].fd, 3);
	assert_string_equal(i[3].heredocs[0].content, "y\r\n");
	assert_string_equal(i[4].child->heredocs[0].content, "z\n");
	assert_int_equal(i[5].heredoc_count, 0);
	assert_int_equal(i[6].heredoc_count, 1);
	assert_string_equal(i[6].heredocs[0].name, "eof");
	assert_false(i[6].heredocs[0].expand);
	assert_int_equal(i[7].heredoc_count, 0);
	assert_string_equal(i[8].heredocs[0].name, "E");
}

static void try_heredoc_word(const json_t *vector, struct xb_arena *arena)
{
	const char *input = data_string(vector, "input"), *name = data_string(vector, "name");
	struct xb_heredoc heredoc;
	int r = xb_heredoc_read_word(xb_view(input), arena, &heredoc, NULL);

	if ((r == 1) != (name != NULL))
		fail_msg("%s: %d", input, r);
	if (name != NULL)
		assert_string_equal(heredoc.name, name);
}

/* A line ends in as many here-documents as it names, in the order named. */
static void try_heredoc_line(const json_t *vector)
{
	const json_t *names = json_object_get(vector, "names");
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_dockerfile struct xb_dockerfile *d = NULL;
	size_t i;
	json_t *name;

	(void)xb_str_printf(&text, "FROM a\n%s\n", data_string(vector, "line"));
	json_array_foreach(names, i, name)(void)
		xb_str_printf(&text, "%s\n", json_string_value(name));
	d = parse_good(xb_str_text(&text));
	assert_int_equal(d->instruction_count, 2);
	assert_int_equal(d->instructions[1].heredoc_count, json_array_size(names));
	json_array_foreach(names, i, name)
		assert_string_equal(d->instructions[1].heredocs[i].name, json_string_value(name));
}

static void test_heredoc_vectors(void **state)
{
	xb_auto_arena struct xb_arena *arena = xb_arena_new();
	xb_auto_json json_t *vectors = corpora_vectors("heredoc");
	json_t *vector;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, vector) if (data_string(vector, "line") != NULL)
		try_heredoc_line(vector);
	else try_heredoc_word(vector, arena);
	print_message("%zu here-document vectors right\n", json_array_size(vectors));
	assert_true(json_array_size(vectors) > 10);
}

static void test_json_vectors(void **state)
{
	xb_auto_json json_t *vectors = corpora_vectors("json-form");
	json_t *vector;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, vector)
	{
		xb_autofree char *text = xb_format("CMD %s", data_string(vector, "input"));
		const json_t *values = json_object_get(vector, "values");
		struct xb_dockerfile *d = NULL;
		int r = xb_dockerfile_parse_syntax(xb_view(text), "x", &d, NULL);

		if (values == NULL) {
			assert_int_equal(r, -EINVAL);
			continue;
		}
		assert_int_equal(r, 0);
		assert_true(d->instructions[0].json);
		assert_int_equal(d->instructions[0].word_count, json_array_size(values));
		for (size_t j = 0; j < json_array_size(values); j++) {
			const struct xb_word *word = &d->instructions[0].words[j];
			const json_t *value = json_array_get(values, j);

			assert_int_equal(word->len, json_string_length(value));
			assert_memory_equal(word->text, json_string_value(value), word->len);
		}
		xb_dockerfile_free(d);
	}
	print_message("%zu JSON vectors right\n", json_array_size(vectors));
}

/* What is nearly JSON is a shell command. */
static void test_not_json(void **state)
{
	static const char *const commands[] = {
		"['a']",     "[\"a\"",	   "[\"a\",]",	  "[\"a\"] x", "[\"a\" \"b\"]", "[ -f x ]",
		"[\"\\x\"]", "[\"a\tb\"]", "[\"\\u12\"]", "[01]",      "[1.]",		"[tru]",
		"[{]",	     "[{\"a\"}]",  "[,]",	  "[\"a\"]]",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(commands); i++) {
		xb_autofree char *text = xb_format("FROM a\nRUN %s", commands[i]);
		xb_auto_dockerfile struct xb_dockerfile *d = parse_good(text);

		if (d->instructions[1].json)
			fail_msg("taken as JSON: %s", commands[i]);
		assert_string_equal(d->instructions[1].words[0].text, commands[i]);
	}
}

/* The messages of the reference builder are part of ours. */
static void test_instruction_vectors(void **state)
{
	xb_auto_json json_t *vectors = corpora_vectors("instructions");
	json_t *vector;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, vector)
	{
		xb_autofree char *text = xb_format("FROM a\n%s", data_string(vector, "dockerfile"));
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (strcmp(data_string(vector, "kind"), "error") != 0)
			continue;
		parse_bad(text, &err);
		if (strstr(err.message, data_string(vector, "error")) == NULL)
			fail_msg("%s, want %s", err.message, data_string(vector, "error"));
		assert_non_null(strstr(err.message, "Dockerfile:2:"));
	}
}

static void assert_contents(const struct xb_instruction *instruction, const json_t *documents,
			    const char *key, bool raw)
{
	size_t i;
	json_t *document;

	assert_int_equal(instruction->heredoc_count, json_array_size(documents));
	json_array_foreach(documents, i, document)
	{
		const struct xb_heredoc *heredoc = &instruction->heredocs[i];

		assert_string_equal(heredoc->name, data_string(document, key));
		assert_string_equal(raw ? heredoc->raw : heredoc->content,
				    data_string(document, "Data"));
		if (!raw)
			assert_int_equal(heredoc->expand,
					 json_is_true(json_object_get(document, "Expand")));
	}
}

static void test_content_vectors(void **state)
{
	xb_auto_json json_t *vectors = corpora_vectors("instructions");
	json_t *vector;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, vector)
	{
		xb_auto_dockerfile struct xb_dockerfile *d = NULL;
		const struct xb_instruction *last;
		xb_autofree char *text = xb_format("FROM a\n%s", data_string(vector, "dockerfile"));

		if (strcmp(data_string(vector, "kind"), "error") == 0)
			continue;
		d = parse_good(text);
		last = &d->instructions[1];
		if (json_object_get(vector, "files") != NULL) {
			assert_contents(last, json_object_get(vector, "files"), "Name", true);
			assert_string_equal(last->words[0].text,
					    json_string_value(json_array_get(
						    json_object_get(vector, "command"), 0)));
			continue;
		}
		assert_contents(last, json_object_get(vector, "contents"), "Path", false);
		assert_string_equal(last->words[last->word_count - 1].text,
				    data_string(vector, "dest"));
	}
}

static void test_errors(void **state)
{
	static const struct {
		const char *text;
		const char *message;
		const char *hint;
	} examples[] = {
		{ "FROM a\nCOPPY a b", "Dockerfile:2:1: unknown instruction: COPPY",
		  "did you mean COPY?" },
		{ "FROM a\nrnu x", "unknown instruction: rnu", "did you mean RUN?" },
		{ "FROM a\nXYZZY", "unknown instruction: XYZZY", NULL },
		{ "FROM a\nCOPY --frum=x a b", "2:6: unknown flag: --frum",
		  "did you mean --from?" },
		{ "FROM a\nCOPY --zzz a b", "2:6: unknown flag: --zzz", "--from --chown --chmod" },
		{ "FROM a\nUSER --x y", "unknown flag: --x", "USER has no flags" },
		{ "FROM a\nCOPY --from=x --from=y a b", "2:15: duplicate flag specified: --from",
		  NULL },
		{ "FROM a\nCOPY --link=maybe a b", "expecting boolean value for flag --link",
		  NULL },
		{ "FROM a\nCOPY --chown a b", "missing a value on flag: --chown", NULL },
		{ "FROM a\nRUN --network=nono x", "2:5: invalid value of --network: \"nono\"",
		  "did you mean none?" },
		{ "FROM a\nRUN --network=x y", "invalid value of --network: \"x\"",
		  "give default or none or host" },
		{ "FROM a\nRUN --security=no y\nFROM b", "2:5: invalid value of --security",
		  "give sandbox or insecure" },
		{ "FROM a\nRUN --device=a,b y\nFROM b", "2:5: --device=a,b: ", "--device=NAME" },
		{ "FROM a\nRUN --mount=from=$x,target=/y z\nFROM b",
		  "2:5: 'from' doesn't support variable expansion", NULL },
		{ "FROM", "FROM requires either one or three arguments", NULL },
		{ "FROM a b", "1:8: FROM requires either one or three arguments", NULL },
		{ "FROM a b c", "FROM requires either one or three arguments", NULL },
		{ "FROM a AS 1b", "1:11: invalid name for build stage: \"1b\"", NULL },
		{ "FROM a AS b/c", "invalid name for build stage", NULL },
		{ "RUN x\nFROM a", "1:1: no build stage in current context", NULL },
		{ "ARG x", "Dockerfile: no build stage", NULL },
		{ "", "file with no instructions", NULL },
		{ "# a\n\n", "file with no instructions", NULL },
		{ "FROM a\nENV x", "2:5: ENV must have two arguments", "ENV NAME=VALUE" },
		{ "FROM a\nENV x=1 y", "2:9: can't find = in \"y\"", NULL },
		{ "FROM a\nENV =1", "ENV names can not be blank", NULL },
		{ "FROM a\nARG =1", "ARG names can not be blank", NULL },
		{ "FROM a\nSHELL bash", "SHELL requires the arguments to be in JSON form",
		  "SHELL" },
		{ "FROM a\nSHELL []", "SHELL requires at least one argument", NULL },
		{ "FROM a\nVOLUME [\" \"]", "VOLUME specified can not be an empty string", NULL },
		{ "FROM a\nHEALTHCHECK SOME x", "unknown type \"SOME\" in HEALTHCHECK", NULL },
		{ "FROM a\nHEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments", NULL },
		{ "FROM a\nHEALTHCHECK CMD", "missing command after HEALTHCHECK CMD", NULL },
		{ "FROM a\nONBUILD FROM b", "FROM isn't allowed as an ONBUILD trigger", NULL },
		{ "FROM a\nONBUILD MAINTAINER b", "2:9: MAINTAINER isn't allowed", NULL },
		{ "FROM a\nONBUILD COPY x", "2:9: COPY requires at least two arguments", NULL },
		{ "FROM a\nONBUILD NOPE x", "unknown instruction: NOPE", NULL },
		{ "FROM a\nCMD [\"a\", 1]", "arrays must be comprised of strings only", NULL },
		{ "FROM a\nCMD [\"a\\u0000\"]", "NUL character", NULL },
		{ "FROM a\nRUN <<EOF\nx", "2:5: unterminated heredoc: no line \"EOF\" follows",
		  NULL },
		{ "FROM a\nRUN <<'EOF\nEOF", "unterminated", NULL },
		{ "# escape=x\nFROM a", "1:10: invalid escape token 'x'", NULL },
		{ "# escape=`\n#escape=`\nFROM a", "2:1: only one escape parser directive", NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_dockerfile *d = NULL;

		/* an open quote hides the here-document: that line is a shell's affair */
		if (strstr(examples[i].text, "<<'EOF\n") != NULL) {
			assert_int_equal(xb_dockerfile_parse(xb_view(examples[i].text),
							     "Dockerfile", &d, &err),
					 -EINVAL);
			assert_non_null(strstr(err.message, "unknown instruction: EOF"));
			continue;
		}
		parse_bad(examples[i].text, &err);
		if (strstr(err.message, examples[i].message) == NULL)
			fail_msg("%s: %s", examples[i].text, err.message);
		if (examples[i].hint == NULL)
			continue;
		if (err.hint == NULL || strstr(err.hint, examples[i].hint) == NULL)
			fail_msg("%s: hint %s", examples[i].text, err.hint);
	}
}

static void test_excerpts(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_error struct xb_error tab = XB_ERROR_INIT;
	xb_auto_error struct xb_error wide = XB_ERROR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	parse_bad("FROM a\nCOPY --chown=a --frum=x a b\n", &err);
	assert_string_equal(err.excerpt, "    2 | COPY --chown=a --frum=x a b\n"
					 "      |                ^");
	parse_bad("FROM a\nCOPY\t\xC3\xA9\x1b --x a b\r\nENV \xC3\xA9=1 x", &tab);
	assert_string_equal(tab.excerpt, "    3 | ENV \xC3\xA9=1 x\n"
					 "      |         ^");
	(void)xb_str_puts(&text, "FROM a\nCOPY ");
	for (unsigned i = 0; i < 300; i++)
		(void)xb_str_puts(&text, "--from=\x1b ");
	parse_bad(xb_str_text(&text), &wide);
	assert_true(strlen(wide.excerpt) < 300);
	assert_null(strchr(wide.excerpt, '\x1b'));
}

/* The part of a long line around its fault is shown, and the caret stands under it. */
static void test_long_excerpt(void **state)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const char *line, *caret, *fault;

	(void)state;
	(void)xb_str_puts(&text, "FROM a\nENV");
	for (unsigned i = 0; i < 50; i++)
		(void)xb_str_puts(&text, " \xC3\xA9\xC3\xA9=xx");
	(void)xb_str_puts(&text, " wrong");
	for (unsigned i = 0; i < 50; i++)
		(void)xb_str_puts(&text, " b=2");
	parse_bad(xb_str_text(&text), &err);
	assert_non_null(strstr(err.message, "Dockerfile:2:405: can't find = in \"wrong\""));
	line = strstr(err.excerpt, "| ...");
	fault = strstr(err.excerpt, "wrong");
	caret = strstr(err.excerpt, "\n      | ");
	assert_true(line != NULL && fault != NULL && caret != NULL);
	/* each e with an accent is one column of two bytes */
	assert_int_equal(strlen(caret) - strlen("\n      | ^"),
			 (size_t)(fault - line) - strlen("| ") - 14);
	assert_int_equal(xb_view_ends(xb_view(err.excerpt), XB_VIEW("^")), true);
}

static void test_text_limits(void **state)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error nul = XB_ERROR_INIT;
	xb_auto_error struct xb_error line = XB_ERROR_INIT;
	struct xb_dockerfile *d = NULL;

	(void)state;
	assert_int_equal(
		xb_dockerfile_parse((struct xb_view){ "FROM a\nRUN \0x", 13 }, "x", &d, &nul),
		-EINVAL);
	assert_non_null(strstr(nul.message, "x:2:5: a NUL byte"));
	(void)xb_str_puts(&text, "FROM a\nRUN ");
	while (text.len < XB_MAX_DOCKERFILE_LINE + 100)
		(void)xb_str_puts(&text, "echo 012345678901234567890123456789;");
	assert_int_equal(xb_dockerfile_parse(xb_str_view(&text), "x", &d, &line), -EFBIG);
	assert_non_null(strstr(line.message, "x:2:1: the line is longer than"));
	while (text.len <= XB_MAX_DOCKERFILE)
		(void)xb_str_puts(&text, "\n#");
	assert_int_equal(xb_dockerfile_parse(xb_str_view(&text), "x", &d, NULL), -EFBIG);
}

/* Every row of the table is whole: an instruction added is an instruction described. */
static void test_table(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < XB_INSTRUCTION_COUNT; kind++) {
		const struct xb_instruction_rule *rule =
			xb_instruction_rule((enum xb_instruction_kind)kind);
		enum xb_instruction_kind found;

		assert_non_null(rule->name);
		assert_non_null(rule->flags);
		assert_true(xb_instruction_find(xb_view(rule->name), &found));
		assert_int_equal(found, kind);
	}
	assert_null(xb_instruction_nearest(XB_VIEW("xyzzy")));
	assert_string_equal(xb_instruction_nearest(XB_VIEW("entrypiont")), "ENTRYPOINT");
}

static int append_piece(void *context, struct xb_view text)
{
	return xb_str_append_view(context, text);
}

static int refuse_piece(void *context, struct xb_view text)
{
	unsigned *left = context;

	(void)text;
	return (*left)-- > 0 ? 0 : -EPIPE;
}

static void test_json_dump(void **state)
{
	xb_auto_dockerfile struct xb_dockerfile *d =
		parse_good("ARG V\nFROM a AS b\nCOPY --chown=x <<E f /d\nq\nE\nENV K=v\n"
			   "ONBUILD RUN x\n");
	xb_auto_json json_t *json = NULL;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	const json_t *stage, *copy;
	unsigned left = 3;

	(void)state;
	assert_int_equal(xb_dockerfile_write_json(d, append_piece, &text), 0);
	assert_int_equal(xb_json_parse(xb_str_view(&text), text.len, &json, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(json, "path")), "Dockerfile");
	assert_int_equal(xb_dockerfile_write_json(d, refuse_piece, &left), -EPIPE);
	stage = json_array_get(json_object_get(json, "stages"), 0);
	assert_string_equal(data_string(stage, "name"), "b");
	copy = json_array_get(json_object_get(stage, "instructions"), 0);
	assert_string_equal(data_string(copy, "instruction"), "COPY");
	assert_int_equal(json_integer_value(json_object_get(copy, "line")), 3);
	assert_int_equal(json_integer_value(json_object_get(copy, "endLine")), 5);
	assert_int_equal(json_array_size(json_object_get(copy, "words")), 3);
	assert_int_equal(json_array_size(json_object_get(json, "args")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_directives),
		cmocka_unit_test(test_shebang),
		cmocka_unit_test(test_directives_end),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_heredocs),
		cmocka_unit_test(test_heredoc_vectors),
		cmocka_unit_test(test_json_vectors),
		cmocka_unit_test(test_not_json),
		cmocka_unit_test(test_instruction_vectors),
		cmocka_unit_test(test_content_vectors),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_excerpts),
		cmocka_unit_test(test_text_limits),
		cmocka_unit_test(test_long_excerpt),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_json_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
