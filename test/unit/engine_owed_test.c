/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What files declare is served first and stored then: what a death in between leaves, what a full
 * disk does, and that nothing is stored in another order than it was declared.
 */

#include "engine_harness.h"

#include "base/log.h"

static struct jn_write *of_file(struct jn_write *w)
{
	w->owner = JN_OWNER_FILE;
	for (size_t i = 0; i < w->items.count; i++) {
		struct jn_object *object = w->items.items[i].object;

		if (!object)
			continue;
		object->owner = JN_OWNER_FILE;
		object->file = strdup("web.yaml");
	}
	return w;
}

static struct jn_write *web_of_file(const char *backends)
{
	struct jn_write *w = new_write();

	add_service(w, "web", V1, backends);
	return of_file(w);
}

/* Nothing but the engine's own thread has run when it is served. */
static void serve(struct jn_write *w, const char *seen)
{
	unsigned before = writes_ended;
	struct view next = { 0 };

	(void)snprintf(next.vip[0], sizeof(next.vip[0]), "%s", seen);
	expect(&next);
	jn_engine_write(engine, w);
	assert_int_equal(writes_ended, before + 1);
	assert_int_equal(last_kind, JN_ERROR_NONE);
	assert_true(is_seen(&next));
}

/* The process ends: what its workers were about to do does not happen. */
static void die(void)
{
	memset(jobs, 0, sizeof(jobs));
	job_count = 0;
	working_job = storing_job = -1;
	restart();
}

static size_t degraded(void)
{
	size_t count;

	(void)jn_engine_degraded(engine, &count);
	return count;
}

static void test_served_before_it_is_stored(void **state)
{
	(void)state;
	serve(web_of_file(B(1)), "random 10.1.0.1:1");
	assert_int_equal(jn_engine_generation(engine), 1);
	assert_int_equal(jn_engine_installed(engine), 1);
	assert_int_equal(rows->generation, 0);
	assert_int_equal(tables->generation,
			 0); /* a start must not take the store for an old one */
	assert_false(jn_engine_is_idle(engine));
	run_jobs();
	assert_int_equal(rows->generation, 1);
	assert_int_equal(tables->generation, 1);
	assert_true(jn_engine_is_idle(engine));
}

/* The store is busy with one: the next is served all the same, and those between are not stored. */
static void test_the_store_gets_the_newest(void **state)
{
	struct jn_write *w = new_write();

	(void)state;
	serve(web_of_file(B(1)), "random 10.1.0.1:1");
	serve(web_of_file(B(2)), "random 10.1.0.1:2");
	serve(web_of_file(B(3)), "random 10.1.0.1:3");
	run_jobs();
	assert_int_equal(rows->generation, 3);
	assert_int_equal(rows->count, 1);
	assert_int_equal(rows->rows[0].version, 3);
	serve(web_of_file(B(1)), "random 10.1.0.1:1");
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	serve(of_file(w), "");
	run_jobs();
	assert_int_equal(rows->count, 0);
	expect(NULL);
	restart();
	assert_int_equal(degraded(), 0);
	assert_int_equal(jn_engine_generation(engine), 5);
}

/* The api takes a name that a file gave up a moment ago: it is there after the next start. */
static void test_another_write_takes_along_what_is_owed(void **state)
{
	const struct view next = { .vip = { "random 10.1.0.1:2" } };
	struct jn_write *w = new_write();

	(void)state;
	serve(web_of_file(B(1)), "random 10.1.0.1:1");
	run_jobs();
	tables_commit_rc = -ENOSPC;
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	serve(of_file(w), "");
	run_jobs();
	w = new_write();
	add_service(w, "web", V1, B(2));
	expect(NULL);
	assert_int_equal(run_write(w), JN_ERROR_DISK_FULL);
	tables_commit_rc = 0;
	w = new_write();
	add_service(w, "web", V1, B(2));
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_null(jn_engine_unkept(engine));
	assert_int_equal(rows->generation, 3);
	jn_engine_keep(engine);
	assert_int_equal(job_count, 0);
	expect(NULL);
	restart();
	assert_true(is_seen(&next));
}

