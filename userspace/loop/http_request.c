/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The head is kept as it came, in memory that does not move, and llhttp is fed from there: names and
 * values are pieces of it, closed with a 0 once the head is complete. The end of the head is found
 * here, so that no byte of a body ever stands behind it; the body is fed from where it was received.
 */
#include "loop/http_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/vec.h"
#include "loop/http_target.h"

static int fault(struct jn_request *r, enum jn_error_kind kind, const char *sentence)
{
	return jn_error_set(r->err, -1, kind, "%s", sentence); /* -1: what llhttp calls an error */
}

/* --- what llhttp finds ------------------------------------------------------------------------- */

static int on_target(llhttp_t *parser, const char *at, size_t size)
{
	struct jn_request *r = parser->data;

	if (!r->target)
		r->target = r->head + (at - r->head);
	r->target_size += size; /* each piece follows the one before: the memory does not move */
	return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t size)
{
	struct jn_request *r = parser->data;
	struct jn_pair *pair;

	if (r->is_head_complete) /* trailers mean nothing here */
		return 0;
	if (!r->name_size) {
		pair = jn_vec_add(&r->headers);
		if (!pair)
			return fault(r, JN_ERROR_INTERNAL, "out of memory; try again in a moment");
		pair->name = r->head + (at - r->head);
		r->value_size = 0;
	}
	r->name_size += size;
	return 0;
}

static int on_name_complete(llhttp_t *parser)
{
	struct jn_request *r = parser->data;

	if (r->is_head_complete)
		return 0;
	if (!r->name_size)
		return fault(r, JN_ERROR_BAD_REQUEST,
			     "a header has no name; write every header as \"Name: value\"");
	r->headers.items[r->headers.count - 1].name[r->name_size] = '\0'; /* over the colon */
	r->name_size = 0;
	return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
	struct jn_request *r = parser->data;
	struct jn_pair *pair;

	if (r->is_head_complete || !size)
		return 0;
	pair = &r->headers.items[r->headers.count - 1];
	if (!pair->value)
		pair->value = r->head + (at - r->head);
	r->value_size += size;
	return 0;
}

static int on_value_complete(llhttp_t *parser)
{
	struct jn_request *r = parser->data;
	static char none[1];
	struct jn_pair *pair;

	if (r->is_head_complete)
		return 0;
	pair = &r->headers.items[r->headers.count - 1];
	if (!pair->value)
		pair->value = none;
	else
		pair->value[r->value_size] = '\0'; /* over the white space or CR behind it */
	while (r->value_size && strchr(" \t", pair->value[r->value_size - 1]))
		pair->value[--r->value_size] = '\0';
	return 0;
}

static unsigned count_headers(const struct jn_request *r, const char *name)
{
	unsigned count = 0;

	for (size_t i = 0; i < r->headers.count; i++)
		count += !strcasecmp(r->headers.items[i].name, name);
	return count;
}

/* What llhttp lets through and this server does not. */
static int check_head(struct jn_request *r)
{
	const char *coding = jn_request_header(r, "Transfer-Encoding");
	unsigned hosts = count_headers(r, "Host");

	if (r->parser.http_major != 1)
		return fault(r, JN_ERROR_BAD_REQUEST,
			     "this socket speaks HTTP/1.1 (and 1.0) only; ask with HTTP/1.1");
	if (r->parser.upgrade)
		return fault(r, JN_ERROR_BAD_REQUEST,
			     "this socket speaks HTTP/1.1 only: no CONNECT, no upgrade; leave the "
			     "Upgrade header out");
	if (hosts > 1 || (!hosts && !jn_request_is_1_0(r)))
		return fault(r, JN_ERROR_BAD_REQUEST,
			     "HTTP/1.1 wants exactly one Host header; any value will do, \"Host: "
			     "junctor\" for example");
	if (coding && (jn_request_is_1_0(r) || strcasecmp(coding, "chunked") != 0 ||
		       count_headers(r, "Transfer-Encoding") > 1))
		return fault(r, JN_ERROR_BAD_REQUEST,
			     "the only Transfer-Encoding taken is \"chunked\", once and with "
			     "HTTP/1.1; send the body like that, or with Content-Length");
	return 0;
}

static int on_head(llhttp_t *parser)
{
	struct jn_request *r = parser->data;

	r->is_head_complete = true;
	if (check_head(r))
		return -1;
	r->target[r->target_size] = '\0'; /* over the space behind it */
	if (jn_target_split(r->target, &r->query, r->err)) {
		(void)fault(r, JN_ERROR_INTERNAL, "out of memory; try again in a moment");
		return -1;
	}
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
	struct jn_request *r = parser->data;

	r->on_body(r->arg, at, size);
	return 0;
}

static int on_complete(llhttp_t *parser)
{
	struct jn_request *r = parser->data;

	r->is_complete = true;
	return HPE_PAUSED; /* the bytes behind it are the next request's */
}

