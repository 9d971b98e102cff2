/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For fuzz_plan: objects out of numbers, and the plain reference of what they mean. It looks at
 * everything each time and knows nothing of tables.
 */
#ifndef JUNCTOR_FUZZ_PLAN_REFERENCE_H
#define JUNCTOR_FUZZ_PLAN_REFERENCE_H

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "fuzz.h"
#include "model/resolve.h"
#include "proto/address.h"

#define NAMES 3
#define KEYS (2 * NAMES) /* as many services as policies */
#define PORTS 2

static const char *const names[NAMES] = { "a", "b", "c" };
static const char *const vips[] = { "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "127.9.0.1" };
static const char *const backends[] = { "10.1.0.1", "10.1.0.2",	 "fd00:1::1", "fd00:1::2",
					"10.1.0.3", "127.0.0.1", "10.0.0.1" /* a VIP, maybe */ };

static struct jn_object *declared[KEYS]; /* the reference: services, then policies */

/* --- objects from numbers ------------------------------------------------------------------------ */

static inline struct jn_addr addr(const char *text)
{
	struct jn_addr out;
	const char *why;

	CHECK(!jn_addr_parse(text, &out, &why));
	return out;
}

static inline struct jn_object_key key_of(unsigned index)
{
	struct jn_object_key key = { .kind = index < NAMES ? JN_KIND_LOCAL_SERVICE
							   : JN_KIND_TRAFFIC_POLICY };

	(void)strcpy(key.namespace_, "default");
	(void)strcpy(key.name, names[index % NAMES]);
	return key;
}

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

	(void)strcpy(p->target, names[number_below(n, NAMES)]);
	if (number_below(n, 2))
		(void)snprintf(p->port, JN_NAME_BYTES, "p%u", number_below(n, 2));
	p->algorithm = (uint8_t)number_below(n, JN_ALGORITHM_MAX);
	p->no_endpoint_errno = errnos[how & 1];
	p->slow_start_seconds = how & 2 ? 30 : 0;
	if (how & 4)
		p->affinity = (struct jn_affinity_spec){ 60, JN_AFFINITY_CLIENT_IP };
	p->has_outlier = how & 8;
	if (p->has_outlier)
		p->outlier = outlier;
	p->limits.connections = how & 16 ? 5 : 0;
	p->limits.connections_per_backend = how & 32 ? 3 : 0;
}

static inline struct jn_object *read_object(struct numbers *n, unsigned index)
{
	struct jn_object *o = calloc(1, sizeof(*o));
	unsigned which;

	o->references = 1;
	o->key = key_of(index);
	if (index >= NAMES) {
		read_policy(n, &o->policy);
		return o;
	}
	which = 1 + number_below(n, (1u << JN_COUNT(vips)) - 1);
	o->service.addresses = calloc(JN_COUNT(vips), sizeof(*o->service.addresses));
	for (unsigned i = 0; i < JN_COUNT(vips); i++) {
		if (which & 1u << i)
			o->service.addresses[o->service.address_count++] = addr(vips[i]);
	}
	read_ports(n, &o->service);
	read_backends(n, &o->service);
	return o;
}

/* --- the reference ------------------------------------------------------------------------------- */

static inline struct jn_frontend_key frontend_of(const struct jn_local_service *s, unsigned port,
						 unsigned address)
{
	return jn_frontend_key_of(&s->addresses[address], s->ports[port].port,
				  s->ports[port].proto);
}

static inline bool has_frontend(const struct jn_object *o, const struct jn_frontend_key *key)
{
	for (unsigned p = 0; o && p < o->service.port_count; p++) {
		for (unsigned a = 0; a < o->service.address_count; a++) {
			struct jn_frontend_key own = frontend_of(&o->service, p, a);

			if (!memcmp(&own, key, sizeof(own)))
				return true;
		}
	}
	return false;
}

