/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Choices that depend on who calls, and on how long an endpoint has been there: Maglev, SourceHash,
 * affinity, slow start, by the kernel's own functions.
 */
#include <time.h>

#include "decide_bed.h"
#include "model/maglev.h"
#include "model/slots.h"
#include "skip.h"

#define SERVICE 7
#define SET 3
#define REVISION 5
#define NUMBER 9
#define BASE 100
#define COUNT 5

static const struct jn_frontend frontend = { .service = SERVICE, .set = SET };

static struct jn_revision revision;

static void publish(uint8_t flags, struct jn_rules rules)
{
	revision.number++;
	revision.flags = flags;
	revision.rules = rules;
	put_revision(REVISION, revision);
	put_set(SET, REVISION, revision.number);
}

static uint32_t seconds(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint32_t)now.tv_sec;
}

/* Times are written as seconds of the machine's clock, which began when it was started. */
static void wants_uptime(uint32_t at_least)
{
	if (seconds() <= at_least)
		skip_because("this machine was started too short a time ago");
}

static void put_aged(uint32_t id, uint16_t weight, uint32_t since_s)
{
	struct jn_endpoint endpoint = { .addr = jn_addr_from_v4(htonl(0x0a010000 + id)),
					.port = htons(8080),
					.weight = weight,
					.service = SERVICE,
					.since_s = since_s };

	PUT(jn_endpoints, &id, &endpoint);
}

/* Endpoints 1..COUNT of weights 1..COUNT, in the slots that the controller would write. */
static void fill(enum jn_algorithm algorithm)
{
	struct jn_weighted items[COUNT];
	struct jn_slot_list slots = { 0 };

	for (uint32_t i = 0; i < COUNT; i++) {
		struct jn_addr addr = jn_addr_from_v4(htonl(0x0a010001 + i));

		items[i] = (struct jn_weighted){ i + 1, (uint16_t)(i + 1),
						 jn_client_hash(&addr, 8080) };
		put_aged(i + 1, (uint16_t)(i + 1), 0);
	}
	if (algorithm == JN_ALGORITHM_MAGLEV)
		assert_int_equal(jn_maglev_build(items, COUNT,
						 jn_maglev_size(COUNT, 0, JN_MAX_MAGLEV), &slots),
				 0);
	else
		assert_int_equal(jn_slots_build(algorithm, items, COUNT, &slots), 0);
	for (uint32_t i = 0; i < slots.count; i++)
		put_slot(BASE + i, slots.items[i]);
	revision = (struct jn_revision){ .number = revision.number,
					 .slot_base = BASE,
					 .slot_count = (uint32_t)slots.count,
					 .algorithm = (uint8_t)algorithm };
	free(slots.items);
}

static struct jn_addr client(uint32_t number)
{
	return jn_addr_from_v4(htonl(0x0a020000 + number));
}

static uint32_t choose_for(struct jn_addr who)
{
	struct test_choose io = { .frontend = frontend, .reach = TEST_REACH_V4, .client = who };

	DOOR(test_choose, &io);
	assert_int_equal(io.reason, JN_REASON_OK);
	assert_in_range(io.endpoint, 1, COUNT);
	return io.endpoint;
}

/* 4 degrees of freedom: 33.4 is reached by chance once in a million runs. */
static void assert_shares(const unsigned *counts, unsigned total)
{
	double chi_square = 0;

	for (unsigned i = 1; i <= COUNT; i++) {
		double wanted = total * i / 15.0;

		chi_square += (counts[i] - wanted) * (counts[i] - wanted) / wanted;
	}
	assert_true(chi_square < 33.4);
}

static void spreads_and_stays(enum jn_algorithm algorithm)
{
	unsigned counts[COUNT + 1] = { 0 };

	fill(algorithm);
	publish(JN_REVISION_ASKS_CLIENT, (struct jn_rules){ 0 });
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t endpoint = choose_for(client(i));

		counts[endpoint]++;
		if (i % 100 == 0)
			assert_int_equal(choose_for(client(i)), endpoint);
	}
	assert_shares(counts, 20000);
}

static void test_maglev_spreads_clients_by_weight_and_keeps_each(void **state)
{
	(void)state;
	spreads_and_stays(JN_ALGORITHM_MAGLEV);
}

