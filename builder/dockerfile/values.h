/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Typed values of operands and flags, after expansion. All errors are -EINVAL, fault source,
 * without a place: give them one with xb_location_wrap().
 */
#ifndef XB_BUILDER_DOCKERFILE_VALUES_H
#define XB_BUILDER_DOCKERFILE_VALUES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/dockerfile/ast.h"

/** Read a duration as Go writes it ("1h30m", "1.5s", "-300ms", "0") to nanoseconds. */
int xb_duration_parse(struct xb_view text, int64_t *ret_ns, struct xb_error *err);

/** The options of HEALTHCHECK; times in nanoseconds, 0 for what was not given. */
struct xb_healthcheck_options {
	bool none; /**< HEALTHCHECK NONE */
	int64_t interval;
	int64_t timeout;
	int64_t start_period;
	int64_t start_interval;
	uint32_t retries;
};

/**
 * Read the options of a HEALTHCHECK instruction; its command is words[1] on. A time below 1 ms that
 * is not 0 is refused. Errors have their place.
 */
int xb_healthcheck_read(const struct xb_dockerfile *dockerfile,
			const struct xb_instruction *instruction,
			struct xb_healthcheck_options *ret, struct xb_error *err);

/**
 * Read one operand of EXPOSE ("80", "53/udp", "8000-8010", "[ip:]host:80") and append "PORT/proto"
 * for each port; protocols are tcp (the default), udp and sctp in any case. Addresses and host
 * ports are checked and dropped.
 */
int xb_expose_parse(const char *spec, struct xb_strv *ports, struct xb_error *err);

/** Read an octal mode of --chmod, 0 to 07777; base/mode.h reads the symbolic ones. */
int xb_chmod_parse(const char *text, mode_t *ret, struct xb_error *err);

/**
 * Read a signal: a number that is not 0 (for the runtime to judge), or a name in any case with or
 * without "SIG", also RTMIN, RTMIN+1 to RTMAX. The numbers are those of x86 and arm Linux, which
 * containers use. Errors: -EINVAL, fault source.
 */
int xb_signal_parse(const char *text, int *ret, struct xb_error *err);

#endif
