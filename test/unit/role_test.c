/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Roles: every kind of peer against every kind of rule, and against a plain reference that asks the
 * question in another way.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/role.h"
#include "base/auto.h"

#define CONTROL_GID 990

static void test_names(void **state)
{
	static const char *const bad[] = { "", "read", "READ", "None", "Reader", "Admin " };
	enum jn_role role;

	(void)state;
	for (unsigned i = JN_ROLE_READ; i <= JN_ROLE_ADMIN; i++) {
		assert_int_equal(jn_role_parse(jn_role_name((enum jn_role)i), &role), 0);
		assert_int_equal(role, i);
	}
	for (size_t i = 0; i < JN_COUNT(bad); i++)
		assert_int_equal(jn_role_parse(bad[i], &role), -EINVAL);
}

/* --- one by one -------------------------------------------------------------------------------- */

static char *web[] = { "web" };
static char *web_and_dns[] = { "web", "dns" };

static struct jn_access_rule rules[] = {
	{ .is_group = false, .id = 1001, .role = JN_ROLE_READ },
	{ .is_group = false, .id = 1002, .role = JN_ROLE_WRITE },
	{ .is_group = false, .id = 1003, .role = JN_ROLE_ADMIN },
	{ .is_group = true, .id = 2001, .role = JN_ROLE_WRITE, web, 1 },
	{ .is_group = true, .id = 2002, .role = JN_ROLE_READ, web_and_dns, 2 },
	{ .is_group = false, .id = 1004, .role = JN_ROLE_ADMIN, web, 1 },
	{ .is_group = true, .id = 2003, .role = JN_ROLE_WRITE, NULL, 0 },
};

static const struct jn_access access_ = { .rules = rules,
					  .rule_count = JN_COUNT(rules),
					  .has_control_group = true,
					  .control_group = CONTROL_GID };

static uint32_t groups[] = { 5, 2001, 2002, CONTROL_GID, 2003 };

static const struct {
	const char *who;
	struct jn_peer peer;
	enum jn_role anywhere, in_web, in_dns, in_default;
} cases[] = {
	{ "root",
	  { .uid = 0, .gid = 0 },
	  JN_ROLE_ADMIN,
	  JN_ROLE_ADMIN,
	  JN_ROLE_ADMIN,
	  JN_ROLE_ADMIN },
	{ "root's group is not root",
	  { .uid = 7, .gid = 0 },
	  JN_ROLE_NONE,
	  JN_ROLE_NONE,
	  JN_ROLE_NONE,
	  JN_ROLE_NONE },
	{ "a stranger",
	  { .uid = 7, .gid = 7 },
	  JN_ROLE_NONE,
	  JN_ROLE_NONE,
	  JN_ROLE_NONE,
	  JN_ROLE_NONE },
	{ "a uid that is a rule's gid",
	  { .uid = 2001, .gid = 1 },
	  JN_ROLE_NONE,
	  JN_ROLE_NONE,
	  JN_ROLE_NONE,
	  JN_ROLE_NONE },
	{ "a gid that is a rule's uid",
	  { .uid = 1, .gid = 1002 },
	  JN_ROLE_NONE,
	  JN_ROLE_NONE,
	  JN_ROLE_NONE,
	  JN_ROLE_NONE },
	{ "the control group",
	  { .uid = 7, .gid = CONTROL_GID },
	  JN_ROLE_READ,
	  JN_ROLE_READ,
	  JN_ROLE_READ,
	  JN_ROLE_READ },
	{ "the control group, supplementary",
	  { .uid = 7, .gid = 7, 0, groups + 3, 1 },
	  JN_ROLE_READ,
	  JN_ROLE_READ,
	  JN_ROLE_READ,
	  JN_ROLE_READ },
	{ "reader",
	  { .uid = 1001, .gid = 7 },
	  JN_ROLE_READ,
	  JN_ROLE_READ,
	  JN_ROLE_READ,
	  JN_ROLE_READ },
	{ "writer",
	  { .uid = 1002, .gid = 7 },
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE },
	{ "writer in the control group",
	  { .uid = 1002, .gid = CONTROL_GID },
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE },
	{ "admin",
	  { .uid = 1003, .gid = 7 },
	  JN_ROLE_ADMIN,
	  JN_ROLE_ADMIN,
	  JN_ROLE_ADMIN,
	  JN_ROLE_ADMIN },
	{ "admin everywhere, whatever namespaces",
	  { .uid = 1004, .gid = 7 },
	  JN_ROLE_ADMIN,
	  JN_ROLE_ADMIN,
	  JN_ROLE_ADMIN,
	  JN_ROLE_ADMIN },
	{ "writer of one namespace",
	  { .uid = 7, .gid = 2001 },
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE,
	  JN_ROLE_NONE,
	  JN_ROLE_NONE },
	{ "writer of one, reader of two",
	  { .uid = 7, .gid = 7, 0, groups + 1, 2 },
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE,
	  JN_ROLE_READ,
	  JN_ROLE_NONE },
	{ "and in the control group",
	  { .uid = 7, .gid = 7, 0, groups + 1, 3 },
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE,
	  JN_ROLE_READ,
	  JN_ROLE_READ },
	{ "all groups",
	  { .uid = 7, .gid = 7, 0, groups, 5 },
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE,
	  JN_ROLE_WRITE },
};

