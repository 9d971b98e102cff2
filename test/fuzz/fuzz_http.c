/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes of a client on the control socket, to the real HTTP server on a real socket.
 *
 * The first two bytes of the input say how the rest is cut and how the client leaves. Said at once or
 * in pieces, the answers are the same: whole HTTP answers, one for each request that a handler
 * answered, in turn, and at most one refusal, the last. A client that leaves in the middle leaves
 * nothing behind.
 *
 * Handlers, by path:
 *	/early	  answers 403 as soon as the head is there
 *	/later	  answers at the next turn of the loop
 *	/stream	  answers STREAM_PIECES pieces
 *	any other answers with the path, the parameter a, the header X and the body
 */
#include "server_bed.h"

#include "base/auto.h"
#include "base/error.h"
#include "loop/http_server.h"

#define STREAM_PIECES 3
#define MAX_ANSWERS 4096

struct state {
	struct jn_exchange *exchange;
	struct jn_timer *timer;
	struct jn_buffer body;
	unsigned pieces;
};

static struct jn_http_server *server;
static unsigned begun, gone;
/* What the handlers answered on the present connection, in turn. */
static struct answered {
	int status;
	bool has_no_body; /* to a HEAD */
	size_t size;
} answered[MAX_ANSWERS];
static size_t answered_count;

/* --- handlers ---------------------------------------------------------------------------------- */

static bool is_admin(void *arg, const struct jn_peer *peer)
{
	(void)arg;
	CHECK(peer->uid == getuid());
	return true;
}

static void note_answer(struct jn_exchange *x, int status, size_t size)
{
	CHECK(answered_count < MAX_ANSWERS);
	answered[answered_count++] = (struct answered){
		.status = status,
		.has_no_body = !strcmp(jn_exchange_method(x), "HEAD"),
		.size = size,
	};
}

static void answer(struct jn_exchange *x, int status, struct jn_buffer *body)
{
	struct jn_answer_head head = { .status = status, .content_type = "text/plain" };

	CHECK(!jn_buffer_failed(body));
	note_answer(x, status, body->size);
	jn_exchange_answer(x, &head, body);
}

static void answer_echo(struct state *s)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	const char *a = jn_exchange_query(s->exchange, "a");
	const char *header = jn_exchange_header(s->exchange, "x");

	for (unsigned i = 0; jn_exchange_query_name(s->exchange, i); i++)
		CHECK(jn_exchange_query(s->exchange, jn_exchange_query_name(s->exchange, i)));
	jn_buffer_printf(&body, "%s %s %s %s ", jn_exchange_method(s->exchange),
			 jn_exchange_path(s->exchange), a ? a : "-", header ? header : "-");
	jn_buffer_add(&body, s->body.data, s->body.size);
	answer(s->exchange, 200, &body);
}

static void on_begin(void *arg, struct jn_exchange *x, void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	(void)arg;
	CHECK(s && jn_exchange_path(x)[0] == '/');
	begun++;
	s->exchange = x;
	*state = s;
	if (!strcmp(jn_exchange_path(x), "/early")) {
		struct jn_buffer body = { 0 };

		jn_buffer_add_text(&body, "no");
		answer(x, 403, &body);
	}
}

static void on_body(void *arg, struct jn_exchange *x, void *state, const char *data, size_t size)
{
	struct state *s = state;

	(void)arg;
	CHECK(s->exchange == x && size);
	jn_buffer_add(&s->body, data, size);
}

static void on_later(void *arg)
{
	struct state *s = arg;

	s->timer = NULL;
	answer_echo(s);
}

static bool produce(void *arg, void *state, struct jn_buffer *out)
{
	struct state *s = state;

	(void)arg;
	jn_buffer_add_text(out, "a piece\n");
	return ++s->pieces == STREAM_PIECES;
}

static void on_end(void *arg, struct jn_exchange *x, void *state)
{
	static const struct jn_answer_head head = { .status = 200, .content_type = "text/plain" };
	struct state *s = state;

	(void)arg;
	CHECK(s->exchange == x);
	if (!strcmp(jn_exchange_path(x), "/later")) {
		CHECK(!jn_timer_start(loop, 0, on_later, s, &s->timer));
	} else if (!strcmp(jn_exchange_path(x), "/stream")) {
		note_answer(x, 200, STREAM_PIECES * strlen("a piece\n"));
		jn_exchange_stream(x, &head, produce);
	} else {
		answer_echo(s);
	}
}

static void on_gone(void *arg, struct jn_exchange *x, void *state)
{
	struct state *s = state;

	(void)arg;
	CHECK(s->exchange == x);
	jn_timer_stop(&s->timer);
	jn_buffer_done(&s->body);
	free(s);
	gone++;
}

static int refuse(void *arg, struct jn_error *err, struct jn_buffer *out)
{
	(void)arg;
	jn_buffer_add_text(out, jn_error_text(err));
	return err->kind == JN_ERROR_HEAD_TOO_LARGE ? 431 : 400;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_http_server_options options = {
		.limits = { .clients = 4,
			    .clients_per_uid = 4,
			    .head_bytes = 1024,
			    .head_timeout_ms = 60000,
			    .body_timeout_ms = 60000,
			    .idle_timeout_ms = 60000,
			    .write_timeout_ms = 60000 },
		.handlers = { .is_admin = is_admin,
			      .begin = on_begin,
			      .body = on_body,
			      .end = on_end,
			      .gone = on_gone,
			      .refuse = refuse },
	};

	(void)argc;
	(void)argv;
	bed_open();
	options.loop = loop;
	options.path = socket_path;
	CHECK(!jn_http_server_open(&options, &server, &err));
	bed_hide_socket();
	return 0;
}

