/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects that are right: what documents say comes into the values, with its defaults, up to the
 * limits.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "decode_case.h"
#include "proto/address.h"
#include "random.h"

static void check_addr(const struct jn_addr *addr, const char *expected)
{
	char text[JN_ADDR_TEXT_BYTES];

	assert_string_equal(jn_addr_format(addr, text), expected);
}

static void test_a_service_with_everything(void **state)
{
	JN_AUTO(jn_object_unref)
	struct jn_object *o = decode_one(SERVICE_WITH("'name':'web','namespace':'prod',"
						      "'labels':{'b':'2','a/x':''},"
						      "'annotations':{'note':'caf\xc3\xa9'},"
						      "'resourceVersion':'18446744073709551615'",
						      "'addresses':['127.96.0.10','fd00::10'],"
						      "'ports':[{'name':'http','port':80,"
						      "'protocol':'TCP','targetPort':8080},"
						      "{'name':'dns','port':53,'protocol':'UDP'}],"
						      "'backends':[{'address':'10.1.0.1',"
						      "'ports':{'dns':5353,'http':81},"
						      "'weight':1000,'ready':false,"
						      "'terminating':true},"
						      "{'address':'2001:db8::1','weight':0}]"),
					 &any);
	const struct jn_local_service *s = &o->service;

	(void)state;
	assert_int_equal(o->key.kind, JN_KIND_LOCAL_SERVICE);
	assert_string_equal(o->key.namespace_, "prod");
	assert_string_equal(o->key.name, "web");
	assert_true(o->version == UINT64_MAX);
	assert_int_equal(o->labels.count, 2);
	assert_string_equal(o->labels.items[0].key, "a/x"); /* sorted */
	assert_string_equal(o->labels.items[1].value, "2");
	assert_string_equal(o->annotations.items[0].value, "caf\xc3\xa9");
	assert_int_equal(s->address_count, 2);
	check_addr(&s->addresses[0], "127.96.0.10");
	check_addr(&s->addresses[1], "fd00::10");
	assert_int_equal(s->port_count, 2);
	assert_string_equal(s->ports[0].name, "http");
	assert_int_equal(s->ports[0].target_port, 8080);
	assert_int_equal(s->ports[1].proto, IPPROTO_UDP);
	assert_int_equal(s->backend_count, 2);
	check_addr(&s->backends[1].addr, "2001:db8::1");
	assert_int_equal(s->backends[0].weight, 1000);
	assert_int_equal(s->backends[1].weight, 0);
	assert_false(s->backends[0].is_ready);
	assert_true(s->backends[0].is_terminating);
	assert_int_equal(jn_backend_port(s, &s->backends[0], 0), 81);
	assert_int_equal(jn_backend_port(s, &s->backends[0], 1), 5353);
	assert_int_equal(jn_backend_port(s, &s->backends[1], 0), 8080);
	assert_int_equal(jn_backend_port(s, &s->backends[1], 1), 53);
}

static void check_same(const char *shorter, const char *longer)
{
	JN_AUTO(jn_object_unref) struct jn_object *a = decode_one(shorter, &any);
	JN_AUTO(jn_object_unref) struct jn_object *b = decode_one(longer, &any);

	assert_true(jn_object_equal(a, b));
}

static void test_defaults_are_what_they_are_said_to_be(void **state)
{
	(void)state;
	check_same(SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1:8080'}]"),
		   SERVICE_WITH("'name':'web','namespace':'default','labels':{},'annotations':{}",
				VIP "'ports':[{'port':80,'protocol':'TCP','targetPort':80}],"
				    "'backends':[{'address':'10.1.0.1:8080','weight':1,'ports':{},"
				    "'ready':true,'terminating':false}]"));
	check_same(SERVICE(VIP PORT), SERVICE(VIP PORT ",'backends':[]"));
	check_same(SERVICE(VIP TWO_PORTS ",'backends':[{'address':'10.1.0.1','ports':{'a':1,'b':2}}"
					 "]"),
		   SERVICE(VIP TWO_PORTS ",'backends':[{'address':'10.1.0.1','ports':{'b':2,'a':1}}"
					 "]"));
	check_same(POLICY(TARGET), POLICY(TARGET ",'algorithm':'Random','noBackendErrno':'"
						 "ECONNREFUSED','slowStartSeconds':0,"
						 "'affinity':null,"
						 "'drainSeconds':-1"));
	check_same(POLICY(TARGET), POLICY(TARGET ",'affinity':{}"));
	check_same(POLICY(TARGET), POLICY(TARGET ",'affinity':{'type':null,'timeoutSeconds':5}"));
	check_same(POLICY(TARGET ",'affinity':{'type':'None'}"), POLICY(TARGET ",'affinity':{'type'"
									       ":'None','"
									       "timeoutSeconds':"
									       "10800}"));
}

