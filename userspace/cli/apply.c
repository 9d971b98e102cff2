/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor apply: a file, or standard input, to /v1/apply. It is read to its end before anything is
 * sent: whoever writes it may be slow, and junctord gives a request only so long. What is in it
 * junctord checks, and answers for the whole of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "cli/ask.h"
#include "cli/documents.h"
#include "cli/text.h"
#include "cli/view.h"
#include "proto/object.h"
#include "proto/yaml.h"

static int read_file(const char *path, struct jn_buffer *out)
{
	bool is_stdin = !strcmp(path, "-");
	JN_AUTO(jn_close_fd) int fd = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	int rc = !is_stdin && fd < 0 ? -errno : 0;

	if (!rc)
		rc = jn_buffer_read(out, is_stdin ? STDIN_FILENO : fd, JN_MAX_STREAM_BYTES);
	if (rc && rc != -EFBIG) {
		jn_text_say("%s cannot be read (%s); give a file with JSON or YAML, or - for "
			    "standard input",
			    is_stdin ? "standard input" : path, strerror(-rc));
		return JN_EXIT_FAILED;
	}
	if (!rc)
		return JN_EXIT_OK;
	jn_text_say("%s is larger than the limit of %u bytes; split it into several",
		    is_stdin ? "standard input" : path, JN_MAX_STREAM_BYTES);
	return JN_EXIT_REJECTED;
}

/* By its name; where that says nothing, JSON begins with a bracket. */
static bool is_yaml(const char *path, const struct jn_buffer *text)
{
	enum jn_file_form form = jn_file_form(path);
	size_t at = 0;

	if (form != JN_FILE_UNKNOWN)
		return form == JN_FILE_YAML;
	while (at < text->size && memchr(" \t\r\n", text->data[at], 4))
		at++;
	return at < text->size && text->data[at] != '{' && text->data[at] != '[';
}

/* YAML documents become JSON lines, each on the line on which it begins. */
static int convert(const char *path, struct jn_buffer *text)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_yaml_done) struct jn_yaml yaml = { 0 };
	int rc = jn_yaml_read(text->data, text->size, &yaml, &err);

	if (rc == -ENOMEM)
		jn_text_say("out of memory for the file; free some, or split it");
	else if (rc)
		jn_text_say("%s: %s", path, jn_error_text(&err));
	if (rc)
		return rc == -ENOMEM ? JN_EXIT_FAILED : JN_EXIT_REJECTED;
	jn_buffer_done(text);
	*text = yaml.json;
	yaml.json = (struct jn_buffer){ 0 };
	return JN_EXIT_OK;
}

/* The text as junctord wants it: documents in a row become JSON lines. */
static int prepare(const char *path, struct jn_buffer *text)
{
	struct jn_buffer lines = { 0 };

	if (is_yaml(path, text))
		return convert(path, text);
	if (!jn_documents_are_long(text->data, text->size))
		return JN_EXIT_OK;
	jn_documents_to_lines(text->data, text->size, &lines);
	jn_buffer_done(text);
	*text = lines;
	if (!jn_buffer_failed(text))
		return JN_EXIT_OK;
	jn_text_say("out of memory for the file; free some, or split it");
	return JN_EXIT_FAILED;
}

static void add_results(struct jn_buffer *out, const struct jn_json *results)
{
	for (size_t i = 0; i < jn_json_count(results); i++) {
		const struct jn_json *one = jn_json_at(results, i);
		const char *kind = jn_json_text(jn_json_get(one, "kind"));
		const char *namespace_ = jn_json_text(jn_json_get(one, "namespace"));
		const char *name = jn_json_text(jn_json_get(one, "name"));
		const char *result = jn_json_text(jn_json_get(one, "result"));

		if (!kind || !name || !result)
			continue; /* not from this junctord */
		jn_view_add_reference(out, kind, namespace_ ? namespace_ : "", name);
		jn_buffer_printf(out, " %s\n", result);
	}
}

int jn_cli_apply(const struct jn_command *command)
{
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *document = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	struct jn_request request = { .method = "POST",
				      .target = "/v1/apply",
				      .timeout_ms = JN_PATIENCE_MS };
	int code = read_file(command->file, &text);

	if (!code)
		code = prepare(command->file, &text);
	if (!code)
		code = jn_ask_open(command, &client);
	if (code)
		return code;
	request.body = text.size ? text.data : "";
	request.size = text.size;
	code = jn_ask(client, &request, &answer);
	if (!code)
		code = jn_ask_read(answer.body.data, answer.body.size, &document);
	if (code)
		return code;
	jn_buffer_clear(&text);
	add_results(&text, jn_json_get(document, "results"));
	return jn_text_put(&text);
}
