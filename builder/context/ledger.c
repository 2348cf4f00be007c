/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/str.h"

/* The first bytes of the file; the number is that of the format. */
#define MAGIC ((uint64_t)0x78626d656d000002)

/* Entries of a block: what is read for one that is looked for. */
#define BLOCK ((size_t)64)
/* Blocks read at once by who reads all, and written at once. */
#define STRIDE ((size_t)32)

struct header {
	uint64_t magic;
	uint64_t count;
	char check[64]; /* digits of the SHA-256 of the entries */
};

struct xb_ledger {
	int fd;
	size_t count;
	struct XB_ARRAY(uint64_t) firsts; /* the first inode of each block */
};

struct xb_ledger_reader {
	const struct xb_ledger *ledger;
	size_t slots;
	size_t *blocks; /* of each slot: the number of the block in it, plus one; 0: none */
	struct xb_ledger_entry *entries; /* BLOCK for each slot */
};

int xb_ledger_order(const struct xb_ledger_entry *a, const struct xb_ledger_entry *b)
{
	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return a->device == b->device ? 0 : a->device < b->device ? -1 : 1;
}

void xb_ledger_free(struct xb_ledger *ledger)
{
	if (ledger == NULL)
		return;
	xb_cleanup_fd(&ledger->fd);
	xb_array_clear(&ledger->firsts);
	free(ledger);
}

size_t xb_ledger_count(const struct xb_ledger *ledger)
{
	return ledger->count;
}

