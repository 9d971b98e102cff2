/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How LeastConnections and Ewma spread connections, and that no more than the declared share of a set
 * is ever ejected: the kernel's own functions on entries of jn_live that a test fills. Real servers:
 * test_live.py, test_unplugged.py.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <time.h>

#include "decide_bed.h"
#include "model/rules.h"
#include "model/slots.h"
#include "test/unit/random.h"

/* Endpoint i is i + 1, and so is its entry of jn_live. */
#define SERVICE 7
#define SET 3
#define BASE 100
#define MOST 8
#define DRAWS 60000
#define SECOND 1000000000ull

/* What a chi-square of so many degrees of freedom, 1.., exceeds by chance once in a million runs. */
static const double improbable[] = { 23.9, 27.6, 30.7, 33.4, 35.9, 38.3, 40.5 };

static const struct jn_frontend frontend = { .service = SERVICE, .set = SET };

struct backend {
	uint16_t weight;
	uint32_t open;
	uint32_t answer_us;
};

static uint64_t now(void)
{
	struct timespec time;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &time), 0);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static void put_live(uint32_t id, struct jn_live value)
{
	PUT(jn_live, &id, &value);
}

static struct jn_live get_live(uint32_t id)
{
	struct jn_live value;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(doors->maps.jn_live), &id, &value), 0);
	return value;
}

static void put_backend(uint32_t id, const struct backend *backend)
{
	put_live(id, (struct jn_live){ .open = backend->open,
				       .answer_us = backend->answer_us,
				       .answer_ms = (uint32_t)(now() / 1000000) });
}

static void publish(enum jn_algorithm algorithm, const struct backend *backends, uint32_t count,
		    struct jn_rules rules)
{
	struct jn_weighted items[MOST];
	struct jn_slot_list slots = { 0 };

	assert_true(count <= MOST);
	for (uint32_t i = 0; i < count; i++) {
		struct jn_endpoint endpoint = { .addr = addr_of("10.1.0.1"),
						.port = htons(8080),
						.weight = backends[i].weight,
						.service = SERVICE,
						.live = i + 1 };
		uint32_t id = i + 1;

		items[i] = (struct jn_weighted){ .endpoint = id, .weight = backends[i].weight };
		PUT(jn_endpoints, &id, &endpoint);
		put_backend(id, &backends[i]);
	}
	assert_int_equal(jn_slots_build(algorithm, items, count, &slots), 0);
	assert_int_equal(slots.count, count);
	for (uint32_t i = 0; i < count; i++)
		put_slot(BASE + i, slots.items[i]);
	free(slots.items);
	put_revision(1,
		     (struct jn_revision){ .number = 1,
					   .slot_base = BASE,
					   .slot_count = count,
					   .algorithm = (uint8_t)algorithm,
					   .flags = jn_rules_flags(&rules, algorithm, IPPROTO_TCP),
					   .rules = rules,
					   .member_base = BASE,
					   .member_count = count });
	put_set(SET, 1, 1);
}

/* --- the better of two --------------------------------------------------------------------------- */

static double cost(enum jn_algorithm algorithm, const struct backend *b)
{
	double waiting = (b->open + 1.0) / b->weight;

	return algorithm == JN_ALGORITHM_EWMA ? waiting * b->answer_us : waiting;
}

/*
 * How often each is the answer: the first draw by weight, then draws until another one comes, then
 * the cheaper of both; the first one where they cost the same, and where no other one came.
 */
static void expect(enum jn_algorithm algorithm, const struct backend *backends, uint32_t count,
		   double *shares)
{
	double sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		shares[i] = 0;
		sum += backends[i].weight;
	}
	for (uint32_t i = 0; i < count; i++) {
		double first = backends[i].weight / sum, alone = 1;

		for (int draw = 1; draw < JN_MAX_REDRAWS; draw++)
			alone *= first;
		shares[i] += first * alone;
		for (uint32_t j = 0; j < count; j++) {
			double next = backends[j].weight / sum / (1 - first) * (1 - alone);
			bool is_better = cost(algorithm, &backends[j]) <
					 cost(algorithm, &backends[i]);

			if (i != j)
				shares[is_better ? j : i] += first * next;
		}
	}
}

