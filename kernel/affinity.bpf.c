/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which endpoint of a set a client stays at. The table forgets the client that came longest ago
 * when it is full. What it holds is advice: an endpoint that is gone, out, full, or takes nothing new
 * is not gone back to. By set, as what one VIP family reaches another may not.
 */
#include <junctor/decide/address.h>

#include "decide.bpf.h"
#include "dry.bpf.h"
#include "live.bpf.h"
#include "maps.bpf.h"
#include "pick.bpf.h"

__u32 jn_affinity_find(const struct jn_frontend *frontend, const struct jn_call *call,
		       const struct jn_rules *rules)
{
	struct jn_affinity_key key = { .set = frontend->set, .client = call->client };
	struct jn_affinity *kept = bpf_map_lookup_elem(&jn_affinity, &key);
	const struct jn_endpoint *endpoint;
	enum jn_use use;
	__u64 now;

	if (!kept) {
		jn_note(JN_STEP_AFFINITY, JN_STAY_NOWHERE, 0, 0);
		return 0;
	}
	now = bpf_ktime_get_ns();
	if (now - kept->used_ns > rules->affinity_seconds * JN_SECOND_NS && now > kept->used_ns) {
		jn_note(JN_STEP_AFFINITY, JN_STAY_OVER, kept->endpoint, now - kept->used_ns);
		return 0;
	}
	endpoint = jn_get_endpoint(kept->endpoint, frontend->service, call->reach);
	if (!endpoint || !endpoint->weight) {
		jn_note(JN_STEP_AFFINITY, JN_STAY_GONE, kept->endpoint, now - kept->used_ns);
		return 0;
	}
	use = jn_live_use(jn_live_at(endpoint->live), rules);
	if (use != JN_USE_YES && use != JN_USE_TRIAL) {
		jn_note(JN_STEP_AFFINITY, JN_STAY_UNUSABLE, kept->endpoint, now - kept->used_ns);
		return 0;
	}
	jn_note(JN_STEP_AFFINITY, JN_STAY_YES, kept->endpoint, now - kept->used_ns);
	if (!JN_IS_DRY)
		kept->used_ns = now;
	return use == JN_USE_TRIAL ? kept->endpoint | JN_PICK_TRIAL : kept->endpoint;
}

void jn_affinity_note(__u32 set, const struct jn_addr *client, __u32 endpoint)
{
	struct jn_affinity_key key = { .set = set, .client = *client };
	struct jn_affinity kept = { .used_ns = bpf_ktime_get_ns(), .endpoint = endpoint };

	if (!JN_IS_DRY)
		(void)bpf_map_update_elem(&jn_affinity, &key, &kept, BPF_ANY);
}
