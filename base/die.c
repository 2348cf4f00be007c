/* SPDX-License-Identifier: Apache-2.0 */
#include "base/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void xb_die(const char *format, ...)
{
	va_list args;

	/* dprintf() and _exit(): memory may be gone and locks may be held. */
	(void)dprintf(STDERR_FILENO, "xbuild: ");
	va_start(args, format);
	(void)vdprintf(STDERR_FILENO, format, args);
	va_end(args);
	(void)dprintf(STDERR_FILENO, "\n");
	_exit(1);
}
