/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor trace: `junctord --offline trace` runs the program and answers JSON; a line for each step
 * is made of it here.
 */
#include <stdio.h>

#include "base/auto.h"
#include "cli/cli.h"
#include "cli/offline.h"
#include "cli/text.h"

static void add_line(struct jn_buffer *out, const char *head, const struct jn_json *message)
{
	const char *text = jn_json_text(message);

	jn_buffer_add_text(out, head);
	jn_text_add_visible(out, text ? text : "");
	jn_buffer_add_text(out, "\n");
}

static void add_trace(struct jn_buffer *out, const struct jn_json *trace)
{
	const struct jn_json *steps = jn_json_get(trace, "steps");
	const struct jn_json *verdict = jn_json_get(trace, "verdict");
	const char *reason = jn_json_text(jn_json_get(verdict, "reason"));

	for (size_t i = 0; i < jn_json_count(steps); i++) {
		char head[32];

		(void)snprintf(head, sizeof(head), "%3zu  ", i + 1);
		add_line(out, head, jn_json_get(jn_json_at(steps, i), "message"));
	}
	jn_buffer_add_text(out, "Verdict: ");
	jn_text_add_visible(out, reason ? reason : "");
	add_line(out, ": ", jn_json_get(verdict, "meaning"));
	add_line(out, "Outcome: ", jn_json_get(verdict, "message"));
}

int jn_cli_trace(const struct jn_command *command)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer answer = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *trace = NULL;
	struct jn_offline call = jn_offline_of("trace");
	int code;

	jn_offline_add(&call, "--to", command->to);
	jn_offline_add(&call, "--from", command->from);
	jn_offline_add(&call, "--netns", command->netns);
	if (command->is_udp)
		jn_offline_add_word(&call, "--udp");
	jn_offline_add(&call, "--pin-dir", command->pin_dir);
	code = jn_offline_ask(&call, &answer, &trace);
	if (code)
		return code;
	if (command->output == JN_OUTPUT_JSON)
		jn_text_add_json(&text, answer.data, answer.size);
	else
		add_trace(&text, trace);
	return jn_text_put(&text);
}
