/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long a change takes until a new connection follows it.
 *
 * The prober (main thread) connects to the VIP all the time and sees by the listener that got the
 * connection which of two servers was chosen. The writer (second thread) declares first one, then
 * the other: through the control socket, by renaming a complete file to the name of one that is
 * watched, or by running a command (nft, iptables-restore), and notes the time right after the last
 * byte of the request, or right before the rename or the command.
 * A flip's latency ends when connect() returned for the first connection to the new server.
 * Flips come in pairs until the time is up, so the run ends as it began. One JSON object on stdout.
 * A flip that nobody sees within WAIT_S ends the run.
 */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "bench.h"
#include "options.h"

#define MAX_FLIPS 10000
#define MAX_REQUEST (64 * 1024)
#define WAIT_S 20
#define PAUSE_NS 5000000U /* between two flips, and up to as much again by chance */

extern char **environ;

static struct {
	const char *cgroup, *client_netns, *server_netns, *socket, *file;
	const char *requests[2];
	char **command; /* "@" is replaced by the request's file */
	struct sockaddr_in vip, servers[2];
	double seconds;
	int cpu;
} opt = { .seconds = 1, .cpu = -1 };

/*
 * The flip under way: its number times 2, plus 1 once it was seen. The writer begins a flip, the
 * prober marks it; seen_ns belongs to the prober before the mark and to the writer after it.
 * Odd flips go to the second server, even ones to the first, which is the one at the start.
 */
#define SEEN 1U
static atomic_uint state = SEEN;
static uint64_t seen_ns;
static atomic_bool is_done;

static struct flip {
	int64_t seen, answered; /* ns after the last byte of the request */
} flips[MAX_FLIPS];
static unsigned made;

static uint64_t probes, stale; /* stale: to the old server after the new one was seen */
static char bodies[2][MAX_REQUEST];
static size_t body_bytes[2];

static int connect_control(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", opt.socket);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		die("connect to %s", opt.socket);
	return fd;
}

/* Returns when the last byte was sent; the answer must be a 200. */
static uint64_t declare_by_socket(int which, uint64_t *answered)
{
	char answer[4096];
	size_t have = 0;
	ssize_t n;
	int fd = connect_control();
	uint64_t sent;

	if (write(fd, bodies[which], body_bytes[which]) != (ssize_t)body_bytes[which])
		die("send a request");
	sent = now_ns();
	while (have < sizeof(answer) - 1 &&
	       (n = read(fd, answer + have, sizeof(answer) - 1 - have)) > 0)
		have += (size_t)n;
	*answered = now_ns();
	answer[have] = '\0';
	errno = EPROTO;
	if (!strstr(answer, " 200 "))
		die("the answer is '%s'", answer);
	close(fd);
	return sent;
}

/* Returns when the file, which is complete, was about to get its name. Nobody answers. */
static uint64_t declare_by_file(int which, uint64_t *answered)
{
	char fresh[PATH_MAX];
	uint64_t sent;
	FILE *out;

	snprintf(fresh, sizeof(fresh), "%s.new", opt.file);
	out = fopen(fresh, "we");
	if (!out || fwrite(bodies[which], 1, body_bytes[which], out) != body_bytes[which] ||
	    fclose(out))
		die("write %s", fresh);
	sent = now_ns();
	if (rename(fresh, opt.file))
		die("rename %s", fresh);
	*answered = sent;
	return sent;
}

