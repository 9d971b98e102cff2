/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SQLite runs out of memory at the n-th of its allocations, for one or some in a row, n = 1, 2, ...:
 * a commit is told to have failed for that, and nothing of it stays in the way of the next one.
 */
#include "store_case.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/auto.h"

#define MOST_IN_A_ROW 4

static char dir[64];
static sqlite3_mem_methods real;
static unsigned fail_at, fail_count; /* counted down; how many fail from there on */

static bool fails(void)
{
	if (!fail_at || --fail_at)
		return false;
	fail_at = --fail_count ? 1 : 0;
	return true;
}

static void *get(int size)
{
	return fails() ? NULL : real.xMalloc(size);
}

static void *get_more(void *block, int size)
{
	return fails() ? NULL : real.xRealloc(block, size);
}

static int set_up(void **state)
{
	sqlite3_mem_methods counted;

	(void)state;
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real))
		return -1;
	counted = real;
	counted.xMalloc = get;
	counted.xRealloc = get_more;
	make_folder(dir, sizeof(dir));
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &counted);
}

static int tear_down(void **state)
{
	(void)state;
	return remove_folder(dir);
}

/* Opens the store anew: SQLite keeps some memory from what it did before. */
static struct jn_store *open_store(uint64_t generation)
{
	JN_AUTO(told_done) struct told t = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_store *store = NULL;

	assert_int_equal(try_open(dir, &t, &store, &err), 0);
	assert_int_equal(t.generation, generation);
	assert_int_equal(t.bad_count + t.damaged_count, 0);
	return store;
}

/* A commit that runs out of memory, maybe, and one that does not; returns the generation. */
static uint64_t commit_two(uint64_t generation, unsigned n, unsigned in_a_row, bool *has_failed)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_store_close) struct jn_store *store = open_store(generation);
	struct jn_row row = row_of("web", 0, NULL);
	int rc;

	fail_at = n;
	fail_count = in_a_row;
	rc = jn_store_commit(store, generation + 1, &row, 1, &err);
	fail_at = 0;
	*has_failed |= fail_count != in_a_row;
	assert_true(rc == 0 || rc == -ENOMEM);
	if (rc) {
		assert_int_equal(err.kind, JN_ERROR_INTERNAL);
		assert_non_null(strstr(jn_error_text(&err), "memory"));
	}
	generation += rc == 0;
	row = row_of("web", generation + 1, "{}");
	assert_int_equal(jn_store_commit(store, generation + 1, &row, 1, &err), 0);
	return generation + 1;
}

/*
 * Found by test_short_of_memory: a rollback that found no memory either left its transaction open,
 * and the next commit was refused with "the file that keeps the state is damaged".
 */
static void test_a_rollback_without_memory_does_not_hinder_the_next_commit(void **state)
{
	uint64_t generation = 0;
	bool has_failed = true;
	unsigned n = 1;

	(void)state;
	generation = commit_two(generation, 0, 1, &has_failed);
	for (; has_failed; n++) {
		has_failed = false;
		for (unsigned in_a_row = 1; in_a_row <= MOST_IN_A_ROW; in_a_row++)
			generation = commit_two(generation, n, in_a_row, &has_failed);
	}
	assert_in_range(n, 10, 1000);
}

/* Found by test_short_of_memory: what SQLite had no memory to check was taken for damaged. */
static void test_a_start_without_memory_is_not_damage(void **state)
{
	struct jn_row row = row_of("web", 0, "{}");
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_store *store = NULL;
	struct told t = { 0 };
	uint64_t generation;
	bool has_failed = true;

	(void)state;
	assert_int_equal(try_open(dir, &t, &store, &err), 0);
	generation = t.generation + 1;
	row.version = generation;
	assert_int_equal(jn_store_commit(store, generation, &row, 1, &err), 0);
	jn_store_close(&store);
	told_done(&t);
	for (unsigned n = 1; has_failed; n++) {
		JN_AUTO(jn_error_done) struct jn_error failed = { 0 };

		fail_at = n;
		fail_count = 1;
		(void)try_open(dir, &t, &store, &failed);
		fail_at = 0;
		has_failed = !fail_count;
		assert_int_equal(t.bad_count + t.damaged_count, 0);
		jn_store_close(&store);
		told_done(&t);
		store = open_store(generation);
		jn_store_close(&store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_rollback_without_memory_does_not_hinder_the_next_commit),
		cmocka_unit_test(test_a_start_without_memory_is_not_damage),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
