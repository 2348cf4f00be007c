/* SPDX-License-Identifier: Apache-2.0 */
/** `--filter` of `xbuild cache`: which items are meant. */
#ifndef XB_BUILDER_CLI_CACHE_FILTER_H
#define XB_BUILDER_CLI_CACHE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/cache/item.h"

/** Which items are meant: those that all kinds of words allow, and one word of each kind. */
struct xb_cache_filter {
	unsigned kinds;	    /**< XB_PRUNE_KIND() of `type=`; 0: any */
	struct xb_strv ids; /**< of `id=`; empty: any */
	int64_t unused_for; /**< seconds, of `until=` and `unused-for=`; 0: any */
};

/** Release. */
void xb_cache_filter_clear(struct xb_cache_filter *filter);
#define xb_auto_cache_filter XB_CLEANUP(xb_cache_filter_clear)

/**
 * Read `KEY=VALUE` words: until and unused-for take a duration ("1h30m", "36h", "7d"; a number
 * alone is seconds), type a kind's name, id a key, digest or its beginning. `ret` is zeroed.
 * Errors: -EINVAL, fault usage.
 */
int xb_cache_filter_read(const struct xb_strv *words, struct xb_cache_filter *ret,
			 struct xb_error *err);
/** Whether the item is meant now. */
bool xb_cache_filter_takes(const struct xb_cache_filter *filter, const struct xb_item *item);

#endif
