/* SPDX-License-Identifier: Apache-2.0 */
/* Which steps a plan has: stages shared by platforms, equal work once, what no target needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/plan/fixture.h"
#include "tests/unit/need.h"

#define TWO "linux/amd64,linux/arm64"

static void test_build_platform_stage_once(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	set_platforms(f, TWO);
	plan = plan_of(f, "FROM --platform=$BUILDPLATFORM tool AS build\n"
			  "RUN make\n"
			  "FROM base\n"
			  "COPY --from=build /out /app\n"
			  "WORKDIR /srv\n");
	assert_int_equal(count_steps(plan, "FROM tool"), 1);
	assert_int_equal(count_steps(plan, "RUN make"), 1);
	assert_int_equal(count_steps(plan, "FROM base"), 2);
	assert_int_equal(count_steps(plan, "COPY"), 2);
	assert_int_equal(count_steps(plan, "WORKDIR"), 2);
	assert_int_equal(plan->step_count, 8);
	assert_int_equal(plan->target_count, 2);
	assert_true(plan->targets[0].step != plan->targets[1].step);
	assert_string_equal(plan->targets[1].platform.arch, "arm64");
	assert_string_equal(plan->steps[plan->targets[1].step].platform.arch, "arm64");
	assert_string_equal(xb_plan_strategy_name(plan, step_of(plan, "RUN make")), "native");
}

static void test_inputs_stand_before(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	set_platforms(f, TWO);
	plan = plan_of(f, "FROM a AS one\nWORKDIR /1\n"
			  "FROM b AS two\nCOPY --from=one / /\n"
			  "FROM two\nCOPY --from=one / /x\nCOPY --from=two / /y\n");
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct xb_step *step = &plan->steps[i];

		assert_true(step->parent == XB_STEP_NONE || step->parent < i);
		if (step->kind == XB_STEP_COPY && step->copy.origin == XB_COPY_STEP)
			assert_true(step->copy.from < i);
	}
}

/* The stage is shared up to the first step that can see for which platform it works. */
static void test_split_at_target_argument(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	set_platforms(f, TWO);
	plan = plan_of(f, "FROM --platform=$BUILDPLATFORM tool AS build\n"
			  "RUN install\n"
			  "COPY . /src\n"
			  "ARG TARGETARCH\n"
			  "COPY more /src\n"
			  "RUN make $TARGETARCH\n"
			  "RUN strip\n"
			  "FROM base\n"
			  "COPY --from=build /out /app\n");
	assert_int_equal(count_steps(plan, "RUN install"), 1);
	assert_int_equal(count_steps(plan, "COPY . /src"), 1);
	/* COPY does not look at arguments that its words do not name */
	assert_int_equal(count_steps(plan, "COPY more"), 1);
	assert_int_equal(count_steps(plan, "RUN make"), 2);
	assert_int_equal(count_steps(plan, "RUN strip"), 2);
	assert_int_equal(count_steps(plan, "COPY --from"), 2);
	for (size_t i = 0; i < plan->step_count; i++) {
		if (plan->steps[i].kind == XB_STEP_RUN)
			assert_string_equal(plan->steps[i].platform.arch, "amd64");
	}
}

static void test_copy_splits_when_it_names_the_argument(void **state)
{
	struct fixture *f = *state;
	const char *const *amd64 = NULL;
	const char *const *arm64 = NULL;
	const struct xb_plan *plan;

	set_platforms(f, TWO);
	plan = plan_of(f, "FROM --platform=$BUILDPLATFORM tool AS build\n"
			  "ARG TARGETARCH\n"
			  "COPY bin-$TARGETARCH /app\n"
			  "FROM base\n"
			  "COPY --from=build /app /app\n");
	assert_int_equal(count_steps(plan, "COPY bin-"), 2);
	for (size_t i = 0; i < plan->step_count; i++) {
		const char *const *sources = plan->steps[i].copy.sources;

		if (strstr(plan->steps[i].title, "COPY bin-") != NULL && amd64 == NULL)
			amd64 = sources;
		else if (strstr(plan->steps[i].title, "COPY bin-") != NULL)
			arm64 = sources;
	}
	assert_list(amd64, "bin-amd64");
	assert_list(arm64, "bin-arm64");
}

