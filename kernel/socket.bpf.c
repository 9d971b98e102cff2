/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of connected sockets. Storage is taken at the first connect() to a service and given back
 * by the kernel with the socket; only that first one pays for it.
 */
#include <linux/in.h>

#include <bpf/bpf_core_read.h>

#include "socket.bpf.h"

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

bool jn_socket_remember(struct bpf_sock *sk, const struct jn_call *call,
			const struct jn_frontend *frontend, const struct jn_choice *choice)
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
	record->at_backend = choice->at_backend;
	record->at_service = choice->at_service;
	return true;
}

bool jn_socket_name(struct bpf_sock *sk, struct jn_target *target)
{
	const struct jn_socket *record = jn_socket_find(sk);

	if (!record ||
	    !jn_is_at(&record->backend, record->backend_port, &target->addr, target->port))
		return false;
	target->addr = record->vip;
	target->port = record->vip_port;
	return true;
}

bool jn_socket_backend(struct bpf_sock *sk, const struct jn_frontend_key *key,
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
