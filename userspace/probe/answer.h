/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes of a backend -> is it up? One parser for each protocol, neither of which knows sockets or
 * time. Whoever feeds them bounds how many bytes that may take.
 */
#ifndef JUNCTOR_PROBE_ANSWER_H
#define JUNCTOR_PROBE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include <llhttp.h>

#include "base/buffer.h"
#include "proto/object.h"

enum jn_answer_kind {
	JN_ANSWER_MORE, /* not known yet */
	JN_ANSWER_GOOD,
	JN_ANSWER_BAD /* `why` says what was wrong, for people */
};

/* --- HTTP/1: the status line and the head decide, a body is not waited for --------------------- */
struct jn_http_reply {
	llhttp_t parser;
	bool has_head; /* of the final answer */
};

/* The whole request; authority: "10.0.0.1:80", for a probe that names no host. */
void jn_http_write_request(const struct jn_probe *probe, const char *authority,
			   struct jn_buffer *out);
void jn_http_reply_init(struct jn_http_reply *r);
/* 200..399 is good. */
enum jn_answer_kind jn_http_reply_feed(struct jn_http_reply *r, const char *data, size_t size,
				       char why[JN_PROBE_REASON_BYTES]);

/* --- gRPC: grpc.health.v1.Health/Check over HTTP/2 without TLS ---------------------------------- */
struct jn_grpc_call;

/* -ENOMEM */
int jn_grpc_call_new(const struct jn_probe *probe, const char *authority,
		     struct jn_grpc_call **out);
void jn_grpc_call_free(struct jn_grpc_call **call);
/* Appends what is to be sent now: after `new`, and after each feed. -ENOMEM. */
int jn_grpc_call_output(struct jn_grpc_call *call, struct jn_buffer *out);
/* SERVING is good. */
enum jn_answer_kind jn_grpc_call_feed(struct jn_grpc_call *call, const char *data, size_t size,
				      char why[JN_PROBE_REASON_BYTES]);

#endif
