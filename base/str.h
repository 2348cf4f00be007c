/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Strings: borrowed views, growing buffers with a maximum, allocation that does not fail.
 *
 * A `struct xb_str` is always NUL-terminated, may hold NUL bytes, and never grows past `max`
 * bytes: an append that would is refused whole, returns -EFBIG and marks the string as
 * overflowed, which xb_str_overflowed() tells later; so a run of appends needs one check at its
 * end. Small allocations end the process when memory is gone; sizes from outside are bounded by
 * `max` before they reach the allocator.
 */
#ifndef XB_BASE_STR_H
#define XB_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/** A borrowed run of bytes; not NUL-terminated. `data` may be NULL when `len` is 0. */
struct xb_view {
	const char *data;
	size_t len;
};

/** A view of a string literal. */
#define XB_VIEW(literal) ((struct xb_view){ (literal), sizeof(literal) - 1 })
/** printf arguments of a view for the format "%.*s" (views longer than INT_MAX are not printed). */
#define XB_VIEW_ARGS(view) (int)(view).len, ((view).data != NULL ? (view).data : "")

/** A growing, bounded, owned buffer. Initialise with XB_STR_INIT(max). */
struct xb_str {
	char *data;    /**< NULL while empty and never grown; else NUL-terminated */
	size_t len;    /**< bytes held, the NUL not counted */
	size_t cap;    /**< bytes allocated */
	size_t max;    /**< `len` never passes it */
	bool overflow; /**< an append was refused */
};

/** An empty string that may grow to `max_bytes`. */
#define XB_STR_INIT(max_bytes) ((struct xb_str){ .max = (max_bytes) })
/** The maximum for strings that xbuild itself composes (messages, paths, documents): 64 MiB. */
#define XB_STR_OWN ((size_t)64 << 20)

/** Release the buffer; the string is then empty and usable again with the same maximum. */
void xb_str_clear(struct xb_str *s);
/** Set the length to 0, keeping the memory and forgetting an overflow. */
void xb_str_reset(struct xb_str *s);

#define xb_auto_str XB_CLEANUP(xb_str_clear)

/** Append bytes. Returns 0, or -EFBIG with the string as it was but for the overflow mark. */
int xb_str_append(struct xb_str *s, const void *data, size_t len);
/** Append a view; as xb_str_append(). */
int xb_str_append_view(struct xb_str *s, struct xb_view view);
/** Append a NUL-terminated string; as xb_str_append(). */
int xb_str_puts(struct xb_str *s, const char *text);
/** Append one byte; as xb_str_append(). */
int xb_str_putc(struct xb_str *s, char c);
/** Append formatted text; as xb_str_append(). */
int xb_str_printf(struct xb_str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Append formatted text; as xb_str_append(). */
int xb_str_vprintf(struct xb_str *s, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/** Shorten to `len` bytes; longer than it is: no change. */
void xb_str_truncate(struct xb_str *s, size_t len);

/** Whether an append was refused since the last reset or clear. */
static inline bool xb_str_overflowed(const struct xb_str *s)
{
	return s->overflow;
}

/** The bytes as a borrowed view, valid until the next change. */
static inline struct xb_view xb_str_view(const struct xb_str *s)
{
	return (struct xb_view){ s->data != NULL ? s->data : "", s->len };
}

/** The bytes as a borrowed NUL-terminated string, "" when empty, valid until the next change. */
static inline const char *xb_str_text(const struct xb_str *s)
{
	return s->data != NULL ? s->data : "";
}

/** Give the buffer away as a malloc()ed NUL-terminated string (never NULL); `s` becomes empty. */
char *xb_str_steal(struct xb_str *s);

/** A view of a NUL-terminated string; NULL gives the empty view. */
struct xb_view xb_view(const char *text);
/** Whether two views hold the same bytes. */
bool xb_view_eq(struct xb_view a, struct xb_view b);
/** Whether a view holds the same bytes as `text`. */
bool xb_view_is(struct xb_view view, const char *text);
/** Whether two views are equal but for the case of ASCII letters. */
bool xb_view_eq_nocase(struct xb_view a, struct xb_view b);
/** Whether `view` begins with `prefix`. */
bool xb_view_starts(struct xb_view view, struct xb_view prefix);
/** Whether `view` ends with `suffix`. */
bool xb_view_ends(struct xb_view view, struct xb_view suffix);
/** `view` from byte `from` on, at most `len` bytes; positions past the end give the empty view. */
struct xb_view xb_view_sub(struct xb_view view, size_t from, size_t len);
/** Without the ASCII white space at both ends. */
struct xb_view xb_view_trim(struct xb_view view);
/** Index of the first `c`, or -1. */
ptrdiff_t xb_view_find(struct xb_view view, char c);
/**
 * Cut the next piece off `*rest` at `separator`: `*ret_piece` gets what stands before it and
 * `*rest` what stands behind it. Returns false when `*rest` is used up (its data is then NULL);
 * "a,,b" gives "a", "" and "b".
 */
bool xb_view_split(struct xb_view *rest, char separator, struct xb_view *ret_piece);

/** malloc() of at least 1 byte that ends the process when memory is gone. */
void *xb_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/** calloc() likewise: `count` zeroed elements; ends the process also when the product overflows. */
void *xb_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/** realloc() to `count` elements likewise. */
void *xb_realloc(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
/** strdup() likewise; NULL gives NULL. */
char *xb_strdup(const char *text);
/** A NUL-terminated copy of a view; never NULL. */
char *xb_view_dup(struct xb_view view);
/** printf into a fresh malloc()ed string; never NULL. */
char *xb_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** xb_format() with a va_list. */
char *xb_vformat(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/** Length of the well-formed UTF-8 character that `view` begins with (1 to 4 bytes), or 0. */
size_t xb_view_utf8_len(struct xb_view view);

/**
 * Append `view` so that it is safe to print on a terminal: printable UTF-8 stays, other bytes
 * become \n, \t or \xHH.
 */
int xb_str_append_quoted(struct xb_str *s, struct xb_view view);

/**
 * Read a whole view as a decimal number. Returns 0, -EINVAL for anything but digits, -ERANGE above
 * `max`.
 */
int xb_view_parse_u64(struct xb_view view, uint64_t max, uint64_t *ret_value);

#endif
