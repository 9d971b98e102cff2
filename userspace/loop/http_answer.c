/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers: heads, whole bodies, chunks; one write in flight, the next one when the client has taken
 * that. And what a handler may ask of its exchange.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "loop/http_internal.h"

#define JSON "application/json"

static const char *phrase_of(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < JN_COUNT(phrases); i++) {
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return "Other";
}

/* The head up to the header that says how long the body is. */
static void start_head(struct jn_buffer *out, const struct jn_answer_head *head)
{
	jn_buffer_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n", head->status,
			 phrase_of(head->status), head->content_type);
	for (size_t i = 0; i < head->header_count; i++)
		jn_buffer_printf(out, "%s: %s\r\n", head->headers[i].name, head->headers[i].value);
}

void jn_http_format_refusal(struct jn_http_server *s, struct jn_error *err, struct jn_buffer *out)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	struct jn_answer_head head = { .content_type = JSON };

	head.status = s->handlers.refuse(s->handlers.arg, err, &body);
	start_head(out, &head);
	jn_buffer_printf(out, "Connection: close\r\nContent-Length: %zu\r\n\r\n", body.size);
	jn_buffer_add(out, body.data, body.size);
}

/* --- writing ----------------------------------------------------------------------------------- */

static void on_written(uv_write_t *write, int status);

static bool is_head_only(const struct jn_exchange *x)
{
	return x->has_begun && !strcmp(jn_request_method(&x->request), "HEAD");
}

/* head, frame, body and what closes the chunk: whatever there is of them. */
static void write_out(struct jn_exchange *x, bool is_last_chunk)
{
	static char end[] = "\r\n0\r\n\r\n";
	struct jn_connection *c = jn_exchange_connection(x);
	uv_buf_t bufs[4];
	unsigned count = 0;

	if (x->head.size)
		bufs[count++] = uv_buf_init(x->head.data, (unsigned)x->head.size);
	if (x->is_chunked && x->body.size) {
		int size = snprintf(x->frame, sizeof(x->frame), "%zx\r\n", x->body.size);

		bufs[count++] = uv_buf_init(x->frame, (unsigned)size);
	}
	if (x->body.size)
		bufs[count++] = uv_buf_init(x->body.data, (unsigned)x->body.size);
	if (x->is_chunked && x->body.size)
		bufs[count++] = uv_buf_init(end, is_last_chunk ? 7 : 2);
	else if (x->is_chunked && is_last_chunk)
		bufs[count++] = uv_buf_init(end + 2, 5);
	x->write.data = c;
	if (uv_write(&x->write, (uv_stream_t *)&c->pipe, bufs, count, on_written))
		c->is_broken = true; /* out of memory; the timer runs */
	x->queued = uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe);
	x->moved_ms = uv_now(c->server->uv);
}

/* The next piece of a long answer, and its write. */
static void write_next(struct jn_exchange *x)
{
	struct jn_connection *c = jn_exchange_connection(x);
	bool is_last = false;

	jn_buffer_clear(&x->body);
	while (!is_last && !x->body.size && !jn_buffer_failed(&x->body))
		is_last = x->produce(c->server->handlers.arg, x->state, &x->body);
	if (jn_buffer_failed(&x->body)) {
		c->is_broken = true;
		return;
	}
	if (is_last)
		x->produce = NULL;
	if (x->head.size || x->body.size || x->is_chunked)
		write_out(x, is_last);
	else
		jn_connection_answered(c); /* the end of an answer without chunks */
}

static void on_written(uv_write_t *write, int status)
{
	struct jn_connection *c = write->data;
	struct jn_exchange *x = &c->exchange;

	if (c->state == JN_CONNECTION_CLOSED)
		return;
	if (status) {
		jn_connection_close(c);
		return;
	}
	jn_buffer_done(&x->head);
	if (x->produce)
		write_next(x);
	else
		jn_connection_answered(c);
}

bool jn_exchange_moves(struct jn_exchange *x)
{
	struct jn_connection *c = jn_exchange_connection(x);
	size_t queued = uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe);
	uint64_t now = uv_now(c->server->uv);

	if (queued != x->queued) {
		x->queued = queued;
		x->moved_ms = now;
	}
	return now - x->moved_ms < c->server->limits.write_timeout_ms;
}

