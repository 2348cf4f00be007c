/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The JSON form of operands. Not base/json: what is not JSON is no error here but a shell command,
 * each string needs its place, and a string may hold an escaped NUL that a later check names.
 */
#ifndef XB_BUILDER_DOCKERFILE_JSON_ARRAY_H
#define XB_BUILDER_DOCKERFILE_JSON_ARRAY_H

#include "builder/dockerfile/words.h"

/** What a text is. */
enum xb_json_array {
	XB_JSON_ARRAY_NONE,    /**< not a JSON array */
	XB_JSON_ARRAY_STRINGS, /**< an array of strings */
	XB_JSON_ARRAY_OTHER    /**< a JSON array that holds something else */
};

/**
 * Read a text. XB_JSON_ARRAY_STRINGS: the decoded strings were appended to `words`; else `words` is
 * as it was. Arrays nested deeper than XB_MAX_NESTING are XB_JSON_ARRAY_NONE.
 */
enum xb_json_array xb_json_array_read(const struct xb_operand_text *text,
				      struct xb_word_list *words);

#endif
