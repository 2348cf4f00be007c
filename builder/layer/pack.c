/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "base/owner.h"
#include "base/str.h"
#include "builder/layer/inodes.h"
#include "builder/layer/sink.h"
#include "builder/layer/tarwrite.h"
#include "builder/layer/walk.h"
#include "builder/layer/whiteout.h"
#include "builder/layer/xattrs.h"

/* What is read of a tar at once. */
#define POUR_BYTES ((size_t)256 << 10)

/* A directory of a graft; it has no entry before something in it has one, or it is wanted itself.
 */
struct pending {
	char *path; /* in the tar */
	struct stat st;
};

/* A packing under way. */
struct packer {
	struct xb_sink *sink;
	struct xb_walk *walk;
	int64_t epoch;
	bool translate;		 /* overlay's marks become whiteouts */
	const char *directory;	 /* around the tree, or NULL */
	struct xb_str path;	 /* of the entry at hand, with that directory */
	struct xb_str header;	 /* scratch */
	struct xb_str name;	 /* scratch */
	struct xb_inodes inodes; /* files with several names: index into `paths` */
	struct xb_strv paths;
	uint64_t entries;
	const struct xb_pack_graft *graft; /* NULL: none */
	struct stat place;		   /* of it */
	bool odd;			   /* the graft cannot be packed without being copied */
	struct XB_ARRAY(struct pending) pending;
	size_t shown; /* how many of `pending` have their entry */
};

static void pop_pending(struct packer *p)
{
	free(p->pending.items[--p->pending.len].path);
	if (p->shown > p->pending.len)
		p->shown = p->pending.len;
}

static void packer_clear(struct packer *p)
{
	while (p->pending.len > 0)
		pop_pending(p);
	xb_array_clear(&p->pending);
	xb_sink_free(p->sink);
	xb_walk_free(p->walk);
	xb_str_clear(&p->path);
	xb_str_clear(&p->header);
	xb_str_clear(&p->name);
	xb_inodes_clear(&p->inodes);
	xb_strv_clear(&p->paths);
}

static int put(struct packer *p, const struct xb_tar_entry *entry, struct xb_error *err)
{
	int r;

	xb_str_reset(&p->header);
	xb_tar_header(&p->header, entry);
	if (xb_str_overflowed(&p->header))
		return xb_error_set(err, -EFBIG, "a header of more than %zu bytes", p->header.max);
	p->entries++;
	r = xb_sink_entry(p->sink, xb_view(entry->name), entry->size, err);
	return r < 0 ? r : xb_sink_write(p->sink, p->header.data, p->header.len, err);
}

/* An empty file that says to a reader what is gone: "DIR/.wh.NAME". Its other fields have no
 * meaning, and those of overlay's own marks depend on when they were made. */
static int put_mark(struct packer *p, struct xb_view dir, const char *name, struct xb_error *err)
{
	xb_str_reset(&p->name);
	xb_str_append_view(&p->name, dir);
	xb_str_printf(&p->name, ".wh.%s", name);
	return put(p, &(struct xb_tar_entry){ .name = xb_str_text(&p->name), .type = XB_TAR_FILE },
		   err);
}

/* What tar has in common with a file's status. */
static struct xb_tar_entry entry_of(const struct packer *p, const struct xb_walk_entry *e)
{
	struct xb_tar_entry entry = {
		.name = xb_str_text(&p->path),
		.mode = e->st.st_mode & 07777,
		.uid = e->st.st_uid,
		.gid = e->st.st_gid,
		.mtime = e->st.st_mtim.tv_sec,
	};

	if (p->epoch >= 0 && entry.mtime > p->epoch)
		entry.mtime = p->epoch;
	return entry;
}

static int pack_directory(struct packer *p, const struct xb_walk_entry *e, struct xb_error *err)
{
	xb_auto_xattrs struct xb_xattrs xattrs = { 0 };
	struct xb_tar_entry entry = entry_of(p, e);
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
	int r;

	xb_str_printf(&name, "%s/", xb_str_text(&p->path));
	r = xb_walk_enter(p->walk, err);
	if (r >= 0)
		r = xb_xattrs_read(xb_walk_dirfd(p->walk), "", &xattrs, err);
	if (r < 0)
		return r;

	entry.name = xb_str_text(&name);
	entry.type = XB_TAR_DIRECTORY;
	entry.xattrs = &xattrs;
	r = put(p, &entry, err);
	if (r >= 0 && p->translate && xb_whiteout_is_opaque(xb_walk_dirfd(p->walk)))
		r = put_mark(p, xb_str_view(&name), ".wh..opq", err);
	return r;
}

