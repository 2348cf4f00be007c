/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans of hostile Dockerfiles: inputs stand before what needs them, the same text gives the same
 * plan, the order of platforms does not matter, and nothing that is printed is more than text.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "builder/dockerfile/parse.h"
#include "builder/plan/make.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Longer files test the same code, slower. */
#define MAX_INPUT 8192

static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };
static const struct xb_platform arm64 = { .os = "linux", .arch = "arm64" };

static struct xb_image images[2];

static void expect(int truth)
{
	if (!truth)
		abort();
}

static void make_images(void)
{
	static const char *const texts[] = { "one", "two" };

	for (size_t i = 0; i < XB_COUNT(images) && xb_digest_empty(&images[i].descriptor.digest);
	     i++) {
		images[i].descriptor.digest = xb_digest_of(texts[i], strlen(texts[i]));
		images[i].config.platform = i == 0 ? amd64 : arm64;
	}
}

static enum xb_source_kind kind(void *context, const char *name)
{
	(void)context;
	if (name[0] == 'u')
		return XB_SOURCE_REMOTE;
	return name[0] == 'd' ? XB_SOURCE_DIRECTORY : XB_SOURCE_IMAGE;
}

static int image(void *context, const char *name, const struct xb_platform *platform, bool any,
		 const struct xb_image **ret, struct xb_error *err)
{
	(void)context;
	(void)name;
	(void)any;
	(void)err;
	*ret = &images[strcmp(platform->arch, "arm64") == 0];
	return 0;
}

/* What a name of --build-context stands for may be as hostile as the name. */
static const char *url(void *context, const char *name)
{
	(void)context;
	return name + 1;
}

static int time_of(void *context, const struct xb_step_fetch *fetch, int64_t *ret,
		   struct xb_error *err)
{
	(void)context;
	(void)err;
	expect(fetch->git == (fetch->name == NULL));
	*ret = (int64_t)strlen(fetch->url) - 20;
	return 0;
}

static struct xb_plan *plan_for(const struct xb_dockerfile *file,
				const struct xb_platform *platforms, size_t count)
{
	static const struct xb_strv none;
	static const struct xb_strategy_options strategy = { .no_emulation = true };
	struct xb_plan_request request = {
		.dockerfile = file,
		.platforms = platforms,
		.platform_count = count,
		.build_platform = amd64,
		.build_args = &none,
		.labels = &none,
		.strategy = &strategy,
		.context_time = 1,
		.sources = { .kind = kind, .image = image, .url = url, .time = time_of },
	};
	struct xb_plan *plan = NULL;

	return xb_plan_make(&request, &plan, NULL) == 0 ? plan : NULL;
}

static bool has_step(const struct xb_plan *plan, const struct xb_step *step)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		if (xb_digest_eq(&plan->steps[i].identity, &step->identity))
			return true;
	}
	return false;
}

static void check_steps(const struct xb_plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct xb_step *step = &plan->steps[i];

		expect(step->parent == XB_STEP_NONE || step->parent < i);
		if (step->kind == XB_STEP_COPY && step->copy.origin == XB_COPY_STEP)
			expect(step->copy.from == XB_STEP_NONE || step->copy.from < i);
		if (step->kind == XB_STEP_COPY)
			expect(step->copy.destination[0] == '/');
		if (step->kind == XB_STEP_RUN)
			expect(step->run.cwd[0] == '/' && step->run.argv[0] != NULL);
		for (const char *c = step->title; *c != '\0'; c++)
			expect((unsigned char)*c >= 0x20 && *c != 0x7f);
	}
}

static void check_printed(const struct xb_plan *plan)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_json json_t *json = xb_plan_to_json(plan);

	xb_plan_print(plan, &text);
	expect(xb_json_write(json, &text, NULL) == 0);
	expect(json_array_size(json_object_get(json, "steps")) == plan->step_count);
}

static void check_config(const struct xb_plan *plan)
{
	for (size_t t = 0; t < plan->target_count; t++) {
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CONFIG);

		/* may be refused (bytes that are no text), but never wrong */
		(void)xb_image_config_write(&plan->targets[t].config, &text, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct xb_platform orders[2][2] = { { amd64, arm64 }, { arm64, amd64 } };
	struct xb_view text = { (const char *)data, size };
	xb_auto_dockerfile struct xb_dockerfile *file = NULL;
	xb_auto_plan struct xb_plan *one = NULL;
	xb_auto_plan struct xb_plan *two = NULL;
	xb_auto_plan struct xb_plan *alone = NULL;

	make_images();
	if (size > MAX_INPUT || xb_dockerfile_parse(text, "Dockerfile", &file, NULL) < 0)
		return 0;
	alone = plan_for(file, orders[0], 1);
	one = plan_for(file, orders[0], 2);
	two = plan_for(file, orders[1], 2);
	expect((one == NULL) == (two == NULL));
	if (alone != NULL) {
		check_steps(alone);
		check_printed(alone);
		check_config(alone);
	}
	if (one == NULL)
		return 0;
	check_steps(one);
	expect(alone != NULL && one->step_count == two->step_count);
	for (size_t i = 0; i < one->step_count; i++)
		expect(has_step(two, &one->steps[i]));
	for (size_t i = 0; i < alone->step_count; i++)
		expect(has_step(one, &alone->steps[i]));
	return 0;
}
