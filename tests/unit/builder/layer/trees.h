/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Trees for the tests of layers: made at random, changed at random, written down as text that two
 * trees have in common exactly when they are the same. None of it uses the code under test.
 * Include it after cmocka.h and scratch.h.
 */
#ifndef XB_TESTS_UNIT_BUILDER_LAYER_TREES_H
#define XB_TESTS_UNIT_BUILDER_LAYER_TREES_H

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"

/** Whether this process is root of a namespace in which it may mount overlays; set by trees_main.
 */
static bool trees_root;
/** Whether tree_list() leaves out which names are of one file. */
static bool trees_ignore_links;

/** A small generator of random numbers, the same everywhere (xorshift). */
struct rng {
	uint64_t state;
};

/** The next number below `below`. */
static inline unsigned rng_below(struct rng *rng, unsigned below)
{
	rng->state ^= rng->state << 13;
	rng->state ^= rng->state >> 7;
	rng->state ^= rng->state << 17;
	return (unsigned)((rng->state >> 11) % below);
}

/* The text of a tree. */

static inline int tree_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/** The attributes that a layer keeps, but for overlay's own and those of security modules. */
static inline void tree_put_xattrs(struct xb_str *out, const char *path)
{
	char names[8192], value[65536];
	char *sorted[64];
	size_t count = 0;
	ssize_t n = llistxattr(path, names, sizeof(names));

	for (char *p = names; n > 0 && p < names + n && count < 64; p += strlen(p) + 1)
		if (strncmp(p, "user.overlay.", 13) != 0 && strncmp(p, "trusted.", 8) != 0 &&
		    strcmp(p, "security.selinux") != 0)
			sorted[count++] = p;
	qsort(sorted, count, sizeof(*sorted), tree_compare);
	for (size_t i = 0; i < count; i++) {
		ssize_t len = lgetxattr(path, sorted[i], value, sizeof(value));

		assert_true(len >= 0);
		xb_str_printf(out, " %s=", sorted[i]);
		for (ssize_t j = 0; j < len; j++)
			xb_str_printf(out, "%02x", (unsigned)(unsigned char)value[j]);
	}
}

/** A file's contents as a digest. */
static inline void tree_put_contents(struct xb_str *out, const char *path)
{
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();
	static char buffer[1 << 16];
	FILE *f = fopen(path, "re");
	struct xb_digest digest;
	size_t n;

	assert_non_null(f);
	while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0)
		xb_hasher_add(h, buffer, n);
	(void)fclose(f);
	digest = xb_hasher_finish(h);
	xb_str_printf(out, " %.15s", digest.text);
}

/** What tree_list() remembers: files that have several names. */
struct tree_links {
	ino_t inodes[512];
	char *names[512];
	size_t count;
};

