/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attaches a program that only says yes to connect4 of one cgroup: what the kernel's statistics
 * show for it is what they cost themselves. Prints "attached", waits for the end of its input,
 * and takes the program away by ending.
 */
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "bench.h"

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load(void)
{
	struct bpf_insn yes[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		.expected_attach_type = BPF_CGROUP_INET4_CONNECT,
		.insns = (uint64_t)(uintptr_t)yes,
		.insn_cnt = sizeof(yes) / sizeof(yes[0]),
		.license = (uint64_t)(uintptr_t) "GPL",
		.prog_name = "jn_bench_null",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

int main(int argc, char **argv)
{
	int cgroup = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int program = load();
	union bpf_attr attr = { 0 };

	if (cgroup < 0)
		die("usage: nullprog CGROUP");
	if (program < 0)
		die("load a program");
	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.target_fd = (uint32_t)cgroup;
	attr.link_create.attach_type = BPF_CGROUP_INET4_CONNECT;
	if (bpf(BPF_LINK_CREATE, &attr) < 0)
		die("attach to %s", argv[1]);
	printf("attached\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
