/* SPDX-License-Identifier: Apache-2.0 */
/* What a target can be given: arguments, secrets, agents, caches; and what comments say of them. */
#include "builder/dockerfile/lint.h"
#include "tests/unit/builder/dockerfile/data.h"

static void add_items(const char *kind, const struct xb_outline_items *items, struct xb_str *out)
{
	for (size_t i = 0; i < items->len; i++) {
		const struct xb_outline_item *item = &items->items[i];

		(void)xb_str_printf(out, "%s %u %s", kind, item->at.line, item->name);
		if (item->value != NULL)
			(void)xb_str_printf(out, "=%s", item->value);
		if (item->required)
			(void)xb_str_puts(out, " required");
		if (item->description != NULL)
			(void)xb_str_printf(out, " (%s)", item->description);
		(void)xb_str_putc(out, '\n');
	}
}

static void outlines(const char *text, const char *target, const char *build_arg, const char *want)
{
	xb_auto_dockerfile struct xb_dockerfile *file = parse_good(text);
	xb_auto_outline struct xb_outline outline = { 0 };
	xb_auto_strv struct xb_strv automatic = XB_STRV_INIT;
	xb_auto_strv struct xb_strv build_args = XB_STRV_INIT;
	xb_auto_str struct xb_str got = XB_STR_INIT(XB_STR_OWN);
	struct xb_lint_request request = { .dockerfile = file,
					   .automatic = &automatic,
					   .build_args = &build_args,
					   .platform = { .os = "linux", .arch = "amd64" },
					   .target = target };

	xb_strv_push(&automatic, "TARGETARCH=amd64");
	if (build_arg != NULL)
		xb_strv_push(&build_args, build_arg);
	assert_int_equal(xb_lint_outline(&request, NULL, &outline, NULL), 0);
	if (outline.name != NULL)
		(void)xb_str_printf(&got, "target %s (%s)\n", outline.name,
				    outline.description != NULL ? outline.description : "");
	add_items("arg", &outline.args, &got);
	add_items("secret", &outline.secrets, &got);
	add_items("ssh", &outline.agents, &got);
	add_items("cache", &outline.caches, &got);
	if (strcmp(xb_str_text(&got), want) != 0)
		fail_msg("%s\n--- got\n%s--- want\n%s", text, xb_str_text(&got), want);
}

static void test_args(void **state)
{
	const char *text = "ARG made=b\n"
			   "# unused is said of nobody\n"
			   "ARG unused=x${made}\n"
			   "# image is the base\n"
			   "ARG image=a${made}\n"
			   "FROM $image AS first\n"
			   "# TWO is a number\n"
			   "# ONE is one too\n"
			   "ARG ONE=1 TWO=2\n"
			   "FROM c$unused AS second\n"
			   "ARG other\n"
			   "FROM scratch AS third\n"
			   "ARG own=a\n"
			   "ARG none\n"
			   "# last is what there is\n"
			   "FROM third AS last\n"
			   "COPY --from=first /x /\n"
			   "FROM second\n";

	(void)state;
	outlines(text, "last", "TWO=7",
		 "target last (is what there is)\n"
		 "arg 1 made=b\n"
		 "arg 5 image=ab (is the base)\n"
		 "arg 9 ONE=1 (is one too)\n"
		 "arg 9 TWO=7 (is a number)\n"
		 "arg 13 own=a\n"
		 "arg 14 none\n");
	outlines(text, NULL, NULL,
		 "arg 1 made=b\n"
		 "arg 3 unused=xb (is said of nobody)\n"
		 "arg 11 other\n");
}

/* A name may be defined again by what it was; a stage takes the last over, or has one of its own.
 */
static void test_args_again(void **state)
{
	(void)state;
	outlines("ARG A=1\nARG B=2\nARG A=${A}${B}\nARG C=${A}3\nARG A=${A}$C\nFROM scratch\n"
		 "ARG A\nARG D=$A\n",
		 NULL, NULL, "arg 2 B=2\narg 4 C=123\narg 5 A=12123\narg 8 D=12123\n");
	outlines("ARG A=1\nARG B=2\nARG A=3\nFROM scratch\nARG A\n", NULL, NULL, "arg 3 A=3\n");
	outlines("ARG A=1\nFROM scratch\nARG A=own\n", NULL, NULL, "arg 3 A=own\n");
	outlines("FROM scratch\nARG TARGETARCH\nARG V=$TARGETARCH\n", NULL, NULL,
		 "arg 3 V=amd64\n");
	outlines("FROM scratch\n", NULL, NULL, "");
}

static void test_mounts(void **state)
{
	const char *text = "FROM scratch AS first\n"
			   "RUN --mount=type=secret,target=/etc/pw,required=true \\\n"
			   "  --mount=type=ssh x\n"
			   "FROM scratch AS second\n"
			   "RUN --mount=type=secret,id=unused --mount=type=ssh,id=other x\n"
			   "FROM scratch AS third\n"
			   "ARG N\n"
			   "RUN --mount=type=secret,id=s${N} x\n"
			   "RUN --mount=type=cache,target=/c --mount=type=cache,id=k,target=/d x\n"
			   "FROM third AS last\n"
			   "COPY --from=first /a /\n"
			   "RUN --mount=type=ssh,id=mine,required x\n"
			   "RUN --mount=type=secret,id=s5,required x\n";

	(void)state;
	outlines(text, "last", "N=5",
		 "target last ()\n"
		 "arg 7 N=5\n"
		 "secret 2 pw required\n"
		 "secret 13 s5 required\n"
		 "ssh 2 default\n"
		 "ssh 12 mine required\n"
		 "cache 9 /c\n"
		 "cache 9 k\n");
}

static void test_describe(void **state)
{
	xb_auto_dockerfile struct xb_dockerfile *file =
		parse_good("# a\n# ab no\n# a  two words \n# a later\nFROM scratch AS a\n");
	xb_autofree char *text = xb_outline_describe(&file->instructions[0], "a");

	(void)state;
	assert_string_equal(text, " two words");
	assert_null(xb_outline_describe(&file->instructions[0], "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_args_again),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
