/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Writing YAML: mappings and sequences in block form, with strings that no reader takes for
 * anything else.
 *
 * Strings are double-quoted, with all but printable ASCII escaped, or literal blocks where they
 * have several lines of printable ASCII; keys are quoted unless they are plain words. So the text
 * means the same in YAML 1.1 and 1.2. Whoever writes keeps the order: a key, or a dash, and then
 * what stands there. Source: YAML 1.2.2, 5.7 (escapes), 7.3.1, 8.1.2.
 *
 *	xb_yaml_map(&y, "jobs");		jobs:
 *	xb_yaml_text(&y, "name", "x");		  name: "x"
 *	xb_yaml_list(&y, "steps");		  steps:
 *	xb_yaml_item(&y);
 *	xb_yaml_text(&y, "uses", "a");		    - uses: "a"
 *	xb_yaml_end(&y, 3);
 */
#ifndef XB_BUILDER_CLI_YAML_H
#define XB_BUILDER_CLI_YAML_H

#include <stdbool.h>

#include "base/array.h"

/** A text being written. */
struct xb_yaml {
	struct xb_str *out; /**< borrowed */
	size_t depth;	    /**< of what is open */
	bool dash;	    /**< the next line is the first of an element */
};

/** A line of comment; control characters are escaped. */
void xb_yaml_comment(struct xb_yaml *y, const char *text);
/** Open the mapping that `key` has. */
void xb_yaml_map(struct xb_yaml *y, const char *key);
/** Open the sequence that `key` has. */
void xb_yaml_list(struct xb_yaml *y, const char *key);
/** Open an element of a sequence, which is a mapping with at least one key. */
void xb_yaml_item(struct xb_yaml *y);
/** Close the innermost `levels`. */
void xb_yaml_end(struct xb_yaml *y, size_t levels);

/** `key` has a string. */
void xb_yaml_text(struct xb_yaml *y, const char *key, const char *value);
/** `key` is true or false. */
void xb_yaml_bool(struct xb_yaml *y, const char *key, bool value);
/** `key` has a sequence of strings, in one line. */
void xb_yaml_texts(struct xb_yaml *y, const char *key, const struct xb_strv *values);
/** An element of a sequence that is a string. */
void xb_yaml_element(struct xb_yaml *y, const char *value);

#endif
