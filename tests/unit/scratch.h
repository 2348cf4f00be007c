/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A scratch directory for each test: scratch_setup and scratch_teardown go with
 * cmocka_unit_test_setup_teardown(); `scratch` is its absolute path and `scratch_fd` is open on it.
 * The teardown removes all below it, whatever its modes, without the code under test.
 * Include it after cmocka.h.
 */
#ifndef XB_TESTS_UNIT_SCRATCH_H
#define XB_TESTS_UNIT_SCRATCH_H

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[256];
static int scratch_fd = -1;

/**
 * Make the directory. Its name has no capitals, other than mkdtemp()'s: what a test makes of it,
 * the name of an image for one, is then valid every time or never.
 */
static inline int scratch_setup(void **state)
{
	const char *base = getenv("TMPDIR");
	static unsigned n;
	int r;

	(void)state;
	do {
		(void)snprintf(scratch, sizeof(scratch), "%s/xb-test-%d-%u",
			       base != NULL ? base : "/tmp", getpid(), n++);
		r = mkdir(scratch, 0700);
	} while (r < 0 && errno == EEXIST);
	if (r < 0)
		return -1;
	scratch_fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch_fd >= 0 ? 0 : -1;
}

/** Run a command to its end; returns its wait status. */
static inline int scratch_run(const char *const *argv)
{
	char *args[16] = { NULL };
	int status = -1;
	pid_t pid;

	for (size_t i = 0; i < 15 && argv[i] != NULL; i++)
		args[i] = strdup(argv[i]);
	if (posix_spawnp(&pid, args[0], NULL, NULL, args, environ) == 0)
		(void)waitpid(pid, &status, 0);
	for (size_t i = 0; args[i] != NULL; i++)
		free(args[i]);
	return status;
}

/** Remove it with all that is in it. */
static inline int scratch_teardown(void **state)
{
	(void)state;
	(void)close(scratch_fd);
	scratch_fd = -1;
	if (geteuid() != 0)
		(void)scratch_run((const char *[]){ "chmod", "-R", "u+rwX", scratch, NULL });
	return scratch_run((const char *[]){ "rm", "-rf", scratch, NULL }) == 0 ? 0 : -1;
}

/** The absolute path of `name` in it; valid until the fourth call from now. */
static inline const char *scratch_path(const char *name)
{
	static char paths[4][4096];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", scratch, name);
	return path;
}

/** Write a file there. */
static inline void scratch_write(const char *name, const char *text)
{
	FILE *f = fopen(scratch_path(name), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#endif
