/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The loop: who gets his turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/loop.h"

#define MAX_TURNS 1000000

struct chain {
	struct jn_loop *loop;
	struct jn_alarm *alarm;
	unsigned turns;
	bool is_done; /* the work on the other thread */
};

static void work(void *arg)
{
	(void)arg;
}

static void on_worked(void *arg)
{
	struct chain *chain = arg;

	chain->is_done = true;
}

static bool goes_on(struct chain *chain)
{
	return !chain->is_done && ++chain->turns < MAX_TURNS;
}

static void next_timer(void *arg)
{
	struct chain *chain = arg;
	struct jn_timer *timer;

	if (goes_on(chain))
		assert_int_equal(jn_timer_start(chain->loop, 0, next_timer, chain, &timer), 0);
}

static void next_alarm(void *arg)
{
	struct chain *chain = arg;

	if (goes_on(chain))
		jn_alarm_set(chain->alarm, 0);
	else
		jn_alarm_free(&chain->alarm);
}

static void run_chain(struct chain *chain)
{
	assert_int_equal(jn_loop_submit(chain->loop, work, on_worked, chain), 0);
	jn_loop_run(chain->loop);
	assert_true(chain->is_done);
	assert_in_range(chain->turns, 0, MAX_TURNS - 1);
	jn_loop_free(&chain->loop);
}

/* Work in slices (engine/verify.c) kept all others waiting until it was over. */
static void test_a_timer_of_0_that_starts_another_lets_others_in(void **state)
{
	struct chain chain = { 0 };

	(void)state;
	assert_int_equal(jn_loop_new(&chain.loop), 0);
	next_timer(&chain);
	run_chain(&chain);
}

static void test_an_alarm_of_0_that_is_set_anew_lets_others_in(void **state)
{
	struct chain chain = { 0 };

	(void)state;
	assert_int_equal(jn_loop_new(&chain.loop), 0);
	assert_int_equal(jn_alarm_new(chain.loop, next_alarm, &chain, &chain.alarm), 0);
	jn_alarm_set(chain.alarm, 0);
	run_chain(&chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_timer_of_0_that_starts_another_lets_others_in),
		cmocka_unit_test(test_an_alarm_of_0_that_is_set_anew_lets_others_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
