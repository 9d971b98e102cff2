/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A hash table of entries of one size, by open addressing with linear probing. The key is the first
 * bytes of the entry, or the owner says how to hash and compare it. Hashing is seeded at start-up,
 * so that names chosen by strangers cannot pile up.
 *
 * Pointers to entries are valid until the next put or del.
 */
#ifndef JUNCTOR_BASE_TABLE_H
#define JUNCTOR_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* key_size may be 0 where both functions are given. Keys compared as bytes have their gaps zeroed. */
struct jn_table_ops {
	size_t entry_size, key_size;
	uint64_t (*hash)(const void *key);		   /* NULL: of its key_size bytes */
	bool (*equal)(const void *entry, const void *key); /* NULL: the entry begins with the key */
};

struct jn_table {
	const struct jn_table_ops *ops;
	unsigned char *entries;
	uint32_t *hashes; /* of the entries; 0: free */
	size_t capacity;  /* a power of two, or 0 */
	size_t count;
};

void jn_table_init(struct jn_table *t, const struct jn_table_ops *ops);
void jn_table_done(struct jn_table *t); /* frees the table, not what entries point to */

/* The entry of this key, or NULL. */
void *jn_table_find(const struct jn_table *t, const void *key);

/*
 * The entry of this key, a new one (zeroed, *is_new true) where there was none: the caller writes
 * the key into it at once. NULL: out of memory, nothing changed.
 */
void *jn_table_put(struct jn_table *t, const void *key, bool *is_new);

/* Make room for `count` entries in all, so that the next puts up to it cannot fail. */
int jn_table_reserve(struct jn_table *t, size_t count);

/* Remove the entry of this key; false when there was none. */
bool jn_table_del(struct jn_table *t, const void *key);

/* Walk: start with *at = 0; NULL at the end. The order is arbitrary; no put or del meanwhile. */
void *jn_table_next(const struct jn_table *t, size_t *at);

/* Hash of bytes with the process's seed (XXH3 64 bits). */
uint64_t jn_hash_bytes(const void *data, size_t size);

#endif
