/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Services, EndpointSlices and Nodes in the model: what is merged from several slices, what each
 * change touches, what is claimed, and who is served at all.
 */
#include "model_case.h"

#include "model/cluster_count.h"

/* Texts use ' for ", so that they can be read. */
static struct jn_object *read_object(const char *quoted)
{
	struct jn_decode_options options = { .prefix = "", .kind = -1 };
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_free_mem) char *text = strdup(quoted);

	assert_non_null(text);
	for (char *p = text; *p; p++) {
		if (*p == '\'')
			*p = '"';
	}
	if (jn_object_decode(text, strlen(text), &options, &list, &err))
		fail_msg("%s: %s", quoted, jn_error_text(&err));
	return jn_object_ref(list.items[0]);
}

#define SERVICE_LABELLED(labels, spec)                                                             \
	"{'apiVersion':'v1','kind':'Service','metadata':{'name':'web','labels':{" labels           \
	"}},'spec':{" spec "}}"
#define SERVICE(spec) SERVICE_LABELLED("", spec)
#define SLICE_LABELLED(name, type, labels, rest)                                                   \
	"{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'name':'" name     \
	"','labels':{'kubernetes.io/service-name':'web'" labels "}},'addressType':'" type          \
	"'," rest "}"
#define SLICE(name, rest) SLICE_LABELLED(name, "IPv4", "", rest)
#define NODE(name, zone)                                                                           \
	"{'apiVersion':'v1','kind':'Node','metadata':{'name':'" name                               \
	"','labels':{'topology.kubernetes.io/zone':'" zone "'}}}"
#define VIP "'clusterIP':'10.96.0.1',"
#define HTTP "'ports':[{'name':'http','port':80}]"
#define TWO "'ports':[{'name':'http','port':80},{'name':'admin','port':81}]"

static void put(struct jn_model *m, const char *quoted)
{
	declare(m, read_object(quoted), JN_ERROR_NONE, NULL);
}

static struct jn_model *new_model(void)
{
	struct jn_model *m;

	assert_int_equal(jn_model_new(&m), 0);
	jn_model_set_node(m, "me");
	return m;
}

/* "http: 10.1.0.1:81=1 10.1.0.2:81=0 | admin: …": name, endpoints with weights. */
static void check(struct jn_model *m, const char *expected)
{
	struct jn_object_key key = jn_object_key_of(JN_KIND_SERVICE, "default", "web");
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	char text[512] = "", one[JN_ENDPOINT_TEXT_BYTES];

	assert_int_equal(jn_resolve(m, jn_model_find(m, &key), &desired), 0);
	for (unsigned p = 0; p < desired.port_count; p++) {
		const struct jn_desired_port *port = &desired.ports[p];

		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
			       "%s%s:", p ? " | " : "", port->name.port_name);
		for (unsigned i = 0; i < port->endpoint_count; i++)
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s=%u",
				       jn_endpoint_format(&port->endpoints[i].addr,
							  ntohs(port->endpoints[i].port), one),
				       port->endpoints[i].weight);
		assert_int_equal(port->name.kind, JN_NAME_SERVICE);
	}
	assert_string_equal(text, expected);
}

/* --- merging ------------------------------------------------------------------------------------- */

static void test_slices_are_merged_by_port_name(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();

	(void)state;
	put(m, SERVICE(VIP TWO));
	check(m, "http: | admin:");
	put(m, SLICE("b", "'ports':[{'name':'admin','port':9001}],"
			  "'endpoints':[{'addresses':['10.1.0.2']}]"));
	check(m, "http: | admin: 10.1.0.2:9001=1");
	put(m, SLICE("a", "'ports':[{'name':'http','port':8081},{'name':'admin','port':9000}],"
			  "'endpoints':[{'addresses':['10.1.0.1','10.1.0.9']}]"));
	check(m, "http: 10.1.0.1:8081=1 | admin: 10.1.0.1:9000=1 10.1.0.2:9001=1");
	/* A port of another protocol, or without a number, is not the Service's. */
	put(m, SLICE("b", "'ports':[{'name':'admin','port':9001,'protocol':'UDP'},{'name':'http'}],"
			  "'endpoints':[{'addresses':['10.1.0.2']}]"));
	check(m, "http: 10.1.0.1:8081=1 | admin: 10.1.0.1:9000=1");
}

