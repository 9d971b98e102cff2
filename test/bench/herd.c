/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Many open sockets, and when each was ended from outside.
 *
 *   herd --serve …   answers whatever comes to --listen with the address it came to (4 bytes);
 *                    TCP, and with --udp UDP as well. Several may serve the same addresses.
 *   herd …           keeps --count TCP and as many connected UDP sockets to each target open:
 *                    --leaving, whose backend --doomed will be taken away, and the --others. One
 *                    word a line on stdin, one JSON object a line on stdout:
 *     open     opens what is not open; those that lead to --leaving all anew
 *     report   when sockets on --doomed ended (CLOCK_MONOTONIC), how many others did, and how many
 *              still answer
 *
 * Does not know who ends sockets, nor how; what a socket is connected to its server tells.
 */
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "bench.h"
#include "options.h"

#define MAX_ADDRESSES 16
#define MAX_SOCKETS 18000
#define BATCH 256
#define PATIENCE_S 5

struct one {
	int fd;
	bool is_udp, is_leaving, is_doomed; /* doomed: leaving, and connected to the backend */
	struct sockaddr_in target;
	uint64_t ended_ns;
	int error;
};

static struct {
	bool is_server, has_udp;
	const char *cgroup, *netns;
	struct sockaddr_in listen[MAX_ADDRESSES], leaving, others[MAX_ADDRESSES], doomed;
	unsigned listen_count, other_count;
	uint64_t count;
} opt;

static struct one herd[MAX_SOCKETS];
static unsigned herd_count;
static int events_fd;

static void take_all_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		die("RLIMIT_NOFILE");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("RLIMIT_NOFILE");
}

static void watch(int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = what };

	if (epoll_ctl(events_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
}

/* --- the server --------------------------------------------------------------------------------- */

enum kind { LISTENER, CONNECTION, DATAGRAMS };

struct serving {
	enum kind kind;
	int fd;
	struct in_addr at; /* the address it was called at */
};

static void serve_on(enum kind kind, int fd, struct in_addr at)
{
	struct serving *new = malloc(sizeof(*new));

	if (!new)
		die("memory");
	*new = (struct serving){ .kind = kind, .fd = fd, .at = at };
	watch(fd, new);
}

static void open_server(const struct sockaddr_in *address, int type)
{
	int fd = new_socket(type), on = 1;

	if (setsockopt(fd, SOL_SOCKET, type == SOCK_STREAM ? SO_REUSEPORT : SO_REUSEADDR, &on,
		       sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		die("bind to %s", inet_ntoa(address->sin_addr));
	if (type == SOCK_STREAM && listen(fd, 4096))
		die("listen");
	serve_on(type == SOCK_STREAM ? LISTENER : DATAGRAMS, fd, address->sin_addr);
}

/* A client that is gone, or was reset, is none to answer. */
static void answer(struct serving *server)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char byte;
	int fd;

	switch (server->kind) {
	case LISTENER:
		fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve_on(CONNECTION, fd, server->at);
		else if (errno == EMFILE)
			die("accept");
		return;
	case CONNECTION:
		if (recv(server->fd, &byte, 1, 0) == 1 &&
		    send(server->fd, &server->at, sizeof(server->at), MSG_NOSIGNAL) > 0)
			return;
		close(server->fd);
		free(server);
		return;
	case DATAGRAMS:
		if (recvfrom(server->fd, &byte, 1, 0, (struct sockaddr *)&from, &length) == 1)
			(void)sendto(server->fd, &server->at, sizeof(server->at), 0,
				     (struct sockaddr *)&from, length); /* the client tells */
		return;
	}
}

static void serve(void)
{
	struct epoll_event events[BATCH];

	for (unsigned i = 0; i < opt.listen_count; i++) {
		open_server(&opt.listen[i], SOCK_STREAM);
		if (opt.has_udp)
			open_server(&opt.listen[i], SOCK_DGRAM);
	}
	printf("{}\n");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(events_fd, events, BATCH, -1);

		for (int i = 0; i < n; i++)
			answer(events[i].data.ptr);
	}
}

/* --- the sockets -------------------------------------------------------------------------------- */

/* Who answers it. INADDR_ANY: nobody does. */
static struct in_addr ask(const struct one *one)
{
	struct in_addr at = { .s_addr = INADDR_ANY };

	if (send(one->fd, "?", 1, MSG_NOSIGNAL) != 1 ||
	    recv(one->fd, &at, sizeof(at), 0) != (ssize_t)sizeof(at))
		at.s_addr = INADDR_ANY;
	return at;
}

static void open_one(struct one *one)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	struct in_addr at;

	one->fd = new_socket(one->is_udp ? SOCK_DGRAM : SOCK_STREAM);
	if (setsockopt(one->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    connect(one->fd, (struct sockaddr *)&one->target, sizeof(one->target)))
		die("connect to %s", inet_ntoa(one->target.sin_addr));
	at = ask(one);
	if (at.s_addr == INADDR_ANY)
		die("nobody answers at %s", inet_ntoa(one->target.sin_addr));
	one->is_doomed = one->is_leaving && at.s_addr == opt.doomed.sin_addr.s_addr;
	one->ended_ns = 0;
	watch(one->fd, one);
}

static void close_one(struct one *one)
{
	if (one->fd >= 0)
		close(one->fd);
	one->fd = -1;
}

static void open_all(void)
{
	unsigned doomed[2] = { 0 }, others[2] = { 0 };

	for (unsigned i = 0; i < herd_count; i++)
		if (herd[i].is_leaving)
			close_one(&herd[i]);
	for (unsigned i = 0; i < herd_count; i++) {
		if (herd[i].fd < 0)
			open_one(&herd[i]);
		doomed[herd[i].is_udp] += herd[i].is_doomed;
		others[herd[i].is_udp] += !herd[i].is_doomed;
	}
	printf("{\"tcp\":%u,\"udp\":%u,\"other_tcp\":%u,\"other_udp\":%u}\n", doomed[0], doomed[1],
	       others[0], others[1]);
}

/* Something happened to it from outside: nobody writes to it unasked. */
static void end(struct one *one)
{
	socklen_t length = sizeof(one->error);

	one->ended_ns = now_ns();
	(void)getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &one->error, &length); /* 0 says so too */
	close_one(one);
}

