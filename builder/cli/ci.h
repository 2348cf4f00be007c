/* SPDX-License-Identifier: Apache-2.0 */
/** What a CI system is told of a build, and the systems that can be told. */
#ifndef XB_BUILDER_CLI_CI_H
#define XB_BUILDER_CLI_CI_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/cli/ci_legs.h"

/** Where results and archives of legs are, from the directory of a job. */
#define XB_CI_DIR "legs"
/** What a merge makes where nothing is pushed and no output is named. */
#define XB_CI_ARCHIVE "image.tar"

/** Lines of a shell that give a build its clock and the directory above. */
#define XB_CI_BEFORE_BUILD                                                                         \
	"SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)\n"                                           \
	"export SOURCE_DATE_EPOCH\n"                                                               \
	"mkdir -p " XB_CI_DIR "\n"
/** The option of builds and of the merge that says what is built, for a shell. */
#define XB_CI_REVISION "--revision \"$(git rev-parse HEAD)\""

/** What is written down; all borrowed. */
struct xb_ci {
	const struct xb_ci_legs *legs;
	const struct xb_ci_runners *runners;
	const char *platforms; /**< of the whole, as --platform takes them */
	const struct xb_strv
		*options; /**< words of `xbuild build`, without platforms and outputs */
	const struct xb_strv
		*access;	     /**< words that both commands have: of registries, of labels */
	const struct xb_strv *names; /**< -t */
	const struct xb_strv *outputs; /**< -o of the merge */
	const struct xb_strv *hosts;   /**< registries that are pushed to, each once */
	const char *context;
	const char *setup; /**< what makes a machine have xbuild, for a shell */
	bool push;
	bool allow_drop;
};

/** The words of `xbuild build` that one leg alone has: what it builds, and where it leaves it. */
void xb_ci_leg_words(const struct xb_ci *ci, const struct xb_ci_leg *leg, struct xb_strv *ret);
/** The words behind them, which all legs have. */
void xb_ci_common_words(const struct xb_ci *ci, struct xb_strv *ret);
/** The words of the merge, without its results. */
void xb_ci_merge_words(const struct xb_ci *ci, struct xb_strv *ret);

/** A CI system. */
struct xb_ci_system {
	const char *name;
	/** The machines that it offers: platform and labels, the first for all that is left. */
	const char *const (*runners)[2]; /**< ends with NULL */
	/** Append the whole file. */
	int (*write)(const struct xb_ci *ci, struct xb_str *out, struct xb_error *err);
};

/** GitHub Actions: a workflow. */
int xb_ci_write_github(const struct xb_ci *ci, struct xb_str *out, struct xb_error *err);
/** GitLab CI: a pipeline. */
int xb_ci_write_gitlab(const struct xb_ci *ci, struct xb_str *out, struct xb_error *err);
/** JSON, for other systems: legs and commands. */
int xb_ci_write_json(const struct xb_ci *ci, struct xb_str *out, struct xb_error *err);

#endif
