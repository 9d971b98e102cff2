/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor get: one object or a list, as a table, as JSON, as names. Backends are no objects of
 * junctord's: they are shown out of their services.
 */
#include "base/auto.h"
#include "cli/ask.h"
#include "cli/columns.h"
#include "cli/items.h"
#include "cli/text.h"
#include "cli/view.h"
#include "proto/object.h"
#include "proto/write.h"

/* --- rows -------------------------------------------------------------------------------------- */

static void add_service(void *columns, const struct jn_json *service)
{
	struct jn_columns *c = columns;

	jn_columns_add(c, jn_view_namespace(service));
	jn_columns_add(c, jn_view_name(service));
	jn_view_add_addresses(&c->cell, service);
	jn_columns_take(c);
	jn_view_add_ports(&c->cell, service);
	jn_columns_take(c);
	jn_view_add_ready(&c->cell, service);
	jn_columns_take(c);
	jn_columns_add(c, jn_view_status(service));
}

static void add_backends(void *columns, const struct jn_json *service)
{
	struct jn_columns *c = columns;
	const struct jn_json *backends = jn_json_get(jn_json_get(service, "spec"), "backends");

	for (size_t i = 0; i < jn_json_count(backends); i++) {
		const struct jn_json *backend = jn_json_at(backends, i);

		jn_columns_add(c, jn_view_namespace(service));
		jn_columns_add(c, jn_view_name(service));
		jn_view_add_backend_address(&c->cell, backend);
		jn_columns_take(c);
		jn_view_add_backend_ports(&c->cell, service, backend);
		jn_columns_take(c);
		jn_buffer_printf(&c->cell, "%u", jn_view_backend_weight(backend));
		jn_columns_take(c);
		jn_view_add_backend_state(&c->cell, service, i);
		jn_columns_take(c);
	}
}

static void add_policy(void *columns, const struct jn_json *policy)
{
	struct jn_columns *c = columns;

	jn_columns_add(c, jn_view_namespace(policy));
	jn_columns_add(c, jn_view_name(policy));
	jn_view_add_target(&c->cell, policy);
	jn_columns_take(c);
	jn_columns_add(c, jn_view_text(policy, "spec", "algorithm"));
	jn_columns_add(c, jn_view_text(policy, "spec", "noBackendErrno"));
	jn_columns_add(c, jn_view_status(policy));
}

static const struct {
	const char *heads[JN_MAX_COLUMNS];
	jn_item_fn add; /* a row, or several; arg is a struct jn_columns */
} tables[] = {
	[JN_NOUN_SERVICE] = { { "NAMESPACE", "NAME", "ADDRESSES", "PORTS", "READY", "STATUS" },
			      add_service },
	[JN_NOUN_BACKEND] = { { "NAMESPACE", "SERVICE", "ADDRESS", "PORTS", "WEIGHT", "STATE" },
			      add_backends },
	[JN_NOUN_POLICY] = { { "NAMESPACE", "NAME", "TARGET", "ALGORITHM", "NO-BACKEND-ERRNO",
			       "STATUS" },
			     add_policy },
};
_Static_assert(JN_COUNT(tables) == JN_NOUN_MAX, "every kind needs its table");

static int write_table(enum jn_noun noun, const struct jn_answer *answer, struct jn_buffer *out)
{
	JN_AUTO(jn_columns_done) struct jn_columns columns;
	int code;

	jn_columns_init(&columns, tables[noun].heads);
	code = jn_items_each(answer->body.data, answer->body.size, tables[noun].add, &columns);
	jn_columns_write(&columns, "", out);
	return code;
}

/* --- JSON and names ---------------------------------------------------------------------------- */

static void write_backend(struct jn_writer *w, const struct jn_json *service, size_t index)
{
	const struct jn_json *backend =
		jn_json_at(jn_json_get(jn_json_get(service, "spec"), "backends"), index);
	JN_AUTO(jn_buffer_done) struct jn_buffer address = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer ports = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer state = { 0 };

	jn_view_add_backend_address(&address, backend);
	jn_view_add_backend_ports(&ports, service, backend);
	jn_view_add_backend_state(&state, service, index);
	jn_write_open(w, '{');
	jn_write_key_text(w, "namespace", jn_view_namespace(service));
	jn_write_key_text(w, "service", jn_view_name(service));
	jn_write_key_text(w, "address", jn_buffer_text(&address));
	jn_write_key_text(w, "ports", jn_buffer_text(&ports));
	jn_write_key_unsigned(w, "weight", jn_view_backend_weight(backend));
	jn_write_key_text(w, "state", jn_buffer_text(&state));
	jn_write_close(w, '}');
}