/* --- answers, as a client reads them ------------------------------------------------------------- */

struct reply {
	int status;
	size_t size; /* of the body */
};

/* The value of a header between `head` and `end`, or NULL. */
static const char *header_of(const char *head, const char *end, const char *name)
{
	const char *found = memmem(head, (size_t)(end - head), name, strlen(name));

	return found ? found + strlen(name) : NULL;
}

/* A chunked body; returns the first byte behind it. */
static const char *skip_chunks(const char *at, const char *end, size_t *size)
{
	for (;;) {
		char *after;
		size_t chunk = strtoul(at, &after, 16);

		CHECK(after > at && after + 2 <= end && !memcmp(after, "\r\n", 2));
		at = after + 2;
		CHECK(chunk <= (size_t)(end - at) && (size_t)(end - at) - chunk >= 2);
		at += chunk;
		CHECK(!memcmp(at, "\r\n", 2));
		at += 2;
		*size += chunk;
		if (!chunk)
			return at;
	}
}

/* One answer; returns the first byte behind it. */
static const char *read_reply(const char *at, const char *end, bool has_no_body, struct reply *out)
{
	const char *body = memmem(at, (size_t)(end - at), "\r\n\r\n", 4), *length;

	CHECK(body && !strncmp(at, "HTTP/1.1 ", 9));
	body += 4;
	*out = (struct reply){ .status = atoi(at + 9) };
	length = header_of(at, body, "\r\nContent-Length: ");
	if (out->status == 100 || has_no_body)
		return body;
	if (header_of(at, body, "\r\nTransfer-Encoding: chunked\r\n"))
		return skip_chunks(body, end, &out->size);
	/* HTTP/1.0 knows no chunks: a stream ends with the connection. */
	out->size = length ? strtoul(length, NULL, 10) : (size_t)(end - body);
	CHECK(out->size <= (size_t)(end - body));
	return body + out->size;
}

/*
 * Each is that of a handler, but for the last one, which may refuse what nobody could handle: its
 * sentence is taken out of what was heard, as the fault that is told may depend on the pieces.
 */
static void check_replies(struct jn_buffer *heard)
{
	const char *at = jn_buffer_text(heard), *end = at + heard->size;
	size_t count = 0;

	while (at < end) {
		bool is_ours = count < answered_count;
		const char *begin = at;
		struct reply reply;

		at = read_reply(at, end, is_ours && answered[count].has_no_body, &reply);
		if (reply.status == 100)
			continue;
		if (is_ours && reply.status == answered[count].status) {
			CHECK(answered[count].has_no_body || reply.size == answered[count].size);
			count++;
			continue;
		}
		CHECK(reply.status == 400 || reply.status == 431);
		CHECK(at == end);
		heard->size = (size_t)(begin - heard->data) + strlen("HTTP/1.1 400");
	}
	CHECK(count == answered_count);
}

/* --- clients ------------------------------------------------------------------------------------- */

/* The loop turns until the client has left and everything of it is gone. */
static void await_end(void)
{
	unsigned turns = 0;

	do { /* at least one, in which it is accepted */
		CHECK(turns++ < MAX_TURNS);
		turn();
	} while (jn_http_server_clients(server) || begun != gone);
}

/* Say it in pieces (seed 0: at once), hear all that comes. */
static void talk(const char *text, size_t size, uint32_t seed, struct jn_buffer *heard)
{
	struct pieces pieces = { seed };
	bool is_open = true;
	int fd = dial();

	answered_count = 0;
	for (size_t at = 0; at < size && is_open;) {
		size_t piece = seed ? next_piece(&pieces, size - at) : size;

		is_open = say(fd, text + at, piece, heard);
		at += piece;
		turn();
	}
	(void)shutdown(fd, SHUT_WR); /* fails where the server was faster */
	for (unsigned turns = 0; is_open; turns++) {
		CHECK(turns < MAX_TURNS);
		turn();
		is_open = hear(fd, heard);
	}
	(void)hear(fd, heard);
	CHECK(!close(fd));
	await_end();
}

/* Say a part of it and leave at once. */
static void leave_early(const char *text, size_t size, uint32_t seed)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	struct pieces pieces = { seed };
	int fd = dial();

	answered_count = 0;
	for (size_t at = 0; at < size;) {
		size_t piece = next_piece(&pieces, size - at);

		if (!say(fd, text + at, piece, &heard))
			break;
		at += piece;
		if (seed & 1)
			turn();
	}
	CHECK(!close(fd));
	await_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer whole = { 0 }, pieces = { 0 };
	JN_AUTO(jn_free_mem) char *text = NULL;
	uint32_t seed;

	if (size < 2)
		return 0;
	seed = 1 + data[0];
	text = malloc(size - 2 ? size - 2 : 1);
	memcpy(text, data + 2, size - 2);
	talk(text, size - 2, 0, &whole);
	check_replies(&whole);
	talk(text, size - 2, seed, &pieces);
	check_replies(&pieces);
	CHECK(whole.size == pieces.size && !memcmp(whole.data, pieces.data, whole.size));
	leave_early(text, (size - 2) * data[1] / 255, seed);
	return 0;
}
