/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/tarfile.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/layer/tarwrite.h"
#include "builder/layer/unpack.h"

/* The start of the file `fd` to a pipe or file, `size` bytes. */
static int copy_file(int fd, uint64_t size, int out_fd, struct xb_error *err)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return xb_error_errno(err, -errno, "going to the start of a blob");
	return xb_copy_data(fd, out_fd, size, err);
}

static int write_member(const struct xb_tarfile_member *members, size_t index, int64_t mtime,
			int out_fd, struct xb_error *err)
{
	static const char zeros[XB_TAR_BLOCK];
	const struct xb_tarfile_member *m = &members[index];
	size_t len = strlen(m->name);
	bool directory = len > 0 && m->name[len - 1] == '/';
	xb_auto_str struct xb_str header = XB_STR_INIT(XB_STR_OWN);
	struct xb_tar_entry entry = {
		.name = m->name,
		.type = directory ? XB_TAR_DIRECTORY : XB_TAR_FILE,
		.mode = directory ? 0755 : 0644,
		.size = directory ? 0 : m->size,
		.mtime = mtime,
	};
	int r;

	if (m->link_to > 0) {
		if (m->link_to > index)
			return xb_error_set(err, -EINVAL, "a link to a later member");
		entry.type = XB_TAR_HARDLINK;
		entry.link = members[m->link_to - 1].name;
		entry.size = 0;
	}
	xb_tar_header(&header, &entry);
	r = xb_write_all(out_fd, header.data, header.len, err);
	if (r < 0 || entry.size == 0)
		return r;
	r = m->data != NULL ? xb_write_all(out_fd, m->data, m->size, err)
			    : copy_file(m->fd, m->size, out_fd, err);
	return r < 0 ? r : xb_write_all(out_fd, zeros, xb_tar_padding(entry.size), err);
}

int xb_tarfile_write(const struct xb_tarfile_member *members, size_t count, int64_t mtime,
		     int out_fd, const atomic_bool *cancelled, struct xb_error *err)
{
	static const char end[2 * XB_TAR_BLOCK];

	for (size_t i = 0; i < count; i++) {
		int r;

		if (cancelled != NULL && atomic_load(cancelled)) {
			(void)xb_error_set(err, -ECANCELED, "cancelled");
			return xb_error_fault(err, XB_FAULT_INTERRUPTED);
		}
		r = write_member(members, i, mtime, out_fd, err);
		if (r < 0)
			return xb_error_wrap(err, r, "writing %s into an archive", members[i].name);
	}
	return xb_write_all(out_fd, end, sizeof(end), err);
}

int xb_tarfile_extract(int fd, int dest_fd, struct xb_error *err)
{
	int r = xb_unpack_tarfile(fd, dest_fd, err);

	return r < 0 ? xb_error_wrap(err, r, "reading an archive") : 0;
}
