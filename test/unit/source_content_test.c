/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Texts of files -> objects owned by the file, or one sentence with line, document and field.
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
#include "random.h"
#include "source/internal.h"

#define HEAD "apiVersion: junctor.dev/v1alpha1\nkind: LocalService\nmetadata:\n  name: "
#define SPEC "\nspec:\n  addresses: [127.96.0.1]\n  ports:\n  - port: 80\n"
#define JSON(name)                                                                                 \
	"{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"LocalService\",\"metadata\":"         \
	"{\"name\":\"" name "\"},\"spec\":{\"addresses\":[\"127.96.0.1\"],"                        \
	"\"ports\":[{\"port\":80}]}}"
#define LIST "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":["

static void test_which_names_are_read(void **state)
{
	static const char *const yes[] = { "a.json", "a.yaml", "a.yml", "a.b.json" };
	static const char *const no[] = { ".json",	".a.yaml", "a.yaml~", "a.JSON", "a",
					  "a.yaml.swp", "json",	   "..data",  "" };

	(void)state;
	for (size_t i = 0; i < JN_COUNT(yes); i++)
		assert_true(jn_content_has_name(yes[i]));
	for (size_t i = 0; i < JN_COUNT(no); i++)
		assert_false(jn_content_has_name(no[i]));
}

static void test_what_a_file_may_hold(void **state)
{
	static const struct {
		const char *name, *text;
		size_t count;
	} cases[] = {
		{ "a.yaml", HEAD "a" SPEC, 1 },
		{ "a.yml", "---\n" HEAD "a" SPEC "---\n\n---\n" HEAD "b" SPEC, 2 },
		{ "a.yaml", JSON("a"), 1 },
		{ "a.json", JSON("a"), 1 },
		{ "a.json", "\n\n" JSON("a") "\n\n", 1 },
		{ "a.json", JSON("a") "\n" JSON("b"), 2 },
		{ "a.json", "\n" JSON("a") "\r\n \n" JSON("b") "\n", 2 },
		{ "a.json", LIST JSON("a") ",\n" JSON("b") "]}", 2 },
		{ "a.json", LIST "]}", 0 },
		{ "a.yaml", "apiVersion: v1\nkind: List\nitems: []\n---\n" HEAD "a" SPEC, 1 },
		{ "a.yaml", "apiVersion: v1\nkind: List\nitems: []\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_content_done) struct jn_content content = { 0 };
		char *error = NULL;

		if (jn_content_read(cases[i].name, cases[i].text, strlen(cases[i].text), &content,
				    &error))
			fail_msg("%s: %s", cases[i].text, error);
		assert_int_equal(content.objects.count, cases[i].count);
		assert_int_equal(content.places.count, cases[i].count);
		for (size_t k = 0; k < content.objects.count; k++) {
			const struct jn_object *object = content.objects.items[k];

			assert_int_equal(object->owner, JN_OWNER_FILE);
			assert_string_equal(object->file, cases[i].name);
			assert_int_equal(object->version, 0);
		}
	}
}

static void test_faults_name_line_document_and_field(void **state)
{
	static const struct {
		const char *name, *text, *error;
	} cases[] = {
		{ "a.yaml", "", "the file is empty; write an object, or remove the file" },
		{ "a.json", " \n", "the file is empty; " },
		{ "a.yaml", "# a\n---\n", "there is no object in this file; " },
		{ "a.yaml", "---\nx\n", "line 2: a document must be a mapping or a list; " },
		{ "a.yaml", HEAD "a" SPEC "  backends:\n  - address: 127.0.0.1\n    weight: x\n",
		  "line 11: spec.backends[0].weight: is a text; give an integer 0..1000" },
		{ "a.yaml", HEAD "a" SPEC "    protocl: TCP\n", "line 9: spec.ports[0].protocl: " },
		{ "a.yaml", HEAD "a" SPEC "    port: 81\n",
		  "line 9: spec.ports[0].port: this key stands twice" },
		{ "a.yaml", HEAD "a" SPEC "---\n" HEAD "A" SPEC,
		  "line 13: documents[1].metadata.name: is \"A\"; give " },
		{ "a.yaml", HEAD "a" SPEC "---\n" HEAD "a" SPEC,
		  "line 10: documents[1].metadata.name: stands twice in this file; " },
		{ "a.yaml", HEAD "a" SPEC "---\n[]\n",
		  "line 10: documents[1]: is a list; give an object" },
		{ "a.yaml", HEAD "99999999999999999999" SPEC,
		  "line 4: metadata.name: this number does not fit in 64 bits" },
		{ "a.json", "{\n\"a\":1,\n\"a\":2}", "line 3, column 4: a: this key stands twice" },
		{ "a.json", "{\n\"a\":1,\n", "line 3, column 1: not JSON: " },
		{ "a.json", "x", "line 1, column 2: not JSON: " },
		{ "a.json", JSON("a") "\n\n{\"a\":1,\"a\":2}",
		  "line 3: lines[2].a: this key stands twice" },
		{ "a.json", JSON("a") "\n" JSON("A"),
		  "line 2: lines[1].metadata.name: is \"A\"; give " },
		{ "a.json", JSON("a") "\n" JSON("a"),
		  "line 2: lines[1].metadata.name: stands twice in this file; " },
		{ "a.json", LIST JSON("a") ",\n" JSON("A") "]}",
		  "line 2: items[1].metadata.name: is \"A\"; give " },
		{ "a.json", LIST JSON("a") ",\n" JSON("a") "]}",
		  "line 1: items[1].metadata.name: stands twice in this file; " },
		{ "a.json", "{}", "2 faults, the first: line 1: apiVersion: is missing; give " },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_content_done) struct jn_content content = { 0 };
		JN_AUTO(jn_free_mem) char *error = NULL;

		assert_int_equal(jn_content_read(cases[i].name, cases[i].text,
						 strlen(cases[i].text), &content, &error),
				 -EINVAL);
		if (!error || strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s\n%s: %s", cases[i].error, cases[i].text, error);
		assert_int_equal(content.objects.count + content.places.count, 0);
	}
}

static void test_a_document_that_is_too_large(void **state)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	JN_AUTO(jn_content_done) struct jn_content content = { 0 };
	JN_AUTO(jn_free_mem) char *error = NULL;

	(void)state;
	jn_buffer_add_text(&text, HEAD "a" SPEC "---\n" HEAD "b" SPEC "  note: ");
	for (int i = 0; i <= JN_MAX_OBJECT_BYTES / 64; i++)
		jn_buffer_printf(&text, "%64d", 0);
	assert_int_equal(jn_content_read("a.yaml", jn_buffer_text(&text), text.size, &content,
					 &error),
			 -EINVAL);
	assert_string_equal(error, "line 10: documents[1]: this document is larger than the limit "
				   "of 4194304 bytes; split it");
}

