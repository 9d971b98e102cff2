/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which endpoint of a revision: the algorithm's slot and, where the revision asks more, whether the
 * endpoint there may be used, or which of two is better off. Counts nothing.
 *
 * A revision that asks nothing more takes a slot (slot.bpf.h) and never comes here.
 */
#include <junctor/decide/client.h>
#include <junctor/decide/slow_start.h>

#include "dry.bpf.h"
#include "live.bpf.h"
#include "pick.bpf.h"
#include "slot.bpf.h"

#define MAX_WAITING 1048576u /* connections that Ewma's cost counts; see jn_is_cheaper */
#define MAX_ANSWER_US 268435456u

/* --- one draw ------------------------------------------------------------------------------------ */

struct draw {
	__u32 id;
	enum jn_use use;
	__u32 weight;
	__u32 open;	 /* connections of the backend */
	__u32 answer_us; /* 0: not known */
};

/*
 * Is an endpoint held back, as it is young? What decides for a client is its hash: it comes back to
 * the same one as long as nobody grew older.
 */
static bool is_held_back(const struct jn_revision *revision, const struct jn_endpoint *endpoint,
			 __u64 hash)
{
	__u32 fraction = hash ? hash & 0xffff : bpf_get_prandom_u32() & 0xffff;

	if (!(revision->flags & JN_REVISION_SLOW_STARTS))
		return false;
	return !jn_slow_start_keeps(endpoint->since_s, bpf_ktime_get_ns() / JN_SECOND_NS,
				    revision->rules.slow_start_seconds, fraction);
}

static void judge(const struct jn_revision *revision, const struct jn_endpoint *endpoint,
		  struct draw *out)
{
	struct jn_live *live = jn_live_at(endpoint->live);

	out->weight = endpoint->weight;
	if (live && revision->algorithm == JN_ALGORITHM_EWMA)
		out->answer_us = jn_answer_now(live->answer_us, live->answer_ms,
					       bpf_ktime_get_ns() / JN_MILLISECOND_NS);
	if (live)
		out->open = jn_open_now(live->open);
	if (revision->flags & JN_REVISION_ASKS_BACKEND)
		out->use = jn_live_use(live, &revision->rules);
}

/*
 * False: a table does not fit together. Not static: the verifier checks it once, for all rounds; it
 * would take each round's outcome for another case.
 */
bool jn_draw_one(const struct jn_frontend *frontend, const struct jn_revision *revision, __u64 hash,
		 struct draw *out);

bool jn_draw_one(const struct jn_frontend *frontend, const struct jn_revision *revision, __u64 hash,
		 struct draw *out)
{
	const struct jn_endpoint *endpoint;
	const struct jn_slot *slot;
	__u32 id;

	if (!frontend || !revision || !out)
		return false;
	slot = jn_pick_slot(frontend->set, revision, hash);
	if (!slot)
		return false;
	id = slot->endpoint;
	endpoint = jn_endpoint_at(id, frontend->service);
	if (!endpoint)
		return false;
	*out = (struct draw){ .id = id };
	if (is_held_back(revision, endpoint, hash))
		out->use = JN_USE_YOUNG;
	else
		judge(revision, endpoint, out);
	jn_note(JN_STEP_JUDGED, out->use, id, (__u64)out->open << 32 | out->answer_us);
	return true;
}

/* --- the better of two ---------------------------------------------------------------------------- */

/* Whose answer time is not known is judged as if it were the other's. */
static __u64 cost_of(const struct draw *draw, const struct draw *other, __u8 algorithm)
{
	__u64 waiting = draw->open < MAX_WAITING ? draw->open : MAX_WAITING;
	__u64 answer = draw->answer_us && other->answer_us ? draw->answer_us : 1;

	if (algorithm != JN_ALGORITHM_EWMA)
		return waiting + 1;
	return (answer < MAX_ANSWER_US ? answer : MAX_ANSWER_US) * (waiting + 1);
}

