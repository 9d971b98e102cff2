/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP server: deadlines, clients that vanish, going down.
 */
#include "http_harness.h"

/* --- deadlines --------------------------------------------------------------------------------- */

static const struct jn_http_limits hasty = { .clients = 8,
					     .clients_per_uid = 3,
					     .head_bytes = 4096,
					     .head_timeout_ms = 150,
					     .body_timeout_ms = 150,
					     .idle_timeout_ms = 150,
					     .write_timeout_ms = 150 };

static void be_slow(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	uint64_t start = jn_clock_ms();
	JN_AUTO(jn_close_fd) int fd = dial();

	/* a byte now and then does not help */
	while (!is_readable(fd, 20))
		CHECK(say(fd, "G") && jn_clock_ms() - start < PATIENCE_MS);
	hear_all(fd, &heard);
	CHECK(starts_with(&heard, "HTTP/1.1 400 ")); /* "GG" is no method */
	CHECK(ask("GET /echo HTTP/1.1\r\nHo", &heard));
	CHECK(starts_with(&heard, "HTTP/1.1 408 ") && has_text(&heard, "head"));
	CHECK(ask("PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nhalf", &heard));
	CHECK(starts_with(&heard, "HTTP/1.1 408 ") && has_text(&heard, "body"));
	CHECK(ask("PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3;ext=",
		  &heard));
	CHECK(starts_with(&heard, "HTTP/1.1 408 "));
	CHECK(ask("", &heard)); /* nothing at all: closed without a word */
	CHECK(!heard.size);
	CHECK(ask("GET /echo HTTP/1.1\r\n" HOST "\r\n", &heard)); /* idle afterwards */
	CHECK(count_of(&heard, "HTTP/1.1") == 1 && starts_with(&heard, "HTTP/1.1 200 "));
}

static void test_slow_clients(void **state)
{
	(void)state;
	serve_with(&hasty, be_slow);
}

/* Header bytes that trickle in: the deadline is for the whole head. */
static void trickle(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	uint64_t start = jn_clock_ms();
	JN_AUTO(jn_close_fd) int fd = dial();

	CHECK(say(fd, "GET /echo HTTP/1.1\r\n" HOST "X: "));
	while (!is_readable(fd, 20)) {
		CHECK(say(fd, "x"));
		CHECK(jn_clock_ms() - start < PATIENCE_MS);
	}
	hear_all(fd, &heard);
	CHECK(starts_with(&heard, "HTTP/1.1 408 "));
}

static void test_slowloris(void **state)
{
	(void)state;
	serve_with(&hasty, trickle);
}

static void take_nothing(void)
{
	JN_AUTO(jn_close_fd) int fd = dial();
	uint64_t start = jn_clock_ms();

	CHECK(say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n"));
	while (!gone && jn_clock_ms() - start < PATIENCE_MS)
		(void)usleep(POLL_MS * 1000);
	CHECK(gone == 1);
}

static void test_a_client_that_takes_nothing_is_closed(void **state)
{
	(void)state;
	serve_with(&hasty, take_nothing);
}

/* Slow, but taking: the deadline is for standing still. */
static void take_slowly(void)
{
	JN_AUTO(jn_close_fd) int fd = dial();
	static char bytes[1 << 18];
	size_t total = 0;

	CHECK(say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n"));
	while (total < (size_t)STREAM_PIECES * PIECE_BYTES) {
		ssize_t size = recv(fd, bytes, sizeof(bytes), 0);

		CHECK(size > 0);
		total += (size_t)size;
		(void)usleep(50000);
	}
}

static void test_a_slow_reader_is_served(void **state)
{
	struct jn_http_limits limits = usual;

	(void)state;
	limits.write_timeout_ms = 1000; /* the answer takes longer than that as a whole */
	serve_with(&limits, take_slowly);
}

static void vanish(void)
{
	static const char *const requests[] = {
		"GET /never HTTP/1.1\r\n" HOST "\r\n",
		"GET /later HTTP/1.1\r\n" HOST "\r\n",
		"GET /stream HTTP/1.1\r\n" HOST "\r\n",
		"PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nhalf",
	};
	uint64_t start = jn_clock_ms();

	for (int i = 0; i < (int)JN_COUNT(requests); i++) {
		int fd = dial();

		CHECK(say(fd, requests[i]));
		while (begun <= i && jn_clock_ms() - start < PATIENCE_MS)
			(void)usleep(POLL_MS * 1000);
		close(fd);
		while (gone <= i && jn_clock_ms() - start < PATIENCE_MS)
			(void)usleep(POLL_MS * 1000);
		CHECK(gone == i + 1);
	}
}

static void test_clients_that_vanish(void **state)
{
	(void)state;
	serve(vanish);
}

/* First half closed, then gone: found although nothing is read any more. */
static void vanish_in_two_steps(void)
{
	uint64_t start = jn_clock_ms();
	int fd = dial();

	CHECK(say(fd, "GET /never HTTP/1.1\r\n" HOST "\r\n") && !shutdown(fd, SHUT_WR));
	(void)usleep(100000);
	CHECK(begun == 1 && !gone);
	close(fd);
	while (!gone && jn_clock_ms() - start < PATIENCE_MS)
		(void)usleep(POLL_MS * 1000);
	CHECK(gone == 1);
}

static void test_a_half_closed_client_that_vanishes(void **state)
{
	(void)state;
	serve(vanish_in_two_steps);
}

/* The server goes down while answers are owed. */
static void leave_open(void)
{
	uint64_t start = jn_clock_ms();

	CHECK(say(dial(), "GET /never HTTP/1.1\r\n" HOST "\r\n"));
	CHECK(say(dial(), "GET /stream HTTP/1.1\r\n" HOST "\r\n"));
	CHECK(say(dial(), "GET /later HTTP/1.1\r\n" HOST "\r\n"));
	CHECK(say(dial(), "GET /ec"));
	while (begun < 3 && jn_clock_ms() - start < PATIENCE_MS)
		(void)usleep(1000);
	CHECK(begun == 3);
}

static void test_close_with_exchanges_under_way(void **state)
{
	(void)state;
	serve(leave_open); /* its four sockets stay open on purpose; the process ends soon */
}

/* The server goes down while a client is in the middle of an answer: it gets the rest. */
static void take_the_rest(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	JN_AUTO(jn_close_fd) int fd = dial();
	uint64_t start = jn_clock_ms();

	CHECK(say(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n"));
	CHECK(hear_until(fd, "\r\n\r\n", &heard));
	client_is_done = true; /* from here on the server goes down */
	while (!access(path, F_OK) && jn_clock_ms() - start < PATIENCE_MS)
		(void)usleep(POLL_MS * 1000);
	jn_buffer_clear(&heard);
	hear_all(fd, &heard);
	CHECK(heard.size > (size_t)STREAM_PIECES * PIECE_BYTES);
	CHECK(!memcmp(heard.data + heard.size - 5, "0\r\n\r\n", 5));
}

static void test_answers_under_way_may_be_taken(void **state)
{
	(void)state;
	serve(take_the_rest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_clients),
		cmocka_unit_test(test_slowloris),
		cmocka_unit_test(test_a_client_that_takes_nothing_is_closed),
		cmocka_unit_test(test_a_slow_reader_is_served),
		cmocka_unit_test(test_clients_that_vanish),
		cmocka_unit_test(test_a_half_closed_client_that_vanishes),
		cmocka_unit_test(test_close_with_exchanges_under_way),
		cmocka_unit_test(test_answers_under_way_may_be_taken),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