static void test_equal_endpoints_are_one(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();

	(void)state;
	put(m, SERVICE(VIP HTTP));
	put(m, SLICE("a", "'ports':[{'name':'http','port':8081}],'endpoints':["
			  "{'addresses':['10.1.0.1'],'conditions':{'ready':false}},"
			  "{'addresses':['10.1.0.1'],'conditions':{'ready':false}}]"));
	check(m, "http: 10.1.0.1:8081=0");
	/* Ready where one slice says so; another port is another endpoint. */
	put(m, SLICE("b", "'ports':[{'name':'http','port':8081}],"
			  "'endpoints':[{'addresses':['10.1.0.1']}]"));
	put(m, SLICE("c", "'ports':[{'name':'http','port':8082}],"
			  "'endpoints':[{'addresses':['10.1.0.1']}]"));
	check(m, "http: 10.1.0.1:8081=1 10.1.0.1:8082=1");
}

static void test_conditions(void **state)
{
	static const struct {
		const char *conditions;
		bool is_ready, is_serving, is_terminating;
	} cases[] = {
		{ "{}", true, true, false }, /* nil ready is true, nil serving is ready's */
		{ "{'ready':null,'serving':null,'terminating':null}", true, true, false },
		{ "{'ready':false}", false, false, false },
		{ "{'ready':false,'serving':true,'terminating':true}", false, true, true },
		{ "{'ready':true,'serving':false}", true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_object_unref) struct jn_object *o = NULL;
		char text[512];

		(void)snprintf(text, sizeof(text),
			       SLICE("a", "'endpoints':[{'addresses':['10.1.0.1'],"
					  "'conditions':%s}]"),
			       cases[i].conditions);
		o = read_object(text);
		assert_int_equal(o->slice.endpoints[0].is_ready, cases[i].is_ready);
		assert_int_equal(o->slice.endpoints[0].is_serving, cases[i].is_serving);
		assert_int_equal(o->slice.endpoints[0].is_terminating, cases[i].is_terminating);
	}
}

/* Each family decides for itself, also what it answers without an endpoint. */
static void test_families_stay_apart(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();
	struct jn_object_key key = jn_object_key_of(JN_KIND_SERVICE, "default", "web");
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	const struct jn_desired_port *port;

	(void)state;
	put(m, SERVICE("'clusterIPs':['10.96.0.1','fd00:96::1'],'internalTrafficPolicy':'Local'"
		       "," HTTP));
	put(m, SLICE("four", "'ports':[{'name':'http','port':8081}],'endpoints':["
			     "{'addresses':['10.1.0.1'],'nodeName':'me'}]"));
	put(m, SLICE_LABELLED("six", "IPv6", "",
			      "'ports':[{'name':'http','port':8081}],'endpoints':["
			      "{'addresses':['fd00:1::1'],'nodeName':'other'}]"));
	check(m, "http: 10.1.0.1:8081=1 [fd00:1::1]:8081=0");
	assert_int_equal(jn_resolve(m, jn_model_find(m, &key), &desired), 0);
	port = &desired.ports[0];
	assert_int_equal(port->frontend_count, 2);
	assert_int_equal(jn_plan_set_flags(port, JN_FAMILY_V4), 0);
	assert_int_equal(jn_plan_set_flags(port, JN_FAMILY_V6), JN_REVISION_ELSEWHERE);
	assert_true(jn_desired_allows(port, JN_FAMILY_V4, &port->endpoints[0]));
	assert_false(jn_desired_allows(port, JN_FAMILY_V6, &port->endpoints[0]));
	assert_true(jn_desired_allows(port, JN_FAMILY_V6, &port->endpoints[1]));
	/* An address of one family alone: slices of the other are nobody's. */
	put(m, SERVICE("'clusterIP':'fd00:96::1'," HTTP));
	check(m, "http: [fd00:1::1]:8081=1");
}

/* --- who is served ------------------------------------------------------------------------------- */

static void test_who_is_not_served(void **state)
{
	static const char *const cases[] = {
		SERVICE("'clusterIP':'None'," HTTP),
		SERVICE("'clusterIPs':['None']"),
		SERVICE("'type':'ExternalName','externalName':'example.com'"),
		SERVICE_LABELLED("'service.kubernetes.io/service-proxy-name':'foo'", VIP HTTP),
		SERVICE_LABELLED("'service.kubernetes.io/headless':''", VIP HTTP),
	};
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();

	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		put(m, SERVICE(VIP HTTP));
		assert_int_equal(jn_model_frontend_count(m), 1);
		put(m, cases[i]);
		assert_int_equal(jn_model_frontend_count(m), 0);
		check(m, "");
	}
	put(m, SERVICE(VIP "'ports':[{'name':'s','port':1,'protocol':'SCTP'},{'name':'http','port':"
			   "80}]"));
	assert_int_equal(jn_model_frontend_count(m), 1);
	check(m, "http:");
}

