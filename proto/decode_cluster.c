/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Service.spec (v1) -> struct jn_cluster_service. Fields that Kubernetes defines and that do not
 * concern a proxy on the cluster addresses are known and not kept; any other one is refused, as the
 * API server does with strict field validation.
 *
 * The target of a table is this file's reading; that of jn_cluster_read is the object.
 */
#include <netinet/in.h>
#include <string.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "proto/address.h"
#include "proto/field.h"

#define ADVICE                                                                                     \
	"junctor gives out no addresses: name one in spec.clusterIP, or \"" JN_CLUSTER_IP_NONE     \
	"\" for a headless Service"

struct reading {
	struct jn_cluster_service service;
	bool has_ip;	 /* clusterIP is given, and is not empty */
	bool has_ips;	 /* clusterIPs is */
	bool is_faulty;	 /* one of the two */
	bool is_ip_none; /* what clusterIP says */
	struct jn_addr ip;
};

/* --- addresses -------------------------------------------------------------------------------- */

static void read_cluster_ip(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	const char *text = jn_json_text(value);
	struct reading *r = target;

	if (!*text)
		return; /* as the API server answers it for ExternalName */
	r->has_ip = true;
	r->is_ip_none = !strcmp(text, JN_CLUSTER_IP_NONE);
	if (!r->is_ip_none)
		r->is_faulty |= !jn_decoder_address(d, text, &r->ip);
}

static void take_cluster_ip(struct jn_decoder *d, const struct jn_json *value, unsigned index,
			    void *target)
{
	struct jn_cluster_service *s = &((struct reading *)target)->service;
	struct jn_addr *place = &s->addresses[index];
	const char *text = jn_json_text(value);

	if (!jn_decoder_expect(d, value, JN_JSON_TEXT, "an IP address as text"))
		return;
	if (!strcmp(text, JN_CLUSTER_IP_NONE) && !index) {
		s->is_headless = true;
		return;
	}
	if (s->is_headless) {
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "follows \"" JN_CLUSTER_IP_NONE "\"; a headless Service has no "
				 "address: remove it");
		return;
	}
	if (!jn_decoder_address(d, text, place))
		return;
	s->address_count = index + 1;
	if (index && jn_addr_is_v4(&s->addresses[0]) == jn_addr_is_v4(place))
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "\"%.64s\" is of the same family as clusterIPs[0]; give one IPv4 "
				 "and one IPv6 address, or one address",
				 text);
}

static void read_cluster_ips(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	unsigned faults = d->err->fault_count;
	struct reading *r = target;

	r->has_ips = jn_json_count(list) != 0;
	if (jn_decoder_fits(d, list, JN_MAX_CLUSTER_IPS, "clusterIPs", "give one of each family"))
		jn_decoder_each(d, list, take_cluster_ip, r);
	r->is_faulty |= d->err->fault_count != faults;
}

/* clusterIP is the first of clusterIPs; either may stand alone. */
static void settle_addresses(struct jn_decoder *d, struct reading *r)
{
	struct jn_cluster_service *s = &r->service;
	bool is_same;

	if (r->is_faulty)
		return;
	if (r->has_ip && !r->has_ips) {
		s->is_headless = r->is_ip_none;
		s->addresses[0] = r->ip;
		s->address_count = !r->is_ip_none;
	}
	is_same = r->is_ip_none ? s->is_headless
				: s->address_count && jn_addr_equal(&r->ip, &s->addresses[0]);
	if (r->has_ip && !is_same)
		jn_decoder_fault_in(d, "clusterIP", JN_CAUSE_INVALID,
				    "is not clusterIPs[0]; give the same, or one of the two");
	if (s->type == JN_SERVICE_EXTERNAL_NAME && (s->address_count || s->is_headless))
		jn_decoder_fault_in(d, "clusterIP", JN_CAUSE_INVALID,
				    "does not go with type ExternalName; remove it");
	if (s->type != JN_SERVICE_EXTERNAL_NAME && !r->has_ip && !r->has_ips)
		jn_decoder_fault_in(d, "clusterIP", JN_CAUSE_REQUIRED, "is missing; " ADVICE);
}

