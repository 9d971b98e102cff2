/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor wait: until the kernel serves a generation. junctord keeps the time, and answers when it
 * is over; junctor itself waits a little longer than that.
 */
#include "base/auto.h"
#include "cli/ask.h"
#include "cli/text.h"

#define GRACE_MS 10000

int jn_cli_wait(const struct jn_command *command)
{
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *document = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	struct jn_request request = { .method = "GET",
				      .timeout_ms = command->timeout_seconds * 1000 + GRACE_MS };
	int code = jn_ask_open(command, &client);

	if (code)
		return code;
	jn_buffer_printf(&text, "/v1/wait?timeoutSeconds=%u", command->timeout_seconds);
	if (command->generation)
		jn_buffer_printf(&text, "&generation=%s", command->generation);
	request.target = jn_buffer_text(&text);
	code = jn_ask(client, &request, &answer);
	if (!code)
		code = jn_ask_read(answer.body.data, answer.body.size, &document);
	if (code)
		return code;
	jn_buffer_clear(&text);
	jn_buffer_printf(&text, "the kernel serves generation %lld\n",
			 (long long)jn_json_integer(jn_json_get(document, "installedGeneration")));
	return jn_text_put(&text);
}
