/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor get: one object or a list, as a table, as JSON, as names. Services are of two kinds.
 * Backends are no objects of junctord's: they are shown out of their services or slices.
 */
#include "base/auto.h"
#include "cli/ask.h"
#include "cli/columns.h"
#include "cli/items.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "proto/write.h"

/* What was answered: one object, or a list of each kind. */
struct answers {
	struct jn_answer items[JN_KINDS_OF_NOUN];
	unsigned count;
	struct jn_states states; /* of backends in slices */
};

static void answers_done(struct answers *a)
{
	for (unsigned i = 0; i < a->count; i++)
		jn_answer_done(&a->items[i]);
	jn_states_done(&a->states);
}

/* --- asking ------------------------------------------------------------------------------------ */

/* Where the backends of Services stand. */
static enum jn_kind kind_to_list(enum jn_noun noun, enum jn_kind kind)
{
	return noun == JN_NOUN_BACKEND && kind == JN_KIND_SERVICE ? JN_KIND_ENDPOINT_SLICE : kind;
}

/* What slices do not say of their endpoints, their Services do. */
static int ask_for_states(struct jn_client *client, const char *namespace_, struct answers *out)
{
	JN_AUTO(jn_answer_done) struct jn_answer services = { 0 };
	int code = jn_ask_for_list(client, JN_KIND_SERVICE, namespace_, &services);

	return code ? code : jn_states_read(&out->states, &services);
}

static int ask_for_all(struct jn_client *client, const struct jn_command *command,
		       struct answers *out)
{
	const enum jn_kind *kinds = jn_ask_kinds(command->noun);
	int code = JN_EXIT_OK;

	for (unsigned i = 0; i < JN_KINDS_OF_NOUN && kinds[i] != JN_KIND_MAX && !code; i++) {
		code = jn_ask_for_list(client, kind_to_list(command->noun, kinds[i]),
				       command->namespace_, &out->items[i]);
		out->count = i + 1;
	}
	if (!code && command->noun == JN_NOUN_BACKEND)
		code = ask_for_states(client, command->namespace_, out);
	return code;
}

static int ask(const struct jn_command *command, struct answers *out)
{
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	enum jn_kind kind = JN_KIND_MAX;
	int code = jn_ask_open(command, &client);

	if (code)
		return code;
	if (!command->name)
		return ask_for_all(client, command, out);
	code = jn_ask_for_object(client, command, "GET", &kind, &out->items[0]);
	out->count = 1;
	if (code || kind_to_list(command->noun, kind) == kind)
		return code;
	code = jn_states_read(&out->states, &out->items[0]);
	if (code)
		return code;
	jn_answer_done(&out->items[0]);
	return jn_ask_for_list(client, JN_KIND_ENDPOINT_SLICE, jn_ask_namespace(command),
			       &out->items[0]);
}

/* --- showing ----------------------------------------------------------------------------------- */

static int each(const struct answers *answers, jn_item_fn fn, struct jn_rows *rows)
{
	int code = JN_EXIT_OK;

	for (unsigned i = 0; i < answers->count && !code; i++)
		code = jn_items_each(answers->items[i].body.data, answers->items[i].body.size, fn,
				     rows);
	return code;
}

static int write_table(const struct jn_command *command, const struct answers *answers,
		       struct jn_buffer *out)
{
	JN_AUTO(jn_columns_done) struct jn_columns columns;
	struct jn_rows rows = { .service = command->name,
				.states = &answers->states,
				.columns = &columns };
	int code;

	jn_columns_init(&columns, jn_rows_heads(command->noun));
	code = each(answers, jn_rows_table(command->noun), &rows);
	jn_columns_write(&columns, "", out);
	return code;
}

static int write_names(const struct jn_command *command, const struct answers *answers,
		       struct jn_buffer *out)
{
	struct jn_rows rows = { .service = command->name, .names = out };

	return each(answers, jn_rows_names(command->noun), &rows);
}

/* Like a List of Kubernetes', though its items cannot be declared. */
static int write_backend_list(const struct jn_command *command, const struct answers *answers,
			      struct jn_buffer *out)
{
	struct jn_writer w = { .out = out, .is_pretty = true };
	struct jn_rows rows = { .service = command->name, .states = &answers->states, .json = &w };
	int code;

	jn_write_open(&w, '{');
	jn_write_key_text(&w, "kind", "BackendList");
	jn_write_key_text(&w, "apiVersion", JN_API_VERSION);
	jn_write_key(&w, "items");
	jn_write_open(&w, '[');
	code = each(answers, jn_rows_backends_json, &rows);
	jn_write_close(&w, ']');
	jn_write_close(&w, '}');
	jn_buffer_add_text(out, "\n");
	return code;
}

/* Lists of several kinds as one List. */
static void write_list(const struct answers *answers, struct jn_buffer *out)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer list = { 0 };
	bool has_some = false;

	jn_buffer_add_text(&list, "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[");
	for (unsigned i = 0; i < answers->count; i++) {
		const char *text;
		size_t size;

		jn_items_text(answers->items[i].body.data, answers->items[i].body.size, &text,
			      &size);
		if (size && has_some)
			jn_buffer_add_text(&list, ",");
		jn_buffer_add(&list, text, size);
		has_some |= size != 0;
	}
	jn_buffer_add_text(&list, "]}");
	out->failed |= jn_buffer_failed(&list);
	jn_text_add_json(out, list.data, list.size);
}

static int show(const struct jn_command *command, const struct answers *answers,
		struct jn_buffer *out)
{
	if (command->output == JN_OUTPUT_TABLE)
		return write_table(command, answers, out);
	if (command->output == JN_OUTPUT_NAME)
		return write_names(command, answers, out);
	if (command->noun == JN_NOUN_BACKEND)
		return write_backend_list(command, answers, out);
	if (answers->count > 1)
		write_list(answers, out);
	else
		jn_text_add_json(out, answers->items[0].body.data, answers->items[0].body.size);
	return JN_EXIT_OK;
}

int jn_cli_get(const struct jn_command *command)
{
	JN_AUTO(answers_done) struct answers answers = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	int code;

	jn_states_init(&answers.states);
	code = ask(command, &answers);
	if (!code)
		code = show(command, &answers, &text);
	return code ? code : jn_text_put(&text);
}
