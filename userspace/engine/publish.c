/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The steps of a transaction that write tables. The order is the promise: whatever a program can
 * reach is whole before it can be reached, and stays whole until nobody can.
 */
#include "engine/transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/ejections.h"
#include "engine/plan_lives.h"
#include "engine/probes.h"

typedef int (*plan_fn)(struct jn_transaction *t, struct jn_port_plan *plan);

static int each_plan(struct jn_transaction *t, plan_fn fn)
{
	int rc = 0;

	for (size_t i = 0; i < t->count && !rc; i++) {
		for (size_t p = 0; p < t->services[i].port_count && !rc; p++)
			rc = fn(t, &t->services[i].ports[p]);
	}
	return rc;
}

bool jn_transaction_is_empty(const struct jn_transaction *t)
{
	if (t->put_keys.count || t->del_keys.count)
		return false;
	for (size_t i = 0; i < t->count; i++) {
		for (size_t p = 0; p < t->services[i].port_count; p++) {
			const struct jn_port_plan *plan = &t->services[i].ports[p];

			if (!plan->desired || !plan->installed || plan->match.gone_count ||
			    plan->match.new_count || plan->sets[JN_FAMILY_V4].is_published_anew ||
			    plan->sets[JN_FAMILY_V6].is_published_anew)
				return false;
		}
	}
	return true;
}

/* --- hide ---------------------------------------------------------------------------------------- */

/* A new endpoint, or since when one that comes back takes connections: for its slow start. */
static void hide_endpoint(struct jn_transaction *t, struct jn_port_plan *plan, size_t i)
{
	struct jn_datapath *datapath = t->in->datapath;
	const struct jn_desired_endpoint *desired = &plan->desired->endpoints[i];
	uint32_t id = plan->match.ids[i], now_s = (uint32_t)(jn_clock_ms() / 1000);

	if (plan->is_new[i])
		jn_datapath_put_endpoint(datapath, id,
					 &(struct jn_endpoint){
						 .addr = desired->addr,
						 .port = desired->port,
						 .weight = desired->weight,
						 .service = plan->service,
						 .since_s = now_s,
						 .live = plan->lives ? plan->lives[i].id : 0,
					 });
	else if (desired->weight && !jn_datapath_endpoints(datapath)[id].weight)
		jn_datapath_set_endpoint_since(datapath, id, now_s);
}

static int hide_port(struct jn_transaction *t, struct jn_port_plan *plan)
{
	struct jn_datapath *datapath = t->in->datapath;

	if (!plan->desired)
		return 0;
	jn_plan_lives_hide(t->in, plan);
	for (size_t i = 0; i < plan->desired->endpoint_count; i++)
		hide_endpoint(t, plan, i);
	for (unsigned family = 0; family < JN_FAMILY_MAX; family++) {
		struct jn_set_plan *set = &plan->sets[family];
		struct jn_revision revision;

		if (!set->is_published_anew)
			continue;
		revision = jn_plan_revision(plan->desired, family, &set->slots, set->number,
					    set->slot_base);
		revision.live = plan->live.id;
		jn_datapath_put_revision(datapath, set->revision, &revision, set->slots.items);
		set->sum = jn_slots_sum(set->slots.items, (uint32_t)set->slots.count);
	}
	return 0;
}

/* Names and fresh counters of the services that are new. */
static int hide_names(struct jn_transaction *t, struct jn_error *err)
{
	struct {
		uint32_t *items;
		size_t count, capacity;
	} services = { 0 };
	struct {
		struct jn_name *items;
		size_t count, capacity;
	} names = { 0 };
	size_t done = 0;
	int rc = 0;

	for (size_t i = 0; i < t->count && !rc; i++) {
		for (size_t p = 0; p < t->services[i].port_count && !rc; p++) {
			const struct jn_port_plan *plan = &t->services[i].ports[p];
			uint32_t *service;
			struct jn_name *name;

			if (plan->installed)
				continue;
			service = jn_vec_add(&services);
			name = jn_vec_add(&names);
			rc = service && name
				     ? jn_datapath_zero_stats(t->in->datapath, plan->service)
				     : -ENOMEM;
			if (rc)
				break;
			*service = plan->service;
			*name = plan->desired->name;
		}
	}
	if (!rc && services.count)
		rc = jn_datapath_put_names(t->in->datapath, services.items, names.items,
					   services.count, &done);
	free(services.items);
	free(names.items);
	if (rc)
		(void)jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				   "the kernel refused an entry of table jn_names (%s); nothing "
				   "was applied: free kernel memory and try again",
				   strerror(-rc));
	return rc;
}

int jn_transaction_hide(struct jn_transaction *t, struct jn_error *err)
{
	int rc = jn_plan_hooks(t->in, t, err);

	if (rc)
		return rc;
	t->is_hidden = true;
	if (!t->is_big)
		jn_transaction_hide_entries(t);
	return hide_names(t, err);
}

