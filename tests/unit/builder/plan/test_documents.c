/* SPDX-License-Identifier: Apache-2.0 */
/* Here-documents, ONBUILD, --network and the flags of COPY and ADD: what they plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/plan/fixture.h"

/* ---- RUN ---------------------------------------------------------------------------------- */

static void test_scripts(void **state)
{
	static const struct {
		const char *text;
		const char *argv;
		const char *script; /* NULL: none */
	} examples[] = {
		/* a document alone is what the shell is given */
		{ "RUN <<EOF\na $b\nEOF\n", "/bin/sh|-c|a $b\n", NULL },
		{ "RUN <<'E'\na\nE\n", "/bin/sh|-c|a\n", NULL },
		{ "RUN <<-EOF\n\ta\n\tEOF\n", "/bin/sh|-c|a\n", NULL },
		{ "SHELL [\"/bin/awk\"]\nRUN <<EOF\nBEGIN\nEOF\n", "/bin/awk|BEGIN\n", NULL },
		{ "RUN <<EOF\nEOF\n", "/bin/sh|-c|", NULL },
		/* or executes */
		{ "RUN <<EOF\n#!/usr/bin/env x\na\nEOF\n", "/bin/sh|-c|/dev/pipes/EOF",
		  "#!/usr/bin/env x\na\n" },
		{ "RUN <<-EOF\n\t#!/a\n\tb\nEOF\n", "/bin/sh|-c|/dev/pipes/EOF", "#!/a\nb\n" },
		/* with anything else in the line it is the shell's */
		{ "RUN cat <<EOF > /f\na\nEOF\n", "/bin/sh|-c|cat <<EOF > /f\na\nEOF", NULL },
		{ "RUN <<-EOF sh\n\ta\nEOF\n", "/bin/sh|-c|<<-EOF sh\n\ta\nEOF", NULL },
		{ "RUN <<A 3<<\"B\" x\na\nA\nb\nB\n", "/bin/sh|-c|<<A 3<<\"B\" x\na\nA\nb\nB",
		  NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_autofree char *text = xb_format("FROM base\n%s", examples[i].text);
		const struct xb_plan *plan = plan_of(f, text);
		const struct xb_step *step = &plan->steps[plan->targets[0].step];

		assert_int_equal(step->kind, XB_STEP_RUN);
		assert_list(step->run.argv, examples[i].argv);
		assert_int_equal(step->run.script != NULL, examples[i].script != NULL);
		if (step->run.script != NULL)
			assert_string_equal(step->run.script->content, examples[i].script);
	}
	plan_fails(f, "FROM base\nRUN <<a/b\n#!/x\na/b\n", "Dockerfile:2:5: ", XB_FAULT_SOURCE);
}

static void test_network(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM base\nRUN --network=none a\nRUN --network=host b\n"
			   "RUN --network=default c\nRUN d\n");

	assert_true(step_of(plan, "none a")->run.no_network);
	assert_false(step_of(plan, "host b")->run.no_network);
	assert_false(step_of(plan, "default c")->run.no_network);
	assert_false(step_of(plan, "RUN d")->run.no_network);
	plan_fails(f, "FROM base\nRUN --network=x a\n",
		   "Dockerfile:2:5: invalid value of --network", XB_FAULT_SOURCE);
	/* what the whole build may not have, one command may not ask for */
	f->no_network = true;
	(void)plan_of(f, "FROM base\nRUN --network=default a\nRUN --network=none b\n");
	plan_fails(f, "FROM base\nRUN --network=host a\n", "Dockerfile:2:5: the host's network",
		   XB_FAULT_SOURCE);
}

/* ---- COPY and ADD ------------------------------------------------------------------------- */

static const struct xb_step_copy *copy_of(struct fixture *f, const char *text)
{
	const struct xb_plan *plan = plan_of(f, text);
	const struct xb_step *step = &plan->steps[plan->targets[0].step];

	assert_int_equal(step->kind, XB_STEP_COPY);
	return &step->copy;
}

