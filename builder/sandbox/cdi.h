/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The machine's devices for containers, as the Container Device Interface describes them: files in
 * /etc/cdi, /run/cdi and /etc/buildkit/cdi, each for one kind ("vendor.com/class"), each device
 * with what a container needs to use it.
 *
 * Read here are the files in JSON. What they say is the administrator's word, and is trusted as far
 * as it goes: environment, device nodes, mounts and supplementary groups. Hooks, which would be
 * programs run outside of the step, are not run.
 * Source: CDI specification 1.0; BuildKit docs/cdi.md for the annotations.
 */
#ifndef XB_BUILDER_SANDBOX_CDI_H
#define XB_BUILDER_SANDBOX_CDI_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/sandbox/spec.h"

/** Bytes that one file may have. */
#define XB_MAX_CDI ((size_t)4 << 20)

/** What is described. Never changes once loaded. */
struct xb_cdi;

/**
 * Read all descriptions. `directories` NULL: the three above; the later win where two have one name
 * for a device. A directory that is missing is empty.
 * Errors: those of reading; -EBADMSG for a file that is no description, with its name.
 */
int xb_cdi_load(const struct xb_strv *directories, struct xb_cdi **ret, struct xb_error *err);

/** Release; NULL is left alone. */
void xb_cdi_free(struct xb_cdi *cdi);

/**
 * The full names ("vendor.com/class=device") that a name stands for, appended in the order of the
 * names: a full name, a kind (its first device), "kind=*" (all), or a class that devices are
 * annotated with. None: nothing is appended.
 */
void xb_cdi_find(const struct xb_cdi *cdi, const char *name, struct xb_strv *ret);

/** Whether the description of a device says that every build may use it. */
bool xb_cdi_is_open(const struct xb_cdi *cdi, const char *device);

/** Whether there are descriptions in YAML, which are not read. */
bool xb_cdi_has_yaml(const struct xb_cdi *cdi);

/**
 * Put into `spec` what a device needs, by its full name. `warnings` gets a line for what it asks
 * for and does not get. Errors: -ENODEV when it is gone, -EBADMSG with the file.
 */
int xb_cdi_apply(const struct xb_cdi *cdi, const char *device, struct xb_sandbox_spec *spec,
		 struct xb_strv *warnings, struct xb_error *err);

#endif
