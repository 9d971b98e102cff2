/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When a TCP socket of a gone backend is ended: model/ending.h, case by case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "model/ending.h"

#define BEGIN 1000000u
#define SECOND 1000u

/* What is seen of one socket, a second apart. */
struct sight {
	uint32_t unacked;
	uint8_t is_waiting, retransmits;
};

static struct jn_stale stale_of(const struct sight *sight)
{
	return (struct jn_stale){ .cookie = 7,
				  .unacked = sight->unacked,
				  .is_waiting = sight->is_waiting,
				  .retransmits = sight->retransmits };
}

/* Look once a second until it is ended; returns after how many, `count` when it never was. */
static unsigned ended_after(int32_t drain_seconds, const struct sight *sights, unsigned count,
			    enum jn_ending *reason)
{
	struct jn_stale socket = stale_of(&sights[0]);
	struct jn_watch watch;

	jn_watch_begin(&watch, &socket, drain_seconds, BEGIN, BEGIN);
	for (unsigned i = 0; i < count; i++) {
		socket = stale_of(&sights[i]);
		*reason = jn_watch_look(&watch, &socket, BEGIN + i * SECOND);
		if (*reason != JN_ENDING_NONE)
			return i;
	}
	return count;
}

static const struct sight idle[] = { { 5, 0, 0 }, { 5, 0, 0 }, { 5, 0, 0 },
				     { 5, 0, 0 }, { 5, 0, 0 }, { 5, 0, 0 } };

static void test_healthy_connections_live(void **state)
{
	/* Sends and gets acknowledgements; retransmits now and then, and gets on. */
	static const struct sight busy[] = { { 5, 1, 0 }, { 6, 1, 1 }, { 7, 1, 2 },
					     { 8, 1, 1 }, { 9, 1, 1 }, { 10, 1, 1 } };
	/* Slow to be acknowledged, but no time-out: the network is slow, not gone. */
	static const struct sight slow[] = { { 5, 1, 0 }, { 5, 1, 0 }, { 5, 1, 0 },
					     { 5, 1, 0 }, { 5, 1, 0 }, { 5, 1, 0 } };
	enum jn_ending reason;

	(void)state;
	assert_int_equal(ended_after(JN_NEVER_DRAINED, idle, JN_COUNT(idle), &reason), 6);
	assert_int_equal(ended_after(JN_NEVER_DRAINED, busy, JN_COUNT(busy), &reason), 6);
	assert_int_equal(ended_after(JN_NEVER_DRAINED, slow, JN_COUNT(slow), &reason), 6);
}

static void test_no_progress_for_three_seconds_ends(void **state)
{
	static const struct sight stuck[] = { { 5, 1, 1 }, { 5, 1, 2 }, { 5, 1, 3 },
					      { 5, 1, 3 }, { 5, 1, 4 }, { 5, 1, 4 } };
	/* It begins to send after a while: the three seconds count from there. */
	static const struct sight late[] = { { 5, 0, 0 }, { 5, 0, 0 }, { 5, 1, 0 },
					     { 5, 1, 2 }, { 5, 1, 3 }, { 5, 1, 3 } };
	/* One byte more was acknowledged in between. */
	static const struct sight moved[] = { { 5, 1, 1 }, { 5, 1, 2 }, { 6, 1, 1 },
					      { 6, 1, 2 }, { 6, 1, 3 }, { 6, 1, 3 } };
	enum jn_ending reason;

	(void)state;
	assert_int_equal(ended_after(JN_NEVER_DRAINED, stuck, JN_COUNT(stuck), &reason), 3);
	assert_int_equal(reason, JN_ENDING_STUCK);
	assert_int_equal(ended_after(JN_NEVER_DRAINED, late, JN_COUNT(late), &reason), 5);
	assert_int_equal(reason, JN_ENDING_STUCK);
	assert_int_equal(ended_after(JN_NEVER_DRAINED, moved, JN_COUNT(moved), &reason), 5);
}

static void test_drain_seconds_end_at_their_deadline(void **state)
{
	enum jn_ending reason;

	(void)state;
	for (int32_t seconds = 0; seconds < 6; seconds++) {
		assert_int_equal(ended_after(seconds, idle, JN_COUNT(idle), &reason), seconds);
		assert_int_equal(reason, JN_ENDING_DRAINED);
	}
}

static void test_the_next_look_comes_when_something_is_due(void **state)
{
	static const struct sight waiting = { 5, 1, 1 };
	struct jn_stale quiet = stale_of(&idle[0]), stuck = stale_of(&waiting);
	struct jn_watch watch;

	(void)state;
	jn_watch_begin(&watch, &quiet, JN_NEVER_DRAINED, BEGIN, BEGIN);
	assert_int_equal(jn_watch_next_ms(&watch, BEGIN, 1000), 1000);
	jn_watch_begin(&watch, &quiet, 2, BEGIN, BEGIN);
	assert_int_equal(jn_watch_next_ms(&watch, BEGIN + 1700, 1000), 300);
	assert_int_equal(jn_watch_next_ms(&watch, BEGIN + 2000, 1000), 0);
	jn_watch_begin(&watch, &stuck, 60, BEGIN, BEGIN);
	assert_int_equal(jn_watch_next_ms(&watch, BEGIN + JN_STUCK_MS - 1, 1000), 1);
	/* Past it and no time-out yet: nothing is due. */
	assert_int_equal(jn_watch_next_ms(&watch, BEGIN + JN_STUCK_MS, 1000), 1000);
}

static void test_every_reason_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < JN_ENDING_MAX; i++)
		assert_non_null(jn_ending_name((enum jn_ending)i));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_healthy_connections_live),
		cmocka_unit_test(test_no_progress_for_three_seconds_ends),
		cmocka_unit_test(test_drain_seconds_end_at_their_deadline),
		cmocka_unit_test(test_the_next_look_comes_when_something_is_due),
		cmocka_unit_test(test_every_reason_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
