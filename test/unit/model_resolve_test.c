/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The endpoint rules (which backends take new connections, which families may reach each other,
 * which policy governs) and what is planned from them.
 */
#include "model_case.h"

/* --- resolve ------------------------------------------------------------------------------------- */

static void resolve_one(struct jn_model *m, struct jn_object *service, struct jn_desired *out)
{
	declare(m, jn_object_ref(service), JN_ERROR_NONE, NULL);
	assert_int_equal(jn_resolve(m, service, out), 0);
	jn_object_unref(&service);
}

static void test_terminating_backends_serve_only_when_nobody_else_does(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	struct jn_object *o;

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	o = new_service("a", "10.0.0.1", 80, "10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80", NULL);
	o->service.backends[0].is_terminating = true;
	o->service.backends[2].is_ready = false;
	resolve_one(m, o, &desired);
	assert_int_equal(desired.ports[0].endpoints[0].weight, 0);
	assert_int_equal(desired.ports[0].endpoints[1].weight, 1);
	assert_int_equal(desired.ports[0].endpoints[2].weight, 0);
	jn_desired_done(&desired);
	o = new_service("a", "10.0.0.1", 80, "10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80", NULL);
	o->service.backends[0].is_terminating = true;
	o->service.backends[1].weight = 0;
	o->service.backends[2].is_terminating = true;
	o->service.backends[2].is_ready = false;
	resolve_one(m, o, &desired);
	assert_int_equal(desired.ports[0].endpoints[0].weight, 1);
	assert_int_equal(desired.ports[0].endpoints[1].weight, 0);
	assert_int_equal(desired.ports[0].endpoints[2].weight, 0);
}

/* Every state of a backend, alone and beside one that is as it should be. */
static void test_which_backends_take_new_connections(void **state)
{
	static const struct {
		uint16_t weight;
		bool is_ready, is_terminating;
		uint16_t alone, beside_active; /* the weight that it gets */
	} cases[] = {
		{ 5, true, false, 5, 5 },  { 5, true, true, 5, 0 },  { 5, false, false, 0, 0 },
		{ 5, false, true, 0, 0 },  { 0, true, false, 0, 0 }, { 0, true, true, 0, 0 },
		{ 0, false, false, 0, 0 }, { 0, false, true, 0, 0 },
	};
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	struct jn_desired desired;

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		struct jn_object *o =
			new_service("a", "10.0.0.1", 80, "10.1.0.1:80", "10.1.0.2:80", NULL);

		o->service.backends[0].weight = cases[i].weight;
		o->service.backends[0].is_ready = cases[i].is_ready;
		o->service.backends[0].is_terminating = cases[i].is_terminating;
		assert_int_equal(jn_resolve(m, o, &desired), 0);
		assert_int_equal(desired.ports[0].endpoint_count, 2); /* a UDP socket may keep it */
		assert_int_equal(desired.ports[0].endpoints[0].weight, cases[i].beside_active);
		assert_int_equal(desired.ports[0].endpoints[1].weight, 1);
		jn_desired_done(&desired);
		o->service.backend_count = 1;
		assert_int_equal(jn_resolve(m, o, &desired), 0);
		assert_int_equal(desired.ports[0].endpoints[0].weight, cases[i].alone);
		jn_desired_done(&desired);
		jn_object_unref(&o);
	}
}

/* The backend's own for this port, else the one beside its address, else the service port's target. */
static void test_backends_listen_where_they_say(void **state)
{
	static struct jn_port_override overrides[] = { { 1, 9001 } };
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	struct jn_object *o =
		new_service("a", "10.0.0.1", 80, "10.1.0.1:8001", "10.1.0.2:8002", NULL);
	struct jn_local_service *s = &o->service;

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	s->ports = reallocarray(s->ports, 2, sizeof(*s->ports));
	s->ports[0].target_port = 1080;
	s->ports[1] = (struct jn_port){ .port = 53, .target_port = 1053, .proto = IPPROTO_UDP };
	s->port_count = 2;
	s->backends[0].port = 0;
	s->backends[0].override_count = 1;
	s->backends[0].overrides = overrides;
	assert_int_equal(jn_resolve(m, o, &desired), 0);
	assert_int_equal(desired.port_count, 2);
	assert_int_equal(desired.ports[0].endpoints[0].port, htons(1080));
	assert_int_equal(desired.ports[0].endpoints[1].port, htons(8002));
	assert_int_equal(desired.ports[1].endpoints[0].port, htons(9001));
	assert_int_equal(desired.ports[1].endpoints[1].port, htons(8002));
	assert_int_equal(desired.ports[0].frontends[0].port, htons(80));
	assert_int_equal(desired.ports[1].frontends[0].port, htons(53));
	assert_int_equal(desired.ports[1].frontends[0].proto, IPPROTO_UDP);
	s->backends[0].overrides = NULL;
	jn_object_unref(&o);
}

