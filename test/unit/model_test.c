/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Claims, endpoint rules and plans, on objects made by hand; then random batches against a plain
 * list of who owns what.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/vec.h"
#include "model/plan.h"
#include "proto/address.h"

static struct jn_addr addr(const char *text)
{
	struct jn_addr out;
	const char *why;

	assert_int_equal(jn_addr_parse(text, &out, &why), 0);
	return out;
}

static struct jn_object *new_object(enum jn_kind kind, const char *name)
{
	struct jn_object *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->references = 1;
	o->key.kind = kind;
	(void)snprintf(o->key.namespace_, JN_NAME_BYTES, "default");
	(void)snprintf(o->key.name, JN_NAME_BYTES, "%s", name);
	return o;
}

/* A service with one VIP and one TCP port, and these backends ("ip:port", NULL-terminated). */
static struct jn_object *new_service(const char *name, const char *vip, unsigned port, ...)
{
	struct jn_object *o = new_object(JN_KIND_LOCAL_SERVICE, name);
	struct jn_local_service *s = &o->service;
	const char *text, *why;
	va_list args;

	s->addresses = calloc(1, sizeof(*s->addresses));
	s->addresses[0] = addr(vip);
	s->address_count = 1;
	s->ports = calloc(1, sizeof(*s->ports));
	s->ports[0] = (struct jn_port){ .port = port, .target_port = port, .proto = IPPROTO_TCP };
	s->port_count = 1;
	s->backends = calloc(8, sizeof(*s->backends));
	va_start(args, port);
	while ((text = va_arg(args, const char *))) {
		struct jn_backend *b = &s->backends[s->backend_count++];

		*b = (struct jn_backend){ .weight = 1, .is_ready = true };
		assert_int_equal(jn_addr_parse_with_port(text, &b->addr, &b->port, &why), 0);
	}
	va_end(args);
	return o;
}

static struct jn_object *new_policy(const char *name, const char *target, const char *port)
{
	struct jn_object *o = new_object(JN_KIND_TRAFFIC_POLICY, name);

	(void)snprintf(o->policy.target, JN_NAME_BYTES, "%s", target);
	(void)snprintf(o->policy.port, JN_NAME_BYTES, "%s", port);
	o->policy.algorithm = JN_ALGORITHM_ROUND_ROBIN;
	o->policy.no_endpoint_errno = EPERM;
	return o;
}

static void add(struct jn_changes *changes, struct jn_model *m, struct jn_object *after,
		const struct jn_object_key *deleted)
{
	struct jn_change *change = jn_vec_add(changes);
	struct jn_object *before;

	assert_non_null(change);
	before = jn_model_find(m, after ? &after->key : deleted);
	change->before = before ? jn_object_ref(before) : NULL;
	change->after = after;
	change->position = (unsigned)changes->count - 1;
}

/* Declare one object, or expect a refusal of that kind whose field holds `field`. */
static void declare(struct jn_model *m, struct jn_object *after, enum jn_error_kind kind,
		    const char *field)
{
	JN_AUTO(jn_changes_done) struct jn_changes changes = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	add(&changes, m, after, NULL);
	if (kind == JN_ERROR_NONE) {
		if (jn_model_stage(m, &changes, &err))
			fail_msg("%s", jn_error_text(&err));
		jn_model_settle(m, &changes, true);
		return;
	}
	assert_int_equal(jn_model_stage(m, &changes, &err), -EINVAL);
	assert_int_equal(err.kind, kind);
	assert_string_equal(err.causes[0].field, field);
}

static void test_a_frontend_belongs_to_one_object(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	declare(m, new_service("a", "10.0.0.1", 80, NULL), JN_ERROR_NONE, NULL);
	declare(m, new_service("b", "10.0.0.1", 80, NULL), JN_ERROR_CONFLICT, "spec.addresses[0]");
	declare(m, new_service("b", "10.0.0.1", 81, NULL), JN_ERROR_NONE, NULL);
	/* It may be declared again by its owner, and freely once the owner let go of it. */
	declare(m, new_service("a", "10.0.0.1", 80, "10.1.0.1:80", NULL), JN_ERROR_NONE, NULL);
	declare(m, new_service("a", "10.0.0.2", 80, NULL), JN_ERROR_NONE, NULL);
	declare(m, new_service("c", "10.0.0.1", 80, NULL), JN_ERROR_NONE, NULL);
	assert_int_equal(jn_model_frontend_count(m), 3);
}

