/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "builder/cli/report.h"
#include "builder/cli/request.h"
#include "builder/dockerfile/dump.h"

static int print_piece(void *context, struct xb_view text)
{
	(void)fwrite(text.data, 1, text.len, context);
	return 0;
}

static int dump_dockerfile(const struct xb_invocation *invocation, struct xb_build_request *request,
			   struct xb_error *err)
{
	int r = xb_build_request_dockerfile(request, err);

	(void)invocation;
	/* an output that cannot be written is told at the end, by whoever closes it */
	return r < 0 ? r : xb_dockerfile_write_json(request->dockerfile, print_piece, stdout);
}

static int dump_plan(const struct xb_invocation *invocation, struct xb_build_request *request,
		     struct xb_error *err)
{
	xb_auto_json json_t *plan = NULL;
	int r = xb_build_request_plan(invocation, request, err);

	if (r < 0)
		return r;
	plan = xb_plan_to_json(request->plan);
	return xb_report_json(plan, err);
}

/* The configs as planned: without the layers and history that only a build knows. */
static int dump_config(const struct xb_invocation *invocation, struct xb_build_request *request,
		       struct xb_error *err)
{
	xb_auto_json json_t *configs = json_object();
	int r = xb_build_request_plan(invocation, request, err);

	for (size_t t = 0; r == 0 && t < request->plan->target_count; t++) {
		const struct xb_plan_target *target = &request->plan->targets[t];
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CONFIG);
		json_t *config = NULL;

		r = xb_image_config_write(&target->config, &text, err);
		if (r == 0)
			r = xb_json_parse(xb_str_view(&text), XB_MAX_CONFIG, &config, err);
		if (r == 0)
			xb_json_set_new(configs, xb_platform_name(&target->platform).text, config);
	}
	return r < 0 ? r : xb_report_json(configs, err);
}

static const struct {
	const char *name;
	int (*dump)(const struct xb_invocation *, struct xb_build_request *, struct xb_error *);
} dumps[] = {
	{ "dockerfile", dump_dockerfile },
	{ "plan", dump_plan },
	{ "config", dump_config },
};

int xb_cmd_dump(const struct xb_invocation *invocation, struct xb_error *err)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	struct xb_invocation rest = *invocation;
	const char *what = invocation->argv[0];

	for (size_t i = 0; what != NULL && i < XB_COUNT(dumps); i++) {
		int r;

		if (strcmp(what, dumps[i].name) != 0)
			continue;
		rest.argv = invocation->argv + 1;
		r = xb_build_request_read(&rest, &request, err);
		return r < 0 || request.options.help ? r : dumps[i].dump(&rest, &request, err);
	}
	(void)xb_error_set(err, -EINVAL, "xbuild dump: name what to dump");
	(void)xb_error_hint(err, "xbuild dump dockerfile|plan|config [OPTIONS] PATH");
	return xb_error_fault(err, XB_FAULT_USAGE);
}
