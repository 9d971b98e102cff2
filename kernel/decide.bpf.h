/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The decision path: from the address that an application names to a backend. Plain values in and
 * out, so that the tests call the same functions; only the doors know of hooks and their ctx.
 *
 * __hidden: for the verifier a static function, checked at each of its calls. The one without it is
 * checked once, by itself, for any arguments: it must ask for NULL.
 */
#ifndef JUNCTOR_KERNEL_DECIDE_H
#define JUNCTOR_KERNEL_DECIDE_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <junctor/abi.h>
#include <junctor/reasons.h>

/* Which backends a call can be sent on to. */
enum jn_reach {
	JN_REACH_V4,  /* it carries four bytes of address */
	JN_REACH_V6,  /* an unconnected IPv6 send: the kernel refuses a mapped address (ENOTSUPP) */
	JN_REACH_BOTH /* connect() of an IPv6 socket */
};

/* One call of an application. */
struct jn_call {
	struct jn_frontend_key key; /* what it names */
	enum jn_reach reach;
	bool is_connect;       /* it opens a connection; else a datagram is sent */
	bool has_client;       /* the next two are filled in */
	bool is_bound;	       /* to a source address */
	struct jn_addr client; /* who calls */
};

/* An address and a port, of a VIP or of a backend. */
struct jn_target {
	struct jn_addr addr;
	__be16 port;
};

struct jn_choice {
	struct jn_target backend;
	__u16 service_errno; /* what the service asks for when it has no endpoint */
	__u32 endpoint;	     /* its id */
	__u32 socket_flags;  /* for its record: JN_SOCKET_… */
	struct jn_count at_backend, at_service; /* where it counts as open by now */
};

/*
 * choose.bpf.c: the endpoint of one new connection. out->service_errno is set on NO_ENDPOINT, the
 * rest on OK. Also NO_LOCAL_ENDPOINT, LIMIT_REACHED, FAMILY_MISMATCH, TABLE_DAMAGED; and, of a call
 * whose client is not filled in, ASKS_CLIENT: fill it in and ask again. Few services do, and only
 * they pay for it.
 */
#define JN_ASKS_CLIENT JN_REASON_MAX
enum jn_reason jn_choose_any(const struct jn_frontend *frontend, const struct jn_call *call,
			     struct jn_choice *out);

/* affinity.bpf.c: where this client stays, as jn_pick_carefully; 0: nowhere that may take it. */
__u32 jn_affinity_find(const struct jn_frontend *frontend, const struct jn_call *call,
		       const struct jn_rules *rules) __hidden;
/* affinity.bpf.c: from now on it stays here. Out of memory it stays nowhere. */
void jn_affinity_note(__u32 set, const struct jn_addr *client, __u32 endpoint) __hidden;

#endif