static void test_a_backend_is_never_a_frontend(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	declare(m, new_service("a", "10.0.0.1", 80, "10.1.0.1:80", NULL), JN_ERROR_NONE, NULL);
	declare(m, new_service("b", "10.0.0.2", 80, "10.0.0.1:80", NULL), JN_ERROR_INVALID,
		"spec.backends[0].address");
	declare(m, new_service("b", "10.0.0.2", 80, "10.0.0.2:80", NULL), JN_ERROR_INVALID,
		"spec.backends[0].address");
	declare(m, new_service("b", "10.1.0.1", 80, NULL), JN_ERROR_CONFLICT, "spec.addresses[0]");
	/* Another port is another address. */
	declare(m, new_service("b", "10.1.0.1", 81, NULL), JN_ERROR_NONE, NULL);
}

static void test_addresses_move_within_one_batch(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_changes_done) struct jn_changes changes = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_frontend_key key;
	struct jn_addr vip = addr("10.0.0.1");

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	declare(m, new_service("a", "10.0.0.1", 80, NULL), JN_ERROR_NONE, NULL);
	declare(m, new_service("b", "10.0.0.2", 80, NULL), JN_ERROR_NONE, NULL);
	add(&changes, m, new_service("a", "10.0.0.2", 80, NULL), NULL);
	add(&changes, m, new_service("b", "10.0.0.1", 80, NULL), NULL);
	assert_int_equal(jn_model_stage(m, &changes, &err), 0);
	/* Staged, then taken back: as before. */
	jn_model_settle(m, &changes, false);
	key = jn_frontend_key_of(&vip, 80, IPPROTO_TCP);
	assert_true(jn_model_is_claimed(m, &key));
	declare(m, new_service("c", "10.0.0.2", 80, NULL), JN_ERROR_CONFLICT, "spec.addresses[0]");
	assert_int_equal(jn_model_stage(m, &changes, &err), 0);
	jn_model_settle(m, &changes, true);
	assert_int_equal(jn_model_frontend_count(m), 2);
}

static void test_one_policy_governs_a_target_and_port(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	declare(m, new_policy("p", "web", ""), JN_ERROR_NONE, NULL);
	declare(m, new_policy("q", "web", ""), JN_ERROR_CONFLICT, "spec.targetRef");
	declare(m, new_policy("q", "web", "http"), JN_ERROR_NONE, NULL);
	assert_string_equal(jn_model_policy(m, "default", "web", "http")->key.name, "q");
	assert_string_equal(jn_model_policy(m, "default", "web", "")->key.name, "p");
	assert_null(jn_model_policy(m, "other", "web", ""));
}

static void test_all_faults_come_at_once_with_their_place(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	JN_AUTO(jn_changes_done) struct jn_changes changes = { .list_word = "items" };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	declare(m, new_service("a", "10.0.0.1", 80, NULL), JN_ERROR_NONE, NULL);
	add(&changes, m, new_service("b", "10.0.0.9", 80, NULL), NULL);
	add(&changes, m, new_service("c", "10.0.0.1", 80, NULL), NULL);
	add(&changes, m, new_service("d", "10.0.0.3", 80, "10.0.0.9:80", NULL), NULL);
	assert_int_equal(jn_model_stage(m, &changes, &err), -EINVAL);
	assert_int_equal(err.cause_count, 2);
	assert_string_equal(err.causes[0].field, "items[1].spec.addresses[0]");
	assert_string_equal(err.causes[1].field, "items[2].spec.backends[0].address");
	assert_int_equal(jn_model_frontend_count(m), 1);
}

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
	declare(m, new_policy("p", "a", ""), JN_ERROR_NONE, NULL);
	resolve_one(m, jn_object_ref(service), &desired);
	assert_int_equal(desired.ports[0].algorithm, JN_ALGORITHM_ROUND_ROBIN);
	assert_int_equal(desired.ports[0].no_endpoint_errno, EPERM);
	jn_desired_done(&desired);
	declare(m, policy, JN_ERROR_NONE, NULL);
	assert_int_equal(jn_resolve(m, service, &desired), 0);
	assert_int_equal(desired.ports[0].algorithm, JN_ALGORITHM_RANDOM);
	assert_int_equal(desired.ports[0].no_endpoint_errno, EHOSTUNREACH);
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
	assert_int_equal(jn_plan_slots(&desired.ports[0], ids, JN_FAMILY_V4, &slots), 0);
	assert_false(jn_plan_is_published(&desired.ports[0], &slots, &revision, table));
	memcpy(table + 5, slots.items, 2 * sizeof(*table));
	assert_true(jn_plan_is_published(&desired.ports[0], &slots, &revision, table));
	desired.ports[0].no_endpoint_errno = EPERM;
	assert_false(jn_plan_is_published(&desired.ports[0], &slots, &revision, table));
	assert_int_equal(jn_plan_slots(&desired.ports[0], ids, JN_FAMILY_V6, &slots), 0);
	assert_int_equal(slots.count, 2);
	free(slots.items);
}