/* Trees without anything of a platform in them are the same tree. */
static void test_scratch_is_shared(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	set_platforms(f, TWO);
	plan = plan_of(f, "FROM scratch\nCOPY data /data\nLABEL a=b\n");
	assert_int_equal(plan->step_count, 1);
	assert_int_equal(plan->targets[0].step, plan->targets[1].step);
	assert_string_equal(plan->targets[0].config.platform.arch, "amd64");
	assert_string_equal(plan->targets[1].config.platform.arch, "arm64");
}

static void test_unused_stages_do_not_appear(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM missing AS broken\nRUN never\n"
			   "FROM --platform=linux/nonesuch other AS odd\nRUN never\n"
			   "FROM base AS wrong\nSTOPSIGNAL NONE\n"
			   "FROM base AS copies\nCOPY --from=broken / /\n"
			   "FROM base\nRUN good\n");

	assert_int_equal(plan->step_count, 2);
	assert_int_equal(count_steps(plan, "never"), 0);
	assert_int_equal(plan->warnings.len, 0);
	/* and does, once it is wanted */
	f->target = "copies";
	try_plan(f, "FROM missing AS broken\nFROM base AS copies\nCOPY --from=broken / /\n");
	assert_true(f->r < 0);
}

static void test_equal_steps_of_two_stages_once(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM base AS one\nENV A=1\nRUN same\nRUN first\n"
						"FROM base AS two\nENV A=1\nLABEL l=1\nRUN same\n"
						"RUN second\n"
						"FROM base\nRUN same\n"
						"COPY --from=one / /1\nCOPY --from=two / /2\n");

	assert_int_equal(count_steps(plan, "FROM base"), 1);
	assert_int_equal(count_steps(plan, "RUN first"), 1);
	assert_int_equal(count_steps(plan, "RUN second"), 1);
	/* with A=1, and without */
	assert_int_equal(count_steps(plan, "RUN same"), 2);
}

static void test_copy_from(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM a AS One\nRUN one\n"
						"FROM b\nRUN two\n"
						"FROM base AS last\n"
						"COPY --from=ONE /n /name\n"
						"COPY --from=1 /n /number\n"
						"COPY --from=busybox /n /image\n"
						"COPY --from=dir-tools /n /directory\n"
						"COPY /n /context\n");

	assert_ptr_equal(&plan->steps[step_of(plan, "/name")->copy.from], step_of(plan, "RUN one"));
	assert_ptr_equal(&plan->steps[step_of(plan, "/number")->copy.from],
			 step_of(plan, "RUN two"));
	assert_ptr_equal(&plan->steps[step_of(plan, "/image")->copy.from],
			 step_of(plan, "FROM busybox"));
	assert_int_equal(step_of(plan, "/directory")->copy.origin, XB_COPY_NAMED);
	assert_string_equal(step_of(plan, "/directory")->copy.from_name, "dir-tools");
	assert_int_equal(step_of(plan, "/context")->copy.origin, XB_COPY_CONTEXT);
}

static void test_copy_from_an_empty_stage(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM scratch AS empty\nENV A=1\n"
						"FROM base\nCOPY --from=empty / /x\n");
	const struct xb_step *step = step_of(plan, "COPY");

	assert_int_equal(step->copy.origin, XB_COPY_STEP);
	assert_true(step->copy.from == XB_STEP_NONE);
	plan = plan_of(f, "FROM scratch\nCMD [\"x\"]\n");
	assert_int_equal(plan->step_count, 0);
	assert_true(plan->targets[0].step == XB_STEP_NONE);
}