static void test_a_full_disk_hinders_no_file(void **state)
{
	(void)state;
	tables_commit_rc = -ENOSPC;
	serve(web_of_file(B(1)), "random 10.1.0.1:1");
	run_jobs();
	assert_non_null(strstr(jn_engine_unkept(engine), "No space left on device"));
	assert_true(jn_engine_is_idle(engine)); /* the end of junctord does not wait for room */
	serve(web_of_file(B(2)), "random 10.1.0.1:2");
	run_jobs();
	assert_int_equal(tables->generation, 0);
	jn_engine_keep(engine);
	run_jobs();
	assert_non_null(jn_engine_unkept(engine));
	tables_commit_rc = 0;
	jn_engine_keep(engine);
	run_jobs();
	assert_null(jn_engine_unkept(engine));
	assert_int_equal(rows->generation, 2);
	assert_int_equal(tables->generation, 2);
	expect(NULL);
	restart();
}

/* Its errno was overwritten by that of handing it over: what no disk held counted as stored. */
static void test_a_disk_that_is_full_at_once_is_full(void **state)
{
	(void)state;
	works_at_once = true;
	tables_commit_rc = -ENOSPC;
	serve(web_of_file(B(1)), "random 10.1.0.1:1");
	run_jobs();
	assert_non_null(jn_engine_unkept(engine));
	assert_int_equal(tables->generation, 0);
	tables_commit_rc = 0;
	jn_engine_keep(engine);
	run_jobs();
	assert_null(jn_engine_unkept(engine));
	assert_int_equal(rows->generation, 1);
	expect(NULL);
	restart();
}

static void test_what_could_not_be_stored_is_newer_than_what_failed(void **state)
{
	(void)state;
	serve(web_of_file(B(1)), "random 10.1.0.1:1"); /* being stored */
	serve(web_of_file(B(2)), "random 10.1.0.1:2");
	tables_commit_rc = -ENOSPC;
	run_jobs();
	tables_commit_rc = 0;
	jn_engine_keep(engine);
	run_jobs();
	assert_int_equal(rows->rows[0].version, 2);
	expect(NULL);
	restart();
}

/* What was stored is served again, until the files are looked at; neither is doubted. */
static void test_dead_before_it_is_stored(void **state)
{
	(void)state;
	serve(web_of_file(B(1)), "random 10.1.0.1:1");
	run_jobs();
	serve(web_of_file(B(2)), "random 10.1.0.1:2");
	expect(&(struct view){ .vip = { "random 10.1.0.1:1" } });
	die();
	assert_true(is_seen(&view_new));
	assert_int_equal(degraded(), 0);
	serve(web_of_file(B(2)), "random 10.1.0.1:2");
	run_jobs();
	assert_int_equal(rows->rows[0].version, 2);
}

static void test_a_crash_at_any_step_leaves_old_or_new(void **state)
{
	unsigned is_over = 0, crashes = 0;

	(void)state;
	for (unsigned k = 1; is_over != 7; k++) {
		for (unsigned what = 0; what < 3; what++) {
			expect(&write_views[what]);
			if (!(is_over & 1U << what)) {
				bool crashed = crashes_at(of_file(write_of(what)), k);

				is_over |= (unsigned)!crashed << what;
				crashes += crashed;
				restart(); /* over what the child left */
				assert_true(is_seen(&view_old) || is_seen(&view_new));
				assert_int_equal(jn_engine_installed(engine), rows->generation);
				assert_int_equal(degraded(), 0);
			}
			if (!is_seen(&view_new))
				assert_int_equal(run_write(of_file(write_of(what))), JN_ERROR_NONE);
			assert_true(is_seen(&view_new));
		}
	}
	assert_in_range(crashes, 50, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_served_before_it_is_stored),
		TEST(test_the_store_gets_the_newest),
		TEST(test_another_write_takes_along_what_is_owed),
		TEST(test_a_full_disk_hinders_no_file),
		TEST(test_a_disk_that_is_full_at_once_is_full),
		TEST(test_what_could_not_be_stored_is_newer_than_what_failed),
		TEST(test_dead_before_it_is_stored),
		TEST(test_a_crash_at_any_step_leaves_old_or_new),
	};

	jn_log_set_level(JN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
