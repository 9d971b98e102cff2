/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A probe over HTTP/1.1: one GET, of whose answer only the status counts. Headers are read by llhttp
 * alone and take no memory.
 */
#include <stdio.h>

#include "base/version.h"
#include "probe/answer.h"

#define STOP (-1) /* what a callback returns to end the parsing */

void jn_http_write_request(const struct jn_probe *probe, const char *authority,
			   struct jn_buffer *out)
{
	jn_buffer_printf(out,
			 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: junctor/" JN_VERSION "\r\n"
			 "Accept: */*\r\nConnection: close\r\n\r\n",
			 probe->path, *probe->host ? probe->host : authority);
}

/* "100 Continue" and the like: the answer comes behind it. Nobody asked for 101. */
static int on_head(llhttp_t *parser)
{
	struct jn_http_reply *r = parser->data;

	if (parser->status_code < 200 && parser->status_code != 101)
		return 0;
	r->has_head = true;
	return STOP;
}

static const llhttp_settings_t settings = { .on_headers_complete = on_head };

void jn_http_reply_init(struct jn_http_reply *r)
{
	*r = (struct jn_http_reply){ 0 };
	llhttp_init(&r->parser, HTTP_RESPONSE, &settings);
	r->parser.data = r;
}

enum jn_answer_kind jn_http_reply_feed(struct jn_http_reply *r, const char *data, size_t size,
				       char why[JN_PROBE_REASON_BYTES])
{
	llhttp_errno_t error = llhttp_execute(&r->parser, data, size);
	unsigned status = r->parser.status_code;

	if (r->has_head && status >= 200 && status < 400)
		return JN_ANSWER_GOOD;
	if (!r->has_head && error == HPE_OK)
		return JN_ANSWER_MORE;
	if (r->has_head)
		(void)snprintf(why, JN_PROBE_REASON_BYTES, "HTTP status %u", status);
	else
		(void)snprintf(why, JN_PROBE_REASON_BYTES, "its answer is not HTTP");
	return JN_ANSWER_BAD;
}
