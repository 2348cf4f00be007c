/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/outline.h"

#include <stdlib.h>

#include "base/str.h"

char *xb_outline_describe(const struct xb_instruction *instruction, const char *name)
{
	for (size_t i = 0; i < instruction->comment_count; i++) {
		struct xb_view rest = instruction->comments[i].text, word;

		if (xb_view_split(&rest, ' ', &word) && rest.data != NULL && xb_view_is(word, name))
			return xb_view_dup(rest);
	}
	return NULL;
}

static void clear_items(struct xb_outline_items *items)
{
	for (size_t i = 0; i < items->len; i++) {
		free(items->items[i].name);
		free(items->items[i].value);
		free(items->items[i].description);
	}
	xb_array_clear(items);
}

void xb_outline_clear(struct xb_outline *outline)
{
	free(outline->name);
	free(outline->description);
	outline->name = NULL;
	outline->description = NULL;
	clear_items(&outline->args);
	clear_items(&outline->secrets);
	clear_items(&outline->agents);
	clear_items(&outline->caches);
}
