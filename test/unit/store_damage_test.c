/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that are not what was written: single bits flipped, ends cut off, other files in their
 * place. Whatever happens: the store opens, a row that it tells is byte for byte one that was
 * committed, and what is missing is either named, or covered by a sentence or an older generation.
 */
#include "store_case.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "random.h"

#define ROWS 24
#define LAST 3		/* generation: 0 is deleted, 1 has changed, 5 is lost */
#define GONE "svc-gone" /* its pages are free at the end */
#define CHANGED "{\"second\":true}"

static char dir[64];
static char names[ROWS][16], bodies[ROWS][6000];

/* One file of a state, as it was right. */
struct image {
	char *data;
	size_t size;
};

/* The same state twice: with the log brought in, and with all of it in the log as a kill leaves it. */
static struct state {
	struct image file, log;
} closed, killed;

static struct image load(const char *name)
{
	int fd = open(path_in(dir, name), O_RDONLY | O_CLOEXEC);
	struct stat info;
	struct image image;

	assert_true(fd >= 0 && !fstat(fd, &info));
	image.size = (size_t)info.st_size;
	image.data = malloc(image.size + 1);
	assert_non_null(image.data);
	assert_int_equal(read(fd, image.data, image.size), image.size);
	(void)close(fd);
	return image;
}

static void save(const char *name, const struct image *image)
{
	int fd;

	(void)unlink(path_in(dir, name));
	if (!image->data)
		return;
	fd = open(path_in(dir, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, image->data, image->size), image->size);
	(void)close(fd);
}

/* A folder as it was, apart from what is damaged afterwards. */
static void lay_out(const struct image *file, const struct image *log)
{
	for (unsigned n = 1; n <= 8; n++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "state.db.damaged-%u", n);
		(void)unlink(path_in(dir, name));
		(void)snprintf(name, sizeof(name), "state.db.damaged-%u-wal", n);
		(void)unlink(path_in(dir, name));
	}
	save("state.db", file);
	save("state.db-wal", log);
}

static void commit(struct jn_store *store, uint64_t generation, const struct jn_row *rows,
		   size_t count)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	if (jn_store_commit(store, generation, rows, count, &err))
		fail_msg("%s", jn_error_text(&err));
}

/* Bodies of 40 bytes to 6 KB: some need pages of their own. */
static void declare(struct jn_store *store)
{
	struct jn_row rows[ROWS], changes[3];

	for (size_t i = 0; i < ROWS; i++) {
		size_t size = 40 + i * i * 10 + (i == 20 ? 1700 : 0);

		(void)snprintf(names[i], sizeof(names[i]), "svc-%zu", i);
		for (size_t k = 0; k < sizeof(bodies[i]) - 1; k++)
			bodies[i][k] = (char)('a' + random_below(26));
		rows[i] = row_of(names[i], 1 + i / 12, bodies[i]);
		rows[i].body_size = size;
	}
	commit(store, 1, rows, 12);
	commit(store, 2, rows + 12, ROWS - 12);
	changes[0] = row_of(GONE, 2, bodies[23]);
	commit(store, 2, changes, 1);
	changes[2] = row_of(GONE, 0, NULL);
	changes[0] = row_of(names[0], 0, NULL);
	changes[1] = row_of(names[1], LAST, CHANGED);
	commit(store, LAST, changes, 3);
	assert_int_equal(jn_store_set_damaged(store, &rows[5], true), 0);
}

static int make_states(void **state)
{
	struct told t = { 0 };
	struct jn_store *store;

	(void)state;
	make_folder(dir, sizeof(dir));
	store = must_open(dir, &t);
	declare(store);
	killed.file = load("state.db");
	killed.log = load("state.db-wal");
	jn_store_close(&store);
	closed.file = load("state.db");
	return 0;
}

static int remove_states(void **state)
{
	(void)state;
	lay_out(&(struct image){ 0 }, &(struct image){ 0 });
	free(killed.file.data);
	free(killed.log.data);
	free(closed.file.data);
	return rmdir(dir);
}

