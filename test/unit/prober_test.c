/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is asked when, and what follows from the outcomes: the prober over attempts, timers and a clock
 * that the test moves. The three stand in for the loop's and the kernel's; test_probes.py has those.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/log.h"
#include "loop/loop.h"
#include "probe/attempt.h"
#include "probe/health.h"
#include "probe/prober.h"
#include "probe/schedule.h"
#include "random.h"

#define MAX_LIVES 20001
#define BEGIN_MS 1000000u

/* --- the clock, one timer, attempts -------------------------------------------------------------- */

static uint64_t now_ms;

int clock_gettime(clockid_t clock, struct timespec *out)
{
	(void)clock;
	out->tv_sec = (time_t)(now_ms / 1000);
	out->tv_nsec = (long)(now_ms % 1000) * 1000000;
	return 0;
}

struct jn_timer {
	uint64_t due_ms;
	void (*fn)(void *arg);
	void *arg;
};
static struct jn_timer *timer; /* the prober has one */

int jn_timer_start(struct jn_loop *loop, uint64_t delay_ms, void (*fn)(void *arg), void *arg,
		   struct jn_timer **out)
{
	(void)loop;
	assert_null(timer);
	timer = malloc(sizeof(*timer));
	assert_non_null(timer);
	*timer = (struct jn_timer){ now_ms + delay_ms, fn, arg };
	*out = timer;
	return 0;
}

void jn_timer_stop(struct jn_timer **stopped)
{
	if (!*stopped)
		return;
	assert_ptr_equal(*stopped, timer);
	free(timer);
	timer = *stopped = NULL;
}

struct jn_attempt {
	struct jn_attempt_options options;
	struct jn_attempt *next;
};
static struct jn_attempt *attempts; /* in flight, the youngest first */
static unsigned in_flight, most_in_flight, started;
static bool refuses_attempts;

int jn_attempt_start(const struct jn_attempt_options *options, struct jn_attempt **out)
{
	struct jn_attempt *attempt;

	if (refuses_attempts)
		return -ENOMEM;
	attempt = malloc(sizeof(*attempt));
	assert_non_null(attempt);
	*attempt = (struct jn_attempt){ *options, attempts };
	attempts = attempt;
	in_flight++;
	started++;
	if (in_flight > most_in_flight)
		most_in_flight = in_flight;
	*out = attempt;
	return 0;
}

void jn_attempt_stop(struct jn_attempt **stopped)
{
	struct jn_attempt **at = &attempts;

	if (!*stopped)
		return;
	while (*at != *stopped)
		at = &(*at)->next;
	*at = (*stopped)->next;
	in_flight--;
	free(*stopped);
	*stopped = NULL;
}

static void end_attempt(struct jn_attempt *attempt, enum jn_outcome outcome)
{
	struct jn_attempt_options options = attempt->options;

	jn_attempt_stop(&attempt);
	options.done(options.arg, outcome, outcome == JN_OUTCOME_UP ? "" : "broken");
}

/* --- the prober ---------------------------------------------------------------------------------- */

static struct jn_prober *prober;
static bool is_down[MAX_LIVES], is_sick[MAX_LIVES]; /* by live: as told; what its probes say */
static bool is_unknown[MAX_LIVES];
static unsigned stores;

static void set_down(void *arg, uint32_t live, bool down)
{
	(void)arg;
	assert_true(live && live < MAX_LIVES && is_down[live] != down);
	is_down[live] = down;
	stores++;
}

static int setup(void **state)
{
	struct jn_prober_options options = { .set_down = set_down };

	(void)state;
	jn_log_set_level(JN_LOG_ERROR);
	now_ms = BEGIN_MS;
	memset(is_down, 0, sizeof(is_down));
	memset(is_sick, 0, sizeof(is_sick));
	memset(is_unknown, 0, sizeof(is_unknown));
	stores = started = most_in_flight = 0;
	refuses_attempts = false;
	return jn_prober_new(&options, &prober);
}

static int teardown(void **state)
{
	(void)state;
	jn_prober_close(&prober);
	assert_null(timer);
	assert_null(attempts);
	return 0;
}

static struct jn_probe *new_probe(void)
{
	struct jn_probe *probe = jn_probe_new();

	assert_non_null(probe);
	return probe; /* every 10 s, 3 failures, 1 success */
}

