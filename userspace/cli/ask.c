/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One way for every verb to ask, and one table of what an HTTP status means to whoever called
 * junctor. A Status's causes are shown one a line, each with its field.
 */
#include "cli/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/version.h"
#include "cli/text.h"
#include "proto/object.h"

#define MAX_SHOWN 200 /* bytes of an answer that is no Status */
#define HELLO_MS 5000 /* of silence before anything is asked; more than its longest turn */

/* --- refusals ---------------------------------------------------------------------------------- */

static int code_of_status(int status)
{
	switch (status) {
	case 404:
		return JN_EXIT_NOT_FOUND;
	case 408:
		return JN_EXIT_TIMED_OUT;
	case 429: /* too many clients: nobody has looked at the request */
		return JN_EXIT_FAILED;
	default:
		return status < 500 ? JN_EXIT_REJECTED : JN_EXIT_FAILED;
	}
}

static int code_of_error(const struct jn_error *err)
{
	switch (err->kind) {
	case JN_ERROR_UNAVAILABLE:
		return JN_EXIT_UNREACHABLE;
	case JN_ERROR_TIMEOUT:
		return JN_EXIT_TIMED_OUT;
	default:
		return JN_EXIT_FAILED;
	}
}

static int fail(struct jn_error *err)
{
	jn_text_say("%s", jn_error_text(err));
	return code_of_error(err);
}

static int out_of_memory(void)
{
	jn_text_say("out of memory; free some, or ask for less");
	return JN_EXIT_FAILED;
}

static void say_cause(const struct jn_json *cause)
{
	const char *field = jn_json_text(jn_json_get(cause, "field"));
	const char *message = jn_json_text(jn_json_get(cause, "message"));

	jn_text_say("%s%s%s", field ? field : "", field ? ": " : "", message ? message : "");
}

/* The causes; the message only where it says something else: "27 faults, the first: …". */
static void say_causes(const struct jn_json *causes, const char *message)
{
	size_t count = jn_json_count(causes);
	const char *first = jn_json_text(jn_json_get(jn_json_at(causes, 0), "message"));
	bool is_repeated = first && strstr(message, first);
	unsigned long found = strtoul(message, NULL, 10);

	for (size_t i = 0; i < count; i++)
		say_cause(jn_json_at(causes, i));
	if (!is_repeated)
		jn_text_say("%s", message);
	else if (found > count)
		jn_text_say("and %lu more; correct these first", found - count);
}

static void say_refusal(const struct jn_answer *answer)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *status = NULL;
	const struct jn_json *causes;
	const char *message = NULL;

	if (!jn_json_parse(answer->body.data, answer->body.size, &status, &err))
		message = jn_json_text(jn_json_get(status, "message"));
	if (!message) {
		int size = answer->body.size < MAX_SHOWN ? (int)answer->body.size : MAX_SHOWN;

		jn_text_say("the answer is HTTP status %d, without a reason: %.*s", answer->status,
			    size, answer->body.data ? answer->body.data : "");
		return;
	}
	causes = jn_json_get(jn_json_get(status, "details"), "causes");
	if (jn_json_count(causes))
		say_causes(causes, message);
	else
		jn_text_say("%s", message);
}

/* --- requests ---------------------------------------------------------------------------------- */

/* Anything is an answer; what else is wrong, the request that follows will say. */
static bool is_silent(struct jn_client *client)
{
	static const struct jn_request hello = { .method = "GET",
						 .target = "/livez",
						 .timeout_ms = HELLO_MS };
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	return jn_client_request(client, &hello, &answer, &err) == -ETIMEDOUT;
}

int jn_ask_open(const struct jn_command *command, struct jn_client **out)
{
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	if (jn_client_open(command->socket, &client, &err))
		return fail(&err);
	if (is_silent(client)) {
		jn_text_say("junctord at %s has not answered for %u s, nothing was asked of it: it "
			    "is stopped, stuck or very busy; look at its process and its log, and "
			    "at `junctor status --offline` for what the kernel serves meanwhile",
			    command->socket, HELLO_MS / 1000);
		return JN_EXIT_UNREACHABLE;
	}
	*out = JN_MOVE(client);
	return JN_EXIT_OK;
}

/* 0, whatever the HTTP status, or the exit code. */
static int exchange(struct jn_client *client, const struct jn_request *request,
		    struct jn_answer *out)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc = jn_client_request(client, request, out, &err);

	return rc ? fail(&err) : JN_EXIT_OK;
}

/* Hand a good answer over; say what is wrong with another one. */
static int settle(struct jn_answer *answer, struct jn_answer *out)
{
	if (answer->status < 200 || answer->status > 299) {
		say_refusal(answer);
		return code_of_status(answer->status);
	}
	*out = *answer;
	*answer = (struct jn_answer){ 0 };
	return JN_EXIT_OK;
}

