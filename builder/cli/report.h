/* SPDX-License-Identifier: Apache-2.0 */
/** Errors and warnings for people, on standard error, and answers for programs, on standard output.
 */
#ifndef XB_BUILDER_CLI_REPORT_H
#define XB_BUILDER_CLI_REPORT_H

#include "base/error.h"
#include "base/json.h"

/** Print an error: sentence, excerpt, hint. Control characters of foreign text are quoted. */
void xb_report_error(const struct xb_error *err);
/** Print one line of warning. */
void xb_report_warning(const char *text);
/** The exit status that an error stands for (docs/errors.md). */
int xb_report_status(const struct xb_error *err);
/** Print a value as indented JSON on standard output. Errors: those of xb_json_write_pretty(). */
int xb_report_json(const json_t *value, struct xb_error *err);

#endif
