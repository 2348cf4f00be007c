/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/file.h"
#include "base/owner.h"
#include "builder/layer/entry.h"
#include "builder/layer/hidden.h"
#include "builder/layer/inodes.h"
#include "builder/layer/prune.h"

/* More lines say nothing new. */
#define MAX_WARNINGS 20

/* A directory whose time is set once nothing more is made in it. */
struct late_time {
	char *path;
	struct timespec mtime;
};

struct xb_apply {
	struct xb_apply_options options;
	struct xb_str name;   /* the entry's, cleaned */
	struct xb_str link;   /* scratch */
	struct xb_str parent; /* path of `parent_fd`, which is -1 when not known */
	int parent_fd;
	struct xb_inodes written; /* what this layer made */
	struct xb_hidden hidden;  /* what it hides, alone */
	struct late_times XB_ARRAY(struct late_time) times;
	struct xb_strv warnings;
	uint64_t count;
	int64_t newest; /* time of a regular file, -1: none */
	uint64_t size;
};

/* The place where an entry goes. */
struct place {
	int dirfd;	  /* of its parent; borrowed */
	const char *name; /* its last component */
	bool exists;
	struct stat st; /* of what is there */
};

struct xb_apply *xb_apply_new(const struct xb_apply_options *options)
{
	struct xb_apply *a = xb_calloc(1, sizeof(*a));

	a->options = *options;
	a->name = XB_STR_INIT(XB_STR_OWN);
	a->link = XB_STR_INIT(XB_STR_OWN);
	a->parent = XB_STR_INIT(XB_STR_OWN);
	a->parent_fd = -1;
	a->newest = -1;
	return a;
}

void xb_apply_free(struct xb_apply *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->times.len; i++)
		free(a->times.items[i].path);
	xb_array_clear(&a->times);
	xb_str_clear(&a->name);
	xb_str_clear(&a->link);
	xb_str_clear(&a->parent);
	xb_cleanup_fd(&a->parent_fd);
	xb_inodes_clear(&a->written);
	xb_hidden_clear(&a->hidden);
	xb_strv_clear(&a->warnings);
	free(a);
}

uint64_t xb_apply_count(const struct xb_apply *a)
{
	return a->count;
}

int64_t xb_apply_newest(const struct xb_apply *a)
{
	return a->newest;
}

const struct xb_strv *xb_apply_warnings(const struct xb_apply *a)
{
	return &a->warnings;
}

const struct xb_strv *xb_apply_hidden(const struct xb_apply *a)
{
	return &a->hidden.paths;
}

__attribute__((format(printf, 2, 3))) static void warn(struct xb_apply *a, const char *format, ...)
{
	va_list args;

	if (a->warnings.len >= MAX_WARNINGS)
		return;
	va_start(args, format);
	xb_strv_take(&a->warnings, xb_vformat(format, args));
	va_end(args);
}

static int refuse(struct xb_error *err, const char *why)
{
	return xb_error_set(err, -EBADMSG, "%s", why);
}

/* Of no interest to people: the layer is then applied where there is what it needs. */
static int needs_below(struct xb_error *err)
{
	return xb_error_set(err, -EXDEV, "it depends on the layers below");
}

/* The kernel's path limit is met only at the call; what it says then is clear enough. */
static int open_parent(struct xb_apply *a, struct xb_view path, bool make, struct xb_error *err)
{
	xb_autofree char *text = path.len > 0 ? xb_view_dup(path) : xb_strdup(".");
	struct xb_error ignored = XB_ERROR_INIT;
	int fd = xb_open_in_root(a->options.root, text, O_PATH | O_DIRECTORY, 0, &ignored);
	mode_t mode = a->options.plain ? 0700 : 0755;
	uid_t uid = a->options.uid >= 0 ? (uid_t)a->options.uid : 0;
	gid_t gid = a->options.gid >= 0 ? (gid_t)a->options.gid : 0;

	xb_error_clear(&ignored);
	if (fd == -ENOENT && a->options.alone)
		return needs_below(err);
	if (fd == -ENOENT && make)
		fd = xb_mkdir_in_root(a->options.root, text, mode, uid, gid, err);
	else if (fd < 0)
		return xb_error_errno(err, fd, "opening the directory of the entry");
	return fd;
}

