/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frontend to one endpoint. What a service without rules needs is inline, as most connections
 * are to one and a call between BPF functions is dear (see README.md); the rest is choose.bpf.c's.
 */
#ifndef JUNCTOR_KERNEL_CHOOSE_H
#define JUNCTOR_KERNEL_CHOOSE_H

#include "decide.bpf.h"
#include "lookup.bpf.h"
#include "pick.bpf.h"
#include "slot.bpf.h"

#define JN_ASKS_MORE (JN_REASON_MAX + 1) /* than a slot, or is to be read again */

static inline void jn_take(const struct jn_endpoint *endpoint, __u32 id, struct jn_choice *out)
{
	out->backend.addr = endpoint->addr;
	out->backend.port = endpoint->port;
	out->endpoint = id;
}

/* Of a revision that asks nothing more than a slot. OK, FAMILY_MISMATCH or ASKS_MORE. */
static __always_inline enum jn_reason jn_choose_plain(const struct jn_frontend *frontend,
						      enum jn_reach reach, struct jn_choice *out)
{
	const struct jn_revision *revision = jn_read_revision(frontend->set);
	const struct jn_endpoint *endpoint;
	const struct jn_slot *slot;
	__u32 id;

	if (!revision || revision->flags || !revision->slot_count)
		return JN_ASKS_MORE;
	slot = jn_pick_plain(frontend->set, revision);
	if (!slot)
		return JN_ASKS_MORE;
	id = slot->endpoint;
	endpoint = jn_endpoint_at(id, frontend->service);
	if (!endpoint)
		return JN_ASKS_MORE;
	if (!jn_is_reached(reach, &endpoint->addr))
		return JN_REASON_FAMILY_MISMATCH;
	jn_take(endpoint, id, out);
	return JN_REASON_OK;
}

/* As jn_choose_any. *out must be all 0. */
static __always_inline enum jn_reason jn_choose(const struct jn_frontend *frontend,
						const struct jn_call *call, struct jn_choice *out)
{
	enum jn_reason reason = jn_choose_plain(frontend, call->reach, out);

	return reason == JN_ASKS_MORE ? jn_choose_any(frontend, call, out) : reason;
}

#endif
