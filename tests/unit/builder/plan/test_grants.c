/* SPDX-License-Identifier: Apache-2.0 */
/* What a command may only do when the user has said so: --security and --device of RUN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "tests/unit/builder/plan/fixture.h"

/* A machine with v.com/d=a and v.com/d=b, of which only the first is granted. */
static int fake_devices(void *context, const char *name, bool required, struct xb_strv *ret,
			struct xb_error *err)
{
	(void)context;
	if (strcmp(name, "v.com/d=a") == 0 || strcmp(name, "v.com/d=*") == 0)
		xb_strv_push(ret, "v.com/d=a");
	else if (strcmp(name, "v.com/d=b") == 0)
		return xb_error_set(err, -EPERM, "not granted");
	else if (required)
		return xb_error_set(err, -ENODEV, "not there");
	return 0;
}

static const struct xb_step_run *run_of(struct fixture *f, const char *text)
{
	const struct xb_plan *plan = plan_of(f, text);

	return &plan->steps[plan->targets[0].step].run;
}

static void test_security(void **state)
{
	struct fixture *f = *state;

	assert_false(run_of(f, "FROM base\nRUN --security=sandbox x\n")->insecure);
	plan_fails(f, "FROM base\nRUN --security=insecure x\n",
		   "Dockerfile:2:5: the build has not been allowed security.insecure",
		   XB_FAULT_SOURCE);
	assert_string_equal(f->err.hint, "add --allow security.insecure");
	plan_fails(f, "FROM base\nRUN --network=none --security=no x\n",
		   "Dockerfile:2:20: ", XB_FAULT_SOURCE);
	f->grants.insecure = true;
	assert_true(run_of(f, "FROM base\nRUN --security=insecure x\n")->insecure);
	assert_false(run_of(f, "FROM base\nRUN x\n")->insecure);
	/* a stage that nobody wants asks for nothing */
	f->grants.insecure = false;
	(void)plan_of(f, "FROM base AS a\nRUN --security=insecure x\nFROM base\nRUN y\n");
}

/* A trigger of a base gets no more than a line of the user's own. */
static void test_triggers(void **state)
{
	struct fixture *f = *state;

	f->base_config = "{\"OnBuild\":[\"RUN --security=insecure x\"]}";
	plan_fails(f, "FROM base\n",
		   "ONBUILD of base:1:5: the build has not been allowed security.insecure",
		   XB_FAULT_SOURCE);
	f->grants.insecure = true;
	assert_true(run_of(f, "FROM base\n")->insecure);
}

static void test_devices_in_triggers(void **state)
{
	struct fixture *f = *state;

	f->base_config = "{\"OnBuild\":[\"RUN --device=v.com/d=b x\"]}";
	f->grants.devices = fake_devices;
	plan_fails(f, "FROM base\n", "ONBUILD of base:1:5: not granted", XB_FAULT_SOURCE);
}

static void test_devices(void **state)
{
	struct fixture *f = *state;
	const struct xb_step_run *run;

	run = run_of(f, "FROM base\nRUN --device=v.com/d=a x\n");
	assert_null(run->devices[0]);
	plan_fails(f, "FROM base\nRUN --device=v.com/d=a,required x\n",
		   "Dockerfile:2:5: the required device v.com/d=a is not on this machine",
		   XB_FAULT_SOURCE);
	f->grants.devices = fake_devices;
	run = run_of(f, "FROM base\nRUN --device=v.com/d=a --device=v.com/d=* --device=w x\n");
	assert_string_equal(run->devices[0], "v.com/d=a");
	assert_null(run->devices[1]);
	plan_fails(f, "FROM base\nRUN --device=v.com/d=a --device=v.com/d=b x\n",
		   "Dockerfile:2:24: not granted", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nRUN --device=w,required=true x\n", "Dockerfile:2:5: not there",
		   XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nRUN --device=w,x x\n",
		   "Dockerfile:2:5: --device=w,x: ", XB_FAULT_SOURCE);
}

/* Whether two commands are one step. */
static bool are_equal(struct fixture *f, const char *one, const char *two)
{
	xb_autofree char *text = xb_format("FROM base AS a\nRUN %s x\nFROM base AS b\nRUN %s x\n"
					   "FROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n",
					   one, two);
	const struct xb_plan *plan = plan_of(f, text);
	size_t runs = 0;

	for (size_t i = 0; i < plan->step_count; i++)
		runs += plan->steps[i].kind == XB_STEP_RUN;
	return runs == 1;
}

static void test_identities(void **state)
{
	struct fixture *f = *state;

	f->grants.insecure = true;
	f->grants.devices = fake_devices;
	assert_true(are_equal(f, "", "--security=sandbox"));
	assert_false(are_equal(f, "", "--security=insecure"));
	assert_false(are_equal(f, "", "--device=v.com/d=a"));
	assert_true(are_equal(f, "", "--device=not.there"));
	assert_true(are_equal(f, "--device=v.com/d=*", "--device=v.com/d=a,required"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_security),
		plan_test(test_triggers),
		plan_test(test_devices_in_triggers),
		plan_test(test_devices),
		plan_test(test_identities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
