/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers of backends, good, bad and hostile: HTTP heads, gRPC calls against a server session of
 * nghttp2, health messages byte by byte. No sockets: test/scenario/test_probes.py has real servers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/auto.h"
#include "probe/answer.h"
#include "probe/health_message.h"
#include "random.h"

#define AUTHORITY "10.0.0.1:80"

static char why[JN_PROBE_REASON_BYTES];

static struct jn_probe *new_probe(enum jn_probe_type type)
{
	struct jn_probe *probe = jn_probe_new();

	assert_non_null(probe);
	probe->type = (uint8_t)type;
	(void)strcpy(probe->path, "/");
	return probe;
}

/* --- HTTP -------------------------------------------------------------------------------------- */

/* Fed whole and byte by byte: both must say the same. */
static enum jn_answer_kind judge_http(const char *text, size_t size)
{
	struct jn_http_reply whole, slow;
	enum jn_answer_kind kind, slow_kind = JN_ANSWER_MORE;

	*why = '\0';
	jn_http_reply_init(&slow);
	for (size_t i = 0; i < size && slow_kind == JN_ANSWER_MORE; i++)
		slow_kind = jn_http_reply_feed(&slow, text + i, 1, why);
	jn_http_reply_init(&whole);
	kind = jn_http_reply_feed(&whole, text, size, why);
	assert_int_equal(kind, slow_kind);
	return kind;
}

static void expect_http(const char *text, enum jn_answer_kind kind, const char *reason)
{
	assert_int_equal(judge_http(text, strlen(text)), kind);
	assert_string_equal(why, reason);
}

