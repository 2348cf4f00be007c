/* SPDX-License-Identifier: Apache-2.0 */
/**
 * An arena: memory that is released all at once. For the syntax tree and the plan, nothing else.
 * Memory is zeroed and aligned for any type; addresses stay valid until xb_arena_free().
 */
#ifndef XB_BASE_ARENA_H
#define XB_BASE_ARENA_H

#include <stddef.h>

#include "base/cleanup.h"
#include "base/str.h"

struct xb_arena;

/** An empty arena. */
struct xb_arena *xb_arena_new(void);
/** Release the arena with all that was allocated from it; NULL is left alone. */
void xb_arena_free(struct xb_arena *arena);

XB_DEFINE_CLEANUP(xb_arena_cleanup, struct xb_arena, xb_arena_free)
#define xb_auto_arena XB_CLEANUP(xb_arena_cleanup)

/** `count` zeroed elements of `size` bytes; never NULL (the process ends when memory is gone). */
void *xb_arena_alloc(struct xb_arena *arena, size_t count, size_t size)
	__attribute__((returns_nonnull));
/** A NUL-terminated copy of a view. */
char *xb_arena_dup(struct xb_arena *arena, struct xb_view view) __attribute__((returns_nonnull));
/** Formatted text. */
char *xb_arena_format(struct xb_arena *arena, const char *format, ...)
	__attribute__((returns_nonnull, format(printf, 2, 3)));

#endif
