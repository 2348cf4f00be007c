/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/events.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"

struct event_list XB_ARRAY(struct xb_event);

struct xb_events {
	pthread_mutex_t lock; /* guards `waiting` and `taken` */
	struct event_list waiting;
	size_t taken; /* events of `waiting` that have been handed out */
	int fd;
};

int xb_events_new(struct xb_events **ret, struct xb_error *err)
{
	struct xb_events *events;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return xb_error_errno(err, -errno, "making an event descriptor");
	events = xb_calloc(1, sizeof(*events));
	(void)pthread_mutex_init(&events->lock, NULL);
	events->fd = fd;
	*ret = events;
	return 0;
}

void xb_events_free(struct xb_events *events)
{
	if (events == NULL)
		return;
	for (size_t i = events->taken; i < events->waiting.len; i++)
		xb_event_clear(&events->waiting.items[i]);
	xb_array_clear(&events->waiting);
	(void)pthread_mutex_destroy(&events->lock);
	(void)close(events->fd);
	free(events);
}

void xb_events_post(struct xb_events *events, enum xb_event_kind kind, size_t step, int stream,
		    struct xb_view text)
{
	struct xb_event event = {
		.kind = kind,
		.step = step,
		.stream = stream,
		.time = xb_clock_monotonic(),
		.text = text.data != NULL ? xb_view_dup(text) : NULL,
	};
	uint64_t one = 1;

	(void)pthread_mutex_lock(&events->lock);
	*xb_array_push(&events->waiting) = event;
	(void)pthread_mutex_unlock(&events->lock);
	/* Fails only when the counter is full, and then the descriptor is readable anyway. */
	(void)!write(events->fd, &one, sizeof(one));
}

bool xb_events_take(struct xb_events *events, struct xb_event *ret)
{
	bool found = false;
	uint64_t count;

	(void)pthread_mutex_lock(&events->lock);
	if (events->taken < events->waiting.len) {
		*ret = events->waiting.items[events->taken++];
		found = true;
	} else {
		events->waiting.len = 0;
		events->taken = 0;
		/* Emptied under the lock: the next post makes it readable again. */
		(void)!read(events->fd, &count, sizeof(count));
	}
	(void)pthread_mutex_unlock(&events->lock);
	return found;
}

void xb_event_clear(struct xb_event *event)
{
	free(event->text);
	event->text = NULL;
}

int xb_events_fd(const struct xb_events *events)
{
	return events->fd;
}