/* Returns when the command was about to start. */
static uint64_t declare_by_command(int which, uint64_t *answered)
{
	char *argv[16] = { 0 };
	uint64_t sent;
	pid_t pid;
	int status;

	for (unsigned i = 0; i < 15 && opt.command[i]; i++)
		argv[i] = strcmp(opt.command[i], "@") ? opt.command[i]
						      : (char *)opt.requests[which];
	sent = now_ns();
	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		die("run %s", argv[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		die("%s ended with status %d", argv[0], status);
	*answered = now_ns();
	return sent;
}

static void await_seen(uint64_t sent)
{
	uint64_t end = sent + WAIT_S * JN_NS_PER_S;

	while (!(atomic_load(&state) & SEEN)) {
		sleep_ns(100000);
		errno = ETIMEDOUT;
		if (now_ns() > end)
			die("no connection to the new server within %d s", WAIT_S);
	}
}

static void declare_one(struct flip *flip, unsigned number)
{
	int which = (int)number % 2;
	uint64_t sent, answered;

	atomic_store(&state, number * 2);
	if (opt.socket)
		sent = declare_by_socket(which, &answered);
	else if (opt.file)
		sent = declare_by_file(which, &answered);
	else
		sent = declare_by_command(which, &answered);
	await_seen(sent);
	flip->seen = (int64_t)(seen_ns - sent);
	flip->answered = (int64_t)(answered - sent);
}

static void *declare_all(void *unused)
{
	unsigned random = 1;
	uint64_t end = now_ns() + (uint64_t)(opt.seconds * (double)JN_NS_PER_S);

	(void)unused;
	enter_netns(opt.client_netns);
	while (made < MAX_FLIPS && (made < 2 || made % 2 || now_ns() < end)) {
		sleep_ns(PAUSE_NS + (unsigned)rand_r(&random) % PAUSE_NS);
		declare_one(&flips[made], made + 1);
		made++;
	}
	atomic_store(&is_done, true);
	return NULL;
}

/* Takes the connection that was just made; returns which server got it. */
static int take_one(const int listeners[2], int likely)
{
	struct pollfd ready[2] = {
		{ .fd = listeners[0], .events = POLLIN },
		{ .fd = listeners[1], .events = POLLIN },
	};

	for (int tries = 0; tries < 2; tries++) {
		for (int i = 0; i < 2; i++) {
			int which = i ? !likely : likely;
			int fd = accept4(listeners[which], NULL, NULL, SOCK_CLOEXEC);

			if (fd < 0)
				continue;
			close(fd);
			return which;
		}
		/* The handshake's last packet is still on its way. */
		(void)poll(ready, 2, 1000);
	}
	die("accept on either server");
}

/* One connection; returns which server got it. */
static int probe(const int listeners[2], int likely, uint64_t *connected)
{
	int which, fd = new_socket(SOCK_STREAM);

	reset_on_close(fd);
	connect_to(fd, &opt.vip);
	*connected = now_ns();
	which = take_one(listeners, likely);
	close(fd);
	return which;
}

static void probe_all(const int listeners[2])
{
	int which = 0;
	uint64_t connected;

	while (!atomic_load(&is_done)) {
		unsigned before = atomic_load(&state);
		int wanted = (int)(before / 2) % 2;

		which = probe(listeners, which, &connected);
		probes++;
		/* A flip that began during this probe is left to the next one. */
		if (before != atomic_load(&state))
			continue;
		if (which != wanted) {
			stale += before & SEEN;
		} else if (!(before & SEEN)) {
			seen_ns = connected;
			atomic_store(&state, before | SEEN);
		}
	}
}

static void read_request(int which)
{
	FILE *in = fopen(opt.requests[which], "re");

	if (!in)
		die("open %s", opt.requests[which]);
	body_bytes[which] = fread(bodies[which], 1, MAX_REQUEST, in);
	fclose(in);
}

static void report(void)
{
	printf("{\"flips\":%u,\"probes\":%llu,\"stale\":%llu,\"seen_ns\":[", made,
	       (unsigned long long)probes, (unsigned long long)stale);
	for (unsigned i = 0; i < made; i++)
		printf("%s%lld", i ? "," : "", (long long)flips[i].seen);
	printf("],\"answered_ns\":[");
	for (unsigned i = 0; i < made; i++)
		printf("%s%lld", i ? "," : "", (long long)flips[i].answered);
	printf("]}\n");
}

static void parse(int argc, char **argv)
{
	static const struct bench_option options[] = {
		{ "cgroup", take_text, .out = &opt.cgroup },
		{ "client-netns", take_text, .out = &opt.client_netns },
		{ "server-netns", take_text, .out = &opt.server_netns },
		{ "vip", take_address, .out = &opt.vip },
		{ "first", take_address, .out = &opt.servers[0] },
		{ "second", take_address, .out = &opt.servers[1] },
		{ "first-request", take_text, .out = &opt.requests[0] },
		{ "second-request", take_text, .out = &opt.requests[1] },
		{ "seconds", take_seconds, .out = &opt.seconds },
		{ "cpu", take_int, .out = &opt.cpu },
		{ "socket", take_text, .out = &opt.socket },
		{ "file", take_text, .out = &opt.file },
	};

	opt.command = parse_options(argc, argv, options, COUNT_OF(options));
	errno = EINVAL;
	if (!opt.requests[0] || !opt.requests[1])
		die("two requests");
	if (!!opt.socket + !!opt.file + !!opt.command[0] != 1)
		die("one of --socket, --file and a command");
}

int main(int argc, char **argv)
{
	pthread_t writer;
	int listeners[2];

	parse(argc, argv);
	enter_cgroup(opt.cgroup);
	enter_netns(opt.server_netns);
	for (int i = 0; i < 2; i++) {
		listeners[i] = listen_on(&opt.servers[i], SOCK_NONBLOCK);
		read_request(i);
	}
	if (pthread_create(&writer, NULL, declare_all, NULL))
		die("start the writer");

	pin_cpu(opt.cpu);
	enter_netns(opt.client_netns);
	probe_all(listeners);
	pthread_join(writer, NULL);
	report();
	return 0;
}
