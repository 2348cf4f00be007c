/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/shared.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "builder/fetch/fetch.h"

enum { LOCK_POLL_MS = 100 };

int xb_fetch_interrupted(struct xb_error *err)
{
	(void)xb_error_set(err, -ECANCELED, "interrupted");
	(void)xb_error_fault(err, XB_FAULT_INTERRUPTED);
	return -ECANCELED;
}

int xb_fetch_disk_error(struct xb_error *err, int r)
{
	(void)xb_error_errno(err, r, "writing to the store");
	(void)xb_error_fault(err, XB_FAULT_STORE);
	if (r == -ENOSPC || r == -EDQUOT)
		(void)xb_error_hint(err, "free space, or run xbuild cache prune");
	return r;
}

int xb_fetch_turn(struct xb_store *store, const char *key, int cancel_fd, struct xb_keylock **ret,
		  int64_t *ret_since, struct xb_error *err)
{
	struct pollfd cancel = { .fd = cancel_fd, .events = POLLIN };
	int r;

	*ret_since = -1;
	while ((r = xb_keylock_take(store, key, false, ret, err)) == -EAGAIN) {
		xb_error_clear(err);
		if (*ret_since < 0)
			*ret_since = xb_clock_now();
		if (poll(&cancel, 1, LOCK_POLL_MS) > 0)
			return xb_fetch_interrupted(err);
	}
	return r;
}

int xb_fetch_offline(const char *what, struct xb_error *err)
{
	(void)xb_error_set(err, -ENETUNREACH, "--offline, and not in the store: %s", what);
	(void)xb_error_hint(err, "a build without --offline gets it");
	return xb_error_fault(err, XB_FAULT_REGISTRY);
}
