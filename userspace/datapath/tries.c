/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel can do, tried with a program that does nothing and is gone at once.
 */
#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "datapath/internal.h"

#ifndef BPF_F_PREORDER
#define BPF_F_PREORDER (1U << 6) /* of Linux 6.15 */
#endif

static int load_nothing(void)
{
	static const struct bpf_insn allow[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);

	return bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "jn_nothing", "Dual BSD/GPL", allow,
			     JN_COUNT(allow), &options);
}

int jn_kernel_compiles(void)
{
	JN_AUTO(jn_close_fd) int fd = load_nothing();
	struct jn_program program;
	int rc = fd < 0 ? fd : jn_program_ask(fd, &program);

	return rc ? rc : program.info.jited_prog_len != 0;
}

int jn_cgroup_has_first(int cgroup)
{
	JN_AUTO(jn_close_fd) int fd = load_nothing();
	int rc;

	if (fd < 0)
		return fd;
	rc = bpf_prog_attach(fd, cgroup, BPF_CGROUP_INET4_CONNECT,
			     BPF_F_ALLOW_MULTI | BPF_F_PREORDER);
	if (rc)
		return rc == -EINVAL ? 0 : rc; /* a flag that is not known */
	rc = bpf_prog_detach2(fd, cgroup, BPF_CGROUP_INET4_CONNECT);
	return rc ? rc : 1;
}