static void test_foreign_slices_are_left_out(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();

	(void)state;
	put(m, SERVICE(VIP HTTP));
	put(m, SLICE_LABELLED("a", "IPv4", ",'service.kubernetes.io/headless':''",
			      "'ports':[{'name':'http','port':8081}],"
			      "'endpoints':[{'addresses':['10.1.0.1']}]"));
	check(m, "http:");
}

static void test_counts(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();
	struct jn_object_key key = jn_object_key_of(JN_KIND_SERVICE, "default", "web");
	struct jn_cluster_count count;

	(void)state;
	put(m, SERVICE(VIP "'internalTrafficPolicy':'Local'," TWO));
	put(m, SLICE("a", "'ports':[{'name':'http','port':1},{'name':'admin','port':2}],'endpoints'"
			  ":["
			  "{'addresses':['10.1.0.1'],'nodeName':'me'},{'addresses':['10.1.0.2']},"
			  "{'addresses':['10.1.0.3'],'conditions':{'ready':false}},"
			  "{'addresses':['10.1.0.4'],'conditions':{'ready':false,'serving':true,"
			  "'terminating':true}}]"));
	assert_int_equal(jn_cluster_count(m, jn_model_find(m, &key), &count), 0);
	assert_int_equal(count.ready, 1);
	assert_int_equal(count.unused, 1);
	assert_int_equal(count.not_ready, 1);
	assert_int_equal(count.terminating, 1);
	assert_true(count.has_used && count.has_any && !count.has_sctp);
}

/* --- affinity and policies ----------------------------------------------------------------------- */

static void test_affinity_of_the_service_and_of_a_policy(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();
	struct jn_object_key key = jn_object_key_of(JN_KIND_SERVICE, "default", "web");
	struct jn_object *policy;
	struct jn_desired desired;

	(void)state;
	put(m, SERVICE(VIP "'sessionAffinity':'ClientIP'," HTTP));
	assert_int_equal(jn_resolve(m, jn_model_find(m, &key), &desired), 0);
	assert_int_equal(desired.ports[0].rules.affinity_seconds, 10800);
	jn_desired_done(&desired);
	put(m, SERVICE(VIP "'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':"
			   "{'timeoutSeconds':7}}," HTTP));
	policy = new_policy("p", "web", ""); /* for a LocalService of that name */
	declare(m, policy, JN_ERROR_NONE, NULL);
	assert_int_equal(jn_resolve(m, jn_model_find(m, &key), &desired), 0);
	assert_int_equal(desired.ports[0].rules.affinity_seconds, 7);
	assert_int_equal(desired.ports[0].algorithm, JN_ALGORITHM_RANDOM);
	jn_desired_done(&desired);
	policy = new_policy("p", "web", "");
	policy->policy.target_kind = JN_KIND_SERVICE;
	policy->policy.affinity = (struct jn_affinity_spec){ 9, JN_AFFINITY_CLIENT_IP };
	declare(m, policy, JN_ERROR_NONE, NULL);
	assert_int_equal(jn_resolve(m, jn_model_find(m, &key), &desired), 0);
	assert_int_equal(desired.ports[0].rules.affinity_seconds, 9);
	assert_int_equal(desired.ports[0].algorithm, JN_ALGORITHM_ROUND_ROBIN);
	jn_desired_done(&desired);
}

/* It was taken for a policy that says nothing of affinity. */
static void test_an_affinity_of_none_is_the_policys_word_too(void **state)
{
	static const struct {
		struct jn_affinity_spec affinity;
		uint32_t seconds;
	} cases[] = {
		{ { JN_DEFAULT_AFFINITY_SECONDS, JN_AFFINITY_NONE }, 0 },
		{ JN_AFFINITY_NOT_SAID, 10800 },
		{ { 9, JN_AFFINITY_CLIENT_IP }, 9 },
	};
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();
	struct jn_object_key key = jn_object_key_of(JN_KIND_SERVICE, "default", "web");

	(void)state;
	put(m, SERVICE(VIP "'sessionAffinity':'ClientIP'," HTTP));
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		struct jn_object *policy = new_policy("p", "web", "");
		struct jn_desired desired;

		policy->policy.target_kind = JN_KIND_SERVICE;
		policy->policy.affinity = cases[i].affinity;
		declare(m, policy, JN_ERROR_NONE, NULL);
		assert_int_equal(jn_resolve(m, jn_model_find(m, &key), &desired), 0);
		assert_int_equal(desired.ports[0].rules.affinity_seconds, cases[i].seconds);
		jn_desired_done(&desired);
	}
}

/* --- claims -------------------------------------------------------------------------------------- */