int jn_ask(struct jn_client *client, const struct jn_request *request, struct jn_answer *out)
{
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	int code = exchange(client, request, &answer);

	return code ? code : settle(&answer, out);
}

int jn_ask_read(const char *text, size_t size, struct jn_json **out)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc = jn_json_parse(text, size, out, &err);

	if (rc == -ENOMEM)
		return out_of_memory();
	if (!rc)
		return JN_EXIT_OK;
	jn_text_say("the answer cannot be read (%s); is that junctord, and of version " JN_VERSION
		    "?",
		    jn_error_text(&err));
	return JN_EXIT_FAILED;
}

/* --- objects ----------------------------------------------------------------------------------- */

const char *jn_ask_namespace(const struct jn_command *command)
{
	return command->namespace_ ? command->namespace_ : JN_DEFAULT_NAMESPACE;
}

/* One step of a path: nothing in it separates, whatever it is. */
static void add_step(struct jn_buffer *out, const char *text)
{
	jn_buffer_add_text(out, "/");
	for (; *text; text++) {
		bool is_plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
				(*text >= '0' && *text <= '9') || *text == '-';

		if (is_plain)
			jn_buffer_add(out, text, 1);
		else
			jn_buffer_printf(out, "%%%02X", (unsigned char)*text);
	}
}

const enum jn_kind *jn_ask_kinds(enum jn_noun noun)
{
	static const enum jn_kind kinds[JN_NOUN_MAX][JN_KINDS_OF_NOUN] = {
		[JN_NOUN_SERVICE] = { JN_KIND_LOCAL_SERVICE, JN_KIND_SERVICE },
		[JN_NOUN_BACKEND] = { JN_KIND_LOCAL_SERVICE, JN_KIND_SERVICE },
		[JN_NOUN_POLICY] = { JN_KIND_TRAFFIC_POLICY, JN_KIND_MAX },
		[JN_NOUN_SLICE] = { JN_KIND_ENDPOINT_SLICE, JN_KIND_MAX },
		[JN_NOUN_NODE] = { JN_KIND_NODE, JN_KIND_MAX },
	};

	return kinds[noun];
}

void jn_ask_add_path(struct jn_buffer *out, enum jn_kind kind, const char *namespace_,
		     const char *name)
{
	const struct jn_kind_names *names = jn_kind_names(kind);

	jn_buffer_printf(out, "%s/%s", strchr(names->api_version, '/') ? "/apis" : "/api",
			 names->api_version);
	if (namespace_ && !names->has_no_namespace) {
		jn_buffer_add_text(out, "/namespaces");
		add_step(out, namespace_);
	}
	add_step(out, names->plural);
	if (name)
		add_step(out, name);
}

int jn_ask_for_list(struct jn_client *client, enum jn_kind kind, const char *namespace_,
		    struct jn_answer *out)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer path = { 0 };
	struct jn_request request = { .method = "GET", .timeout_ms = JN_PATIENCE_MS };

	jn_ask_add_path(&path, kind, namespace_, NULL);
	request.target = jn_buffer_text(&path);
	return jn_buffer_failed(&path) ? out_of_memory() : jn_ask(client, &request, out);
}

static int not_found(const struct jn_command *command)
{
	enum jn_noun noun = command->noun == JN_NOUN_BACKEND ? JN_NOUN_SERVICE : command->noun;

	if (noun == JN_NOUN_NODE)
		jn_text_say("there is no node \"%s\"; `junctor get nodes` shows what there is",
			    command->name);
	else
		jn_text_say("there is no %s \"%s\" in namespace \"%s\"; `junctor get %s` shows "
			    "what there is",
			    jn_noun_one(noun), command->name, jn_ask_namespace(command),
			    jn_noun_many(noun));
	return JN_EXIT_NOT_FOUND;
}

int jn_ask_for_object(struct jn_client *client, const struct jn_command *command,
		      const char *method, enum jn_kind *kind, struct jn_answer *out)
{
	const enum jn_kind *kinds = jn_ask_kinds(command->noun);

	for (unsigned i = 0; i < JN_KINDS_OF_NOUN && kinds[i] != JN_KIND_MAX; i++) {
		JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
		JN_AUTO(jn_buffer_done) struct jn_buffer path = { 0 };
		struct jn_request request = { .method = method, .timeout_ms = JN_PATIENCE_MS };
		int code;

		jn_ask_add_path(&path, kinds[i], jn_ask_namespace(command), command->name);
		request.target = jn_buffer_text(&path);
		code = jn_buffer_failed(&path) ? out_of_memory()
					       : exchange(client, &request, &answer);
		if (code)
			return code;
		if (kind)
			*kind = kinds[i];
		if (answer.status != 404)
			return settle(&answer, out);
	}
	return not_found(command);
}
