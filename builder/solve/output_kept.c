/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/output_kept.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

/* Bytes of what is remembered of one file: a line of numbers. */
#define MOST_TEXT 1024

/* What is remembered has a name made of its place: the directory, by what it is, and the name. */
static bool name_of(const char *dest, char ret[32])
{
	const char *slash = strrchr(dest, '/');
	size_t len = slash != NULL ? (size_t)(slash - dest) + 1 : 0;
	xb_autofree char *dir = len > 0 ? xb_format("%.*s", (int)len, dest) : xb_strdup(".");
	xb_auto_hasher struct xb_hasher *h = NULL;
	struct xb_digest digest;
	struct stat st;

	if (stat(dir, &st) < 0)
		return false;
	h = xb_hasher_new();
	xb_hasher_field(h, XB_VIEW("output"));
	xb_hasher_number(h, st.st_dev);
	xb_hasher_number(h, st.st_ino);
	xb_hasher_field(h, xb_view(dest + len));
	digest = xb_hasher_finish(h);
	memcpy(ret, xb_digest_hex(&digest), 31);
	ret[31] = '\0';
	return true;
}

/* Data may be lost with the machine's power where times are not: a boot is part of the state. */
static bool append_boot(struct xb_str *text)
{
	xb_auto_str struct xb_str boot = XB_STR_INIT(128);

	if (xb_file_read("/proc/sys/kernel/random/boot_id", &boot, NULL) < 0)
		return false;
	xb_str_append_view(text, xb_view_trim(xb_str_view(&boot)));
	return boot.len > 0;
}

/* What must not have changed, as text; false for a file that is not as we would make it. */
static bool describe(int fd, const struct xb_digest *content, struct xb_str *ret)
{
	struct statx st;

	/* a file system of elsewhere shall ask again */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st) < 0 ||
	    (st.stx_mask & STATX_BASIC_STATS) != STATX_BASIC_STATS || !S_ISREG(st.stx_mode) ||
	    st.stx_nlink != 1 || st.stx_uid != geteuid())
		return false;
	xb_str_printf(ret, "xbuild output 1 %s %u:%u %llu %llu %o %u:%u %lld.%09u %lld.%09u ",
		      content->text, st.stx_dev_major, st.stx_dev_minor,
		      (unsigned long long)st.stx_ino, (unsigned long long)st.stx_size, st.stx_mode,
		      st.stx_uid, st.stx_gid, (long long)st.stx_mtime.tv_sec, st.stx_mtime.tv_nsec,
		      (long long)st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec);
	/* a file system that keeps no such time would not show a change within its tick */
	return st.stx_mtime.tv_nsec % 1000 != 0 && append_boot(ret);
}

void xb_output_date(int fd)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &now);
	/*
	 * The kernel dates what is written by the tick of its clock, or later than now; this is a
	 * moment in between, and so that describe() can tell that all of it was kept.
	 */
	now.tv_nsec -= now.tv_nsec % 1000;
	now.tv_nsec += 1 + getpid() % 998;
	(void)futimens(fd, (const struct timespec[]){ now, now });
}

void xb_output_remember(int dirfd, const char *dest, int fd, const struct xb_digest *content)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(MOST_TEXT);
	char name[32];

	if (name_of(dest, name) && describe(fd, content, &text) && !xb_str_overflowed(&text))
		(void)xb_file_replace_at(dirfd, name, text.data, text.len, false, NULL);
}

static bool is_remembered(int dirfd, const char *name, int fd, const struct xb_digest *content)
{
	xb_auto_str struct xb_str known = XB_STR_INIT(MOST_TEXT);
	xb_auto_str struct xb_str found = XB_STR_INIT(MOST_TEXT);

	return xb_file_read_at(dirfd, name, &known, NULL) >= 0 && describe(fd, content, &found) &&
	       xb_view_eq(xb_str_view(&known), xb_str_view(&found));
}

/*
 * A lease is had only while nobody has the file open for writing, and whoever opens it so waits
 * until it is given back: nothing is written between looking at the file and dating it. The signal
 * that tells of the waiting is one that does nothing.
 */
static bool take_lease(int fd)
{
	return fcntl(fd, F_SETSIG, SIGURG) == 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
}

bool xb_output_kept(int dirfd, const char *dest, const struct xb_digest *content)
{
	xb_auto_fd int fd = -1;
	struct stat st;
	char name[32];

	/* opening some devices does something */
	if (!name_of(dest, name) || lstat(dest, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	fd = open(dest, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !take_lease(fd) || !is_remembered(dirfd, name, fd, content))
		return false;
	xb_output_date(fd);
	xb_output_remember(dirfd, dest, fd, content);
	return true;
}
