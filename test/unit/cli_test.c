/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pure parts of junctor but for its command line (cli_command_test.c): tables, texts made
 * harmless, documents in a row, what tables show of an object. The verbs are tried against a real junctord by test/scenario/test_cli.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "cli/ask.h"
#include "cli/columns.h"
#include "cli/documents.h"
#include "cli/items.h"
#include "cli/text.h"
#include "cli/view.h"
#include "random.h"

/* --- texts ------------------------------------------------------------------------------------- */

static void expect_visible(const char *text, const char *expected)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	jn_text_add_visible(&out, text);
	assert_string_equal(jn_buffer_text(&out), expected);
}

static void test_control_characters_become_visible(void **state)
{
	(void)state;
	expect_visible("plain text, 100 %", "plain text, 100 %");
	expect_visible("", "");
	expect_visible("\x1b[31mred\a\r\n\t\x7f", "\\x1b[31mred\\x07\\x0d\\x0a\\x09\\x7f");
	expect_visible("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7", "gr\xc3\xbc\xc3\x9f "
									   "\xe2\x82\xac "
									   "\xf0\x9f\x90\xa7");
	expect_visible("\xc2\x9b"
		       "31m \xc2\xa0",
		       "\\x9b31m \xc2\xa0");
	expect_visible("\x9b"
		       "31m \xff \xc3",
		       "\\x9b31m \\xff \\xc3");
	expect_visible("\xe2\x82", "\\xe2\\x82");
}

static void expect_json(const char *json, const char *expected)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	jn_text_add_json(&out, json, strlen(json));
	assert_string_equal(jn_buffer_text(&out), expected);
}

static void test_json_is_indented(void **state)
{
	(void)state;
	expect_json("{\"a\":[1,-2.50e3,{}],\"b\":{\"c\":[],\"d\":null}}\n", "{\n  \"a\": [\n    1,"
									    "\n    -2.50e3,\n    "
									    "{}\n  ],\n  \"b\": "
									    "{\n    \"c\": [],\n"
									    "    \"d\": null\n  "
									    "}\n}\n");
	expect_json("[\"a,b\",\"{[:\",\"\\\"]\",\"\\\\\"]", "[\n  \"a,b\",\n  \"{[:\",\n  "
							    "\"\\\"]\",\n  \"\\\\\"\n]\n");
	expect_json("[ [ ] , [\n[ true ]\t] ]", "[\n  [],\n  [\n    [\n      true\n    ]\n  "
						"]\n]\n");
	expect_json("{}", "{}\n");
}

static void test_json_cannot_reach_the_terminal(void **state)
{
	(void)state;
	expect_json("\"a\x7f\x1b\xc2\x9bz\"", "\"a\\u007f\\u001b\\u009bz\"\n");
	expect_json("\x1b[31m", "?[\n  31m\n"); /* no JSON at all */
	expect_json("\"\\", "\"\\\n");
	expect_json("\"\xc2", "\"\xc2\n");
	expect_json("]]}", "\n]\n]\n}\n");
}

/* --- tables ------------------------------------------------------------------------------------ */

static void test_columns(void **state)
{
	static const char *const heads[] = { "NAME", "PORTS", "STATE", NULL };
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };
	JN_AUTO(jn_columns_done) struct jn_columns c;

	(void)state;
	jn_columns_init(&c, heads);
	jn_columns_write(&c, "", &out);
	assert_string_equal(jn_buffer_text(&out), "NAME   PORTS   STATE\n");

	jn_columns_add(&c, "a-long-name");
	jn_buffer_printf(&c.cell, "%d/TCP", 80);
	jn_columns_take(&c);
	jn_columns_add(&c, "Ready");
	jn_columns_add(&c, "b");
	jn_columns_add(&c, "");
	jn_columns_add(&c, NULL);
	jn_columns_add(&c, "\x1b[2J");
	jn_columns_take(&c); /* nothing was written to it */
	jn_columns_add(&c, "x");
	jn_buffer_clear(&out);
	jn_columns_write(&c, "  ", &out);
	assert_string_equal(jn_buffer_text(&out), "  NAME          PORTS    STATE\n"
						  "  a-long-name   80/TCP   Ready\n"
						  "  b             -        -\n"
						  "  \\x1b[2J       -        x\n");
}