/* --- the invariant --------------------------------------------------------------------------- */

static void check_row(const struct told *t, const struct told_row *row, const char *what)
{
	size_t i = 0;
	const char *body;
	size_t size;

	while (i < ROWS && strcmp(row->name, names[i]) != 0)
		i++;
	if (!strcmp(row->name, GONE) && t->generation == 2 && !strcmp(row->body, bodies[23]))
		return;
	if (i == ROWS || strcmp(row->kind, "LocalService") || strcmp(row->namespace_, "default"))
		fail_msg("%s: %s was never declared", what, row->name);
	body = i == 1 && row->version == LAST ? CHANGED : bodies[i];
	size = body == bodies[i] ? 40 + i * i * 10 + (i == 20 ? 1700 : 0) : strlen(CHANGED);
	if (row->body_size != size || memcmp(row->body, body, size) || row->is_recovered)
		fail_msg("%s: %s is not what was declared", what, row->name);
	if (row->version != (body == bodies[i] ? 1 + i / 12 : LAST))
		fail_msg("%s: %s has version %u", what, row->name, (unsigned)row->version);
	if (t->generation == LAST && (i == 0 || (i == 1 && row->version != LAST)))
		fail_msg("%s: %s is from an older generation", what, row->name);
}

/* Is everything right, and nothing said? */
static bool check_told(const struct told *t, const char *what)
{
	bool is_covered = t->damaged_count || t->generation < LAST;
	bool is_named = false;

	if (t->generation > LAST)
		fail_msg("%s: generation %u", what, (unsigned)t->generation);
	for (size_t i = 0; i < t->count; i++) {
		check_row(t, &t->rows[i], what);
		if (find_told(t->rows, i, t->rows[i].name))
			fail_msg("%s: %s is told twice", what, t->rows[i].name);
	}
	for (size_t i = 0; i < ROWS; i++) {
		bool is_bad = find_told(t->bad, t->bad_count, names[i]);

		is_named |= is_bad && i != 5;
		if (i == 0 || is_bad || is_covered || find_told(t->rows, t->count, names[i]))
			continue;
		fail_msg("%s: %s is gone, and nobody said so", what, names[i]);
	}
	for (size_t i = 0; i < t->bad_count; i++) {
		if (strncmp(t->bad[i].name, "svc-", 4) != 0)
			fail_msg("%s: '%s' is named", what, t->bad[i].name);
	}
	return !is_covered && !is_named;
}

/* Open what lies there, twice, with a commit between; returns what the first one told. */
static bool open_and_go_on(const char *what)
{
	struct told first = { 0 }, second = { 0 };
	struct jn_row row = row_of("svc-2", 9, "after");
	struct jn_store *store = must_open(dir, &first);
	bool is_right = check_told(&first, what);

	commit(store, 9, &row, 1);
	jn_store_close(&store);
	store = must_open(dir, &second);
	jn_store_close(&store);
	if (second.damaged_count || second.generation != 9)
		fail_msg("%s: damaged again: %s", what, second.sentence);
	if (second.count != first.count + !find_told(first.rows, first.count, "svc-2"))
		fail_msg("%s: %zu rows became %zu", what, first.count, second.count);
	told_done(&first);
	told_done(&second);
	return is_right;
}

/* --- the sweeps ------------------------------------------------------------------------------ */

struct span {
	uint32_t from, size;
};

/* Returns how often everything was right all the same. */
static unsigned flip_some(const struct state *state, struct image *target, struct span span,
			  unsigned count)
{
	unsigned right = 0;

	for (unsigned i = 0; i < count; i++) {
		uint32_t bit = span.from * 8 + random_below(span.size * 8);
		char what[64];

		(void)snprintf(what, sizeof(what), "bit %u of the %s", bit,
			       target == &state->log ? "log" : "file");
		target->data[bit / 8] ^= (char)(1 << bit % 8);
		lay_out(&state->file, &state->log);
		right += open_and_go_on(what);
		target->data[bit / 8] ^= (char)(1 << bit % 8);
	}
	return right;
}

