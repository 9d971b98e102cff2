/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which indices of a table are in use. Two shapes: single ids, which rest for a while after they
 * were freed, and ranges of slots.
 *
 * Neither is stored: at start they are read off the tables themselves, which outlive the process.
 */
#ifndef JUNCTOR_ENGINE_IDS_H
#define JUNCTOR_ENGINE_IDS_H

#include <stddef.h>
#include <stdint.h>

struct jn_freed {
	uint32_t id;
	uint64_t freed_ms;
};

/* Ids from 1 to capacity - 1; 0 means none. */
struct jn_ids {
	const char *name;  /* of the limit, for people */
	uint32_t capacity; /* grows, up to the ceiling */
	uint32_t ceiling;
	uint32_t next;		/* the first one that was never used */
	uint64_t rest_ms;	/* how long a freed id is not given out again */
	struct jn_freed *freed; /* a ring, oldest first */
	size_t freed_at, freed_count, freed_capacity;
	uint32_t used;
};

void jn_ids_init(struct jn_ids *ids, const char *name, uint32_t ceiling, uint64_t rest_ms);
void jn_ids_done(struct jn_ids *ids);

/* A free id, or 0: all are used or still at rest. */
uint32_t jn_ids_take(struct jn_ids *ids, uint64_t now_ms);
/* Give one back. freed_ms: since when it rests; 0: it was never seen by anybody. */
void jn_ids_free(struct jn_ids *ids, uint32_t id, uint64_t freed_ms);
/*
 * Start over with what a table holds: marks[id] nonzero = used. Every other id below the highest
 * used one counts as freed at now_ms, since when it was freed is not known. 0 or -ENOMEM.
 */
int jn_ids_adopt(struct jn_ids *ids, const uint8_t *marks, uint64_t now_ms);

struct jn_extent {
	uint32_t base, count;
};

struct jn_bases {
	uint32_t *items;
	size_t count, capacity;
};

/* Ranges of slots out of [0, capacity). Freed ones are reused by their size first. */
struct jn_ranges {
	uint32_t capacity; /* grows, up to the ceiling */
	uint32_t ceiling;
	uint32_t used;		 /* slots, not ranges */
	struct jn_extent *large; /* longer than any list by size holds: sorted by nothing */
	size_t large_count, large_capacity;
	struct jn_bases *by_size; /* [1 .. JN_MAX_BACKENDS]: freed ranges of just that many slots */
};

int jn_ranges_init(struct jn_ranges *ranges, uint32_t capacity, uint32_t ceiling);
void jn_ranges_grow(struct jn_ranges *ranges, uint32_t capacity);
void jn_ranges_done(struct jn_ranges *ranges);
/* count 1..JN_MAX_MAGLEV. 0 with *base, or -ENOSPC. */
int jn_ranges_take(struct jn_ranges *ranges, uint32_t count, uint32_t *base);
void jn_ranges_free(struct jn_ranges *ranges, uint32_t base, uint32_t count);
/* Start over with these ranges in use (sorted here). -EINVAL when two overlap; -ENOMEM. */
int jn_ranges_adopt(struct jn_ranges *ranges, struct jn_extent *used, size_t count);

#endif
