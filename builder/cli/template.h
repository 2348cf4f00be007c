/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The few forms of Go templates that `--format` takes: text with {{.Field.Field}} and
 * {{json .Field}}. Anything else in braces is an error, and never printed as it is.
 */
#ifndef XB_BUILDER_CLI_TEMPLATE_H
#define XB_BUILDER_CLI_TEMPLATE_H

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

/**
 * Append `text` with what it names of `data`. Fields are found whatever the case of their letters,
 * and without the dots of names such as `os.version`; "\n" and "\t" are written with backslashes.
 * A field that a document lacks is nothing, one that `data` itself lacks an error: -EINVAL, fault
 * usage. Objects and arrays are printed as JSON, `json` prints all so.
 */
int xb_template_print(const char *text, json_t *data, struct xb_str *out, struct xb_error *err);

#endif