static void test_right_files_are_right(void **state)
{
	(void)state;
	lay_out(&closed.file, &closed.log);
	assert_true(open_and_go_on("closed"));
	lay_out(&killed.file, &killed.log);
	assert_true(open_and_go_on("killed"));
}

static void test_flips_in_the_file(void **state)
{
	struct image *f = &closed.file;
	unsigned right = flip_some(&closed, f, (struct span){ 0, (uint32_t)f->size }, 700);

	(void)state;
	assert_true(right < 600);
}

static void test_flips_in_the_header_and_schema(void **state)
{
	struct image *f = &closed.file;

	(void)state;
	(void)flip_some(&closed, f, (struct span){ 0, 112 }, 300);
	(void)flip_some(&closed, f, (struct span){ 3600, 496 }, 150);
}

/* Every bit of the log is covered by a checksum, and the log is kept as it was. */
static void test_flips_in_the_log(void **state)
{
	struct image *l = &killed.log;
	struct told t = { 0 };
	struct jn_store *store;

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		uint32_t bit = random_below((uint32_t)(i < 100 ? 64 : l->size) * 8);

		l->data[bit / 8] ^= (char)(1 << bit % 8);
		lay_out(&killed.file, l);
		store = must_open(dir, &t);
		l->data[bit / 8] ^= (char)(1 << bit % 8);
		jn_store_close(&store);
		(void)check_told(&t, "log");
		if (!t.damaged_count || access(path_in(dir, "state.db.damaged-1-wal"), F_OK) != 0)
			fail_msg("bit %u of the log: generation %u, and nothing is said", bit,
				 (unsigned)t.generation);
		told_done(&t);
	}
	(void)flip_some(&killed, l, (struct span){ 0, (uint32_t)l->size }, 100);
}

static void test_flips_in_the_file_behind_a_log(void **state)
{
	struct image *f = &killed.file;

	(void)state;
	(void)flip_some(&killed, f, (struct span){ 0, (uint32_t)f->size }, 200);
}

static void cut_some(const struct image *file, const struct image *log, struct image *target,
		     unsigned count)
{
	size_t whole = target->size;

	for (unsigned i = 0; i < count; i++) {
		char what[64];

		target->size = i < 4 ? i * 4096 : random_below((uint32_t)whole);
		(void)snprintf(what, sizeof(what), "%s cut at %zu", target == log ? "log" : "file",
			       target->size);
		lay_out(file, log);
		(void)open_and_go_on(what);
	}
	target->size = whole;
}

static void test_cuts(void **state)
{
	(void)state;
	cut_some(&closed.file, &closed.log, &closed.file, 150);
	cut_some(&killed.file, &killed.log, &killed.log, 100);
	cut_some(&killed.file, &killed.log, &killed.file, 50);
}

/* --- single cases ---------------------------------------------------------------------------- */

static void expect_all(const struct told *t)
{
	assert_int_equal(t->count, ROWS - 2);
	assert_int_equal(t->generation, LAST);
	assert_int_equal(t->bad_count, 1);
	assert_string_equal(t->bad[0].name, "svc-5");
}

static void test_no_database_at_all(void **state)
{
	struct told t = { 0 };
	struct image text = { .data = bodies[23], .size = sizeof(bodies[23]) };
	struct jn_store *store;

	(void)state;
	lay_out(&text, &(struct image){ 0 });
	store = must_open(dir, &t);
	assert_int_equal(t.count, 0);
	assert_int_equal(t.generation, 0);
	assert_int_equal(t.damaged_count, 1);
	assert_non_null(strstr(t.sentence, "state.db.damaged-1"));
	assert_int_equal(access(path_in(dir, "state.db.damaged-1"), R_OK), 0);
	jn_store_close(&store);
	told_done(&t);
	store = must_open(dir, &t); /* nothing was committed yet: it is said again */
	assert_int_equal(t.damaged_count, 1);
	jn_store_close(&store);
	told_done(&t);
}

