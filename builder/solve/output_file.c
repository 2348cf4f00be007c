/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

void xb_output_file_clear(struct xb_output_file *file)
{
	if (file->temporary != NULL)
		(void)unlink(file->temporary);
	if (file->path != NULL)
		xb_cleanup_fd(&file->fd);
	free(file->path);
	free(file->temporary);
}

int xb_output_file_open(struct xb_output_file *file, const char *dest, struct xb_error *err)
{
	if (strcmp(dest, "-") == 0) {
		file->fd = STDOUT_FILENO;
		return 0;
	}
	file->path = xb_strdup(dest);
	file->temporary = xb_format("%s.%ld.partial", dest, (long)getpid());
	file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (file->fd < 0) {
		int r = -errno;

		free(file->temporary);
		file->temporary = NULL;
		return xb_error_errno(err, r, "creating %s", dest);
	}
	return 0;
}

int xb_output_file_done(struct xb_output_file *file, struct xb_error *err)
{
	if (file->path == NULL)
		return 0;
	/* not synced, as no tool's output is that can be made again */
	if (rename(file->temporary, file->path) < 0)
		return xb_error_errno(err, -errno, "finishing %s", file->path);
	free(file->temporary);
	file->temporary = NULL;
	return 0;
}

int xb_output_cancelled(const atomic_bool *cancelled, struct xb_error *err)
{
	if (cancelled == NULL || !atomic_load(cancelled))
		return 0;
	(void)xb_error_set(err, -ECANCELED, "cancelled");
	return xb_error_fault(err, XB_FAULT_INTERRUPTED);
}
