/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What whoever probes is told by the engine, and what it shows of his verdicts. He is the test here;
 * the prober itself is in prober_test.c.
 */
#include <sys/wait.h>

#include "engine_harness.h"

#define PROBE "\"probe\":{\"type\":\"TCP\"}"
#define MAX_TOLD 16

/* What was told last of each service port. */
static struct told {
	uint32_t service;
	bool is_probed;
	uint8_t max_percent;
	size_t count;
	struct jn_probed_endpoint endpoints[4];
} told[MAX_TOLD];
static unsigned told_count, calls;
static const char *reason;

static void on_changed(void *context, const struct jn_probed_port *port)
{
	struct told *t = told;

	assert_ptr_equal(context, told);
	calls++;
	while (t < told + told_count && t->service != port->service)
		t++;
	if (t == told + told_count)
		assert_true(++told_count <= MAX_TOLD);
	assert_true(port->count <= JN_COUNT(t->endpoints));
	memset(t, 0, sizeof(*t));
	t->service = port->service;
	t->is_probed = port->probe;
	t->max_percent = port->max_percent;
	t->count = port->count;
	for (size_t i = 0; i < port->count; i++) {
		t->endpoints[i] = port->endpoints[i];
		assert_true(t->endpoints[i].live && tables->live[t->endpoints[i].live].epoch);
		assert_int_equal(t->endpoints[i].is_down,
				 tables->live[t->endpoints[i].live].is_down);
	}
}

static const char *on_reason(void *context, uint32_t live)
{
	(void)context;
	return tables->live[live].is_down ? reason : NULL;
}

static int probe_setup(void **state)
{
	probing =
		(struct jn_probing){ .context = told, .changed = on_changed, .reason = on_reason };
	told_count = calls = 0;
	memset(told, 0, sizeof(told));
	reason = "it is ill";
	return engine_setup(state);
}

static int probe_teardown(void **state)
{
	probing = (struct jn_probing){ 0 };
	return engine_teardown(state);
}

static void apply_rules(const char *rules)
{
	struct jn_write *w = new_write();

	add_rules(w, "web", rules);
	expect(NULL);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	check_no_leftovers();
}

static void test_ports_are_told_when_they_change(void **state)
{
	struct view next = { .vip = { "random 10.1.0.1:2 10.1.0.1:3 10.1.0.1:4" } };
	struct jn_write *w;

	(void)state;
	create_web();
	assert_int_equal(calls, 0); /* it is not probed */
	apply_rules(PROBE);
	assert_int_equal(calls, 1);
	assert_true(told[0].is_probed && told[0].count == 2 && told[0].max_percent == 50);
	assert_int_equal(ntohs(told[0].endpoints[0].port), 1);
	assert_true(told[0].endpoints[0].takes_new);
	apply_rules(PROBE ",\"outlier\":{\"maxEjectedPercent\":20}");
	assert_true(told[0].is_probed && told[0].max_percent == 20);
	/* Nothing in the tables follows from this one, and it is told all the same. */
	apply_rules("\"probe\":{\"type\":\"TCP\",\"intervalSeconds\":2},\"outlier\":{"
		    "\"maxEjectedPercent\":20}");
	assert_int_equal(calls, 3);
	apply_rules(PROBE);
	w = new_write();
	add_service(w, "web", V1,
		    B(2) "," B(3) "," B(4) ",{\"address\":\"10.1.0.1:5\",\"weight\":0}");
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_int_equal(calls, 5);
	assert_int_equal(told[0].count, 4);
	assert_int_equal(ntohs(told[0].endpoints[3].port), 5);
	assert_false(told[0].endpoints[3].takes_new);
	w = new_write();
	add_service(w, "other", V2, B(1));
	next = (struct view){ .vip = { "random 10.1.0.1:2 10.1.0.1:3 10.1.0.1:4", "random "
										  "10.1.0.1:1" } };
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_int_equal(calls, 5); /* it is somebody else's */
	w = new_write();
	add_delete(w, JN_KIND_TRAFFIC_POLICY, "web");
	expect(NULL);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(calls == 6 && !told[0].is_probed && told_count == 1);
}

static void test_a_service_that_goes_is_told(void **state)
{
	struct jn_write *w;
	struct view nothing = { 0 };

	(void)state;
	create_web();
	apply_rules(PROBE);
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	expect(&nothing);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(calls == 2 && told_count == 1 && !told[0].is_probed);
}

static void test_a_start_tells_all_and_what_the_table_says(void **state)
{
	uint32_t live;

	(void)state;
	create_web();
	apply_rules(PROBE);
	live = told[0].endpoints[1].live;
	jn_datapath_set_live_down(tables, live, true);
	told_count = calls = 0;
	tables_steps = 0;
	restart();
	assert_int_equal(tables_steps, 1); /* the generation: the verdict stays as it is */
	assert_true(calls == 1 && told[0].count == 2);
	assert_true(told[0].endpoints[1].live == live && told[0].endpoints[1].is_down);
	assert_true(tables->live[live].is_down);
}

