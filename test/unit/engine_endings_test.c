/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the engine looks for sockets of gone backends, and which of them it ends; over tables and
 * sockets in memory. The rules of model/ending.h have a test of their own.
 */
#include "engine_harness.h"

#include <junctor/decide/address.h>

#include "engine/internal.h"

#define HERE 100u /* network namespaces */
#define ELSEWHERE 200u

static void run_timer(void)
{
	void (*fn)(void *) = timer.fn;

	assert_non_null(fn);
	timer.fn = NULL;
	fn(timer.arg);
	run_jobs();
}

/* As long as the engine wants to, but not for ever. */
static void rest(unsigned most)
{
	for (unsigned i = 0; i < most && timer.fn; i++) {
		(void)usleep((useconds_t)timer.delay_ms * 1000);
		run_timer();
	}
}

/* --- sockets ------------------------------------------------------------------------------------- */

static uint32_t service_of(unsigned vip)
{
	struct jn_frontend_key key = vip_key(vip);
	const struct jn_frontend *found = tables_find(&key);

	assert_non_null(found);
	return found->service;
}

static struct jn_stale *add_socket(uint16_t proto, uint16_t port)
{
	struct jn_stale *s = &tables_sockets[tables_socket_count++];
	struct jn_frontend_key vip = vip_key(0);

	*s = (struct jn_stale){
		.cookie = tables_socket_count,
		.vip = vip.vip,
		.vip_port = vip.port,
		.backend = jn_addr_from_v4(htonl(0x0a010001)),
		.backend_port = htons(port),
		.proto = proto,
		.service = service_of(0),
		.netns = HERE,
	};
	return s;
}

static uint64_t ended(const char *reason)
{
	struct jn_ended_count counts[JN_ENDED_COUNT];

	jn_engine_ended(engine, counts);
	for (size_t i = 0; i < JN_ENDED_COUNT; i++) {
		if (!strcmp(counts[i].reason, reason))
			return counts[i].count;
	}
	fail_msg("no reason %s", reason);
	return 0;
}

static int endings_setup(void **state)
{
	(void)engine_setup(state);
	tables_watch = NULL; /* what a connect sees is engine_test.c's business */
	tables_socket_count = 0;
	tables_hidden_space = 0;
	tables_find_rc = tables_diag_rc = 0;
	tables_leaves_all = false;
	tables_searches = 0;
	return 0;
}

/* --- endings ------------------------------------------------------------------------------------- */

static void test_nobody_looks_while_nothing_is_gone(void **state)
{
	(void)state;
	start();
	assert_non_null(timer.fn); /* once more: who chose just before the start is connected now */
	rest(5);
	declare(V1, B(1));
	declare(V1, B(1) "," B(2));
	assert_null(timer.fn);
	assert_int_equal(job_count, 0);
}

static void test_udp_of_a_gone_backend_is_ended(void **state)
{
	(void)state;
	declare(V1, B(1) "," B(2));
	start();
	add_socket(IPPROTO_UDP, 1);
	declare(V1, B(1) ",{\"address\":\"10.1.0.1:2\",\"terminating\":true}");
	add_socket(IPPROTO_UDP, 2); /* terminating: not gone */
	add_socket(IPPROTO_UDP, 9); /* was removed before */
	run_timer();
	assert_int_equal(tables_socket_count, 2);
	declare(V1, B(2));
	assert_int_equal(tables_socket_count, 1);
	assert_int_equal(ntohs(tables_sockets[0].backend_port), 2);
	assert_int_equal(ended("BackendGone"), 2);
}

static void set_drain_seconds(unsigned seconds)
{
	struct jn_write *w = new_write();
	char rules[32];

	(void)snprintf(rules, sizeof(rules), "\"drainSeconds\":%u", seconds);
	add_rules(w, "web", rules);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
}

static void delete_web(void)
{
	struct jn_write *w = new_write();

	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
}

