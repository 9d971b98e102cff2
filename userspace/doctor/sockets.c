/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What else we rely on that sockets show, tried in the trial's cgroup: which errno a refused call gets,
 * IPv4 addresses of IPv6 sockets, the number of this network namespace, the program that explains, and
 * that sockets of another network namespace are found and can be ended there. Canaries have shown the
 * rest (selftest.c). Nothing leaves the machine, and the other namespace is gone afterwards.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <junctor/decide/address.h>
#include <junctor/trace.h>

#include "base/auto.h"
#include "datapath/datapath.h"
#include "datapath/sockets.h"
#include "doctor/internal.h"
#include "netlink/diag.h"

#define VIP 0x7f7f4a4fu /* 127.127.74.79, where nobody listens; the port is the service's number */

/* Numbers of services, and of all else that stands for them; those of the canaries are below. */
enum service {
	TO_NOBODY = 10,
	BOUND,	  /* to this network namespace */
	STREAM,	  /* TCP, for any */
	DATAGRAM, /* the same with UDP */
	AWAY_STREAM,
	AWAY_DATAGRAM, /* in another network namespace */
};

#define IN_THE_WAY                                                                                 \
	"a program of somebody else above it may be in the way (bpftool cgroup tree), or this "    \
	"kernel cannot serve"

static struct sockaddr_in vip_of(enum service service)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(service),
				     .sin_addr.s_addr = htonl(VIP) };
}

static struct sockaddr_in6 mapped_vip_of(enum service service)
{
	const struct jn_addr addr = jn_addr_from_v4(htonl(VIP));
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons(service) };

	memcpy(&name.sin6_addr, &addr, sizeof(addr));
	return name;
}

/* A service at that VIP, of one backend at 127.0.0.1; port 0: of none. */
static int lead(struct jn_trial *t, enum service number, __be16 port, uint64_t netns_cookie)
{
	bool is_udp = number == DATAGRAM || number == AWAY_DATAGRAM;
	const struct jn_addr vip = jn_addr_from_v4(htonl(VIP));
	const struct jn_frontend_key key = { .vip = vip,
					     .port = htons(number),
					     .proto = is_udp ? IPPROTO_UDP : IPPROTO_TCP };
	const struct jn_frontend value = { .service = number,
					   .set = number,
					   .netns_cookie = netns_cookie };
	const struct jn_slot slot = { .endpoint = number };
	const struct jn_revision revision = { .number = number,
					      .slot_base = number,
					      .slot_count = port ? 1 : 0,
					      .no_endpoint_errno = EHOSTUNREACH,
					      .member_base = number,
					      .member_count = port ? 1 : 0 };
	size_t done;

	jn_datapath_put_endpoint(t->datapath, number,
				 &(struct jn_endpoint){
					 .addr = jn_addr_from_v4(htonl(INADDR_LOOPBACK)),
					 .port = port,
					 .weight = 1,
					 .service = number });
	jn_datapath_put_revision(t->datapath, number, &revision, &slot);
	jn_datapath_publish(t->datapath, number, number, number);
	return jn_datapath_put_frontends(t->datapath, &key, &value, 1, &done);
}

/* At any free port of 127.0.0.1, in whatever network namespace the socket is. 0 or -errno. */
static int wait_at(int fd, bool is_stream, __be16 *port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name);

	if (bind(fd, (struct sockaddr *)&name, size) ||
	    getsockname(fd, (struct sockaddr *)&name, &size) || (is_stream && listen(fd, 4)))
		return -errno;
	*port = name.sin_port;
	return 0;
}

static int connect_to(int fd, enum service service)
{
	const struct sockaddr_in vip = vip_of(service);

	return connect(fd, (const struct sockaddr *)&vip, sizeof(vip)) ? -errno : 0;
}

/* --- in this network namespace ------------------------------------------------------------------- */

