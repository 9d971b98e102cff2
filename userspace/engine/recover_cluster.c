/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way back for Services: what the tables hold of one -> the Service, where it is lost, and
 * EndpointSlices with the endpoints that no declared slice brings. A recovered slice is named
 * <service>-recovered-<n> and carries one port. What the tables do not hold (labels, the endpoints
 * of other nodes and zones where a policy forbids them and nobody says so any more) is lost.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/internal.h"
#include "model/resolve_cluster.h"

static int keep(struct jn_object_list *list, struct jn_object *object)
{
	struct jn_object **item = jn_vec_add(list);

	if (!item) {
		jn_object_unref(&object);
		return -ENOMEM;
	}
	*item = object;
	return 0;
}

/* --- the Service ------------------------------------------------------------------------------- */

static void take_address(struct jn_cluster_service *s, const struct jn_addr *vip)
{
	for (unsigned i = 0; i < s->address_count; i++) {
		if (jn_family_of(&s->addresses[i]) == jn_family_of(vip))
			return;
	}
	s->addresses[s->address_count++] = *vip;
}

/* Ports that no frontend leads to serve nobody: a crash left them on their way in or out. */
static void recover_port(const struct jn_engine *e, const struct jn_installed_port *port,
			 struct jn_cluster_service *s)
{
	const struct jn_revision *revision;
	struct jn_cluster_port *recovered = &s->ports[s->port_count];

	if (!port->frontend_count)
		return;
	for (unsigned i = 0; i < port->frontend_count; i++)
		take_address(s, &port->frontends[i].vip);
	memcpy(recovered->name, port->port_name, sizeof(port->port_name));
	recovered->port = ntohs(port->frontends[0].port);
	recovered->proto = port->proto;
	s->port_count++;
	revision =
		jn_published_own(e->install.datapath, port, jn_family_of(&port->frontends[0].vip));
	if (revision && revision->rules.affinity_seconds)
		s->affinity = (struct jn_affinity_spec){
			.type = JN_AFFINITY_CLIENT_IP,
			.timeout_seconds = revision->rules.affinity_seconds,
		};
}

static int recover_service(const struct jn_engine *e, const struct jn_installed_service *service,
			   struct jn_object **out)
{
	JN_AUTO(jn_object_unref) struct jn_object *object = calloc(1, sizeof(*object));
	struct jn_cluster_service *s;

	if (!object)
		return -ENOMEM;
	object->references = 1;
	object->key = jn_installed_key(service);
	s = &object->cluster;
	s->affinity.timeout_seconds = JN_DEFAULT_AFFINITY_SECONDS;
	s->ports = calloc(service->count, sizeof(*s->ports));
	if (!s->ports)
		return -ENOMEM;
	for (size_t p = 0; p < service->count; p++)
		recover_port(e, &service->ports[p], s);
	if (!s->port_count)
		return -ENOENT;
	*out = JN_MOVE(object);
	return 0;
}

static const struct jn_desired_port *find_desired(const struct jn_desired *desired,
						  const struct jn_installed_port *port)
{
	for (unsigned i = 0; i < desired->port_count; i++) {
		const struct jn_desired_port *found = &desired->ports[i];

		if (found->name.proto == port->proto &&
		    !strcmp(found->name.port_name, port->port_name))
			return found;
	}
	return NULL;
}

static bool has_frontend(const struct jn_desired_port *desired, const struct jn_frontend_key *key)
{
	for (unsigned i = 0; i < desired->frontend_count; i++) {
		if (!memcmp(&desired->frontends[i], key, sizeof(*key)))
			return true;
	}
	return false;
}

/* Does the Service ask for just the frontends that are installed? */
static bool is_as_installed(const struct jn_desired *desired,
			    const struct jn_installed_service *service)
{
	unsigned count = 0;

	for (size_t p = 0; p < service->count; p++) {
		const struct jn_installed_port *port = &service->ports[p];
		const struct jn_desired_port *wanted = find_desired(desired, port);

		if (!port->frontend_count)
			continue;
		if (!wanted || wanted->frontend_count != port->frontend_count)
			return false;
		for (unsigned i = 0; i < port->frontend_count; i++) {
			if (!has_frontend(wanted, &port->frontends[i]))
				return false;
		}
		count++;
	}
	return count == desired->port_count;
}

/* --- its slices -------------------------------------------------------------------------------- */

