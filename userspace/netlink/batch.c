/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Many requests in one system call, over libnl. It does NOT know what they ask for.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "base/auto.h"
#include "netlink/internal.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define RECEIVE_BYTES 1048576 /* JN_BATCH refusals take about 100 KiB; a list comes in pieces */

void jn_netlink_close(struct nl_sock **socket)
{
	if (*socket)
		nl_socket_free(*socket); /* closes it, too */
	*socket = NULL;
}

/* Both are improvements only: where the kernel does not have them, refusals are longer. */
static void shorten_refusals(struct nl_sock *socket)
{
	int yes = 1;

	(void)nl_socket_set_buffer_size(socket, RECEIVE_BYTES, 0);
	(void)setsockopt(nl_socket_get_fd(socket), SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof(yes));
}

int jn_netlink_open(int protocol, struct nl_sock **out)
{
	JN_AUTO(jn_netlink_close) struct nl_sock *socket = nl_socket_alloc();

	if (!socket)
		return -ENOMEM;
	errno = 0;
	if (nl_connect(socket, protocol) < 0)
		return errno ? -errno : -EOPNOTSUPP;
	shorten_refusals(socket);
	*out = JN_MOVE(socket);
	return 0;
}

static int send_all(struct nl_sock *socket, const void *requests, size_t bytes)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t sent = sendto(nl_socket_get_fd(socket), requests, bytes, 0,
			      (struct sockaddr *)&kernel, sizeof(kernel));

	return sent == (ssize_t)bytes ? 0 : -errno;
}

/* The next datagram; 0: none is there. A negative errno. */
static int receive(struct nl_sock *socket, unsigned char **out)
{
	struct sockaddr_nl from;
	int size = nl_recv(socket, &from, out, NULL);

	if (size == -NLE_AGAIN)
		return 0;
	return size < 0 ? -EIO : size;
}

int jn_netlink_send(struct nl_sock *socket, const void *requests, size_t bytes, int *refused)
{
	int rc = nl_socket_set_nonblocking(socket) < 0 ? -EIO : send_all(socket, requests, bytes);

	while (!rc) {
		JN_AUTO(jn_free_mem) unsigned char *data = NULL;
		int left = receive(socket, &data);

		if (left <= 0)
			return left;
		for (struct nlmsghdr *reply = (struct nlmsghdr *)data; nlmsg_ok(reply, left);
		     reply = nlmsg_next(reply, &left)) {
			const struct nlmsgerr *error = nlmsg_data(reply);

			if (reply->nlmsg_type == NLMSG_ERROR && error->error &&
			    reply->nlmsg_seq < JN_BATCH)
				refused[reply->nlmsg_seq] = error->error;
		}
	}
	return rc;
}

/* 1: the list has ended. is_torn: something changed in between, and it may lack entries. */
static int read_list(unsigned char *data, int left, jn_reply_fn fn, void *arg, bool *is_torn)
{
	for (struct nlmsghdr *reply = (struct nlmsghdr *)data; nlmsg_ok(reply, left);
	     reply = nlmsg_next(reply, &left)) {
		const struct nlmsgerr *error = nlmsg_data(reply);
		int rc;

		*is_torn |= reply->nlmsg_flags & NLM_F_DUMP_INTR;
		if (reply->nlmsg_type == NLMSG_DONE) /* with what ended it, if not the list's end */
			return nlmsg_datalen(reply) >= (int)sizeof(error->error) && error->error < 0
				       ? error->error
				       : 1;
		if (reply->nlmsg_type == NLMSG_ERROR)
			return error->error ? error->error : 1;
		rc = fn(arg, reply);
		if (rc)
			return rc;
	}
	return 0;
}

int jn_netlink_dump(struct nl_sock *socket, const void *request, size_t bytes, jn_reply_fn fn,
		    void *arg)
{
	int rc = send_all(socket, request, bytes);
	bool is_torn = false;

	while (!rc) {
		JN_AUTO(jn_free_mem) unsigned char *data = NULL;
		int size = receive(socket, &data);

		if (size <= 0)
			return size ? size : -EIO;
		rc = read_list(data, size, fn, arg, &is_torn);
	}
	if (rc != 1)
		return rc;
	return is_torn ? -EAGAIN : 0;
}