static void test_tcp_is_ended_at_its_deadline(void **state)
{
	struct jn_write *w;

	(void)state;
	declare(V1, B(1) "," B(2));
	start();
	set_drain_seconds(0);
	add_socket(IPPROTO_TCP, 1);
	/* Service and policy go together: what it said while it was there counts. */
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	add_delete(w, JN_KIND_TRAFFIC_POLICY, "web");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_int_equal(tables_socket_count, 0);
	assert_int_equal(ended("DrainDeadline"), 1);
}

/* It ended healthy connections: what the service before it had said was remembered by the id. */
static void test_a_deadline_does_not_go_on_to_the_next_service_of_the_id(void **state)
{
	struct jn_frontend_key other = vip_key(1);
	struct jn_write *w;
	struct jn_stale *s;
	uint32_t id;

	(void)state;
	engine->install.services.rest_ms = 0;
	declare(V1, B(1));
	w = new_write();
	add_service(w, "other", V2, B(2) "," B(3));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	set_drain_seconds(0);
	start();
	s = add_socket(IPPROTO_TCP, 2); /* healthy: something is watched all the time */
	s->vip = other.vip;
	s->service = tables_find(&other)->service;
	w = new_write();
	add_service(w, "other", V2, B(3));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	id = service_of(0);
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	add_delete(w, JN_KIND_TRAFFIC_POLICY, "web");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	w = new_write();
	add_service(w, "third", V1, B(4) "," B(5));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_int_equal(service_of(0), id);
	add_socket(IPPROTO_TCP, 4);
	w = new_write();
	add_service(w, "third", V1, B(5));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	rest(2);
	assert_int_equal(tables_socket_count, 2);
	assert_int_equal(ended("DrainDeadline"), 0);
}

/* The socket names the service by an id that is nobody's any more: its deadline was never found. */
static void test_a_deadline_holds_for_a_service_that_was_declared_again(void **state)
{
	(void)state;
	declare(V1, B(1) "," B(2));
	set_drain_seconds(60);
	start();
	add_socket(IPPROTO_TCP, 1);
	add_socket(IPPROTO_TCP, 2);
	delete_web();
	declare(V1, B(1) "," B(2));
	rest(5); /* both are back, and nothing is looked for any more */
	assert_null(timer.fn);
	assert_int_not_equal(service_of(0), tables_sockets[0].service);
	set_drain_seconds(0);
	declare(V1, B(2));
	assert_int_equal(tables_socket_count, 1);
	delete_web(); /* and nobody has the address any more */
	assert_int_equal(tables_socket_count, 0);
	assert_int_equal(ended("DrainDeadline"), 2);
}

/* It counted from the moment in which the socket was found. */
static void test_a_deadline_counts_from_the_removal(void **state)
{
	uint64_t removed_ms;

	(void)state;
	declare(V1, B(1) "," B(2));
	set_drain_seconds(1);
	start();
	add_socket(IPPROTO_TCP, 1);
	tables_find_rc = -ENOMEM;
	removed_ms = jn_clock_ms();
	delete_web();
	declare(V1, B(2));
	while (jn_clock_ms() < removed_ms + 1000)
		(void)usleep(10000);
	tables_find_rc = 0;
	run_timer();
	assert_int_equal(tables_socket_count, 0);
	assert_int_equal(ended("DrainDeadline"), 1);
}

/* What an earlier service at the address had said was taken for the word of the later one. */
static void test_a_later_removal_takes_the_deadline_back(void **state)
{
	struct jn_write *w;

	(void)state;
	declare(V1, B(1) "," B(2));
	set_drain_seconds(1);
	start();
	add_socket(IPPROTO_TCP, 1);
	delete_web();
	w = new_write();
	add_delete(w, JN_KIND_TRAFFIC_POLICY, "web");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	declare(V1, B(1) "," B(2));
	declare(V1, B(2));
	(void)sleep(1);
	run_timer();
	assert_int_equal(tables_socket_count, 1);
}

