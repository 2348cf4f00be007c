/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdint.h>

#include "builder/sandbox/sandbox.h"
#include "builder/sandbox/seccomp.h"

/* The program last made: making one takes longer than starting a step. */
static struct {
	pthread_mutex_t lock; /* guards the rest */
	uint64_t capabilities;
	struct xb_str program; /* empty: none yet */
} last = { .lock = PTHREAD_MUTEX_INITIALIZER, .program = { .max = XB_MAX_SANDBOX_SPEC } };

/* Made when xbuild was built (seccomp_main.c); empty where that could not be done. */
extern const char xb_seccomp_image[], xb_seccomp_image_end[];

static int make(uint64_t capabilities, struct xb_str *program, struct xb_error *err)
{
	struct xb_view ready = { xb_seccomp_image,
				 (uintptr_t)xb_seccomp_image_end - (uintptr_t)xb_seccomp_image };

	if (capabilities == XB_SANDBOX_CAPABILITIES && ready.len > 0)
		return xb_str_append_view(program, ready);
	return xb_seccomp_compile(capabilities, program, err);
}

static int refresh_last(uint64_t capabilities, struct xb_error *err)
{
	int r;

	if (last.program.len > 0 && last.capabilities == capabilities)
		return 0;
	xb_str_reset(&last.program);
	r = make(capabilities, &last.program, err);
	if (r < 0)
		xb_str_reset(&last.program);
	last.capabilities = capabilities;
	return r;
}

int xb_sandbox_default_seccomp(struct xb_sandbox_spec *spec, struct xb_error *err)
{
	int r;

	pthread_mutex_lock(&last.lock);
	r = refresh_last(spec->capabilities, err);
	if (r >= 0) {
		xb_str_reset(&spec->seccomp);
		r = xb_str_append_view(&spec->seccomp, xb_str_view(&last.program));
	}
	pthread_mutex_unlock(&last.lock);
	return r;
}
