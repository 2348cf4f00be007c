/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/output_blob.h"

#include <errno.h>
#include <sys/stat.h>

#include "builder/cache/hashed.h"
#include "builder/context/memory.h"

static int damaged(const struct xb_digest *digest, struct xb_error *err)
{
	(void)xb_error_set(err, -EBADMSG, "the blob %s of the store is not what it was",
			   digest->text);
	(void)xb_error_hint(err, "`xbuild cache check --repair` removes what is damaged; then "
				 "build again");
	return xb_error_fault(err, XB_FAULT_STORE);
}

static int check(struct xb_context_memory *memory, int fd, const struct xb_digest *digest,
		 struct xb_error *err)
{
	struct xb_digest found = { 0 };
	struct stat before, after;
	int r;

	if (fstat(fd, &before) < 0)
		return xb_error_errno(err, -errno, "reading the blob %s", digest->text);
	if (xb_context_memory_find(memory, NULL, &before, &found) && xb_digest_eq(&found, digest))
		return 0;
	r = xb_digest_of_file(fd, digest, &found);
	if (r < 0)
		return xb_error_errno(err, r, "reading the blob %s", digest->text);
	if (!xb_digest_eq(&found, digest))
		return damaged(digest, err);
	if (xb_view_is(xb_digest_algorithm(digest), "sha256") && fstat(fd, &after) == 0)
		xb_context_memory_add(memory, &before, &after, digest);
	return 0;
}

int xb_output_open_blob(const struct xb_output_source *source, const struct xb_layout *store,
			const struct xb_digest *digest, uint64_t size, int *ret_fd,
			struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	int r = xb_layout_blob_open(store, digest, size, &fd, err);

	if (r == 0 && !xb_blob_hashed(source->store, digest, fd))
		r = check(source->blobs, fd, digest, err);
	if (r == 0)
		*ret_fd = XB_STEAL_FD(fd);
	return r;
}
