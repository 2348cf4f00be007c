/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan will ask for is what it then asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "builder/plan/scout.h"
#include "tests/unit/builder/plan/fixture.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *sorted(struct xb_strv *list)
{
	if (list->len > 0)
		qsort(list->items, list->len, sizeof(char *), by_text);
	return xb_strv_join(list, "|");
}

/* "name platform", in order, of what is expected of the file that was planned last. */
static char *scouted(struct fixture *f)
{
	const struct xb_plan_request request = {
		.dockerfile = f->file,
		.platforms = f->platforms,
		.platform_count = f->platform_count,
		.build_platform = f->build,
		.target = f->target,
		.build_args = &f->args,
		.labels = &f->labels,
		.sources = { .context = f, .kind = fake_kind, .image = fake_image },
	};
	xb_auto_plan_wants struct xb_plan_wants wants = { 0 };
	xb_auto_strv struct xb_strv list = XB_STRV_INIT;

	xb_plan_scout(&request, &wants);
	for (size_t i = 0; i < wants.len; i++)
		xb_strv_printf(&list, "%s %s", wants.items[i].name,
			       xb_platform_name(&wants.items[i].platform).text);
	return sorted(&list);
}

static char *asked(const struct fixture *f)
{
	xb_auto_strv struct xb_strv list = XB_STRV_INIT;

	for (size_t i = 0; i < f->images.len; i++)
		xb_strv_push(&list, f->images.items[i]->key);
	return sorted(&list);
}

/* The same as the planner, which asks for `expected`. */
static void wants(void **state, const char *text, const char *expected)
{
	struct fixture *f = *state;
	xb_autofree char *found = NULL;
	xb_autofree char *planned = NULL;

	(void)plan_of(f, text);
	found = scouted(f);
	planned = asked(f);
	assert_string_equal(found, expected);
	assert_string_equal(planned, expected);
}

static void stages_that_are_needed(void **state)
{
	wants(state,
	      "FROM unused AS unused\n"
	      "FROM one AS a\nRUN a\n"
	      "FROM a AS b\nCOPY --from=two /x /\n"
	      "FROM scratch\nCOPY --from=b /x /\nCOPY --from=1 /y /\n"
	      "RUN --mount=from=three,target=/m --mount=type=tmpfs,target=/t true",
	      "one linux/amd64|three linux/amd64|two linux/amd64");
}

static void a_target_that_is_named(void **state)
{
	struct fixture *f = *state;

	f->target = "b";
	wants(state, "FROM one AS a\nFROM two AS b\nFROM three\nCOPY --from=a /x /",
	      "two linux/amd64");
}

static void each_platform_its_own(void **state)
{
	struct fixture *f = *state;

	set_platforms(f, "linux/amd64,linux/arm64");
	wants(state,
	      "ARG TARGETARCH\n"
	      "FROM --platform=$BUILDPLATFORM tools AS tools\n"
	      "FROM tools AS more\nCOPY --from=beside /x /\n"
	      "FROM base-$TARGETARCH\nCOPY --from=more /x /",
	      "base-amd64 linux/amd64|base-arm64 linux/arm64|beside linux/amd64|tools linux/amd64");
}

static void arguments_are_those_of_the_build(void **state)
{
	struct fixture *f = *state;

	xb_strv_push(&f->args, "NAME=given-by-user");
	wants(state, "ARG NAME=one\nARG TAG=${NAME}:2\nFROM $TAG", "given-by-user:2 linux/amd64");
}

static void what_is_given_otherwise(void **state)
{
	struct fixture *f = *state;

	set_platforms(f, "linux/amd64,linux/arm64");
	wants(state,
	      "FROM other AS given\nRUN a\n"
	      "FROM dir AS d\n"
	      "FROM split\nCOPY --from=given /x /\nCOPY --from=dir2 /x /",
	      "given linux/amd64|given linux/arm64|split linux/amd64");
}

/* What cannot be read is the planner's to tell. */
static void faults_are_left_to_the_planner(void **state)
{
	static const char *const texts[] = {
		"FROM ${",
		"FROM --platform=nonesuch/x/y/z a\nRUN a",
		"FROM a\nCOPY --from=7 /x /",
		"FROM a\nCOPY --from=$x /x /",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		xb_autofree char *found = NULL;

		try_plan(f, texts[i]);
		assert_true(f->r < 0);
		if (f->file != NULL)
			found = scouted(f);
	}
	f->target = "none";
	try_plan(f, "FROM a");
	assert_true(f->r < 0);
	{
		xb_autofree char *found = scouted(f);

		assert_string_equal(found, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(stages_that_are_needed),  plan_test(a_target_that_is_named),
		plan_test(each_platform_its_own),   plan_test(arguments_are_those_of_the_build),
		plan_test(what_is_given_otherwise), plan_test(faults_are_left_to_the_planner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