static void test_source_hash_spreads_clients_by_weight_and_keeps_each(void **state)
{
	(void)state;
	spreads_and_stays(JN_ALGORITHM_SOURCE_HASH);
}

static void test_namespaces_are_clients_too(void **state)
{
	unsigned counts[COUNT + 1] = { 0 };

	(void)state;
	fill(JN_ALGORITHM_SOURCE_HASH);
	publish(JN_REVISION_ASKS_CLIENT, (struct jn_rules){ 0 });
	for (uint64_t cookie = 1; cookie <= 20000; cookie++)
		counts[choose_for(jn_client_of_netns(cookie))]++;
	assert_shares(counts, 20000);
}

/* --- affinity ---------------------------------------------------------------------------------- */

/* Fifteen times in a row by chance: less than once in ten million. */
static void assert_stays(struct jn_addr who)
{
	uint32_t first = choose_for(who);

	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(choose_for(who), first);
}

static unsigned reached(uint32_t first, unsigned times)
{
	bool seen[COUNT + 1] = { 0 };
	unsigned count = 0;

	for (unsigned i = 0; i < times; i++)
		seen[choose_for(client(first))] = true;
	for (unsigned i = 1; i <= COUNT; i++)
		count += seen[i];
	return count;
}

static void test_a_client_stays(void **state)
{
	unsigned counts[COUNT + 1] = { 0 };

	(void)state;
	fill(JN_ALGORITHM_RANDOM);
	publish(JN_REVISION_ASKS_CLIENT, (struct jn_rules){ .affinity_seconds = 100 });
	for (uint32_t i = 0; i < 20; i++)
		assert_stays(client(i));
	for (uint32_t i = 0; i < 20000; i++)
		counts[choose_for(client(1000 + i))]++;
	assert_shares(counts, 20000); /* a newcomer's choice is the algorithm's */
}

static void test_a_client_stays_with_round_robin(void **state)
{
	(void)state;
	fill(JN_ALGORITHM_ROUND_ROBIN);
	publish(JN_REVISION_ASKS_CLIENT, (struct jn_rules){ .affinity_seconds = 100 });
	assert_stays(client(50000));
	publish(0, (struct jn_rules){ 0 }); /* switched off while live */
	assert_int_equal(reached(50000, 15), COUNT);
}

static void test_a_client_leaves_an_endpoint_that_takes_nothing_new(void **state)
{
	uint32_t first;

	(void)state;
	fill(JN_ALGORITHM_RANDOM);
	publish(JN_REVISION_ASKS_CLIENT, (struct jn_rules){ .affinity_seconds = 100 });
	first = choose_for(client(60000));
	put_aged(first, 0, 0); /* draining: it stands in no new set, but is the service's */
	for (uint32_t i = 0; i < revision.slot_count; i++)
		put_slot(BASE + i,
			 (struct jn_slot){ .endpoint = first % COUNT + 1, .alias = (uint16_t)i });
	assert_int_equal(choose_for(client(60000)), first % COUNT + 1);
	put_aged(first, 1, 0);
	assert_int_equal(choose_for(client(60000)), first % COUNT + 1); /* and stays there */
}

static void put_affinity(uint32_t number, uint32_t endpoint, uint64_t seconds_ago)
{
	struct jn_affinity_key key = { .set = SET, .client = client(number) };
	struct jn_affinity value = { .used_ns = (seconds() - seconds_ago) * 1000000000ull,
				     .endpoint = endpoint };

	PUT(jn_affinity, &key, &value);
}

static uint64_t affinity_used_ns(uint32_t number)
{
	struct jn_affinity_key key = { .set = SET, .client = client(number) };
	struct jn_affinity value;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(doors->maps.jn_affinity), &key, &value),
			 0);
	return value.used_ns;
}

