/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/inodes.h"

#include "base/str.h"

void xb_inodes_clear(struct xb_inodes *t)
{
	free(t->slots);
	*t = XB_INODES_INIT;
}

/* Inode numbers of one tree are near each other: spread them by a multiplication (Knuth). */
static size_t hash(dev_t device, ino_t inode)
{
	uint64_t h = ((uint64_t)inode ^ ((uint64_t)device << 40)) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(h >> 20);
}

/* The place of a file, or the free one where it would go. */
static struct xb_inode_slot *place(const struct xb_inodes *t, dev_t device, ino_t inode)
{
	size_t i = hash(device, inode) & (t->cap - 1);

	while (t->slots[i].value != 0 &&
	       (t->slots[i].device != device || t->slots[i].inode != inode))
		i = (i + 1) & (t->cap - 1);
	return &t->slots[i];
}

static void grow(struct xb_inodes *t)
{
	struct xb_inodes bigger = { .cap = t->cap == 0 ? 64 : t->cap * 2, .len = t->len };

	bigger.slots = xb_calloc(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < t->cap; i++) {
		const struct xb_inode_slot *old = &t->slots[i];

		if (old->value != 0)
			*place(&bigger, old->device, old->inode) = *old;
	}
	free(t->slots);
	*t = bigger;
}

size_t xb_inodes_get(const struct xb_inodes *t, const struct stat *st)
{
	if (t->cap == 0)
		return XB_INODES_NONE;
	return place(t, st->st_dev, st->st_ino)->value - 1;
}

void xb_inodes_set(struct xb_inodes *t, const struct stat *st, size_t value)
{
	struct xb_inode_slot *slot;

	if (t->len >= t->cap / 4 * 3)
		grow(t);
	slot = place(t, st->st_dev, st->st_ino);
	if (slot->value == 0)
		t->len++;
	*slot = (struct xb_inode_slot){ st->st_dev, st->st_ino, value + 1 };
}