static int pack_file(struct packer *p, const struct xb_walk_entry *e, struct xb_error *err)
{
	/* the type is known; not to block is for what might take its place */
	xb_auto_fd int fd =
		openat(e->dirfd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	xb_auto_xattrs struct xb_xattrs xattrs = { 0 };
	struct xb_tar_entry entry = entry_of(p, e);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "opening %s", e->path);
	if (!S_ISREG(st.st_mode) || st.st_size != e->st.st_size)
		return xb_error_set(err, -EILSEQ, "%s changed while it was read", e->path);
	r = xb_xattrs_read(fd, "", &xattrs, err);
	if (r < 0)
		return r;

	entry.type = XB_TAR_FILE;
	entry.size = (uint64_t)st.st_size;
	entry.xattrs = &xattrs;
	r = put(p, &entry, err);
	return r < 0 ? r : xb_sink_file(p->sink, fd, entry.size, err);
}

static int pack_symlink(struct packer *p, const struct xb_walk_entry *e, struct xb_error *err)
{
	xb_auto_xattrs struct xb_xattrs xattrs = { 0 };
	struct xb_tar_entry entry = entry_of(p, e);
	char target[PATH_MAX + 1];
	ssize_t n = readlinkat(e->dirfd, e->name, target, PATH_MAX);
	int r;

	if (n < 0)
		return xb_error_errno(err, -errno, "reading link %s", e->path);
	target[n] = '\0';
	r = xb_xattrs_read(e->dirfd, e->name, &xattrs, err);
	if (r < 0)
		return r;
	entry.type = XB_TAR_SYMLINK;
	entry.link = target;
	entry.mode = 0777;
	entry.xattrs = &xattrs;
	return put(p, &entry, err);
}

static int pack_special(struct packer *p, const struct xb_walk_entry *e, struct xb_error *err)
{
	xb_auto_xattrs struct xb_xattrs xattrs = { 0 };
	struct xb_tar_entry entry = entry_of(p, e);
	int r = xb_xattrs_read(e->dirfd, e->name, &xattrs, err);

	if (r < 0)
		return r;
	entry.type = S_ISFIFO(e->st.st_mode)  ? XB_TAR_FIFO
		     : S_ISCHR(e->st.st_mode) ? XB_TAR_CHARDEV
					      : XB_TAR_BLOCKDEV;
	if (entry.type != XB_TAR_FIFO) {
		entry.device_major = major(e->st.st_rdev);
		entry.device_minor = minor(e->st.st_rdev);
	}
	entry.xattrs = &xattrs;
	return put(p, &entry, err);
}

/* The name under which a file with several names was packed before, or NULL: it is new. */
static const char *earlier_name(struct packer *p, const struct xb_walk_entry *e)
{
	size_t index;

	if (e->st.st_nlink < 2)
		return NULL;
	index = xb_inodes_get(&p->inodes, &e->st);
	if (index != XB_INODES_NONE)
		return p->paths.items[index];
	xb_inodes_set(&p->inodes, &e->st, p->paths.len);
	xb_strv_push(&p->paths, xb_str_text(&p->path));
	return NULL;
}

static int pack_leaf(struct packer *p, const struct xb_walk_entry *e, struct xb_error *err)
{
	const char *earlier = earlier_name(p, e);
	struct xb_tar_entry entry;

	if (earlier != NULL) {
		entry = entry_of(p, e);
		entry.type = XB_TAR_HARDLINK;
		entry.link = earlier;
		return put(p, &entry, err);
	}
	if (S_ISREG(e->st.st_mode))
		return pack_file(p, e, err);
	if (S_ISLNK(e->st.st_mode))
		return pack_symlink(p, e, err);
	return pack_special(p, e, err);
}

static int refuse_reserved(const struct xb_walk_entry *e, struct xb_error *err)
{
	xb_error_set(err, -EINVAL,
		     "%s cannot be kept in a layer: names that begin with .wh. stand for "
		     "removed files there",
		     e->path);
	xb_error_hint(err, "remove or rename the file in the step that makes it");
	xb_error_fault(err, XB_FAULT_STEP);
	return -EINVAL;
}

