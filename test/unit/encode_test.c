/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects as text: random objects come back as they were, equality sees every field and agrees with
 * the canonical text, answers have their version and status.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "decode_case.h"
#include "random.h"

static void test_status_names_endpoints(void **state)
{
	struct jn_endpoint_status endpoints[] = {
		{ .port = 80, .port_name = "http", .state = JN_ENDPOINT_DOWN, .reason = "ill" },
		{ .port = 81, .state = JN_ENDPOINT_UP },
		{ .port = 82, .state = JN_ENDPOINT_EJECTED },
	};
	const struct jn_object_status status = { .endpoints = endpoints, .endpoint_count = 3 };
	JN_AUTO(jn_object_unref)
	struct jn_object *service = decode_one(SERVICE(VIP PORT), &any);
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(endpoints); i++)
		endpoints[i].addr = service->service.addresses[0];
	jn_object_encode(service, &status, &b);
	assert_non_null(strstr(jn_buffer_text(&b), ",\"endpoints\":[{\"address\":\"10.0.0.1:80\","
						   "\"port\":\"http\","
						   "\"state\":\"Down\",\"reason\":\"ill\"},{"
						   "\"address\":"
						   "\"10.0.0.1:81\",\"state\":\"Up\"},{\"address\":"
						   "\"10.0.0.1:82\","
						   "\"state\":\"Ejected\"}]}}"));
}

static void test_answers_have_version_and_status(void **state)
{
	const struct jn_object_status status = { 9, true, "TargetNotFound", 3, 1, 2, 4, NULL, 0 };
	JN_AUTO(jn_object_unref)
	struct jn_object *service = decode_one(SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1'"
								",'ready':false}]"),
					       &any);
	JN_AUTO(jn_object_unref) struct jn_object *policy = decode_one(POLICY(TARGET), &any);
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };

	(void)state;
	service->version = 12;
	jn_object_encode(service, &status, &b);
	assert_string_equal(jn_buffer_text(&b), "{\"apiVersion\":\"junctor.dev/v1alpha1\","
						"\"kind\":\"LocalService\","
						"\"metadata\":{\"name\":\"web\","
						"\"namespace\":\"default\","
						"\"resourceVersion\":\"12\"},"
						"\"spec\":{\"addresses\":[\"10.0.0.1\"],"
						"\"ports\":[{\"port\":80,\"protocol\":\"TCP\","
						"\"targetPort\":80}],"
						"\"backends\":[{\"address\":\"10.1.0.1\","
						"\"weight\":1,\"ready\":false}]},"
						"\"status\":{\"generation\":9,\"programmed\":true,"
						"\"reason\":\"TargetNotFound\","
						"\"source\":\"api\","
						"\"backends\":{\"ready\":3,\"notReady\":1,"
						"\"terminating\":2,\"noNewConnections\":4}}}");
	jn_buffer_clear(&b);
	jn_object_encode(policy, &(struct jn_object_status){ .generation = 9 }, &b);
	assert_string_equal(jn_buffer_text(&b), "{\"apiVersion\":\"junctor.dev/"
						"v1alpha1\",\"kind\":\"TrafficPolicy\","
						"\"metadata\":{"
						"\"name\":\"p\",\"namespace\":\"default\"},"
						"\"spec\":{\"targetRef\":{\"kind\":"
						"\"LocalService\",\"name\":\"web\"},\"algorithm\":"
						"\"Random\",\"noBackendErrno\":"
						"\"ECONNREFUSED\",\"slowStartSeconds\":0"
						"},\"status\":{"
						"\"generation\":9,"
						"\"programmed\":false,"
						"\"source\":\"api\"}}");
}

