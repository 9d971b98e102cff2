/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor delete: one service or policy. New connections stop at once; open ones go on.
 */
#include "base/auto.h"
#include "cli/ask.h"
#include "cli/text.h"
#include "cli/view.h"
#include "proto/object.h"

int jn_cli_delete(const struct jn_command *command)
{
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	enum jn_kind kind = command->noun == JN_NOUN_POLICY ? JN_KIND_TRAFFIC_POLICY
							    : JN_KIND_LOCAL_SERVICE;
	int code = jn_ask_open(command, &client);

	if (!code)
		code = jn_ask_for_object(client, command, "DELETE", &answer);
	if (code)
		return code;
	jn_view_add_reference(&text, jn_kind_names(kind)->kind, jn_ask_namespace(command),
			      command->name);
	jn_buffer_add_text(&text, " deleted\n");
	return jn_text_put(&text);
}
