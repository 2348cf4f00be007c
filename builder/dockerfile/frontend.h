/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Which Dockerfile frontend a text asks for: xbuild has that of docker/dockerfile version 1 built
 * in and runs no other.
 *
 * A text asks with its `syntax` directive: "# syntax=NAME ARGUMENTS..." among the first lines, the
 * same behind "//", or the member "syntax" of a text that is a JSON object; a byte order mark and a
 * first line "#!..." are left out. Source: BuildKit, frontend/dockerfile/parser/directives.go,
 * DetectSyntax(), and builder/build.go.
 */
#ifndef XB_BUILDER_DOCKERFILE_FRONTEND_H
#define XB_BUILDER_DOCKERFILE_FRONTEND_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

/**
 * Whether the image `name` is a frontend that xbuild is in place of: "dockerfile.v0", or
 * docker/dockerfile or docker/dockerfile-upstream, with or without the registry's name docker.io,
 * a digest, and a tag of version 1 or that of a channel (latest, labs, master, experimental).
 */
bool xb_frontend_is_builtin(struct xb_view name);

/**
 * Refuse a text that asks for another frontend: -ENOTSUP, fault source, with its place. `override`
 * (the build argument BUILDKIT_SYNTAX; NULL or "": not given) asks in place of the text.
 */
int xb_frontend_check(struct xb_view text, const char *path, const char *override,
		      struct xb_error *err);

#endif
