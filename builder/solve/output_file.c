/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "builder/solve/output_kept.h"

/* How often a pipe is looked at that has no reader, ms. */
#define READER_MS 20

void xb_output_file_clear(struct xb_output_file *file)
{
	if (file->named)
		(void)unlink(file->temporary);
	xb_cleanup_fd(&file->fd);
	free(file->path);
	free(file->temporary);
}

/* A file without a name leaves nothing when we are killed; not all file systems have it. */
static int open_beside(struct xb_output_file *file)
{
	const char *slash = strrchr(file->path, '/');
	size_t len = slash != NULL ? (size_t)(slash - file->path) + 1 : 0;
	xb_autofree char *dir = len > 0 ? xb_format("%.*s", (int)len, file->path) : xb_strdup(".");

	file->fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
	if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		file->named = file->fd >= 0;
	}
	return file->fd < 0 ? -errno : 0;
}

/* The kind of what a file cannot take the place of; 0: there is no such thing. */
static mode_t special_kind(const char *dest)
{
	struct stat st;

	return stat(dest, &st) == 0 && !S_ISREG(st.st_mode) ? st.st_mode & S_IFMT : 0;
}

/* Opened like any other file it would keep this thread until somebody reads: no signal ends that,
 * and nothing tells that a reader has come. */
static int open_pipe(struct xb_output_file *file, const char *dest, const atomic_bool *cancelled,
		     struct xb_error *err)
{
	int r = 0;

	while (r == 0) {
		file->fd = open(dest, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (file->fd >= 0 || errno != ENXIO)
			break;
		(void)poll(NULL, 0, READER_MS);
		r = xb_output_cancelled(cancelled, err);
	}
	if (r < 0)
		return r;
	/* a pipe that is full waits for its reader */
	return file->fd < 0 || fcntl(file->fd, F_SETFL, 0) < 0 ? -errno : 0;
}

static int open_new(struct xb_output_file *file, const char *dest)
{
	file->path = realpath(dest, NULL);
	if (file->path == NULL)
		file->path = xb_strdup(dest);
	file->temporary = xb_format("%s.%ld.partial", file->path, (long)getpid());
	return open_beside(file);
}

int xb_output_file_open(struct xb_output_file *file, const char *dest, const atomic_bool *cancelled,
			struct xb_error *err)
{
	mode_t kind = special_kind(dest);
	int r = 0;

	if (strcmp(dest, "-") == 0)
		file->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	else if (S_ISFIFO(kind))
		r = open_pipe(file, dest, cancelled, err);
	else if (kind != 0)
		file->fd = open(dest, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	else
		r = open_new(file, dest);
	if (r == 0 && file->fd < 0)
		r = -errno;
	if (r == -ECANCELED)
		return xb_error_wrap(err, r, "waiting for a reader of %s", dest);
	return r < 0 ? xb_error_errno(err, r, "creating %s", dest) : 0;
}

int xb_output_file_reserve(struct xb_output_file *file, uint64_t size, struct xb_error *err)
{
	int r;

	if (file->path == NULL)
		return 0;
	do
		r = fallocate(file->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 ? -errno : 0;
	while (r == -EINTR);
	/* where it cannot be done, writing will tell */
	if (r != -ENOSPC && r != -EDQUOT && r != -EFBIG)
		return 0;
	return xb_error_errno(err, r, "setting %llu bytes aside for %s", (unsigned long long)size,
			      file->path);
}

/* linkat() replaces nothing, rename() does: hence a name for a moment. */
static int give_name(struct xb_output_file *file)
{
	char self[32];

	if (file->named)
		return 0;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	file->named = true;
	return 0;
}

int xb_output_file_done(struct xb_output_file *file, struct xb_error *err)
{
	int r;

	if (file->path == NULL)
		return 0;
	xb_output_date(file->fd);
	/* not synced, as no tool's output is that can be made again */
	r = xb_file_flush(file->fd, NULL);
	if (r >= 0)
		r = give_name(file);
	if (r >= 0 && rename(file->temporary, file->path) < 0)
		r = -errno;
	if (r < 0)
		return xb_error_errno(err, r, "finishing %s", file->path);
	file->named = false;
	return 0;
}

int xb_output_cancelled(const atomic_bool *cancelled, struct xb_error *err)
{
	if (cancelled == NULL || !atomic_load(cancelled))
		return 0;
	(void)xb_error_set(err, -ECANCELED, "cancelled");
	return xb_error_fault(err, XB_FAULT_INTERRUPTED);
}
