/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For tests of the HTTP server: a server on a real unix socket, whose loop runs on the main thread,
 * and clients on another.
 *
 * Handlers, by path:
 *	/echo	  answers "<method> <path> <query a> <body>" at the end of the request
 *	/early	  answers 403 as soon as the head is there
 *	/busy	  holds the loop for 50 ms, then answers as /echo does
 *	/later	  answers 50 ms after the end of the request
 *	/stream	  answers STREAM_PIECES pieces of PIECE_BYTES
 *	/never	  does not answer
 */
#ifndef JUNCTOR_TEST_HTTP_HARNESS_H
#define JUNCTOR_TEST_HTTP_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/clock.h"
#include "loop/http_internal.h"
#include "loop/http_server.h"
#include "loop/loop.h"

#define STREAM_PIECES 40
#define PIECE_BYTES 65536
#define PATIENCE_MS 10000 /* for what must happen */
#define POLL_MS 5

/* --- handlers ---------------------------------------------------------------------------------- */

struct state {
	struct jn_buffer body;
	struct jn_exchange *exchange;
	struct jn_timer *timer;
	unsigned pieces;
};

static struct jn_loop *loop;
static struct jn_http_server *server;
static bool everybody_is_admin;
static atomic_int begun, gone, open_exchanges;
static uint64_t read_turn;	    /* of the loop, when a piece of a body came last */
static size_t read_size, read_most; /* in that turn; in any */
static size_t kept_most;	    /* bytes allocated for pipelined requests */

static inline bool is_admin(void *arg, const struct jn_peer *peer)
{
	(void)arg;
	return everybody_is_admin || peer->uid == 0;
}

static inline void answer(struct jn_exchange *x, int status, struct jn_buffer *body)
{
	static const struct jn_header extra = { "X-Test", "yes" };
	struct jn_answer_head head = {
		.status = status, .content_type = "text/plain", .headers = &extra, .header_count = 1
	};

	jn_exchange_answer(x, &head, body);
}

static inline void on_begin(void *arg, struct jn_exchange *x, void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	(void)arg;
	begun++;
	open_exchanges++;
	s->exchange = x;
	*state = s;
	if (!strcmp(jn_exchange_path(x), "/early")) {
		struct jn_buffer body = { 0 };

		jn_buffer_add_text(&body, "no");
		answer(x, 403, &body);
	}
}

static inline void on_body(void *arg, struct jn_exchange *x, void *state, const char *data,
			   size_t size)
{
	struct state *s = state;

	(void)arg;
	if (read_turn != jn_exchange_connection(x)->server->turn)
		read_size = 0;
	read_turn = jn_exchange_connection(x)->server->turn;
	read_size += size;
	read_most = read_size > read_most ? read_size : read_most;
	jn_buffer_add(&s->body, data, size);
}

static inline void answer_echo(struct state *s)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	const char *a = jn_exchange_query(s->exchange, "a");

	jn_buffer_printf(&body, "%s %s %s ", jn_exchange_method(s->exchange),
			 jn_exchange_path(s->exchange), a ? a : "-");
	jn_buffer_add(&body, s->body.data, s->body.size);
	answer(s->exchange, 200, &body);
}

static inline void on_later(void *arg)
{
	struct state *s = arg;

	s->timer = NULL;
	answer_echo(s);
}

static inline bool produce(void *arg, void *state, struct jn_buffer *out)
{
	static char piece[PIECE_BYTES];
	struct state *s = state;

	(void)arg;
	memset(piece, 'a' + (int)(s->pieces % 26), sizeof(piece));
	jn_buffer_add(out, piece, sizeof(piece));
	return ++s->pieces == STREAM_PIECES;
}

static inline void on_end(void *arg, struct jn_exchange *x, void *state)
{
	static const struct jn_answer_head head = { .status = 200, .content_type = "text/plain" };
	size_t kept = jn_exchange_connection(x)->pending.capacity;
	const char *path = jn_exchange_path(x);
	struct state *s = state;

	(void)arg;
	kept_most = kept > kept_most ? kept : kept_most;
	if (!strcmp(path, "/never"))
		return;
	if (!strcmp(path, "/busy"))
		(void)usleep(50 * 1000);
	if (!strcmp(path, "/later"))
		(void)jn_timer_start(loop, 50, on_later, s, &s->timer);
	else if (!strcmp(path, "/stream"))
		jn_exchange_stream(x, &head, produce);
	else
		answer_echo(s);
}

static inline void on_gone(void *arg, struct jn_exchange *x, void *state)
{
	struct state *s = state;

	(void)arg;
	(void)x;
	jn_timer_stop(&s->timer);
	jn_buffer_done(&s->body);
	free(s);
	gone++;
	open_exchanges--;
}

