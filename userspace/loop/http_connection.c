/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One connection: reads, keeps the deadlines, calls the handlers, and decides what comes after an
 * answer. How an answer is written is http_answer.c's; the states are drawn in http_internal.h.
 *
 * Nothing here closes a connection from inside a handler's call or a parser's: who finds it broken
 * there marks it, and the timer ends it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "loop/http_internal.h"

#define MIB 1048576u
#define LATE_MS 50 /* a timer this late was held up by us, not by the client */

static void use_pending(struct jn_connection *c);

struct jn_connection *jn_exchange_connection(const struct jn_exchange *x)
{
	return (struct jn_connection *)((char *)(uintptr_t)x -
					offsetof(struct jn_connection, exchange));
}

static int fd_of(const struct jn_connection *c)
{
	uv_os_fd_t fd = -1;

	(void)uv_fileno((const uv_handle_t *)&c->pipe, &fd); /* fails for closed handles: -1 */
	return fd;
}

static bool is_receiving(const struct jn_connection *c)
{
	return c->state <= JN_CONNECTION_BODY;
}

static void stop_reading(struct jn_connection *c)
{
	if (c->is_reading)
		(void)uv_read_stop((uv_stream_t *)&c->pipe); /* always 0 */
	c->is_reading = false;
}

/* --- handlers ---------------------------------------------------------------------------------- */

static void begin_exchange(struct jn_connection *c)
{
	const struct jn_http_handlers *h = &c->server->handlers;
	struct jn_exchange *x = &c->exchange;

	x->has_begun = true;
	h->begin(h->arg, x, &x->state);
	if (!x->is_answered && jn_request_expects_continue(&x->request)) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
		uv_buf_t buf = uv_buf_init((char *)(uintptr_t)go_on, sizeof(go_on) - 1);

		/* Who does not take it now sends the body after a while anyway. */
		(void)uv_try_write((uv_stream_t *)&c->pipe, &buf, 1);
	}
}

static void on_body(void *arg, const char *data, size_t size)
{
	struct jn_connection *c = arg;
	const struct jn_http_handlers *h = &c->server->handlers;
	struct jn_exchange *x = &c->exchange;

	c->body_bytes += size;
	if (!x->is_answered)
		h->body(h->arg, x, x->state, data, size);
}

static void end_exchange(struct jn_connection *c)
{
	const struct jn_http_handlers *h = &c->server->handlers;
	struct jn_exchange *x = &c->exchange;

	if (x->has_begun) {
		x->has_begun = false;
		h->gone(h->arg, x, x->state);
	}
	jn_exchange_done(x);
}

/* --- deadlines --------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

void jn_connection_wait(struct jn_connection *c, uint64_t ms)
{
	uv_update_time(c->server->uv); /* from now on, however long this turn of the loop took */
	c->due_ms = uv_now(c->server->uv) + ms;
	(void)uv_timer_start(&c->timer, on_timer, ms, 0); /* fails for closed handles only */
}

static void wait_for_body(struct jn_connection *c)
{
	uint64_t allowed = c->server->limits.body_timeout_ms + c->body_bytes / MIB * 1000;
	uint64_t now;

	uv_update_time(c->server->uv);
	now = uv_now(c->server->uv);
	allowed += c->body_since_ms;
	jn_connection_wait(c, allowed > now ? allowed - now : 0);
}

static void refuse(struct jn_connection *c, int rc, enum jn_error_kind kind, const char *sentence)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)jn_error_set(&err, rc, kind, "%s", sentence);
	jn_exchange_refuse(&c->exchange, &err);
}

/* Whoever was too slow is told, and not listened to any longer. */
static void give_up(struct jn_connection *c, const char *sentence)
{
	stop_reading(c);
	c->has_ended = true;
	refuse(c, -ETIMEDOUT, JN_ERROR_TIMEOUT, sentence);
}

static bool is_cut(const struct jn_connection *c)
{
	return c->server->is_closing && uv_now(c->server->uv) >= c->server->cut_ms;
}

static void on_deadline(struct jn_connection *c)
{
	switch (c->state) {
	case JN_CONNECTION_HEAD:
		give_up(c, "the request's head did not arrive in time; send it whole and at once");
		return;
	case JN_CONNECTION_BODY:
		give_up(c, "the request's body did not arrive in time; send it faster");
		return;
	case JN_CONNECTION_HANDLE:
		if (jn_peer_has_hung_up(fd_of(c)))
			break;
		jn_connection_wait(c, JN_TICK_MS);
		return;
	case JN_CONNECTION_ANSWER:
		if (!jn_exchange_moves(&c->exchange) || is_cut(c))
			break;
		jn_connection_wait(c, JN_TICK_MS);
		return;
	default: /* nobody wants anything any more */
		break;
	}
	jn_connection_close(c);
}

