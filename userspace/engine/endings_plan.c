/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which of the sockets that were found are to be ended. The kernel compared ids; here it counts what
 * is installed: a backend that was removed and declared again has another id and is not gone, and
 * one that merely takes no new connections is not gone either.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/endings.h"
#include "engine/internal.h"

/* --- tables -------------------------------------------------------------------------------------- */

static const struct jn_table_ops watch_ops = { .entry_size = sizeof(struct jn_watch),
					       .key_size = sizeof(uint64_t) };

/* A service by its id: one that is installed, or one that went. */
struct service {
	uint32_t id;
	int32_t drain_seconds;
};

static const struct jn_table_ops service_ops = { .entry_size = sizeof(struct service),
						 .key_size = sizeof(uint32_t) };

/* A backend of a service, compared as bytes. */
struct place {
	uint32_t service;
	struct jn_addr addr;
	__be16 port;
	uint16_t pad;
};

static const struct jn_table_ops place_ops = { .entry_size = sizeof(struct place),
					       .key_size = sizeof(struct place) };

/* Whom a service address leads to today. */
struct vip {
	struct jn_frontend_key key;
	uint32_t service; /* 0: nobody */
};

static const struct jn_table_ops vip_ops = { .entry_size = sizeof(struct vip),
					     .key_size = sizeof(struct jn_frontend_key) };

void jn_endings_init(struct jn_endings *endings)
{
	endings->finder = -1;
	jn_table_init(&endings->watches, &watch_ops);
	jn_table_init(&endings->gone, &service_ops);
}

void jn_ending_plan_done(struct jn_ending_plan *plan)
{
	free(plan->sockets);
	free(plan->reasons);
	free(plan->is_ended);
	free(plan->is_reached);
	*plan = (struct jn_ending_plan){ 0 };
}

void jn_endings_done(struct jn_endings *endings)
{
	jn_table_done(&endings->watches);
	jn_table_done(&endings->gone);
	jn_ending_plan_done(&endings->plan);
	jn_ender_close(&endings->ender);
	jn_close_fd(&endings->finder);
	free(endings->found.items);
}

/* Its policy may have gone with it, so what was installed is asked first. */
void jn_endings_keep_drain(struct jn_engine *e, const struct jn_object_key *service,
			   const struct jn_installed_port *port)
{
	int32_t drain_seconds = port->drain_seconds;
	const struct jn_object *policy;
	struct service *entry;
	bool is_new;

	policy = jn_model_policy(e->model, service->namespace_, service->name, port->port_name);
	if (!policy)
		policy = jn_model_policy(e->model, service->namespace_, service->name, "");
	if (drain_seconds == JN_NEVER_DRAINED && policy &&
	    policy->policy.target_kind == service->kind)
		drain_seconds = policy->policy.drain_seconds;
	if (drain_seconds == JN_NEVER_DRAINED) {
		(void)jn_table_del(&e->endings.gone, &port->service);
		return;
	}
	entry = jn_table_put(&e->endings.gone, &port->service, &is_new);
	if (entry) /* without memory its connections end by themselves */
		*entry = (struct service){ port->service, drain_seconds };
}

/* --- what is installed --------------------------------------------------------------------------- */

/* Of the services that the sockets found name, and of those that their VIPs lead to today. */
struct index {
	struct jn_engine *e;
	struct jn_table wanted; /* services; drain_seconds as installed */
	struct jn_table places;
	struct jn_table vips;
};

static void index_done(struct index *index)
{
	jn_table_done(&index->wanted);
	jn_table_done(&index->places);
	jn_table_done(&index->vips);
}

static int want(struct index *index, uint32_t id)
{
	struct service *entry;
	bool is_new;

	entry = jn_table_put(&index->wanted, &id, &is_new);
	if (!entry)
		return -ENOMEM;
	if (is_new)
		*entry = (struct service){ id, JN_NEVER_DRAINED };
	return 0;
}

static struct jn_frontend_key vip_of(const struct jn_stale *socket)
{
	return (struct jn_frontend_key){
		.vip = socket->vip,
		.port = socket->vip_port,
		.proto = socket->proto == IPPROTO_UDP ? IPPROTO_UDP : IPPROTO_TCP,
	};
}

static int want_socket(struct index *index, const struct jn_stale *socket)
{
	struct jn_frontend_key key = vip_of(socket);
	struct jn_frontend frontend;
	struct vip *entry;
	bool is_new;
	int rc = want(index, socket->service);

	if (rc)
		return rc;
	entry = jn_table_put(&index->vips, &key, &is_new);
	if (!entry)
		return -ENOMEM;
	if (!is_new)
		return 0;
	*entry = (struct vip){ key, 0 };
	rc = jn_datapath_get_frontend(index->e->install.datapath, &key, &frontend);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	entry->service = frontend.service;
	return want(index, frontend.service);
}

