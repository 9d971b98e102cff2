/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The engine over tables in memory: what a connect sees at every step of a write, and who is told.
 * Failures and crashes are in engine_failure_test.c.
 */
#include "engine_harness.h"

static const struct view nothing;

static void test_a_service_comes_changes_and_goes(void **state)
{
	struct view next = { .vip = { "random 10.1.0.1:2 10.1.0.1:3", "random 10.1.0.1:2 "
								      "10.1.0.1:3" } };
	struct jn_write *w;

	(void)state;
	create_web();
	w = new_write();
	add_service(w, "web", V1 "," V2, B(2) "," B(3));
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&next));
	check_no_leftovers();
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	expect(&nothing);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&nothing));
	check_no_leftovers();
	assert_int_equal(jn_engine_generation(engine), 3);
	assert_int_equal(jn_engine_installed(engine), 3);
}

static void test_what_is_equal_is_not_written(void **state)
{
	struct jn_write *w;

	(void)state;
	create_web();
	expect(NULL);
	tables_steps = 0;
	w = new_write();
	add_service(w, "web", V1, B(1) "," B(2));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_int_equal(tables_steps, 0);
	assert_int_equal(jn_engine_generation(engine), 1);
	restart();
	assert_int_equal(tables_steps, 1); /* the generation */
	assert_int_equal(jn_engine_installed(engine), 1);
}

/* It was let through where the first of the two asked for what is there: applied again, they took turns. */
static void test_an_object_stands_once_in_a_request(void **state)
{
	struct jn_write *w;

	(void)state;
	create_web();
	expect(NULL);
	for (unsigned i = 0; i < 3; i++) {
		w = new_write();
		add_service(w, "web", V1, i ? B(1) "," B(2) : B(3));
		add_service(w, "web", V1, i == 1 ? B(3) : B(1) "," B(2));
		assert_int_equal(run_write(w), JN_ERROR_INVALID);
		assert_non_null(strstr(last_text, "items[1].metadata.name: stands twice"));
	}
	assert_int_equal(jn_engine_generation(engine), 1);
}

static struct jn_write *write_of_file(const char *backends)
{
	struct jn_write *w = new_write();

	add_service(w, "web", V1, backends);
	w->owner = w->items.items[0].object->owner = JN_OWNER_FILE;
	w->items.items[0].object->file = strdup("web.yaml");
	return w;
}

static void test_what_another_source_owns_is_not_written(void **state)
{
	const struct view next = { .vip = { "random 10.1.0.1:3" } };
	struct jn_write *w;

	(void)state;
	create_web();
	for (unsigned i = 0; i < 2; i++) { /* also what would change nothing */
		expect(NULL);
		assert_int_equal(run_write(write_of_file(i ? B(1) "," B(2) : B(3))),
				 JN_ERROR_CONFLICT);
		assert_non_null(strstr(last_text, "items[0].metadata.name: LocalService "
						  "default/web belongs to the api source"));
	}
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	expect(&nothing);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	expect(&next);
	assert_int_equal(run_write(write_of_file(B(3))), JN_ERROR_NONE);
	restart();
	for (unsigned i = 0; i < 2; i++) {
		w = new_write();
		if (i)
			add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
		else
			add_service(w, "web", V1, B(3));
		expect(NULL);
		assert_int_equal(run_write(w), JN_ERROR_CONFLICT);
		assert_non_null(strstr(last_text, "belongs to the file source; change or delete "
						  "it in web.yaml"));
	}
	assert_int_equal(run_write(write_of_file(B(3))), JN_ERROR_NONE);
	assert_int_equal(jn_engine_generation(engine), 3);
}

/* Once they were collected nothing holds them; they rest all the same, and what nobody saw does not. */
static void test_ids_rest_before_they_are_given_to_another(void **state)
{
	struct jn_frontend_key key = vip_key(0);
	uint32_t service, set;
	struct jn_write *w;

	(void)state;
	create_web();
	service = tables_find(&key)->service;
	set = tables_find(&key)->set;
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	expect(&nothing);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	tables_commit_rc = -ENOSPC;
	w = new_write();
	add_service(w, "web", V1, B(1));
	expect(NULL);
	assert_int_equal(run_write(w), JN_ERROR_DISK_FULL);
	tables_commit_rc = 0;
	create_web();
	assert_int_equal(tables_find(&key)->service, service + 1);
	assert_int_equal(tables_find(&key)->set, set); /* a grace period is rest enough */
}

