/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The rules of build checks: what each is called, what it says, where it is explained, and which of
 * them count for a Dockerfile.
 *
 * Names, descriptions and addresses are those of BuildKit's checks, so that a `# check=` line and
 * what reads the results mean the same with both.
 * Source: Dockerfile reference of frontend 1.26, "check"; its linter's set of rules.
 */
#ifndef XB_BUILDER_DOCKERFILE_RULES_H
#define XB_BUILDER_DOCKERFILE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"

/** The rules; docs/checks.md has an example of each. */
enum xb_rule_id {
	XB_RULE_STAGE_NAME_CASING,
	XB_RULE_FROM_AS_CASING,
	XB_RULE_NO_EMPTY_CONTINUATION,
	XB_RULE_CONSISTENT_INSTRUCTION_CASING,
	XB_RULE_DUPLICATE_STAGE_NAME,
	XB_RULE_RESERVED_STAGE_NAME,
	XB_RULE_JSON_ARGS_RECOMMENDED,
	XB_RULE_MAINTAINER_DEPRECATED,
	XB_RULE_UNDEFINED_ARG_IN_FROM,
	XB_RULE_WORKDIR_RELATIVE_PATH,
	XB_RULE_UNDEFINED_VAR,
	XB_RULE_MULTIPLE_INSTRUCTIONS_DISALLOWED,
	XB_RULE_LEGACY_KEY_VALUE_FORMAT,
	XB_RULE_INVALID_BASE_IMAGE_PLATFORM,
	XB_RULE_REDUNDANT_TARGET_PLATFORM,
	XB_RULE_SECRETS_USED_IN_ARG_OR_ENV,
	XB_RULE_INVALID_DEFAULT_ARG_IN_FROM,
	XB_RULE_FROM_PLATFORM_FLAG_CONST_DISALLOWED,
	XB_RULE_COPY_IGNORED_FILE,
	XB_RULE_INVALID_DEFINITION_DESCRIPTION,
	XB_RULE_EXPOSE_PROTO_CASING,
	XB_RULE_EXPOSE_INVALID_FORMAT,
	XB_RULE_COUNT
};

/** A rule. */
struct xb_rule {
	const char *name;
	const char *description;
	const char *url;   /**< NULL: there is no page */
	bool experimental; /**< off unless asked for by `experimental=` */
};

/** The row of a rule; never NULL for ids below XB_RULE_COUNT. */
const struct xb_rule *xb_rule(enum xb_rule_id id);

/** Find a rule by its name, whose case counts; false when there is none. */
bool xb_rule_find(struct xb_view name, enum xb_rule_id *ret);

/** Which rules count; zeroed: all that are not experimental. Bit N stands for rule N. */
struct xb_rule_set {
	uint64_t skip;	       /**< of those not experimental; UINT64_MAX: all */
	uint64_t experimental; /**< of the experimental ones; UINT64_MAX: all */
	bool error;	       /**< a build with findings fails */
};

/**
 * Read the options of `# check=` and of BUILDKIT_DOCKERFILE_CHECK:
 * "skip=all|NAME,...;experimental=all|NAME,...;error=BOOLEAN". Names of no rule are appended to
 * `unknown` (NULL: dropped): a newer builder may have them. Errors: -EINVAL, fault source.
 */
int xb_rule_set_parse(struct xb_view text, struct xb_rule_set *ret, struct xb_strv *unknown,
		      struct xb_error *err);

/** Add what `more` skips and asks for; its `error` does not count. */
void xb_rule_set_merge(struct xb_rule_set *set, const struct xb_rule_set *more);

/** Whether a rule counts. */
bool xb_rule_set_has(const struct xb_rule_set *set, enum xb_rule_id id);

#endif
