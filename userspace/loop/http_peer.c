/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel knows of the other end of a unix socket. Never /proc/PID: by the time it is read
 * the process may be another one.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "loop/http_internal.h"

static int read_groups(int fd, struct jn_peer *out)
{
	JN_AUTO(jn_free_mem) gid_t *groups = NULL;
	socklen_t size = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) && errno != ERANGE)
		return -errno;
	if (!size)
		return 0;
	groups = malloc(size);
	if (!groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return -errno; /* they are as they were at connect(): the size cannot have changed */
	out->group_count = (unsigned)(size / sizeof(*groups));
	out->groups = JN_MOVE(groups);
	return 0;
}

int jn_peer_read(int fd, struct jn_peer *out)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size))
		return -errno;
	*out = (struct jn_peer){ .uid = who.uid, .gid = who.gid, .pid = (uint32_t)who.pid };
	return read_groups(fd, out);
}

bool jn_peer_has_hung_up(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}