struct slicing {
	struct jn_engine *e;
	const struct jn_object *service;
	struct jn_object_list *out;
	bool has_surplus; /* a slice brings an endpoint that the tables do not use */
	bool takes_all;	  /* all endpoints of the tables are to be in new slices */
	bool has_hints;	  /* of topology, in what is declared */
	unsigned number;
};

/* Which endpoints of the tables nobody declares as they are? */
static int find_missing(struct slicing *s, const struct jn_installed_port *port,
			const struct jn_desired_port *desired, struct jn_id_list *out)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(s->e->install.datapath);
	JN_AUTO(jn_endpoint_match_done) struct jn_endpoint_match match = { 0 };
	int rc = jn_plan_endpoints(desired, port->endpoints, port->endpoint_count, table, &match);

	if (rc)
		return rc;
	/* Room for all of them, so that adding does not fail. */
	out->items = calloc(port->endpoint_count + 1, sizeof(*out->items));
	if (!out->items)
		return -ENOMEM;
	for (unsigned i = 0; desired && i < desired->endpoint_count; i++) {
		uint32_t id = match.ids[i];
		bool is_used = id && table[id].weight;

		s->has_surplus |= desired->endpoints[i].weight && !is_used;
		if (is_used && !desired->endpoints[i].weight)
			out->items[out->count++] = id;
	}
	for (size_t i = 0; i < match.gone_count; i++)
		out->items[out->count++] = match.gone[i];
	if (!s->takes_all)
		return 0;
	out->count = port->endpoint_count;
	memcpy(out->items, port->endpoints, out->count * sizeof(*out->items));
	return 0;
}

/* Where the declared ones say for whom they are, this one is for us: it was used here. */
static int add_hints(struct slicing *s, struct jn_slice_endpoint *endpoint)
{
	struct jn_here here = jn_model_here(s->e->model);

	if (!s->has_hints)
		return 0;
	endpoint->hints = calloc(1, sizeof(*endpoint->hints));
	if (!endpoint->hints)
		return -ENOMEM;
	endpoint->hints->zones = strdup(here.zone);
	endpoint->hints->zone_count = *here.zone != '\0';
	endpoint->hints->nodes = strdup(here.node);
	endpoint->hints->node_count = *here.node != '\0';
	return endpoint->hints->zones && endpoint->hints->nodes ? 0 : -ENOMEM;
}

static int add_endpoint(struct slicing *s, const struct jn_endpoint *from,
			struct jn_endpoint_slice *slice)
{
	struct jn_slice_endpoint *endpoint = &slice->endpoints[slice->endpoint_count++];
	bool is_used = from->weight != 0;

	*endpoint = (struct jn_slice_endpoint){
		.addr = from->addr,
		.is_ready = is_used,
		.is_serving = is_used,
	};
	if (is_used && s->service->cluster.is_local) {
		endpoint->node = strdup(jn_model_here(s->e->model).node);
		if (!endpoint->node)
			return -ENOMEM;
	}
	return is_used ? add_hints(s, endpoint) : 0;
}

static int name_slice(struct slicing *s, struct jn_object *slice)
{
	struct jn_label *label = calloc(1, sizeof(*label));

	slice->labels.items = label;
	if (!label)
		return -ENOMEM;
	slice->labels.count = 1;
	label->key = strdup(JN_LABEL_SERVICE_NAME);
	label->value = strdup(s->service->key.name);
	if (!label->key || !label->value)
		return -ENOMEM;
	slice->key = jn_object_key_of(JN_KIND_ENDPOINT_SLICE, s->service->key.namespace_, "");
	do {
		(void)snprintf(slice->key.name, sizeof(slice->key.name), "%.63s-recovered-%u",
			       s->service->key.name, ++s->number);
	} while (jn_model_find(s->e->model, &slice->key));
	memcpy(slice->slice.service, s->service->key.name, sizeof(slice->slice.service));
	return 0;
}