/* It walked all that is installed, each second. */
static void test_a_look_costs_what_is_watched_and_not_what_is_installed(void **state)
{
	struct jn_write *w = new_write();
	char name[16], vip[32];

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "other-%u", i);
		(void)snprintf(vip, sizeof(vip), "\"10.9.0.%u\"", i + 1);
		add_service(w, name, vip, B(1) "," B(2));
	}
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	declare(V1, B(1) "," B(2));
	start();
	add_socket(IPPROTO_TCP, 1); /* healthy */
	declare(V1, B(2));
	tables_reads = 0;
	for (unsigned i = 0; i < 5; i++)
		run_timer();
	assert_int_equal(tables_reads, 0);
	w = new_write();
	add_service(w, "more", "\"10.9.0.200\"", B(1));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	tables_reads = 0;
	run_timer();
	assert_int_equal(tables_reads, 3); /* a name, its endpoints, whom the address leads to */
	run_timer();
	assert_int_equal(tables_reads, 3);
	assert_int_equal(tables_socket_count, 1);
}

static void test_tcp_without_a_deadline_is_looked_at_while_it_lives(void **state)
{
	(void)state;
	declare(V1, B(1) "," B(2));
	start();
	rest(5);
	add_socket(IPPROTO_TCP, 1);
	declare(V1, B(2));
	rest(2);
	assert_int_equal(tables_socket_count, 1);
	assert_int_equal(timer.delay_ms, 1000);
	tables_socket_count = 0; /* it ended by itself */
	rest(2);
	assert_null(timer.fn);
}

/* Its service has another id by now, or its address belongs to another service. */
static void test_a_backend_that_came_back_is_not_gone(void **state)
{
	struct jn_write *w;

	(void)state;
	declare(V1, B(1));
	start();
	set_drain_seconds(0);
	add_socket(IPPROTO_TCP, 1);
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	add_service(w, "other", V1, B(1));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	run_timer();
	assert_int_equal(tables_socket_count, 1);
	assert_int_not_equal(service_of(0), tables_sockets[0].service);
}

static void test_what_cannot_be_reached_is_counted_and_tried_again(void **state)
{
	(void)state;
	declare(V1, B(1) "," B(2));
	start();
	tables_hidden_space = ELSEWHERE;
	add_socket(IPPROTO_UDP, 1)->netns = ELSEWHERE;
	add_socket(IPPROTO_UDP, 1);
	declare(V1, B(2));
	assert_int_equal(tables_socket_count, 1);
	assert_int_equal(jn_engine_unreachable(engine), 1);
	tables_hidden_space = 0;
	rest(4);
	assert_int_equal(tables_socket_count, 0);
	assert_int_equal(jn_engine_unreachable(engine), 0);
}

/* Each search goes through all files of all processes, and there was one with each look. */
static void test_a_lost_namespace_is_searched_ever_more_seldom(void **state)
{
	const struct jn_lost_space *lost;
	size_t at = 0;

	(void)state;
	declare(V1, B(1) "," B(2));
	start();
	tables_hidden_space = ELSEWHERE;
	add_socket(IPPROTO_UDP, 1)->netns = ELSEWHERE;
	add_socket(IPPROTO_TCP, 1); /* healthy: looked at all the time */
	tables_searches = 0;
	declare(V1, B(2));
	for (unsigned i = 0; i < 5; i++) {
		run_timer();
		declare(V1, i % 2 ? B(2) : B(2) "," B(3)); /* nor does a change bring it back */
	}
	assert_int_equal(tables_searches, 1);
	assert_int_equal(jn_engine_unreachable(engine), 1);
	(void)sleep(1);
	run_timer();
	assert_int_equal(tables_searches, 2);
	lost = jn_table_next(&engine->endings.lost, &at);
	assert_true(lost && lost->inode == ELSEWHERE && lost->wait_ms == 2000);
	tables_socket_count = 0;
	run_timer();
	assert_int_equal(engine->endings.lost.count, 0);
	assert_int_equal(jn_engine_unreachable(engine), 0);
}

