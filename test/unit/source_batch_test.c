/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What several files want -> one write: who keeps what two of them declare, what is deleted, who is
 * to blame. The engine is the real one, above tables in memory.
 */
#include <stdio.h>

#include "engine_harness.h"

#include "base/log.h"
#include "base/vec.h"
#include "source/internal.h"

static struct jn_files files;

static int set_up(void **state)
{
	int rc = engine_setup(state);

	files = (struct jn_files){ 0 };
	tables_watch = NULL; /* what is served when: engine_test.c */
	return rc;
}

static int tear_down(void **state)
{
	jn_files_done(&files);
	return engine_teardown(state);
}

/* A file, named in alphabetical order, and what it wants: names of services, VIP by VIP. */
static struct jn_file *file(const char *name)
{
	struct jn_file **item;

	for (size_t i = 0; i < files.count; i++) {
		if (!strcmp(files.items[i]->name, name))
			return files.items[i];
	}
	item = jn_vec_add(&files);
	assert_non_null(item);
	*item = jn_file_new(name);
	assert_non_null(*item);
	(*item)->is_there = true;
	return *item;
}

static void want(const char *name, const char *services)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	struct jn_file *f = file(name);
	char *error = NULL;
	char service[16];
	int vip, size;

	jn_buffer_add_text(&text, "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[");
	for (bool is_first = true; sscanf(services, "%15[a-z]%d%n", service, &vip, &size) == 2;
	     services += size + (services[size] == ' '), is_first = false)
		jn_buffer_printf(&text,
				 "%s{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":"
				 "\"LocalService\",\"metadata\":{\"name\":\"%s\"},\"spec\":{"
				 "\"addresses\":[\"10.0.0.%d\"],\"ports\":[{\"port\":80}]}}",
				 is_first ? "" : ",", service, vip);
	jn_buffer_add_text(&text, "]}");
	jn_content_done(&f->wanted);
	f->is_refused = false;
	f->has_wanted = true;
	if (jn_content_read(name, jn_buffer_text(&text), text.size, &f->wanted, &error))
		fail_msg("%s", error);
}

static struct jn_batch batch;

static void on_batch_done(void *arg, const struct jn_write *write, struct jn_error *err)
{
	(void)arg;
	on_done(NULL, write, err);
	if (jn_error_is_set(err))
		assert_int_not_equal(jn_batch_blame(&batch, err), 0);
	else
		assert_int_equal(jn_batch_settle(&files), 0);
}

/* Until nothing is to be written; returns how many writes there were. */
static unsigned write_all(void)
{
	for (unsigned writes = 0;; writes++) {
		assert_int_equal(jn_batch_build(&files, engine, SIZE_MAX, &batch), 0);
		if (!batch.write->items.count) {
			assert_int_equal(jn_batch_settle(&files), 0);
			jn_batch_done(&batch);
			return writes;
		}
		batch.write->done = on_batch_done;
		jn_engine_write(engine, JN_MOVE(batch.write));
		run_jobs();
		jn_batch_done(&batch);
		assert_true(writes < 20);
	}
}

/* Every service and its file: "a=x.json b=y.json". */
static void assert_owners(const char *expected)
{
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

	assert_int_equal(jn_engine_list(engine, JN_KIND_LOCAL_SERVICE, NULL, &list), 0);
	for (size_t i = 0; i < list.count; i++)
		jn_buffer_printf(&text, "%s%s=%s", i ? " " : "", list.items[i]->key.name,
				 list.items[i]->file ? list.items[i]->file : "api");
	assert_string_equal(jn_buffer_text(&text), expected);
}

static void assert_refused(const char *name, const char *why)
{
	const struct jn_file *f = file(name);

	assert_non_null(f->error);
	if (!strstr(f->error, why))
		fail_msg("%s, not %s", f->error, why);
}

static void test_one_write_for_all(void **state)
{
	(void)state;
	want("a.json", "a1 b2");
	want("b.json", "c3");
	assert_int_equal(write_all(), 1);
	assert_owners("a=a.json b=a.json c=b.json");
	assert_int_equal(jn_engine_generation(engine), 1);
	want("a.json", "a1");
	want("b.json", "c3 d2");
	assert_int_equal(write_all(), 1);
	assert_owners("a=a.json c=b.json d=b.json");
	file("a.json")->is_there = false;
	want("b.json", "");
	assert_int_equal(write_all(), 1);
	assert_owners("");
	assert_int_equal(files.count, 1);
	assert_int_equal(write_all(), 0);
}