/* 10.x.y.z of its entry of jn_live. */
static struct jn_probed_endpoint endpoint_of(uint32_t live)
{
	struct jn_probed_endpoint endpoint = { .port = htons(80), .live = live, .takes_new = true };

	endpoint.addr.w[2] = htonl(0xffff);
	endpoint.addr.w[3] = htonl(0x0a000000 | live);
	endpoint.is_down = is_down[live];
	return endpoint;
}

/* The port of this service has the entries first..first+count-1; probe NULL: it goes. */
static void declare(uint32_t service, struct jn_probe *probe, uint32_t first, size_t count)
{
	JN_AUTO(jn_free_mem)
	struct jn_probed_endpoint *endpoints = calloc(count + 1, sizeof(*endpoints));
	struct jn_probed_port port = {
		.service = service,
		.namespace_ = "default",
		.name = "web",
		.port_name = "",
		.probe = probe,
		.max_percent = 50,
		.endpoints = endpoints,
		.count = count,
	};

	assert_non_null(endpoints);
	for (size_t i = 0; i < count; i++)
		endpoints[i] = endpoint_of(first + (uint32_t)i);
	jn_prober_change(prober, &port);
}

static uint32_t live_of(const struct jn_attempt *attempt)
{
	return ntohl(attempt->options.addr.w[3]) & 0xffffff;
}

/* Time goes on; attempts end at once, as is_sick and is_unknown say. */
static void run(uint64_t ms)
{
	for (uint64_t end = now_ms + ms; now_ms < end; now_ms++) {
		if (timer && timer->due_ms <= now_ms) {
			struct jn_timer fired = *timer;

			free(timer);
			timer = NULL;
			fired.fn(fired.arg);
		}
		while (attempts) {
			uint32_t live = live_of(attempts);

			end_attempt(attempts, is_unknown[live] ? JN_OUTCOME_UNKNOWN
					      : is_sick[live]  ? JN_OUTCOME_DOWN
							       : JN_OUTCOME_UP);
		}
	}
}

static size_t count_down(uint32_t first, size_t count)
{
	size_t down = 0;

	for (size_t i = 0; i < count; i++)
		down += is_down[first + i];
	return down;
}

static struct jn_probe_stats stats(void)
{
	struct jn_probe_stats out;

	jn_prober_stats(prober, &out);
	return out;
}

/* --- verdicts ------------------------------------------------------------------------------------ */

static void test_thresholds(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();
	struct jn_health health = { 0 };

	(void)state;
	probe->success_threshold = 2;
	for (unsigned i = 0; i < 5; i++) { /* never three in a row */
		assert_false(jn_health_note(&health, probe, false));
		assert_false(jn_health_note(&health, probe, false));
		assert_false(jn_health_note(&health, probe, true));
	}
	assert_false(jn_health_note(&health, probe, false));
	assert_false(jn_health_note(&health, probe, false));
	assert_true(jn_health_note(&health, probe, false));
	assert_true(health.is_down);
	assert_false(jn_health_note(&health, probe, false));
	assert_false(jn_health_note(&health, probe, true));
	assert_false(jn_health_note(&health, probe, false));
	assert_false(jn_health_note(&health, probe, true));
	assert_true(jn_health_note(&health, probe, true));
	assert_false(health.is_down);
}

static void test_a_backend_goes_down_and_comes_back(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();

	(void)state;
	declare(1, probe, 1, 4);
	run(30000);
	assert_int_equal(stores, 0);
	is_sick[2] = true;
	run(19000);
	assert_int_equal(count_down(1, 4), 0); /* at most two probes */
	run(13000);
	assert_true(is_down[2] && count_down(1, 4) == 1);
	assert_int_equal(stats().down, 1);
	assert_int_equal(stats().backends, 4);
	assert_string_equal(jn_prober_reason(prober, 2), "broken");
	assert_null(jn_prober_reason(prober, 1));
	assert_null(jn_prober_reason(prober, 99));
	is_sick[2] = false;
	run(11000);
	assert_int_equal(count_down(1, 4), 0);
	assert_int_equal(stores, 2);
	assert_null(jn_prober_reason(prober, 2));
	assert_int_equal(stats().failed, 3 + (stats().failed > 3));
}