static void on_timer(uv_timer_t *timer)
{
	struct jn_connection *c = timer->data;

	if (c->is_broken)
		jn_connection_close(c);
	else if (uv_now(c->server->uv) > c->due_ms + LATE_MS)
		jn_connection_wait(c, LATE_MS); /* let what came meanwhile be read first */
	else
		on_deadline(c);
}

/* --- input ------------------------------------------------------------------------------------- */

static void enter_body(struct jn_connection *c)
{
	c->state = JN_CONNECTION_BODY;
	c->body_bytes = 0;
	uv_update_time(c->server->uv);
	c->body_since_ms = uv_now(c->server->uv);
	wait_for_body(c);
	begin_exchange(c);
}

static void enter_handle(struct jn_connection *c)
{
	const struct jn_http_handlers *h = &c->server->handlers;
	struct jn_exchange *x = &c->exchange;

	c->state = JN_CONNECTION_HANDLE;
	jn_connection_wait(c, JN_TICK_MS);
	h->end(h->arg, x, x->state);
}

static void react(struct jn_connection *c, enum jn_request_event event, struct jn_error *err)
{
	switch (event) {
	case JN_REQUEST_MORE:
		if (c->state == JN_CONNECTION_AWAIT && jn_request_has_begun(&c->exchange.request)) {
			c->state = JN_CONNECTION_HEAD;
			jn_connection_wait(c, c->server->limits.head_timeout_ms);
		} else if (c->state == JN_CONNECTION_BODY) {
			wait_for_body(c);
		}
		return;
	case JN_REQUEST_HEAD:
		enter_body(c);
		return;
	case JN_REQUEST_COMPLETE:
		enter_handle(c);
		return;
	case JN_REQUEST_BAD:
		jn_exchange_refuse(&c->exchange, err);
		return;
	}
}

/* Use bytes until they are used up or somebody must answer first; returns how many. */
static size_t use_input(struct jn_connection *c, const char *data, size_t size)
{
	enum jn_request_event event;
	size_t at = 0;

	do {
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		size_t used;

		event = jn_request_feed(&c->exchange.request, data + at, size - at, &used, &err);
		at += used;
		if (is_receiving(c)) /* a handler may have answered in the middle of a body */
			react(c, event, &err);
	} while (event != JN_REQUEST_MORE && is_receiving(c));
	return at;
}

/* Bytes that belong to a later request, or to nobody. */
static void keep(struct jn_connection *c, const char *data, size_t size)
{
	if (!c->exchange.request.is_complete || c->state >= JN_CONNECTION_LINGER)
		return; /* the rest of a request that was answered already */
	jn_buffer_add(&c->pending, data, size);
	if (jn_buffer_failed(&c->pending))
		c->is_broken = true; /* the timer runs in every state */
	if (c->pending.size - c->pending_at >= JN_INPUT_BYTES)
		stop_reading(c);
}

static void on_end(struct jn_connection *c, bool is_error)
{
	c->has_ended = true;
	stop_reading(c);
	if (is_error || jn_peer_has_hung_up(fd_of(c)) || c->state == JN_CONNECTION_AWAIT ||
	    c->state == JN_CONNECTION_LINGER)
		jn_connection_close(c);
	else if (is_receiving(c)) /* it may still listen */
		refuse(c, -EPIPE, JN_ERROR_BAD_REQUEST,
		       "the connection was closed in the middle of the request; send it whole");
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct jn_connection *c = handle->data;
	bool had_its_turn = c->read_turn == c->server->turn;

	(void)suggested;
	/* Without room libuv reads on in the next turn: libuv itself would read 32 times in one. */
	*buf = uv_buf_init(c->server->input, had_its_turn ? 0 : sizeof(c->server->input));
	c->read_turn = c->server->turn;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	struct jn_connection *c = stream->data;
	size_t used = 0;

	if (size == UV_ENOBUFS) /* see on_alloc */
		return;
	if (size < 0) {
		on_end(c, size != UV_EOF);
		return;
	}
	if (is_receiving(c))
		used = use_input(c, buf->base, (size_t)size);
	if (used < (size_t)size && !is_receiving(c))
		keep(c, buf->base + used, (size_t)size - used);
}

static int start_reading(struct jn_connection *c)
{
	int rc = 0;

	if (!c->is_reading && !c->has_ended)
		rc = uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
	if (!rc)
		c->is_reading = !c->has_ended;
	return rc;
}

/* --- after an answer --------------------------------------------------------------------------- */

