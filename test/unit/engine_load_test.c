/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The start over a store and tables that do not agree: damage, loss, and what crashes leave behind.
 */
#include "engine_harness.h"

static const struct view both = { .vip = { "random 10.1.0.1:1 10.1.0.1:2", "turns 10.1.0.1:5" } };

/* web at VIP 0; shop with a policy at VIP 1. */
static void declare_both(void)
{
	struct jn_write *w = new_write();

	add_service(w, "web", "\"10.0.0.1\"", B(1) "," B(2));
	add_service(w, "shop", "\"10.0.0.2\"", B(5));
	add_policy(w, "shop", "RoundRobin");
	expect(&both);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	expect(NULL); /* from here on nothing may be seen to change */
}

static void redeclare_web(void)
{
	struct jn_write *w = new_write();

	add_service(w, "web", "\"10.0.0.1\"", B(1) "," B(2));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
}

static void test_a_lost_store_is_rebuilt_from_the_tables(void **state)
{
	struct jn_object_key key = key_of(JN_KIND_TRAFFIC_POLICY, "shop");
	struct jn_object *policy;

	(void)state;
	declare_both();
	rows->count = 0;
	rows->generation = 0;
	restart();
	assert_true(is_seen(&both));
	assert_int_equal(rows->count, 3);
	assert_int_equal(degraded_count("default/web was rebuilt"), 1);
	assert_int_equal(degraded_count("was rebuilt"), 3);
	policy = jn_engine_find(engine, &key);
	assert_non_null(policy);
	assert_int_equal(policy->policy.algorithm, JN_ALGORITHM_ROUND_ROBIN);
	jn_object_unref(&policy);
	/* It is said until it is declared again, over restarts. */
	restart();
	assert_int_equal(degraded_count("was rebuilt"), 3);
	redeclare_web();
	assert_int_equal(degraded_count("default/web"), 0);
	assert_int_equal(degraded_count("was rebuilt"), 2);
	restart();
	assert_int_equal(degraded_count("was rebuilt"), 2);
	check_no_leftovers();
}

static void test_a_bad_row_is_named_and_nothing_changes(void **state)
{
	static const char *const kinds[] = { "LocalService", "LocalService", "TrafficPolicy" };
	static const char *const names[] = { "web", "shop", "shop" };
	char text[64];

	(void)state;
	declare_both();
	for (unsigned i = 0; i < 3; i++) {
		row_of(kinds[i], names[i])->is_bad = true;
		restart();
		assert_true(is_seen(&both));
		(void)snprintf(text, sizeof(text), "%s default/%s was rebuilt", kinds[i], names[i]);
		assert_int_equal(degraded_count(text), 1);
		assert_int_equal(degraded_count("was rebuilt"),
				 1 + i); /* each stays until declared */
		assert_false(row_of(kinds[i], names[i])->is_bad);
	}
	check_no_leftovers();
}

/* A policy that governs all ports, and the row of its service alone is bad: no port gets one of its own. */
static void test_a_good_policy_is_not_rebuilt(void **state)
{
	struct jn_write *w = new_write();

	(void)state;
	add_json(w, "{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"LocalService\","
		    "\"metadata\":{\"name\":\"web\"},\"spec\":{\"addresses\":[\"10.0.0.1\"],"
		    "\"ports\":[{\"name\":\"a\",\"port\":80},{\"name\":\"b\",\"port\":81}],"
		    "\"backends\":[{\"address\":\"10.1.0.1\"}]}}");
	add_policy(w, "web", "RoundRobin");
	expect(&(struct view){ .vip = { "turns 10.1.0.1:80" } });
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	expect(NULL);
	row_of("LocalService", "web")->is_bad = true;
	restart();
	assert_int_equal(degraded_count("LocalService default/web was rebuilt"), 1);
	assert_int_equal(degraded_count("was rebuilt"), 1);
	assert_int_equal(rows->count, 2);
	check_no_leftovers();
}

#define POLICY(spec)                                                                               \
	"{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"TrafficPolicy\",\"metadata\":"        \
	"{\"name\":\"p\"},\"spec\":{\"targetRef\":{\"kind\":\"LocalService\",\"name\":\"web\"},"   \
	"\"drainSeconds\":7," spec "}}"

