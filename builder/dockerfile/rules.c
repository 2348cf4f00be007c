/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/rules.h"

#include <errno.h>
#include <string.h>

/* A row of the table; a rule's page is named as the rule, in words with hyphens. */
#define RULE(id, rule, page, text)                                                                 \
	[XB_RULE_##id] = { .name = rule,                                                           \
			   .description = (text),                                                  \
			   .url = "https://docs.docker.com/go/dockerfile/rule/" page "/" }

static const struct xb_rule rules[XB_RULE_COUNT] = {
	RULE(STAGE_NAME_CASING, "StageNameCasing", "stage-name-casing",
	     "Stage names should be lowercase"),
	RULE(FROM_AS_CASING, "FromAsCasing", "from-as-casing",
	     "The 'as' keyword should match the case of the 'from' keyword"),
	RULE(NO_EMPTY_CONTINUATION, "NoEmptyContinuation", "no-empty-continuation",
	     "Empty continuation lines will become errors in a future release"),
	RULE(CONSISTENT_INSTRUCTION_CASING, "ConsistentInstructionCasing", "consistent-instruction-casing",
	     "All commands within the Dockerfile should use the same casing (either upper or "
	     "lower)"),
	RULE(DUPLICATE_STAGE_NAME, "DuplicateStageName", "duplicate-stage-name",
	     "Stage names should be unique"),
	RULE(RESERVED_STAGE_NAME, "ReservedStageName", "reserved-stage-name",
	     "Reserved words should not be used as stage names"),
	RULE(JSON_ARGS_RECOMMENDED, "JSONArgsRecommended", "json-args-recommended",
	     "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior "
	     "related to OS signals"),
	RULE(MAINTAINER_DEPRECATED, "MaintainerDeprecated", "maintainer-deprecated",
	     "The MAINTAINER instruction is deprecated, use a label instead to define an image "
	     "author"),
	RULE(UNDEFINED_ARG_IN_FROM, "UndefinedArgInFrom", "undefined-arg-in-from",
	     "FROM command must use declared ARGs"),
	RULE(WORKDIR_RELATIVE_PATH, "WorkdirRelativePath", "workdir-relative-path",
	     "Relative workdir without an absolute workdir declared within the build can have "
	     "unexpected results if the base image changes"),
	RULE(UNDEFINED_VAR, "UndefinedVar", "undefined-var",
	     "Variables should be defined before their use"),
	RULE(MULTIPLE_INSTRUCTIONS_DISALLOWED, "MultipleInstructionsDisallowed", "multiple-instructions-disallowed",
	     "Multiple instructions of the same type should not be used in the same stage"),
	RULE(LEGACY_KEY_VALUE_FORMAT, "LegacyKeyValueFormat", "legacy-key-value-format",
	     "Legacy key/value format with whitespace separator should not be used"),
	RULE(REDUNDANT_TARGET_PLATFORM, "RedundantTargetPlatform", "redundant-target-platform",
	     "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is "
	     "the default behavior"),
	RULE(SECRETS_USED_IN_ARG_OR_ENV, "SecretsUsedInArgOrEnv", "secrets-used-in-arg-or-env",
	     "Sensitive data should not be used in the ARG or ENV commands"),
	RULE(INVALID_DEFAULT_ARG_IN_FROM, "InvalidDefaultArgInFrom", "invalid-default-arg-in-from",
	     "Default value for global ARG results in an empty or invalid base image name"),
	RULE(FROM_PLATFORM_FLAG_CONST_DISALLOWED, "FromPlatformFlagConstDisallowed", "from-platform-flag-const-disallowed",
	     "FROM --platform flag should not use a constant value"),
	RULE(COPY_IGNORED_FILE, "CopyIgnoredFile", "copy-ignored-file",
	     "Attempting to Copy file that is excluded by .dockerignore"),
	RULE(EXPOSE_PROTO_CASING, "ExposeProtoCasing", "expose-proto-casing",
	     "Protocol in EXPOSE instruction should be lowercase"),
	RULE(EXPOSE_INVALID_FORMAT, "ExposeInvalidFormat", "expose-invalid-format",
	     "IP address and host-port mapping should not be used in EXPOSE instruction. This "
	     "will become an error in a future release"),
	/* There is no page for it. */
	[XB_RULE_INVALID_BASE_IMAGE_PLATFORM] = {
		.name = "InvalidBaseImagePlatform",
		.description = "Base image platform does not match expected target platform",
	},
	[XB_RULE_INVALID_DEFINITION_DESCRIPTION] = {
		.name = "InvalidDefinitionDescription",
		.description = "Comment for build stage or argument should follow the format: "
			       "`# <arg/stage name> <description>`. If this is not intended to be "
			       "a description comment, add an empty line or comment between the "
			       "instruction and the comment.",
		.url = "https://docs.docker.com/go/dockerfile/rule/invalid-definition-description/",
		.experimental = true,
	},
};

