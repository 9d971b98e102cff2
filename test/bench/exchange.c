/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Exchanges data over flows that are there already, and says what one exchange costs.
 *
 *   tcp-rr            BYTES there and BYTES back, over connections in turn
 *   tcp-stream        BYTES there and read, over one connection
 *   udp               a datagram there and one back, over connected sockets in turn
 *   udp-unconnected   the same, one socket that names the address with each datagram
 *
 * With --fresh (UDP) each exchange has a socket of its own, as a question to a name server has.
 * --server-cgroup is where the servers' sockets live: hooks follow the socket.
 *
 * One thread is client and server, as in connloop.c: CPU time per exchange is that of both ends,
 * without the scheduler in it. With --apart the server is a thread of its own (TCP, one target), as
 * two programs are. A reply must come from the address that was called. One JSON object on stdout.
 * Does not know who translates the address.
 */
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>

#include "bench.h"
#include "options.h"

#define MAX_TARGETS 64
#define MAX_SERVERS 256
#define MAX_BYTES (64 * 1024)
#define MAX_SAMPLES (1U << 20)
#define WARM_UP 200  /* exchanges that are not measured */
#define PATIENCE_S 2 /* what takes longer is lost */

enum mode { TCP_RR, TCP_STREAM, UDP, UDP_UNCONNECTED };

static const char *const mode_names[] = { "tcp-rr", "tcp-stream", "udp", "udp-unconnected" };

/* A flow: the client's socket, and the server's that answers it. */
struct lane {
	struct sockaddr_in target;
	int client, server;
};

static struct {
	enum mode mode;
	const char *cgroup, *server_cgroup, *client_netns, *server_netns;
	struct sockaddr_in listen, targets[MAX_TARGETS], servers[MAX_SERVERS];
	unsigned target_count, server_count;
	uint64_t bytes;
	double seconds;
	bool is_apart, is_fresh;
	int cpu;
} opt = { .bytes = 1, .seconds = 1, .cpu = -1 };

static struct lane lanes[MAX_TARGETS];
static int servers; /* epoll: every UDP server */
static uint32_t samples[MAX_SAMPLES];
static char there[MAX_BYTES], back[MAX_BYTES]; /* one for each end */

static bool is_tcp(void)
{
	return opt.mode == TCP_RR || opt.mode == TCP_STREAM;
}

/* What does not come within PATIENCE_S fails instead of hanging. */
static int new_patient_socket(int type)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = new_socket(type);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("socket");
	return fd;
}

static void send_at_once(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		die("TCP_NODELAY");
}

static void put(int fd, const char *from)
{
	if (send(fd, from, opt.bytes, 0) != (ssize_t)opt.bytes)
		die("send");
}

/* Whole messages: false at the end of the stream. */
static bool take(int fd, char *into)
{
	ssize_t n;

	for (size_t have = 0; have < opt.bytes; have += (size_t)n) {
		n = recv(fd, into + have, opt.bytes - have, 0);
		if (n < 0)
			die("receive");
		if (!n)
			return false;
	}
	return true;
}

/* The server's end of one datagram. */
static void answer_datagram(int fd)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	ssize_t n = recvfrom(fd, back, sizeof(back), 0, (struct sockaddr *)&from, &length);

	if (n < 0)
		die("receive at the server");
	if (sendto(fd, back, (size_t)n, 0, (struct sockaddr *)&from, length) != n)
		die("answer");
}

static void send_datagram(const struct lane *lane)
{
	if (opt.mode == UDP) {
		put(lane->client, there);
		return;
	}
	if (sendto(lane->client, there, opt.bytes, 0, (const struct sockaddr *)&lane->target,
		   sizeof(lane->target)) != (ssize_t)opt.bytes)
		die("send to %s", inet_ntoa(lane->target.sin_addr));
}

static void take_datagram(const struct lane *lane)
{
	struct sockaddr_in from = lane->target;
	socklen_t length = sizeof(from);
	ssize_t n;

	if (opt.mode == UDP)
		n = recv(lane->client, there, sizeof(there), 0);
	else
		n = recvfrom(lane->client, there, sizeof(there), 0, (struct sockaddr *)&from,
			     &length);
	if (n != (ssize_t)opt.bytes)
		die("receive from %s", inet_ntoa(lane->target.sin_addr));
	errno = EPROTO;
	if (from.sin_addr.s_addr != lane->target.sin_addr.s_addr ||
	    from.sin_port != lane->target.sin_port)
		die("%s answers under another name", inet_ntoa(lane->target.sin_addr));
}

