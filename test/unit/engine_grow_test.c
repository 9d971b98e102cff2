/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes that do not fit: tables grow and the write goes on, or it fails and nothing changed.
 */
#include "engine/internal.h"
#include "engine_harness.h"

/* Room for one service of two endpoints and nothing else. */
static int tight_setup(void **state)
{
	const struct jn_sizes large = tables_first;
	int rc;

	tables_first = (struct jn_sizes){ 2, 2, 1, 3, 2, 2, 2 };
	tables_growths = 0;
	tables_grow_rc = 0;
	rc = engine_setup(state);
	tables_first = large;
	create_web();
	assert_int_equal(tables_growths, 0);
	return rc;
}

static struct jn_write *second_service(void)
{
	struct jn_write *w = new_write();

	add_service(w, "shop", V2, B(5) "," B(6) "," B(7));
	return w;
}

static const struct view both = { .vip = { "random 10.1.0.1:1 10.1.0.1:2", "random 10.1.0.1:5 "
									   "10.1.0.1:6 "
									   "10.1.0.1:7" } };

static void test_tables_grow_to_what_a_write_needs(void **state)
{
	(void)state;
	expect(&both);
	assert_int_equal(run_write(second_service()), JN_ERROR_NONE);
	assert_true(is_seen(&both));
	assert_int_equal(tables_growths, 1); /* one for all tables that are too small */
	assert_int_equal(tables->sizes.live, 2);
	check_no_leftovers();
	restart();
	assert_true(is_seen(&both));
	check_no_leftovers();
}

static void test_no_memory_for_larger_tables_changes_nothing(void **state)
{
	(void)state;
	expect(NULL);
	tables_grow_rc = -ENOMEM;
	assert_int_equal(run_write(second_service()), JN_ERROR_UNAVAILABLE);
	assert_true(is_seen(&view_old));
	assert_int_equal(jn_engine_generation(engine), 1);
	check_no_leftovers();
	expect(&both);
	assert_int_equal(run_write(second_service()), JN_ERROR_NONE);
	assert_true(is_seen(&both));
}

static void test_no_thread_for_larger_tables_changes_nothing(void **state)
{
	(void)state;
	expect(NULL);
	refuses_jobs = true;
	assert_int_not_equal(run_write(second_service()), JN_ERROR_NONE);
	refuses_jobs = false;
	assert_true(is_seen(&view_old));
	check_no_leftovers();
	expect(&both);
	assert_int_equal(run_write(second_service()), JN_ERROR_NONE);
}

/* The second write needs another growth while the first one has not settled. */
static void test_a_growth_waits_for_the_one_before(void **state)
{
	struct view next = both;
	struct jn_write *w = new_write();
	unsigned before = writes_ended;

	(void)state;
	(void)strcpy(next.vip[2], "least 10.1.0.1:1 10.1.0.1:2 10.1.0.1:3");
	for (unsigned vip = 0; vip < VIPS; vip++)
		see_vip(vip, view_old.vip[vip]);
	tables_watch = NULL; /* three states: before, between, after */
	add_service(w, "many", V3, B(1) "," B(2) "," B(3));
	add_policy(w, "many", "LeastConnections");
	jn_engine_write(engine, second_service());
	jn_engine_write(engine, w);
	run_jobs();
	assert_int_equal(writes_ended, before + 2);
	assert_int_equal(last_kind, JN_ERROR_NONE);
	assert_true(is_seen(&next));
	assert_true(tables_growths >= 2);
	assert_true(tables->sizes.live > 2);
	tables_watch = watch;
	expect(NULL);
	check_no_leftovers();
}

static void test_a_dry_run_may_need_larger_tables(void **state)
{
	struct jn_write *w = second_service();

	(void)state;
	w->is_dry_run = true;
	expect(NULL);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_int_equal(jn_engine_generation(engine), 1);
	check_no_leftovers();
}

