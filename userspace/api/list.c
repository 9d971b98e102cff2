/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GET of a collection. The list holds references to the objects as they were when it was asked for,
 * and encodes them as the client reads: it never stands in memory as text.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/internal.h"
#include "base/auto.h"
#include "proto/write.h"

#define PIECE_BYTES 65536

struct listing {
	struct jn_object_list objects;
	size_t at;
	uint64_t generation;
	struct jn_writer writer;
	bool has_begun;
};

/* Drop the objects of namespaces that the client may not read. */
static void drop_unreadable(struct jn_call *call, struct jn_object_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (jn_call_role(call, list->items[i]->key.namespace_) >= JN_ROLE_READ)
			list->items[kept++] = list->items[i];
		else
			jn_object_unref(&list->items[i]);
	}
	list->count = kept;
}

static void begin_list(struct jn_call *call)
{
	struct jn_engine *engine = call->api->options.engine;
	struct listing *listing = calloc(1, sizeof(*listing));

	call->data = listing;
	if (!listing ||
	    jn_engine_list(engine, call->kind, call->has_namespace ? call->namespace_ : NULL,
			   &listing->objects)) {
		jn_answer_no_memory(call);
		return;
	}
	listing->generation = jn_engine_generation(engine);
	if (!call->has_namespace)
		drop_unreadable(call, &listing->objects);
	jn_answer_stream(call, "application/json", true);
}

static void write_start(const struct jn_call *call, struct listing *listing)
{
	struct jn_writer *w = &listing->writer;
	char version[24];

	(void)snprintf(version, sizeof(version), "%llu", (unsigned long long)listing->generation);
	jn_write_open(w, '{');
	jn_write_key_text(w, "kind", jn_kind_names(call->kind)->list);
	jn_write_key_text(w, "apiVersion", jn_kind_names(call->kind)->api_version);
	jn_write_key(w, "metadata");
	jn_write_open(w, '{');
	jn_write_key_text(w, "resourceVersion", version);
	jn_write_close(w, '}');
	jn_write_key(w, "items");
	jn_write_open(w, '[');
}

static void write_object(struct jn_call *call, struct listing *listing, struct jn_buffer *scratch)
{
	struct jn_object *object = JN_MOVE(listing->objects.items[listing->at]);
	JN_AUTO(jn_object_status_done) struct jn_object_status status = { 0 };

	listing->at++;
	jn_engine_object_status(call->api->options.engine, object, &status);
	jn_buffer_clear(scratch);
	jn_object_encode(object, &status, scratch);
	if (jn_buffer_failed(scratch))
		listing->writer.out->failed = true;
	jn_write_raw(&listing->writer, scratch->data, scratch->size);
	jn_object_unref(&object);
}

static bool produce_list(void *arg, void *state, struct jn_buffer *out)
{
	struct jn_call *call = state;
	struct listing *listing = call->data;
	JN_AUTO(jn_buffer_done) struct jn_buffer scratch = { 0 };

	(void)arg;
	listing->writer.out = out;
	if (!listing->has_begun)
		write_start(call, listing);
	listing->has_begun = true;
	while (listing->at < listing->objects.count && out->size < PIECE_BYTES &&
	       !jn_buffer_failed(out))
		write_object(call, listing, &scratch);
	if (listing->at < listing->objects.count)
		return false;
	jn_write_close(&listing->writer, ']');
	jn_write_close(&listing->writer, '}');
	jn_buffer_add_text(out, "\n");
	return true;
}

static void free_list(struct jn_call *call)
{
	struct listing *listing = call->data;

	if (!listing)
		return;
	jn_object_list_done(&listing->objects);
	free(listing);
}

const struct jn_verb jn_verb_list = {
	.role = JN_ROLE_READ,
	.begin = begin_list,
	.produce = produce_list,
	.free = free_list,
};
