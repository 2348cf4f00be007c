/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Blobs on their way to or from registries, shown on standard error: a line for each that has
 * arrived and, every few seconds, for those that take long; a live picture on a terminal; JSON.
 */
#ifndef XB_BUILDER_CLI_TRANSFERS_H
#define XB_BUILDER_CLI_TRANSFERS_H

#include "base/cleanup.h"
#include "builder/cli/progress.h"
#include "manifest/watch.h"

struct xb_transfers;

/** Make one; nothing is shown before something moves. */
struct xb_transfers *xb_transfers_new(enum xb_progress_mode mode);
/** What to give to xb_copy_image() and xb_publish(). */
struct xb_transfer_watch xb_transfers_watch(struct xb_transfers *transfers);
/** Take down what is live, say how much has moved, and release; NULL is left alone. */
void xb_transfers_free(struct xb_transfers *transfers);

XB_DEFINE_CLEANUP(xb_transfers_cleanup, struct xb_transfers, xb_transfers_free)
#define xb_auto_transfers XB_CLEANUP(xb_transfers_cleanup)

#endif