/* Stages that need each other are told by name, where they name each other; wanted or not. */
static void test_circles(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "FROM base AS one\nCOPY --from=one / /\n",
		  "Dockerfile:2:6: the stages need each other in a circle: one needs one" },
		{ "FROM base\nCOPY --from=0 / /\n",
		  "Dockerfile:2:6: the stages need each other in a circle: stage-0 needs stage-0" },
		{ "FROM base AS a\nCOPY --from=B / /\nFROM base AS b\n"
		  "RUN --mount=from=c,target=/c x\nFROM a AS c\nRUN y\nFROM base\nRUN z\n",
		  "Dockerfile:5:1: the stages need each other in a circle: a needs b needs c needs "
		  "a" },
		{ "FROM base AS x\nRUN q\nFROM x AS a\nCOPY --from=0 / /\nCOPY --from=2 / /\n"
		  "FROM a\nRUN y\n",
		  "Dockerfile:6:1: the stages need each other in a circle: a needs stage-2 needs "
		  "a" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		plan_fails(f, cases[i].text, cases[i].message, XB_FAULT_SOURCE);
		assert_non_null(f->err.hint);
	}
	/* no circle, however many ways lead to a stage; names repeat */
	(void)plan_of(f, "FROM base AS a\nRUN x\nFROM a AS b\nCOPY --from=a / /\n"
			 "FROM b AS a\nCOPY --from=b / /\nCOPY --from=0 / /\nFROM a\nRUN y\n");
	/* a stage that nobody wants may name a later one */
	(void)plan_of(f, "FROM base AS a\nCOPY --from=c / /\nFROM base AS c\nRUN x\n");
}

static void test_references_that_are_wrong(void **state)
{
	struct fixture *f = *state;

	plan_fails(f,
		   "FROM base AS one\nCOPY --from=two / /\nFROM base AS two\nRUN x\n"
		   "FROM one\n",
		   "Dockerfile:2:6: --from=two is not a stage before this one", XB_FAULT_SOURCE);
	assert_non_null(strstr(f->err.message, "it begins in line 3"));
	plan_fails(f, "FROM base AS one\nCOPY --from=1 / /\n",
		   "Dockerfile:2:6: there is no stage number 1", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base AS one\nCOPY --from=77 / /\n",
		   "Dockerfile:2:6: there is no stage number 77", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nRUN true\nCOPY --from=missing / /\n",
		   "Dockerfile:3:6: image missing for linux/amd64: no image called missing",
		   XB_FAULT_REGISTRY);
	plan_fails(f, "FROM missing\n",
		   "Dockerfile:1:6: image missing for linux/amd64: no image called missing",
		   XB_FAULT_REGISTRY);
	plan_fails(f, "ARG EMPTY\nFROM $EMPTY\n", "Dockerfile:2:6: the base image's name is empty",
		   XB_FAULT_SOURCE);
	plan_fails(f, "FROM ${A:?needed}\n", "Dockerfile:1:6: ", XB_FAULT_SOURCE);
	plan_fails(f, "FROM --platform=not/a/real/one base\n", "Dockerfile:1:6: ", XB_FAULT_SOURCE);
}

/* A stage's own name is an image's until the stage is there: FROM golang AS golang. */
static void test_stage_called_as_its_image(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM golang AS golang\nRUN one\n"
						"FROM golang\nRUN two\n");

	assert_int_equal(count_steps(plan, "FROM golang"), 1);
	assert_ptr_equal(&plan->steps[step_of(plan, "RUN two")->parent], step_of(plan, "RUN one"));
}

static void test_of_two_stages_of_a_name_the_nearest_counts(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM a AS x\nRUN one\nFROM b AS x\nRUN two\n"
						"FROM base\nCOPY --from=x / /\n");

	assert_ptr_equal(&plan->steps[step_of(plan, "COPY")->copy.from], step_of(plan, "RUN two"));
	plan = plan_of(f, "FROM a AS x\nRUN one\nFROM base AS m\nCOPY --from=x / /\n"
			  "FROM m AS x\nRUN two\n");
	assert_ptr_equal(&plan->steps[step_of(plan, "COPY")->copy.from], step_of(plan, "RUN one"));
}

