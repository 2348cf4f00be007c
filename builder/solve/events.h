/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What happens while steps run, as a queue from the workers to the scheduler's thread.
 *
 * Any thread may post; one thread takes. The queue's lock guards all of it.
 */
#ifndef XB_BUILDER_SOLVE_EVENTS_H
#define XB_BUILDER_SOLVE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

/** What can happen to a step. */
enum xb_event_kind {
	XB_EVENT_STARTED,   /**< work on a step began: it is not in the cache */
	XB_EVENT_CACHED,    /**< the step's result was there already */
	XB_EVENT_OUTPUT,    /**< one line of a command's output */
	XB_EVENT_WARNING,   /**< something that the user should know */
	XB_EVENT_DONE,	    /**< the step has its result */
	XB_EVENT_FAILED,    /**< the step has none */
	XB_EVENT_CANCELLED, /**< it has none because the build was stopped, or failed elsewhere */
	XB_EVENT_WAITING,   /**< the same step is being carried out elsewhere: the text says by whom
			     */
	XB_EVENT_PACKING,   /**< its layer is being packed, and the build has nothing else to do */
	XB_EVENT_PACKED /**< the layer of a step for which there was XB_EVENT_PACKING is packed */
};

/** One event. */
struct xb_event {
	enum xb_event_kind kind;
	size_t step;   /**< index in the plan */
	int stream;    /**< XB_EVENT_OUTPUT: 1 or 2 */
	uint64_t time; /**< xb_clock_monotonic() */
	char *text;    /**< line without its end, warning, who is waited for; owned; else NULL */
};

struct xb_events;

/** An empty queue. */
int xb_events_new(struct xb_events **ret, struct xb_error *err);
/** Release with what was not taken; NULL is left alone. */
void xb_events_free(struct xb_events *events);

XB_DEFINE_CLEANUP(xb_events_cleanup, struct xb_events, xb_events_free)
#define xb_auto_events XB_CLEANUP(xb_events_cleanup)

/** Post an event; `text` is copied. The time is now. */
void xb_events_post(struct xb_events *events, enum xb_event_kind kind, size_t step, int stream,
		    struct xb_view text);
/** Take the oldest event; false when there is none. Release it with xb_event_clear(). */
bool xb_events_take(struct xb_events *events, struct xb_event *ret);
/** Release an event's text. */
void xb_event_clear(struct xb_event *event);
/** A descriptor (borrowed) that poll() reports readable while events wait. */
int xb_events_fd(const struct xb_events *events);

#endif
