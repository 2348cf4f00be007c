/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/file.h"
#include "base/str.h"
#include "builder/context/ledger.h"

/* File times may lag behind the clock by a tick, and two changes may fall into one. */
#define RACY_NS ((int64_t)50 * 1000 * 1000)

/* Records that a build did not ask for are kept if they are not more than those it did, and these.
 */
#define SPARE ((size_t)100000)

/* Files read by this build that are held in memory; the others lie in ledgers without names. */
#define MOST_HELD ((size_t)32768)
/* So many ledgers of them become one. */
#define MOST_RUNS ((size_t)16)
/* Blocks that a walk holds of what is known, and those of each ledger of this build's files. */
#define KNOWN_BLOCKS ((size_t)128)
#define RUN_BLOCKS   ((size_t)8)

struct entries XB_ARRAY(struct xb_ledger_entry);

/* Files that this build has read before those that are held, and a reader of them. */
struct run {
	struct xb_ledger *ledger;
	struct xb_ledger_reader *reader;
};

struct xb_context_memory {
	int dirfd;
	char name[32];
	int64_t started;		 /* nanoseconds since 1970 when it was opened */
	struct xb_ledger *known;	 /* as it was saved last; NULL: nothing */
	atomic_uchar *used;		 /* a bit for each of `known` */
	pthread_mutex_t lock;		 /* guards all below */
	struct xb_ledger_reader *reader; /* of `known`, for those who have none; NULL: not yet */
	struct entries held;		 /* no file twice */
	uint32_t *slots;		 /* open addressing: a place in `held` plus one, or 0 */
	size_t slot_count;		 /* a power of two, at least twice the entries */
	struct run runs[MOST_RUNS];	 /* a later one knows better */
	size_t run_count;
};

static int64_t nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* The 32 bytes that the digits of a SHA-256 stand for. */
static void digest_bytes(const struct xb_digest *digest, unsigned char ret[32])
{
	const char *hex = xb_digest_hex(digest);

	for (size_t i = 0; i < 32; i++) {
		int high = hex[2 * i] <= '9' ? hex[2 * i] - '0' : hex[2 * i] - 'a' + 10;
		int low = hex[2 * i + 1] <= '9' ? hex[2 * i + 1] - '0' : hex[2 * i + 1] - 'a' + 10;

		ret[i] = (unsigned char)(high << 4 | low);
	}
}

