/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/trigger.h"

#include "builder/dockerfile/check.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"
#include "builder/dockerfile/parse.h"

static int check(const struct xb_dockerfile *file, struct xb_error *err)
{
	const struct xb_instruction *instruction = &file->instructions[0];

	if (file->instruction_count != 1)
		return xb_location_error(file, file->instructions[1].at, err,
					 "an ONBUILD trigger is one instruction");
	if (!xb_instruction_rule(instruction->kind)->trigger)
		return xb_location_error(file, instruction->at, err,
					 "%s isn't allowed as an ONBUILD trigger",
					 xb_instruction_name(instruction->kind));
	return xb_dockerfile_check_instruction(file, instruction, true, err);
}

int xb_trigger_parse(struct xb_plan *plan, const char *name, const char *text,
		     const struct xb_dockerfile **ret, struct xb_error *err)
{
	xb_autofree char *path = xb_format("ONBUILD of %s", name);
	struct xb_dockerfile *file = NULL;
	int r = xb_dockerfile_parse_syntax(xb_view(text), path, &file, err);

	if (r < 0)
		return r;
	*xb_array_push(&plan->triggers) = file;
	r = check(file, err);
	if (r == 0)
		*ret = file;
	return r;
}
