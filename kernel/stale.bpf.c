/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which sockets are still connected to an endpoint that is gone, or that takes no new connections:
 * an iterator over the records of all sockets, of every network namespace. It tells, and ends
 * nothing: what is to become of a socket is the controller's decision.
 */
#include <linux/in.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

#include <junctor/decide/address.h>

#include "kernel.bpf.h"
#include "maps.bpf.h"

/* An endpoint that takes new connections is never looked at any further. */
static bool is_current(const struct jn_socket *record)
{
	__u32 id = record->endpoint;
	const struct jn_endpoint *endpoint = bpf_map_lookup_elem(&jn_endpoints, &id);

	return endpoint && endpoint->service == record->service && endpoint->weight &&
	       endpoint->port == record->backend_port &&
	       jn_addr_equal(&endpoint->addr, &record->backend);
}

/* The socket that has the connection: of an MPTCP socket, its first subflow. */
static struct sock *carrier_of(struct sock *sk, __u16 proto)
{
	if (proto != IPPROTO_MPTCP || !bpf_core_type_exists(struct mptcp_sock))
		return sk;
	return BPF_CORE_READ((struct mptcp_sock *)sk, first);
}

static void read_addresses(const struct sock *sk, struct jn_stale *out)
{
	out->family = (__u8)BPF_CORE_READ(sk, __sk_common.skc_family);
	if (out->family == AF_INET) {
		out->backend = jn_addr_from_v4(BPF_CORE_READ(sk, __sk_common.skc_daddr));
		out->source = jn_addr_from_v4(BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
	} else {
		BPF_CORE_READ_INTO(&out->backend, sk, __sk_common.skc_v6_daddr);
		BPF_CORE_READ_INTO(&out->source, sk, __sk_common.skc_v6_rcv_saddr);
	}
	out->backend_port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	out->source_port = bpf_htons(BPF_CORE_READ(sk, __sk_common.skc_num));
}

static bool is_connected(const struct sock *sk, __u16 proto)
{
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	if (proto == IPPROTO_UDP)
		return state == TCP_ESTABLISHED;
	return state != TCP_CLOSE && state != TCP_LISTEN;
}

static void read_progress(const struct sock *sk, struct jn_stale *out)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;

	out->unacked = BPF_CORE_READ(tcp, snd_una);
	out->is_waiting = out->unacked != BPF_CORE_READ(tcp, snd_nxt);
	out->retransmits = BPF_CORE_READ(tcp, inet_conn.icsk_retransmits);
}

/* False: the socket has another peer, or none. */
static bool describe(struct sock *sk, const struct jn_socket *record, struct jn_stale *out)
{
	__u16 proto = BPF_CORE_READ(sk, sk_protocol);
	const struct sock *carrier = carrier_of(sk, proto);

	if (!carrier || !is_connected(carrier, proto))
		return false;
	read_addresses(carrier, out);
	if (out->backend_port != record->backend_port ||
	    !jn_addr_equal(&out->backend, &record->backend))
		return false;
	if (proto != IPPROTO_UDP)
		read_progress(carrier, out);
	out->proto = proto;
	out->vip = record->vip;
	out->vip_port = record->vip_port;
	out->service = record->service;
	out->endpoint = record->endpoint;
	out->netns = BPF_CORE_READ(carrier, __sk_common.skc_net.net, ns.inum);
	out->device = (__u32)BPF_CORE_READ(carrier, __sk_common.skc_bound_dev_if);
	return true;
}

SEC("iter/bpf_sk_storage_map")
int jn_find_stale(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	const struct jn_socket *record = ctx->value;
	struct sock *sk = ctx->sk;
	struct jn_stale stale = { 0 };

	/* A record without a service was forgotten; the last call has no socket. */
	if (!sk || !record || !record->service || is_current(record))
		return 0;
	if (!describe(sk, record, &stale))
		return 0;
	stale.cookie = bpf_get_socket_cookie(sk);
	bpf_seq_write(ctx->meta->seq, &stale, sizeof(stale)); /* too full: called again for it */
	return 0;
}
