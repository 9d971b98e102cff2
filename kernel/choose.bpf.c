/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frontend to one endpoint: set, revision, slot, endpoint. Does not look at sockets and
 * counts nothing.
 *
 * What stands in a mapped table is never trusted as an index: every step is a checked lookup, and
 * what does not fit together is read again and then called TABLE_DAMAGED.
 */
#include "choose.bpf.h"
#include "decide.bpf.h"
#include "dry.bpf.h"
#include "live.bpf.h"
#include "lookup.bpf.h"
#include "maps.bpf.h"
#include "pick.bpf.h"
#include "slot.bpf.h"

#define MAX_READS 3 /* of a word whose revision was replaced between the two reads */

static __u32 pick(const struct jn_frontend *frontend, const struct jn_revision *revision,
		  const struct jn_call *call)
{
	__u32 stays_s = revision->rules.affinity_seconds;
	const struct jn_slot *slot;
	__u32 id;

	if (!revision->flags) {
		slot = jn_pick_plain(frontend->set, revision);
		return slot && slot->endpoint < JN_PICK_TRIAL ? slot->endpoint : JN_PICK_DAMAGED;
	}
	id = stays_s ? jn_affinity_find(frontend, call, &revision->rules) : 0;
	if (id)
		return id;
	id = jn_pick_carefully(frontend, revision, call);
	if (stays_s && id != JN_PICK_DAMAGED && id != JN_PICK_FULL)
		jn_affinity_note(frontend->set, &call->client, id & ~JN_PICK_TRIAL);
	return id;
}

/* What the connection is to be remembered for, and whether it may be at all. */
static enum jn_reason admit_connection(const struct jn_revision *revision,
				       const struct jn_endpoint *endpoint,
				       const struct jn_call *call, struct jn_choice *out)
{
	if (revision->flags & JN_REVISION_WATCHES)
		out->socket_flags |= JN_SOCKET_WATCHED;
	if (!(revision->flags & (JN_REVISION_COUNTS | JN_REVISION_WATCHES)))
		return JN_REASON_OK;
	return jn_live_open(revision, endpoint->live, call->is_connect, out);
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
		return revision->flags & JN_REVISION_ELSEWHERE ? JN_REASON_NO_LOCAL_ENDPOINT
							       : JN_REASON_NO_ENDPOINT;
	if (revision->flags & JN_REVISION_ASKS_CLIENT && !call->has_client)
		return JN_ASKS_CLIENT;
	id = pick(frontend, revision, call);
	if (id == JN_PICK_FULL)
		return JN_REASON_LIMIT_REACHED;
	out->socket_flags = id & JN_PICK_TRIAL ? JN_SOCKET_TRIAL : 0;
	id &= ~JN_PICK_TRIAL;
	endpoint = jn_endpoint_at(id, frontend->service);
	if (!endpoint)
		return JN_REASON_TABLE_DAMAGED;
	if (!jn_is_reached(call->reach, &endpoint->addr))
		return JN_REASON_FAMILY_MISMATCH;
	jn_take(endpoint, id, out);
	return revision->flags ? admit_connection(revision, endpoint, call, out) : JN_REASON_OK;
}

enum jn_reason jn_choose_any(const struct jn_frontend *frontend, const struct jn_call *call,
			     struct jn_choice *out)
{
	if (!frontend || !call || !out)
		return JN_REASON_TABLE_DAMAGED;
	for (int i = 0; i < MAX_READS; i++) {
		enum jn_reason reason = choose_once(frontend, call, out);

		if (reason != JN_REASON_TABLE_DAMAGED)
			return reason;
		jn_note(JN_STEP_AGAIN, 0, 0, 0);
	}
	return JN_REASON_TABLE_DAMAGED;
}