static void test_null_is_not_given(void **state)
{
	(void)state;
	check_same(SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1'}]"),
		   SERVICE_WITH("'name':'web','namespace':null,'labels':null,"
				"'resourceVersion':null",
				VIP "'ports':[{'name':null,'port':80,'protocol':null}],"
				    "'backends':[{'address':'10.1.0.1','ports':null,'weight':null,"
				    "'ready':null}]"));
}

static void test_what_the_server_sets_is_ignored(void **state)
{
	(void)state;
	check_same("{" VERSION "'kind':'LocalService','metadata':{'name':'web'},"
		   "'spec':{" VIP PORT "}}",
		   "{'status':{'generation':5,'odd':[1]}," VERSION "'kind':'LocalService',"
		   "'metadata':{'uid':'x','creationTimestamp':null,'deletionTimestamp':'now',"
		   "'deletionGracePeriodSeconds':30,'generation':4,'managedFields':[{}],"
		   "'selfLink':'/x','name':'web'},'spec':{" VIP PORT "}}");
}

static void test_a_policy_with_everything(void **state)
{
	JN_AUTO(jn_object_unref)
	struct jn_object *o = decode_one(POLICY("'targetRef':{'kind':'LocalService','name':'web',"
						"'port':'http'},'algorithm':'RoundRobin',"
						"'noBackendErrno':'EPERM','slowStartSeconds':3600,"
						"'affinity':{'type':'ClientIP',"
						"'timeoutSeconds':86400},"
						"'drainSeconds':0,'probe':{"
						"'type':'HTTP','port':9000,'path':'/up?a=b',"
						"'host':'shop.test','intervalSeconds':3600,"
						"'timeoutSeconds':60,'failureThreshold':100,"
						"'successThreshold':7}"),
					 &any);

	(void)state;
	assert_int_equal(o->key.kind, JN_KIND_TRAFFIC_POLICY);
	assert_string_equal(o->policy.target, "web");
	assert_string_equal(o->policy.port, "http");
	assert_int_equal(o->policy.algorithm, JN_ALGORITHM_ROUND_ROBIN);
	assert_int_equal(o->policy.no_endpoint_errno, EPERM);
	assert_int_equal(o->policy.slow_start_seconds, 3600);
	assert_int_equal(o->policy.drain_seconds, 0);
	assert_int_equal(o->policy.affinity.type, JN_AFFINITY_CLIENT_IP);
	assert_int_equal(o->policy.affinity.timeout_seconds, 86400);
	assert_int_equal(o->policy.probe->type, JN_PROBE_HTTP);
	assert_int_equal(o->policy.probe->port, 9000);
	assert_string_equal(o->policy.probe->path, "/up?a=b");
	assert_string_equal(o->policy.probe->host, "shop.test");
	assert_int_equal(o->policy.probe->interval_seconds, 3600);
	assert_int_equal(o->policy.probe->timeout_seconds, 60);
	assert_int_equal(o->policy.probe->failure_threshold, 100);
	assert_int_equal(o->policy.probe->success_threshold, 7);
}

static struct jn_object *decode_probe(const char *probe)
{
	char text[512];

	(void)snprintf(text, sizeof(text), POLICY(TARGET ",'probe':{%s}"), probe);
	return decode_one(text, &any);
}

static void test_probes_are_compared_whole(void **state)
{
	static const char *const probes[] = {
		"'type':'TCP'",
		"'type':'HTTP'",
		"'type':'GRPC'",
		"'type':'TCP','port':80",
		"'type':'HTTP','path':'/a'",
		"'type':'HTTP','host':'a'",
		"'type':'GRPC','service':'a'",
		"'type':'TCP','intervalSeconds':11",
		"'type':'TCP','timeoutSeconds':2",
		"'type':'TCP','failureThreshold':4",
		"'type':'TCP','successThreshold':2",
	};
	JN_AUTO(jn_object_unref) struct jn_object *none = decode_one(POLICY(TARGET), &any);

	(void)state;
	assert_null(none->policy.probe);
	for (size_t i = 0; i < JN_COUNT(probes); i++) {
		for (size_t k = 0; k < JN_COUNT(probes); k++) {
			JN_AUTO(jn_object_unref) struct jn_object *a = decode_probe(probes[i]);
			JN_AUTO(jn_object_unref) struct jn_object *b = decode_probe(probes[k]);

			assert_int_equal(jn_object_equal(a, b), i == k);
			assert_false(jn_object_equal(a, none) || jn_object_equal(none, a));
		}
	}
}

