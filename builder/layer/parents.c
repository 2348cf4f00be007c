/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/parents.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/file.h"
#include "base/str.h"

static int open_quietly(int root_fd, const char *path, int flags)
{
	return xb_open_in_root(root_fd, path, flags | O_DIRECTORY, 0, NULL);
}

/* `path` and the directories above it that do not exist, the innermost first. */
static void list_missing(int root_fd, const char *path, struct xb_strv *missing)
{
	xb_autofree char *prefix = xb_strdup(path);

	for (;;) {
		char *slash;
		int fd = prefix[0] != '\0' ? open_quietly(root_fd, prefix, O_PATH) : 0;

		if (fd >= 0) {
			if (prefix[0] != '\0')
				close(fd);
			return;
		}
		xb_strv_push(missing, prefix);
		slash = strrchr(prefix, '/');
		prefix[slash != NULL ? slash - prefix : 0] = '\0';
	}
}

/* The inner ones first: to make one changes the time of the one around it. */
static void set_times(int root_fd, const struct xb_strv *made, int64_t epoch)
{
	struct timespec times[2] = { { .tv_sec = epoch }, { .tv_sec = epoch } };

	for (size_t i = 0; i < made->len; i++) {
		xb_auto_fd int fd = open_quietly(root_fd, made->items[i], O_RDONLY);

		if (fd >= 0)
			(void)futimens(fd, times);
	}
}

int xb_parents_make(int root_fd, const char *path, const struct xb_parents *options,
		    struct xb_error *err)
{
	xb_auto_strv struct xb_strv missing = XB_STRV_INIT;
	int fd;

	if (options->epoch >= 0)
		list_missing(root_fd, path, &missing);
	fd = xb_mkdir_in_root(root_fd, path, options->mode, options->uid, options->gid, err);
	if (fd >= 0)
		set_times(root_fd, &missing, options->epoch);
	return fd;
}
