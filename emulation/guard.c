/* SPDX-License-Identifier: Apache-2.0 */
#include "emulation/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "emulation/binfmt.h"

void xb_guard_mark(unsigned char *ident)
{
	ident[XB_BINFMT_MARK_AT] |= XB_BINFMT_MARK;
}

/* Machines whose kernel runs programs of another ELF machine too. Those of the same machine with
 * the other class (x32, 32-bit MIPS, RISC-V and s390) go with the machine itself. */
static const struct {
	const char *host;
	const char *also;
} relatives[] = {
	{ "amd64", "386" },
	{ "arm64", "arm" },
};

static int add_line(const struct xb_arch *arch, bool any_class, const char *handler,
		    struct xb_strv *lines, struct xb_error *err)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *name = xb_format("xbuild-guard-%s", arch->name);
	int r = xb_binfmt_guard_line(arch, any_class, name, handler, &line, err);

	if (r == 0)
		xb_strv_push(lines, xb_str_text(&line));
	return r;
}

int xb_guard_lines(const struct xb_arch *host, const struct xb_arch *target, const char *handler,
		   struct xb_strv *lines, struct xb_error *err)
{
	int r = 0;

	if (!xb_arch_same_elf(host, target))
		r = add_line(host, host->elf_machine != target->elf_machine, handler, lines, err);
	for (size_t i = 0; r == 0 && i < XB_COUNT(relatives); i++) {
		struct xb_platform p = { .os = "linux" };
		const struct xb_arch *also;

		if (strcmp(relatives[i].host, host->name) != 0)
			continue;
		(void)snprintf(p.arch, sizeof(p.arch), "%s", relatives[i].also);
		also = xb_arch_of_platform(&p);
		if (also->elf_machine != target->elf_machine)
			r = add_line(also, false, handler, lines, err);
	}
	return r;
}

/* ---- copies ---------------------------------------------------------------------------------- */

struct carried {
	char *path;
	struct stat st; /* of the file when it was copied */
	int fd;
};

static struct {
	pthread_mutex_t lock; /* guards all of `list` */
	struct carried_list XB_ARRAY(struct carried) list;
} copies = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool same_file(const struct carried *c, const char *path, const struct stat *st)
{
	return strcmp(c->path, path) == 0 && c->st.st_dev == st->st_dev &&
	       c->st.st_ino == st->st_ino && c->st.st_size == st->st_size &&
	       c->st.st_mtim.tv_sec == st->st_mtim.tv_sec &&
	       c->st.st_mtim.tv_nsec == st->st_mtim.tv_nsec;
}

static int copy_bytes(int from, int to, off_t size)
{
	off_t at = 0;

	while (at < size) {
		ssize_t n = sendfile(to, from, &at, (size_t)(size - at));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO; /* it got shorter meanwhile */
	}
	return 0;
}

static int set_mark(int fd)
{
	unsigned char ident[EI_NIDENT];

	if (pread(fd, ident, sizeof(ident), 0) != sizeof(ident) ||
	    memcmp(ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	xb_guard_mark(ident);
	return pwrite(fd, ident, sizeof(ident), 0) == sizeof(ident) ? 0 : -EIO;
}

static int copy_marked(int from, const char *path, const struct stat *st, struct xb_error *err)
{
	xb_auto_fd int fd = xb_memfd_new("xbuild-emulator", err);
	int r = fd < 0 ? fd : copy_bytes(from, fd, st->st_size);

	if (fd < 0)
		return fd;
	if (r == 0)
		r = set_mark(fd);
	if (r < 0)
		return xb_error_errno(err, r, "copying the emulator %s", path);
	r = xb_memfd_seal(fd, err);
	return r < 0 ? r : XB_STEAL_FD(fd);
}

/* The caller holds the lock. */
static int carry(const char *path, struct xb_error *err)
{
	xb_auto_fd int from = open(path, O_RDONLY | O_CLOEXEC);
	struct carried *entry;
	struct stat st;
	int fd;

	if (from < 0 || fstat(from, &st) < 0)
		return xb_error_errno(err, -errno, "emulator %s", path);
	for (size_t i = 0; i < copies.list.len; i++) {
		if (same_file(&copies.list.items[i], path, &st))
			return copies.list.items[i].fd;
	}
	fd = copy_marked(from, path, &st, err);
	if (fd < 0)
		return fd;
	entry = xb_array_push(&copies.list);
	*entry = (struct carried){ .path = xb_strdup(path), .st = st, .fd = fd };
	return fd;
}

int xb_guard_carry(const char *path, struct xb_error *err)
{
	int fd;

	(void)pthread_mutex_lock(&copies.lock);
	fd = carry(path, err);
	(void)pthread_mutex_unlock(&copies.lock);
	return fd;
}
