/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/item.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name;
	const char *docker;
} kinds[] = {
	[XB_ITEM_STEP] = { "step", "regular" },
	[XB_ITEM_BASE] = { "base", NULL },
	[XB_ITEM_FETCHED] = { "fetched", "source.git.checkout" },
	[XB_ITEM_BLOB] = { "blob", NULL },
	[XB_ITEM_CACHE] = { "cachemount", "exec.cachemount" },
	[XB_ITEM_CONTEXT] = { "context", "source.local" },
	[XB_ITEM_BUSY] = { "busy", NULL },
};

const char *xb_item_kind_name(enum xb_item_kind kind)
{
	return kinds[kind].name;
}

int xb_item_kind_parse(const char *name, enum xb_item_kind *ret)
{
	for (size_t i = 0; i < XB_COUNT(kinds); i++) {
		if (strcmp(name, kinds[i].name) == 0 ||
		    (kinds[i].docker != NULL && strcmp(name, kinds[i].docker) == 0)) {
			*ret = (enum xb_item_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

struct xb_room xb_item_room(const struct xb_item *item)
{
	return (struct xb_room){ .bytes = item->tree.bytes + item->packed.bytes,
				 .inodes = item->tree.inodes + item->packed.inodes };
}

bool xb_item_is(const struct xb_item *item, const char *id)
{
	const char *hex = strrchr(item->id, ':');

	if (strcmp(item->id, id) == 0)
		return true;
	return *id != '\0' && strncmp(hex != NULL ? hex + 1 : item->id, id, strlen(id)) == 0;
}

void xb_inventory_clear(struct xb_inventory *inventory)
{
	for (size_t i = 0; i < inventory->items.len; i++) {
		free(inventory->items.items[i].id);
		free(inventory->items.items[i].title);
		free(inventory->items.items[i].tags);
		free(inventory->items.items[i].blob);
	}
	xb_array_clear(&inventory->items);
	xb_map_free(inventory->blobs);
	xb_map_free(inventory->trees);
	*inventory = (struct xb_inventory){ 0 };
}