static void write_backends(void *writer, const struct jn_json *service)
{
	const struct jn_json *backends = jn_json_get(jn_json_get(service, "spec"), "backends");

	for (size_t i = 0; i < jn_json_count(backends); i++)
		write_backend(writer, service, i);
}

/* Like a List of Kubernetes', though its items cannot be declared. */
static int write_backend_list(const struct jn_answer *answer, struct jn_buffer *out)
{
	struct jn_writer w = { .out = out, .is_pretty = true };
	int code;

	jn_write_open(&w, '{');
	jn_write_key_text(&w, "kind", "BackendList");
	jn_write_key_text(&w, "apiVersion", JN_API_VERSION);
	jn_write_key(&w, "items");
	jn_write_open(&w, '[');
	code = jn_items_each(answer->body.data, answer->body.size, write_backends, &w);
	jn_write_close(&w, ']');
	jn_write_close(&w, '}');
	jn_buffer_add_text(out, "\n");
	return code;
}

static void write_service_name(void *out, const struct jn_json *service)
{
	jn_view_add_reference(out, jn_kind_names(JN_KIND_LOCAL_SERVICE)->kind,
			      jn_view_namespace(service), jn_view_name(service));
	jn_buffer_add_text(out, "\n");
}

static void write_policy_name(void *out, const struct jn_json *policy)
{
	jn_view_add_reference(out, jn_kind_names(JN_KIND_TRAFFIC_POLICY)->kind,
			      jn_view_namespace(policy), jn_view_name(policy));
	jn_buffer_add_text(out, "\n");
}

/* "backend/web/127.0.0.1:8081": the address as it was declared. */
static void write_backend_names(void *out, const struct jn_json *service)
{
	const struct jn_json *backends = jn_json_get(jn_json_get(service, "spec"), "backends");

	for (size_t i = 0; i < jn_json_count(backends); i++) {
		const char *address = jn_json_text(jn_json_get(jn_json_at(backends, i), "address"));

		jn_view_add_reference(out, "backend", jn_view_namespace(service),
				      jn_view_name(service));
		jn_buffer_printf(out, "/%s\n", address ? address : "");
	}
}

static const jn_item_fn names[] = {
	[JN_NOUN_SERVICE] = write_service_name,
	[JN_NOUN_BACKEND] = write_backend_names,
	[JN_NOUN_POLICY] = write_policy_name,
};
_Static_assert(JN_COUNT(names) == JN_NOUN_MAX, "every kind needs its names");

/* --- the verb ---------------------------------------------------------------------------------- */

static int ask(const struct jn_command *command, struct jn_answer *out)
{
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer path = { 0 };
	struct jn_request request = { .method = "GET", .timeout_ms = JN_PATIENCE_MS };
	int code = jn_ask_open(command, &client);

	if (code)
		return code;
	if (command->name)
		return jn_ask_for_object(client, command, "GET", out);
	jn_ask_add_path(&path, command->noun, command->namespace_, NULL);
	request.target = jn_buffer_text(&path);
	return jn_ask(client, &request, out);
}

static int show(const struct jn_command *command, const struct jn_answer *answer,
		struct jn_buffer *out)
{
	if (command->output == JN_OUTPUT_TABLE)
		return write_table(command->noun, answer, out);
	if (command->output == JN_OUTPUT_NAME)
		return jn_items_each(answer->body.data, answer->body.size, names[command->noun],
				     out);
	if (command->noun == JN_NOUN_BACKEND)
		return write_backend_list(answer, out);
	jn_text_add_json(out, answer->body.data, answer->body.size);
	return JN_EXIT_OK;
}

int jn_cli_get(const struct jn_command *command)
{
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	int code = ask(command, &answer);

	if (!code)
		code = show(command, &answer, &text);
	return code ? code : jn_text_put(&text);
}
