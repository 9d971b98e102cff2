/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walking what an object claims. Who else claims it is not asked here.
 */
#include "model/claimed.h"

#include <netinet/in.h>
#include <stdio.h>

#include "model/model.h"

/* A list of frontends or backends that lies in an object. */
struct walk {
	jn_claimed_fn fn;
	void *arg;
	bool is_backend;
};

static void give(const struct walk *w, const struct jn_addr *addr, uint16_t port, uint8_t proto,
		 unsigned index)
{
	struct jn_claimed claimed = { .index = index, .is_backend = w->is_backend };

	claimed.key = jn_frontend_key_of(addr, port, proto);
	w->fn(w->arg, &claimed);
}

/* --- frontends --------------------------------------------------------------------------------- */

static void local_frontends(const struct jn_local_service *s, const struct walk *w)
{
	for (unsigned p = 0; p < s->port_count; p++) {
		for (unsigned i = 0; i < s->address_count; i++)
			give(w, &s->addresses[i], s->ports[p].port, s->ports[p].proto, i);
	}
}

static void cluster_frontends(const struct jn_cluster_service *s, const struct walk *w)
{
	for (unsigned p = 0; p < s->port_count; p++) {
		if (s->ports[p].proto == IPPROTO_SCTP)
			continue;
		for (unsigned i = 0; i < s->address_count; i++)
			give(w, &s->addresses[i], s->ports[p].port, s->ports[p].proto, i);
	}
}

void jn_claimed_frontends(const struct jn_object *o, jn_claimed_fn fn, void *arg)
{
	struct walk w = { .fn = fn, .arg = arg };

	if (o && o->key.kind == JN_KIND_LOCAL_SERVICE)
		local_frontends(&o->service, &w);
	else if (o && o->key.kind == JN_KIND_SERVICE && jn_object_has_cluster_ips(o))
		cluster_frontends(&o->cluster, &w);
}

size_t jn_claimed_most_frontends(const struct jn_object *o)
{
	if (o && o->key.kind == JN_KIND_LOCAL_SERVICE)
		return (size_t)o->service.port_count * o->service.address_count;
	if (o && o->key.kind == JN_KIND_SERVICE)
		return (size_t)o->cluster.port_count * o->cluster.address_count;
	return 0;
}

/* --- backends ---------------------------------------------------------------------------------- */

static void local_backends(const struct jn_local_service *s, const struct walk *w)
{
	for (unsigned p = 0; p < s->port_count; p++) {
		for (unsigned i = 0; i < s->backend_count; i++)
			give(w, &s->backends[i].addr, jn_backend_port(s, &s->backends[i], p),
			     s->ports[p].proto, i);
	}
}

static void slice_backends(const struct jn_endpoint_slice *s, const struct walk *w)
{
	for (unsigned p = 0; p < s->port_count; p++) {
		const struct jn_slice_port *port = &s->ports[p];

		if (!port->port || port->proto == IPPROTO_SCTP)
			continue;
		for (unsigned i = 0; i < s->endpoint_count; i++)
			give(w, &s->endpoints[i].addr, port->port, port->proto, i);
	}
}

void jn_claimed_backends(const struct jn_object *o, jn_claimed_fn fn, void *arg)
{
	struct walk w = { .fn = fn, .arg = arg, .is_backend = true };

	if (o && o->key.kind == JN_KIND_LOCAL_SERVICE)
		local_backends(&o->service, &w);
	else if (o && o->key.kind == JN_KIND_ENDPOINT_SLICE && !jn_object_is_foreign(o))
		slice_backends(&o->slice, &w);
}

size_t jn_claimed_most_backends(const struct jn_object *o)
{
	if (o && o->key.kind == JN_KIND_LOCAL_SERVICE)
		return (size_t)o->service.port_count * o->service.backend_count;
	if (o && o->key.kind == JN_KIND_ENDPOINT_SLICE)
		return (size_t)o->slice.port_count * o->slice.endpoint_count;
	return 0;
}

void jn_claimed_field(const struct jn_object *o, const struct jn_claimed *claimed,
		      char out[JN_CLAIMED_FIELD_BYTES])
{
	const char *format = "spec.addresses[%u]";

	if (o->key.kind == JN_KIND_SERVICE)
		format = "spec.clusterIPs[%u]";
	else if (o->key.kind == JN_KIND_ENDPOINT_SLICE)
		format = "endpoints[%u].addresses[0]";
	else if (claimed->is_backend)
		format = "spec.backends[%u].address";
	(void)snprintf(out, JN_CLAIMED_FIELD_BYTES, format, claimed->index);
}
