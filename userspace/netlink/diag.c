/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SOCK_DESTROY: a socket is found by its addresses and ports and must have the cookie that was seen,
 * so that another one that took its place is left alone.
 */
#include "netlink/diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "netlink/internal.h"

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 socket;
};

static void put_address(const struct jn_stale *s, const struct jn_addr *addr, __be32 out[4])
{
	if (s->family == AF_INET)
		out[0] = addr->w[3];
	else
		memcpy(out, addr->w, sizeof(addr->w));
}

/* What carries an MPTCP socket's connection has a cookie that was not seen: its addresses are enough. */
static void put_cookie(const struct jn_stale *s, __u32 out[2])
{
	bool is_seen = s->proto != IPPROTO_MPTCP;

	out[0] = is_seen ? (__u32)s->cookie : INET_DIAG_NOCOOKIE;
	out[1] = is_seen ? (__u32)(s->cookie >> 32) : INET_DIAG_NOCOOKIE;
}

static void build(const struct jn_stale *s, unsigned number, struct request *out)
{
	struct inet_diag_sockid *id = &out->socket.id;

	*out = (struct request){
		.head = { .nlmsg_len = sizeof(*out),
			  .nlmsg_type = SOCK_DESTROY,
			  .nlmsg_flags = NLM_F_REQUEST,
			  .nlmsg_seq = number },
		.socket = { .sdiag_family = s->family,
			    .sdiag_protocol = s->proto == IPPROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP,
			    .idiag_states = ~0u },
	};
	id->idiag_sport = s->source_port;
	id->idiag_dport = s->backend_port;
	id->idiag_if = s->device;
	put_address(s, &s->source, id->idiag_src);
	put_address(s, &s->backend, id->idiag_dst);
	put_cookie(s, id->idiag_cookie);
}

int jn_diag_end(const struct jn_stale *sockets, size_t count, bool *is_ended)
{
	JN_AUTO(jn_netlink_close) struct nl_sock *socket = NULL;
	int rc = jn_netlink_open(NETLINK_SOCK_DIAG, &socket);

	for (size_t from = 0; from < count && !rc; from += JN_BATCH) {
		size_t part = count - from < JN_BATCH ? count - from : JN_BATCH;
		struct request requests[JN_BATCH];
		int refused[JN_BATCH] = { 0 };

		for (size_t i = 0; i < part; i++)
			build(&sockets[from + i], (unsigned)i, &requests[i]);
		rc = jn_netlink_send(socket, requests, part * sizeof(requests[0]), refused);
		for (size_t i = 0; i < part && !rc; i++) {
			is_ended[from + i] = !refused[i];
			if (refused[i] == -EOPNOTSUPP || refused[i] == -EPERM)
				rc = refused[i];
		}
	}
	return rc;
}
