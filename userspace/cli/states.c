/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A table of texts by "namespace/service/address:port".
 */
#include "cli/states.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "cli/command.h"
#include "cli/items.h"
#include "cli/view.h"

struct state {
	char *key, *text;
	unsigned badness;
};

static uint64_t hash_key(const void *key)
{
	return jn_hash_bytes(key, strlen(key));
}

static bool has_key(const void *entry, const void *key)
{
	return !strcmp(((const struct state *)entry)->key, key);
}

static const struct jn_table_ops states_ops = {
	.entry_size = sizeof(struct state),
	.hash = hash_key,
	.equal = has_key,
};

void jn_states_init(struct jn_states *states)
{
	jn_table_init(&states->items, &states_ops);
	states->is_out_of_memory = false;
}

void jn_states_done(struct jn_states *states)
{
	struct state *state;
	size_t at = 0;

	while ((state = jn_table_next(&states->items, &at))) {
		free(state->key);
		free(state->text);
	}
	jn_table_done(&states->items);
}

static bool add_endpoint(struct jn_states *states, const struct jn_json *service,
			 const struct jn_json *endpoint)
{
	const char *address = jn_json_text(jn_json_get(endpoint, "address"));
	JN_AUTO(jn_buffer_done) struct jn_buffer key = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	struct state made = { .badness = jn_view_badness(endpoint) }, *state;
	bool is_new;

	jn_buffer_printf(&key, "%s/%s/%s", jn_view_namespace(service), jn_view_name(service),
			 address ? address : "");
	jn_view_add_known_state(&text, endpoint);
	made.key = strdup(jn_buffer_text(&key));
	made.text = strdup(jn_buffer_text(&text));
	state = made.key && made.text ? jn_table_put(&states->items, made.key, &is_new) : NULL;
	if (state && is_new) {
		*state = made;
		return true;
	}
	free(made.key);
	free(made.text);
	return state;
}

static void add_service(void *arg, const struct jn_json *service)
{
	struct jn_states *states = arg;
	const struct jn_json *endpoints = jn_json_get(jn_json_get(service, "status"), "endpoints");

	for (size_t i = 0; i < jn_json_count(endpoints) && !states->is_out_of_memory; i++)
		states->is_out_of_memory = !add_endpoint(states, service, jn_json_at(endpoints, i));
}

int jn_states_read(struct jn_states *states, const struct jn_answer *services)
{
	return jn_items_each(services->body.data, services->body.size, add_service, states);
}

void jn_states_add(const struct jn_states *states, const struct jn_json *slice,
		   const struct jn_json *endpoint, struct jn_buffer *out)
{
	const struct jn_json *ports = jn_json_get(slice, "ports");
	const char *declared = jn_view_endpoint_state(endpoint);
	const char *address = jn_view_endpoint_address(endpoint);
	const struct state *worst = NULL;

	for (size_t i = 0; states && !strcmp(declared, "Ready") && i < jn_json_count(ports); i++) {
		JN_AUTO(jn_buffer_done) struct jn_buffer key = { 0 };
		const struct state *state;
		int64_t number = jn_json_integer(jn_json_get(jn_json_at(ports, i), "port"));

		jn_buffer_printf(&key, strchr(address, ':') ? "%s/%s/[%s]:%u" : "%s/%s/%s:%u",
				 jn_view_namespace(slice), jn_view_service_of(slice), address,
				 (unsigned)number);
		state = jn_table_find(&states->items, jn_buffer_text(&key));
		if (state && (!worst || state->badness > worst->badness))
			worst = state;
	}
	jn_buffer_add_text(out, worst ? worst->text : declared);
}
