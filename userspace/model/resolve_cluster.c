/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A Service and its EndpointSlices -> what the kernel is to hold. Slices are merged for each port
 * by its name and protocol: a slice may carry only some of the ports, and an endpoint stays until
 * the last slice that lists it goes. Families stay apart. Which endpoints are used: topology.h.
 */
#include "model/resolve_cluster.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/table.h"
#include "proto/address.h"

/* --- merging ----------------------------------------------------------------------------------- */

struct place {
	struct jn_frontend_key key; /* address and port of a candidate */
	unsigned index;
};

static const struct jn_table_ops places_ops = { .entry_size = sizeof(struct place),
						.key_size = sizeof(struct jn_frontend_key) };

struct merging {
	const struct jn_cluster_port *port;
	uint8_t address_type;
	const char *node; /* that we are on */
	struct jn_object **slices;
	unsigned slice_count;
	struct jn_table places;
	struct jn_candidates *out;
};

void jn_candidates_done(struct jn_candidates *candidates)
{
	free(candidates->items);
	*candidates = (struct jn_candidates){ 0 };
}

/* The number behind this port in that slice; 0: the slice does not have it. */
static uint16_t number_in(const struct merging *m, const struct jn_object *slice)
{
	if (slice->slice.address_type != m->address_type || jn_object_is_foreign(slice))
		return 0;
	for (unsigned i = 0; i < slice->slice.port_count; i++) {
		const struct jn_slice_port *port = &slice->slice.ports[i];

		if (port->proto == m->port->proto && !strcmp(port->name, m->port->name))
			return port->port;
	}
	return 0;
}

static struct jn_candidate candidate_of(const struct merging *m,
					const struct jn_slice_endpoint *endpoint, uint16_t number)
{
	return (struct jn_candidate){
		.addr = endpoint->addr,
		.port = number,
		.is_ready = endpoint->is_ready,
		.is_serving = endpoint->is_serving,
		.is_terminating = endpoint->is_terminating,
		.is_local = endpoint->node && !strcmp(endpoint->node, m->node),
		.hints = endpoint->hints,
	};
}

/* How much two listings of one endpoint say for it; the one that says more counts. */
static unsigned rank(const struct jn_candidate *c)
{
	return c->is_ready ? 2 : c->is_serving && c->is_terminating;
}

static void merge(struct jn_candidate *into, const struct jn_candidate *other)
{
	bool is_local = into->is_local || other->is_local;

	if (rank(other) > rank(into))
		*into = *other;
	into->is_local = is_local;
}