/* Reads what is there. Returns the bytes. */
static size_t drain(int fd)
{
	ssize_t n = recv(fd, back, sizeof(back), MSG_DONTWAIT);

	if (n > 0)
		return (size_t)n;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		die("receive");
	return 0;
}

/* BYTES through a connection by one thread: it reads whenever it cannot write. */
static void stream_once(const struct lane *lane)
{
	struct pollfd readable = { .fd = lane->server, .events = POLLIN };
	size_t sent = 0, received = 0, got;
	ssize_t n = 0;

	while (received < opt.bytes) {
		if (sent < opt.bytes)
			n = send(lane->client, there, opt.bytes - sent, MSG_DONTWAIT);
		if (sent < opt.bytes && n < 0 && errno != EAGAIN)
			die("send");
		if (sent < opt.bytes && n > 0)
			sent += (size_t)n;
		got = drain(lane->server);
		received += got;
		if (!got && poll(&readable, 1, PATIENCE_S * 1000) < 1)
			die("the stream stands still");
	}
}

/* A server's socket that has a datagram. */
static int find_server(void)
{
	struct epoll_event heard;

	errno = ETIMEDOUT;
	if (epoll_wait(servers, &heard, 1, PATIENCE_S * 1000) != 1)
		die("no server heard the datagram");
	return heard.data.fd;
}

static void exchange_datagrams(const struct lane *lane)
{
	send_datagram(lane);
	answer_datagram(lane->server);
	take_datagram(lane);
}

/* Whoever the first datagram reaches is the one who answers from then on. */
static void begin_datagrams(struct lane *lane)
{
	if (opt.mode == UDP)
		connect_to(lane->client, &lane->target);
	send_datagram(lane);
	lane->server = find_server();
	answer_datagram(lane->server);
	take_datagram(lane);
}

static void exchange(struct lane *lane)
{
	if (opt.is_fresh) {
		lane->client = new_patient_socket(SOCK_DGRAM);
		begin_datagrams(lane);
		close(lane->client);
		return;
	}
	if (opt.mode == TCP_STREAM && opt.is_apart) {
		put(lane->client, there);
		return;
	}
	if (opt.mode == TCP_STREAM) {
		stream_once(lane);
		return;
	}
	if (!is_tcp()) {
		exchange_datagrams(lane);
		return;
	}
	put(lane->client, there);
	errno = EPIPE;
	if (!opt.is_apart) {
		if (!take(lane->server, back))
			die("the client left");
		put(lane->server, back);
	}
	if (!take(lane->client, there))
		die("the server left");
}

/* The server as a program of its own: until the client has shut its end. */
static void *serve(void *arg)
{
	int fd = *(const int *)arg;

	while (take(fd, back))
		if (opt.mode == TCP_RR)
			put(fd, back);
	return NULL;
}

static void report(uint64_t ops, uint64_t wall, uint64_t cpu)
{
	size_t n = ops < MAX_SAMPLES ? ops : MAX_SAMPLES;

	sort_samples(samples, n);
	printf("{\"ops\":%llu,\"wall_ns\":%llu,\"cpu_ns\":%llu,\"samples\":%zu,"
	       "\"p50_ns\":%u,\"p90_ns\":%u,\"p99_ns\":%u,\"warm_up\":%d,\"flows\":%u}\n",
	       (unsigned long long)ops, (unsigned long long)wall, (unsigned long long)cpu, n,
	       n ? samples[n / 2] : 0, n ? samples[n * 9 / 10] : 0, n ? samples[n * 99 / 100] : 0,
	       WARM_UP, opt.target_count);
}

static void run(void)
{
	uint64_t ops = 0, before, after, start, end, cpu;

	for (unsigned i = 0; i < WARM_UP; i++)
		exchange(&lanes[i % opt.target_count]);

	cpu = cpu_ns();
	start = after = now_ns();
	end = start + (uint64_t)(opt.seconds * (double)JN_NS_PER_S);
	while (after < end) {
		before = after;
		exchange(&lanes[ops % opt.target_count]);
		after = now_ns();
		samples[ops % MAX_SAMPLES] = (uint32_t)(after - before);
		ops++;
	}
	report(ops, after - start, cpu_ns() - cpu);
}