static void test_one_number_may_be_a_tcp_and_a_udp_port(void **state)
{
	JN_AUTO(jn_object_unref)
	struct jn_object *o = decode_one(SERVICE(VIP "'ports':[{'name':'a','port':53,"
						     "'protocol':'UDP'},{'name':'b','port':53}]"),
					 &any);

	(void)state;
	assert_int_equal(o->service.ports[0].proto, IPPROTO_UDP);
	assert_int_equal(o->service.ports[1].proto, IPPROTO_TCP);
}

static void test_equal_addresses_may_serve_different_ports(void **state)
{
	JN_AUTO(jn_object_unref)
	struct jn_object *o = decode_one(SERVICE(VIP TWO_PORTS ",'backends':[{'address':'10.1.0.1',"
							       "'ports':{'a':1,'b':2}},"
							       "{'address':'10.1.0.1','ports':{'a':"
							       "2,'b':1}}]"),
					 &any);

	(void)state;
	assert_int_equal(o->service.backend_count, 2);
}

static void test_lists_of_objects(void **state)
{
	static const char *const cases[] = {
		"{'apiVersion':'v1','kind':'List','metadata':{},'items':[" SERVICE(
			VIP PORT) "," POLICY(TARGET) "]}",
		"{" VERSION "'kind':'List','items':[" SERVICE(VIP PORT) "," POLICY(TARGET) "]}",
		/* items may leave out what their list says */
		"{" VERSION "'kind':'LocalServiceList','items':[{'metadata':{'name':'a'},"
		"'spec':{" VIP PORT "}}," SERVICE(VIP PORT) "]}",
		"{" VERSION "'kind':'TrafficPolicyList','metadata':{'resourceVersion':'5'},'items':"
		"[" POLICY(TARGET) ",{'metadata':{'name':'q'},'spec':{" TARGET "}}]}",
	};
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };

		if (decode_with(cases[i], &any, &list, &err))
			fail_msg("%s", jn_error_text(&err));
		assert_int_equal(list.count, 2 * (i + 1)); /* appended */
	}
	assert_int_equal(list.items[1]->key.kind, JN_KIND_TRAFFIC_POLICY);
	assert_int_equal(list.items[4]->key.kind, JN_KIND_LOCAL_SERVICE);
	assert_int_equal(list.items[7]->key.kind, JN_KIND_TRAFFIC_POLICY);
}

static void test_the_path_of_a_request_gives_the_namespace(void **state)
{
	const struct jn_decode_options options = { .namespace_ = "prod",
						   .namespace_is_fixed = true,
						   .name = "web",
						   .kind = JN_KIND_LOCAL_SERVICE };
	const struct jn_decode_options open = { .namespace_ = "prod", .kind = -1 };
	JN_AUTO(jn_object_unref)
	struct jn_object *unnamed = decode_one(SERVICE(VIP PORT), &options);
	JN_AUTO(jn_object_unref)
	struct jn_object *same = decode_one(METADATA("'name':'web','namespace':'prod'"), &options);
	JN_AUTO(jn_object_unref)
	struct jn_object *other = decode_one(METADATA("'name':'web','namespace':'test'"), &open);

	(void)state;
	assert_string_equal(unnamed->key.namespace_, "prod");
	assert_string_equal(same->key.namespace_, "prod");
	assert_string_equal(other->key.namespace_, "test");
}

static void test_kinds_have_names(void **state)
{
	enum jn_kind kind;

	(void)state;
	for (unsigned i = 0; i < JN_KIND_MAX; i++) {
		const struct jn_kind_names *names = jn_kind_names((enum jn_kind)i);

		assert_int_equal(jn_kind_by_name(names->kind, &kind), 0);
		assert_int_equal(kind, i);
		assert_int_equal(jn_kind_by_plural(names->plural, &kind), 0);
		assert_int_equal(kind, i);
	}
	assert_int_equal(jn_kind_by_name("localservices", &kind), -ENOENT);
	assert_int_equal(jn_kind_by_plural("LocalService", &kind), -ENOENT);
}

/* --- limits ----------------------------------------------------------------------------------- */

/* A service with this many of each. field: where a limit is passed, or NULL. */
struct sizes {
	unsigned addresses, ports, backends, labels, label_bytes;
	const char *field;
};

