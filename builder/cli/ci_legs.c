/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/ci_legs.h"

#include <ctype.h>
#include <string.h>

#include "platforms/host.h"

/* ---- machines ----------------------------------------------------------------------------- */

void xb_ci_runners_clear(struct xb_ci_runners *runners)
{
	for (size_t i = 0; i < runners->len; i++)
		xb_strv_clear(&runners->items[i].labels);
	xb_array_clear(runners);
}

void xb_ci_runners_set(struct xb_ci_runners *runners, const struct xb_platform *platform,
		       struct xb_view labels)
{
	struct xb_ci_runner *runner = NULL;
	struct xb_view label;

	for (size_t i = 0; i < runners->len; i++) {
		if (xb_platform_eq(&runners->items[i].platform, platform))
			runner = &runners->items[i];
	}
	if (runner == NULL)
		runner = xb_array_push(runners);
	runner->platform = *platform;
	xb_strv_clear(&runner->labels);
	while (xb_view_split(&labels, ',', &label))
		xb_strv_push_view(&runner->labels, label);
}

/* CI systems put values in place of what stands in labels: nothing that could be one is taken. */
static bool are_labels(struct xb_view labels)
{
	struct xb_view label;

	while (xb_view_split(&labels, ',', &label)) {
		if (label.len == 0)
			return false;
		for (size_t i = 0; i < label.len; i++) {
			unsigned char c = (unsigned char)label.data[i];

			if (c >= 0x80 || c == '\0' || (!isalnum(c) && strchr("._-/:@+", c) == NULL))
				return false;
		}
	}
	return true;
}

int xb_ci_runners_parse(struct xb_ci_runners *runners, const char *text, struct xb_error *err)
{
	struct xb_view labels = xb_view(text), name;
	struct xb_platform platform;
	int r;

	(void)xb_view_split(&labels, '=', &name);
	if (labels.data == NULL || labels.len == 0)
		return xb_error_usage(err,
				      "write PLATFORM=LABEL, as in linux/arm64=ubuntu-24.04-arm",
				      "--runner %s", text);
	if (!are_labels(labels))
		return xb_error_usage(err, "labels have letters, digits and ._-/:@+",
				      "--runner %s: not a label", text);
	r = xb_platform_parse(name, NULL, &platform, err);
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return xb_error_wrap(err, r, "--runner %s", text);
	}
	xb_ci_runners_set(runners, &platform, labels);
	return 0;
}

const char *xb_ci_how_name(enum xb_ci_how how)
{
	static const char *const names[] = {
		[XB_CI_NATIVE] = "native",
		[XB_CI_COMPAT] = "compat",
		[XB_CI_EMULATED] = "emulated",
		[XB_CI_IDLE] = "idle",
	};

	return names[how];
}

/* ---- what targets need -------------------------------------------------------------------- */

/* Which steps each target needs: needs[target * steps + step]. */
static bool *find_needs(const struct xb_plan *plan)
{
	bool *needs = xb_calloc(plan->target_count * plan->step_count + 1, sizeof(*needs));

	for (size_t t = 0; t < plan->target_count; t++) {
		bool *own = needs + t * plan->step_count;

		if (plan->targets[t].step != XB_STEP_NONE)
			own[plan->targets[t].step] = true;
		/* a step stands after those that it needs */
		for (size_t s = plan->step_count; s-- > 0;) {
			for (size_t i = 0; own[s] && i < xb_step_input_count(&plan->steps[s]);
			     i++) {
				size_t input = xb_step_input(&plan->steps[s], i);

				if (input != XB_STEP_NONE)
					own[input] = true;
			}
		}
	}
	return needs;
}

/* Whether a target needs commands run on its own platform. */
static bool runs_itself(const struct xb_plan *plan, size_t target, const bool *own)
{
	for (size_t s = 0; s < plan->step_count; s++) {
		if (own[s] && plan->steps[s].kind == XB_STEP_RUN &&
		    xb_platform_eq(&plan->steps[s].platform, &plan->targets[target].platform))
			return true;
	}
	return false;
}

/* ---- sharing out -------------------------------------------------------------------------- */

/* The machine that is best for a platform, and how its commands run there. */
static size_t choose_runner(const struct xb_ci_runners *runners, const struct xb_platform *platform,
			    enum xb_ci_how *ret)
{
	static const enum xb_native ways[] = { XB_NATIVE_YES, XB_NATIVE_COMPAT };

	for (size_t w = 0; w < XB_COUNT(ways); w++) {
		for (size_t i = 0; i < runners->len; i++) {
			if (xb_native_by_name(&runners->items[i].platform, platform) != ways[w])
				continue;
			*ret = ways[w] == XB_NATIVE_YES ? XB_CI_NATIVE : XB_CI_COMPAT;
			return i;
		}
	}
	*ret = XB_CI_EMULATED;
	return 0;
}

