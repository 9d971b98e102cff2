/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Guard routes: a blackhole for each service address, so that a connection that no hook saw ends
 * with an error at once and never leaves the machine. In the calling thread's network namespace.
 *
 * Ours carry our own protocol number, and the last metric there is: any other route to the very same
 * address wins, also one that comes later. 127.0.0.0/8 is the table local's, so guards of it stand
 * there, where no rule comes before it; others stand in the table main.
 */
#ifndef JUNCTOR_NETLINK_ROUTES_H
#define JUNCTOR_NETLINK_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include <junctor/abi.h>

#define JN_ROUTE_PROTOCOL 106 /* of rtm_protocol; `ip route show proto 106` */

struct jn_guard {
	struct jn_addr addr;
	bool is_wanted; /* else: to be removed */
	int rc; /* 0; -EADDRINUSE: left alone, the node owns the address, or a negative errno */
};

/*
 * fn(arg, addr) for each guard route there is. A nonzero return of fn ends it with that; -errno:
 * -EAGAIN when routes changed in the middle, again and again.
 */
int jn_guards_each(int (*fn)(void *arg, const struct jn_addr *addr), void *arg);

/*
 * Add or remove each; what is as it shall be is fine. 0, with each one's rc, or a negative errno, as
 * above. Blocks.
 */
int jn_guards_apply(struct jn_guard *guards, size_t count);

/*
 * *out: what the routing tables tell who asks for a way to this address: 0, or a negative errno, that of
 * connect() (a blackhole: -EINVAL). 0; another negative errno where they cannot be asked.
 */
int jn_route_ask(const struct jn_addr *addr, int *out);

/* Remove every guard route there is; *removed of them. 0 or a negative errno. */
int jn_guards_clear(size_t *removed);

#endif
