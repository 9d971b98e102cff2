/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * EndpointSlice (discovery.k8s.io/v1) -> struct jn_endpoint_slice. What Kubernetes defines and no
 * proxy needs (targetRef, hostname, zone, …) is known and not kept. Of several addresses of one
 * endpoint the first counts, as Kubernetes says no more of the others.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "proto/address.h"
#include "proto/field.h"

/* --- ports ------------------------------------------------------------------------------------ */

static void read_port_name(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	jn_decoder_port_name(d, value, ((struct jn_slice_port *)target)->name);
}

static const struct jn_field port_items[] = {
	{ .name = "name",
	  .type = JN_FIELD_TEXT,
	  .read = read_port_name,
	  .expected = "the name of the Service's port as text" },
	{ .name = "port",
	  .type = JN_FIELD_INTEGER,
	  .min = 1,
	  .max = UINT16_MAX,
	  JN_FIELD_AT(struct jn_slice_port, port) },
	{ .name = "protocol",
	  .type = JN_FIELD_WORD,
	  .words = jn_cluster_protocol_words,
	  JN_FIELD_AT(struct jn_slice_port, proto) },
	{ .name = "appProtocol", .type = JN_FIELD_IGNORED },
};
static const struct jn_fields port_fields = JN_FIELDS(port_items);

static void read_port(struct jn_decoder *d, const struct jn_json *value, unsigned index,
		      void *target)
{
	struct jn_endpoint_slice *s = target;
	struct jn_slice_port *port = &s->ports[index];

	port->proto = IPPROTO_TCP;
	if (!jn_decoder_expect(d, value, JN_JSON_OBJECT, "an object {\"port\": …}"))
		return;
	jn_fields_read(d, value, &port_fields, port);
	for (unsigned i = 0; i < index; i++) {
		if (!strcmp(s->ports[i].name, port->name))
			jn_decoder_port_name_taken(d, port->name, i);
	}
}

static void read_ports(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	struct jn_endpoint_slice *s = &((struct jn_object *)target)->slice;

	s->ports = jn_decoder_items(d, list, sizeof(*s->ports), JN_MAX_CLUSTER_PORTS,
				    "ports of one object");
	if (!s->ports)
		return;
	s->port_count = (unsigned)jn_json_count(list);
	jn_decoder_each(d, list, read_port, s);
}

/* --- endpoints -------------------------------------------------------------------------------- */

/* An endpoint while it is read. */
struct reading {
	struct jn_slice_endpoint endpoint;
	uint8_t address_type;
	bool has_serving; /* else it is ready's */
};

static void read_address(struct jn_decoder *d, const struct jn_json *value, unsigned index,
			 void *target)
{
	const char *text = jn_json_text(value);
	struct reading *r = target;
	struct jn_addr addr;

	(void)index;
	if (!jn_decoder_expect(d, value, JN_JSON_TEXT, "an address as text") ||
	    r->address_type == JN_ADDRESS_FQDN)
		return;
	if (!jn_decoder_address(d, text, &addr))
		return;
	if (jn_addr_is_v4(&addr) != (r->address_type == JN_ADDRESS_IPV4)) {
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "\"%.64s\" is not of this slice's addressType; put it into a "
				 "slice "
				 "of its own family",
				 text);
		return;
	}
	if (jn_addr_is_unspecified(&r->endpoint.addr))
		r->endpoint.addr = addr;
}

static void read_addresses(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	if (!jn_json_count(list))
		jn_decoder_fault(d, JN_CAUSE_REQUIRED, "is empty; give the endpoint's address");
	if (jn_decoder_fits(d, list, JN_MAX_ENDPOINT_ADDRESSES, "addresses of one endpoint",
			    "give one"))
		jn_decoder_each(d, list, read_address, target);
}

static void read_node(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct reading *r = target;
	const char *text = jn_json_text(value);

	if (!jn_is_dns_name(text)) {
		jn_decoder_fault(d, JN_CAUSE_INVALID, "is \"%.64s\"; give " JN_DNS_NAME, text);
		return;
	}
	r->endpoint.node = strdup(text);
	if (!r->endpoint.node)
		d->is_out_of_memory = true;
}

