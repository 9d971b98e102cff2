/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The door of TCP's own events: how a connection that is watched begins and ends. Attached while an
 * object asks for it. Runs a handful of times for a connection, never for a packet.
 *
 * MPTCP keeps its record with the whole connection, not with the subflow that TCP tells of here: it
 * is counted, and not watched.
 */
#include <bpf/bpf_core_read.h>

#include "live.bpf.h"
#include "socket.bpf.h"

#define JN_SRTT_SHIFT 3 /* the kernel keeps eight times the smoothed round-trip time */

/* The kernel's; only the fields that are read. */
struct sock {
	int sk_err;
} __attribute__((preserve_access_index));

struct inet_sock {
	struct sock sk;
} __attribute__((preserve_access_index));

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	__u8 icsk_retransmits;
	struct {
		__u32 lrcvtime;
	} icsk_ack;
} __attribute__((preserve_access_index));

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 lsndtime; /* in ticks, as lrcvtime */
	__u32 total_retrans;
	__u32 srtt_us;
	__u64 bytes_received;
} __attribute__((preserve_access_index));

static struct bpf_sock *whole_socket(struct bpf_sock_ops *ctx)
{
	return ctx->is_fullsock ? ctx->sk : NULL;
}

static void watch(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = whole_socket(ctx);
	struct jn_socket *record = sk ? jn_socket_find(sk) : NULL;
	int flags = ctx->bpf_sock_ops_cb_flags;

	if (record && record->flags & JN_SOCKET_WATCHED)
		(void)bpf_sock_ops_cb_flags_set(ctx, flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

static void established(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = whole_socket(ctx);
	struct jn_socket *record = sk ? jn_socket_find(sk) : NULL;
	__u32 srtt = ctx->srtt_us;

	if (!record || !(record->flags & JN_SOCKET_WATCHED))
		return;
	jn_live_measure(record, srtt >> JN_SRTT_SHIFT);
	jn_live_succeed(record, JN_FAILURE_CONNECT);
}

/* From the last byte of a question to the last byte of its answer; at least a round trip. */
static __u32 answer_time(const struct tcp_sock *tcp)
{
	__u32 zero = 0, ticks = tcp->inet_conn.icsk_ack.lrcvtime - tcp->lsndtime;
	__u32 trip = tcp->srtt_us >> JN_SRTT_SHIFT, answer;
	const struct jn_meta *meta = bpf_map_lookup_elem(&jn_meta, &zero);

	if (!meta || (__s32)ticks <= 0)
		return trip;
	answer = ticks * meta->tick_us;
	return answer > trip ? answer : trip;
}

/*
 * A SYN without an answer for so long that it was to be sent again, or a refusal. One that still waits
 * for the neighbour's link address is not sent again: only icsk_retransmits tells that its time was
 * over.
 */
static bool is_failed_connect(const struct tcp_sock *tcp)
{
	return tcp->inet_conn.icsk_inet.sk.sk_err || tcp->inet_conn.icsk_retransmits ||
	       tcp->total_retrans;
}

/* By the other side or the network. ECONNABORTED is who ended the socket from this side: we, too. */
static bool is_reset(const struct tcp_sock *tcp)
{
	int err = tcp->inet_conn.icsk_inet.sk.sk_err;

	return err && err != ECONNABORTED;
}

static void ended(struct jn_socket *record, const struct tcp_sock *tcp, __u32 from, __u32 to)
{
	if (from == BPF_TCP_SYN_SENT) {
		if (to == BPF_TCP_CLOSE && is_failed_connect(tcp))
			jn_live_fail(record, JN_FAILURE_CONNECT);
		return;
	}
	if (from != BPF_TCP_ESTABLISHED)
		return;
	if (tcp->bytes_received) {
		jn_live_measure(record, answer_time(tcp));
		jn_live_succeed(record, JN_FAILURE_RESET);
	} else if (to == BPF_TCP_CLOSE && is_reset(tcp)) {
		jn_live_fail(record, JN_FAILURE_RESET);
	}
}

static void changed(struct bpf_sock_ops *ctx)
{
	__u32 from = ctx->args[0], to = ctx->args[1];
	struct bpf_sock *sk = whole_socket(ctx);
	struct jn_socket *record = sk ? jn_socket_find(sk) : NULL;
	struct tcp_sock *tcp;

	if (!record || !(record->flags & JN_SOCKET_WATCHED))
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp)
		ended(record, tcp, from, to);
}

SEC("sockops")
int jn_sockops(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		watch(ctx);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		established(ctx);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		changed(ctx);
		break;
	default:
		break;
	}
	return 1;
}
