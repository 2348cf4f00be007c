/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/stop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/array.h"

struct xb_stop {
	pthread_t thread;
	bool watching;
	int signals; /* borrowed */
	int ended;   /* readable once the watch is to end */
	atomic_bool flag;
};

static void *watch(void *context)
{
	struct xb_stop *stop = context;
	struct pollfd fds[] = {
		{ .fd = stop->signals, .events = POLLIN },
		{ .fd = stop->ended, .events = POLLIN },
	};
	int r;

	do
		r = poll(fds, XB_COUNT(fds), -1);
	while (r < 0 && errno == EINTR);
	if (r > 0 && fds[0].revents != 0)
		atomic_store(&stop->flag, true);
	return NULL;
}

struct xb_stop *xb_stop_new(int stop_fd)
{
	struct xb_stop *stop = xb_calloc(1, sizeof(*stop));

	stop->signals = stop_fd;
	stop->ended = eventfd(0, EFD_CLOEXEC);
	stop->watching = stop->ended >= 0 && pthread_create(&stop->thread, NULL, watch, stop) == 0;
	return stop;
}

const atomic_bool *xb_stop_flag(const struct xb_stop *stop)
{
	return &stop->flag;
}

void xb_stop_free(struct xb_stop *stop)
{
	const uint64_t one = 1;

	if (stop == NULL)
		return;
	if (stop->watching) {
		(void)!write(stop->ended, &one, sizeof(one));
		(void)pthread_join(stop->thread, NULL);
	}
	xb_cleanup_fd(&stop->ended);
	free(stop);
}
