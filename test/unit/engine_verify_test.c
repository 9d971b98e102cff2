/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Verifications of the engine, over tables in memory: who is told what. What counts as a drift is
 * test/scenario/test_verify.py's business.
 */
#include "engine/internal.h"
#include "engine_harness.h"

static int verify_setup(void **state)
{
	(void)engine_setup(state);
	tables_watch = NULL; /* what a connect sees is engine_test.c's business */
	tables_route_count = 0;
	return 0;
}

struct answer {
	unsigned count;
	int rc; /* that it shall have */
	uint64_t found, repaired;
	char text[512]; /* what was found, expected */
};

static void on_verified(void *arg, const struct jn_verification *verification)
{
	struct answer *answer = arg;

	assert_int_equal(verification->rc, answer->rc);
	answer->count++;
	answer->found = verification->found;
	answer->repaired = verification->repaired;
	if (verification->shown)
		(void)snprintf(answer->text, sizeof(answer->text), "%s; %s",
			       verification->drifts[0].found, verification->drifts[0].expected);
}

static void ask(bool repairs, struct answer *answer)
{
	assert_int_equal(jn_engine_verify(engine, repairs, on_verified, answer), 0);
}

static void run_timer(void)
{
	void (*fn)(void *arg) = timer.fn;

	timer.fn = NULL;
	fn(timer.arg);
}

static void run_all(void)
{
	while (job_count || timer.fn) {
		run_jobs();
		if (timer.fn)
			run_timer();
	}
}

/* The tables are read, and not yet compared. */
static void read_tables(void)
{
	for (size_t i = 0; i < JN_COUNT(jobs); i++) {
		if (!jobs[i].work || jobs[i].has_worked)
			continue;
		jobs[i].has_worked = true;
		run_work(i);
	}
}

static void count_drained(void *arg)
{
	++*(unsigned *)arg;
}

static void put_stray(void)
{
	struct jn_frontend_key key = vip_key(2);
	struct jn_frontend value = { .service = 7 };
	size_t done;

	assert_int_equal(jn_datapath_put_frontends(tables, &key, &value, 1, &done), 0);
}

/* It was told of the one under way, which had been there before. */
static void test_who_asks_while_one_runs_is_told_of_the_next(void **state)
{
	struct answer first = { 0 }, second = { 0 };

	(void)state;
	declare(V1, B(1));
	ask(false, &first);
	read_tables();
	put_stray();
	ask(false, &second);
	run_all();
	assert_int_equal(first.count, 1);
	assert_int_equal(second.count, 1);
	assert_int_equal(second.found, 1);
}

static void test_one_that_repairs_and_one_that_does_not(void **state)
{
	struct answer looks = { 0 }, repairs = { 0 }, after = { 0 };

	(void)state;
	declare(V1, B(1));
	put_stray();
	ask(false, &looks);
	ask(true, &repairs);
	run_all();
	assert_int_equal(looks.found, 1);
	assert_int_equal(looks.repaired, 0);
	assert_int_equal(repairs.found, 1);
	assert_int_equal(repairs.repaired, 1);
	ask(false, &after);
	run_all();
	assert_int_equal(after.count, 1);
	assert_int_equal(after.found, 0);
}

/* What was expected began behind the first '|', wherever that came from. */
static void test_any_name_may_be_found(void **state)
{
	const uint32_t service = 1;
	struct answer answer = { 0 };
	struct jn_name name;
	size_t done;

	(void)state;
	declare(V1, B(1));
	assert_int_equal(jn_datapath_get_name(tables, service, &name), 0);
	memset(name.namespace_, '|', JN_NAME_BYTES);
	assert_int_equal(jn_datapath_put_names(tables, &service, &name, 1, &done), 0);
	ask(false, &answer);
	run_all();
	assert_int_equal(answer.found, 1);
	assert_non_null(strstr(answer.text, "||/web port \"\"; default/web port \"\""));
}

/* Routes counted as repaired as soon as a job for them was on its way. */
static void test_a_route_counts_as_repaired_when_it_is_there(void **state)
{
	const struct jn_frontend_key stray = vip_key(5), second = vip_key(1);
	struct answer failed = { 0 }, done = { 0 };

	(void)state;
	jn_engine_start(engine);
	run_all();
	declare(V1 "," V2, B(1));
	assert_int_equal(tables_route_count, 2);
	tables_route_count = 1;
	tables_routes[1] = stray.vip;
	tables_route_count = 2; /* one is missing, one is nobody's */
	tables_route_rc = -EPERM;
	ask(true, &failed);
	run_all();
	assert_int_equal(failed.count, 1);
	assert_int_equal(failed.found, 2);
	assert_int_equal(failed.repaired, 0);
	tables_route_rc = 0;
	declare(V1 "," V2, B(2)); /* any change has them tried again */
	run_all();
	assert_true(tables_find_route(&second.vip) < tables_route_count);
	tables_route_count = 0;
	ask(true, &done);
	run_all();
	assert_int_equal(done.found, 2);
	assert_int_equal(done.repaired, 2);
	assert_int_equal(tables_route_count, 2);
}

