/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way back: what the tables hold of a service -> the objects that would declare it. What the
 * tables do not hold (labels, backends without weight and why) is lost.
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
#include "model/rules.h"
#include "proto/address.h"

static struct jn_object *new_object(enum jn_kind kind, const struct jn_installed_service *service)
{
	struct jn_object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	object->references = 1;
	object->key.kind = kind;
	memcpy(object->key.namespace_, service->namespace_, sizeof(service->namespace_));
	memcpy(object->key.name, service->name, sizeof(service->name));
	return object;
}

static bool has_address(const struct jn_local_service *s, const struct jn_addr *addr)
{
	for (unsigned i = 0; i < s->address_count; i++) {
		if (!memcmp(&s->addresses[i], addr, sizeof(*addr)))
			return true;
	}
	return false;
}

/* Every port of an object has the same VIPs, so any port's frontends name them. */
static int recover_addresses(const struct jn_installed_service *service,
			     struct jn_local_service *out)
{
	out->addresses = calloc(JN_MAX_ADDRESSES, sizeof(*out->addresses));
	if (!out->addresses)
		return -ENOMEM;
	for (size_t p = 0; p < service->count; p++) {
		const struct jn_installed_port *port = &service->ports[p];

		for (unsigned i = 0; i < port->frontend_count; i++) {
			if (out->address_count < JN_MAX_ADDRESSES &&
			    !has_address(out, &port->frontends[i].vip))
				out->addresses[out->address_count++] = port->frontends[i].vip;
		}
	}
	return out->address_count ? 0 : -ENOENT;
}

/* Ports that no frontend leads to serve nobody: a crash left them on their way in or out. */
static int recover_ports(const struct jn_installed_service *service, struct jn_local_service *out)
{
	out->ports = calloc(service->count, sizeof(*out->ports));
	if (!out->ports)
		return -ENOMEM;
	for (size_t p = 0; p < service->count; p++) {
		const struct jn_installed_port *port = &service->ports[p];
		struct jn_port *recovered = &out->ports[out->port_count];

		if (!port->frontend_count || out->port_count == JN_MAX_PORTS)
			continue;
		memcpy(recovered->name, port->port_name, sizeof(port->port_name));
		recovered->port = ntohs(port->frontends[0].port);
		recovered->target_port = recovered->port;
		recovered->proto = port->proto;
		out->port_count++;
	}
	return 0;
}

static int override_port(struct jn_backend *backend, size_t port_index, uint16_t number)
{
	struct jn_port_override *grown;

	grown = reallocarray(backend->overrides, backend->override_count + 1u, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	backend->overrides = grown;
	backend->overrides[backend->override_count++] =
		(struct jn_port_override){ (uint8_t)port_index, number };
	return 0;
}

/* With several ports, an address is one backend that says where it serves each of them. */
static struct jn_backend *backend_of(struct jn_local_service *out, const struct jn_addr *addr,
				     size_t port_index)
{
	for (unsigned i = 0; i < out->backend_count; i++) {
		struct jn_backend *backend = &out->backends[i];
		bool is_taken = false;

		if (memcmp(&backend->addr, addr, sizeof(*addr)))
			continue;
		for (unsigned o = 0; o < backend->override_count; o++)
			is_taken |= backend->overrides[o].port_index == port_index;
		if (!is_taken)
			return backend;
	}
	return NULL;
}

static int recover_backend(const struct jn_endpoint *endpoint, size_t port_index,
			   struct jn_local_service *out)
{
	struct jn_backend *backend = NULL;

	if (out->port_count > 1)
		backend = backend_of(out, &endpoint->addr, port_index);
	if (!backend) {
		if (out->backend_count == JN_MAX_BACKENDS)
			return 0;
		backend = &out->backends[out->backend_count++];
		*backend = (struct jn_backend){
			.addr = endpoint->addr,
			.weight = endpoint->weight,
			.is_ready = true,
		};
	}
	if (out->port_count > 1)
		return override_port(backend, port_index, ntohs(endpoint->port));
	backend->port = ntohs(endpoint->port);
	return 0;
}

static int recover_backends(struct jn_engine *e, const struct jn_installed_service *service,
			    struct jn_local_service *out)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(e->install.datapath);
	size_t most = 1, index = 0;
	int rc = 0;

	for (size_t p = 0; p < service->count; p++)
		most += service->ports[p].endpoint_count;
	out->backends = calloc(most, sizeof(*out->backends));
	if (!out->backends)
		return -ENOMEM;
	for (size_t p = 0; p < service->count; p++) {
		const struct jn_installed_port *port = &service->ports[p];

		if (!port->frontend_count || index == out->port_count)
			continue;
		for (unsigned i = 0; i < port->endpoint_count && !rc; i++)
			rc = recover_backend(&table[port->endpoints[i]], index, out);
		index++;
	}
	return rc;
}