void jn_transaction_hide_entries(struct jn_transaction *t)
{
	(void)each_plan(t, hide_port); /* plain stores cannot fail */
}

/* --- publish ------------------------------------------------------------------------------------- */

static int publish_sets(struct jn_transaction *t, struct jn_port_plan *plan, bool is_new)
{
	for (unsigned family = 0; family < JN_FAMILY_MAX; family++) {
		const struct jn_set_plan *set = &plan->sets[family];

		if (set->is_published_anew && set->is_new == is_new)
			jn_datapath_publish(t->in->datapath, set->set, set->revision, set->number);
	}
	return 0;
}

static int publish_new_sets(struct jn_transaction *t, struct jn_port_plan *plan)
{
	return publish_sets(t, plan, true);
}

static int publish_used_sets(struct jn_transaction *t, struct jn_port_plan *plan)
{
	return publish_sets(t, plan, false);
}

/* Weights tell unconnected UDP sockets whether they may keep their endpoint. */
static int publish_weights(struct jn_transaction *t, struct jn_port_plan *plan)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(t->in->datapath);

	for (size_t i = 0; plan->desired && i < plan->desired->endpoint_count; i++) {
		uint32_t id = plan->match.ids[i];

		if (table[id].weight != plan->desired->endpoints[i].weight)
			jn_datapath_set_endpoint_weight(t->in->datapath, id,
							plan->desired->endpoints[i].weight);
	}
	for (size_t i = 0; i < plan->match.gone_count; i++) {
		if (table[plan->match.gone[i]].weight)
			jn_datapath_set_endpoint_weight(t->in->datapath, plan->match.gone[i], 0);
	}
	return 0;
}

static int put_frontends(struct jn_transaction *t, size_t from, size_t to)
{
	size_t done = 0; /* after a failure all are put again */

	if (from == to)
		return 0;
	return jn_datapath_put_frontends(t->in->datapath, t->put_keys.items + from,
					 t->put_values.items + from, to - from, &done);
}

static int del_frontends(struct jn_transaction *t)
{
	if (!t->del_keys.count)
		return 0;
	return jn_datapath_del_frontends(t->in->datapath, t->del_keys.items, t->del_keys.count);
}

int jn_transaction_publish(struct jn_transaction *t, uint64_t generation, struct jn_error *err)
{
	int rc;

	(void)each_plan(t, publish_new_sets); /* plain stores cannot fail */
	rc = del_frontends(t);
	if (!rc)
		rc = put_frontends(t, 0, t->first_count);
	if (!rc) {
		(void)each_plan(t, publish_used_sets);
		rc = put_frontends(t, t->first_count, t->put_keys.count);
		(void)each_plan(t, publish_weights);
	}
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the kernel refused an entry of table jn_frontends (%s); the "
				    "change stands and is tried again until it is complete: free "
				    "kernel memory",
				    strerror(-rc));
	jn_datapath_set_generation(t->in->datapath, generation);
	return 0;
}

/* --- adopt --------------------------------------------------------------------------------------- */

bool jn_garbage_is_empty(const struct jn_garbage *garbage)
{
	return !garbage->services.count && !garbage->sets.count && !garbage->revisions.count &&
	       !garbage->endpoints.count && !garbage->slots.count && !garbage->lives.count;
}

void jn_garbage_done(struct jn_garbage *garbage)
{
	free(garbage->services.items);
	free(garbage->sets.items);
	free(garbage->revisions.items);
	free(garbage->endpoints.items);
	free(garbage->slots.items);
	free(garbage->lives.items);
	*garbage = (struct jn_garbage){ 0 };
}

/* An id that finds no memory here stays taken until the next start. */
static void add_id(struct jn_id_list *list, uint32_t id)
{
	uint32_t *item = jn_vec_add(list);

	if (item)
		*item = id;
}

static bool has_room(struct jn_id_list *list)
{
	return !jn_vec_grow((void **)&list->items, &list->capacity, list->count,
			    sizeof(*list->items));
}

/* All of a set or nothing: what its word still leads to at the next start must not be in use twice. */
static void discard_set(const struct jn_set_plan *set, struct jn_garbage *garbage)
{
	struct jn_extent *extent;

	if (!has_room(&garbage->sets) || !has_room(&garbage->revisions))
		return;
	if (set->old.revision && (set->set != set->old_set || set->is_published_anew)) {
		if (set->old.slots.count) {
			extent = jn_vec_add(&garbage->slots);
			if (!extent)
				return;
			*extent = set->old.slots;
		}
		add_id(&garbage->revisions, set->old.revision);
	}
	if (set->old_set && set->set != set->old_set)
		add_id(&garbage->sets, set->old_set);
}

static void discard_port(struct jn_install *in, const struct jn_port_plan *plan,
			 struct jn_garbage *garbage)
{
	for (unsigned family = 0; family < JN_FAMILY_MAX; family++)
		discard_set(&plan->sets[family], garbage);
	jn_plan_lives_discard(in, plan, garbage);
	for (size_t i = 0; i < plan->match.gone_count; i++)
		add_id(&garbage->endpoints, plan->match.gone[i]);
	if (!plan->desired)
		add_id(&garbage->services, plan->service);
}

