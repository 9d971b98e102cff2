/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One round: a connection and a datagram of each family. Between sockets of one machine both arrive at
 * once; the patience is for a machine that is busy.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "canary/internal.h"

#define MAX_STRANGERS 64 /* left by earlier rounds; passed over while one of ours is waited for */
#define LETTER_MS 20	 /* what was sent before it was accepted is there, or on its way */
#define NAME_BYTES 64

struct letter {
	unsigned char bytes[16]; /* nobody else knows them */
};

static void __attribute__((format(printf, 3, 4)))
find(struct jn_canary_finding *finding, enum jn_canary_verdict verdict, const char *format, ...)
{
	va_list args;

	finding->verdict = verdict;
	va_start(args, format);
	(void)vsnprintf(finding->what, sizeof(finding->what), format, args); /* cut if need be */
	va_end(args);
}

static const char *name_text(const union jn_socket_name *name, char out[NAME_BYTES])
{
	char address[INET6_ADDRSTRLEN] = "?";

	if (name->any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &name->v4.sin_addr, address, sizeof(address));
		(void)snprintf(out, NAME_BYTES, "%s:%u", address, ntohs(name->v4.sin_port));
	} else {
		(void)inet_ntop(AF_INET6, &name->v6.sin6_addr, address, sizeof(address));
		(void)snprintf(out, NAME_BYTES, "[%s]:%u", address, ntohs(name->v6.sin6_port));
	}
	return out;
}

/* What the machine is short of, or lo that is down, says nothing of hooks. */
static bool is_shortage(int error)
{
	return error == ENOMEM || error == ENOBUFS || error == EMFILE || error == ENFILE ||
	       error == EAGAIN || error == EADDRNOTAVAIL || error == ENETUNREACH ||
	       error == ENETDOWN;
}

static void find_failure(struct jn_canary_finding *finding, const char *call, int error)
{
	find(finding, is_shortage(error) ? JN_CANARY_UNKNOWN : JN_CANARY_DISPROVED, "%s fails (%s)",
	     call, strerror(error));
}

static bool is_ready(int fd, short events, uint64_t deadline_ms)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = events };
		uint64_t now = jn_clock_ms();
		int rc = poll(&poll_fd, 1, now < deadline_ms ? (int)(deadline_ms - now) : 0);

		if (rc >= 0 || errno != EINTR)
			return rc > 0;
	}
}

static uint64_t deadline(void)
{
	return jn_clock_ms() + JN_CANARY_PATIENCE_MS;
}

/* --- connections --------------------------------------------------------------------------------- */

/* 0 or an errno. */
static int await_connection(int client, const union jn_socket_name *to)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (!connect(client, &to->any, jn_name_size(to)))
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (!is_ready(client, POLLOUT, deadline()))
		return ETIMEDOUT;
	return getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size) ? errno : error;
}

/*
 * Does the connection that brings this letter come out here? Those of others are closed. The letter
 * tells, because accept() names the peer by way of the hook that is to be tried out.
 */
static bool arrives_at(int listener, const struct letter *letter, uint64_t deadline_ms)
{
	for (unsigned i = 0; i < MAX_STRANGERS && is_ready(listener, POLLIN, deadline_ms); i++) {
		union jn_socket_name peer;
		socklen_t size = sizeof(peer);
		JN_AUTO(jn_close_fd)
		int fd = accept4(listener, &peer.any, &size, SOCK_CLOEXEC);
		struct letter read;

		if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
			return false;
		if (fd >= 0 && is_ready(fd, POLLIN, jn_clock_ms() + LETTER_MS) &&
		    recv(fd, &read, sizeof(read), MSG_DONTWAIT) == sizeof(read) &&
		    !memcmp(&read, letter, sizeof(read)))
			return true;
	}
	return false;
}

static void look_at_name(int client, const union jn_socket_name *vip, struct jn_canary_finding *out)
{
	union jn_socket_name peer = { 0 };
	socklen_t size = sizeof(peer);
	char text[NAME_BYTES];

	if (getpeername(client, &peer.any, &size))
		find_failure(out, "getpeername()", errno);
	else if (!jn_name_is_same(&peer, vip))
		find(out, JN_CANARY_DISPROVED,
		     "getpeername() says %s, not the address that was "
		     "asked for",
		     name_text(&peer, text));
	else
		find(out, JN_CANARY_PROVED, "%s", "");
}