static void put_service(struct jn_buffer *b, const struct sizes *n)
{
	jn_buffer_add_text(b, "{" VERSION "'kind':'LocalService','metadata':{'name':'web','labels':"
			      "{");
	for (unsigned i = 0; i < n->labels; i++)
		jn_buffer_printf(b, "%s'l%u':'%0*u'", i ? "," : "", i, (int)n->label_bytes, i);
	jn_buffer_add_text(b, "}},'spec':{'addresses':[");
	for (unsigned i = 0; i < n->addresses; i++)
		jn_buffer_printf(b, "%s'10.0.0.%u'", i ? "," : "", i + 1);
	jn_buffer_add_text(b, "],'ports':[");
	for (unsigned i = 0; i < n->ports; i++)
		jn_buffer_printf(b, "%s{'name':'p%u','port':%u}", i ? "," : "", i, i + 1);
	jn_buffer_add_text(b, "],'backends':[");
	for (unsigned i = 0; i < n->backends; i++)
		jn_buffer_printf(b, "%s{'address':'10.1.%u.%u'}", i ? "," : "", i / 250,
				 i % 250 + 1);
	jn_buffer_add_text(b, "]}}");
}

static void test_limits_hold_exactly(void **state)
{
	static const struct sizes cases[] = {
		{ 16, 64, 8192, 256, 10, NULL },
		{ 17, 1, 1, 0, 1, "spec.addresses" },
		{ 1, 65, 1, 0, 1, "spec.ports" },
		{ 1, 1, 8193, 0, 1, "spec.backends" },
		{ 1, 1, 1, 257, 1, "metadata.labels" },
		{ 1, 1, 1, 1, 65536, NULL },
		{ 1, 1, 1, 1, 65537, "metadata.labels.l0" },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
		int rc;

		put_service(&b, &cases[i]);
		rc = decode_with(jn_buffer_text(&b), &any, &list, &err);
		assert_int_equal(rc, cases[i].field ? -EINVAL : 0);
		if (!cases[i].field)
			continue;
		assert_int_equal(err.fault_count, 1);
		assert_string_equal(err.causes[0].reason, JN_CAUSE_LIMIT);
		assert_string_equal(err.causes[0].field, cases[i].field);
		assert_non_null(strstr(err.causes[0].message, "the limit of "));
	}
}

/* Duplicates are found among many backends as among few. */
static void test_a_duplicate_among_many_is_found(void **state)
{
	(void)state;
	for (unsigned count = 2; count < 3000; count = count * 3 / 2 + 1) {
		JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
		unsigned first = random_below(count - 1),
			 copy = first + 1 + random_below(count - 1 - first);
		char field[64];

		jn_buffer_add_text(&b, "{" VERSION "'kind':'LocalService','metadata':{'name':'w'},"
				       "'spec':{" VIP PORT ",'backends':[");
		for (unsigned i = 0; i < count; i++) {
			unsigned n = i == copy ? first : i;

			jn_buffer_printf(&b, "%s{'address':'10.1.%u.%u:%u'}", i ? "," : "", n / 250,
					 n % 50 + 1, n + 1);
		}
		jn_buffer_add_text(&b, "]}}");
		assert_int_equal(decode_with(jn_buffer_text(&b), &any, &list, &err), -EINVAL);
		(void)snprintf(field, sizeof(field), "spec.backends[%u].address", copy);
		assert_int_equal(err.fault_count, 1);
		assert_string_equal(err.causes[0].field, field);
		(void)snprintf(field, sizeof(field), "as backends[%u];", first);
		assert_non_null(strstr(err.causes[0].message, field));
	}
}

static void test_references_keep_an_object(void **state)
{
	struct jn_object *o = decode_one(SERVICE(VIP PORT), &any), *also = jn_object_ref(o);

	(void)state;
	jn_object_unref(&o);
	assert_null(o);
	assert_string_equal(also->key.name, "web"); /* AddressSanitizer would see it gone */
	jn_object_unref(&also);
	jn_object_unref(&also); /* NULL is fine */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_service_with_everything),
		cmocka_unit_test(test_defaults_are_what_they_are_said_to_be),
		cmocka_unit_test(test_null_is_not_given),
		cmocka_unit_test(test_what_the_server_sets_is_ignored),
		cmocka_unit_test(test_a_policy_with_everything),
		cmocka_unit_test(test_probes_are_compared_whole),
		cmocka_unit_test(test_one_number_may_be_a_tcp_and_a_udp_port),
		cmocka_unit_test(test_equal_addresses_may_serve_different_ports),
		cmocka_unit_test(test_lists_of_objects),
		cmocka_unit_test(test_the_path_of_a_request_gives_the_namespace),
		cmocka_unit_test(test_kinds_have_names),
		cmocka_unit_test(test_limits_hold_exactly),
		cmocka_unit_test(test_a_duplicate_among_many_is_found),
		cmocka_unit_test(test_references_keep_an_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