static void linger(struct jn_connection *c)
{
	c->state = JN_CONNECTION_LINGER;
	jn_buffer_done(&c->pending);
	/* Our end of the talk, at once: what libuv would queue is written already. */
	if (c->has_ended || shutdown(fd_of(c), SHUT_WR) || start_reading(c)) {
		jn_connection_close(c);
		return;
	}
	jn_connection_wait(c, JN_LINGER_MS);
}

static void use_pending(struct jn_connection *c)
{
	size_t size = c->pending.size - c->pending_at;

	if (size)
		c->pending_at += use_input(c, c->pending.data + c->pending_at, size);
	if (c->pending_at == c->pending.size) {
		jn_buffer_done(&c->pending);
		c->pending_at = 0;
	} else if (c->pending_at >= JN_INPUT_BYTES) { /* somebody who is always ahead of us */
		jn_buffer_consume(&c->pending, c->pending_at);
		c->pending_at = 0;
	}
	if (c->has_ended && is_receiving(c)) {
		on_end(c, false); /* between two requests, or within one */
		return;
	}
	if (c->pending.size - c->pending_at < JN_INPUT_BYTES && start_reading(c))
		c->is_broken = true; /* the timer runs in every state */
}

void jn_connection_answered(struct jn_connection *c)
{
	bool is_last = c->exchange.is_last, is_complete = c->exchange.request.is_complete;

	end_exchange(c);
	if ((is_last && is_complete) || c->server->is_closing) {
		jn_connection_close(c);
	} else if (is_last) {
		linger(c);
	} else {
		c->state = JN_CONNECTION_AWAIT;
		jn_connection_wait(c, c->server->limits.idle_timeout_ms);
		use_pending(c);
	}
}

/* --- life -------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	struct jn_connection *c = handle->data;

	if (--c->handles)
		return;
	jn_http_server_release(c->server);
	jn_exchange_done(&c->exchange);
	jn_buffer_done(&c->pending);
	free(c->peer.groups);
	free(c);
}

static void unlink_connection(struct jn_connection *c)
{
	if (c->previous)
		c->previous->next = c->next;
	else
		c->server->connections = c->next;
	if (c->next)
		c->next->previous = c->previous;
}

void jn_connection_close(struct jn_connection *c)
{
	const struct jn_http_handlers *h = &c->server->handlers;
	struct jn_exchange *x = &c->exchange;

	if (c->state == JN_CONNECTION_CLOSED)
		return;
	c->state = JN_CONNECTION_CLOSED;
	if (x->has_begun) {
		x->has_begun = false;
		h->gone(h->arg, x, x->state);
	}
	unlink_connection(c);
	uv_close((uv_handle_t *)&c->pipe, on_closed); /* closes the fd at once */
	uv_close((uv_handle_t *)&c->timer, on_closed);
	jn_http_server_left(c->server, c);
}

bool jn_connection_is_left(const struct jn_connection *c)
{
	char byte;

	if (c->state != JN_CONNECTION_AWAIT &&
	    (c->state != JN_CONNECTION_ANSWER || !jn_peer_has_hung_up(fd_of(c))))
		return false;
	return c->pending_at == c->pending.size &&
	       recv(fd_of(c), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void jn_connection_stop(struct jn_connection *c)
{
	if (c->state != JN_CONNECTION_ANSWER)
		jn_connection_close(c);
}

static void link_connection(struct jn_http_server *s, struct jn_connection *c)
{
	c->next = s->connections;
	if (c->next)
		c->next->previous = c;
	s->connections = c;
	s->handles++;
	if (c->has_place)
		s->clients++;
	else
		s->refused++;
}

int jn_connection_open(struct jn_http_server *s, int fd, struct jn_peer *peer,
		       struct jn_error *refusal)
{
	struct jn_connection *c = calloc(1, sizeof(*c));

	if (!c || uv_pipe_init(s->uv, &c->pipe, 0)) {
		free(c);
		free(peer->groups);
		close(fd);
		return -ENOMEM;
	}
	(void)uv_timer_init(s->uv, &c->timer); /* never fails */
	c->server = s;
	c->peer = *peer;
	c->has_place = !refusal;
	c->handles = 2;
	c->pipe.data = c->timer.data = c;
	jn_request_init(&c->exchange.request, s->limits.head_bytes, on_body, c);
	link_connection(s, c);
	if (uv_pipe_open(&c->pipe, fd)) {
		close(fd);
		jn_connection_close(c);
		return -EIO;
	}
	if (refusal) {
		jn_exchange_refuse(&c->exchange, refusal);
		return 0;
	}
	/* A connection that says nothing must not stay: its first head is due from now on. */
	c->state = JN_CONNECTION_AWAIT;
	jn_connection_wait(c, s->limits.head_timeout_ms);
	if (start_reading(c)) {
		jn_connection_close(c);
		return -EIO;
	}
	return 0;
}
