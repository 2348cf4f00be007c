/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What a step may use of the machine, as docker's `--resource` says it, and what that is in a
 * control group. Pure: cgroup.h carries it out.
 */
#ifndef XB_BUILDER_SANDBOX_RESOURCES_H
#define XB_BUILDER_SANDBOX_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/error.h"

/** Limits of one step. Zero or NULL: not limited. Strings are owned. */
struct xb_resources {
	uint64_t memory;      /**< bytes */
	uint64_t memory_swap; /**< memory and swap together, bytes; UINT64_MAX: any swap */
	uint64_t cpu_shares;  /**< weight, 1024 being everybody's */
	uint64_t cpu_period;  /**< microseconds */
	uint64_t cpu_quota;   /**< microseconds of each period, of all processors together */
	uint64_t pids;	      /**< processes and threads */
	char *cpuset_cpus;    /**< "0-3,7" */
	char *cpuset_mems;
};

/** Release what it holds; it is then zeroed. */
void xb_resources_clear(struct xb_resources *resources);

/** Whether anything is limited. */
bool xb_resources_any(const struct xb_resources *resources);

/**
 * Read one "KEY=VALUE" of --resource; the last of a key counts. Keys: memory, memory-swap (-1: any
 * swap), cpu-shares, cpu-period, cpu-quota, cpuset-cpus, cpuset-mems, as buildx has them, and
 * xbuild's own pids. Errors: -EINVAL, fault usage.
 */
int xb_resources_parse(const char *text, struct xb_resources *resources, struct xb_error *err);

/** Check what no single option tells: memory-swap needs memory and is no less. Fault usage. */
int xb_resources_check(const struct xb_resources *resources, struct xb_error *err);

/** The kernel's controllers that limits need. */
enum xb_controller {
	XB_CONTROLLER_CPU,
	XB_CONTROLLER_CPUSET,
	XB_CONTROLLER_MEMORY,
	XB_CONTROLLER_PIDS,
	XB_CONTROLLER_COUNT
};

/** A controller's name, as in cgroup.controllers and in the options of cgroup v1. */
const char *xb_controller_name(enum xb_controller controller);

/** A file of a control group and what to write into it; `file` is a constant. */
struct xb_cgroup_setting {
	const char *file;
	char *value;
};
struct xb_cgroup_settings XB_ARRAY(struct xb_cgroup_setting);

/** Release the values. */
void xb_cgroup_settings_clear(struct xb_cgroup_settings *settings);

/** Whether `resources` need this controller. */
bool xb_resources_need(const struct xb_resources *resources, enum xb_controller controller);

/**
 * Append what is to be written for one controller, in order, in cgroup v2's files or v1's. CPU
 * shares become v2's weight in proportion: 1024 of them are the weight 100, which both have by
 * default. v2 counts swap alone: what memory-swap leaves beside memory.
 */
void xb_resources_settings(const struct xb_resources *resources, enum xb_controller controller,
			   bool v2, struct xb_cgroup_settings *ret);

#endif