static int recover_service(struct jn_engine *e, const struct jn_installed_service *service,
			   struct jn_object_list *out)
{
	JN_AUTO(jn_object_unref) struct jn_object *object = NULL;
	struct jn_object **item;
	int rc;

	object = new_object(JN_KIND_LOCAL_SERVICE, service);
	if (!object)
		return -ENOMEM;
	rc = recover_addresses(service, &object->service);
	if (!rc)
		rc = recover_ports(service, &object->service);
	if (!rc)
		rc = recover_backends(e, service, &object->service);
	if (rc)
		return rc;
	item = jn_vec_add(out);
	if (!item)
		return -ENOMEM;
	*item = JN_MOVE(object);
	return 0;
}

static const struct jn_revision *revision_of(const struct jn_engine *e,
					     const struct jn_installed_port *port)
{
	return jn_published_own(e->install.datapath, port,
				port->sets[JN_FAMILY_V4] ? JN_FAMILY_V4 : JN_FAMILY_V6);
}

/* --- policies ---------------------------------------------------------------------------------- */

static bool is_name_taken(const struct jn_model *m, const struct jn_object_list *out,
			  const struct jn_object_key *key)
{
	for (size_t i = 0; i < out->count; i++) {
		if (out->items[i]->key.kind == key->kind &&
		    !strcmp(out->items[i]->key.name, key->name))
			return true;
	}
	return jn_model_find(m, key);
}

/*
 * "web" and its port "admin": web-admin, cut to a label, which does not end with a dash; web-admin-1
 * where somebody else's policy has that name.
 */
static void name_policy(const struct jn_model *m, const struct jn_object_list *out,
			const char *port_name, struct jn_object_key *key)
{
	char text[2 * JN_NAME_BYTES], suffix[16] = "";

	(void)snprintf(text, sizeof(text), "%.63s%s%.63s", key->name, *port_name ? "-" : "",
		       port_name); /* both fit */
	for (unsigned number = 1;; number++) {
		size_t length = strnlen(text, JN_MAX_NAME - strlen(suffix));

		while (length && text[length - 1] == '-')
			length--;
		memset(key->name, 0, sizeof(key->name));
		(void)snprintf(key->name, sizeof(key->name), "%.*s%s", (int)length, text, suffix);
		if (!is_name_taken(m, out, key))
			return;
		(void)snprintf(suffix, sizeof(suffix), "-%u", number);
	}
}

/* A port as the tables publish it, and the service that is declared, or comes back, around it. */
struct published {
	const struct jn_installed_port *port;
	const struct jn_revision *revision;
	const struct jn_object *service;
	bool is_only; /* the service has no other port */
};

static uint32_t affinity_of(const struct jn_object *service)
{
	bool has_own = service->key.kind == JN_KIND_SERVICE &&
		       service->cluster.affinity.type == JN_AFFINITY_CLIENT_IP;

	return has_own ? service->cluster.affinity.timeout_seconds : 0;
}

/* Does what is declared choose in this way already? In every point that a revision has. */
static bool is_governed(const struct jn_model *m, const struct published *p)
{
	struct jn_desired_port desired = { .name.proto = p->port->proto };
	bool is_same;

	memcpy(desired.name.port_name, p->port->port_name, sizeof(desired.name.port_name));
	jn_resolve_policy(m, p->service, &desired);
	is_same = desired.algorithm == p->revision->algorithm &&
		  desired.no_endpoint_errno == p->revision->no_endpoint_errno &&
		  !memcmp(&desired.rules, &p->revision->rules, sizeof(desired.rules));
	jn_probe_unref(&desired.probe);
	return is_same;
}

