/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor describe service: all there is to know about one service, for a person. Scripts take
 * `get -o json`.
 */
#include <string.h>

#include "base/auto.h"
#include "cli/ask.h"
#include "cli/columns.h"
#include "cli/items.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "cli/view.h"

static void add_field(struct jn_buffer *out, const char *name, const char *value)
{
	jn_buffer_printf(out, "%-13s", name);
	jn_text_add_visible(out, value);
	jn_buffer_add_text(out, "\n");
}

/* Labels, annotations: one a line. */
static void add_pairs(struct jn_buffer *out, const char *name, const struct jn_json *pairs)
{
	const struct jn_json *value;
	void *at = NULL;
	const char *key;

	while (pairs && jn_json_next(pairs, &at, &key, &value)) {
		JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
		const char *given = jn_json_text(value);

		jn_buffer_printf(&text, "%s=%s", key, given ? given : "");
		add_field(out, name, jn_buffer_text(&text));
		name = "";
	}
}

static void add_identity(struct jn_buffer *out, const struct jn_json *service)
{
	const struct jn_json *metadata = jn_json_get(service, "metadata");
	const struct jn_json *addresses = jn_view_addresses(service);

	add_field(out, "Name:", jn_view_name(service));
	add_field(out, "Namespace:", jn_view_namespace(service));
	add_pairs(out, "Labels:", jn_json_get(metadata, "labels"));
	add_pairs(out, "Annotations:", jn_json_get(metadata, "annotations"));
	add_field(out, "Version:", jn_view_text(service, "metadata", "resourceVersion"));
	add_field(out, "Status:", jn_view_status(service));
	for (size_t i = 0; i < jn_json_count(addresses); i++) {
		const char *address = jn_json_text(jn_json_at(addresses, i));

		add_field(out, i ? "" : "Addresses:", address ? address : "");
	}
}

static void add_number(struct jn_columns *c, const struct jn_json *number)
{
	jn_buffer_printf(&c->cell, "%lld", (long long)jn_json_integer(number));
	jn_columns_take(c);
}

static void add_ports(struct jn_buffer *out, const struct jn_json *service)
{
	static const char *const heads[] = { "NAME", "PORT", "PROTOCOL", "TARGET-PORT", NULL };
	const struct jn_json *ports = jn_json_get(jn_json_get(service, "spec"), "ports");
	JN_AUTO(jn_columns_done) struct jn_columns columns;

	jn_columns_init(&columns, heads);
	for (size_t i = 0; i < jn_json_count(ports); i++) {
		const struct jn_json *port = jn_json_at(ports, i);

		jn_columns_add(&columns, jn_json_text(jn_json_get(port, "name")));
		add_number(&columns, jn_json_get(port, "port"));
		jn_columns_add(&columns, jn_json_text(jn_json_get(port, "protocol")));
		if (jn_json_get(port, "targetPort"))
			add_number(&columns, jn_json_get(port, "targetPort"));
		else
			jn_columns_add(&columns, "by endpoint"); /* its slices say */
	}
	jn_buffer_add_text(out, "Ports:\n");
	jn_columns_write(&columns, "  ", out);
}

/* holders: the service itself, or slices among which are its own; then states are the service's. */
static int add_backends(struct jn_buffer *out, const struct jn_json *service,
			const struct jn_answer *holders, const struct jn_states *states)
{
	JN_AUTO(jn_columns_done) struct jn_columns columns;
	struct jn_rows rows = { .service = jn_view_name(service),
				.is_short = true,
				.states = states,
				.columns = &columns };
	size_t heads;
	int code;

	jn_columns_init(&columns, jn_rows_heads(JN_NOUN_BACKEND) + 2);
	heads = columns.cells.size;
	code = jn_items_each(holders->body.data, holders->body.size, jn_rows_table(JN_NOUN_BACKEND),
			     &rows);
	if (columns.cells.size == heads) {
		add_field(out, "Backends:", "none");
		return code;
	}
	jn_buffer_add_text(out, "Backends:    ");
	jn_view_add_ready(out, service);
	jn_buffer_add_text(out, " ready\n");
	jn_columns_write(&columns, "  ", out);
	return code;
}