static void test_inline_files(void **state)
{
	struct fixture *f = *state;
	const struct xb_step_copy *copy =
		copy_of(f, "FROM base\nARG a=1\nENV b=\"t w\"\n"
			   "COPY x <<one.txt <<'two' <<-three y /d/\n$a '${b}' \"$none\" \\$a\n"
			   "one.txt\n$a\ntwo\n\t\t$a\n\tthree\n");

	assert_list(copy->sources, "x|y");
	assert_int_equal(copy->file_count, 3);
	assert_string_equal(copy->files[0].name, "one.txt");
	assert_string_equal(copy->files[0].content, "1 't w' \"\" $a\n");
	assert_string_equal(copy->files[1].name, "two");
	assert_string_equal(copy->files[1].content, "$a\n");
	assert_string_equal(copy->files[2].content, "1\n");
	assert_string_equal(f->plan->targets[0].history[2].created_by,
			    "COPY x y <<one.txt <<two <<three /d/ # buildkit");

	/* the document escapes with a backslash whatever the Dockerfile does */
	copy = copy_of(f, "# escape=`\nFROM base\nADD <<e /d\n`$x \\$x\ne\n");
	assert_string_equal(copy->files[0].content, "` $x\n");
	assert_list(copy->sources, "");

	copy = copy_of(f, "FROM base\nCOPY <<a <<b /d\na\nb\n");
	assert_int_equal(copy->file_count, 2);
	assert_string_equal(copy->destination, "/d");
	plan_fails(f, "FROM base\nCOPY <<a/b /d\na/b\n", "Dockerfile:2:6: ", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nCOPY <<.. /d/\n..\n", "Dockerfile:2:6: ", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nCOPY <<e /d\n${x?no}\ne\n", "Dockerfile:2:6: ", XB_FAULT_SOURCE);
}

static void test_flags(void **state)
{
	struct fixture *f = *state;
	const struct xb_step_copy *copy = copy_of(
		f,
		"FROM base\nARG p=*.md\nCOPY --exclude=$p --exclude='!a' --parents --link a b\n");

	assert_list(copy->excludes, "*.md|!a");
	assert_true(copy->parents);
	assert_true(copy->link);
	assert_false(copy->unpack);
	assert_string_equal(f->plan->targets[0].history[1].created_by,
			    "COPY --parents a b # buildkit");

	copy = copy_of(f, "FROM base\nCOPY --chmod=go=rX a b\n");
	assert_string_equal(copy->chmod, "go=rX");
	assert_int_equal(copy->mode, -1);
	/* with --chmod there is no --link, as in BuildKit */
	assert_false(copy_of(f, "FROM base\nCOPY --link --chmod=1 a b\n")->link);
	assert_true(copy_of(f, "FROM base\nADD a b\n")->unpack);
	assert_false(copy_of(f, "FROM base\nADD --unpack=false a b\n")->unpack);
	assert_true(copy_of(f, "FROM base\nADD --unpack a b\n")->unpack);

	plan_fails(f, "FROM base\nCOPY --chmod=u+y a b\n", "Dockerfile:2:6: invalid mode",
		   XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nCOPY --chmod=9 a b\n", "Dockerfile:2:6: invalid chmod",
		   XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nADD --checksum=sha256:00 a b\n",
		   "Dockerfile:2:5: --checksum is for", XB_FAULT_SOURCE);
}

/* ---- ONBUILD ------------------------------------------------------------------------------ */

static void test_recorded(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(
		f, "FROM base\nONBUILD  RUN  make \\\n  all\nONBUILD COPY <<-a <<b /d/\n\t1\na\n"
		   "2\nb\nONBUILD ENV $a=b\n");

	assert_strv(&config_of(plan)->on_build,
		    "RUN  make   all|COPY <<-a <<b /d/\n\t1\na\n2\nb|ENV $a=b");
	assert_int_equal(plan->targets[0].history_count, 0);
	assert_int_equal(plan->step_count, 1);
}