static struct jn_publication publication_of(const struct jn_set_plan *set)
{
	if (!set->is_published_anew)
		return set->set ? set->old : (struct jn_publication){ 0 };
	return (struct jn_publication){
		.revision = set->revision,
		.number = set->number,
		.slots = { set->slot_base, (uint32_t)set->slots.count },
		.sum = set->sum,
	};
}

/* Move what the plan made into the record of what is installed. */
static void adopt_port(struct jn_port_plan *plan, struct jn_desired_port *desired,
		       struct jn_installed_port *port)
{
	memcpy(port->port_name, desired->name.port_name, sizeof(port->port_name));
	port->proto = desired->name.proto;
	port->service = plan->service;
	port->live = plan->live.id;
	port->flags = jn_plan_flags(desired);
	port->is_probed = desired->probe;
	port->netns_cookie = plan->netns_cookie;
	for (unsigned family = 0; family < JN_FAMILY_MAX; family++) {
		port->sets[family] = plan->sets[family].set;
		port->published[family] = publication_of(&plan->sets[family]);
	}
	port->frontends = JN_MOVE(desired->frontends);
	port->frontend_count = desired->frontend_count;
	port->endpoints = JN_MOVE(plan->match.ids);
	port->endpoint_count = desired->endpoint_count;
	port->drain_seconds = desired->drain_seconds;
}

void jn_install_weigh(struct jn_install *in, uint8_t flags, int change)
{
	if (flags & JN_REVISION_COUNTS)
		in->counting += (unsigned)change;
	if (flags & JN_REVISION_WATCHES)
		in->watching += (unsigned)change;
}

static void adopt_service(struct jn_install *in, struct jn_service_plan *service)
{
	struct jn_installed_service *installed = service->installed;
	size_t count = service->desired.port_count;

	if (!installed)
		return;
	for (size_t i = 0; i < count; i++)
		adopt_port(&service->ports[i], &service->desired.ports[i], &service->next_ports[i]);
	for (size_t i = 0; i < installed->count; i++) {
		jn_install_weigh(in, installed->ports[i].flags, -1);
		jn_installed_port_done(&installed->ports[i]);
	}
	for (size_t i = 0; i < count; i++)
		jn_install_weigh(in, service->next_ports[i].flags, 1);
	free(installed->ports);
	installed->ports = JN_MOVE(service->next_ports);
	installed->count = installed->capacity = count;
	for (size_t i = 0; i < count; i++)
		jn_ejections_keep(in, installed, &installed->ports[i]);
	if (!count)
		jn_installed_drop(&in->installed, installed);
}

void jn_transaction_adopt(struct jn_transaction *t, struct jn_garbage *garbage)
{
	for (size_t i = 0; i < t->count; i++) {
		struct jn_service_plan *service = &t->services[i];

		for (size_t p = 0; p < service->port_count; p++)
			discard_port(t->in, &service->ports[p], garbage);
		for (size_t p = 0; p < service->port_count; p++)
			jn_probes_tell(t->in, service, &service->ports[p]);
		adopt_service(t->in, service);
	}
	t->in->hidden_needs = 0;
}

/* --- collect ------------------------------------------------------------------------------------- */

void jn_garbage_collect(struct jn_install *in, struct jn_garbage *garbage)
{
	uint64_t now = jn_clock_ms();

	for (size_t i = 0; i < garbage->sets.count; i++) {
		jn_datapath_publish(in->datapath, garbage->sets.items[i], 0, 0);
		jn_ids_free(&in->sets, garbage->sets.items[i], now);
	}
	for (size_t i = 0; i < garbage->endpoints.count; i++) {
		jn_datapath_clear_endpoint(in->datapath, garbage->endpoints.items[i]);
		jn_ids_free(&in->endpoints, garbage->endpoints.items[i], now);
	}
	for (size_t i = 0; i < garbage->revisions.count; i++)
		jn_ids_free(&in->revisions, garbage->revisions.items[i], now);
	for (size_t i = 0; i < garbage->slots.count; i++)
		jn_ranges_free(&in->slots, garbage->slots.items[i].base,
			       garbage->slots.items[i].count);
	for (size_t i = 0; i < garbage->lives.count; i++) {
		const struct jn_live_garbage *item = &garbage->lives.items[i];

		jn_lives_drop(&in->lives, item->id, item->is_backend ? &item->backend : NULL, true);
	}
	/* A name that stays behind is found, and removed, at the next start. */
	if (garbage->services.count)
		(void)jn_datapath_del_names(in->datapath, garbage->services.items,
					    garbage->services.count);
	for (size_t i = 0; i < garbage->services.count; i++)
		jn_ids_free(&in->services, garbage->services.items[i], now);
	jn_garbage_done(garbage);
	(void)jn_plan_hooks(in, NULL, NULL); /* one that stays too long does no harm */
}
