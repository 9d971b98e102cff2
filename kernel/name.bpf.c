/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The doors that tell an application who is at the other end: getpeername() and the source address
 * of a received datagram. Where a backend would be named, the VIP that was asked for is. Nothing
 * can be refused here, and nothing is counted.
 */
#include "door.bpf.h"
#include "socket.bpf.h"
#include "udp.bpf.h"

static bool name_peer(struct bpf_sock_addr *ctx, struct jn_target *target)
{
	struct bpf_sock *sk = ctx->sk;

	return sk && jn_socket_name(sk, target);
}

/* The record of a socket that is not connected any more says nothing about what it receives. */
static bool name_source(struct bpf_sock_addr *ctx, struct jn_target *target)
{
	struct bpf_sock *sk = ctx->sk;

	if (sk && sk->state == BPF_TCP_ESTABLISHED)
		return jn_socket_name(sk, target);
	return jn_udp_name(bpf_get_socket_cookie(ctx), target);
}

SEC("cgroup/getpeername4")
int jn_getpeername4(struct bpf_sock_addr *ctx)
{
	struct jn_target target = target_v4(ctx);

	if (name_peer(ctx, &target))
		write_v4(ctx, &target);
	return JN_PASS;
}

SEC("cgroup/getpeername6")
int jn_getpeername6(struct bpf_sock_addr *ctx)
{
	struct jn_target target = target_v6(ctx);

	if (name_peer(ctx, &target))
		write_v6(ctx, &target);
	return JN_PASS;
}

SEC("cgroup/recvmsg4")
int jn_recvmsg4(struct bpf_sock_addr *ctx)
{
	struct jn_target target = target_v4(ctx);

	if (name_source(ctx, &target))
		write_v4(ctx, &target);
	return JN_PASS;
}

SEC("cgroup/recvmsg6")
int jn_recvmsg6(struct bpf_sock_addr *ctx)
{
	struct jn_target target = target_v6(ctx);

	if (name_source(ctx, &target))
		write_v6(ctx, &target);
	return JN_PASS;
}
