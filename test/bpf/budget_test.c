/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the verifier makes of every program that is shipped: how many instructions it looked at, the
 * largest frame of the stack, and how long it took; scripts/verifier.py reads these lines. A program
 * that grows past its budget fails here long before a kernel refuses it. And what some kernels make
 * wrong of a program that they take. Loads only; nothing is attached or pinned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <end.skel.h>
#include <junctor.skel.h>
#include <trace.skel.h>

#include "base/clock.h"
#include "skip.h"

#define MAX_INSTRUCTIONS 50000
#define MAX_LOAD_MS 300 /* of all programs and tables together; a single one is far below */

#define LOADS 5 /* the quickest counts: others may use the machine */

static struct junctor_bpf *skeleton;
static uint64_t load_ms;

static int load(void **state)
{
	(void)state;
	load_ms = UINT64_MAX;
	for (unsigned i = 0; i < LOADS; i++) {
		uint64_t begin = jn_clock_ms(), ms;

		junctor_bpf__destroy(skeleton);
		skeleton = junctor_bpf__open_and_load();
		ms = jn_clock_ms() - begin;
		if (!skeleton)
			return -1;
		if (ms < load_ms)
			load_ms = ms;
	}
	return 0;
}

static int unload(void **state)
{
	(void)state;
	junctor_bpf__destroy(skeleton);
	return 0;
}

/* --- what the verifier says --------------------------------------------------------------------- */

#define LOG_STATS 4  /* the kernel's BPF_LOG_STATS */
#define MAX_LOG 1024 /* three lines */
#define MAX_PROGRAMS 16

static char logs[MAX_PROGRAMS][MAX_LOG];

static void ask_for_stats(const struct bpf_object *object)
{
	struct bpf_program *program;
	unsigned i = 0;

	bpf_object__for_each_program (program, object) {
		assert_in_range(i, 0, MAX_PROGRAMS - 1);
		assert_int_equal(bpf_program__set_log_level(program, LOG_STATS), 0);
		assert_int_equal(bpf_program__set_log_buf(program, logs[i++], MAX_LOG), 0);
	}
}

static unsigned long time_us(const char *text)
{
	const char *found = strstr(text, "verification time ");

	assert_non_null(found);
	return strtoul(found + strlen("verification time "), NULL, 10);
}

/* "stack depth 96+0+32": of the program and each function that it calls. */
static unsigned long largest_frame(const char *text)
{
	const char *at = strstr(text, "stack depth ");
	unsigned long largest = 0;
	char *end;

	assert_non_null(at);
	at += strlen("stack depth ") - 1;
	do {
		unsigned long frame = strtoul(at + 1, &end, 10);

		largest = frame > largest ? frame : largest;
		at = end;
	} while (*at == '+');
	return largest;
}

static unsigned check_instructions(const struct bpf_object *object)
{
	struct bpf_program *program;
	unsigned count = 0;

	printf("%-20s %10s %10s %10s\n", "program", "verified", "stack", "us");
	bpf_object__for_each_program (program, object) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
		printf("%-20s %10u %10lu %10lu\n", bpf_program__name(program), info.verified_insns,
		       largest_frame(logs[count]), time_us(logs[count]));
		assert_in_range(info.verified_insns, 1, MAX_INSTRUCTIONS);
		count++;
	}
	return count;
}

/* Its own load: where statistics are asked for, libbpf keeps to itself why a program is refused. */
static void test_instructions(void **state)
{
	struct junctor_bpf *other = junctor_bpf__open();

	(void)state;
	assert_non_null(other);
	ask_for_stats(other->obj);
	assert_int_equal(junctor_bpf__load(other), 0);
	assert_int_equal(check_instructions(other->obj), 11);
	junctor_bpf__destroy(other);
}

static void test_instructions_of_what_ends_sockets(void **state)
{
	struct end_bpf *end = end_bpf__open();

	(void)state;
	assert_non_null(end);
	if (!kernel_has_function("bpf_sock_destroy"))
		skip_because("this kernel lets no program end sockets (bpf_sock_destroy)");
	ask_for_stats(end->obj);
	assert_int_equal(end_bpf__load(end), 0);
	assert_int_equal(check_instructions(end->obj), 2);
	end_bpf__destroy(end);
}