/** " first name" of a file that has several. */
static inline void tree_put_links(struct xb_str *out, struct tree_links *links, const char *name,
				  const struct stat *st)
{
	if (trees_ignore_links || S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return;
	for (size_t i = 0; i < links->count; i++)
		if (links->inodes[i] == st->st_ino) {
			xb_str_printf(out, " is %s", links->names[i]);
			return;
		}
	assert_true(links->count < 512);
	links->inodes[links->count] = st->st_ino;
	links->names[links->count++] = xb_strdup(name);
}

static inline void tree_put_entry(struct xb_str *out, struct tree_links *links, const char *path,
				  const char *name, const struct stat *st)
{
	char target[4096] = "";

	xb_str_printf(out, "%s %o %u:%u", name, (unsigned)st->st_mode, st->st_uid, st->st_gid);
	if (S_ISLNK(st->st_mode)) {
		assert_true(readlink(path, target, sizeof(target) - 1) >= 0);
		xb_str_printf(out, " -> %s", target);
	}
	if (S_ISREG(st->st_mode)) {
		xb_str_printf(out, " %lld", (long long)st->st_size);
		tree_put_contents(out, path);
	}
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		xb_str_printf(out, " %u,%u", major(st->st_rdev), minor(st->st_rdev));
	if (name[0] != '\0')
		xb_str_printf(out, " @%lld", (long long)st->st_mtime);
	tree_put_links(out, links, name, st);
	tree_put_xattrs(out, path);
	xb_str_putc(out, '\n');
}

static inline void tree_walk(struct xb_str *out, struct tree_links *links, const char *root,
			     const char *name)
{
	xb_autofree char *path = xb_format("%s/%s", root, name);
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	struct dirent *d;
	struct stat st;
	DIR *dir;

	assert_int_equal(lstat(path, &st), 0);
	tree_put_entry(out, links, path, name, &st);
	if (!S_ISDIR(st.st_mode))
		return;
	dir = opendir(path);
	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			xb_strv_push(&names, d->d_name);
	(void)closedir(dir);
	xb_strv_sort(&names);
	for (size_t i = 0; i < names.len; i++) {
		xb_autofree char *below =
			xb_format("%s%s%s", name, name[0] != '\0' ? "/" : "", names.items[i]);

		tree_walk(out, links, root, below);
	}
}

/** The text of the tree that is open at `fd`, a line an entry. The caller frees it. */
static inline char *tree_list(int fd)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
	struct tree_links links = { .count = 0 };
	char root[64];

	(void)snprintf(root, sizeof(root), "/proc/self/fd/%d/.", fd);
	tree_walk(&out, &links, root, "");
	for (size_t i = 0; i < links.count; i++)
		free(links.names[i]);
	return xb_str_steal(&out);
}

/** Fail unless the two trees are the same. */
static inline void assert_trees_equal(int a, int b)
{
	xb_autofree char *one = tree_list(a);
	xb_autofree char *other = tree_list(b);

	if (strcmp(one, other) != 0) {
		xb_autofree char *file_a = xb_strdup(scratch_path("one.txt"));
		xb_autofree char *file_b = xb_strdup(scratch_path("other.txt"));

		scratch_write("one.txt", one);
		scratch_write("other.txt", other);
		(void)scratch_run((const char *[]){ "diff", file_a, file_b, NULL });
	}
	assert_string_equal(one, other);
}

/* Random trees. */

static inline void random_name(struct rng *rng, char name[300])
{
	static const char *const odd[] = { "e\xcc\x81", "caf\xe9",   "a b",	     "-x",
					   "..x",	"new\nline", "\xe4\xbd\xa0", "=",
					   "...",	"a\\b",	     "\xff\xfe",     "*",
					   "#x",	".w" };

	switch (rng_below(rng, 12)) {
	case 0:
		(void)snprintf(name, 300, "%s%u", odd[rng_below(rng, XB_COUNT(odd))],
			       rng_below(rng, 4));
		break;
	case 1:
		memset(name, 'l', 255);
		(void)snprintf(name + 100 + rng_below(rng, 140), 8, "%u", rng_below(rng, 100));
		break;
	default:
		(void)snprintf(name, 300, "%c%u", 'a' + (char)rng_below(rng, 5), rng_below(rng, 6));
	}
}

static inline void random_contents(struct rng *rng, int fd)
{
	static const unsigned sizes[] = { 0, 1, 511, 512, 513, 5000, 70000 };
	unsigned size = sizes[rng_below(rng, XB_COUNT(sizes))];
	char block[512];

	for (unsigned at = 0; at < size; at += 512) {
		memset(block, (int)rng_below(rng, 256), sizeof(block));
		assert_true(write(fd, block, size - at < 512 ? size - at : 512) > 0);
	}
	if (rng_below(rng, 6) == 0) { /* a hole, and sometimes data behind it */
		off_t end = lseek(fd, (off_t)rng_below(rng, 3000000), SEEK_END);

		if (rng_below(rng, 2) == 0)
			assert_int_equal(pwrite(fd, "end", 3, end), 3);
		else
			assert_int_equal(ftruncate(fd, end), 0);
	}
}

