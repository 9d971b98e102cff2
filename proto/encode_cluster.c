/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Services and EndpointSlices -> JSON, in one order of keys, with the defaults that Kubernetes
 * fills in, too.
 */
#include "proto/encode_cluster.h"

#include <string.h>

#include "proto/address.h"
#include "proto/field.h"

/* --- Service ---------------------------------------------------------------------------------- */

static void write_addresses(struct jn_writer *w, const struct jn_cluster_service *s)
{
	char text[JN_ADDR_TEXT_BYTES];

	if (!s->address_count && !s->is_headless)
		return;
	jn_write_key_text(w, "clusterIP",
			  s->is_headless ? JN_CLUSTER_IP_NONE
					 : jn_addr_format(&s->addresses[0], text));
	jn_write_key(w, "clusterIPs");
	jn_write_open(w, '[');
	if (s->is_headless)
		jn_write_text(w, JN_CLUSTER_IP_NONE);
	for (unsigned i = 0; i < s->address_count; i++)
		jn_write_text(w, jn_addr_format(&s->addresses[i], text));
	jn_write_close(w, ']');
}

static void write_ports(struct jn_writer *w, const struct jn_cluster_service *s)
{
	jn_write_key(w, "ports");
	jn_write_open(w, '[');
	for (unsigned i = 0; i < s->port_count; i++) {
		const struct jn_cluster_port *port = &s->ports[i];

		jn_write_open(w, '{');
		if (*port->name)
			jn_write_key_text(w, "name", port->name);
		jn_write_key_unsigned(w, "port", port->port);
		jn_write_key_text(w, "protocol",
				  jn_word_of(jn_cluster_protocol_words, port->proto));
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

static void write_affinity(struct jn_writer *w, const struct jn_affinity_spec *affinity)
{
	jn_write_key_text(w, "sessionAffinity", jn_word_of(jn_affinity_words, affinity->type));
	if (affinity->type != JN_AFFINITY_CLIENT_IP)
		return;
	jn_write_key(w, "sessionAffinityConfig");
	jn_write_open(w, '{');
	jn_write_key(w, "clientIP");
	jn_write_open(w, '{');
	jn_write_key_unsigned(w, "timeoutSeconds", affinity->timeout_seconds);
	jn_write_close(w, '}');
	jn_write_close(w, '}');
}

void jn_encode_cluster(struct jn_writer *w, const struct jn_cluster_service *s)
{
	jn_write_key_text(w, "type", jn_word_of(jn_service_type_words, s->type));
	write_addresses(w, s);
	write_ports(w, s);
	jn_write_key_text(w, "internalTrafficPolicy",
			  jn_word_of(jn_traffic_policy_words, s->is_local));
	write_affinity(w, &s->affinity);
}

/* --- EndpointSlice ---------------------------------------------------------------------------- */

static void write_names(struct jn_writer *w, const char *key, const char *names, unsigned count)
{
	if (!count)
		return;
	jn_write_key(w, key);
	jn_write_open(w, '[');
	while (count--) {
		jn_write_open(w, '{');
		jn_write_key_text(w, "name", names);
		jn_write_close(w, '}');
		names += strlen(names) + 1;
	}
	jn_write_close(w, ']');
}

static bool is_simply_ready(const struct jn_slice_endpoint *endpoint)
{
	return endpoint->is_ready && endpoint->is_serving && !endpoint->is_terminating;
}

static void write_conditions(struct jn_writer *w, const struct jn_slice_endpoint *endpoint)
{
	jn_write_key(w, "conditions");
	jn_write_open(w, '{');
	jn_write_key_bool(w, "ready", endpoint->is_ready);
	jn_write_key_bool(w, "serving", endpoint->is_serving);
	jn_write_key_bool(w, "terminating", endpoint->is_terminating);
	jn_write_close(w, '}');
}

static void write_endpoint(struct jn_writer *w, const struct jn_slice_endpoint *endpoint,
			   bool is_whole)
{
	char text[JN_ADDR_TEXT_BYTES];

	jn_write_open(w, '{');
	jn_write_key(w, "addresses");
	jn_write_open(w, '[');
	jn_write_text(w, jn_addr_format(&endpoint->addr, text));
	jn_write_close(w, ']');
	if (is_whole || !is_simply_ready(endpoint))
		write_conditions(w, endpoint);
	if (endpoint->node)
		jn_write_key_text(w, "nodeName", endpoint->node);
	if (endpoint->hints) {
		const struct jn_hints *hints = endpoint->hints;

		jn_write_key(w, "hints");
		jn_write_open(w, '{');
		write_names(w, "forZones", hints->zones, hints->zone_count);
		write_names(w, "forNodes", hints->nodes, hints->node_count);
		jn_write_close(w, '}');
	}
	jn_write_close(w, '}');
}

static void write_slice_ports(struct jn_writer *w, const struct jn_endpoint_slice *s)
{
	jn_write_key(w, "ports");
	jn_write_open(w, '[');
	for (unsigned i = 0; i < s->port_count; i++) {
		const struct jn_slice_port *port = &s->ports[i];

		jn_write_open(w, '{');
		jn_write_key_text(w, "name", port->name);
		if (port->port)
			jn_write_key_unsigned(w, "port", port->port);
		jn_write_key_text(w, "protocol",
				  jn_word_of(jn_cluster_protocol_words, port->proto));
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

void jn_encode_slice(struct jn_writer *w, const struct jn_endpoint_slice *s, bool is_whole)
{
	jn_write_key_text(w, "addressType", jn_word_of(jn_address_type_words, s->address_type));
	write_slice_ports(w, s);
	jn_write_key(w, "endpoints");
	jn_write_open(w, '[');
	for (unsigned i = 0; i < s->endpoint_count; i++)
		write_endpoint(w, &s->endpoints[i], is_whole);
	jn_write_close(w, ']');
}
