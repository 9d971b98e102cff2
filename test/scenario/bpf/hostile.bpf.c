/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Somebody else's programs that get in the way of junctor's: one denies every connection, one sends
 * all of them elsewhere, one renames every peer. Loaded with bpftool by test_health.py.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup/connect4")
int hostile_deny(struct bpf_sock_addr *ctx)
{
	(void)ctx;
	return 0;
}

SEC("cgroup/connect4")
int hostile_move(struct bpf_sock_addr *ctx)
{
	ctx->user_ip4 = bpf_htonl(0x0a010004); /* 10.1.0.4 */
	return 1;
}

SEC("cgroup/getpeername4")
int hostile_rename(struct bpf_sock_addr *ctx)
{
	ctx->user_ip4 = bpf_htonl(0x0a010004);
	return 1;
}

char _license[] SEC("license") = "Dual BSD/GPL";