static void test_what_says_nothing_changes_nothing(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();

	(void)state;
	declare(1, probe, 1, 4);
	is_sick[1] = true;
	run(18000);
	is_unknown[1] = true;
	run(100000);
	assert_int_equal(stores, 0);
	is_unknown[1] = false;
	run(33000);
	assert_true(is_down[1]);
	is_unknown[1] = true;
	run(100000);
	assert_true(is_down[1]);
	refuses_attempts = true;
	run(100000);
	assert_true(is_down[1]);
	refuses_attempts = false;
	is_sick[1] = is_unknown[1] = false;
	run(11000);
	assert_false(is_down[1]);
}

/* --- panic --------------------------------------------------------------------------------------- */

static void test_more_than_the_share_and_all_are_in(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();

	(void)state;
	declare(1, probe, 1, 4);
	is_sick[1] = is_sick[2] = true;
	run(40000);
	assert_int_equal(count_down(1, 4), 2); /* half is not more than half */
	is_sick[3] = true;
	run(40000);
	assert_int_equal(count_down(1, 4), 0);
	assert_int_equal(stats().panics, 1);
	run(100000);
	assert_int_equal(stats().panics, 1);
	declare(1, probe, 1, 4); /* whatever is declared meanwhile */
	assert_int_equal(count_down(1, 4), 0);
	assert_int_equal(stats().panics, 1);
	is_sick[1] = false;
	run(11000);
	assert_true(is_down[2] && is_down[3] && count_down(1, 4) == 2);
	declare(1, probe, 1, 6); /* more of them */
	is_sick[1] = true;
	run(40000);
	assert_int_equal(count_down(1, 6), 3);
	declare(1, probe, 1, 5); /* fewer */
	assert_int_equal(count_down(1, 6), 0);
	assert_int_equal(stats().panics, 2);
}

static void test_who_takes_nothing_new_does_not_count(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();
	struct jn_probed_endpoint endpoints[4];
	struct jn_probed_port port = { .service = 1,
				       .namespace_ = "default",
				       .name = "web",
				       .port_name = "http",
				       .probe = probe,
				       .max_percent = 50,
				       .endpoints = endpoints,
				       .count = 4 };

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		endpoints[i] = endpoint_of(i + 1);
	endpoints[2].takes_new = endpoints[3].takes_new = false;
	jn_prober_change(prober, &port);
	is_sick[3] = is_sick[4] = is_sick[1] = true;
	run(40000);
	assert_true(is_down[1] && is_down[3] && is_down[4]); /* one of two */
	is_sick[2] = true;
	run(40000);
	assert_int_equal(count_down(1, 4), 0);
}

static void test_one_backend_alone_is_never_down(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();

	(void)state;
	declare(1, probe, 1, 1);
	is_sick[1] = true;
	run(100000);
	assert_int_equal(stores, 0);
	assert_int_equal(stats().panics, 1);
}

/* --- sharing ------------------------------------------------------------------------------------- */

static void test_two_services_ask_once(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();
	JN_AUTO(jn_probe_unref) struct jn_probe *same = new_probe();
	JN_AUTO(jn_probe_unref) struct jn_probe *other = new_probe();

	(void)state;
	other->type = JN_PROBE_HTTP;
	declare(1, probe, 1, 4);
	declare(2, same, 1, 4);
	run(100000);
	assert_in_range(started, 36, 44);
	declare(3, other, 1, 4);
	started = 0;
	run(100000);
	assert_in_range(started, 72, 88);
	declare(1, NULL, 0, 0);
	declare(3, NULL, 0, 0);
	started = 0;
	run(100000);
	assert_in_range(started, 36, 44);
	declare(2, NULL, 0, 0);
	started = 0;
	run(100000);
	assert_int_equal(started, 0);
	assert_int_equal(stats().backends, 0);
}

/* One backend of a small service must not bring all of a big one back in. */
static void test_panic_is_a_matter_of_one_service(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();

	(void)state;
	declare(1, probe, 1, 4);
	declare(2, probe, 1, 1);
	is_sick[1] = true;
	run(40000);
	assert_true(is_down[1]);
	assert_int_equal(stats().panics, 1);
	declare(1, NULL, 0, 0);
	assert_false(is_down[1]); /* now only the small one is left, and it is in panic */
	declare(1, probe, 1, 4);
	assert_true(is_down[1]); /* the verdict was kept by the other one */
}

