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

#include <linux/in.h>

#include <bpf/bpf_core_read.h>

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

struct mptcp_sock { /* the kernel's; only its existence matters */
} __attribute__((preserve_access_index));

/* MPTCP connects a subflow, but is asked for its peer itself. Kernels without MPTCP lack the type. */
static struct jn_socket *make_record(struct bpf_sock *sk, __u8 proto)
{
	struct mptcp_sock *whole = NULL;

	if (proto == IPPROTO_TCP && bpf_core_type_exists(struct mptcp_sock))
		whole = bpf_skc_to_mptcp_sock(sk);
	if (whole)
		return bpf_sk_storage_get(&jn_socket, whole, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	return bpf_sk_storage_get(&jn_socket, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

/* False: no memory for the record. A socket that has one already needs none. */
static inline bool jn_socket_remember(struct bpf_sock *sk, const struct jn_call *call,
				      const struct jn_frontend *frontend,
				      const struct jn_choice *choice)
{
	struct jn_socket *record = make_record(sk, call->key.proto);

	if (!record)
		return false;
	if (record->flags & JN_SOCKET_COUNTED) /* the socket had one */
		jn_socket_uncount(record);
	/* Field by field: a whole one on the stack first would be written twice. */
	record->vip = call->key.vip;
	record->vip_port = call->key.port;
	record->backend = choice->backend.addr;
	record->backend_port = choice->backend.port;
	record->service = frontend->service;
	record->endpoint = choice->endpoint;
	record->set = frontend->set;
	record->flags = choice->socket_flags | (call->is_bound ? JN_SOCKET_BOUND : 0);
	if (choice->socket_flags & JN_SOCKET_COUNTED) {
		record->at_backend = choice->at_backend;
		record->at_service = choice->at_service;
	}
	return true;
}

/* May another program of ours have run before this one, in the same call? */
static inline bool jn_is_doubled(void)
{
	__u32 zero = 0;
	const struct jn_meta *meta = bpf_map_lookup_elem(&jn_meta, &zero);

	return meta && meta->flags & JN_META_DOUBLED;
}

/* The socket is about to be connected to this address itself, whatever it was once asked for. */
static inline void jn_socket_forget(struct bpf_sock *sk, const struct jn_frontend_key *key)
{
	struct jn_socket *record = jn_socket_find(sk);
	bool is_backend;

	if (!record)
		return;
	is_backend = jn_is_at(&record->backend, record->backend_port, &key->vip, key->port);
	if (is_backend && jn_is_doubled())
		return;
	if (record->flags & JN_SOCKET_COUNTED)
		jn_socket_uncount(record);
	if (is_backend)
		*record = (struct jn_socket){ .flags = record->flags };
}

/* The backend at the other end becomes the VIP that was asked for. False: it is no backend. */
static inline bool jn_socket_name(struct bpf_sock *sk, struct jn_target *target)
{
	const struct jn_socket *record = jn_socket_find(sk);

	if (!record ||
	    !jn_is_at(&record->backend, record->backend_port, &target->addr, target->port))
		return false;
	target->addr = record->vip;
	target->port = record->vip_port;
	return true;
}

/* The backend of a connected socket that names its own VIP once more. False: another address. */
static inline bool jn_socket_backend(struct bpf_sock *sk, const struct jn_frontend_key *key,
				     struct jn_target *out)
{
	const struct jn_socket *record;

	if (sk->state != BPF_TCP_ESTABLISHED)
		return false;
	record = jn_socket_find(sk);
	if (!record || !jn_is_at(&record->vip, record->vip_port, &key->vip, key->port))
		return false;
	out->addr = record->backend;
	out->port = record->backend_port;
	return true;
}

#endif
