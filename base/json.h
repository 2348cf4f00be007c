/* SPDX-License-Identifier: Apache-2.0 */
/**
 * JSON as xbuild reads and writes it: jansson in its strict mode, with bounds, and errors that name
 * the place as a path ("layers[2].size").
 *
 * Reading: duplicate keys, trailing data, more than 64 levels, invalid UTF-8 and documents above
 * the given size are refused. Writing: keys in the order of insertion, compact, so that the same
 * calls give the same bytes.
 */
#ifndef XB_BASE_JSON_H
#define XB_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/** Cleanup of an owned reference. */
static inline void xb_json_cleanup(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}
#define xb_auto_json XB_CLEANUP(xb_json_cleanup)

/** Parse a whole document of at most `max` bytes. Errors: -EFBIG, -EBADMSG (with line and column).
 */
int xb_json_parse(struct xb_view text, size_t max, json_t **ret, struct xb_error *err);
/** Append the compact form to `s`. */
int xb_json_write(const json_t *value, struct xb_str *s, struct xb_error *err);
/** Append an indented form (two spaces) for people, with a final newline. */
int xb_json_write_pretty(const json_t *value, struct xb_str *s, struct xb_error *err);

/**
 * Members of an object. `ret` gets a borrowed value. When the key is missing or null, 0 is returned
 * and `ret` is left as it was; of another type: -EBADMSG naming the key.
 */
int xb_json_get_string(const json_t *object, const char *key, const char **ret,
		       struct xb_error *err);
/** As xb_json_get_string(), for whole numbers from 0 to 2^53. */
int xb_json_get_u64(const json_t *object, const char *key, uint64_t *ret, struct xb_error *err);
/** As xb_json_get_string(), for true and false. */
int xb_json_get_bool(const json_t *object, const char *key, bool *ret, struct xb_error *err);
/** As xb_json_get_string(), for an object. */
int xb_json_get_object(const json_t *object, const char *key, json_t **ret, struct xb_error *err);
/** As xb_json_get_string(), for an array. */
int xb_json_get_array(const json_t *object, const char *key, json_t **ret, struct xb_error *err);

/** Set `key` to a string; NULL `value` leaves the object as it is. Invalid UTF-8 is replaced. */
void xb_json_set_string(json_t *object, const char *key, const char *value);
/** Set `key` to a number. */
void xb_json_set_u64(json_t *object, const char *key, uint64_t value);
/** Set `key` to `value`, whose reference is taken over. */
void xb_json_set_new(json_t *object, const char *key, json_t *value);

#endif
