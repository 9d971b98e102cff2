/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * YAML as JSON: what is taken and becomes what, what is refused and on which line, and texts that
 * were made to hurt.
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
#include "proto/json.h"
#include "proto/yaml.h"
#include "random.h"

static void test_what_yaml_says_in_json(void **state)
{
	static const char *const texts[][2] = {
		{ "a: 1", "{\"a\":1}" },
		{ "a: -7\nb: +5\nc: 0", "{\"a\":-7,\"b\":5,\"c\":0}" },
		{ "a: \"80\"\nb: '80'\nc: 80", "{\"a\":\"80\",\"b\":\"80\",\"c\":80}" },
		{ "a: true\nb: False\nc: TRUE", "{\"a\":true,\"b\":false,\"c\":true}" },
		{ "a: \"yes\"\nb: 'no'\nc: y\nd: n", "{\"a\":\"yes\",\"b\":\"no\",\"c\":\"y\","
						     "\"d\":\"n\"}" },
		{ "a:\nb: ~\nc: null\nd: \"\"", "{\"a\":null,\"b\":null,\"c\":null,\"d\":\"\"}" },
		{ "a: 1.50\nb: .5\nc: 5.\nd: 1e3\ne: -1.5E-2", "{\"a\":1.50,\"b\":0.5,\"c\":5.0,"
							       "\"d\":1e3,\"e\":-1.5e-2}" },
		{ "a: 127.0.0.1:80\nb: fd00::1\nc: 1.2.3\nd: -x\ne: 1e\nf: .\ng: 22:22",
		  "{\"a\":\"127.0.0.1:80\",\"b\":\"fd00::1\",\"c\":\"1.2.3\",\"d\":\"-x\","
		  "\"e\":\"1e\",\"f\":\".\",\"g\":\"22:22\"}" },
		{ "a: 2001-01-01\nb: =\nc: 0x\nd: 1a\ne: 0bz", "{\"a\":\"2001-01-01\",\"b\":\"=\","
							       "\"c\":\"0x\",\"d\":\"1a\",\"e\":"
							       "\"0bz\"}" },
		{ "80: a\nyes: b\ntrue: c", "{\"80\":\"a\",\"yes\":\"b\",\"true\":\"c\"}" },
		{ "- 1\n- [2, {a: b}]\n-\n  c: d", "[1,[2,{\"a\":\"b\"}],{\"c\":\"d\"}]" },
		{ "a: |\n  one\n  \"two\"\nb: >\n  x\n  y\n", "{\"a\":\"one\\n\\\"two\\\"\\n\","
							      "\"b\":\"x y\\n\"}" },
		{ "{\"a\": [1, \"b\"], \"c\": {}}", "{\"a\":[1,\"b\"],\"c\":{}}" },
		{ "\xef\xbb\xbf"
		  "a: \xc3\xa9",
		  "{\"a\":\"\xc3\xa9\"}" },
		{ "%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}" },
		{ "# c\n---\n# nothing\n---\na: 1\n---\n", "{\"a\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(texts); i++) {
		JN_AUTO(jn_yaml_done) struct jn_yaml yaml = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		const char *json;

		if (jn_yaml_read(texts[i][0], strlen(texts[i][0]), &yaml, &err))
			fail_msg("%s: %s", texts[i][0], jn_error_text(&err));
		assert_int_equal(yaml.count, 1);
		json = jn_buffer_text(&yaml.json) + yaml.items[0].offset;
		assert_int_equal(strlen(json), yaml.items[0].size);
		assert_string_equal(json, texts[i][1]);
	}
}

static void test_what_is_refused_names_line_and_field(void **state)
{
	static const struct {
		const char *text, *field, *message;
	} cases[] = {
		{ "a:\n  b: yes", "a.b", "line 2: yes is true or false to some" },
		{ "a: [x, Off]", "a[1]", "line 1: Off is true or false to some" },
		{ "\n\na: 010", "a", "line 3: 010 is one number to some" },
		{ "a: 0x1f", "a", "0x1f is one number" },
		{ "a: 0o17", "a", "0o17 is one number" },
		{ "a: 0b11", "a", "0b11 is one number" },
		{ "a: 1_000", "a", "1_000 is one number" },
		{ "a: 08", "a", "08 is one number" },
		{ "a: -.inf", "a", "-.inf is one number" },
		{ "a: .NaN", "a", ".NaN is one number" },
		{ "a: 1\nb: 2\na: 3", "a", "line 3: this key stands twice" },
		{ "l:\n- x: 1\n  \"x\": 2", "l[0].x", "line 3: this key stands twice" },
		{ "a: &x 1", "a", "line 1: anchors (&), aliases (*) and tags (!)" },
		{ "a: 1\nb: *x", "b", "line 2: anchors (&), aliases (*) and tags (!)" },
		{ "a: !!str 80", "a", "anchors (&), aliases (*) and tags (!)" },
		{ "a: !x {}", "a", "anchors (&), aliases (*) and tags (!)" },
		{ "&a key: 1", "", "anchors (&), aliases (*) and tags (!)" },
		{ "<<: *x", "[<<]", "anchors (&), aliases (*) and tags (!)" },
		{ "? [a]\n: 1", "", "line 1: a key must be a word" },
		{ "? {a: b}\n: 1", "", "a key must be a word" },
		{ "?\n: 1", "", "a key must be a word" },
		{ "a: \"x\\0y\"", "a", "holds a NUL character" },
		{ "\"x\\0y\": a", "", "holds a NUL character" },
		{ "a: [1\nb: 2", "a[1]", "line 2: this is not YAML" },
		{ "a: 1\n\tb: 2", "a", "line 2: this is not YAML" },
		{ "a: \xff\xfe", "", "this is not YAML" },
		{ "a: 1\n b: 2", "a", "line 2: this is not YAML" },
		{ "word", "", "line 1: a document must be a mapping or a list" },
		{ "---\n~", "", "line 2: a document must be a mapping or a list" },
		{ "a: b: c", "a", "this is not YAML" },
		{ "---\na: 1\n---\nb: [}", "b[0]", "line 4: this is not YAML" },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_yaml_done) struct jn_yaml yaml = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };

		if (jn_yaml_read(cases[i].text, strlen(cases[i].text), &yaml, &err) != -EINVAL)
			fail_msg("taken: %s", cases[i].text);
		assert_int_equal(err.kind, JN_ERROR_BAD_REQUEST);
		assert_int_equal(err.cause_count, 1);
		if (!strstr(err.causes[0].message, cases[i].message) ||
		    strcmp(err.causes[0].field, cases[i].field) != 0)
			fail_msg("%s: %s", cases[i].text, jn_error_text(&err));
		assert_int_equal(yaml.count, 0);
		assert_null(yaml.json.data);
	}
}

