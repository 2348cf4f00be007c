/* SPDX-License-Identifier: Apache-2.0 */
/** What the tools of `xbuild manifest` share; for builder/cli/cmd_manifest.c and manifest_*.c. */
#ifndef XB_BUILDER_CLI_MANIFEST_TOOL_H
#define XB_BUILDER_CLI_MANIFEST_TOOL_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/cache/store.h"
#include "builder/cli/image.h"
#include "builder/cli/registries.h"
#include "builder/cli/stop.h"
#include "manifest/publish.h"

/** All options of all tools; each tool's table fills in its own. */
struct xb_manifest_options {
	const char *root;
	struct xb_registry_flags registries;
	struct xb_strv platforms;   /**< of copy, each may hold several with commas; none: all */
	struct xb_strv annotations; /**< --annotation */
	const char *os, *arch, *variant, *os_version;
	struct xb_strv os_features;
	const char *format;
	bool raw;
	bool no_index_labels;
	bool all;
	bool allow_drop;
	bool dry_run;
	bool help;
};

/** A tool on its way. */
struct xb_manifest_tool {
	struct xb_manifest_options options;
	struct xb_strv operands;
	struct xb_registries registries;
	struct xb_store *store;
	struct xb_stop *stop;
};

/** Open an image that a command line names; `ret` must not move. Errors: as xb_named_image_open().
 */
int xb_manifest_tool_open(struct xb_manifest_tool *tool, const char *name, enum xb_named_use use,
			  struct xb_named_image *ret, struct xb_error *err);
/**
 * Publish `root` of `from` as `to`, or with --dry-run tell what that would do, and print what
 * became of the tag to standard error, the digest to standard output. `how`: what may be besides
 * the options.
 */
int xb_manifest_tool_publish(const struct xb_manifest_tool *tool, struct xb_named_image *to,
			     struct xb_place *from, const struct xb_descriptor *root,
			     const struct xb_publish_options *how, struct xb_error *err);
/** Print lines that tell what happened besides to standard error. */
void xb_manifest_tool_notes(const struct xb_strv *notes);

/** The tools that make indexes of others; operands and options are those of their usage. */
int xb_manifest_tool_create(struct xb_manifest_tool *tool, struct xb_error *err);
/** Likewise: add members, or put them in the place of those for the same platform. */
int xb_manifest_tool_add(struct xb_manifest_tool *tool, struct xb_error *err);
/** Likewise: remove members. */
int xb_manifest_tool_rm(struct xb_manifest_tool *tool, struct xb_error *err);
/** Likewise: platforms and annotations. */
int xb_manifest_tool_annotate(struct xb_manifest_tool *tool, struct xb_error *err);
/** Copy an image or an index, or some platforms of one; without a target to where its name says. */
int xb_manifest_tool_copy(struct xb_manifest_tool *tool, struct xb_error *err);
/** Show an image. */
int xb_manifest_tool_inspect(struct xb_manifest_tool *tool, struct xb_error *err);

#endif
