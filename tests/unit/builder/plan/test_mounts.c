/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of a RUN as the plan has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/plan/fixture.h"
#include "tests/unit/need.h"

/* The first mount of the last step. */
static const struct xb_step_mount *mount_of(struct fixture *f, const char *text)
{
	const struct xb_plan *plan = plan_of(f, text);
	const struct xb_step *step = &plan->steps[plan->targets[0].step];

	assert_int_equal(step->kind, XB_STEP_RUN);
	assert_true(step->run.mount_count > 0);
	return &step->run.mounts[0];
}

static void test_defaults(void **state)
{
	struct fixture *f = *state;
	const struct xb_step_mount *m = mount_of(f, "FROM base\nRUN --mount=target=/a//b/../c x\n");

	assert_string_equal(m->target, "/a/c");
	assert_string_equal(m->source, "/");
	assert_int_equal(m->origin, XB_COPY_CONTEXT);
	assert_true(m->read_only);
	m = mount_of(f, "FROM base\nWORKDIR /w\nRUN --mount=target=t,source=../../s x\n");
	assert_string_equal(m->target, "/w/t");
	assert_string_equal(m->source, "/s");
	m = mount_of(f, "FROM base\nRUN --mount=type=cache,target=/c x\n");
	assert_string_equal(m->id, "linux/amd64 /c");
	assert_int_equal(m->mode, 0755);
	assert_int_equal(m->from, XB_STEP_NONE);
	m = mount_of(f, "FROM base\nRUN --mount=type=cache,target=/c,id=i x\n");
	assert_string_equal(m->id, "i");
	m = mount_of(f, "FROM base\nRUN --mount=type=secret,id=a/b x\n");
	assert_string_equal(m->target, "/run/secrets/b");
	assert_int_equal(m->mode, 0400);
	m = mount_of(f, "FROM base\nRUN --mount=type=secret,target=/x/y x\n");
	assert_string_equal(m->id, "y");
	m = mount_of(f, "FROM base\nRUN --mount=type=secret,id=s,env=E x\n");
	assert_null(m->target);
	assert_string_equal(m->env, "E");
	m = mount_of(f, "FROM base\nRUN --mount=type=ssh x\n");
	assert_string_equal(m->id, "default");
	assert_null(m->target);
	assert_int_equal(m->mode, 0600);
}

static void test_variables(void **state)
{
	struct fixture *f = *state;
	const struct xb_step_mount *m = mount_of(f, "FROM base\nARG T=cache\nENV D=/d ID=i\n"
						    "RUN --mount=type=$T,target=${D}/e,id=$ID x\n");

	assert_int_equal(m->type, XB_MOUNT_CACHE);
	assert_string_equal(m->target, "/d/e");
	assert_string_equal(m->id, "i");
}

/* Each platform has a cache of its own, unless the cache is named. */
static void test_cache_of_a_platform(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	need("binfmt", can_emulate(f));
	set_platforms(f, "linux/amd64,linux/arm64");
	plan = plan_of(f, "FROM base\nRUN --mount=type=cache,target=/c x\n");
	for (size_t t = 0; t < 2; t++)
		assert_string_equal(plan->steps[plan->targets[t].step].run.mounts[0].id,
				    t == 0 ? "linux/amd64 /c" : "linux/arm64 /c");
}

/* What a mount shows is made before, whichever stage asks for it. */
static void test_inputs(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM base AS a\nRUN one\nFROM base AS b\nRUN two\nFROM base\n"
			   "RUN --mount=from=a,target=/a --mount=from=1,target=/b "
			   "--mount=from=img,target=/i --mount=from=dir,target=/d "
			   "--mount=type=tmpfs,target=/t three\n");
	const struct xb_step *step = &plan->steps[plan->targets[0].step];

	assert_int_equal(xb_step_input_count(step), 6);
	assert_int_equal(xb_step_input(step, 0), step->parent);
	assert_ptr_equal(&plan->steps[xb_step_input(step, 1)], step_of(plan, "RUN one"));
	assert_ptr_equal(&plan->steps[xb_step_input(step, 2)], step_of(plan, "RUN two"));
	assert_ptr_equal(&plan->steps[xb_step_input(step, 3)], step_of(plan, "FROM img"));
	assert_int_equal(xb_step_input(step, 4), XB_STEP_NONE);
	assert_string_equal(step->run.mounts[3].from_name, "dir");
	assert_int_equal(xb_step_input(step, 5), XB_STEP_NONE);
	for (size_t i = 0; i < 4; i++)
		assert_true(xb_step_input(step, i) < (size_t)(step - plan->steps));
}

static void test_errors(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "FROM base\nRUN --mount=type=tmp,target=/x y\n",
		  "Dockerfile:2:5: unsupported mount type" },
		{ "FROM base\nRUN --mount=target=/ y\n", "Dockerfile:2:5: invalid mount target" },
		{ "FROM base\nRUN --mount=target=/a/.. y\n",
		  "Dockerfile:2:5: invalid mount target" },
		{ "FROM base\nRUN --mount=target=/a,from=$b y\n",
		  "Dockerfile:2:5: 'from' doesn't support variable expansion" },
		{ "FROM base\nRUN --mount=target=/a,from=later y\nFROM base AS later\n"
		  "FROM base\nCOPY --from=0 a b\n",
		  "Dockerfile:2:5: from=later is not a stage before this one" },
		{ "FROM base\nRUN --mount=target=/a,from=7 y\n",
		  "Dockerfile:2:5: there is no stage number 7" },
		{ "FROM base\nRUN --mount=type=tmpfs,target=/a --mount=target=/b,x=y y\n",
		  "Dockerfile:2:34: unexpected key 'x'" },
		{ "FROM base\nRUN --mount=type=secret,target=/ y\n", "Dockerfile:2:5: the secret" },
		{ "FROM base\nRUN --mount=target=${x:?no} y\n", "Dockerfile:2:5: " },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(cases); i++)
		plan_fails(f, cases[i].text, cases[i].message, XB_FAULT_SOURCE);
}

static void test_target_is_the_working_directory(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(
		f, "FROM base\nWORKDIR /w\nRUN --mount=type=bind --mount=type=cache,id=c x\n");

	assert_string_equal(step_of(plan, "RUN")->run.mounts[0].target, "/w");
	assert_string_equal(step_of(plan, "RUN")->run.mounts[1].target, "/w");
	plan_fails(f, "FROM base\nRUN --mount=type=bind x\n",
		   "Dockerfile:2:5: invalid mount target", XB_FAULT_SOURCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_defaults),
		plan_test(test_variables),
		plan_test(test_cache_of_a_platform),
		plan_test(test_inputs),
		plan_test(test_errors),
		plan_test(test_target_is_the_working_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