static void test_wide_columns(void **state)
{
	static const char *const heads[] = { "A", "B", NULL };
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };
	JN_AUTO(jn_columns_done) struct jn_columns c;
	char wide[100];

	(void)state;
	memset(wide, 'x', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	jn_columns_init(&c, heads);
	jn_columns_add(&c, wide);
	jn_columns_add(&c, "y");
	jn_columns_write(&c, "", &out);
	assert_int_equal(out.size, 2 * (sizeof(wide) - 1 + 3 + 2)); /* both lines equally long */
}

/* --- documents --------------------------------------------------------------------------------- */

static void test_what_needs_no_change(void **state)
{
	static const char *const texts[] = { "",
					     "\n\n",
					     "{}",
					     "{\n}\n",
					     "{}\n{}\n",
					     "{\"a\": \"{\"}\n{\"a\": \"}\"}\n",
					     "{\n\"kind\": [\n{}\n]}\n\n",
					     "not JSON\nat all",
					     "{\n{}\n",
					     "]]\n}}\n" };

	(void)state;
	for (size_t i = 0; i < JN_COUNT(texts); i++)
		assert_false(jn_documents_are_long(texts[i], strlen(texts[i])));
}

static void expect_lines(const char *text, const char *expected)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	assert_true(jn_documents_are_long(text, strlen(text)));
	jn_documents_to_lines(text, strlen(text), &out);
	assert_string_equal(jn_buffer_text(&out), expected);
}

static void test_documents_become_lines(void **state)
{
	(void)state;
	expect_lines("{\n\"a\": 1\n}\n{\n}\n", "{ \"a\": 1 }\n\n\n{ }\n\n");
	expect_lines("{}\n{\n}", "{}\n{ }\n");
	expect_lines("{\n}\n\n\n{}\n", "{ }\n\n\n\n{}\n");
	expect_lines("{\"a\":\"}\n\\\"\",\n\"b\":2}\n{}", "{\"a\":\"}\n\\\"\", \"b\":2}\n\n{}");
	expect_lines("{}{\n}\n", "{}{ }\n\n"); /* two on a line: junctord refuses */
	expect_lines("{\n}\nwrong\n{}", "{ }\n\nwrong\n{}");
	expect_lines("{}\n{}\n{\n\n", "{}\n{}\n{  "); /* cut */
}

/* Whatever a document looks like: on line N it was, on line N it is. */
static void test_line_numbers_stay(void **state)
{
	static const char *const pieces[] = { "{\"n\":%u}\n", "{\n \"n\":\n%u}\n",
					      "\n{\"n\":%u,\n\n\"m\":[\n]}\n\n",
					      "{\"t\":\"\\\"{\",\r\n\"n\":%u}\r\n" };

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
		JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };
		unsigned starts[8], count = 0, line = 1;
		char *at, *rest;

		while (count < 8) {
			const char *piece = pieces[random_below(JN_COUNT(pieces))];

			starts[count] = line + (*piece == '\n');
			for (const char *p = piece; *p; p++)
				line += *p == '\n';
			jn_buffer_printf(&text, piece, count++);
		}
		jn_documents_to_lines(text.data, text.size, &out);
		rest = (char *)jn_buffer_text(&out);
		count = 0;
		for (line = 1; (at = strsep(&rest, "\n")); line++) {
			char mark[16];

			if (!strchr(at, '{'))
				continue;
			(void)snprintf(mark, sizeof(mark), "%u", count);
			assert_int_equal(line, starts[count]);
			assert_non_null(strstr(at, mark));
			assert_true(jn_json_is_complete(at, strlen(at)));
			count++;
		}
		assert_int_equal(count, 8);
	}
}

