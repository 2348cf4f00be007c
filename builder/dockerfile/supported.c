/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/supported.h"

#include <errno.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/location.h"

static int unsupported(const struct xb_dockerfile *dockerfile, struct xb_location at,
		       struct xb_error *err, const char *what, const char *name)
{
	(void)xb_location_error(dockerfile, at, err, "%s%s is not supported yet", what, name);
	if (err != NULL)
		err->code = -ENOTSUP;
	return -ENOTSUP;
}

static int check_flags(const struct xb_dockerfile *dockerfile,
		       const struct xb_instruction *instruction, struct xb_error *err)
{
	for (size_t i = 0; i < instruction->flag_count; i++) {
		const struct xb_flag *flag = &instruction->flags[i];
		const struct xb_flag_rule *rule = xb_flag_rule_find(instruction->kind, flag->name);
		xb_autofree char *what = NULL;

		if (rule == NULL || !rule->later)
			continue;
		what = xb_format("%s --", xb_instruction_name(instruction->kind));
		return unsupported(dockerfile, flag->at, err, what, flag->name);
	}
	return 0;
}

static int check_instruction(const struct xb_dockerfile *dockerfile,
			     const struct xb_instruction *instruction, struct xb_error *err)
{
	if (xb_instruction_rule(instruction->kind)->later)
		return unsupported(dockerfile, instruction->at, err, "",
				   xb_instruction_name(instruction->kind));
	return check_flags(dockerfile, instruction, err);
}

int xb_dockerfile_check_supported(const struct xb_dockerfile *dockerfile, struct xb_error *err)
{
	for (size_t i = 0; i < dockerfile->instruction_count; i++) {
		int r = check_instruction(dockerfile, &dockerfile->instructions[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}
