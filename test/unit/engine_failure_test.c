/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a connect sees at every step of a write that fails, of one that ends with the process, and of
 * the start after it. Random ones are in engine_random_test.c, memory in engine_memory_test.c.
 */
#include "engine_harness.h"

static const struct view nothing;

/* A delete whose commit failed dereferenced what the port was to become: there is none. */
static void test_a_full_disk_changes_nothing(void **state)
{
	struct jn_write *w;

	(void)state;
	create_web();
	expect(NULL);
	for (unsigned i = 0; i < 4; i++) {
		tables_commit_rc = -ENOSPC;
		w = new_write();
		if (i == 0)
			add_service(w, "shop", V2, B(5));
		else if (i == 1)
			add_service(w, "web", V1 "," V2, B(3));
		else if (i == 2)
			add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
		else
			add_policy(w, "web", "RoundRobin");
		assert_int_equal(run_write(w), JN_ERROR_DISK_FULL);
		assert_true(is_seen(&view_old));
		check_no_leftovers();
		assert_int_equal(jn_engine_generation(engine), 1);
	}
	tables_commit_rc = 0;
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	expect(&nothing);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	check_no_leftovers();
}

static void test_a_dry_run_changes_nothing(void **state)
{
	struct jn_write *w;

	(void)state;
	create_web();
	expect(NULL);
	tables_steps = 0;
	w = new_write();
	w->is_dry_run = true;
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	add_service(w, "shop", V1, B(5));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_int_equal(tables_steps, 0);
	assert_int_equal(jn_engine_generation(engine), 1);
	check_no_leftovers();
}

static void test_a_refused_name_changes_nothing(void **state)
{
	struct jn_write *w;

	(void)state;
	create_web();
	expect(NULL);
	for (unsigned k = 1; k <= 2; k++) {
		tables_fail_name = k;
		w = new_write();
		add_service(w, "shop", V2, B(5));
		add_service(w, "more", V3, B(5));
		assert_int_equal(run_write(w), JN_ERROR_UNAVAILABLE);
		assert_true(is_seen(&view_old));
		check_no_leftovers();
	}
}

static void on_installed(void *arg)
{
	++*(unsigned *)arg;
}

/* After the commit there is no way back: the writer is told, and the kernel is asked again. */
static void test_a_refused_frontend_is_completed_later(void **state)
{
	struct view next = { .vip = { "random 127.0.0.1:7", "random 127.0.0.1:7",
				      "random 10.1.0.1:5" } };
	unsigned woken = 0, k = 0;
	struct jn_write *w;

	(void)state;
	do {
		uint64_t generation = jn_engine_generation(engine) + 2;

		woken = 0;
		w = new_write();
		add_service(w, "web", V1, B(1) "," B(2));
		add_service(w, "old", V3, B(1));
		expect(&(struct view){
			.vip = { "random 10.1.0.1:1 10.1.0.1:2", "", "random 10.1.0.1:1" } });
		assert_int_equal(run_write(w), JN_ERROR_NONE);
		tables_fail_frontend = ++k;
		w = new_write();
		add_service(w, "web", V1 "," V2, "{\"address\":\"127.0.0.1:7\"}");
		add_delete(w, JN_KIND_LOCAL_SERVICE, "old");
		add_service(w, "shop", V3, B(5));
		expect(&next);
		assert_false(jn_engine_wait(engine, generation, on_installed, &woken));
		(void)run_write(w);
		assert_int_equal(last_kind,
				 tables_fail_frontend ? JN_ERROR_NONE : JN_ERROR_UNAVAILABLE);
		assert_true(is_seen(&next));
		assert_int_equal(woken, 1);
		assert_int_equal(jn_engine_installed(engine), generation);
		check_no_leftovers();
		w = new_write();
		add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
		add_delete(w, JN_KIND_LOCAL_SERVICE, "shop");
		if (tables_fail_frontend)
			break;
		expect(&nothing);
		assert_int_equal(run_write(w), JN_ERROR_NONE);
	} while (true);
	jn_write_free(&w);
	assert_int_equal(k, 4); /* one is bound, two are put, one is overwritten; and one more */
}

