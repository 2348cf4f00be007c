/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From a platform to a sandbox that can run its programs: seccomp profile, network files and, for
 * an emulated platform, the private registrations and the guard. Shared by RUN steps and `xbuild
 * run`.
 */
#ifndef XB_BUILDER_SANDBOX_PREPARE_H
#define XB_BUILDER_SANDBOX_PREPARE_H

#include "base/array.h"
#include "builder/sandbox/spec.h"
#include "emulation/strategy.h"
#include "platforms/platform.h"

/** What is to run; all borrowed. */
struct xb_sandbox_request {
	const struct xb_platform *platform;
	const struct xb_platform *host;
	const struct xb_strategy_options *strategy;
	const struct xb_strv *hosts; /**< lines for /etc/hosts, NULL: none */
	bool no_network;
	bool insecure; /**< no walls but the root: all that the builder itself may do */
};

/**
 * Complete `spec`, whose root and program are set. Errors: fault platform when the platform can be
 * run neither natively nor emulated; those of libseccomp.
 */
int xb_sandbox_prepare(struct xb_sandbox_spec *spec, const struct xb_sandbox_request *request,
		       struct xb_error *err);

/**
 * How programs of `platform` run on `host`, for people: "qemu-aarch64-static 7.2.22 from /usr/bin".
 * The emulator is asked for its version even where `options` say not to. The caller frees it.
 */
char *xb_sandbox_reason(const struct xb_platform *platform, const struct xb_platform *host,
			const struct xb_strategy_options *options);

#endif
