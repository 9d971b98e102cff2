/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is asked of jn_trace, and what it answers: one entry of jn_traces, by the thread that asks.
 * Which key that is the program tells who has put none there yet: the kernel's own number, whatever
 * the asker's PID namespace is. Layout only. A change of it is a new JN_TRACE_VERSION, by which the program and who runs it know
 * each other; the other tables are not concerned.
 */
#ifndef JUNCTOR_TRACE_H
#define JUNCTOR_TRACE_H

#include <junctor/abi.h>

#define JN_TRACE_VERSION 1
#define JN_MAX_TRACES 64 /* that run at once; the one that began first is forgotten */
#define JN_MAX_STEPS 64	 /* that are kept: more than three reads of a damaged table take */

/* clang-format off */
/*        name      text        detail, endpoint, value */
#define JN_STEPS(X) \
	X(FRONTEND, "Frontend") /* of which service in endpoint, which set in value */ \
	X(REVISION, "Revision") /* its number in endpoint; slots, algorithm and flags in value */ \
	X(CLIENT,   "Client")   /* the revision asks who connects */ \
	X(AFFINITY, "Affinity") /* enum jn_stay; where the client was; how many ns ago */ \
	X(TURN,     "Turn")     /* RoundRobin: the turn */ \
	X(HASH,     "Hash")     /* of the client */ \
	X(DRAW,     "Draw")     /* which slot */ \
	X(ALIAS,    "Alias")    /* the slot that it leaves the connection to */ \
	X(JUDGED,   "Judged")   /* enum jn_use; the endpoint; open connections << 32 | answer in us */ \
	X(BETTER,   "Better")   /* of two; the other one */ \
	X(SEARCH,   "Search")   /* of all members, as many as value; JN_STEP_NOBODY, or who was found */ \
	X(REDRAWN,  "Redrawn")  /* so often that it is taken, young as it is */ \
	X(LIMIT,    "Limit")    /* enum jn_bound, of which endpoint, which limit */ \
	X(AGAIN,    "Again")    /* a table does not fit together: it is read again */
/* clang-format on */

enum jn_step_kind {
#define JN_STEP_ENUM(id, text) JN_STEP_##id,
	JN_STEPS(JN_STEP_ENUM)
#undef JN_STEP_ENUM
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
