/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A probe over gRPC: one unary call of grpc.health.v1.Health/Check on one HTTP/2 connection. The
 * only user of nghttp2, which works on memory here: bytes in, bytes out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "base/auto.h"
#include "base/version.h"
#include "probe/answer.h"
#include "probe/health_message.h"

#define MAX_MESSAGE_BYTES 256 /* of an answer: its one field takes two */
#define GRPC_UNIMPLEMENTED 12
#define GRPC_NOT_FOUND 5

struct jn_grpc_call {
	nghttp2_session *session;
	struct jn_buffer out; /* to be sent */
	uint8_t request[JN_HEALTH_REQUEST_BYTES];
	size_t request_size, request_sent;
	uint8_t message[MAX_MESSAGE_BYTES];
	size_t message_size;
	bool is_too_long;
	unsigned http_status;
	int grpc_status; /* -1: none yet */
	bool is_closed;	 /* the call's stream */
};

static bool is_name(const uint8_t *name, size_t size, const char *text)
{
	return size == strlen(text) && !memcmp(name, text, size);
}

/* A number of up to three digits; -1: it is none. */
static int number_of(const uint8_t *value, size_t size)
{
	int number = 0;

	if (!size || size > 3)
		return -1;
	for (size_t i = 0; i < size; i++) {
		if (value[i] < '0' || value[i] > '9')
			return -1;
		number = number * 10 + (value[i] - '0');
	}
	return number;
}

/* --- what nghttp2 finds ------------------------------------------------------------------------ */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		     void *user)
{
	struct jn_grpc_call *call = user;

	(void)session;
	(void)frame;
	(void)flags;
	if (is_name(name, name_size, ":status"))
		call->http_status = (unsigned)number_of(value, value_size);
	if (is_name(name, name_size, "grpc-status"))
		call->grpc_status = number_of(value, value_size);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t size, void *user)
{
	struct jn_grpc_call *call = user;

	(void)session;
	(void)flags;
	(void)stream;
	if (size > sizeof(call->message) - call->message_size) {
		call->is_too_long = true;
		return 0;
	}
	memcpy(call->message + call->message_size, data, size);
	call->message_size += size;
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
	struct jn_grpc_call *call = user;

	(void)session;
	(void)stream;
	(void)error;
	call->is_closed = true;
	return 0;
}

/* The request's body, for nghttp2. */
static ssize_t read_request(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
			    uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct jn_grpc_call *call = user;
	size_t left = call->request_size - call->request_sent;

	(void)session;
	(void)stream;
	(void)source;
	if (size > left)
		size = left;
	memcpy(out, call->request + call->request_sent, size);
	call->request_sent += size;
	if (call->request_sent == call->request_size)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)size;
}

/* --- the call ---------------------------------------------------------------------------------- */

static int open_session(struct jn_grpc_call *call)
{
	nghttp2_session_callbacks *callbacks = NULL;
	int rc = nghttp2_session_callbacks_new(&callbacks);

	if (rc)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	rc = nghttp2_session_client_new(&call->session, callbacks, call);
	nghttp2_session_callbacks_del(callbacks);
	return rc ? -ENOMEM : 0;
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
			     .value = (uint8_t *)(uintptr_t)value,
			     .namelen = strlen(name),
			     .valuelen = strlen(value),
			     .flags = NGHTTP2_NV_FLAG_NONE };
}

static int submit(struct jn_grpc_call *call, const struct jn_probe *probe, const char *authority)
{
	char timeout[16] = "";
	nghttp2_nv headers[] = {
		header(":method", "POST"),
		header(":scheme", "http"),
		header(":path", "/grpc.health.v1.Health/Check"),
		header(":authority", authority),
		header("te", "trailers"),
		header("content-type", "application/grpc"),
		header("user-agent", "junctor/" JN_VERSION),
		{ 0 }, /* grpc-timeout */
	};
	nghttp2_settings_entry settings = { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 };
	nghttp2_data_provider body = { .read_callback = read_request };

	(void)snprintf(timeout, sizeof(timeout), "%uS", probe->timeout_seconds);
	headers[JN_COUNT(headers) - 1] = header("grpc-timeout", timeout);
	if (nghttp2_submit_settings(call->session, NGHTTP2_FLAG_NONE, &settings, 1))
		return -ENOMEM;
	return nghttp2_submit_request(call->session, NULL, headers, JN_COUNT(headers), &body,
				      NULL) < 0
		       ? -ENOMEM
		       : 0;
}