static void fly_stream(struct jn_canary *canary, unsigned family, int client,
		       struct jn_canary_finding found[JN_CANARY_PARTS])
{
	static const struct linger at_once = { .l_onoff = 1 };
	const struct jn_end *vip = &canary->families[family].vip;
	const struct jn_end *backend = &canary->families[family].backend;
	struct letter letter;
	int error = getrandom(&letter, sizeof(letter), 0) < 0 ? errno : 0;

	/* No trace of it is left (TIME_WAIT); where that is refused there is one, and no harm. */
	(void)setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (!error)
		error = await_connection(client, &vip->name);
	if (!error && send(client, &letter, sizeof(letter), MSG_NOSIGNAL) < 0)
		error = errno;
	if (error) {
		find_failure(&found[JN_CANARY_CONNECT], "connect()", error);
		return;
	}
	if (arrives_at(backend->sockets[JN_STREAM], &letter, deadline())) {
		find(&found[JN_CANARY_CONNECT], JN_CANARY_PROVED, "%s", "");
		look_at_name(client, &vip->name, &found[JN_CANARY_NAME]);
	} else if (arrives_at(vip->sockets[JN_STREAM], &letter, 0))
		find(&found[JN_CANARY_CONNECT], JN_CANARY_DISPROVED,
		     "a connection went to the service address itself, as if there were no hook");
	else
		find(&found[JN_CANARY_CONNECT], JN_CANARY_DISPROVED,
		     "a connection went neither to its backend nor to its service address");
}

/* --- datagrams ----------------------------------------------------------------------------------- */

/* Waits for this letter; others' are dropped. */
static bool receives(int fd, const struct letter *letter, uint64_t deadline_ms,
		     union jn_socket_name *from)
{
	for (unsigned i = 0; i < MAX_STRANGERS && is_ready(fd, POLLIN, deadline_ms); i++) {
		struct letter read;
		socklen_t size = sizeof(*from);
		ssize_t got = recvfrom(fd, &read, sizeof(read), MSG_TRUNC, &from->any, &size);

		if (got == sizeof(read) && !memcmp(&read, letter, sizeof(read)))
			return true;
		if (got < 0 && errno != EINTR && errno != ECONNREFUSED)
			return false;
	}
	return false;
}

static int send_letter(int fd, const struct letter *letter, const union jn_socket_name *to)
{
	return sendto(fd, letter, sizeof(*letter), 0, &to->any, jn_name_size(to)) < 0 ? errno : 0;
}

static void look_at_answer(int client, const struct letter *letter, const union jn_socket_name *vip,
			   struct jn_canary_finding *out)
{
	union jn_socket_name from = { 0 };
	char text[NAME_BYTES];

	if (!receives(client, letter, deadline(), &from))
		find(out, JN_CANARY_DISPROVED, "no answer to a datagram came back");
	else if (!jn_name_is_same(&from, vip))
		find(out, JN_CANARY_DISPROVED,
		     "an answer is named after %s, not after the address that was asked",
		     name_text(&from, text));
	else
		find(out, JN_CANARY_PROVED, "%s", "");
}

static void fly_datagram(struct jn_canary *canary, unsigned family, int client,
			 struct jn_canary_finding found[JN_CANARY_PARTS])
{
	const struct jn_end *vip = &canary->families[family].vip;
	const struct jn_end *backend = &canary->families[family].backend;
	union jn_socket_name from = { 0 };
	struct letter letter;
	int error = getrandom(&letter, sizeof(letter), 0) < 0 ? errno : 0;