static const struct jn_field condition_items[] = {
	{ .name = "ready", .type = JN_FIELD_BOOL, JN_FIELD_AT(struct reading, endpoint.is_ready) },
	{ .name = "serving",
	  .type = JN_FIELD_BOOL,
	  JN_FIELD_AT(struct reading, endpoint.is_serving) },
	{ .name = "terminating",
	  .type = JN_FIELD_BOOL,
	  JN_FIELD_AT(struct reading, endpoint.is_terminating) },
};
static const struct jn_fields condition_fields = JN_FIELDS(condition_items);

static void read_conditions(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	const struct jn_json *serving = jn_json_get(value, "serving");
	struct reading *r = target;

	r->has_serving = serving && jn_json_type(serving) != JN_JSON_NULL;
	jn_fields_read(d, value, &condition_fields, target);
}

/* --- hints ------------------------------------------------------------------------------------ */

struct hint_reading {
	struct jn_buffer names; /* each closed with a 0 */
	unsigned count;
};

static void read_hint_name(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	const char *text = jn_json_text(value);
	struct hint_reading *r = target;

	if (!*text || strlen(text) > JN_MAX_LONG_NAME) {
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "is empty or longer than %d bytes; give the "
				 "name of a zone or node",
				 JN_MAX_LONG_NAME);
		return;
	}
	jn_buffer_add(&r->names, text, strlen(text) + 1);
	r->count++;
}

static const struct jn_field hint_items[] = {
	{ .name = "name",
	  .type = JN_FIELD_TEXT,
	  .is_required = true,
	  .read = read_hint_name,
	  .expected = "the name of a zone or node as text" },
};
static const struct jn_fields hint_fields = JN_FIELDS(hint_items);

static void read_hint(struct jn_decoder *d, const struct jn_json *value, unsigned index,
		      void *target)
{
	(void)index;
	if (jn_decoder_expect(d, value, JN_JSON_OBJECT, "an object {\"name\": …}"))
		jn_fields_read(d, value, &hint_fields, target);
}

static void read_hint_list(struct jn_decoder *d, const struct jn_json *list, char **out,
			   unsigned *out_count)
{
	struct hint_reading r = { 0 };

	if (!jn_decoder_fits(d, list, JN_MAX_HINTS, "hints of one endpoint", "give fewer"))
		return;
	jn_decoder_each(d, list, read_hint, &r);
	d->is_out_of_memory |= jn_buffer_failed(&r.names);
	*out = JN_MOVE(r.names.data);
	*out_count = r.count;
}

static void read_zones(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	struct jn_hints *hints = target;

	read_hint_list(d, list, &hints->zones, &hints->zone_count);
}

static void read_nodes(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	struct jn_hints *hints = target;

	read_hint_list(d, list, &hints->nodes, &hints->node_count);
}

static const struct jn_field hints_items[] = {
	{ .name = "forZones",
	  .type = JN_FIELD_LIST,
	  .read = read_zones,
	  .expected = "a list of objects {\"name\": zone}" },
	{ .name = "forNodes",
	  .type = JN_FIELD_LIST,
	  .read = read_nodes,
	  .expected = "a list of objects {\"name\": node}" },
};
static const struct jn_fields hints_fields = JN_FIELDS(hints_items);

static void read_hints(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct jn_hints *hints = calloc(1, sizeof(*hints));
	struct reading *r = target;

	r->endpoint.hints = hints;
	if (!hints) {
		d->is_out_of_memory = true;
		return;
	}
	jn_fields_read(d, value, &hints_fields, hints);
	if (hints->zone_count || hints->node_count)
		return;
	free(JN_MOVE(hints->zones)); /* nothing was said: that is no hints */
	free(JN_MOVE(hints->nodes));
	free(JN_MOVE(r->endpoint.hints));
}

/* --- endpoints as a whole --------------------------------------------------------------------- */

