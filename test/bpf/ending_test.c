/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ending sockets, in both ways: by the kernel's programs (bpf_sock_destroy) and over netlink. The
 * sockets are real ones, in a network namespace of this process's own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "datapath/sockets.h"
#include "netlink/diag.h"
#include "skip.h"

static struct jn_ender *ender; /* NULL: this kernel has no such programs */

static int by_program(const struct jn_stale *sockets, size_t count, bool *is_ended)
{
	return jn_ender_end(ender, sockets, count, is_ended);
}

static const struct way {
	int (*end)(const struct jn_stale *sockets, size_t count, bool *is_ended);
	bool is_programs;
} programs = { by_program, true }, netlink = { jn_diag_end, false };

/* What a test was given; a way that this kernel has. */
static const struct way *way_of(void **state)
{
	const struct way *way = *state;

	if (way->is_programs && !ender)
		skip_because("this kernel lets no program end sockets (bpf_sock_destroy)");
	return way;
}

/* --- sockets ------------------------------------------------------------------------------------- */

static const struct kind {
	int family, type, proto;
	const char *address;
} kinds[] = {
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, "127.0.0.1" },
	{ AF_INET6, SOCK_STREAM, IPPROTO_TCP, "::1" },
	{ AF_INET6, SOCK_STREAM, IPPROTO_TCP, "::ffff:127.0.0.1" },
	{ AF_INET, SOCK_DGRAM, IPPROTO_UDP, "127.0.0.1" },
	{ AF_INET6, SOCK_DGRAM, IPPROTO_UDP, "::1" },
	{ AF_INET6, SOCK_DGRAM, IPPROTO_UDP, "::ffff:127.0.0.1" },
	{ AF_INET, SOCK_STREAM, IPPROTO_MPTCP, "127.0.0.1" },
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_of(const struct kind *kind, uint16_t port, union address *out)
{
	*out = (union address){ .any.sa_family = (sa_family_t)kind->family };
	if (kind->family == AF_INET) {
		out->v4.sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, kind->address, &out->v4.sin_addr), 1);
		return sizeof(out->v4);
	}
	out->v6.sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, kind->address, &out->v6.sin6_addr), 1);
	return sizeof(out->v6);
}

static struct jn_addr plain(const union address *from, __be16 *port)
{
	struct jn_addr addr;

	if (from->any.sa_family == AF_INET) {
		*port = from->v4.sin_port;
		return jn_addr_from_v4(from->v4.sin_addr.s_addr);
	}
	*port = from->v6.sin6_port;
	memcpy(&addr, &from->v6.sin6_addr, sizeof(addr));
	return addr;
}

static int open_server(const struct kind *kind, uint16_t *port)
{
	/* A server that has no MPTCP: between two that have, the kernel tells only after a minute. */
	int fd = socket(kind->family, kind->type, 0);
	union address own;
	socklen_t size = address_of(kind, 0, &own);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &own.any, size), 0);
	if (kind->type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, &own.any, &size), 0);
	*port = ntohs(kind->family == AF_INET ? own.v4.sin_port : own.v6.sin6_port);
	return fd;
}

static int open_client(const struct kind *kind, uint16_t port)
{
	int fd = socket(kind->family, kind->type | SOCK_NONBLOCK, kind->proto);
	union address to;
	socklen_t size = address_of(kind, port, &to);

	struct pollfd connected = { .fd = fd, .events = POLLOUT };

	assert_true(fd >= 0);
	assert_true(connect(fd, &to.any, size) == 0 || errno == EINPROGRESS);
	assert_int_equal(poll(&connected, 1, 10000), 1); /* a busy kernel takes its time */
	return fd;
}

/* As the iterator would describe it. */
static struct jn_stale stale_of(const struct kind *kind, int fd)
{
	struct jn_stale stale = { .proto = (__u16)kind->proto, .family = (__u8)kind->family };
	union address name;
	socklen_t size = sizeof(name), cookie_size = sizeof(stale.cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &stale.cookie, &cookie_size), 0);
	assert_int_equal(getsockname(fd, &name.any, &size), 0);
	stale.source = plain(&name, &stale.source_port);
	size = sizeof(name);
	assert_int_equal(getpeername(fd, &name.any, &size), 0);
	stale.backend = plain(&name, &stale.backend_port);
	return stale;
}

/* 0: it lives. */
static int fate_of(int fd)
{
	char byte;

	return recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN ? 0 : errno;
}

/* --- tests --------------------------------------------------------------------------------------- */

static void test_the_socket_that_is_listed_is_ended_and_no_other(void **state)
{
	const struct way *way = way_of(state);

	for (size_t i = 0; i < JN_COUNT(kinds); i++) {
		uint16_t port;
		int server = open_server(&kinds[i], &port);
		int listed = open_client(&kinds[i], port);
		int other = open_client(&kinds[i], port);
		struct jn_stale stale = stale_of(&kinds[i], listed);
		bool is_ended = false;

		assert_int_equal(way->end(&stale, 1, &is_ended), 0);
		assert_true(is_ended);
		assert_int_not_equal(fate_of(listed), 0);
		assert_int_equal(fate_of(other), 0);
		(void)close(listed);
		(void)close(other);
		(void)close(server);
	}
}

/* Whoever took its place has another cookie. */
static void test_another_cookie_is_left(void **state)
{
	const struct way *way = way_of(state);

	for (size_t i = 0; i < 6; i++) { /* of MPTCP only the addresses are known */
		uint16_t port;
		int server = open_server(&kinds[i], &port);
		int client = open_client(&kinds[i], port);
		struct jn_stale stale = stale_of(&kinds[i], client);
		bool is_ended = false;

		stale.cookie += 1000000;
		assert_int_equal(way->end(&stale, 1, &is_ended), 0);
		assert_false(is_ended);
		assert_int_equal(fate_of(client), 0);
		(void)close(client);
		(void)close(server);
	}
}

