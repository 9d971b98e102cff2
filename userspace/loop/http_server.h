/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An HTTP/1.1 server on a unix stream socket: accepts, knows who the peer is, parses with llhttp
 * (strict), keeps the limits and the deadlines, hands heads and bodies to its handlers, and writes
 * answers as fast as the client reads, never faster.
 *
 * One exchange per connection at a time; a pipelined request waits. What the handlers answer is
 * their business: this file knows no path, role or JSON, except that errors of the transport itself
 * (bad syntax, head too large, too slow, too many clients) are answered through `refuse`.
 */
#ifndef JUNCTOR_LOOP_HTTP_SERVER_H
#define JUNCTOR_LOOP_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct jn_loop;
struct jn_http_server;
struct jn_exchange; /* one request and its answer */

/* Who connected: credentials as they were at connect(), told by the kernel. */
struct jn_peer {
	uint32_t uid, gid, pid; /* SO_PEERCRED */
	uint32_t *groups; /* SO_PEERGROUPS: the supplementary ones; the connection owns them */
	unsigned group_count;
};

struct jn_http_limits {
	unsigned clients;	  /* connections at once; the last place is kept for admins */
	unsigned clients_per_uid; /* for all but uid 0 */
	size_t head_bytes;
	unsigned head_timeout_ms;
	unsigned body_timeout_ms; /* plus one second per MiB received */
	unsigned idle_timeout_ms;
	unsigned write_timeout_ms; /* without the client taking a byte */
};

/*
 * The handlers. `begin` is called when a head is complete, then `body` for each piece, then `end`;
 * none of the three any more once an answer was started (jn_exchange_answer or _stream). An answer
 * before the end of the request is the connection's last: what still comes is dropped. `gone` is
 * the last call of every exchange that began, answered or not, maybe from inside jn_http_server_close:
 * the handler frees what it put into *state.
 */
struct jn_http_handlers {
	void *arg;
	bool (*is_admin)(void *arg, const struct jn_peer *peer); /* may take the last place */
	void (*begin)(void *arg, struct jn_exchange *x, void **state);
	void (*body)(void *arg, struct jn_exchange *x, void *state, const char *data, size_t size);
	void (*end)(void *arg, struct jn_exchange *x, void *state);
	void (*gone)(void *arg, struct jn_exchange *x, void *state);
	/* Fill `out` with the body that tells this refusal; returns the HTTP status code. */
	int (*refuse)(void *arg, struct jn_error *err, struct jn_buffer *out);
};

struct jn_http_server_options {
	struct jn_loop *loop;
	const char *path;  /* of the socket */
	const char *group; /* owner group of the socket, 0660; where it does not exist: 0600 */
	struct jn_http_limits limits;
	struct jn_http_handlers handlers;
};

/*
 * Bind and listen. The folder is made (0750) when missing; a stale socket file is removed only
 * after a connect to it was refused. err says what is in the way.
 */
int jn_http_server_open(const struct jn_http_server_options *options, struct jn_http_server **out,
			struct jn_error *err);
/*
 * Stop accepting and close every connection, but one that is being answered only when the client has
 * taken the answer, or after two seconds; closed(arg) when the last handle is gone; *server is NULL
 * at once and freed by then. The socket file is removed.
 */
void jn_http_server_close(struct jn_http_server **server, void (*closed)(void *arg), void *arg);

/*
 * Another owner group of the socket, and of its folder where that was made for it: 0660; -1: there is
 * none, 0600. A negative errno: it stays as it was.
 */
int jn_http_server_set_group(struct jn_http_server *server, int64_t gid);

unsigned jn_http_server_clients(const struct jn_http_server *server);

/* --- what a handler may ask of the request (valid until `gone`) ------------------------------- */
const struct jn_peer *jn_exchange_peer(const struct jn_exchange *x);
const char *jn_exchange_method(const struct jn_exchange *x); /* "GET" */
const char *jn_exchange_path(const struct jn_exchange *x);   /* percent-decoded, no query */
/* Value of a query parameter, percent-decoded; NULL when absent, "" when it has no value. */
const char *jn_exchange_query(const struct jn_exchange *x, const char *name);
/* Walk the names of all query parameters: NULL past the last. */
const char *jn_exchange_query_name(const struct jn_exchange *x, unsigned index);
const char *jn_exchange_header(const struct jn_exchange *x, const char *name); /* or NULL */

/* --- the answer: exactly once ----------------------------------------------------------------- */
struct jn_header {
	const char *name, *value;
};

struct jn_answer_head {
	int status; /* HTTP status code */
	const char *content_type;
	const struct jn_header *headers; /* beyond our own; copied */
	size_t header_count;
};

/* A whole answer; takes the bytes of `body` (emptied). A body that failed is answered as 500. */
void jn_exchange_answer(struct jn_exchange *x, const struct jn_answer_head *head,
			struct jn_buffer *body);

/*
 * A long answer (chunked). produce is called whenever the client has taken what there was: it adds
 * some more bytes to `out` (about 64 KiB at most) and returns true when that was the last. Where
 * `out` failed the connection is cut, so that the client sees that something is missing.
 */
typedef bool (*jn_produce_fn)(void *arg, void *state, struct jn_buffer *out);
void jn_exchange_stream(struct jn_exchange *x, const struct jn_answer_head *head,
			jn_produce_fn produce);

#endif