/* How many of these services have the frontend. */
static inline unsigned owners_of(struct jn_object *const *all, const struct jn_frontend_key *key)
{
	unsigned owners = 0;

	for (unsigned i = 0; i < NAMES; i++)
		owners += has_frontend(all[i], key);
	return owners;
}

static inline bool is_service_right(struct jn_object *const *all, const struct jn_local_service *s)
{
	for (unsigned p = 0; p < s->port_count; p++) {
		for (unsigned a = 0; a < s->address_count; a++) {
			struct jn_frontend_key key = frontend_of(s, p, a);

			if (owners_of(all, &key) != 1)
				return false;
		}
		for (unsigned b = 0; b < s->backend_count; b++) {
			struct jn_frontend_key key =
				jn_frontend_key_of(&s->backends[b].addr,
						   jn_backend_port(s, &s->backends[b], p),
						   s->ports[p].proto);

			if (owners_of(all, &key))
				return false;
		}
	}
	return true;
}

/* Is a state of this kind without a conflict? */
static inline bool is_right(struct jn_object *const *all)
{
	for (unsigned i = 0; i < NAMES; i++) {
		if (all[i] && !is_service_right(all, &all[i]->service))
			return false;
	}
	for (unsigned i = NAMES; i < KEYS; i++) {
		for (unsigned j = NAMES; j < i; j++) {
			if (all[i] && all[j] &&
			    !strcmp(all[i]->policy.target, all[j]->policy.target) &&
			    !strcmp(all[i]->policy.port, all[j]->policy.port))
				return false;
		}
	}
	return true;
}

/* The policy of a service's port: one of its own wins over one for all. */
static inline const struct jn_object *policy_of(const char *service, const char *port)
{
	const struct jn_object *found = NULL;

	for (unsigned i = NAMES; i < KEYS; i++) {
		if (!declared[i] || strcmp(declared[i]->policy.target, service) != 0)
			continue;
		if (!strcmp(declared[i]->policy.port, port))
			return declared[i];
		if (!*declared[i]->policy.port)
			found = declared[i];
	}
	return found;
}

/* The weight with which a backend takes new connections. */
static inline uint16_t weight_of(const struct jn_local_service *s, unsigned index)
{
	const struct jn_backend *b = &s->backends[index];
	bool has_active = false;

	for (unsigned i = 0; i < s->backend_count; i++)
		has_active |= s->backends[i].is_ready && !s->backends[i].is_terminating &&
			      s->backends[i].weight;
	return b->is_ready && (!b->is_terminating || !has_active) ? b->weight : 0;
}

static inline void check_port(const struct jn_object *o, unsigned index,
			      const struct jn_desired_port *d)
{
	const struct jn_local_service *s = &o->service;
	const struct jn_object *policy = policy_of(o->key.name, s->ports[index].name);

	CHECK(!strcmp(d->name.name, o->key.name));
	CHECK(!strcmp(d->name.port_name, s->ports[index].name));
	CHECK(d->name.proto == s->ports[index].proto);
	CHECK(d->algorithm == (policy ? policy->policy.algorithm : JN_ALGORITHM_RANDOM));
	CHECK(d->no_endpoint_errno == (policy ? policy->policy.no_endpoint_errno : ECONNREFUSED));
	CHECK(d->frontend_count == s->address_count && d->endpoint_count == s->backend_count);
	for (unsigned a = 0; a < s->address_count; a++) {
		struct jn_frontend_key key = frontend_of(s, index, a);

		CHECK(!memcmp(&key, &d->frontends[a], sizeof(key)));
	}
	for (unsigned b = 0; b < s->backend_count; b++) {
		CHECK(!memcmp(&d->endpoints[b].addr, &s->backends[b].addr, sizeof(struct jn_addr)));
		CHECK(ntohs(d->endpoints[b].port) == jn_backend_port(s, &s->backends[b], index));
		CHECK(d->endpoints[b].weight == weight_of(s, b));
	}
}

#endif
