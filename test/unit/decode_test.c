/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Documents that are wrong as documents: kinds, metadata, lists, what a request's path says, many
 * faults, broken bytes. Each fault with its path, its reason and what it says.
 */
#include "decode_case.h"
#include "random.h"

static void test_documents(void **state)
{
	static const struct fault cases[] = {
		{ "[]", "", JN_CAUSE_TYPE, "the document is a list; give an object" },
		{ "{'kind':'LocalService'}", "apiVersion", JN_CAUSE_REQUIRED, "is missing" },
		{ "{" VERSION "'metadata':{}}", "kind", JN_CAUSE_REQUIRED, "give LocalService, " },
		{ "{'apiVersion':'v1','kind':'LocalService'}", "apiVersion", JN_CAUSE_NOT_SUPPORTED,
		  "that of kind LocalService is junctor.dev/v1alpha1; give that" },
		{ "{'apiVersion':1,'kind':'LocalService'}", "apiVersion", JN_CAUSE_TYPE,
		  "is an integer; give a text" },
		{ "{" VERSION "'kind':'Service'}", "apiVersion", JN_CAUSE_NOT_SUPPORTED,
		  "that of kind Service is v1; give that" },
		{ "{" VERSION "'kind':'Pod'}", "kind", JN_CAUSE_NOT_SUPPORTED,
		  "is \"Pod\"; give " JN_KINDS_TEXT },
		{ "{" VERSION "'kind':'LocalServise'}", "kind", JN_CAUSE_NOT_SUPPORTED,
		  "(likely LocalService)" },
		{ "{" VERSION "'kind':'Workload'}", "kind", JN_CAUSE_NOT_SUPPORTED, "Workload" },
		{ "{" VERSION "'kind':'LocalService','spec':{" VIP PORT "}}", "metadata",
		  JN_CAUSE_REQUIRED, "is missing; give an object" },
		{ "{" VERSION "'kind':'LocalService','metadata':{'name':'web'}}", "spec",
		  JN_CAUSE_REQUIRED, "is missing; give an object" },
		{ "{" VERSION "'kind':'LocalService','metadata':{'name':'web'},'spec':null}",
		  "spec", JN_CAUSE_REQUIRED, "is missing; give an object" },
		{ "{" VERSION "'kind':'LocalService','metadata':{'name':'web'},'spec':[]}", "spec",
		  JN_CAUSE_TYPE, "is a list; give an object" },
		{ "{" VERSION "'kind':'LocalService','metadata':{'name':'web'},'spec':{" VIP PORT
		  "},'sepc':{}}",
		  "sepc", JN_CAUSE_UNKNOWN, "likely spec is meant" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

static void test_metadata(void **state)
{
	static const struct fault cases[] = {
		{ METADATA(""), "metadata.name", JN_CAUSE_REQUIRED,
		  "is missing; give a DNS label" },
		{ METADATA("'name':''"), "metadata.name", JN_CAUSE_INVALID, "DNS label" },
		{ METADATA("'name':'Web'"), "metadata.name", JN_CAUSE_INVALID, "is \"Web\"" },
		{ METADATA("'name':'-a'"), "metadata.name", JN_CAUSE_INVALID, "DNS label" },
		{ METADATA("'name':'a-'"), "metadata.name", JN_CAUSE_INVALID, "DNS label" },
		{ METADATA("'name':'a.b'"), "metadata.name", JN_CAUSE_INVALID, "DNS label" },
		{ METADATA("'name':'a/../b'"), "metadata.name", JN_CAUSE_INVALID, "DNS label" },
		{ METADATA("'name':'caf\xc3\xa9'"), "metadata.name", JN_CAUSE_INVALID,
		  "DNS label" },
		{ METADATA("'name':'a\\nb'"), "metadata.name", JN_CAUSE_INVALID, "DNS label" },
		{ METADATA("'name':'"
			   "0123456789012345678901234567890123456789012345678901234567890123'"),
		  "metadata.name", JN_CAUSE_INVALID, "1 to 63 bytes" },
		{ METADATA("'name':7"), "metadata.name", JN_CAUSE_TYPE,
		  "is an integer; give a DNS" },
		{ METADATA("'name':'web','namespace':'A'"), "metadata.namespace", JN_CAUSE_INVALID,
		  "DNS label" },
		{ METADATA("'name':'web','namespace':''"), "metadata.namespace", JN_CAUSE_INVALID,
		  "DNS label" },
		{ METADATA("'name':'web','labels':[]"), "metadata.labels", JN_CAUSE_TYPE,
		  "is a list; give an object {key: text}" },
		{ METADATA("'name':'web','labels':{'a':1}"), "metadata.labels.a", JN_CAUSE_TYPE,
		  "is an integer; give a text" },
		{ METADATA("'name':'web','labels':{'a':null}"), "metadata.labels.a", JN_CAUSE_TYPE,
		  "is null; give a text" },
		{ METADATA("'name':'web','labels':{'':'x'}"), "metadata.labels[]", JN_CAUSE_INVALID,
		  "is not a key" },
		{ METADATA("'name':'web','labels':{'a b':'x'}"), "metadata.labels[a b]",
		  JN_CAUSE_INVALID, "is not a key" },
		{ METADATA("'name':'web','labels':{'x/':'x'}"), "metadata.labels[x/]",
		  JN_CAUSE_INVALID, "is not a key" },
		{ METADATA("'name':'web','labels':{'/x':'x'}"), "metadata.labels[/x]",
		  JN_CAUSE_INVALID, "is not a key" },
		{ METADATA("'name':'web','annotations':{'a/b/c':'x'}"),
		  "metadata.annotations[a/b/c]", JN_CAUSE_INVALID, "is not a key" },
		{ METADATA("'name':'web','resourceVersion':5"), "metadata.resourceVersion",
		  JN_CAUSE_TYPE, "is an integer; give a text of digits" },
		{ METADATA("'name':'web','resourceVersion':''"), "metadata.resourceVersion",
		  JN_CAUSE_INVALID, "leave it out" },
		{ METADATA("'name':'web','resourceVersion':'0'"), "metadata.resourceVersion",
		  JN_CAUSE_INVALID, "leave it out" },
		{ METADATA("'name':'web','resourceVersion':'-1'"), "metadata.resourceVersion",
		  JN_CAUSE_INVALID, "leave it out" },
		{ METADATA("'name':'web','resourceVersion':'5x'"), "metadata.resourceVersion",
		  JN_CAUSE_INVALID, "leave it out" },
		{ METADATA("'name':'web','resourceVersion':'18446744073709551616'"),
		  "metadata.resourceVersion", JN_CAUSE_INVALID, "leave it out" },
		{ METADATA("'name':'web','resourceVersion':'40000000000000000000'"),
		  "metadata.resourceVersion", JN_CAUSE_INVALID, "leave it out" },
		{ METADATA("'name':'web','nmespace':'a'"), "metadata.nmespace", JN_CAUSE_UNKNOWN,
		  "likely namespace is meant" },
		{ METADATA("'name':'web','finalizers':[]"), "metadata.finalizers", JN_CAUSE_UNKNOWN,
		  "known here: name, namespace, labels, annotations, resourceVersion)" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

#define LIST(kind, items) "{" VERSION "'kind':'" kind "','items':[" items "]}"

static void test_lists(void **state)
{
	static const struct fault cases[] = {
		{ "{'apiVersion':'v1','kind':'List'}", "items", JN_CAUSE_REQUIRED,
		  "give a list of objects" },
		{ "{'apiVersion':'v1','kind':'List','items':{}}", "items", JN_CAUSE_TYPE,
		  "a list" },
		{ "{'apiVersion':'v2','kind':'List','items':[]}", "apiVersion",
		  JN_CAUSE_NOT_SUPPORTED, "is \"v2\"; give v1" },
		{ "{'apiVersion':'v1','kind':'LocalServiceList','items':[]}", "apiVersion",
		  JN_CAUSE_NOT_SUPPORTED, "give junctor.dev/v1alpha1" },
		{ "{'kind':'List','items':[]}", "apiVersion", JN_CAUSE_REQUIRED, "give v1" },
		{ LIST("List", "5"), "items[0]", JN_CAUSE_TYPE, "is an integer; give an object" },
		{ LIST("List", SERVICE(VIP PORT) "," SERVICE("'addresses':['::1'],'ports':[{}]")),
		  "items[1].spec.ports[0].port", JN_CAUSE_REQUIRED, "1..65535" },
		{ LIST("List", LIST("List", "")), "items[0].kind", JN_CAUSE_NOT_SUPPORTED,
		  "is \"List\"; give " JN_KINDS_TEXT },
		{ LIST("LocalServiceList", POLICY(TARGET)), "items[0].kind", JN_CAUSE_INVALID,
		  "is TrafficPolicy, but the list says LocalService; give that" },
		{ "{" VERSION "'kind':'List','items':[],'itmes':[]}", "itmes", JN_CAUSE_UNKNOWN,
		  "likely items is meant" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

static void test_what_the_path_of_a_request_says(void **state)
{
	const struct jn_decode_options options = { .prefix = "lines[3].",
						   .namespace_ = "prod",
						   .namespace_is_fixed = true,
						   .name = "web",
						   .kind = JN_KIND_LOCAL_SERVICE };
	const struct jn_decode_options bad = { .namespace_ = "a/b", .kind = -1 };
	static const struct fault cases[] = {
		{ METADATA("'name':'web','namespace':'test'"), "lines[3].metadata.namespace",
		  JN_CAUSE_INVALID,
		  "is \"test\", but the request's path says \"prod\"; give that" },
		{ METADATA("'name':'wob'"), "lines[3].metadata.name", JN_CAUSE_INVALID,
		  "is \"wob\", but the request's path says \"web\"; give that" },
		{ POLICY(TARGET), "lines[3].kind", JN_CAUSE_INVALID,
		  "is TrafficPolicy, but the request's path says LocalService; give that" },
		{ LIST("List", ""), "lines[3].kind", JN_CAUSE_INVALID,
		  "send the list to /v1/apply" },
		{ "[]", "lines[3]", JN_CAUSE_TYPE, "is a list; give an object" },
	};
	static const struct fault bad_path = { SERVICE(VIP PORT), "metadata.namespace",
					       JN_CAUSE_INVALID,
					       "path has namespace \"a/b\"; use" };

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++)
		check_fault_with(&cases[i], &options);
	check_fault_with(&bad_path, &bad);
}

static void test_text_that_is_not_json_has_the_prefix_too(void **state)
{
	const struct jn_decode_options options = { .prefix = "lines[3].", .kind = -1 };
	static const char *const cases[][2] = {
		{ "{'spec':{'a':1,'a':2}}", "lines[3].spec.a" },
		{ "{", "lines[3]" },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };

		assert_int_equal(decode_with(cases[i][0], &options, &list, &err), -EINVAL);
		assert_int_equal(err.kind, JN_ERROR_BAD_REQUEST);
		assert_string_equal(err.causes[0].field, cases[i][1]);
	}
}

static void test_all_faults_are_reported_at_once(void **state)
{
	static const char text[] =
		LIST("List", SERVICE("'addresses':['10.0.0.9','x'],'ports':[{'port':0,'prot':1}],"
				     "'backends':[{'address':'2001:db8::1','weight':-1},"
				     "{'address':'10.0.0.1','ports':{'a':1}}]") "," POLICY(""));
	static const char *const fields[] = {
		"items[0].spec.addresses[1]",  "items[0].spec.ports[0].port",
		"items[0].spec.ports[0].prot", "items[0].spec.backends[0].weight",
		"items[1].spec.targetRef",
	}; /* what hangs on a faulty address or port is not judged */
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	assert_int_equal(decode_with(text, &any, &list, &err), -EINVAL);
	assert_int_equal(err.fault_count, JN_COUNT(fields));
	for (unsigned i = 0; i < JN_COUNT(fields); i++)
		assert_string_equal(err.causes[i].field, fields[i]);
	assert_true(!strncmp(jn_error_text(&err), "5 faults, the first: items[0].spec.addr", 39));
}

static void test_many_faults_are_counted_and_twenty_listed(void **state)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	jn_buffer_add_text(&b, "{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"LocalService\","
			       "\"metadata\":{\"name\":\"a\"},\"spec\":{\"ports\":[{\"port\":1}],"
			       "\"addresses\":[\"::1\"]");
	for (unsigned i = 0; i < 100000; i++)
		jn_buffer_printf(&b, ",\"x%u\":0", i);
	jn_buffer_add_text(&b, "}}");
	assert_int_equal(jn_object_decode(b.data, b.size, &any, &list, &err), -EINVAL);
	assert_int_equal(err.fault_count, 100000);
	assert_int_equal(err.cause_count, JN_MAX_FAULTS);
	assert_string_equal(err.causes[19].field, "spec.x19");
	assert_true(!strncmp(jn_error_text(&err), "100000 faults, the first: spec.x0: ", 35));
}

#define RICH_SERVICE                                                                               \
	SERVICE_WITH("'name':'web','labels':{'a/b':'c'},'resourceVersion':'7'", VIP TWO_PORTS      \
		     ",'backends':[{'address':'10.1.0.1','ports':{'a':8},'weight':3,"              \
		     "'ready':false,'terminating':true}]")
#define RICH_POLICY POLICY(TARGET ",'algorithm':'RoundRobin','noBackendErrno':'EPERM'")

/* Documents with bytes changed, cut or doubled: an answer, and nothing else touched. */
static void test_broken_documents_are_survived(void **state)
{
	static const char base[] = LIST("List", RICH_SERVICE "," RICH_POLICY);
	static const char bytes[] = "'{}[],:0-.etn \\a\xc3\x01";
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		char text[sizeof(base)];
		int rc;

		memcpy(text, base, sizeof(base));
		for (unsigned n = random_below(3); n; n--)
			text[random_below(sizeof(base) - 1)] =
				bytes[random_below(sizeof(bytes) - 1)];
		rc = decode_with(text, &any, &list, &err);
		assert_int_equal(rc, jn_error_is_set(&err) ? -EINVAL : 0);
		assert_int_equal(list.count, rc ? 0 : 2);
		taken += !rc;
	}
	assert_true(taken > 5000 && taken < 17000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_what_the_path_of_a_request_says),
		cmocka_unit_test(test_text_that_is_not_json_has_the_prefix_too),
		cmocka_unit_test(test_all_faults_are_reported_at_once),
		cmocka_unit_test(test_many_faults_are_counted_and_twenty_listed),
		cmocka_unit_test(test_broken_documents_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