/* --- views ------------------------------------------------------------------------------------- */

static struct jn_json *document(const char *text)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_json *out;

	if (jn_json_parse(text, strlen(text), &out, &err))
		fail_msg("%s", jn_error_text(&err));
	return out;
}

/* What `add` writes about these values. */
static void expect_text(struct jn_buffer *out, const char *expected)
{
	assert_string_equal(jn_buffer_text(out), expected);
	jn_buffer_clear(out);
}

static void expect_state(const struct jn_json *service, size_t index, const char *expected)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	jn_view_add_backend_state(&out, service, index);
	expect_text(&out, expected);
}

static void test_service(void **state)
{
	JN_AUTO(jn_json_free)
	struct jn_json *service = document(
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"red\"},\"spec\":{\"addresses\":"
		"[\"127.96.0.10\",\"fd00:96::10\"],\"ports\":[{\"name\":\"http\",\"port\":80,"
		"\"protocol\":\"TCP\",\"targetPort\":8080},{\"name\":\"dns\",\"port\":53,"
		"\"protocol\":\"UDP\",\"targetPort\":53}],\"backends\":[{\"address\":\"127.0.0.1\","
		"\"weight\":1},{\"address\":\"fd00::1\",\"ports\":{\"dns\":5353},\"weight\":0},"
		"{\"address\":\"10.0.0.1\",\"weight\":1,\"ready\":false,\"terminating\":true},"
		"{\"address\":\"10.0.0.2\",\"weight\":0,\"terminating\":true}]},"
		"\"status\":{\"programmed\":true,\"backends\":{\"ready\":1,\"notReady\":1,"
		"\"terminating\":1,\"noNewConnections\":1}}}");
	const struct jn_json *backends = jn_json_get(jn_json_get(service, "spec"), "backends");
	static const char *const states[] = { "Ready", "NoNewConnections", "NotReady",
					      "Terminating" };
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	(void)state;
	assert_string_equal(jn_view_name(service), "web");
	assert_string_equal(jn_view_namespace(service), "red");
	assert_string_equal(jn_view_status(service), "Programmed");
	jn_view_add_addresses(&out, service);
	expect_text(&out, "127.96.0.10,fd00:96::10");
	jn_view_add_ports(&out, service);
	expect_text(&out, "80/TCP,53/UDP");
	jn_view_add_ready(&out, service);
	expect_text(&out, "1/4");
	jn_view_add_backend_ports(&out, service, jn_json_at(backends, 0));
	expect_text(&out, "8080/TCP,53/UDP");
	jn_view_add_backend_ports(&out, service, jn_json_at(backends, 1));
	expect_text(&out, "8080/TCP,5353/UDP");
	jn_view_add_backend_address(&out, jn_json_at(backends, 1));
	expect_text(&out, "fd00::1");
	for (size_t i = 0; i < JN_COUNT(states); i++)
		expect_state(service, i, states[i]);
}

static void test_states_of_probed_backends(void **state)
{
	JN_AUTO(jn_json_free)
	struct jn_json *service = document(
		"{\"spec\":{\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\","
		"\"targetPort\":8080},{\"name\":\"admin\",\"port\":81,\"protocol\":\"TCP\","
		"\"targetPort\":8081}],\"backends\":[{\"address\":\"10.0.0.1\",\"weight\":1},"
		"{\"address\":\"fd00::1\",\"weight\":1,\"ports\":{\"admin\":9}},"
		"{\"address\":\"10.0.0.3\",\"weight\":1},{\"address\":\"10.0.0.4\","
		"\"weight\":0},{\"address\":\"10.0.0.5\",\"weight\":1}]},\"status\":{"
		"\"endpoints\":[{\"address\":\"10.0.0.1:8080\",\"port\":\"http\","
		"\"state\":\"Up\"},{\"address\":\"10.0.0.4:8080\",\"state\":\"Down\"},"
		"{\"address\":\"[fd00::1]:8080\",\"state\":\"Up\"},"
		"{\"address\":\"[fd00::1]:9\",\"state\":\"Down\",\"reason\":\"HTTP status "
		"503\"},{\"address\":\"10.0.0.3:8081\",\"state\":\"Ejected\"},"
		"{\"address\":\"10.0.0.3:8080\",\"state\":\"Up\"}]}}");

	(void)state;
	expect_state(service, 0, "Up");
	expect_state(service, 1, "Down (HTTP status 503)");
	expect_state(service, 2, "Ejected");
	expect_state(service, 3, "NoNewConnections");
	expect_state(service, 4, "Ready");
}

