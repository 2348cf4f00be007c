/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/guard_option.h"

#include <string.h>

int xb_guard_option_read(const char *option, bool *ret_off, struct xb_error *err)
{
	*ret_off = option != NULL && strcmp(option, "off") == 0;
	if (option == NULL || *ret_off || strcmp(option, "on") == 0)
		return 0;
	return xb_error_usage(err, "on or off", "--guard does not take '%s'", option);
}