/* The store keeps who declared an object; a row of before there were owners is one of the api. */
static void test_the_owner_is_stored(void **state)
{
	static const struct jn_decode_options stored = { .kind = -1, .is_stored = true };
	JN_AUTO(jn_object_unref) struct jn_object *o = decode_one(POLICY(TARGET), &any);
	JN_AUTO(jn_buffer_done) struct jn_buffer of_api = { 0 }, b = { 0 };
	struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	const struct jn_object *back;

	(void)state;
	jn_object_encode_declared(o, &of_api);
	assert_null(strstr(jn_buffer_text(&of_api), "status"));
	o->owner = JN_OWNER_FILE;
	o->file = strdup("a \"b\".yaml");
	jn_object_encode_declared(o, &b);
	assert_non_null(strstr(jn_buffer_text(&b), "\"status\":{\"source\":\"file\","
						   "\"file\":\"a \\\"b\\\".yaml\"}}"));
	assert_int_equal(jn_object_decode(b.data, b.size, &stored, &list, &err), 0);
	assert_int_equal(jn_object_decode(b.data, b.size, &any, &list, &err), 0);
	assert_int_equal(jn_object_decode(of_api.data, of_api.size, &stored, &list, &err), 0);
	back = list.items[0];
	assert_true(jn_object_same_owner(o, back) && jn_object_equal(o, back));
	for (size_t i = 1; i < 3; i++) { /* nobody can say in a request who he is */
		assert_int_equal(list.items[i]->owner, JN_OWNER_API);
		assert_null(list.items[i]->file);
		assert_false(jn_object_same_owner(o, list.items[i]));
	}
	jn_object_list_done(&list);
}

static void random_label(char *out, size_t most)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t size = 1 + random_below((uint32_t)most);

	for (size_t i = 0; i < size; i++)
		out[i] = letters[random_below(i && i < size - 1 ? 37 : 36)];
	out[size] = '\0';
}

/* i keeps addresses of one object apart. */
static void random_address(struct jn_addr *addr, unsigned i, bool is_v4)
{
	memset(addr, 0, sizeof(*addr));
	if (is_v4) {
		addr->w[2] = htonl(0xffff);
		addr->w[3] = htonl(0x0a000000u + (i << 8) + random_below(256));
		return;
	}
	addr->w[0] = htonl(0x20010db8u + (random_below(4) << 28));
	addr->w[1] = htonl(random_below(2) ? random_below(70000) : 0);
	addr->w[3] = htonl((i << 16) + random_below(65536));
}

static void random_labels(struct jn_labels *labels)
{
	static const char *const values[] = { "", "x", "caf\xc3\xa9 \"\\/\n\t\x01", "{}[]:," };

	labels->count = random_below(4);
	labels->items = labels->count ? calloc(labels->count, sizeof(*labels->items)) : NULL;
	for (unsigned i = 0; i < labels->count; i++) {
		char key[80];

		/* In order by construction. */
		(void)snprintf(key, sizeof(key), "%c%s", 'a' + (int)i,
			       random_below(2) ? ".example.com/Tier_1" : "");
		labels->items[i].key = strdup(key);
		labels->items[i].value = strdup(values[random_below(JN_COUNT(values))]);
	}
}

static void random_ports(struct jn_local_service *s)
{
	s->port_count = 1 + random_below(5);
	s->ports = calloc(s->port_count, sizeof(*s->ports));
	for (unsigned i = 0; i < s->port_count; i++) {
		struct jn_port *port = &s->ports[i];

		if (s->port_count > 1 || random_below(2)) {
			random_label(port->name, 40);
			port->name[0] = (char)('a' + (int)i);
		}
		port->port = (uint16_t)(1 + i * 13000 + random_below(13000));
		port->target_port = random_below(2) ? port->port
						    : (uint16_t)(1 + random_below(65535));
		port->proto = random_below(2) ? IPPROTO_TCP : IPPROTO_UDP;
	}
}

static void random_backend(const struct jn_local_service *s, struct jn_backend *b)
{
	b->weight = (uint16_t)random_below(JN_MAX_WEIGHT + 1);
	b->is_ready = random_below(3);
	b->is_terminating = !random_below(3);
	if (s->port_count == 1 && random_below(2)) {
		b->port = (uint16_t)(1 + random_below(65535));
		return;
	}
	if (!*s->ports[0].name || random_below(2))
		return;
	b->overrides = calloc(s->port_count, sizeof(*b->overrides));
	for (unsigned i = 0; i < s->port_count; i++) {
		if (random_below(2))
			b->overrides[b->override_count++] =
				(struct jn_port_override){ (uint8_t)i,
							   (uint16_t)(1 + random_below(65535)) };
	}
}