/* --- making the flows --------------------------------------------------------------------------- */

static void open_tcp(int listener)
{
	for (unsigned i = 0; i < opt.target_count; i++) {
		lanes[i].client = new_patient_socket(SOCK_STREAM);
		connect_to(lanes[i].client, &lanes[i].target);
		lanes[i].server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (lanes[i].server < 0)
			die("accept");
		send_at_once(lanes[i].client);
		send_at_once(lanes[i].server);
	}
}

/* A UDP server answers from the address it was called at, so each has its socket. */
static void open_servers(void)
{
	servers = epoll_create1(EPOLL_CLOEXEC);
	if (servers < 0)
		die("epoll");
	for (unsigned i = 0; i < opt.server_count; i++) {
		struct epoll_event readable = { .events = EPOLLIN };

		readable.data.fd = new_patient_socket(SOCK_DGRAM);
		if (bind(readable.data.fd, (struct sockaddr *)&opt.servers[i],
			 sizeof(opt.servers[i])))
			die("bind to %s", inet_ntoa(opt.servers[i].sin_addr));
		if (epoll_ctl(servers, EPOLL_CTL_ADD, readable.data.fd, &readable))
			die("epoll");
	}
}

static void open_udp(void)
{
	int shared = opt.mode == UDP ? -1 : new_patient_socket(SOCK_DGRAM);

	for (unsigned i = 0; i < opt.target_count; i++) {
		lanes[i].client = shared < 0 ? new_patient_socket(SOCK_DGRAM) : shared;
		begin_datagrams(&lanes[i]);
	}
}

static void open_lanes(void)
{
	int listener = -1;

	for (unsigned i = 0; i < opt.target_count; i++)
		lanes[i].target = opt.targets[i];
	enter_cgroup(opt.server_cgroup);
	enter_netns(opt.server_netns);
	if (is_tcp())
		listener = listen_on(&opt.listen, 0);
	else
		open_servers();
	enter_cgroup(opt.cgroup);
	enter_netns(opt.client_netns);
	if (is_tcp())
		open_tcp(listener);
	else if (!opt.is_fresh)
		open_udp();
}

/* --- the command line --------------------------------------------------------------------------- */

static void check(void)
{
	errno = EINVAL;
	if (!opt.target_count)
		die("--targets is missing");
	if (!opt.bytes || opt.bytes > MAX_BYTES)
		die("--bytes: 1 to %d", MAX_BYTES);
	if (opt.is_apart && (!is_tcp() || opt.target_count != 1))
		die("--apart: TCP and one target");
	if (!is_tcp() && !opt.server_count)
		die("--servers is missing");
	if (is_tcp() && opt.is_fresh)
		die("--fresh: UDP");
}

static void parse(int argc, char **argv)
{
	static const struct bench_option options[] = {
		{ "mode", take_word, .out = &opt.mode, .words = mode_names,
		  .max = COUNT_OF(mode_names) },
		{ "cgroup", take_text, .out = &opt.cgroup },
		{ "server-cgroup", take_text, .out = &opt.server_cgroup },
		{ "client-netns", take_text, .out = &opt.client_netns },
		{ "server-netns", take_text, .out = &opt.server_netns },
		{ "listen", take_address, .out = &opt.listen },
		{ "targets", take_addresses, .out = opt.targets, .count = &opt.target_count,
		  .max = MAX_TARGETS },
		{ "servers", take_addresses, .out = opt.servers, .count = &opt.server_count,
		  .max = MAX_SERVERS },
		{ "bytes", take_count, .out = &opt.bytes },
		{ "seconds", take_seconds, .out = &opt.seconds },
		{ "apart", take_flag, .out = &opt.is_apart },
		{ "fresh", take_flag, .out = &opt.is_fresh },
		{ "cpu", take_int, .out = &opt.cpu },
	};

	(void)parse_options(argc, argv, options, COUNT_OF(options));
}

int main(int argc, char **argv)
{
	pthread_t server;

	parse(argc, argv);
	check();
	pin_cpu(opt.cpu);
	open_lanes();
	if (opt.is_apart && pthread_create(&server, NULL, serve, &lanes[0].server))
		die("start the server");
	run();
	if (opt.is_apart) {
		shutdown(lanes[0].client, SHUT_WR);
		pthread_join(server, NULL);
	}
	return 0;
}
