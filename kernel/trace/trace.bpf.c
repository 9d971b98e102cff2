/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jn_trace: where a new connection would be led, and by which steps. It is run by `junctor trace`,
 * never by a hook, and calls the functions that the doors of connect() call, built dry (dry.bpf.h):
 * nothing is counted, moved on or remembered. Whether there is memory to remember a socket is the
 * one thing that it does not ask.
 *
 * Question and answer are an entry of jn_traces; the key is the thread that runs the program.
 */
#include <junctor/decide/client.h>

#include "choose.bpf.h"
#include "dry.bpf.h"
#include "lookup.bpf.h"

typedef struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, JN_MAX_TRACES);
	__type(key, __u64);
	__type(value, struct jn_trace);
} jn_traces_t;
jn_traces_t jn_traces SEC(".maps");

static struct jn_trace *find_trace(void)
{
	__u64 thread = bpf_get_current_pid_tgid();

	return bpf_map_lookup_elem(&jn_traces, &thread);
}

int jn_trace_add(__u32 kind, __u32 detail, __u32 endpoint, __u64 value)
{
	struct jn_trace *trace = find_trace();
	__u32 at;

	if (!trace)
		return 0;
	if (kind == JN_STEP_REVISION) { /* read once more, for the rest of the way */
		if (trace->revision == endpoint)
			return 0;
		trace->revision = endpoint;
	}
	at = trace->step_count++;
	if (at >= JN_MAX_STEPS)
		return 0;
	trace->steps[at] = (struct jn_step){
		.kind = kind, .detail = detail, .endpoint = endpoint, .value = value
	};
	return 0;
}

__u64 jn_trace_turn(__u64 turn)
{
	struct jn_trace *trace = find_trace();

	if (trace)
		turn += trace->turns++;
	(void)jn_trace_add(JN_STEP_TURN, 0, 0, turn);
	return turn;
}

/* As the door of connect() goes through it. */
static __always_inline enum jn_reason decide(const struct jn_trace *trace, struct jn_call *call,
					     const struct jn_frontend *frontend,
					     struct jn_choice *choice)
{
	enum jn_reason reason = jn_admit(frontend, trace->netns_cookie);

	if (reason != JN_REASON_OK)
		return reason;
	reason = jn_choose(frontend, call, choice);
	if (reason != JN_ASKS_CLIENT)
		return reason;
	call->has_client = true;
	call->is_bound = trace->is_bound;
	call->client = trace->is_bound ? trace->client : jn_client_of_netns(trace->netns_cookie);
	jn_note(JN_STEP_CLIENT, 0, 0, 0);
	return jn_choose_any(frontend, call, choice);
}

/* 0: answered; 1: nobody asks, or another version does. */
SEC("syscall")
int jn_trace(struct jn_trace_call *ctx)
{
	struct jn_trace *trace = find_trace();
	struct jn_frontend frontend = { 0 };
	struct jn_choice choice = { 0 };
	struct jn_call call;
	enum jn_reason reason;

	ctx->thread = bpf_get_current_pid_tgid();
	if (!trace || trace->version != JN_TRACE_VERSION)
		return 1;
	call = (struct jn_call){ .key = trace->key,
				 .reach = trace->is_v4 ? JN_REACH_V4 : JN_REACH_BOTH,
				 .is_connect = true };
	reason = jn_find_frontend(&call.key, &frontend);
	if (reason == JN_REASON_OK) {
		jn_note(JN_STEP_FRONTEND, 0, frontend.service, frontend.set);
		reason = decide(trace, &call, &frontend, &choice);
	}
	trace->frontend = frontend;
	trace->backend = choice.backend.addr;
	trace->backend_port = choice.backend.port;
	trace->service_errno = choice.service_errno;
	trace->endpoint = choice.endpoint;
	trace->socket_flags = choice.socket_flags;
	trace->reason = reason;
	return 0;
}