static void test_matrix(void **state)
{
	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		const struct jn_peer *peer = &cases[i].peer;

		if (jn_access_role(&access_, peer) != cases[i].anywhere ||
		    jn_access_role_in(&access_, peer, "web") != cases[i].in_web ||
		    jn_access_role_in(&access_, peer, "dns") != cases[i].in_dns ||
		    jn_access_role_in(&access_, peer, "default") != cases[i].in_default)
			fail_msg("%s", cases[i].who);
	}
}

static void test_without_control_group(void **state)
{
	static const struct jn_access nothing = { .control_group = CONTROL_GID };
	struct jn_peer peer = { .uid = 7, .gid = CONTROL_GID };

	(void)state;
	assert_int_equal(jn_access_role(&nothing, &peer), JN_ROLE_NONE);
	peer.gid = 0; /* the id of a group that does not exist must not be anybody's */
	assert_int_equal(jn_access_role(&nothing, &peer), JN_ROLE_NONE);
	peer.uid = 0;
	assert_int_equal(jn_access_role(&nothing, &peer), JN_ROLE_ADMIN);
}

/* An empty list of namespaces holds nowhere; only a list that is not given holds everywhere. */
static void test_empty_list_of_namespaces(void **state)
{
	static char *none[1];
	struct jn_access_rule rule = { .id = 7, .role = JN_ROLE_WRITE, .namespaces = none };
	struct jn_access access = { .rules = &rule, .rule_count = 1 };
	struct jn_peer peer = { .uid = 7 };

	(void)state;
	assert_int_equal(jn_access_role_in(&access, &peer, "web"), JN_ROLE_NONE);
}

/* --- against the reference --------------------------------------------------------------------- */

/* Is there any reason for which this peer has at least this role there? */
static bool may(const struct jn_access *access, const struct jn_peer *peer, const char *namespace_,
		enum jn_role role)
{
	bool found = peer->uid == 0;

	for (unsigned g = 0; g <= peer->group_count; g++) {
		uint32_t gid = g ? peer->groups[g - 1] : peer->gid;

		found |= role == JN_ROLE_READ && access->has_control_group &&
			 gid == access->control_group;
		for (unsigned i = 0; i < access->rule_count; i++) {
			const struct jn_access_rule *r = &access->rules[i];
			bool here = !r->namespaces || r->role == JN_ROLE_ADMIN;

			for (unsigned n = 0; n < r->namespace_count; n++)
				here |= !strcmp(r->namespaces[n], namespace_);
			found |= here && r->role >= role &&
				 r->id == (r->is_group ? gid : peer->uid);
		}
	}
	return found;
}

static void test_against_the_reference(void **state)
{
	static char *const all[] = { "a", "b", "c" };
	unsigned seed = 42;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct jn_access_rule some[4] = { 0 };
		struct jn_access access = { .rules = some,
					    .rule_count = (unsigned)rand_r(&seed) % 5,
					    .has_control_group = rand_r(&seed) % 2,
					    .control_group = 3 };
		char *namespaces[4][2];
		uint32_t more[3];
		struct jn_peer peer = { .uid = (uint32_t)rand_r(&seed) % 4,
					.gid = (uint32_t)rand_r(&seed) % 4,
					.groups = more,
					.group_count = (unsigned)rand_r(&seed) % 4 };

		for (unsigned i = 0; i < 3; i++)
			more[i] = (uint32_t)rand_r(&seed) % 4;
		for (unsigned i = 0; i < access.rule_count; i++) {
			some[i].is_group = rand_r(&seed) % 2;
			some[i].id = (uint32_t)rand_r(&seed) % 4;
			some[i].role = (enum jn_role)(1 + rand_r(&seed) % 3);
			some[i].namespace_count = (unsigned)rand_r(&seed) % 3;
			some[i].namespaces = some[i].namespace_count ? namespaces[i] : NULL;
			for (unsigned n = 0; n < some[i].namespace_count; n++)
				namespaces[i][n] = all[rand_r(&seed) % 3];
		}
		for (unsigned n = 0; n < JN_COUNT(all); n++) {
			enum jn_role role = jn_access_role_in(&access, &peer, all[n]);

			for (unsigned r = JN_ROLE_READ; r <= JN_ROLE_ADMIN; r++)
				assert_int_equal(role >= r,
						 may(&access, &peer, all[n], (enum jn_role)r));
			assert_true(jn_access_role(&access, &peer) >= role);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_without_control_group),
		cmocka_unit_test(test_empty_list_of_namespaces),
		cmocka_unit_test(test_against_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