static const llhttp_settings_t settings = {
	.on_url = on_target,
	.on_header_field = on_name,
	.on_header_field_complete = on_name_complete,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_head,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

/* --- life -------------------------------------------------------------------------------------- */

void jn_request_init(struct jn_request *r, size_t head_limit,
		     void (*body_fn)(void *arg, const char *data, size_t size), void *arg)
{
	*r = (struct jn_request){ .head_limit = head_limit, .on_body = body_fn, .arg = arg };
	llhttp_init(&r->parser, HTTP_REQUEST, &settings);
	r->parser.data = r;
}

void jn_request_done(struct jn_request *r)
{
	free(r->head);
	free(r->headers.items);
	free(r->query.items);
	r->head = NULL;
	r->headers = r->query = (struct jn_pairs){ 0 };
}

void jn_request_reset(struct jn_request *r)
{
	jn_request_done(r);
	jn_request_init(r, r->head_limit, r->on_body, r->arg);
}

bool jn_request_has_begun(const struct jn_request *r)
{
	return r->head_size || r->skipped;
}

/* --- bytes ------------------------------------------------------------------------------------- */

static enum jn_request_event bad(struct jn_request *r)
{
	/* The first sentence stays: this one is for faults that only llhttp saw. */
	(void)jn_error_set(r->err, -EINVAL, JN_ERROR_BAD_REQUEST,
			   "not an HTTP/1.1 request (%s); talk to this socket with curl, or see "
			   "how it does",
			   llhttp_get_error_reason(&r->parser));
	return JN_REQUEST_BAD;
}

/* Take one byte of the head; false: it must not stand there. */
static bool take_head_byte(struct jn_request *r, char c)
{
	if (c == '\n' && r->last != '\r') {
		(void)fault(r, JN_ERROR_BAD_REQUEST,
			    "a line of the head ends with LF alone; end it with CR LF");
		return false;
	}
	if (r->last == '\n' && (c == ' ' || c == '\t')) {
		(void)fault(r, JN_ERROR_BAD_REQUEST,
			    "a header is folded over two lines; write it on one");
		return false;
	}
	if (c == '\n')
		r->line_ends++;
	else if (c != '\r')
		r->line_ends = 0;
	r->last = c;
	r->head[r->head_size++] = c;
	return true;
}

static enum jn_request_event feed_head(struct jn_request *r, const char *data, size_t size,
				       size_t *used)
{
	size_t at = 0, from;

	if (!r->head)
		r->head = malloc(r->head_limit + 1);
	if (!r->head) {
		(void)fault(r, JN_ERROR_INTERNAL, "out of memory; try again in a moment");
		return JN_REQUEST_BAD;
	}
	while (!r->head_size && at < size && (data[at] == '\r' || data[at] == '\n'))
		at++; /* empty lines before a request are nobody's */
	r->skipped += at;
	from = r->head_size;
	while (at < size && r->line_ends < 2 && r->head_size + r->skipped < r->head_limit) {
		if (!take_head_byte(r, data[at++]))
			return JN_REQUEST_BAD;
	}
	*used = at;
	if (llhttp_execute(&r->parser, r->head + from, r->head_size - from) != HPE_OK &&
	    !r->is_complete)
		return bad(r);
	if (r->is_head_complete)
		return JN_REQUEST_HEAD;
	if (r->line_ends == 2)
		return bad(r); /* llhttp reads on where we saw the end: nobody should decide that */
	if (r->head_size + r->skipped < r->head_limit)
		return JN_REQUEST_MORE;
	(void)jn_error_set(r->err, -EINVAL, JN_ERROR_HEAD_TOO_LARGE,
			   "the request's head is larger than the limit of %zu bytes; send fewer "
			   "or shorter headers",
			   r->head_limit);
	return JN_REQUEST_BAD;
}

static enum jn_request_event feed_body(struct jn_request *r, const char *data, size_t size,
				       size_t *used)
{
	llhttp_errno_t rc;

	*used = size;
	if (r->is_complete) { /* there is no body */
		*used = 0;
		return JN_REQUEST_COMPLETE;
	}
	rc = llhttp_execute(&r->parser, data, size);
	if (r->is_complete) {
		*used = (size_t)(llhttp_get_error_pos(&r->parser) - data);
		return JN_REQUEST_COMPLETE;
	}
	return rc == HPE_OK ? JN_REQUEST_MORE : bad(r);
}

enum jn_request_event jn_request_feed(struct jn_request *r, const char *data, size_t size,
				      size_t *used, struct jn_error *err)
{
	enum jn_request_event event;

	*used = 0;
	r->err = err;
	event = r->is_head_complete ? feed_body(r, data, size, used)
				    : feed_head(r, data, size, used);
	r->err = NULL;
	return event;
}

/* --- questions --------------------------------------------------------------------------------- */

const char *jn_request_method(const struct jn_request *r)
{
	return llhttp_method_name((llhttp_method_t)r->parser.method);
}

bool jn_request_keeps_alive(const struct jn_request *r)
{
	return llhttp_should_keep_alive(&r->parser);
}

bool jn_request_is_1_0(const struct jn_request *r)
{
	return r->parser.http_minor == 0;
}

bool jn_request_expects_continue(const struct jn_request *r)
{
	const char *expect = jn_request_header(r, "Expect");

	return expect && !jn_request_is_1_0(r) && !strcasecmp(expect, "100-continue") &&
	       !r->is_complete;
}

const char *jn_request_header(const struct jn_request *r, const char *name)
{
	for (size_t i = 0; i < r->headers.count; i++) {
		if (!strcasecmp(r->headers.items[i].name, name))
			return r->headers.items[i].value;
	}
	return NULL;
}