static void test_target(void **state)
{
	struct fixture *f = *state;
	static const char text[] =
		"FROM a AS one\nRUN one\nFROM b\nRUN two\nFROM c AS Last\nRUN x\n";
	const struct xb_plan *plan;

	f->target = "ONE";
	plan = plan_of(f, text);
	assert_int_equal(plan->step_count, 2);
	assert_string_equal(plan->steps[1].instruction->source, "RUN one");
	f->target = "1";
	plan = plan_of(f, text);
	assert_string_equal(plan->steps[1].instruction->source, "RUN two");
	f->target = "last";
	plan = plan_of(f, text);
	assert_string_equal(plan->steps[1].instruction->source, "RUN x");
	f->target = "";
	plan = plan_of(f, text);
	assert_string_equal(plan->steps[1].instruction->source, "RUN x");
	f->target = "3";
	plan_fails(f, text, "Dockerfile has no stage called 3", XB_FAULT_SOURCE);
	assert_non_null(f->err.hint);
	f->target = "lost";
	plan_fails(f, text, "Dockerfile has no stage called lost", XB_FAULT_SOURCE);
	assert_string_equal(f->err.hint, "did you mean --target=last?");
	f->target = "nonesuch";
	plan_fails(f, text, "Dockerfile has no stage called nonesuch", XB_FAULT_SOURCE);
}

/* Nothing can be told to run for a platform that it cannot run for. */
static void test_impossible_platform(void **state)
{
	struct fixture *f = *state;

	f->strategy.no_emulation = true;
	set_platforms(f, TWO);
	plan_fails(f, "FROM base\nCOPY a b\nRUN make\n",
		   "Dockerfile:3:1: linux/arm64 cannot run here", XB_FAULT_PLATFORM);
	assert_non_null(f->err.hint);
	/* but what only copies needs no emulation */
	(void)plan_of(f, "FROM base\nCOPY a b\nWORKDIR /x\n");
	(void)plan_of(f, "FROM --platform=$BUILDPLATFORM t AS b\nRUN make\n"
			 "FROM base\nCOPY --from=b a b\n");
	f->strategy.no_emulation = false;
	set_platforms(f, "linux/sparc64");
	plan_fails(f, "FROM base\nRUN make\n", "Dockerfile:2:1: linux/sparc64 cannot run here",
		   XB_FAULT_PLATFORM);
	assert_non_null(f->err.hint);
}

static void test_emulated_says_why(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;
	const struct xb_step *run;

	need("binfmt", can_emulate(f));
	set_platforms(f, TWO);
	plan = plan_of(f, "FROM base\nRUN make\n");
	assert_int_equal(count_steps(plan, "RUN make"), 2);
	run = step_of(plan, "[linux/arm64 stage-0 2/2] RUN make");
	assert_int_equal(run->strategy, XB_STRATEGY_EMULATED);
	assert_non_null(strstr(run->reason, "qemu"));
	assert_string_equal(xb_plan_strategy_name(plan, run), "emulated");
	run = step_of(plan, "[linux/amd64 stage-0 2/2] RUN make");
	assert_string_equal(run->reason, "host is linux/amd64");
}

static void test_cross(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	set_platforms(f, "linux/arm64");
	plan = plan_of(f, "FROM --platform=$BUILDPLATFORM t AS b\nRUN make\n"
			  "FROM base\nCOPY --from=b a b\n");
	assert_string_equal(xb_plan_strategy_name(plan, step_of(plan, "RUN make")), "cross");
	assert_string_equal(xb_plan_strategy_name(plan, step_of(plan, "COPY")), "builder");
}

/* The final stage has to be of the platform that is asked for. */
static void test_pinned_final_stage(void **state)
{
	struct fixture *f = *state;

	set_platforms(f, TWO);
	plan_fails(f, "FROM --platform=$BUILDPLATFORM base\nRUN x\n",
		   "Dockerfile:1:1: the final stage is pinned to linux/amd64, but linux/arm64",
		   XB_FAULT_PROOF);
	plan_fails(f, "FROM --platform=linux/amd64 base AS a\nRUN x\nFROM a\nRUN y\n",
		   "Dockerfile:3:1: the final stage is pinned to linux/amd64, but linux/arm64",
		   XB_FAULT_PROOF);
	(void)plan_of(f, "FROM --platform=$TARGETPLATFORM base\nCOPY x /\n");
}

