/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/map.h"
#include "base/owner.h"
#include "builder/context/context.h"
#include "builder/context/locate.h"
#include "builder/context/memory.h"
#include "builder/context/rules.h"
#include "builder/context/walk.h"
#include "builder/context/xattrs.h"

/* Raise when the encoding changes: it is part of step keys. */
#define ENCODING "xbuild tree 2"

/* A piece read for hashing. */
#define PIECE ((size_t)256 << 10)

struct checksum {
	const struct xb_checksum_options *options;
	struct xb_context_memory *memory;
	struct xb_ledger_reader *known; /* of the memory */
	struct xb_hasher *tree;
	struct xb_hasher *file;
	char *piece;
	struct xb_map *links; /* "device inode" of a file with several names to its first one */
	struct xb_strv names; /* what the map's values point to */
};

static void checksum_clear(struct checksum *c)
{
	xb_ledger_reader_free(c->known);
	xb_hasher_free(c->tree);
	xb_hasher_free(c->file);
	free(c->piece);
	xb_map_free(c->links);
	xb_strv_clear(&c->names);
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	case S_IFIFO:
		return "fifo";
	case S_IFCHR:
		return "character device";
	case S_IFBLK:
		return "block device";
	case S_IFSOCK:
		return "socket"; /* an empty file in the copy */
	default:
		return "unknown";
	}
}

/* The name under which this file was met before, or NULL, and then it is remembered. */
static const char *first_name(struct checksum *c, const struct xb_walk_entry *entry)
{
	xb_autofree char *key = NULL;
	const char *known;

	if (entry->st.st_nlink < 2)
		return NULL;
	key = xb_format("%llx %llx", (unsigned long long)entry->st.st_dev,
			(unsigned long long)entry->st.st_ino);
	known = xb_map_get(c->links, xb_view(key));
	if (known == NULL) {
		xb_strv_push(&c->names, entry->below);
		xb_map_set(c->links, xb_view(key), c->names.items[c->names.len - 1]);
	}
	return known;
}

static int fail_reading(const struct xb_walk_entry *entry, int r, struct xb_error *err)
{
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return xb_error_wrap(err, r, "reading %s", entry->path);
}

static int hash_data(struct checksum *c, const struct xb_walk_entry *entry, int fd,
		     struct xb_error *err)
{
	ssize_t n;

	do {
		n = xb_read_full(fd, c->piece, PIECE, err);
		if (n < 0)
			return fail_reading(entry, (int)n, err);
		xb_hasher_add(c->file, c->piece, (size_t)n);
	} while ((size_t)n == PIECE);
	return 0;
}

/* Attributes and data of a file that is not known; `st` becomes what it was when it was opened. */
static int read_file(struct checksum *c, const struct xb_walk_entry *entry, struct stat *st,
		     struct xb_digest *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str xattrs = XB_STR_INIT(XB_MAX_XATTRS);
	xb_auto_fd int fd = xb_walk_open(entry, st, err);
	struct stat after;
	int r = fd;

	if (r < 0)
		return r;
	r = xb_xattrs_encode(fd, &xattrs);
	if (r < 0) {
		(void)xb_error_errno(err, r, "its attributes");
		return fail_reading(entry, r, err);
	}
	xb_hasher_field(c->file, xb_str_view(&xattrs));
	r = hash_data(c, entry, fd, err);
	*ret = xb_hasher_finish(c->file);
	if (r == 0 && fstat(fd, &after) == 0)
		xb_context_memory_add(c->memory, st, &after, ret);
	return r;
}

/* What a file holds, as text: a digest, or the name under which it was met before. */
static int content_of(struct checksum *c, const struct xb_walk_entry *entry, struct stat *st,
		      struct xb_digest *digest, const char **ret, struct xb_error *err)
{
	*ret = first_name(c, entry);
	if (*ret != NULL)
		return 0;
	*ret = digest->text;
	if (xb_context_memory_find(c->memory, c->known, st, digest))
		return 0;
	return read_file(c, entry, st, digest, err);
}

