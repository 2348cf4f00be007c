/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <string.h>
#include <sys/auxv.h>

#include "base/error.h"

/*
 * FNV-1a from a secret start (the 16 random bytes that the kernel gives each process), so that
 * nobody can prepare keys which all meet in one bucket.
 */
static unsigned hash_of(const char *key, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325U, secret = 0;
	const void *random = (const void *)getauxval(AT_RANDOM);

	if (random != NULL)
		memcpy(&secret, random, sizeof(secret));
	hash ^= secret;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)key[i]) * 0x100000001b3U;
	return (unsigned)(hash ^ hash >> 32);
}

#define HASH_FUNCTION(key, key_len, ret) ((ret) = hash_of((key), (key_len)))
#define uthash_fatal(message)		 xb_die("%s", message)
#include <uthash.h>

struct entry {
	char *key; /* NUL-terminated, but its length is `len`: it may hold NUL bytes */
	size_t len;
	void *value;
	UT_hash_handle hh;
};

struct xb_map {
	struct entry *entries;
};

struct xb_map *xb_map_new(void)
{
	return xb_calloc(1, sizeof(struct xb_map));
}

static void entry_free(struct entry *e)
{
	free(e->key);
	free(e);
}

void xb_map_free(struct xb_map *map)
{
	struct entry *e, *next;

	if (map == NULL)
		return;
	e = map->entries;
	HASH_CLEAR(hh, map->entries);
	for (; e != NULL; e = next) {
		next = e->hh.next;
		entry_free(e);
	}
	free(map);
}

static struct entry *find(const struct xb_map *map, struct xb_view key)
{
	struct entry *e = NULL;

	HASH_FIND(hh, map->entries, key.data != NULL ? key.data : "", key.len, e);
	return e;
}

void *xb_map_set(struct xb_map *map, struct xb_view key, void *value)
{
	struct entry *e = find(map, key);
	void *before = NULL;

	if (value == NULL)
		xb_die("a map was given no value for a key");
	if (e != NULL) {
		before = e->value;
		e->value = value;
		return before;
	}
	e = xb_calloc(1, sizeof(*e));
	e->key = xb_view_dup(key);
	e->len = key.len;
	e->value = value;
	HASH_ADD_KEYPTR(hh, map->entries, e->key, e->len, e);
	return NULL;
}

void *xb_map_get(const struct xb_map *map, struct xb_view key)
{
	struct entry *e = find(map, key);

	return e != NULL ? e->value : NULL;
}

void *xb_map_remove(struct xb_map *map, struct xb_view key)
{
	struct entry *e = find(map, key);
	void *value;

	if (e == NULL)
		return NULL;
	value = e->value;
	HASH_DELETE(hh, map->entries, e);
	entry_free(e);
	return value;
}

size_t xb_map_len(const struct xb_map *map)
{
	return HASH_COUNT(map->entries);
}

int xb_map_each(const struct xb_map *map, int (*visit)(void *context, const char *key, void *value),
		void *context)
{
	int r = 0;

	for (const struct entry *e = map->entries; e != NULL && r == 0; e = e->hh.next)
		r = visit(context, e->key, e->value);
	return r;
}