static void try_refusal(struct jn_trial *t, int client)
{
	int rc = lead(t, TO_NOBODY, 0, 0);

	if (!rc)
		rc = connect_to(client, TO_NOBODY);
	if (rc == -EHOSTUNREACH)
		jn_doctor_good(t->d, "a call that is refused gets the errno that is meant");
	else
		jn_doctor_fail(t->d,
			       "a connection that is to be refused (EHOSTUNREACH) ends otherwise "
			       "(%s): " IN_THE_WAY,
			       rc ? strerror(-rc) : "it is made");
}

static void try_bound(struct jn_trial *t, int client, __be16 port)
{
	uint64_t cookie = 0;
	int rc = jn_datapath_netns_cookie(&cookie);

	if (!rc)
		rc = lead(t, BOUND, port, cookie);
	if (!rc)
		rc = connect_to(client, BOUND);
	if (rc)
		jn_doctor_fail(t->d,
			       "hooks do not know this network namespace (%s), so services that "
			       "are bound to one are not served: " IN_THE_WAY,
			       strerror(-rc));
	else
		jn_doctor_good(t->d, "hooks know this network namespace");
}

static bool is_vip(const struct sockaddr_in6 *name, enum service service)
{
	const struct sockaddr_in6 vip = mapped_vip_of(service);

	return name->sin6_family == AF_INET6 && name->sin6_port == vip.sin6_port &&
	       !memcmp(&name->sin6_addr, &vip.sin6_addr, sizeof(vip.sin6_addr));
}

static int try_mapped_stream(int client)
{
	const struct sockaddr_in6 vip = mapped_vip_of(STREAM);
	struct sockaddr_in6 peer = { 0 };
	socklen_t size = sizeof(peer);

	if (connect(client, (const struct sockaddr *)&vip, sizeof(vip)) ||
	    getpeername(client, (struct sockaddr *)&peer, &size))
		return -errno;
	return is_vip(&peer, STREAM) ? 0 : -EPROTO;
}

/* There and back. */
static int try_mapped_datagram(int client, int server)
{
	const struct sockaddr_in6 vip = mapped_vip_of(DATAGRAM);
	struct sockaddr_in6 from = { 0 };
	struct sockaddr_storage peer;
	socklen_t size = sizeof(from), peer_size = sizeof(peer);
	char byte = 'j';

	if (sendto(client, &byte, 1, 0, (const struct sockaddr *)&vip, sizeof(vip)) < 0 ||
	    recvfrom(server, &byte, 1, 0, (struct sockaddr *)&peer, &peer_size) < 0 ||
	    sendto(server, &byte, 1, 0, (struct sockaddr *)&peer, peer_size) < 0 ||
	    recvfrom(client, &byte, 1, 0, (struct sockaddr *)&from, &size) < 0)
		return -errno;
	return is_vip(&from, DATAGRAM) ? 0 : -EPROTO;
}

static void tell_mapped(struct jn_trial *t, const char *what, int rc)
{
	if (rc)
		jn_doctor_fail(t->d,
			       "%s of an IPv6 socket to an IPv4 address are not led as they must "
			       "be (%s): " IN_THE_WAY,
			       what,
			       rc == -EPROTO ? "the peer is called otherwise" : strerror(-rc));
	else
		jn_doctor_good(t->d, "%s of an IPv6 socket to an IPv4 address are led", what);
}

static void try_trace(struct jn_trial *t)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_trace trace = { .is_v4 = 1,
				  .key = { .vip = jn_addr_from_v4(htonl(VIP)),
					   .port = htons(STREAM),
					   .proto = IPPROTO_TCP } };

	if (jn_datapath_trace(t->datapath, &trace, &err))
		jn_doctor_warn(t->d,
			       "junctor trace does not work here, and all else does: %s; a kernel "
			       "of Linux 6.1 or later can run its program",
			       jn_error_text(&err));
	else if (trace.reason != JN_REASON_OK || trace.endpoint != STREAM)
		jn_doctor_warn(t->d, "junctor trace tells another backend than the one there is; "
				     "restart junctord, and report it");
	else
		jn_doctor_good(t->d, "the program of junctor trace tells what hooks do");
}

