/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor status: what /v1/status says, for a person; its exit code tells a script whether anything
 * is wrong. A generation that is just being published is nothing wrong.
 */
#include "base/auto.h"
#include "cli/ask.h"
#include "cli/columns.h"
#include "cli/text.h"

static const char *text_of(const struct jn_json *value)
{
	const char *text = jn_json_text(value);

	return text ? text : "";
}

static void add_generation(struct jn_buffer *out, const struct jn_json *status)
{
	const struct jn_json *installed = jn_json_get(status, "installedGeneration");

	jn_buffer_printf(out, "Generation:  %lld declared, %lld in the kernel, %s\n",
			 (long long)jn_json_integer(jn_json_get(status, "generation")),
			 (long long)jn_json_integer(installed),
			 jn_json_bool(jn_json_get(status, "synced")) ? "in sync" : "not in sync");
}

static bool has_error(const struct jn_json *source)
{
	return jn_json_get(source, "error") != NULL;
}

static size_t count_errors(const struct jn_json *sources)
{
	size_t count = 0;

	for (size_t i = 0; i < jn_json_count(sources); i++)
		count += has_error(jn_json_at(sources, i));
	return count;
}

static void add_staleness(struct jn_buffer *out, const struct jn_json *source)
{
	const struct jn_json *seconds = jn_json_get(source, "stalenessSeconds");

	jn_buffer_printf(out, " for %lld s", (long long)jn_json_integer(seconds));
}

static void add_sources(struct jn_buffer *out, const struct jn_json *sources)
{
	jn_buffer_add_text(out, "Sources:     ");
	for (size_t i = 0; i < jn_json_count(sources); i++) {
		const struct jn_json *source = jn_json_at(sources, i);
		bool is_synced = jn_json_bool(jn_json_get(source, "synced"));

		jn_buffer_add_text(out, i ? ", " : "");
		jn_text_add_visible(out, text_of(jn_json_get(source, "name")));
		jn_buffer_add_text(out, is_synced ? " in sync" : " NOT in sync");
		if (!is_synced)
			add_staleness(out, source);
	}
	jn_buffer_add_text(out, "\n");
	for (size_t i = 0; i < jn_json_count(sources); i++) {
		if (!has_error(jn_json_at(sources, i)))
			continue;
		jn_buffer_add_text(out, "  - ");
		jn_text_add_visible(out, text_of(jn_json_get(jn_json_at(sources, i), "name")));
		jn_buffer_add_text(out, ": ");
		jn_text_add_visible(out, text_of(jn_json_get(jn_json_at(sources, i), "error")));
		jn_buffer_add_text(out, "\n");
	}
}

static bool is_attached(const struct jn_json *hook)
{
	return jn_json_bool(jn_json_get(hook, "attached"));
}

static size_t count_attached(const struct jn_json *hooks)
{
	size_t count = 0;

	for (size_t i = 0; i < jn_json_count(hooks); i++)
		count += is_attached(jn_json_at(hooks, i));
	return count;
}

/* What nobody could try out counts as effective: that it is attached is all that is known. */
static bool is_effective(const struct jn_json *hook)
{
	const struct jn_json *effective = jn_json_get(hook, "effective");

	return !effective || jn_json_bool(effective);
}

static void add_hook(struct jn_buffer *out, const struct jn_json *hook)
{
	jn_text_add_visible(out, text_of(jn_json_get(hook, "name")));
	if (!is_attached(hook))
		jn_buffer_add_text(out, " (NOT attached)");
	else if (!is_effective(hook))
		jn_buffer_add_text(out, " (NOT effective)");
	else if (!jn_json_get(hook, "effective"))
		jn_buffer_add_text(out, " (not tried out)");
}

static void add_hooks(struct jn_buffer *out, const struct jn_json *hooks)
{
	jn_buffer_printf(out, "Hooks:       %zu of %zu attached", count_attached(hooks),
			 jn_json_count(hooks));
	for (size_t i = 0; i < jn_json_count(hooks); i++) {
		jn_buffer_add_text(out, i ? ", " : ": ");
		add_hook(out, jn_json_at(hooks, i));
	}
	jn_buffer_add_text(out, "\n");
}

static bool is_available(const struct jn_json *feature)
{
	return jn_json_bool(jn_json_get(feature, "available"));
}

static void add_features(struct jn_buffer *out, const struct jn_json *features)
{
	size_t count = jn_json_count(features);

	if (!count) /* an older junctord, or they are just being tried */
		return;
	jn_buffer_add_text(out, "Features:    ");
	for (size_t i = 0; i < count; i++) {
		jn_buffer_add_text(out, i ? ", " : "");
		jn_text_add_visible(out, text_of(jn_json_get(jn_json_at(features, i), "name")));
		if (!is_available(jn_json_at(features, i)))
			jn_buffer_add_text(out, " (NOT available)");
	}
	jn_buffer_add_text(out, "\n");
	for (size_t i = 0; i < count; i++) {
		if (is_available(jn_json_at(features, i)))
			continue;
		jn_buffer_add_text(out, "  - ");
		jn_text_add_visible(out, text_of(jn_json_get(jn_json_at(features, i), "reason")));
		jn_buffer_add_text(out, "\n");
	}
}