static bool counts_itself(const struct checksum *c, const struct xb_walk_entry *entry)
{
	return c->options->self || entry->below[0] != '\0' || !S_ISDIR(entry->st.st_mode);
}

static void add_device(struct checksum *c, dev_t device)
{
	xb_hasher_number(c->tree, major(device));
	xb_hasher_number(c->tree, minor(device));
}

/* A multiplication spreads what differs (Knuth), and the shift brings it down again. */
static void mix(uint64_t *state, uint64_t number)
{
	*state = (*state ^ number) * UINT64_C(0x9e3779b97f4a7c15);
	*state ^= *state >> 32;
}

static void mix_times(uint64_t *state, const struct stat *st)
{
	mix(state, (uint64_t)st->st_dev);
	mix(state, (uint64_t)st->st_ino);
	mix(state, (uint64_t)st->st_size);
	mix(state, (uint64_t)st->st_mtim.tv_sec << 30 ^ (uint64_t)st->st_mtim.tv_nsec);
	mix(state, (uint64_t)st->st_ctim.tv_sec << 30 ^ (uint64_t)st->st_ctim.tv_nsec);
}

/* What file times do not tell: changes within one tick. */
static void mix_content(uint64_t *state, const struct xb_digest *digest)
{
	for (const char *p = digest->text; *p != '\0'; p++)
		mix(state, (unsigned char)*p);
}

static int add_entry(void *visitor, const struct xb_walk_entry *entry, struct xb_error *err)
{
	struct checksum *c = visitor;
	struct stat st = entry->st;
	struct xb_digest digest;
	const char *content = NULL;
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = S_ISREG(st.st_mode) ? content_of(c, entry, &st, &digest, &content, &cause) : 0;

	/* it vanished since the walk met it */
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		xb_error_move(err, &cause);
		return r;
	}
	if (c->options->state != NULL)
		mix_times(c->options->state, &st);
	xb_hasher_field(c->tree, xb_view(entry->below));
	xb_hasher_field(c->tree, xb_view(kind_of(st.st_mode)));
	if (!counts_itself(c, entry))
		return 0;
	if (!S_ISLNK(st.st_mode))
		xb_hasher_number(c->tree, st.st_mode & 07777);
	if (c->options->owner) {
		if (!S_ISDIR(st.st_mode)) /* of a directory the walk has read it */
			(void)xb_owner_read(entry->dirfd, entry->name, &st);
		xb_hasher_number(c->tree, st.st_uid);
		xb_hasher_number(c->tree, st.st_gid);
	}
	xb_hasher_field(c->tree, entry->xattrs);
	if (S_ISLNK(st.st_mode))
		xb_hasher_field(c->tree, entry->target);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		add_device(c, st.st_rdev);
	xb_hasher_number(c->tree, content == digest.text);
	xb_hasher_field(c->tree, xb_view(content));
	return 0;
}

int xb_context_checksum(int rootfd, const struct xb_context *context, const char *path,
			const struct xb_checksum_options *options, struct xb_digest *ret,
			struct xb_error *err)
{
	static const struct xb_checksum_options none = { 0 };
	xb_auto_located struct xb_located at = XB_LOCATED_INIT;
	XB_CLEANUP(checksum_clear)
	struct checksum c = { .options = options != NULL ? options : &none,
			      .memory = context != NULL ? context->memory : NULL };
	struct xb_walk walk = { .context = context, .visit = add_entry, .visitor = &c };
	int r = xb_locate(rootfd, context, path, !c.options->no_follow, &at, err);

	if (r < 0)
		return r;
	c.known = xb_context_memory_reader(c.memory);
	c.tree = xb_hasher_new();
	c.file = xb_hasher_new();
	c.piece = xb_alloc(PIECE);
	c.links = xb_map_new();
	walk.path = xb_str_text(&at.path);
	walk.select = c.options->select;
	xb_hasher_field(c.tree, XB_VIEW(ENCODING));
	r = xb_walk_run(&walk, at.parent, at.name, err);
	if (r < 0)
		return r;
	*ret = xb_hasher_finish(c.tree);
	if (c.options->state != NULL)
		mix_content(c.options->state, ret);
	return 0;
}