static void test_no_write_passes_an_unpublished_one(void **state)
{
	struct view next = { .vip = { "random 10.1.0.1:1", "random 10.1.0.1:2" } };
	struct jn_write *w = new_write();

	(void)state;
	add_service(w, "web", V1, B(1));
	expect(&next);
	tables_fail_frontend = 1;
	jn_engine_write(engine, w);
	refuses_jobs = true; /* not even the pause can be had */
	run_jobs();
	assert_int_equal(last_kind, JN_ERROR_UNAVAILABLE);
	assert_int_equal(jn_engine_generation(engine), 1);
	assert_int_equal(jn_engine_installed(engine), 0);
	refuses_jobs = false;
	tables_fail_frontend = 1;
	w = new_write();
	add_service(w, "shop", V2, B(2));
	jn_engine_write(engine, w);
	assert_int_equal(last_kind, JN_ERROR_UNAVAILABLE);
	assert_non_null(strstr(last_text, "nothing of this one was applied"));
	w = new_write();
	add_service(w, "shop", V2, B(2));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&next));
	assert_int_equal(jn_engine_installed(engine), 2);
	check_no_leftovers();
}

/* A write that completes an earlier one may itself come to nothing: who waits hears of it all the same. */
static void test_who_waits_for_an_unpublished_write_is_woken(void **state)
{
	struct jn_write *w = new_write();
	unsigned woken = 0;

	(void)state;
	add_service(w, "web", V1, B(1));
	expect(&(struct view){ .vip = { "random 10.1.0.1:1" } });
	assert_false(jn_engine_wait(engine, 1, on_installed, &woken));
	tables_fail_frontend = 1;
	jn_engine_write(engine, w);
	refuses_jobs = true;
	run_jobs();
	refuses_jobs = false;
	assert_int_equal(woken, 0);
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "nobody");
	assert_int_equal(run_write(w), JN_ERROR_NOT_FOUND);
	assert_int_equal(jn_engine_installed(engine), 1);
	assert_int_equal(woken, 1);
	check_no_leftovers();
}

/* The next start goes on from there; a stop must not wait for a kernel that says no for ever. */
static void test_draining_does_not_wait_for_what_is_refused(void **state)
{
	struct jn_write *w = new_write();
	unsigned drained = 0;

	(void)state;
	add_service(w, "web", V1, B(1));
	expect(&(struct view){ .vip = { "random 10.1.0.1:1" } });
	tables_fail_frontend = 1;
	jn_engine_write(engine, w);
	while (!jn_engine_generation(engine))
		run_one();
	assert_int_equal(last_kind, JN_ERROR_UNAVAILABLE);
	jn_engine_drain(engine, on_installed, &drained);
	tables_fail_frontend = 1;
	run_jobs();
	assert_int_equal(drained, 1);
	assert_int_equal(jn_engine_installed(engine), 0);
	restart();
	assert_true(is_seen(&view_new));
	assert_int_equal(jn_engine_installed(engine), 1);
	check_no_leftovers();
}

/* --- crashes -------------------------------------------------------------------------------------- */

/* Each write crashes at its first step, then the start after it; next time at its second; … */
static void test_a_crash_at_any_step_leaves_old_or_new(void **state)
{
	bool is_over[3] = { false, false, false };
	unsigned crashes = 0;

	(void)state;
	for (unsigned k = 1; !is_over[0] || !is_over[1] || !is_over[2]; k++) {
		for (unsigned what = 0; what < 3; what++) {
			expect(&write_views[what]);
			if (!is_over[what]) {
				is_over[what] = !crashes_at(write_of(what), k);
				crashes += !is_over[what];
				restart(); /* over what the child left */
				assert_true(is_seen(&view_old) || is_seen(&view_new));
				assert_int_equal(jn_engine_installed(engine), rows->generation);
				check_no_leftovers();
			}
			if (!is_seen(&view_new))
				assert_int_equal(run_write(write_of(what)), JN_ERROR_NONE);
			assert_true(is_seen(&view_new));
		}
	}
	assert_in_range(crashes, 50, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_full_disk_changes_nothing),
		TEST(test_a_dry_run_changes_nothing),
		TEST(test_a_refused_name_changes_nothing),
		TEST(test_a_refused_frontend_is_completed_later),
		TEST(test_no_write_passes_an_unpublished_one),
		TEST(test_who_waits_for_an_unpublished_write_is_woken),
		TEST(test_draining_does_not_wait_for_what_is_refused),
		TEST(test_a_crash_at_any_step_leaves_old_or_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