/* What no tar has, and what is no file but a mark of the snapshot. */
static bool is_left_out(const struct packer *p, const struct xb_walk_entry *e)
{
	if (p->translate)
		return (S_ISSOCK(e->st.st_mode) && !xb_whiteout_is(&e->st)) ||
		       xb_whiteout_is_opaque_mark(e->dirfd, e->name);
	return S_ISSOCK(e->st.st_mode);
}

static int pack_entry(struct packer *p, const struct xb_walk_entry *e, struct xb_error *err)
{
	struct xb_view dir = { e->path, (size_t)(e->name - e->path) };

	if (is_left_out(p, e))
		return 0;
	xb_str_reset(&p->path);
	if (p->directory != NULL)
		xb_str_printf(&p->path, "%s/", p->directory);
	xb_str_puts(&p->path, e->path);
	if (p->translate && xb_whiteout_is(&e->st))
		return put_mark(p, dir, e->name, err);
	if (p->translate && strncmp(e->name, ".wh.", 4) == 0)
		return refuse_reserved(e, err);
	if (S_ISDIR(e->st.st_mode))
		return pack_directory(p, e, err);
	return pack_leaf(p, e, err);
}

/* ---- grafts --------------------------------------------------------------------------------- */

/* Whoever asked has to copy first; that is no error. */
static int be_odd(struct packer *p)
{
	p->odd = true;
	return -ENOTSUP;
}

static enum xb_copy_verdict ask(struct packer *p, const char *below, bool is_dir)
{
	const struct xb_copy_options *how = p->graft->how;

	if (how->filter == NULL)
		return XB_COPY_TAKE;
	xb_str_reset(&p->name);
	xb_str_puts(&p->name, p->graft->path);
	if (below[0] != '\0' && p->name.len > 0)
		xb_str_putc(&p->name, '/');
	xb_str_puts(&p->name, below);
	return how->filter(how->context, xb_str_text(&p->name), below, is_dir);
}

/* The entries of the directories around what is packed next. */
static int show_pending(struct packer *p, struct xb_error *err)
{
	int r = 0;

	for (; r >= 0 && p->shown < p->pending.len; p->shown++) {
		const struct pending *dir = &p->pending.items[p->shown];
		const struct xb_walk_entry e = { .st = dir->st };
		struct xb_tar_entry entry = entry_of(p, &e);

		entry.name = dir->path;
		entry.type = XB_TAR_DIRECTORY;
		r = put(p, &entry, err);
	}
	return r;
}

static int graft_directory(struct packer *p, const struct xb_walk_entry *e,
			   enum xb_copy_verdict verdict, struct xb_error *err)
{
	xb_auto_xattrs struct xb_xattrs xattrs = { 0 };

	*xb_array_push(&p->pending) = (struct pending){
		.path = xb_format("%s/", xb_str_text(&p->path)),
		.st = e->st,
	};
	if (xb_walk_enter(p->walk, NULL) < 0 ||
	    xb_xattrs_read(xb_walk_dirfd(p->walk), "", &xattrs, NULL) < 0 || xattrs.len > 0)
		return be_odd(p);
	return verdict == XB_COPY_TAKE ? show_pending(p, err) : 0;
}

static bool is_as_before(int fd, const struct stat *before)
{
	struct stat now;

	return fstat(fd, &now) == 0 && now.st_size == before->st_size &&
	       now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == before->st_mtim.tv_nsec &&
	       now.st_ctim.tv_sec == before->st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == before->st_ctim.tv_nsec;
}

static int graft_file(struct packer *p, const struct xb_walk_entry *e, struct xb_error *err)
{
	xb_auto_fd int fd =
		openat(e->dirfd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	xb_auto_xattrs struct xb_xattrs xattrs = { 0 };
	struct xb_walk_entry opened = *e;
	struct xb_tar_entry entry;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != e->st.st_ino ||
	    xb_xattrs_read(fd, "", &xattrs, NULL) < 0 || xattrs.len > 0)
		return be_odd(p);
	opened.st = st;
	xb_copy_status(p->graft->how, &opened.st);
	entry = entry_of(p, &opened);
	entry.type = XB_TAR_FILE;
	entry.size = (uint64_t)st.st_size;
	r = put(p, &entry, &cause);
	if (r >= 0)
		r = xb_sink_file(p->sink, fd, entry.size, &cause);
	if (r == -EILSEQ || (r >= 0 && !is_as_before(fd, &st)))
		return be_odd(p);
	if (r < 0)
		xb_error_move(err, &cause);
	return r;
}

