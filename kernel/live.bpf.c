/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting connections, and judging backends by how their connections begin and end.
 *
 *	in  --(so many failures in a row)-->  out  --(time is over: one trial)-->  in
 *	                                       ^------(the trial fails: longer)--'
 *
 * Counters are atomic; the rest is one 8-byte word for each question. Two CPUs that judge at once may
 * both be right: the word is changed by compare-and-swap, and who comes second leaves it.
 */
#include "live.bpf.h"
#include "dry.bpf.h"
#include "lookup.bpf.h"

#define MAX_SWAPS 4 /* of the word of a rate that others take from at the same time */

static void happened(enum jn_event event)
{
	__u32 index = event;
	__u64 *count = bpf_map_lookup_elem(&jn_events, &index);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* --- may it be used ------------------------------------------------------------------------------ */

enum jn_use jn_live_use(struct jn_live *live, const struct jn_rules *rules)
{
	__u64 until, now;

	if (!live)
		return JN_USE_YES;
	if (live->is_down)
		return JN_USE_OUT;
	if (rules->max_backend_connections &&
	    jn_open_now(live->open) >= rules->max_backend_connections)
		return JN_USE_FULL;
	/* Who ejects nobody also hears nothing of a trial's end. */
	until = rules->eject_failures ? *(volatile __u64 *)&live->out_until_ns : 0;
	if (!until)
		return JN_USE_YES;
	now = bpf_ktime_get_ns();
	if (now < until)
		return JN_USE_OUT;
	/* Whoever moves the word has the trial; it is over when it is lost for as long again. */
	now += rules->eject_s * JN_SECOND_NS;
	return jn_swap_word(&live->out_until_ns, until, now) ? JN_USE_TRIAL : JN_USE_OUT;
}

/* --- open connections ---------------------------------------------------------------------------- */

static bool take_rate(struct jn_live *live, __u32 per_second)
{
	__u64 now = bpf_ktime_get_ns();

	for (int i = 0; i < MAX_SWAPS; i++) {
		__u64 full = *(volatile __u64 *)&live->full_ns;
		__u64 next = jn_rate_take(full, now, per_second);

		if (!next)
			return false;
		if (jn_swap_word(&live->full_ns, full, next))
			return true;
	}
	return false;
}

/* limit 0: any number. */
static bool count_up(__u32 id, __u32 limit, struct jn_count *out)
{
	struct jn_live *live = jn_live_at(id);
	__u32 before;

	if (!live)
		return true;
	before = jn_count_open(live);
	if (limit && jn_open_now(before) >= limit) {
		if (!JN_IS_DRY)
			__sync_fetch_and_add(&live->open, -1);
		return false;
	}
	if (JN_IS_DRY)
		return true;
	out->live = id;
	out->epoch = live->epoch;
	return true;
}

void jn_live_close(const struct jn_count *count)
{
	struct jn_live *live = jn_live_at(count->live);

	if (live && live->epoch == count->epoch)
		__sync_fetch_and_add(&live->open, -1);
}

static bool is_rate_kept(const struct jn_revision *revision)
{
	struct jn_live *owner;

	if (!revision->rules.max_new_per_second)
		return true;
	owner = jn_live_at(revision->live);
	return !owner || take_rate(owner, revision->rules.max_new_per_second);
}

enum jn_reason jn_live_open(const struct jn_revision *revision, __u32 backend, bool is_counted,
			    struct jn_choice *choice)
{
	const struct jn_rules *rules;

	if (!revision || !choice)
		return JN_REASON_TABLE_DAMAGED;
	rules = &revision->rules;
	choice->at_backend = choice->at_service = (struct jn_count){ 0 };
	if (is_counted) {
		if (rules->max_connections &&
		    !count_up(revision->live, rules->max_connections, &choice->at_service)) {
			jn_note(JN_STEP_LIMIT, JN_BOUND_SERVICE, 0, rules->max_connections);
			return JN_REASON_LIMIT_REACHED;
		}
		if (!count_up(backend, rules->max_backend_connections, &choice->at_backend)) {
			jn_note(JN_STEP_LIMIT, JN_BOUND_BACKEND, choice->endpoint,
				rules->max_backend_connections);
			jn_live_close(&choice->at_service);
			return JN_REASON_LIMIT_REACHED;
		}
	}
	if (choice->at_backend.live | choice->at_service.live)
		choice->socket_flags |= JN_SOCKET_COUNTED;
	if (is_rate_kept(revision))
		return JN_REASON_OK;
	jn_note(JN_STEP_LIMIT, JN_BOUND_RATE, 0, rules->max_new_per_second);
	jn_live_close(&choice->at_service);
	jn_live_close(&choice->at_backend);
	return JN_REASON_LIMIT_REACHED;
}

/* --- how connections begin and end --------------------------------------------------------------- */

static void take_back(struct jn_live *live)
{
	live->failures = 0;
	live->resets = 0;
	live->back_ns = bpf_ktime_get_ns();
	live->out_until_ns = 0;
}

/* The members of a set, one by one. */
struct walk {
	__u32 base;
	__u32 out;
	bool is_panic; /* take them back in; else count who is out */
};

static long visit_member(__u32 index, struct walk *walk)
{
	__u32 place = walk->base + index;
	const struct jn_slot *slot = bpf_map_lookup_elem(&jn_slots, &place);
	const struct jn_endpoint *endpoint;
	struct jn_live *live;
	__u32 id;

	if (!slot)
		return 1;
	id = slot->endpoint;
	endpoint = bpf_map_lookup_elem(&jn_endpoints, &id);
	live = endpoint ? jn_live_at(endpoint->live) : NULL;
	if (!live || !live->out_until_ns)
		return 0;
	walk->out++;
	if (walk->is_panic)
		take_back(live);
	return 0;
}

/* Too many would be out: that says more about us than about them. */
static void keep_enough(const struct jn_revision *revision)
{
	struct walk walk = { .base = revision->member_base };
	__u32 members = revision->member_count;

	bpf_loop(members, visit_member, &walk, 0);
	if (!jn_is_panic(walk.out, members, revision->rules.eject_percent))
		return;
	walk.is_panic = true;
	bpf_loop(members, visit_member, &walk, 0);
	happened(JN_EVENT_PANIC);
}

/* ejections: with this one. */
static void eject(struct jn_live *live, const struct jn_revision *revision, __u32 ejections,
		  __u64 now)
{
	__u64 until = *(volatile __u64 *)&live->out_until_ns;

	if (__sync_val_compare_and_swap(&live->out_until_ns, until,
					now + jn_ejection_ns(&revision->rules, ejections)) != until)
		return;
	live->ejections = ejections;
	happened(JN_EVENT_EJECTED);
	keep_enough(revision);
}

static void count_failure(struct jn_live *live, const struct jn_revision *revision,
			  enum jn_failure failure, __u64 now)
{
	const struct jn_rules *rules = &revision->rules;
	/* In good standing for longer than the longest ejection: as if it were the first. */
	bool is_first = now - live->back_ns > rules->eject_max_s * JN_SECOND_NS;
	__u32 before;

	if (now - live->first_failure_ns > rules->eject_window_s * JN_SECOND_NS ||
	    !(live->failures | live->resets)) {
		live->first_failure_ns = now;
		live->failures = 0;
		live->resets = 0;
	}
	if (failure == JN_FAILURE_CONNECT)
		before = __sync_fetch_and_add(&live->failures, 1);
	else
		before = __sync_fetch_and_add(&live->resets, 1);
	if (before + 1 >= rules->eject_failures)
		eject(live, revision, is_first ? 1 : live->ejections + 1, now);
}

static struct jn_live *watched(const struct jn_socket *record)
{
	struct jn_live *live = jn_live_at(record->at_backend.live);

	return live && live->epoch == record->at_backend.epoch ? live : NULL;
}

void jn_live_measure(const struct jn_socket *record, __u32 sample_us)
{
	struct jn_live *live = watched(record);
	__u32 now_ms = bpf_ktime_get_ns() / JN_MILLISECOND_NS;

	if (!live)
		return;
	live->answer_us =
		jn_answer_next(jn_answer_now(live->answer_us, live->answer_ms, now_ms), sample_us);
	live->answer_ms = now_ms;
}

void jn_live_fail(struct jn_socket *record, enum jn_failure failure)
{
	struct jn_live *live = watched(record);
	const struct jn_revision *revision = jn_read_revision(record->set);
	__u64 now = bpf_ktime_get_ns();

	if (!live || !revision)
		return;
	jn_live_measure(record, JN_ANSWER_FAILED_US);
	if (!revision->rules.eject_failures)
		return;
	if (record->flags & JN_SOCKET_TRIAL)
		eject(live, revision, live->ejections + 1, now);
	else if (!live->out_until_ns) /* what began before it was ejected says nothing new */
		count_failure(live, revision, failure, now);
	record->flags &= ~JN_SOCKET_TRIAL;
}

void jn_live_succeed(struct jn_socket *record, enum jn_failure failure)
{
	struct jn_live *live = watched(record);

	if (!live)
		return;
	if (record->flags & JN_SOCKET_TRIAL) {
		record->flags &= ~JN_SOCKET_TRIAL;
		take_back(live);
		happened(JN_EVENT_READMITTED);
		return;
	}
	if (live->out_until_ns)
		return;
	if (failure == JN_FAILURE_CONNECT && live->failures)
		live->failures = 0;
	if (failure == JN_FAILURE_RESET && live->resets)
		live->resets = 0;
}
