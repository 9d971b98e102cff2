/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Claims, on objects made by hand; then random batches against a plain list of who owns what. The
 * endpoint rules are in model_resolve_test.c.
 */
#include "model_case.h"
#include "random.h"

#include "model/claims.h"

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

/* A table that nobody enters anything in has no room for it: it would be most of the memory. */
static void test_services_reserve_no_policies(void **state)
{
	JN_AUTO(jn_changes_done) struct jn_changes changes = { 0 };
	JN_AUTO(jn_claims_done) struct jn_claims claims;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_model_free) struct jn_model *m = NULL;
	char name[16], vip[16];

	(void)state;
	assert_int_equal(jn_model_new(&m), 0);
	jn_claims_init(&claims);
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "s%u", i);
		(void)snprintf(vip, sizeof(vip), "10.0.0.%u", i + 1);
		add(&changes, m, new_service(name, vip, 80, NULL), NULL);
	}
	assert_int_equal(jn_claims_enter(&claims, &changes, &err), 0);
	assert_in_range(claims.names.capacity, 200, 400);
	assert_in_range(claims.policies.capacity, 0, 16);
	assert_in_range(claims.slices.services.capacity, 0, 16);
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

/* --- property: the claims equal a plain list, whatever batches were tried ------------------------- */

#define NAMES 6
#define PLACES 5

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
		cmocka_unit_test(test_services_reserve_no_policies),
		cmocka_unit_test(test_a_backend_is_never_a_frontend),
		cmocka_unit_test(test_addresses_move_within_one_batch),
		cmocka_unit_test(test_one_policy_governs_a_target_and_port),
		cmocka_unit_test(test_all_faults_come_at_once_with_their_place),
		cmocka_unit_test(test_random_batches_agree_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