static int graft_leaf(struct packer *p, const struct xb_walk_entry *e, struct xb_error *err)
{
	const char *earlier;
	struct xb_tar_entry entry;
	int r = show_pending(p, err);

	if (r < 0)
		return r;
	earlier = earlier_name(p, e);
	if (earlier != NULL) {
		entry = entry_of(p, e);
		entry.type = XB_TAR_HARDLINK;
		entry.link = earlier;
		return put(p, &entry, err);
	}
	return S_ISREG(e->st.st_mode) ? graft_file(p, e, err) : pack_symlink(p, e, err);
}

static int graft_entry(struct packer *p, const char *around, const struct xb_walk_entry *e,
		       struct xb_error *err)
{
	bool is_dir = S_ISDIR(e->st.st_mode);
	enum xb_copy_verdict verdict = ask(p, e->path, is_dir);
	struct xb_walk_entry copy = *e;

	if (verdict == XB_COPY_SKIP || (verdict != XB_COPY_TAKE && !is_dir))
		return 0;
	if ((!is_dir && !S_ISREG(e->st.st_mode) && !S_ISLNK(e->st.st_mode)) ||
	    strncmp(e->name, ".wh.", 4) == 0)
		return be_odd(p);
	xb_str_reset(&p->path);
	xb_str_printf(&p->path, "%s%s", around, e->path);
	xb_copy_status(p->graft->how, &copy.st);
	return is_dir ? graft_directory(p, &copy, verdict, err) : graft_leaf(p, &copy, err);
}

/* Returns 1. */
static int graft_event(struct packer *p, const char *around, const struct xb_walk_entry *e,
		       struct xb_error *err)
{
	int r = 0;

	if (e->event == XB_WALK_LEAVE)
		pop_pending(p);
	else
		r = graft_entry(p, around, e, err);
	return r < 0 ? r : 1;
}

/* The contents of the graft, below `around` ("" or with a slash at its end). */
static int pack_graft(struct packer *p, const char *around, struct xb_error *err)
{
	struct xb_walk *walk = p->walk;
	uint64_t before = p->entries;
	struct xb_walk_entry e;
	int r;

	p->walk = NULL;
	r = xb_walk_new(p->graft->source, &p->walk, NULL);
	/* where the walk itself fails, copying will say why */
	r = r < 0 ? be_odd(p) : 1;
	while (r > 0) {
		r = xb_walk_next(p->walk, &e, NULL);
		if (r < 0)
			r = be_odd(p);
		else if (r > 0)
			r = graft_event(p, around, &e, err);
	}
	xb_walk_free(p->walk);
	p->walk = walk;
	return r == 0 && p->entries == before ? be_odd(p) : r;
}

static bool is_place(const struct packer *p, const struct stat *st)
{
	return p->graft != NULL && st->st_dev == p->place.st_dev && st->st_ino == p->place.st_ino;
}

static int pack_or_graft(struct packer *p, const struct xb_walk_entry *e, struct xb_error *err)
{
	xb_autofree char *around =
		S_ISDIR(e->st.st_mode) && is_place(p, &e->st) ? xb_format("%s/", e->path) : NULL;
	int r = pack_entry(p, e, err);

	return r >= 0 && around != NULL ? pack_graft(p, around, err) : r;
}

static int put_directory(struct packer *p, struct xb_error *err)
{
	xb_autofree char *name = xb_format("%s/", p->directory);

	return put(
		p,
		&(struct xb_tar_entry){
			.name = name, .type = XB_TAR_DIRECTORY, .mode = 0755, .mtime = p->epoch },
		err);
}

static int pack_tree(struct packer *p, const struct xb_pack_tree *tree, struct xb_error *err)
{
	struct xb_walk_entry e;
	int r;

	/* no names in common with the tree before */
	xb_inodes_clear(&p->inodes);
	xb_strv_clear(&p->paths);
	xb_walk_free(p->walk);
	p->walk = NULL;
	p->directory = tree->directory;
	r = tree->directory != NULL ? put_directory(p, err) : 0;
	if (r >= 0)
		r = xb_walk_new(tree->fd, &p->walk, err);
	while (r >= 0 && (r = xb_walk_next(p->walk, &e, err)) > 0)
		if (e.event == XB_WALK_ENTRY)
			r = pack_or_graft(p, &e, err);
	return r;
}

