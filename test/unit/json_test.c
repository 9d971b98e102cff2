/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading JSON: what is taken, what is refused, and with which path and place.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "proto/cause.h"
#include "proto/json.h"
#include "random.h"

#define FOUR_LEVELS "k[0].k[0].k[0].k[0]"
#define SIXTEEN_LEVELS FOUR_LEVELS "." FOUR_LEVELS "." FOUR_LEVELS "." FOUR_LEVELS

static struct jn_json *read_well(const char *text)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_json *json = NULL;

	if (jn_json_parse(text, strlen(text), &json, &err))
		fail_msg("%s: %s", text, jn_error_text(&err));
	return json;
}

static void test_values_and_their_types(void **state)
{
	JN_AUTO(jn_json_free)
	struct jn_json *json = read_well(" {\"a\":null,\"b\":true,\"c\":false,\"d\":-7,\"e\":80.0,"
					 "\"f\":\"x\","
					 "\"g\":[1],\"h\":{},\"i\":9223372036854775807,\"j\":1e2} "
					 "\r\n\t");
	static const enum jn_json_type types[] = { JN_JSON_NULL,    JN_JSON_BOOL,   JN_JSON_BOOL,
						   JN_JSON_INTEGER, JN_JSON_REAL,   JN_JSON_TEXT,
						   JN_JSON_LIST,    JN_JSON_OBJECT, JN_JSON_INTEGER,
						   JN_JSON_REAL };
	const struct jn_json *value;
	const char *key;
	void *at = NULL;
	unsigned i = 0;

	(void)state;
	while (jn_json_next(json, &at, &key, &value)) { /* in the order of the text */
		assert_int_equal(*key, 'a' + (int)i);
		assert_int_equal(jn_json_type(value), types[i++]);
	}
	assert_int_equal(i, jn_json_count(json));
	assert_int_equal(jn_json_integer(jn_json_get(json, "d")), -7);
	assert_true(jn_json_integer(jn_json_get(json, "i")) == INT64_MAX);
	assert_int_equal(jn_json_integer(jn_json_get(json, "e")), 0); /* not an integer */
	assert_true(jn_json_bool(jn_json_get(json, "b")));
	assert_false(jn_json_bool(jn_json_get(json, "c")));
	assert_string_equal(jn_json_text(jn_json_get(json, "f")), "x");
	assert_null(jn_json_text(jn_json_get(json, "d")));
	assert_int_equal(jn_json_count(jn_json_get(json, "g")), 1);
	assert_non_null(jn_json_at(jn_json_get(json, "g"), 0));
	assert_null(jn_json_at(jn_json_get(json, "g"), 1));
	assert_null(jn_json_get(json, "k"));
	for (unsigned type = 0; type <= JN_JSON_OBJECT; type++)
		assert_true(strlen(jn_json_type_name(type)) > 0);
}

static void test_texts_are_utf8_with_escapes(void **state)
{
	JN_AUTO(jn_json_free)
	struct jn_json *json = read_well("[\"\\u00e9\\n\\\"\\/\\ud83d\\ude00\", \"\xc3\xa9\"]");

	(void)state;
	assert_string_equal(jn_json_text(jn_json_at(json, 0)), "\xc3\xa9\n\"/\xf0\x9f\x98\x80");
	assert_string_equal(jn_json_text(jn_json_at(json, 1)), "\xc3\xa9");
}

struct refusal {
	const char *text;
	const char *reason;
	const char *field;
	const char *message; /* a part of it */
};

static void check_refusal(const struct refusal *c)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_json *json = NULL;

	assert_int_equal(jn_json_parse(c->text, strlen(c->text), &json, &err), -EINVAL);
	assert_null(json);
	assert_int_equal(err.kind, JN_ERROR_BAD_REQUEST);
	assert_int_equal(err.cause_count, 1);
	if (strcmp(err.causes[0].reason, c->reason) || strcmp(err.causes[0].field, c->field) ||
	    !strstr(err.causes[0].message, c->message))
		fail_msg("%s -> %s \"%s\" %s", c->text, err.causes[0].reason, err.causes[0].field,
			 err.causes[0].message);
}

