/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The engine's life, and what it answers without changing anything. Writes are in write.c.
 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/align.h"
#include "engine/internal.h"

static int install_init(struct jn_install *in, const struct jn_engine_options *options)
{
	const struct jn_sizes *sizes = jn_datapath_sizes(options->datapath);

	in->datapath = options->datapath;
	in->netns_cookie = options->netns_cookie;
	in->probing = options->probing;
	jn_installed_init(&in->installed);
	jn_ids_init(&in->services, "services", JN_MAX_SERVICES, JN_QUARANTINE_MS);
	jn_ids_init(&in->endpoints, "endpoints", JN_MAX_ENDPOINTS, JN_QUARANTINE_MS);
	/* Only programs that run right now can hold these two: a grace period is rest enough. */
	jn_ids_init(&in->sets, "sets", JN_MAX_SETS, 0);
	jn_ids_init(&in->revisions, "revisions", JN_MAX_REVISIONS, 0);
	if (jn_ranges_init(&in->slots, sizes->slots, JN_MAX_SLOTS) ||
	    jn_lives_init(&in->lives, sizes->live))
		return -ENOMEM;
	return jn_install_grow(in);
}

static void install_done(struct jn_install *in)
{
	jn_installed_done(&in->installed);
	jn_ids_done(&in->services);
	jn_ids_done(&in->endpoints);
	jn_ids_done(&in->sets);
	jn_ids_done(&in->revisions);
	jn_ranges_done(&in->slots);
	jn_lives_done(&in->lives);
}

int jn_engine_open(const struct jn_engine_options *options, struct jn_engine **out,
		   struct jn_error *err)
{
	JN_AUTO(jn_engine_close) struct jn_engine *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL,
				    "out of memory; give junctord more memory");
	e->executor = options->executor;
	jn_notes_init(&e->notes);
	jn_endings_init(&e->endings);
	jn_guards_init(&e->guards, options->has_guard_routes);
	jn_owed_init(&e->owed);
	rc = install_init(&e->install, options);
	if (!rc)
		rc = jn_model_new(&e->model);
	e->install.model = e->model;
	if (!rc && options->node_name)
		jn_model_set_node(e->model, options->node_name);
	if (!rc)
		rc = jn_engine_load(e, options->state_dir, err);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "the declared state cannot be brought into the kernel (%s); "
				    "free memory and start junctord again",
				    strerror(-rc));
	*out = JN_MOVE(e);
	return 0;
}

void jn_engine_close(struct jn_engine **engine)
{
	struct jn_engine *e = *engine;

	*engine = NULL;
	if (!e)
		return;
	jn_store_close(&e->store);
	jn_transaction_done(&e->transaction); /* one that waits is completed by the next start */
	jn_garbage_done(&e->young);
	jn_garbage_done(&e->old);
	install_done(&e->install);
	jn_model_free(&e->model);
	jn_notes_done(&e->notes);
	jn_endings_done(&e->endings);
	jn_guards_done(&e->guards);
	jn_verify_done(&e->verify);
	jn_owed_done(&e->owed);
	free(e->queue.items);
	free(e->waiters.items);
	free(e->forgotten.items);
	free(e);
}

bool jn_engine_is_idle(const struct jn_engine *engine)
{
	return !engine->current && !engine->queue.count && !engine->is_store_busy &&
	       !engine->is_grace_running && !jn_owed_is_due(&engine->owed) &&
	       !engine->growth.is_running && !engine->guards.is_busy &&
	       !engine->verify.is_running && !jn_endings_is_busy(&engine->endings);
}

void jn_engine_start(struct jn_engine *engine)
{
	engine->is_started = true;
	jn_align_go_on(engine);
}

void jn_engine_drain(struct jn_engine *engine, void (*fn)(void *arg), void *arg)
{
	engine->is_draining = true;
	engine->drained = fn;
	engine->drained_arg = arg;
	jn_endings_stop(engine);
	jn_verify_stop(engine);
	jn_engine_keep(engine); /* once more, what could not be stored */
}

void jn_engine_keep(struct jn_engine *engine)
{
	engine->owed.is_waiting = false;
	jn_engine_pump(engine);
}

const char *jn_engine_unkept(const struct jn_engine *engine)
{
	return engine->owed.sentence;
}

struct jn_object *jn_engine_find(struct jn_engine *engine, const struct jn_object_key *key)
{
	struct jn_object *object = jn_model_find(engine->model, key);

	return object ? jn_object_ref(object) : NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct jn_object *const *left = a, *const *right = b;
	int order = strcmp((*left)->key.namespace_, (*right)->key.namespace_);

	return order ? order : strcmp((*left)->key.name, (*right)->key.name);
}

int jn_engine_list(struct jn_engine *engine, enum jn_kind kind, const char *namespace_,
		   struct jn_object_list *out)
{
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	struct jn_object *object;
	size_t at = 0;

	while ((object = jn_model_next(engine->model, &at))) {
		struct jn_object **item;

		if (object->key.kind != kind ||
		    (namespace_ && strcmp(namespace_, object->key.namespace_)))
			continue;
		item = jn_vec_add(&list);
		if (!item)
			return -ENOMEM;
		*item = jn_object_ref(object);
	}
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), by_name);
	*out = list;
	list = (struct jn_object_list){ 0 };
	return 0;
}

uint64_t jn_engine_generation(const struct jn_engine *engine)
{
	return engine->generation;
}

uint64_t jn_engine_installed(const struct jn_engine *engine)
{
	return engine->installed;
}

bool jn_engine_is_served(const struct jn_engine *engine)
{
	return !engine->is_unpublished;
}