/* The contents of the tree's root may be the graft's. */
static int begin_graft(struct packer *p, const struct xb_pack_tree *upper, struct xb_error *err)
{
	struct stat st;

	if (p->graft == NULL)
		return 0;
	if (xb_owner_stat(p->graft->place, "", &p->place) < 0 || fstat(upper->fd, &st) < 0)
		return xb_error_errno(err, -errno, "looking at the place of a copy");
	return is_place(p, &st) ? pack_graft(p, "", err) : 0;
}

static int pack(const struct xb_pack_tree *trees, size_t count, bool translate,
		const struct xb_pack_graft *graft, const struct xb_pack_options *options,
		int out_fd, struct xb_layer_info *ret, struct xb_error *err)
{
	XB_CLEANUP(packer_clear)
	struct packer p = {
		.epoch = options->epoch,
		.translate = translate,
		.graft = graft,
		.path = XB_STR_INIT(XB_STR_OWN),
		.header = XB_STR_INIT(XB_STR_OWN),
		.name = XB_STR_INIT(XB_STR_OWN),
	};
	struct xb_layer_info info = { 0 };
	int r = xb_sink_new(options, out_fd, &p.sink, err);

	if (r >= 0)
		r = begin_graft(&p, trees, err);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = pack_tree(&p, &trees[i], err);
	/* a tar ends with two blocks of zeros */
	if (r >= 0)
		r = xb_sink_zeros(p.sink, (uint64_t)2 * XB_TAR_BLOCK, err);
	if (r >= 0)
		r = xb_sink_finish(p.sink, &info, err);
	if (r < 0 && p.odd)
		return 1;
	if (r < 0) {
		xb_error_fault(err, XB_FAULT_STORE);
		return xb_error_wrap(err, r, "packing a layer");
	}
	info.entries = p.entries;
	*ret = info;
	return 0;
}

int xb_layer_pack(int upper_fd, const struct xb_pack_options *options, int out_fd,
		  struct xb_layer_info *ret, struct xb_error *err)
{
	const struct xb_pack_tree tree = { .fd = upper_fd };

	return pack(&tree, 1, true, NULL, options, out_fd, ret, err);
}

int xb_layer_pack_graft(int upper_fd, const struct xb_pack_graft *graft,
			const struct xb_pack_options *options, int out_fd,
			struct xb_layer_info *ret, struct xb_error *err)
{
	const struct xb_pack_tree tree = { .fd = upper_fd };

	return pack(&tree, 1, true, graft, options, out_fd, ret, err);
}

int xb_tree_pack(const struct xb_pack_tree *trees, size_t count,
		 const struct xb_pack_options *options, int out_fd, struct xb_layer_info *ret,
		 struct xb_error *err)
{
	return pack(trees, count, false, NULL, options, out_fd, ret, err);
}

/* All of a file into the sink. */
static int pour(struct xb_sink *sink, int fd, struct xb_error *err)
{
	xb_autofree char *buffer = xb_alloc(POUR_BYTES);
	ssize_t n;
	int r = 0;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return xb_error_errno(err, -errno, "going to the start of a layer");
	while (r >= 0 && (n = xb_read_full(fd, buffer, POUR_BYTES, err)) != 0)
		r = n < 0 ? (int)n : xb_sink_write(sink, buffer, (size_t)n, err);
	return r;
}

int xb_tar_pack(int tar_fd, const struct xb_pack_options *options, int out_fd,
		struct xb_layer_info *ret, struct xb_error *err)
{
	xb_auto_sink struct xb_sink *sink = NULL;
	struct xb_layer_info info = { 0 };
	int r = xb_sink_new(options, out_fd, &sink, err);

	if (r >= 0)
		r = pour(sink, tar_fd, err);
	if (r >= 0)
		r = xb_sink_finish(sink, &info, err);
	if (r < 0) {
		xb_error_fault(err, XB_FAULT_STORE);
		return xb_error_wrap(err, r, "compressing a layer");
	}
	*ret = info;
	return 0;
}
