/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes of a backend that is probed: the first byte says by what, the second how they are cut. HTTP
 * said whole or in pieces is judged the same; of gRPC, where nghttp2 answers in between, only that it
 * comes to a verdict or waits. What a probe sends in its turn is bounded by what it was sent.
 */
#include "fuzz.h"

#include <string.h>

#include "base/auto.h"
#include "probe/answer.h"

#define AUTHORITY "10.0.0.1:80"
#define ANSWERS_OF_A_BYTE 64 /* a frame of nine bytes may be answered, and is never by so much */
#define FIRST_BYTES 1024     /* what a call sends before it hears anything */

static char why[JN_PROBE_REASON_BYTES];

static void check_verdict(enum jn_answer_kind kind)
{
	CHECK(kind == JN_ANSWER_MORE || kind == JN_ANSWER_GOOD || kind == JN_ANSWER_BAD);
	CHECK(memchr(why, '\0', sizeof(why)));
	CHECK(kind != JN_ANSWER_BAD || *why);
}

static enum jn_answer_kind feed_http(const char *data, size_t size, struct pieces *pieces)
{
	struct jn_http_reply reply;
	enum jn_answer_kind kind = JN_ANSWER_MORE;

	*why = '\0';
	jn_http_reply_init(&reply);
	for (size_t at = 0; at < size && kind == JN_ANSWER_MORE;) {
		size_t piece = pieces ? next_piece(pieces, size - at) : size;

		kind = jn_http_reply_feed(&reply, data + at, piece, why);
		at += piece;
	}
	check_verdict(kind);
	return kind;
}

static void feed_grpc(const char *data, size_t size, struct pieces *pieces)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };
	JN_AUTO(jn_grpc_call_free) struct jn_grpc_call *call = NULL;
	struct jn_probe *probe = jn_probe_new();
	enum jn_answer_kind kind = JN_ANSWER_MORE;

	CHECK(probe);
	probe->type = JN_PROBE_GRPC;
	CHECK(!jn_grpc_call_new(probe, AUTHORITY, &call));
	CHECK(!jn_grpc_call_output(call, &out));
	*why = '\0';
	for (size_t at = 0; at < size && kind == JN_ANSWER_MORE;) {
		size_t piece = next_piece(pieces, size - at);

		kind = jn_grpc_call_feed(call, data + at, piece, why);
		if (kind == JN_ANSWER_MORE)
			CHECK(!jn_grpc_call_output(call, &out));
		at += piece;
	}
	check_verdict(kind);
	CHECK(out.size <= FIRST_BYTES + ANSWERS_OF_A_BYTE * size);
	jn_grpc_call_free(&call);
	jn_probe_unref(&probe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 2;
	struct pieces pieces;

	if (size < 2)
		return 0;
	pieces.state = data[1];
	if (data[0] & 1) {
		feed_grpc(text, size - 2, &pieces);
	} else {
		enum jn_answer_kind kind = feed_http(text, size - 2, NULL);

		CHECK(feed_http(text, size - 2, &pieces) == kind);
	}
	return 0;
}