/* The iterator over all TCP sockets of the machine ran for each one that had ended meanwhile. */
static void test_programs_get_only_what_netlink_cannot_end(void **state)
{
	(void)state;
	declare(V1, B(1) "," B(2));
	set_drain_seconds(0);
	start();
	add_socket(IPPROTO_TCP, 1);
	add_socket(IPPROTO_MPTCP, 1);
	tables_ender.given = 0;
	tables_leaves_all = true;
	declare(V1, B(2));
	assert_int_equal(tables_ender.given, 0);
	add_socket(IPPROTO_UDP, 1);
	run_timer();
	assert_int_equal(tables_ender.given, 1);
	tables_diag_rc = -EOPNOTSUPP;
	run_timer();
	assert_int_equal(tables_ender.given, 4);
}

static void test_a_scan_that_fails_is_made_again(void **state)
{
	(void)state;
	declare(V1, B(1) "," B(2));
	start();
	add_socket(IPPROTO_UDP, 1);
	tables_find_rc = -ENOMEM;
	declare(V1, B(2));
	tables_find_rc = 0;
	run_timer();
	assert_int_equal(tables_socket_count, 0);
}

/* As in engine_owed_test.c: a scan that had failed counted as one that found nothing. */
static void test_a_scan_that_fails_at_once_is_made_again(void **state)
{
	(void)state;
	declare(V1, B(1) "," B(2));
	start();
	rest(5);
	add_socket(IPPROTO_UDP, 1);
	works_at_once = true;
	tables_find_rc = -ENOMEM;
	declare(V1, B(2));
	rest(2);
	tables_find_rc = 0;
	rest(5);
	assert_int_equal(tables_socket_count, 0);
}

static bool is_drained;

static void on_drained(void *arg)
{
	(void)arg;
	is_drained = true;
}

static void test_the_end_waits_for_the_scan_and_stops_the_timer(void **state)
{
	(void)state;
	is_drained = false;
	jn_engine_start(engine);
	assert_false(jn_engine_is_idle(engine));
	jn_engine_drain(engine, on_drained, NULL);
	assert_false(is_drained);
	run_jobs();
	assert_true(is_drained);
	assert_null(timer.fn);
}

static void test_a_timer_does_not_hold_up_the_end(void **state)
{
	(void)state;
	is_drained = false;
	start();
	assert_non_null(timer.fn);
	jn_engine_drain(engine, on_drained, NULL);
	assert_true(is_drained);
	assert_null(timer.fn);
}

#define ENDINGS_TEST(name) cmocka_unit_test_setup_teardown(name, endings_setup, engine_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		ENDINGS_TEST(test_nobody_looks_while_nothing_is_gone),
		ENDINGS_TEST(test_udp_of_a_gone_backend_is_ended),
		ENDINGS_TEST(test_tcp_is_ended_at_its_deadline),
		ENDINGS_TEST(test_a_deadline_does_not_go_on_to_the_next_service_of_the_id),
		ENDINGS_TEST(test_a_deadline_holds_for_a_service_that_was_declared_again),
		ENDINGS_TEST(test_a_deadline_counts_from_the_removal),
		ENDINGS_TEST(test_a_later_removal_takes_the_deadline_back),
		ENDINGS_TEST(test_a_look_costs_what_is_watched_and_not_what_is_installed),
		ENDINGS_TEST(test_tcp_without_a_deadline_is_looked_at_while_it_lives),
		ENDINGS_TEST(test_a_backend_that_came_back_is_not_gone),
		ENDINGS_TEST(test_what_cannot_be_reached_is_counted_and_tried_again),
		ENDINGS_TEST(test_a_lost_namespace_is_searched_ever_more_seldom),
		ENDINGS_TEST(test_programs_get_only_what_netlink_cannot_end),
		ENDINGS_TEST(test_a_scan_that_fails_is_made_again),
		ENDINGS_TEST(test_a_scan_that_fails_at_once_is_made_again),
		ENDINGS_TEST(test_the_end_waits_for_the_scan_and_stops_the_timer),
		ENDINGS_TEST(test_a_timer_does_not_hold_up_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
