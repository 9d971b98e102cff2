/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP server's own parts: shared by http_*.c, by nobody else.
 *
 * A connection and the one exchange it may carry:
 *
 *	          first byte        head               last byte
 *	AWAIT ────────────> HEAD ─────────> BODY ─────────────> HANDLE ──answer──> ANSWER
 *	  ^                   │ fault, too slow │ fault, answer    │                  │
 *	  │                   └────────────────┴──────> ANSWER <──┘                  │
 *	  └───────────────────── written, and the connection goes on ────────────────┤
 *	                  LINGER <── written, and more of the request may come ──────┤
 *	                     └──> CLOSED <── written, or broken, or too slow ────────┘
 */
#ifndef JUNCTOR_LOOP_HTTP_INTERNAL_H
#define JUNCTOR_LOOP_HTTP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/buffer.h"
#include "base/error.h"
#include "loop/http_request.h"
#include "loop/http_server.h"

#define JN_INPUT_BYTES 65536	  /* read in one turn; and kept of pipelined requests */
#define JN_TICK_MS 1000		  /* how often a connection that waits is looked at */
#define JN_LINGER_MS 2000	  /* for the end of a talk: see LINGER, jn_http_server_close */
#define JN_MAX_REFUSED_CLIENTS 32 /* beyond the limit, that are being told so */
#define JN_ACCEPT_PAUSE_MS 100	  /* without file descriptors, unless a connection ends sooner */

enum jn_connection_state {
	JN_CONNECTION_AWAIT,
	JN_CONNECTION_HEAD,
	JN_CONNECTION_BODY,
	JN_CONNECTION_HANDLE,
	JN_CONNECTION_ANSWER,
	JN_CONNECTION_LINGER,
	JN_CONNECTION_CLOSED
};

struct jn_exchange {
	struct jn_request request;
	void *state;	  /* the handler's */
	bool has_begun;	  /* the handler knows of it, and of its end it must be told */
	bool is_answered; /* no more calls of the handler but produce and gone */
	bool is_last;	  /* the connection ends with this answer */
	bool is_chunked;
	jn_produce_fn produce; /* NULL: all there is is in `body` */
	struct jn_buffer head, body;
	char frame[24]; /* size of a chunk */
	uv_write_t write;
	size_t queued;	   /* bytes libuv had not written at the last look */
	uint64_t moved_ms; /* when that number last changed */
};

struct jn_connection {
	struct jn_http_server *server;
	struct jn_connection *next, *previous;
	uv_pipe_t pipe;
	uv_timer_t timer;
	unsigned handles; /* that libuv still owns */
	struct jn_peer peer;
	bool has_place; /* a client; else one too many, who is told so */
	enum jn_connection_state state;
	bool is_reading;
	uint64_t read_turn; /* of the loop, when this one was read last */
	bool has_ended;	    /* the peer will send nothing more, or nothing that is read */
	bool is_broken;	    /* to be closed as soon as nobody is in the middle of it */
	uint64_t due_ms;
	uint64_t body_since_ms, body_bytes;
	struct jn_buffer pending; /* received, for later */
	size_t pending_at;
	struct jn_exchange exchange;
};

struct jn_http_server {
	uv_loop_t *uv;
	struct jn_http_limits limits;
	struct jn_http_handlers handlers;
	char *path;
	dev_t device; /* with inode: the socket file that is ours */
	ino_t inode;
	bool has_made_folder;
	int fd;
	int reserve_fd; /* given up for a moment when there is no other left; -1: given up */
	uv_poll_t poll;
	uv_timer_t pause;
	uv_check_t check;
	uint64_t turn;	  /* of the loop */
	unsigned handles; /* that libuv still owns, a connection counting as one */
	struct jn_connection *connections;
	unsigned clients, refused;
	bool is_closing;
	uint64_t cut_ms; /* when what is still being answered then is cut */
	void (*closed)(void *arg);
	void *closed_arg;
	char input[JN_INPUT_BYTES]; /* of whoever is read right now */
};

/* --- http_listen.c: the socket file ------------------------------------------------------------ */
/* Fills fd, device and inode of the server. */
int jn_http_listen(struct jn_http_server *s, const char *group, struct jn_error *err);
/* Closes the fd; removes the file if it is still ours. */
void jn_http_unlisten(struct jn_http_server *s);

/* --- http_peer.c ------------------------------------------------------------------------------- */
/* Ask the kernel who is at the other end. The caller frees groups. */
int jn_peer_read(int fd, struct jn_peer *out);
/* Has the peer closed its whole end, not only stopped sending? */
bool jn_peer_has_hung_up(int fd);

/* --- http_server.c ----------------------------------------------------------------------------- */
/* A connection's fd is closed; its memory may still be there. */
void jn_http_server_left(struct jn_http_server *s, const struct jn_connection *c);
/* The last callback of a handle that the server counts. */
void jn_http_server_release(struct jn_http_server *s);

/* --- http_connection.c ------------------------------------------------------------------------- */
/*
 * Take fd and peer over and serve it; with refusal only tell it that. On failure both are closed.
 */
int jn_connection_open(struct jn_http_server *s, int fd, struct jn_peer *peer,
		       struct jn_error *refusal);
/* Ends it at once. Its memory goes with its last handle. */
void jn_connection_close(struct jn_connection *c);
/* It will ask nothing more, and there is nobody to take an answer. */
bool jn_connection_is_left(const struct jn_connection *c);
/* The server goes down: an answer under way may be taken until cut_ms, all else ends at once. */
void jn_connection_stop(struct jn_connection *c);
/* Wait this long in the present state, from now on. */
void jn_connection_wait(struct jn_connection *c, uint64_t ms);
/* The answer is written whole. */
void jn_connection_answered(struct jn_connection *c);

/* --- http_answer.c ----------------------------------------------------------------------------- */
/* Answer a fault of the transport; the connection ends with it. err may be changed. */
void jn_exchange_refuse(struct jn_exchange *x, struct jn_error *err);
/* The bytes of such an answer, for a connection that is not served. */
void jn_http_format_refusal(struct jn_http_server *s, struct jn_error *err, struct jn_buffer *out);
/* A look at an answer under way: false when the client has taken nothing for too long. */
bool jn_exchange_moves(struct jn_exchange *x);
void jn_exchange_done(struct jn_exchange *x);

struct jn_connection *jn_exchange_connection(const struct jn_exchange *x);

#endif
