/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A loop with a server on a real unix socket, and a client of it, on one thread: the client says
 * something, the loop turns, the client hears something. The socket's file is gone before the first
 * client: it is reached through a descriptor, so that nothing stays behind a crash.
 */
#ifndef JUNCTOR_FUZZ_SERVER_BED_H
#define JUNCTOR_FUZZ_SERVER_BED_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <uv.h>

#include "base/buffer.h"
#include "fuzz.h"
#include "loop/internal.h"
#include "loop/loop.h"

#define MAX_TURNS 2000000 /* of the loop, until something must have happened */

static struct jn_loop *loop;
static char socket_folder[64], socket_path[96];
static int socket_file = -1;

static inline void bed_open(void)
{
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as junctord does */
	(void)snprintf(socket_folder, sizeof(socket_folder), "/tmp/junctor-fuzz.XXXXXX");
	CHECK(mkdtemp(socket_folder));
	(void)snprintf(socket_path, sizeof(socket_path), "%s/sock", socket_folder);
	CHECK(!jn_loop_new(&loop));
}

/* The server listens now. */
static inline void bed_hide_socket(void)
{
	socket_file = open(socket_path, O_PATH | O_CLOEXEC);
	CHECK(socket_file >= 0);
	CHECK(!unlink(socket_path) && !rmdir(socket_folder));
}

/* Whatever is ready is handled; nothing is waited for. */
static inline void turn(void)
{
	(void)uv_run(jn_loop_uv(loop), UV_RUN_NOWAIT);
}

static inline int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", socket_file);
	CHECK(fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* Take what has come. False: the other end is closed. */
static inline bool hear(int fd, struct jn_buffer *out)
{
	char bytes[16384];
	ssize_t size;

	while ((size = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		jn_buffer_add(out, bytes, (size_t)size);
	return size < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Say all of it, hearing meanwhile. False: the other end is closed. */
static inline bool say(int fd, const void *data, size_t size, struct jn_buffer *heard)
{
	const char *bytes = data;

	for (unsigned turns = 0; size; turns++) {
		ssize_t said = send(fd, bytes, size, MSG_NOSIGNAL);

		CHECK(turns < MAX_TURNS);
		if (said < 0 && errno != EAGAIN)
			return false;
		if (said > 0) {
			bytes += said;
			size -= (size_t)said;
		}
		if (size) {
			turn();
			if (!hear(fd, heard))
				return false;
		}
	}
	return true;
}

#endif
