/* SPDX-License-Identifier: Apache-2.0 */
/** A build's context and its Dockerfile, wherever they are. */
#ifndef XB_BUILDER_CLI_CONTEXT_H
#define XB_BUILDER_CLI_CONTEXT_H

#include "base/array.h"
#include "base/error.h"
#include "base/str.h"
#include "builder/cache/store.h"
#include "builder/context/context.h"
#include "builder/dockerfile/limits.h"
#include "builder/fetch/fetch.h"

/** What the command line says; all borrowed. */
struct xb_context_request {
	const char *operand;		  /**< the context */
	const char *file;		  /**< -f, or NULL */
	const struct xb_strv *build_args; /**< "NAME=value" */
	struct xb_store *store; /**< where things are fetched to; NULL unless something is remote */
	const struct xb_fetch_options *fetch; /**< how */
};

/** What it comes to; start from XB_OPENED_INIT. */
struct xb_opened {
	struct xb_context *context;
	struct xb_str text; /**< the Dockerfile's */
	char *name;	    /**< what the Dockerfile is called in messages */
	int64_t time; /**< of a context from elsewhere in seconds since 1970; -1: it has none */
};
#define XB_OPENED_INIT ((struct xb_opened){ .text = XB_STR_INIT(XB_MAX_DOCKERFILE), .time = -1 })

/** Release. */
void xb_opened_clear(struct xb_opened *opened);
#define xb_auto_opened XB_CLEANUP(xb_opened_clear)

/** Whether context or Dockerfile are elsewhere or on standard input, so that a store is needed. */
bool xb_context_is_remote(const char *operand, const char *file);

/**
 * Open the context that the command line names, and read the Dockerfile:
 *
 *	PATH          a directory; its Dockerfile, or that of -f (a host path, "-", a URL)
 *	URL           an archive, or a Dockerfile, which is then the context's only file, "context"
 *	URL of git    the repository or its subdirectory
 *	-             standard input: an archive, or a Dockerfile, whose context is empty
 *
 * In what is not a directory -f is a path inside it; an absolute one is a host path. The rules of
 * .dockerignore hold in each of them.
 * Errors: fault usage, fault source, those of fetching.
 */
int xb_context_find(const struct xb_context_request *request, struct xb_opened *ret,
		    struct xb_error *err);

#endif
