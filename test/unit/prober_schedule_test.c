/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When backends are asked: spread, in order, and never too many at once.
 */
#include "prober_harness.h"

/* --- the schedule -------------------------------------------------------------------------------- */

static void test_many_are_spread_from_the_first_moment_on(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();

	(void)state;
	declare(1, probe, 1, 5000);
	declare(2, probe, 5001, 5000);
	for (unsigned tenth = 0; tenth < 300; tenth++) { /* three intervals */
		started = 0;
		run(100);
		/* 100 are to be expected; half of that, or half more, where two rounds meet. */
		assert_in_range(started, 15, 220);
	}
	assert_true(most_in_flight <= 64);
}

static void test_those_in_flight_are_bounded(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();
	uint64_t end;

	(void)state;
	declare(1, probe, 1, 5000);
	for (end = now_ms + 30000; now_ms < end;)
		step(); /* nobody answers */
	assert_int_equal(in_flight, JN_MAX_PROBES_IN_FLIGHT);
	assert_int_equal(most_in_flight, JN_MAX_PROBES_IN_FLIGHT);
	assert_null(timer); /* nothing turns while all wait */
	end_attempt(attempts, JN_OUTCOME_DOWN);
	for (end = now_ms + 10; now_ms < end;)
		step();
	assert_int_equal(in_flight, JN_MAX_PROBES_IN_FLIGHT);
	/* As they end the others come, each once before any comes again. */
	memset(is_sick, 0, sizeof(is_sick));
	started = 0;
	run(1000);
	assert_in_range(started, 3900, 5200);
	assert_int_equal(most_in_flight, JN_MAX_PROBES_IN_FLIGHT);
}

static void test_the_schedule_is_in_order(void **state)
{
	static struct jn_due dues[1000];
	struct jn_schedule s = { 0 };
	uint64_t last = 0;
	size_t left = 0;

	(void)state;
	assert_int_equal(jn_schedule_reserve(&s, JN_COUNT(dues)), 0);
	for (size_t i = 0; i < JN_COUNT(dues); i++) {
		dues[i].at_ms = random_below(500);
		jn_schedule_add(&s, &dues[i]);
	}
	for (size_t i = 0; i < JN_COUNT(dues); i++) {
		if (random_below(2))
			jn_schedule_remove(&s, &dues[i]);
		left += dues[i].place != 0;
		jn_schedule_remove(&s, &dues[random_below(2) ? i : 0]);
	}
	for (size_t i = 0; i < JN_COUNT(dues); i++) {
		if (!dues[i].place)
			jn_schedule_add(&s, &dues[i]);
	}
	assert_int_equal(s.count, JN_COUNT(dues));
	while (jn_schedule_first(&s)) {
		struct jn_due *due = jn_schedule_first(&s);

		assert_true(due->at_ms >= last);
		last = due->at_ms;
		jn_schedule_remove(&s, due);
	}
	assert_true(left > 0);
	jn_schedule_done(&s);
}

static void test_intervals(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		assert_in_range(jn_due_first(5000, 1000, i * 7919u), 5000, 5999);
		assert_in_range(jn_due_next(5000, 1000, i * 7919u), 5950, 6050);
		assert_in_range(jn_due_next(5000, 3600000, i * 7919u), 5000 + 3420000,
				5000 + 3780000);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_many_are_spread_from_the_first_moment_on),
		TEST(test_those_in_flight_are_bounded),
		cmocka_unit_test(test_the_schedule_is_in_order),
		cmocka_unit_test(test_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
