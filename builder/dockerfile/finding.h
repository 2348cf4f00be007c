/* SPDX-License-Identifier: Apache-2.0 */
/** What a check is asked and what it finds; builder/dockerfile/lint.h says how it goes. */
#ifndef XB_BUILDER_DOCKERFILE_FINDING_H
#define XB_BUILDER_DOCKERFILE_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "builder/dockerfile/ast.h"
#include "builder/dockerfile/ignore.h"
#include "builder/dockerfile/rules.h"
#include "platforms/platform.h"

/** One finding. */
struct xb_finding {
	enum xb_rule_id rule;
	char *detail;	       /**< owned; a sentence about this very place */
	struct xb_location at; /**< where to point */
	uint32_t first_line;   /**< of the instruction, which findings are placed by */
	uint32_t last_line;
};

/** What is known of a base image; all borrowed, valid until the next question. */
struct xb_lint_image {
	const struct xb_strv *env;	/**< "NAME=value" */
	const struct xb_strv *on_build; /**< its triggers */
	const struct xb_platform *platform;
	bool shell; /**< it has a shell of its own choice */
};

/** What is to be known of images and names; every function may be NULL. */
struct xb_lint_world {
	void *context;
	/** Whether `name` can be that of an image; NULL: anything can. */
	bool (*is_name)(const char *name);
	/** Whether `name` is given by --build-context, hence no stage of the file. */
	bool (*is_given)(void *context, const char *name);
	/** Learn of the image `name` for `platform`; false when it is not at hand. NULL: none is.
	 */
	bool (*image)(void *context, const char *name, const struct xb_platform *platform,
		      struct xb_lint_image *ret);
};

/** What to check; all borrowed. */
struct xb_lint_request {
	const struct xb_dockerfile *dockerfile;
	struct xb_rule_set rules;
	const struct xb_strv *automatic;  /**< "NAME=value": automatic arguments; NULL: none */
	const struct xb_strv *build_args; /**< "NAME=value"; NULL: none */
	struct xb_platform platform;	  /**< that is built for */
	const char *target;		  /**< stage name or number, NULL: the last */
	bool all_stages;		  /**< also those that the target does not need */
	const struct xb_ignore *ignore;	  /**< of the context; NULL: nothing is ignored */
	struct xb_lint_world world;
};

struct xb_findings XB_ARRAY(struct xb_finding);

/** What a check found. */
struct xb_lint {
	struct xb_findings findings;
	struct xb_strv images; /**< bases that were not at hand, each once: variables that they set
				    count as not defined */
};

/** Release what a check found; it is then zeroed. */
void xb_lint_clear(struct xb_lint *lint);
#define xb_auto_lint XB_CLEANUP(xb_lint_clear)

#endif
