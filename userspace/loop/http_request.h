/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One HTTP/1.x request as its bytes come in: the only user of llhttp. Stricter than llhttp: lines of
 * the head end with CR LF and are never folded, there is exactly one Host (HTTP/1.0 may have none),
 * the target is a path, a body is framed by one Content-Length or by "chunked" alone.
 *
 * It does NOT know sockets, time or what paths mean. States:
 *
 *	HEAD ──last empty line──> BODY ──last byte of it──> COMPLETE      (any) ──fault──> no way on
 */
#ifndef JUNCTOR_LOOP_HTTP_REQUEST_H
#define JUNCTOR_LOOP_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include <llhttp.h>

#include "base/error.h"

/* A name and its value, both inside the head's memory and 0-terminated. */
struct jn_pair {
	char *name, *value;
};

struct jn_pairs {
	struct jn_pair *items;
	size_t count, capacity;
};

struct jn_request {
	llhttp_t parser;
	size_t head_limit;
	char *head; /* head_limit bytes and one more, from the first byte on */
	size_t head_size, skipped;
	bool is_head_complete, is_complete;
	char last;	    /* the byte before, in the head */
	unsigned line_ends; /* that follow each other */
	char *target;
	size_t target_size, name_size, value_size; /* of what is being read */
	struct jn_pairs headers, query;
	void (*on_body)(void *arg, const char *data, size_t size);
	void *arg;
	struct jn_error *err; /* while bytes are being fed */
};

enum jn_request_event {
	JN_REQUEST_MORE,     /* all bytes are used and more are needed */
	JN_REQUEST_HEAD,     /* the head is complete: path, query and headers can be asked for */
	JN_REQUEST_COMPLETE, /* the request is complete; the bytes behind it were not touched */
	JN_REQUEST_BAD	     /* err is set; the connection is good for nothing but an answer */
};

/* on_body(arg, …) is called for each piece of a body. Nothing is allocated yet. */
void jn_request_init(struct jn_request *r, size_t head_limit,
		     void (*on_body)(void *arg, const char *data, size_t size), void *arg);
void jn_request_done(struct jn_request *r);
/* Ready for the next request of the connection. */
void jn_request_reset(struct jn_request *r);

/* Use some of these bytes: *used of them. After HEAD feed on, maybe with no bytes at all. */
enum jn_request_event jn_request_feed(struct jn_request *r, const char *data, size_t size,
				      size_t *used, struct jn_error *err);

/* Has a byte of the request come? */
bool jn_request_has_begun(const struct jn_request *r);

/* --- valid from JN_REQUEST_HEAD to the reset ---------------------------------------------------- */
const char *jn_request_method(const struct jn_request *r);
bool jn_request_keeps_alive(const struct jn_request *r);
bool jn_request_is_1_0(const struct jn_request *r);
/* The client waits for "100 Continue" before it sends the body. */
bool jn_request_expects_continue(const struct jn_request *r);
/* The value of this header, the first one where there are several; NULL where there is none. */
const char *jn_request_header(const struct jn_request *r, const char *name);

#endif
