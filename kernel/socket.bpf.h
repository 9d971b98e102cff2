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

#include <junctor/decide/address.h>

#include "decide.bpf.h"
#include "live.bpf.h"
#include "maps.bpf.h"

static inline struct jn_socket *jn_socket_find(struct bpf_sock *sk)
{
	return bpf_sk_storage_get(&jn_socket, sk, NULL, 0);
}

static inline bool jn_is_at(const struct jn_addr *addr, __be16 port, const struct jn_addr *other,
			    __be16 other_port)
{
	return port == other_port && jn_addr_equal(addr, other);
}

/* False: no memory for the record. A socket that has one already needs none. */
bool jn_socket_remember(struct bpf_sock *sk, const struct jn_call *call,
			const struct jn_frontend *frontend,
			const struct jn_choice *choice) __hidden;

/* Its connection does not count as open any more. */
static inline void jn_socket_close(struct jn_socket *record)
{
	jn_live_close(&record->at_backend);
	jn_live_close(&record->at_service);
	record->flags &= ~JN_SOCKET_COUNTED;
}

/* It is not the connection any more that it was counted and watched for. */
static inline void jn_socket_uncount(struct jn_socket *record)
{
	jn_socket_close(record);
	record->at_backend = record->at_service = (struct jn_count){ 0 };
	record->flags &= JN_SOCKET_BOUND;
}

/* The socket is about to be connected to this address itself, whatever it was once asked for. */
static inline void jn_socket_forget(struct bpf_sock *sk, const struct jn_frontend_key *key)
{
	struct jn_socket *record = jn_socket_find(sk);

	if (!record)
		return;
	if (record->flags & JN_SOCKET_COUNTED)
		jn_socket_uncount(record);
	if (jn_is_at(&record->backend, record->backend_port, &key->vip, key->port))
		*record = (struct jn_socket){ .flags = record->flags };
}

/* The backend at the other end becomes the VIP that was asked for. False: it is no backend. */
bool jn_socket_name(struct bpf_sock *sk, struct jn_target *target) __hidden;

/* The backend of a connected socket that names its own VIP once more. False: another address. */
bool jn_socket_backend(struct bpf_sock *sk, const struct jn_frontend_key *key,
		       struct jn_target *out) __hidden;

#endif
