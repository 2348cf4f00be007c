/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

/* Under AddressSanitizer each allocation gets a block of its own, so that it sees the edges. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_BLOCK ((size_t)0)
#else
#define ARENA_BLOCK ((size_t)64 << 10)
#endif

struct block {
	struct block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

/* The first block is the one that is filled. */
struct xb_arena {
	struct block *blocks;
};

struct xb_arena *xb_arena_new(void)
{
	return xb_calloc(1, sizeof(struct xb_arena));
}

void xb_arena_free(struct xb_arena *arena)
{
	if (arena == NULL)
		return;
	while (arena->blocks != NULL) {
		struct block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
	free(arena);
}

static struct block *block_new(size_t size)
{
	struct block *b;

	if (size > SIZE_MAX - sizeof(*b))
		xb_die("out of memory (%zu bytes)", size);
	b = xb_calloc(1, sizeof(*b) + size);
	b->size = size;
	return b;
}

/* A large piece gets a block of its own, behind the one being filled. */
static void *alloc_large(struct xb_arena *arena, size_t size)
{
	struct block *b = block_new(size);

	b->used = size;
	if (arena->blocks == NULL) {
		arena->blocks = b;
	} else {
		b->next = arena->blocks->next;
		arena->blocks->next = b;
	}
	return b->bytes;
}

void *xb_arena_alloc(struct xb_arena *arena, size_t count, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct block *b = arena->blocks;
	size_t bytes, from;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - align)
		xb_die("out of memory (%zu times %zu bytes)", count, size);
	if (bytes == 0)
		bytes = 1; /* each piece has an address of its own */
	if (bytes > ARENA_BLOCK / 4)
		return alloc_large(arena, bytes);
	from = b != NULL ? (b->used + align - 1) & ~(align - 1) : 0;
	if (b == NULL || from > b->size || bytes > b->size - from) {
		b = block_new(ARENA_BLOCK);
		b->next = arena->blocks;
		arena->blocks = b;
		from = 0;
	}
	b->used = from + bytes;
	return b->bytes + from;
}

/* Text needs no alignment: it takes what is left behind the last piece. */
static char *alloc_text(struct xb_arena *arena, size_t size)
{
	struct block *b = arena->blocks;

	if (b == NULL || size > ARENA_BLOCK / 4 || size > b->size - b->used)
		return xb_arena_alloc(arena, size, 1);
	b->used += size;
	return (char *)b->bytes + b->used - size;
}

char *xb_arena_dup(struct xb_arena *arena, struct xb_view view)
{
	char *copy = alloc_text(arena, view.len + 1);

	if (view.len > 0)
		memcpy(copy, view.data, view.len);
	return copy;
}

char *xb_arena_format(struct xb_arena *arena, const char *format, ...)
{
	xb_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = xb_vformat(format, args);
	va_end(args);
	return xb_arena_dup(arena, xb_view(text));
}