/* Policies of one service while a list of all is walked. */
struct governors {
	const struct jn_json *service;
	struct jn_columns columns;
	bool has_some;
};

static void take_policy(void *arg, const struct jn_json *policy)
{
	struct governors *g = arg;
	const struct jn_json *spec = jn_json_get(policy, "spec");
	const char *port = jn_json_text(jn_json_get(jn_json_get(spec, "targetRef"), "port"));
	const char *kind = jn_json_text(jn_json_get(g->service, "kind"));

	if (strcmp(jn_view_text(spec, "targetRef", "name"), jn_view_name(g->service)) != 0 ||
	    strcmp(jn_view_text(spec, "targetRef", "kind"), kind ? kind : "") != 0)
		return;
	g->has_some = true;
	jn_columns_add(&g->columns, jn_view_name(policy));
	jn_columns_add(&g->columns, port ? port : "all");
	jn_columns_add(&g->columns, jn_view_text(policy, "spec", "algorithm"));
	jn_columns_add(&g->columns, jn_view_text(policy, "spec", "noBackendErrno"));
	jn_columns_add(&g->columns, jn_view_status(policy));
}

/* policies: the answer with all those of the service's namespace. */
static int add_policies(struct jn_buffer *out, const struct jn_json *service,
			const struct jn_answer *policies)
{
	static const char *const heads[] = { "NAME",   "PORT", "ALGORITHM", "NO-BACKEND-ERRNO",
					     "STATUS", NULL };
	struct governors g = { .service = service };
	int code;

	jn_columns_init(&g.columns, heads);
	code = jn_items_each(policies->body.data, policies->body.size, take_policy, &g);
	if (g.has_some) {
		jn_buffer_add_text(out, "Policies:\n");
		jn_columns_write(&g.columns, "  ", out);
	} else {
		add_field(out, "Policies:", "none: Random, ECONNREFUSED without a ready backend");
	}
	jn_columns_done(&g.columns);
	return code;
}

/* Where the backends of this service stand: in itself, or in the slices of its namespace. */
static int ask_for_backends(struct jn_client *client, const struct jn_command *command,
			    enum jn_kind kind, struct jn_answer *service, struct jn_answer *out)
{
	if (kind == JN_KIND_SERVICE)
		return jn_ask_for_list(client, JN_KIND_ENDPOINT_SLICE, jn_ask_namespace(command),
				       out);
	*out = *service;
	*service = (struct jn_answer){ 0 };
	return JN_EXIT_OK;
}

int jn_cli_describe(const struct jn_command *command)
{
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	JN_AUTO(jn_answer_done) struct jn_answer policies = { 0 };
	JN_AUTO(jn_answer_done) struct jn_answer backends = { 0 };
	JN_AUTO(jn_states_done) struct jn_states states;
	JN_AUTO(jn_json_free) struct jn_json *service = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	enum jn_kind kind = JN_KIND_MAX;
	int code = jn_ask_open(command, &client);

	jn_states_init(&states);
	if (!code)
		code = jn_ask_for_object(client, command, "GET", &kind, &answer);
	if (!code)
		code = jn_ask_read(answer.body.data, answer.body.size, &service);
	if (!code)
		code = jn_ask_for_list(client, JN_KIND_TRAFFIC_POLICY, jn_ask_namespace(command),
				       &policies);
	if (!code && kind == JN_KIND_SERVICE)
		code = jn_states_read(&states, &answer);
	if (!code)
		code = ask_for_backends(client, command, kind, &answer, &backends);
	if (code)
		return code;
	add_identity(&text, service);
	add_ports(&text, service);
	code = add_policies(&text, service, &policies);
	if (!code)
		code = add_backends(&text, service, &backends, &states);
	return code ? code : jn_text_put(&text);
}
