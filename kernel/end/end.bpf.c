/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ends the sockets that the controller lists, in the network namespace in which the iterator was
 * opened: those that netlink cannot end. An object of its own, because a kernel without
 * bpf_sock_destroy (before 6.5) refuses it. It shares no table with the other programs.
 */
#include <linux/in.h>
#include <stdbool.h>

#include <junctor/abi.h>
#include <junctor/decide/address.h>
#include <junctor/limits.h>

#include "../kernel.bpf.h"

/* The list. Emptied by the controller. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, JN_MAX_ENDINGS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* a socket's cookie */
	__type(value, struct jn_ending_peer);
} jn_ending SEC(".maps");

extern int bpf_sock_destroy(struct sock_common *sk) __ksym;

static bool has_peer(struct sock_common *sk, const struct jn_ending_peer *peer)
{
	struct jn_addr addr;

	if (sk->skc_dport != peer->port)
		return false;
	if (sk->skc_family == AF_INET)
		addr = jn_addr_from_v4(sk->skc_daddr);
	else
		BPF_CORE_READ_INTO(&addr, sk, skc_v6_daddr);
	return jn_addr_equal(&addr, &peer->addr);
}

/* The socket is locked. What was ended is written out by its cookie. */
static __always_inline void end(struct bpf_iter_meta *meta, struct sock_common *sk, __u64 cookie)
{
	const struct jn_ending_peer *peer = bpf_map_lookup_elem(&jn_ending, &cookie);

	if (peer && has_peer(sk, peer) && !bpf_sock_destroy(sk))
		bpf_seq_write(meta->seq, &cookie, sizeof(cookie));
}

/* A subflow is known by the cookie of its MPTCP socket. Only for what is neither half made nor half gone. */
static __always_inline __u64 cookie_of(struct sock_common *sk)
{
	const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
	const struct mptcp_subflow_context *subflow;

	if (!bpf_core_type_exists(struct mptcp_subflow_context) ||
	    !BPF_CORE_READ_BITFIELD_PROBED(tcp, is_mptcp))
		return (__u64)sk->skc_cookie.counter;
	subflow = BPF_CORE_READ(tcp, inet_conn.icsk_ulp_data);
	return (__u64)BPF_CORE_READ(subflow, conn, __sk_common.skc_cookie.counter);
}

SEC("iter/tcp")
int jn_end_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;

	if (!sk || sk->skc_state == TCP_TIME_WAIT || sk->skc_state == TCP_NEW_SYN_RECV)
		return 0;
	end(ctx->meta, sk, cookie_of(sk));
	return 0;
}

SEC("iter/udp")
int jn_end_udp(struct bpf_iter__udp *ctx)
{
	struct sock_common *sk = (struct sock_common *)ctx->udp_sk;

	if (!sk || sk->skc_state != TCP_ESTABLISHED)
		return 0;
	end(ctx->meta, sk, (__u64)sk->skc_cookie.counter);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