static inline void random_xattrs(struct rng *rng, int fd, bool is_file)
{
	/* version 2: cap_net_bind_service, effective */
	static const unsigned char capability[20] = { 1, 0, 0, 2, 0, 4 };
	static const char big[3000] = "big";

	if (rng_below(rng, 6) == 0)
		assert_int_equal(fsetxattr(fd, "user.empty", "", 0, 0), 0);
	if (rng_below(rng, 6) == 0)
		assert_int_equal(fsetxattr(fd, "user.binary", "a\0=\n\xff", 5, 0), 0);
	if (rng_below(rng, 10) == 0)
		assert_int_equal(fsetxattr(fd, "user.big", big, sizeof(big), 0), 0);
	if (is_file && rng_below(rng, 6) == 0)
		assert_int_equal(
			fsetxattr(fd, "security.capability", capability, sizeof(capability), 0), 0);
}

static inline void random_metadata(struct rng *rng, int dirfd, const char *name)
{
	struct timespec times[2] = { 0 };
	struct stat st;

	assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(fchownat(dirfd, name, rng_below(rng, 3) * 1000, rng_below(rng, 3) * 7,
				  AT_SYMLINK_NOFOLLOW),
			 0);
	if (!S_ISLNK(st.st_mode))
		assert_int_equal(fchmodat(dirfd, name, rng_below(rng, 010000), 0), 0);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		xb_auto_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		assert_true(fd >= 0);
		random_xattrs(rng, fd, S_ISREG(st.st_mode));
	}
	times[0].tv_sec = times[1].tv_sec = 1000000000 + (time_t)rng_below(rng, 100000);
	assert_int_equal(utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

/** The name of something in a directory, false when it is empty. */
static inline bool random_existing(struct rng *rng, int dirfd, char name[300])
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	struct dirent *d;

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			xb_strv_push(&names, d->d_name);
	(void)closedir(dir);
	if (names.len == 0)
		return false;
	xb_strv_sort(&names);
	(void)snprintf(name, 300, "%s", names.items[rng_below(rng, (unsigned)names.len)]);
	return true;
}

/* A directory somewhere in the tree, opened. */
static inline int random_directory(struct rng *rng, int root)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[300];

	while (rng_below(rng, 3) > 0 && random_existing(rng, fd, name)) {
		int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (below < 0)
			continue;
		close(fd);
		fd = below;
	}
	return fd;
}