static __u32 better_of(const struct draw *one, const struct draw *other, __u8 algorithm)
{
	struct jn_cost a = { cost_of(one, other, algorithm), one->weight };
	struct jn_cost b = { cost_of(other, one, algorithm), other->weight };

	if (jn_is_cheaper(&b, &a)) {
		jn_note(JN_STEP_BETTER, 0, other->id, one->id);
		return other->id;
	}
	jn_note(JN_STEP_BETTER, 0, one->id, other->id);
	return one->id;
}

/* --- whoever is left ------------------------------------------------------------------------------ */

struct search {
	const struct jn_rules *rules;
	__u32 base, count, start;
	__u32 service;
	__u32 found; /* as jn_pick_carefully's answer */
};

static long try_member(__u32 index, struct search *s)
{
	__u32 place = s->base + (index + s->start) % s->count;
	const struct jn_slot *slot = bpf_map_lookup_elem(&jn_slots, &place);
	const struct jn_endpoint *endpoint;
	enum jn_use use;
	__u32 id;

	if (!slot)
		return 1;
	id = slot->endpoint;
	endpoint = jn_endpoint_at(id, s->service);
	if (!endpoint)
		return 1;
	use = jn_live_use(jn_live_at(endpoint->live), s->rules);
	if (use == JN_USE_FULL)
		s->found = JN_PICK_FULL;
	if (use != JN_USE_YES && use != JN_USE_TRIAL)
		return 0;
	s->found = use == JN_USE_TRIAL ? id | JN_PICK_TRIAL : id;
	return 1;
}

/* Any endpoint that may be used. Where all are out, the one that was drawn: better than nobody. */
static __u32 search_all(const struct jn_frontend *frontend, const struct jn_revision *revision,
			__u32 drawn)
{
	struct search s = {
		.rules = &revision->rules,
		.base = revision->member_base,
		.count = revision->member_count,
		.start = bpf_get_prandom_u32(),
		.service = frontend->service,
	};

	if (!s.count)
		return drawn;
	s.start %= s.count;
	bpf_loop(s.count, try_member, &s, 0);
	jn_note(JN_STEP_SEARCH, 0, s.found, s.count);
	return s.found ? s.found : drawn;
}

/* Not static: the verifier checks it once, not at each of the reads of jn_choose. */
__u32 jn_pick_carefully(const struct jn_frontend *frontend, const struct jn_revision *revision,
			const struct jn_call *call)
{
	struct draw first = { 0 }, next = { 0 };
	bool is_keyed, is_pair;
	__u8 algorithm;

	if (!frontend || !revision || !call)
		return JN_PICK_DAMAGED;
	algorithm = revision->algorithm;
	is_keyed = algorithm == JN_ALGORITHM_MAGLEV || algorithm == JN_ALGORITHM_SOURCE_HASH;
	is_pair = revision->member_count > 1 &&
		  (algorithm == JN_ALGORITHM_LEAST_CONNECTIONS || algorithm == JN_ALGORITHM_EWMA);
	for (__u32 round = 0; round < JN_MAX_REDRAWS; round++) {
		__u64 hash = is_keyed ? jn_client_hash(&call->client, round) : 0;

		if (!jn_draw_one(frontend, revision, hash, &next))
			return JN_PICK_DAMAGED;
		if (next.use == JN_USE_TRIAL)
			return next.id | JN_PICK_TRIAL;
		if (next.use != JN_USE_YES)
			continue;
		if (!is_pair)
			return next.id;
		if (!first.id)
			first = next;
		else if (first.id != next.id)
			return better_of(&first, &next, algorithm);
	}
	if (first.id)
		return first.id;
	if (revision->flags & JN_REVISION_ASKS_BACKEND)
		return search_all(frontend, revision, next.id);
	jn_note(JN_STEP_REDRAWN, 0, next.id, JN_MAX_REDRAWS);
	return next.id;
}
