/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Growing arrays of plain values, and vectors of owned strings.
 *
 * XB_ARRAY(type) is the body of a struct; xb_array_push() gives a zeroed element to fill in.
 *
 *	struct xb_paths XB_ARRAY(struct xb_path);
 *	struct xb_paths paths = { 0 };
 *	xb_array_push(&paths)->depth = 3;
 *
 * Elements move when the array grows: hold indices, not pointers. Memory is released with
 * xb_array_clear(), which does not look into the elements.
 */
#ifndef XB_BASE_ARRAY_H
#define XB_BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/** The body of a growing array of `type`. */
#define XB_ARRAY(type)                                                                             \
	{                                                                                          \
		type *items;                                                                       \
		size_t len;                                                                        \
		size_t cap;                                                                        \
	}

/** Add one zeroed element at the end of `array` (a pointer to an XB_ARRAY) and yield its address.
 */
#define xb_array_push(array)                                                                       \
	((array)->items = xb_array_grow((array)->items, &(array)->cap, (array)->len + 1,           \
					sizeof(*(array)->items)),                                  \
	 &(array)->items[(array)->len++])

/** Release the elements' memory and make the array empty. */
#define xb_array_clear(array)                                                                      \
	do {                                                                                       \
		free((array)->items);                                                              \
		(array)->items = NULL;                                                             \
		(array)->len = 0;                                                                  \
		(array)->cap = 0;                                                                  \
	} while (0)

/** Make room for `needed` elements of `size` bytes, new ones zeroed; for xb_array_push(). */
void *xb_array_grow(void *items, size_t *cap, size_t needed, size_t size);

/**
 * A vector of owned strings: arguments, environments, paths. `items` is NULL while empty and never
 * grown, else it ends with a NULL pointer, so that it can be handed to execve().
 */
struct xb_strv {
	char **items;
	size_t len;
	size_t cap;
};

#define XB_STRV_INIT ((struct xb_strv){ 0 })

/** Release all strings and the vector's memory. */
void xb_strv_clear(struct xb_strv *v);

#define xb_auto_strv XB_CLEANUP(xb_strv_clear)

/** Append a copy of `text`. */
void xb_strv_push(struct xb_strv *v, const char *text);
/** Append a copy of a view. */
void xb_strv_push_view(struct xb_strv *v, struct xb_view text);
/** Append `text`, which the vector then owns; `xb_strv_take(&v, XB_STEAL(p))`. */
void xb_strv_take(struct xb_strv *v, char *text);
/** Append formatted text. */
void xb_strv_printf(struct xb_strv *v, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** Append copies of all strings of `from`. */
void xb_strv_append(struct xb_strv *v, const struct xb_strv *from);
/** Make `v` (released first) a deep copy of `from`. */
void xb_strv_copy(struct xb_strv *v, const struct xb_strv *from);
/** Remove the string at `index`, keeping the order of the others. */
void xb_strv_remove(struct xb_strv *v, size_t index);
/** Whether two vectors hold equal strings in the same order. */
bool xb_strv_eq(const struct xb_strv *a, const struct xb_strv *b);
/** Index of `text`, or -1. */
ptrdiff_t xb_strv_find(const struct xb_strv *v, const char *text);
/** Sort by byte value. */
void xb_strv_sort(struct xb_strv *v);
/** The strings with `separator` between them, malloc()ed. */
char *xb_strv_join(const struct xb_strv *v, const char *separator);
/** The items for execve(): never NULL, ends with a NULL pointer. */
char *const *xb_strv_argv(const struct xb_strv *v);

/** Environment view of a vector of "NAME=value": the value of `name`, borrowed, or NULL. */
const char *xb_env_get(const struct xb_strv *env, struct xb_view name);
/** Set `name` to `value`, in its old place when it is there, else at the end. */
void xb_env_set(struct xb_strv *env, struct xb_view name, struct xb_view value);
/** Remove `name`; returns whether it was there. */
bool xb_env_unset(struct xb_strv *env, struct xb_view name);

#endif