static void test_backend_with_a_port(void **state)
{
	JN_AUTO(jn_json_free)
	struct jn_json *service = document("{\"spec\":{\"ports\":[{\"port\":80,\"protocol\":"
					   "\"TCP\",\"targetPort\":80}]}}");
	JN_AUTO(jn_json_free)
	struct jn_json *backend = document("{\"address\":\"[fd00::1]:8081\",\"weight\":1000}");
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	(void)state;
	jn_view_add_backend_address(&out, backend);
	expect_text(&out, "fd00::1");
	jn_view_add_backend_ports(&out, service, backend);
	expect_text(&out, "8081/TCP");
	assert_int_equal(jn_view_backend_weight(backend), 1000);
}

static void test_policies_and_references(void **state)
{
	JN_AUTO(jn_json_free)
	struct jn_json *policy = document("{\"spec\":{\"targetRef\":{\"name\":\"web\"}},"
					  "\"status\":{\"reason\":\"TargetNotFound\","
					  "\"programmed\":true}}");
	JN_AUTO(jn_json_free)
	struct jn_json *of_port = document("{\"spec\":{\"targetRef\":{\"name\":\"web\","
					   "\"port\":\"http\"}},"
					   "\"status\":{\"programmed\":false}}");
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	(void)state;
	jn_view_add_target(&out, policy);
	expect_text(&out, "web");
	jn_view_add_target(&out, of_port);
	expect_text(&out, "web:http");
	assert_string_equal(jn_view_status(policy), "TargetNotFound");
	assert_string_equal(jn_view_status(of_port), "Pending");
	jn_view_add_reference(&out, "LocalService", "default", "web");
	expect_text(&out, "localservice/web");
	jn_view_add_reference(&out, "TrafficPolicy", "red", "web");
	expect_text(&out, "trafficpolicy/red/web");
}

/* A newer or broken junctord: empty cells, no crash. */
static void test_fields_that_are_missing(void **state)
{
	static const char *const texts[] = { "{}", "{\"spec\":{},\"metadata\":7,\"status\":[]}",
					     "{\"spec\":{\"addresses\":{\"a\":1},\"ports\":[7,[]],"
					     "\"backends\":[null,{\"address\":5,\"ports\":[]}],"
					     "\"targetRef\":\"x\"},\"status\":{\"reason\":3}}",
					     "[]", "{\"items\":{\"a\":1}}" };

	(void)state;
	for (size_t i = 0; i < JN_COUNT(texts); i++) {
		JN_AUTO(jn_json_free) struct jn_json *object = document(texts[i]);
		const struct jn_json *spec = jn_json_get(object, "spec");
		const struct jn_json *backends = jn_json_get(spec, "backends");
		JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

		assert_string_equal(jn_view_name(object), "");
		assert_string_equal(jn_view_status(object), "Pending");
		jn_view_add_addresses(&out, object);
		jn_view_add_ports(&out, object);
		jn_view_add_ready(&out, object);
		jn_view_add_target(&out, object);
		for (size_t k = 0; k < jn_json_count(backends); k++) {
			jn_view_add_backend_address(&out, jn_json_at(backends, k));
			jn_view_add_backend_ports(&out, object, jn_json_at(backends, k));
			jn_view_add_backend_state(&out, object, k);
		}
		assert_false(jn_buffer_failed(&out));
	}
}

