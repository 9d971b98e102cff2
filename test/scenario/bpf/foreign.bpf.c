/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Somebody else's programs at junctor's hooks: they count how often they run and let everything
 * pass. Loaded with bpftool by test_foreign_programs.py; the counter is read with bpftool, too.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} foreign_runs SEC(".maps");

static __always_inline int count(void)
{
	__u32 zero = 0;
	__u64 *runs = bpf_map_lookup_elem(&foreign_runs, &zero);

	if (runs)
		__sync_fetch_and_add(runs, 1);
	return 1;
}

SEC("cgroup/connect4")
int foreign_connect4(struct bpf_sock_addr *ctx)
{
	(void)ctx;
	return count();
}

SEC("cgroup/getpeername4")
int foreign_peername4(struct bpf_sock_addr *ctx)
{
	(void)ctx;
	return count();
}

SEC("cgroup_skb/egress")
int foreign_egress(struct __sk_buff *skb)
{
	(void)skb;
	return count();
}

char _license[] SEC("license") = "Dual BSD/GPL";