static void test_the_first_keeps_it(void **state)
{
	struct jn_file *last;

	(void)state;
	want("a.json", "x1");
	want("b.json", "x2 y3");
	assert_int_equal(write_all(), 1);
	assert_owners("x=a.json");
	assert_refused("b.json", "items[0].metadata.name: LocalService default/x is declared by "
				 "a.json already");
	want("0.json", "x4"); /* sorted before, and yet later */
	last = files.items[2];
	memmove(files.items + 1, files.items, 2 * sizeof(struct jn_file *));
	files.items[0] = last;
	assert_int_equal(write_all(), 0);
	assert_refused("0.json", "declared by a.json already");
	assert_owners("x=a.json");
}

/* Who is refused holds on to what it has, and so others may not have it either. */
static void test_who_is_refused_keeps_all_it_has(void **state)
{
	(void)state;
	want("a.json", "a1");
	want("b.json", "b2");
	assert_int_equal(write_all(), 1);
	want("b.json", "a5");	 /* gives up b for a, which it cannot have */
	want("c.json", "b2 c3"); /* wants what b would have given up */
	assert_int_equal(write_all(), 0);
	assert_refused("b.json", "declared by a.json already");
	assert_refused("c.json", "declared by b.json already");
	assert_owners("a=a.json b=b.json");
	want("a.json", "d1"); /* gives up a */
	file("b.json")->is_refused = file("c.json")->is_refused = false;
	assert_int_equal(write_all(), 1);
	assert_owners("a=b.json b=c.json c=c.json d=a.json");
	assert_null(file("b.json")->error);
}

static void test_objects_and_addresses_move_between_files(void **state)
{
	(void)state;
	want("a.json", "a1 b2");
	want("b.json", "c3");
	assert_int_equal(write_all(), 1);
	want("a.json", "c1 b3"); /* c comes, and addresses take turns */
	want("b.json", "a2");
	assert_int_equal(write_all(), 1);
	assert_owners("a=b.json b=a.json c=a.json");
	want("a.json", "c1 b3");
	assert_int_equal(write_all(), 1); /* asked for, and nothing differs */
	assert_int_equal(jn_engine_generation(engine), 2);
	file("a.json")->is_there = false;
	want("c.json", "b3 c1");
	assert_int_equal(write_all(), 1);
	assert_owners("a=b.json b=c.json c=c.json");
}

static void test_who_is_to_blame_hinders_no_other(void **state)
{
	struct jn_write *w = new_write();

	(void)state;
	add_service(w, "api", "\"10.0.0.9\"", "");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	want("a.json", "a1");
	want("b.json", "b9");	   /* an address of api */
	want("c.json", "api2 c3"); /* an object of api */
	want("d.json", "d1 e4");   /* an address of a */
	assert_int_equal(write_all(), 3);
	assert_owners("a=a.json api=api");
	assert_refused("b.json", "items[0].spec.addresses[0]: 10.0.0.9:80/TCP belongs to "
				 "LocalService default/api");
	assert_refused("c.json", "items[0].metadata.name: LocalService default/api belongs to the "
				 "api source; delete it there");
	assert_refused("d.json", "items[0].spec.addresses[0]: 10.0.0.1:80/TCP belongs to "
				 "LocalService default/a");
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "api");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	for (size_t i = 0; i < files.count; i++)
		files.items[i]->is_refused = false;
	assert_int_equal(write_all(), 2);
	assert_owners("a=a.json api=c.json b=b.json c=c.json");
}

/* What the last junctord read is known by what it left; what the api wrote is not touched. */
static void test_a_restart_knows_whose_everything_is(void **state)
{
	struct jn_write *w = new_write();

	(void)state;
	add_service(w, "api", "\"10.0.0.9\"", "");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	want("a.json", "a1 b2");
	want("b.json", "c3");
	assert_int_equal(write_all(), 1);
	jn_files_done(&files);
	restart();
	assert_owners("a=a.json api=api b=a.json c=b.json");
	assert_int_equal(jn_files_load(&files, engine), 0);
	assert_int_equal(files.count, 2);
	assert_int_equal(write_all(), 0);
	want("a.json", "a1");
	file("b.json")->is_there = false;
	assert_int_equal(write_all(), 1);
	assert_owners("a=a.json api=api");
}