static void collect_output(struct jn_grpc_call *call)
{
	const uint8_t *data;
	ssize_t size;

	while ((size = nghttp2_session_mem_send(call->session, &data)) > 0)
		jn_buffer_add(&call->out, data, (size_t)size);
	if (size < 0)
		call->out.failed = true;
}

int jn_grpc_call_new(const struct jn_probe *probe, const char *authority, struct jn_grpc_call **out)
{
	JN_AUTO(jn_grpc_call_free) struct jn_grpc_call *call = calloc(1, sizeof(*call));
	int rc;

	if (!call)
		return -ENOMEM;
	call->grpc_status = -1;
	call->request_size = jn_health_request_write(probe->service, call->request);
	rc = open_session(call);
	if (!rc)
		rc = submit(call, probe, authority);
	if (rc)
		return rc;
	collect_output(call);
	*out = JN_MOVE(call);
	return 0;
}

void jn_grpc_call_free(struct jn_grpc_call **call)
{
	struct jn_grpc_call *c = JN_MOVE(*call);

	if (!c)
		return;
	nghttp2_session_del(c->session); /* NULL is fine */
	jn_buffer_done(&c->out);
	free(c);
}

int jn_grpc_call_output(struct jn_grpc_call *call, struct jn_buffer *out)
{
	if (jn_buffer_failed(&call->out))
		return -ENOMEM;
	jn_buffer_add(out, call->out.data, call->out.size);
	jn_buffer_clear(&call->out);
	return jn_buffer_failed(out) ? -ENOMEM : 0;
}

static const char *serving_status(uint64_t status)
{
	static const char *const names[] = {
		[JN_HEALTH_UNKNOWN] = "UNKNOWN",
		[JN_HEALTH_SERVING] = "SERVING",
		[JN_HEALTH_NOT_SERVING] = "NOT_SERVING",
		[JN_HEALTH_SERVICE_UNKNOWN] = "SERVICE_UNKNOWN",
	};

	return status < JN_COUNT(names) ? names[status] : "a status of its own";
}

static const char *grpc_meaning(int status)
{
	if (status == GRPC_UNIMPLEMENTED)
		return " (it has no health service)";
	return status == GRPC_NOT_FOUND ? " (it does not know the service)" : "";
}

/* The stream is closed: everything there is has come. */
static enum jn_answer_kind judge(const struct jn_grpc_call *call, char why[JN_PROBE_REASON_BYTES])
{
	uint64_t status;

	if (call->http_status != 200)
		(void)snprintf(why, JN_PROBE_REASON_BYTES, "HTTP status %u", call->http_status);
	else if (call->grpc_status < 0)
		(void)snprintf(why, JN_PROBE_REASON_BYTES, "its answer has no gRPC status");
	else if (call->grpc_status)
		(void)snprintf(why, JN_PROBE_REASON_BYTES, "gRPC status %d%s", call->grpc_status,
			       grpc_meaning(call->grpc_status));
	else if (call->is_too_long ||
		 jn_health_response_read(call->message, call->message_size, &status))
		(void)snprintf(why, JN_PROBE_REASON_BYTES, "its answer is no health message");
	else if (status != JN_HEALTH_SERVING)
		(void)snprintf(why, JN_PROBE_REASON_BYTES, "it says %s", serving_status(status));
	else
		return JN_ANSWER_GOOD;
	return JN_ANSWER_BAD;
}

enum jn_answer_kind jn_grpc_call_feed(struct jn_grpc_call *call, const char *data, size_t size,
				      char why[JN_PROBE_REASON_BYTES])
{
	ssize_t used = nghttp2_session_mem_recv(call->session, (const uint8_t *)data, size);

	collect_output(call); /* an end that nghttp2 makes of it is one once it is said */
	if (call->is_closed && call->http_status)
		return judge(call, why);
	if (used >= 0 && !call->is_closed && nghttp2_session_want_read(call->session))
		return JN_ANSWER_MORE;
	(void)snprintf(why, JN_PROBE_REASON_BYTES, "its answer is not gRPC");
	return JN_ANSWER_BAD;
}