/* --- items ------------------------------------------------------------------------------------- */

static void add_name(void *out, const struct jn_json *object)
{
	jn_buffer_printf(out, "%s,", jn_view_name(object));
}

static int walk(const char *text, struct jn_buffer *out)
{
	return jn_items_each(text, strlen(text), add_name, out);
}

#define NAMED(name) "{\"metadata\":{\"name\":\"" name "\"}}"

static void test_items_of_lists(void **state)
{
	static const struct {
		const char *text, *expected;
	} lists[] = {
		{ "{\"kind\":\"XList\",\"items\":[" NAMED("a") "," NAMED("b") "]}\n", "a,b," },
		{ " { \"items\" : [ " NAMED("a") " ,\n" NAMED("b") " ] , \"z\" : [1] } ", "a,b," },
		{ "{\"items\":[]}", "" },
		{ "{\"items\":[ ]}", "" },
		{ "{\"a\":\"items\",\"b\":{\"items\":[1]},\"items\":[" NAMED("],[{\\\"") "]}",
		  "],[{\"," },
		{ NAMED("one") "\n", "one," },
		{ "{\"metadata\":{\"name\":\"x\",\"items\":[1,2]},\"items\":7}", "x," },
	};
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	(void)state;
	for (size_t i = 0; i < JN_COUNT(lists); i++) {
		assert_int_equal(walk(lists[i].text, &out), JN_EXIT_OK);
		expect_text(&out, lists[i].expected);
	}
}

static void test_items_that_are_broken(void **state)
{
	static const char *const texts[] = { "", "{\"items\":[{", "{\"items\":[{}{}]}",
					     "{\"items\":[{},,{}]}", "{\"items\":[\"" };
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	(void)state;
	for (size_t i = 0; i < JN_COUNT(texts); i++)
		assert_int_equal(walk(texts[i], &out), JN_EXIT_FAILED);
}

/* --- paths ------------------------------------------------------------------------------------- */

static void test_paths(void **state)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	(void)state;
	jn_ask_add_path(&out, JN_KIND_LOCAL_SERVICE, NULL, NULL);
	expect_text(&out, "/apis/junctor.dev/v1alpha1/localservices");
	jn_ask_add_path(&out, JN_KIND_SERVICE, "red", NULL);
	expect_text(&out, "/api/v1/namespaces/red/services");
	jn_ask_add_path(&out, JN_KIND_ENDPOINT_SLICE, NULL, NULL);
	expect_text(&out, "/apis/discovery.k8s.io/v1/endpointslices");
	jn_ask_add_path(&out, JN_KIND_NODE, "red", "a.b");
	expect_text(&out, "/api/v1/nodes/a%2Eb");
	jn_ask_add_path(&out, JN_KIND_TRAFFIC_POLICY, "default", "web");
	expect_text(&out, "/apis/junctor.dev/v1alpha1/namespaces/default/trafficpolicies/web");
	jn_ask_add_path(&out, JN_KIND_LOCAL_SERVICE, "a/b", "x y?z#\r\n%\xc3\xbc");
	expect_text(&out, "/apis/junctor.dev/v1alpha1/namespaces/a%2Fb/localservices/"
			  "x%20y%3Fz%23%0D%0A%25%C3%BC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_characters_become_visible),
		cmocka_unit_test(test_json_is_indented),
		cmocka_unit_test(test_json_cannot_reach_the_terminal),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_wide_columns),
		cmocka_unit_test(test_what_needs_no_change),
		cmocka_unit_test(test_documents_become_lines),
		cmocka_unit_test(test_line_numbers_stay),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_states_of_probed_backends),
		cmocka_unit_test(test_backend_with_a_port),
		cmocka_unit_test(test_policies_and_references),
		cmocka_unit_test(test_fields_that_are_missing),
		cmocka_unit_test(test_items_of_lists),
		cmocka_unit_test(test_items_that_are_broken),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