const struct xb_rule *xb_rule(enum xb_rule_id id)
{
	return &rules[id];
}

bool xb_rule_find(struct xb_view name, enum xb_rule_id *ret)
{
	for (unsigned id = 0; id < XB_RULE_COUNT; id++) {
		if (!xb_view_is(name, rules[id].name))
			continue;
		*ret = (enum xb_rule_id)id;
		return true;
	}
	return false;
}

/* Options. */

static uint64_t read_names(struct xb_view text, struct xb_strv *unknown)
{
	uint64_t set = 0;
	struct xb_view name;

	if (xb_view_is(text, "all"))
		return UINT64_MAX;
	while (xb_view_split(&text, ',', &name)) {
		enum xb_rule_id id;

		name = xb_view_trim(name);
		if (xb_rule_find(name, &id))
			set |= UINT64_C(1) << id;
		else if (unknown != NULL && name.len > 0)
			xb_strv_push_view(unknown, name);
	}
	return set;
}

/* A boolean as Go reads it. */
static int read_bool(struct xb_view text, bool *ret)
{
	static const char *const words[] = { "0", "f", "F", "false", "FALSE", "False",
					     "1", "t", "T", "true",  "TRUE",  "True" };

	for (size_t i = 0; i < XB_COUNT(words); i++) {
		if (!xb_view_is(text, words[i]))
			continue;
		*ret = i >= XB_COUNT(words) / 2;
		return 0;
	}
	return -EINVAL;
}

static int invalid(struct xb_view option, struct xb_error *err)
{
	xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_append_quoted(&shown, xb_view_sub(option, 0, 100));
	(void)xb_error_set(err, -EINVAL, "invalid check option \"%s\"", xb_str_text(&shown));
	(void)xb_error_hint(err, "write skip=all, skip=NAME,NAME, experimental=NAME or "
				 "error=true, with ';' between them");
	return xb_error_fault(err, XB_FAULT_SOURCE), -EINVAL;
}

static int read_option(struct xb_view option, struct xb_rule_set *ret, struct xb_strv *unknown,
		       struct xb_error *err)
{
	struct xb_view value = option, key;

	(void)xb_view_split(&value, '=', &key);
	if (value.data == NULL)
		return invalid(option, err);
	key = xb_view_trim(key);
	value = xb_view_trim(value);
	if (xb_view_is(key, "skip"))
		ret->skip = read_names(value, unknown);
	else if (xb_view_is(key, "experimental"))
		ret->experimental = read_names(value, unknown);
	else if (!xb_view_is(key, "error") || read_bool(value, &ret->error) < 0)
		return invalid(option, err);
	return 0;
}

int xb_rule_set_parse(struct xb_view text, struct xb_rule_set *ret, struct xb_strv *unknown,
		      struct xb_error *err)
{
	struct xb_rule_set set = { 0 };
	struct xb_view option;

	text = xb_view_trim(text);
	while (text.len > 0 && xb_view_split(&text, ';', &option)) {
		int r = read_option(option, &set, unknown, err);

		if (r < 0)
			return r;
	}
	*ret = set;
	return 0;
}

void xb_rule_set_merge(struct xb_rule_set *set, const struct xb_rule_set *more)
{
	set->skip |= more->skip;
	set->experimental |= more->experimental;
}

bool xb_rule_set_has(const struct xb_rule_set *set, enum xb_rule_id id)
{
	uint64_t bit = UINT64_C(1) << id;

	if (rules[id].experimental)
		return (set->experimental & bit) != 0;
	return (set->skip & bit) == 0;
}
