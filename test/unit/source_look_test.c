/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A look at one file of a real folder: what it finds, and that it says nothing of the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/vec.h"
#include "source/internal.h"

#define SERVICE                                                                                    \
	"{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"LocalService\",\"metadata\":"         \
	"{\"name\":\"%s\"},\"spec\":{\"addresses\":[\"10.0.0.1\"],\"ports\":[{\"port\":80}]}}"

static char folder[] = "/tmp/source-look-XXXXXX";
static struct jn_files files;

static char *path_of(const char *name)
{
	static char path[sizeof(folder) + 32];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *service)
{
	FILE *out = fopen(path_of(name), "we");

	assert_non_null(out);
	assert_true(fprintf(out, SERVICE, service) > 0);
	assert_int_equal(fclose(out), 0);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	write_file("a.json", "a");
	write_file("b.json", "b");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path_of("a.json")); /* a test may have done it */
	(void)unlink(path_of("b.json"));
	jn_files_done(&files);
	return rmdir(folder);
}

/* Looks, at one file or all of them, and merges what was found. Returns how many were. */
static size_t look(const char *only, uint64_t now_ms)
{
	struct jn_look look = { .folder = folder, .only = only ? strdup(only) : NULL };
	size_t count;

	for (size_t i = 0; i < files.count; i++) {
		struct jn_found *known;

		if (only && strcmp(only, files.items[i]->name) != 0)
			continue;
		known = jn_vec_add(&look.known);
		assert_non_null(known);
		known->name = strdup(files.items[i]->name);
		known->signature = files.items[i]->signature;
	}
	jn_look_run(&look);
	assert_int_equal(look.rc, 0);
	count = look.found.count;
	assert_int_equal(jn_files_merge(&files, &look, now_ms), 0);
	jn_look_done(&look);
	return count;
}

static const char *wanted(size_t file)
{
	return files.items[file]->wanted.objects.items[0]->key.name;
}

static void test_only_one_is_looked_at(void **state)
{
	(void)state;
	assert_int_equal(look(NULL, 1), 2);
	write_file("a.json", "c");
	write_file("b.json", "d");
	files.has_news = false;
	assert_int_equal(look("b.json", 1), 1);
	assert_true(files.has_news);
	assert_int_equal(files.count, 2);
	assert_string_equal(wanted(0), "a");
	assert_string_equal(wanted(1), "d");
	assert_int_equal(files.items[0]->missing_since_ms, 0);
	files.has_news = false;
	assert_int_equal(look("b.json", 1), 1);
	assert_false(files.has_news);
	assert_int_equal(look(NULL, 1), 2);
	assert_string_equal(wanted(0), "c");
}

static void test_one_that_is_gone_is_missing_alone(void **state)
{
	bool is_missing;

	(void)state;
	assert_int_equal(look(NULL, 1), 2);
	assert_int_equal(unlink(path_of("a.json")), 0);
	assert_int_equal(look("a.json", 2), 0);
	assert_int_equal(files.items[0]->missing_since_ms, 2);
	assert_int_equal(files.items[1]->missing_since_ms, 0);
	(void)jn_files_unsettled_ms(&files, &is_missing);
	assert_true(is_missing);
	assert_int_equal(look("b.json", 3), 1);
	assert_int_equal(files.items[0]->missing_since_ms, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_one_is_looked_at, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_that_is_gone_is_missing_alone, set_up,
						tear_down),
	};

	jn_log_set_level(JN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
