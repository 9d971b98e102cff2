/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * LocalService.spec -> struct jn_local_service, with all that one object can be wrong about by
 * itself. Frontends and backends of other objects are the model's business.
 */
#include <stdlib.h>
#include <string.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "base/spelling.h"
#include "proto/address.h"
#include "proto/field.h"
#include "proto/service_check.h"

#define NUMBER "an integer 1..65535"
#define LIMIT_OF_PORTS "ports of one object"

/* The spec while it is read. What was faulty is not used to judge the rest. */
struct reading {
	struct jn_local_service *service;
	bool knows_addresses;
	bool knows_ports;
};

/* A backend while it is read; it is kept whole, right or not, as the document is judged whole. */
struct backend_reading {
	struct jn_backend backend;
	const struct reading *of;
};

/* --- addresses -------------------------------------------------------------------------------- */

static void read_address(struct jn_decoder *d, const struct jn_json *value, unsigned index,
			 void *target)
{
	struct jn_local_service *s = target;
	const char *text = jn_json_text(value);
	struct jn_addr addr;

	if (!jn_decoder_expect(d, value, JN_JSON_TEXT, "an IP address as text"))
		return;
	if (!jn_decoder_address(d, text, &addr))
		return;
	for (unsigned i = 0; i < index; i++) {
		if (jn_addr_equal(&s->addresses[i], &addr)) {
			jn_decoder_fault(d, JN_CAUSE_DUPLICATE,
					 "\"%.64s\" equals addresses[%u]; remove one of them", text,
					 i);
			return;
		}
	}
	s->addresses[index] = addr;
}

static void read_addresses(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	struct jn_local_service *s = ((struct reading *)target)->service;

	if (!jn_json_count(list))
		jn_decoder_fault(d, JN_CAUSE_REQUIRED, "is empty; give at least one IP address");
	s->addresses = jn_decoder_items(d, list, sizeof(*s->addresses), JN_MAX_ADDRESSES,
					"addresses of one object");
	if (!s->addresses)
		return;
	s->address_count = (unsigned)jn_json_count(list);
	jn_decoder_each(d, list, read_address, s);
}

/* --- ports ------------------------------------------------------------------------------------ */

static const struct jn_field port_items[] = {
	{ .name = "name", .type = JN_FIELD_LABEL, JN_FIELD_AT(struct jn_port, name) },
	{ .name = "port",
	  .type = JN_FIELD_INTEGER,
	  .is_required = true,
	  .min = 1,
	  .max = UINT16_MAX,
	  JN_FIELD_AT(struct jn_port, port) },
	{ .name = "protocol",
	  .type = JN_FIELD_WORD,
	  .words = jn_protocol_words,
	  JN_FIELD_AT(struct jn_port, proto) },
	{ .name = "targetPort",
	  .type = JN_FIELD_INTEGER,
	  .min = 1,
	  .max = UINT16_MAX,
	  JN_FIELD_AT(struct jn_port, target_port) },
};
static const struct jn_fields port_fields = JN_FIELDS(port_items);

static void check_port(struct jn_decoder *d, const struct jn_local_service *s, unsigned index)
{
	const struct jn_port *port = &s->ports[index];

	for (unsigned i = 0; i < index; i++) {
		const struct jn_port *other = &s->ports[i];

		if (*port->name && !strcmp(other->name, port->name))
			jn_decoder_port_name_taken(d, port->name, i);
		if (port->port && other->port == port->port && other->proto == port->proto)
			jn_decoder_port_taken(d, port->port, port->proto, i);
	}
}

