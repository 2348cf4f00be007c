/* SPDX-License-Identifier: Apache-2.0 */
/** What the modules of an image's audit share; for builder/image/audit.c and probe.c. */
#ifndef XB_BUILDER_IMAGE_AUDIT_RULES_H
#define XB_BUILDER_IMAGE_AUDIT_RULES_H

#include "builder/image/allow.h"
#include "builder/image/findings.h"
#include "builder/image/libraries.h"
#include "manifest/config.h"
#include "platforms/platform.h"

/** The rules, in the order of xb_image_audit_rule_at(). */
enum xb_image_rule {
	XB_RULE_INTERPRETER_MISSING,
	XB_RULE_LIBRARY_MISSING,
	XB_RULE_LIBRARY_MACHINE,
	XB_RULE_VERSION_MISSING,
	XB_RULE_SCRIPT_INTERPRETER,
	XB_RULE_SCRIPT_LINE,
	XB_RULE_COMMAND_MISSING,
	XB_RULE_COMMAND_ACCESS,
	XB_RULE_COMMAND_MACHINE,
	XB_RULE_USER_UNKNOWN
};

/** An audit on its way. */
struct xb_image_auditing {
	const struct xb_image_tree *tree;
	const struct xb_platform *platform;
	const struct xb_image_config *config;
	const struct xb_audit_allow *allow;
	struct xb_libraries libraries;
	struct xb_image_findings *findings;
};

/**
 * Add a finding of `node` (NULL: of the config). A grade that is larger than the rule's is the
 * rule's.
 */
void xb_image_audit_say(const struct xb_image_auditing *a, enum xb_image_rule rule,
			enum xb_audit_grade grade, const struct xb_image_node *node,
			const char *format, ...) __attribute__((format(printf, 5, 6)));

/** A variable of the config's environment, or NULL. */
const char *xb_image_audit_env(const struct xb_image_config *config, const char *name);

/** Find a command as execvp() does, with the config's PATH and working directory: 0 or -ENOENT. */
int xb_image_audit_command(const struct xb_image_auditing *a, const char *name,
			   const struct xb_image_node **ret);

/** Look at what the image is to start: ENTRYPOINT or CMD, HEALTHCHECK, and USER. */
void xb_image_audit_probe(const struct xb_image_auditing *a);

#endif
