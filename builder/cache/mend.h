/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What is there twice in a store, or can be done without: a damaged database is set aside, a
 * damaged index.json is made anew from the copy that was kept of it. For the modules of this
 * directory only (docs/decisions/0032-repair.md).
 *
 * Nothing is mended unless somebody asks for it. What was damaged stays beside what takes its
 * place, under a name that ends in `-damaged`, until something else is damaged.
 */
#ifndef XB_BUILDER_CACHE_MEND_H
#define XB_BUILDER_CACHE_MEND_H

#include <stdbool.h>

#include "base/error.h"
#include "builder/cache/state.h"

/**
 * Set the database aside and begin an empty one: records and history are lost, images stay. Under
 * the exclusive store lock, with a lease of our own. -EBUSY while other processes use the store.
 */
int xb_mend_database(struct xb_store *store, struct xb_error *err);

/**
 * Make index.json anew: from the copy, or without any tag where there is none that can be read;
 * `*ret_names` says which. Under the exclusive store lock.
 */
int xb_mend_index(struct xb_store *store, bool *ret_names, struct xb_error *err);
/** Whether index.json is missing though the copy has tags. Under the store lock. */
bool xb_mend_wanted(const struct xb_store *store);

/**
 * Keep a copy of index.json, which has just been changed. A copy that cannot be written is removed:
 * none is better than an old one. Under the store lock.
 */
void xb_mend_keep_index(const struct xb_store *store);

#endif
