/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unconnected UDP: which endpoint a socket stays with, and who its replies are named after. Both
 * tables forget the entry that was used longest ago when they are full; the next datagram to the
 * service writes it again. Two VIPs with one backend on one socket cannot both be named: the one
 * that was sent to last is.
 */
#include <junctor/decide/address.h>

#include "live.bpf.h"
#include "maps.bpf.h"
#include "pick.bpf.h"
#include "udp.bpf.h"

static struct jn_udp_key udp_key(__u64 cookie, const struct jn_addr *addr, __be16 port)
{
	return (struct jn_udp_key){ .cookie = cookie, .addr = *addr, .port = port };
}

enum kept {
	KEPT,
	KEPT_DOWN, /* a probe says so: another one is better, if there is one */
	NOT_KEPT
};

static bool is_down(__u32 live_id)
{
	const struct jn_live *live = jn_live_at(live_id);

	return live && live->is_down;
}

/* The choice is this endpoint. NULL: it is none. */
static const struct jn_endpoint *choose(__u32 id, __u32 service, enum jn_reach reach,
					struct jn_choice *out)
{
	const struct jn_endpoint *endpoint = jn_get_endpoint(id, service, reach);

	if (!endpoint || !endpoint->weight)
		return NULL;
	out->backend.addr = endpoint->addr;
	out->backend.port = endpoint->port;
	out->endpoint = id;
	return endpoint;
}

/* The endpoint that the socket has been sending to, if it still takes what is new. */
static enum kept keep(const struct jn_udp_key *socket, __u32 service, enum jn_reach reach,
		      struct jn_choice *out)
{
	const __u32 *kept = bpf_map_lookup_elem(&jn_udp_choice, socket);
	const struct jn_endpoint *endpoint;

	if (!kept)
		return NOT_KEPT;
	endpoint = choose(*kept, service, reach, out);
	if (!endpoint)
		return NOT_KEPT;
	return is_down(endpoint->live) ? KEPT_DOWN : KEPT;
}

/*
 * Another endpoint than the one that is down. Where that one is down, too, all are: then the socket
 * stays, as it would go from one to the other with every datagram.
 */
static enum jn_reason leave(const struct jn_call *call, const struct jn_frontend *frontend,
			    struct jn_choice *out)
{
	const struct jn_endpoint *endpoint = NULL;
	__u32 id = out->endpoint;
	enum jn_reason reason = jn_choose_any(frontend, call, out);

	if (reason == JN_ASKS_CLIENT)
		return reason;
	if (reason == JN_REASON_OK)
		endpoint = jn_endpoint_at(out->endpoint, frontend->service);
	if (!endpoint || is_down(endpoint->live))
		(void)choose(id, frontend->service, call->reach, out);
	return JN_REASON_OK;
}

/*
 * A write to an LRU table costs several lookups: only what is new is written. With a frame of its
 * own: together with the way of a choice its keys would not fit into the 512 bytes that Linux 6.1
 * counts in steps of 32 for each function.
 */
static __noinline bool note_peer(const struct jn_call *call, __u64 cookie,
				 const struct jn_choice *choice)
{
	struct jn_udp_key peer = udp_key(cookie, &choice->backend.addr, choice->backend.port);
	struct jn_udp_vip named = { .vip = call->key.vip, .port = call->key.port };
	const struct jn_udp_vip *noted = bpf_map_lookup_elem(&jn_udp_peer, &peer);

	if (noted && noted->port == named.port && jn_addr_equal(&noted->vip, &named.vip))
		return true;
	return !bpf_map_update_elem(&jn_udp_peer, &peer, &named, BPF_ANY);
}

enum jn_reason jn_udp_choose(const struct jn_call *call, __u64 cookie,
			     const struct jn_frontend *frontend, struct jn_choice *out)
{
	struct jn_udp_key socket = udp_key(cookie, &call->key.vip, call->key.port);
	enum kept kept = keep(&socket, frontend->service, call->reach, out);
	enum jn_reason reason;

	if (kept != KEPT) {
		reason = kept == NOT_KEPT ? jn_choose_any(frontend, call, out)
					  : leave(call, frontend, out);
		if (reason != JN_REASON_OK)
			return reason;
		if (bpf_map_update_elem(&jn_udp_choice, &socket, &out->endpoint, BPF_ANY))
			return JN_REASON_NO_MEMORY;
	}
	return note_peer(call, cookie, out) ? JN_REASON_OK : JN_REASON_NO_MEMORY;
}

bool jn_udp_name(__u64 cookie, struct jn_target *target)
{
	struct jn_udp_key peer = udp_key(cookie, &target->addr, target->port);
	const struct jn_udp_vip *named = bpf_map_lookup_elem(&jn_udp_peer, &peer);

	if (!named)
		return false;
	target->addr = named->vip;
	target->port = named->port;
	return true;
}