static void test_http_statuses(void **state)
{
	(void)state;
	expect_http("HTTP/1.1 200 OK\r\n\r\n", JN_ANSWER_GOOD, "");
	expect_http("HTTP/1.0 204 No Content\r\nA: b\r\n\r\n", JN_ANSWER_GOOD, "");
	expect_http("HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", JN_ANSWER_GOOD, "");
	expect_http("HTTP/1.1 399 Odd\r\n\r\n", JN_ANSWER_GOOD, "");
	expect_http("HTTP/1.1 400 Bad\r\n\r\n", JN_ANSWER_BAD, "HTTP status 400");
	expect_http("HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\n", JN_ANSWER_BAD,
		    "HTTP status 503");
	expect_http("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		    JN_ANSWER_BAD, "HTTP status 101");
	expect_http("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", JN_ANSWER_GOOD, "");
	expect_http("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 500 No\r\n\r\n", JN_ANSWER_BAD,
		    "HTTP status 500");
}

static void test_http_that_is_not_whole(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";

	(void)state;
	for (size_t size = 1; size < sizeof(text) - 2; size++)
		assert_int_equal(judge_http(text, size), JN_ANSWER_MORE);
	expect_http("HTTP/1.1 100 Continue\r\n\r\n", JN_ANSWER_MORE, "");
}

static void test_what_is_not_http(void **state)
{
	static const char *const texts[] = {
		"* OK IMAP4rev1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x01\x00\x02\x02\x46",
		"HTTP/1.1 abc\r\n\r\n",	  "HTTP/9.9 200 OK\r\n\r\n", "<html>200 OK</html>",
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(texts); i++)
		expect_http(texts[i], JN_ANSWER_BAD, "its answer is not HTTP");
	expect_http("HTTP/1.1 200 OK\r\nA\x01: b\r\n\r\n", JN_ANSWER_BAD, "its answer is not HTTP");
}

static void test_http_requests(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe(JN_PROBE_HTTP);
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	(void)state;
	(void)strcpy(probe->path, "/healthz?deep=1");
	jn_http_write_request(probe, AUTHORITY, &out);
	assert_string_equal(jn_buffer_text(&out), "GET /healthz?deep=1 HTTP/1.1\r\nHost: "
						  "10.0.0.1:80\r\nUser-Agent: "
						  "junctor/0.1.0\r\nAccept: */*\r\nConnection: "
						  "close\r\n\r\n");
	jn_buffer_clear(&out);
	(void)strcpy(probe->host, "shop.test");
	jn_http_write_request(probe, AUTHORITY, &out);
	assert_non_null(strstr(jn_buffer_text(&out), "\r\nHost: shop.test\r\n"));
}

/* --- health messages --------------------------------------------------------------------------- */

static void test_health_requests(void **state)
{
	uint8_t out[JN_HEALTH_REQUEST_BYTES];
	char longest[JN_MAX_PROBE_TEXT + 1] = { 0 };

	(void)state;
	assert_int_equal(jn_health_request_write("", out), 5);
	assert_memory_equal(out, "\0\0\0\0\0", 5);
	assert_int_equal(jn_health_request_write("a.B", out), 10);
	assert_memory_equal(out, "\0\0\0\0\5\x0a\3a.B", 10);
	memset(longest, 'x', JN_MAX_PROBE_TEXT);
	assert_int_equal(jn_health_request_write(longest, out), sizeof(out));
	assert_memory_equal(out, "\0\0\0\1\2\x0a\xff\1xx", 10);
	longest[128] = '\0';
	assert_int_equal(jn_health_request_write(longest, out), 5 + 3 + 128);
	assert_memory_equal(out, "\0\0\0\0\x83\x0a\x80\1xx", 10);
	longest[127] = '\0';
	assert_int_equal(jn_health_request_write(longest, out), 5 + 2 + 127);
}

#define READ(text, out) jn_health_response_read((const uint8_t *)(text), sizeof(text) - 1, out)

static void test_health_responses(void **state)
{
	uint64_t status = 77;

	(void)state;
	assert_int_equal(READ("\0\0\0\0\0", &status), 0); /* an empty message: the default */
	assert_int_equal(status, JN_HEALTH_UNKNOWN);
	assert_int_equal(READ("\0\0\0\0\2\x08\1", &status), 0);
	assert_int_equal(status, JN_HEALTH_SERVING);
	/* Fields that a later version may add: a text, a double, a float, a number. */
	assert_int_equal(READ("\0\0\0\0\x17\x12\2hi\x19xxxxxxxx\x25xxxx\x28\xff\1\x08\2", &status),
			 0);
	assert_int_equal(status, JN_HEALTH_NOT_SERVING);
	status = 77;
	assert_int_equal(READ("", &status), -EBADMSG);
	assert_int_equal(READ("\0\0\0\0", &status), -EBADMSG);
	assert_int_equal(READ("\1\0\0\0\2\x08\1", &status), -EBADMSG); /* compressed */
	assert_int_equal(READ("\0\0\0\0\3\x08\1", &status), -EBADMSG);
	assert_int_equal(READ("\0\0\0\0\1\x08\1", &status), -EBADMSG);
	assert_int_equal(READ("\0\xff\xff\xff\xff\x08\1", &status), -EBADMSG);
	assert_int_equal(READ("\0\0\0\0\1\x08", &status), -EBADMSG);
	assert_int_equal(READ("\0\0\0\0\2\x12\x7f", &status), -EBADMSG);
	assert_int_equal(READ("\0\0\0\0\2\x0b\x0c", &status), -EBADMSG); /* groups are history */
	assert_int_equal(READ("\0\0\0\0\xc\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", &status),
			 -EBADMSG);
	assert_int_equal(status, 77);
}

static void test_random_health_responses(void **state)
{
	uint8_t data[64];
	uint64_t status;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		/* Of its own size, so that a sanitizer sees what is read behind it. */
		size_t size = random_below(sizeof(data));
		JN_AUTO(jn_free_mem) uint8_t *copy = malloc(size ? size : 1);

		assert_non_null(copy);
		for (size_t k = 0; k < size; k++)
			copy[k] = (uint8_t)random_below(256);
		if (size >= JN_GRPC_PREFIX_BYTES && random_below(8)) {
			memset(copy, 0, 4);
			copy[4] = (uint8_t)(size - JN_GRPC_PREFIX_BYTES);
		}
		(void)jn_health_response_read(copy, size, &status);
	}
}

/* --- gRPC -------------------------------------------------------------------------------------- */

/* What the server says. */
struct script {
	const char *status, *grpc_status; /* NULL: none */
	const char *message;
	size_t message_size, sent;
	bool is_trailers_only;
	/* what it heard */
	char path[64], service[64], content_type[32], te[16];
	bool has_answered;
};

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
			     strlen(value), NGHTTP2_NV_FLAG_NONE };
}

