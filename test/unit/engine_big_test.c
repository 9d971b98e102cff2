/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes of very many slots: built, and written, by another thread, with everything else as it is
 * for small ones: their order, what is seen of them, and what is left of one that fails.
 */
#include "engine/internal.h"
#include "engine_harness.h"

#include <sys/wait.h>

#define HEAVY_SLOTS 4095

static uint64_t slots_used(void)
{
	struct jn_usage usage[JN_USAGE_COUNT];

	jn_engine_usage(engine, usage);
	return usage[5].used;
}

static bool is_declared(const char *name)
{
	struct jn_object_key key = key_of(JN_KIND_LOCAL_SERVICE, name);
	struct jn_object *object = jn_engine_find(engine, &key);
	bool is_there = object;

	jn_object_unref(&object);
	return is_there;
}

/* web of before, and nothing of the big one. */
static void check_nothing_is_seen(void)
{
	static const struct view web = { .vip = { "random 10.1.0.1:1 10.1.0.1:2" } };

	assert_true(is_seen(&web));
	assert_int_equal(jn_engine_generation(engine), 1);
	assert_false(is_declared("big"));
}

static void check_nothing_changed(void)
{
	check_nothing_is_seen();
	assert_int_equal(slots_used(), 2);
	check_no_leftovers();
}

static int big_setup(void **state)
{
	int rc = engine_setup(state);

	create_web();
	tables_watch = NULL; /* what it reads a VIP into is too short for so many */
	return rc;
}

static void test_its_slots_are_built_and_written_by_a_thread(void **state)
{
	unsigned before = writes_ended;

	(void)state;
	run_jobs();
	tables_steps = 0;
	jn_engine_write(engine, big_write());
	assert_int_equal(tables_steps, 0);
	while (tables_steps < HEAVY_SLOTS) {
		bool is_work = !jobs[0].has_worked; /* the only job that there is */

		assert_int_equal(job_count, 1); /* the loop is free */
		assert_int_equal(writes_ended, before);
		check_nothing_is_seen();
		tables_steps = 0;
		run_one();
		assert_true(is_work || tables_steps < HEAVY);
	}
	run_jobs();
	assert_int_equal(writes_ended, before + 1);
	assert_int_equal(last_kind, JN_ERROR_NONE);
	assert_int_equal(jn_engine_installed(engine), 2);
	assert_true(slots_used() == HEAVY_SLOTS + 2);
	assert_true(is_declared("big"));
	check_no_leftovers();
	restart();
	assert_true(slots_used() == HEAVY_SLOTS + 2);
	check_no_leftovers();
}

static unsigned ended_at[3], ended;

static void note_end(void *arg, const struct jn_write *write, struct jn_error *err)
{
	unsigned which = (unsigned)(uintptr_t)arg;

	assert_false(jn_error_is_set(err));
	assert_int_equal(write->generation, which + 2); /* the first one is web's */
	ended_at[which] = ++ended;
}

static void test_writes_behind_it_keep_their_place(void **state)
{
	struct jn_write *writes[3] = { new_write(), big_write(), new_write() };

	(void)state;
	ended = 0;
	add_policy(writes[0], "web", "RoundRobin");
	add_service(writes[2], "web", V1, B(7)); /* changes what the first one changed */
	for (uintptr_t i = 0; i < 3; i++) {
		writes[i]->done = note_end;
		writes[i]->arg = (void *)i;
		jn_engine_write(engine, writes[i]);
	}
	run_jobs();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ended_at[i], i + 1);
	check_no_leftovers();
}

static void test_no_thread_to_build_it_changes_nothing(void **state)
{
	(void)state;
	run_jobs();
	refuses_jobs = true;
	assert_int_not_equal(run_write(big_write()), JN_ERROR_NONE);
	refuses_jobs = false;
	check_nothing_changed();
	assert_int_equal(run_write(big_write()), JN_ERROR_NONE);
}

static void test_a_full_disk_takes_back_what_the_thread_wrote(void **state)
{
	(void)state;
	tables_commit_rc = -ENOSPC;
	assert_int_equal(run_write(big_write()), JN_ERROR_DISK_FULL);
	tables_commit_rc = 0;
	check_nothing_changed();
	assert_int_equal(run_write(big_write()), JN_ERROR_NONE);
	check_no_leftovers();
}

/* Of a file: served before it is stored, and still nobody but a thread writes its slots. */
static void test_a_big_write_of_a_file(void **state)
{
	unsigned before = writes_ended;
	struct jn_write *w = big_write();

	(void)state;
	run_jobs();
	w->owner = JN_OWNER_FILE;
	for (size_t i = 0; i < w->items.count; i++)
		w->items.items[i].object->owner = JN_OWNER_FILE;
	jn_engine_write(engine, w);
	for (unsigned halves = 0; halves < 4; halves++) { /* build it, and write it */
		assert_int_equal(writes_ended, before);
		check_nothing_is_seen();
		assert_int_equal(job_count, 1);
		run_one();
	}
	assert_int_equal(writes_ended, before + 1);
	assert_int_equal(last_kind, JN_ERROR_NONE);
	assert_int_equal(jn_engine_installed(engine), 2);
	assert_true(is_declared("big"));
	run_jobs();
	assert_int_equal(slots_used(), HEAVY_SLOTS + 2);
	check_no_leftovers();
}

static void test_a_dry_run_builds_and_changes_nothing(void **state)
{
	struct jn_write *w = big_write();

	(void)state;
	w->is_dry_run = true;
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	check_nothing_changed();
}

/* Ranges are given to what was built: where they are not enough, nothing is left of it. */
static void test_where_there_is_no_room_for_what_was_built(void **state)
{
	struct jn_ranges *slots = &engine->install.slots;
	uint32_t ceiling = slots->ceiling, count, base;

	(void)state;
	run_jobs();
	slots->ceiling = slots->capacity;
	count = slots->capacity - slots->used - 100;
	assert_int_equal(jn_ranges_take(slots, count, &base), 0);
	assert_int_equal(run_write(big_write()), JN_ERROR_INVALID);
	assert_non_null(strstr(last_text, "the limit slots ("));
	jn_ranges_free(slots, base, count);
	slots->ceiling = ceiling;
	check_nothing_changed();
}

/* Killed while the thread writes: nobody saw it, and the next start finds nothing of it. */
static void test_a_death_while_the_thread_writes_leaves_nothing(void **state)
{
	(void)state;
	for (unsigned step = 1; step < HEAVY_SLOTS; step += 397) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			tables_crash_at = step;
			(void)run_write(big_write());
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), TABLES_CRASHED);
		restart();
		check_nothing_changed();
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, big_setup, engine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_its_slots_are_built_and_written_by_a_thread),
		TEST(test_writes_behind_it_keep_their_place),
		TEST(test_no_thread_to_build_it_changes_nothing),
		TEST(test_a_full_disk_takes_back_what_the_thread_wrote),
		TEST(test_a_big_write_of_a_file),
		TEST(test_a_dry_run_builds_and_changes_nothing),
		TEST(test_where_there_is_no_room_for_what_was_built),
		TEST(test_a_death_while_the_thread_writes_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
