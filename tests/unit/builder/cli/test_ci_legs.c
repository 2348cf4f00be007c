/* SPDX-License-Identifier: Apache-2.0 */
/* Plans shared out among machines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "builder/cli/ci_legs.h"
#include "tests/unit/builder/plan/fixture.h"

#define PINNED "FROM --platform=$BUILDPLATFORM base AS build\nRUN make\n"

/* Legs as "name@label: platform=how[?] …; …", then " | " and what is shared as "stage:steps". */
static char *show(const struct xb_ci_legs *legs, const struct xb_ci_runners *runners)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < legs->len; i++) {
		const struct xb_ci_leg *leg = &legs->items[i];
		xb_autofree char *labels = xb_strv_join(&runners->items[leg->runner].labels, "+");

		(void)xb_str_printf(&text, "%s%s@%s%s%s:", i > 0 ? "; " : "", leg->name, labels,
				    leg->emulator ? " emulator" : "",
				    leg->optional ? " optional" : "");
		for (size_t p = 0; p < leg->platforms.len; p++)
			(void)xb_str_printf(
				&text, " %s=%s%s",
				xb_platform_name(&leg->platforms.items[p].platform).text,
				xb_ci_how_name(leg->platforms.items[p].how),
				leg->platforms.items[p].optional ? "?" : "");
	}
	(void)xb_str_puts(&text, " |");
	for (size_t i = 0; i < legs->shared_count; i++)
		(void)xb_str_printf(&text, " %s:%zu", legs->shared[i].stage, legs->shared[i].steps);
	return xb_str_steal(&text);
}

/* Plan `text` for up to four platforms (with '?': optional), share it out, and compare. */
static void shares(struct fixture *f, const char *platforms, const char *text, const char *runner,
		   const char *outcome)
{
	xb_auto_ci_legs struct xb_ci_legs legs = { 0 };
	xb_auto_ci_runners struct xb_ci_runners runners = { 0 };
	xb_autofree char *got = NULL;
	struct xb_flags optional = { 0 };
	struct xb_view rest = xb_view(platforms), one;

	f->strategy.elsewhere = true;
	f->build = platform("linux/amd64");
	f->platform_count = 0;
	while (xb_view_split(&rest, ' ', &one)) {
		bool may_fail = xb_view_ends(one, XB_VIEW("?"));
		xb_autofree char *name = xb_view_dup(xb_view_sub(one, 0, one.len - may_fail));

		f->platforms[f->platform_count++] = platform(name);
		*xb_array_push(&optional) = may_fail;
	}
	xb_ci_runners_set(&runners, &f->build, XB_VIEW("A"));
	assert_int_equal(xb_ci_runners_parse(&runners, "linux/arm64=B,b", NULL), 0);
	if (runner != NULL)
		assert_int_equal(xb_ci_runners_parse(&runners, runner, NULL), 0);
	xb_ci_legs_make(plan_of(f, text), &optional, &runners, &legs);
	xb_array_clear(&optional);
	got = show(&legs, &runners);
	assert_string_equal(got, outcome);
}

static void test_shared_out(void **state)
{
	struct fixture *f = *state;

	shares(f, "linux/amd64", "FROM base\nRUN x\n", NULL, "linux-amd64@A: linux/amd64=native |");
	shares(f, "linux/arm64 linux/amd64", "FROM base\nRUN x\n", NULL,
	       "linux-arm64@B+b: linux/arm64=native; linux-amd64@A: linux/amd64=native |");
	shares(f, "linux/amd64 linux/s390x? linux/arm/v7 linux/386", "FROM base\nRUN x\n", NULL,
	       "linux-amd64@A emulator: linux/amd64=native linux/386=compat; "
	       "linux-s390x@A emulator optional: linux/s390x=emulated?; "
	       "linux-arm-v7@B+b emulator: linux/arm/v7=compat |");
	shares(f, "linux/amd64 linux/s390x linux/ppc64le", "FROM base\nRUN x\n", "linux/s390x=S",
	       "linux-amd64@A: linux/amd64=native; linux-s390x@S: linux/s390x=native; "
	       "linux-ppc64le@A emulator: linux/ppc64le=emulated |");
	/* an emulated platform that comes first does not draw the native ones to it */
	shares(f, "linux/s390x linux/amd64", "FROM base\nRUN x\n", NULL,
	       "linux-s390x@A emulator: linux/s390x=emulated; linux-amd64@A: linux/amd64=native |");
}

static void test_idle(void **state)
{
	struct fixture *f = *state;

	shares(f, "linux/amd64 linux/arm64 linux/s390x",
	       PINNED "FROM base\nCOPY --from=build /x /\n", NULL,
	       "linux-amd64@A: linux/amd64=native linux/arm64=idle linux/s390x=idle |");
	shares(f, "linux/arm64 linux/s390x", "FROM scratch\n", NULL,
	       "linux-arm64@A: linux/arm64=idle linux/s390x=idle |");
	/* what runs only where nothing is wanted of it does not count */
	shares(f, "linux/arm64", "FROM base AS unused\nRUN x\nFROM base\nENV a=b\n", NULL,
	       "linux-arm64@A: linux/arm64=idle |");
}

static void test_shared(void **state)
{
	struct fixture *f = *state;

	shares(f, "linux/amd64 linux/arm64",
	       PINNED "RUN more\nFROM base\nCOPY --from=build /x /\nRUN own\n", NULL,
	       "linux-amd64@A: linux/amd64=native; linux-arm64@B+b: linux/arm64=native | build:2");
	/* by two targets of one leg: nothing is built twice */
	shares(f, "linux/amd64 linux/386", PINNED "FROM base\nCOPY --from=build /x /\nRUN own\n",
	       NULL, "linux-amd64@A emulator: linux/amd64=native linux/386=compat |");
}

static void test_runners(void **state)
{
	static const char *const bad[] = {
		"linux/arm64",	      "linux/arm64=",	  "=x",
		"linux/arm64=a,,b",   "linux/arm64=a b",  "linux/a b=x",
		"linux/arm64=${{x}}", "linux/arm64=a\nb", "linux/arm64=$X"
	};
	xb_auto_ci_runners struct xb_ci_runners runners = { 0 };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_true(xb_ci_runners_parse(&runners, bad[i], &err) < 0);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
	}
	assert_int_equal(runners.len, 0);
	assert_int_equal(xb_ci_runners_parse(&runners, "linux/aarch64=a", NULL), 0);
	assert_int_equal(xb_ci_runners_parse(&runners, "linux/arm64=b,c", NULL), 0);
	assert_int_equal(runners.len, 1);
	assert_int_equal(runners.items[0].labels.len, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_shared_out),
		plan_test(test_idle),
		plan_test(test_shared),
		cmocka_unit_test(test_runners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