static void fill_policy(const struct published *p, struct jn_traffic_policy *out)
{
	uint32_t affinity_seconds = p->revision->rules.affinity_seconds;

	memcpy(out->target, p->service->key.name, sizeof(out->target));
	out->target_kind = (uint8_t)p->service->key.kind;
	out->algorithm = p->revision->algorithm;
	out->no_endpoint_errno = p->revision->no_endpoint_errno;
	out->drain_seconds = JN_NEVER_DRAINED;
	jn_rules_recover(&p->revision->rules, out);
	if (affinity_seconds == affinity_of(p->service))
		out->affinity = (struct jn_affinity_spec)JN_AFFINITY_NOT_SAID;
	else if (!affinity_seconds)
		out->affinity.type = JN_AFFINITY_NONE;
}

/* From the declared policy that it deviates from: what tables do not hold and, if it replaces it, its name. */
static void inherit(const struct published *p, const struct jn_object *before,
		    struct jn_object *policy)
{
	policy->policy.drain_seconds = before->policy.drain_seconds;
	if (before->policy.probe && p->revision->rules.is_probed)
		policy->policy.probe = jn_probe_ref(before->policy.probe);
	if (!p->is_only && !*before->policy.port)
		return; /* it stays, for the other ports */
	policy->key = before->key;
	memcpy(policy->policy.port, before->policy.port, sizeof(policy->policy.port));
}

static int make_policy(struct jn_engine *e, const struct published *p, struct jn_object_list *out)
{
	struct jn_object *policy = calloc(1, sizeof(*policy)), **item;
	const struct jn_object *before =
		jn_resolve_policy_of(e->model, &p->service->key, p->port->port_name);

	if (!policy)
		return -ENOMEM;
	policy->references = 1;
	fill_policy(p, &policy->policy);
	if (!p->is_only)
		memcpy(policy->policy.port, p->port->port_name, sizeof(policy->policy.port));
	if (before)
		inherit(p, before, policy);
	if (!*policy->key.name) {
		policy->key = p->service->key;
		policy->key.kind = JN_KIND_TRAFFIC_POLICY;
		name_policy(e->model, out, policy->policy.port, &policy->key);
	}
	item = jn_vec_add(out);
	if (!item) {
		jn_object_unref(&policy);
		return -ENOMEM;
	}
	*item = policy;
	return 0;
}

/* One policy per port that chooses in another way than is declared. */
static int recover_policy(struct jn_engine *e, const struct jn_installed_service *service,
			  const struct jn_installed_port *port, struct jn_object_list *out)
{
	struct jn_object lost = { .key = jn_installed_key(service) };
	struct published p = { .port = port,
			       .revision = revision_of(e, port),
			       .service = jn_model_find(e->model, &lost.key),
			       .is_only = service->count == 1 || !port->port_name[0] };

	if (!p.revision || p.revision->algorithm >= JN_ALGORITHM_MAX)
		return 0;
	if (!p.service)
		p.service = &lost;
	/* A Service has an affinity of its own, and comes back with it: recover_cluster.c. */
	if (p.service == &lost && service->kind == JN_KIND_SERVICE &&
	    p.revision->rules.affinity_seconds)
		lost.cluster.affinity = (struct jn_affinity_spec){
			.type = JN_AFFINITY_CLIENT_IP,
			.timeout_seconds = p.revision->rules.affinity_seconds,
		};
	return is_governed(e->model, &p) ? 0 : make_policy(e, &p, out);
}

int jn_engine_recover(struct jn_engine *e, const struct jn_installed_service *service,
		      struct jn_object_list *out)
{
	int rc = service->kind == JN_KIND_SERVICE ? 0 : recover_service(e, service, out);

	for (size_t p = 0; p < service->count && !rc; p++)
		rc = recover_policy(e, service, &service->ports[p], out);
	return rc;
}