static void count_choices(uint32_t count, unsigned draws, unsigned *counts)
{
	memset(counts, 0, MOST * sizeof(*counts));
	for (unsigned i = 0; i < draws; i++) {
		struct test_choose io = choose(frontend, TEST_REACH_V4);

		assert_int_equal(io.reason, JN_REASON_OK);
		assert_in_range(io.endpoint, 1, count);
		counts[io.endpoint - 1]++;
	}
}

static void assert_spread(enum jn_algorithm algorithm, const struct backend *backends,
			  uint32_t count)
{
	double shares[MOST], chi_square = 0;
	unsigned counts[MOST], freedom = 0;

	publish(algorithm, backends, count, (struct jn_rules){ 0 });
	expect(algorithm, backends, count, shares);
	count_choices(count, DRAWS, counts);
	for (uint32_t i = 0; i < count; i++) {
		double wanted = shares[i] * DRAWS;

		if (wanted < 5) { /* too rare for the approximation */
			assert_true(counts[i] < 40);
			continue;
		}
		chi_square += (counts[i] - wanted) * (counts[i] - wanted) / wanted;
		freedom++;
	}
	assert_true(freedom > 1);
	assert_true(chi_square < improbable[freedom - 2]);
}

static void test_least_connections_takes_the_better_of_two(void **state)
{
	static const struct backend equal[] = { { 1, 3, 0 }, { 1, 3, 0 }, { 1, 3, 0 } };
	static const struct backend stairs[] = {
		{ 1, 0, 0 }, { 1, 1, 0 }, { 1, 2, 0 }, { 1, 3, 0 }, { 1, 10, 0 }
	};
	static const struct backend weighted[] = {
		{ 1, 2, 0 }, { 2, 2, 0 }, { 3, 9, 0 }, { 10, 25, 0 }
	};

	(void)state;
	assert_spread(JN_ALGORITHM_LEAST_CONNECTIONS, equal, 3);
	assert_spread(JN_ALGORITHM_LEAST_CONNECTIONS, stairs, 5);
	assert_spread(JN_ALGORITHM_LEAST_CONNECTIONS, weighted, 4);
}

static void test_ewma_takes_the_better_of_two(void **state)
{
	static const struct backend equal[] = { { 1, 0, 900 }, { 2, 1, 900 }, { 3, 2, 900 } };
	static const struct backend one_slow[] = {
		{ 1, 0, 10000 }, { 1, 0, 1000 }, { 1, 0, 1100 }, { 1, 0, 1200 }
	};
	static const struct backend waiting[] = {
		{ 1, 9, 1000 }, { 1, 0, 9000 }, { 2, 0, 8000 }, { 1, 1, 3000 }
	};

	(void)state;
	assert_spread(JN_ALGORITHM_EWMA, equal, 3);
	assert_spread(JN_ALGORITHM_EWMA, one_slow, 4);
	assert_spread(JN_ALGORITHM_EWMA, waiting, 4);
}

/* Of a pair the slow one is hardly ever taken; as its bad time is forgotten it is again. */
static void test_ewma_leaves_the_slow_one_until_its_time_is_forgotten(void **state)
{
	static const struct backend pair[] = { { 1, 0, 20000 }, { 1, 0, 200000 } };
	uint32_t long_ago = (uint32_t)(now() / 1000000) - (6u << 12);
	unsigned counts[MOST];

	(void)state;
	publish(JN_ALGORITHM_EWMA, pair, 2, (struct jn_rules){ 0 });
	count_choices(2, 2000, counts);
	assert_true(counts[1] < 50); /* 8 wanted: eight draws of itself */
	put_live(2, (struct jn_live){ .answer_us = 200000, .answer_ms = long_ago });
	count_choices(2, 2000, counts);
	assert_true(counts[1] > 1950);
}

/* Connections stay open: the counts follow the weights and never lie far apart. */
static void test_least_connections_stays_level(void **state)
{
	static const struct backend backends[] = {
		{ 1, 0, 0 }, { 1, 0, 0 }, { 2, 0, 0 }, { 4, 0, 0 }
	};
	struct backend held[4];

	(void)state;
	memcpy(held, backends, sizeof(held));
	publish(JN_ALGORITHM_LEAST_CONNECTIONS, backends, 4, (struct jn_rules){ 0 });
	for (unsigned i = 0; i < 1600; i++) {
		uint32_t id = choose(frontend, TEST_REACH_V4).endpoint;

		held[id - 1].open++;
		put_backend(id, &held[id - 1]);
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_true(held[i].open >= 190u * held[i].weight);
		assert_true(held[i].open <= 210u * held[i].weight);
	}
}

