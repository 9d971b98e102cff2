/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long a backend is ejected, and for whom, by the kernel's own functions on entries of jn_live
 * whose times lie where a test needs them. Real connections: test_live.py.
 */
#include <time.h>

#include "decide_bed.h"

#define SERVICE 7
#define SET 3
#define LIVE 2
#define SECOND 1000000000ull

static const struct jn_rules rules = { .eject_failures = 1,
				       .eject_window_s = 30,
				       .eject_s = 10,
				       .eject_max_s = 300,
				       .eject_percent = 100 };

static uint64_t now(void)
{
	struct timespec time;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &time), 0);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static void put_live(struct jn_live value)
{
	uint32_t id = LIVE;

	PUT(jn_live, &id, &value);
}

static struct jn_live get_live(void)
{
	struct jn_live value;
	uint32_t id = LIVE;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(doors->maps.jn_live), &id, &value), 0);
	return value;
}

/* One endpoint, which may be out. */
static int publish_one(void **state)
{
	struct jn_endpoint endpoint = {
		.addr = addr_of("10.1.0.1"), .weight = 1, .service = SERVICE, .live = LIVE
	};
	uint32_t id = 1;

	(void)state;
	PUT(jn_endpoints, &id, &endpoint);
	put_slot(0, (struct jn_slot){ .endpoint = 1 });
	put_revision(1, (struct jn_revision){ .number = 1,
					      .slot_count = 1,
					      .member_count = 1,
					      .flags = JN_REVISION_ASKS_BACKEND |
						       JN_REVISION_COUNTS | JN_REVISION_WATCHES,
					      .rules = rules });
	put_set(SET, 1, 1);
	return 0;
}

static void end_connection(uint32_t flags, bool is_failure)
{
	struct test_end io = { .record = { .service = SERVICE,
					   .set = SET,
					   .endpoint = 1,
					   .flags = JN_SOCKET_WATCHED | flags,
					   .at_backend = { .live = LIVE } },
			       .is_failure = is_failure };

	DOOR(test_end, &io);
}

static uint32_t use_by(struct jn_rules who)
{
	struct test_use io = { .rules = who, .live = LIVE };

	DOOR(test_use, &io);
	return io.use;
}

/* It was ejected just now, for so long. */
static void assert_out_for(uint64_t seconds)
{
	uint64_t until = get_live().out_until_ns, at = now();

	assert_true(until > at + (seconds - 1) * SECOND && until <= at + seconds * SECOND);
}

static void test_a_trial_that_fails_makes_it_longer_up_to_the_longest(void **state)
{
	(void)state;
	put_live((struct jn_live){ 0 });
	end_connection(0, true);
	for (unsigned n = 1; n <= 40; n++) {
		assert_out_for(n * 10 < 300 ? n * 10 : 300);
		end_connection(JN_SOCKET_TRIAL, true);
	}
}

/* What was compared with the longest ejection was the age of the failures, which is less always. */
static void test_a_row_of_ejections_ends_in_good_standing(void **state)
{
	(void)state;
	put_live((struct jn_live){ .ejections = 5, .back_ns = now() - 302 * SECOND });
	end_connection(0, true);
	assert_out_for(10);
	put_live((struct jn_live){ .ejections = 5, .back_ns = now() - 290 * SECOND });
	end_connection(0, true);
	assert_out_for(60);
}

static void test_good_standing_begins_when_it_is_back(void **state)
{
	struct jn_live live;

	(void)state;
	put_live((struct jn_live){ .ejections = 5, .out_until_ns = now() - 1 });
	end_connection(JN_SOCKET_TRIAL, false);
	live = get_live();
	assert_int_equal(live.out_until_ns, 0);
	assert_true(live.back_ns > now() - SECOND);
	end_connection(0, true);
	assert_out_for(60);
}

static void test_one_connection_tries_it(void **state)
{
	(void)state;
	put_live((struct jn_live){ .out_until_ns = now() + 5 * SECOND });
	assert_int_equal(use_by(rules), TEST_USE_OUT);
	put_live((struct jn_live){ .out_until_ns = now() - 1 });
	assert_int_equal(use_by(rules), TEST_USE_TRIAL);
	assert_int_equal(use_by(rules), TEST_USE_OUT);
}

/* Its connections are not watched: it took the trial of others, whose backend stayed out. */
static void test_a_service_without_ejection_takes_no_trial(void **state)
{
	static const struct jn_rules limits = { .max_backend_connections = 10 };
	uint64_t until = now() - 1;

	(void)state;
	put_live((struct jn_live){ .out_until_ns = until });
	assert_int_equal(use_by(limits), TEST_USE_YES);
	assert_int_equal(get_live().out_until_ns, until);
	assert_int_equal(use_by(rules), TEST_USE_TRIAL);
	assert_int_equal(use_by(limits), TEST_USE_YES);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_trial_that_fails_makes_it_longer_up_to_the_longest,
				       publish_one),
		cmocka_unit_test_setup(test_a_row_of_ejections_ends_in_good_standing, publish_one),
		cmocka_unit_test_setup(test_good_standing_begins_when_it_is_back, publish_one),
		cmocka_unit_test_setup(test_one_connection_tries_it, publish_one),
		cmocka_unit_test_setup(test_a_service_without_ejection_takes_no_trial, publish_one),
	};

	return cmocka_run_group_tests(tests, load_doors, unload_doors);
}