static int hear_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		       size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		       void *user)
{
	struct script *s = user;
	const struct {
		const char *name;
		char *out;
	} wanted[] = { { ":path", s->path }, { "content-type", s->content_type }, { "te", s->te } };

	(void)session;
	(void)frame;
	(void)flags;
	for (size_t i = 0; i < JN_COUNT(wanted); i++) {
		if (name_size != strlen(wanted[i].name) || memcmp(name, wanted[i].name, name_size))
			continue;
		memcpy(wanted[i].out, value, value_size);
	}
	return 0;
}

static int hear_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		     size_t size, void *user)
{
	struct script *s = user;

	(void)session;
	(void)flags;
	(void)stream;
	if (size > 7)
		memcpy(s->service, data + 7, size - 7);
	return 0;
}

static ssize_t say_message(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
			   uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct script *s = user;
	size_t left = s->message_size - s->sent;
	nghttp2_nv trailers[] = { nv("grpc-status", s->grpc_status ? s->grpc_status : "") };

	(void)source;
	if (size > left)
		size = left;
	memcpy(out, s->message + s->sent, size);
	s->sent += size;
	if (s->sent < s->message_size)
		return (ssize_t)size;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->grpc_status) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		assert_int_equal(nghttp2_submit_trailer(session, stream, trailers, 1), 0);
	}
	return (ssize_t)size;
}

static int hear_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct script *s = user;
	nghttp2_data_provider body = { .read_callback = say_message };
	nghttp2_nv headers[] = { nv(":status", s->status), nv("content-type", "application/grpc"),
				 nv("grpc-status", s->grpc_status ? s->grpc_status : "0") };

	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	s->has_answered = true;
	assert_int_equal(nghttp2_submit_response(session, frame->hd.stream_id, headers,
						 s->is_trailers_only ? 3 : 2,
						 s->is_trailers_only ? NULL : &body),
			 0);
	return 0;
}

/* The call against the script, in pieces of so many bytes. */
static enum jn_answer_kind call_server(struct script *s, const char *service, size_t piece)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe(JN_PROBE_GRPC);
	JN_AUTO(jn_grpc_call_free) struct jn_grpc_call *call = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };
	enum jn_answer_kind kind = JN_ANSWER_MORE;
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *server;
	const uint8_t *data;
	ssize_t size;

	*why = '\0';
	(void)strcpy(probe->service, service);
	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, hear_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, hear_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, hear_frame);
	assert_int_equal(nghttp2_session_server_new(&server, callbacks, s), 0);
	nghttp2_session_callbacks_del(callbacks);
	assert_int_equal(nghttp2_submit_settings(server, NGHTTP2_FLAG_NONE, NULL, 0), 0);
	assert_int_equal(jn_grpc_call_new(probe, AUTHORITY, &call), 0);
	for (unsigned turn = 0; turn < 10 && kind == JN_ANSWER_MORE; turn++) {
		jn_buffer_clear(&out);
		assert_int_equal(jn_grpc_call_output(call, &out), 0);
		assert_true(nghttp2_session_mem_recv(server, (uint8_t *)out.data, out.size) >= 0);
		while ((size = nghttp2_session_mem_send(server, &data)) > 0) {
			for (size_t at = 0; at < (size_t)size && kind == JN_ANSWER_MORE;
			     at += piece) {
				size_t count = (size_t)size - at < piece ? (size_t)size - at
									 : piece;

				kind = jn_grpc_call_feed(call, (const char *)data + at, count, why);
			}
		}
	}
	nghttp2_session_del(server);
	return kind;
}

#define MESSAGE(text) .message = (text), .message_size = sizeof(text) - 1

