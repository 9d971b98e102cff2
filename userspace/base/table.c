/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Open addressing with linear probing: grows at 7/8 load, deletes by shifting the run behind the
 * hole backwards, so there are no tombstones. The hash of each entry is kept beside it: neither
 * growing nor deleting asks the owner again.
 */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_CAPACITY 16

static uint64_t seed;

/* Before main: every table of the process must see one seed, in any thread. */
__attribute__((constructor)) static void choose_seed(void)
{
	const void *from_kernel = (const void *)getauxval(AT_RANDOM);

	if (getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed))
		return;
	if (from_kernel)
		memcpy(&seed, from_kernel, sizeof(seed)); /* 16 random bytes of the exec */
}

uint64_t jn_hash_bytes(const void *data, size_t size)
{
	return XXH3_64bits_withSeed(data, size, seed);
}

/* As stored: never 0, which marks a free place. */
static uint32_t stored_hash(const struct jn_table *t, const void *key)
{
	uint64_t hash = t->ops->hash ? t->ops->hash(key) : jn_hash_bytes(key, t->ops->key_size);
	uint32_t folded = (uint32_t)hash ^ (uint32_t)(hash >> 32);

	return folded ? folded : 1;
}

static unsigned char *entry_at(const struct jn_table *t, size_t at)
{
	return t->entries + at * t->ops->entry_size;
}

static bool is_of(const struct jn_table *t, const void *entry, const void *key)
{
	return t->ops->equal ? t->ops->equal(entry, key) : !memcmp(entry, key, t->ops->key_size);
}

void jn_table_init(struct jn_table *t, const struct jn_table_ops *ops)
{
	*t = (struct jn_table){ .ops = ops };
}

void jn_table_done(struct jn_table *t)
{
	free(t->entries);
	free(t->hashes);
	*t = (struct jn_table){ .ops = t->ops };
}

/* Where this key is, or the free place where it would go. Needs one free place. */
static size_t locate(const struct jn_table *t, uint32_t hash, const void *key)
{
	size_t at = hash & (t->capacity - 1);

	while (t->hashes[at]) {
		if (t->hashes[at] == hash && is_of(t, entry_at(t, at), key))
			break;
		at = (at + 1) & (t->capacity - 1);
	}
	return at;
}

void *jn_table_find(const struct jn_table *t, const void *key)
{
	size_t at;

	if (!t->count)
		return NULL;
	at = locate(t, stored_hash(t, key), key);
	return t->hashes[at] ? entry_at(t, at) : NULL;
}

static int resize(struct jn_table *t, size_t capacity)
{
	struct jn_table grown = { .ops = t->ops, .capacity = capacity, .count = t->count };

	grown.hashes = calloc(capacity, sizeof(*grown.hashes));
	grown.entries = reallocarray(NULL, capacity, t->ops->entry_size);
	if (!grown.hashes || !grown.entries) {
		jn_table_done(&grown);
		return -ENOMEM;
	}
	for (size_t from = 0; from < t->capacity; from++) {
		size_t to = t->hashes[from] & (capacity - 1);

		if (!t->hashes[from])
			continue;
		while (grown.hashes[to])
			to = (to + 1) & (capacity - 1);
		grown.hashes[to] = t->hashes[from];
		memcpy(entry_at(&grown, to), entry_at(t, from), t->ops->entry_size);
	}
	jn_table_done(t);
	*t = grown;
	return 0;
}

int jn_table_reserve(struct jn_table *t, size_t count)
{
	size_t capacity = t->capacity ? t->capacity : FIRST_CAPACITY;

	while (capacity - capacity / 8 < count) {
		if (capacity > UINT32_MAX / 2)
			return -ENOMEM; /* hashes are of 32 bits */
		capacity *= 2;
	}
	return capacity == t->capacity ? 0 : resize(t, capacity);
}

void *jn_table_put(struct jn_table *t, const void *key, bool *is_new)
{
	void *entry = jn_table_find(t, key);
	uint32_t hash;
	size_t at;

	if (entry) {
		*is_new = false;
		return entry;
	}
	if (jn_table_reserve(t, t->count + 1))
		return NULL;
	hash = stored_hash(t, key);
	at = locate(t, hash, key);
	t->hashes[at] = hash;
	t->count++;
	memset(entry_at(t, at), 0, t->ops->entry_size);
	*is_new = true;
	return entry_at(t, at);
}

bool jn_table_del(struct jn_table *t, const void *key)
{
	size_t mask = t->capacity - 1, hole, next;

	if (!t->count)
		return false;
	hole = locate(t, stored_hash(t, key), key);
	if (!t->hashes[hole])
		return false;
	for (next = (hole + 1) & mask; t->hashes[next]; next = (next + 1) & mask) {
		size_t home = t->hashes[next] & mask;

		if (((next - home) & mask) < ((next - hole) & mask))
			continue; /* its home lies behind the hole: it would not be found there */
		t->hashes[hole] = t->hashes[next];
		memcpy(entry_at(t, hole), entry_at(t, next), t->ops->entry_size);
		hole = next;
	}
	t->hashes[hole] = 0;
	t->count--;
	return true;
}

void *jn_table_next(const struct jn_table *t, size_t *at)
{
	while (*at < t->capacity) {
		size_t here = (*at)++;

		if (t->hashes[here])
			return entry_at(t, here);
	}
	return NULL;
}