static void print_ended(const char *name, bool is_udp)
{
	const char *comma = "";

	printf("\"%s\":[", name);
	for (unsigned i = 0; i < herd_count; i++) {
		if (!herd[i].is_doomed || !herd[i].ended_ns || herd[i].is_udp != is_udp)
			continue;
		printf("%s%llu", comma, (unsigned long long)herd[i].ended_ns);
		comma = ",";
	}
	printf("],");
}

static void report(void)
{
	unsigned left = 0, touched = 0, alive = 0, unnamed = 0;

	for (unsigned i = 0; i < herd_count; i++) {
		const struct one *one = &herd[i];

		unnamed += one->is_doomed && one->ended_ns && one->error != ECONNABORTED;
		left += one->is_doomed && !one->ended_ns;
		touched += !one->is_doomed && one->ended_ns;
		alive += !one->is_doomed && !one->ended_ns && ask(one).s_addr != INADDR_ANY;
	}
	printf("{");
	print_ended("tcp", false);
	print_ended("udp", true);
	printf("\"left\":%u,\"touched\":%u,\"alive\":%u,\"unnamed\":%u}\n", left, touched, alive,
	       unnamed);
}

/* false at the end of input. */
static bool obey(void)
{
	char word[16];

	if (!fgets(word, sizeof(word), stdin))
		return false;
	errno = EINVAL;
	if (!strcmp(word, "open\n"))
		open_all();
	else if (!strcmp(word, "report\n"))
		report();
	else
		die("'%s'", word);
	fflush(stdout);
	return true;
}

static void keep(void)
{
	struct epoll_event events[BATCH];

	watch(0, NULL);
	for (;;) {
		int n = epoll_wait(events_fd, events, BATCH, -1);
		bool is_asked = false;

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				end(events[i].data.ptr);
			else
				is_asked = true;
		}
		/* A report must not miss what is there already: orders come when nothing else is. */
		if (is_asked && n == 1 && !obey())
			return;
	}
}

static void add(const struct sockaddr_in *target, bool is_leaving)
{
	errno = E2BIG;
	if (herd_count + 2 * opt.count > MAX_SOCKETS)
		die("more than %d sockets", MAX_SOCKETS);
	for (unsigned i = 0; i < 2 * opt.count; i++)
		herd[herd_count++] = (struct one){
			.fd = -1,
			.is_udp = i % 2,
			.is_leaving = is_leaving,
			.target = *target,
		};
}

/* --- the command line --------------------------------------------------------------------------- */

static void parse(int argc, char **argv)
{
	static const struct bench_option options[] = {
		{ "serve", take_flag, .out = &opt.is_server },
		{ "udp", take_flag, .out = &opt.has_udp },
		{ "cgroup", take_text, .out = &opt.cgroup },
		{ "netns", take_text, .out = &opt.netns },
		{ "listen", take_addresses, .out = opt.listen, .count = &opt.listen_count,
		  .max = MAX_ADDRESSES },
		{ "leaving", take_address, .out = &opt.leaving },
		{ "others", take_addresses, .out = opt.others, .count = &opt.other_count,
		  .max = MAX_ADDRESSES },
		{ "doomed", take_address, .out = &opt.doomed },
		{ "count", take_count, .out = &opt.count },
	};

	(void)parse_options(argc, argv, options, COUNT_OF(options));
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	setvbuf(stdin, NULL, _IONBF, 0); /* epoll sees what stdio has not read */
	take_all_descriptors();
	enter_cgroup(opt.cgroup);
	enter_netns(opt.netns);
	events_fd = epoll_create1(EPOLL_CLOEXEC);
	if (events_fd < 0)
		die("epoll");
	if (opt.is_server)
		serve();
	add(&opt.leaving, true);
	add(&opt.leaving, true); /* twice: half of them reach the other backend */
	for (unsigned i = 0; i < opt.other_count; i++)
		add(&opt.others[i], false);
	keep();
	return 0;
}