static void random_service(struct jn_local_service *s)
{
	bool has_v6 = random_below(2);

	s->address_count = 1 + random_below(4);
	s->addresses = calloc(s->address_count, sizeof(*s->addresses));
	for (unsigned i = 0; i < s->address_count; i++)
		random_address(&s->addresses[i], i, !has_v6 || (i && random_below(2)));
	random_ports(s);
	s->backend_count = random_below(40);
	s->backends = s->backend_count ? calloc(s->backend_count, sizeof(*s->backends)) : NULL;
	for (unsigned i = 0; i < s->backend_count; i++) {
		random_address(&s->backends[i].addr, i, !has_v6 || random_below(2));
		random_backend(s, &s->backends[i]);
	}
}

static void random_outlier(struct jn_outlier_spec *outlier)
{
	outlier->failures = (uint16_t)(1 + random_below(JN_MAX_FAILURES));
	outlier->window_seconds = (uint16_t)(1 + random_below(JN_MAX_EJECTION_SECONDS));
	outlier->base_seconds = (uint16_t)(1 + random_below(JN_MAX_EJECTION_SECONDS));
	outlier->max_seconds =
		(uint16_t)(outlier->base_seconds +
			   random_below(JN_MAX_EJECTION_SECONDS - outlier->base_seconds + 1));
	outlier->max_percent = (uint8_t)random_below(101);
}

static struct jn_probe *random_probe(void)
{
	struct jn_probe *probe = jn_probe_new();

	assert_non_null(probe);
	probe->type = (uint8_t)random_below(JN_PROBE_MAX);
	if (random_below(2))
		probe->port = (uint16_t)(1 + random_below(65535));
	if (probe->type == JN_PROBE_HTTP)
		(void)strcpy(probe->path, random_below(2) ? "/" : "/a\"\\%20");
	if (probe->type == JN_PROBE_HTTP && random_below(2))
		random_label(probe->host, 63);
	if (probe->type == JN_PROBE_GRPC && random_below(2))
		random_label(probe->service, 63);
	probe->interval_seconds = (uint16_t)(60 + random_below(JN_MAX_PROBE_SECONDS - 59));
	probe->timeout_seconds = (uint16_t)(1 + random_below(JN_MAX_PROBE_TIMEOUT_SECONDS));
	probe->failure_threshold = (uint8_t)(1 + random_below(JN_MAX_PROBE_THRESHOLD));
	probe->success_threshold = (uint8_t)(1 + random_below(JN_MAX_PROBE_THRESHOLD));
	return probe;
}

static struct jn_object *random_object(void)
{
	static const uint16_t errnos[] = { ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EPERM };
	struct jn_object *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->references = 1;
	o->key.kind = random_below(5) ? JN_KIND_LOCAL_SERVICE : JN_KIND_TRAFFIC_POLICY;
	random_label(o->key.name, 63);
	random_label(o->key.namespace_, 63);
	random_labels(&o->labels);
	random_labels(&o->annotations);
	if (o->key.kind == JN_KIND_LOCAL_SERVICE) {
		random_service(&o->service);
		return o;
	}
	random_label(o->policy.target, 63);
	if (random_below(2))
		random_label(o->policy.port, 63);
	o->policy.algorithm = (uint8_t)random_below(JN_ALGORITHM_MAX);
	o->policy.no_endpoint_errno = errnos[random_below(JN_COUNT(errnos))];
	o->policy.slow_start_seconds = random_below(JN_MAX_SLOW_START_SECONDS + 1);
	o->policy.affinity = (struct jn_affinity_spec)JN_AFFINITY_NOT_SAID;
	if (random_below(2))
		o->policy.affinity =
			(struct jn_affinity_spec){ 1 + random_below(JN_MAX_AFFINITY_SECONDS),
						   (uint8_t)random_below(2) };
	o->policy.has_outlier = random_below(2);
	if (o->policy.has_outlier)
		random_outlier(&o->policy.outlier);
	if (random_below(2))
		o->policy.limits.connections = random_below(JN_MAX_LIMIT);
	if (random_below(2))
		o->policy.limits.new_per_second = random_below(JN_MAX_LIMIT);
	if (random_below(2))
		o->policy.limits.connections_per_backend = random_below(JN_MAX_LIMIT);
	if (random_below(2))
		o->policy.probe = random_probe();
	return o;
}