void jn_exchange_done(struct jn_exchange *x)
{
	jn_request_reset(&x->request);
	jn_buffer_done(&x->head);
	jn_buffer_done(&x->body);
	x->state = NULL;
	x->produce = NULL;
	x->is_answered = x->is_last = x->is_chunked = false;
}

/* --- answers ----------------------------------------------------------------------------------- */

static void enter_answer(struct jn_exchange *x)
{
	struct jn_connection *c = jn_exchange_connection(x);

	assert(!x->is_answered && c->state < JN_CONNECTION_ANSWER);
	x->is_answered = true;
	x->is_last = !x->request.is_complete || !jn_request_keeps_alive(&x->request);
	c->state = JN_CONNECTION_ANSWER;
	jn_connection_wait(c, JN_TICK_MS);
}

static void say_connection(struct jn_exchange *x)
{
	if (x->is_last)
		jn_buffer_add_text(&x->head, "Connection: close\r\n");
	else if (jn_request_is_1_0(&x->request))
		jn_buffer_add_text(&x->head, "Connection: keep-alive\r\n");
}

void jn_exchange_answer(struct jn_exchange *x, const struct jn_answer_head *head,
			struct jn_buffer *body)
{
	static const struct jn_answer_head failed = { .status = 500, .content_type = JSON };
	bool has_failed = jn_buffer_failed(body);

	enter_answer(x);
	start_head(&x->head, has_failed ? &failed : head);
	say_connection(x);
	jn_buffer_printf(&x->head, "Content-Length: %zu\r\n\r\n", body->size);
	x->body = *body;
	*body = (struct jn_buffer){ 0 };
	if (is_head_only(x))
		jn_buffer_done(&x->body);
	if (jn_buffer_failed(&x->head))
		jn_exchange_connection(x)->is_broken = true; /* the timer runs */
	else
		write_out(x, false);
}

void jn_exchange_stream(struct jn_exchange *x, const struct jn_answer_head *head,
			jn_produce_fn produce)
{
	bool is_1_0 = jn_request_is_1_0(&x->request);

	enter_answer(x);
	x->is_last |= is_1_0; /* the end of the connection is the end of the answer */
	start_head(&x->head, head);
	say_connection(x);
	jn_buffer_add_text(&x->head, is_1_0 ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n");
	if (jn_buffer_failed(&x->head)) {
		jn_exchange_connection(x)->is_broken = true; /* the timer runs */
		return;
	}
	if (is_head_only(x)) {
		write_out(x, false);
		return;
	}
	x->is_chunked = !is_1_0;
	x->produce = produce;
	write_next(x);
}

void jn_exchange_refuse(struct jn_exchange *x, struct jn_error *err)
{
	struct jn_connection *c = jn_exchange_connection(x);

	enter_answer(x);
	x->is_last = true;
	jn_http_format_refusal(c->server, err, &x->head);
	if (jn_buffer_failed(&x->head))
		c->is_broken = true; /* the timer runs */
	else
		write_out(x, false);
}

/* --- questions --------------------------------------------------------------------------------- */

const struct jn_peer *jn_exchange_peer(const struct jn_exchange *x)
{
	return &jn_exchange_connection(x)->peer;
}

const char *jn_exchange_method(const struct jn_exchange *x)
{
	return jn_request_method(&x->request);
}

const char *jn_exchange_path(const struct jn_exchange *x)
{
	return x->request.target;
}

const char *jn_exchange_query(const struct jn_exchange *x, const char *name)
{
	for (size_t i = 0; i < x->request.query.count; i++) {
		if (!strcmp(x->request.query.items[i].name, name))
			return x->request.query.items[i].value;
	}
	return NULL;
}

const char *jn_exchange_query_name(const struct jn_exchange *x, unsigned index)
{
	return index < x->request.query.count ? x->request.query.items[index].name : NULL;
}

const char *jn_exchange_header(const struct jn_exchange *x, const char *name)
{
	return jn_request_header(&x->request, name);
}
