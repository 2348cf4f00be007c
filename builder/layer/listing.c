/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "builder/layer/walk.h"

/* The file by which the file system's clock is read. */
#define TICK_NAME "tick"
/* How long to wait between two looks at that clock, and how often to look: two seconds and a bit,
 * the coarsest clock that there is. Longer only if it was set back, and then no time repeats. */
#define TICK_NS	   1000000L
#define MOST_TICKS 2500

/* A list being written. */
struct writer {
	FILE *file;
	struct timespec latest; /* of all ctimes */
};

static void close_file(FILE **file)
{
	if (*file != NULL)
		(void)fclose(*file);
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* A directory that was removed and made again often has the inode that it had. */
static void add_birth(int dirfd, const char *name, struct xb_listed *ret)
{
	struct statx stx;

	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BTIME, &stx) < 0 ||
	    (stx.stx_mask & STATX_BTIME) == 0)
		return;
	ret->born = stx.stx_btime.tv_sec;
	ret->born_ns = stx.stx_btime.tv_nsec;
}

void xb_listed_of(int dirfd, const char *name, const struct stat *st, struct xb_listed *ret)
{
	*ret = (struct xb_listed){
		.inode = st->st_ino,
		.changed = st->st_ctim.tv_sec,
		.changed_ns = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
	};
	if (S_ISDIR(st->st_mode))
		add_birth(dirfd, name, ret);
}

bool xb_listed_same(const struct xb_listed *a, const struct xb_listed *b)
{
	return a->inode == b->inode && (a->mode & S_IFMT) == (b->mode & S_IFMT) &&
	       a->born == b->born && a->born_ns == b->born_ns;
}

bool xb_listed_unchanged(const struct xb_listed *a, const struct xb_listed *b)
{
	return xb_listed_same(a, b) && a->mode == b->mode && a->changed == b->changed &&
	       a->changed_ns == b->changed_ns;
}

int xb_listing_order(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	/* what is in a directory comes before what follows the directory */
	if (*a == '/' || *b == '/')
		return *a == *b ? 0 : *a == '\0' ? -1 : *b == '\0' ? 1 : *a == '/' ? -1 : 1;
	return (int)(unsigned char)*a - (int)(unsigned char)*b;
}

static int put(struct writer *w, const struct xb_walk_entry *e, struct xb_error *err)
{
	struct xb_listed note;

	xb_listed_of(e->dirfd, e->name, &e->st, &note);
	note.path_len = (uint32_t)strlen(e->path);
	if (is_later(&e->st.st_ctim, &w->latest))
		w->latest = e->st.st_ctim;
	if (fwrite(&note, sizeof(note), 1, w->file) != 1 ||
	    fwrite(e->path, 1, note.path_len, w->file) != note.path_len)
		return xb_error_errno(err, -errno, "listing a tree");
	return 0;
}

static int put_all(struct writer *w, int tree, struct xb_error *err)
{
	xb_auto_walk struct xb_walk *walk = NULL;
	struct xb_walk_entry e;
	int r = xb_walk_new(tree, &walk, err);

	while (r >= 0 && (r = xb_walk_next(walk, &e, err)) > 0) {
		if (e.event != XB_WALK_ENTRY)
			continue;
		r = put(w, &e, err);
		if (r >= 0 && S_ISDIR(e.st.st_mode))
			r = xb_walk_enter(walk, err);
	}
	if (r >= 0 && (fflush(w->file) != 0 || xb_file_flush(fileno(w->file), NULL) < 0))
		r = xb_error_errno(err, -errno, "listing a tree");
	return r;
}

/* What changes from now on has a later time than anything in the list. */
static int await_tick(int dir, const struct timespec *latest, struct xb_error *err)
{
	static const struct timespec pause = { .tv_nsec = TICK_NS };
	xb_auto_fd int fd =
		openat(dir, TICK_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return xb_error_errno(err, -errno, "reading a file system's clock");
	for (int i = 0; i < MOST_TICKS; i++) {
		struct stat st;

		/* that sets its ctime */
		if (futimens(fd, NULL) < 0 || fstat(fd, &st) < 0)
			return xb_error_errno(err, -errno, "reading a file system's clock");
		if (is_later(&st.st_ctim, latest))
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int xb_listing_write(int tree, int dir, struct xb_error *err)
{
	XB_CLEANUP(close_file) FILE *file = NULL;
	struct writer w = { 0 };
	int fd = openat(dir, XB_LISTING_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return xb_error_errno(err, -errno, "listing a tree");
	file = fdopen(fd, "w");
	if (file == NULL) {
		r = -errno;
		close(fd);
		return xb_error_errno(err, r, "listing a tree");
	}
	w.file = file;
	r = put_all(&w, tree, err);
	return r < 0 ? r : await_tick(dir, &w.latest, err);
}

/* ---- reading ------------------------------------------------------------------------------ */

struct xb_listing {
	FILE *file;
	struct xb_str path;
};

int xb_listing_open(int dir, struct xb_listing **ret, struct xb_error *err)
{
	xb_auto_fd int fd = openat(dir, XB_LISTING_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	struct xb_listing *listing;

	if (file == NULL)
		return xb_error_errno(err, -errno, "reading the list of a tree");
	XB_STEAL_FD(fd);
	listing = xb_calloc(1, sizeof(*listing));
	*listing = (struct xb_listing){ .file = file, .path = XB_STR_INIT(XB_STR_OWN) };
	*ret = listing;
	return 0;
}

void xb_listing_free(struct xb_listing *listing)
{
	if (listing == NULL)
		return;
	(void)fclose(listing->file);
	xb_str_clear(&listing->path);
	free(listing);
}

static int read_path(struct xb_listing *listing, size_t len)
{
	xb_str_reset(&listing->path);
	while (len > 0) {
		char bytes[PATH_MAX];
		size_t n = len < sizeof(bytes) ? len : sizeof(bytes);

		if (fread(bytes, 1, n, listing->file) != n)
			return -EIO;
		(void)xb_str_append(&listing->path, bytes, n);
		len -= n;
	}
	return xb_str_overflowed(&listing->path) ? -ENAMETOOLONG : 0;
}

int xb_listing_next(struct xb_listing *listing, struct xb_listed *ret, const char **ret_path,
		    struct xb_error *err)
{
	size_t n = fread(ret, 1, sizeof(*ret), listing->file);
	int r;

	if (n == 0 && feof(listing->file) != 0)
		return 0;
	r = n == sizeof(*ret) ? read_path(listing, ret->path_len) : -EIO;
	if (r < 0)
		return xb_error_errno(err, r, "reading the list of a tree");
	*ret_path = xb_str_text(&listing->path);
	return 1;
}
