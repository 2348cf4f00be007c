/* SPDX-License-Identifier: Apache-2.0 */
/** What RUN --device asks for. */
#ifndef XB_BUILDER_DOCKERFILE_DEVICE_H
#define XB_BUILDER_DOCKERFILE_DEVICE_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

/** A device by its name in the Container Device Interface; the string is owned. */
struct xb_device_request {
	char *name;
	bool required; /**< without it the command cannot run */
};

/**
 * Read "NAME[,required]", also as "name=NAME,required=true". Errors: -EINVAL, fault source, without
 * a place: give it one with xb_location_wrap().
 */
int xb_device_parse(const char *text, struct xb_device_request *ret, struct xb_error *err);

/** Release. */
void xb_device_clear(struct xb_device_request *device);

#define xb_auto_device XB_CLEANUP(xb_device_clear)

#endif