static inline void random_link(struct rng *rng, int root, int dirfd, const char *name)
{
	xb_auto_fd int other = random_directory(rng, root);
	char target[300];
	struct stat st;

	if (random_existing(rng, other, target) &&
	    fstatat(other, target, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
	    !(S_ISCHR(st.st_mode) && st.st_rdev == 0))
		assert_int_equal(linkat(other, target, dirfd, name, 0), 0);
}

/** Make something new somewhere in the tree. */
static inline void random_create(struct rng *rng, int root)
{
	xb_auto_fd int dirfd = random_directory(rng, root);
	xb_auto_fd int fd = -1;
	char name[300];

	random_name(rng, name);
	if (faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	switch (rng_below(rng, 9)) {
	case 0:
	case 1:
	case 2:
		assert_int_equal(mkdirat(dirfd, name, 0755), 0);
		break;
	case 3:
		assert_int_equal(symlinkat(rng_below(rng, 2) ? "../a1" : "/b2/c", dirfd, name), 0);
		break;
	case 4:
		random_link(rng, root, dirfd, name);
		return;
	case 5:
		if (mknodat(dirfd, name, S_IFIFO | 0600, 0) < 0)
			return;
		break;
	case 6:
		if (geteuid() != 0 || mknodat(dirfd, name, S_IFCHR | 0600, makedev(1, 3)) < 0)
			return;
		break;
	default:
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		random_contents(rng, fd);
	}
	random_metadata(rng, dirfd, name);
}

/** Remove something, and sometimes put another thing in its place. */
static inline void random_remove(struct rng *rng, int root)
{
	xb_auto_fd int dirfd = random_directory(rng, root);
	char name[300], path[400];

	if (!random_existing(rng, dirfd, name))
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	(void)fcntl(dirfd, F_SETFD, 0); /* for the child, whose /proc/self is another */
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d/%s", (int)getpid(), dirfd, name);
	assert_int_equal(scratch_run((const char *[]){ "rm", "-rf", path, NULL }), 0);
	if (rng_below(rng, 3) == 0) {
		assert_int_equal(mkdirat(dirfd, name, 0700), 0);
		random_metadata(rng, dirfd, name);
	}
}

/** Change a file's contents or only what is said about it. */
static inline void random_change(struct rng *rng, int root)
{
	xb_auto_fd int dirfd = random_directory(rng, root);
	xb_auto_fd int fd = -1;
	char name[300];
	struct stat st;

	if (!random_existing(rng, dirfd, name))
		return;
	assert_int_equal(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	if (S_ISREG(st.st_mode) && rng_below(rng, 2) == 0) {
		fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
		assert_true(fd >= 0);
		random_contents(rng, fd);
	}
	random_metadata(rng, dirfd, name);
}

/** Times of directories change while things are made in them: give them known ones. */
static inline void random_times(struct rng *rng, int root, int depth)
{
	DIR *dir = fdopendir(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct timespec times[2] = { 0 };
	struct dirent *d;

	assert_non_null(dir);
	while (depth < 40 && (d = readdir(dir)) != NULL) {
		xb_auto_fd int fd = -1;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		fd = openat(root, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			random_times(rng, fd, depth + 1);
	}
	(void)closedir(dir);
	times[0].tv_sec = times[1].tv_sec = 1100000000 + (time_t)rng_below(rng, 100000);
	assert_int_equal(futimens(root, times), 0);
}

/** Change a tree in `steps` steps; `removals` of 10 of them remove. */
static inline void random_steps(struct rng *rng, int root, int steps, unsigned removals)
{
	for (int i = 0; i < steps; i++) {
		unsigned what = rng_below(rng, 10);

		if (what < removals)
			random_remove(rng, root);
		else if (what < 9)
			random_create(rng, root);
		else
			random_change(rng, root);
	}
}

/** Make an empty snapshot: the directories `name`/fs and `name`/work. */
static inline void snapshot_make(const char *name)
{
	char below[300];

	assert_int_equal(mkdirat(scratch_fd, name, 0755), 0);
	(void)snprintf(below, sizeof(below), "%s/fs", name);
	assert_int_equal(mkdirat(scratch_fd, below, 0755), 0);
	(void)snprintf(below, sizeof(below), "%s/work", name);
	assert_int_equal(mkdirat(scratch_fd, below, 0755), 0);
}

/** Whether more ids are mapped here than one's own, as `unshare -r` would leave it. */
static inline bool trees_many_ids(void)
{
	unsigned long long inside = 0, outside = 0, count = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");
	bool many = false;

	while (f != NULL && fscanf(f, "%llu %llu %llu", &inside, &outside, &count) == 3)
		many = many || inside + count > 60000;
	if (f != NULL)
		(void)fclose(f);
	return many;
}

/**
 * What main() of these tests begins with: the confined child's part, or the way into a namespace
 * where this process is root. Descriptors that tests leak on purpose are none.
 */
#define TREES_MAIN_BEGIN(argv)                                                                     \
	do {                                                                                       \
		if (xb_unpack_wanted((argv)[0]))                                                   \
			return xb_unpack_main();                                                   \
		xb_proc_keep_descriptors();                                                        \
		trees_root = xb_proc_become_root(NULL) == 0 && trees_many_ids();                   \
		(void)umask(022);                                                                  \
	} while (0)

#endif