/* Each document stands on the line on which it began, so that a line of one is a line of both. */
static void test_documents_keep_their_lines(void **state)
{
	static const char text[] = "# words\n---\na: 1\nb: [2,\n3]\n---\n---\n\n- x\n...\n---\n[z]";
	JN_AUTO(jn_yaml_done) struct jn_yaml yaml = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	assert_int_equal(jn_yaml_read(text, strlen(text), &yaml, &err), 0);
	assert_string_equal(jn_buffer_text(&yaml.json), "\n\n{\"a\":1,\"b\":[2,3]}\n\n\n\n\n\n["
							"\"x\"]\n\n\n[\"z\"]");
	assert_int_equal(yaml.count, 3);
	assert_int_equal(yaml.items[0].line, 3);
	assert_int_equal(yaml.items[1].line, 9);
	assert_int_equal(yaml.items[2].line, 12);
}

static void test_a_field_is_found_on_its_line(void **state)
{
	static const char text[] = "a: 1\nspec:\n  ports:\n  - port: 1\n  - port: 2\n    name: x\n"
				   "labels:\n  \"a/b\": c\n---\nspec:\n  ports: []\n";
	static const char json[] = "{\"a\": 1,\n \"b\": [\n  {\"c\": 2}]}";

	(void)state;
	assert_int_equal(jn_yaml_line_of(text, strlen(text), 0, "a"), 1);
	assert_int_equal(jn_yaml_line_of(text, strlen(text), 0, "spec.ports[1].port"), 5);
	assert_int_equal(jn_yaml_line_of(text, strlen(text), 0, "spec.ports[1].name"), 6);
	assert_int_equal(jn_yaml_line_of(text, strlen(text), 0, "spec.ports[1].protocol"), 5);
	assert_int_equal(jn_yaml_line_of(text, strlen(text), 0, "spec.ports[11]"), 3);
	assert_int_equal(jn_yaml_line_of(text, strlen(text), 0, "specs"), 1);
	assert_int_equal(jn_yaml_line_of(text, strlen(text), 0, "labels[a/b]"), 8);
	assert_int_equal(jn_yaml_line_of(text, strlen(text), 1, "spec.ports"), 11);
	assert_int_equal(jn_yaml_line_of(text, strlen(text), 2, "spec"), 0);
	assert_int_equal(jn_yaml_line_of(json, strlen(json), 0, "b[0].c"), 3);
	assert_int_equal(jn_yaml_line_of("[", 1, 0, "x"), 1);
	assert_int_equal(jn_yaml_line_of("", 0, 0, "x"), 0);
}

static void repeat(struct jn_buffer *out, const char *what, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		jn_buffer_add_text(out, what);
}

/* What it becomes is JSON, or it is refused with a cause; in both cases no byte is lost. */
static bool is_taken(const char *text, size_t size)
{
	JN_AUTO(jn_yaml_done) struct jn_yaml yaml = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc = jn_yaml_read(text, size, &yaml, &err);

	assert_true(rc == 0 || (rc == -EINVAL && err.cause_count == 1));
	assert_int_equal(rc != 0, jn_error_is_set(&err));
	for (size_t i = 0; i < yaml.count; i++) {
		JN_AUTO(jn_json_free) struct jn_json *json = NULL;
		JN_AUTO(jn_error_done) struct jn_error why = { 0 };
		const char *at = yaml.json.data + yaml.items[i].offset;

		if (jn_json_parse(at, yaml.items[i].size, &json, &why) &&
		    !strstr(jn_error_text(&why), "64 bits") &&
		    !strstr(jn_error_text(&why), "real number overflow"))
			fail_msg("%.*s: %s", (int)yaml.items[i].size, at, jn_error_text(&why));
	}
	return rc == 0;
}