static const struct jn_field endpoint_items[] = {
	{ .name = "addresses",
	  .type = JN_FIELD_LIST,
	  .is_required = true,
	  .read = read_addresses,
	  .expected = "a list of addresses" },
	{ .name = "conditions",
	  .type = JN_FIELD_OBJECT,
	  .read = read_conditions,
	  .expected = "an object {\"ready\": …}" },
	{ .name = "nodeName",
	  .type = JN_FIELD_TEXT,
	  .read = read_node,
	  .expected = "the name of a node as text" },
	{ .name = "hints",
	  .type = JN_FIELD_OBJECT,
	  .read = read_hints,
	  .expected = "an object {\"forZones\": …}" },
	{ .name = "targetRef", .type = JN_FIELD_IGNORED },
	{ .name = "zone", .type = JN_FIELD_IGNORED },
	{ .name = "hostname", .type = JN_FIELD_IGNORED },
	{ .name = "deprecatedTopology", .type = JN_FIELD_IGNORED },
};
static const struct jn_fields endpoint_fields = JN_FIELDS(endpoint_items);

static void read_endpoint(struct jn_decoder *d, const struct jn_json *value, unsigned index,
			  void *target)
{
	struct jn_endpoint_slice *s = target;
	struct reading r = { .endpoint.is_ready = true, .address_type = s->address_type };

	if (jn_decoder_expect(d, value, JN_JSON_OBJECT, "an object {\"addresses\": …}"))
		jn_fields_read(d, value, &endpoint_fields, &r);
	if (!r.has_serving)
		r.endpoint.is_serving = r.endpoint.is_ready;
	s->endpoints[index] = r.endpoint;
}

static void read_endpoints(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	struct jn_endpoint_slice *s = &((struct jn_object *)target)->slice;

	s->endpoints = jn_decoder_items(d, list, sizeof(*s->endpoints), JN_MAX_SLICE_ENDPOINTS,
					"endpoints of one EndpointSlice");
	if (!s->endpoints)
		return;
	s->endpoint_count = (unsigned)jn_json_count(list);
	jn_decoder_each(d, list, read_endpoint, s);
	if (s->address_type == JN_ADDRESS_FQDN)
		jn_slice_drop_endpoints(s);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void read_slice_metadata(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct jn_object *o = target;
	const char *service;

	jn_metadata_read(d, value, o);
	if (d->is_out_of_memory)
		return;
	service = jn_labels_find(&o->labels, JN_LABEL_SERVICE_NAME);
	if (!service)
		return;
	if (jn_is_dns_label(service)) {
		memcpy(o->slice.service, service, strlen(service) + 1);
		return;
	}
	jn_decoder_push_key(d, "labels");
	jn_decoder_fault_in(d, JN_LABEL_SERVICE_NAME, JN_CAUSE_INVALID,
			    "is \"%.64s\"; give the name of a Service", service);
	jn_decoder_pop(d);
}

static const struct jn_field slice_items[] = {
	{ .name = "apiVersion", .type = JN_FIELD_DONE },
	{ .name = "kind", .type = JN_FIELD_DONE },
	{ .name = "metadata",
	  .type = JN_FIELD_OBJECT,
	  .is_required = true,
	  .read = read_slice_metadata,
	  .expected = "an object {\"name\": …}" },
	{ .name = "addressType",
	  .type = JN_FIELD_WORD,
	  .is_required = true,
	  .words = jn_address_type_words,
	  JN_FIELD_AT(struct jn_object, slice.address_type) },
	{ .name = "ports",
	  .type = JN_FIELD_LIST,
	  .read = read_ports,
	  .expected = "a list of ports" },
	{ .name = "endpoints",
	  .type = JN_FIELD_LIST,
	  .read = read_endpoints,
	  .expected = "a list of endpoints" },
	{ .name = "status", .type = JN_FIELD_IGNORED }, /* Kubernetes gives it none, we do */
};
const struct jn_fields jn_slice_fields = JN_FIELDS(slice_items);
