/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What llhttp finds in an answer. Of the headers only Junctor-Generation is kept; a head of any
 * length takes no memory.
 */
#include "client/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"

#define GENERATION "Junctor-Generation"
#define STOP (-1) /* what a callback returns to end the parsing */

void jn_answer_done(struct jn_answer *answer)
{
	jn_buffer_done(&answer->body);
	free(answer->generation);
	*answer = (struct jn_answer){ 0 };
}

/* --- what llhttp finds ------------------------------------------------------------------------- */

static void append(char *text, size_t *text_size, const char *at, size_t size)
{
	const size_t room = sizeof(((struct jn_parser *)NULL)->name);

	for (size_t i = 0; i < size; i++, (*text_size)++) {
		if (*text_size < room)
			text[*text_size] = at[i];
	}
}

static int on_name(llhttp_t *llhttp, const char *at, size_t size)
{
	struct jn_parser *p = llhttp->data;

	append(p->name, &p->name_size, at, size);
	return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t size)
{
	struct jn_parser *p = llhttp->data;

	append(p->value, &p->value_size, at, size);
	return 0;
}

static int on_value_complete(llhttp_t *llhttp)
{
	struct jn_parser *p = llhttp->data;
	bool is_generation = p->name_size == strlen(GENERATION) &&
			     !strncasecmp(p->name, GENERATION, p->name_size);

	if (is_generation && p->value_size <= sizeof(p->value) && !p->answer->generation) {
		p->answer->generation = strndup(p->value, p->value_size);
		p->is_out_of_memory = !p->answer->generation;
	}
	p->name_size = p->value_size = 0;
	return p->is_out_of_memory ? STOP : 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
	const struct jn_parser *p = llhttp->data;

	return p->is_head_only ? 1 : 0; /* 1: no body follows */
}

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
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

/* --- the parser -------------------------------------------------------------------------------- */

void jn_parser_init(struct jn_parser *p, bool is_head_only, struct jn_answer *answer)
{
	*p = (struct jn_parser){ .answer = answer, .is_head_only = is_head_only };
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