static int wait_here(int type, __be16 *port, int *out)
{
	static const struct timeval patience = { .tv_sec = 1 };
	JN_AUTO(jn_close_fd) int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	int rc = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience))
			 ? -errno
			 : wait_at(fd, type == SOCK_STREAM, port);

	if (!rc)
		*out = jn_move_fd(&fd);
	return rc;
}

static void try_mapped(struct jn_trial *t, int server)
{
	static const struct jn_wanted wanted[] = { { AF_INET6, SOCK_STREAM },
						   { AF_INET6, SOCK_DGRAM } };
	int clients[JN_MAX_MADE];

	if (jn_make_sockets(t->cgroup_fd, wanted, JN_COUNT(wanted), false, clients))
		return; /* IPv6 is off, as the canaries say */
	tell_mapped(t, "connections", try_mapped_stream(clients[0]));
	tell_mapped(t, "datagrams", try_mapped_datagram(clients[1], server));
	jn_close_sockets(clients);
}

static void try_here(struct jn_trial *t)
{
	static const struct jn_wanted wanted[] = { { AF_INET, SOCK_STREAM },
						   { AF_INET, SOCK_STREAM } };
	JN_AUTO(jn_close_fd) int listener = -1;
	JN_AUTO(jn_close_fd) int server = -1;
	__be16 stream_port = 0, datagram_port = 0;
	int clients[JN_MAX_MADE];
	int rc = wait_here(SOCK_STREAM, &stream_port, &listener);

	if (!rc)
		rc = wait_here(SOCK_DGRAM, &datagram_port, &server);
	if (!rc)
		rc = lead(t, STREAM, stream_port, 0);
	if (!rc)
		rc = lead(t, DATAGRAM, datagram_port, 0);
	if (!rc)
		rc = jn_make_sockets(t->cgroup_fd, wanted, JN_COUNT(wanted), false, clients);
	if (rc) {
		jn_doctor_warn(t->d,
			       "refusals, mapped addresses and namespaces could not be tried out "
			       "(%s); mend that and run this again",
			       strerror(-rc));
		return;
	}
	try_refusal(t, clients[0]);
	try_bound(t, clients[1], stream_port);
	jn_close_sockets(clients);
	try_mapped(t, server);
	try_trace(t);
}

/* --- in another one ------------------------------------------------------------------------------ */

enum { AWAY_LISTENER, AWAY_CLIENT, AWAY_UDP_CLIENT };

/* Two sockets whose backend has gone. */
static int strand(struct jn_trial *t, const int made[JN_MAX_MADE])
{
	__be16 port = 0;
	int rc = wait_at(made[AWAY_LISTENER], true, &port);

	if (!rc)
		rc = lead(t, AWAY_STREAM, port, 0);
	if (!rc)
		rc = lead(t, AWAY_DATAGRAM, port, 0);
	if (!rc)
		rc = connect_to(made[AWAY_CLIENT], AWAY_STREAM);
	if (!rc)
		rc = connect_to(made[AWAY_UDP_CLIENT], AWAY_DATAGRAM);
	jn_datapath_set_endpoint_weight(t->datapath, AWAY_STREAM, 0);
	jn_datapath_set_endpoint_weight(t->datapath, AWAY_DATAGRAM, 0);
	return rc;
}

static int find_service(const struct jn_stale_list *list, enum service service,
			struct jn_stale *out)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].service != service)
			continue;
		*out = list->items[i];
		return 0;
	}
	return -ENOENT;
}

static int find_stranded(struct jn_trial *t, struct jn_stale *stream, struct jn_stale *datagram)
{
	struct jn_stale_list list = { 0 };
	JN_AUTO(jn_close_fd) int finder = -1;
	int rc = jn_datapath_find_stale(t->datapath, &finder);

	if (!rc)
		rc = jn_stale_read(finder, &list);
	if (!rc)
		rc = find_service(&list, AWAY_STREAM, stream);
	if (!rc)
		rc = find_service(&list, AWAY_DATAGRAM, datagram);
	free(list.items);
	return rc;
}