/* Algorithm and errno alone were compared: the tables' other rules were given up for older ones. */
static void test_every_rule_of_the_tables_is_kept_before_an_older_store(void **state)
{
	static const char *const specs[] = {
		POLICY("\"slowStartSeconds\":5"),
		POLICY("\"affinity\":{\"type\":\"ClientIP\",\"timeoutSeconds\":9}"),
		POLICY("\"limits\":{\"connections\":8}"),
		POLICY("\"limits\":{\"newConnectionsPerSecond\":8}"),
		POLICY("\"limits\":{\"connectionsPerBackend\":8}"),
		POLICY("\"outlier\":{\"consecutiveFailures\":3}"),
		POLICY("\"outlier\":{\"maxEjectedPercent\":3}"),
	};
	struct jn_object_key key = key_of(JN_KIND_TRAFFIC_POLICY, "p");

	(void)state;
	tables_watch = NULL; /* what a connect sees is the same in all of them */
	for (size_t i = 0; i < JN_COUNT(specs); i++) {
		struct jn_write *w = new_write();
		JN_AUTO(jn_object_unref) struct jn_object *after = NULL, *recovered = NULL;
		struct tables_row old;

		if (!i)
			add_service(w, "web", V1, B(1) "," B(2));
		add_json(w, POLICY("\"outlier\":{\"consecutiveFailures\":4}"));
		assert_int_equal(run_write(w), JN_ERROR_NONE);
		old = *row_of("TrafficPolicy", "p");
		w = new_write();
		add_json(w, specs[i]);
		assert_int_equal(run_write(w), JN_ERROR_NONE);
		after = jn_engine_find(engine, &key);
		*row_of("TrafficPolicy", "p") = old;
		rows->generation--;
		restart();
		recovered = jn_engine_find(engine, &key);
		assert_true(jn_object_equal(after, recovered));
		assert_int_equal(degraded_count("was rebuilt"), 1);
		assert_int_equal(rows->count, 2);
		check_no_leftovers();
	}
}

/* A lost policy is named after its service; that name was taken from somebody else's policy. */
static void test_a_recovered_policy_takes_no_name_away(void **state)
{
	struct jn_write *w = new_write();

	(void)state;
	tables_watch = NULL;
	add_service(w, "web", V1, B(1));
	add_service(w, "shop", V2, B(2));
	add_json(w, POLICY("\"algorithm\":\"RoundRobin\""));
	add_json(w, "{\"apiVersion\":\"junctor.dev/"
		    "v1alpha1\",\"kind\":\"TrafficPolicy\",\"metadata\":"
		    "{\"name\":\"web\"},\"spec\":{\"targetRef\":{\"kind\":\"LocalService\","
		    "\"name\":"
		    "\"shop\"},\"algorithm\":\"Maglev\"}}");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	*row_of("TrafficPolicy", "p") = rows->rows[rows->count - 1]; /* it is not there any more */
	rows->count--;
	rows->is_damaged = true;
	restart();
	rows->is_damaged = false;
	assert_int_equal(degraded_count("TrafficPolicy default/web-1 was rebuilt"), 1);
	assert_int_equal(degraded_count("was rebuilt"), 1);
	assert_int_equal(rows->count, 4);
	check_no_leftovers();
}

static void test_what_nothing_is_left_of_is_lost_until_it_is_said(void **state)
{
	struct jn_write *w;

	(void)state;
	declare_both();
	rows->rows[rows->count] = *row_of("LocalService", "web");
	(void)strcpy(rows->rows[rows->count].name, "gone");
	rows->rows[rows->count++].is_bad = true;
	restart();
	assert_int_equal(degraded_count("default/gone is lost"), 1);
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "gone");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_int_equal(degraded_count("gone"), 0);
	restart();
	assert_int_equal(degraded_count("gone"), 0);
	assert_true(is_seen(&both));
}

/* A port on its way in, or out, when the process died: the other ports of the service go on. */
static void test_a_port_without_frontends_does_not_cost_the_service(void **state)
{
	(void)state;
	declare_both();
	tables->names[500] =
		(struct jn_name){ "default", "web", "late", IPPROTO_TCP, JN_NAME_LOCAL_SERVICE,
				  { 0 } };
	tables->has_name[500] = true;
	rows->count = 0;
	rows->generation = 0;
	restart();
	assert_true(is_seen(&both));
	check_no_leftovers();
}

/* A service that was deleted and made again around a crash: the id that is served stays, the other goes. */
static void test_of_two_ids_of_one_name_the_served_one_stays(void **state)
{
	struct jn_frontend_key key = vip_key(0);
	struct jn_write *w = new_write();
	uint32_t service;

	(void)state;
	add_service(w, "first", "\"10.0.0.4\"", B(1));
	expect(&(struct view){ .vip = { "", "", "", "random 10.1.0.1:1" } });
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "first");
	expect(&(struct view){ 0 });
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	declare_both();
	service = tables_find(&key)->service;
	assert_true(service > 1);
	for (unsigned i = 0; i < 2; i++) {
		uint32_t other = i ? 500 : 1; /* read before it, and after it */

		tables->names[other] = tables->names[service];
		tables->has_name[other] = true;
		restart();
		assert_true(is_seen(&both));
		assert_int_equal(tables_find(&key)->service, service);
		assert_false(tables->has_name[other]);
		check_no_leftovers();
	}
}

/*
 * Frontends that lead to a service without a name go on being served until they are written again:
 * nothing that they lead to may be given to others before that (the watcher holds it).
 */