uint64_t jn_engine_store_ms(const struct jn_engine *engine)
{
	return engine->store_ns ? (jn_clock_ns() - engine->store_ns) / 1000000 : 0;
}

bool jn_engine_wait(struct jn_engine *engine, uint64_t generation, void (*fn)(void *arg), void *arg)
{
	struct jn_waiter *waiter;

	if (generation <= engine->installed)
		return true;
	waiter = jn_vec_add(&engine->waiters);
	if (waiter)
		*waiter = (struct jn_waiter){ generation, fn, arg };
	return false; /* without memory for the waiter its caller runs into its own time-out */
}

void jn_engine_cancel_wait(struct jn_engine *engine, void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < engine->waiters.count; i++) {
		if (engine->waiters.items[i].arg != arg)
			engine->waiters.items[kept++] = engine->waiters.items[i];
	}
	engine->waiters.count = kept;
}

void jn_engine_usage(struct jn_engine *engine, struct jn_usage out[JN_USAGE_COUNT])
{
	const struct jn_install *in = &engine->install;
	const struct jn_ids *ids[] = { &in->services, &in->sets, &in->revisions, &in->endpoints };

	for (size_t i = 0; i < JN_COUNT(ids); i++)
		out[i] = (struct jn_usage){ ids[i]->name, ids[i]->used, ids[i]->ceiling - 1 };
	for (size_t i = 1; i < JN_COUNT(ids); i++)
		out[i].used -= engine->canary.taken; /* nobody declared them */
	out[4] = (struct jn_usage){ "frontends", jn_model_frontend_count(engine->model),
				    JN_MAX_FRONTENDS };
	out[5] = (struct jn_usage){ "slots", in->slots.used - engine->canary.taken, JN_MAX_SLOTS };
	out[6] = (struct jn_usage){ in->lives.ids.name, in->lives.ids.used,
				    in->lives.ids.ceiling - 1 };
}

void jn_engine_ended(const struct jn_engine *engine, struct jn_ended_count out[JN_ENDED_COUNT])
{
	static const struct {
		bool is_udp;
		enum jn_ending reason;
	} rows[] = { { true, JN_ENDING_GONE },
		     { false, JN_ENDING_DRAINED },
		     { false, JN_ENDING_STUCK } };

	_Static_assert(JN_COUNT(rows) == JN_ENDED_COUNT, "every row is shown");
	for (size_t i = 0; i < JN_COUNT(rows); i++)
		out[i] = (struct jn_ended_count){
			rows[i].is_udp ? "UDP" : "TCP",
			jn_ending_name(rows[i].reason),
			engine->endings.ended[rows[i].is_udp][rows[i].reason],
		};
}

uint64_t jn_engine_unreachable(const struct jn_engine *engine)
{
	return engine->endings.unreachable;
}

uint64_t jn_engine_guard_routes(const struct jn_engine *engine)
{
	return engine->guards.present;
}

void jn_engine_probe_stats(struct jn_engine *engine, struct jn_probe_stats *out)
{
	const struct jn_probing *probing = &engine->install.probing;

	*out = (struct jn_probe_stats){ 0 };
	if (probing->stats)
		probing->stats(probing->context, out);
	out->panics += engine->install.panics;
}

/* Counters are asked for in batches: a system call for each would hold up the loop. */
#define STATS_BATCH 256

struct stats_batch {
	struct jn_engine *engine;
	int (*fn)(void *arg, const struct jn_service_stats *s);
	void *arg;
	size_t count;
	const struct jn_installed_service *services[STATS_BATCH];
	const struct jn_installed_port *ports[STATS_BATCH];
};

static unsigned usable_endpoints(const struct jn_install *in, const struct jn_installed_port *port)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(in->datapath);
	unsigned count = 0;

	for (unsigned i = 0; i < port->endpoint_count; i++)
		count += table[port->endpoints[i]].weight != 0;
	return count;
}

static int flush_stats(struct stats_batch *batch)
{
	const struct jn_install *in = &batch->engine->install;
	uint32_t ids[STATS_BATCH];
	struct jn_stats stats[STATS_BATCH];
	int rc;

	if (!batch->count)
		return 0;
	for (size_t i = 0; i < batch->count; i++)
		ids[i] = batch->ports[i]->service;
	rc = jn_datapath_read_stats(in->datapath, ids, batch->count, stats);
	for (size_t i = 0; i < batch->count && !rc; i++) {
		struct jn_service_stats s = {
			.namespace_ = batch->services[i]->namespace_,
			.name = batch->services[i]->name,
			.port_name = batch->ports[i]->port_name,
			.proto = batch->ports[i]->proto,
			.endpoints = usable_endpoints(in, batch->ports[i]),
			.stats = stats[i],
		};

		rc = batch->fn(batch->arg, &s);
	}
	batch->count = 0;
	return rc;
}

int jn_engine_each_stats(struct jn_engine *engine,
			 int (*fn)(void *arg, const struct jn_service_stats *s), void *arg)
{
	struct stats_batch batch = { .engine = engine, .fn = fn, .arg = arg };
	struct jn_installed_service **service;
	size_t at = 0;
	int rc = 0;

	while (!rc && (service = jn_table_next(&engine->install.installed, &at))) {
		for (size_t i = 0; i < (*service)->count && !rc; i++) {
			batch.services[batch.count] = *service;
			batch.ports[batch.count++] = &(*service)->ports[i];
			if (batch.count == STATS_BATCH)
				rc = flush_stats(&batch);
		}
	}
	return rc ? rc : flush_stats(&batch);
}