static void test_any_loopback_address_binds_the_service(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	resolve_one(m, new_service("a", "10.0.0.1", 80, "10.1.0.1:80", NULL), &desired);
	assert_false(desired.ports[0].is_bound);
	jn_desired_done(&desired);
	resolve_one(m, new_service("a", "10.0.0.1", 80, "127.0.0.1:80", NULL), &desired);
	assert_true(desired.ports[0].is_bound);
	jn_desired_done(&desired);
	resolve_one(m, new_service("a", "127.9.0.1", 80, "10.1.0.1:80", NULL), &desired);
	assert_true(desired.ports[0].is_bound);
	jn_desired_done(&desired);
	resolve_one(m, new_service("a", "fd00::1", 80, "[::1]:80", NULL), &desired);
	assert_true(desired.ports[0].is_bound);
}

static void test_the_policy_with_a_port_wins(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	struct jn_object *policy = new_policy("q", "a", "http");
	struct jn_object *service = new_service("a", "10.0.0.1", 80, NULL);

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	(void)strcpy(service->service.ports[0].name, "http");
	policy->policy.algorithm = JN_ALGORITHM_RANDOM;
	policy->policy.no_endpoint_errno = EHOSTUNREACH;
	policy->policy.slow_start_seconds = 30;
	policy->policy.affinity =
		(struct jn_affinity_spec){ .type = JN_AFFINITY_CLIENT_IP, .timeout_seconds = 60 };
	declare(m, new_policy("p", "a", ""), JN_ERROR_NONE, NULL);
	resolve_one(m, jn_object_ref(service), &desired);
	assert_int_equal(desired.ports[0].algorithm, JN_ALGORITHM_ROUND_ROBIN);
	assert_int_equal(desired.ports[0].no_endpoint_errno, EPERM);
	assert_int_equal(desired.ports[0].rules.affinity_seconds, 0);
	jn_desired_done(&desired);
	declare(m, policy, JN_ERROR_NONE, NULL);
	assert_int_equal(jn_resolve(m, service, &desired), 0);
	assert_int_equal(desired.ports[0].algorithm, JN_ALGORITHM_RANDOM);
	assert_int_equal(desired.ports[0].no_endpoint_errno, EHOSTUNREACH);
	assert_int_equal(desired.ports[0].rules.slow_start_seconds, 30);
	assert_int_equal(desired.ports[0].rules.affinity_seconds, 60);
	jn_object_unref(&service);
}

/* A probe is TCP always: a port of another protocol is probed at a port that the probe names. */
static void test_which_ports_are_probed(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	struct jn_object *policy = new_policy("p", "a", "");
	struct jn_object *service = new_service("a", "10.0.0.1", 80, "10.1.0.1:80", NULL);
	struct jn_probe *probe = policy->policy.probe = jn_probe_new();

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	declare(m, policy, JN_ERROR_NONE, NULL);
	resolve_one(m, jn_object_ref(service), &desired);
	assert_ptr_equal(desired.ports[0].probe, probe);
	assert_int_equal(desired.ports[0].rules.is_probed, 1);
	assert_int_equal(desired.ports[0].max_down_percent, 50);
	assert_int_equal(jn_plan_flags(&desired.ports[0]), JN_REVISION_ASKS_BACKEND);
	assert_true(jn_rules_ask_backends(&desired.ports[0].rules, JN_ALGORITHM_RANDOM));
	jn_desired_done(&desired);
	policy->policy.has_outlier = true;
	policy->policy.outlier.max_percent = 70;
	assert_int_equal(jn_resolve(m, service, &desired), 0);
	assert_int_equal(desired.ports[0].max_down_percent, 70);
	jn_desired_done(&desired);
	service->service.ports[0].proto = IPPROTO_UDP;
	assert_int_equal(jn_resolve(m, service, &desired), 0);
	assert_null(desired.ports[0].probe);
	assert_int_equal(jn_plan_flags(&desired.ports[0]), 0);
	jn_desired_done(&desired);
	probe->port = 8080;
	assert_int_equal(jn_resolve(m, service, &desired), 0);
	assert_ptr_equal(desired.ports[0].probe, probe);
	assert_int_equal(jn_plan_flags(&desired.ports[0]), JN_REVISION_ASKS_BACKEND);
	jn_object_unref(&service);
}