static int add_port(struct index *index, const struct jn_installed_port *port)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(index->e->install.datapath);
	struct service *service = jn_table_find(&index->wanted, &port->service);

	if (!service)
		return 0;
	service->drain_seconds = port->drain_seconds;
	for (unsigned i = 0; i < port->endpoint_count; i++) {
		const struct jn_endpoint *endpoint = &table[port->endpoints[i]];
		struct place key = { port->service, endpoint->addr, endpoint->port, 0 }, *entry;
		bool is_new;

		entry = jn_table_put(&index->places, &key, &is_new);
		if (!entry)
			return -ENOMEM;
		*entry = key;
	}
	return 0;
}

static int index_build(struct index *index)
{
	const struct jn_stale_list *found = &index->e->endings.found;
	struct jn_installed_service **service;
	size_t at = 0;
	int rc = 0;

	jn_table_init(&index->wanted, &service_ops);
	jn_table_init(&index->places, &place_ops);
	jn_table_init(&index->vips, &vip_ops);
	for (size_t i = 0; i < found->count && !rc; i++)
		rc = want_socket(index, &found->items[i]);
	while (found->count && !rc &&
	       (service = jn_table_next(&index->e->install.installed, &at))) {
		for (size_t p = 0; p < (*service)->count && !rc; p++)
			rc = add_port(index, &(*service)->ports[p]);
	}
	return rc;
}

static bool has_backend(const struct index *index, uint32_t service, const struct jn_stale *socket)
{
	struct place key = { service, socket->backend, socket->backend_port, 0 };

	return jn_table_find(&index->places, &key);
}

/* Neither the service that was asked for has this backend, nor the one that has its address today. */
static bool is_gone(const struct index *index, const struct jn_stale *socket)
{
	struct jn_frontend_key key = vip_of(socket);
	const struct vip *vip = jn_table_find(&index->vips, &key);

	return !has_backend(index, socket->service, socket) &&
	       !(vip && vip->service && has_backend(index, vip->service, socket));
}

static int32_t drain_of(const struct index *index, uint32_t id)
{
	const struct service *gone = jn_table_find(&index->e->endings.gone, &id);
	const struct service *installed = jn_table_find(&index->wanted, &id);

	return gone ? gone->drain_seconds : installed->drain_seconds;
}

/* --- the plan ------------------------------------------------------------------------------------ */

/* The watch moves from the last round's table to this one's; what is not found again is forgotten. */
static enum jn_ending decide(const struct index *index, struct jn_table *next,
			     const struct jn_stale *socket, uint64_t now_ms)
{
	const struct jn_watch *before;
	struct jn_watch *watch;
	bool is_new;

	if (!is_gone(index, socket))
		return JN_ENDING_NONE;
	if (socket->proto == IPPROTO_UDP)
		return JN_ENDING_GONE;
	watch = jn_table_put(next, &socket->cookie, &is_new);
	if (!watch || !is_new) /* no memory: begun in the next round. Or it stands there twice. */
		return JN_ENDING_NONE;
	before = jn_table_find(&index->e->endings.watches, &socket->cookie);
	if (before)
		*watch = *before;
	else
		jn_watch_begin(watch, socket, drain_of(index, socket->service), now_ms);
	return jn_watch_look(watch, socket, now_ms);
}

static int by_netns(const void *a, const void *b)
{
	const struct jn_stale *left = a, *right = b;

	return left->netns < right->netns ? -1 : left->netns > right->netns;
}

static int plan_init(struct jn_ending_plan *plan, size_t most)
{
	plan->sockets = calloc(most, sizeof(*plan->sockets));
	plan->reasons = calloc(most, sizeof(*plan->reasons));
	plan->is_ended = calloc(most, sizeof(*plan->is_ended));
	plan->is_reached = calloc(most, sizeof(*plan->is_reached));
	return plan->sockets && plan->reasons && plan->is_ended && plan->is_reached ? 0 : -ENOMEM;
}

int jn_endings_plan(struct jn_engine *e, uint64_t now_ms)
{
	JN_AUTO(index_done) struct index index = { .e = e };
	struct jn_stale_list *found = &e->endings.found;
	struct jn_ending_plan *plan = &e->endings.plan;
	struct jn_table next;
	int rc;

	if (found->count)
		qsort(found->items, found->count, sizeof(*found->items), by_netns);
	jn_table_init(&next, &watch_ops);
	rc = index_build(&index);
	if (!rc && found->count)
		rc = plan_init(plan, found->count);
	if (rc)
		return rc;
	for (size_t i = 0; i < found->count; i++) {
		enum jn_ending reason = decide(&index, &next, &found->items[i], now_ms);

		if (reason == JN_ENDING_NONE)
			continue;
		plan->sockets[plan->count] = found->items[i];
		plan->reasons[plan->count++] = (uint8_t)reason;
	}
	jn_table_done(&e->endings.watches);
	e->endings.watches = next;
	return 0;
}
