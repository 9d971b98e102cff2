/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Services and their EndpointSlices through the engine: what every VIP leads to at each step, and
 * what comes back of them when the store is lost, damaged or older than the tables.
 */
#include "engine_harness.h"

static void add_cluster_service(struct jn_write *w, const char *name, const char *vip,
				const char *spec)
{
	char json[1024];

	(void)snprintf(json, sizeof(json),
		       "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"%s\"},"
		       "\"spec\":{\"clusterIP\":%s,\"ports\":[{\"port\":80}]%s}}",
		       name, vip, spec);
	add_json(w, json);
}

/* port: of all endpoints; hosts: what stands between brackets, e.g. E(1) "," E(2). */
static void add_slice(struct jn_write *w, const char *name, const char *service, unsigned port,
		      const char *endpoints)
{
	char json[2048];

	(void)snprintf(json, sizeof(json),
		       "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\","
		       "\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/service-name\":"
		       "\"%s\"}},\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"\",\"port\":%u}],"
		       "\"endpoints\":[%s]}",
		       name, service, port, endpoints);
	add_json(w, json);
}

#define E(host) "{\"addresses\":[\"10.1.0." #host "\"]}"
#define UNREADY(host) "{\"addresses\":[\"10.1.0." #host "\"],\"conditions\":{\"ready\":false}}"

static void run_to(struct jn_write *w, const char *vip0)
{
	struct view next = view_new;

	(void)snprintf(next.vip[0], SEEN_BYTES, "%s", vip0);
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&next));
}

static struct jn_object *find(enum jn_kind kind, const char *name)
{
	struct jn_object_key key = key_of(kind, name);

	return jn_engine_find(engine, &key);
}

/* web: slice one has hosts 1 and 2, slice two has 2 and 3. */
static void declare_web(void)
{
	struct jn_write *w = new_write();

	add_cluster_service(w, "web", V1, "");
	add_slice(w, "web-one", "web", 81, E(1) "," E(2));
	add_slice(w, "web-two", "web", 81, E(2) "," E(3));
	run_to(w, "random 10.1.0.1:81 10.1.0.2:81 10.1.0.3:81");
}

static void test_a_service_follows_its_slices(void **state)
{
	struct jn_write *w = new_write();

	(void)state;
	add_slice(w, "web-one", "web", 81, E(1));
	run_to(w, ""); /* slices may come before their Service */
	w = new_write();
	add_cluster_service(w, "web", V1, "");
	run_to(w, "random 10.1.0.1:81");
	w = new_write();
	add_slice(w, "web-one", "web", 82, E(1) "," E(2));
	run_to(w, "random 10.1.0.1:82 10.1.0.2:82");
	w = new_write();
	add_slice(w, "web-one", "other", 82, E(1)); /* it goes to another Service */
	run_to(w, "random");
	w = new_write();
	add_slice(w, "web-one", "web", 82, E(4));
	run_to(w, "random 10.1.0.4:82");
	w = new_write();
	add_delete(w, JN_KIND_SERVICE, "web");
	run_to(w, "");
	check_no_leftovers();
}

static void test_an_endpoint_stays_until_its_last_slice_goes(void **state)
{
	struct jn_write *w;

	(void)state;
	declare_web();
	w = new_write();
	add_delete(w, JN_KIND_ENDPOINT_SLICE, "web-one");
	run_to(w, "random 10.1.0.2:81 10.1.0.3:81");
	w = new_write();
	add_slice(w, "web-two", "web", 81, E(3));
	run_to(w, "random 10.1.0.3:81");
	w = new_write();
	add_delete(w, JN_KIND_ENDPOINT_SLICE, "web-two");
	run_to(w, "random");
	check_no_leftovers();
}

static void test_one_name_is_one_service(void **state)
{
	struct jn_write *w = new_write();

	(void)state;
	add_service(w, "web", V2, B(1));
	expect(&(struct view){ .vip = { "", "random 10.1.0.1:1" } });
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	expect(NULL);
	w = new_write();
	add_cluster_service(w, "web", V1, "");
	assert_int_equal(run_write(w), JN_ERROR_CONFLICT);
	assert_non_null(strstr(last_text, "belongs to LocalService default/web"));
	check_no_leftovers();
}

/* A LocalService becomes a Service in one write: its VIP leads to one of the two at any time. */
static void test_a_name_changes_its_kind_at_once(void **state)
{
	struct jn_object *gone;
	struct jn_write *w;

	(void)state;
	create_web();
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	add_cluster_service(w, "web", V1, "");
	add_slice(w, "web-one", "web", 81, E(1));
	run_to(w, "random 10.1.0.1:81");
	restart();
	assert_int_equal(degraded_count(""), 0);
	gone = find(JN_KIND_LOCAL_SERVICE, "web");
	assert_null(gone);
	check_no_leftovers();
}

static void test_a_restart_changes_nothing(void **state)
{
	(void)state;
	declare_web();
	expect(NULL);
	restart();
	assert_int_equal(rows->count, 3);
	check_no_leftovers();
}

