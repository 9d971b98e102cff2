/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which slot of a revision. Inline, because every connection to a service comes here: a call between
 * BPF functions is dear (see README.md).
 */
#ifndef JUNCTOR_KERNEL_SLOT_H
#define JUNCTOR_KERNEL_SLOT_H

#include <junctor/decide/pick.h>

#include "decide.bpf.h"
#include "dry.bpf.h"
#include "maps.bpf.h"

/* index counts from the revision's first slot. */
static inline const struct jn_slot *jn_slot_at(const struct jn_revision *revision, __u32 index)
{
	__u32 place = revision->slot_base + index;

	if (index >= revision->slot_count)
		return NULL;
	return bpf_map_lookup_elem(&jn_slots, &place);
}

/* Of an alias table, by an evenly drawn number. */
static inline const struct jn_slot *jn_draw_of(const struct jn_revision *revision, __u32 random)
{
	struct jn_draw draw = jn_draw_slot(random, revision->slot_count);
	const struct jn_slot *slot = jn_slot_at(revision, draw.slot);

	jn_note(JN_STEP_DRAW, 0, 0, draw.slot);
	if (!slot || jn_draw_keeps(&draw, slot))
		return slot;
	jn_note(JN_STEP_ALIAS, 0, 0, slot->alias);
	return jn_slot_at(revision, slot->alias);
}

static inline const struct jn_slot *jn_next_of(__u32 set_id, const struct jn_revision *revision)
{
	struct jn_cursor *cursor = bpf_map_lookup_elem(&jn_cursors, &set_id);

	if (!cursor)
		return NULL;
	return jn_slot_at(revision, jn_turn_slot(jn_take_turn(cursor), revision->slot_count));
}

/* Of any algorithm. hash: of the client; for those that ask for it. */
static inline const struct jn_slot *jn_pick_slot(__u32 set_id, const struct jn_revision *revision,
						 __u64 hash)
{
	switch (revision->algorithm) {
	case JN_ALGORITHM_RANDOM:
	case JN_ALGORITHM_LEAST_CONNECTIONS:
	case JN_ALGORITHM_EWMA:
		return jn_draw_of(revision, bpf_get_prandom_u32());
	case JN_ALGORITHM_ROUND_ROBIN:
		return jn_next_of(set_id, revision);
	case JN_ALGORITHM_MAGLEV:
		jn_note(JN_STEP_HASH, 0, 0, hash);
		return jn_slot_at(revision, jn_turn_slot(hash, revision->slot_count));
	case JN_ALGORITHM_SOURCE_HASH:
		jn_note(JN_STEP_HASH, 0, 0, hash);
		return jn_draw_of(revision, hash >> 32);
	default:
		return NULL;
	}
}

/* Of a revision that asks nothing more (flags 0). */
static inline const struct jn_slot *jn_pick_plain(__u32 set_id, const struct jn_revision *revision)
{
	if (revision->algorithm == JN_ALGORITHM_RANDOM)
		return jn_draw_of(revision, bpf_get_prandom_u32());
	if (revision->algorithm == JN_ALGORITHM_ROUND_ROBIN)
		return jn_next_of(set_id, revision);
	return NULL;
}

#endif
