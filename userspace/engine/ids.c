/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ids with a rest: first the one that rested longest, then one that was never used.
 */
#include "engine/ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

void jn_ids_init(struct jn_ids *ids, const char *name, uint32_t ceiling, uint64_t rest_ms)
{
	*ids = (struct jn_ids){
		.name = name, .capacity = ceiling, .ceiling = ceiling, .next = 1, .rest_ms = rest_ms
	};
}

void jn_ids_done(struct jn_ids *ids)
{
	free(ids->freed);
	ids->freed = NULL;
}

uint32_t jn_ids_take(struct jn_ids *ids, uint64_t now_ms)
{
	const struct jn_freed *oldest;
	uint32_t id;

	if (ids->freed_count) {
		oldest = &ids->freed[ids->freed_at];
		if (!oldest->freed_ms || oldest->freed_ms + ids->rest_ms <= now_ms) {
			id = oldest->id;
			ids->freed_at = (ids->freed_at + 1) % ids->freed_capacity;
			ids->freed_count--;
			ids->used++;
			return id;
		}
	}
	if (ids->next >= ids->capacity)
		return 0;
	ids->used++;
	return ids->next++;
}

/* The ring doubles; an id is lost until the next start where memory is out. */
static int grow_ring(struct jn_ids *ids)
{
	size_t capacity = ids->freed_capacity ? 2 * ids->freed_capacity : 64;
	struct jn_freed *ring = calloc(capacity, sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	for (size_t i = 0; i < ids->freed_count; i++)
		ring[i] = ids->freed[(ids->freed_at + i) % ids->freed_capacity];
	free(ids->freed);
	ids->freed = ring;
	ids->freed_at = 0;
	ids->freed_capacity = capacity;
	return 0;
}

void jn_ids_free(struct jn_ids *ids, uint32_t id, uint64_t freed_ms)
{
	size_t place;

	ids->used--;
	if (ids->freed_count == ids->freed_capacity && grow_ring(ids))
		return;
	if (freed_ms) {
		place = (ids->freed_at + ids->freed_count) % ids->freed_capacity;
	} else { /* nobody saw it: it goes to the front, so that order by time stays */
		ids->freed_at = (ids->freed_at + ids->freed_capacity - 1) % ids->freed_capacity;
		place = ids->freed_at;
	}
	ids->freed[place] = (struct jn_freed){ id, freed_ms };
	ids->freed_count++;
}

int jn_ids_adopt(struct jn_ids *ids, const uint8_t *marks, uint64_t now_ms)
{
	uint32_t highest = 0, free_count = 0;

	for (uint32_t id = 1; id < ids->capacity; id++) {
		if (marks[id])
			highest = id;
	}
	for (uint32_t id = 1; id < highest; id++)
		free_count += !marks[id];
	free(ids->freed);
	ids->freed = NULL;
	ids->freed_at = ids->freed_count = ids->freed_capacity = 0;
	if (free_count) {
		ids->freed = calloc(free_count, sizeof(*ids->freed));
		if (!ids->freed)
			return -ENOMEM;
		ids->freed_capacity = free_count;
	}
	for (uint32_t id = 1; id < highest; id++) {
		if (!marks[id])
			ids->freed[ids->freed_count++] = (struct jn_freed){ id, now_ms };
	}
	ids->next = highest + 1;
	ids->used = highest - free_count;
	return 0;
}