/* A fault that the engine finds is placed by the object's place. */
static void test_places_of_objects(void **state)
{
	static const char yaml[] = "---\n" HEAD "a" SPEC "---\napiVersion: v1\nkind: List\nitems:\n"
				   "- {apiVersion: junctor.dev/v1alpha1, kind: LocalService, "
				   "metadata: {name: b}, spec: {addresses: [127.96.0.1], "
				   "ports: [{port: 80}]}}\n";
	static const char lines[] = "\n" JSON("a") "\n" JSON("b");
	static const char *const places[][2] = {
		{ yaml, "line 11: documents[1].items[0].spec: no" },
		{ lines, "line 3: lines[2].spec: no" },
		{ LIST JSON("a") "," JSON("b") "]}", "line 1: items[1].spec: no" },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(places); i++) {
		JN_AUTO(jn_content_done) struct jn_content content = { 0 };
		JN_AUTO(jn_free_mem) char *fault = NULL;
		char *error = NULL;

		assert_int_equal(jn_content_read(i ? "a.json" : "a.yaml", places[i][0],
						 strlen(places[i][0]), &content, &error),
				 0);
		fault = jn_content_fault(&content, 1, "spec", "no");
		assert_string_equal(fault, places[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_names_are_read),
		cmocka_unit_test(test_what_a_file_may_hold),
		cmocka_unit_test(test_faults_name_line_document_and_field),
		cmocka_unit_test(test_a_document_that_is_too_large),
		cmocka_unit_test(test_places_of_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
