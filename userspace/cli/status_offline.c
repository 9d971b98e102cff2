/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor status --offline: what the kernel holds, for a person, whether a junctord answers or not.
 */
#include "base/auto.h"
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/offline.h"
#include "cli/text.h"

static long long number_of(const struct jn_json *object, const char *key)
{
	return (long long)jn_json_integer(jn_json_get(object, key));
}

static void add_hooks(struct jn_buffer *out, const struct jn_json *hooks)
{
	size_t attached = 0;

	for (size_t i = 0; i < jn_json_count(hooks); i++)
		attached += jn_json_bool(jn_json_get(jn_json_at(hooks, i), "attached"));
	jn_buffer_printf(out, "Hooks:       %zu of %zu attached", attached, jn_json_count(hooks));
	for (size_t i = 0; i < jn_json_count(hooks); i++) {
		const struct jn_json *hook = jn_json_at(hooks, i);
		const char *name = jn_json_text(jn_json_get(hook, "name"));
		bool is_attached = jn_json_bool(jn_json_get(hook, "attached"));

		jn_buffer_add_text(out, i ? ", " : ": ");
		jn_text_add_visible(out, name ? name : "");
		jn_buffer_add_text(out, is_attached ? "" : " (NOT attached)");
	}
	jn_buffer_add_text(out, "\n");
}

static void add_degraded(struct jn_buffer *out, const struct jn_json *sentences)
{
	jn_buffer_printf(out, "Degraded:    %s\n", jn_json_count(sentences) ? "yes" : "no");
	for (size_t i = 0; i < jn_json_count(sentences); i++) {
		const char *text = jn_json_text(jn_json_at(sentences, i));

		jn_buffer_add_text(out, "  - ");
		jn_text_add_visible(out, text ? text : "");
		jn_buffer_add_text(out, "\n");
	}
}

static void add_tables(struct jn_buffer *out, const struct jn_json *tables)
{
	static const char *const heads[] = { "TABLE", "USED", "ENTRIES", NULL };
	JN_AUTO(jn_columns_done) struct jn_columns columns;
	const struct jn_json *table;
	void *at = NULL;
	const char *name;

	jn_columns_init(&columns, heads);
	while (tables && jn_json_next(tables, &at, &name, &table)) {
		jn_columns_add(&columns, name);
		jn_buffer_printf(&columns.cell, "%lld", number_of(table, "used"));
		jn_columns_take(&columns);
		jn_buffer_printf(&columns.cell, "%lld", number_of(table, "entries"));
		jn_columns_take(&columns);
	}
	jn_columns_write(&columns, "", out);
}

static void add_decisions(struct jn_buffer *out, const struct jn_json *decisions)
{
	static const char *const heads[] = { "DECISION", "COUNT", NULL };
	JN_AUTO(jn_columns_done) struct jn_columns columns;
	const struct jn_json *count;
	void *at = NULL;
	const char *name;

	jn_columns_init(&columns, heads);
	while (decisions && jn_json_next(decisions, &at, &name, &count)) {
		jn_columns_add(&columns, name);
		jn_buffer_printf(&columns.cell, "%lld", (long long)jn_json_integer(count));
		jn_columns_take(&columns);
	}
	jn_columns_write(&columns, "", out);
}

static void add_status(struct jn_buffer *out, const struct jn_json *status)
{
	bool is_running = jn_json_bool(jn_json_get(status, "running"));

	jn_buffer_printf(out, "junctord:    %s\n",
			 is_running ? "runs" : "does not run; the kernel serves what is below");
	jn_buffer_printf(out, "Generation:  %lld in the kernel, tables of version %lld\n",
			 number_of(status, "installedGeneration"),
			 number_of(status, "tableVersion"));
	add_hooks(out, jn_json_get(status, "hooks"));
	add_degraded(out, jn_json_get(status, "degraded"));
	jn_buffer_add_text(out, "\n");
	add_tables(out, jn_json_get(status, "tables"));
	jn_buffer_add_text(out, "\n");
	add_decisions(out, jn_json_get(status, "decisions"));
}

int jn_cli_status_offline(const struct jn_command *command)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer answer = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *status = NULL;
	struct jn_offline call = jn_offline_of("status");
	int code;

	jn_offline_add(&call, "--pin-dir", command->pin_dir);
	code = jn_offline_ask(&call, &answer, &status);
	if (code)
		return code;
	if (command->output == JN_OUTPUT_JSON)
		jn_text_add_json(&text, answer.data, answer.size);
	else
		add_status(&text, status);
	code = jn_text_put(&text);
	if (!code && jn_json_count(jn_json_get(status, "degraded")))
		code = JN_EXIT_DEGRADED;
	return code;
}