/* Refused by name, nothing applied, and the next one is served. */
static void beyond_the_ceiling_of(struct jn_ids *ids)
{
	uint32_t ceiling = ids->ceiling;

	ids->ceiling = ids->capacity;
	expect(NULL);
	assert_int_equal(run_write(second_service()), JN_ERROR_INVALID);
	assert_non_null(strstr(last_text, ids->name));
	assert_non_null(strstr(last_text, "delete what is not needed"));
	assert_true(is_seen(&view_old));
	check_no_leftovers();
	ids->ceiling = ceiling;
	expect(&both);
	assert_int_equal(run_write(second_service()), JN_ERROR_NONE);
}

static void test_no_more_services_than_the_ceiling(void **state)
{
	(void)state;
	beyond_the_ceiling_of(&engine->install.services);
}

static void test_no_more_sets_than_the_ceiling(void **state)
{
	(void)state;
	beyond_the_ceiling_of(&engine->install.sets);
}

static void test_no_more_endpoints_than_the_ceiling(void **state)
{
	(void)state;
	beyond_the_ceiling_of(&engine->install.endpoints);
}

static void test_no_more_revisions_than_the_ceiling(void **state)
{
	(void)state;
	beyond_the_ceiling_of(&engine->install.revisions);
}

/*
 * The bug: a policy was switched and switched back; the second write was refused with LimitReached,
 * although the slots that the first one replaced were free a moment later.
 */
static void test_no_false_limit_reached_while_garbage_rests(void **state)
{
	struct jn_install *in = &engine->install;
	unsigned before = writes_ended;
	struct jn_write *w = new_write();

	(void)state;
	in->slots.ceiling = 4; /* two ranges of two */
	in->revisions.ceiling = 4;
	tables_watch = NULL; /* three states: before, between, after */
	add_policy(w, "web", "RoundRobin");
	jn_engine_write(engine, w);
	w = new_write();
	add_policy(w, "web", "Random");
	jn_engine_write(engine, w);
	run_jobs();
	assert_int_equal(writes_ended, before + 2);
	assert_int_equal(last_kind, JN_ERROR_NONE);
	assert_int_equal(jn_engine_generation(engine), 3);
	assert_int_equal(in->slots.used, 2);
	tables_watch = watch;
	expect(NULL);
	check_no_leftovers();
}

/* One that does not fit after the grace period either is told so then, and the next one is served. */
static void test_a_limit_is_told_when_there_is_no_garbage_left(void **state)
{
	struct jn_install *in = &engine->install;
	struct view turns = { .vip = { "turns 10.1.0.1:1 10.1.0.1:2" } };
	unsigned before = writes_ended;
	struct jn_write *w = new_write();

	(void)state;
	in->slots.ceiling = 4;
	expect(&turns);
	add_policy(w, "web", "RoundRobin");
	jn_engine_write(engine, w);
	jn_engine_write(engine, second_service());
	run_jobs();
	assert_int_equal(writes_ended, before + 2);
	assert_int_equal(last_kind, JN_ERROR_INVALID);
	assert_non_null(strstr(last_text, "slots"));
	assert_true(is_seen(&turns));
	w = new_write();
	add_policy(w, "web", "Random");
	tables_watch = NULL;
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	tables_watch = watch;
	expect(NULL);
	check_no_leftovers();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tight_setup, engine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tables_grow_to_what_a_write_needs),
		TEST(test_no_memory_for_larger_tables_changes_nothing),
		TEST(test_no_thread_for_larger_tables_changes_nothing),
		TEST(test_a_growth_waits_for_the_one_before),
		TEST(test_a_dry_run_may_need_larger_tables),
		TEST(test_no_more_services_than_the_ceiling),
		TEST(test_no_more_sets_than_the_ceiling),
		TEST(test_no_more_endpoints_than_the_ceiling),
		TEST(test_no_more_revisions_than_the_ceiling),
		TEST(test_no_false_limit_reached_while_garbage_rests),
		TEST(test_a_limit_is_told_when_there_is_no_garbage_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
