/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frontend to one endpoint: set, revision, slot, endpoint. Does not look at sockets and
 * counts nothing.
 *
 * What stands in a mapped table is never trusted as an index: every step is a checked lookup, and
 * what does not fit together is read again and then called TABLE_DAMAGED.
 */
#include <junctor/decide/address.h>
#include <junctor/decide/pick.h>

#include "decide.bpf.h"
#include "maps.bpf.h"

#define MAX_READS 3 /* of a word whose revision was replaced between the two reads */

static bool is_reached(enum jn_reach reach, const struct jn_addr *addr)
{
	if (reach == JN_REACH_BOTH)
		return true;
	return jn_addr_is_v4(addr) == (reach == JN_REACH_V4);
}

/* The published revision of a set. NULL: none, or replaced meanwhile. */
static const struct jn_revision *read_revision(__u32 set_id)
{
	const struct jn_set *set = bpf_map_lookup_elem(&jn_sets, &set_id);
	const struct jn_revision *revision;
	__u64 word;
	__u32 index;

	if (!set)
		return NULL;
	word = *(const volatile __u64 *)&set->word; /* once: number and index belong together */
	if (!word)
		return NULL;
	index = (__u32)word;
	revision = bpf_map_lookup_elem(&jn_revisions, &index);
	if (!revision || revision->number != word >> 32)
		return NULL;
	return revision;
}

/* index counts from the revision's first slot. */
static const struct jn_slot *slot_at(const struct jn_revision *revision, __u32 index)
{
	__u32 place = revision->slot_base + index;

	if (index >= revision->slot_count)
		return NULL;
	return bpf_map_lookup_elem(&jn_slots, &place);
}

static const struct jn_slot *draw_slot(const struct jn_revision *revision)
{
	struct jn_draw draw = jn_draw_slot(bpf_get_prandom_u32(), revision->slot_count);
	const struct jn_slot *slot = slot_at(revision, draw.slot);

	if (!slot || jn_draw_keeps(&draw, slot))
		return slot;
	return slot_at(revision, slot->alias);
}

static const struct jn_slot *next_slot(__u32 set_id, const struct jn_revision *revision)
{
	struct jn_cursor *cursor = bpf_map_lookup_elem(&jn_cursors, &set_id);

	if (!cursor)
		return NULL;
	return slot_at(revision,
		       jn_turn_slot(__sync_fetch_and_add(&cursor->turn, 1), revision->slot_count));
}

static const struct jn_slot *pick_slot(__u32 set_id, const struct jn_revision *revision)
{
	switch (revision->algorithm) {
	case JN_ALGORITHM_RANDOM:
		return draw_slot(revision);
	case JN_ALGORITHM_ROUND_ROBIN:
		return next_slot(set_id, revision);
	default:
		return NULL;
	}
}

static enum jn_reason choose_once(const struct jn_frontend *frontend, enum jn_reach reach,
				  struct jn_choice *out)
{
	const struct jn_revision *revision = read_revision(frontend->set);
	const struct jn_endpoint *endpoint;
	const struct jn_slot *slot;
	__u32 id;

	if (!revision)
		return JN_REASON_TABLE_DAMAGED;
	out->service_errno = revision->no_endpoint_errno;
	if (!revision->slot_count)
		return JN_REASON_NO_ENDPOINT;
	slot = pick_slot(frontend->set, revision);
	if (!slot)
		return JN_REASON_TABLE_DAMAGED;
	id = slot->endpoint;
	endpoint = bpf_map_lookup_elem(&jn_endpoints, &id);
	if (!endpoint || endpoint->service != frontend->service)
		return JN_REASON_TABLE_DAMAGED;
	if (!is_reached(reach, &endpoint->addr))
		return JN_REASON_FAMILY_MISMATCH;
	out->backend.addr = endpoint->addr;
	out->backend.port = endpoint->port;
	out->endpoint = id;
	return JN_REASON_OK;
}

enum jn_reason jn_choose(const struct jn_frontend *frontend, enum jn_reach reach,
			 struct jn_choice *out)
{
	for (int i = 0; i < MAX_READS; i++) {
		enum jn_reason reason = choose_once(frontend, reach, out);

		if (reason != JN_REASON_TABLE_DAMAGED)
			return reason;
	}
	return JN_REASON_TABLE_DAMAGED;
}

bool jn_get_endpoint(__u32 id, __u32 service, enum jn_reach reach, struct jn_endpoint *out)
{
	const struct jn_endpoint *endpoint = bpf_map_lookup_elem(&jn_endpoints, &id);

	if (!endpoint || endpoint->service != service || !is_reached(reach, &endpoint->addr))
		return false;
	*out = *endpoint;
	return true;
}
