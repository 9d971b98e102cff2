/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The first step of a transaction: what has to change, with every id it needs. Touches no table.
 */
#include "engine/transaction.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/plan_lives.h"

/* The name the user knows it by, for a limit's sentence. */
static int limit_reached(struct jn_error *err, const struct jn_service_plan *service,
			 const char *limit, uint64_t max)
{
	jn_error_cause(err, JN_ERROR_INVALID, JN_CAUSE_LIMIT, "",
		       "%s/%s: the limit %s (%llu) is reached; delete what is not needed (ids that "
		       "were just freed can be used again after %u s)",
		       service->key.namespace_, service->key.name, limit, (unsigned long long)max,
		       JN_QUARANTINE_MS / 1000);
	return -EINVAL;
}

/*
 * No id is left: -ENOSPC where the table may grow, else the limit's sentence, and -EDQUOT where ids
 * do not rest: those among the garbage are free after its grace period.
 */
static int refuse_id(struct jn_install *in, const struct jn_ids *ids,
		     const struct jn_service_plan *service, enum jn_full full, struct jn_error *err)
{
	if (ids->capacity >= ids->ceiling) {
		(void)limit_reached(err, service, ids->name, ids->ceiling - 1);
		return ids->rest_ms ? -EINVAL : -EDQUOT;
	}
	in->full = full;
	return -ENOSPC;
}

/* The same for slots, none of which rest. */
static int refuse_slots(struct jn_install *in, const struct jn_service_plan *service,
			struct jn_error *err)
{
	if (in->slots.capacity >= in->slots.ceiling) {
		(void)limit_reached(err, service, "slots", in->slots.ceiling);
		return -EDQUOT;
	}
	in->full = JN_FULL_SLOTS;
	return -ENOSPC;
}

static int take_endpoints(struct jn_install *in, const struct jn_service_plan *service,
			  struct jn_port_plan *plan, struct jn_error *err)
{
	size_t count = plan->desired ? plan->desired->endpoint_count : 0;
	int rc;

	if (count > JN_MAX_BACKENDS)
		return limit_reached(err, service, "endpoints of one port", JN_MAX_BACKENDS);
	rc = jn_plan_endpoints(plan->desired, plan->installed ? plan->installed->endpoints : NULL,
			       plan->installed ? plan->installed->endpoint_count : 0,
			       jn_datapath_endpoints(in->datapath), &plan->match);
	if (rc)
		return rc;
	if (!count)
		return 0;
	plan->is_new = calloc(count, sizeof(*plan->is_new));
	if (!plan->is_new)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (plan->match.ids[i])
			continue;
		plan->match.ids[i] = jn_ids_take(&in->endpoints, jn_clock_ms());
		if (!plan->match.ids[i])
			return refuse_id(in, &in->endpoints, service, JN_FULL_ENDPOINTS, err);
		plan->is_new[i] = true;
	}
	return 0;
}

static bool is_installed(const struct jn_port_plan *plan, const struct jn_frontend_key *key)
{
	for (unsigned i = 0; plan->installed && i < plan->installed->frontend_count; i++) {
		if (!memcmp(&plan->installed->frontends[i], key, sizeof(*key)))
			return true;
	}
	return false;
}

/* Does a frontend of this family come here from another service port? */
static bool takes_over(const struct jn_transaction *t, const struct jn_port_plan *plan,
		       enum jn_family family)
{
	for (unsigned i = 0; t->lost.count && i < plan->desired->frontend_count; i++) {
		const struct jn_frontend_key *key = &plan->desired->frontends[i];

		if (jn_family_of(&key->vip) == family && !is_installed(plan, key) &&
		    jn_table_find(&t->lost, key))
			return true;
	}
	return false;
}

