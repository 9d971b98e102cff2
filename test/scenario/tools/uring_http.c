/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One HTTP request in which connect, send and receive all go through io_uring; ADDRESS PORT.
 * Prints "peer ADDRESS PORT", as getpeername says, and then the answer. No timeouts of its own.
 */
#include <arpa/inet.h>
#include <liburing.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST "GET / HTTP/1.0\r\n\r\n"

/* Submit what stands in the ring and return what came of it; negative: an errno. */
static int finish(struct io_uring *ring, const char *what)
{
	struct io_uring_cqe *cqe;
	int rc = io_uring_submit_and_wait(ring, 1);

	if (rc >= 0)
		rc = io_uring_wait_cqe(ring, &cqe);
	if (rc >= 0) {
		rc = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", what, strerror(-rc));
	return rc;
}

static int print_peer(int fd)
{
	char host[INET6_ADDRSTRLEN], port[8];
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &size) ||
	    getnameinfo((struct sockaddr *)&peer, size, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return -1;
	printf("peer %s %s\n", host, port);
	return 0;
}

static int talk(struct io_uring *ring, const struct addrinfo *to)
{
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[4096];
	int size;

	io_uring_prep_connect(io_uring_get_sqe(ring), fd, to->ai_addr, to->ai_addrlen);
	if (finish(ring, "connect") < 0 || print_peer(fd))
		return 1;
	io_uring_prep_send(io_uring_get_sqe(ring), fd, REQUEST, strlen(REQUEST), 0);
	if (finish(ring, "send") < 0)
		return 1;
	do {
		io_uring_prep_recv(io_uring_get_sqe(ring), fd, answer, sizeof(answer), 0);
		size = finish(ring, "receive");
		if (size > 0)
			(void)fwrite(answer, 1, (size_t)size, stdout);
	} while (size > 0);
	(void)close(fd);
	return size < 0;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *to;
	struct io_uring ring;
	int rc;

	if (argc != 3 || getaddrinfo(argv[1], argv[2], &hints, &to)) {
		fprintf(stderr, "usage: uring_http ADDRESS PORT\n");
		return 2;
	}
	rc = io_uring_queue_init(8, &ring, 0);
	if (rc < 0) {
		fprintf(stderr, "io_uring: %s\n", strerror(-rc));
		return 1;
	}
	rc = talk(&ring, to);
	io_uring_queue_exit(&ring);
	freeaddrinfo(to);
	return rc;
}