/* Read entries; false where they are not all there. */
static bool read_entries(int fd, size_t from, size_t count, struct xb_ledger_entry *ret)
{
	size_t len = count * sizeof(*ret);
	size_t at = sizeof(struct header) + from * sizeof(*ret);
	ssize_t n;

	do
		n = pread(fd, ret, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

/* Note where blocks begin, as entries go by. */
static void note_firsts(struct xb_ledger *ledger, const struct xb_ledger_entry *entries,
			size_t count)
{
	for (size_t i = 0; i < count; i += BLOCK)
		*xb_array_push(&ledger->firsts) = entries[i].inode;
}

static size_t lesser(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Whether all entries are as they were written; `ledger` learns where blocks begin. */
static bool check_entries(struct xb_ledger *ledger, const struct header *header)
{
	xb_auto_hasher struct xb_hasher *hasher = xb_hasher_new();
	xb_autofree struct xb_ledger_entry *entries = xb_alloc(STRIDE * BLOCK * sizeof(*entries));
	struct xb_digest digest;

	for (size_t at = 0; at < ledger->count; at += STRIDE * BLOCK) {
		size_t n = lesser(STRIDE * BLOCK, ledger->count - at);

		if (!read_entries(ledger->fd, at, n, entries))
			return false;
		xb_hasher_add(hasher, entries, n * sizeof(*entries));
		note_firsts(ledger, entries, n);
	}
	digest = xb_hasher_finish(hasher);
	return memcmp(xb_digest_hex(&digest), header->check, sizeof(header->check)) == 0;
}

static bool load(struct xb_ledger *ledger)
{
	struct header header = { 0 };
	struct stat st;
	size_t size;

	if (fstat(ledger->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)sizeof(header) ||
	    pread(ledger->fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return false;
	size = (size_t)st.st_size - sizeof(header);
	if (header.magic != MAGIC || size % sizeof(struct xb_ledger_entry) != 0 ||
	    header.count != size / sizeof(struct xb_ledger_entry))
		return false;
	ledger->count = (size_t)header.count;
	return check_entries(ledger, &header);
}

struct xb_ledger *xb_ledger_open(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	xb_auto_ledger struct xb_ledger *ledger = NULL;

	if (fd < 0)
		return NULL;
	ledger = xb_calloc(1, sizeof(*ledger));
	ledger->fd = fd;
	return load(ledger) ? XB_STEAL(ledger) : NULL;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct xb_ledger_reader *xb_ledger_reader_new(const struct xb_ledger *ledger, size_t blocks)
{
	struct xb_ledger_reader *reader = xb_calloc(1, sizeof(*reader));

	reader->ledger = ledger;
	reader->slots = lesser(blocks, ledger->firsts.len + 1);
	reader->blocks = xb_calloc(reader->slots, sizeof(*reader->blocks));
	reader->entries = xb_calloc(reader->slots * BLOCK, sizeof(*reader->entries));
	return reader;
}

void xb_ledger_reader_free(struct xb_ledger_reader *reader)
{
	if (reader == NULL)
		return;
	free(reader->blocks);
	free(reader->entries);
	free(reader);
}

static size_t entries_of(const struct xb_ledger *ledger, size_t block)
{
	return lesser(BLOCK, ledger->count - block * BLOCK);
}

/* The entries of a block, or NULL. */
static const struct xb_ledger_entry *read_block(struct xb_ledger_reader *reader, size_t block)
{
	size_t slot = block % reader->slots;
	struct xb_ledger_entry *entries = &reader->entries[slot * BLOCK];

	if (reader->blocks[slot] == block + 1)
		return entries;
	reader->blocks[slot] = 0;
	if (!read_entries(reader->ledger->fd, block * BLOCK, entries_of(reader->ledger, block),
			  entries))
		return NULL;
	reader->blocks[slot] = block + 1;
	return entries;
}

/* The last block that begins before `inode`, or the first block. */
static size_t first_block(const struct xb_ledger *ledger, uint64_t inode)
{
	size_t low = 0, high = ledger->firsts.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ledger->firsts.items[middle] < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? low - 1 : 0;
}

static const struct xb_ledger_entry *search(const struct xb_ledger_entry *entries, size_t count,
					    const struct xb_ledger_entry *wanted)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = xb_ledger_order(&entries[middle], wanted);

		if (order == 0)
			return &entries[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct xb_ledger_entry *xb_ledger_find(struct xb_ledger_reader *reader, uint64_t inode,
					     uint64_t device, size_t *ret_index)
{
	const struct xb_ledger *ledger = reader->ledger;
	const struct xb_ledger_entry wanted = { .inode = inode, .device = device };

	/* one inode of several devices may lie on both sides of where blocks meet */
	for (size_t block = first_block(ledger, inode);
	     block < ledger->firsts.len && ledger->firsts.items[block] <= inode; block++) {
		const struct xb_ledger_entry *entries = read_block(reader, block);
		const struct xb_ledger_entry *found = NULL;

		if (entries != NULL)
			found = search(entries, entries_of(ledger, block), &wanted);
		if (found != NULL && ret_index != NULL)
			*ret_index = block * BLOCK + (size_t)(found - entries);
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* A ledger that is being written, from its first entry to its last. */
struct writer {
	struct xb_ledger *ledger; /* its file is at the place of the entries not yet written */
	struct xb_hasher *hasher;
	struct xb_ledger_entry *entries; /* STRIDE * BLOCK, `len` of them not yet written */
	size_t len;
};

static void writer_clear(struct writer *w)
{
	xb_hasher_free(w->hasher);
	free(w->entries);
}

static int begin(struct writer *w, struct xb_ledger *ledger, struct xb_error *err)
{
	static const struct header none = { 0 };

	w->ledger = ledger;
	w->hasher = xb_hasher_new();
	w->entries = xb_alloc(STRIDE * BLOCK * sizeof(*w->entries));
	return xb_write_all(ledger->fd, &none, sizeof(none), err);
}

static int flush(struct writer *w, struct xb_error *err)
{
	size_t len = w->len;

	xb_hasher_add(w->hasher, w->entries, len * sizeof(*w->entries));
	note_firsts(w->ledger, w->entries, len);
	w->ledger->count += len;
	w->len = 0;
	return xb_write_all(w->ledger->fd, w->entries, len * sizeof(*w->entries), err);
}

static int put(struct writer *w, const struct xb_ledger_entry *entry, struct xb_error *err)
{
	w->entries[w->len++] = *entry;
	return w->len == STRIDE * BLOCK ? flush(w, err) : 0;
}

static int finish(struct writer *w, struct xb_error *err)
{
	struct header header = { .magic = MAGIC };
	struct xb_digest digest;
	int r = flush(w, err);

	if (r < 0)
		return r;
	header.count = w->ledger->count;
	digest = xb_hasher_finish(w->hasher);
	memcpy(header.check, xb_digest_hex(&digest), sizeof(header.check));
	if (lseek(w->ledger->fd, 0, SEEK_SET) < 0)
		return xb_error_errno(err, -errno, "going to the start of a file");
	return xb_write_all(w->ledger->fd, &header, sizeof(header), err);
}

static int new_unnamed(int dirfd, struct xb_ledger **ret, struct xb_error *err)
{
	int fd = xb_file_unnamed(dirfd, err);

	if (fd < 0)
		return fd;
	*ret = xb_calloc(1, sizeof(**ret));
	(*ret)->fd = fd;
	return 0;
}

int xb_ledger_of(int dirfd, const struct xb_ledger_entry *entries, size_t count,
		 struct xb_ledger **ret, struct xb_error *err)
{
	xb_auto_ledger struct xb_ledger *ledger = NULL;
	XB_CLEANUP(writer_clear) struct writer w = { 0 };
	int r = new_unnamed(dirfd, &ledger, err);

	if (r >= 0)
		r = begin(&w, ledger, err);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = put(&w, &entries[i], err);
	if (r >= 0)
		r = finish(&w, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(ledger);
	return 0;
}

/* ---- merging -------------------------------------------------------------------------------- */

/* A ledger that is being read from its first entry to its last. */
struct source {
	struct xb_ledger_reader *reader;
	size_t next;			     /* number of the entry after `entry` */
	const struct xb_ledger_entry *entry; /* NULL: at the end */
};

struct sources {
	struct source *items;
	size_t len;
};

static void sources_clear(struct sources *sources)
{
	for (size_t i = 0; i < sources->len; i++)
		xb_ledger_reader_free(sources->items[i].reader);
	free(sources->items);
}

/* Go to the next entry. */
static int advance(struct source *s, struct xb_error *err)
{
	const struct xb_ledger_entry *entries;

	s->entry = NULL;
	if (s->reader == NULL || s->next == s->reader->ledger->count)
		return 0;
	entries = read_block(s->reader, s->next / BLOCK);
	if (entries == NULL)
		return xb_error_set(err, -EIO, "reading what was remembered");
	s->entry = &entries[s->next++ % BLOCK];
	return 0;
}

/* The source whose entry is the first; of equal ones the last source. NULL at the end of all. */
static struct source *first_of(const struct sources *sources)
{
	struct source *first = NULL;

	for (size_t i = 0; i < sources->len; i++) {
		struct source *s = &sources->items[i];

		if (s->entry != NULL &&
		    (first == NULL || xb_ledger_order(s->entry, first->entry) <= 0))
			first = s;
	}
	return first;
}

/* Go beyond the entries of a file. */
static int pass(const struct sources *sources, const struct xb_ledger_entry *file,
		struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < sources->len; i++) {
		struct source *s = &sources->items[i];

		if (s->entry != NULL && xb_ledger_order(s->entry, file) == 0)
			r = advance(s, err);
	}
	return r;
}

/* What of the first of several ledgers is wanted. */
struct choice {
	bool (*keeps)(const void *context, size_t index); /* NULL: all */
	const void *context;
};

static int merge(struct writer *w, const struct sources *sources, const struct choice *choice,
		 struct xb_error *err)
{
	const struct source *first;
	int r = 0;

	while (r >= 0 && (first = first_of(sources)) != NULL) {
		struct xb_ledger_entry entry = *first->entry;

		if (choice->keeps == NULL || first != sources->items ||
		    choice->keeps(choice->context, first->next - 1))
			r = put(w, &entry, err);
		if (r >= 0)
			r = pass(sources, &entry, err);
	}
	return r;
}

static int merge_into(struct xb_ledger *to, struct xb_ledger *const *from, size_t count,
		      const struct choice *choice, struct xb_error *err)
{
	XB_CLEANUP(sources_clear)
	struct sources sources = { .items = xb_calloc(count, sizeof(*sources.items)),
				   .len = count };
	XB_CLEANUP(writer_clear) struct writer w = { 0 };
	int r = begin(&w, to, err);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		if (from[i] != NULL)
			sources.items[i].reader = xb_ledger_reader_new(from[i], 1);
		r = advance(&sources.items[i], err);
	}
	if (r >= 0)
		r = merge(&w, &sources, choice, err);
	return r < 0 ? r : finish(&w, err);
}

int xb_ledger_merge(int dirfd, struct xb_ledger *const *from, size_t count, struct xb_ledger **ret,
		    struct xb_error *err)
{
	static const struct choice all = { 0 };
	xb_auto_ledger struct xb_ledger *ledger = NULL;
	int r = new_unnamed(dirfd, &ledger, err);

	if (r >= 0)
		r = merge_into(ledger, from, count, &all, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(ledger);
	return 0;
}

int xb_ledger_write(int fd, struct xb_ledger *const *from, size_t count,
		    bool (*keeps)(const void *context, size_t index), const void *context,
		    struct xb_error *err)
{
	const struct choice choice = { .keeps = keeps, .context = context };
	struct xb_ledger ledger = { .fd = fd };
	int r = merge_into(&ledger, from, count, &choice, err);

	xb_array_clear(&ledger.firsts);
	return r;
}
