/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For fuzz_plan: objects of every kind out of numbers. Few names, addresses and ports, so that they
 * meet. What one object alone can be wrong about is right in each of them.
 */
#ifndef JUNCTOR_FUZZ_PLAN_OBJECTS_H
#define JUNCTOR_FUZZ_PLAN_OBJECTS_H

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "fuzz.h"
#include "proto/address.h"
#include "proto/object.h"

#define NAMES 3 /* of each kind but two */
#define SLICES 4
#define NODES 2
#define PORTS 2
#define US "me" /* the node that we are */

/* Every object that can be, by kind: services of both kinds first. */
enum {
	FIRST_LOCAL,
	FIRST_CLUSTER = FIRST_LOCAL + NAMES,
	SERVICES = FIRST_CLUSTER + NAMES,
	FIRST_POLICY = SERVICES,
	FIRST_SLICE = FIRST_POLICY + NAMES,
	FIRST_NODE = FIRST_SLICE + SLICES,
	KEYS = FIRST_NODE + NODES
};

/* In the order of enum above; "c" is a service of the one kind or of the other. */
static const char *const names[KEYS] = { "a", "b",  "c",  "c",	"d",  "e",  "a",    "b",
					 "c", "s0", "s1", "s2", "s3", "me", "other" };
static const char *const targets[] = { "a", "b", "c", "d", "e" };
static const char *const vips[] = { "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "127.9.0.1" };
static const char *const backends[] = { "10.1.0.1", "10.1.0.2",	 "fd00:1::1", "fd00:1::2",
					"10.1.0.3", "127.0.0.1", "10.0.0.1" /* a VIP, maybe */ };
/* Of slices, IPv4 and IPv6; the last ones may be VIPs. */
static const char *const pods[2][3] = { { "10.1.0.1", "127.0.0.1", "10.0.0.1" },
					{ "fd00:1::1", "fd00:1::2", "fd00::1" } };

static inline enum jn_kind kind_of(unsigned index)
{
	if (index >= FIRST_NODE)
		return JN_KIND_NODE;
	if (index >= FIRST_SLICE)
		return JN_KIND_ENDPOINT_SLICE;
	if (index >= FIRST_POLICY)
		return JN_KIND_TRAFFIC_POLICY;
	return index >= FIRST_CLUSTER ? JN_KIND_SERVICE : JN_KIND_LOCAL_SERVICE;
}

static inline struct jn_addr addr(const char *text)
{
	struct jn_addr out;
	const char *why;

	CHECK(!jn_addr_parse(text, &out, &why));
	return out;
}

static inline struct jn_object_key key_of(unsigned index)
{
	const char *namespace_ = index >= FIRST_NODE ? "" : "default";

	return jn_object_key_of(kind_of(index), namespace_, names[index]);
}

/* --- what junctor brings ------------------------------------------------------------------------- */

static inline void read_ports(struct numbers *n, struct jn_local_service *s)
{
	s->port_count = 1 + number_below(n, PORTS);
	s->ports = calloc(s->port_count, sizeof(*s->ports));
	for (unsigned i = 0; i < s->port_count; i++) {
		s->ports[i].port = s->ports[i].target_port =
			(uint16_t)(80 + 10 * i + number_below(n, 2));
		s->ports[i].proto = number_below(n, 2) ? IPPROTO_UDP : IPPROTO_TCP;
		if (s->port_count > 1)
			(void)snprintf(s->ports[i].name, JN_NAME_BYTES, "p%u", i);
	}
}

static inline void read_backends(struct numbers *n, struct jn_local_service *s)
{
	static const uint16_t weights[] = { 1, 0, 1, 2, 3, 7, 999, JN_MAX_WEIGHT };
	unsigned which = number_below(n, 1u << JN_COUNT(backends));

	s->backends = calloc(JN_COUNT(backends), sizeof(*s->backends));
	for (unsigned i = 0; i < JN_COUNT(backends); i++) {
		struct jn_backend *b = &s->backends[s->backend_count];
		unsigned how = number_below(n, 256);

		if (!(which & 1u << i))
			continue;
		s->backend_count++;
		b->addr = addr(backends[i]);
		b->weight = weights[how % JN_COUNT(weights)];
		b->is_ready = (how >> 3) % 4 != 0;
		b->is_terminating = (how >> 5) % 4 == 0;
		if (s->port_count == 1 && how >> 7)
			b->port = 80;
	}
}

static inline void read_policy(struct numbers *n, struct jn_traffic_policy *p)
{
	static const struct jn_outlier_spec outlier = JN_DEFAULT_OUTLIER;
	static const uint16_t errnos[] = { ECONNREFUSED, EPERM };
	unsigned how = number_below(n, 64);

	(void)strcpy(p->target, targets[number_below(n, JN_COUNT(targets))]);
	p->target_kind = number_below(n, 2) ? JN_KIND_SERVICE : JN_KIND_LOCAL_SERVICE;
	if (number_below(n, 2))
		(void)snprintf(p->port, JN_NAME_BYTES, "p%u", number_below(n, 2));
	p->algorithm = (uint8_t)number_below(n, JN_ALGORITHM_MAX);
	p->no_endpoint_errno = errnos[how & 1];
	p->slow_start_seconds = how & 2 ? 30 : 0;
	p->affinity.timeout_seconds = 60;
	p->affinity.type = how & 1 ? JN_AFFINITY_NONE : JN_AFFINITY_UNSAID;
	if (how & 4)
		p->affinity.type = JN_AFFINITY_CLIENT_IP;
	p->has_outlier = how & 8;
	if (p->has_outlier)
		p->outlier = outlier;
	p->limits.connections = how & 16 ? 5 : 0;
	p->limits.connections_per_backend = how & 32 ? 3 : 0;
}

static inline void read_local(struct numbers *n, struct jn_local_service *s)
{
	unsigned which = 1 + number_below(n, (1u << JN_COUNT(vips)) - 1);

	s->addresses = calloc(JN_COUNT(vips), sizeof(*s->addresses));
	for (unsigned i = 0; i < JN_COUNT(vips); i++) {
		if (which & 1u << i)
			s->addresses[s->address_count++] = addr(vips[i]);
	}
	read_ports(n, s);
	read_backends(n, s);
}

/* --- what Kubernetes brings ---------------------------------------------------------------------- */

static inline void label(struct jn_object *o, const char *key, const char *value)
{
	o->labels.items = calloc(1, sizeof(*o->labels.items));
	o->labels.items[0] = (struct jn_label){ strdup(key), strdup(value) };
	o->labels.count = 1;
}

/* One of eight is another proxy's. */
static inline void read_owner(struct numbers *n, struct jn_object *o)
{
	if (number_below(n, 8) == 7)
		label(o, JN_LABEL_PROXY_NAME, "other");
}

static inline uint8_t read_proto(struct numbers *n)
{
	unsigned how = number_below(n, 8);

	if (how == 7)
		return IPPROTO_SCTP;
	return how < 5 ? IPPROTO_TCP : IPPROTO_UDP;
}

static inline void read_cluster(struct numbers *n, struct jn_cluster_service *s)
{
	unsigned which = number_below(n, 16);

	if (which & 1)
		s->addresses[s->address_count++] = addr(vips[which & 2 ? 0 : 4]);
	if (which & 4)
		s->addresses[s->address_count++] = addr(vips[which & 8 ? 2 : 3]);
	s->is_headless = !s->address_count;
	s->is_local = number_below(n, 2);
	s->affinity.timeout_seconds = 30;
	s->affinity.type = number_below(n, 2) ? JN_AFFINITY_CLIENT_IP : JN_AFFINITY_NONE;
	s->port_count = 1 + number_below(n, PORTS);
	s->ports = calloc(s->port_count, sizeof(*s->ports));
	for (unsigned i = 0; i < s->port_count; i++) {
		s->ports[i].port = (uint16_t)(80 + 10 * i + number_below(n, 2));
		s->ports[i].proto = read_proto(n);
		if (s->port_count > 1)
			(void)snprintf(s->ports[i].name, JN_NAME_BYTES, "p%u", i);
	}
}

static inline void read_slice_ports(struct numbers *n, struct jn_endpoint_slice *s)
{
	static const char *const port_names[] = { "", "p0", "p1" };
	static const uint16_t numbers[] = { 8080, 80, 8081, 8080, 8081, 8080, 8081, 0 };
	unsigned which = number_below(n, 1u << JN_COUNT(port_names));

	s->ports = calloc(JN_COUNT(port_names), sizeof(*s->ports));
	for (unsigned i = 0; i < JN_COUNT(port_names); i++) {
		struct jn_slice_port *port = &s->ports[s->port_count];

		if (which & 1u << i)
			continue;
		s->port_count++;
		port->port = numbers[number_below(n, JN_COUNT(numbers))];
		port->proto = read_proto(n);
		(void)strcpy(port->name, port_names[i]);
	}
}

/* NULL: it says nothing. zones: "z1", "z2", both; nodes: us, another. */
static inline struct jn_hints *read_hints(struct numbers *n)
{
	static const char zones[] = "z1\0z2";
	unsigned how = number_below(n, 16), count = how & 3 ? 1 + ((how & 3) == 3) : 0;
	struct jn_hints *hints;

	if (!how)
		return NULL;
	hints = calloc(1, sizeof(*hints));
	if (count) {
		hints->zones = calloc(1, sizeof(zones));
		memcpy(hints->zones, (how & 3) == 2 ? zones + 3 : zones, 3 * (size_t)count);
		hints->zone_count = count;
	}
	if (how & 4) {
		hints->nodes = strdup(how & 8 ? US : "other");
		hints->node_count = 1;
	}
	if (hints->zone_count || hints->node_count)
		return hints;
	free(hints);
	return NULL;
}

static inline void read_slice(struct numbers *n, struct jn_endpoint_slice *s)
{
	static const char *const of[] = { "c", "c", "c", "d", "d", "e", "e", "" };
	unsigned which, family = number_below(n, 4) == 3;

	s->address_type = family ? JN_ADDRESS_IPV6 : JN_ADDRESS_IPV4;
	(void)strcpy(s->service, of[number_below(n, JN_COUNT(of))]);
	read_slice_ports(n, s);
	which = number_below(n, 1u << JN_COUNT(pods[0]));
	s->endpoints = calloc(JN_COUNT(pods[0]), sizeof(*s->endpoints));
	for (unsigned i = 0; i < JN_COUNT(pods[0]); i++) {
		struct jn_slice_endpoint *e = &s->endpoints[s->endpoint_count];
		unsigned how = number_below(n, 32);

		if (!(which & 1u << i))
			continue;
		s->endpoint_count++;
		e->addr = addr(pods[family][i]);
		e->is_ready = how & 1;
		e->is_serving = how & 3;
		e->is_terminating = how & 4;
		e->node = how & 8 ? strdup(how & 16 ? US : "other") : NULL;
		e->hints = read_hints(n);
	}
}

static inline struct jn_object *read_object(struct numbers *n, unsigned index)
{
	static const char *const zones[] = { "z1", "z2" };
	struct jn_object *o = calloc(1, sizeof(*o));
	unsigned zone;

	o->references = 1;
	o->key = key_of(index);
	if (o->key.kind == JN_KIND_LOCAL_SERVICE) {
		read_local(n, &o->service);
	} else if (o->key.kind == JN_KIND_TRAFFIC_POLICY) {
		read_policy(n, &o->policy);
	} else if (o->key.kind == JN_KIND_SERVICE) {
		read_owner(n, o);
		read_cluster(n, &o->cluster);
	} else if (o->key.kind == JN_KIND_ENDPOINT_SLICE) {
		read_owner(n, o);
		read_slice(n, &o->slice);
	} else {
		zone = number_below(n, 3);
		if (zone < 2)
			label(o, JN_LABEL_ZONE, zones[zone]);
	}
	return o;
}

#endif