static void digest_text(const unsigned char bytes[32], struct xb_digest *ret)
{
	static const char digits[] = "0123456789abcdef";
	char *to = ret->text + 7;

	*ret = (struct xb_digest){ .text = "sha256:" };
	for (size_t i = 0; i < 32; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
}

static struct xb_ledger_entry entry_of(const struct stat *st)
{
	return (struct xb_ledger_entry){ .inode = (uint64_t)st->st_ino,
					 .device = (uint64_t)st->st_dev,
					 .size = (uint64_t)st->st_size,
					 .modified = nanoseconds(&st->st_mtim),
					 .changed = nanoseconds(&st->st_ctim) };
}

static bool is_unchanged(const struct xb_ledger_entry *a, const struct xb_ledger_entry *b)
{
	return a->size == b->size && a->modified == b->modified && a->changed == b->changed;
}

struct xb_context_memory *xb_context_memory_open(int dirfd, int context_fd)
{
	struct xb_context_memory *m = xb_calloc(1, sizeof(*m));
	struct timespec now = { 0 };
	struct stat st = { 0 };
	uint64_t place[2];
	struct xb_digest digest;

	m->dirfd = dirfd;
	(void)pthread_mutex_init(&m->lock, NULL);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	m->started = nanoseconds(&now);
	(void)fstat(context_fd, &st);
	place[0] = (uint64_t)st.st_dev;
	place[1] = (uint64_t)st.st_ino;
	digest = xb_digest_of(place, sizeof(place));
	memcpy(m->name, xb_digest_hex(&digest), sizeof(m->name) - 1);
	m->known = xb_ledger_open(dirfd, m->name);
	if (m->known != NULL)
		m->used = xb_calloc(xb_ledger_count(m->known) / 8 + 1, sizeof(*m->used));
	return m;
}

static void forget_runs(struct xb_context_memory *m)
{
	for (size_t i = 0; i < m->run_count; i++) {
		xb_ledger_reader_free(m->runs[i].reader);
		xb_ledger_free(m->runs[i].ledger);
	}
	m->run_count = 0;
}

void xb_context_memory_free(struct xb_context_memory *m)
{
	if (m == NULL)
		return;
	(void)pthread_mutex_destroy(&m->lock);
	forget_runs(m);
	xb_ledger_reader_free(m->reader);
	xb_ledger_free(m->known);
	free(m->used);
	free(m->slots);
	xb_array_clear(&m->held);
	free(m);
}

/* ---- asking --------------------------------------------------------------------------------- */

static void unlock(pthread_mutex_t **lock)
{
	(void)pthread_mutex_unlock(*lock);
}

#define LOCKED(m)                                                                                  \
	XB_CLEANUP(unlock)                                                                         \
	pthread_mutex_t *locked = ((void)pthread_mutex_lock(&(m)->lock), &(m)->lock);              \
	(void)locked

struct xb_ledger_reader *xb_context_memory_reader(const struct xb_context_memory *m)
{
	return m != NULL && m->known != NULL ? xb_ledger_reader_new(m->known, KNOWN_BLOCKS) : NULL;
}

static bool find_saved(struct xb_context_memory *m, struct xb_ledger_reader *reader,
		       const struct xb_ledger_entry *wanted, struct xb_digest *ret)
{
	size_t index = 0;
	const struct xb_ledger_entry *found =
		xb_ledger_find(reader, wanted->inode, wanted->device, &index);

	if (found == NULL || !is_unchanged(found, wanted))
		return false;
	digest_text(found->digest, ret);
	atomic_fetch_or_explicit(&m->used[index / 8], (unsigned char)(1 << index % 8),
				 memory_order_relaxed);
	return true;
}

static bool find_known(struct xb_context_memory *m, struct xb_ledger_reader *reader,
		       const struct xb_ledger_entry *wanted, struct xb_digest *ret)
{
	if (m->known == NULL)
		return false;
	if (reader != NULL)
		return find_saved(m, reader, wanted, ret);
	LOCKED(m);
	if (m->reader == NULL)
		m->reader = xb_ledger_reader_new(m->known, RUN_BLOCKS);
	return find_saved(m, m->reader, wanted, ret);
}

/* Where the table has a file, or would have it; there is always room. */
static uint32_t *slot_of(const struct xb_context_memory *m, const struct xb_ledger_entry *wanted)
{
	/* inodes are near each other: spread them by a multiplication (Knuth) */
	uint64_t hash = (wanted->inode ^ wanted->device << 40) * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = (size_t)(hash >> 24);; i++) {
		uint32_t *slot = &m->slots[i & (m->slot_count - 1)];

		if (*slot == 0 || xb_ledger_order(&m->held.items[*slot - 1], wanted) == 0)
			return slot;
	}
}

/* Make room for one more. */
static void grow_slots(struct xb_context_memory *m)
{
	enum { LEAST = 256 };

	if (m->slot_count > 0 && m->held.len < m->slot_count / 2)
		return;
	free(m->slots);
	m->slot_count = m->slot_count > 0 ? m->slot_count * 2 : LEAST;
	m->slots = xb_calloc(m->slot_count, sizeof(*m->slots));
	for (size_t i = 0; i < m->held.len; i++)
		*slot_of(m, &m->held.items[i]) = (uint32_t)i + 1;
}

static const struct xb_ledger_entry *find_held(const struct xb_context_memory *m,
					       const struct xb_ledger_entry *wanted)
{
	uint32_t slot = m->slot_count > 0 ? *slot_of(m, wanted) : 0;

	return slot > 0 ? &m->held.items[slot - 1] : NULL;
}

/* What this build read before: its other platforms and keys ask again. */
static bool find_fresh(struct xb_context_memory *m, const struct xb_ledger_entry *wanted,
		       struct xb_digest *ret)
{
	LOCKED(m);
	const struct xb_ledger_entry *found = find_held(m, wanted);

	for (size_t i = m->run_count; found == NULL && i > 0; i--)
		found = xb_ledger_find(m->runs[i - 1].reader, wanted->inode, wanted->device, NULL);
	if (found == NULL || !is_unchanged(found, wanted))
		return false;
	digest_text(found->digest, ret);
	return true;
}

bool xb_context_memory_find(struct xb_context_memory *m, struct xb_ledger_reader *reader,
			    const struct stat *st, struct xb_digest *ret)
{
	struct xb_ledger_entry wanted;

	if (m == NULL)
		return false;
	wanted = entry_of(st);
	return find_known(m, reader, &wanted, ret) || find_fresh(m, &wanted, ret);
}

/* ---- remembering ---------------------------------------------------------------------------- */

