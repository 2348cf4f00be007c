/* SPDX-License-Identifier: Apache-2.0 */
/** A Dockerfile's tree as text, for tests and `xbuild dump dockerfile`. */
#ifndef XB_BUILDER_DOCKERFILE_DUMP_H
#define XB_BUILDER_DOCKERFILE_DUMP_H

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "builder/dockerfile/ast.h"

/**
 * Append a line an instruction: (name ["--flag=value"] "word" ...), strings quoted as Go's %q does,
 * ENV and LABEL as name, value and separator. This is the form that other builders' tests use.
 */
void xb_dockerfile_dump(const struct xb_dockerfile *dockerfile, struct xb_str *out);

/**
 * Write the tree as JSON, an instruction a line: directives, instructions with their places,
 * stages. `write` gets the text piece by piece, so that memory does not grow with the file, and
 * ends it by a negative value, which is returned then; 0 when all is written.
 */
int xb_dockerfile_write_json(const struct xb_dockerfile *dockerfile,
			     int (*write)(void *context, struct xb_view text), void *context);

#endif
