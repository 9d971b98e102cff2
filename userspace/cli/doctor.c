/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor doctor: what `junctord --offline doctor` found on this machine, a line each, the bad ones
 * first. Warnings do not change the exit code: there may be reasons for them.
 */
#include <string.h>

#include "base/auto.h"
#include "cli/cli.h"
#include "cli/offline.h"
#include "cli/text.h"

static const struct {
	const char *result, *mark;
} results[] = {
	{ "Failure", "FAILED   " },
	{ "Warning", "warning  " },
	{ "Good", "ok       " },
};

static void add_finding(struct jn_buffer *out, const char *mark, const struct jn_json *finding)
{
	const char *check = jn_json_text(jn_json_get(finding, "check"));
	const char *message = jn_json_text(jn_json_get(finding, "message"));

	jn_buffer_add_text(out, mark);
	jn_text_add_visible(out, check ? check : "");
	jn_buffer_add_text(out, ": ");
	jn_text_add_visible(out, message ? message : "");
	jn_buffer_add_text(out, "\n");
}

static void add_findings(struct jn_buffer *out, const struct jn_json *findings, size_t kind)
{
	for (size_t i = 0; i < jn_json_count(findings); i++) {
		const struct jn_json *finding = jn_json_at(findings, i);
		const char *result = jn_json_text(jn_json_get(finding, "result"));

		if (result && !strcmp(result, results[kind].result))
			add_finding(out, results[kind].mark, finding);
	}
}

static void add_report(struct jn_buffer *out, const struct jn_json *report)
{
	for (size_t kind = 0; kind < JN_COUNT(results); kind++)
		add_findings(out, jn_json_get(report, "findings"), kind);
	jn_buffer_printf(out, "\n%lld failed, %lld warnings\n",
			 (long long)jn_json_integer(jn_json_get(report, "failures")),
			 (long long)jn_json_integer(jn_json_get(report, "warnings")));
}

int jn_cli_doctor(const struct jn_command *command)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer answer = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *report = NULL;
	struct jn_offline call = jn_offline_of("doctor");
	int code;

	jn_offline_add(&call, "--pin-dir", command->pin_dir);
	jn_offline_add(&call, "--cgroup", command->cgroup);
	code = jn_offline_ask(&call, &answer, &report);
	if (code)
		return code;
	if (command->output == JN_OUTPUT_JSON)
		jn_text_add_json(&text, answer.data, answer.size);
	else
		add_report(&text, report);
	code = jn_text_put(&text);
	if (!code && jn_json_integer(jn_json_get(report, "failures")))
		code = JN_EXIT_FAILED;
	return code;
}