static void test_a_service_that_lost_its_name_is_served_all_the_time(void **state)
{
	struct jn_frontend_key key = vip_key(0);

	(void)state;
	declare_both();
	tables->has_name[tables_find(&key)->service] = false;
	key = vip_key(1);
	tables->has_name[tables_find(&key)->service] = false;
	watch();
	restart();
	assert_true(is_seen(&both));
	check_no_leftovers();
}

static void test_frontends_of_nobody_are_removed(void **state)
{
	struct jn_frontend_key key = vip_key(2);
	const struct jn_frontend value = { .service = 300, .set = 300 };
	size_t done;

	(void)state;
	declare_both();
	tables_watch = NULL;
	assert_int_equal(jn_datapath_put_frontends(tables, &key, &value, 1, &done), 0);
	restart();
	assert_null(tables_find(&key));
	assert_true(is_seen(&both));
}

static void test_uneven_frontends_are_written_again(void **state)
{
	struct jn_frontend_key key = vip_key(1);
	struct jn_frontend value;
	struct jn_write *w = new_write();
	size_t done;

	(void)state;
	add_service(w, "web", "\"10.0.0.1\",\"10.0.0.2\"", B(1));
	expect(&(struct view){ .vip = { "random 10.1.0.1:1", "random 10.1.0.1:1" } });
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	expect(NULL);
	value = *tables_find(&key);
	value.netns_cookie = COOKIE;
	assert_int_equal(jn_datapath_put_frontends(tables, &key, &value, 1, &done), 0);
	restart();
	assert_int_equal(tables_find(&key)->netns_cookie, 0);
	value.netns_cookie = 0;
	value.set = 300; /* published nothing */
	tables_watch = NULL;
	assert_int_equal(jn_datapath_put_frontends(tables, &key, &value, 1, &done), 0);
	restart();
	assert_true(is_seen(&view_old));
	check_no_leftovers();
}

/* A refusal during the start: nothing is collected that is still led to, and the next one goes on. */
static void test_a_start_that_fails_can_be_repeated(void **state)
{
	struct view next = { .vip = { "random 10.1.0.1:9", "", "random 10.1.0.1:9" } };
	struct tables_row *row;

	(void)state;
	declare_both();
	/* As if a crash had come between commit and publication. */
	row = row_of("LocalService", "web");
	row->version = ++rows->generation;
	row->size = (uint32_t)snprintf(row->body, sizeof(row->body),
				       "{\"apiVersion\":\"junctor.dev/"
				       "v1alpha1\",\"kind\":\"LocalService\",\"metadata\":"
				       "{\"name\":\"web\",\"namespace\":\"default\"},\"spec\":{"
				       "\"addresses\":"
				       "[\"10.0.0.1\",\"10.0.0.3\"],\"ports\":[{\"port\":80}],"
				       "\"backends\":[" B(9) "]}}");
	*row_of("LocalService", "shop") = rows->rows[--rows->count];
	expect(&next);
	for (unsigned k = 1; k <= 2; k++) {
		jn_engine_close(&engine);
		tables_fail_frontend = k;
		assert_int_not_equal(try_open(), 0);
		watch();
	}
	open_engine();
	assert_true(is_seen(&next));
	check_no_leftovers();
}

#define MANY 5000

/* Finding and forgetting what is to be said is by key: a list would take minutes here. */
static void test_many_objects_are_lost_and_declared_again(void **state)
{
	(void)state;
	tables_watch = NULL;
	for (unsigned round = 0; round < 2; round++) {
		struct jn_write *w = new_write();

		for (unsigned i = 0; i < MANY; i++) {
			char name[32], vip[32];

			(void)snprintf(name, sizeof(name), "s%u", i);
			(void)snprintf(vip, sizeof(vip), "\"10.9.%u.%u\"", i / 200, 1 + i % 200);
			add_service(w, name, vip, B(1) "," B(2));
		}
		assert_int_equal(run_write(w), JN_ERROR_NONE);
		assert_int_equal(degraded_count("was rebuilt"), 0);
		rows->count = 0;
		rows->generation = 0;
		restart();
		assert_int_equal(degraded_count("was rebuilt"), MANY);
		assert_int_equal(rows->count, MANY);
		rows->count = 0; /* tables.h adds only */
	}
	check_no_leftovers();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_lost_store_is_rebuilt_from_the_tables),
		TEST(test_a_bad_row_is_named_and_nothing_changes),
		TEST(test_a_good_policy_is_not_rebuilt),
		TEST(test_every_rule_of_the_tables_is_kept_before_an_older_store),
		TEST(test_a_recovered_policy_takes_no_name_away),
		TEST(test_what_nothing_is_left_of_is_lost_until_it_is_said),
		TEST(test_a_port_without_frontends_does_not_cost_the_service),
		TEST(test_of_two_ids_of_one_name_the_served_one_stays),
		TEST(test_a_service_that_lost_its_name_is_served_all_the_time),
		TEST(test_frontends_of_nobody_are_removed),
		TEST(test_uneven_frontends_are_written_again),
		TEST(test_a_start_that_fails_can_be_repeated),
		TEST(test_many_objects_are_lost_and_declared_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
