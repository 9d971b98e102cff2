/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JSON of objects -> cells. The rules are those of docs/control-protocol.md; nothing is checked:
 * junctord has.
 */
#include "cli/view.h"

#include <ctype.h>
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

void jn_view_add_backend_ports(struct jn_buffer *out, const struct jn_json *service,
			       const struct jn_json *backend)
{
	const struct jn_json *ports = spec_of(service, "ports");
	const struct jn_json *others = jn_json_get(backend, "ports");
	char text[JN_ADDR_TEXT_BYTES];
	uint16_t own = split(backend, text);

	for (size_t i = 0; i < jn_json_count(ports); i++) {
		const struct jn_json *port = jn_json_at(ports, i);
		const char *name = or_empty(jn_json_text(jn_json_get(port, "name")));
		const struct jn_json *other = jn_json_get(others, name);
		int64_t number = jn_json_integer(jn_json_get(port, "targetPort"));

		if (own)
			number = own;
		if (other)
			number = jn_json_integer(other);
		add_port(out, !i, number, port);
	}
}

unsigned jn_view_backend_weight(const struct jn_json *backend)
{
	return (unsigned)jn_json_integer(jn_json_get(backend, "weight"));
}

const char *jn_view_backend_state(const struct jn_json *backend)
{
	const struct jn_json *ready = jn_json_get(backend, "ready");

	if (ready && !jn_json_bool(ready))
		return "NotReady";
	if (jn_json_bool(jn_json_get(backend, "terminating")))
		return "Terminating";
	return jn_view_backend_weight(backend) ? "Ready" : "NoNewConnections";
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
