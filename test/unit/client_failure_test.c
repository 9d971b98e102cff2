/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The client: bodies and answers that cross them, signals, and answers that never come.
 */
#include <signal.h>
#include <sys/time.h>

#include "client_harness.h"

/* --- bodies ------------------------------------------------------------------------------------ */

static int post(const char *body, size_t size, unsigned timeout_ms)
{
	struct jn_request request = { "POST", "/v1/apply", body, size, timeout_ms };

	return jn_client_request(client, &request, &answer, &err);
}

static void test_large_body(void **state)
{
	static const struct step script[] = { { ACT_HEAR_ALL, NULL },
					      { ACT_SAY_SLOWLY, OK "Content-Length: 2\r\n\r\nok" },
					      { ACT_AWAIT_END, NULL },
					      { 0 } };
	JN_AUTO(jn_free_mem) char *body = malloc(BIG);
	const char *start_of_body;

	(void)state;
	for (size_t i = 0; i < BIG; i++)
		body[i] = (char)('a' + i % 23);
	start(script);
	assert_int_equal(post(body, BIG, PATIENCE_MS), 0);
	assert_int_equal(answer.status, 200);
	stop();
	start_of_body = strstr(jn_buffer_text(&heard), "\r\n\r\n");
	assert_non_null(start_of_body);
	assert_memory_equal(start_of_body + 4, body, BIG);
}

static void test_body_of_nothing(void **state)
{
	static const struct step script[] = { { ACT_HEAR_HEAD, NULL },
					      { ACT_SAY, OK "Content-Length: 0\r\n\r\n" },
					      { ACT_AWAIT_END, NULL },
					      { 0 } };

	(void)state;
	start(script);
	assert_int_equal(post("", 0, PATIENCE_MS), 0);
	stop();
	assert_non_null(strstr(jn_buffer_text(&heard), "Content-Length: 0\r\n"));
}

static const char refusal[] = "HTTP/1.1 413 Too Large\r\nConnection: close\r\n"
			      "Content-Length: 4\r\n\r\nmuch";

static void expect_early_refusal(const struct step *script)
{
	JN_AUTO(jn_free_mem) char *body = calloc(1, BIG);

	start(script);
	assert_int_equal(post(body, BIG, PATIENCE_MS), 0);
	assert_int_equal(answer.status, 413);
	assert_string_equal(jn_buffer_text(&answer.body), "much");
	stop();
}

static void test_answer_before_the_end_of_the_body(void **state)
{
	static const struct step stays[] = {
		{ ACT_HEAR_HEAD, NULL }, { ACT_SAY, refusal }, { ACT_AWAIT_END, NULL }, { 0 }
	};
	static const struct step goes[] = { { ACT_HEAR_HEAD, NULL }, { ACT_SAY, refusal }, { 0 } };
	static const struct step slow[] = { { ACT_HEAR_HEAD, NULL },
					    { ACT_SAY_SLOWLY, refusal },
					    { 0 } };

	(void)state;
	expect_early_refusal(stays);
	expect_early_refusal(goes);
	expect_early_refusal(slow);
}

static void test_early_answer_ends_the_connection(void **state)
{
	static const struct step script[] = {
		{ ACT_HEAR_HEAD, NULL }, { ACT_SAY, OK "Content-Length: 3\r\n\r\none" },
		{ ACT_NEXT, NULL },	 { ACT_SAY, OK "Content-Length: 3\r\n\r\ntwo" },
		{ ACT_AWAIT_END, NULL }, { 0 }
	};
	JN_AUTO(jn_free_mem) char *body = calloc(1, BIG);

	(void)state;
	start(script);
	assert_int_equal(post(body, BIG, PATIENCE_MS), 0); /* the rest of it was never sent */
	assert_int_equal(get("/2"), 0);
	assert_string_equal(jn_buffer_text(&answer.body), "two");
	assert_int_equal(connections, 2);
	stop();
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_signals_interrupt_nothing(void **state)
{
	static const struct step script[] = { { ACT_HEAR_ALL, NULL },
					      { ACT_SAY_SLOWLY, OK "Content-Length: 2\r\n\r\nok" },
					      { ACT_AWAIT_END, NULL },
					      { 0 } };
	struct sigaction action = { .sa_handler = on_alarm }; /* without SA_RESTART */
	struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { 0 };
	JN_AUTO(jn_free_mem) char *body = calloc(1, BIG);
	sigset_t alarms;
	int rc;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL); /* for the server, which inherits it */
	start(script);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	rc = post(body, BIG, PATIENCE_MS);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(rc, 0);
	assert_int_equal(answer.status, 200);
	stop();
}

/* --- no answer --------------------------------------------------------------------------------- */

