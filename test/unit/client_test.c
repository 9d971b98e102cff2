/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The client: every form in which an answer may come, and what becomes of the connection.
 */
#include <fcntl.h>

#include "client_harness.h"

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* --- answers ----------------------------------------------------------------------------------- */

static void test_request_bytes(void **state)
{
	static const struct step script[] = {
		{ ACT_HEAR_HEAD, NULL },
		{ ACT_SAY, OK "Content-Length: 2\r\nJunctor-Generation: 17\r\n\r\nok" },
		{ ACT_AWAIT_END, NULL },
		{ 0 },
	};

	(void)state;
	start(script);
	assert_int_equal(get("/apis?a=b"), 0);
	stop();
	assert_string_equal(jn_buffer_text(&heard), "GET /apis?a=b HTTP/1.1\r\nHost: "
						    "junctor\r\n\r\n");
}

static void test_content_length(void **state)
{
	static const struct step whole[] = { { ACT_HEAR_HEAD, NULL },
					     { ACT_SAY, OK "Content-Length: 5\r\n\r\nhello" },
					     { ACT_AWAIT_END, NULL },
					     { 0 } };
	static const struct step slow[] = { { ACT_HEAR_HEAD, NULL },
					    { ACT_SAY_SLOWLY, "HTTP/1.1 404 Not Found\r\n"
							      "content-LENGTH: 5\r\n\r\nhello" },
					    { ACT_AWAIT_END, NULL },
					    { 0 } };
	static const struct step nothing[] = { { ACT_HEAR_HEAD, NULL },
					       { ACT_SAY, OK "Content-Length: 0\r\n\r\n" },
					       { ACT_AWAIT_END, NULL },
					       { 0 } };

	(void)state;
	expect(whole, 200, "hello");
	expect(slow, 404, "hello");
	expect(nothing, 200, "");
}

static void test_chunks(void **state)
{
	static const char chunks[] = OK "Transfer-Encoding: chunked\r\n\r\n"
					"5;x=y\r\nhello\r\n1\r\n,\r\nA\r\n new world\r\n"
					"0\r\nTrailer: junk\r\n\r\n";
	static const struct step whole[] = {
		{ ACT_HEAR_HEAD, NULL }, { ACT_SAY, chunks }, { ACT_AWAIT_END, NULL }, { 0 }
	};
	static const struct step slow[] = {
		{ ACT_HEAR_HEAD, NULL }, { ACT_SAY_SLOWLY, chunks }, { ACT_AWAIT_END, NULL }, { 0 }
	};

	(void)state;
	expect(whole, 200, "hello, new world");
	expect(slow, 200, "hello, new world");
}

static void test_body_until_the_end(void **state)
{
	static const struct step script[] = { { ACT_HEAR_HEAD, NULL },
					      { ACT_SAY, OK "Connection: close\r\n\r\nall of it" },
					      { 0 } };

	(void)state;
	expect(script, 200, "all of it");
}

static void test_continue_is_no_answer(void **state)
{
	static const char both[] = CONTINUE OK "Content-Length: 2\r\n\r\nok"; /* in one piece */
	static const struct step script[] = {
		{ ACT_HEAR_HEAD, NULL }, { ACT_SAY, both }, { ACT_AWAIT_END, NULL }, { 0 }
	};

	(void)state;
	expect(script, 200, "ok");
}

/* --- connections ------------------------------------------------------------------------------- */

static void test_connection_is_kept(void **state)
{
	static const struct step script[] = { { ACT_HEAR_HEAD, NULL },
					      { ACT_SAY, OK "Content-Length: 3\r\n\r\none" },
					      { ACT_FORGET, NULL },
					      { ACT_HEAR_HEAD, NULL },
					      { ACT_SAY, OK "Content-Length: 3\r\n\r\ntwo" },
					      { ACT_AWAIT_END, NULL },
					      { 0 } };

	(void)state;
	start(script);
	assert_int_equal(get("/1"), 0);
	assert_string_equal(jn_buffer_text(&answer.body), "one");
	assert_int_equal(get("/2"), 0);
	assert_string_equal(jn_buffer_text(&answer.body), "two");
	assert_int_equal(connections, 1);
	stop();
}

static void test_connection_is_made_again(void **state)
{
	static const struct step script[] = { { ACT_HEAR_ALL, NULL },
					      { ACT_SAY, OK "Connection: close\r\nContent-Length: "
							    "3\r\n\r\none" },
					      { ACT_NEXT, NULL },
					      { ACT_HEAR_ALL, NULL },
					      { ACT_SAY, OK "Content-Length: 3\r\n\r\ntwo and more "
							    "than was asked for" },
					      { ACT_NEXT, NULL },
					      { ACT_HEAR_ALL, NULL },
					      { ACT_SAY, OK "Content-Length: 5\r\n\r\nthree" },
					      { ACT_AWAIT_END, NULL },
					      { 0 } };

	(void)state;
	start(script);
	assert_int_equal(get("/1"), 0);
	assert_int_equal(get("/2"), 0);
	assert_string_equal(jn_buffer_text(&answer.body), "two");
	assert_int_equal(get("/3"), 0);
	assert_string_equal(jn_buffer_text(&answer.body), "three");
	assert_int_equal(connections, 3);
	stop();
}

static void test_descriptor_is_closed_on_exec(void **state)
{
	static const struct step script[] = { { ACT_AWAIT_END, NULL }, { 0 } };
	int next = dup(0); /* the number that the socket will get */

	(void)state;
	close(next);
	start(script);
	assert_true(fcntl(next, F_GETFD) & FD_CLOEXEC);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_bytes),
		cmocka_unit_test(test_content_length),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_body_until_the_end),
		cmocka_unit_test(test_continue_is_no_answer),
		cmocka_unit_test(test_connection_is_kept),
		cmocka_unit_test(test_connection_is_made_again),
		cmocka_unit_test(test_descriptor_is_closed_on_exec),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