static void test_depth_ends_at_the_limit(void **state)
{
	(void)state;
	for (unsigned depth = JN_MAX_JSON_DEPTH; depth <= JN_MAX_JSON_DEPTH + 1; depth++) {
		JN_AUTO(jn_buffer_done) struct jn_buffer flow = { 0 }, block = { 0 };

		repeat(&flow, "[", depth);
		repeat(&flow, "]", depth);
		for (unsigned i = 0; i + 1 < depth; i++) {
			repeat(&block, " ", i);
			jn_buffer_add_text(&block, "a:\n");
		}
		repeat(&block, " ", depth);
		jn_buffer_add_text(&block, "a: b\n");
		assert_int_equal(is_taken(flow.data, flow.size), depth == JN_MAX_JSON_DEPTH);
		assert_int_equal(is_taken(block.data, block.size), depth == JN_MAX_JSON_DEPTH);
	}
}

static void test_bombs_are_refused_soon(void **state)
{
	static const char *const bombs[] = { "[",    "{a: ", "- ",   "? ",    "{",   "a: [",
					     "[[],", "!",    "&a ",  "%",     "\"",  "'",
					     "- - ", "? - ", "--- ", "...\n", "<<: " };
	JN_AUTO(jn_buffer_done) struct jn_buffer laughs = { 0 }, keys = { 0 };

	(void)state;
	for (size_t i = 0; i < JN_COUNT(bombs); i++) {
		JN_AUTO(jn_buffer_done) struct jn_buffer bomb = { 0 };

		repeat(&bomb, bombs[i], 200000);
		(void)is_taken(bomb.data, bomb.size);
	}
	jn_buffer_add_text(&laughs, "a0: &a0 [x, x]\n");
	for (unsigned i = 1; i < 40; i++)
		jn_buffer_printf(&laughs, "a%u: &a%u [*a%u, *a%u]\n", i, i, i - 1, i - 1);
	assert_false(is_taken(laughs.data, laughs.size));
	for (unsigned i = 0; i < 100000; i++)
		jn_buffer_printf(&keys, "k%u: %u\n", i, i);
	assert_true(is_taken(keys.data, keys.size));
	jn_buffer_add_text(&keys, "k77: 1\n");
	assert_false(is_taken(keys.data, keys.size));
}

/* Good texts with some bytes changed, taken out or put in twice. */
static void test_mangled_texts(void **state)
{
	static const char *const seeds[] = {
		"apiVersion: junctor.dev/v1alpha1\nkind: LocalService\nmetadata:\n  name: web\n"
		"  labels: {a: 'b', \"c\": d}\nspec:\n  addresses: [127.96.0.10]\n  ports:\n"
		"  - port: 80\n    name: http\n  backends:\n  - address: 127.0.0.1:8081\n",
		"---\na: |2\n   text\nb: >-\n  x\n---\n[1, 2.5, ~, true]\n...\n# end\n",
		"%YAML 1.2\n---\n? a\n: \"\\u00e9\\x41\\n\"\n\"q\": {x: [y, {z: 1}]}\n",
	};
	static const char marks[] = ":-?[]{},#&*!|>'\"%@` \t\n\r\\\0\xef\xbb\xbf\xc2\x85~.<0x_";

	(void)state;
	for (unsigned round = 0; round < 60000; round++) {
		const char *seed = seeds[random_below(JN_COUNT(seeds))];
		char text[512];
		size_t size = strlen(seed);

		memcpy(text, seed, size);
		for (unsigned n = 1 + random_below(6); n; n--) {
			size_t at = random_below((uint32_t)size), left = size - at;
			size_t part = random_below(12);

			part = part < left ? part : left;
			if (random_below(3)) {
				text[at] = marks[random_below(sizeof(marks))];
			} else if (random_below(2) && size > part + 1) {
				memmove(text + at, text + at + part, left - part);
				size -= part;
			} else if (size + part < sizeof(text)) {
				memmove(text + at + part, text + at, left);
				size += part;
			}
		}
		(void)is_taken(text, size);
		(void)jn_yaml_line_of(text, size, random_below(2), "spec.ports[0].port");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_yaml_says_in_json),
		cmocka_unit_test(test_what_is_refused_names_line_and_field),
		cmocka_unit_test(test_documents_keep_their_lines),
		cmocka_unit_test(test_a_field_is_found_on_its_line),
		cmocka_unit_test(test_depth_ends_at_the_limit),
		cmocka_unit_test(test_bombs_are_refused_soon),
		cmocka_unit_test(test_mangled_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
