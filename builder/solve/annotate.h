/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The annotations of --annotation: which of a build's documents get them.
 *
 * One is written "[TYPE[,TYPE...]:]NAME=VALUE". A TYPE is `manifest` (the one meant without),
 * `manifest-descriptor`, `index` or `index-descriptor`, and may have a platform in brackets:
 * "manifest[linux/arm64]:NAME=VALUE". Source: buildx, util/buildflags/export.go,
 * ParseAnnotations(); BuildKit, exporter/containerimage/annotations.go.
 */
#ifndef XB_BUILDER_SOLVE_ANNOTATE_H
#define XB_BUILDER_SOLVE_ANNOTATE_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "manifest/annotations.h"
#include "platforms/platform.h"

/** The documents and descriptors that annotations stand in. */
enum xb_annotate_level {
	XB_ANNOTATE_MANIFEST,
	XB_ANNOTATE_MANIFEST_DESCRIPTOR, /**< where an index lists the manifest */
	XB_ANNOTATE_INDEX,
	XB_ANNOTATE_INDEX_DESCRIPTOR /**< where a layout's index.json lists the index */
};

/** One annotation at one level; strings owned. */
struct xb_annotate_rule {
	enum xb_annotate_level level;
	bool has_platform;
	struct xb_platform platform; /**< with has_platform */
	char *name;
	char *value;
};

/** All of a build; starts as `{ 0 }`. */
struct xb_annotate XB_ARRAY(struct xb_annotate_rule);

/** Release. */
void xb_annotate_clear(struct xb_annotate *annotate);
#define xb_auto_annotate XB_CLEANUP(xb_annotate_clear)

/** Add what one --annotation says; "" says nothing. Errors: -EINVAL, fault usage. */
int xb_annotate_parse(const char *text, struct xb_annotate *annotate, struct xb_error *err);

/**
 * Add what a key of -o says: "annotation[-TYPE][[PLATFORM]].NAME", TYPE as above. -ENOENT: the key
 * is none of these. -EINVAL: a TYPE or PLATFORM that is none, or no NAME. Source: BuildKit,
 * exporter/containerimage/exptypes/annotations.go, ParseAnnotationKey().
 */
int xb_annotate_parse_key(struct xb_view key, struct xb_view value, struct xb_annotate *annotate);

/** Add all of another's, which win over those of the same name that are there. */
void xb_annotate_append(struct xb_annotate *annotate, const struct xb_annotate *more);

/**
 * Check that each has its document: for one image without an index there is none (-EINVAL), and a
 * platform in brackets is one of the build's (-EINVAL). Fault usage.
 */
int xb_annotate_check(const struct xb_annotate *annotate, const struct xb_platform *platforms,
		      size_t count, bool index, struct xb_error *err);

/**
 * Set in `ret` those of a level that hold for `platform` (NULL: that are for none in particular);
 * one for the platform wins over one for all. Those of an index hold whatever their platform is.
 */
void xb_annotate_get(const struct xb_annotate *annotate, enum xb_annotate_level level,
		     const struct xb_platform *platform, struct xb_annotations *ret);

#endif