/* Triggers stand behind the FROM, see its stage, and are gone for who builds on it. */
static void test_of_a_base(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	f->base_config = "{\"OnBuild\":[\"ARG A=1\",\"RUN x $A\",\"COPY --from=src /a /b\","
			 "\"COPY <<e /f\\n$A\\ne\"],\"Env\":[\"E=1\"]}";
	plan = plan_of(f, "FROM other AS src\nRUN s\nFROM base\nRUN own\nFROM 1\nRUN last\n");
	assert_int_equal(config_of(plan)->on_build.len, 0);
	plan = plan_of(f,
		       "FROM other AS src\nRUN s\nFROM base AS mid\nRUN own\nFROM mid\nRUN last\n");
	assert_int_equal(config_of(plan)->on_build.len, 0);
	assert_int_equal(count_steps(plan, "RUN x"), 1);
	assert_string_equal(env_of(step_of(plan, "RUN x"), "A"), "1");
	assert_int_equal(step_of(plan, "COPY --from")->copy.from,
			 (size_t)(step_of(plan, "RUN s") - plan->steps));
	assert_string_equal(step_of(plan, "COPY <<e")->copy.files[0].content, "1\n");
	assert_non_null(strstr(step_of(plan, "RUN own")->title, " 5/5]"));
	assert_string_equal(plan->targets[0].history[0].created_by, "ARG A=1");
}

static void test_of_a_stage(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM base AS a\nONBUILD RUN t\nRUN own\nFROM a AS b\n"
			   "FROM b\nRUN last\n");

	assert_int_equal(count_steps(plan, "RUN t"), 1);
	assert_int_equal(step_of(plan, "RUN t")->parent,
			 (size_t)(step_of(plan, "RUN own") - plan->steps));
	assert_int_equal(config_of(plan)->on_build.len, 0);
}

/* Triggers come with images of others: nothing in them is believed. */
static void test_bad_triggers(void **state)
{
	static const struct {
		const char *config;
		const char *message;
	} cases[] = {
		{ "{\"OnBuild\":[\"FROM x\"]}", "ONBUILD of base:1:1: FROM isn't allowed" },
		{ "{\"OnBuild\":[\"MAINTAINER x\"]}", "ONBUILD of base:1:1: MAINTAINER isn't" },
		{ "{\"OnBuild\":[\"ONBUILD RUN x\"]}", "ONBUILD of base:1:1: ONBUILD isn't" },
		{ "{\"OnBuild\":[\"RUN a\\nRUN b\"]}", "ONBUILD of base:2:1: an ONBUILD trigger" },
		{ "{\"OnBuild\":[\"NOPE\"]}", "ONBUILD of base:1:1: unknown instruction" },
		{ "{\"OnBuild\":[\"\"]}", "ONBUILD of base: file with no instructions" },
		{ "{\"OnBuild\":[\"COPY a\"]}", "ONBUILD of base:1:1: COPY requires" },
		{ "{\"OnBuild\":[\"COPY --from=9 a b\"]}",
		  "ONBUILD of base:1:6: there is no stage number 9" },
		{ "{\"OnBuild\":[\"USER ${x?no}\"]}", "ONBUILD of base:1:6: " },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		void *own = NULL;

		assert_int_equal(fixture_setup(&own), 0);
		((struct fixture *)own)->base_config = cases[i].config;
		plan_fails(own, "FROM base\n", cases[i].message, XB_FAULT_SOURCE);
		assert_int_equal(fixture_teardown(&own), 0);
	}
}

/* ---- --build-context, SOURCE_DATE_EPOCH --------------------------------------------------- */

