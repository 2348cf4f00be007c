/* SPDX-License-Identifier: Apache-2.0 */
/** What commands open that look at images, wherever they are. */
#ifndef XB_BUILDER_CLI_VISIT_H
#define XB_BUILDER_CLI_VISIT_H

#include "base/error.h"
#include "builder/cli/command.h"
#include "builder/cli/image.h"
#include "builder/cli/registries.h"
#include "manifest/descriptor.h"

/** A store and registries; starts as `{ 0 }`. */
struct xb_visit {
	struct xb_registries registries;
	struct xb_store *store;
};

/** Open them; `root` NULL is the default store. `flags` is borrowed. */
int xb_visit_begin(const struct xb_invocation *invocation, const char *root,
		   const struct xb_registry_flags *flags, struct xb_visit *ret,
		   struct xb_error *err);
/** Release. */
void xb_visit_end(struct xb_visit *visit);

/** Open an image by its name, and find what the name means. `ret` must not move. */
int xb_visit_image(struct xb_visit *visit, const char *name, struct xb_named_image *ret,
		   struct xb_descriptor *ret_root, struct xb_error *err);

#endif
