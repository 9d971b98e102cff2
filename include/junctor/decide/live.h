/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Judging what is known of a backend or a service. Pure, on plain values.
 *
 * LeastConnections and Ewma take the better of two draws (M. Mitzenmacher, "The power of two choices
 * in randomized load balancing", 2001). Ewma's cost is the time to an answer times the connections
 * that wait for one, as in Finagle's "peak EWMA". The rate of new connections is the generic cell
 * rate algorithm (ITU-T I.371) with a second's worth of burst.
 */
#ifndef JUNCTOR_DECIDE_LIVE_H
#define JUNCTOR_DECIDE_LIVE_H

#include <junctor/abi.h>

#define JN_SECOND_NS 1000000000ull
#define JN_MILLISECOND_NS 1000000ull

/* An answer time that is not renewed counts half as much after each of these: about 4 s. */
#define JN_ANSWER_HALF_LIFE_SHIFT 12
/* A new measurement moves the average by a quarter of the difference. */
#define JN_ANSWER_SHIFT 2
/* What a backend that fails fast costs: it must not look quick. */
#define JN_ANSWER_FAILED_US 1000000

/*
 * While a table grows, one that is counted in the old may be taken off in the new: for a moment the
 * counter is below zero.
 */
static inline __u32 jn_open_now(__u32 open)
{
	return (__s32)open < 0 ? 0 : open;
}

static inline __u32 jn_answer_now(__u32 answer_us, __u32 measured_ms, __u32 now_ms)
{
	__u32 halvings = (now_ms - measured_ms) >> JN_ANSWER_HALF_LIFE_SHIFT;

	return halvings < 32 ? answer_us >> halvings : 0;
}

static inline __u32 jn_answer_next(__u32 answer_us, __u32 sample_us)
{
	if (!sample_us)
		sample_us = 1;
	if (!answer_us)
		return sample_us;
	if (sample_us >= answer_us)
		return answer_us + ((sample_us - answer_us) >> JN_ANSWER_SHIFT);
	return answer_us - ((answer_us - sample_us) >> JN_ANSWER_SHIFT);
}

/* What one more connection would cost a backend; the weight divides. */
struct jn_cost {
	__u64 cost;
	__u64 weight;
};

/* Is a cheaper than b? Neither cost exceeds 2^48. */
static inline int jn_is_cheaper(const struct jn_cost *a, const struct jn_cost *b)
{
	return a->cost * b->weight < b->cost * a->weight;
}

/*
 * May one more connection begin now? full_ns: when the bucket is full again, as stored. The new
 * value, or 0: it may not.
 */
static inline __u64 jn_rate_take(__u64 full_ns, __u64 now_ns, __u32 per_second)
{
	__u64 begin_ns = full_ns > now_ns ? full_ns : now_ns;
	__u64 next_ns = begin_ns + JN_SECOND_NS / per_second;

	return next_ns - now_ns > JN_SECOND_NS ? 0 : next_ns;
}

/* How long the n-th ejection in a row lasts. */
static inline __u64 jn_ejection_ns(const struct jn_rules *rules, __u32 ejections)
{
	__u64 seconds = (__u64)rules->eject_s * ejections;

	return (seconds < rules->eject_max_s ? seconds : rules->eject_max_s) * JN_SECOND_NS;
}

/* Would so many of the set be too many? */
static inline int jn_is_panic(__u32 out, __u32 members, __u32 percent)
{
	return (__u64)out * 100 > (__u64)members * percent;
}

#endif