/* Who asked while junctord stops was told that memory is out. */
static void test_who_asks_while_it_drains_is_told_so(void **state)
{
	struct answer before = { .rc = -ECANCELED }, after = { 0 };
	unsigned drained = 0;

	(void)state;
	declare(V1, B(1));
	ask(false, &before);
	jn_engine_drain(engine, count_drained, &drained);
	assert_int_equal(jn_engine_verify(engine, false, on_verified, &after), -ECANCELED);
	run_all();
	assert_int_equal(before.count, 1);
	assert_int_equal(after.count, 0);
	assert_int_equal(drained, 1);
}

/* --- a service with many ports is looked at in several slices -------------------------------------- */

#define PORTS 3

static void declare_ports(const char *backend)
{
	struct jn_write *w = new_write();
	char json[512];

	(void)snprintf(json, sizeof(json),
		       "{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"LocalService\","
		       "\"metadata\":{\"name\":\"web\"},\"spec\":{\"addresses\":[" V1 "],"
		       "\"ports\":[{\"name\":\"a\",\"port\":80},{\"name\":\"b\",\"port\":81},"
		       "{\"name\":\"c\",\"port\":82}],\"backends\":[{\"address\":\"%s\"}]}}",
		       backend);
	add_json(w, json);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
}

static uint32_t first_set(void)
{
	struct jn_frontend_key key = vip_key(0);

	return tables_find(&key)->set;
}

/* A cycle whose first slice ended after the first port. */
static void look_at_one_port(struct answer *answer)
{
	bool is_over;

	ask(true, answer);
	engine->awaits_files = true; /* it waits for that */
	run_jobs();
	engine->awaits_files = false;
	assert_int_equal(jn_verify_next_port(engine, engine->verify.objects.items[0], &is_over), 0);
	assert_false(is_over);
}

static void test_each_port_is_a_step(void **state)
{
	struct answer answer = { 0 };
	unsigned steps = 1;

	(void)state;
	declare_ports("10.1.0.1");
	tables->sets[first_set()].word = 0;
	look_at_one_port(&answer);
	assert_int_equal(engine->verify.found, 1);
	for (bool is_over = false; !is_over; steps++)
		assert_int_equal(jn_verify_next_port(engine, engine->verify.objects.items[0],
						     &is_over),
				 0);
	assert_int_equal(steps, PORTS);
	run_all(); /* the repair, and the cycle, which looks at the service once more */
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.found, 1);
	assert_int_equal(answer.repaired, 1);
	assert_int_not_equal(tables->sets[first_set()].word, 0);
}

/* What it asks for was resolved before: of the ports that are left it is not what is declared. */
static void test_a_policy_changes_between_two_ports(void **state)
{
	struct answer answer = { 0 };
	struct jn_write *w = new_write();

	(void)state;
	declare_ports("10.1.0.1");
	look_at_one_port(&answer);
	add_policy(w, "web", "RoundRobin");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	run_all();
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.found, 0);
}

/* That write has put right what was found. */
static void test_a_service_is_declared_anew_between_two_ports(void **state)
{
	struct answer answer = { 0 };

	(void)state;
	declare_ports("10.1.0.1");
	tables->sets[first_set()].word = 0;
	look_at_one_port(&answer);
	declare_ports("10.1.0.2");
	assert_int_not_equal(tables->sets[first_set()].word, 0);
	run_all();
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.found, 1);
	assert_int_equal(answer.repaired, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, verify_setup, engine_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_who_asks_while_one_runs_is_told_of_the_next),
		TEST(test_one_that_repairs_and_one_that_does_not),
		TEST(test_any_name_may_be_found),
		TEST(test_a_route_counts_as_repaired_when_it_is_there),
		TEST(test_who_asks_while_it_drains_is_told_so),
		TEST(test_each_port_is_a_step),
		TEST(test_a_policy_changes_between_two_ports),
		TEST(test_a_service_is_declared_anew_between_two_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
