/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Errors as libraries fill them, and log lines as they reach stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/error.h"
#include "base/log.h"

/* --- errors ----------------------------------------------------------------------------------- */

static void test_the_first_error_is_kept(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	assert_false(jn_error_is_set(&err));
	assert_string_equal(jn_error_text(&err), "nothing is wrong");
	assert_int_equal(jn_error_set(&err, -EACCES, JN_ERROR_FORBIDDEN, "uid %d; ask root", 7),
			 -EACCES);
	assert_int_equal(jn_error_set(&err, -EIO, JN_ERROR_INTERNAL, "later"), -EIO);
	assert_int_equal(err.kind, JN_ERROR_FORBIDDEN);
	assert_string_equal(jn_error_text(&err), "uid 7; ask root");
	assert_int_equal(jn_error_set(NULL, -EIO, JN_ERROR_INTERNAL, "to nobody"), -EIO);
}

static void test_causes_are_listed_up_to_the_limit_and_counted_past_it(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	jn_error_cause(&err, JN_ERROR_INVALID, "FieldValueInvalid", "spec.port", "is %d; give 1",
		       0);
	assert_string_equal(jn_error_text(&err), "spec.port: is 0; give 1");
	for (int i = 1; i < JN_MAX_FAULTS + 5; i++)
		jn_error_cause(&err, JN_ERROR_INVALID, "FieldUnknown", "", "fault %d", i);
	assert_int_equal(err.cause_count, JN_MAX_FAULTS);
	assert_int_equal(err.fault_count, JN_MAX_FAULTS + 5);
	assert_string_equal(jn_error_text(&err), "25 faults, the first: spec.port: is 0; give 1");
	assert_string_equal(err.causes[0].reason, "FieldValueInvalid");
	assert_string_equal(err.causes[0].field, "spec.port");
	assert_string_equal(err.causes[JN_MAX_FAULTS - 1].message, "fault 19");
	jn_error_cause(NULL, JN_ERROR_INVALID, "x", "", "to nobody");
}

static void test_a_cause_without_a_field_needs_no_colon(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	jn_error_cause(&err, JN_ERROR_INVALID, "x", "", "the document is empty; send one");
	assert_string_equal(jn_error_text(&err), "the document is empty; send one");
}

static void test_conflict_yields_to_what_is_plainly_wrong(void **state)
{
	static const struct {
		enum jn_error_kind first, second, kept;
	} cases[] = {
		{ JN_ERROR_CONFLICT, JN_ERROR_INVALID, JN_ERROR_INVALID },
		{ JN_ERROR_CONFLICT, JN_ERROR_BAD_REQUEST, JN_ERROR_BAD_REQUEST },
		{ JN_ERROR_CONFLICT, JN_ERROR_EXISTS, JN_ERROR_CONFLICT },
		{ JN_ERROR_INVALID, JN_ERROR_CONFLICT, JN_ERROR_INVALID },
		{ JN_ERROR_BAD_REQUEST, JN_ERROR_INVALID, JN_ERROR_BAD_REQUEST },
		{ JN_ERROR_INVALID, JN_ERROR_BAD_REQUEST, JN_ERROR_BAD_REQUEST },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };

		jn_error_cause(&err, cases[i].first, "x", "", "first");
		jn_error_cause(&err, cases[i].second, "x", "", "second");
		assert_int_equal(err.kind, cases[i].kept);
	}
}

static void test_moving_leaves_nothing_behind(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error from = { 0 }, to = { 0 };

	(void)state;
	jn_error_cause(&to, JN_ERROR_INVALID, "x", "", "is dropped");
	jn_error_cause(&from, JN_ERROR_CONFLICT, "y", "a", "is moved");
	jn_error_move(&to, &from);
	assert_int_equal(to.kind, JN_ERROR_CONFLICT);
	assert_string_equal(jn_error_text(&to), "a: is moved");
	assert_int_equal(to.fault_count, 1);
	assert_false(jn_error_is_set(&from));
	jn_error_move(&to, &to); /* a no-op */
	assert_string_equal(jn_error_text(&to), "a: is moved");
}

/* --- log -------------------------------------------------------------------------------------- */

/* stderr while a test looks at it: a pipe. */
struct capture {
	int saved, reader;
};

