/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Canaries: connections and datagrams of junctord's own to addresses of its own, which its hooks must
 * lead to sockets of its own. Whether they arrive, and what the peer is called, is what applications
 * see of the hooks, whatever the kernel says about links.
 *
 *	client --connect()--> VIP   127.127.74.78:p or [::1]:p	here a trap listens: where the hooks
 *	                       |				do nothing, it is reached, and nobody else
 *	                       +--> 127.0.0.1:q or [::1]:q	here they must arrive
 *
 * Where a service has 127.127.74.78 it is the next address that none has, up to 127.127.74.85.
 * Nothing leaves the machine: every client is bound to lo. Who leads the VIP to the backend is not
 * known here; see engine/canary.c.
 */
#ifndef JUNCTOR_CANARY_CANARY_H
#define JUNCTOR_CANARY_CANARY_H

#include <stdbool.h>
#include <stddef.h>

#include <junctor/abi.h>

/* The hooks that a round looks at, by their part in it; of each family. */
enum jn_canary_part {
	JN_CANARY_CONNECT, /* a connection reaches the backend */
	JN_CANARY_NAME,	   /* getpeername() names the VIP */
	JN_CANARY_SEND,	   /* a datagram of an unconnected socket reaches the backend */
	JN_CANARY_RECEIVE, /* its answer is named after the VIP */
	JN_CANARY_PARTS
};
#define JN_CANARY_FAMILIES 2 /* IPv4, IPv6 */

enum jn_canary_verdict {
	JN_CANARY_UNKNOWN, /* what says why; "": an earlier part failed */
	JN_CANARY_PROVED,
	JN_CANARY_DISPROVED /* what says what was seen */
};

struct jn_canary_finding {
	enum jn_canary_verdict verdict;
	char what[160];
};

struct jn_canary_round {
	struct jn_canary_finding found[JN_CANARY_FAMILIES][JN_CANARY_PARTS];
};

struct jn_canary;

/* The waiting ends. A family that lo does not have is left out. -errno: no family can be had. */
int jn_canary_open(struct jn_canary **out);
void jn_canary_close(struct jn_canary **canary);

/* Has lo an address of this family (0: IPv4, 1: IPv6)? */
bool jn_canary_has(const struct jn_canary *canary, unsigned family);

/* Where its canaries go; how many families: the VIP and the backend of each. */
size_t jn_canary_ends(const struct jn_canary *canary, struct jn_frontend_key vips[],
		      struct jn_frontend_key backends[]);

/*
 * One round; blocks for two seconds at most, so on a worker. cgroup: sockets are made by a child that
 * is born there (hooks follow the cgroup in which a socket was made); -1: by this process.
 */
void jn_canary_fly(struct jn_canary *canary, int cgroup, struct jn_canary_round *out);

/*
 * Run fn in a child that is born in this cgroup and shares this process's descriptors, but not its
 * memory, and wait for it. fn: a few system calls, no more; 0 or -errno, which comes back.
 */
int jn_canary_be_there(int cgroup, int (*fn)(void *arg), void *arg);

#endif
