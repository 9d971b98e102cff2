/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Alias tables and round-robin cycles, in whole numbers only, so that every machine builds the same.
 */
#include "model/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"

int jn_slot_list_fit(struct jn_slot_list *list, size_t count)
{
	struct jn_slot *grown;

	if (count > list->capacity) {
		grown = reallocarray(list->items, count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->capacity = count;
	}
	list->count = count;
	list->picked = count;
	return 0;
}

/* --- Random ------------------------------------------------------------------------------------- */

/*
 * Each item's weight times count against the sum of all: below it an item leaves room in its slot,
 * above it it fills the room of others. `left` holds what an item has still to give away.
 */
struct alias_work {
	uint64_t sum;
	uint64_t *left;
	uint16_t *small, *large; /* stacks of indices */
	size_t small_count, large_count;
};

static void settle_pair(struct alias_work *work, struct jn_slot *slots)
{
	uint16_t small = work->small[--work->small_count];
	uint16_t large = work->large[work->large_count - 1];

	slots[small].probability = (uint16_t)(work->left[small] * 65536 / work->sum);
	slots[small].alias = large;
	work->left[large] -= work->sum - work->left[small];
	if (work->left[large] < work->sum) {
		work->large_count--;
		work->small[work->small_count++] = large;
	}
}

static int build_alias(const struct jn_weighted *items, size_t count, struct jn_slot *slots)
{
	JN_AUTO(jn_free_mem) uint64_t *left = calloc(count, sizeof(*left));
	JN_AUTO(jn_free_mem) uint16_t *stacks = calloc(2 * count, sizeof(*stacks));
	struct alias_work work = { .left = left, .small = stacks };

	if (!left || !stacks)
		return -ENOMEM;
	work.large = stacks + count;
	for (size_t i = 0; i < count; i++)
		work.sum += items[i].weight;
	for (size_t i = 0; i < count; i++) {
		slots[i] = (struct jn_slot){ .endpoint = items[i].endpoint, .alias = (uint16_t)i };
		left[i] = (uint64_t)items[i].weight * count;
		if (left[i] < work.sum)
			work.small[work.small_count++] = (uint16_t)i;
		else
			work.large[work.large_count++] = (uint16_t)i;
	}
	while (work.small_count && work.large_count)
		settle_pair(&work, slots);
	/* Whoever is left fills its slot exactly: it stays its own alias. */
	return 0;
}

/* --- RoundRobin --------------------------------------------------------------------------------- */

static unsigned gcd(unsigned a, unsigned b)
{
	while (b) {
		unsigned rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Turns of each item in one cycle into `turns` (may be NULL); returns the length of the cycle. */
static size_t share_turns(const struct jn_weighted *items, size_t count, uint32_t *turns)
{
	size_t limit = count > JN_MAX_SEQUENCE ? count : JN_MAX_SEQUENCE;
	uint64_t sum = 0, total = 0;
	unsigned divisor = 0;

	for (size_t i = 0; i < count; i++)
		divisor = gcd(items[i].weight, divisor);
	for (size_t i = 0; i < count; i++)
		sum += items[i].weight / divisor;
	for (size_t i = 0; i < count; i++) {
		uint64_t share = items[i].weight / divisor;

		if (sum > limit)
			share = share * (limit - count) / sum + 1;
		if (turns)
			turns[i] = (uint32_t)share;
		total += share;
	}
	return total;
}

/* At each step everybody earns its turns; the richest one goes and pays for all. */
static int build_cycle(const struct jn_weighted *items, size_t count, struct jn_slot *slots,
		       size_t length)
{
	JN_AUTO(jn_free_mem) uint32_t *turns = calloc(count, sizeof(*turns));
	JN_AUTO(jn_free_mem) int64_t *credit = calloc(count, sizeof(*credit));

	if (!turns || !credit)
		return -ENOMEM;
	(void)share_turns(items, count, turns); /* the caller knows the length */
	for (size_t step = 0; step < length; step++) {
		size_t richest = step; /* where all have one turn, this is the answer */

		if (length != count) {
			richest = 0;
			for (size_t i = 0; i < count; i++) {
				credit[i] += turns[i];
				if (credit[i] > credit[richest])
					richest = i;
			}
			credit[richest] -= (int64_t)length;
		}
		slots[step] = (struct jn_slot){ .endpoint = items[richest].endpoint };
	}
	return 0;
}

size_t jn_slots_count(enum jn_algorithm algorithm, const struct jn_weighted *items, size_t count)
{
	if (!count || algorithm != JN_ALGORITHM_ROUND_ROBIN)
		return count;
	return share_turns(items, count, NULL);
}

int jn_slots_build(enum jn_algorithm algorithm, const struct jn_weighted *items, size_t count,
		   struct jn_slot_list *out)
{
	size_t length = jn_slots_count(algorithm, items, count);

	if (jn_slot_list_fit(out, length))
		return -ENOMEM;
	if (!count)
		return 0;
	if (algorithm == JN_ALGORITHM_ROUND_ROBIN)
		return build_cycle(items, count, out->items, length);
	return build_alias(items, count, out->items);
}
