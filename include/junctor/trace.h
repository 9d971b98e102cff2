/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is asked of jn_trace, and what it answers: one entry of jn_traces, by the thread that asks.
 * Which key that is the program tells who has put none there yet: the kernel's own number, whatever
 * the asker's PID namespace is. Layout only. A change of it is a new JN_TRACE_VERSION, by which the
 * program and who runs it know each other; the other tables are not concerned.
 */
#ifndef JUNCTOR_TRACE_H
#define JUNCTOR_TRACE_H

#include <junctor/abi.h>

#define JN_TRACE_VERSION 1
#define JN_MAX_TRACES 64 /* that run at once; the one that began first is forgotten */
#define JN_MAX_STEPS 64	 /* that are kept: more than three reads of a damaged table take */

/* A note of the decision; in brackets what its detail, endpoint and value hold. */
enum jn_step_kind {
	JN_STEP_FRONTEND, /* of which service (endpoint), which set (value) */
	JN_STEP_REVISION, /* its number (endpoint); slots << 32 | algorithm << 8 | flags (value) */
	JN_STEP_CLIENT,	  /* the revision asks who connects */
	JN_STEP_AFFINITY, /* enum jn_stay (detail); where the client was; how many ns ago (value) */
	JN_STEP_TURN,	  /* of RoundRobin (value) */
	JN_STEP_HASH,	  /* of the client (value) */
	JN_STEP_DRAW,	  /* which slot (value) */
	JN_STEP_ALIAS,	  /* the slot that it leaves the connection to (value) */
	JN_STEP_JUDGED,	  /* enum jn_use (detail), of whom; open << 32 | answer in us (value) */
	JN_STEP_BETTER,	  /* of two; the other one (value) */
	JN_STEP_SEARCH, /* of how many members (value); jn_pick_carefully's answer (endpoint), 0: none */
	JN_STEP_REDRAWN, /* so often (value) that it is taken all the same */
	JN_STEP_LIMIT,	 /* enum jn_bound (detail); which limit (value) */
	JN_STEP_AGAIN,	 /* a table does not fit together and is read again */
	JN_STEP_MAX
};

/* What of an affinity. */
enum jn_stay { JN_STAY_NOWHERE, JN_STAY_OVER, JN_STAY_GONE, JN_STAY_UNUSABLE, JN_STAY_YES };

/* Which limit is reached. */
enum jn_bound { JN_BOUND_SERVICE, JN_BOUND_BACKEND, JN_BOUND_RATE };

/* May an endpoint take one more connection? */
enum jn_use {
	JN_USE_YES,
	JN_USE_TRIAL, /* its ejection is over; this connection, and no other one, tries it */
	JN_USE_YOUNG, /* slow start holds it back this time */
	JN_USE_OUT,   /* ejected, or a probe says it is down */
	JN_USE_FULL
};

struct jn_step {
	__u16 kind; /* enum jn_step_kind */
	__u16 detail;
	__u32 endpoint;
	__u64 value;
};
JN_ABI_SIZE(struct jn_step, 16);

/* What comes in and goes out with the call itself. */
struct jn_trace_call {
	__u64 thread; /* out: by which key this thread's question is looked for */
};
JN_ABI_SIZE(struct jn_trace_call, 8);

struct jn_trace {
	/* The question. */
	__u32 version; /* JN_TRACE_VERSION of who asks */
	__u32 is_v4;   /* the socket carries four bytes of address */
	struct jn_frontend_key key;
	__u32 is_bound; /* the socket is bound to `client`; else it is named after its namespace */
	__u64 netns_cookie;
	struct jn_addr client;
	/* The answer. */
	struct jn_frontend frontend;
	struct jn_addr backend;
	__be16 backend_port;
	__u16 service_errno;
	__u32 endpoint;
	__u32 reason;
	__u32 socket_flags;
	__u32 turns;	  /* of RoundRobin, taken and not stored */
	__u32 step_count; /* all there were; the first JN_MAX_STEPS are kept */
	__u32 revision;	  /* number of the one that was read last */
	__u32 pad;
	struct jn_step steps[JN_MAX_STEPS];
};
JN_ABI_SIZE(struct jn_trace, 120 + 16 * JN_MAX_STEPS);

#endif