static void read_port(struct jn_decoder *d, const struct jn_json *value, unsigned index,
		      void *target)
{
	struct jn_local_service *s = target;
	struct jn_port *port = &s->ports[index];
	const struct jn_json *name;

	port->proto = jn_protocol_words[0].value;
	if (!jn_decoder_expect(d, value, JN_JSON_OBJECT, "an object {\"port\": …}"))
		return;
	jn_fields_read(d, value, &port_fields, port);
	if (!port->target_port)
		port->target_port = port->port;
	name = jn_json_get(value, "name");
	if (s->port_count > 1 && (!name || jn_json_type(name) == JN_JSON_NULL))
		jn_decoder_fault_in(d, "name", JN_CAUSE_REQUIRED,
				    "is missing; name every port of an object that has several");
	check_port(d, s, index);
}

static void read_ports(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	struct jn_local_service *s = ((struct reading *)target)->service;

	if (!jn_json_count(list))
		jn_decoder_fault(d, JN_CAUSE_REQUIRED, "is empty; give at least one port");
	s->ports = jn_decoder_items(d, list, sizeof(*s->ports), JN_MAX_PORTS, LIMIT_OF_PORTS);
	if (!s->ports)
		return;
	s->port_count = (unsigned)jn_json_count(list);
	jn_decoder_each(d, list, read_port, s);
}

/* --- backends --------------------------------------------------------------------------------- */

static void read_backend_address(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct backend_reading *r = target;
	const char *text = jn_json_text(value), *why;
	struct jn_addr addr;
	uint16_t port;

	if (jn_addr_parse_with_port(text, &addr, &port, &why)) {
		jn_decoder_fault(d, JN_CAUSE_INVALID, "\"%.64s\" %s", text, why);
		return;
	}
	if (!jn_decoder_check_usable(d, text, &addr))
		return;
	if (port && r->of->knows_ports && r->of->service->port_count > 1) {
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "\"%.64s\" names a port, but the service has %u of them; give the "
				 "address alone, and its ports in \"ports\"",
				 text, r->of->service->port_count);
		return;
	}
	r->backend.addr = addr;
	r->backend.port = port;
}

static int find_port(const struct jn_local_service *s, const char *name)
{
	for (unsigned i = 0; i < s->port_count; i++) {
		if (*name && !strcmp(s->ports[i].name, name))
			return (int)i;
	}
	return -1;
}

static void fault_of_port_name(struct jn_decoder *d, const struct jn_local_service *s,
			       const char *name)
{
	const char *names[JN_MAX_PORTS], *likely;

	if (jn_decoder_counts_only(d))
		return;
	for (unsigned i = 0; i < s->port_count; i++)
		names[i] = s->ports[i].name;
	likely = jn_spelling_nearest(name, names, s->port_count && *names[0] ? s->port_count : 0);
	jn_decoder_fault(d, JN_CAUSE_INVALID, "is not the name of a port of this service; %s%s",
			 likely ? "likely it is " : "give one of spec.ports[].name",
			 likely ? likely : "");
}

/* One entry of backends[].ports; false where it is faulty. */
static bool read_override(struct jn_decoder *d, const struct jn_local_service *s, const char *name,
			  const struct jn_json *value, struct jn_port_override *out)
{
	int64_t number = jn_json_integer(value);
	int index = find_port(s, name);

	if (index < 0) {
		fault_of_port_name(d, s, name);
		return false;
	}
	if (!jn_decoder_expect(d, value, JN_JSON_INTEGER, NUMBER))
		return false;
	if (number < 1 || number > UINT16_MAX) {
		jn_decoder_fault(d, JN_CAUSE_INVALID, "is %lld; give " NUMBER, (long long)number);
		return false;
	}
	*out = (struct jn_port_override){ (uint8_t)index, (uint16_t)number };
	return true;
}

static int by_port_index(const void *a, const void *b)
{
	const struct jn_port_override *left = a, *right = b;

	return (int)left->port_index - (int)right->port_index;
}

