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
	uint32_t set = port->sets[JN_FAMILY_V4] ? port->sets[JN_FAMILY_V4]
						: port->sets[JN_FAMILY_V6];
	uint32_t index;

	return jn_published(e->install.datapath, set, &index);
}

/* "web" and its port "admin": web-admin, cut to a label, which does not end with a dash. */
static void name_after_port(struct jn_object_key *key, const char *name, const char *port_name)
{
	char text[2 * JN_NAME_BYTES];
	size_t length;

	(void)snprintf(text, sizeof(text), "%s-%s", name, port_name); /* both fit */
	length = strnlen(text, JN_MAX_NAME);
	while (length && text[length - 1] == '-')
		length--;
	memset(key->name, 0, sizeof(key->name));
	memcpy(key->name, text, length);
}

/* Does what is declared choose in this way already? */
static bool is_governed(const struct jn_model *m, const struct jn_object *policy)
{
	const struct jn_traffic_policy *p = &policy->policy;
	const struct jn_object *found;

	found = jn_model_policy(m, policy->key.namespace_, p->target, p->port);
	if (!found)
		found = jn_model_policy(m, policy->key.namespace_, p->target, "");
	return found && found->policy.target_kind == p->target_kind &&
	       found->policy.algorithm == p->algorithm &&
	       found->policy.no_endpoint_errno == p->no_endpoint_errno;
}

/* Does it say no more than what holds without a policy? A Service has an affinity of its own. */
static bool is_default(enum jn_kind kind, const struct jn_revision *revision)
{
	bool has_rules = revision->flags != 0;

	if (kind == JN_KIND_SERVICE) {
		struct jn_rules rules = { .affinity_seconds = revision->rules.affinity_seconds };

		has_rules = memcmp(&rules, &revision->rules, sizeof(rules)) != 0;
	}
	return revision->algorithm == JN_ALGORITHM_RANDOM && !has_rules &&
	       revision->no_endpoint_errno == ECONNREFUSED;
}

/* One policy per port that does not choose in the default way. */
static int recover_policy(struct jn_engine *e, const struct jn_installed_service *service,
			  const struct jn_installed_port *port, struct jn_object_list *out)
{
	const struct jn_revision *revision = revision_of(e, port);
	struct jn_object *object, **item;

	if (!revision || revision->algorithm >= JN_ALGORITHM_MAX ||
	    is_default(service->kind, revision))
		return 0;
	object = new_object(JN_KIND_TRAFFIC_POLICY, service);
	if (!object)
		return -ENOMEM;
	if (port->port_name[0] && service->count > 1) {
		name_after_port(&object->key, service->name, port->port_name);
		memcpy(object->policy.port, port->port_name, sizeof(port->port_name));
	}
	memcpy(object->policy.target, service->name, sizeof(service->name));
	object->policy.target_kind = (uint8_t)service->kind;
	object->policy.algorithm = revision->algorithm;
	object->policy.no_endpoint_errno = revision->no_endpoint_errno;
	jn_rules_recover(&revision->rules, &object->policy);
	object->policy.drain_seconds = JN_NEVER_DRAINED; /* not in the tables */
	if (is_governed(e->model, object)) {
		jn_object_unref(&object);
		return 0;
	}
	item = jn_vec_add(out);
	if (!item) {
		jn_object_unref(&object);
		return -ENOMEM;
	}
	*item = object;
	return 0;
}

int jn_engine_recover(struct jn_engine *e, const struct jn_installed_service *service,
		      struct jn_object_list *out)
{
	int rc = service->kind == JN_KIND_SERVICE ? 0 : recover_service(e, service, out);

	for (size_t p = 0; p < service->count && !rc; p++)
		rc = recover_policy(e, service, &service->ports[p], out);
	return rc;
}
