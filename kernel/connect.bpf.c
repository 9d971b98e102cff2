/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The doors of connect(): TCP (MSG_FASTOPEN's sendto too) and UDP. A socket is told apart by what
 * it names, nothing else; RAW sockets run no hook, and a protocol without frontends finds none.
 */
#include "choose.bpf.h"
#include "count.bpf.h"
#include "door.bpf.h"
#include "live.bpf.h"
#include "lookup.bpf.h"
#include "socket.bpf.h"

static __always_inline enum jn_reason decide(struct bpf_sock_addr *ctx, struct jn_call *call,
					     const struct jn_frontend *frontend,
					     struct jn_choice *choice)
{
	enum jn_reason reason = jn_admit(frontend, netns_for(ctx, frontend));
	struct bpf_sock *sk = ctx->sk;

	if (reason != JN_REASON_OK)
		return reason;
	call->is_connect = true;
	reason = jn_choose(frontend, call, choice);
	if (reason == JN_ASKS_CLIENT) {
		name_client(ctx, call);
		reason = jn_choose_any(frontend, call, choice);
	}
	if (reason != JN_REASON_OK)
		return reason;
	if (sk && jn_socket_remember(sk, call, frontend, choice))
		return JN_REASON_OK;
	jn_live_close(&choice->at_backend);
	jn_live_close(&choice->at_service);
	return JN_REASON_NO_MEMORY;
}

/* OK only: the call goes to choice->backend. */
static __always_inline enum jn_reason translate(struct bpf_sock_addr *ctx, struct jn_call *call,
						struct jn_choice *choice)
{
	struct bpf_sock *sk = ctx->sk;
	struct jn_frontend frontend;
	enum jn_reason reason = jn_find_frontend(&call->key, &frontend);

	if (reason == JN_REASON_NOT_A_SERVICE) {
		if (sk)
			jn_socket_forget(sk, &call->key);
		return reason;
	}
	if (reason == JN_REASON_OK)
		reason = decide(ctx, call, &frontend, choice);
	jn_count(frontend.service, reason);
	return reason;
}

SEC("cgroup/connect4")
int jn_connect4(struct bpf_sock_addr *ctx)
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

SEC("cgroup/connect6")
int jn_connect6(struct bpf_sock_addr *ctx)
{
	struct jn_target target = target_v6(ctx);
	struct jn_call call = call_of(ctx, &target, JN_REACH_BOTH);
	struct jn_choice choice = { 0 };
	enum jn_reason reason = translate(ctx, &call, &choice);

	if (reason != JN_REASON_OK)
		return answer(reason, choice.service_errno);
	write_v6(ctx, &choice.backend);
	return JN_PASS;
}