static int take_revision(struct jn_install *in, const struct jn_service_plan *service,
			 struct jn_set_plan *plan, struct jn_error *err)
{
	plan->revision = jn_ids_take(&in->revisions, jn_clock_ms());
	if (!plan->revision)
		return refuse_id(in, &in->revisions, service, JN_FULL_REVISIONS, err);
	plan->is_published_anew = true;
	if (!++in->last_number)
		in->last_number = 1; /* 0 means that nothing is published */
	plan->number = in->last_number;
	if (!plan->slots.count)
		return 0;
	if (jn_ranges_take(&in->slots, (uint32_t)plan->slots.count, &plan->slot_base))
		return refuse_slots(in, service, err);
	plan->has_slots = true;
	return 0;
}

static int assign_port(struct jn_install *in, const struct jn_service_plan *service,
		       struct jn_port_plan *port, struct jn_error *err)
{
	int rc = 0;

	for (unsigned family = 0; family < JN_FAMILY_MAX && !rc; family++) {
		struct jn_set_plan *plan = &port->sets[family];

		if (plan->is_wanted && !plan->is_same)
			rc = take_revision(in, service, plan, err);
	}
	return rc;
}

/* What was published for this set, and what of it can be compared with. */
static const struct jn_revision *remember_old(const struct jn_install *in, struct jn_set_plan *plan,
					      const struct jn_installed_port *port,
					      enum jn_family family)
{
	const struct jn_revision *revision;

	if (!port)
		return NULL;
	plan->old_set = port->sets[family];
	plan->old = port->published[family];
	revision = jn_published_own(in->datapath, port, family);
	plan->is_old_served = revision;
	return revision;
}

/*
 * A frontend that moves from one set to another must switch between two states that are both as they
 * shall be. Where it comes to a set that changes, too, this takes a new set, as that one can be
 * filled before anything leads to it.
 */
static int plan_set(struct jn_transaction *t, const struct jn_service_plan *service,
		    struct jn_port_plan *port, enum jn_family family, struct jn_error *err)
{
	struct jn_install *in = t->in;
	struct jn_set_plan *plan = &port->sets[family];
	const struct jn_revision *revision;

	revision = remember_old(in, plan, port->installed, family);
	plan->is_wanted = port->desired && jn_desired_has_family(port->desired, family);
	if (!plan->is_wanted)
		return 0;
	if (plan->old_set && takes_over(t, port, family))
		port->rewrites_frontends = true;
	else
		plan->set = plan->old_set;
	if (!plan->set) {
		plan->set = jn_ids_take(&in->sets, jn_clock_ms());
		if (!plan->set)
			return refuse_id(in, &in->sets, service, JN_FULL_SETS, err);
		plan->is_new = true;
	}
	return jn_plan_measure(port->desired, family, revision, &plan->size);
}

static int plan_lives(struct jn_install *in, const struct jn_service_plan *service,
		      struct jn_port_plan *plan, struct jn_error *err)
{
	int rc = jn_plan_lives(in, plan);

	return rc == -ENOSPC ? refuse_id(in, &in->lives.ids, service, JN_FULL_LIVE, err) : rc;
}

static int plan_port(struct jn_transaction *t, const struct jn_service_plan *service,
		     struct jn_port_plan *plan, struct jn_error *err)
{
	struct jn_install *in = t->in;
	int rc;

	plan->service = plan->installed ? plan->installed->service
					: jn_ids_take(&in->services, jn_clock_ms());
	if (!plan->service)
		return refuse_id(in, &in->services, service, JN_FULL_SERVICES, err);
	rc = take_endpoints(in, service, plan, err);
	if (!rc)
		rc = plan_lives(in, service, plan, err);
	for (unsigned family = 0; family < JN_FAMILY_MAX && !rc; family++)
		rc = plan_set(t, service, plan, family, err);
	if (rc || !plan->desired)
		return rc;
	plan->netns_cookie = plan->desired->is_bound ? in->netns_cookie : 0;
	plan->rewrites_frontends |=
		plan->installed &&
		(plan->installed->is_uneven || plan->installed->netns_cookie != plan->netns_cookie);
	return 0;
}

/* --- frontends: collected over all services, so that an address can move between two ------------ */

/*
 * Is this frontend put before sets that are in use change? It is where it leads to a new set: the
 * one that it leaves may change. And it is where it gets bound to our network namespace: its set
 * may get a loopback address, and sockets of other namespaces would reach their own 127.0.0.1.
 */
