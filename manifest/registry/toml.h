/* SPDX-License-Identifier: Apache-2.0 */
/**
 * TOML, as far as files of registries' settings use it: tables, arrays of tables, dotted and quoted
 * keys, strings on one line, whole numbers in decimal, true and false, arrays, inline tables. What
 * is beyond that (strings of several lines, dates, floats, other number bases) is refused, never
 * read as something else.
 *
 * Source: TOML 1.0.
 */
#ifndef XB_MANIFEST_REGISTRY_TOML_H
#define XB_MANIFEST_REGISTRY_TOML_H

#include "base/json.h"

/** The most bytes of a file, and levels of values in values or of names in a key. */
#define XB_MAX_TOML	   ((size_t)1 << 20)
#define XB_MAX_TOML_LEVELS 16

/**
 * Read a document into a JSON object of the same shape; `*ret` gets a reference. Errors: -EFBIG,
 * -EBADMSG with the line: not TOML, not the part of it that is read here, a key that is there
 * twice.
 */
int xb_toml_parse(struct xb_view text, json_t **ret, struct xb_error *err);

#endif