static void test_families_of_a_set(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	struct jn_object *o =
		new_service("a", "fd00::1", 80, "10.1.0.1:80", "[fd00:1::1]:80", NULL);
	const struct jn_desired_port *port;

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	resolve_one(m, jn_object_ref(o), &desired);
	port = &desired.ports[0];
	assert_true(jn_desired_allows(port, JN_FAMILY_V4, &port->endpoints[0]));
	assert_false(jn_desired_allows(port, JN_FAMILY_V4, &port->endpoints[1]));
	assert_true(jn_desired_allows(port, JN_FAMILY_V6, &port->endpoints[0]));
	assert_true(jn_desired_allows(port, JN_FAMILY_V6, &port->endpoints[1]));
	jn_desired_done(&desired);
	/* Over UDP an IPv6 VIP leaves IPv4 out while it has a usable IPv6 endpoint. */
	o->service.ports[0].proto = IPPROTO_UDP;
	assert_int_equal(jn_resolve(m, o, &desired), 0);
	port = &desired.ports[0];
	assert_false(jn_desired_allows(port, JN_FAMILY_V6, &port->endpoints[0]));
	jn_desired_done(&desired);
	o->service.backends[1].weight = 0;
	assert_int_equal(jn_resolve(m, o, &desired), 0);
	port = &desired.ports[0];
	assert_true(jn_desired_allows(port, JN_FAMILY_V6, &port->endpoints[0]));
	jn_object_unref(&o);
}

/* --- plan ---------------------------------------------------------------------------------------- */

static void test_endpoints_keep_their_ids(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	JN_AUTO(jn_endpoint_match_done) struct jn_endpoint_match match = { 0 };
	const uint32_t installed[] = { 3, 1, 4 };
	struct jn_endpoint table[5] = { 0 };

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	table[1] = (struct jn_endpoint){ .addr = addr("10.1.0.1"), .port = htons(80) };
	table[3] = (struct jn_endpoint){ .addr = addr("10.1.0.3"), .port = htons(80) };
	table[4] = table[1]; /* twice the same, as a crash may leave it */
	resolve_one(m, new_service("a", "10.0.0.1", 80, "10.1.0.1:80", "10.1.0.1:81", NULL),
		    &desired);
	assert_int_equal(jn_plan_endpoints(&desired.ports[0], installed, 3, table, &match), 0);
	assert_int_equal(match.ids[0], 1);
	assert_int_equal(match.ids[1], 0);
	assert_int_equal(match.new_count, 1);
	assert_int_equal(match.gone_count, 2);
	assert_int_equal(match.gone[0] + match.gone[1], 3 + 4);
	jn_endpoint_match_done(&match);
	assert_int_equal(jn_plan_endpoints(NULL, installed, 3, table, &match), 0);
	assert_int_equal(match.gone_count, 3);
}

/* How often endpoints 1, 2 and 3 stand in the cycle of that family: "3 1 0". */
static void expect_turns(const struct jn_desired_port *port, enum jn_family family,
			 const char *expected)
{
	static const uint32_t ids[] = { 1, 2, 3 };
	unsigned turns[4] = { 0 };
	struct jn_slot_list slots = { 0 };
	char text[64] = "";

	assert_int_equal(jn_plan_slots(port, ids, family, NULL, &slots), 0);
	for (size_t i = 0; i < slots.count; i++)
		turns[slots.items[i].endpoint]++;
	for (unsigned id = 1; id < 4; id++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u",
			       id > 1 ? " " : "", turns[id]);
	assert_string_equal(text, expected);
	free(slots.items);
}

