/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is remembered of unconnected UDP sockets, by their cookie. Connected ones: socket.bpf.h.
 */
#ifndef JUNCTOR_KERNEL_UDP_H
#define JUNCTOR_KERNEL_UDP_H

#include "decide.bpf.h"

/*
 * The endpoint of one datagram. Keeps the socket at its endpoint while that belongs to the service
 * and has a weight, and notes what replies are to be named after. Returns as jn_choose, and
 * NO_MEMORY.
 */
enum jn_reason jn_udp_choose(const struct jn_call *call, __u64 cookie,
			     const struct jn_frontend *frontend, struct jn_choice *out) __hidden;

/* The backend that a datagram came from becomes the VIP it was sent to. False: nobody's. */
bool jn_udp_name(__u64 cookie, struct jn_target *target) __hidden;

#endif