static bool is_stable(const struct xb_context_memory *m, const struct stat *before,
		      const struct stat *after)
{
	int64_t changed = nanoseconds(&before->st_ctim);
	int64_t modified = nanoseconds(&before->st_mtim);

	return before->st_dev == after->st_dev && before->st_ino == after->st_ino &&
	       before->st_size == after->st_size && changed == nanoseconds(&after->st_ctim) &&
	       modified == nanoseconds(&after->st_mtim) && changed < m->started - RACY_NS &&
	       modified < m->started - RACY_NS;
}

static int compare(const void *a, const void *b)
{
	return xb_ledger_order(a, b);
}

static void add_run(struct xb_context_memory *m, struct xb_ledger *ledger)
{
	m->runs[m->run_count++] = (struct run){
		.ledger = ledger,
		.reader = xb_ledger_reader_new(ledger, RUN_BLOCKS),
	};
}

/* Make one ledger of all there are. */
static int join_runs(struct xb_context_memory *m, struct xb_error *err)
{
	struct xb_ledger *from[MOST_RUNS];
	struct xb_ledger *all = NULL;
	int r;

	for (size_t i = 0; i < m->run_count; i++)
		from[i] = m->runs[i].ledger;
	r = xb_ledger_merge(m->dirfd, from, m->run_count, &all, err);
	if (r < 0)
		return r;
	forget_runs(m);
	add_run(m, all);
	return 0;
}

/* Put what is held into a ledger; where that fails it is forgotten. */
static int spill(struct xb_context_memory *m, struct xb_error *err)
{
	struct xb_ledger *ledger = NULL;
	int r = m->run_count == MOST_RUNS ? join_runs(m, err) : 0;

	if (m->held.len > 1)
		qsort(m->held.items, m->held.len, sizeof(*m->held.items), compare);
	if (r >= 0 && m->held.len > 0)
		r = xb_ledger_of(m->dirfd, m->held.items, m->held.len, &ledger, err);
	if (ledger != NULL)
		add_run(m, ledger);
	m->held.len = 0;
	memset(m->slots, 0, m->slot_count * sizeof(*m->slots));
	return r;
}

void xb_context_memory_add(struct xb_context_memory *m, const struct stat *before,
			   const struct stat *after, const struct xb_digest *digest)
{
	struct xb_ledger_entry entry;
	uint32_t *slot;

	if (m == NULL || !is_stable(m, before, after))
		return;
	entry = entry_of(after);
	digest_bytes(digest, entry.digest);
	LOCKED(m);
	grow_slots(m);
	slot = slot_of(m, &entry);
	if (*slot == 0) {
		(void)xb_array_push(&m->held);
		*slot = (uint32_t)m->held.len;
	}
	m->held.items[*slot - 1] = entry;
	if (m->held.len == MOST_HELD)
		(void)spill(m, NULL); /* a file is read again then */
}

/* ---- saving --------------------------------------------------------------------------------- */

/* What is to be written: of what was known what was asked for, or all of it, and the runs. */
struct saving {
	const struct xb_context_memory *memory;
	bool spare;
};

static bool is_used(const struct xb_context_memory *m, size_t index)
{
	return (m->used[index / 8] >> index % 8 & 1) != 0;
}

static bool keeps(const void *context, size_t index)
{
	const struct saving *saving = context;

	return saving->spare || is_used(saving->memory, index);
}

/* Whether what nobody asked for is not too much to be kept. */
static bool has_room(const struct xb_context_memory *m)
{
	size_t known = m->known != NULL ? xb_ledger_count(m->known) : 0;
	size_t used = 0, fresh = 0;

	for (size_t i = 0; i < known; i++)
		used += is_used(m, i);
	for (size_t i = 0; i < m->run_count; i++)
		fresh += xb_ledger_count(m->runs[i].ledger);
	return known - used <= used + fresh + SPARE;
}

static int write_all(void *context, int fd, struct xb_error *err)
{
	const struct saving *saving = context;
	const struct xb_context_memory *m = saving->memory;
	struct xb_ledger *from[1 + MOST_RUNS];

	from[0] = m->known;
	for (size_t i = 0; i < m->run_count; i++)
		from[1 + i] = m->runs[i].ledger;
	return xb_ledger_write(fd, from, 1 + m->run_count, keeps, saving, err);
}

int xb_context_memory_save(struct xb_context_memory *m, struct xb_error *err)
{
	struct saving saving = { .memory = m };
	int r;

	if (m == NULL || (m->held.len == 0 && m->run_count == 0))
		return 0;
	r = m->held.len > 0 ? spill(m, err) : 0;
	saving.spare = has_room(m);
	if (r >= 0)
		r = xb_file_write_at(m->dirfd, m->name, write_all, &saving, false, err);
	return r < 0 ? xb_error_wrap(err, r, "remembering the context's files") : 0;
}
