/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sockets that fly. Hooks follow the cgroup in which a socket was made, so where this process is
 * outside the one that is served, a child that is born there makes them. It shares the table of
 * descriptors and nothing else, and does nothing but a few system calls: other threads may have held
 * any lock when it was born.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "canary/internal.h"

static const char device[] = "lo"; /* whatever happens to the address: it goes nowhere else */

static int make(unsigned family, unsigned type)
{
	JN_AUTO(jn_close_fd)
	int fd = socket(jn_canary_families[family],
			jn_canary_socket_types[type] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof(device)))
		return -errno;
	return jn_move_fd(&fd);
}

typedef int (*client_fn)(struct jn_clients *clients, unsigned family, unsigned type);

static int each_client(const struct jn_canary *canary, struct jn_clients *clients, client_fn fn)
{
	int rc = 0;

	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		for (unsigned type = 0; type < JN_SOCKET_TYPES && !rc; type++) {
			if (canary->families[family].is_there)
				rc = fn(clients, family, type);
		}
	}
	return rc;
}

static int make_here(struct jn_clients *clients, unsigned family, unsigned type)
{
	int fd = make(family, type);

	clients->sockets[family][type] = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

/* A place in the table of descriptors, for the child to put a socket at. */
static int hold_place(struct jn_clients *clients, unsigned family, unsigned type)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	clients->sockets[family][type] = fd;
	return fd < 0 ? -errno : 0;
}

static int fill_place(struct jn_clients *clients, unsigned family, unsigned type)
{
	int fd = make(family, type), rc;

	if (fd < 0)
		return fd;
	rc = dup3(fd, clients->sockets[family][type], O_CLOEXEC) < 0 ? -errno : 0;
	(void)close(fd); /* a socket has nothing to say here */
	return rc;
}

/*
 * *end can be read once the child has ended. A signal that is meant for it ends it: what this process
 * does at one would write into a pipe that both have, and so tell this process.
 */
static pid_t be_born(int cgroup, int *end)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP | CLONE_FILES | CLONE_PIDFD |
					    CLONE_CLEAR_SIGHAND,
				   .pidfd = (uintptr_t)end,
				   .cgroup = (uint64_t)cgroup };
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (child < 0)
		*end = -1; /* the kernel wrote it all the same, and it is somebody else's by now */
	return child;
}

/* In a cgroup that is frozen it never gets to run, and can be killed all the same. */
static bool ends_in_time(int end)
{
	struct pollfd poll_fd = { .fd = end, .events = POLLIN };
	int rc;

	do
		rc = poll(&poll_fd, 1, JN_CANARY_PATIENCE_MS);
	while (rc < 0 && errno == EINTR);
	return rc > 0;
}

int jn_canary_be_there(int cgroup, int (*fn)(void *arg), void *arg)
{
	JN_AUTO(jn_close_fd) int end = -1;
	pid_t child = be_born(cgroup, &end);
	int status = 0;
	bool is_late;

	if (child < 0)
		return -errno;
	if (!child) /* every errno of these calls fits into a byte */
		_exit(-fn(arg));
	is_late = !ends_in_time(end);
	if (is_late)
		(void)kill(child, SIGKILL); /* it is ours until it was waited for */
	while (waitpid(child, &status, __WALL) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	if (is_late)
		return -ETIMEDOUT;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

struct places {
	const struct jn_canary *canary;
	struct jn_clients *clients;
};

static int fill_places(void *arg)
{
	const struct places *places = arg;

	return each_client(places->canary, places->clients, fill_place);
}

static int make_there(int cgroup, const struct jn_canary *canary, struct jn_clients *clients)
{
	int rc = each_client(canary, clients, hold_place);

	return rc ? rc
		  : jn_canary_be_there(cgroup, fill_places, &(struct places){ canary, clients });
}

void jn_clients_open(int cgroup, const struct jn_canary *canary, struct jn_clients *out)
{
	int rc;

	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		for (unsigned type = 0; type < JN_SOCKET_TYPES; type++)
			out->sockets[family][type] = -1;
	}
	rc = cgroup < 0 ? each_client(canary, out, make_here) : make_there(cgroup, canary, out);
	if (rc)
		jn_clients_done(out);
	out->error = -rc;
}

void jn_clients_done(struct jn_clients *clients)
{
	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		for (unsigned type = 0; type < JN_SOCKET_TYPES; type++)
			jn_close_fd(&clients->sockets[family][type]);
	}
}