static void test_claims(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();

	(void)state;
	declare(m, new_service("local", "10.96.0.1", 80, "10.1.0.7:80", NULL), JN_ERROR_NONE, NULL);
	declare(m, read_object(SERVICE(VIP HTTP)), JN_ERROR_CONFLICT, "spec.clusterIPs[0]");
	declare(m, read_object(SERVICE("'clusterIPs':['fd00::1','10.1.0.7']," HTTP)),
		JN_ERROR_CONFLICT, "spec.clusterIPs[1]");
	/* An endpoint that is a frontend would lead in a circle. */
	declare(m,
		read_object(SLICE("a", "'ports':[{'name':'http','port':80}],'endpoints':["
				       "{'addresses':['10.1.0.1']},{'addresses':['10.96.0.1']}]")),
		JN_ERROR_INVALID, "endpoints[1].addresses[0]");
	put(m, SLICE("a", "'ports':[{'name':'http','port':81}],"
			  "'endpoints':[{'addresses':['10.96.0.1']}]"));
	declare(m,
		read_object("{'apiVersion':'v1','kind':'Service','metadata':{'name':'local'},"
			    "'spec':{'clusterIP':'10.96.0.9','ports':[{'port':80}]}}"),
		JN_ERROR_CONFLICT, "metadata.name");
}

/* --- what a change touches ----------------------------------------------------------------------- */

static size_t touched(struct jn_model *m, const char *quoted, char name[JN_LONG_NAME_BYTES])
{
	JN_AUTO(jn_changes_done) struct jn_changes changes = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_key_list keys = { 0 };
	size_t count;

	add(&changes, m, read_object(quoted), NULL);
	assert_int_equal(jn_model_stage(m, &changes, &err), 0);
	assert_int_equal(jn_model_touched(m, &changes, &keys), 0);
	jn_model_settle(m, &changes, true);
	count = keys.count;
	if (count)
		(void)snprintf(name, JN_LONG_NAME_BYTES, "%s", keys.items[0].name);
	free(keys.items);
	return count;
}

static void test_what_a_change_touches(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();
	char name[JN_LONG_NAME_BYTES];

	(void)state;
	put(m, SERVICE(VIP HTTP));
	put(m, "{'apiVersion':'v1','kind':'Service','metadata':{'name':'other'},"
	       "'spec':{'clusterIP':'10.96.0.2','ports':[{'port':80}]}}");
	assert_int_equal(touched(m, SLICE("a", "'endpoints':[]"), name), 1);
	assert_string_equal(name, "web");
	/* A node: only ours, only its zone, and only services that have zones in mind. */
	assert_int_equal(touched(m, NODE("me", "z1"), name), 0);
	assert_int_equal(touched(m,
				 SLICE("a", "'endpoints':[{'addresses':['10.1.0.1'],"
					    "'hints':{'forZones':[{'name':'z1'}]}}]"),
				 name),
			 1);
	assert_int_equal(touched(m, NODE("me", "z2"), name), 1);
	assert_string_equal(name, "web");
	assert_int_equal(touched(m, NODE("me", "z2"), name), 0);
	assert_int_equal(touched(m, NODE("you", "z3"), name), 0);
	/* A slice that goes to another Service touches both. */
	assert_int_equal(touched(m,
				 "{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice',"
				 "'metadata':{'name':'a','labels':{'kubernetes.io/service-name':"
				 "'other'}},'addressType':'IPv4'}",
				 name),
			 2);
}

/* A batch that is taken back leaves the index of slices as it was. */
static void test_a_refused_batch_leaves_the_slices(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = new_model();

	(void)state;
	put(m, SERVICE(VIP HTTP));
	put(m, SLICE("a", "'ports':[{'name':'http','port':81}],"
			  "'endpoints':[{'addresses':['10.1.0.1']}]"));
	put(m, SLICE("b", "'ports':[{'name':'http','port':81}],"
			  "'endpoints':[{'addresses':['10.1.0.2']}]"));
	declare(m,
		read_object(SLICE("a", "'ports':[{'name':'http','port':80}],"
				       "'endpoints':[{'addresses':['10.96.0.1']}]")),
		JN_ERROR_INVALID, "endpoints[0].addresses[0]");
	check(m, "http: 10.1.0.1:81=1 10.1.0.2:81=1");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices_are_merged_by_port_name),
		cmocka_unit_test(test_equal_endpoints_are_one),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_families_stay_apart),
		cmocka_unit_test(test_who_is_not_served),
		cmocka_unit_test(test_foreign_slices_are_left_out),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_affinity_of_the_service_and_of_a_policy),
		cmocka_unit_test(test_an_affinity_of_none_is_the_policys_word_too),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_what_a_change_touches),
		cmocka_unit_test(test_a_refused_batch_leaves_the_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