/* Two ports of one address with a probe at one port: one target, two backends. */
static void test_a_target_of_two_backends(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();
	struct jn_probed_endpoint endpoints[6];
	struct jn_probed_port port = { .service = 1,
				       .namespace_ = "default",
				       .name = "web",
				       .port_name = "",
				       .probe = probe,
				       .max_percent = 50,
				       .endpoints = endpoints,
				       .count = 6 };

	(void)state;
	probe->port = 9000;
	for (uint32_t i = 0; i < 6; i++)
		endpoints[i] = endpoint_of(i + 1);
	endpoints[1].addr = endpoints[0].addr;
	endpoints[1].port = htons(81);
	jn_prober_change(prober, &port);
	is_sick[1] = true;
	run(40000);
	assert_true(is_down[1] && is_down[2] && count_down(1, 6) == 2);
	is_sick[1] = false;
	run(11000);
	assert_int_equal(count_down(1, 6), 0);
}

/* --- change, restart ----------------------------------------------------------------------------- */

static void test_a_changed_probe_goes_on_with_the_verdict(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();
	JN_AUTO(jn_probe_unref) struct jn_probe *changed = new_probe();

	(void)state;
	changed->interval_seconds = 7;
	declare(1, probe, 1, 4);
	is_sick[1] = true;
	run(40000);
	stores = 0;
	declare(1, changed, 1, 4);
	assert_int_equal(stores, 0);
	run(100000);
	assert_true(is_down[1]);
	assert_int_equal(stores, 0);
	declare(1, changed, 2, 3); /* without it */
	assert_false(is_down[1]);
	declare(1, changed, 1, 4);
	assert_false(is_down[1]); /* a new endpoint starts up */
	run(40000);
	assert_true(is_down[1]);
	declare(1, NULL, 0, 0);
	assert_false(is_down[1]);
}

static void test_a_restart_does_not_flap(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();
	struct jn_prober_options options = { .set_down = set_down };

	(void)state;
	declare(1, probe, 1, 4);
	is_sick[1] = true;
	run(40000);
	stores = 0;
	for (unsigned i = 0; i < 5; i++) {
		jn_prober_close(&prober);
		assert_true(is_down[1]);
		assert_int_equal(jn_prober_new(&options, &prober), 0);
		declare(1, probe, 1, 4);
		run(15000);
	}
	assert_int_equal(stores, 0);
	assert_int_equal(stats().down, 1);
	is_sick[1] = false;
	run(11000);
	assert_false(is_down[1]);
}

static void test_attempts_end_with_their_target(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();

	(void)state;
	declare(1, probe, 1, 1);
	while (!attempts) {
		now_ms++;
		if (timer && timer->due_ms <= now_ms) {
			struct jn_timer fired = *timer;

			free(timer);
			timer = NULL;
			fired.fn(fired.arg);
		}
	}
	declare(1, NULL, 0, 0);
	assert_int_equal(in_flight, 0);
	declare(1, probe, 1, 1);
	run(11000); /* its place is free again */
	assert_int_equal(stats().succeeded, 1);
}

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
		assert_in_range(started, 20, 190);
	}
	assert_true(most_in_flight <= 64);
}

static void step(void)
{
	struct jn_timer fired;

	now_ms++;
	if (!timer || timer->due_ms > now_ms)
		return;
	fired = *timer;
	free(timer);
	timer = NULL;
	fired.fn(fired.arg);
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
		cmocka_unit_test(test_thresholds),
		TEST(test_a_backend_goes_down_and_comes_back),
		TEST(test_what_says_nothing_changes_nothing),
		TEST(test_more_than_the_share_and_all_are_in),
		TEST(test_who_takes_nothing_new_does_not_count),
		TEST(test_one_backend_alone_is_never_down),
		TEST(test_two_services_ask_once),
		TEST(test_panic_is_a_matter_of_one_service),
		TEST(test_a_target_of_two_backends),
		TEST(test_a_changed_probe_goes_on_with_the_verdict),
		TEST(test_a_restart_does_not_flap),
		TEST(test_attempts_end_with_their_target),
		TEST(test_many_are_spread_from_the_first_moment_on),
		TEST(test_those_in_flight_are_bounded),
		cmocka_unit_test(test_the_schedule_is_in_order),
		cmocka_unit_test(test_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
