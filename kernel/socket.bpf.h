/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a socket remembers of its own connect(): struct jn_socket in socket storage. Unconnected
 * UDP: udp.bpf.h.
 *
 * A record says what was asked for, not what became of it: the call may have failed, and the
 * socket may have been connected elsewhere since. So every reader compares with the real peer.
 */
#ifndef JUNCTOR_KERNEL_SOCKET_H
#define JUNCTOR_KERNEL_SOCKET_H

#include "decide.bpf.h"

/* False: no memory for the record. A socket that has one already needs none. */
bool jn_socket_remember(struct bpf_sock *sk, const struct jn_frontend_key *key,
			const struct jn_target *backend) __hidden;

/* The socket is about to be connected to this address itself, whatever it was once asked for. */
void jn_socket_forget(struct bpf_sock *sk, const struct jn_frontend_key *key) __hidden;

/* The backend at the other end becomes the VIP that was asked for. False: it is no backend. */
bool jn_socket_name(struct bpf_sock *sk, struct jn_target *target) __hidden;

/* The backend of a connected socket that names its own VIP once more. False: another address. */
bool jn_socket_backend(struct bpf_sock *sk, const struct jn_frontend_key *key,
		       struct jn_target *out) __hidden;

#endif