/* --- never more than the share ------------------------------------------------------------------- */

static struct jn_rules ejecting(uint32_t percent)
{
	return (struct jn_rules){ .eject_failures = 2,
				  .eject_window_s = 30,
				  .eject_s = 10,
				  .eject_max_s = 300,
				  .eject_percent = (uint8_t)percent };
}

static void end_connection(uint32_t id, uint32_t flags, bool is_failure)
{
	struct test_end io = { .record = { .service = SERVICE,
					   .set = SET,
					   .endpoint = id,
					   .flags = JN_SOCKET_WATCHED | flags,
					   .at_backend = { .live = id } },
			       .is_failure = is_failure };

	DOOR(test_end, &io);
}

static unsigned count_out(uint32_t count)
{
	unsigned out = 0;

	for (uint32_t id = 1; id <= count; id++)
		out += get_live(id).out_until_ns != 0;
	return out;
}

static void publish_ejecting(uint32_t count, uint32_t percent)
{
	struct backend backends[MOST];

	for (uint32_t i = 0; i < count; i++)
		backends[i] = (struct backend){ .weight = 1 };
	publish(JN_ALGORITHM_RANDOM, backends, count, ejecting(percent));
}

static void test_never_more_than_the_share_is_out(void **state)
{
	unsigned most_out = 0;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		uint32_t count = 1 + random_below(MOST), percent = random_below(101);

		publish_ejecting(count, percent);
		for (unsigned step = 0; step < 60; step++) {
			uint32_t id = 1 + random_below(count);
			bool is_trial = get_live(id).out_until_ns && random_below(4) == 0;
			unsigned out;

			end_connection(id, is_trial ? JN_SOCKET_TRIAL : 0, random_below(5) != 0);
			out = count_out(count);
			assert_true(out * 100 <= count * percent);
			most_out = out > most_out ? out : most_out;
		}
	}
	assert_true(most_out > MOST / 2); /* and it does eject */
}

static void *fail_all(void *arg)
{
	const uint32_t *count = arg;

	for (unsigned i = 0; i < 3000; i++)
		end_connection(1 + i % *count, 0, true);
	return NULL;
}

/* Both judge at once: whoever comes last sees what the other one did. */
static void test_two_that_eject_at_once_keep_the_share(void **state)
{
	uint32_t count = MOST;
	pthread_t other;

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		publish_ejecting(count, 50);
		assert_int_equal(pthread_create(&other, NULL, fail_all, &count), 0);
		(void)fail_all(&count);
		assert_int_equal(pthread_join(other, NULL), 0);
		assert_true(count_out(count) * 100 <= count * 50);
	}
}

/* Whoever is out is not chosen, as long as somebody is in, by any algorithm. */
static void test_nobody_out_is_chosen(void **state)
{
	static const struct backend backends[] = {
		{ 1, 0, 500 }, { 5, 0, 100 }, { 1, 3, 900 }, { 9, 0, 100 }
	};
	static const enum jn_algorithm algorithms[] = { JN_ALGORITHM_RANDOM,
							JN_ALGORITHM_LEAST_CONNECTIONS,
							JN_ALGORITHM_EWMA };
	unsigned counts[MOST];

	(void)state;
	for (unsigned i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		publish(algorithms[i], backends, 4, ejecting(100));
		put_live(2, (struct jn_live){ .out_until_ns = now() + 600 * SECOND });
		put_live(4, (struct jn_live){ .out_until_ns = now() + 600 * SECOND });
		count_choices(4, 3000, counts);
		assert_int_equal(counts[1] + counts[3], 0);
		assert_true(counts[0] && counts[2]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least_connections_takes_the_better_of_two),
		cmocka_unit_test(test_ewma_takes_the_better_of_two),
		cmocka_unit_test(test_ewma_leaves_the_slow_one_until_its_time_is_forgotten),
		cmocka_unit_test(test_least_connections_stays_level),
		cmocka_unit_test(test_never_more_than_the_share_is_out),
		cmocka_unit_test(test_two_that_eject_at_once_keep_the_share),
		cmocka_unit_test(test_nobody_out_is_chosen),
	};

	return cmocka_run_group_tests(tests, load_doors, unload_doors);
}
