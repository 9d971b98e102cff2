/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets for trials: hooks follow the cgroup in which a socket was made, so a child that is born there
 * makes them. It may go into a network namespace of its own first; that lives as long as they do.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/auto.h"
#include "canary/canary.h"
#include "doctor/internal.h"

struct order {
	const struct jn_wanted *wanted;
	size_t count;
	bool is_apart;
	int pipe; /* where their numbers go */
};

int jn_go_apart(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	JN_AUTO(jn_close_fd) int fd = -1;

	if (unshare(CLONE_NEWNET))
		return -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) ? -errno : 0;
}

/* In the child; what it opens is this process's, too. */
static int fill(void *arg)
{
	static const struct timeval patience = { .tv_sec = 1 };
	const struct order *order = arg;
	int fds[JN_MAX_MADE], rc = order->is_apart ? jn_go_apart() : 0;

	if (rc)
		return rc;
	memset(fds, -1, sizeof(fds));
	for (size_t i = 0; i < order->count; i++) {
		fds[i] = socket(order->wanted[i].family, order->wanted[i].type | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 ||
		    setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
		    setsockopt(fds[i], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
			return -errno;
	}
	/* By this a namespace can be entered as long as the sockets are there. */
	if (order->is_apart)
		fds[order->count] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return write(order->pipe, fds, sizeof(fds)) == sizeof(fds) ? 0 : -EIO;
}

int jn_make_sockets(int cgroup, const struct jn_wanted *wanted, size_t count, bool is_apart,
		    int out[JN_MAX_MADE])
{
	struct order order = { .wanted = wanted, .count = count, .is_apart = is_apart };
	JN_AUTO(jn_close_fd) int reader = -1;
	JN_AUTO(jn_close_fd) int writer = -1;
	int ends[2], rc;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	reader = ends[0];
	order.pipe = writer = ends[1];
	rc = jn_canary_be_there(cgroup, fill, &order);
	if (!rc && read(reader, out, JN_MAX_MADE * sizeof(*out)) != JN_MAX_MADE * sizeof(*out))
		rc = -EIO;
	return rc;
}

void jn_close_sockets(int made[JN_MAX_MADE])
{
	for (size_t i = 0; i < JN_MAX_MADE; i++)
		jn_close_fd(&made[i]);
}
