/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Cleanup by scope.
 *
 * An owned resource is declared with its cleanup attribute and at its empty value, so that every
 * way out of the scope releases it exactly once:
 *
 *	xb_autofree char *name = NULL;
 *	xb_auto_fd int fd = -1;
 *
 * Ownership leaves a scope through XB_STEAL() or XB_STEAL_FD() and in no other way.
 * A type with a `_clear` or `_free` function gets its own `xb_auto_<type>` beside that function,
 * made with XB_DEFINE_CLEANUP().
 */
#ifndef XB_BASE_CLEANUP_H
#define XB_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

/** Run `function(&variable)` when the variable declared here leaves its scope. */
#define XB_CLEANUP(function) __attribute__((cleanup(function)))

/** Number of elements of an array (not of a pointer). */
#define XB_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** Give the pointer `p` away: yields its value and leaves NULL behind. */
#define XB_STEAL(p)                                                                                \
	__extension__({                                                                            \
		__typeof__(p) *xb_p_ = &(p);                                                       \
		__typeof__(p) xb_v_ = *xb_p_;                                                      \
		*xb_p_ = NULL;                                                                     \
		xb_v_;                                                                             \
	})

/** Give the descriptor `fd` away: yields its value and leaves -1 behind. */
#define XB_STEAL_FD(fd)                                                                            \
	__extension__({                                                                            \
		int *xb_p_ = &(fd);                                                                \
		int xb_v_ = *xb_p_;                                                                \
		*xb_p_ = -1;                                                                       \
		xb_v_;                                                                             \
	})

/**
 * Define `static inline void name(type **)`, the cleanup of a pointer variable that owns a heap
 * object released by `free_function(type *)`. NULL is left alone.
 */
#define XB_DEFINE_CLEANUP(name, type, free_function)                                               \
	static inline void name(type **p)                                                          \
	{                                                                                          \
		if (*p != NULL)                                                                    \
			free_function(*p);                                                         \
		*p = NULL;                                                                         \
	}

/** Cleanup of a pointer from malloc(); use it as `xb_autofree`. */
static inline void xb_cleanup_free(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

/** Cleanup of an open descriptor, -1 being none; use it as `xb_auto_fd`. errno is kept. */
void xb_cleanup_fd(int *fd);

#define xb_autofree XB_CLEANUP(xb_cleanup_free)
#define xb_auto_fd  XB_CLEANUP(xb_cleanup_fd)

#endif