static void read_overrides(struct jn_decoder *d, const struct jn_json *object, void *target)
{
	struct jn_backend *b = &((struct backend_reading *)target)->backend;
	const struct reading *of = ((struct backend_reading *)target)->of;
	const struct jn_json *value;
	const char *name;
	void *at = NULL;

	if (!of->knows_ports || !jn_json_count(object))
		return;
	if (b->port) {
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "the address names the port already; give it in one place");
		return;
	}
	b->overrides =
		jn_decoder_items(d, object, sizeof(*b->overrides), JN_MAX_PORTS, LIMIT_OF_PORTS);
	if (!b->overrides)
		return;
	while (jn_json_next(object, &at, &name, &value)) {
		jn_decoder_push_key(d, name);
		if (read_override(d, of->service, name, value, &b->overrides[b->override_count]))
			b->override_count++;
		jn_decoder_pop(d);
	}
	qsort(b->overrides, b->override_count, sizeof(*b->overrides), by_port_index);
}

static const struct jn_field backend_items[] = {
	{ .name = "address",
	  .type = JN_FIELD_TEXT,
	  .is_required = true,
	  .read = read_backend_address,
	  .expected = "ip, ip:port or [ip6]:port as text" },
	{ .name = "weight",
	  .type = JN_FIELD_INTEGER,
	  .max = JN_MAX_WEIGHT,
	  JN_FIELD_AT(struct backend_reading, backend.weight) },
	{ .name = "ports",
	  .type = JN_FIELD_OBJECT,
	  .read = read_overrides,
	  .expected = "an object {port name: number}" },
	{ .name = "ready",
	  .type = JN_FIELD_BOOL,
	  JN_FIELD_AT(struct backend_reading, backend.is_ready) },
	{ .name = "terminating",
	  .type = JN_FIELD_BOOL,
	  JN_FIELD_AT(struct backend_reading, backend.is_terminating) },
};
static const struct jn_fields backend_fields = JN_FIELDS(backend_items);

static void read_backend(struct jn_decoder *d, const struct jn_json *value, unsigned index,
			 void *target)
{
	const struct reading *r = target;
	struct backend_reading b = { { .weight = 1, .is_ready = true }, r };

	if (jn_decoder_expect(d, value, JN_JSON_OBJECT, "an object {\"address\": …}"))
		jn_fields_read(d, value, &backend_fields, &b);
	r->service->backends[index] = b.backend;
}

static void read_backends(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	struct jn_local_service *s = ((struct reading *)target)->service;

	s->backends = jn_decoder_items(d, list, sizeof(*s->backends), JN_MAX_BACKENDS,
				       "backends of one object");
	if (!s->backends)
		return;
	s->backend_count = (unsigned)jn_json_count(list);
	jn_decoder_each(d, list, read_backend, target);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void read_known_addresses(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	unsigned faults = d->err->fault_count;
	struct reading *r = target;

	read_addresses(d, list, target);
	r->knows_addresses = r->service->addresses && d->err->fault_count == faults;
}

static void read_known_ports(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	unsigned faults = d->err->fault_count;
	struct reading *r = target;

	read_ports(d, list, target);
	r->knows_ports = r->service->ports && d->err->fault_count == faults;
}

static const struct jn_field spec_items[] = {
	{ .name = "addresses",
	  .type = JN_FIELD_LIST,
	  .is_required = true,
	  .read = read_known_addresses,
	  .expected = "a list of IP addresses" },
	{ .name = "ports",
	  .type = JN_FIELD_LIST,
	  .is_required = true,
	  .read = read_known_ports,
	  .expected = "a list of ports" },
	{ .name = "backends",
	  .type = JN_FIELD_LIST,
	  .read = read_backends,
	  .expected = "a list of backends" },
};
static const struct jn_fields spec_fields = JN_FIELDS(spec_items);

void jn_service_read(struct jn_decoder *d, const struct jn_json *spec, void *target)
{
	struct reading r = { .service = target };

	jn_fields_read(d, spec, &spec_fields, &r);
	if (r.knows_addresses)
		jn_service_check_families(d, r.service);
	if (r.knows_ports)
		jn_service_check_duplicates(d, r.service);
}