/* A tree of one platform does not become one of another by being called so. */
static void test_platform_of_a_stage(void **state)
{
	struct fixture *f = *state;

	set_platforms(f, "linux/arm64");
	plan_fails(f,
		   "FROM --platform=$BUILDPLATFORM base AS a\nRUN x\n"
		   "FROM --platform=$TARGETPLATFORM a\nRUN y\n",
		   "Dockerfile:3:6: ", XB_FAULT_PROOF);
	/* the same platform once more is no contradiction */
	(void)plan_of(f, "FROM --platform=$BUILDPLATFORM base AS a\nRUN x\n"
			 "FROM --platform=$BUILDPLATFORM a AS b\nRUN y\n"
			 "FROM base\nCOPY --from=b x x\n");
}

/* Each of xbuild's own errors is one until it is allowed; the hint names the option. */
static void test_mismatches_that_are_allowed(void **state)
{
	static const struct {
		const char *name;
		size_t offset; /* in struct xb_plan_allow */
		const char *text;
		const char *message;
		enum xb_fault fault;
	} cases[] = {
		{ "shadowed-arg", offsetof(struct xb_plan_allow, shadowed_arg),
		  "FROM base\nARG TARGETARCH=amd64\nCOPY x /\n", "Dockerfile:2:5: the default ",
		  XB_FAULT_PROOF },
		{ "shadowed-arg", offsetof(struct xb_plan_allow, shadowed_arg),
		  "ARG TARGETARCH=amd64\nFROM base\nARG TARGETARCH\nCOPY x /\n",
		  "Dockerfile:1:5: the default ", XB_FAULT_PROOF },
		{ "stage-platform", offsetof(struct xb_plan_allow, stage_platform),
		  "FROM base AS a\nCOPY x /\nFROM --platform=$BUILDPLATFORM a\nCOPY y /\n",
		  "Dockerfile:3:6: stage a is of linux/arm64", XB_FAULT_PROOF },
		{ "pinned-target", offsetof(struct xb_plan_allow, pinned_target),
		  "FROM --platform=$BUILDPLATFORM base\nCOPY x /\n",
		  "Dockerfile:1:1: the final stage is pinned", XB_FAULT_PROOF },
		{ "pinned-target", offsetof(struct xb_plan_allow, pinned_target),
		  "FROM --platform=linux/amd64 base\nCOPY x /\n",
		  "Dockerfile:1:1: the final stage is pinned", XB_FAULT_PROOF },
		{ "digest-pin", offsetof(struct xb_plan_allow, digest_pin),
		  "FROM "
		  "single@sha256:"
		  "0000000000000000000000000000000000000000000000000000000000000000\nCOPY x /\n",
		  "Dockerfile:1:6: image "
		  "single@sha256:0000000000000000000000000000000000000000000000000000000000000000 "
		  "for linux/arm64",
		  XB_FAULT_PLATFORM },
		{ "base-platform", offsetof(struct xb_plan_allow, base_platform),
		  "FROM single\nCOPY x /\n", "Dockerfile:1:6: image single for linux/arm64",
		  XB_FAULT_PLATFORM },
		{ "base-platform", offsetof(struct xb_plan_allow, base_platform),
		  "FROM base\nCOPY --from=single / /\n",
		  "Dockerfile:2:6: image single for linux/arm64", XB_FAULT_PLATFORM },
	};
	struct fixture *f = *state;

	set_platforms(f, "linux/amd64,linux/arm64");
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *option = xb_format("--allow-mismatch=%s", cases[i].name);

		f->allow = (struct xb_plan_allow){ true, true, true, true, true };
		((bool *)&f->allow)[cases[i].offset] = false;
		plan_fails(f, cases[i].text, cases[i].message, cases[i].fault);
		assert_non_null(strstr(f->err.hint, option));
		f->allow = (struct xb_plan_allow){ 0 };
		((bool *)&f->allow)[cases[i].offset] = true;
		(void)plan_of(f, cases[i].text);
		/* the images are called what was asked for */
		assert_int_equal(f->plan->target_count, 2);
		assert_string_equal(f->plan->targets[0].platform.arch, "amd64");
		assert_string_equal(f->plan->targets[1].platform.arch, "arm64");
		assert_string_equal(f->plan->targets[1].config.platform.arch, "arm64");
	}
}

