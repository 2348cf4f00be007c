/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git_child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/confine.h"

#define CANNOT_RUN 127

/* What the arguments say. */
struct orders {
	struct xb_strv writable;
	struct xb_strv readable;
	const char *dir;
	uint64_t file_size;
	char *const *program; /* NULL until "--" */
};

static void orders_clear(struct orders *o)
{
	xb_strv_clear(&o->writable);
	xb_strv_clear(&o->readable);
}

bool xb_git_child_wanted(const char *argv0)
{
	return argv0 != NULL && strcmp(argv0, XB_GIT_NAME) == 0;
}

static int wrong(struct xb_error *err)
{
	return xb_error_set(err, -EINVAL, "this command is xbuild's own");
}

static int take(struct orders *o, const char *name, const char *value, struct xb_error *err)
{
	if (strcmp(name, "-w") == 0)
		xb_strv_push(&o->writable, value);
	else if (strcmp(name, "-r") == 0)
		xb_strv_push(&o->readable, value);
	else if (strcmp(name, "-C") == 0)
		o->dir = value;
	else if (strcmp(name, "-s") != 0 ||
		 xb_view_parse_u64(xb_view(value), UINT64_MAX, &o->file_size) < 0)
		return wrong(err);
	return 0;
}

static int read_orders(struct orders *o, int argc, char *const *argv, struct xb_error *err)
{
	int r;

	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "--") == 0) {
			o->program = argv + i + 1;
			break;
		}
		if (i + 1 >= argc)
			return wrong(err);
		r = take(o, argv[i], argv[i + 1], err);
		if (r < 0)
			return r;
	}
	return o->program != NULL && o->program[0] != NULL ? 0 : wrong(err);
}

static int become(const struct orders *o, struct xb_error *err)
{
	const struct xb_confine_program walls = {
		.writable = (const char *const *)xb_strv_argv(&o->writable),
		.readable = (const char *const *)xb_strv_argv(&o->readable),
		.file_size = o->file_size,
	};
	int r;

	if (o->dir != NULL && chdir(o->dir) < 0)
		return xb_error_errno(err, -errno, "entering %s", o->dir);
	r = xb_confine_program(&walls, err);
	if (r < 0)
		return r;
	/* a builder that was killed wants no more of it */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)umask(022);
	(void)execv(o->program[0], o->program);
	return xb_error_errno(err, -errno, "executing %s", o->program[0]);
}

int xb_git_child_main(int argc, char *const *argv)
{
	XB_CLEANUP(orders_clear) struct orders o = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r = read_orders(&o, argc, argv, &err);

	if (r == 0)
		r = become(&o, &err);
	if (r < 0)
		(void)fprintf(stderr, "%s\n", err.message);
	return CANNOT_RUN;
}
