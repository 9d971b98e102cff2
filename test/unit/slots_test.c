/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Slots against plain arithmetic: the exact share of every endpoint, over random weights.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <junctor/decide/pick.h>
#include <junctor/limits.h>

#include "model/slots.h"

#define MAX_ITEMS 300

static uint64_t rng_state;

static uint32_t random_below(uint32_t limit)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng_state >> 33) % limit;
}

static size_t random_items(struct jn_weighted *items, size_t most, uint16_t heaviest)
{
	size_t count = 1 + random_below((uint32_t)most);

	for (size_t i = 0; i < count; i++) {
		items[i].endpoint = 1000 + (uint32_t)i;
		items[i].weight = (uint16_t)(1 + random_below(heaviest));
	}
	return count;
}

/* The share that an alias table gives an endpoint, in parts of 65536 per slot. */
static void alias_shares(const struct jn_slot_list *slots, uint64_t *shares)
{
	for (size_t i = 0; i < slots->count; i++) {
		const struct jn_slot *slot = &slots->items[i];
		uint64_t kept = slot->alias == i ? 65536 : slot->probability;

		assert_true(slot->alias < slots->count);
		shares[slot->endpoint - 1000] += kept;
		shares[slots->items[slot->alias].endpoint - 1000] += 65536 - kept;
	}
}

static void test_random_gives_every_endpoint_its_share(void **state)
{
	struct jn_slot_list slots = { 0 };
	struct jn_weighted items[MAX_ITEMS];

	(void)state;
	for (rng_state = 1; rng_state < 400; rng_state++) {
		uint64_t shares[MAX_ITEMS] = { 0 }, seed = rng_state, sum = 0;
		size_t count = random_items(items, MAX_ITEMS, JN_MAX_WEIGHT);

		for (size_t i = 0; i < count; i++)
			sum += items[i].weight;
		assert_int_equal(jn_slots_build(JN_ALGORITHM_RANDOM, items, count, &slots), 0);
		assert_int_equal(slots.count, count);
		alias_shares(&slots, shares);
		for (size_t i = 0; i < count; i++) {
			double exact =
				(double)items[i].weight * (double)count * 65536 / (double)sum;

			/* Each slot that names it rounds by less than one part. */
			assert_true((double)shares[i] > exact - (double)count - 1);
			assert_true((double)shares[i] < exact + (double)count + 1);
		}
		rng_state = seed;
	}
	free(slots.items);
}

static void test_equal_weights_keep_their_own_slot(void **state)
{
	struct jn_weighted items[5] = {
		{ 1, 7, 0 }, { 2, 7, 0 }, { 3, 7, 0 }, { 4, 7, 0 }, { 5, 7, 0 }
	};
	struct jn_slot_list slots = { 0 };

	(void)state;
	assert_int_equal(jn_slots_build(JN_ALGORITHM_RANDOM, items, 5, &slots), 0);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(slots.items[i].endpoint, i + 1);
		assert_int_equal(slots.items[i].alias, i);
	}
	free(slots.items);
}

static unsigned greatest_divisor(const struct jn_weighted *items, size_t count)
{
	for (unsigned d = JN_MAX_WEIGHT; d > 1; d--) {
		bool divides = true;

		for (size_t i = 0; i < count; i++)
			divides &= items[i].weight % d == 0;
		if (divides)
			return d;
	}
	return 1;
}

static void test_round_robin_cycle_is_exact_and_smooth(void **state)
{
	struct jn_slot_list slots = { 0 };
	struct jn_weighted items[MAX_ITEMS];

	(void)state;
	for (rng_state = 1; rng_state < 200; rng_state++) {
		uint64_t seed = rng_state, sum = 0;
		size_t count = random_items(items, 12, 40);
		unsigned divisor = greatest_divisor(items, count), seen[MAX_ITEMS] = { 0 };

		for (size_t i = 0; i < count; i++)
			sum += items[i].weight / divisor;
		assert_int_equal(jn_slots_build(JN_ALGORITHM_ROUND_ROBIN, items, count, &slots), 0);
		assert_int_equal(slots.count, sum);
		for (size_t step = 0; step < slots.count; step++) {
			unsigned at = slots.items[step].endpoint - 1000;
			double due = (double)(step + 1) * items[at].weight / divisor / (double)sum;

			seen[at]++;
			/* Smooth: nobody runs ahead of its due turns by more than two. */
			assert_true(seen[at] < due + 2);
		}
		for (size_t i = 0; i < count; i++)
			assert_int_equal(seen[i], items[i].weight / divisor);
		rng_state = seed;
	}
	free(slots.items);
}

static void test_round_robin_long_cycles_are_cut_to_the_limit(void **state)
{
	struct jn_weighted *items = calloc(JN_MAX_BACKENDS, sizeof(*items));
	struct jn_slot_list slots = { 0 };

	(void)state;
	assert_non_null(items);
	for (uint32_t i = 0; i < JN_MAX_BACKENDS; i++)
		items[i] = (struct jn_weighted){ 1000 + i, (uint16_t)(997 - i % 3), 0 };
	assert_int_equal(jn_slots_build(JN_ALGORITHM_ROUND_ROBIN, items, 20, &slots), 0);
	assert_true(slots.count <= JN_MAX_SEQUENCE);
	assert_true(slots.count > JN_MAX_SEQUENCE / 2);
	/* More endpoints than turns in a cycle: one turn each. */
	assert_int_equal(jn_slots_build(JN_ALGORITHM_ROUND_ROBIN, items, JN_MAX_BACKENDS, &slots),
			 0);
	assert_int_equal(slots.count, JN_MAX_BACKENDS);
	for (uint32_t i = 0; i < JN_MAX_BACKENDS; i++)
		assert_int_equal(slots.items[i].endpoint, 1000 + i);
	free(slots.items);
	free(items);
}

static void test_nothing_gives_no_slots(void **state)
{
	struct jn_slot_list slots = { 0 };

	(void)state;
	assert_int_equal(jn_slots_build(JN_ALGORITHM_RANDOM, NULL, 0, &slots), 0);
	assert_int_equal(slots.count, 0);
	assert_int_equal(jn_slots_build(JN_ALGORITHM_ROUND_ROBIN, NULL, 0, &slots), 0);
	assert_int_equal(slots.count, 0);
	free(slots.items);
}

static void test_draw_uses_the_whole_table(void **state)
{
	struct jn_slot own = { .alias = 3 }, shared = { .alias = 1, .probability = 32768 };
	struct jn_draw draw;

	(void)state;
	draw = jn_draw_slot(0, 10);
	assert_int_equal(draw.slot, 0);
	draw = jn_draw_slot(UINT32_MAX, 10);
	assert_int_equal(draw.slot, 9);
	assert_int_equal(draw.fraction, 65535);
	draw = (struct jn_draw){ .slot = 3, .fraction = 65535 };
	assert_true(jn_draw_keeps(&draw, &own));
	assert_false(jn_draw_keeps(&draw, &shared));
	draw.fraction = 32767;
	assert_true(jn_draw_keeps(&draw, &shared));
	draw.fraction = 32768;
	assert_false(jn_draw_keeps(&draw, &shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_gives_every_endpoint_its_share),
		cmocka_unit_test(test_equal_weights_keep_their_own_slot),
		cmocka_unit_test(test_round_robin_cycle_is_exact_and_smooth),
		cmocka_unit_test(test_round_robin_long_cycles_are_cut_to_the_limit),
		cmocka_unit_test(test_nothing_gives_no_slots),
		cmocka_unit_test(test_draw_uses_the_whole_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