static void test_another_peer_is_left(void **state)
{
	const struct way *way = way_of(state);

	for (size_t i = 3; i < 6; i++) { /* UDP, which may connect again */
		uint16_t port, elsewhere_port;
		int server = open_server(&kinds[i], &port);
		int elsewhere = open_server(&kinds[i], &elsewhere_port);
		int client = open_client(&kinds[i], port);
		struct jn_stale stale = stale_of(&kinds[i], client);
		union address to;
		socklen_t size = address_of(&kinds[i], elsewhere_port, &to);
		bool is_ended = false;

		assert_int_equal(connect(client, &to.any, size), 0);
		assert_int_equal(way->end(&stale, 1, &is_ended), 0);
		assert_false(is_ended);
		assert_int_equal(fate_of(client), 0);
		(void)close(client);
		(void)close(elsewhere);
		(void)close(server);
	}
}

/*
 * SO_REUSEPORT: netlink finds only one of them, whichever is asked for, and the other when it is asked
 * again; the programs find both.
 */
static void test_two_sockets_with_one_pair_of_addresses(void **state)
{
	const struct way *way = way_of(state);
	struct jn_stale stale[2];
	bool is_ended[2] = { false };
	uint16_t port, own_port;
	int server = open_server(&kinds[3], &port), clients[2], yes = 1;
	union address own, to;
	socklen_t size = address_of(&kinds[3], 0, &own);

	(void)address_of(&kinds[3], port, &to);
	for (size_t i = 0; i < 2; i++) {
		clients[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		assert_int_equal(setsockopt(clients[i], SOL_SOCKET, SO_REUSEPORT, &yes,
					    sizeof(yes)),
				 0);
		assert_int_equal(bind(clients[i], &own.any, size), 0);
		assert_int_equal(getsockname(clients[i], &own.any, &size), 0);
	}
	own_port = own.v4.sin_port;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(connect(clients[i], &to.any, size), 0);
		stale[i] = stale_of(&kinds[3], clients[i]);
		assert_int_equal(stale[i].source_port, own_port);
	}
	assert_int_equal(jn_diag_end(stale, 2, is_ended), 0);
	assert_int_equal(is_ended[0] + is_ended[1], 1);
	assert_int_equal(way->end(stale, 2, is_ended), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_true(is_ended[i]);
		assert_int_equal(fate_of(clients[i]), ECONNABORTED);
		(void)close(clients[i]);
	}
	(void)close(server);
}

#define MANY 700 /* several netlink batches */

static void test_many_at_once(void **state)
{
	static int clients[MANY];
	static struct jn_stale stale[MANY];
	static bool is_ended[MANY];
	const struct way *way = way_of(state);
	uint16_t port;
	int server = open_server(&kinds[3], &port);

	for (size_t i = 0; i < MANY; i++) {
		clients[i] = open_client(&kinds[3], port);
		stale[i] = stale_of(&kinds[3], clients[i]);
		is_ended[i] = false;
		if (i % 7 == 0)
			stale[i].cookie += 1000000;
	}
	assert_int_equal(way->end(stale, MANY, is_ended), 0);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(is_ended[i], i % 7 != 0);
		assert_int_equal(fate_of(clients[i]), i % 7 ? ECONNABORTED : 0);
		(void)close(clients[i]);
	}
	(void)close(server);
}

static void count_visits(void *arg, uint32_t inode)
{
	struct stat own;

	assert_int_equal(stat("/proc/thread-self/ns/net", &own), 0);
	assert_int_equal(own.st_ino, inode);
	++*(unsigned *)arg;
}

/* This process has two: its own, and the one it was born in, which other processes hold. */
static void test_namespaces_are_visited_by_a_thread_of_its_own(void **state)
{
	struct stat own, born, after;
	unsigned visits = 0;
	uint32_t inodes[3];
	char path[32];

	(void)state;
	assert_int_equal(stat("/proc/thread-self/ns/net", &own), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", getppid());
	assert_int_equal(stat(path, &born), 0);
	inodes[0] = 1; /* no such namespace */
	inodes[1] = (uint32_t)born.st_ino;
	inodes[2] = (uint32_t)own.st_ino;
	assert_int_equal(jn_spaces_visit(inodes, 3, count_visits, &visits), 0);
	assert_int_equal(visits, 2);
	assert_int_equal(stat("/proc/thread-self/ns/net", &after), 0);
	assert_int_equal(after.st_ino, own.st_ino);
}

static int setup(void **state)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	JN_AUTO(jn_close_fd) int fd = -1;
	int rc;

	(void)state;
	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
		return -1;
	rc = jn_ender_open(&ender);
	return rc == (kernel_has_function("bpf_sock_destroy") ? 0 : -EOPNOTSUPP) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	jn_ender_close(&ender);
	return 0;
}

#define BY(way, test)                                                                              \
	{                                                                                          \
		.name = #test "_by_" #way, .test_func = test, .initial_state = (void *)&(way)      \
	}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		BY(programs, test_the_socket_that_is_listed_is_ended_and_no_other),
		BY(netlink, test_the_socket_that_is_listed_is_ended_and_no_other),
		BY(programs, test_another_cookie_is_left),
		BY(netlink, test_another_cookie_is_left),
		BY(programs, test_another_peer_is_left),
		BY(netlink, test_another_peer_is_left),
		BY(programs, test_two_sockets_with_one_pair_of_addresses),
		BY(netlink, test_two_sockets_with_one_pair_of_addresses),
		BY(programs, test_many_at_once),
		BY(netlink, test_many_at_once),
		cmocka_unit_test(test_namespaces_are_visited_by_a_thread_of_its_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