/* The parent's path may lead elsewhere now: the next entry looks anew. Its descriptor stays open,
 * for what is being done in it. */
static void distrust_parent(struct xb_apply *a)
{
	xb_str_reset(&a->parent);
	xb_str_putc(&a->parent, '/'); /* no cleaned path is that */
}

/* Find the place of the entry whose cleaned name is `a->name`, making its parents. */
static int find_place(struct xb_apply *a, bool make, struct place *ret, struct xb_error *err)
{
	const char *text = xb_str_text(&a->name);
	const char *slash = strrchr(text, '/');
	struct xb_view parent = { text, slash != NULL ? (size_t)(slash - text) : 0 };

	if (a->parent_fd < 0 || !xb_view_eq(parent, xb_str_view(&a->parent))) {
		int fd = open_parent(a, parent, make, err);

		if (fd < 0)
			return fd;
		xb_cleanup_fd(&a->parent_fd);
		a->parent_fd = fd;
		xb_str_reset(&a->parent);
		xb_str_append_view(&a->parent, parent);
	}
	ret->dirfd = a->parent_fd;
	ret->name = slash != NULL ? slash + 1 : text;
	ret->exists = fstatat(ret->dirfd, ret->name, &ret->st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!ret->exists && errno != ENOENT)
		return xb_error_errno(err, -errno, "looking at what is there");
	return 0;
}

/* Whiteouts. */

