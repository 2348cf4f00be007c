/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Docker's default seccomp profile as a program for the kernel.
 *
 * libseccomp takes longer to make it than a step takes to start, so that the one for the
 * capabilities that steps have is made when xbuild is built (seccomp_main.c) and carried inside it.
 */
#ifndef XB_BUILDER_SANDBOX_SECCOMP_H
#define XB_BUILDER_SANDBOX_SECCOMP_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/**
 * Append the program, an array of struct sock_filter, for a step with these capabilities (bits by
 * number): what xb_sandbox_default_seccomp() describes. The same for the same libseccomp.
 * Errors: those of libseccomp, as negative errno.
 */
int xb_seccomp_compile(uint64_t capabilities, struct xb_str *program, struct xb_error *err);

#endif