/* The header, the schema and the root of the tree are gone: every row is in some other page. */
static void test_all_rows_come_out_of_a_file_without_a_head(void **state)
{
	struct told t = { 0 };
	struct image file = closed.file;
	struct jn_store *store;

	(void)state;
	file.data = malloc(file.size);
	assert_non_null(file.data);
	memcpy(file.data, closed.file.data, file.size);
	memset(file.data, 0, 4096);
	lay_out(&file, &closed.log);
	free(file.data);
	store = must_open(dir, &t);
	expect_all(&t);
	assert_int_equal(t.damaged_count, 1);
	jn_store_close(&store);
	told_done(&t);
}

/* A changed byte of a body: that object is named, the others are told. */
static void test_a_wrong_row_is_named(void **state)
{
	struct told t = { 0 };
	struct jn_store *store;
	char *at = memmem(closed.file.data, closed.file.size, bodies[7], 40);

	(void)state;
	assert_non_null(at);
	*at ^= 1;
	lay_out(&closed.file, &closed.log);
	*at ^= 1;
	for (int i = 0; i < 2; i++) { /* and again, until it is declared */
		store = must_open(dir, &t);
		assert_int_equal(t.count, ROWS - 3);
		assert_int_equal(t.bad_count, 2);
		assert_non_null(find_told(t.bad, t.bad_count, "svc-7"));
		assert_int_equal(t.damaged_count, 1);
		jn_store_close(&store);
		told_done(&t);
	}
}

/* A crash while the rebuilt file takes the other's place. */
static void test_an_exchange_is_finished(void **state)
{
	struct told t = { 0 };
	struct jn_store *store;

	(void)state;
	lay_out(&(struct image){ 0 }, &killed.log); /* which must not be read into the new file */
	save("state.db.new", &closed.file);
	save("state.db.damaged-1", &killed.file);
	store = must_open(dir, &t);
	expect_all(&t);
	assert_int_equal(t.damaged_count, 0);
	assert_int_equal(access(path_in(dir, "state.db.damaged-1-wal"), F_OK), 0);
	jn_store_close(&store);
	told_done(&t);

	lay_out(&closed.file, &closed.log);
	save("state.db.new", &(struct image){ bodies[3], 20 });
	save("state.db.tmp", &(struct image){ bodies[3], 20 });
	store = must_open(dir, &t);
	expect_all(&t);
	assert_int_not_equal(access(path_in(dir, "state.db.new"), F_OK), 0);
	assert_int_not_equal(access(path_in(dir, "state.db.tmp"), F_OK), 0);
	jn_store_close(&store);
	told_done(&t);
}

static void test_few_damaged_files_are_kept(void **state)
{
	struct told t = { 0 };
	struct jn_store *store;

	(void)state;
	lay_out(&(struct image){ 0 }, &(struct image){ 0 });
	for (int i = 0; i < 6; i++) {
		save("state.db", &(struct image){ bodies[3], 20 });
		store = must_open(dir, &t);
		jn_store_close(&store);
		told_done(&t);
	}
	assert_int_not_equal(access(path_in(dir, "state.db.damaged-2"), F_OK), 0);
	assert_int_equal(access(path_in(dir, "state.db.damaged-3"), F_OK), 0);
	assert_int_equal(access(path_in(dir, "state.db.damaged-6"), F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_files_are_right),
		cmocka_unit_test(test_flips_in_the_file),
		cmocka_unit_test(test_flips_in_the_header_and_schema),
		cmocka_unit_test(test_flips_in_the_log),
		cmocka_unit_test(test_flips_in_the_file_behind_a_log),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_no_database_at_all),
		cmocka_unit_test(test_all_rows_come_out_of_a_file_without_a_head),
		cmocka_unit_test(test_a_wrong_row_is_named),
		cmocka_unit_test(test_an_exchange_is_finished),
		cmocka_unit_test(test_few_damaged_files_are_kept),
	};

	return cmocka_run_group_tests(tests, make_states, remove_states);
}
