/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The canary's own parts: shared by its files, by nobody else.
 *
 *	ends.c     where canaries go		clients.c  the sockets that fly
 *	round.c    one round
 */
#ifndef JUNCTOR_CANARY_INTERNAL_H
#define JUNCTOR_CANARY_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "canary/canary.h"

#define JN_CANARY_PATIENCE_MS 400 /* of each wait; five of them, one after the other, at worst */

union jn_socket_name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

enum { JN_STREAM, JN_DATAGRAM, JN_SOCKET_TYPES };

/* One address, waiting for both protocols at one port. */
struct jn_end {
	int sockets[JN_SOCKET_TYPES]; /* -1 */
	union jn_socket_name name;
};

struct jn_canary {
	struct {
		bool is_there;
		struct jn_end vip, backend; /* vip: the trap */
	} families[JN_CANARY_FAMILIES];
};

extern const int jn_canary_families[JN_CANARY_FAMILIES];  /* AF_INET, AF_INET6 */
extern const int jn_canary_socket_types[JN_SOCKET_TYPES]; /* SOCK_STREAM, SOCK_DGRAM */

/* Of the same address and port? */
bool jn_name_is_same(const union jn_socket_name *a, const union jn_socket_name *b);
socklen_t jn_name_size(const union jn_socket_name *name);

/*
 * Only what comes from this port comes in at the ends; 0: nothing does. Else anybody could fill the
 * queues, and a canary would be lost among strangers.
 */
int jn_canary_admit(const struct jn_canary *canary, unsigned family, unsigned type, __be16 port);

/* The sockets of a round; -1 where there is none, and why: an errno. */
struct jn_clients {
	int sockets[JN_CANARY_FAMILIES][JN_SOCKET_TYPES];
	int error;
};
/* Not connected, not blocking, bound to lo. */
void jn_clients_open(int cgroup, const struct jn_canary *canary, struct jn_clients *out);
void jn_clients_done(struct jn_clients *clients);

#endif
