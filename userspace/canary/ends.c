/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where canaries go: for each family a VIP and a backend, and a socket of each protocol that waits at
 * each of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "canary/internal.h"

#define VIP_V4 0x7f7f4a4eu /* 127.127.74.78 */
#define MAX_VIPS_V4 8	   /* from there on, one after the other */
#define MAX_WAITING 16
#define MAX_TRIES 8 /* for a port that is free for both protocols */

const int jn_canary_families[JN_CANARY_FAMILIES] = { AF_INET, AF_INET6 };
const int jn_canary_socket_types[JN_SOCKET_TYPES] = { SOCK_STREAM, SOCK_DGRAM };

socklen_t jn_name_size(const union jn_socket_name *name)
{
	return name->any.sa_family == AF_INET ? sizeof(name->v4) : sizeof(name->v6);
}

bool jn_name_is_same(const union jn_socket_name *a, const union jn_socket_name *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port &&
		       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_port == b->v6.sin6_port &&
	       !memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr));
}

static void end_done(struct jn_end *end)
{
	for (unsigned type = 0; type < JN_SOCKET_TYPES; type++)
		jn_close_fd(&end->sockets[type]);
}

/* The source port stands first in a segment and in a datagram, where filters of sockets begin. */
static int admit(int fd, __be16 port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(port), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = JN_COUNT(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

int jn_canary_admit(const struct jn_canary *canary, unsigned family, unsigned type, __be16 port)
{
	int rc = admit(canary->families[family].vip.sockets[type], port);

	return rc ? rc : admit(canary->families[family].backend.sockets[type], port);
}

/* Any free port where the name has none, else that one. Nobody comes in. */
static int wait_at(union jn_socket_name *name, int type, int *out)
{
	JN_AUTO(jn_close_fd)
	int fd = socket(name->any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = jn_name_size(name);

	if (fd < 0 || admit(fd, 0) || bind(fd, &name->any, size) ||
	    getsockname(fd, &name->any, &size) || (type == SOCK_STREAM && listen(fd, MAX_WAITING)))
		return -errno;
	*out = jn_move_fd(&fd);
	return 0;
}

static int end_open(const union jn_socket_name *address, struct jn_end *out)
{
	int rc = 0;

	for (unsigned i = 0; i < MAX_TRIES; i++) {
		out->name = *address;
		rc = wait_at(&out->name, SOCK_STREAM, &out->sockets[JN_STREAM]);
		if (!rc)
			rc = wait_at(&out->name, SOCK_DGRAM, &out->sockets[JN_DATAGRAM]);
		if (!rc)
			return 0;
		end_done(out);
		if (rc != -EADDRINUSE)
			break;
	}
	return rc;
}

/* The first that can be had: an address with a guard route, as services have, is not this machine's. */
static int vip_open(unsigned family, struct jn_end *out)
{
	union jn_socket_name name = { 0 };
	int rc = -EADDRNOTAVAIL;

	name.any.sa_family = (sa_family_t)jn_canary_families[family];
	if (name.any.sa_family == AF_INET6) {
		name.v6.sin6_addr = in6addr_loopback;
		return end_open(&name, out);
	}
	for (uint32_t i = 0; i < MAX_VIPS_V4 && rc == -EADDRNOTAVAIL; i++) {
		name.v4.sin_addr.s_addr = htonl(VIP_V4 + i);
		rc = end_open(&name, out);
	}
	return rc;
}

static int open_family(struct jn_canary *canary, unsigned family)
{
	union jn_socket_name backend = { 0 };
	int rc = vip_open(family, &canary->families[family].vip);

	backend.any.sa_family = (sa_family_t)jn_canary_families[family];
	if (backend.any.sa_family == AF_INET)
		backend.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		backend.v6.sin6_addr = in6addr_loopback;
	if (!rc)
		rc = end_open(&backend, &canary->families[family].backend);
	canary->families[family].is_there = !rc;
	canary->families[family].error = -rc;
	return rc;
}

int jn_canary_open(struct jn_canary **out)
{
	JN_AUTO(jn_canary_close) struct jn_canary *canary = calloc(1, sizeof(*canary));
	int rc = 0, some = 0;

	if (!canary)
		return -ENOMEM;
	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		for (unsigned type = 0; type < JN_SOCKET_TYPES; type++) {
			canary->families[family].vip.sockets[type] = -1;
			canary->families[family].backend.sockets[type] = -1;
		}
	}
	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		int failed = open_family(canary, family);

		some |= !failed;
		rc = rc ? rc : failed;
	}
	if (!some)
		return rc;
	*out = JN_MOVE(canary);
	return 0;
}

void jn_canary_close(struct jn_canary **canary)
{
	struct jn_canary *c = JN_MOVE(*canary);

	for (unsigned family = 0; c && family < JN_CANARY_FAMILIES; family++) {
		end_done(&c->families[family].vip);
		end_done(&c->families[family].backend);
	}
	free(c);
}

static struct jn_frontend_key key_of(const union jn_socket_name *name)
{
	struct jn_frontend_key key = { 0 };

	if (name->any.sa_family == AF_INET) {
		key.vip = jn_addr_from_v4(name->v4.sin_addr.s_addr);
		key.port = name->v4.sin_port;
	} else {
		memcpy(&key.vip, &name->v6.sin6_addr, sizeof(key.vip));
		key.port = name->v6.sin6_port;
	}
	return key;
}

bool jn_canary_has(const struct jn_canary *canary, unsigned family)
{
	return canary->families[family].is_there;
}

size_t jn_canary_ends(const struct jn_canary *canary, struct jn_frontend_key vips[],
		      struct jn_frontend_key backends[])
{
	size_t count = 0;

	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		if (!canary->families[family].is_there)
			continue;
		vips[count] = key_of(&canary->families[family].vip.name);
		backends[count++] = key_of(&canary->families[family].backend.name);
	}
	return count;
}
