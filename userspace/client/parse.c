/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What llhttp finds in an answer. Headers are read by llhttp alone: a head of any length takes no
 * memory.
 */
#include "client/parse.h"

#include <errno.h>

#include "base/auto.h"

#define STOP (-1) /* what a callback returns to end the parsing */

void jn_answer_done(struct jn_answer *answer)
{
	jn_buffer_done(&answer->body);
	*answer = (struct jn_answer){ 0 };
}

/* --- what llhttp finds ------------------------------------------------------------------------- */

static int on_body(llhttp_t *llhttp, const char *at, size_t size)
{
	struct jn_parser *p = llhttp->data;

	jn_buffer_add(&p->answer->body, at, size);
	p->is_out_of_memory = jn_buffer_failed(&p->answer->body);
	return p->is_out_of_memory ? STOP : 0;
}

static int on_complete(llhttp_t *llhttp)
{
	struct jn_parser *p = llhttp->data;

	if (llhttp->status_code < 200) /* "100 Continue" and the like: the answer comes behind it */
		return 0;
	p->answer->status = llhttp->status_code;
	p->keeps_alive = llhttp_should_keep_alive(llhttp);
	p->is_complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_body = on_body,
	.on_message_complete = on_complete,
};

/* --- the parser -------------------------------------------------------------------------------- */

void jn_parser_init(struct jn_parser *p, struct jn_answer *answer)
{
	*p = (struct jn_parser){ .answer = answer };
	llhttp_init(&p->llhttp, HTTP_RESPONSE, &settings);
	p->llhttp.data = p;
}

int jn_parser_feed(struct jn_parser *p, const char *data, size_t size)
{
	llhttp_errno_t error = llhttp_execute(&p->llhttp, data, size);

	if (p->is_complete) {
		const char *end = llhttp_get_error_pos(&p->llhttp);

		if (end && end < data + size) /* bytes that nobody asked for */
			p->keeps_alive = false;
		return 1;
	}
	if (error == HPE_OK)
		return 0;
	return p->is_out_of_memory ? -ENOMEM : -EPROTO;
}

int jn_parser_end(struct jn_parser *p)
{
	(void)llhttp_finish(&p->llhttp); /* tells on_complete where the end is the body's end */
	p->keeps_alive = false;
	if (p->is_complete)
		return 1;
	return p->is_out_of_memory ? -ENOMEM : -ECONNRESET;
}

bool jn_parser_keeps_alive(const struct jn_parser *p)
{
	return p->is_complete && p->keeps_alive;
}
