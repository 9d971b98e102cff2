/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Refusals as the control socket answers them, read back as JSON.
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
#include "proto/cause.h"
#include "proto/json.h"
#include "proto/status.h"

static void test_codes_are_those_of_the_contract(void **state)
{
	static const struct {
		enum jn_error_kind kind;
		int code;
	} cases[] = {
		{ JN_ERROR_BAD_REQUEST, 400 },	  { JN_ERROR_FORBIDDEN, 403 },
		{ JN_ERROR_NOT_FOUND, 404 },	  { JN_ERROR_METHOD, 405 },
		{ JN_ERROR_TIMEOUT, 408 },	  { JN_ERROR_EXISTS, 409 },
		{ JN_ERROR_CONFLICT, 409 },	  { JN_ERROR_TOO_LARGE, 413 },
		{ JN_ERROR_HEAD_TOO_LARGE, 431 }, { JN_ERROR_INVALID, 422 },
		{ JN_ERROR_BUSY, 429 },		  { JN_ERROR_UNAVAILABLE, 503 },
		{ JN_ERROR_DISK_FULL, 507 },	  { JN_ERROR_INTERNAL, 500 },
	};

	(void)state;
	assert_int_equal(JN_COUNT(cases), JN_ERROR_MAX - 1);
	for (unsigned i = 0; i < JN_COUNT(cases); i++)
		assert_int_equal(jn_status_code(cases[i].kind), cases[i].code);
}

static void encode(struct jn_error *err, const char *kind, const char *name, struct jn_buffer *out)
{
	jn_status_encode(err, kind, name, out);
	assert_false(jn_buffer_failed(out));
}

static void test_a_status_with_causes(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };

	(void)state;
	jn_error_cause(&err, JN_ERROR_INVALID, JN_CAUSE_INVALID, "spec.ports[0].port",
		       "is 0; give an integer 1..65535");
	jn_error_cause(&err, JN_ERROR_INVALID, JN_CAUSE_UNKNOWN, "", "the \"x\" is odd; fix it");
	encode(&err, "LocalService", "web", &b);
	assert_string_equal(jn_buffer_text(&b), "{\"kind\":\"Status\",\"apiVersion\":\"v1\","
						"\"status\":\"Failure\",\"code\":422,"
						"\"reason\":\"Invalid\",\"message\":\"2 faults, "
						"the first: spec.ports[0].port: is 0; "
						"give an integer 1..65535\","
						"\"details\":{\"kind\":\"LocalService\","
						"\"name\":\"web\","
						"\"causes\":[{\"reason\":\"FieldValueInvalid\","
						"\"field\":\"spec.ports[0].port\","
						"\"message\":\"is 0; "
						"give an integer 1..65535\"},"
						"{\"reason\":\"FieldUnknown\","
						"\"message\":\"the \\\"x\\\" is odd; "
						"fix it\"}]}}");
}

static void test_a_status_with_a_sentence(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };

	(void)state;
	jn_error_set(&err, -1, JN_ERROR_DISK_FULL, "the disk is full; make room");
	encode(&err, NULL, NULL, &b);
	assert_string_equal(jn_buffer_text(&b), "{\"kind\":\"Status\",\"apiVersion\":\"v1\","
						"\"status\":\"Failure\","
						"\"code\":507,\"reason\":\"InsufficientStorage\","
						"\"message\":\"the disk is full; make "
						"room\",\"details\":{}}");
}

/* A name may come from a request's path: any bytes. */
static void test_hostile_bytes_give_valid_json(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_error_done) struct jn_error fault = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *json = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer b = { 0 };
	const struct jn_json *details;

	(void)state;
	jn_error_set(&err, -1, JN_ERROR_NOT_FOUND, "no \"\xff\n\x01\" here; look elsewhere");
	encode(&err, "LocalService", "\xc3\"},{", &b);
	assert_int_equal(jn_json_parse(b.data, b.size, &json, &fault), 0);
	details = jn_json_get(json, "details");
	assert_string_equal(jn_json_text(jn_json_get(details, "name")), "\xef\xbf\xbd\"},{");
	assert_string_equal(jn_json_text(jn_json_get(json, "message")), "no \"\xef\xbf\xbd\n\x01\" "
									"here; look elsewhere");
	assert_int_equal(jn_json_integer(jn_json_get(json, "code")), 404);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes_are_those_of_the_contract),
		cmocka_unit_test(test_a_status_with_causes),
		cmocka_unit_test(test_a_status_with_a_sentence),
		cmocka_unit_test(test_hostile_bytes_give_valid_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
