/* SPDX-License-Identifier: Apache-2.0 */
/** A build's lock file: found, read, held against the plan, written (builder/solve/pins.h). */
#ifndef XB_BUILDER_CLI_PINNING_H
#define XB_BUILDER_CLI_PINNING_H

#include <stdbool.h>

#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/context/context.h"
#include "builder/fetch/fetch.h"
#include "builder/plan/plan.h"
#include "builder/solve/pins.h"

/** Which file it is; borrowed. */
struct xb_pinning {
	const char *file; /**< --lock-file, or NULL: beside the files of the build */
	const struct xb_context *context; /**< those files */
};

/** Read it. -ENOENT (fault usage, with what to do): there is none. Errors of the form: see
 *  xb_pins_parse(). */
int xb_pinning_read(const struct xb_pinning *pinning, struct xb_pins *ret, struct xb_error *err);
/** Write it, whole or not at all. Its directory has to be one of this machine: fault usage. */
int xb_pinning_write(const struct xb_pinning *pinning, const struct xb_pins *pins,
		     struct xb_error *err);

/**
 * Take out what --update names: images in any spelling, URLs as the file has them. The references
 * of images are appended to `renewed`. -EINVAL, fault usage: there is no such pin.
 */
int xb_pinning_drop(struct xb_pins *pins, const struct xb_strv *updates, struct xb_strv *renewed,
		    struct xb_error *err);
/**
 * Give what a plan fetches the checksums of `pins`, counting these as used; what has one in the
 * Dockerfile keeps that. Nothing may be without: -ENOKEY, fault proof, naming all.
 */
int xb_pinning_apply(struct xb_plan *plan, struct xb_pins *pins, struct xb_error *err);
/** Tell of pins that the build has no use for. */
void xb_pinning_tell_unused(const struct xb_pins *pins);

/**
 * Fetch what a plan fetches and has no checksum for, and note in `pins` what came: taken over from
 * `known` where it is there.
 */
int xb_pinning_fetch(const struct xb_plan *plan, struct xb_store *store,
		     const struct xb_fetch_options *how, struct xb_pins *known,
		     struct xb_pins *pins, struct xb_error *err);

/**
 * See whether all that a plan fetches is in the store (`how` is offline): -ENETUNREACH, fault
 * registry, naming all that is not.
 */
int xb_pinning_check_offline(const struct xb_plan *plan, struct xb_store *store,
			     const struct xb_fetch_options *how, struct xb_error *err);

#endif