	if (!error)
		error = send_letter(client, &letter, &vip->name);
	if (error) {
		find_failure(&found[JN_CANARY_SEND], "sendto()", error);
		return;
	}
	if (receives(backend->sockets[JN_DATAGRAM], &letter, deadline(), &from)) {
		find(&found[JN_CANARY_SEND], JN_CANARY_PROVED, "%s", "");
		error = send_letter(backend->sockets[JN_DATAGRAM], &letter, &from);
		if (error)
			find(&found[JN_CANARY_RECEIVE], JN_CANARY_UNKNOWN,
			     "a datagram cannot be answered (%s)", strerror(error));
		else
			look_at_answer(client, &letter, &vip->name, &found[JN_CANARY_RECEIVE]);
	} else if (receives(vip->sockets[JN_DATAGRAM], &letter, 0, &from))
		find(&found[JN_CANARY_SEND], JN_CANARY_DISPROVED,
		     "a datagram went to the service address itself, as if there were no hook");
	else
		find(&found[JN_CANARY_SEND], JN_CANARY_DISPROVED,
		     "a datagram went neither to its backend nor to its service address");
}

/* --- both ---------------------------------------------------------------------------------------- */

/* The ends hear these clients, and nobody else. */
static int let_in(const struct jn_canary *canary, unsigned family, const struct jn_clients *clients)
{
	int rc = 0;

	for (unsigned type = 0; type < JN_SOCKET_TYPES && !rc; type++) {
		union jn_socket_name own = { .any.sa_family =
						     (sa_family_t)jn_canary_families[family] };
		int client = clients->sockets[family][type];
		socklen_t size = jn_name_size(&own);

		if (bind(client, &own.any, size) || getsockname(client, &own.any, &size))
			return -errno;
		rc = jn_canary_admit(canary, family, type, /* of both families at one place */
				     own.v4.sin_port);
	}
	return rc;
}

static void shut(const struct jn_canary *canary, unsigned family)
{
	for (unsigned type = 0; type < JN_SOCKET_TYPES; type++)
		(void)jn_canary_admit(canary, family, type,
				      0); /* no memory: until the next round */
}

static void explain_shortage(struct jn_canary_finding found[JN_CANARY_PARTS], int error)
{
	for (unsigned part = 0; part < JN_CANARY_PARTS; part++)
		find(&found[part], JN_CANARY_UNKNOWN, "no port can be had for it (%s)",
		     strerror(error));
}

static void explain_missing(const struct jn_canary *canary, int error, struct jn_canary_round *out)
{
	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		for (unsigned part = 0; part < JN_CANARY_PARTS; part++) {
			struct jn_canary_finding *finding = &out->found[family][part];

			if (!canary->families[family].is_there)
				find(finding, JN_CANARY_UNKNOWN,
				     "lo has no address of this family");
			else if (error == EBUSY || error == EOPNOTSUPP)
				find(finding, JN_CANARY_UNKNOWN,
				     "the cgroup takes no process, so that none can try it out");
			else if (error == ETIMEDOUT)
				find(finding, JN_CANARY_UNKNOWN,
				     "a process in the cgroup does not get to run: it is frozen, "
				     "or "
				     "has no processor time");
			else if (error)
				find(finding, JN_CANARY_UNKNOWN,
				     "no socket can be made in the cgroup (%s)", strerror(error));
		}
	}
}

static void fly_family(struct jn_canary *canary, unsigned family, const struct jn_clients *clients,
		       struct jn_canary_finding found[JN_CANARY_PARTS])
{
	int rc = let_in(canary, family, clients);

	if (rc) {
		explain_shortage(found, -rc);
	} else {
		fly_stream(canary, family, clients->sockets[family][JN_STREAM], found);
		fly_datagram(canary, family, clients->sockets[family][JN_DATAGRAM], found);
	}
	shut(canary, family);
}

void jn_canary_fly(struct jn_canary *canary, int cgroup, struct jn_canary_round *out)
{
	JN_AUTO(jn_clients_done) struct jn_clients clients;

	memset(out, 0, sizeof(*out));
	jn_clients_open(cgroup, canary, &clients);
	explain_missing(canary, clients.error, out);
	for (unsigned family = 0; !clients.error && family < JN_CANARY_FAMILIES; family++) {
		if (canary->families[family].is_there)
			fly_family(canary, family, &clients, out->found[family]);
	}
}