static void test_instructions_of_what_explains(void **state)
{
	struct trace_bpf *trace = trace_bpf__open();

	(void)state;
	assert_non_null(trace);
	ask_for_stats(trace->obj);
	assert_int_equal(trace_bpf__load(trace), 0);
	assert_int_equal(check_instructions(trace->obj), 1);
	trace_bpf__destroy(trace);
}

static bool is_emulated(void)
{
	char line[256];
	bool found = false;
	FILE *cpus = fopen("/proc/cpuinfo", "re");

	assert_non_null(cpus);
	while (!found && fgets(line, sizeof(line), cpus))
		found = strstr(line, "QEMU TCG CPU");
	(void)fclose(cpus);
	return found;
}

static void test_load_time(void **state)
{
	(void)state;
	if (is_emulated())
		skip_because("this processor is emulated, time says nothing here");
	printf("loading took %llu ms, of at most %u\n", (unsigned long long)load_ms, MAX_LOAD_MS);
	assert_in_range(load_ms, 0, MAX_LOAD_MS);
}

/*
 * CVE-2026-53078: before 6.12.101 and 6.18.42, and in all of 6.1, a sockops program that loads a field
 * of its ctx into the register that holds the ctx (r1 = *(r1 + off)) gets a pointer of the kernel
 * where the socket is no full one. Compilers choose registers, so it is looked for in what they made.
 *
 * Registers 6 to 9 that hold the ctx once count as if they held it everywhere; the others are
 * followed from one instruction to the next. Returns the instruction's number, or -1.
 */
static int find_same_register_load(const struct bpf_insn *insns, size_t count)
{
	unsigned holders = 1u << BPF_REG_1, kept = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned dst = 1u << insns[i].dst_reg, src = 1u << insns[i].src_reg;
		uint8_t class = BPF_CLASS(insns[i].code);

		if (class == BPF_LDX && dst == src && (holders | kept) & src)
			return (int)i;
		if (insns[i].code == (BPF_ALU64 | BPF_MOV | BPF_X) && (holders | kept) & src) {
			holders |= dst;
			kept |= insns[i].dst_reg >= BPF_REG_6 ? dst : 0;
		} else if (class == BPF_LDX || class == BPF_LD || class == BPF_ALU ||
			   class == BPF_ALU64) {
			holders &= ~dst;
		} else if (insns[i].code == (BPF_JMP | BPF_CALL)) {
			holders &= ~0x3fu; /* 0 to 5 */
		}
	}
	return -1;
}

#define LOAD(dst, src)                                                                             \
	{                                                                                          \
		.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = (dst), .src_reg = (src), .off = 184 \
	}
#define MOVE(dst, src)                                                                             \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (dst), .src_reg = (src)            \
	}
#define CALL                                                                                       \
	{                                                                                          \
		.code = BPF_JMP | BPF_CALL                                                         \
	}

static void test_sockops_loads_no_field_over_its_ctx(void **state)
{
	static const struct bpf_insn first[] = { LOAD(1, 1) };
	static const struct bpf_insn saved[] = { MOVE(6, 1), CALL, LOAD(2, 6), LOAD(6, 6) };
	static const struct bpf_insn given[] = { MOVE(6, 1), CALL, MOVE(1, 6), LOAD(1, 1) };
	static const struct bpf_insn other[] = { LOAD(2, 1), LOAD(2, 2), CALL, LOAD(1, 1) };
	const struct bpf_program *program = skeleton->progs.jn_sockops;

	(void)state;
	assert_int_equal(find_same_register_load(first, 1), 0);
	assert_int_equal(find_same_register_load(saved, 4), 3);
	assert_int_equal(find_same_register_load(given, 4), 3);
	assert_int_equal(find_same_register_load(other, 4), -1);
	assert_true(bpf_program__insn_cnt(program) > 100);
	assert_int_equal(find_same_register_load(bpf_program__insns(program),
						 bpf_program__insn_cnt(program)),
			 -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_instructions_of_what_ends_sockets),
		cmocka_unit_test(test_instructions_of_what_explains),
		cmocka_unit_test(test_load_time),
		cmocka_unit_test(test_sockops_loads_no_field_over_its_ctx),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
