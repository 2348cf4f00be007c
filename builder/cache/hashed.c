/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/hashed.h"

#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "builder/cache/state.h"

/* What must be as it was. */
struct state {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

static bool state_of(int fd, struct state *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	memset(ret, 0, sizeof(*ret)); /* states are compared as bytes */
	ret->device = st.st_dev;
	ret->inode = st.st_ino;
	ret->size = st.st_size;
	ret->modified = st.st_mtim;
	ret->changed = st.st_ctim;
	return true;
}

void xb_blob_hashed_note(struct xb_store *store, const struct xb_digest *digest, int fd)
{
	xb_autofree struct state *state = xb_alloc(sizeof(*state));

	if (!state_of(fd, state))
		return;
	XB_STORE_LOCKED(store);
	free(xb_map_set(store->hashed, xb_view(digest->text), state));
	state = NULL;
}

bool xb_blob_hashed(struct xb_store *store, const struct xb_digest *digest, int fd)
{
	const struct state *known;
	struct state now;

	if (!state_of(fd, &now))
		return false;
	XB_STORE_LOCKED(store);
	known = xb_map_get(store->hashed, xb_view(digest->text));
	return known != NULL && memcmp(known, &now, sizeof(now)) == 0;
}

static int forget(void *context, const char *key, void *value)
{
	(void)context;
	(void)key;
	free(value);
	return 0;
}

void xb_blob_hashed_clear(struct xb_store *store)
{
	(void)xb_map_each(store->hashed, forget, NULL);
	xb_map_free(store->hashed);
	store->hashed = NULL;
}
