/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the doors share: ctx words <-> plain values. The words of a ctx may only be touched at
 * constant offsets and by the family's own hooks, hence the pairs; nothing is decided here.
 */
#ifndef JUNCTOR_KERNEL_DOOR_H
#define JUNCTOR_KERNEL_DOOR_H

#include <junctor/decide/address.h>
#include <junctor/decide/client.h>

#include "decide.bpf.h"
#include "socket.bpf.h"

#define JN_AF_INET 2

/* What a program answers the kernel. */
#define JN_REFUSE 0
#define JN_PASS 1

static inline struct jn_target target_v4(const struct bpf_sock_addr *ctx)
{
	return (struct jn_target){
		.addr = jn_addr_from_v4(ctx->user_ip4),
		.port = (__be16)ctx->user_port,
	};
}

static inline struct jn_target target_v6(const struct bpf_sock_addr *ctx)
{
	return (struct jn_target){
		.addr = { .w = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2],
				 ctx->user_ip6[3] } },
		.port = (__be16)ctx->user_port,
	};
}

static inline void write_v4(struct bpf_sock_addr *ctx, const struct jn_target *target)
{
	ctx->user_ip4 = target->addr.w[3];
	ctx->user_port = target->port;
}

static inline void write_v6(struct bpf_sock_addr *ctx, const struct jn_target *target)
{
	ctx->user_ip6[0] = target->addr.w[0];
	ctx->user_ip6[1] = target->addr.w[1];
	ctx->user_ip6[2] = target->addr.w[2];
	ctx->user_ip6[3] = target->addr.w[3];
	ctx->user_port = target->port;
}

static inline struct jn_call call_of(const struct bpf_sock_addr *ctx,
				     const struct jn_target *target, enum jn_reach reach)
{
	return (struct jn_call){
		.key = {
			.vip = target->addr,
			.port = target->port,
			.proto = (__u8)ctx->protocol,
		},
		.reach = reach,
	};
}

/* The socket's network namespace, for jn_admit; 0 where the frontend does not ask. */
static inline __u64 netns_for(struct bpf_sock_addr *ctx, const struct jn_frontend *frontend)
{
	return frontend->netns_cookie ? bpf_get_netns_cookie(ctx) : 0;
}

/*
 * Who calls. A socket has no source address before it is connected, unless the application gave it
 * one. Of a socket that was connected before, the record knows which of the two it was.
 */
static inline void name_client(struct bpf_sock_addr *ctx, struct jn_call *call)
{
	struct bpf_sock *sk = ctx->sk;
	const struct jn_socket *record = sk ? jn_socket_find(sk) : NULL;
	struct jn_addr source = { 0 };

	if (sk && sk->family == JN_AF_INET)
		source = jn_addr_from_v4(sk->src_ip4);
	else if (sk)
		source = (struct jn_addr){ .w = { sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2],
						  sk->src_ip6[3] } };
	call->is_bound = record ? record->flags & JN_SOCKET_BOUND : !jn_addr_is_any(&source);
	call->has_client = true;
	call->client = call->is_bound ? source : jn_client_of_netns(bpf_get_netns_cookie(ctx));
}

/* Only where the kernel lets a program set the errno: connect and sendmsg. */
static inline int answer(enum jn_reason reason, int service_errno)
{
	int err = jn_reason_errno(reason, service_errno);

	if (!err)
		return JN_PASS;
	bpf_set_retval(-err);
	return JN_REFUSE;
}

#endif
