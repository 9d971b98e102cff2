/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor delete: one object. New connections stop at once; open ones go on.
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
	enum jn_kind kind = JN_KIND_MAX;
	const char *namespace_;
	int code = jn_ask_open(command, &client);

	if (!code)
		code = jn_ask_for_object(client, command, "DELETE", &kind, &answer);
	if (code)
		return code;
	namespace_ = jn_kind_names(kind)->has_no_namespace ? "" : jn_ask_namespace(command);
	jn_view_add_reference(&text, jn_kind_names(kind)->kind, namespace_, command->name);
	jn_buffer_add_text(&text, " deleted\n");
	return jn_text_put(&text);
}
