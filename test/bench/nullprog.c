/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attaches to connect4 of one cgroup a program that only says yes: what the kernel's statistics
 * show for it is what they cost themselves. With --record it first takes storage of the size of
 * junctor's record with the socket: the part of a fresh socket's cost that is the kernel's.
 * Prints "attached", waits for the end of its input, and takes the program away by ending.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>

#include <junctor/abi.h>

#include "bench.h"

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* Type 1 is u32, type 2 as many of them as a record has: storage of sockets wants its types told. */
static int load_types(void)
{
	static const struct {
		struct btf_header header;
		struct btf_type number;
		__u32 bits;
		struct btf_type record;
		struct btf_array array;
		char names[8];
	} types = {
		.header = { .magic = BTF_MAGIC,
			    .version = BTF_VERSION,
			    .hdr_len = sizeof(types.header),
			    .type_len = offsetof(typeof(types), names) - sizeof(types.header),
			    .str_off = offsetof(typeof(types), names) - sizeof(types.header),
			    .str_len = sizeof(types.names) },
		.number = { .name_off = 1, .info = BTF_KIND_INT << 24, .size = 4 },
		.bits = 32,
		.record = { .info = BTF_KIND_ARRAY << 24 },
		.array = { .type = 1, .index_type = 1, .nelems = sizeof(struct jn_socket) / 4 },
		.names = "\0number",
	};
	union bpf_attr attr = { .btf = (uint64_t)(uintptr_t)&types, .btf_size = sizeof(types) };

	return bpf(BPF_BTF_LOAD, &attr);
}

static int create_storage(void)
{
	int types = load_types();
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_SK_STORAGE,
		.key_size = 4,
		.value_size = sizeof(struct jn_socket),
		.map_flags = BPF_F_NO_PREALLOC,
		.map_name = "jn_bench_record",
		.btf_fd = (__u32)types,
		.btf_key_type_id = 1,
		.btf_value_type_id = 2,
	};

	return types < 0 ? -1 : bpf(BPF_MAP_CREATE, &attr);
}

static int load(const struct bpf_insn *code, unsigned count)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		.expected_attach_type = BPF_CGROUP_INET4_CONNECT,
		.insns = (uint64_t)(uintptr_t)code,
		.insn_cnt = count,
		.license = (uint64_t)(uintptr_t) "GPL",
		.prog_name = "jn_bench_null",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

static int load_yes(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return load(code, sizeof(code) / sizeof(code[0]));
}

/* if (ctx->sk) bpf_sk_storage_get(storage, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE); yes */
static int load_record(void)
{
	int storage = create_storage();
	const struct bpf_insn code[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_DW,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_REG_1,
		  .off = offsetof(struct bpf_sock_addr, sk) },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_2, .off = 5 },
		{ .code = BPF_LD | BPF_IMM | BPF_DW,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = storage },
		{ 0 }, /* the load of 64 bits is two instructions long */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K,
		  .dst_reg = BPF_REG_4,
		  .imm = BPF_SK_STORAGE_GET_F_CREATE },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_sk_storage_get },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return storage < 0 ? -1 : load(code, sizeof(code) / sizeof(code[0]));
}

int main(int argc, char **argv)
{
	bool takes_record = argc == 3 && !strcmp(argv[2], "--record");
	int cgroup, program;
	union bpf_attr attr = { 0 };

	errno = EINVAL;
	if (argc != 2 && !takes_record)
		die("usage: nullprog CGROUP [--record]");
	cgroup = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (cgroup < 0)
		die("open %s", argv[1]);
	program = takes_record ? load_record() : load_yes();
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