static struct capture capture_start(void)
{
	struct capture c;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	c.saved = dup(STDERR_FILENO);
	assert_true(c.saved >= 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
	c.reader = ends[0];
	return c;
}

/* What was written, and stderr as before. */
static void capture_end(struct capture *c, char *out, size_t size)
{
	ssize_t count = read(c->reader, out, size - 1);

	assert_true(dup2(c->saved, STDERR_FILENO) >= 0);
	close(c->saved);
	close(c->reader);
	out[count > 0 ? count : 0] = '\0';
}

static void test_a_line_has_level_area_and_sentence(void **state)
{
	struct capture c = capture_start();
	char text[256];

	(void)state;
	jn_warn("store", "disk %s is full", "sda");
	jn_debug("store", "not at this level");
	capture_end(&c, text, sizeof(text));
	assert_string_equal(text, "warning store: disk sda is full\n");
}

static void test_a_name_cannot_forge_a_line(void **state)
{
	struct capture c = capture_start();
	char text[256];

	(void)state;
	jn_info("api", "put %s", "web\n\x1b[31merror engine: all lost\x7f");
	capture_end(&c, text, sizeof(text));
	assert_string_equal(text, "info api: put web  [31merror engine: all lost \n");
}

static void test_a_long_line_is_cut_and_ended(void **state)
{
	struct capture c = capture_start();
	static char text[8192], sentence[6000];

	(void)state;
	memset(sentence, 'x', sizeof(sentence) - 1);
	jn_info("api", "%s", sentence);
	capture_end(&c, text, sizeof(text));
	assert_int_equal(strlen(text), 2048);
	assert_int_equal(text[2047], '\n');
	assert_int_equal(text[2046], 'x');
}

static void test_the_journal_gets_its_priorities(void **state)
{
	struct capture c = capture_start();
	char text[256], stream[64];
	struct stat st;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	jn_log(JN_LOG_ERROR, "engine", "lost");
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino + 1); /* stderr was redirected since */
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	jn_log(JN_LOG_ERROR, "engine", "lost");
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	capture_end(&c, text, sizeof(text));
	assert_string_equal(text, "<3>engine: lost\nerror engine: lost\n");
}

static void test_levels_have_names(void **state)
{
	enum jn_log_level before = jn_log_get_level(), level;
	struct capture c;
	char text[64];

	(void)state;
	assert_int_equal(before, JN_LOG_INFO);
	assert_int_equal(jn_log_parse_level("debug", &level), 0);
	assert_int_equal(level, JN_LOG_DEBUG);
	jn_log_set_level(level);
	c = capture_start();
	jn_debug("api", "seen");
	capture_end(&c, text, sizeof(text));
	assert_string_equal(text, "debug api: seen\n");
	jn_log_set_level(before);
	assert_int_equal(jn_log_parse_level("loud", &level), -EINVAL);
	assert_int_equal(jn_log_parse_level("", &level), -EINVAL);
}

static void test_one_object_cannot_flood_the_log(void **state)
{
	struct jn_log_limit limit = { 0 }, other = { 0 };
	struct capture c = capture_start();
	char text[1024], *last;
	unsigned lines = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		jn_log_limited(&limit, JN_LOG_INFO, "probe", "line %u", i);
	jn_log_limited(&other, JN_LOG_INFO, "probe", "another");
	limit.full_ms = 0; /* long after */
	jn_log_limited(&limit, JN_LOG_INFO, "probe", "line %u", 100u);
	jn_log_limited(&limit, JN_LOG_DEBUG, "probe", "nobody wants it");
	jn_log_limited(&limit, JN_LOG_INFO, "probe", "line %u", 101u);
	capture_end(&c, text, sizeof(text));
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, JN_LOG_BURST + 3);
	last = strstr(text, "info probe: another\n");
	assert_non_null(last);
	assert_string_equal(last, "info probe: another\n"
				  "info probe: line 100 (94 lines about it were left out)\n"
				  "info probe: line 101\n");
}

static void test_a_limit_lets_a_burst_pass_and_then_one_a_pause(void **state)
{
	struct jn_log_limit limit = { 0 };
	uint64_t now = 5 * JN_LOG_PAUSE_MS;
	unsigned written = 0;

	(void)state;
	for (unsigned i = 0; i < JN_LOG_BURST; i++)
		assert_true(jn_log_take(&limit, now));
	assert_false(jn_log_is_owed(&limit, now));
	for (unsigned i = 0; i < 10 * JN_LOG_PAUSE_MS / 100; i++)
		written += jn_log_take(&limit, now + i * 100);
	assert_int_equal(written, 9);
	assert_int_equal(limit.left_out, 10 * JN_LOG_PAUSE_MS / 100 - 9);
	assert_false(jn_log_is_owed(&limit, now + 10 * JN_LOG_PAUSE_MS - 1));
	assert_true(jn_log_is_owed(&limit, now + 10 * JN_LOG_PAUSE_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_error_is_kept),
		cmocka_unit_test(test_causes_are_listed_up_to_the_limit_and_counted_past_it),
		cmocka_unit_test(test_a_cause_without_a_field_needs_no_colon),
		cmocka_unit_test(test_conflict_yields_to_what_is_plainly_wrong),
		cmocka_unit_test(test_moving_leaves_nothing_behind),
		cmocka_unit_test(test_a_line_has_level_area_and_sentence),
		cmocka_unit_test(test_a_name_cannot_forge_a_line),
		cmocka_unit_test(test_a_long_line_is_cut_and_ended),
		cmocka_unit_test(test_the_journal_gets_its_priorities),
		cmocka_unit_test(test_levels_have_names),
		cmocka_unit_test(test_one_object_cannot_flood_the_log),
		cmocka_unit_test(test_a_limit_lets_a_burst_pass_and_then_one_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
