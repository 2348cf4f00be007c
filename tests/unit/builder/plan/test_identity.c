/* SPDX-License-Identifier: Apache-2.0 */
/* Equality of steps: what changes it, what does not, and Dockerfiles of hostile size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/plan/fixture.h"

/* The identity of the last step that `text` makes for the first target, as text. */
static const char *identity_of(struct fixture *f, const char *text)
{
	const struct xb_plan *plan = plan_of(f, text);

	assert_true(plan->targets[0].step != XB_STEP_NONE);
	return plan->steps[plan->targets[0].step].identity.text;
}

/* Two Dockerfiles that differ in one attribute, as cache poisoning would have it. */
static void test_each_attribute_counts(void **state)
{
	static const struct {
		const char *a;
		const char *b;
	} pairs[] = {
		/* the parents */
		{ "FROM base\nRUN x\n", "FROM other\nRUN x\n" },
		{ "FROM base\nRUN x\n", "FROM scratch\nRUN x\n" },
		{ "FROM base\nRUN a\nRUN x\n", "FROM base\nRUN b\nRUN x\n" },
		{ "FROM base\nRUN x\n", "FROM base\nRUN x\nRUN x\n" },
		{ "FROM base\nCOPY a /\nRUN x\n", "FROM base\nADD a /\nRUN x\n" },
		/* a command */
		{ "FROM base\nRUN x\n", "FROM base\nRUN y\n" },
		{ "FROM base\nRUN x\n", "FROM base\nRUN x \n  \nRUN y\n" },
		{ "FROM base\nRUN x y\n", "FROM base\nRUN [\"x\", \"y\"]\n" },
		{ "FROM base\nRUN [\"x\", \"y\"]\n", "FROM base\nRUN [\"x y\"]\n" },
		{ "FROM base\nRUN [\"x\", \"y\"]\n", "FROM base\nRUN [\"x\", \"\", \"y\"]\n" },
		{ "FROM base\nSHELL [\"/bin/sh\", \"-c\"]\nRUN x\n",
		  "FROM base\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN x\n" },
		{ "FROM base\nRUN x\n", "FROM base\nUSER 1\nRUN x\n" },
		{ "FROM base\nUSER 1\nRUN x\n", "FROM base\nUSER 1:1\nRUN x\n" },
		{ "FROM base\nWORKDIR /a\nRUN x\n", "FROM base\nWORKDIR /b\nRUN x\n" },
		{ "FROM base\nENV A=1\nRUN x\n", "FROM base\nENV A=2\nRUN x\n" },
		{ "FROM base\nENV A=1\nRUN x\n", "FROM base\nENV B=1\nRUN x\n" },
		{ "FROM base\nENV A=1\nRUN x\n", "FROM base\nRUN x\n" },
		{ "FROM base\nENV A=\nRUN x\n", "FROM base\nRUN x\n" },
		{ "FROM base\nENV A=1 B=2\nRUN x\n", "FROM base\nENV A=\"1 B=2\"\nRUN x\n" },
		{ "FROM base\nARG A=1\nRUN x\n", "FROM base\nARG A=2\nRUN x\n" },
		{ "FROM base\nARG A=1\nRUN x\n", "FROM base\nARG A\nRUN x\n" },
		{ "FROM base\nARG A=\nRUN x\n", "FROM base\nARG A\nRUN x\n" },
	/* mounts */
#define MOUNT(options) "FROM base\nRUN --mount=" options " x\n"
		{ "FROM base\nRUN x\n", MOUNT("target=/a") },
		{ MOUNT("target=/a"), MOUNT("target=/b") },
		{ MOUNT("target=/a"), MOUNT("target=/a,source=b") },
		{ MOUNT("target=/a"), MOUNT("target=/a,rw") },
		{ MOUNT("target=/a"), MOUNT("type=tmpfs,target=/a") },
		{ MOUNT("target=/a"), MOUNT("target=/a,from=dir") },
		{ MOUNT("target=/a"), MOUNT("target=/a,from=img1") },
		{ MOUNT("target=/a,from=img1"), MOUNT("target=/a,from=img2") },
		{ MOUNT("target=/a,from=img1"), MOUNT("target=/a,from=scratch") },
		{ MOUNT("target=/a --mount=target=/b"), MOUNT("target=/b --mount=target=/a") },
		{ MOUNT("type=tmpfs,target=/a"), MOUNT("type=tmpfs,target=/a,size=1m") },
		{ MOUNT("type=cache,target=/a"), MOUNT("type=cache,target=/a,id=b") },
		{ MOUNT("type=cache,target=/a"), MOUNT("type=cache,target=/a,sharing=locked") },
		{ MOUNT("type=cache,target=/a"), MOUNT("type=cache,target=/a,uid=1") },
		{ MOUNT("type=cache,target=/a"), MOUNT("type=cache,target=/a,mode=0700") },
		{ MOUNT("type=cache,target=/a"), MOUNT("type=cache,target=/a,from=img1") },
		{ MOUNT("type=secret,id=a"), MOUNT("type=secret,id=b") },
		{ MOUNT("type=secret,id=a"), MOUNT("type=secret,id=a,env=A") },
		{ MOUNT("type=secret,id=a"), MOUNT("type=secret,id=a,required") },
		{ MOUNT("type=secret,id=a"), MOUNT("type=secret,id=a,gid=1") },
		{ MOUNT("type=ssh"), MOUNT("type=ssh,id=b") },
		{ MOUNT("type=ssh"), MOUNT("type=ssh,target=/b") },
#undef MOUNT
		/* COPY and ADD */
		{ "FROM base\nCOPY a /\n", "FROM base\nADD a /\n" },
		{ "FROM base\nCOPY a /\n", "FROM base\nCOPY b /\n" },
		{ "FROM base\nCOPY a /x\n", "FROM base\nCOPY a /y\n" },
		{ "FROM base\nCOPY a /x\n", "FROM base\nCOPY a /x/\n" },
		{ "FROM base\nCOPY a b /\n", "FROM base\nCOPY b a /\n" },
		{ "FROM base\nCOPY [\"a b\", \"/\"]\n", "FROM base\nCOPY a b /\n" },
		{ "FROM base\nCOPY a /\n", "FROM base\nCOPY --chown=0 a /\n" },
		{ "FROM base\nCOPY --chown=0 a /\n", "FROM base\nCOPY --chown=1 a /\n" },
		{ "FROM base\nCOPY --chown=0 a /\n", "FROM base\nCOPY --chown=0:0 a /\n" },
		{ "FROM base\nCOPY a /\n", "FROM base\nCOPY --chmod=644 a /\n" },
		{ "FROM base\nCOPY --chmod=0 a /\n", "FROM base\nCOPY a /\n" },
		{ "FROM base\nCOPY --chmod=644 a /\n", "FROM base\nCOPY --chmod=755 a /\n" },
		{ "FROM base\nCOPY a /\n", "FROM base\nCOPY --from=dir a /\n" },
		{ "FROM base\nCOPY --from=dir1 a /\n", "FROM base\nCOPY --from=dir2 a /\n" },
		{ "FROM base\nCOPY --from=img1 a /\n", "FROM base\nCOPY --from=img2 a /\n" },
		{ "FROM base\nCOPY a /\n", "FROM base\nCOPY --from=img1 a /\n" },
		{ "FROM img1 AS s\nRUN x\nFROM base\nCOPY --from=s a /\n",
		  "FROM img1 AS s\nRUN y\nFROM base\nCOPY --from=s a /\n" },
		{ "FROM scratch AS s\nFROM base\nCOPY --from=s a /\n", "FROM base\nCOPY a /\n" },
		{ "FROM base\nCOPY --chmod=u+x a /\n", "FROM base\nCOPY --chmod=g+x a /\n" },
		{ "FROM base\nCOPY --chmod=u+x a /\n", "FROM base\nCOPY a /\n" },
		{ "FROM base\nCOPY --link a /\n", "FROM base\nCOPY a /\n" },
		{ "FROM base\nCOPY --parents a /\n", "FROM base\nCOPY a /\n" },
		{ "FROM base\nCOPY --exclude=x a /\n", "FROM base\nCOPY a /\n" },
		{ "FROM base\nCOPY --exclude=x --exclude=y a /\n",
		  "FROM base\nCOPY --exclude=y --exclude=x a /\n" },
		{ "FROM base\nADD --unpack=false a /\n", "FROM base\nADD a /\n" },
		{ "FROM base\nADD --unpack=false a /\n", "FROM base\nCOPY a /\n" },
		{ "FROM base\nCOPY <<E /a\nx\nE\n", "FROM base\nCOPY <<E /a\ny\nE\n" },
		{ "FROM base\nCOPY <<E /a\nx\nE\n", "FROM base\nCOPY <<F /a\nx\nF\n" },
		{ "FROM base\nCOPY <<E <<F /a/\nx\nE\nF\n",
		  "FROM base\nCOPY <<E <<F /a/\nE\nx\nF\n" },
		{ "FROM base\nCOPY <<E /a\nE\n", "FROM base\nCOPY E /a\n" },
		{ "FROM base\nRUN --network=none x\n", "FROM base\nRUN x\n" },
		{ "FROM base\nRUN <<E\n#!/a\nx\nE\n", "FROM base\nRUN <<E\n#!/a\ny\nE\n" },
		{ "FROM base\nRUN <<E\n#!/a\nE\n", "FROM base\nRUN /dev/pipes/E\n" },
		/* WORKDIR */
		{ "FROM base\nWORKDIR /a\n", "FROM base\nWORKDIR /b\n" },
		{ "FROM base\nWORKDIR /a\n", "FROM base\nUSER 1\nWORKDIR /a\n" },
		{ "FROM base\nWORKDIR /a\n", "FROM base\nCOPY a /a\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		xb_autofree char *a = xb_strdup(identity_of(f, pairs[i].a));
		xb_autofree char *again = xb_strdup(identity_of(f, pairs[i].a));

		assert_string_equal(a, again);
		if (strcmp(a, identity_of(f, pairs[i].b)) == 0)
			fail_msg("equal:\n%s---\n%s", pairs[i].a, pairs[i].b);
	}
}

/* What a step cannot see does not tell steps apart. */
static void test_what_does_not_count(void **state)
{
	static const struct {
		const char *a;
		const char *b;
	} pairs[] = {
		{ "FROM base\nRUN x\n", "FROM base AS named\nRUN x\n" },
		{ "FROM base\nRUN x\n", "# a comment\nFROM base\n\nRUN   x\n" },
		{ "FROM base\nRUN x\n", "ARG A=1\nFROM base\nRUN x\n" },
		{ "FROM base\nRUN x\n", "FROM base\nLABEL a=b\nEXPOSE 1\nRUN x\n" },
		{ "FROM base\nRUN x\n", "FROM base\nCMD a\nENTRYPOINT b\nRUN x\n" },
		{ "FROM base\nRUN x\n", "FROM base\nHEALTHCHECK CMD y\nSTOPSIGNAL 9\nRUN x\n" },
		{ "FROM base\nRUN x\n", "FROM base\nRUN x\nCMD y\n" },
		{ "FROM base\nRUN [\"x\"]\n", "FROM base\nSHELL [\"/s\"]\nRUN [\"x\"]\n" },
		{ "FROM base\nCOPY a /x\n", "FROM base\nENV A=1\nARG B=2\nUSER 1\nCOPY a /x\n" },
		{ "FROM base\nCOPY a /x\n", "FROM base\nENV A=a\nCOPY $A /x\n" },
		{ "FROM base\nCOPY a /x\n", "FROM base\nCOPY [\"a\", \"/./x\"]\n" },
		{ "FROM base\nCOPY a /x\n", "FROM base\nCOPY a x\n" },
		{ "FROM base\nADD --unpack a /x\n", "FROM base\nADD a /x\n" },
		{ "FROM base\nCOPY --link=false a /x\n", "FROM base\nCOPY a /x\n" },
		{ "FROM base\nRUN --network=default x\n", "FROM base\nRUN x\n" },
		{ "FROM base\nRUN --network=host x\n", "FROM base\nRUN x\n" },
		{ "FROM base\nRUN <<E\nx\nE\n", "FROM base\nRUN <<-F\n\tx\nF\n" },
		{ "FROM base\nENV A=1\nCOPY <<E /a\n$A\nE\n", "FROM base\nCOPY <<'E' /a\n1\nE\n" },
		{ "FROM base\nCOPY --chmod=755 a /\n", "FROM base\nCOPY --chmod=0755 a /\n" },
		{ "FROM base\nWORKDIR /a\nWORKDIR /b\n", "FROM base\nWORKDIR /a\nWORKDIR ../b/\n" },
		{ "FROM base AS s\nRUN x\nFROM base\nCOPY --from=s a /\n",
		  "FROM base\nRUN x\nFROM base\nCOPY --from=0 a /\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		xb_autofree char *a = xb_strdup(identity_of(f, pairs[i].a));

		if (strcmp(a, identity_of(f, pairs[i].b)) != 0)
			fail_msg("different:\n%s---\n%s", pairs[i].a, pairs[i].b);
	}
}

/* A command can run differently behind another proxy: such steps are two. */
static void test_proxies_tell_steps_apart(void **state)
{
	struct fixture *f = *state;
	xb_autofree char *without = xb_strdup(identity_of(f, "FROM base\nRUN x\n"));
	xb_autofree char *copy = xb_strdup(identity_of(f, "FROM base\nCOPY x /\n"));

	xb_strv_push(&f->args, "HTTP_PROXY=http://p");
	assert_string_not_equal(without, identity_of(f, "FROM base\nRUN x\n"));
	assert_string_equal(copy, identity_of(f, "FROM base\nCOPY x /\n"));
}

static void test_platform_counts(void **state)
{
	struct fixture *f = *state;
	xb_autofree char *amd64 = xb_strdup(identity_of(f, "FROM scratch\nRUN x\n"));
	xb_autofree char *base = xb_strdup(identity_of(f, "FROM base\nCOPY x /\n"));

	set_platforms(f, "linux/arm64");
	f->build = platform("linux/arm64");
	assert_string_not_equal(amd64, identity_of(f, "FROM scratch\nRUN x\n"));
	assert_string_not_equal(base, identity_of(f, "FROM base\nCOPY x /\n"));
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All identities of a plan, sorted, as one text. */
static char *all_identities(const struct xb_plan *plan)
{
	xb_autofree const char **list = xb_calloc(plan->step_count, sizeof(*list));
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < plan->step_count; i++)
		list[i] = plan->steps[i].identity.text;
	qsort(list, plan->step_count, sizeof(*list), compare_texts);
	for (size_t i = 0; i < plan->step_count; i++)
		(void)xb_str_printf(&text, "%s\n", list[i]);
	return xb_str_steal(&text);
}

static void test_order_of_platforms(void **state)
{
	static const char text[] =
		"FROM --platform=$BUILDPLATFORM tool AS b\nRUN i\nARG TARGETARCH\n"
		"RUN make $TARGETARCH\n"
		"FROM base\nCOPY --from=b a /\nWORKDIR /x\nCOPY y z\n";
	static const char *const orders[] = {
		"linux/amd64,linux/arm64,linux/s390x",
		"linux/s390x,linux/amd64,linux/arm64",
		"linux/arm64,linux/s390x,linux/amd64",
		"linux/s390x,linux/arm64,linux/amd64",
	};
	struct fixture *f = *state;
	xb_autofree char *first = NULL;

	for (size_t i = 0; i < XB_COUNT(orders); i++) {
		xb_autofree char *all = NULL;

		set_platforms(f, orders[i]);
		all = all_identities(plan_of(f, text));
		if (first == NULL)
			first = xb_strdup(all);
		assert_string_equal(all, first);
	}
	/* and one platform's part of the plan is the plan for it alone */
	set_platforms(f, "linux/arm64");
	(void)plan_of(f, text);
	for (size_t i = 0; i < f->plan->step_count; i++)
		assert_non_null(strstr(first, f->plan->steps[i].identity.text));
}

/* Each step of a plan is another one. */
static void test_no_step_twice(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	set_platforms(f, "linux/amd64,linux/arm64");
	plan = plan_of(f, "FROM base AS a\nCOPY x /\nCOPY x /\nFROM base AS b\nCOPY x /\nCOPY x /\n"
			  "FROM a\nCOPY --from=b / /\nCOPY --from=a / /\n");
	for (size_t i = 0; i < plan->step_count; i++) {
		for (size_t k = 0; k < i; k++)
			assert_false(
				xb_digest_eq(&plan->steps[i].identity, &plan->steps[k].identity));
	}
	/* stages a and b are one; a copy from either is the same copy, on another parent */
	assert_int_equal(plan->step_count, 2 * 5);
}

/* ---- sizes -------------------------------------------------------------------------------- */

/* Stages upon stages: the planner's stack does not grow with a file from strangers. */
static void test_many_stages(void **state)
{
	struct fixture *f = *state;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_puts(&text, "FROM base AS s0\n");
	for (int i = 1; i < 1000; i++)
		(void)xb_str_printf(&text, "FROM s%d AS s%d\nCOPY x /\n", i - 1, i);
	assert_int_equal(plan_of(f, xb_str_text(&text))->step_count, 1000);
	for (int i = 1000; i < 1500; i++)
		(void)xb_str_printf(&text, "FROM s%d AS s%d\nCOPY x /\n", i - 1, i);
	try_plan(f, xb_str_text(&text));
	assert_int_equal(f->r, -EFBIG);
	assert_int_equal(f->err.fault, XB_FAULT_SOURCE);
}

static void test_many_steps(void **state)
{
	struct fixture *f = *state;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_puts(&text, "FROM base\n");
	for (int i = 0; i < 5000; i++)
		(void)xb_str_printf(&text, "COPY f%d /\n", i);
	assert_int_equal(plan_of(f, xb_str_text(&text))->step_count, 5001);
}

/* Files whose plans would take hours or all memory are refused, with the place. */
static void test_sizes(void **state)
{
	static const struct {
		const char *line; /* with the line's number in it */
		const char *more; /* behind all lines, once for each */
		int count;
	} cases[] = {
		/* each RUN has all variables, or all arguments in its history */
		{ "ENV a%d=1\nRUN x\n", "", 6000 },
		{ "ARG a%d=1\n", "RUN x\n", 6000 },
		/* each stage has what the one it stands on has */
		{ "ENV a%d=1\n", "FROM s AS s\n", 990 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

		(void)xb_str_puts(&text, "FROM scratch AS s\n");
		for (int k = 0; k < cases[i].count; k++) {
			xb_auto_str struct xb_str line = XB_STR_INIT(100);
			struct xb_view word;
			struct xb_view rest = xb_view(cases[i].line);

			(void)xb_view_split(&rest, '%', &word);
			(void)xb_str_printf(&line, "%.*s%d%s", XB_VIEW_ARGS(word), k,
					    rest.data + 1);
			(void)xb_str_append_view(&text, xb_str_view(&line));
		}
		for (int k = 0; k < cases[i].count && cases[i].more[0] != '\0'; k++)
			(void)xb_str_puts(&text, cases[i].more);
		plan_fails(f, xb_str_text(&text), "Dockerfile:", XB_FAULT_SOURCE);
	}
}

/* Words that a few bytes make large, or slow, again and again: one budget is for all of them. */
static void test_work(void **state)
{
	static const char *const lines[] = { "USER $A\n", "USER ${X:+$A}\n", "LABEL a=${A#x*y}\n",
					     "ARG B=${A%%b}\n" };
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(lines); i++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

		(void)xb_str_puts(&text, "FROM scratch\nENV A=");
		for (size_t k = 0; k < 100000; k++)
			(void)xb_str_puts(&text, "x");
		(void)xb_str_puts(&text, "\n");
		for (size_t k = 0; k < 2000; k++)
			(void)xb_str_puts(&text, lines[i]);
		plan_fails(f, xb_str_text(&text), "Dockerfile:", XB_FAULT_SOURCE);
		assert_non_null(strstr(f->err.message, "too long"));
	}
}

/* A whole range of ports is no reason to wait. */
static void test_many_ports(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM base\nEXPOSE 1-65535\nEXPOSE 7 1-65535/udp\n");

	assert_int_equal(config_of(plan)->exposed_ports.len, 2 * 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_each_attribute_counts),
		plan_test(test_what_does_not_count),
		plan_test(test_proxies_tell_steps_apart),
		plan_test(test_platform_counts),
		plan_test(test_order_of_platforms),
		plan_test(test_no_step_twice),
		plan_test(test_many_stages),
		plan_test(test_many_steps),
		plan_test(test_sizes),
		plan_test(test_work),
		plan_test(test_many_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
