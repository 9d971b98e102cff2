/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JSON of objects -> cells. The rules are those of docs/control-protocol.md; nothing is checked:
 * junctord has.
 */
#include "cli/view.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "proto/address.h"
#include "proto/object.h"

static const struct jn_json *spec_of(const struct jn_json *object, const char *key)
{
	return jn_json_get(jn_json_get(object, "spec"), key);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

const char *jn_view_text(const struct jn_json *object, const char *outer, const char *inner)
{
	return or_empty(jn_json_text(jn_json_get(jn_json_get(object, outer), inner)));
}

const char *jn_view_name(const struct jn_json *object)
{
	return jn_view_text(object, "metadata", "name");
}

const char *jn_view_namespace(const struct jn_json *object)
{
	return jn_view_text(object, "metadata", "namespace");
}

const char *jn_view_status(const struct jn_json *object)
{
	const struct jn_json *status = jn_json_get(object, "status");
	const char *reason = jn_json_text(jn_json_get(status, "reason"));

	if (reason)
		return reason;
	return jn_json_bool(jn_json_get(status, "programmed")) ? "Programmed" : "Pending";
}

/* --- services ---------------------------------------------------------------------------------- */

bool jn_view_is(const struct jn_json *object, enum jn_kind kind)
{
	return !strcmp(or_empty(jn_json_text(jn_json_get(object, "kind"))),
		       jn_kind_names(kind)->kind);
}

const struct jn_json *jn_view_addresses(const struct jn_json *service)
{
	return spec_of(service, jn_view_is(service, JN_KIND_SERVICE) ? "clusterIPs" : "addresses");
}

void jn_view_add_addresses(struct jn_buffer *out, const struct jn_json *service)
{
	const struct jn_json *addresses = jn_view_addresses(service);

	for (size_t i = 0; i < jn_json_count(addresses); i++)
		jn_buffer_printf(out, "%s%s", i ? "," : "",
				 or_empty(jn_json_text(jn_json_at(addresses, i))));
}

static void add_port(struct jn_buffer *out, bool is_first, int64_t number,
		     const struct jn_json *port)
{
	jn_buffer_printf(out, "%s%lld/%s", is_first ? "" : ",", (long long)number,
			 or_empty(jn_json_text(jn_json_get(port, "protocol"))));
}

void jn_view_add_ports(struct jn_buffer *out, const struct jn_json *service)
{
	const struct jn_json *ports = spec_of(service, "ports");

	for (size_t i = 0; i < jn_json_count(ports); i++) {
		const struct jn_json *port = jn_json_at(ports, i);

		add_port(out, !i, jn_json_integer(jn_json_get(port, "port")), port);
	}
}

void jn_view_add_ready(struct jn_buffer *out, const struct jn_json *service)
{
	static const char *const others[] = { "notReady", "terminating", "noNewConnections" };
	const struct jn_json *counts = jn_json_get(jn_json_get(service, "status"), "backends");
	long long ready = jn_json_integer(jn_json_get(counts, "ready")), all = ready;

	for (size_t i = 0; i < JN_COUNT(others); i++)
		all += jn_json_integer(jn_json_get(counts, others[i]));
	jn_buffer_printf(out, "%lld/%lld", ready, all);
}

/* --- backends ---------------------------------------------------------------------------------- */

/* What junctord answers is an address, with a port or without one. 0: no port. */
static uint16_t split(const struct jn_json *backend, char text[JN_ADDR_TEXT_BYTES])
{
	struct jn_addr address;
	const char *why;
	uint16_t port = 0;

	*text = '\0';
	if (!jn_addr_parse_with_port(or_empty(jn_json_text(jn_json_get(backend, "address"))),
				     &address, &port, &why))
		(void)jn_addr_format(&address, text);
	return port;
}

void jn_view_add_backend_address(struct jn_buffer *out, const struct jn_json *backend)
{
	char text[JN_ADDR_TEXT_BYTES];

	(void)split(backend, text);
	jn_buffer_add_text(out, text);
}

/* Where it listens for this port of its service. own: the port in its address, or 0. */
static int64_t number_of(const struct jn_json *backend, uint16_t own, const struct jn_json *port)
{
	const char *name = or_empty(jn_json_text(jn_json_get(port, "name")));
	const struct jn_json *other = jn_json_get(jn_json_get(backend, "ports"), name);

	if (other)
		return jn_json_integer(other);
	return own ? own : jn_json_integer(jn_json_get(port, "targetPort"));
}

void jn_view_add_backend_ports(struct jn_buffer *out, const struct jn_json *service,
			       const struct jn_json *backend)
{
	const struct jn_json *ports = spec_of(service, "ports");
	char text[JN_ADDR_TEXT_BYTES];
	uint16_t own = split(backend, text);

	for (size_t i = 0; i < jn_json_count(ports); i++) {
		const struct jn_json *port = jn_json_at(ports, i);

		add_port(out, !i, number_of(backend, own, port), port);
	}
}

unsigned jn_view_backend_weight(const struct jn_json *backend)
{
	return (unsigned)jn_json_integer(jn_json_get(backend, "weight"));
}

static const char *declared_state(const struct jn_json *backend)
{
	const struct jn_json *ready = jn_json_get(backend, "ready");

	if (ready && !jn_json_bool(ready))
		return "NotReady";
	if (jn_json_bool(jn_json_get(backend, "terminating")))
		return "Terminating";
	return jn_view_backend_weight(backend) ? NULL : "NoNewConnections";
}

unsigned jn_view_badness(const struct jn_json *endpoint)
{
	const char *state = or_empty(jn_json_text(jn_json_get(endpoint, "state")));

	if (!strcmp(state, "Up"))
		return 1;
	return strcmp(state, "Ejected") != 0 ? 3 : 2;
}

/* The entry of this address, looked for from a likely place on; NULL: there is none. */
static const struct jn_json *find_endpoint(const struct jn_json *endpoints, const char *address,
					   size_t likely)
{
	size_t count = jn_json_count(endpoints);

	for (size_t i = 0; i < count; i++) {
		const struct jn_json *endpoint = jn_json_at(endpoints, (likely + i) % count);

		if (!strcmp(address, or_empty(jn_json_text(jn_json_get(endpoint, "address")))))
			return endpoint;
	}
	return NULL;
}

/* The worst one of a backend's; NULL: nothing is known of it. Port by port, in declared order. */
static const struct jn_json *worst_endpoint(const struct jn_json *service, size_t index)
{
	const struct jn_json *endpoints = jn_json_get(jn_json_get(service, "status"), "endpoints");
	const struct jn_json *backends = spec_of(service, "backends");
	const struct jn_json *backend = jn_json_at(backends, index);
	const struct jn_json *ports = spec_of(service, "ports"), *worst = NULL;
	char text[JN_ADDR_TEXT_BYTES], wanted[JN_ADDR_TEXT_BYTES + 16];
	uint16_t own = split(backend, text);

	for (size_t p = 0; p < jn_json_count(ports); p++) {
		const struct jn_json *endpoint;

		(void)snprintf(wanted, sizeof(wanted), strchr(text, ':') ? "[%s]:%u" : "%s:%u",
			       text, (unsigned)number_of(backend, own, jn_json_at(ports, p)));
		endpoint = find_endpoint(endpoints, wanted, p * jn_json_count(backends) + index);
		if (endpoint && (!worst || jn_view_badness(endpoint) > jn_view_badness(worst)))
			worst = endpoint;
	}
	return worst;
}

void jn_view_add_known_state(struct jn_buffer *out, const struct jn_json *endpoint)
{
	const char *reason = jn_json_text(jn_json_get(endpoint, "reason"));

	jn_buffer_add_text(out, or_empty(jn_json_text(jn_json_get(endpoint, "state"))));
	if (reason)
		jn_buffer_printf(out, " (%s)", reason);
}

void jn_view_add_backend_state(struct jn_buffer *out, const struct jn_json *service, size_t index)
{
	const char *state = declared_state(jn_json_at(spec_of(service, "backends"), index));
	const struct jn_json *endpoint = state ? NULL : worst_endpoint(service, index);

	if (endpoint)
		jn_view_add_known_state(out, endpoint);
	else
		jn_buffer_add_text(out, state ? state : "Ready");
}

/* --- slices ------------------------------------------------------------------------------------ */

const char *jn_view_service_of(const struct jn_json *slice)
{
	const struct jn_json *labels = jn_json_get(jn_json_get(slice, "metadata"), "labels");

	return or_empty(jn_json_text(jn_json_get(labels, JN_LABEL_SERVICE_NAME)));
}

void jn_view_add_slice_ports(struct jn_buffer *out, const struct jn_json *slice)
{
	const struct jn_json *ports = jn_json_get(slice, "ports");

	for (size_t i = 0; i < jn_json_count(ports); i++) {
		const struct jn_json *port = jn_json_at(ports, i);

		add_port(out, !i, jn_json_integer(jn_json_get(port, "port")), port);
	}
}

const char *jn_view_endpoint_address(const struct jn_json *endpoint)
{
	return or_empty(jn_json_text(jn_json_at(jn_json_get(endpoint, "addresses"), 0)));
}

const char *jn_view_endpoint_state(const struct jn_json *endpoint)
{
	const struct jn_json *conditions = jn_json_get(endpoint, "conditions");

	if (jn_json_bool(jn_json_get(conditions, "ready")))
		return "Ready";
	if (jn_json_bool(jn_json_get(conditions, "serving")) &&
	    jn_json_bool(jn_json_get(conditions, "terminating")))
		return "Terminating";
	return "NotReady";
}

/* --- policies, names --------------------------------------------------------------------------- */

void jn_view_add_target(struct jn_buffer *out, const struct jn_json *policy)
{
	const struct jn_json *target = spec_of(policy, "targetRef");
	const char *port = jn_json_text(jn_json_get(target, "port"));

	jn_buffer_printf(out, "%s%s%s", or_empty(jn_json_text(jn_json_get(target, "name"))),
			 port ? ":" : "", or_empty(port));
}

void jn_view_add_reference(struct jn_buffer *out, const char *kind, const char *namespace_,
			   const char *name)
{
	for (; *kind; kind++) {
		char small = (char)tolower((unsigned char)*kind);

		jn_buffer_add(out, &small, 1);
	}
	if (*namespace_ && strcmp(namespace_, JN_DEFAULT_NAMESPACE) != 0)
		jn_buffer_printf(out, "/%s", namespace_);
	jn_buffer_printf(out, "/%s", name);
}
