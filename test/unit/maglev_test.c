/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maglev tables: shares by weight, how few clients move when an endpoint leaves, and that neither
 * order nor a passing member changes the table.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <junctor/decide/address.h>
#include <junctor/decide/client.h>
#include <junctor/limits.h>

#include "model/maglev.h"

#define MAX_ITEMS 400

/* Endpoints 1..count, with addresses of their own. */
static void make_items(struct jn_weighted *items, size_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct jn_addr addr = jn_addr_from_v4(htonl(0x0a010000 + i));

		items[i] = (struct jn_weighted){ i + 1, 1, jn_client_hash(&addr, 8080) };
	}
}

static void build(const struct jn_weighted *items, size_t count, size_t least,
		  struct jn_slot_list *out)
{
	assert_int_equal(jn_maglev_build(items, count, jn_maglev_size(count, least, JN_MAX_MAGLEV),
					 out),
			 0);
}

static void test_size_is_a_prime_of_a_thousand_each(void **state)
{
	(void)state;
	assert_int_equal(jn_maglev_size(0, 0, JN_MAX_MAGLEV), 0);
	assert_int_equal(jn_maglev_size(1, 0, JN_MAX_MAGLEV), 8191);
	assert_int_equal(jn_maglev_size(8, 0, JN_MAX_MAGLEV), 8191);
	assert_int_equal(jn_maglev_size(9, 0, JN_MAX_MAGLEV), 32749);
	assert_int_equal(jn_maglev_size(32, 0, JN_MAX_MAGLEV), 32749);
	assert_int_equal(jn_maglev_size(33, 0, JN_MAX_MAGLEV), 65537);
	assert_int_equal(jn_maglev_size(JN_MAX_BACKENDS, 0, JN_MAX_MAGLEV), JN_MAX_MAGLEV);
	assert_int_equal(jn_maglev_size(8, 32749, JN_MAX_MAGLEV),
			 32749); /* what it has now is kept */
	assert_int_equal(jn_maglev_size(0, 8191, JN_MAX_MAGLEV), 0);
}

/* An object of many tables gets smaller ones, and all of them fit. */
static void test_many_tables_of_one_object_are_smaller(void **state)
{
	static const size_t counts[] = { 1, 227, 228, 409, 410, 2 * JN_MAX_CLUSTER_PORTS };
	static const size_t sizes[] = { 65537, 65537, 32749, 32749, 8191, 8191 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		assert_int_equal(jn_maglev_most(counts[i]), sizes[i]);
		assert_true(counts[i] * sizes[i] <= JN_MAX_OBJECT_SLOTS);
		/* With the list that an outlier or a probe asks for, however many there are. */
		assert_true(sizes[i] == 8191 ||
			    counts[i] * (sizes[i] + JN_MAX_BACKENDS) <= JN_MAX_OBJECT_SLOTS);
	}
	assert_int_equal(jn_maglev_size(400, 0, 8191), 8191);
	assert_int_equal(jn_maglev_size(400, 65537, 8191), 8191); /* it has more tables now */
	assert_int_equal(jn_maglev_size(4, 0, 65537), 8191);	  /* no more than it wants */
	/* But never so few that shares are a matter of luck: then the budget says so. */
	assert_int_equal(jn_maglev_size(1024, 0, 8191), 32749);
	assert_int_equal(jn_maglev_size(JN_MAX_BACKENDS, 0, 8191), JN_MAX_MAGLEV);
}

static void test_shares_follow_the_weights(void **state)
{
	struct jn_weighted items[10];
	struct jn_slot_list slots = { 0 };
	unsigned counts[11] = { 0 }, sum = 0;

	(void)state;
	make_items(items, 10);
	for (unsigned i = 0; i < 10; i++)
		sum += items[i].weight = (uint16_t)(i + 1);
	build(items, 10, 0, &slots);
	for (size_t i = 0; i < slots.count; i++) {
		assert_in_range(slots.items[i].endpoint, 1, 10);
		counts[slots.items[i].endpoint]++;
	}
	for (unsigned i = 0; i < 10; i++) {
		double wanted = 32749.0 * items[i].weight / sum;

		assert_true(counts[i + 1] > wanted - 3 && counts[i + 1] < wanted + 3);
	}
	free(slots.items);
}

/* At most one in `count`, and a hundredth, of the slots change hands. */
static void leaves(size_t count, size_t leaver)
{
	struct jn_weighted items[MAX_ITEMS];
	struct jn_slot_list before = { 0 }, after = { 0 };
	size_t moved = 0;

	make_items(items, count);
	build(items, count, 0, &before);
	items[leaver] = items[count - 1];
	build(items, count - 1, before.count, &after);
	assert_int_equal(after.count, before.count);
	for (size_t i = 0; i < before.count; i++)
		moved += before.items[i].endpoint != after.items[i].endpoint;
	assert_true((double)moved / (double)before.count <= 1.0 / (double)count + 0.01);
	free(before.items);
	free(after.items);
}

static void test_few_move_when_one_leaves(void **state)
{
	(void)state;
	for (size_t leaver = 0; leaver < 10; leaver++)
		leaves(10, leaver);
	leaves(2, 0);
	leaves(8, 4);
	leaves(32, 7);
	leaves(33, 7);
	leaves(MAX_ITEMS, 311);
}

static void test_order_does_not_matter(void **state)
{
	struct jn_weighted items[30], swapped;
	struct jn_slot_list one = { 0 }, other = { 0 };

	(void)state;
	make_items(items, 30);
	build(items, 30, 0, &one);
	for (size_t i = 0; i < 15; i++) {
		swapped = items[i];
		items[i] = items[29 - i];
		items[29 - i] = swapped;
	}
	build(items, 30, 0, &other);
	assert_int_equal(one.count, other.count);
	assert_memory_equal(one.items, other.items, one.count * sizeof(*one.items));
	free(one.items);
	free(other.items);
}

static void test_nobody_and_the_most(void **state)
{
	struct jn_weighted *items = calloc(JN_MAX_BACKENDS, sizeof(*items));
	struct jn_slot_list slots = { 0 };
	uint8_t *seen = calloc(JN_MAX_BACKENDS + 1, 1);

	(void)state;
	assert_true(items && seen);
	build(items, 0, 0, &slots);
	assert_int_equal(slots.count, 0);
	make_items(items, JN_MAX_BACKENDS);
	items[0].weight = JN_MAX_WEIGHT; /* the others wait for a thousand rounds */
	build(items, JN_MAX_BACKENDS, 0, &slots);
	for (size_t i = 0; i < slots.count; i++)
		seen[slots.items[i].endpoint] = 1;
	assert_true(seen[1]);
	free(slots.items);
	free(items);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_is_a_prime_of_a_thousand_each),
		cmocka_unit_test(test_many_tables_of_one_object_are_smaller),
		cmocka_unit_test(test_shares_follow_the_weights),
		cmocka_unit_test(test_few_move_when_one_leaves),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_nobody_and_the_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