/* "linux-arm-v7", with a number behind it where there is one already. */
static char *name_leg(const struct xb_ci_legs *legs, const struct xb_platform *platform)
{
	xb_autofree char *name = xb_strdup(xb_platform_name(platform).text);
	size_t same = 0;

	for (char *p = name; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && *p != '.')
			*p = '-';
	}
	for (size_t i = 0; i < legs->len; i++)
		same += strncmp(legs->items[i].name, name, strlen(name)) == 0;
	return same == 0 ? XB_STEAL(name) : xb_format("%s-%zu", name, same + 1);
}

/* The leg of a machine; emulated platforms have one each. */
static struct xb_ci_leg *leg_for(struct xb_ci_legs *legs, const struct xb_platform *platform,
				 size_t runner, enum xb_ci_how how)
{
	xb_autofree char *name = name_leg(legs, platform);
	struct xb_ci_leg *leg;

	for (size_t i = 0; how != XB_CI_EMULATED && i < legs->len; i++) {
		leg = &legs->items[i];
		if (leg->runner == runner && leg->platforms.items[0].how != XB_CI_EMULATED)
			return leg;
	}
	leg = xb_array_push(legs);
	leg->name = XB_STEAL(name);
	leg->runner = runner;
	leg->optional = true;
	return leg;
}

static void add_target(struct xb_ci_legs *legs, const struct xb_platform *platform, size_t runner,
		       enum xb_ci_how how, bool optional)
{
	struct xb_ci_leg *leg = leg_for(legs, platform, runner, how);

	*xb_array_push(&leg->platforms) = (struct xb_ci_platform){ *platform, how, optional };
	leg->emulator |= how == XB_CI_COMPAT || how == XB_CI_EMULATED;
	leg->optional &= optional;
}

/* ---- what legs share ---------------------------------------------------------------------- */

static size_t leg_of_target(const struct xb_ci_legs *legs, const struct xb_platform *platform)
{
	for (size_t l = 0; l < legs->len; l++) {
		for (size_t i = 0; i < legs->items[l].platforms.len; i++) {
			if (xb_platform_eq(&legs->items[l].platforms.items[i].platform, platform))
				return l;
		}
	}
	return legs->len;
}

/* Whether targets of several legs need a step. */
static bool is_shared(const struct xb_plan *plan, const struct xb_ci_legs *legs, const bool *needs,
		      size_t step)
{
	size_t first = legs->len;

	for (size_t t = 0; t < plan->target_count; t++) {
		size_t leg = leg_of_target(legs, &plan->targets[t].platform);

		if (!needs[t * plan->step_count + step])
			continue;
		if (first != legs->len && first != leg)
			return true;
		first = leg;
	}
	return false;
}

static void count_shared(struct xb_ci_legs *legs, const char *stage)
{
	for (size_t i = 0; i < legs->shared_count; i++) {
		if (strcmp(legs->shared[i].stage, stage) == 0) {
			legs->shared[i].steps++;
			return;
		}
	}
	legs->shared[legs->shared_count++] = (struct xb_ci_shared){ stage, 1 };
}

static void find_shared(const struct xb_plan *plan, const bool *needs, struct xb_ci_legs *legs)
{
	legs->shared = xb_calloc(plan->step_count + 1, sizeof(*legs->shared));
	for (size_t s = 0; s < plan->step_count; s++) {
		if (plan->steps[s].kind != XB_STEP_BASE && is_shared(plan, legs, needs, s))
			count_shared(legs, plan->steps[s].stage);
	}
}

void xb_ci_legs_make(const struct xb_plan *plan, const struct xb_flags *optional,
		     const struct xb_ci_runners *runners, struct xb_ci_legs *ret)
{
	xb_autofree bool *needs = find_needs(plan);

	for (size_t t = 0; t < plan->target_count; t++) {
		const struct xb_platform *platform = &plan->targets[t].platform;
		enum xb_ci_how how;
		size_t runner = choose_runner(runners, platform, &how);

		if (!runs_itself(plan, t, needs + t * plan->step_count)) {
			how = XB_CI_IDLE;
			runner = 0;
		}
		add_target(ret, platform, runner, how, optional->items[t]);
	}
	find_shared(plan, needs, ret);
}

void xb_ci_legs_clear(struct xb_ci_legs *legs)
{
	for (size_t i = 0; i < legs->len; i++) {
		free(legs->items[i].name);
		xb_array_clear(&legs->items[i].platforms);
	}
	free(legs->shared);
	free(legs->items);
	*legs = (struct xb_ci_legs){ 0 };
}

char *xb_ci_leg_platforms(const struct xb_ci_leg *leg)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < leg->platforms.len; i++) {
		(void)xb_str_puts(&text, i > 0 ? "," : "");
		(void)xb_platform_format_all(&leg->platforms.items[i].platform, &text);
	}
	return xb_str_steal(&text);
}
