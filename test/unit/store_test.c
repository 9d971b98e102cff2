/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The store on a disk that does what it is told, is full, or may not be written to. Damage:
 * store_damage_test.c. The tests that mount something run as root, in a mount namespace of their
 * own.
 */
#include "store_case.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	make_folder(dir, sizeof(dir));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)umount2(dir, MNT_DETACH); /* where a test mounted something */
	return remove_folder(dir);
}

static struct jn_store *reopen(struct jn_store *store, struct told *t)
{
	jn_store_close(&store);
	told_done(t);
	return must_open(dir, t);
}

static void commit(struct jn_store *store, uint64_t generation, const struct jn_row *rows,
		   size_t count)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	assert_int_equal(jn_store_commit(store, generation, rows, count, &err), 0);
}

static void run_sql(const char *sql)
{
	sqlite3 *db;
	char *message = NULL;

	assert_int_equal(sqlite3_open(path_in(dir, "state.db"), &db), SQLITE_OK);
	(void)sqlite3_exec(db, sql, NULL, NULL, &message);
	assert_null(message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_a_new_folder_is_empty(void **state)
{
	struct told t = { 0 };
	struct jn_store *store = must_open(dir, &t);
	struct stat info;

	(void)state;
	assert_int_equal(t.count + t.bad_count + t.damaged_count, 0);
	assert_int_equal(t.generation, 0);
	assert_int_equal(stat(path_in(dir, "state.db"), &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	store = reopen(store, &t);
	assert_int_equal(t.count + t.bad_count + t.damaged_count, 0);
	jn_store_close(&store);
	assert_int_not_equal(access(path_in(dir, "state.db-wal"), F_OK), 0);
}

static void test_what_was_committed_comes_back(void **state)
{
	struct told t = { 0 };
	struct jn_store *store = must_open(dir, &t);
	struct jn_row rows[] = { row_of("a", 3, "{\"a\":1}"), row_of("b", 3, "") };
	const struct told_row *a, *b;

	(void)state;
	rows[1].is_recovered = true;
	commit(store, 3, rows, 2);
	store = reopen(store, &t);
	assert_int_equal(t.generation, 3);
	assert_int_equal(t.count, 2);
	a = find_told(t.rows, t.count, "a");
	b = find_told(t.rows, t.count, "b");
	assert_string_equal(a->kind, "LocalService");
	assert_string_equal(a->namespace_, "default");
	assert_int_equal(a->version, 3);
	assert_int_equal(a->body_size, 7);
	assert_memory_equal(a->body, "{\"a\":1}", 7);
	assert_false(a->is_recovered);
	assert_int_equal(b->body_size, 0);
	assert_true(b->is_recovered);
	jn_store_close(&store);
	told_done(&t);
}

static void test_replace_delete_and_delete_nothing(void **state)
{
	struct told t = { 0 };
	struct jn_store *store = must_open(dir, &t);
	struct jn_row first[] = { row_of("a", 1, "old"), row_of("b", 1, "stays") };
	struct jn_row second[] = { row_of("a", 2, "new"), row_of("c", 2, "twice"),
				   row_of("c", 2, "last"), row_of("nobody", 0, NULL) };
	struct jn_row third[] = { row_of("b", 0, NULL) };

	(void)state;
	commit(store, 1, first, 2);
	commit(store, 2, second, 4);
	commit(store, 7, third, 1);
	store = reopen(store, &t);
	assert_int_equal(t.generation, 7);
	assert_int_equal(t.count, 2);
	assert_int_equal(t.bad_count + t.damaged_count, 0);
	assert_memory_equal(find_told(t.rows, t.count, "a")->body, "new", 3);
	assert_int_equal(find_told(t.rows, t.count, "a")->version, 2);
	assert_memory_equal(find_told(t.rows, t.count, "c")->body, "last", 4);
	jn_store_close(&store);
	told_done(&t);
}

static void test_a_big_body(void **state)
{
	struct told t = { 0 };
	struct jn_store *store = must_open(dir, &t);
	size_t size = 5 << 20;
	char *body = malloc(size);
	struct jn_row row = row_of("big", 1, "");

	(void)state;
	assert_non_null(body);
	for (size_t i = 0; i < size; i++)
		body[i] = (char)(i * 2654435761u >> 13);
	row.body = body;
	row.body_size = size;
	commit(store, 1, &row, 1);
	jn_store_tidy(store);
	assert_int_equal(truncate(path_in(dir, "state.db-wal"), 0),
			 0); /* all of it is in the file */
	store = reopen(store, &t);
	assert_int_equal(t.count, 1);
	assert_int_equal(t.rows[0].body_size, size);
	assert_memory_equal(t.rows[0].body, body, size);
	jn_store_close(&store);
	told_done(&t);
	free(body);
}

static void test_the_reader_can_stop(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct told t = { 0 };
	struct jn_store *store = must_open(dir, &t);
	struct jn_row row = row_of("a", 1, "x");

	(void)state;
	commit(store, 1, &row, 1);
	jn_store_close(&store);
	t.stop_with = -ENOMEM;
	assert_int_equal(try_open(dir, &t, &store, &err), -ENOMEM);
	assert_null(store);
}

static void test_marks_stay_until_declared(void **state)
{
	struct told t = { 0 };
	struct jn_store *store = must_open(dir, &t);
	struct jn_row rows[] = { row_of("a", 1, "body"), row_of("b", 1, "body") };
	struct jn_row lost = row_of("lost", 0, NULL), gone = row_of("gone", 0, NULL);

	(void)state;
	commit(store, 1, rows, 2);
	assert_int_equal(jn_store_set_damaged(store, &rows[0], true), 0);
	assert_int_equal(jn_store_set_damaged(store, &lost, true), 0);
	assert_int_equal(jn_store_set_damaged(store, &lost, true), 0);
	assert_int_equal(jn_store_set_damaged(store, &gone, true), 0);
	for (int i = 0; i < 2; i++) {
		store = reopen(store, &t);
		assert_int_equal(t.generation, 1);
		assert_int_equal(t.count, 1);
		assert_string_equal(t.rows[0].name, "b");
		assert_int_equal(t.bad_count, 3);
		assert_int_equal(t.damaged_count, 0);
		assert_string_equal(find_told(t.bad, 3, "lost")->kind, "LocalService");
		assert_non_null(find_told(t.bad, 3, "a"));
	}
	rows[0].body = lost.body = "again";
	rows[0].body_size = lost.body_size = 5;
	commit(store, 2, (struct jn_row[]){ lost, gone }, 2); /* declared; deleted */
	assert_int_equal(jn_store_set_damaged(store, &rows[0], false), 0);
	store = reopen(store, &t);
	assert_int_equal(t.count, 3);
	assert_int_equal(t.bad_count + t.damaged_count, 0);
	assert_memory_equal(find_told(t.rows, 3, "a")->body, "body", 4);
	jn_store_close(&store);
	told_done(&t);
}

/* --- the disk -------------------------------------------------------------------------------- */

static void need_mounts(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		skip();
}

/* Until it is refused; returns how many there are. */
static unsigned syncs;

int fsync(int fd)
{
	(void)fd;
	syncs++;
	return 0;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

static unsigned syncs_of_commit(struct jn_store *store, uint64_t generation, bool is_soon)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_row row = row_of("a", generation, "{}");
	unsigned before = syncs;

	assert_int_equal((is_soon ? jn_store_commit_soon : jn_store_commit)(store, generation, &row,
									    1, &err),
			 0);
	return syncs - before;
}

/* Who does not wait for the disk is there all the same, once the process is gone. */
static void test_a_commit_that_does_not_wait(void **state)
{
	struct told t = { 0 };
	struct jn_store *store = must_open(dir, &t);
	unsigned before;

	(void)state;
	assert_int_not_equal(syncs_of_commit(store, 1, false), 0);
	assert_int_equal(syncs_of_commit(store, 2, true), 0);
	assert_int_equal(syncs_of_commit(store, 3, true), 0);
	before = syncs;
	jn_store_tidy(store);
	assert_int_equal(syncs, before + 1);
	jn_store_tidy(store); /* there is nothing left */
	assert_int_equal(syncs, before + 1);
	assert_int_equal(syncs_of_commit(store, 4, true), 0);
	assert_int_not_equal(syncs_of_commit(store, 5, false), 0);
	before = syncs;
	jn_store_tidy(store); /* that one took it along */
	assert_int_equal(syncs, before);
	jn_store_close(&store);
	if (!fork()) {
		store = must_open(dir, &t);
		_exit(syncs_of_commit(store, 6, true) ? 1 : 0);
	}
	assert_int_equal(wait(NULL) > 0, 1);
	told_done(&t);
	store = must_open(dir, &t);
	assert_int_equal(t.generation, 6);
	assert_int_equal(t.bad_count + t.damaged_count, 0);
	jn_store_close(&store);
	told_done(&t);
}

static int fill_disk(struct jn_store *store, char *body, size_t size)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	char name[16];
	struct jn_row row = row_of(name, 1, "");
	int count = 0, rc = 0;

	memset(body, 'x', size);
	row.body = body;
	row.body_size = size;
	for (; count < MOST && !rc; count += !rc) {
		(void)snprintf(name, sizeof(name), "big-%d", count);
		row.version = (uint64_t)count + 1;
		rc = jn_store_commit(store, (uint64_t)count + 1, &row, 1, &err);
	}
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(err.kind, JN_ERROR_DISK_FULL);
	assert_non_null(strstr(jn_error_text(&err), "try again"));
	return count;
}

static void test_a_full_disk_refuses_and_recovers(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct told t = { 0 };
	struct jn_store *store;
	char body[60000];
	struct jn_row row = row_of("one-more", 100, ""), small = row_of("small", 101, "small");
	int count;

	(void)state;
	need_mounts();
	assert_int_equal(mount("none", dir, "tmpfs", 0, "size=512k"), 0);
	store = must_open(dir, &t);
	count = fill_disk(store, body, sizeof(body));
	assert_true(count >= 3);
	row.body = body;
	row.body_size = sizeof(body);
	for (int i = 0; i < 3; i++)
		assert_int_equal(jn_store_commit(store, 100, &row, 1, &err), -ENOSPC);
	store = reopen(store, &t); /* while it is full */
	assert_int_equal(t.count, count);
	assert_int_equal(t.generation, count);
	assert_int_equal(t.bad_count + t.damaged_count, 0);
	assert_int_equal(jn_store_commit(store, 100, &row, 1, &err), -ENOSPC);
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	commit(store, 100, &row, 1);
	commit(store, 101, &small, 1);
	store = reopen(store, &t);
	assert_int_equal(t.count, count + 2);
	assert_int_equal(t.bad_count + t.damaged_count, 0);
	assert_int_equal(t.generation, 101);
	jn_store_close(&store);
	told_done(&t);
}

/* One object, written again and again: the log fills the disk, and its folding makes room. */
static void test_the_log_does_not_fill_the_disk(void **state)
{
	struct told t = { 0 };
	struct jn_store *store;
	char body[30000];
	struct jn_row row = row_of("same", 1, "");

	(void)state;
	need_mounts();
	assert_int_equal(mount("none", dir, "tmpfs", 0, "size=512k"), 0);
	store = must_open(dir, &t);
	row.body = body;
	row.body_size = sizeof(body);
	for (unsigned i = 1; i <= 200; i++) {
		memset(body, 'a' + i % 26, sizeof(body));
		row.version = i;
		commit(store, i, &row, 1);
	}
	store = reopen(store, &t);
	assert_int_equal(t.generation, 200);
	assert_memory_equal(t.rows[0].body, body, sizeof(body));
	jn_store_close(&store);
	told_done(&t);
}

static void test_no_room_for_the_first_file(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_store *store = NULL;
	struct told t = { 0 };

	(void)state;
	need_mounts();
	assert_int_equal(mount("none", dir, "tmpfs", 0, "size=4k"), 0);
	assert_int_equal(try_open(dir, &t, &store, &err), -ENOSPC);
	assert_int_equal(err.kind, JN_ERROR_DISK_FULL);
	assert_non_null(strstr(jn_error_text(&err), "No space left"));
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT, "size=512k"), 0);
	store = must_open(dir, &t);
	assert_int_equal(t.damaged_count, 0); /* the first try left nothing */
	jn_store_close(&store);
}

static void test_a_folder_that_cannot_be_written(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct told t = { 0 };
	struct jn_store *store = NULL;

	(void)state;
	need_mounts();
	assert_int_equal(mount("none", dir, "tmpfs", 0, "size=512k"), 0);
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(try_open(dir, &t, &store, &err), -EROFS);
	assert_non_null(strstr(jn_error_text(&err), dir));
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT, NULL), 0);
	store = must_open(dir, &t);
	jn_store_close(&store);
	jn_error_done(&err);
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(try_open(dir, &t, &store, &err), -EROFS);
	assert_null(store);
}

