/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Written JSON: exact text for what is plain, and read back for everything else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "proto/json.h"
#include "proto/write.h"
#include "random.h"

static void write_sample(struct jn_writer *w)
{
	jn_write_open(w, '{');
	jn_write_key_text(w, "name", "web");
	jn_write_key(w, "ports");
	jn_write_open(w, '[');
	jn_write_unsigned(w, 80);
	jn_write_unsigned(w, UINT64_MAX);
	jn_write_open(w, '{');
	jn_write_close(w, '}');
	jn_write_close(w, ']');
	jn_write_key(w, "none");
	jn_write_open(w, '[');
	jn_write_close(w, ']');
	jn_write_key_bool(w, "ready", true);
	jn_write_key_unsigned(w, "zero", 0);
	jn_write_key(w, "raw");
	jn_write_raw(w, "[1,2]", 5);
	jn_write_key_bool(w, "last", false);
	jn_write_close(w, '}');
}

static void test_compact_text(void **state)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
	struct jn_writer w = jn_writer_to(&b);

	(void)state;
	write_sample(&w);
	assert_string_equal(jn_buffer_text(&b), "{\"name\":\"web\",\"ports\":[80,"
						"18446744073709551615,{}],\"none\":[],"
						"\"ready\":true,\"zero\":0,\"raw\":[1,2],\"last\":"
						"false}");
}

static void test_pretty_text(void **state)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
	struct jn_writer w = jn_writer_to(&b);

	(void)state;
	w.is_pretty = true;
	write_sample(&w);
	assert_string_equal(jn_buffer_text(&b), "{\n"
						"  \"name\": \"web\",\n"
						"  \"ports\": [\n"
						"    80,\n"
						"    18446744073709551615,\n"
						"    {}\n"
						"  ],\n"
						"  \"none\": [],\n"
						"  \"ready\": true,\n"
						"  \"zero\": 0,\n"
						"  \"raw\": [1,2],\n"
						"  \"last\": false\n"
						"}");
}

static void write_and_read(const char *text, char *out, size_t size)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *json = NULL;
	struct jn_writer w = jn_writer_to(&b);

	jn_write_open(&w, '[');
	jn_write_text(&w, text);
	jn_write_close(&w, ']');
	if (jn_json_parse(b.data, b.size, &json, &err))
		fail_msg("%s: %s", jn_error_text(&err), jn_buffer_text(&b));
	assert_true(strlen(jn_json_text(jn_json_at(json, 0))) < size);
	strcpy(out, jn_json_text(jn_json_at(json, 0)));
}

static void test_escapes(void **state)
{
	static const char *const cases[][2] = {
		{ "a\"b\\c/d", "[\"a\\\"b\\\\c/d\"]" },
		{ "\b\f\n\r\t", "[\"\\b\\f\\n\\r\\t\"]" },
		{ "\x01\x1f\x7f", "[\"\\u0001\\u001f\x7f\"]" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
							  "\"]" },
		{ "cut \xe2\x82", "[\"cut \xef\xbf\xbd\xef\xbf\xbd\"]" },
		{ "\xed\xa0\x80", "[\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]" }, /* a surrogate */
		{ "\xc0\xaf", "[\"\xef\xbf\xbd\xef\xbf\xbd\"]" },		  /* overlong */
		{ "\xf4\x90\x80\x80", "[\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]" },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
		struct jn_writer w = jn_writer_to(&b);

		jn_write_open(&w, '[');
		jn_write_text(&w, cases[i][0]);
		jn_write_close(&w, ']');
		assert_string_equal(jn_buffer_text(&b), cases[i][1]);
	}
}

/* One code point, any but 0 and the surrogates. */
static size_t put_random_character(char *out)
{
	static const uint32_t limits[] = { 0x80, 0x800, 0x10000, 0x110000 };
	uint32_t c = random_below(limits[random_below(4)]);

	if (!c || (c >= 0xd800 && c < 0xe000))
		c = '"';
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static void test_any_text_comes_back_as_it_was(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		unsigned count = random_below(30);
		char text[128], back[128];
		size_t size = 0;

		for (unsigned i = 0; i < count; i++)
			size += put_random_character(text + size);
		text[size] = '\0';
		write_and_read(text, back, sizeof(back));
		assert_string_equal(back, text);
	}
}

static void test_any_bytes_give_valid_json(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 50000; round++) {
		/* Bytes that start, continue and break sequences, more often than chance has it. */
		static const char edges[] = "\xc0\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\x80\x8f\x90"
					    "\xbf";
		size_t count = random_below(12);
		char text[16], back[64];

		for (size_t i = 0; i < count; i++)
			text[i] = random_below(2) ? edges[random_below(sizeof(edges) - 1)]
						  : (char)(1 + random_below(255));
		text[count] = '\0';
		write_and_read(text, back, sizeof(back));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compact_text),
		cmocka_unit_test(test_pretty_text),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_any_text_comes_back_as_it_was),
		cmocka_unit_test(test_any_bytes_give_valid_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