/* --- ports ------------------------------------------------------------------------------------ */

/* A number or a name; what it leads to, the EndpointSlices say. */
static void read_target_port(struct jn_decoder *d, const struct jn_json *value)
{
	enum jn_json_type type = jn_json_type(value);
	int64_t number = jn_json_integer(value);

	if (type == JN_JSON_NULL || type == JN_JSON_TEXT)
		return;
	if (type != JN_JSON_INTEGER)
		jn_decoder_fault_in(d, "targetPort", JN_CAUSE_TYPE,
				    "is %s; give an integer 1..65535 or a port's name",
				    jn_json_type_name(type));
	else if (number < 1 || number > UINT16_MAX)
		jn_decoder_fault_in(d, "targetPort", JN_CAUSE_INVALID,
				    "is %lld; give an integer 1..65535 or a port's name",
				    (long long)number);
}

void jn_decoder_port_name(struct jn_decoder *d, const struct jn_json *value,
			  char out[JN_NAME_BYTES])
{
	const char *text = jn_json_text(value);

	if (!*text || jn_is_dns_label(text))
		memcpy(out, text, strlen(text) + 1);
	else
		jn_decoder_fault(d, JN_CAUSE_INVALID, "is \"%.64s\"; give " JN_DNS_LABEL, text);
}

static void read_port_name(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	jn_decoder_port_name(d, value, ((struct jn_cluster_port *)target)->name);
}

static const struct jn_field port_items[] = {
	{ .name = "name",
	  .type = JN_FIELD_TEXT,
	  .read = read_port_name,
	  .expected = "the port's name as text" },
	{ .name = "port",
	  .type = JN_FIELD_INTEGER,
	  .is_required = true,
	  .min = 1,
	  .max = UINT16_MAX,
	  JN_FIELD_AT(struct jn_cluster_port, port) },
	{ .name = "protocol",
	  .type = JN_FIELD_WORD,
	  .words = jn_cluster_protocol_words,
	  JN_FIELD_AT(struct jn_cluster_port, proto) },
	{ .name = "targetPort", .type = JN_FIELD_DONE },
	{ .name = "nodePort", .type = JN_FIELD_IGNORED },
	{ .name = "appProtocol", .type = JN_FIELD_IGNORED },
};
static const struct jn_fields port_fields = JN_FIELDS(port_items);

static void check_port(struct jn_decoder *d, const struct jn_cluster_service *s, unsigned index)
{
	const struct jn_cluster_port *port = &s->ports[index];

	for (unsigned i = 0; i < index; i++) {
		const struct jn_cluster_port *other = &s->ports[i];

		if (*port->name && !strcmp(other->name, port->name))
			jn_decoder_port_name_taken(d, port->name, i);
		if (port->port && other->port == port->port && other->proto == port->proto)
			jn_decoder_port_taken(d, port->port, port->proto, i);
	}
}

static void read_port(struct jn_decoder *d, const struct jn_json *value, unsigned index,
		      void *target)
{
	struct jn_cluster_service *s = target;
	struct jn_cluster_port *port = &s->ports[index];
	const struct jn_json *target_port;
	const char *name;

	port->proto = IPPROTO_TCP;
	if (!jn_decoder_expect(d, value, JN_JSON_OBJECT, "an object {\"port\": …}"))
		return;
	jn_fields_read(d, value, &port_fields, port);
	target_port = jn_json_get(value, "targetPort");
	if (target_port)
		read_target_port(d, target_port);
	name = jn_json_text(jn_json_get(value, "name"));
	if (s->port_count > 1 && (!name || !*name))
		jn_decoder_fault_in(d, "name", JN_CAUSE_REQUIRED,
				    "is missing; name every port of an object that has several");
	check_port(d, s, index);
}

static void read_ports(struct jn_decoder *d, const struct jn_json *list, void *target)
{
	struct jn_cluster_service *s = &((struct reading *)target)->service;

	s->ports = jn_decoder_items(d, list, sizeof(*s->ports), JN_MAX_CLUSTER_PORTS,
				    "ports of one object");
	if (!s->ports)
		return;
	s->port_count = (unsigned)jn_json_count(list);
	jn_decoder_each(d, list, read_port, s);
}