struct visit {
	const struct jn_stale *stream, *datagram;
	struct jn_ender *ender;
	bool is_there;
	int by_netlink, by_program;
};

/* TCP over netlink, UDP by programs: the other way round was tried at home (kernel.c), or is not safe. */
static void end_them(void *arg, uint32_t inode)
{
	struct visit *v = arg;
	bool is_ended = false;

	(void)inode;
	v->is_there = true;
	v->by_netlink = jn_diag_end(v->stream, 1, &is_ended);
	if (!v->ender)
		return;
	is_ended = false;
	v->by_program = jn_ender_end(v->ender, v->datagram, 1, &is_ended);
}

/* What the application sees. */
static bool is_ended(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNABORTED;
}

static void end_stranded(struct jn_trial *t, const struct jn_stale *stream,
			 const struct jn_stale *datagram, const int made[JN_MAX_MADE])
{
	JN_AUTO(jn_ender_close) struct jn_ender *ender = NULL;
	struct visit visit = { .stream = stream, .datagram = datagram };

	(void)jn_ender_open(&ender); /* the check of that says why it cannot */
	visit.ender = ender;
	if (jn_spaces_visit(&stream->netns, 1, end_them, &visit) || !visit.is_there) {
		jn_doctor_warn(t->d, "other network namespaces cannot be entered, and sockets "
				     "there "
				     "stay when their backend is gone; give CAP_SYS_ADMIN");
		return;
	}
	if (is_ended(made[AWAY_CLIENT]))
		jn_doctor_good(t->d, "a TCP socket in another network namespace can be ended over "
				     "netlink");
	else
		jn_doctor_warn(t->d,
			       "TCP sockets cannot be ended over netlink (%s): those of backends "
			       "that are gone are ended by programs, or stay; boot a kernel with "
			       "CONFIG_INET_DIAG_DESTROY and CONFIG_INET_TCP_DIAG",
			       visit.by_netlink ? strerror(-visit.by_netlink)
						: "the kernel does nothing");
	if (ender && is_ended(made[AWAY_UDP_CLIENT]))
		jn_doctor_good(t->d, "a UDP socket in another network namespace can be ended by a "
				     "program");
	else if (ender)
		jn_doctor_warn(t->d,
			       "a program was to end a UDP socket and did not (%s): some sockets "
			       "of backends that are gone may stay; boot another kernel",
			       visit.by_program ? strerror(-visit.by_program)
						: "the kernel does nothing");
}

static void try_away(struct jn_trial *t)
{
	static const struct jn_wanted wanted[] = { { AF_INET, SOCK_STREAM },
						   { AF_INET, SOCK_STREAM },
						   { AF_INET, SOCK_DGRAM } };
	struct jn_stale stream, datagram;
	int made[JN_MAX_MADE];
	int rc = jn_make_sockets(t->cgroup_fd, wanted, JN_COUNT(wanted), true, made);

	if (rc) {
		jn_doctor_warn(t->d,
			       "no socket can be made in another network namespace (%s), so what "
			       "happens to them was not tried out; run this with CAP_SYS_ADMIN",
			       strerror(-rc));
		return;
	}
	rc = strand(t, made);
	if (rc)
		jn_doctor_fail(t->d,
			       "sockets in another network namespace are not led to its backends "
			       "(%s): " IN_THE_WAY,
			       strerror(-rc));
	else if ((rc = find_stranded(t, &stream, &datagram)))
		jn_doctor_fail(t->d,
			       "the records of sockets in other network namespaces are not found "
			       "(%s), so that those of backends that are gone stay; boot Linux 6.1 "
			       "or later",
			       strerror(-rc));
	else {
		jn_doctor_good(t->d, "the records of sockets of all network namespaces are found");
		end_stranded(t, &stream, &datagram, made);
	}
	jn_close_sockets(made);
}

void jn_try_sockets(struct jn_trial *t)
{
	try_here(t);
	try_away(t);
}
