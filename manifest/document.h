/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the documents of an image have in common: how they are read, what is done with members that
 * xbuild does not know, how they are written. For the modules of manifest/ only.
 */
#ifndef XB_MANIFEST_DOCUMENT_H
#define XB_MANIFEST_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"

/**
 * Parse a document of at most `max` bytes whose root is an object; `*ret` is the caller's. -EBADMSG
 * as xb_json_parse(), -EFBIG also for more arrays and objects than any real document has.
 */
int xb_document_parse(struct xb_view text, size_t max, json_t **ret, struct xb_error *err);

/**
 * Take the members of `object` that are not among `known` (ends with NULL) into `*ret` as a compact
 * JSON object, NULL when there are none. -EBADMSG for a member whose name is a known one but for
 * its case: tools written in Go would take it for that one, others would not.
 */
int xb_document_extra(const json_t *object, const char *const *known, char **ret,
		      struct xb_error *err);
/** Add the members that xb_document_extra() took, sorted by name; NULL `extra` adds none. */
void xb_document_add_extra(json_t *object, const char *extra);

/** A fresh object with the members of `object` sorted by name; the values are shared. */
json_t *xb_document_sorted(json_t *object);
/** Append the compact form; -EFBIG when it does not fit. `what` names the document in errors. */
int xb_document_write(const json_t *root, const char *what, struct xb_str *s, struct xb_error *err);

/** Read member `key`, an array of strings, appending to `ret`; missing or null adds none. */
int xb_document_strings(const json_t *object, const char *key, struct xb_strv *ret,
			struct xb_error *err);
/** A fresh array of strings. */
json_t *xb_document_string_array(const struct xb_strv *v);
/** Read member `key`, a string, into `*ret` as a copy; missing or null leaves it as it was. */
int xb_document_string(const json_t *object, const char *key, char **ret, struct xb_error *err);

/** Foreign text as it may be shown in a message, malloc()ed. */
char *xb_document_quote(const char *text);

#endif
