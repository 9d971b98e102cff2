/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the verifier makes of every program that is shipped: how many instructions it looked at, and
 * how long loading took. A program that grows past its budget fails here long before a kernel
 * refuses it. Loads only; nothing is attached or pinned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <end.skel.h>
#include <junctor.skel.h>

#include "base/clock.h"

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

static unsigned check_instructions(const struct bpf_object *object)
{
	struct bpf_program *program;
	unsigned count = 0;

	bpf_object__for_each_program (program, object) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
		printf("%-20s %10u %10u\n", bpf_program__name(program), info.verified_insns,
		       MAX_INSTRUCTIONS);
		assert_in_range(info.verified_insns, 1, MAX_INSTRUCTIONS);
		count++;
	}
	return count;
}

static void test_instructions(void **state)
{
	struct end_bpf *end = end_bpf__open_and_load();

	(void)state;
	assert_non_null(end);
	printf("%-20s %10s %10s\n", "program", "verified", "of at most");
	assert_int_equal(check_instructions(skeleton->obj), 11);
	assert_int_equal(check_instructions(end->obj), 2);
	end_bpf__destroy(end);
}

static void test_load_time(void **state)
{
	(void)state;
	printf("loading took %llu ms, of at most %u\n", (unsigned long long)load_ms, MAX_LOAD_MS);
	assert_in_range(load_ms, 0, MAX_LOAD_MS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_load_time),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
