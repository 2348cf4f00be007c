/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Control groups for steps: one for each step, made by the builder below a group that it may write
 * to, entered by the step's program before it is executed, and gone with the step.
 *
 * Both versions of the kernel's interface are used, each controller where it is: in the one
 * hierarchy of v2, or in its hierarchy of v1. A step's group is called xbuild-PID-N; its directory
 * is locked (flock) while its builder lives, so that whoever comes next can tell what a killed one
 * has left, and removes it.
 *
 * Threads: a `struct xb_cgroups` may be used by several; a `struct xb_cgroup` belongs to one.
 */
#ifndef XB_BUILDER_SANDBOX_CGROUP_H
#define XB_BUILDER_SANDBOX_CGROUP_H

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/sandbox/cgroup_places.h"
#include "builder/sandbox/resources.h"

/** Where the groups of a build's steps are made. */
struct xb_cgroups;

/** One step's group. */
struct xb_cgroup;

/** What a group's limits did to the step. */
struct xb_cgroup_events {
	uint64_t oom_kills; /**< processes killed because its memory was used up */
	uint64_t refused;   /**< processes not started because there were too many */
};

/**
 * Find where steps can have groups with these limits, and try it with one. `parent` (NULL: none) is
 * the path of a group below the hierarchies' roots, made when missing; without it groups are made
 * below this process's own where that can be: in v2, the process moves into a group of its own for
 * that if it is alone in its group. Else below the root, for those who may.
 * `resources` is borrowed and must outlive `*ret`. `places` NULL: the machine's.
 * Errors: fault platform with a hint when there is no group to be had or no controller for a limit;
 * fault usage for a value that the kernel does not take.
 */
int xb_cgroups_open(const struct xb_cgroup_places *places, const struct xb_resources *resources,
		    const char *parent, struct xb_cgroups **ret, struct xb_error *err);

/** Release, and remove the groups that opening has made; NULL is left alone. */
void xb_cgroups_free(struct xb_cgroups *cgroups);

XB_DEFINE_CLEANUP(xb_cgroups_cleanup, struct xb_cgroups, xb_cgroups_free)
#define xb_auto_cgroups XB_CLEANUP(xb_cgroups_cleanup)

/** Make a step's group. Errors as for xb_cgroups_open(). */
int xb_cgroup_new(struct xb_cgroups *cgroups, struct xb_cgroup **ret, struct xb_error *err);

/** Append the absolute paths of the group's directories, one in each hierarchy. */
void xb_cgroup_paths(const struct xb_cgroup *cgroup, struct xb_strv *ret);

/** What has happened in the group so far; zeroes where the kernel does not tell. */
struct xb_cgroup_events xb_cgroup_events(const struct xb_cgroup *cgroup);

/** Kill what is left in the group, remove it and release the object; NULL is left alone. */
void xb_cgroup_free(struct xb_cgroup *cgroup);

XB_DEFINE_CLEANUP(xb_cgroup_cleanup, struct xb_cgroup, xb_cgroup_free)
#define xb_auto_cgroup XB_CLEANUP(xb_cgroup_cleanup)

#endif