static void test_grpc_calls(void **state)
{
	static const struct {
		struct script script;
		enum jn_answer_kind kind;
		const char *why;
	} cases[] = {
		{ { "200", "0", MESSAGE("\0\0\0\0\2\x08\1") }, JN_ANSWER_GOOD, "" },
		{ { "200", "0", MESSAGE("\0\0\0\0\2\x08\2") },
		  JN_ANSWER_BAD,
		  "it says NOT_SERVING" },
		{ { "200", "0", MESSAGE("\0\0\0\0\0") }, JN_ANSWER_BAD, "it says UNKNOWN" },
		{ { "200", "0", MESSAGE("\0\0\0\0\2\x08\x63") },
		  JN_ANSWER_BAD,
		  "it says a status of its own" },
		{ { "200", "0", MESSAGE("\0\0\0\0\2\x08") },
		  JN_ANSWER_BAD,
		  "its answer is no health message" },
		{ { "200", "12", .is_trailers_only = true },
		  JN_ANSWER_BAD,
		  "gRPC status 12 (it has no health service)" },
		{ { "200", "5", .is_trailers_only = true },
		  JN_ANSWER_BAD,
		  "gRPC status 5 (it does not know the service)" },
		{ { "200", "14", MESSAGE("\0\0\0\0\2\x08\1") }, JN_ANSWER_BAD, "gRPC status 14" },
		{ { "200", "-1", .is_trailers_only = true },
		  JN_ANSWER_BAD,
		  "its answer has no gRPC status" },
		{ { "200", NULL, MESSAGE("\0\0\0\0\2\x08\1") },
		  JN_ANSWER_BAD,
		  "its answer has no gRPC status" },
		{ { "503", NULL, MESSAGE("sorry") }, JN_ANSWER_BAD, "HTTP status 503" },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		struct script whole = cases[i].script, slow = cases[i].script;

		assert_int_equal(call_server(&whole, "", 1 << 20), cases[i].kind);
		assert_string_equal(why, cases[i].why);
		assert_int_equal(call_server(&slow, "", 1), cases[i].kind);
		assert_string_equal(why, cases[i].why);
	}
}

static void test_what_a_grpc_server_hears(void **state)
{
	struct script s = { "200", "0", MESSAGE("\0\0\0\0\2\x08\1") };

	(void)state;
	assert_int_equal(call_server(&s, "shop.Cart", 3), JN_ANSWER_GOOD);
	assert_string_equal(s.path, "/grpc.health.v1.Health/Check");
	assert_string_equal(s.content_type, "application/grpc");
	assert_string_equal(s.te, "trailers");
	assert_string_equal(s.service, "shop.Cart");
}

static void test_a_long_grpc_answer(void **state)
{
	static char message[60000];
	struct script s = { "200", "0", .message = message, .message_size = sizeof(message) };

	(void)state;
	assert_int_equal(call_server(&s, "", 1000), JN_ANSWER_BAD);
	assert_string_equal(why, "its answer is no health message");
}

static void test_what_is_not_grpc(void **state)
{
	JN_AUTO(jn_probe_unref) struct jn_probe *probe = new_probe(JN_PROBE_GRPC);
	static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	/* SETTINGS, then GOAWAY: it wants nobody. */
	static const char goaway[] = "\0\0\0\4\0\0\0\0\0"
				     "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0";

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		JN_AUTO(jn_grpc_call_free) struct jn_grpc_call *call = NULL;
		JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };
		enum jn_answer_kind kind = JN_ANSWER_MORE;
		char data[200];

		assert_int_equal(jn_grpc_call_new(probe, AUTHORITY, &call), 0);
		assert_int_equal(jn_grpc_call_output(call, &out), 0);
		for (size_t k = 0; k < sizeof(data); k++)
			data[k] = (char)random_below(256);
		if (i == 0)
			kind = jn_grpc_call_feed(call, http, sizeof(http) - 1, why);
		else if (i == 1)
			kind = jn_grpc_call_feed(call, goaway, sizeof(goaway) - 1, why);
		for (unsigned n = 0; n < 4 && i > 1 && kind == JN_ANSWER_MORE; n++)
			kind = jn_grpc_call_feed(call, data, sizeof(data), why);
		assert_int_not_equal(kind, JN_ANSWER_GOOD);
		if (i < 2)
			assert_int_equal(kind, JN_ANSWER_BAD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_statuses),
		cmocka_unit_test(test_http_that_is_not_whole),
		cmocka_unit_test(test_what_is_not_http),
		cmocka_unit_test(test_http_requests),
		cmocka_unit_test(test_health_requests),
		cmocka_unit_test(test_health_responses),
		cmocka_unit_test(test_random_health_responses),
		cmocka_unit_test(test_grpc_calls),
		cmocka_unit_test(test_what_a_grpc_server_hears),
		cmocka_unit_test(test_a_long_grpc_answer),
		cmocka_unit_test(test_what_is_not_grpc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
