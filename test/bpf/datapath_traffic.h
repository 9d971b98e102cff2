/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One connection through one service, for tests that show that hooks serve. Only on the loopback of
 * a network namespace of the child's own (in_child).
 */
#ifndef JUNCTOR_TEST_DATAPATH_TRAFFIC_H
#define JUNCTOR_TEST_DATAPATH_TRAFFIC_H

#include "datapath_bed.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define VIP 0x7f60000aU /* 127.96.0.10, port 80; its backend is 127.0.0.1:8081 */

static inline struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(ip),
				     .sin_port = htons(port) };
}

/* 0: the VIP leads to the backend, and the peer's name is the VIP; else connect()'s errno. */
static inline int connect_to_vip(void)
{
	struct sockaddr_in backend = address(INADDR_LOOPBACK, 8081), vip = address(VIP, 80), peer;
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(peer);

	if (ioctl(server, SIOCSIFFLAGS, &lo) ||
	    bind(server, (struct sockaddr *)&backend, sizeof(backend)) || listen(server, 1))
		return 254;
	if (connect(client, (struct sockaddr *)&vip, sizeof(vip)))
		return errno;
	if (getpeername(client, (struct sockaddr *)&peer, &size))
		return 253;
	return peer.sin_addr.s_addr == vip.sin_addr.s_addr && peer.sin_port == vip.sin_port ? 0
											    : 252;
}

/* VIP -> one backend, as the engine writes it. */
static inline void publish(struct jn_datapath *dp)
{
	const struct jn_addr prefix = { .w = { 0, 0, htonl(0xffff), 0 } };
	struct jn_frontend_key key = { .vip = prefix, .port = htons(80), .proto = IPPROTO_TCP };
	struct jn_frontend value = { .service = 1, .set = 1 };
	struct jn_endpoint e = { .addr = prefix, .port = htons(8081), .weight = 1, .service = 1 };
	const struct jn_revision r = {
		.number = 1, .slot_base = 8, .slot_count = 1, .no_endpoint_errno = EHOSTUNREACH
	};
	const struct jn_slot slot = { .endpoint = 1, .probability = UINT16_MAX };
	size_t done;

	key.vip.w[3] = htonl(VIP);
	e.addr.w[3] = htonl(INADDR_LOOPBACK);
	jn_datapath_put_endpoint(dp, 1, &e);
	jn_datapath_put_revision(dp, 1, &r, &slot);
	jn_datapath_publish(dp, 1, 1, 1);
	assert_int_equal(jn_datapath_put_frontends(dp, &key, &value, 1, &done), 0);
}

/* The id of the program in a hook's link. */
static inline uint32_t program_at(const struct bed *bed, size_t hook)
{
	struct bpf_link_info info;

	assert_int_equal(jn_link_ask(bed->dp->links[hook], &info), 0);
	return info.prog_id;
}

#endif
