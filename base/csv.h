/* SPDX-License-Identifier: Apache-2.0 */
/** One line of comma-separated values: what `-o`, `--secret`, `--ssh` and `--mount` are written in.
 */
#ifndef XB_BASE_CSV_H
#define XB_BASE_CSV_H

#include "base/str.h"

/**
 * Cut the next field off `rest` into `field`, which is emptied first. A field may stand in double
 * quotes, whole or in part; two of them inside quotes are one. Returns 1, 0 when no field is left
 * (`rest->data` is then NULL, as it is after the last field), or -EINVAL for a quote that does not
 * end.
 */
int xb_csv_next(struct xb_view *rest, struct xb_str *field);

#endif