static void test_an_address_moves_between_two_services(void **state)
{
	struct view next = { .vip = { "random 10.1.0.1:5", "random 10.1.0.1:1" } };
	struct jn_write *w;

	(void)state;
	create_web();
	w = new_write();
	add_service(w, "web", V2, B(1));
	add_service(w, "shop", V1, B(5));
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&next));
	check_no_leftovers();
	/* Two that are there change their addresses, and what stands behind them. */
	w = new_write();
	add_service(w, "web", V1 "," V3, B(8));
	add_service(w, "shop", V2, B(9));
	next = (struct view){ .vip = { "random 10.1.0.1:8", "random 10.1.0.1:9",
				       "random 10.1.0.1:8" } };
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&next));
	check_no_leftovers();
	/* One goes, and the other takes over. */
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	add_service(w, "shop", V2, B(1));
	next = (struct view){ .vip = { "", "random 10.1.0.1:1" } };
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&next));
	check_no_leftovers();
}

static uint16_t weight_at(uint16_t port)
{
	for (uint32_t id = 1; id < 100; id++) {
		if (tables->endpoints[id].service && tables->endpoints[id].port == htons(port))
			return tables->endpoints[id].weight;
	}
	return UINT16_MAX;
}

/* They tell an unconnected UDP socket whether it may keep its endpoint: at once, not after a grace. */
static void test_weights_follow_what_is_declared(void **state)
{
	struct jn_write *w = new_write();
	unsigned before;

	(void)state;
	create_web();
	add_service(w, "web", V1, "{\"address\":\"10.1.0.1:1\",\"weight\":7}");
	expect(&(struct view){ .vip = { "random 10.1.0.1:1" } });
	before = writes_ended;
	jn_engine_write(engine, w);
	while (writes_ended == before)
		run_one();
	assert_int_equal(weight_at(1), 7);
	assert_int_equal(weight_at(2), 0);
	run_jobs();
	assert_int_equal(weight_at(2), UINT16_MAX);
	/* A store that a crash left out is made up for. */
	jn_datapath_set_endpoint_weight(tables, 1, 3);
	restart();
	assert_int_equal(weight_at(1), 7);
}

/* see_vip asserts that no frontend of any namespace ever leads to a loopback address. */
static void test_a_service_is_bound_before_it_gets_a_loopback_backend(void **state)
{
	struct view next = { .vip = { "random 127.0.0.1:7" } };
	struct jn_write *w;

	(void)state;
	create_web();
	w = new_write();
	add_service(w, "web", V1, "{\"address\":\"127.0.0.1:7\"}");
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&next));
	create_web();
	assert_int_equal(tables_find(&(struct jn_frontend_key){ vip_key(0).vip, htons(80),
								IPPROTO_TCP, 0 })
				 ->netns_cookie,
			 0);
}

/* --- one thing at a time -------------------------------------------------------------------------- */

static void write_again(void *arg, const struct jn_write *write, struct jn_error *err)
{
	struct jn_write *w = new_write();

	on_done(arg, write, err);
	tables_commit_rc = 0;
	add_service(w, "next", V2, B(1));
	jn_engine_write(engine, w);
}

/* The store is for one thread at a time, and so is its error (check_store_is_free, sanitizers). */
static void test_an_answer_may_lead_to_the_next_write(void **state)
{
	struct view next = { .vip = { "", "random 10.1.0.1:1" } };
	struct jn_write *w = new_write();

	(void)state;
	w->done = write_again;
	tables_commit_rc = -ENOSPC;
	add_service(w, "web", V1, B(1));
	expect(&next);
	jn_engine_write(engine, w);
	run_jobs();
	assert_int_equal(last_kind, JN_ERROR_NONE);
	assert_true(is_seen(&next));
	for (unsigned i = 0; i < 20; i++) { /* in several orders of the jobs */
		w = new_write();
		w->done = write_again;
		(void)snprintf(next.vip[0], sizeof(next.vip[0]), "random 10.1.0.1:%u", 1 + i % 2);
		add_service(w, "web", V1, i % 2 ? B(2) : B(1));
		add_delete(w, JN_KIND_LOCAL_SERVICE, "next");
		expect(&next);
		(void)strcpy(view_old.vip[1], "");
		jn_engine_write(engine, w);
		run_jobs();
		assert_true(is_seen(&next));
	}
}