static void test_a_set_holds_who_is_usable_as_often_as_its_weight_says(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	struct jn_desired desired;
	struct jn_object *o = new_service("a", "fd00::1", 80, "10.1.0.1:80", "10.1.0.2:80",
					  "[fd00:1::1]:80", NULL);
	struct jn_backend *b = o->service.backends;

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	declare(m, new_policy("p", "a", ""), JN_ERROR_NONE, NULL);
	b[0].weight = 3;
	b[2].weight = 2;
	assert_int_equal(jn_resolve(m, o, &desired), 0);
	expect_turns(&desired.ports[0], JN_FAMILY_V4, "3 1 0");
	expect_turns(&desired.ports[0], JN_FAMILY_V6, "3 1 2");
	jn_desired_done(&desired);
	o->service.ports[0].proto = IPPROTO_UDP;
	assert_int_equal(jn_resolve(m, o, &desired), 0);
	expect_turns(&desired.ports[0], JN_FAMILY_V4, "3 1 0");
	expect_turns(&desired.ports[0], JN_FAMILY_V6, "0 0 1");
	jn_desired_done(&desired);
	/* While one of any family is active, who terminates gets nothing; then it is the last resort. */
	b[0].is_terminating = true;
	b[2].is_terminating = true;
	assert_int_equal(jn_resolve(m, o, &desired), 0);
	expect_turns(&desired.ports[0], JN_FAMILY_V4, "0 1 0");
	expect_turns(&desired.ports[0], JN_FAMILY_V6, "0 1 0");
	jn_desired_done(&desired);
	b[1].is_ready = false;
	assert_int_equal(jn_resolve(m, o, &desired), 0);
	expect_turns(&desired.ports[0], JN_FAMILY_V4, "1 0 0");
	expect_turns(&desired.ports[0], JN_FAMILY_V6, "0 0 1");
	jn_desired_done(&desired);
	b[0].is_ready = b[2].is_ready = false;
	assert_int_equal(jn_resolve(m, o, &desired), 0);
	expect_turns(&desired.ports[0], JN_FAMILY_V4, "0 0 0");
	expect_turns(&desired.ports[0], JN_FAMILY_V6, "0 0 0");
	jn_desired_done(&desired);
	jn_object_unref(&o);
}

static void test_a_published_revision_is_recognised(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	const uint32_t ids[] = { 7, 9 };
	struct jn_slot table[8] = { 0 };
	struct jn_slot_list slots = { 0 };
	struct jn_revision revision = {
		.number = 1, .slot_base = 5, .slot_count = 2, .no_endpoint_errno = ECONNREFUSED
	};

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	resolve_one(m, new_service("a", "10.0.0.1", 80, "10.1.0.1:80", "10.1.0.2:80", NULL),
		    &desired);
	assert_int_equal(jn_plan_slots(&desired.ports[0], ids, JN_FAMILY_V4, NULL, &slots), 0);
	assert_false(
		jn_plan_is_published(&desired.ports[0], JN_FAMILY_V4, &slots, &revision, table));
	memcpy(table + 5, slots.items, 2 * sizeof(*table));
	assert_true(
		jn_plan_is_published(&desired.ports[0], JN_FAMILY_V4, &slots, &revision, table));
	desired.ports[0].no_endpoint_errno = EPERM;
	assert_false(
		jn_plan_is_published(&desired.ports[0], JN_FAMILY_V4, &slots, &revision, table));
	desired.ports[0].no_endpoint_errno = ECONNREFUSED;
	desired.ports[0].rules.affinity_seconds = 5;
	revision.flags = jn_plan_flags(&desired.ports[0]);
	assert_int_equal(revision.flags, JN_REVISION_ASKS_CLIENT);
	assert_false(
		jn_plan_is_published(&desired.ports[0], JN_FAMILY_V4, &slots, &revision, table));
	revision.rules.affinity_seconds = 5;
	assert_true(
		jn_plan_is_published(&desired.ports[0], JN_FAMILY_V4, &slots, &revision, table));
	revision.flags = 0;
	assert_false(
		jn_plan_is_published(&desired.ports[0], JN_FAMILY_V4, &slots, &revision, table));
	assert_int_equal(jn_plan_slots(&desired.ports[0], ids, JN_FAMILY_V6, NULL, &slots), 0);
	assert_int_equal(slots.count, 2);
	free(slots.items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terminating_backends_serve_only_when_nobody_else_does),
		cmocka_unit_test(test_which_backends_take_new_connections),
		cmocka_unit_test(test_backends_listen_where_they_say),
		cmocka_unit_test(test_any_loopback_address_binds_the_service),
		cmocka_unit_test(test_the_policy_with_a_port_wins),
		cmocka_unit_test(test_which_ports_are_probed),
		cmocka_unit_test(test_families_of_a_set),
		cmocka_unit_test(test_endpoints_keep_their_ids),
		cmocka_unit_test(test_a_set_holds_who_is_usable_as_often_as_its_weight_says),
		cmocka_unit_test(test_a_published_revision_is_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