/* A write that the kernel has no room for leaves its mark on no object. */
static void test_a_write_that_failed_is_tried_again(void **state)
{
	(void)state;
	want("a.json", "a1");
	tables_fail_name = 1;
	assert_int_equal(jn_batch_build(&files, engine, SIZE_MAX, &batch), 0);
	batch.write->done = on_done;
	jn_engine_write(engine, JN_MOVE(batch.write));
	run_jobs();
	assert_int_equal(last_kind, JN_ERROR_UNAVAILABLE);
	jn_batch_done(&batch);
	tables_fail_name = 0;
	assert_int_equal(write_all(), 1);
	assert_owners("a=a.json");
}

static void test_a_part_of_the_files(void **state)
{
	(void)state;
	want("a.json", "a1");
	want("b.json", "b2");
	want("c.json", "c3");
	assert_int_equal(jn_batch_build(&files, engine, 2, &batch), 0);
	assert_int_equal(batch.included, 2);
	assert_int_equal(batch.write->items.count, 2);
	assert_false(file("c.json")->is_included);
	jn_batch_done(&batch);
}

/* Eight files, and room for five: five are written, in few writes, and three are refused. */
static void test_a_limit_stops_those_that_reach_it(void **state)
{
	size_t most = SIZE_MAX, room = 5, writes = 0, refused = 0;
	char name[] = "a.json", service[] = "a1";

	(void)state;
	for (unsigned i = 0; i < 8; i++, name[0]++, service[0]++, service[1]++)
		want(name, service);
	for (;; writes++) {
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };

		assert_true(writes < 30);
		assert_int_equal(jn_batch_build(&files, engine, most, &batch), 0);
		if (!batch.write->items.count)
			break;
		if (batch.write->items.count <= room) {
			room -= batch.write->items.count;
			batch.write->done = on_batch_done;
			jn_engine_write(engine, JN_MOVE(batch.write));
			run_jobs();
			most = SIZE_MAX;
		} else {
			jn_error_cause(&err, JN_ERROR_INVALID, "LimitReached", "", "no room");
			assert_true(jn_batch_narrow(&batch, &files, &err, &most));
		}
		jn_batch_done(&batch);
	}
	jn_batch_done(&batch);
	for (size_t i = 0; i < files.count; i++) {
		refused += files.items[i]->is_refused;
		assert_int_equal(files.items[i]->is_refused, files.items[i]->has_wanted);
	}
	assert_int_equal(refused, 3);
	assert_int_equal(room, 0);
}

/* What the machine refuses is nobody's fault. */
static void test_a_full_disk_refuses_no_file(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	size_t most = SIZE_MAX;

	(void)state;
	want("a.json", "a1");
	assert_int_equal(jn_batch_build(&files, engine, most, &batch), 0);
	(void)jn_error_set(&err, -ENOSPC, JN_ERROR_DISK_FULL, "objects[0].spec: full");
	assert_int_equal(jn_batch_blame(&batch, &err), 0);
	assert_false(jn_batch_narrow(&batch, &files, &err, &most));
	assert_false(file("a.json")->is_refused);
	jn_batch_done(&batch);
}

static uint64_t version_of(const char *name)
{
	struct jn_object_key key = jn_object_key_of(JN_KIND_LOCAL_SERVICE, "default", name);
	JN_AUTO(jn_object_unref) struct jn_object *object = jn_engine_find(engine, &key);

	assert_non_null(object);
	return object->version;
}

/*
 * The kernel refused an entry, and the write stands nevertheless. Its files are tried again; the number
 * that its objects are known by was 0 from then on.
 */
static void test_a_write_that_stands_keeps_its_numbers(void **state)
{
	(void)state;
	want("a.json", "a1");
	assert_int_equal(jn_batch_build(&files, engine, SIZE_MAX, &batch), 0);
	batch.write->done = on_done;
	tables_fail_frontend = 1;
	jn_engine_write(engine, JN_MOVE(batch.write));
	run_jobs();
	assert_int_equal(last_kind, JN_ERROR_UNAVAILABLE);
	jn_batch_done(&batch);
	assert_int_equal(version_of("a"), 1);
	assert_int_equal(write_all(), 1);
	assert_int_equal(version_of("a"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_write_for_all),
		TEST(test_the_first_keeps_it),
		TEST(test_who_is_refused_keeps_all_it_has),
		TEST(test_objects_and_addresses_move_between_files),
		TEST(test_who_is_to_blame_hinders_no_other),
		TEST(test_a_restart_knows_whose_everything_is),
		TEST(test_a_write_that_failed_is_tried_again),
		TEST(test_a_part_of_the_files),
		TEST(test_a_limit_stops_those_that_reach_it),
		TEST(test_a_full_disk_refuses_no_file),
		TEST(test_a_write_that_stands_keeps_its_numbers),
	};

	jn_log_set_level(JN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