/* What is allowed runs as what it is, and is told where that is not plain from the Dockerfile. */
static void test_what_an_allowed_mismatch_runs_as(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	set_platforms(f, "linux/arm64");
	f->allow.base_platform = true;
	plan = plan_of(f, "FROM single AS a\nRUN x\nFROM a\nRUN y\n");
	assert_string_equal(step_of(plan, "RUN y")->platform.arch, "amd64");
	assert_int_equal(step_of(plan, "RUN y")->strategy, XB_STRATEGY_NATIVE);
	assert_strv(&plan->warnings,
		    "single is an image for linux/amd64, not linux/arm64, and taken "
		    "as --allow-mismatch says");
	f->allow.pinned_target = true;
	plan = plan_of(f, "FROM --platform=linux/amd64 base\nRUN x\n");
	assert_string_equal(step_of(plan, "RUN x")->platform.arch, "amd64");
	assert_string_equal(plan->targets[0].platform.arch, "arm64");
	assert_int_equal(plan->warnings.len, 0);
}

/* A FROM or --from that never can work is an error also where nothing needs it. */
static void test_every_stage_is_checked(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "FROM $NONE AS x\nFROM base\n",
		  "Dockerfile:1:6: the base image's name is empty" },
		{ "FROM --platform=$NONE base AS x\nFROM base\n", "Dockerfile:1:6: " },
		{ "FROM --platform=a/b/c/d/e base AS x\nFROM base\n", "Dockerfile:1:6: " },
		{ "FROM ${A?no} AS x\nFROM base\n", "Dockerfile:1:6: " },
		{ "FROM Base:x AS x\nFROM base\n", "Dockerfile:1:6: " },
		{ "FROM base AS x\nCOPY --from=7 a b\nFROM base\n",
		  "Dockerfile:2:6: there is no stage number 7" },
		{ "ARG A=x\nFROM base AS x\nCOPY --from=$A a b\nFROM base\n",
		  "Dockerfile:3:6: variable expansion is not supported for --from" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(cases); i++)
		plan_fails(f, cases[i].text, cases[i].message, XB_FAULT_SOURCE);
	/* what only a build would find is nobody's concern */
	(void)plan_of(f, "FROM base AS x\nCOPY --chmod=99 a b\nUSER ${A?no A}\nEXPOSE nine\n"
			 "FROM base AS y\nCOPY --from=later a b\nFROM base AS later\nRUN z\n");
}

static void test_copy_from_scratch(void **state)
{
	const struct xb_plan *plan = plan_of(*state, "FROM base\nCOPY --from=scratch / /\n");

	assert_int_equal(step_of(plan, "COPY")->copy.origin, XB_COPY_STEP);
	assert_int_equal(step_of(plan, "COPY")->copy.from, XB_STEP_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_build_platform_stage_once),
		plan_test(test_inputs_stand_before),
		plan_test(test_split_at_target_argument),
		plan_test(test_copy_splits_when_it_names_the_argument),
		plan_test(test_scratch_is_shared),
		plan_test(test_unused_stages_do_not_appear),
		plan_test(test_equal_steps_of_two_stages_once),
		plan_test(test_copy_from),
		plan_test(test_copy_from_an_empty_stage),
		plan_test(test_circles),
		plan_test(test_references_that_are_wrong),
		plan_test(test_stage_called_as_its_image),
		plan_test(test_of_two_stages_of_a_name_the_nearest_counts),
		plan_test(test_target),
		plan_test(test_impossible_platform),
		plan_test(test_emulated_says_why),
		plan_test(test_cross),
		plan_test(test_pinned_final_stage),
		plan_test(test_mismatches_that_are_allowed),
		plan_test(test_what_an_allowed_mismatch_runs_as),
		plan_test(test_platform_of_a_stage),
		plan_test(test_every_stage_is_checked),
		plan_test(test_copy_from_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
