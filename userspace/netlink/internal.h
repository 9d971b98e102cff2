/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the files of this room share; nobody else includes it.
 *
 *	batch.c          many requests in one system call
 *	chains.c         which chains nftables has
 *	legacy_chains.c  which chains the older iptables has; not over netlink
 *	diag.c           ending sockets
 *	routes.c         guard routes
 */
#ifndef JUNCTOR_NETLINK_INTERNAL_H
#define JUNCTOR_NETLINK_INTERNAL_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

struct nl_sock;

/* Requests in one call: what the kernel answers to all of them must fit its buffer. */
#define JN_BATCH 128

/* A socket of this protocol (NETLINK_ROUTE, …) in the calling thread's network namespace; -errno. */
int jn_netlink_open(int protocol, struct nl_sock **out);
void jn_netlink_close(struct nl_sock **socket); /* NULL is fine */

/* What came back for the request with this sequence number: a negative errno, or a whole message. */
typedef int (*jn_reply_fn)(void *arg, const struct nlmsghdr *reply);

/*
 * Send requests that ask for no acknowledgement, and read what the kernel has to say: it works them
 * off before the call returns, so what is not refused was done. refused: the errno (negative) of
 * request i, where its sequence number is i; left alone where there was none. 0 or -errno.
 */
int jn_netlink_send(struct nl_sock *socket, const void *requests, size_t bytes, int *refused);

/*
 * Ask for a list and hand over each message of it. A nonzero return of fn ends it with that. -EAGAIN:
 * it changed meanwhile, and what was handed over may not be all of it. -EBUSY: another one is on its
 * way to this socket.
 */
int jn_netlink_dump(struct nl_sock *socket, const void *request, size_t bytes, jn_reply_fn fn,
		    void *arg);

#endif