static int add_slice(struct merging *m, const struct jn_object *slice)
{
	uint16_t number = number_in(m, slice);

	for (unsigned i = 0; number && i < slice->slice.endpoint_count; i++) {
		struct jn_candidate candidate = candidate_of(m, &slice->slice.endpoints[i], number);
		struct jn_frontend_key key = jn_frontend_key_of(&candidate.addr, number, 0);
		struct place *place;
		bool is_new;

		place = jn_table_put(&m->places, &key, &is_new);
		if (!place)
			return -ENOMEM;
		if (!is_new) {
			merge(&m->out->items[place->index], &candidate);
			continue;
		}
		*place = (struct place){ key, m->out->count };
		m->out->items[m->out->count++] = candidate;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct jn_object *const *left = a, *const *right = b;

	return strcmp((*left)->key.name, (*right)->key.name);
}

/* In the order of names, so that equal declarations give equal tables. */
static int sort_slices(const struct jn_model *model, const struct jn_object *service,
		       struct merging *m)
{
	struct jn_object *first =
		jn_model_slices(model, service->key.namespace_, service->key.name);
	unsigned count = 0;

	for (const struct jn_object *slice = first; slice; slice = slice->slice.next)
		count++;
	m->slices = calloc(count ? count : 1, sizeof(struct jn_object *));
	if (!m->slices)
		return -ENOMEM;
	for (struct jn_object *slice = first; slice; slice = slice->slice.next)
		m->slices[m->slice_count++] = slice;
	qsort(m->slices, count, sizeof(struct jn_object *), by_name);
	return 0;
}

static int merge_slices(struct merging *m)
{
	size_t most = 0;
	int rc = 0;

	for (unsigned i = 0; i < m->slice_count; i++)
		most += number_in(m, m->slices[i]) ? m->slices[i]->slice.endpoint_count : 0;
	m->out->items = calloc(most ? most : 1, sizeof(*m->out->items));
	if (!m->out->items || (most && jn_table_reserve(&m->places, most)))
		return -ENOMEM;
	for (unsigned i = 0; i < m->slice_count && !rc; i++)
		rc = add_slice(m, m->slices[i]);
	return rc;
}

int jn_candidates_collect(const struct jn_model *m, const struct jn_object *service,
			  unsigned port_index, enum jn_family family, struct jn_candidates *out)
{
	JN_AUTO(jn_candidates_done) struct jn_candidates candidates = { 0 };
	struct jn_here here = jn_model_here(m);
	struct merging merging = {
		.port = &service->cluster.ports[port_index],
		.address_type = family == JN_FAMILY_V4 ? JN_ADDRESS_IPV4 : JN_ADDRESS_IPV6,
		.node = here.node,
		.out = &candidates,
	};
	int rc;

	jn_table_init(&merging.places, &places_ops);
	rc = sort_slices(m, service, &merging);
	if (!rc)
		rc = merge_slices(&merging);
	free(merging.slices);
	jn_table_done(&merging.places);
	if (rc)
		return rc;
	candidates.has_any = jn_topology_choose(candidates.items, candidates.count,
						service->cluster.is_local, &here);
	*out = candidates;
	candidates = (struct jn_candidates){ 0 };
	return 0;
}

/* --- ports ------------------------------------------------------------------------------------- */

static int add_endpoints(const struct jn_candidates *candidates, enum jn_family family,
			 struct jn_desired_port *port)
{
	struct jn_desired_endpoint *grown;
	bool has_used = false;

	grown = reallocarray(port->endpoints, port->endpoint_count + candidates->count + 1,
			     sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	port->endpoints = grown;
	for (unsigned i = 0; i < candidates->count; i++) {
		const struct jn_candidate *c = &candidates->items[i];

		grown[port->endpoint_count++] = (struct jn_desired_endpoint){
			.addr = c->addr,
			.port = htons(c->port),
			.weight = c->is_used,
		};
		has_used |= c->is_used;
		port->is_bound |= jn_addr_is_loopback(&c->addr);
	}
	port->is_elsewhere[family] = candidates->has_any && !has_used;
	return 0;
}

/* A VIP and the endpoints of its family. */
static int resolve_address(const struct jn_model *m, const struct jn_object *service,
			   unsigned port_index, unsigned address_index,
			   struct jn_desired_port *port)
{
	const struct jn_cluster_port *declared = &service->cluster.ports[port_index];
	const struct jn_addr *vip = &service->cluster.addresses[address_index];
	JN_AUTO(jn_candidates_done) struct jn_candidates candidates = { 0 };
	int rc;

	port->frontends[port->frontend_count++] =
		jn_frontend_key_of(vip, declared->port, declared->proto);
	port->is_bound |= jn_addr_is_loopback(vip);
	rc = jn_candidates_collect(m, service, port_index, jn_family_of(vip), &candidates);
	return rc ? rc : add_endpoints(&candidates, jn_family_of(vip), port);
}

static int resolve_port(const struct jn_model *m, const struct jn_object *service, unsigned index,
			struct jn_desired_port *port)
{
	const struct jn_cluster_service *s = &service->cluster;
	int rc = 0;

	memcpy(port->name.namespace_, service->key.namespace_, JN_NAME_BYTES);
	memcpy(port->name.name, service->key.name, JN_NAME_BYTES);
	memcpy(port->name.port_name, s->ports[index].name, JN_NAME_BYTES);
	port->name.proto = s->ports[index].proto;
	port->name.kind = JN_NAME_SERVICE;
	port->prefers_v6 = true; /* the families stay apart */
	port->frontends = calloc(s->address_count, sizeof(*port->frontends));
	if (!port->frontends)
		return -ENOMEM;
	for (unsigned i = 0; i < s->address_count && !rc; i++)
		rc = resolve_address(m, service, index, i, port);
	jn_resolve_policy(m, service, port);
	return rc;
}

int jn_resolve_cluster(const struct jn_model *m, const struct jn_object *service,
		       struct jn_desired *out)
{
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	unsigned count = jn_object_has_cluster_ips(service) ? service->cluster.port_count : 0;
	int rc;

	desired.ports = calloc(count ? count : 1, sizeof(*desired.ports));
	if (!desired.ports)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		if (service->cluster.ports[i].proto == IPPROTO_SCTP)
			continue; /* no hook sees it */
		rc = resolve_port(m, service, i, &desired.ports[desired.port_count++]);
		if (rc)
			return rc;
	}
	*out = desired;
	desired = (struct jn_desired){ 0 };
	return 0;
}
