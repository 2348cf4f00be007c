/* SPDX-License-Identifier: Apache-2.0 */
/**
 * This machine: its platform, and which others its kernel runs without an emulator.
 */
#ifndef XB_PLATFORMS_HOST_H
#define XB_PLATFORMS_HOST_H

#include "base/error.h"
#include "platforms/platform.h"

/** How a platform's programs run on a machine without an emulator. */
enum xb_native {
	XB_NATIVE_NO,	  /**< not at all */
	XB_NATIVE_COMPAT, /**< by the kernel's 32-bit support: 386 on amd64, arm on arm64 */
	XB_NATIVE_YES	  /**< they are the machine's own */
};

/**
 * The platform of the running kernel, normalised. Microarchitecture levels (amd64/v3) are not
 * reported: an image for the host is an image for plain amd64.
 * Errors: -ENOTSUP (fault platform) for a machine that the table of architectures lacks.
 */
int xb_platform_host(struct xb_platform *ret, struct xb_error *err);

/**
 * How `target` runs on `host` as far as the names tell: XB_NATIVE_COMPAT means that such kernels
 * and processors often can. Pure.
 */
enum xb_native xb_native_by_name(const struct xb_platform *host, const struct xb_platform *target);

/**
 * How `target` runs on this machine, whose platform is `host`; compat is tried, once a process: a
 * 386 program of a few bytes is executed, and for arm the kernel is asked for the 32-bit
 * personality. A microarchitecture level above what is known of the host (amd64/v3) counts as
 * native. Thread-safe.
 */
enum xb_native xb_native_here(const struct xb_platform *host, const struct xb_platform *target);

#endif