/* --- the whole -------------------------------------------------------------------------------- */

static const struct jn_field client_ip_items[] = {
	{ .name = "timeoutSeconds",
	  .type = JN_FIELD_INTEGER,
	  .min = 1,
	  .max = JN_MAX_AFFINITY_SECONDS,
	  JN_FIELD_AT(struct reading, service.affinity.timeout_seconds) },
};
static const struct jn_fields client_ip_fields = JN_FIELDS(client_ip_items);

static const struct jn_field affinity_items[] = {
	{ .name = "clientIP", .type = JN_FIELD_OBJECT, .fields = &client_ip_fields },
};
static const struct jn_fields affinity_fields = JN_FIELDS(affinity_items);

static const struct jn_field spec_items[] = {
	{ .name = "ports",
	  .type = JN_FIELD_LIST,
	  .read = read_ports,
	  .expected = "a list of ports" },
	{ .name = "clusterIP",
	  .type = JN_FIELD_TEXT,
	  .read = read_cluster_ip,
	  .expected = "an IP address as text" },
	{ .name = "clusterIPs",
	  .type = JN_FIELD_LIST,
	  .read = read_cluster_ips,
	  .expected = "a list of IP addresses" },
	{ .name = "type",
	  .type = JN_FIELD_WORD,
	  .words = jn_service_type_words,
	  JN_FIELD_AT(struct reading, service.type) },
	{ .name = "internalTrafficPolicy",
	  .type = JN_FIELD_WORD,
	  .words = jn_traffic_policy_words,
	  JN_FIELD_AT(struct reading, service.is_local) },
	{ .name = "sessionAffinity",
	  .type = JN_FIELD_WORD,
	  .words = jn_affinity_words,
	  JN_FIELD_AT(struct reading, service.affinity.type) },
	{ .name = "sessionAffinityConfig", .type = JN_FIELD_OBJECT, .fields = &affinity_fields },
	{ .name = "selector", .type = JN_FIELD_IGNORED },
	{ .name = "ipFamilies", .type = JN_FIELD_IGNORED },
	{ .name = "ipFamilyPolicy", .type = JN_FIELD_IGNORED },
	{ .name = "publishNotReadyAddresses", .type = JN_FIELD_IGNORED },
	{ .name = "trafficDistribution", .type = JN_FIELD_IGNORED },
	{ .name = "externalName", .type = JN_FIELD_IGNORED },
	{ .name = "externalIPs", .type = JN_FIELD_IGNORED },
	{ .name = "externalTrafficPolicy", .type = JN_FIELD_IGNORED },
	{ .name = "healthCheckNodePort", .type = JN_FIELD_IGNORED },
	{ .name = "loadBalancerIP", .type = JN_FIELD_IGNORED },
	{ .name = "loadBalancerSourceRanges", .type = JN_FIELD_IGNORED },
	{ .name = "loadBalancerClass", .type = JN_FIELD_IGNORED },
	{ .name = "allocateLoadBalancerNodePorts", .type = JN_FIELD_IGNORED },
};
static const struct jn_fields spec_fields = JN_FIELDS(spec_items);

void jn_cluster_read(struct jn_decoder *d, const struct jn_json *spec, void *target)
{
	struct reading r = { .service.affinity.timeout_seconds = JN_DEFAULT_AFFINITY_SECONDS };
	unsigned faults = d->err->fault_count;
	struct jn_object *o = target;

	jn_fields_read(d, spec, &spec_fields, &r);
	settle_addresses(d, &r);
	if (d->err->fault_count == faults && r.service.address_count && !r.service.port_count)
		jn_decoder_fault_in(d, "ports", JN_CAUSE_REQUIRED,
				    "is missing; give at least one port");
	/* A time-out of nothing: two that differ in it alone are one and the same. */
	if (r.service.affinity.type == JN_AFFINITY_NONE)
		r.service.affinity.timeout_seconds = JN_DEFAULT_AFFINITY_SECONDS;
	o->cluster = r.service;
}
