/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Errors that carry a sentence.
 *
 * A function that can fail returns 0 (or a count) or a negative errno and fills
 * `struct xb_error *err`, its last parameter; on success `err` is left untouched. Whoever passes
 * an error on adds one link in front of the sentence with xb_error_wrap(), so that the whole reads
 * from the outside in: "building stage app: reading Dockerfile: No such file or directory".
 *
 * A fault class says which exit status the process ends with; the innermost class and the
 * innermost hint win. Only builder/cli prints errors.
 *
 * A `struct xb_error` starts as XB_ERROR_INIT, is owned by one thread at a time, and is released
 * by xb_error_clear(). Every function here accepts `err == NULL` for callers that need the
 * negative errno alone; "the error's code" is then the one last given in this thread.
 */
#ifndef XB_BASE_ERROR_H
#define XB_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/die.h"

/** What kind of fault it is; the values are xbuild's exit statuses (docs/errors.md). */
enum xb_fault {
	XB_FAULT_NONE = 0,
	XB_FAULT_INTERNAL = 1,	   /**< a fault of xbuild or of the machine */
	XB_FAULT_USAGE = 2,	   /**< the command line */
	XB_FAULT_SOURCE = 3,	   /**< the Dockerfile or the build context */
	XB_FAULT_STEP = 4,	   /**< a step's command failed */
	XB_FAULT_PLATFORM = 5,	   /**< a platform or its emulation is not to be had */
	XB_FAULT_REGISTRY = 6,	   /**< a registry or the network */
	XB_FAULT_PROOF = 7,	   /**< a proof failed: what was made is not what was asked for */
	XB_FAULT_STORE = 8,	   /**< the store or the disk */
	XB_FAULT_INTERRUPTED = 130 /**< the user stopped it */
};

/** One error. `message` is NULL while nothing has gone wrong; all strings are owned. */
struct xb_error {
	int code;	     /**< negative errno, 0 while nothing has gone wrong */
	enum xb_fault fault; /**< XB_FAULT_NONE: not classified yet, counts as internal */
	char *message;	     /**< one line, outermost link first, no full stop; it may hold bytes
				of others, hence goes through xb_str_append_quoted() to a terminal */
	char *excerpt; /**< lines to show below the message (source and caret, output), or NULL */
	char *hint;    /**< one thing to try next, or NULL */
};

#define XB_ERROR_INIT ((struct xb_error){ 0 })

/** Release what `err` holds and set it to XB_ERROR_INIT. */
void xb_error_clear(struct xb_error *err);

#define xb_auto_error XB_CLEANUP(xb_error_clear)

/**
 * Start an error: code `r` (a negative errno, passed through as the return value) and a sentence
 * without the errno's own text. An error already held by `err` is released first.
 */
int xb_error_set(struct xb_error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** As xb_error_set(), with ": " and the text of errno `-r` behind the sentence. */
int xb_error_errno(struct xb_error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Put "sentence: " in front of the message that `err` holds; returns `r`. */
int xb_error_wrap(struct xb_error *err, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Classify the error unless something further in already has; returns its code. */
int xb_error_fault(struct xb_error *err, enum xb_fault fault);

/** Say what to try next unless something further in already has; returns the error's code. */
int xb_error_hint(struct xb_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * As xb_error_set() for a command line that is not as it should be: -EINVAL, fault usage, with what
 * to try next. Returns -EINVAL.
 */
int xb_error_usage(struct xb_error *err, const char *hint, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Attach lines to show below the message, replacing earlier ones; returns the error's code. */
int xb_error_excerpt(struct xb_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * Whether an errno (negative) tells of the machine at this moment and nothing of what was asked
 * for: no memory, descriptors, room or disk to be had, an interruption, a file server that forgot.
 */
bool xb_error_is_passing(int r);

/** Move the error from `from` to `to`, which must be empty; `from` becomes XB_ERROR_INIT. */
void xb_error_move(struct xb_error *to, struct xb_error *from);

#endif