static void test_a_lost_store_gives_a_service_back_as_a_service(void **state)
{
	struct jn_object *service, *slice;
	struct jn_write *w;

	(void)state;
	declare_web();
	w = new_write();
	add_cluster_service(w, "web", V1, ",\"sessionAffinity\":\"ClientIP\"");
	run_to(w, "random 10.1.0.1:81 10.1.0.2:81 10.1.0.3:81");
	expect(NULL);
	rows->count = 0;
	rows->generation = 0;
	restart();
	assert_int_equal(rows->count, 2); /* its affinity is its own: no policy */
	assert_int_equal(degraded_count("Service default/web was rebuilt"), 1);
	assert_int_equal(degraded_count("EndpointSlice default/web-recovered-1 was rebuilt"), 1);
	service = find(JN_KIND_SERVICE, "web");
	assert_non_null(service);
	assert_int_equal(service->cluster.affinity.type, JN_AFFINITY_CLIENT_IP);
	slice = find(JN_KIND_ENDPOINT_SLICE, "web-recovered-1");
	assert_non_null(slice);
	assert_int_equal(slice->slice.endpoint_count, 3);
	jn_object_unref(&service);
	jn_object_unref(&slice);
	restart();
	assert_int_equal(rows->count, 2);
	/* As the sentences say: declare again, and delete what was rebuilt. */
	w = new_write();
	add_cluster_service(w, "web", V1, "");
	add_slice(w, "web-one", "web", 81, E(1) "," E(2));
	add_delete(w, JN_KIND_ENDPOINT_SLICE, "web-recovered-1");
	run_to(w, "random 10.1.0.1:81 10.1.0.2:81");
	assert_int_equal(degraded_count(""), 0);
	check_no_leftovers();
}

static void test_a_lost_policy_of_a_service_comes_back_for_a_service(void **state)
{
	struct jn_object *policy;
	struct jn_write *w;

	(void)state;
	declare_web();
	w = new_write();
	add_json(w, "{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"TrafficPolicy\","
		    "\"metadata\":{\"name\":\"p\"},\"spec\":{\"targetRef\":{\"kind\":\"Service\","
		    "\"name\":\"web\"},\"algorithm\":\"RoundRobin\"}}");
	run_to(w, "turns 10.1.0.1:81 10.1.0.2:81 10.1.0.3:81");
	expect(NULL);
	row_of("TrafficPolicy", "p")->is_bad = true;
	restart();
	policy = find(JN_KIND_TRAFFIC_POLICY, "p");
	assert_non_null(policy);
	assert_int_equal(policy->policy.target_kind, JN_KIND_SERVICE);
	assert_int_equal(policy->policy.algorithm, JN_ALGORITHM_ROUND_ROBIN);
	jn_object_unref(&policy);
	assert_int_equal(degraded_count(""), 1);
	check_no_leftovers();
}

/* What only the lost slice brought is brought by a new one, and no more. */
static void test_a_bad_row_of_a_slice_does_not_cost_its_endpoints(void **state)
{
	struct jn_object *slice;

	(void)state;
	declare_web();
	expect(NULL);
	row_of("EndpointSlice", "web-two")->is_bad = true;
	restart();
	assert_int_equal(degraded_count("EndpointSlice default/web-two is lost"), 1);
	slice = find(JN_KIND_ENDPOINT_SLICE, "web-recovered-1");
	assert_non_null(slice);
	assert_int_equal(slice->slice.endpoint_count, 1);
	jn_object_unref(&slice);
	row_of("Service", "web")->is_bad = true;
	restart();
	assert_int_equal(degraded_count("Service default/web was rebuilt"), 1);
	check_no_leftovers();
}

static void test_an_older_store_does_not_bring_back_what_is_gone(void **state)
{
	static struct tables_row old[3];
	struct jn_write *w;

	(void)state;
	declare_web();
	memcpy(old, rows->rows, sizeof(old));
	w = new_write();
	add_slice(w, "web-one", "web", 81, E(1) "," UNREADY(2));
	add_slice(w, "web-two", "web", 81, E(4));
	run_to(w, "random 10.1.0.1:81 10.1.0.4:81");
	expect(NULL);
	memcpy(rows->rows, old, sizeof(old));
	rows->generation--;
	restart();
	assert_int_equal(degraded_count("StateBehind"), 1);
	assert_null(find(JN_KIND_ENDPOINT_SLICE, "web-one"));
	assert_null(find(JN_KIND_ENDPOINT_SLICE, "web-two"));
	assert_int_equal(rows->count, 2);
	restart();
	check_no_leftovers();
}

/* Endpoints of other nodes are neither used nor forgotten, and the tables say that they are there. */
static void test_endpoints_elsewhere_are_told_from_none(void **state)
{
	const struct jn_frontend_key key = vip_key(0);
	struct jn_write *w = new_write();
	uint64_t word;

	(void)state;
	add_cluster_service(w, "web", V1, ",\"internalTrafficPolicy\":\"Local\"");
	run_to(w, "random");
	word = tables->sets[tables_find(&key)->set].word;
	assert_int_equal(tables->revisions[(uint32_t)word].flags, 0);
	w = new_write();
	add_slice(w, "web-one", "web", 81, E(1));
	run_to(w, "random");
	word = tables->sets[tables_find(&key)->set].word;
	assert_int_equal(tables->revisions[(uint32_t)word].flags, JN_REVISION_ELSEWHERE);
	restart();
	assert_int_equal(tables->sets[tables_find(&key)->set].word, word);
	check_no_leftovers();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_a_service_follows_its_slices),
		TEST(test_an_endpoint_stays_until_its_last_slice_goes),
		TEST(test_one_name_is_one_service),
		TEST(test_a_name_changes_its_kind_at_once),
		TEST(test_a_restart_changes_nothing),
		TEST(test_a_lost_store_gives_a_service_back_as_a_service),
		TEST(test_a_lost_policy_of_a_service_comes_back_for_a_service),
		TEST(test_a_bad_row_of_a_slice_does_not_cost_its_endpoints),
		TEST(test_an_older_store_does_not_bring_back_what_is_gone),
		TEST(test_endpoints_elsewhere_are_told_from_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
