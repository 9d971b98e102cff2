/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frontend to one endpoint: set, revision, slot, endpoint. Does not look at sockets and
 * counts nothing.
 *
 * What stands in a mapped table is never trusted as an index: every step is a checked lookup, and
 * what does not fit together is read again and then called TABLE_DAMAGED.
 */
#include <junctor/decide/address.h>
#include <junctor/decide/client.h>
#include <junctor/decide/pick.h>
#include <junctor/decide/slow_start.h>

#include "decide.bpf.h"
#include "lookup.bpf.h"
#include "maps.bpf.h"

#define MAX_READS 3 /* of a word whose revision was replaced between the two reads */
#define SECOND_NS 1000000000ull

static bool is_reached(enum jn_reach reach, const struct jn_addr *addr)
{
	if (reach == JN_REACH_BOTH)
		return true;
	return jn_addr_is_v4(addr) == (reach == JN_REACH_V4);
}

/* index counts from the revision's first slot. */
static const struct jn_slot *slot_at(const struct jn_revision *revision, __u32 index)
{
	__u32 place = revision->slot_base + index;

	if (index >= revision->slot_count)
		return NULL;
	return bpf_map_lookup_elem(&jn_slots, &place);
}

/* Of an alias table, by an evenly drawn number. */
static const struct jn_slot *draw_slot(const struct jn_revision *revision, __u32 random)
{
	struct jn_draw draw = jn_draw_slot(random, revision->slot_count);
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

/* hash: of the client; counts for those algorithms that ask for it. */
static const struct jn_slot *pick_slot(__u32 set_id, const struct jn_revision *revision, __u64 hash)
{
	switch (revision->algorithm) {
	case JN_ALGORITHM_RANDOM:
		return draw_slot(revision, bpf_get_prandom_u32());
	case JN_ALGORITHM_ROUND_ROBIN:
		return next_slot(set_id, revision);
	case JN_ALGORITHM_MAGLEV:
		return slot_at(revision, jn_turn_slot(hash, revision->slot_count));
	case JN_ALGORITHM_SOURCE_HASH:
		return draw_slot(revision, hash >> 32);
	default:
		return NULL;
	}
}

static const struct jn_endpoint *endpoint_at(__u32 id, __u32 service)
{
	const struct jn_endpoint *endpoint = bpf_map_lookup_elem(&jn_endpoints, &id);

	return endpoint && endpoint->service == service ? endpoint : NULL;
}

/*
 * Is an endpoint that was drawn to be drawn again, as it is young? What decides for a client is its
 * hash: it comes back to the same one as long as nobody grew older.
 */
static bool is_held_back(const struct jn_revision *revision, const struct jn_endpoint *endpoint,
			 __u64 hash)
{
	__u32 fraction = hash ? hash & 0xffff : bpf_get_prandom_u32() & 0xffff;

	return !jn_slow_start_keeps(endpoint->since_s, bpf_ktime_get_ns() / SECOND_NS,
				    revision->rules.slow_start_seconds, fraction);
}

/*
 * What the revision asks beyond a slot. 0: a table does not fit together. Not static: the verifier
 * checks it once, not at each of the reads below.
 */
__u32 jn_pick_carefully(const struct jn_frontend *frontend, const struct jn_revision *revision,
			const struct jn_call *call);

__u32 jn_pick_carefully(const struct jn_frontend *frontend, const struct jn_revision *revision,
			const struct jn_call *call)
{
	if (!frontend || !revision || !call)
		return 0;

	bool is_keyed = revision->algorithm == JN_ALGORITHM_MAGLEV ||
			revision->algorithm == JN_ALGORITHM_SOURCE_HASH;
	const struct jn_endpoint *endpoint;
	const struct jn_slot *slot;
	__u32 id = 0;

	for (__u32 round = 0; round < JN_MAX_REDRAWS; round++) {
		__u64 hash = is_keyed ? jn_client_hash(&call->client, round) : 0;

		slot = pick_slot(frontend->set, revision, hash);
		if (!slot)
			return 0;
		id = slot->endpoint;
		if (!(revision->flags & JN_REVISION_SLOW_STARTS))
			return id;
		endpoint = endpoint_at(id, frontend->service);
		if (!endpoint)
			return 0;
		if (!is_held_back(revision, endpoint, hash))
			return id;
	}
	return id;
}

static __u32 pick(const struct jn_frontend *frontend, const struct jn_revision *revision,
		  const struct jn_call *call)
{
	__u32 stays_s = revision->rules.affinity_seconds;
	const struct jn_slot *slot;
	__u32 id;

	if (!revision->flags) {
		slot = pick_slot(frontend->set, revision, 0);
		return slot ? slot->endpoint : 0;
	}
	id = stays_s ? jn_affinity_find(frontend, call, stays_s) : 0;
	if (id)
		return id;
	id = jn_pick_carefully(frontend, revision, call);
	if (id && stays_s)
		jn_affinity_note(frontend->set, &call->client, id);
	return id;
}

static enum jn_reason choose_once(const struct jn_frontend *frontend, const struct jn_call *call,
				  struct jn_choice *out)
{
	const struct jn_revision *revision = jn_read_revision(frontend->set);
	const struct jn_endpoint *endpoint;
	__u32 id;

	if (!revision)
		return JN_REASON_TABLE_DAMAGED;
	out->service_errno = revision->no_endpoint_errno;
	if (!revision->slot_count)
		return JN_REASON_NO_ENDPOINT;
	id = pick(frontend, revision, call);
	endpoint = endpoint_at(id, frontend->service);
	if (!endpoint)
		return JN_REASON_TABLE_DAMAGED;
	if (!is_reached(call->reach, &endpoint->addr))
		return JN_REASON_FAMILY_MISMATCH;
	out->backend.addr = endpoint->addr;
	out->backend.port = endpoint->port;
	out->endpoint = id;
	return JN_REASON_OK;
}

enum jn_reason jn_choose(const struct jn_frontend *frontend, const struct jn_call *call,
			 struct jn_choice *out)
{
	if (!frontend || !call || !out)
		return JN_REASON_TABLE_DAMAGED;
	for (int i = 0; i < MAX_READS; i++) {
		enum jn_reason reason = choose_once(frontend, call, out);

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
