/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What is on the disk, and what only the kernel has so far; for the modules of this directory only.
 *
 * A step's result that a power cut takes away is made again, so nothing waits for the disk: a
 * record bears a stamp, the boot and the moment in which it was written. Stamped records are good
 * for as long as the machine runs, whoever is killed. Whoever opens the store after a reboot
 * removes those of earlier boots. xb_durable_sync() takes the stamps away, once all that had been
 * written before is on the disk: when a tag is to name it, and some time later in any case.
 */
#ifndef XB_BUILDER_CACHE_DURABLE_H
#define XB_BUILDER_CACHE_DURABLE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"
#include "builder/cache/state.h"

/** Bytes of a stamp with its NUL. */
#define XB_STAMP_SIZE 64

/** Write the stamp of this moment; "" where the boot cannot be told: then everything is synced. */
void xb_durable_stamp(char ret[XB_STAMP_SIZE]);

/**
 * Remove the records of earlier boots; the first time in each boot also the blobs that are damaged,
 * of all that no synced record names. `*ret_lost` says whether there may be snapshots that are
 * nobody's now. When the store is opened, under the exclusive store lock.
 */
int xb_durable_recover(struct xb_store *store, bool *ret_lost, struct xb_error *err);

/** Put all that was written to the store so far on the disk. */
int xb_durable_sync(struct xb_store *store, struct xb_error *err);
/** Whether records bear stamps, that is, wait to be synced. */
int xb_durable_waiting(struct xb_store *store, bool *ret, struct xb_error *err);
/** Begin to sync in a thread if there are records that have waited for a minute, and to take in the
 *  database's log if it is long. */
void xb_durable_settle(struct xb_store *store);
/** Wait for that thread. */
void xb_durable_settled(struct xb_store *store);

#endif