/* `.wh..wh..opq`: nothing that lower layers have in the directory shows. */
static int apply_opaque(struct xb_apply *a, const struct place *place, struct xb_error *err)
{
	xb_auto_fd int fd = openat(place->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return xb_error_errno(err, -errno, "opening the directory");
	return xb_prune_contents(fd, &a->written, err);
}

/* Alone, there is nothing yet to be hidden. */
static int hide_later(struct xb_apply *a, enum xb_entry_meaning meaning, const struct place *place,
		      const char *hidden, struct xb_error *err)
{
	return meaning == XB_ENTRY_OPAQUE
		       ? xb_hidden_opaque(a->options.root, place->dirfd, err)
		       : xb_hidden_note(&a->hidden, xb_str_view(&a->parent), hidden, err);
}

static int apply_whiteout(struct xb_apply *a, enum xb_entry_meaning meaning, const char *hidden,
			  struct xb_error *err)
{
	struct place place;
	struct stat st;
	int r = find_place(a, false, &place, err);

	if (r == -ENOENT || r == -ENOTDIR) {
		xb_error_clear(err);
		return 0; /* nothing there to be hidden */
	}
	if (r < 0)
		return r;
	if (a->options.alone)
		return hide_later(a, meaning, &place, hidden, err);
	distrust_parent(a);
	if (meaning == XB_ENTRY_OPAQUE)
		return apply_opaque(a, &place, err);
	if (fstatat(place.dirfd, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : xb_error_errno(err, -errno, "looking for it");
	return xb_prune(place.dirfd, hidden, &a->written, err);
}

/* Metadata. */

static uid_t owner_of(const struct xb_apply *a, const struct xb_tar_item *item)
{
	return a->options.uid >= 0 ? (uid_t)a->options.uid : item->uid;
}

static gid_t group_of(const struct xb_apply *a, const struct xb_tar_item *item)
{
	return a->options.gid >= 0 ? (gid_t)a->options.gid : item->gid;
}

static int owner_failed(const struct xb_tar_item *item, struct xb_error *err)
{
	int r = -errno;

	if (r != -EINVAL)
		return xb_error_errno(err, r, "setting its owner");
	xb_error_set(err, r, "its owner %u:%u is not among the ids that this user may use",
		     item->uid, item->gid);
	xb_error_hint(err, "give the user more ids in /etc/subuid and /etc/subgid");
	return r;
}

/* The attributes that are kept go to `ret` as borrowed copies; the others are warned of. */
static int set_xattrs(struct xb_apply *a, int dirfd, const char *name,
		      const struct xb_tar_item *item, struct xb_error *err)
{
	struct xb_xattrs kept = { 0 };
	int r = 0;

	for (size_t i = 0; i < item->xattrs.len; i++) {
		const struct xb_xattr *x = &item->xattrs.items[i];

		if (xb_xattr_kept(x->name))
			*xb_array_push(&kept) = *x;
		else
			warn(a, "%s: attribute %s is not taken over", xb_str_text(&a->name),
			     x->name);
	}
	if (kept.len > 0)
		r = xb_xattrs_write(dirfd, name, &kept, err);
	if (r > 0)
		warn(a, "%s: %d attributes could not be set", xb_str_text(&a->name), r);
	xb_array_clear(&kept);
	return r < 0 ? r : 0;
}

static struct timespec time_of(const struct xb_tar_item *item)
{
	return (struct timespec){ .tv_sec = item->mtime, .tv_nsec = item->mtime_ns };
}

/* The owner first: changing it takes set-id bits and capabilities away. */
static int set_open_metadata(struct xb_apply *a, int fd, const struct xb_tar_item *item,
			     struct xb_error *err)
{
	if (a->options.plain)
		return 0;
	if (xb_owner_set(fd, "", owner_of(a, item), group_of(a, item)) < 0)
		return owner_failed(item, err);
	/* what it may have from its parent's default ACL */
	fremovexattr(fd, "system.posix_acl_access");
	if (fchmod(fd, item->mode) < 0)
		return xb_error_errno(err, -errno, "setting its mode");
	return set_xattrs(a, fd, "", item, err);
}

/* For what cannot be opened: links, devices, FIFOs. */
static int set_named_metadata(struct xb_apply *a, const struct place *place,
			      const struct xb_tar_item *item, struct xb_error *err)
{
	struct timespec times[2] = { time_of(item), time_of(item) };

	if (xb_owner_set(place->dirfd, place->name, owner_of(a, item), group_of(a, item)) < 0)
		return owner_failed(item, err);
	if (item->type != XB_TAR_SYMLINK &&
	    fchmodat(place->dirfd, place->name, item->mode, AT_SYMLINK_NOFOLLOW) < 0)
		return xb_error_errno(err, -errno, "setting its mode");
	if (utimensat(place->dirfd, place->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return xb_error_errno(err, -errno, "setting its time");
	return set_xattrs(a, place->dirfd, place->name, item, err);
}

/* Remember what is there now as this layer's own. */
static int note_written(struct xb_apply *a, const struct place *place, struct xb_error *err)
{
	struct stat st;

	if (!a->options.whiteouts)
		return 0;
	if (fstatat(place->dirfd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return xb_error_errno(err, -errno, "looking at what was made");
	xb_inodes_set(&a->written, &st, 0);
	return 0;
}

/* Entries by type. */

static int clear_place(struct xb_apply *a, struct place *place, struct xb_error *err)
{
	if (!place->exists)
		return 0;
	/* paths may have led through it, and it hides what its successor would not */
	if (a->options.alone)
		return needs_below(err);
	place->exists = false;
	if (!S_ISREG(place->st.st_mode))
		distrust_parent(a); /* paths may have led through it */
	if (S_ISDIR(place->st.st_mode))
		return xb_remove_tree_at(place->dirfd, place->name, err);
	if (unlinkat(place->dirfd, place->name, 0) < 0)
		return xb_error_errno(err, -errno, "replacing what is there");
	return 0;
}

static bool all_zero(const char *data, size_t len)
{
	return len > 0 && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Zeros become holes, also where the archive writes them out: a bomb of zeros takes no disk. */
static int write_data(int fd, const struct xb_tar_item *item, struct xb_tar_reader *tar,
		      struct xb_error *err)
{
	const void *data;
	size_t len;
	uint64_t offset, end = 0;
	int r;

	while ((r = xb_tar_data(tar, &data, &len, &offset, err)) > 0) {
		if (all_zero(data, len))
			continue;
		if (offset != end && lseek(fd, (off_t)offset, SEEK_SET) < 0)
			return xb_error_errno(err, -errno, "seeking");
		r = xb_write_all(fd, data, len, err);
		if (r < 0)
			return r;
		end = offset + len;
	}
	if (r >= 0 && end < item->size && ftruncate(fd, (off_t)item->size) < 0)
		return xb_error_errno(err, -errno, "making a hole");
	return r;
}

static int apply_file(struct xb_apply *a, const struct xb_tar_item *item, struct place *place,
		      struct xb_tar_reader *tar, struct xb_error *err)
{
	struct timespec times[2] = { time_of(item), time_of(item) };
	xb_auto_fd int fd = -1;
	int r = clear_place(a, place, err);

	if (r < 0)
		return r;
	fd = openat(place->dirfd, place->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return xb_error_errno(err, -errno, "making the file");
	r = write_data(fd, item, tar, err);
	if (r >= 0)
		r = set_open_metadata(a, fd, item, err);
	if (r >= 0 && !a->options.plain && futimens(fd, times) < 0)
		return xb_error_errno(err, -errno, "setting its time");
	return r < 0 ? r : xb_file_close(&fd, err);
}

/*
 * A layer says all of a directory: attributes that it lacks go, be they those of the one below or
 * the ACL for new files that its parent gave it.
 */
static void drop_xattrs(int fd)
{
	xb_auto_xattrs struct xb_xattrs have = { 0 };

	if (xb_xattrs_read(fd, "", &have, NULL) < 0)
		return;
	for (size_t i = 0; i < have.len; i++)
		fremovexattr(fd, have.items[i].name);
}

static void set_time_later(struct xb_apply *a, const struct xb_tar_item *item)
{
	struct late_time *t;

	if (a->options.plain)
		return;
	t = xb_array_push(&a->times);
	t->path = xb_view_dup(xb_str_view(&a->name));
	t->mtime = time_of(item);
}

static int apply_directory(struct xb_apply *a, const struct xb_tar_item *item, struct place *place,
			   struct xb_tar_reader *tar, struct xb_error *err)
{
	bool merge = place->exists && S_ISDIR(place->st.st_mode);
	xb_auto_fd int fd = -1;
	int r = merge ? 0 : clear_place(a, place, err);

	(void)tar;
	if (r < 0)
		return r;
	if (!merge && mkdirat(place->dirfd, place->name, 0700) < 0)
		return xb_error_errno(err, -errno, "making the directory");
	fd = openat(place->dirfd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return xb_error_errno(err, -errno, "opening the directory");
	if (a->options.whiteouts)
		drop_xattrs(fd);
	set_time_later(a, item);
	return set_open_metadata(a, fd, item, err);
}

static int apply_symlink(struct xb_apply *a, const struct xb_tar_item *item, struct place *place,
			 struct xb_tar_reader *tar, struct xb_error *err)
{
	int r = clear_place(a, place, err);

	(void)tar;
	if (r < 0)
		return r;
	if (symlinkat(item->link, place->dirfd, place->name) < 0)
		return xb_error_errno(err, -errno, "making the link");
	return set_named_metadata(a, place, item, err);
}

/* Find what a hard link is to: an existing file inside the root, its own name not followed. */
static int open_target(struct xb_apply *a, const char *link, const char **ret_name,
		       struct stat *ret_st, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	const char *slash;
	int r = xb_entry_clean(link, &a->link, err);

	if (r < 0)
		return r;
	slash = strrchr(xb_str_text(&a->link), '/');
	fd = open_parent(a,
			 xb_view_sub(xb_str_view(&a->link), 0,
				     slash != NULL ? (size_t)(slash - a->link.data) : 0),
			 false, err);
	if (fd < 0)
		return fd;
	*ret_name = slash != NULL ? slash + 1 : xb_str_text(&a->link);
	if ((*ret_name)[0] == '\0')
		return refuse(err, "a hard link to the root directory");
	if (fstatat(fd, *ret_name, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && a->options.alone
			       ? needs_below(err)
			       : xb_error_errno(err, -errno, "looking for what it is a link to");
	if (S_ISDIR(ret_st->st_mode))
		return refuse(err, "a hard link to a directory");
	return XB_STEAL_FD(fd);
}

static int apply_hardlink(struct xb_apply *a, const struct xb_tar_item *item, struct place *place,
			  struct xb_tar_reader *tar, struct xb_error *err)
{
	const char *name = NULL;
	struct stat st;
	xb_auto_fd int target = open_target(a, item->link, &name, &st, err);
	int r;

	(void)tar;
	if (target == -ENOENT || target == -ENOTDIR)
		return refuse(err, "a hard link to nothing");
	if (target < 0)
		return target;
	if (place->exists && st.st_dev == place->st.st_dev && st.st_ino == place->st.st_ino)
		return 0; /* it is that file already */
	r = clear_place(a, place, err);
	if (r < 0)
		return r;
	/* its data and metadata are the first name's, whatever this header says */
	if (linkat(target, name, place->dirfd, place->name, 0) < 0)
		return xb_error_errno(err, -errno, "making the hard link");
	return 0;
}

static int apply_node(struct xb_apply *a, const struct xb_tar_item *item, struct place *place,
		      struct xb_tar_reader *tar, struct xb_error *err)
{
	mode_t type = item->type == XB_TAR_FIFO	     ? S_IFIFO
		      : item->type == XB_TAR_CHARDEV ? S_IFCHR
						     : S_IFBLK;
	dev_t device = makedev(item->device_major, item->device_minor);
	int r;

	(void)tar;
	if (item->type == XB_TAR_CHARDEV && device == 0)
		return refuse(err, "a character device 0/0, overlay's own mark of what is gone");
	r = clear_place(a, place, err);
	if (r < 0)
		return r;
	if (mknodat(place->dirfd, place->name, type | 0600, device) == 0)
		return set_named_metadata(a, place, item, err);
	if (errno != EPERM || type == S_IFIFO)
		return xb_error_errno(err, -errno, "making the node");
	/* what is below goes nevertheless */
	if (a->options.alone)
		return needs_below(err);
	warn(a, "%s: device %u:%u left out, this user may make no devices", xb_str_text(&a->name),
	     item->device_major, item->device_minor);
	return 0;
}

typedef int (*apply_function)(struct xb_apply *a, const struct xb_tar_item *item,
			      struct place *place, struct xb_tar_reader *tar, struct xb_error *err);

static const struct kind {
	apply_function apply;
	bool plain; /* allowed with the option `plain` */
} kinds[] = {
	[XB_TAR_FILE - '0'] = { apply_file, true },
	[XB_TAR_HARDLINK - '0'] = { apply_hardlink, true },
	[XB_TAR_SYMLINK - '0'] = { apply_symlink, false },
	[XB_TAR_CHARDEV - '0'] = { apply_node, false },
	[XB_TAR_BLOCKDEV - '0'] = { apply_node, false },
	[XB_TAR_DIRECTORY - '0'] = { apply_directory, true },
	[XB_TAR_FIFO - '0'] = { apply_node, false },
};

/* An entry for the destination itself: "./". */
static int apply_root(struct xb_apply *a, const struct xb_tar_item *item, struct xb_error *err)
{
	xb_auto_fd int fd = -1;

	/* tar makes such a member of an empty name; there is nothing to take from it. */
	if (item->type == XB_TAR_FILE && item->size == 0 && a->options.keep_root)
		return 0;
	if (item->type != XB_TAR_DIRECTORY)
		return refuse(err, "the root directory is not a directory");
	if (a->options.keep_root || a->options.plain)
		return 0;
	fd = openat(a->options.root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return xb_error_errno(err, -errno, "opening the root directory");
	set_time_later(a, item);
	return set_open_metadata(a, fd, item, err);
}

static int apply_item(struct xb_apply *a, const struct xb_tar_item *item, struct xb_tar_reader *tar,
		      struct xb_error *err)
{
	const struct kind *kind = &kinds[item->type - '0'];
	const char *hidden = NULL;
	struct place place;
	int meaning;
	int r = xb_entry_clean(item->name, &a->name, err);

	if (r < 0)
		return r;
	if (a->name.len == 0)
		return apply_root(a, item, err);
	meaning = a->options.whiteouts ? xb_entry_meaning(xb_str_text(&a->name), &hidden, err)
				       : XB_ENTRY_PLAIN;
	if (meaning < 0 || meaning == XB_ENTRY_FOREIGN)
		return meaning < 0 ? meaning : 0;
	if (meaning != XB_ENTRY_PLAIN)
		return apply_whiteout(a, (enum xb_entry_meaning)meaning, hidden, err);
	if (a->options.plain && !kind->plain)
		return refuse(err, "neither a file nor a directory");
	r = find_place(a, true, &place, err);
	if (r >= 0)
		r = kind->apply(a, item, &place, tar, err);
	/* a device that was left out is not there */
	if (r >= 0 && kind->apply != apply_node)
		r = note_written(a, &place, err);
	return r;
}

static int count_item(struct xb_apply *a, const struct xb_tar_item *item, struct xb_error *err)
{
	a->count++;
	if (a->count > a->options.max_count) {
		xb_error_set(err, -EFBIG, "more than %llu entries",
			     (unsigned long long)a->options.max_count);
		return xb_error_hint(err, "split the layer into several"), -EFBIG;
	}
	if (item->size > a->options.max_size - a->size) {
		xb_error_set(err, -EFBIG, "files of more than %llu MiB together",
			     (unsigned long long)(a->options.max_size >> 20));
		return xb_error_hint(err, "raise the limit with --max-layer-size"), -EFBIG;
	}
	a->size += item->size;
	if ((item->type == XB_TAR_FILE || item->type == XB_TAR_HARDLINK) && item->mtime > a->newest)
		a->newest = item->mtime;
	return 0;
}

static int name_entry(const struct xb_tar_item *item, int r, struct xb_error *err)
{
	xb_auto_str struct xb_str quoted = XB_STR_INIT(XB_STR_OWN);

	xb_str_append_quoted(&quoted, xb_view_sub(xb_view(item->name), 0, 200));
	return xb_error_wrap(err, r, "entry \"%s\"", xb_str_text(&quoted));
}

/* Times of directories, the inner ones first. One that was replaced since is passed over. */
static void set_late_times(struct xb_apply *a)
{
	for (size_t i = a->times.len; i-- > 0;) {
		const struct late_time *t = &a->times.items[i];
		struct timespec times[2] = { t->mtime, t->mtime };
		const char *path = t->path[0] != '\0' ? t->path : ".";
		xb_auto_fd int fd = xb_open_in_root(a->options.root, path,
						    O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);

		if (fd >= 0)
			futimens(fd, times);
	}
}

int xb_apply_all(struct xb_apply *a, struct xb_tar_reader *tar, struct xb_error *err)
{
	struct xb_tar_item item;
	int r;

	while ((r = xb_tar_next(tar, &item, err)) > 0) {
		r = count_item(a, &item, err);
		if (r >= 0)
			r = apply_item(a, &item, tar, err);
		if (r < 0)
			return name_entry(&item, r, err);
	}
	if (r >= 0)
		r = xb_hidden_settle(&a->hidden, a->options.root, err);
	if (r >= 0)
		set_late_times(a);
	return r;
}
