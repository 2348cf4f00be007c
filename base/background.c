/* SPDX-License-Identifier: Apache-2.0 */
#include "base/background.h"

#include <sys/resource.h>
#include <unistd.h>

/* A tenth of the weight of an ordinary thread (sched_prio_to_weight of the kernel). */
#define BACKGROUND_NICE 10

void xb_background_enter(void)
{
	id_t self = (id_t)gettid();

	/* on Linux this is the thread's and not the process's, in spite of the name */
	if (getpriority(PRIO_PROCESS, self) < BACKGROUND_NICE)
		(void)setpriority(PRIO_PROCESS, self, BACKGROUND_NICE);
}
