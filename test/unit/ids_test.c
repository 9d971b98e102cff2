/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ids and ranges against a plain map of who holds what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <junctor/limits.h>

#include "engine/ids.h"
#include "random.h"

static void test_a_freed_id_rests(void **state)
{
	struct jn_ids ids;

	(void)state;
	jn_ids_init(&ids, "services", 4, 1000);
	assert_int_equal(jn_ids_take(&ids, 10), 1);
	assert_int_equal(jn_ids_take(&ids, 10), 2);
	jn_ids_free(&ids, 1, 20);
	assert_int_equal(jn_ids_take(&ids, 30), 3);
	assert_int_equal(jn_ids_take(&ids, 1019), 0); /* 1 still rests, nothing else is left */
	assert_int_equal(jn_ids_take(&ids, 1020), 1);
	assert_int_equal(ids.used, 3);
	jn_ids_done(&ids);
}

static void test_an_id_nobody_saw_needs_no_rest(void **state)
{
	struct jn_ids ids;

	(void)state;
	jn_ids_init(&ids, "services", 3, 1000);
	assert_int_equal(jn_ids_take(&ids, 10), 1);
	assert_int_equal(jn_ids_take(&ids, 10), 2);
	jn_ids_free(&ids, 2, 11);
	jn_ids_free(&ids, 1, 0);
	assert_int_equal(jn_ids_take(&ids, 12), 1);
	assert_int_equal(jn_ids_take(&ids, 12), 0);
	jn_ids_done(&ids);
}

static void test_adopted_gaps_rest_and_new_ids_do_not(void **state)
{
	const uint8_t marks[10] = { [2] = 1, [5] = 1 };
	struct jn_ids ids;

	(void)state;
	jn_ids_init(&ids, "services", 10, 1000);
	assert_int_equal(jn_ids_adopt(&ids, marks, 100), 0);
	assert_int_equal(ids.used, 2);
	assert_int_equal(jn_ids_take(&ids, 100), 6);
	assert_int_equal(jn_ids_take(&ids, 1100), 1);
	assert_int_equal(jn_ids_take(&ids, 1100), 3);
	assert_int_equal(jn_ids_take(&ids, 1100), 4);
	assert_int_equal(jn_ids_take(&ids, 1100), 7);
	jn_ids_done(&ids);
}

static void test_ids_are_never_given_out_twice(void **state)
{
	uint8_t held[200] = { 0 };
	struct jn_ids ids;
	unsigned count = 0;

	(void)state;
	jn_ids_init(&ids, "services", 200, 50);
	for (uint64_t now = 1; now < 20000; now++) {
		if (random_below(2)) {
			uint32_t id = jn_ids_take(&ids, now);

			assert_true(id < 200);
			assert_false(id && held[id]);
			held[id] = id != 0;
			count += id != 0;
		} else {
			uint32_t id = 1 + random_below(199);

			if (!held[id])
				continue;
			held[id] = 0;
			count--;
			jn_ids_free(&ids, id, random_below(3) ? now : 0);
		}
		assert_int_equal(ids.used, count);
	}
	jn_ids_done(&ids);
}

#define SPACE 20000

static void test_ranges_never_overlap_and_all_space_comes_back(void **state)
{
	static uint8_t taken[SPACE];
	struct jn_extent held[400] = { 0 };
	struct jn_ranges ranges;
	uint32_t used = 0, base;

	(void)state;
	assert_int_equal(jn_ranges_init(&ranges, SPACE, SPACE), 0);
	for (unsigned round = 0; round < 50000; round++) {
		struct jn_extent *extent = &held[random_below(400)];

		if (extent->count) {
			memset(taken + extent->base, 0, extent->count);
			used -= extent->count;
			jn_ranges_free(&ranges, extent->base, extent->count);
			extent->count = 0;
			continue;
		}
		extent->count = 1 + random_below(random_below(20) ? 60 : 3000);
		if (jn_ranges_take(&ranges, extent->count, &extent->base)) {
			extent->count = 0;
			continue;
		}
		assert_true(extent->base + extent->count <= SPACE);
		for (uint32_t i = 0; i < extent->count; i++) {
			assert_false(taken[extent->base + i]);
			taken[extent->base + i] = 1;
		}
		used += extent->count;
		assert_int_equal(ranges.used, used);
	}
	for (unsigned i = 0; i < 400; i++) {
		if (held[i].count)
			jn_ranges_free(&ranges, held[i].base, held[i].count);
	}
	/* Merged again, the largest range fits. */
	assert_int_equal(ranges.used, 0);
	assert_int_equal(jn_ranges_take(&ranges, JN_MAX_BACKENDS, &base), 0);
	assert_int_equal(jn_ranges_take(&ranges, JN_MAX_BACKENDS, &base), 0);
	jn_ranges_done(&ranges);
}

static void test_adopted_ranges_are_not_given_out(void **state)
{
	struct jn_extent used[] = { { 100, 50 }, { 10, 5 } };
	struct jn_extent overlapping[] = { { 100, 50 }, { 149, 5 } };
	struct jn_ranges ranges;
	uint32_t base, sum = 0;

	(void)state;
	assert_int_equal(jn_ranges_init(&ranges, 200, 200), 0);
	assert_int_equal(jn_ranges_adopt(&ranges, used, 2), 0);
	assert_int_equal(ranges.used, 55);
	while (!jn_ranges_take(&ranges, 5, &base)) {
		assert_true(base + 5 <= 10 || base >= 15);
		assert_true(base + 5 <= 100 || base >= 150);
		sum += 5;
	}
	assert_int_equal(sum, 145);
	assert_true(jn_ranges_adopt(&ranges, overlapping, 2) < 0);
	jn_ranges_done(&ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_freed_id_rests),
		cmocka_unit_test(test_an_id_nobody_saw_needs_no_rest),
		cmocka_unit_test(test_adopted_gaps_rest_and_new_ids_do_not),
		cmocka_unit_test(test_ids_are_never_given_out_twice),
		cmocka_unit_test(test_ranges_never_overlap_and_all_space_comes_back),
		cmocka_unit_test(test_adopted_ranges_are_not_given_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
