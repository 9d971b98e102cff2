/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP server: what it answers to good, odd and hostile requests.
 */
#include "http_harness.h"

#define IN_CHUNKS "Transfer-Encoding: chunked\r\n"
#define CHUNKS "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"

#define FLOOD 20000 /* pipelined requests */

/* --- requests ---------------------------------------------------------------------------------- */

static void ask_plainly(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	CHECK(ask("GET /echo?a=1%202&b HTTP/1.1\r\n" HOST LAST, &heard));
	CHECK(starts_with(&heard, "HTTP/1.1 200 OK\r\n"));
	CHECK(has_text(&heard, "Content-Length: 14\r\n"));
	CHECK(has_text(&heard, "X-Test: yes\r\n"));
	CHECK(has_text(&heard, "Connection: close\r\n"));
	CHECK(has_text(&heard, "\r\n\r\nGET /echo 1 2 "));
	CHECK(ask("PUT /%65cho HTTP/1.1\r\n" HOST "Content-Length: 3\r\n" LAST "xyz", &heard));
	CHECK(has_text(&heard, "PUT /echo - xyz"));
}

static void test_answers(void **state)
{
	(void)state;
	serve(ask_plainly);
}

static void ask_chunked(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	CHECK(ask("POST /echo HTTP/1.1\r\n" HOST IN_CHUNKS LAST CHUNKS, &heard));
	CHECK(has_text(&heard, "\r\n\r\nPOST /echo - abcde"));
}

static void test_chunked_body(void **state)
{
	(void)state;
	serve(ask_chunked);
}

static void ask_byte_by_byte(void)
{
	static const char text[] = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n" LAST "hi";
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	JN_AUTO(jn_close_fd) int fd = dial();

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		CHECK(send(fd, text + i, 1, MSG_NOSIGNAL) == 1);
		(void)usleep(1000);
	}
	hear_all(fd, &heard);
	CHECK(has_text(&heard, "POST /echo - hi"));
}

static void test_bytes_one_by_one(void **state)
{
	(void)state;
	serve(ask_byte_by_byte);
}

