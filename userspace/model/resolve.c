/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects -> what the kernel is to hold. Knows the endpoint rules, and nothing of ids or tables.
 */
#include "model/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "model/maglev.h"
#include "model/resolve_cluster.h"
#include "model/rules.h"
#include "proto/address.h"

void jn_desired_done(struct jn_desired *desired)
{
	for (unsigned i = 0; i < desired->port_count; i++) {
		free(desired->ports[i].frontends);
		free(desired->ports[i].endpoints);
		jn_probe_unref(&desired->ports[i].probe);
	}
	free(desired->ports);
	*desired = (struct jn_desired){ 0 };
}

static bool has_loopback(const struct jn_local_service *s)
{
	for (unsigned i = 0; i < s->address_count; i++) {
		if (jn_addr_is_loopback(&s->addresses[i]))
			return true;
	}
	for (unsigned i = 0; i < s->backend_count; i++) {
		if (jn_addr_is_loopback(&s->backends[i].addr))
			return true;
	}
	return false;
}

static bool takes_new(const struct jn_backend *backend, bool is_terminating)
{
	return backend->is_ready && backend->is_terminating == is_terminating && backend->weight;
}

/* Does any backend take new connections without being on its way out? */
static bool has_active(const struct jn_local_service *s)
{
	for (unsigned i = 0; i < s->backend_count; i++) {
		if (takes_new(&s->backends[i], false))
			return true;
	}
	return false;
}

static void resolve_endpoints(const struct jn_local_service *s, unsigned index,
			      struct jn_desired_port *port)
{
	bool use_terminating = !has_active(s);

	for (unsigned i = 0; i < s->backend_count; i++) {
		const struct jn_backend *backend = &s->backends[i];
		struct jn_desired_endpoint *endpoint = &port->endpoints[i];

		endpoint->addr = backend->addr;
		endpoint->port = htons(jn_backend_port(s, backend, index));
		endpoint->weight = takes_new(backend, use_terminating) ? backend->weight : 0;
		if (endpoint->weight && port->name.proto == IPPROTO_UDP &&
		    jn_family_of(&endpoint->addr) == JN_FAMILY_V6)
			port->prefers_v6 = true;
	}
	port->endpoint_count = s->backend_count;
}

static void apply_policy(const struct jn_traffic_policy *policy, struct jn_desired_port *port)
{
	static const struct jn_outlier_spec usual = JN_DEFAULT_OUTLIER;
	struct jn_probe *probe = jn_rules_probe(policy, port->name.proto);

	if (probe)
		port->probe = jn_probe_ref(probe);
	port->max_down_percent = policy->has_outlier ? policy->outlier.max_percent
						     : usual.max_percent;
	port->algorithm = policy->algorithm;
	port->no_endpoint_errno = policy->no_endpoint_errno;
	port->drain_seconds = policy->drain_seconds;
	port->rules = jn_rules_of(policy, port->name.proto);
}

/* A policy for a service of the same name, but of the other kind, is none. */
static const struct jn_object *
find_policy(const struct jn_model *m, const struct jn_object_key *service, const char *port_name)
{
	const struct jn_object *policy;

	policy = jn_model_policy(m, service->namespace_, service->name, port_name);
	return policy && policy->policy.target_kind == service->kind ? policy : NULL;
}

const struct jn_object *jn_resolve_policy_of(const struct jn_model *m,
					     const struct jn_object_key *service,
					     const char *port_name)
{
	const struct jn_object *policy = find_policy(m, service, port_name);

	return policy ? policy : find_policy(m, service, "");
}

void jn_resolve_policy(const struct jn_model *m, const struct jn_object *service,
		       struct jn_desired_port *port)
{
	const struct jn_object *policy =
		jn_resolve_policy_of(m, &service->key, port->name.port_name);

	port->algorithm = JN_ALGORITHM_RANDOM;
	port->no_endpoint_errno = ECONNREFUSED;
	port->drain_seconds = JN_NEVER_DRAINED;
	if (policy)
		apply_policy(&policy->policy, port);
	if (service->key.kind == JN_KIND_SERVICE &&
	    service->cluster.affinity.type == JN_AFFINITY_CLIENT_IP &&
	    (!policy || policy->policy.affinity.type == JN_AFFINITY_UNSAID))
		port->rules.affinity_seconds = service->cluster.affinity.timeout_seconds;
}

static int resolve_port(const struct jn_model *m, const struct jn_object *service, unsigned index,
			struct jn_desired_port *port)
{
	const struct jn_local_service *s = &service->service;

	memcpy(port->name.namespace_, service->key.namespace_, JN_NAME_BYTES);
	memcpy(port->name.name, service->key.name, JN_NAME_BYTES);
	memcpy(port->name.port_name, s->ports[index].name, JN_NAME_BYTES);
	port->name.proto = s->ports[index].proto;
	port->frontends = calloc(s->address_count, sizeof(*port->frontends));
	port->endpoints = calloc(s->backend_count ? s->backend_count : 1, sizeof(*port->endpoints));
	if (!port->frontends || !port->endpoints)
		return -ENOMEM;
	for (unsigned i = 0; i < s->address_count; i++)
		port->frontends[i] = jn_frontend_key_of(&s->addresses[i], s->ports[index].port,
							s->ports[index].proto);
	port->frontend_count = s->address_count;
	port->is_bound = has_loopback(s);
	resolve_endpoints(s, index, port);
	jn_resolve_policy(m, service, port);
	return 0;
}

static int resolve_local(const struct jn_model *m, const struct jn_object *service,
			 struct jn_desired *out)
{
	JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
	int rc;

	desired.ports = calloc(service->service.port_count, sizeof(*desired.ports));
	if (!desired.ports)
		return -ENOMEM;
	desired.port_count = service->service.port_count;
	for (unsigned i = 0; i < desired.port_count; i++) {
		rc = resolve_port(m, service, i, &desired.ports[i]);
		if (rc)
			return rc;
	}
	*out = desired;
	desired = (struct jn_desired){ 0 };
	return 0;
}

bool jn_desired_has_family(const struct jn_desired_port *port, enum jn_family family)
{
	for (unsigned i = 0; i < port->frontend_count; i++) {
		if (jn_family_of(&port->frontends[i].vip) == family)
			return true;
	}
	return false;
}

/* Each port and family has a table of its own. */
static void share_slots(struct jn_desired *desired)
{
	size_t tables = 0, most;

	for (unsigned i = 0; i < desired->port_count; i++) {
		const struct jn_desired_port *port = &desired->ports[i];

		if (port->algorithm == JN_ALGORITHM_MAGLEV)
			tables += jn_desired_has_family(port, JN_FAMILY_V4) +
				  jn_desired_has_family(port, JN_FAMILY_V6);
	}
	most = jn_maglev_most(tables);
	for (unsigned i = 0; i < desired->port_count; i++)
		desired->ports[i].maglev_most = most;
}

int jn_resolve(const struct jn_model *m, const struct jn_object *service, struct jn_desired *out)
{
	int rc = service->key.kind == JN_KIND_SERVICE ? jn_resolve_cluster(m, service, out)
						      : resolve_local(m, service, out);

	if (!rc)
		share_slots(out);
	return rc;
}

bool jn_desired_allows(const struct jn_desired_port *port, enum jn_family vip_family,
		       const struct jn_desired_endpoint *endpoint)
{
	enum jn_family family = jn_family_of(&endpoint->addr);

	if (vip_family == JN_FAMILY_V4 || family == JN_FAMILY_V6)
		return vip_family == family;
	return !port->prefers_v6;
}