/* --- property: the claims equal a plain list, whatever batches were tried ------------------------- */

#define NAMES 6
#define PLACES 5

static uint64_t rng_state = 7;

static unsigned random_below(unsigned limit)
{
	rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(rng_state >> 33) % limit;
}

/* The reference: which place (address) is whose VIP and whose backend; -1 none. */
struct reference {
	int vip[NAMES], backend[NAMES];
};

static bool is_right(const struct reference *r)
{
	for (int i = 0; i < NAMES; i++) {
		for (int j = 0; j < NAMES; j++) {
			if (i != j && r->vip[i] >= 0 && r->vip[i] == r->vip[j])
				return false;
			if (r->vip[i] >= 0 && r->backend[j] == r->vip[i])
				return false;
		}
	}
	return true;
}

static struct jn_object *random_service(int name, struct reference *r)
{
	char label[16], vip[32], backend[32];

	r->vip[name] = (int)random_below(PLACES);
	r->backend[name] = (int)random_below(PLACES + 3);
	(void)snprintf(label, sizeof(label), "s%d", name);
	(void)snprintf(vip, sizeof(vip), "10.0.0.%d", r->vip[name]);
	(void)snprintf(backend, sizeof(backend), "10.0.0.%d:80", r->backend[name]);
	return new_service(label, vip, 80, backend, NULL);
}

static void random_batch(struct jn_model *m, struct reference *r, struct jn_changes *changes)
{
	bool is_used[NAMES] = { 0 };

	for (unsigned n = 1 + random_below(3); n; n--) {
		int name = (int)random_below(NAMES);
		struct jn_object_key key = { .kind = JN_KIND_LOCAL_SERVICE };

		if (is_used[name])
			continue;
		is_used[name] = true;
		(void)snprintf(key.namespace_, JN_NAME_BYTES, "default");
		(void)snprintf(key.name, JN_NAME_BYTES, "s%d", name);
		if (random_below(4) || !jn_model_find(m, &key)) {
			add(changes, m, random_service(name, r), NULL);
		} else {
			add(changes, m, NULL, &key);
			r->vip[name] = r->backend[name] = -1;
		}
	}
}

static void test_random_batches_agree_with_a_plain_list(void **state)
{
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	struct reference now;
	unsigned kept = 0;

	(void)state;
	memset(&now, 0xff, sizeof(now));
	assert_int_equal(jn_model_new(&m), 0);
	for (unsigned round = 0; round < 20000; round++) {
		JN_AUTO(jn_changes_done) struct jn_changes changes = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		struct reference next = now;
		size_t frontends = 0;
		int rc;

		random_batch(m, &next, &changes);
		rc = jn_model_stage(m, &changes, &err);
		assert_int_equal(rc == 0, is_right(&next));
		if (!rc) {
			bool keep = random_below(4);

			jn_model_settle(m, &changes, keep);
			kept += keep;
			now = keep ? next : now;
		}
		for (int i = 0; i < NAMES; i++)
			frontends += now.vip[i] >= 0;
		assert_int_equal(jn_model_frontend_count(m), frontends);
	}
	assert_true(kept > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_frontend_belongs_to_one_object),
		cmocka_unit_test(test_a_backend_is_never_a_frontend),
		cmocka_unit_test(test_addresses_move_within_one_batch),
		cmocka_unit_test(test_one_policy_governs_a_target_and_port),
		cmocka_unit_test(test_all_faults_come_at_once_with_their_place),
		cmocka_unit_test(test_terminating_backends_serve_only_when_nobody_else_does),
		cmocka_unit_test(test_any_loopback_address_binds_the_service),
		cmocka_unit_test(test_the_policy_with_a_port_wins),
		cmocka_unit_test(test_families_of_a_set),
		cmocka_unit_test(test_endpoints_keep_their_ids),
		cmocka_unit_test(test_a_published_revision_is_recognised),
		cmocka_unit_test(test_random_batches_agree_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
