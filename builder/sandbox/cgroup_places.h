/* SPDX-License-Identifier: Apache-2.0 */
/** Where the kernel's control group hierarchies are mounted, and where in them this process is. */
#ifndef XB_BUILDER_SANDBOX_CGROUP_PLACES_H
#define XB_BUILDER_SANDBOX_CGROUP_PLACES_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/str.h"

/** What the kernel says of this process's groups; for tests in place of the machine's own. */
struct xb_cgroup_places {
	struct xb_view mounts; /**< /proc/self/mountinfo */
	struct xb_view own;    /**< /proc/self/cgroup */
};

/** A mounted hierarchy; the strings are owned. */
struct xb_cgroup_mount {
	bool v2;
	char *path; /**< the mount point */
	char *own;  /**< this process's group as a directory below it; the mount point itself where
			 that is not to be seen through the mount */
};

/** Release. */
void xb_cgroup_mount_clear(struct xb_cgroup_mount *mount);
#define xb_auto_cgroup_mount XB_CLEANUP(xb_cgroup_mount_clear)

/** Find the hierarchy of v1 that has `controller`. False: none is mounted. */
bool xb_cgroup_find_v1(const struct xb_cgroup_places *places, const char *controller,
		       struct xb_cgroup_mount *ret);

/** Find the hierarchy of v2. False: it is not mounted. */
bool xb_cgroup_find_v2(const struct xb_cgroup_places *places, struct xb_cgroup_mount *ret);

/** Whether a list of words, as in cgroup.controllers, has this one. */
bool xb_cgroup_has_word(struct xb_view words, const char *word);

#endif
