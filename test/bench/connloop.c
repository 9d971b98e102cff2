/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connects in a loop and says what one connection costs.
 *
 * One thread is client and server: connect() runs the whole handshake in its own context, so
 * CPU time per operation is that of both ends, without the scheduler in it. Each connection is
 * reset by the client. One JSON object on stdout, at SIGTERM too. Does not know who translates the
 * address, and does not check which server was reached: the harness proves the path by counters.
 */
#include <signal.h>
#include <stdbool.h>

#include "bench.h"
#include "options.h"

#define MAX_TARGETS 1024
#define MAX_SAMPLES (1U << 20)
#define WARM_UP 200 /* operations that are not measured */

enum mode { TCP, TCP_REUSE, UDP, UDP_FRESH };

static const char *const mode_names[] = { "tcp", "tcp-reuse", "udp", "udp-fresh" };

static struct {
	enum mode mode;
	const char *cgroup, *client_netns, *server_netns;
	struct sockaddr_in listen, targets[MAX_TARGETS];
	unsigned target_count;
	double seconds;
	uint64_t rate; /* operations a second; 0: as many as there can be */
	int cpu;
} opt = { .seconds = 1, .cpu = -1 };

static uint32_t samples[MAX_SAMPLES];
static volatile sig_atomic_t is_ended;

static void end_soon(int number)
{
	(void)number;
	is_ended = 1;
}

static int take_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		die("accept");
	return fd;
}

/* reused is the one socket of the modes that keep theirs. */
static void operate(const struct sockaddr_in *target, int listener, int reused)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int fd, taken;

	switch (opt.mode) {
	case TCP:
		fd = new_socket(SOCK_STREAM);
		reset_on_close(fd);
		connect_to(fd, target);
		taken = take_one(listener);
		close(fd);
		close(taken);
		break;
	case TCP_REUSE:
		connect_to(reused, target);
		taken = take_one(listener);
		if (connect(reused, &nobody, sizeof(nobody)))
			die("disconnect");
		close(taken);
		break;
	case UDP:
		connect_to(reused, target);
		break;
	case UDP_FRESH:
		fd = new_socket(SOCK_DGRAM);
		connect_to(fd, target);
		close(fd);
		break;
	}
}

static void report(uint64_t ops, uint64_t wall, uint64_t cpu)
{
	size_t n = ops < MAX_SAMPLES ? ops : MAX_SAMPLES;

	sort_samples(samples, n);
	printf("{\"ops\":%llu,\"wall_ns\":%llu,\"cpu_ns\":%llu,\"samples\":%zu,"
	       "\"p50_ns\":%u,\"p90_ns\":%u,\"p99_ns\":%u,\"warm_up\":%d}\n",
	       (unsigned long long)ops, (unsigned long long)wall, (unsigned long long)cpu, n,
	       n ? samples[n / 2] : 0, n ? samples[n * 9 / 10] : 0, n ? samples[n * 99 / 100] : 0,
	       WARM_UP);
}

/* Sleeps while the loop is ahead of --rate. */
static void keep_rate(uint64_t ops, uint64_t start)
{
	uint64_t due = start + ops * JN_NS_PER_S / opt.rate;
	uint64_t now = now_ns();

	if (now < due)
		sleep_ns(due - now);
}

static void run(int listener, int reused)
{
	uint64_t ops = 0, before, after, start, end, cpu;

	for (unsigned i = 0; i < WARM_UP; i++)
		operate(&opt.targets[i % opt.target_count], listener, reused);

	cpu = cpu_ns();
	start = after = now_ns();
	end = start + (uint64_t)(opt.seconds * (double)JN_NS_PER_S);
	while (!is_ended && after < end) {
		if (opt.rate)
			keep_rate(ops, start);
		before = now_ns();
		operate(&opt.targets[ops % opt.target_count], listener, reused);
		after = now_ns();
		samples[ops % MAX_SAMPLES] = (uint32_t)(after - before);
		ops++;
	}
	report(ops, after - start, cpu_ns() - cpu);
}

static void parse(int argc, char **argv)
{
	static const struct bench_option options[] = {
		{ "mode", take_word, .out = &opt.mode, .words = mode_names,
		  .max = COUNT_OF(mode_names) },
		{ "cgroup", take_text, .out = &opt.cgroup },
		{ "client-netns", take_text, .out = &opt.client_netns },
		{ "server-netns", take_text, .out = &opt.server_netns },
		{ "listen", take_address, .out = &opt.listen },
		{ "targets", take_addresses, .out = opt.targets, .count = &opt.target_count,
		  .max = MAX_TARGETS },
		{ "seconds", take_seconds, .out = &opt.seconds },
		{ "rate", take_count, .out = &opt.rate },
		{ "cpu", take_int, .out = &opt.cpu },
	};

	(void)parse_options(argc, argv, options, COUNT_OF(options));
	errno = EINVAL;
	if (!opt.target_count)
		die("--targets is missing");
}

int main(int argc, char **argv)
{
	bool is_tcp;
	int listener = -1, reused = -1;

	parse(argc, argv);
	signal(SIGTERM, end_soon); /* interrupted calls go on */
	is_tcp = opt.mode == TCP || opt.mode == TCP_REUSE;
	pin_cpu(opt.cpu);
	enter_cgroup(opt.cgroup);

	if (is_tcp) {
		enter_netns(opt.server_netns);
		listener = listen_on(&opt.listen, 0);
	}
	enter_netns(opt.client_netns);
	if (opt.mode == TCP_REUSE || opt.mode == UDP)
		reused = new_socket(is_tcp ? SOCK_STREAM : SOCK_DGRAM);
	run(listener, reused);
	return 0;
}
