/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image archives of others. The first byte says what the rest is read as (bit 1: Docker's archive)
 * and with its lowest bit that headers get the checksum that they need. Whatever is in it, what a
 * place hands out has the digest and the size that it says.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/layer/image_archive.h"
#include "manifest/image.h"
#include "manifest/manifest.h"
#include "tests/fuzz/mend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_BLOB ((size_t)1 << 20)

/* A failure has a sentence. */
static int judged(int r, struct xb_error *err)
{
	if (r < 0 && err->message == NULL)
		abort();
	xb_error_clear(err);
	return r;
}

static void read_blob(struct xb_place *place, const struct xb_descriptor *blob)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_STR_OWN);
	struct xb_error err = XB_ERROR_INIT;
	xb_auto_hasher struct xb_hasher *hasher = NULL;
	struct xb_digest digest;

	if (judged(place->ops->read(place, blob, MAX_BLOB, &bytes, &err), &err) < 0)
		return;
	hasher = xb_hasher_new_like(&blob->digest);
	xb_hasher_add(hasher, bytes.data, bytes.len);
	digest = xb_hasher_finish(hasher);
	if (bytes.len != blob->size || !xb_digest_eq(&digest, &blob->digest))
		abort();
}

/* All that a name means. */
static void read_image(struct xb_place *place, const char *name)
{
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	struct xb_error err = XB_ERROR_INIT;

	if (judged(place->ops->resolve(place, name, &root, &err), &err) < 0)
		return;
	read_blob(place, &root);
	if (judged(xb_image_blobs(place, &root, &blobs, &err), &err) < 0)
		return;
	for (size_t i = 0; i < blobs.len; i++)
		read_blob(place, &blobs.items[i]);
}

static void read_archive(struct xb_archive *archive)
{
	const struct xb_index *index = xb_archive_index(archive);
	struct xb_place *place = xb_archive_place(archive);

	read_image(place, NULL);
	for (size_t i = 0; i < index->manifests.len && i < 8; i++)
		read_image(place, index->manifests.items[i].digest.text);
}

static int open_it(int fd, bool docker, struct xb_archive **ret, struct xb_error *err)
{
	char path[32];

	if (!docker)
		return xb_archive_open_fd(dup(fd), "it", ret, err);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return xb_archive_open_docker(path, NULL, ret, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xb_auto_archive struct xb_archive *archive = NULL;
	xb_auto_fd int fd = xb_memfd_new("archive", NULL);
	struct xb_error err = XB_ERROR_INIT;
	xb_autofree uint8_t *copy = malloc(size + 1);

	if (size == 0 || fd < 0 || copy == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if ((data[0] & 1) != 0)
		mend(copy, size - 1);
	if (xb_write_all(fd, copy, size - 1, NULL) == 0 &&
	    judged(open_it(fd, (data[0] & 2) != 0, &archive, &err), &err) == 0)
		read_archive(archive);
	return 0;
}
