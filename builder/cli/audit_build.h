/* SPDX-License-Identifier: Apache-2.0 */
/** The audit of what a build made, before anything of it is written or published: --audit. */
#ifndef XB_BUILDER_CLI_AUDIT_BUILD_H
#define XB_BUILDER_CLI_AUDIT_BUILD_H

#include "builder/cli/request.h"
#include "manifest/descriptor.h"

/** Check the value of --audit. Errors: fault usage. */
int xb_audit_build_check(const struct xb_build_request *request, struct xb_error *err);

/**
 * Audit the images below `root`, documents and blobs of the store, as --audit says, and print what
 * is found to standard error. An image that was found clean before, by this version and with the
 * same allowances, is not looked at again. `root` NULL: nothing was made that could be audited,
 * which is told. Errors: fault proof when something is an error that nothing allows, under
 * --audit=error; those of reading.
 */
int xb_audit_build(const struct xb_build_request *request, const struct xb_descriptor *root,
		   struct xb_error *err);

#endif
