/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects -> documents, in one order of keys, so that equal objects give equal bytes.
 */
#include <stdio.h>

#include "proto/address.h"
#include "proto/encode_cluster.h"
#include "proto/field.h"
#include "proto/object.h"
#include "proto/write.h"

static void write_labels(struct jn_writer *w, const char *key, const struct jn_labels *labels)
{
	if (!labels->count)
		return;
	jn_write_key(w, key);
	jn_write_open(w, '{');
	for (unsigned i = 0; i < labels->count; i++)
		jn_write_key_text(w, labels->items[i].key, labels->items[i].value);
	jn_write_close(w, '}');
}

static void write_addresses(struct jn_writer *w, const struct jn_local_service *s)
{
	char text[JN_ADDR_TEXT_BYTES];

	jn_write_key(w, "addresses");
	jn_write_open(w, '[');
	for (unsigned i = 0; i < s->address_count; i++)
		jn_write_text(w, jn_addr_format(&s->addresses[i], text));
	jn_write_close(w, ']');
}

static void write_ports(struct jn_writer *w, const struct jn_local_service *s)
{
	jn_write_key(w, "ports");
	jn_write_open(w, '[');
	for (unsigned i = 0; i < s->port_count; i++) {
		const struct jn_port *port = &s->ports[i];

		jn_write_open(w, '{');
		if (*port->name)
			jn_write_key_text(w, "name", port->name);
		jn_write_key_unsigned(w, "port", port->port);
		jn_write_key_text(w, "protocol", jn_word_of(jn_protocol_words, port->proto));
		jn_write_key_unsigned(w, "targetPort", port->target_port);
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

static void write_overrides(struct jn_writer *w, const struct jn_local_service *s,
			    const struct jn_backend *b)
{
	jn_write_key(w, "ports");
	jn_write_open(w, '{');
	for (unsigned i = 0; i < b->override_count; i++)
		jn_write_key_unsigned(w, s->ports[b->overrides[i].port_index].name,
				      b->overrides[i].number);
	jn_write_close(w, '}');
}

static void write_backend(struct jn_writer *w, const struct jn_local_service *s,
			  const struct jn_backend *b)
{
	char text[JN_ENDPOINT_TEXT_BYTES];

	jn_write_open(w, '{');
	jn_write_key_text(w, "address",
			  b->port ? jn_endpoint_format(&b->addr, b->port, text)
				  : jn_addr_format(&b->addr, text));
	if (b->override_count)
		write_overrides(w, s, b);
	jn_write_key_unsigned(w, "weight", b->weight);
	if (!b->is_ready)
		jn_write_key_bool(w, "ready", false);
	if (b->is_terminating)
		jn_write_key_bool(w, "terminating", true);
	jn_write_close(w, '}');
}

static void write_service(struct jn_writer *w, const struct jn_local_service *s)
{
	write_addresses(w, s);
	write_ports(w, s);
	jn_write_key(w, "backends");
	jn_write_open(w, '[');
	for (unsigned i = 0; i < s->backend_count; i++)
		write_backend(w, s, &s->backends[i]);
	jn_write_close(w, ']');
}

static void write_outlier(struct jn_writer *w, const struct jn_outlier_spec *outlier)
{
	jn_write_key(w, "outlier");
	jn_write_open(w, '{');
	jn_write_key_unsigned(w, "consecutiveFailures", outlier->failures);
	jn_write_key_unsigned(w, "windowSeconds", outlier->window_seconds);
	jn_write_key_unsigned(w, "baseEjectionSeconds", outlier->base_seconds);
	jn_write_key_unsigned(w, "maxEjectionSeconds", outlier->max_seconds);
	jn_write_key_unsigned(w, "maxEjectedPercent", outlier->max_percent);
	jn_write_close(w, '}');
}

static void write_limits(struct jn_writer *w, const struct jn_limits_spec *limits)
{
	if (!limits->connections && !limits->new_per_second && !limits->connections_per_backend)
		return;
	jn_write_key(w, "limits");
	jn_write_open(w, '{');
	if (limits->connections)
		jn_write_key_unsigned(w, "connections", limits->connections);
	if (limits->new_per_second)
		jn_write_key_unsigned(w, "newConnectionsPerSecond", limits->new_per_second);
	if (limits->connections_per_backend)
		jn_write_key_unsigned(w, "connectionsPerBackend", limits->connections_per_backend);
	jn_write_close(w, '}');
}

static void write_probe(struct jn_writer *w, const struct jn_probe *probe)
{
	jn_write_key(w, "probe");
	jn_write_open(w, '{');
	jn_write_key_text(w, "type", jn_word_of(jn_probe_words, probe->type));
	if (probe->port)
		jn_write_key_unsigned(w, "port", probe->port);
	if (probe->type == JN_PROBE_HTTP)
		jn_write_key_text(w, "path", probe->path);
	if (*probe->host)
		jn_write_key_text(w, "host", probe->host);
	if (*probe->service)
		jn_write_key_text(w, "service", probe->service);
	jn_write_key_unsigned(w, "intervalSeconds", probe->interval_seconds);
	jn_write_key_unsigned(w, "timeoutSeconds", probe->timeout_seconds);
	jn_write_key_unsigned(w, "failureThreshold", probe->failure_threshold);
	jn_write_key_unsigned(w, "successThreshold", probe->success_threshold);
	jn_write_close(w, '}');
}

static void write_affinity(struct jn_writer *w, const struct jn_affinity_spec *affinity)
{
	jn_write_key(w, "affinity");
	jn_write_open(w, '{');
	jn_write_key_text(w, "type", jn_word_of(jn_affinity_words, affinity->type));
	jn_write_key_unsigned(w, "timeoutSeconds", affinity->timeout_seconds);
	jn_write_close(w, '}');
}

static void write_policy(struct jn_writer *w, const struct jn_traffic_policy *policy)
{
	jn_write_key(w, "targetRef");
	jn_write_open(w, '{');
	jn_write_key_text(w, "kind", jn_kind_names((enum jn_kind)policy->target_kind)->kind);
	jn_write_key_text(w, "name", policy->target);
	if (*policy->port)
		jn_write_key_text(w, "port", policy->port);
	jn_write_close(w, '}');
	jn_write_key_text(w, "algorithm", jn_word_of(jn_algorithm_words, policy->algorithm));
	jn_write_key_text(w, "noBackendErrno",
			  jn_word_of(jn_errno_words, policy->no_endpoint_errno));
	jn_write_key_unsigned(w, "slowStartSeconds", policy->slow_start_seconds);
	if (policy->affinity.type != JN_AFFINITY_UNSAID)
		write_affinity(w, &policy->affinity);
	if (policy->has_outlier)
		write_outlier(w, &policy->outlier);
	write_limits(w, &policy->limits);
	if (policy->drain_seconds >= 0)
		jn_write_key_unsigned(w, "drainSeconds", (uint64_t)policy->drain_seconds);
	if (policy->probe)
		write_probe(w, policy->probe);
}

static void write_endpoints(struct jn_writer *w, const struct jn_object_status *status)
{
	char text[JN_ENDPOINT_TEXT_BYTES];

	if (!status->endpoint_count)
		return;
	jn_write_key(w, "endpoints");
	jn_write_open(w, '[');
	for (size_t i = 0; i < status->endpoint_count; i++) {
		const struct jn_endpoint_status *endpoint = &status->endpoints[i];

		jn_write_open(w, '{');
		jn_write_key_text(w, "address",
				  jn_endpoint_format(&endpoint->addr, endpoint->port, text));
		if (*endpoint->port_name)
			jn_write_key_text(w, "port", endpoint->port_name);
		jn_write_key_text(w, "state", jn_endpoint_state_name(endpoint->state));
		if (*endpoint->reason)
			jn_write_key_text(w, "reason", endpoint->reason);
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

static void write_owner(struct jn_writer *w, const struct jn_object *o)
{
	jn_write_key_text(w, "source", jn_owner_name(o->owner));
	if (o->file)
		jn_write_key_text(w, "file", o->file);
}

static void write_status(struct jn_writer *w, const struct jn_object *o,
			 const struct jn_object_status *status)
{
	jn_write_key(w, "status");
	jn_write_open(w, '{');
	jn_write_key_unsigned(w, "generation", status->generation);
	jn_write_key_bool(w, "programmed", status->is_programmed);
	if (status->reason)
		jn_write_key_text(w, "reason", status->reason);
	write_owner(w, o);
	if (jn_kind_is_service(o->key.kind)) {
		jn_write_key(w, "backends");
		jn_write_open(w, '{');
		jn_write_key_unsigned(w, "ready", status->ready);
		jn_write_key_unsigned(w, "notReady", status->not_ready);
		jn_write_key_unsigned(w, "terminating", status->terminating);
		jn_write_key_unsigned(w, "noNewConnections", status->weightless);
		jn_write_close(w, '}');
		write_endpoints(w, status);
	}
	jn_write_close(w, '}');
}

/* What stands beside metadata: a spec, or the fields of a slice; is_whole: see there. */
static void write_content(struct jn_writer *w, const struct jn_object *o, bool is_whole)
{
	if (o->key.kind == JN_KIND_ENDPOINT_SLICE) {
		jn_encode_slice(w, &o->slice, is_whole);
		return;
	}
	jn_write_key(w, "spec");
	jn_write_open(w, '{');
	if (o->key.kind == JN_KIND_LOCAL_SERVICE)
		write_service(w, &o->service);
	else if (o->key.kind == JN_KIND_TRAFFIC_POLICY)
		write_policy(w, &o->policy);
	else if (o->key.kind == JN_KIND_SERVICE)
		jn_encode_cluster(w, &o->cluster);
	jn_write_close(w, '}');
}

/* version 0: not written. status may be NULL. */
static void write_object(struct jn_writer *w, const struct jn_object *o, uint64_t version,
			 const struct jn_object_status *status)
{
	char digits[24];

	jn_write_open(w, '{');
	jn_write_key_text(w, "apiVersion", jn_kind_names(o->key.kind)->api_version);
	jn_write_key_text(w, "kind", jn_kind_names(o->key.kind)->kind);
	jn_write_key(w, "metadata");
	jn_write_open(w, '{');
	jn_write_key_text(w, "name", o->key.name);
	if (*o->key.namespace_)
		jn_write_key_text(w, "namespace", o->key.namespace_);
	write_labels(w, "labels", &o->labels);
	write_labels(w, "annotations", &o->annotations);
	if (version) {
		(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)version);
		jn_write_key_text(w, "resourceVersion", digits);
	}
	jn_write_close(w, '}');
	write_content(w, o, version != 0);
	if (status) {
		write_status(w, o, status);
	} else if (o->owner != JN_OWNER_API) {
		jn_write_key(w, "status");
		jn_write_open(w, '{');
		write_owner(w, o);
		jn_write_close(w, '}');
	}
	jn_write_close(w, '}');
}

void jn_object_encode_declared(const struct jn_object *o, struct jn_buffer *out)
{
	struct jn_writer w = jn_writer_to(out);

	write_object(&w, o, 0, NULL);
}

void jn_object_encode(const struct jn_object *o, const struct jn_object_status *status,
		      struct jn_buffer *out)
{
	struct jn_writer w = jn_writer_to(out);

	write_object(&w, o, o->version, status);
}
