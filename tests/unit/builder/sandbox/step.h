/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the sandbox's tests share: a root of busybox, and a step in it whose output is caught.
 *
 * The root is two layers: `step_base`, with busybox, made once, and "root" of the test's scratch
 * directory above it, for what a test adds. Changes go to "fs" of the scratch directory.
 * Include it after cmocka.h.
 */
#ifndef XB_TESTS_UNIT_SANDBOX_STEP_H
#define XB_TESTS_UNIT_SANDBOX_STEP_H

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/proc.h"
#include "builder/sandbox/sandbox.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

/** Whether this process could become root, and the sentence why not. */
static bool step_possible;
static char step_base[256];
/** Whether steps are begun ahead and then told what they are for, where that can be done. */
static bool step_ahead;

/** A step and what came of it. */
struct step {
	struct xb_sandbox_spec spec;
	struct xb_sandbox_result result;
	struct xb_error err; /**< set when it could not be run */
	struct xb_str output;
};

/** Make the base layer; called once, as root. */
static inline void step_make_base(void)
{
	static const char *const applets[] = { "sh",	   "cat",      "ls",	"id",	 "env",
					       "mount",	   "touch",    "mkdir", "mknod", "unshare",
					       "sleep",	   "ps",       "grep",	"chmod", "chown",
					       "stat",	   "kill",     "true",	"rm",	 "head",
					       "rmdir",	   "ln",       "pwd",	"find",	 "umount",
					       "hostname", "readlink", "wc",	"dd",	 "setsid" };

	xb_autofree char *bin = NULL;
	xb_autofree char *busybox = NULL;

	(void)snprintf(step_base, sizeof(step_base), "%s/xb-base-XXXXXX",
		       getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	if (mkdtemp(step_base) == NULL || chmod(step_base, 0755) < 0)
		return;
	bin = xb_format("%s/bin", step_base);
	busybox = xb_format("%s/busybox", bin);
	step_possible = mkdir(bin, 0755) == 0 &&
			scratch_run((const char *[]){ "cp", "/bin/busybox", busybox, NULL }) == 0;
	for (size_t i = 0; i < XB_COUNT(applets); i++) {
		xb_autofree char *link = xb_format("%s/%s", bin, applets[i]);

		step_possible = symlink("busybox", link) == 0 && step_possible;
	}
}

/** Become root and make the base layer: the group's setup. */
static inline int step_group_setup(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	if (xb_proc_become_root(&err) < 0)
		print_message("no user namespace: %s\n", err.message);
	else
		step_make_base();
	return 0;
}

/** Remove the base layer: the group's teardown. */
static inline int step_group_teardown(void **state)
{
	(void)state;
	return scratch_run((const char *[]){ "rm", "-rf", step_base, NULL });
}

/** Start to describe a step; skips the test where steps cannot be run. */
static inline void step_init(struct step *s)
{
	need("userns", step_possible);
	*s = (struct step){ .output = XB_STR_INIT(XB_STR_OWN) };
	xb_sandbox_spec_init(&s->spec);
	(void)mkdir(scratch_path("root"), 0755);
	(void)mkdir(scratch_path("fs"), 0755);
	(void)mkdir(scratch_path("work"), 0755);
	xb_strv_push(&s->spec.lowers, scratch_path("root"));
	xb_strv_push(&s->spec.lowers, step_base);
	s->spec.upper = xb_strdup(scratch_path("fs"));
	s->spec.work = xb_strdup(scratch_path("work"));
	xb_strv_push(&s->spec.env, "PATH=/bin");
	assert_int_equal(xb_sandbox_default_seccomp(&s->spec, &s->err), 0);
}

/** Release it. */
static inline void step_clear(struct step *s)
{
	xb_sandbox_spec_clear(&s->spec);
	xb_error_clear(&s->err);
	xb_str_clear(&s->output);
}

/** Go on only where a step can have other ids than root's: not inside unshare -r. */
static inline void step_need_ids(void)
{
	need("ids", chown(step_base, 1000, 2000) == 0 && chown(step_base, 0, 0) == 0);
}

#define auto_step XB_CLEANUP(step_clear)

/** Set the step's program: ends with NULL. */
static inline void step_argv(struct step *s, const char *const *argv)
{
	xb_strv_clear(&s->spec.argv);
	for (size_t i = 0; argv[i] != NULL; i++)
		xb_strv_push(&s->spec.argv, argv[i]);
}

/** Set whom it runs as. */
static inline void step_user(struct step *s, const char *user)
{
	free(s->spec.user);
	s->spec.user = xb_strdup(user);
}

/** Take all mounts away. */
static inline void step_without_mounts(struct step *s)
{
	for (size_t i = 0; i < s->spec.mounts.len; i++) {
		free(s->spec.mounts.items[i].source);
		free(s->spec.mounts.items[i].target);
		xb_str_clear(&s->spec.mounts.items[i].content);
	}
	xb_array_clear(&s->spec.mounts);
}

/** Start it, in the way that `step_ahead` says. */
static inline int step_start(struct step *s, const struct xb_sandbox_io *io,
			     struct xb_sandbox **ret)
{
	struct xb_sandbox *sandbox = NULL;
	int r;

	if (!step_ahead || !xb_sandbox_can_begin(&s->spec) || s->spec.argv.len == 0 ||
	    (s->spec.binfmt.len > 0 && !s->spec.private_userns))
		return xb_sandbox_start(&s->spec, io, ret, &s->err);
	r = xb_sandbox_begin(&s->spec, &sandbox, &s->err);
	if (r >= 0 && xb_sandbox_go(sandbox, &s->spec, io, NULL) < 0) {
		/* it has failed already, as the whole step is going to */
		xb_sandbox_free(sandbox);
		return xb_sandbox_start(&s->spec, io, ret, &s->err);
	}
	if (r >= 0)
		*ret = sandbox;
	return r;
}

/** Run it to its end; returns xb_sandbox_wait()'s value, the rest is in `s`. */
static inline int step_run(struct step *s)
{
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	xb_auto_fd int out = xb_memfd_new("output", NULL);
	struct xb_sandbox_io io = { -1, out, out };
	int r;

	xb_error_clear(&s->err);
	xb_str_reset(&s->output);
	r = step_start(s, &io, &sandbox);
	if (r >= 0)
		r = xb_sandbox_wait(sandbox, &s->result, &s->err);
	(void)lseek(out, 0, SEEK_SET);
	assert_int_equal(xb_file_read_fd(out, &s->output, NULL), 0);
	return r;
}

/** Run a shell script that must come to its end; returns its exit code. */
static inline int step_sh(struct step *s, const char *script)
{
	step_argv(s, (const char *[]){ "/bin/sh", "-c", script, NULL });
	if (step_run(s) < 0)
		fail_msg("%s", s->err.message);
	return s->result.exit_code;
}

/** Fail unless the output is exactly this. */
static inline void step_said(const struct step *s, const char *text)
{
	assert_string_equal(xb_str_text(&s->output), text);
}

/** Whether the output holds `text`. */
static inline bool step_says(const struct step *s, const char *text)
{
	return strstr(xb_str_text(&s->output), text) != NULL;
}

/** Fail unless the last run failed with `r` and a sentence that holds `text`. */
static inline void step_failed(const struct step *s, int got, int r, const char *text)
{
	assert_int_equal(got, r);
	if (strstr(s->err.message, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", s->err.message, text);
}

/** Show a path of the machine in the step, read-only. */
static inline void step_add_bind(struct step *s, const char *source, const char *target)
{
	struct xb_sandbox_mount *m = xb_sandbox_spec_mount(&s->spec, XB_SANDBOX_BIND, target);

	m->source = xb_strdup(source);
	m->read_only = true;
}

/** Show this test program as /probe, with the libraries it needs. */
static inline void step_add_self(struct step *s)
{
	static const char *const libraries[] = { "/usr", "/lib", "/lib64" };
	xb_autofree char *self = realpath("/proc/self/exe", NULL);

	step_add_bind(s, self, "/probe");
	for (size_t i = 0; i < XB_COUNT(libraries); i++) {
		if (access(libraries[i], F_OK) == 0)
			step_add_bind(s, libraries[i], libraries[i]);
	}
}

/** Run the tests twice: with steps that are started whole, and with steps begun ahead. */
#define step_run_both(tests)                                                                       \
	(cmocka_run_group_tests_name("started", tests, step_group_setup, step_group_teardown) +    \
	 (step_ahead = true,                                                                       \
	  cmocka_run_group_tests_name("ahead", tests, step_group_setup, step_group_teardown)))

/** How many names "fs", where the step's changes go, holds. */
static inline size_t step_changes(void)
{
	DIR *dir = opendir(scratch_path("fs"));
	struct dirent *e;
	size_t count = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL)
		count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	(void)closedir(dir);
	return count;
}

/** A whole file of the machine, for comparisons. */
static inline char *step_read(const char *path)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_file_read(path, &text, NULL), 0);
	return xb_str_steal(&text);
}

/** How many processes of the machine have `marker` in their command line. */
static inline int step_count_processes(const char *marker)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	int count = 0;

	while ((e = readdir(proc)) != NULL) {
		xb_autofree char *path = xb_format("/proc/%s/cmdline", e->d_name);
		xb_auto_str struct xb_str line = XB_STR_INIT(1 << 20);

		if (e->d_name[0] < '0' || e->d_name[0] > '9' || xb_file_read(path, &line, NULL) < 0)
			continue;
		count +=
			line.len > 0 && memmem(line.data, line.len, marker, strlen(marker)) != NULL;
	}
	(void)closedir(proc);
	return count;
}

#endif