/* An endpoint without a slot: only the affinity leads there. */
static void test_the_timeout_counts_from_the_last_connection(void **state)
{
	uint64_t old;

	(void)state;
	wants_uptime(12);
	fill(JN_ALGORITHM_RANDOM);
	for (uint32_t i = 0; i < revision.slot_count; i++)
		put_slot(BASE + i, (struct jn_slot){ .endpoint = 1, .alias = (uint16_t)i });
	publish(JN_REVISION_ASKS_CLIENT, (struct jn_rules){ .affinity_seconds = 10 });
	put_affinity(70000, 2, 5);
	old = affinity_used_ns(70000);
	assert_int_equal(choose_for(client(70000)), 2);
	assert_true(affinity_used_ns(70000) > old);
	put_affinity(70000, 2, 12);
	assert_int_equal(choose_for(client(70000)), 1);
	put_affinity(70000, 2, 12);
	publish(JN_REVISION_ASKS_CLIENT, (struct jn_rules){ .affinity_seconds = 20 }); /* live */
	assert_int_equal(choose_for(client(70000)), 2);
}

static void test_an_affinity_of_another_service_leads_nowhere(void **state)
{
	(void)state;
	fill(JN_ALGORITHM_RANDOM);
	publish(JN_REVISION_ASKS_CLIENT, (struct jn_rules){ .affinity_seconds = 10 });
	put_endpoint(9, SERVICE + 1, "10.9.9.9", 1);
	put_affinity(80000, 9, 0);
	assert_in_range(choose_for(client(80000)), 1, COUNT);
}

/* --- slow start -------------------------------------------------------------------------------- */

/* The share of endpoint 5 (weight 5 of 15) at this age of a 100 s slow start. */
static double share_at(enum jn_algorithm algorithm, uint32_t age_s)
{
	unsigned hits = 0, draws = 30000;

	fill(algorithm);
	put_aged(5, 5, seconds() - age_s);
	publish(JN_REVISION_SLOW_STARTS | JN_REVISION_ASKS_CLIENT,
		(struct jn_rules){ .slow_start_seconds = 100 });
	for (uint32_t i = 0; i < draws; i++)
		hits += choose_for(client(i)) == 5;
	return (double)hits / draws;
}

static void assert_near(double seen, double wanted)
{
	assert_true(seen > wanted - 0.015 && seen < wanted + 0.015); /* 5 sigma of 30,000 draws */
}

/* A share of weight w kept with probability p: w p / (10 + w p). */
static void test_the_share_of_a_newcomer_grows(void **state)
{
	static const enum jn_algorithm all[] = { JN_ALGORITHM_RANDOM, JN_ALGORITHM_ROUND_ROBIN,
						 JN_ALGORITHM_MAGLEV, JN_ALGORITHM_SOURCE_HASH };

	(void)state;
	wants_uptime(110);
	for (unsigned i = 0; i < 4; i++) {
		assert_near(share_at(all[i], 0), 0.5 / 10.5);
		assert_near(share_at(all[i], 50), 2.75 / 12.75);
		assert_near(share_at(all[i], 110), 5.0 / 15);
	}
}

static void test_newcomers_alone_share_as_ever(void **state)
{
	unsigned counts[COUNT + 1] = { 0 };

	(void)state;
	fill(JN_ALGORITHM_RANDOM);
	for (uint32_t i = 1; i <= COUNT; i++)
		put_aged(i, (uint16_t)i, seconds());
	publish(JN_REVISION_SLOW_STARTS, (struct jn_rules){ .slow_start_seconds = 100 });
	for (uint32_t i = 0; i < 20000; i++)
		counts[choose_for(client(i))]++;
	assert_shares(counts, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maglev_spreads_clients_by_weight_and_keeps_each),
		cmocka_unit_test(test_source_hash_spreads_clients_by_weight_and_keeps_each),
		cmocka_unit_test(test_namespaces_are_clients_too),
		cmocka_unit_test(test_a_client_stays),
		cmocka_unit_test(test_a_client_stays_with_round_robin),
		cmocka_unit_test(test_a_client_leaves_an_endpoint_that_takes_nothing_new),
		cmocka_unit_test(test_the_timeout_counts_from_the_last_connection),
		cmocka_unit_test(test_an_affinity_of_another_service_leads_nowhere),
		cmocka_unit_test(test_the_share_of_a_newcomer_grows),
		cmocka_unit_test(test_newcomers_alone_share_as_ever),
	};

	return cmocka_run_group_tests(tests, load_doors, unload_doors);
}