/* A directory is a base: its files are the only layer. */
static void test_from_a_directory(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM dir AS a\nRUN x\nFROM dir\nCOPY y /\n");
	const struct xb_step *tree;

	assert_int_equal(plan->step_count, 2);
	tree = step_of(plan, "1/2] FROM dir");
	assert_int_equal(tree->kind, XB_STEP_COPY);
	assert_int_equal(tree->parent, XB_STEP_NONE);
	assert_int_equal(tree->copy.origin, XB_COPY_NAMED);
	assert_string_equal(tree->copy.from_name, "dir");
	assert_string_equal(tree->copy.destination, "/");
	assert_int_equal(step_of(plan, "2/2] COPY")->parent, 0);
	assert_string_equal(plan->targets[0].history[0].created_by, "FROM dir");
	assert_int_equal(plan->targets[0].history[0].step, 0);
	assert_strv(&config_of(plan)->env,
		    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

/* What is given for a name and one platform is that for this one alone. */
static void test_names_for_platforms(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;
	const struct xb_step *step;

	plan = plan_of(f,
		       "FROM base\nCOPY --from=split /a /\nRUN --mount=from=split,target=/m x\n");
	step = step_of(plan, "COPY --from=split");
	assert_int_equal(step->copy.origin, XB_COPY_STEP);
	assert_int_equal(plan->steps[step->copy.from].kind, XB_STEP_BASE);
	set_platforms(f, "linux/arm64");
	plan = plan_of(f,
		       "FROM base\nCOPY --from=split /a /\nRUN --mount=from=split,target=/m x\n");
	step = step_of(plan, "COPY --from=split");
	assert_int_equal(step->copy.origin, XB_COPY_NAMED);
	assert_string_equal(step->copy.from_name, "split::linux/arm64");
	assert_string_equal(step_of(plan, "RUN")->run.mounts[0].from_name, "split::linux/arm64");
	plan = plan_of(f, "FROM base AS split\nRUN gone\nFROM split\nCOPY a /\n");
	assert_int_equal(plan->step_count, 2);
}

/* What is given for a name is what the stage of that name is. */
static void test_replaced_stages(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM base AS given\nRUN gone\nFROM given\n"
						"COPY --from=given /a /\nCOPY --from=0 /b /\n");

	assert_int_equal(count_steps(plan, "gone"), 0);
	assert_int_equal(count_steps(plan, "FROM base"), 0);
	assert_int_equal(step_of(plan, "COPY --from=given")->copy.from,
			 (size_t)(step_of(plan, "FROM given") - plan->steps));
	assert_int_equal(step_of(plan, "COPY --from=0")->copy.from,
			 (size_t)(step_of(plan, "FROM given") - plan->steps));

	plan = plan_of(f, "FROM missing AS dir\nRUN gone\nFROM scratch\nCOPY --from=dir /a /\n");
	assert_int_equal(plan->step_count, 1);
	assert_int_equal(plan->steps[0].copy.origin, XB_COPY_NAMED);
	plan = plan_of(f, "FROM missing AS dir\nRUN gone\nFROM dir\nRUN x\n");
	assert_int_equal(plan->step_count, 2);
	f->target = "dir";
	plan = plan_of(f, "FROM missing AS dir\nRUN gone\n");
	assert_int_equal(plan->steps[plan->targets[0].step].kind, XB_STEP_COPY);
}

static void test_epoch(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(plan_of(f, "FROM base\nARG SOURCE_DATE_EPOCH=1\n")->epoch, -1);
	assert_int_equal(plan_of(f, "ARG SOURCE_DATE_EPOCH\nFROM base\n")->epoch, -1);
	assert_int_equal(plan_of(f, "ARG SOURCE_DATE_EPOCH=\nFROM base\n")->epoch, -1);
	assert_int_equal(plan_of(f, "ARG A=7\nARG SOURCE_DATE_EPOCH=${A}0\nFROM base\n")->epoch,
			 70);
	plan_fails(f, "ARG SOURCE_DATE_EPOCH=soon\nFROM base\n",
		   "Dockerfile:1:23: invalid SOURCE_DATE_EPOCH: soon", XB_FAULT_SOURCE);
	plan_fails(f, "ARG SOURCE_DATE_EPOCH=-1\nFROM base\n",
		   "Dockerfile:1:23: ", XB_FAULT_SOURCE);
	xb_strv_push(&f->args, "SOURCE_DATE_EPOCH=5");
	assert_int_equal(plan_of(f, "ARG SOURCE_DATE_EPOCH=soon\nFROM base\n")->epoch, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_scripts),
		plan_test(test_network),
		plan_test(test_inline_files),
		plan_test(test_flags),
		plan_test(test_recorded),
		plan_test(test_of_a_base),
		plan_test(test_of_a_stage),
		cmocka_unit_test(test_bad_triggers),
		plan_test(test_from_a_directory),
		plan_test(test_replaced_stages),
		plan_test(test_names_for_platforms),
		plan_test(test_epoch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
