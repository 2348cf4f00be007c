/* SPDX-License-Identifier: Apache-2.0 */
/** `build --call=…` and `--check`: what is asked of a Dockerfile instead of building it. */
#ifndef XB_BUILDER_CLI_CALL_H
#define XB_BUILDER_CLI_CALL_H

#include "builder/cli/check.h"

/** What is asked. */
enum xb_call_kind {
	XB_CALL_BUILD, /**< nothing: build */
	XB_CALL_CHECK,
	XB_CALL_OUTLINE,
	XB_CALL_TARGETS
};

/** A question, and how the answer is to look. */
struct xb_call {
	enum xb_call_kind kind;
	bool json;	    /**< as JSON, in the members of docker buildx */
	bool ignore_status; /**< findings are no failure */
};

/**
 * Read --call (NULL: not given), "build|check|lint|outline|targets[,format=text|json]
 * [,ignorestatus=BOOLEAN]", and --check, which is --call=check. Errors: -EINVAL, fault usage.
 */
int xb_call_parse(const char *text, bool check, struct xb_call *ret, struct xb_error *err);

/**
 * Answer on standard output. Returns the exit status: 0, for a check 3 where there are findings; or
 * a negative errno with what would make the build fail as well.
 */
int xb_call_answer(const struct xb_invocation *invocation, struct xb_build_request *request,
		   const struct xb_call *call, struct xb_error *err);

#endif
