/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What is written to standard error between capture_begin() and capture_end(). Nothing may be
 * asserted in between: cmocka would report it there. Include it after cmocka.h.
 */
#ifndef XB_TESTS_UNIT_CLI_CAPTURE_H
#define XB_TESTS_UNIT_CLI_CAPTURE_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"

static int capture_file = -1;
static int capture_saved = -1;

/** From now on standard error goes to a file in memory. */
static inline void capture_begin(void)
{
	(void)fflush(stderr);
	capture_file = memfd_create("captured", MFD_CLOEXEC);
	capture_saved = dup(STDERR_FILENO);
	(void)dup2(capture_file, STDERR_FILENO);
}

/** Standard error is what it was; the caller frees what came meanwhile. */
static inline char *capture_end(void)
{
	struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	char bytes[4096];
	ssize_t n;

	(void)fflush(stderr);
	(void)dup2(capture_saved, STDERR_FILENO);
	(void)close(capture_saved);
	(void)lseek(capture_file, 0, SEEK_SET);
	while ((n = read(capture_file, bytes, sizeof(bytes))) > 0)
		(void)xb_str_append(&text, bytes, (size_t)n);
	(void)close(capture_file);
	return xb_str_steal(&text);
}

#endif
