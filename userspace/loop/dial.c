/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Outgoing connections over libuv: a socket and a timer, freed when libuv has let go of both.
 */
#include "loop/dial.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/auto.h"
#include "loop/internal.h"
#include "loop/loop.h"

#define LATE_MS 50 /* a timer this late was held up by us, not by the other side */
#define READ_BYTES 16384

struct jn_dial {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_connect_t connect;
	struct jn_dial_handlers handlers;
	uint64_t due_ms;
	unsigned open; /* handles that libuv still owns */
	bool is_stopped;
};

static void on_closed(uv_handle_t *handle)
{
	struct jn_dial *dial = handle->data;

	if (!--dial->open)
		free(dial);
}

void jn_dial_stop(struct jn_dial **dial)
{
	struct jn_dial *d = JN_MOVE(*dial);

	if (!d)
		return;
	d->is_stopped = true;
	uv_close((uv_handle_t *)&d->tcp, on_closed);
	uv_close((uv_handle_t *)&d->timer, on_closed);
}

static void on_timer(uv_timer_t *timer)
{
	struct jn_dial *dial = timer->data;
	uint64_t now = uv_now(timer->loop);

	/* Timers come before sockets: what has arrived while we were busy is read first. */
	if (now > dial->due_ms + LATE_MS) {
		dial->due_ms = now + LATE_MS;
		(void)uv_timer_start(timer, on_timer, LATE_MS, 0); /* fails for closed ones only */
		return;
	}
	dial->handlers.ended(dial->handlers.arg, -ETIMEDOUT);
}

/* One for all: libuv fills it and hands it over before it asks again. */
static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	static char room[READ_BYTES];

	(void)handle;
	(void)suggested;
	*out = uv_buf_init(room, sizeof(room));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	struct jn_dial *dial = stream->data;

	if (size > 0)
		dial->handlers.data(dial->handlers.arg, buf->base, (size_t)size);
	else if (size < 0)
		dial->handlers.ended(dial->handlers.arg, size == UV_EOF ? 0 : (int)size);
}

static void on_connect(uv_connect_t *connect, int status)
{
	struct jn_dial *dial = connect->data;

	if (dial->is_stopped)
		return;
	if (!status)
		status = uv_read_start((uv_stream_t *)&dial->tcp, give_room, on_read);
	if (status)
		dial->handlers.ended(dial->handlers.arg, status);
	else
		dial->handlers.connected(dial->handlers.arg);
}

int jn_dial_start(struct jn_loop *loop, const struct sockaddr *address, uint64_t timeout_ms,
		  const struct jn_dial_handlers *handlers, struct jn_dial **out)
{
	uv_loop_t *uv = jn_loop_uv(loop);
	struct jn_dial *dial = calloc(1, sizeof(*dial));
	int rc;

	if (!dial)
		return -ENOMEM;
	dial->handlers = *handlers;
	dial->tcp.data = dial->timer.data = dial->connect.data = dial;
	rc = uv_tcp_init(uv, &dial->tcp);
	if (rc) {
		free(dial);
		return rc;
	}
	(void)uv_timer_init(uv, &dial->timer); /* cannot fail */
	dial->open = 2;
	rc = uv_tcp_connect(&dial->connect, &dial->tcp, address, on_connect);
	if (rc) {
		jn_dial_stop(&dial);
		return rc;
	}
	uv_update_time(uv);
	dial->due_ms = uv_now(uv) + timeout_ms;
	(void)uv_timer_start(&dial->timer, on_timer, timeout_ms, 0); /* cannot fail */
	*out = dial;
	return 0;
}

int jn_dial_write(struct jn_dial *dial, const void *data, size_t size)
{
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)size);
	int rc = uv_try_write((uv_stream_t *)&dial->tcp, &buf, 1);

	if (rc < 0)
		return rc;
	return (size_t)rc == size ? 0 : -ENOBUFS;
}