static void test_random_objects_come_back_as_they_were(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5000; round++) {
		JN_AUTO(jn_object_unref) struct jn_object *o = random_object();
		JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 }, again = { 0 };

		jn_object_encode_declared(o, &b);
		if (jn_object_decode(b.data, b.size, &any, &list, &err))
			fail_msg("%s\n%s", jn_buffer_text(&b), jn_error_text(&err));
		assert_int_equal(list.count, 1);
		assert_true(jn_object_equal(o, list.items[0]));
		jn_object_encode_declared(list.items[0], &again);
		assert_string_equal(jn_buffer_text(&b), jn_buffer_text(&again));
	}
}

/* Two objects are equal exactly when their canonical texts are. */
static void test_equality_sees_every_field(void **state)
{
	static const char *const texts[] = {
		SERVICE(VIP PORT),
		METADATA("'name':'wob'"),
		METADATA("'name':'web','namespace':'a'"),
		METADATA("'name':'web','labels':{'a':'b'}"),
		METADATA("'name':'web','labels':{'a':'c'}"),
		METADATA("'name':'web','labels':{'b':'b'}"),
		METADATA("'name':'web','labels':{'a':'b','b':'b'}"),
		METADATA("'name':'web','labels':{'a':'b','b':'c'}"),
		METADATA("'name':'web','annotations':{'a':'b'}"),
		SERVICE("'addresses':['10.0.0.2']," PORT),
		SERVICE("'addresses':['10.0.0.1','10.0.0.2']," PORT),
		SERVICE(VIP "'ports':[{'port':81}]"),
		SERVICE(VIP "'ports':[{'port':80,'targetPort':81}]"),
		SERVICE(VIP "'ports':[{'port':80,'protocol':'UDP'}]"),
		SERVICE(VIP "'ports':[{'port':80,'name':'a'}]"),
		SERVICE(VIP TWO_PORTS),
		SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1'}]"),
		SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.2'}]"),
		SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1:80'}]"),
		SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1','weight':2}]"),
		SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1','ready':false}]"),
		SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1','terminating':true}]"),
		SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1'},{'address':'10.1.0.2'}]"),
		SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.1'},{'address':'10.1.0.3'}]"),
		SERVICE(VIP PORT ",'backends':[{'address':'10.1.0.2'},{'address':'10.1.0.1'}]"),
		SERVICE("'addresses':['10.0.0.1','10.0.0.3']," PORT),
		SERVICE(VIP "'ports':[{'name':'a','port':80},{'name':'b','port':82}]"),
		SERVICE(VIP TWO_PORTS ",'backends':[{'address':'10.1.0.1','ports':{'a':1}}]"),
		SERVICE(VIP TWO_PORTS ",'backends':[{'address':'10.1.0.1','ports':{'a':2}}]"),
		SERVICE(VIP TWO_PORTS ",'backends':[{'address':'10.1.0.1','ports':{'b':1}}]"),
		POLICY(TARGET),
		POLICY("'targetRef':{'kind':'LocalService','name':'wob'}"),
		POLICY("'targetRef':{'kind':'LocalService','name':'web','port':'a'}"),
		POLICY(TARGET ",'algorithm':'RoundRobin'"),
		POLICY(TARGET ",'noBackendErrno':'EPERM'"),
		POLICY(TARGET ",'affinity':{'type':'None'}"),
		POLICY(TARGET ",'affinity':{'type':'ClientIP'}"),
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(texts); i++) {
		for (unsigned j = 0; j < JN_COUNT(texts); j++) {
			JN_AUTO(jn_object_unref) struct jn_object *a = decode_one(texts[i], &any);
			JN_AUTO(jn_object_unref) struct jn_object *b = decode_one(texts[j], &any);
			JN_AUTO(jn_buffer_done) struct jn_buffer a_text = { 0 }, b_text = { 0 };

			assert_int_equal(jn_object_equal(a, b), i == j);
			jn_object_encode_declared(a, &a_text);
			jn_object_encode_declared(b, &b_text);
			assert_int_equal(!strcmp(jn_buffer_text(&a_text), jn_buffer_text(&b_text)),
					 i == j);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_have_version_and_status),
		cmocka_unit_test(test_status_names_endpoints),
		cmocka_unit_test(test_the_owner_is_stored),
		cmocka_unit_test(test_random_objects_come_back_as_they_were),
		cmocka_unit_test(test_equality_sees_every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
