/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/finding.h"

#include <stdlib.h>

void xb_lint_clear(struct xb_lint *lint)
{
	for (size_t i = 0; i < lint->findings.len; i++)
		free(lint->findings.items[i].detail);
	xb_array_clear(&lint->findings);
	xb_strv_clear(&lint->images);
}