static bool goes_first(const struct jn_port_plan *plan, const struct jn_frontend_key *key)
{
	return plan->sets[jn_family_of(&key->vip)].is_new ||
	       (plan->rewrites_frontends && plan->netns_cookie && is_installed(plan, key));
}

static int collect_puts(struct jn_transaction *t, const struct jn_port_plan *plan, bool first)
{
	for (unsigned i = 0; plan->desired && i < plan->desired->frontend_count; i++) {
		const struct jn_frontend_key *frontend = &plan->desired->frontends[i];
		struct jn_frontend_key *key;
		struct jn_frontend *value;

		if (goes_first(plan, frontend) != first ||
		    (is_installed(plan, frontend) && !plan->rewrites_frontends))
			continue;
		key = jn_vec_add(&t->put_keys);
		value = jn_vec_add(&t->put_values);
		if (!key || !value)
			return -ENOMEM;
		*key = *frontend;
		value->service = plan->service;
		value->set = plan->sets[jn_family_of(&frontend->vip)].set;
		value->netns_cookie = plan->netns_cookie;
	}
	return 0;
}

/* What this port has and no object claims any more. */
static int collect_dels(struct jn_transaction *t, const struct jn_port_plan *plan)
{
	for (unsigned i = 0; plan->installed && i < plan->installed->frontend_count; i++) {
		struct jn_frontend_key *key;

		if (jn_model_is_claimed(t->in->model, &plan->installed->frontends[i]))
			continue;
		key = jn_vec_add(&t->del_keys);
		if (!key)
			return -ENOMEM;
		*key = plan->installed->frontends[i];
	}
	return 0;
}

static int check_frontends(struct jn_transaction *t, struct jn_error *err)
{
	size_t count = jn_model_frontend_count(t->in->model);

	if (t->count && count > JN_MAX_FRONTENDS)
		return limit_reached(err, &t->services[0], "frontends", JN_MAX_FRONTENDS);
	if (count <= jn_datapath_sizes(t->in->datapath)->frontends)
		return 0;
	t->in->full = JN_FULL_FRONTENDS;
	return -ENOSPC;
}

static int collect_frontends(struct jn_transaction *t, struct jn_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < t->count && !rc; i++) {
		for (size_t p = 0; p < t->services[i].port_count && !rc; p++)
			rc = collect_puts(t, &t->services[i].ports[p], true);
	}
	t->first_count = t->put_keys.count;
	for (size_t i = 0; i < t->count && !rc; i++) {
		const struct jn_service_plan *service = &t->services[i];

		for (size_t p = 0; p < service->port_count && !rc; p++) {
			rc = collect_puts(t, &service->ports[p], false);
			if (!rc)
				rc = collect_dels(t, &service->ports[p]);
		}
	}
	return rc ? rc : check_frontends(t, err);
}

/* --- services ------------------------------------------------------------------------------------ */

/* The record of what is installed, and room for what will be: nothing later can fail for memory. */
static int make_installed(struct jn_install *in, struct jn_service_plan *service)
{
	const struct jn_object_key *key = &service->key;

	if (!service->desired.port_count) {
		service->installed = jn_installed_find(&in->installed, key);
		return 0;
	}
	service->installed = jn_installed_make(&in->installed, key);
	service->next_ports = calloc(service->desired.port_count, sizeof(*service->next_ports));
	return service->installed && service->next_ports ? 0 : -ENOMEM;
}