/* --- somebody else's file --------------------------------------------------------------------- */

static void test_a_newer_format_is_refused(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct told t = { 0 };
	struct jn_store *store = must_open(dir, &t);

	(void)state;
	jn_store_close(&store);
	run_sql("DROP TABLE object; CREATE TABLE objects2 (a); PRAGMA user_version = 2");
	assert_int_equal(try_open(dir, &t, &store, &err), -EPROTO);
	assert_non_null(strstr(jn_error_text(&err), "newer junctord"));
	assert_null(store);
	assert_int_not_equal(access(path_in(dir, "state.db.damaged-1"), F_OK), 0);
}

static void test_nobody_else_may_hold_it(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct told t = { 0 };
	struct jn_store *store = must_open(dir, &t), *second = NULL;
	sqlite3 *other;

	(void)state;
	assert_int_equal(sqlite3_open(path_in(dir, "state.db"), &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "SELECT * FROM object", NULL, NULL, NULL),
			 SQLITE_BUSY);
	(void)sqlite3_close(other);
	jn_store_close(&store);
	assert_int_equal(sqlite3_open(path_in(dir, "state.db"), &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN; SELECT * FROM object", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(try_open(dir, &t, &second, &err), -EBUSY);
	assert_non_null(strstr(jn_error_text(&err), "another program"));
	(void)sqlite3_close(other);
}

static void test_a_folder_in_its_place(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct told t = { 0 };
	struct jn_store *store = NULL;

	(void)state;
	assert_int_equal(mkdir(path_in(dir, "state.db"), 0700), 0);
	assert_int_equal(try_open(dir, &t, &store, &err), -EISDIR);
	assert_null(store);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_new_folder_is_empty),
		CASE(test_what_was_committed_comes_back),
		CASE(test_replace_delete_and_delete_nothing),
		CASE(test_a_big_body),
		CASE(test_the_reader_can_stop),
		CASE(test_marks_stay_until_declared),
		CASE(test_a_commit_that_does_not_wait),
		CASE(test_a_full_disk_refuses_and_recovers),
		CASE(test_the_log_does_not_fill_the_disk),
		CASE(test_no_room_for_the_first_file),
		CASE(test_a_folder_that_cannot_be_written),
		CASE(test_a_newer_format_is_refused),
		CASE(test_nobody_else_may_hold_it),
		CASE(test_a_folder_in_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
