/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/array.h"
#include "base/file.h"
#include "base/str.h"

/* The first bytes of the file; the number is that of the format. The host's byte order is part of
 * it, since the file never leaves the machine. */
#define MAGIC ((uint64_t)0x78626d656d000001)

/* File times may lag behind the clock by a tick, and two changes may fall into one. */
#define RACY_NS ((int64_t)50 * 1000 * 1000)

/* Records that a build did not ask for are kept if they are not more than those it did, and these.
 */
#define SPARE ((size_t)100000)

/* One file; ordered by `key`, which is uniformly distributed. */
struct entry {
	unsigned char key[16]; /* of what the file is known by */
	unsigned char digest[32];
};
struct entries XB_ARRAY(struct entry);

/* Keys are uniformly distributed: their first bits say where to look, within some dozen entries of
 * a context of 100,000 files. */
#define SLOT_BITS 12
#define SLOTS	  ((size_t)1 << SLOT_BITS)

struct header {
	uint64_t magic;
	uint64_t count;
	unsigned char check[32]; /* SHA-256 of the entries */
};

struct xb_context_memory {
	int dirfd;
	char name[32];
	int64_t started; /* nanoseconds since 1970 when it was opened */
	void *map;	 /* the file, or NULL */
	size_t map_size;
	const struct entry *known;
	size_t known_count;
	size_t *slots;	      /* where the keys that begin with each number start; SLOTS + 1 */
	atomic_uchar *used;   /* a bit for each of `known` */
	pthread_mutex_t lock; /* guards all below */
	struct entries fresh; /* a file that two steps read at once is in it twice */
	size_t *fresh_slots;  /* open addressing: a place in `fresh` plus one, or 0 */
	size_t fresh_size;    /* of the table, a power of two, at least twice the entries */
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

static void make_key(const struct stat *st, unsigned char ret[16])
{
	const uint64_t fields[] = { (uint64_t)st->st_dev, (uint64_t)st->st_ino,
				    (uint64_t)st->st_size, (uint64_t)nanoseconds(&st->st_mtim),
				    (uint64_t)nanoseconds(&st->st_ctim) };
	struct xb_digest digest = xb_digest_of(fields, sizeof(fields));
	unsigned char bytes[32];

	digest_bytes(&digest, bytes);
	memcpy(ret, bytes, 16);
}

/* ---- the file ------------------------------------------------------------------------------- */

static bool check_map(const void *map, size_t size)
{
	const struct header *header = map;
	const unsigned char *entries = (const unsigned char *)map + sizeof(*header);
	struct xb_digest digest;
	unsigned char bytes[32];

	if (size < sizeof(*header) || header->magic != MAGIC ||
	    header->count != (size - sizeof(*header)) / sizeof(struct entry) ||
	    (size - sizeof(*header)) % sizeof(struct entry) != 0)
		return false;
	digest = xb_digest_of(entries, size - sizeof(*header));
	digest_bytes(&digest, bytes);
	return memcmp(bytes, header->check, sizeof(bytes)) == 0;
}

static size_t slot_of(const unsigned char key[16])
{
	return ((size_t)key[0] << 8 | key[1]) >> (16 - SLOT_BITS);
}

static void make_slots(struct xb_context_memory *m)
{
	size_t slot = 0;

	m->slots = xb_calloc(SLOTS + 1, sizeof(*m->slots));
	for (size_t i = 0; i < m->known_count; i++) {
		while (slot < slot_of(m->known[i].key))
			m->slots[++slot] = i;
	}
	while (slot < SLOTS)
		m->slots[++slot] = m->known_count;
}

static void load(struct xb_context_memory *m)
{
	xb_auto_fd int fd = openat(m->dirfd, m->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return;
	if (!check_map(map, (size_t)st.st_size)) {
		(void)munmap(map, (size_t)st.st_size);
		return;
	}
	m->map = map;
	m->map_size = (size_t)st.st_size;
	m->known = (const struct entry *)((const struct header *)map + 1);
	m->known_count = (m->map_size - sizeof(struct header)) / sizeof(struct entry);
	m->used = xb_calloc(m->known_count / 8 + 1, sizeof(*m->used));
	make_slots(m);
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
	load(m);
	return m;
}

void xb_context_memory_free(struct xb_context_memory *m)
{
	if (m == NULL)
		return;
	if (m->map != NULL)
		(void)munmap(m->map, m->map_size);
	(void)pthread_mutex_destroy(&m->lock);
	free(m->used);
	free(m->slots);
	free(m->fresh_slots);
	xb_array_clear(&m->fresh);
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

static const struct entry *search(const struct xb_context_memory *m, const unsigned char key[16])
{
	size_t low = m->slots[slot_of(key)], high = m->slots[slot_of(key) + 1];

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(m->known[middle].key, key, sizeof(m->known->key));

		if (order == 0)
			return &m->known[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Where the table has `key`, or would have it; there is always room. */
static size_t *fresh_slot(const struct xb_context_memory *m, const unsigned char key[16])
{
	uint64_t start;

	memcpy(&start, key, sizeof(start));
	for (size_t i = (size_t)start;; i++) {
		size_t *slot = &m->fresh_slots[i & (m->fresh_size - 1)];

		if (*slot == 0 || memcmp(m->fresh.items[*slot - 1].key, key, 16) == 0)
			return slot;
	}
}

/* Make room for one more. */
static void grow_fresh(struct xb_context_memory *m)
{
	enum { LEAST = 256 };

	if (m->fresh_size > 0 && m->fresh.len < m->fresh_size / 2)
		return;
	free(m->fresh_slots);
	m->fresh_size = m->fresh_size > 0 ? m->fresh_size * 2 : LEAST;
	m->fresh_slots = xb_calloc(m->fresh_size, sizeof(*m->fresh_slots));
	for (size_t i = 0; i < m->fresh.len; i++)
		*fresh_slot(m, m->fresh.items[i].key) = i + 1;
}

/* What this build read before: its other platforms and keys ask again. */
static bool find_fresh(struct xb_context_memory *m, const unsigned char key[16],
		       struct xb_digest *ret)
{
	LOCKED(m);
	size_t slot = m->fresh_size > 0 ? *fresh_slot(m, key) : 0;

	if (slot > 0)
		digest_text(m->fresh.items[slot - 1].digest, ret);
	return slot > 0;
}

bool xb_context_memory_find(struct xb_context_memory *m, const struct stat *st,
			    struct xb_digest *ret)
{
	const struct entry *entry;
	unsigned char key[16];
	size_t index;

	if (m == NULL)
		return false;
	make_key(st, key);
	entry = m->known_count > 0 ? search(m, key) : NULL;
	if (entry == NULL)
		return find_fresh(m, key, ret);
	digest_text(entry->digest, ret);
	index = (size_t)(entry - m->known);
	atomic_fetch_or_explicit(&m->used[index / 8], (unsigned char)(1 << index % 8),
				 memory_order_relaxed);
	return true;
}

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

void xb_context_memory_add(struct xb_context_memory *m, const struct stat *before,
			   const struct stat *after, const struct xb_digest *digest)
{
	struct entry entry = { 0 };

	if (m == NULL || !is_stable(m, before, after))
		return;
	make_key(after, entry.key);
	digest_bytes(digest, entry.digest);
	LOCKED(m);
	grow_fresh(m);
	*xb_array_push(&m->fresh) = entry;
	*fresh_slot(m, entry.key) = m->fresh.len;
}

/* ---- saving --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(((struct entry *)NULL)->key));
}

/* Entries in order, each key once. */
static void tidy(struct entries *entries)
{
	size_t n = 0;

	if (entries->len > 1)
		qsort(entries->items, entries->len, sizeof(*entries->items), compare);
	for (size_t i = 0; i < entries->len; i++) {
		if (n == 0 || compare(&entries->items[n - 1], &entries->items[i]) != 0)
			entries->items[n++] = entries->items[i];
	}
	entries->len = n;
}

static bool is_used(const struct xb_context_memory *m, size_t index)
{
	return (m->used[index / 8] >> index % 8 & 1) != 0;
}

static void collect(const struct xb_context_memory *m, struct entries *ret)
{
	size_t used = 0;
	bool spare;

	for (size_t i = 0; i < m->known_count; i++)
		used += is_used(m, i);
	spare = m->known_count - used <= used + m->fresh.len + SPARE;
	for (size_t i = 0; i < m->known_count; i++) {
		if (spare || is_used(m, i))
			*xb_array_push(ret) = m->known[i];
	}
	for (size_t i = 0; i < m->fresh.len; i++)
		*xb_array_push(ret) = m->fresh.items[i];
	tidy(ret);
}

int xb_context_memory_save(struct xb_context_memory *m, struct xb_error *err)
{
	struct entries all = { 0 };
	struct header header = { .magic = MAGIC };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	struct xb_digest digest;
	int r;

	if (m == NULL || m->fresh.len == 0)
		return 0;
	collect(m, &all);
	header.count = all.len;
	digest = xb_digest_of(all.items, all.len * sizeof(*all.items));
	digest_bytes(&digest, header.check);
	(void)xb_str_append(&text, &header, sizeof(header));
	(void)xb_str_append(&text, all.items, all.len * sizeof(*all.items));
	xb_array_clear(&all);
	r = xb_file_replace_at(m->dirfd, m->name, text.data, text.len, false, err);
	return r < 0 ? xb_error_wrap(err, r, "remembering the context's files") : 0;
}
