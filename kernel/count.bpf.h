/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters: per reason and per service. Per CPU, and atomic all the same: a program may be
 * preempted by another task's on its CPU, and a sum that is one short would look like a lost call.
 */
#ifndef JUNCTOR_KERNEL_COUNT_H
#define JUNCTOR_KERNEL_COUNT_H

#include "maps.bpf.h"

/* One decision about the service ended with this reason. */
static inline void jn_count(__u32 service, enum jn_reason reason)
{
	struct jn_stats *stats = bpf_map_lookup_elem(&jn_stats, &service);
	__u32 index = reason;
	__u64 *ended;

	if (!stats)
		return; /* JN_CANARY_SERVICE: nobody asked for it */
	ended = bpf_map_lookup_elem(&jn_reasons, &index);
	if (ended)
		__sync_fetch_and_add(ended, 1);
	if (reason == JN_REASON_OTHER_NETNS)
		return; /* nothing was decided for it */
	if (reason == JN_REASON_OK)
		__sync_fetch_and_add(&stats->forwarded, 1);
	else
		__sync_fetch_and_add(&stats->refused, 1);
}

#endif