/* Its policy went while nobody was there to take the verdict back. */
static void test_a_start_takes_back_what_no_probe_says(void **state)
{
	uint32_t live = 0;

	(void)state;
	create_web();
	apply_rules("\"limits\":{\"connectionsPerBackend\":5}");
	for (uint32_t i = 1; i < TABLES_ENDPOINTS && !live; i++)
		live = tables->endpoints[i].live;
	assert_int_not_equal(live, 0);
	jn_datapath_set_live_down(tables, live, true);
	restart();
	assert_false(tables->live[live].is_down);
	assert_int_equal(calls, 0);
}

static struct jn_object_status status_of_web(void)
{
	struct jn_object_key key = key_of(JN_KIND_LOCAL_SERVICE, "web");
	JN_AUTO(jn_object_unref) struct jn_object *web = jn_engine_find(engine, &key);
	struct jn_object_status status;

	assert_non_null(web);
	jn_engine_object_status(engine, web, &status);
	return status;
}

static void test_states_are_shown(void **state)
{
	struct jn_object_status status;

	(void)state;
	create_web();
	status = status_of_web();
	assert_int_equal(status.endpoint_count, 0);
	jn_object_status_done(&status);
	apply_rules("\"outlier\":{}");
	status = status_of_web();
	assert_int_equal(status.endpoint_count, 0); /* nothing happened to them */
	jn_object_status_done(&status);
	apply_rules("\"outlier\":{}," PROBE);
	tables->live[told[0].endpoints[0].live].is_down = 1;
	tables->live[told[0].endpoints[1].live].out_until_ns = UINT64_MAX;
	status = status_of_web();
	assert_int_equal(status.endpoint_count, 2);
	assert_int_equal(status.endpoints[0].port, 1);
	assert_int_equal(status.endpoints[0].state, JN_ENDPOINT_DOWN);
	assert_string_equal(status.endpoints[0].reason, "it is ill");
	assert_int_equal(status.endpoints[1].state, JN_ENDPOINT_EJECTED);
	assert_string_equal(status.endpoints[1].reason, "");
	jn_object_status_done(&status);
	tables->live[told[0].endpoints[0].live].is_down = 0;
	tables->live[told[0].endpoints[1].live].out_until_ns = 1;
	status = status_of_web();
	assert_int_equal(status.endpoints[0].state, JN_ENDPOINT_UP);
	assert_int_equal(status.endpoints[1].state, JN_ENDPOINT_UP);
	jn_object_status_done(&status);
}

/* It is one word for all services of a backend, and was shown for those, too, that pass it by. */
static void test_ejected_is_shown_only_where_it_counts(void **state)
{
	struct jn_object_status status;

	(void)state;
	create_web();
	apply_rules("\"limits\":{\"connectionsPerBackend\":5}," PROBE);
	tables->live[told[0].endpoints[0].live].out_until_ns = UINT64_MAX;
	status = status_of_web();
	assert_int_equal(status.endpoint_count, 2);
	assert_int_equal(status.endpoints[0].state, JN_ENDPOINT_UP);
	jn_object_status_done(&status);
	apply_rules("\"outlier\":{\"consecutiveFailures\":0}," PROBE);
	status = status_of_web();
	assert_int_equal(status.endpoints[0].state, JN_ENDPOINT_UP);
	jn_object_status_done(&status);
	apply_rules("\"limits\":{\"connectionsPerBackend\":5}");
	status = status_of_web();
	assert_int_equal(status.endpoint_count, 0); /* nothing that it heeds happened to them */
	jn_object_status_done(&status);
	apply_rules("\"outlier\":{}");
	status = status_of_web();
	assert_int_equal(status.endpoint_count, 1);
	assert_int_equal(status.endpoints[0].state, JN_ENDPOINT_EJECTED);
	jn_object_status_done(&status);
}

static void test_crashes_around_a_probe(void **state)
{
	(void)state;
	for (unsigned step = 1; step < 40; step++) {
		struct jn_write *w = new_write();
		pid_t pid;
		int status;

		add_service(w, "web", V1, step % 2 ? B(1) "," B(2) : B(2) "," B(3));
		add_rules(w, "web", step % 3 ? PROBE : "\"limits\":{\"connections\":3}");
		for (unsigned vip = 0; vip < VIPS; vip++)
			see_vip(vip, view_old.vip[vip]);
		tables_watch = NULL;
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			tables_crash_at = step;
			(void)run_write(w);
			_exit(0);
		}
		jn_write_free(&w);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		told_count = 0;
		restart();
		check_no_leftovers();
		for (unsigned i = 0; i < told_count; i++)
			assert_true(told[i].is_probed && told[i].count == 2);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, probe_setup, probe_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_ports_are_told_when_they_change),
		TEST(test_a_service_that_goes_is_told),
		TEST(test_a_start_tells_all_and_what_the_table_says),
		TEST(test_a_start_takes_back_what_no_probe_says),
		TEST(test_states_are_shown),
		TEST(test_ejected_is_shown_only_where_it_counts),
		TEST(test_crashes_around_a_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