static inline int refuse(void *arg, struct jn_error *err, struct jn_buffer *out)
{
	static const int codes[JN_ERROR_MAX] = {
		[JN_ERROR_BAD_REQUEST] = 400,
		[JN_ERROR_TIMEOUT] = 408,
		[JN_ERROR_BUSY] = 429,
		[JN_ERROR_HEAD_TOO_LARGE] = 431,
	};

	(void)arg;
	jn_buffer_add_text(out, jn_error_text(err));
	return codes[err->kind];
}

/* --- the server of a test ---------------------------------------------------------------------- */

static char folder[64], path[96];
static const char *failure; /* what the client found wrong */
static int failure_line;
static atomic_bool client_is_done;
static struct jn_timer *watch;

static const struct jn_http_limits usual = { .clients = 8,
					     .clients_per_uid = 3,
					     .head_bytes = 4096,
					     .head_timeout_ms = 5000,
					     .body_timeout_ms = 5000,
					     .idle_timeout_ms = 5000,
					     .write_timeout_ms = 5000 };

static inline struct jn_http_server_options options_of(const struct jn_http_limits *limits)
{
	return (struct jn_http_server_options){
		.loop = loop,
		.path = path,
		.limits = *limits,
		.handlers = { .is_admin = is_admin,
			      .begin = on_begin,
			      .body = on_body,
			      .end = on_end,
			      .gone = on_gone,
			      .refuse = refuse },
	};
}

static inline void on_closed(void *arg)
{
	*(bool *)arg = true;
}

static inline void on_watch(void *arg)
{
	if (!client_is_done)
		(void)jn_timer_start(loop, POLL_MS, on_watch, arg, &watch);
	else
		jn_http_server_close(&server, on_closed, arg);
}

struct client {
	void (*run)(void);
};

static inline void *run_client(void *arg)
{
	const struct client *client = arg;

	client->run();
	client_is_done = true;
	return NULL;
}

/* Serve until the client has run; every exchange that began must have ended. */
static inline void serve_with(const struct jn_http_limits *limits, void (*run)(void))
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_http_server_options options;
	struct client client = { run };
	bool is_closed = false;
	pthread_t thread;

	failure = NULL;
	client_is_done = false;
	begun = gone = open_exchanges = 0;
	read_most = kept_most = 0;
	assert_int_equal(jn_loop_new(&loop), 0);
	options = options_of(limits);
	assert_int_equal(jn_http_server_open(&options, &server, &err), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_client, &client), 0);
	on_watch(&is_closed);
	jn_loop_run(loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	jn_loop_free(&loop);
	if (failure)
		fail_msg("line %d: not true: %s", failure_line, failure);
	assert_true(is_closed);
	assert_null(server);
	assert_int_equal(begun, gone);
	assert_int_equal(access(path, F_OK), -1);
}

static inline void serve(void (*run)(void))
{
	serve_with(&usual, run);
}

/* In clients instead of assert_true, which must not be called outside the main thread. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			failure = #condition;                                                      \
			failure_line = __LINE__;                                                   \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* --- a client ---------------------------------------------------------------------------------- */

static inline int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline bool say(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static inline bool is_readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* What comes until the end of the connection, or until nothing came for a long time. */
static inline void hear_all(int fd, struct jn_buffer *out)
{
	char bytes[65536];

	while (is_readable(fd, PATIENCE_MS)) {
		ssize_t size = recv(fd, bytes, sizeof(bytes), 0);

		if (size <= 0)
			return;
		jn_buffer_add(out, bytes, (size_t)size);
	}
}

/* What comes until `end` stands at its end. */
static inline bool hear_until(int fd, const char *end, struct jn_buffer *out)
{
	size_t size = strlen(end);
	char byte;

	while (is_readable(fd, PATIENCE_MS) && recv(fd, &byte, 1, 0) == 1) {
		jn_buffer_add(out, &byte, 1);
		if (out->size >= size && !memcmp(out->data + out->size - size, end, size))
			return true;
	}
	return false;
}

static inline bool has_text(struct jn_buffer *b, const char *text)
{
	return strstr(jn_buffer_text(b), text) != NULL;
}

static inline bool starts_with(struct jn_buffer *b, const char *text)
{
	return !strncmp(jn_buffer_text(b), text, strlen(text));
}

static inline unsigned count_of(struct jn_buffer *b, const char *text)
{
	unsigned count = 0;

	for (const char *at = jn_buffer_text(b); (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}

/* Say all of this on a connection of its own and hear everything until it is closed. */
static inline bool ask(const char *text, struct jn_buffer *out)
{
	int fd = dial();
	bool is_said = fd >= 0 && say(fd, text);

	jn_buffer_clear(out);
	if (is_said)
		hear_all(fd, out);
	close(fd);
	return is_said;
}

#define HOST "Host: junctor\r\n"
#define LAST "Connection: close\r\n\r\n"

/* --- the group -------------------------------------------------------------------------------- */

static inline int setup(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN); /* as junctord does */
	(void)snprintf(folder, sizeof(folder), "/tmp/junctor-http-test.XXXXXX");
	if (!mkdtemp(folder) || chmod(folder, 0755))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/sock", folder);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	return rmdir(folder);
}

#endif