static void ask_on_one_connection(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	JN_AUTO(jn_close_fd) int fd = dial();

	for (unsigned i = 0; i < 3; i++) {
		jn_buffer_clear(&heard);
		CHECK(say(fd, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"));
		CHECK(hear_until(fd, "PUT /echo - hi", &heard));
		CHECK(!has_text(&heard, "Connection:"));
	}
	/* several at once, the second one late */
	jn_buffer_clear(&heard);
	CHECK(say(fd, "GET /echo?a=1 HTTP/1.1\r\n" HOST "\r\n"
		      "PUT /later?a=2 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"
		      "\r\nGET /echo?a=3 HTTP/1.1\r\n" HOST LAST));
	hear_all(fd, &heard);
	CHECK(count_of(&heard, "200 OK") == 3);
	CHECK(strstr(jn_buffer_text(&heard), "/echo 1") < strstr(jn_buffer_text(&heard), "/later 2 "
											 "hi"));
	CHECK(has_text(&heard, "/echo 3"));
}

static void test_keep_alive_and_pipelining(void **state)
{
	(void)state;
	serve(ask_on_one_connection);
}

/* More pipelined requests than are kept at once: reading pauses and goes on. */
static void ask_very_many(void)
{
	enum { COUNT = FLOOD };
	JN_AUTO(jn_buffer_done) struct jn_buffer all = { 0 }, heard = { 0 };
	JN_AUTO(jn_close_fd) int fd = dial();
	size_t sent = 0;
	unsigned answers = 0;
	char bytes[4096];
	ssize_t size;

	for (unsigned i = 0; i < COUNT; i++)
		jn_buffer_add_text(&all, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
	while (answers < COUNT) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (sent < all.size)
			p.events |= POLLOUT;
		CHECK(poll(&p, 1, PATIENCE_MS) == 1);
		if (p.revents & POLLOUT) {
			size = send(fd, all.data + sent, all.size - sent,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += size > 0 ? (size_t)size : 0;
		}
		if (p.revents & POLLIN) {
			size = recv(fd, bytes, sizeof(bytes), 0);
			CHECK(size > 0);
			jn_buffer_add(&heard, bytes, (size_t)size);
			answers += count_of(&heard, "GET /echo - ");
			/* keep what may be the start of the next one */
			size = (ssize_t)(heard.size < 11 ? heard.size : 11);
			jn_buffer_consume(&heard, heard.size - (size_t)size);
		}
	}
}

static void test_a_flood_of_pipelined_requests(void **state)
{
	(void)state;
	serve(ask_very_many);
	assert_int_equal(begun, FLOOD);
	assert_true(kept_most <= 4 * JN_INPUT_BYTES); /* the client is ahead all the time */
}

static void ask_in_old_ways(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	CHECK(ask("GET /echo HTTP/1.0\r\n\r\n", &heard));
	CHECK(has_text(&heard, "Connection: close\r\n") && has_text(&heard, "GET /echo"));
	CHECK(ask("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &heard));
	CHECK(!has_text(&heard, "chunked") && has_text(&heard, "Connection: close\r\n"));
	CHECK(heard.size > (size_t)STREAM_PIECES * PIECE_BYTES);
	CHECK(ask("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
		  "GET /echo HTTP/1.0\r\n\r\n",
		  &heard));
	CHECK(has_text(&heard, "Connection: keep-alive\r\n") && count_of(&heard, "200 OK") == 2);
}

static void test_http_1_0(void **state)
{
	(void)state;
	serve(ask_in_old_ways);
}

static void ask_for_heads(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	CHECK(ask("HEAD /echo HTTP/1.1\r\n" HOST "\r\nHEAD /stream HTTP/1.1\r\n" HOST LAST,
		  &heard));
	CHECK(count_of(&heard, "200 OK") == 2);
	CHECK(has_text(&heard, "Content-Length: 13\r\n"));
	CHECK(has_text(&heard, "chunked"));
	CHECK(!has_text(&heard, "HEAD /echo"));
	CHECK(heard.size < 500);
}

static void test_head(void **state)
{
	(void)state;
	serve(ask_for_heads);
}

/* Chunks together, or -1 where the framing is wrong. */
static ssize_t unchunk(struct jn_buffer *b)
{
	char *at = strstr(jn_buffer_text(b), "\r\n\r\n");
	size_t total = 0, size;

	for (at = at ? at + 4 : NULL; at; at += size + 2) {
		size = strtoul(at, &at, 16);
		if (memcmp(at, "\r\n", 2) != 0)
			return -1;
		at += 2;
		total += size;
		if (!size)
			return at + 2 == b->data + b->size ? (ssize_t)total : -1;
		if (memcmp(at + size, "\r\n", 2) != 0)
			return -1;
	}
	return -1;
}

static void ask_for_stream(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	CHECK(ask("GET /stream HTTP/1.1\r\n" HOST LAST, &heard));
	CHECK(unchunk(&heard) == (ssize_t)STREAM_PIECES * PIECE_BYTES);
}

static void test_stream(void **state)
{
	(void)state;
	serve(ask_for_stream);
}

static void ask_expecting(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	JN_AUTO(jn_close_fd) int fd = dial();

	CHECK(say(fd, "PUT /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
		      "Content-Length: 4\r\n" LAST));
	CHECK(hear_until(fd, "HTTP/1.1 100 Continue\r\n\r\n", &heard));
	CHECK(say(fd, "body"));
	hear_all(fd, &heard);
	CHECK(has_text(&heard, "PUT /echo - body"));
	/* refused before the body: no 100, and the answer at once */
	CHECK(ask("PUT /early HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
		  "Content-Length: 4\r\n\r\n",
		  &heard));
	CHECK(starts_with(&heard, "HTTP/1.1 403 ") && !has_text(&heard, " 100 "));
}

static void test_expect_continue(void **state)
{
	(void)state;
	serve(ask_expecting);
}

static void ask_half_closed(void)
{
	static const char *const wholes[] = { "/echo", "/later", "/stream" };
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 }, request = { 0 };

	for (size_t i = 0; i < JN_COUNT(wholes); i++) {
		JN_AUTO(jn_close_fd) int fd = dial();

		jn_buffer_clear(&request);
		jn_buffer_clear(&heard);
		jn_buffer_printf(&request, "GET %s HTTP/1.1\r\n" HOST "\r\n", wholes[i]);
		CHECK(say(fd, jn_buffer_text(&request)));
		CHECK(!shutdown(fd, SHUT_WR));
		hear_all(fd, &heard);
		CHECK(starts_with(&heard, "HTTP/1.1 200 OK"));
	}
	JN_AUTO(jn_close_fd) int half = dial();

	jn_buffer_clear(&heard);
	CHECK(say(half, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhalf"));
	CHECK(!shutdown(half, SHUT_WR));
	hear_all(half, &heard);
	CHECK(starts_with(&heard, "HTTP/1.1 400 ") && has_text(&heard, "middle of the request"));
}

static void test_half_closed_clients_are_answered(void **state)
{
	(void)state;
	serve(ask_half_closed);
}

/* A large body that nobody wants is taken off the client's hands, so that it reads the answer. */
static void ask_refused_upload(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	JN_AUTO(jn_close_fd) int fd = dial();
	static char piece[1 << 20];

	CHECK(say(fd, "PUT /early HTTP/1.1\r\n" HOST "Content-Length: 33554432\r\n\r\n"));
	for (unsigned i = 0; i < 32; i++)
		CHECK(send(fd, piece, sizeof(piece), MSG_NOSIGNAL) == (ssize_t)sizeof(piece));
	hear_all(fd, &heard);
	CHECK(starts_with(&heard, "HTTP/1.1 403 ") && has_text(&heard, "Connection: close"));
}

static void test_early_answer_to_an_upload(void **state)
{
	(void)state;
	serve(ask_refused_upload);
}

static void upload(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	JN_AUTO(jn_close_fd) int fd = dial();
	static char piece[1 << 20];

	memset(piece, 'x', sizeof(piece));
	CHECK(say(fd, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 16777216\r\n" LAST));
	for (unsigned i = 0; i < 16; i++)
		CHECK(send(fd, piece, sizeof(piece), MSG_NOSIGNAL) == (ssize_t)sizeof(piece));
	hear_all(fd, &heard);
	CHECK(has_text(&heard, "Content-Length: 16777228\r\n"));
	CHECK(heard.size > 16777228);
}

static void test_large_bodies_both_ways(void **state)
{
	(void)state;
	serve(upload);
	assert_true(read_most <= JN_INPUT_BYTES); /* in one turn: then it is others' */
}

/* --- what is refused --------------------------------------------------------------------------- */

static const char *const hostile[] = {
	"garbage\r\n\r\n",
	"GET /echo\r\n\r\n",
	"GET /echo HTTP/2.0\r\n" HOST "\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"\x16\x03\x01\x02",
	"GET /echo HTTP/1.1\n" HOST "\r\n",
	"GET /echo HTTP/1.1\r\nHost: a\n\n",
	"GET /echo HTTP/1.1\r\n\r\n", /* no Host */
	"GET /echo HTTP/1.1\r\n" HOST HOST "\r\n",
	"GET /echo HTTP/1.1\r\n" HOST " folded\r\n\r\n",
	"GET /echo HTTP/1.1\r\n" HOST ": no name\r\n\r\n",
	"GET /echo HTTP/1.1\r\n" HOST "Na me: x\r\n\r\n",
	"GET /echo HTTP/1.1\r\n" HOST "Name : x\r\n\r\n",
	"GET http://junctor/echo HTTP/1.1\r\n" HOST "\r\n",
	"GET * HTTP/1.1\r\n" HOST "\r\n",
	"GET /echo#x HTTP/1.1\r\n" HOST "\r\n",
	"GET /ec%0aho HTTP/1.1\r\n" HOST "\r\n",
	"GET /ec%00ho HTTP/1.1\r\n" HOST "\r\n",
	"GET /ec%4 HTTP/1.1\r\n" HOST "\r\n",
	"GET /echo?a=%zz HTTP/1.1\r\n" HOST "\r\n",
	"CONNECT junctor:80 HTTP/1.1\r\n" HOST "\r\n",
	"GET /echo HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
	"PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
	"PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 1,1\r\n\r\nx",
	"PUT /echo HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
	"PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n",
	"PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
	"PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: "
	"chunked\r\n\r\n",
	"PUT /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
	"PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
	"PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
	"PUT /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
};

static void ask_hostile(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	for (size_t i = 0; i < JN_COUNT(hostile); i++) {
		CHECK(ask(hostile[i], &heard));
		if (!starts_with(&heard, "HTTP/1.1 400 "))
			print_message("not refused with 400: %s\n%s\n", hostile[i],
				      jn_buffer_text(&heard));
		CHECK(starts_with(&heard, "HTTP/1.1 400 "));
		CHECK(count_of(&heard, "\r\n\r\n") == 1); /* one answer and no more */
		CHECK(has_text(&heard, "Connection: close\r\n"));
	}
}

static void test_hostile_requests_are_refused(void **state)
{
	(void)state;
	serve(ask_hostile);
}

/* A request whose head has this many bytes. */
static void pad(struct jn_buffer *request, size_t size)
{
	static const char start[] = "GET /echo HTTP/1.1\r\n" HOST "X: ", end[] = "\r\n" LAST;

	jn_buffer_clear(request);
	jn_buffer_printf(request, "%s%0*d%s", start,
			 (int)(size - (sizeof(start) - 1) - (sizeof(end) - 1)), 0, end);
}

static void ask_with_large_heads(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer request = { 0 }, heard = { 0 };

	pad(&request, usual.head_bytes);
	CHECK(ask(jn_buffer_text(&request), &heard));
	CHECK(starts_with(&heard, "HTTP/1.1 200 "));
	pad(&request, usual.head_bytes + 1);
	CHECK(ask(jn_buffer_text(&request), &heard));
	CHECK(starts_with(&heard, "HTTP/1.1 431 "));
	jn_buffer_clear(&request);
	jn_buffer_printf(&request, "GET /%0*d HTTP/1.1\r\n", 9000, 0);
	CHECK(ask(jn_buffer_text(&request), &heard));
	CHECK(starts_with(&heard, "HTTP/1.1 431 "));
}

static void test_large_heads(void **state)
{
	(void)state;
	serve(ask_with_large_heads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_chunked_body),
		cmocka_unit_test(test_bytes_one_by_one),
		cmocka_unit_test(test_keep_alive_and_pipelining),
		cmocka_unit_test(test_a_flood_of_pipelined_requests),
		cmocka_unit_test(test_http_1_0),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_expect_continue),
		cmocka_unit_test(test_half_closed_clients_are_answered),
		cmocka_unit_test(test_early_answer_to_an_upload),
		cmocka_unit_test(test_large_bodies_both_ways),
		cmocka_unit_test(test_hostile_requests_are_refused),
		cmocka_unit_test(test_large_heads),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