static void on_installed(void *arg)
{
	++*(unsigned *)arg;
}

static void test_all_that_wait_are_woken(void **state)
{
	unsigned woken = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_false(jn_engine_wait(engine, i == 2 ? 2 : 1, on_installed, &woken));
	create_web();
	assert_int_equal(woken, 4);
}

static unsigned cancelled[2];

static void cancel_other(void *arg)
{
	unsigned *mine = arg;

	++*mine;
	jn_engine_cancel_wait(engine, mine == &cancelled[0] ? &cancelled[1] : &cancelled[0]);
}

static void test_a_woken_waiter_may_cancel_another(void **state)
{
	(void)state;
	cancelled[0] = cancelled[1] = 0;
	assert_false(jn_engine_wait(engine, 1, cancel_other, &cancelled[0]));
	assert_false(jn_engine_wait(engine, 1, cancel_other, &cancelled[1]));
	create_web();
	assert_int_equal(cancelled[0] + cancelled[1], 1);
	assert_true(jn_engine_wait(engine, 1, cancel_other, &cancelled[0]));
}

static void test_draining_ends_what_runs_and_takes_no_more(void **state)
{
	struct view next = { .vip = { "random 10.1.0.1:9" } };
	unsigned drained = 0;
	struct jn_write *w = new_write();

	(void)state;
	create_web();
	add_service(w, "web", V1, B(9));
	expect(&next);
	jn_engine_write(engine, w);
	jn_engine_drain(engine, on_installed, &drained);
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	jn_engine_write(engine, w);
	assert_int_equal(last_kind, JN_ERROR_UNAVAILABLE);
	assert_int_equal(drained, 0);
	run_jobs();
	assert_int_equal(drained, 1);
	assert_true(jn_engine_is_idle(engine));
	assert_true(is_seen(&next));
	check_no_leftovers();
}

static int count_stats(void *arg, const struct jn_service_stats *s)
{
	unsigned *count = arg;

	++*count;
	assert_int_equal(s->endpoints, 1);
	assert_in_range(s->stats.forwarded, 1, 700);
	return 0;
}

static void test_counters_come_in_batches(void **state)
{
	struct jn_write *w = new_write();
	unsigned count = 0;

	(void)state;
	tables_watch = NULL;
	for (unsigned i = 0; i < 700; i++) {
		char name[32], vip[32];

		(void)snprintf(name, sizeof(name), "s%u", i);
		(void)snprintf(vip, sizeof(vip), "\"10.9.%u.%u\"", i / 200, 1 + i % 200);
		add_service(w, name, vip, B(1));
	}
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_int_equal(jn_engine_each_stats(engine, count_stats, &count), 0);
	assert_int_equal(count, 700);
	tables_steps = 0;
	restart();
	assert_int_equal(tables_steps, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_service_comes_changes_and_goes),
		TEST(test_what_is_equal_is_not_written),
		TEST(test_an_object_stands_once_in_a_request),
		TEST(test_what_another_source_owns_is_not_written),
		TEST(test_ids_rest_before_they_are_given_to_another),
		TEST(test_an_address_moves_between_two_services),
		TEST(test_weights_follow_what_is_declared),
		TEST(test_a_service_is_bound_before_it_gets_a_loopback_backend),
		TEST(test_an_answer_may_lead_to_the_next_write),
		TEST(test_all_that_wait_are_woken),
		TEST(test_a_woken_waiter_may_cancel_another),
		TEST(test_draining_ends_what_runs_and_takes_no_more),
		TEST(test_counters_come_in_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
