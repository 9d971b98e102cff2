/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the load programs share: clocks, the place a socket is born in, the end of a run.
 *
 * Programs, not libraries: a failure says one sentence and ends the process, and the harness
 * calls the run void. Nothing here measures or prints a result.
 */
#ifndef JN_BENCH_H
#define JN_BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define JN_NS_PER_S 1000000000ULL

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *what, ...)
{
	int error = errno;
	va_list args;

	va_start(args, what);
	vfprintf(stderr, what, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	exit(1);
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * JN_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Time since an arbitrary point; comparable between the threads and processes of one machine. */
static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* CPU time of this process: both ends of a connection, and the softirqs that ran in its context. */
static inline uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline void sleep_ns(uint64_t ns)
{
	struct timespec span = {
		.tv_sec = (time_t)(ns / JN_NS_PER_S),
		.tv_nsec = (long)(ns % JN_NS_PER_S),
	};

	nanosleep(&span, NULL);
}

/* Runs the calling thread on one CPU; a negative number leaves the choice to the scheduler. */
static inline void pin_cpu(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("pin to CPU %d", cpu);
}

/* Moves the calling thread; sockets made afterwards live there. NULL stays. */
static inline void enter_netns(const char *path)
{
	int fd;

	if (!path)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("enter network namespace %s", path);
	close(fd);
}

/* Moves the process below a cgroup2 folder: hooks attached there see its sockets. NULL stays. */
static inline void enter_cgroup(const char *path)
{
	char file[512];
	int fd;

	if (!path)
		return;
	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die("enter cgroup %s", path);
	close(fd);
}

/* "10.0.0.1:80" -> address; cuts the text at the colon. */
static inline struct sockaddr_in parse_address(char *text)
{
	struct sockaddr_in out = { .sin_family = AF_INET };
	char *colon = strchr(text, ':');

	errno = EINVAL;
	if (!colon)
		die("'%s' is not ADDRESS:PORT", text);
	*colon = '\0';
	if (inet_pton(AF_INET, text, &out.sin_addr) != 1)
		die("'%s' is not an IPv4 address", text);
	out.sin_port = htons((uint16_t)atoi(colon + 1));
	return out;
}

static inline int new_socket(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static inline void connect_to(int fd, const struct sockaddr_in *target)
{
	if (connect(fd, (const struct sockaddr *)target, sizeof(*target)))
		die("connect to %s", inet_ntoa(target->sin_addr));
}

/* A listening TCP socket in the namespace the calling thread is in. */
static inline int listen_on(const struct sockaddr_in *address, int flags)
{
	int fd = new_socket(SOCK_STREAM | flags);
	int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* bind() tells */
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) || listen(fd, 4096))
		die("listen on port %u", ntohs(address->sin_port));
	return fd;
}

/* Makes close() reset: no TIME_WAIT, so a run of any length finds free ports. */
static inline void reset_on_close(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		die("SO_LINGER");
}

static inline int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* For percentiles: nanoseconds, shortest first. */
static inline void sort_samples(uint32_t *samples, size_t count)
{
	qsort(samples, count, sizeof(*samples), by_size);
}

#endif