static void test_nobody_listens(void **state)
{
	char long_path[200], lonely[80];
	JN_AUTO(jn_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	assert_int_equal(jn_client_open("/nowhere/control", &client, &err), -ENOENT);
	assert_int_equal(err.kind, JN_ERROR_UNAVAILABLE);
	assert_non_null(strstr(jn_error_text(&err), "/nowhere/control"));
	jn_error_done(&err);

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(jn_client_open(long_path, &client, &err), -ENAMETOOLONG);
	jn_error_done(&err);

	(void)snprintf(lonely, sizeof(lonely), "%s/lonely", folder); /* bound, not listening */
	memcpy(address.sun_path, lonely, strlen(lonely));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(jn_client_open(lonely, &client, &err), -ECONNREFUSED);
	assert_int_equal(err.kind, JN_ERROR_UNAVAILABLE);
	jn_error_done(&err);
	assert_null(client);
	assert_int_equal(unlink(lonely), 0);
}

static void test_connection_that_ends_early(void **state)
{
	static const struct step at_once[] = { { ACT_HEAR_HEAD, NULL }, { 0 } };
	static const struct step in_head[] = { { ACT_HEAR_HEAD, NULL },
					       { ACT_SAY, "HTTP/1.1 200 OK\r\nContent-Le" },
					       { 0 } };
	static const struct step in_body[] = { { ACT_HEAR_HEAD, NULL },
					       { ACT_SAY, OK "Content-Length: 5\r\n\r\nhell" },
					       { 0 } };
	static const struct step in_chunk[] = { { ACT_HEAR_HEAD, NULL },
						{ ACT_SAY, OK "Transfer-Encoding: "
							      "chunked\r\n\r\n5\r\nhello\r\n" },
						{ 0 } };

	(void)state;
	expect_failure(at_once, -ECONNRESET, JN_ERROR_UNAVAILABLE, "before it had answered");
	expect_failure(in_head, -ECONNRESET, JN_ERROR_UNAVAILABLE, "before it had answered");
	expect_failure(in_body, -ECONNRESET, JN_ERROR_UNAVAILABLE, "before it had answered");
	expect_failure(in_chunk, -ECONNRESET, JN_ERROR_UNAVAILABLE, "before it had answered");
}

static void test_something_that_is_not_http(void **state)
{
	static const char *const sayings[] = {
		"220 mail.example ESMTP ready\r\n",
		"\x7f\x45\x4c\x46\x02\x01\x01",
		"HTTP/1.1 twohundred OK\r\n\r\n",
		OK "Content-Length: five\r\n\r\nhello",
		OK "Content-Length: 99999999999999999999999\r\n\r\n",
		OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		OK "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello",
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(sayings); i++) {
		const struct step script[] = { { ACT_HEAR_HEAD, NULL },
					       { ACT_SAY, sayings[i] },
					       { ACT_AWAIT_END, NULL },
					       { 0 } };

		expect_failure(script, -EPROTO, JN_ERROR_UNAVAILABLE, "not HTTP/1.1");
	}
}

static void test_silence(void **state)
{
	static const struct step mute[] = { { ACT_HEAR_HEAD, NULL },
					    { ACT_AWAIT_END, NULL },
					    { 0 } };
	static const struct step falters[] = { { ACT_HEAR_HEAD, NULL },
					       { ACT_SAY, OK "Content-Length: 5\r\n\r\nhell" },
					       { ACT_AWAIT_END, NULL },
					       { 0 } };
	const struct step *const scripts[] = { mute, falters };

	(void)state;
	for (size_t i = 0; i < JN_COUNT(scripts); i++) {
		start(scripts[i]);
		assert_int_equal(ask("GET", "/", 50), -ETIMEDOUT);
		assert_int_equal(err.kind, JN_ERROR_TIMEOUT);
		assert_non_null(strstr(jn_error_text(&err), "50 ms"));
		stop();
	}
}

static void test_body_that_nobody_takes(void **state)
{
	static const struct step script[] = { { ACT_END, NULL } };
	JN_AUTO(jn_free_mem) char *body = calloc(1, BIG);
	JN_AUTO(jn_close_fd) int deaf = -1;

	(void)state;
	assert_int_equal(jn_client_open(path, &client, &err), 0); /* queued, never accepted */
	assert_int_equal(post(body, BIG, 50), -ETIMEDOUT);
	jn_client_close(&client);
	jn_error_done(&err);
	deaf = accept(listener, NULL, NULL);
	start(script);
	assert_int_equal(post(body, BIG, PATIENCE_MS), -ECONNRESET);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_body),
		cmocka_unit_test(test_body_of_nothing),
		cmocka_unit_test(test_answer_before_the_end_of_the_body),
		cmocka_unit_test(test_early_answer_ends_the_connection),
		cmocka_unit_test(test_signals_interrupt_nothing),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_connection_that_ends_early),
		cmocka_unit_test(test_something_that_is_not_http),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_body_that_nobody_takes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