/* A slice of the first endpoint and all that go with it, which are taken out of ids. */
static int make_slice(struct slicing *s, const struct jn_installed_port *port,
		      struct jn_id_list *ids)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(s->e->install.datapath);
	const struct jn_endpoint *first = &table[ids->items[0]];
	JN_AUTO(jn_object_unref) struct jn_object *slice = calloc(1, sizeof(*slice));
	enum jn_family family = jn_family_of(&first->addr);
	size_t left = 0;
	int rc;

	if (!slice)
		return -ENOMEM;
	slice->references = 1;
	slice->key.kind = JN_KIND_ENDPOINT_SLICE;
	slice->slice.address_type = family == JN_FAMILY_V4 ? JN_ADDRESS_IPV4 : JN_ADDRESS_IPV6;
	slice->slice.ports = calloc(1, sizeof(*slice->slice.ports));
	slice->slice.endpoints = calloc(ids->count, sizeof(*slice->slice.endpoints));
	rc = slice->slice.ports && slice->slice.endpoints ? name_slice(s, slice) : -ENOMEM;
	if (rc)
		return rc;
	slice->slice.port_count = 1;
	memcpy(slice->slice.ports->name, port->port_name, sizeof(port->port_name));
	slice->slice.ports->port = ntohs(first->port);
	slice->slice.ports->proto = port->proto;
	for (size_t i = 0; i < ids->count && !rc; i++) {
		const struct jn_endpoint *endpoint = &table[ids->items[i]];

		if (endpoint->port == first->port && jn_family_of(&endpoint->addr) == family &&
		    slice->slice.endpoint_count < JN_MAX_SLICE_ENDPOINTS)
			rc = add_endpoint(s, endpoint, &slice->slice);
		else
			ids->items[left++] = ids->items[i];
	}
	ids->count = left;
	return rc ? rc : keep(s->out, JN_MOVE(slice));
}

static int recover_slices(struct slicing *s, const struct jn_desired *desired,
			  const struct jn_installed_service *service)
{
	int rc = 0;

	for (size_t p = 0; p < service->count && !rc; p++) {
		const struct jn_installed_port *port = &service->ports[p];
		struct jn_id_list ids = { 0 };

		if (!port->frontend_count)
			continue;
		rc = find_missing(s, port, find_desired(desired, port), &ids);
		while (ids.count && !rc)
			rc = make_slice(s, port, &ids);
		free(ids.items);
	}
	return rc;
}

static bool slice_has_hints(const struct jn_endpoint_slice *slice)
{
	for (unsigned i = 0; i < slice->endpoint_count; i++) {
		if (slice->endpoints[i].hints)
			return true;
	}
	return false;
}

/* What was declared is older than the tables: it makes room for what they hold. */
static int replace_slices(struct slicing *s, const struct jn_desired *desired,
			  const struct jn_installed_service *service, struct jn_object_list *stale)
{
	struct jn_object *slice =
		jn_model_slices(s->e->model, s->service->key.namespace_, s->service->key.name);
	int rc = 0;

	for (; slice && !rc; slice = slice->slice.next)
		rc = keep(stale, jn_object_ref(slice));
	if (rc)
		return rc;
	s->takes_all = true;
	s->has_hints = false;
	return recover_slices(s, desired, service);
}

int jn_engine_recover_cluster(struct jn_engine *e, const struct jn_installed_service *service,
			      struct jn_object_list *out, struct jn_object_list *stale)
{
	JN_AUTO(jn_object_unref) struct jn_object *recovered = NULL;
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	JN_AUTO(jn_object_list_done) struct jn_object_list slices = { 0 };
	struct jn_object_key key = jn_installed_key(service);
	struct jn_object *declared = jn_model_find(e->model, &key);
	struct slicing s = { .e = e, .service = declared, .out = &slices };
	int rc = declared ? jn_resolve(e->model, declared, &desired) : 0;

	if (!rc && (!declared || !is_as_installed(&desired, service))) {
		jn_desired_done(&desired);
		rc = recover_service(e, service, &recovered);
		s.service = recovered;
		if (!rc)
			rc = keep(out, jn_object_ref(recovered));
		if (!rc)
			rc = jn_resolve(e->model, recovered, &desired);
	}
	if (rc)
		return rc;
	for (const struct jn_object *slice = jn_model_slices(e->model, key.namespace_, key.name);
	     slice; slice = slice->slice.next)
		s.has_hints |= slice_has_hints(&slice->slice);
	rc = recover_slices(&s, &desired, service);
	if (!rc && s.has_surplus) {
		jn_object_list_done(&slices);
		rc = replace_slices(&s, &desired, service, stale);
	}
	for (size_t i = 0; i < slices.count && !rc; i++)
		rc = keep(out, jn_object_ref(slices.items[i]));
	return rc;
}
