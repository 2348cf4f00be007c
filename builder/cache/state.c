/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cache/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "builder/cache/explain.h"

static int classify(struct xb_error *err, int r)
{
	(void)xb_error_fault(err, XB_FAULT_STORE);
	return xb_store_explain(err, r);
}

int xb_store_errno(struct xb_error *err, int r, const char *format, ...)
{
	xb_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = xb_vformat(format, args);
	va_end(args);
	(void)xb_error_errno(err, r, "%s", text);
	return classify(err, r);
}

int xb_store_wrap(struct xb_error *err, int r, const char *format, ...)
{
	xb_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = xb_vformat(format, args);
	va_end(args);
	(void)xb_error_wrap(err, r, "%s", text);
	return classify(err, r);
}

void xb_store_random_id(char ret[33])
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		xb_die("the kernel gives no random bytes");
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

char *xb_store_ingest_name(struct xb_store *store)
{
	XB_STORE_LOCKED(store);
	return xb_format("%s.%" PRIu64, store->lease, store->serial++);
}