static void test_duplicate_keys_are_named_by_their_path(void **state)
{
	static const struct refusal cases[] = {
		{ "{\"a\":1,\"a\":2}", JN_CAUSE_DUPLICATE, "a", "line 1, column 11: this key" },
		{ "{\"spec\":{\"ports\":[{\"port\":80},\n {\"port\":1,\"x\":{},\"port\":2}]}}",
		  JN_CAUSE_DUPLICATE, "spec.ports[1].port", "line 2, column 25" },
		{ "[[],[{},{\"k\":[1,2,{}],\"k\":0}]]", JN_CAUSE_DUPLICATE, "[1][1].k", "twice" },
		{ "{\"l\":{\"a.b/c\":\"x\",\"d\":\"},{\\\"a\",\"a.b\\/c\":1}}", JN_CAUSE_DUPLICATE,
		  "l[a.b\\/c]", "twice" },
		{ "{\"a\":1,\"\\u0061\":2}", JN_CAUSE_DUPLICATE, "[\\u0061]", "twice" },
		{ "{\"\":1,\"\":2}", JN_CAUSE_DUPLICATE, "[]", "remove one" },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++)
		check_refusal(&cases[i]);
}

static void test_what_is_not_json_is_refused_with_its_place(void **state)
{
	static const struct refusal cases[] = {
		{ "", JN_CAUSE_INVALID, "", "line 1, column 1: not JSON" },
		{ "  \n ", JN_CAUSE_INVALID, "", "not JSON" },
		{ "5", JN_CAUSE_INVALID, "", "not JSON" },
		{ "\"text\"", JN_CAUSE_INVALID, "", "not JSON" },
		{ "null", JN_CAUSE_INVALID, "", "not JSON" },
		{ "{", JN_CAUSE_INVALID, "", "not JSON" },
		{ "}", JN_CAUSE_INVALID, "", "not JSON" },
		{ "{} {}", JN_CAUSE_INVALID, "", "not JSON" },
		{ "{}x", JN_CAUSE_INVALID, "", "not JSON" },
		{ "{\"a\":1,}", JN_CAUSE_INVALID, "", "not JSON" },
		{ "{\"a\" 1}", JN_CAUSE_INVALID, "a", "not JSON" },
		{ "{a:1}", JN_CAUSE_INVALID, "", "not JSON" },
		{ "{'a':1}", JN_CAUSE_INVALID, "", "not JSON" },
		{ "{\"a\":[1,2,]}", JN_CAUSE_INVALID, "a", "not JSON" },
		{ "{\"a\":[0,tru]}", JN_CAUSE_INVALID, "a[1]", "not JSON" },
		{ "{\"a\":{\"b\":[\n\n0,{\"c\":nul}]}}", JN_CAUSE_INVALID, "a.b[1].c", "line 3" },
		{ "[01]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[+1]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[.5]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[1.]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[0x10]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[NaN]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[1 2]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[\"a\nb\"]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[\"\\x\"]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[\"\\ud800\"]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[\"open", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[\"\xff\"]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[\"\xed\xa0\x80\"]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "[\"\xc0\xaf\"]", JN_CAUSE_INVALID, "[0]", "not JSON" },
		{ "\xef\xbb\xbf{}", JN_CAUSE_INVALID, "", "not JSON" }, /* a byte order mark */
		{ "{}//x", JN_CAUSE_INVALID, "", "not JSON" },
		{ "[\"\\u0000\"]", JN_CAUSE_INVALID, "[0]", "NUL" },
		{ "{\"a\\u0000b\":1}", JN_CAUSE_INVALID, "[a\\u0000b]", "NUL" },
		{ "[1,9223372036854775808]", JN_CAUSE_INVALID, "[1]", "64 bits" },
		{ "[1e400]", JN_CAUSE_INVALID, "[0]", "64 bits" },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++)
		check_refusal(&cases[i]);
}

static void test_a_nul_byte_is_refused_wherever_it_stands(void **state)
{
	static const char text[] = "{\"a\":1}\0{}";

	(void)state;
	for (size_t at = 0; at <= sizeof(text) - 4; at++) {
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		struct jn_json *json = NULL;
		char changed[sizeof(text)];

		memcpy(changed, text, sizeof(text));
		changed[at] = '\0';
		assert_int_equal(jn_json_parse(changed, at < 7 ? 7 : 8, &json, &err), -EINVAL);
	}
}

/* depth brackets of each kind, closed or not. */
static void nest(struct jn_buffer *b, unsigned depth, bool is_closed)
{
	jn_buffer_clear(b);
	for (unsigned i = 0; i < depth; i++)
		jn_buffer_add_text(b, i % 2 ? "[" : "{\"k\":");
	if (!is_closed)
		return;
	jn_buffer_add_text(b, depth % 2 ? "1" : "");
	for (unsigned i = depth; i; i--)
		jn_buffer_add_text(b, i % 2 ? "}" : "]");
}

static void test_depth_has_its_limit(void **state)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
	static const unsigned too_deep[] = { 33, 34, 100, 3000, 1000000 };

	(void)state;
	for (unsigned depth = 1; depth <= JN_MAX_JSON_DEPTH; depth++) {
		JN_AUTO(jn_json_free) struct jn_json *json = NULL;

		nest(&b, depth, true);
		json = read_well(jn_buffer_text(&b));
		assert_non_null(json);
	}
	for (unsigned i = 0; i < 2 * JN_COUNT(too_deep); i++) {
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		struct jn_json *json = NULL;

		nest(&b, too_deep[i / 2], i % 2);
		assert_int_equal(jn_json_parse(b.data, b.size, &json, &err), -EINVAL);
		assert_int_equal(err.kind, JN_ERROR_BAD_REQUEST);
		assert_string_equal(err.causes[0].reason, JN_CAUSE_LIMIT);
		assert_string_equal(err.causes[0].field, SIXTEEN_LEVELS);
		assert_non_null(strstr(err.causes[0].message, "limit of 32"));
	}
}

static void test_brackets_in_texts_and_side_by_side_are_not_depth(void **state)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *json = NULL;

	(void)state;
	jn_buffer_add_text(&b, "[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"");
	for (unsigned i = 0; i < 100; i++)
		jn_buffer_add_text(&b, ",[],{}");
	jn_buffer_add_text(&b, "]");
	json = read_well(jn_buffer_text(&b));
	assert_int_equal(jn_json_count(json), 201);
}

static void test_what_is_complete_by_itself(void **state)
{
	static const struct {
		const char *text;
		bool is_complete;
	} cases[] = {
		{ "{}", true },
		{ " [1,{}]\r\n", true },
		{ "{\"a\":\"}\"}", true },
		{ "{\"a\":\"\\\"}\"}", true },
		{ "", false },
		{ "  ", false },
		{ "{", false },
		{ "{\"a\":", false },
		{ "{\"a\":\"}", false },
		{ "{}{}", false },
		{ "{} x", false },
		{ "}", false },
		{ "\"\\", false },
		{ "[\"\\", false },
		{ "{\"a\":[1]", false },
		{ "5", false },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++)
		assert_int_equal(jn_json_is_complete(cases[i].text, strlen(cases[i].text)),
				 cases[i].is_complete);
}

/* Any bytes: an answer, never a crash; what is refused has exactly one cause. */
static void test_broken_texts_are_survived(void **state)
{
	static const char base[] = "{\"spec\":{\"ports\":[{\"port\":80,\"name\":\"a\\u00e9\"},"
				   "{\"port\":8.5e1}],\"x\":[true,false,null,\"\\\\\"]}}";
	static const char bytes[] = "{}[]\",:\\u0 1-e.tfn\xc3\xff\x00";
	unsigned refused = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		JN_AUTO(jn_json_free) struct jn_json *json = NULL;
		size_t size = random_below(sizeof(base));
		char *text = malloc(size ? size : 1); /* exactly: an over-read is seen */

		assert_non_null(text);
		memcpy(text, base, size);
		for (unsigned n = random_below(4); n && size; n--)
			text[random_below((uint32_t)size)] = bytes[random_below(sizeof(bytes) - 1)];
		(void)jn_json_is_complete(text, size);
		if (jn_json_parse(text, size, &json, &err)) {
			assert_null(json);
			assert_int_equal(err.cause_count, 1);
			assert_int_equal(err.kind, JN_ERROR_BAD_REQUEST);
			refused++;
		}
		free(text);
	}
	assert_true(refused > 90000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_and_their_types),
		cmocka_unit_test(test_texts_are_utf8_with_escapes),
		cmocka_unit_test(test_duplicate_keys_are_named_by_their_path),
		cmocka_unit_test(test_what_is_not_json_is_refused_with_its_place),
		cmocka_unit_test(test_a_nul_byte_is_refused_wherever_it_stands),
		cmocka_unit_test(test_depth_has_its_limit),
		cmocka_unit_test(test_brackets_in_texts_and_side_by_side_are_not_depth),
		cmocka_unit_test(test_what_is_complete_by_itself),
		cmocka_unit_test(test_broken_texts_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
