/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The doors of a UDP send that names an address; a send without one runs no hook. A mapped IPv4
 * address of an IPv6 socket comes to sendmsg4.
 */
#include "count.bpf.h"
#include "door.bpf.h"
#include "lookup.bpf.h"
#include "socket.bpf.h"
#include "udp.bpf.h"

static __always_inline enum jn_reason decide(struct bpf_sock_addr *ctx, struct jn_call *call,
					     const struct jn_frontend *frontend,
					     struct jn_choice *choice)
{
	enum jn_reason reason = jn_admit(frontend, netns_for(ctx, frontend));
	struct bpf_sock *sk = ctx->sk;
	__u64 cookie;

	if (reason != JN_REASON_OK)
		return reason;
	/* A connected socket hears its own backend only: another one's replies would be lost. */
	if (sk && jn_socket_backend(sk, &call->key, &choice->backend))
		return JN_REASON_OK;
	cookie = bpf_get_socket_cookie(ctx);
	reason = jn_udp_choose(call, cookie, frontend, choice);
	if (reason != JN_ASKS_CLIENT)
		return reason;
	name_client(ctx, call);
	return jn_udp_choose(call, cookie, frontend, choice);
}

/* OK only: the datagram goes to choice->backend. */
static __always_inline enum jn_reason translate(struct bpf_sock_addr *ctx, struct jn_call *call,
						struct jn_choice *choice)
{
	struct jn_frontend frontend;
	enum jn_reason reason = jn_find_frontend(&call->key, &frontend);

	if (reason == JN_REASON_NOT_A_SERVICE)
		return reason;
	if (reason == JN_REASON_OK)
		reason = decide(ctx, call, &frontend, choice);
	jn_count(frontend.service, reason);
	return reason;
}

SEC("cgroup/sendmsg4")
int jn_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct jn_target target = target_v4(ctx);
	struct jn_call call = call_of(ctx, &target, JN_REACH_V4);
	struct jn_choice choice = { 0 };
	enum jn_reason reason = translate(ctx, &call, &choice);

	if (reason != JN_REASON_OK)
		return answer(reason, choice.service_errno);
	write_v4(ctx, &choice.backend);
	return JN_PASS;
}

SEC("cgroup/sendmsg6")
int jn_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct jn_target target = target_v6(ctx);
	struct jn_call call = call_of(ctx, &target, JN_REACH_V6);
	struct jn_choice choice = { 0 };
	enum jn_reason reason = translate(ctx, &call, &choice);

	if (reason != JN_REASON_OK)
		return answer(reason, choice.service_errno);
	write_v6(ctx, &choice.backend);
	return JN_PASS;
}