static void add_process(struct jn_buffer *out, const struct jn_json *process)
{
	long long own = (long long)jn_json_integer(jn_json_get(process, "privateBytes"));
	long long all = (long long)jn_json_integer(jn_json_get(process, "residentBytes"));
	long long cpu_ms = (long long)jn_json_integer(jn_json_get(process, "cpuMilliseconds"));

	if (!process) /* an older junctord */
		return;
	jn_buffer_printf(out,
			 "Process:     %.1f MiB of its own (%.1f MiB with the tables), %lld of "
			 "%lld files, "
			 "%lld threads,\n             %lld.%03lld s of CPU and %lld wakeups in "
			 "%lld s\n",
			 (double)own / 1048576, (double)all / 1048576,
			 (long long)jn_json_integer(jn_json_get(process, "openFiles")),
			 (long long)jn_json_integer(jn_json_get(process, "maxFiles")),
			 (long long)jn_json_integer(jn_json_get(process, "threads")), cpu_ms / 1000,
			 cpu_ms % 1000, (long long)jn_json_integer(jn_json_get(process, "wakeups")),
			 (long long)jn_json_integer(jn_json_get(process, "uptimeSeconds")));
}

static void add_degraded(struct jn_buffer *out, const struct jn_json *sentences)
{
	size_t count = jn_json_count(sentences);

	jn_buffer_printf(out, "Degraded:    %s\n", count ? "yes" : "no");
	for (size_t i = 0; i < count; i++) {
		jn_buffer_add_text(out, "  - ");
		jn_text_add_visible(out, text_of(jn_json_at(sentences, i)));
		jn_buffer_add_text(out, "\n");
	}
}

/* 100 only where it is full: 99.9 is 99. */
static int64_t percent(int64_t used, int64_t max)
{
	return max > 0 ? (int64_t)((double)used * 100 / (double)max) : 0;
}

static void add_limits(struct jn_buffer *out, const struct jn_json *limits)
{
	static const char *const heads[] = { "LIMIT", "USED", "MAX", "FULL", NULL };
	JN_AUTO(jn_columns_done) struct jn_columns columns;
	const struct jn_json *limit;
	void *at = NULL;
	const char *name;

	jn_columns_init(&columns, heads);
	while (limits && jn_json_next(limits, &at, &name, &limit)) {
		int64_t used = jn_json_integer(jn_json_get(limit, "used"));
		int64_t max = jn_json_integer(jn_json_get(limit, "max"));

		jn_columns_add(&columns, name);
		jn_buffer_printf(&columns.cell, "%lld", (long long)used);
		jn_columns_take(&columns);
		jn_buffer_printf(&columns.cell, "%lld", (long long)max);
		jn_columns_take(&columns);
		jn_buffer_printf(&columns.cell, "%lld%%", (long long)percent(used, max));
		jn_columns_take(&columns);
	}
	jn_columns_write(&columns, "", out);
}

static void add_status(struct jn_buffer *out, const struct jn_json *status)
{
	jn_buffer_add_text(out, "Version:     ");
	jn_text_add_visible(out, text_of(jn_json_get(status, "version")));
	jn_buffer_add_text(out, "\n");
	add_generation(out, status);
	add_sources(out, jn_json_get(status, "sources"));
	add_hooks(out, jn_json_get(status, "hooks"));
	add_features(out, jn_json_get(status, "features"));
	add_process(out, jn_json_get(status, "process"));
	add_degraded(out, jn_json_get(status, "degraded"));
	jn_buffer_add_text(out, "\n");
	add_limits(out, jn_json_get(status, "limits"));
}

int jn_cli_status(const struct jn_command *command)
{
	static const struct jn_request request = { .method = "GET",
						   .target = "/v1/status",
						   .timeout_ms = JN_PATIENCE_MS };
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *status = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	const struct jn_json *hooks;
	int code;

	if (command->is_offline)
		return jn_cli_status_offline(command);
	if (command->pin_dir) {
		jn_text_say("--pin-dir goes with --offline; give both, or neither");
		return JN_EXIT_USAGE;
	}
	code = jn_ask_open(command, &client);
	if (!code)
		code = jn_ask(client, &request, &answer);
	if (!code)
		code = jn_ask_read(answer.body.data, answer.body.size, &status);
	if (code)
		return code;
	if (command->output == JN_OUTPUT_JSON)
		jn_text_add_json(&text, answer.body.data, answer.body.size);
	else
		add_status(&text, status);
	code = jn_text_put(&text);
	hooks = jn_json_get(status, "hooks");
	if (jn_json_count(jn_json_get(status, "degraded")) ||
	    count_errors(jn_json_get(status, "sources")) ||
	    count_attached(hooks) < jn_json_count(hooks))
		code = code ? code : JN_EXIT_DEGRADED;
	return code;
}
