/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/context.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "builder/context/locate.h"
#include "builder/context/rules.h"
#include "builder/dockerfile/limits.h"

/* Read the rules beside the Dockerfile. Returns 1 when there are any, 0 when there is no file. */
static int load_beside(struct xb_context *context, const char *dockerfile, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_DOCKERFILE);
	xb_autofree char *path = xb_format("%s.dockerignore", dockerfile);
	xb_auto_error struct xb_error inner = XB_ERROR_INIT;
	int r = xb_file_read(path, &text, &inner);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0 && err != NULL)
		xb_error_move(err, &inner);
	if (r >= 0)
		r = xb_ignore_parse(xb_str_view(&text), path, &context->ignore, err);
	return r < 0 ? r : 1;
}

/* Likewise the rules in the file `name` of the context. */
static int load_inside(struct xb_context *context, const char *name, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_DOCKERFILE);
	xb_auto_error struct xb_error inner = XB_ERROR_INIT;
	int r = xb_context_read(context, name, &text, &inner);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		if (err != NULL)
			xb_error_move(err, &inner);
		return r;
	}
	r = xb_ignore_parse(xb_str_view(&text), name, &context->ignore, err);
	return r < 0 ? r : 1;
}

int xb_context_open(const char *dir, const char *dockerfile, struct xb_context **ret,
		    struct xb_error *err)
{
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0) {
		int r = xb_error_errno(err, -errno, "opening the build context %s", dir);

		(void)xb_error_fault(err, XB_FAULT_SOURCE);
		return r;
	}
	return xb_context_open_tree(dirfd, dir, dockerfile, NULL, ret, err);
}

int xb_context_open_tree(int dirfd, const char *shown, const char *host, const char *inside,
			 struct xb_context **ret, struct xb_error *err)
{
	xb_auto_context struct xb_context *context = xb_calloc(1, sizeof(*context));
	int r = 0;

	context->dirfd = dirfd;
	if (host != NULL)
		r = load_beside(context, host, err);
	if (r == 0 && inside != NULL) {
		xb_autofree char *name = xb_format("%s.dockerignore", inside);

		r = load_inside(context, name, err);
	}
	if (r == 0)
		r = load_inside(context, ".dockerignore", err);
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_SOURCE);
		return xb_error_wrap(err, r, "reading the ignore rules of %s", shown);
	}
	*ret = XB_STEAL(context);
	return 0;
}

void xb_context_free(struct xb_context *context)
{
	if (context == NULL)
		return;
	xb_cleanup_fd(&context->dirfd);
	xb_ignore_free(context->ignore);
	xb_context_memory_free(context->memory);
	free(context);
}

void xb_context_remember(struct xb_context *context, int dirfd)
{
	xb_context_memory_free(context->memory);
	context->memory = xb_context_memory_open(dirfd, context->dirfd);
}

int xb_context_save(struct xb_context *context, struct xb_error *err)
{
	return context != NULL ? xb_context_memory_save(context->memory, err) : 0;
}

const struct xb_ignore *xb_context_ignore(const struct xb_context *context)
{
	return context->ignore;
}

int xb_context_dirfd(const struct xb_context *context)
{
	return context->dirfd;
}

int xb_context_read(const struct xb_context *context, const char *path, struct xb_str *text,
		    struct xb_error *err)
{
	xb_auto_located struct xb_located found = XB_LOCATED_INIT;
	int r = xb_locate(context->dirfd, NULL, path, true, &found, err);

	if (r < 0)
		return r;
	r = xb_file_read_at(found.parent, found.name, text, err);
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return r < 0 ? xb_error_wrap(err, r, "reading %s", path) : 0;
}

int xb_context_resolve(int rootfd, const struct xb_context *context, const char *path, bool follow,
		       struct xb_str *ret, struct xb_error *err)
{
	xb_auto_located struct xb_located found = XB_LOCATED_INIT;
	int r = xb_locate(rootfd, context, path, follow, &found, err);

	return r < 0 ? r : xb_str_append_view(ret, xb_str_view(&found.path));
}
