/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include <errno.h>

int xb_csv_next(struct xb_view *rest, struct xb_str *field)
{
	bool quoted = false;
	size_t i;

	xb_str_reset(field);
	if (rest->data == NULL)
		return 0;
	for (i = 0; i < rest->len && (quoted || rest->data[i] != ','); i++) {
		if (rest->data[i] != '"') {
			(void)xb_str_putc(field, rest->data[i]);
		} else if (quoted && i + 1 < rest->len && rest->data[i + 1] == '"') {
			(void)xb_str_putc(field, '"');
			i++;
		} else {
			quoted = !quoted;
		}
	}
	if (quoted)
		return -EINVAL;
	if (i < rest->len)
		*rest = xb_view_sub(*rest, i + 1, rest->len);
	else
		*rest = (struct xb_view){ NULL, 0 };
	return 1;
}
