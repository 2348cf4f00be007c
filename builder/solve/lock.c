/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/lock.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* How often a step that waits for another process's looks whether it was cancelled, ms. */
#define LOCK_POLL_MS 50
/* After so many looks people are told whom it waits for. */
#define LOCK_SHOWN 4

int xb_step_cancelled(const struct xb_step_shared *shared, struct xb_error *err)
{
	if (!atomic_load(&shared->cancelled))
		return 0;
	(void)xb_error_set(err, -ECANCELED, "cancelled");
	return xb_error_fault(err, XB_FAULT_INTERRUPTED);
}

/* Somebody carries out the same step: say who. */
static void tell_holder(struct xb_step_shared *shared, size_t index, const char *key)
{
	xb_autofree char *text = NULL;
	int64_t seconds;
	pid_t pid;

	if (!xb_keylock_holder(shared->store, key, &pid, &seconds))
		return;
	text = pid == getpid() ? xb_format("the same step of this build")
			       : xb_format("process %ld, which has been at the same step for %llds",
					   (long)pid, (long long)seconds);
	xb_events_post(shared->events, XB_EVENT_WAITING, index, 0, xb_view(text));
}

int xb_step_lock(struct xb_step_shared *shared, size_t index, const char *key,
		 struct xb_keylock **ret, struct xb_error *err)
{
	for (unsigned waited = 0;; waited++) {
		struct pollfd fd = { .fd = shared->cancel_fd, .events = POLLIN };
		xb_auto_error struct xb_error cause = XB_ERROR_INIT;
		int r = xb_keylock_take(shared->store, key, false, ret, &cause);

		if (r != -EAGAIN) {
			if (r < 0)
				xb_error_move(err, &cause);
			return r;
		}
		if (waited == LOCK_SHOWN && index != XB_STEP_NONE)
			tell_holder(shared, index, key);
		if (poll(&fd, 1, LOCK_POLL_MS) > 0)
			return xb_step_cancelled(shared, err);
	}
}
