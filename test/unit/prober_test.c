/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What follows from the outcomes of probes: verdicts, panic, and who shares what. When they are asked
 * is in prober_schedule_test.c.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prober_harness.h"

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
	run(18000);
	assert_int_equal(count_down(1, 4), 0); /* at most two probes */
	run(14000);
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
	assert_in_range(stats().failed, 3, 4);
}

/* Lines of the log from here on, in text. */
static size_t lines_of(void (*fn)(void), char *text, size_t size)
{
	int log = memfd_create("log", MFD_CLOEXEC), before = dup(STDERR_FILENO);
	size_t lines = 0;
	ssize_t length;

	assert_true(log >= 0 && before >= 0);
	assert_true(dup2(log, STDERR_FILENO) >= 0);
	jn_log_set_level(JN_LOG_INFO);
	fn();
	jn_log_set_level(JN_LOG_ERROR);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	length = pread(log, text, size - 1, 0);
	assert_true(length >= 0);
	text[length] = '\0';
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	close(before);
	close(log);
	return lines;
}

/* Up and down with each probe: the backend alone first, then with it most of the port. */
static void flap(void)
{
	for (unsigned i = 0; i < 200; i++) {
		is_sick[1] = is_sick[2] = i % 2;
		run(1100);
	}
	is_sick[1] = is_sick[2] = false;
	run(JN_LOG_PAUSE_MS + 1100);
}

/* A line for each turn, and one for each panic that began or ended. */
static void test_what_flaps_does_not_flood_the_log(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe();
	static char text[65536];
	size_t lines, spoken;

	(void)state;
	probe->interval_seconds = 1;
	probe->failure_threshold = 1;
	declare(1, probe, 1, 2);
	lines = lines_of(flap, text, sizeof(text));
	spoken = 3 * (JN_LOG_BURST + 300000 / JN_LOG_PAUSE_MS); /* two backends and the port */
	assert_true(stores > 50);
	assert_true(lines > 10 && lines <= spoken);
	/* What was left out is counted, and the last word is the state as it is. */
	for (uint32_t live = 1; live <= 2; live++) {
		char address[32], *last = NULL;

		(void)snprintf(address, sizeof(address), "10.0.0.%u:80 is ", live);
		for (char *at = text; (at = strstr(at, address)); at++)
			last = at + strlen(address);
		assert_non_null(last);
		assert_memory_equal(last, "up (", 4);
	}
	assert_non_null(strstr(text, "lines about it were left out)"));
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
	struct jn_prober_options options = { .set_down = set_down,
					     .max_in_flight = JN_MAX_PROBES_IN_FLIGHT };

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
	assert_in_range(stats().succeeded, 1, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thresholds),
		TEST(test_a_backend_goes_down_and_comes_back),
		TEST(test_what_flaps_does_not_flood_the_log),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
