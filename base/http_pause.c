/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_pause.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>

#include "base/clock.h"

enum {
	DEFAULT_PAUSE_MS = 250,
	MAX_PAUSE_MS = 10000,
};

uint64_t xb_http_pause(unsigned first_ms, unsigned tries)
{
	uint64_t pause = first_ms != 0 ? first_ms : DEFAULT_PAUSE_MS;
	uint32_t random = 0;

	for (unsigned i = 1; i < tries && pause < MAX_PAUSE_MS; i++)
		pause *= 2;
	if (pause > MAX_PAUSE_MS)
		pause = MAX_PAUSE_MS;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint32_t)xb_clock_monotonic();
	return pause / 2 + random % (pause / 2 + 1);
}

int xb_http_sleep(int cancel_fd, uint64_t ms, struct xb_error *err)
{
	struct pollfd cancel = { .fd = cancel_fd, .events = POLLIN };
	uint64_t end = xb_clock_monotonic() + ms * 1000000;
	uint64_t now;

	while ((now = xb_clock_monotonic()) < end) {
		if (poll(&cancel, 1, (int)((end - now) / 1000000) + 1) <= 0)
			continue;
		xb_error_clear(err);
		(void)xb_error_set(err, -ECANCELED, "interrupted");
		return xb_error_fault(err, XB_FAULT_INTERRUPTED), -ECANCELED;
	}
	return 0;
}