/* Pair desired ports with installed ones by name and protocol; then the installed rest. */
static int pair_ports(struct jn_service_plan *service)
{
	const struct jn_installed_service *installed = service->installed;
	size_t most = service->desired.port_count + (installed ? installed->count : 0);

	service->ports = calloc(most ? most : 1, sizeof(*service->ports));
	if (!service->ports)
		return -ENOMEM;
	for (unsigned i = 0; i < service->desired.port_count; i++) {
		const struct jn_desired_port *desired = &service->desired.ports[i];

		service->ports[service->port_count++] = (struct jn_port_plan){
			.desired = desired,
			.installed = jn_installed_port(installed, desired->name.port_name,
						       desired->name.proto),
		};
	}
	for (size_t i = 0; installed && i < installed->count; i++) {
		const struct jn_installed_port *port = &installed->ports[i];
		bool is_desired = false;

		for (size_t p = 0; p < service->port_count; p++)
			is_desired |= service->ports[p].installed == port;
		if (!is_desired)
			service->ports[service->port_count++] =
				(struct jn_port_plan){ .installed = port };
	}
	return 0;
}

static int plan_service(struct jn_transaction *t, const struct jn_object_key *key)
{
	const struct jn_object *object = jn_model_find_staged(t->in->model, key);
	struct jn_service_plan *service =
		jn_vec_add_raw((void **)&t->services, &t->count, &t->capacity, sizeof(*service));
	int rc = 0;

	if (!service)
		return -ENOMEM;
	service->key = *key;
	if (object)
		rc = jn_resolve(t->in->model, object, &service->desired);
	if (!rc)
		rc = make_installed(t->in, service);
	return rc ? rc : pair_ports(service);
}

static const struct jn_table_ops lost_ops = { .entry_size = sizeof(struct jn_frontend_key),
					      .key_size = sizeof(struct jn_frontend_key) };

/* The frontends that a service port has and does not keep; others may take them over. */
static int collect_lost(struct jn_transaction *t, const struct jn_port_plan *plan)
{
	for (unsigned i = 0; plan->installed && i < plan->installed->frontend_count; i++) {
		const struct jn_frontend_key *key = &plan->installed->frontends[i];
		struct jn_frontend_key *entry;
		bool is_kept = false, is_new;

		for (unsigned f = 0; plan->desired && f < plan->desired->frontend_count; f++)
			is_kept |= !memcmp(&plan->desired->frontends[f], key, sizeof(*key));
		if (is_kept)
			continue;
		entry = jn_table_put(&t->lost, key, &is_new);
		if (!entry)
			return -ENOMEM;
		*entry = *key;
	}
	return 0;
}

static int plan_ports(struct jn_transaction *t, struct jn_error *err)
{
	int rc = 0;

	jn_table_init(&t->lost, &lost_ops);
	for (size_t i = 0; i < t->count && !rc; i++) {
		for (size_t p = 0; p < t->services[i].port_count && !rc; p++)
			rc = collect_lost(t, &t->services[i].ports[p]);
	}
	for (size_t i = 0; i < t->count && !rc; i++) {
		for (size_t p = 0; p < t->services[i].port_count && !rc; p++)
			rc = plan_port(t, &t->services[i], &t->services[i].ports[p], err);
	}
	jn_table_done(&t->lost);
	return rc;
}

int jn_transaction_plan(struct jn_transaction *t, const struct jn_key_list *keys,
			struct jn_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < keys->count && !rc; i++)
		rc = plan_service(t, &keys->items[i]);
	if (!rc)
		rc = plan_ports(t, err);
	if (!rc)
		rc = collect_frontends(t, err);
	if (!rc)
		rc = jn_transaction_measure(t, err);
	if (rc)
		jn_transaction_take_back(t);
	return rc;
}

int jn_transaction_assign(struct jn_transaction *t, struct jn_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < t->count && !rc; i++) {
		const struct jn_service_plan *service = &t->services[i];

		for (size_t p = 0; p < service->port_count && !rc; p++)
			rc = assign_port(t->in, service, &service->ports[p], err);
	}
	if (rc)
		jn_transaction_take_back(t);
	return rc;
}

int jn_transaction_prepare(struct jn_transaction *t, const struct jn_key_list *keys,
			   struct jn_error *err)
{
	int rc = jn_transaction_plan(t, keys, err);

	if (rc)
		return rc;
	rc = jn_transaction_build(t);
	if (rc) {
		jn_transaction_take_back(t);
		return rc;
	}
	return jn_transaction_assign(t, err);
}
