/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One TCP stream through one connection, in 64 KiB writes: the packets of a plain service.
 *
 * The connection is made first, then "connected" is printed and a line on stdin awaited: the
 * harness reads the run counts between, so what they move by afterwards is the stream's. One
 * JSON object at the end. Not a throughput benchmark.
 */
#include <pthread.h>

#include "bench.h"
#include "options.h"

#define WRITE_BYTES (64 * 1024)

static struct {
	const char *cgroup, *client_netns, *server_netns;
	struct sockaddr_in listen, target;
	double seconds;
	int cpu;
} opt = { .seconds = 1, .cpu = -1 };

static uint64_t received;

static void *drain(void *arg)
{
	static char buffer[WRITE_BYTES];
	int listener = *(const int *)arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		die("accept");
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		received += (uint64_t)n;
	if (n < 0)
		die("read");
	close(fd);
	return NULL;
}

static uint64_t send_until(int fd, uint64_t end)
{
	static const char buffer[WRITE_BYTES];
	uint64_t sent = 0;
	ssize_t n;

	while (now_ns() < end) {
		n = write(fd, buffer, sizeof(buffer));
		if (n < 0)
			die("write");
		sent += (uint64_t)n;
	}
	return sent;
}

static void parse(int argc, char **argv)
{
	static const struct bench_option options[] = {
		{ "cgroup", take_text, .out = &opt.cgroup },
		{ "client-netns", take_text, .out = &opt.client_netns },
		{ "server-netns", take_text, .out = &opt.server_netns },
		{ "listen", take_address, .out = &opt.listen },
		{ "targets", take_address, .out = &opt.target },
		{ "seconds", take_seconds, .out = &opt.seconds },
		{ "cpu", take_int, .out = &opt.cpu },
	};

	(void)parse_options(argc, argv, options, COUNT_OF(options));
}

int main(int argc, char **argv)
{
	pthread_t reader;
	int listener, fd;
	uint64_t start, sent;

	parse(argc, argv);
	pin_cpu(opt.cpu);
	enter_cgroup(opt.cgroup);
	enter_netns(opt.server_netns);
	listener = listen_on(&opt.listen, 0);
	if (pthread_create(&reader, NULL, drain, &listener))
		die("start the reader");

	enter_netns(opt.client_netns);
	fd = new_socket(SOCK_STREAM);
	connect_to(fd, &opt.target);
	printf("connected\n");
	fflush(stdout);
	(void)getchar(); /* end of input is a start as well */

	start = now_ns();
	sent = send_until(fd, start + (uint64_t)(opt.seconds * (double)JN_NS_PER_S));
	shutdown(fd, SHUT_WR);
	pthread_join(reader, NULL);
	printf("{\"sent\":%llu,\"received\":%llu,\"wall_ns\":%llu}\n", (unsigned long long)sent,
	       (unsigned long long)received, (unsigned long long)(now_ns() - start));
	/* The harness reads the run counts once more before the socket is closed. */
	fflush(stdout);
	(void)getchar();
	return 0;
}
