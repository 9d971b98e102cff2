/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor verify: which entries of the kernel tables are not as declared. junctord repairs them by
 * itself within a minute.
 */
#include "base/auto.h"
#include "cli/ask.h"
#include "cli/columns.h"
#include "cli/text.h"

static void add_drifts(struct jn_buffer *out, const struct jn_json *drifts)
{
	static const char *const heads[] = { "OBJECT", "ENTRY", "FOUND", "EXPECTED", NULL };
	static const char *const keys[] = { "object", "entry", "found", "expected" };
	JN_AUTO(jn_columns_done) struct jn_columns columns;

	jn_columns_init(&columns, heads);
	for (size_t i = 0; i < jn_json_count(drifts); i++) {
		for (size_t k = 0; k < JN_COUNT(keys); k++) {
			const char *text =
				jn_json_text(jn_json_get(jn_json_at(drifts, i), keys[k]));

			jn_columns_add(&columns, text ? text : "");
		}
	}
	jn_columns_write(&columns, "", out);
}

static void add_verification(struct jn_buffer *out, const struct jn_json *answer)
{
	int64_t found = jn_json_integer(jn_json_get(answer, "found"));
	const struct jn_json *drifts = jn_json_get(answer, "drifts");

	if (found)
		add_drifts(out, drifts);
	if (found > (int64_t)jn_json_count(drifts))
		jn_buffer_printf(out, "and %lld more\n",
				 (long long)(found - (int64_t)jn_json_count(drifts)));
	jn_buffer_printf(out,
			 "%lld services compared, %lld entries of the kernel tables are not as "
			 "declared%s\n",
			 (long long)jn_json_integer(jn_json_get(answer, "services")),
			 (long long)found, found ? "; junctord repairs them within a minute" : "");
}

int jn_cli_verify(const struct jn_command *command)
{
	static const struct jn_request request = { .method = "GET",
						   .target = "/v1/verify",
						   .timeout_ms = JN_PATIENCE_MS };
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *body = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	int code = jn_ask_open(command, &client);

	if (!code)
		code = jn_ask(client, &request, &answer);
	if (!code)
		code = jn_ask_read(answer.body.data, answer.body.size, &body);
	if (code)
		return code;
	if (command->output == JN_OUTPUT_JSON)
		jn_text_add_json(&text, answer.body.data, answer.body.size);
	else
		add_verification(&text, body);
	code = jn_text_put(&text);
	if (!code && jn_json_integer(jn_json_get(body, "found")))
		code = JN_EXIT_FAILED;
	return code;
}
