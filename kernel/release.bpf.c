/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The door of a socket's end: its connection is not open any more. Attached while an object counts
 * connections. It comes before TCP's own end (sockops.bpf.c), which may still be watched.
 */
#include "decide.bpf.h"
#include "live.bpf.h"
#include "socket.bpf.h"

SEC("cgroup/sock_release")
int jn_sock_release(struct bpf_sock *sk)
{
	struct jn_socket *record = jn_socket_find(sk);

	if (record && record->flags & JN_SOCKET_COUNTED)
		jn_socket_close(record);
	return 1;
}
