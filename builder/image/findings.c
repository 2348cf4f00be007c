/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/image/findings.h"

#include <stdlib.h>

void xb_image_findings_clear(struct xb_image_findings *findings)
{
	for (size_t i = 0; i < findings->len; i++) {
		free(findings->items[i].path);
		free(findings->items[i].sentence);
	}
	xb_array_clear(findings);
}

size_t xb_image_findings_count(const struct xb_image_findings *findings, enum xb_audit_grade grade)
{
	size_t count = 0;

	for (size_t i = 0; i < findings->len; i++)
		count += findings->items[i].grade == grade && findings->items[i].reason == NULL;
	return count;
}
