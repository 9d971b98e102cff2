/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For fuzz_plan: the plain reference of what objects mean. It looks at everything each time and knows
 * nothing of tables.
 */
#ifndef JUNCTOR_FUZZ_PLAN_REFERENCE_H
#define JUNCTOR_FUZZ_PLAN_REFERENCE_H

#include <arpa/inet.h>

#include "model/resolve.h"
#include "plan_objects.h"

#define MOST_ENDPOINTS 16 /* of a port */

static struct jn_object *declared[KEYS];

/* --- frontends ----------------------------------------------------------------------------------- */

static inline bool is_foreign(const struct jn_object *o)
{
	return o->labels.count && !strcmp(o->labels.items[0].key, JN_LABEL_PROXY_NAME);
}

/* Where an object asks for connections: the i-th of them; false behind the last. */
static inline bool get_frontend(const struct jn_object *o, unsigned i, struct jn_frontend_key *out)
{
	const struct jn_local_service *s = &o->service;
	const struct jn_cluster_service *c = &o->cluster;
	unsigned seen = 0;

	if (o->key.kind == JN_KIND_LOCAL_SERVICE) {
		if (i >= s->port_count * s->address_count)
			return false;
		*out = jn_frontend_key_of(&s->addresses[i % s->address_count],
					  s->ports[i / s->address_count].port,
					  s->ports[i / s->address_count].proto);
		return true;
	}
	for (unsigned p = 0; !is_foreign(o) && p < c->port_count; p++) {
		if (c->ports[p].proto == IPPROTO_SCTP)
			continue;
		if (i < seen + c->address_count) {
			*out = jn_frontend_key_of(&c->addresses[i - seen], c->ports[p].port,
						  c->ports[p].proto);
			return true;
		}
		seen += c->address_count;
	}
	return false;
}

/* How many of these services have the frontend. */
static inline unsigned owners_of(struct jn_object *const *all, const struct jn_frontend_key *key)
{
	struct jn_frontend_key own;
	unsigned owners = 0;

	for (unsigned i = 0; i < SERVICES; i++) {
		for (unsigned f = 0; all[i] && get_frontend(all[i], f, &own); f++)
			owners += !memcmp(&own, key, sizeof(own));
	}
	return owners;
}

/* --- what is right ------------------------------------------------------------------------------- */

static inline bool are_backends_right(struct jn_object *const *all,
				      const struct jn_local_service *s)
{
	for (unsigned p = 0; p < s->port_count; p++) {
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

static inline bool is_slice_right(struct jn_object *const *all, const struct jn_object *o)
{
	const struct jn_endpoint_slice *s = &o->slice;

	for (unsigned p = 0; !is_foreign(o) && p < s->port_count; p++) {
		for (unsigned i = 0; s->ports[p].port && i < s->endpoint_count; i++) {
			struct jn_frontend_key key = jn_frontend_key_of(&s->endpoints[i].addr,
									s->ports[p].port,
									s->ports[p].proto);

			if (owners_of(all, &key))
				return false;
		}
	}
	return true;
}

static inline bool is_one_right(struct jn_object *const *all, unsigned index)
{
	const struct jn_object *o = all[index];
	struct jn_frontend_key key;

	if (index < SERVICES) {
		for (unsigned f = 0; get_frontend(o, f, &key); f++) {
			if (owners_of(all, &key) != 1)
				return false;
		}
	}
	for (unsigned i = 0; index < SERVICES && i < index; i++) {
		if (all[i] && !strcmp(names[i], names[index]))
			return false;
	}
	for (unsigned i = FIRST_POLICY; index < FIRST_SLICE && i < index; i++) {
		if (all[i] && !strcmp(all[i]->policy.target, o->policy.target) &&
		    !strcmp(all[i]->policy.port, o->policy.port))
			return false;
	}
	if (index < FIRST_CLUSTER)
		return are_backends_right(all, &o->service);
	return o->key.kind != JN_KIND_ENDPOINT_SLICE || is_slice_right(all, o);
}

/* Is a state of this kind without a conflict? */
static inline bool is_right(struct jn_object *const *all)
{
	for (unsigned i = 0; i < KEYS; i++) {
		if (all[i] && !is_one_right(all, i))
			return false;
	}
	return true;
}

/* --- endpoints ----------------------------------------------------------------------------------- */

/* The policy of a service's port: one of its own wins over one for all. */
static inline const struct jn_traffic_policy *policy_of(const struct jn_object *o, const char *port)
{
	const struct jn_traffic_policy *found = NULL;

	for (unsigned i = FIRST_POLICY; i < FIRST_SLICE; i++) {
		const struct jn_traffic_policy *p = declared[i] ? &declared[i]->policy : NULL;

		if (!p || p->target_kind != o->key.kind || strcmp(p->target, o->key.name) != 0)
			continue;
		if (!strcmp(p->port, port))
			return p;
		if (!*p->port)
			found = p;
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

/* One endpoint of a Service, as all slices together have it. */
struct pod {
	struct jn_addr addr;
	uint16_t port;
	const struct jn_slice_endpoint *said; /* by the slice that says most for it */
	bool is_here, is_used;
};

static inline bool is_last(const struct jn_slice_endpoint *e)
{
	return !e->is_ready && e->is_serving && e->is_terminating;
}

static inline void add_pod(struct pod *pods_, unsigned *count, const struct jn_slice_endpoint *e,
			   uint16_t port)
{
	bool is_here = e->node && !strcmp(e->node, US);

	for (unsigned i = 0; i < *count; i++) {
		struct pod *p = &pods_[i];

		if (p->port != port || memcmp(&p->addr, &e->addr, sizeof(p->addr)) != 0)
			continue;
		p->is_here |= is_here;
		if ((e->is_ready && !p->said->is_ready) ||
		    (is_last(e) && !is_last(p->said) && !p->said->is_ready))
			p->said = e;
		return;
	}
	CHECK(*count < MOST_ENDPOINTS);
	pods_[(*count)++] = (struct pod){ e->addr, port, e, is_here, false };
}

static inline unsigned find_pods(const struct jn_object *o, unsigned port, bool is_v6,
				 struct pod *out)
{
	const struct jn_cluster_port *wanted = &o->cluster.ports[port];
	unsigned count = 0;

	for (unsigned i = FIRST_SLICE; i < FIRST_NODE; i++) {
		const struct jn_endpoint_slice *s = declared[i] ? &declared[i]->slice : NULL;

		if (!s || is_foreign(declared[i]) || strcmp(s->service, o->key.name) != 0 ||
		    (s->address_type == JN_ADDRESS_IPV6) != is_v6)
			continue;
		for (unsigned p = 0; p < s->port_count; p++) {
			if (strcmp(s->ports[p].name, wanted->name) != 0 ||
			    s->ports[p].proto != wanted->proto)
				continue;
			for (unsigned e = 0; s->ports[p].port && e < s->endpoint_count; e++)
				add_pod(out, &count, &s->endpoints[e], s->ports[p].port);
			break;
		}
	}
	return count;
}

static inline bool has_name(const char *list, unsigned count, const char *name)
{
	for (; count; count--, list += strlen(list) + 1) {
		if (!strcmp(list, name))
			return true;
	}
	return false;
}

static inline bool is_hinted(const struct jn_slice_endpoint *e, bool by_zone)
{
	const struct jn_object *node = declared[FIRST_NODE];
	const char *zone = node && node->labels.count ? node->labels.items[0].value : "";

	if (!e->hints)
		return false;
	return by_zone ? has_name(e->hints->zones, e->hints->zone_count, zone)
		       : has_name(e->hints->nodes, e->hints->node_count, US);
}

/* Do the hints of all ready ones say where to go, and one of them: here? */
static inline bool counts_hints(const struct pod *of, unsigned count, bool by_zone)
{
	bool is_one_here = false;

	for (unsigned i = 0; i < count; i++) {
		const struct jn_hints *hints = of[i].said->hints;

		if (!of[i].said->is_ready)
			continue;
		if (!hints || !(by_zone ? hints->zone_count : hints->node_count))
			return false;
		is_one_here |= is_hinted(of[i].said, by_zone);
	}
	return is_one_here;
}

/* Who takes new connections. Are there endpoints, and this node may use none of them? */
static inline bool choose_pods(struct pod *of, unsigned count, bool is_local)
{
	bool by_node = !is_local && counts_hints(of, count, false);
	bool by_zone = !is_local && !by_node && counts_hints(of, count, true);
	bool has_ready = false, has_any = false, has_used = false;

	for (unsigned i = 0; i < count; i++) {
		const struct jn_slice_endpoint *e = of[i].said;

		has_any |= e->is_ready || is_last(e);
		has_ready |= e->is_ready && (!is_local || of[i].is_here);
	}
	for (unsigned i = 0; i < count; i++) {
		const struct jn_slice_endpoint *e = of[i].said;

		of[i].is_used = has_ready ? e->is_ready : is_last(e);
		if (is_local)
			of[i].is_used &= of[i].is_here;
		if (has_ready && (by_node || by_zone))
			of[i].is_used &= is_hinted(e, by_zone);
		has_used |= of[i].is_used;
	}
	return has_any && !has_used;
}

/* --- what a port should be ----------------------------------------------------------------------- */

static inline void check_frontends(const struct jn_object *o, const char *name,
				   const struct jn_desired_port *d)
{
	const struct jn_traffic_policy *policy = policy_of(o, name);

	CHECK(!strcmp(d->name.name, o->key.name) && !strcmp(d->name.port_name, name));
	CHECK(d->algorithm == (policy ? policy->algorithm : JN_ALGORITHM_RANDOM));
	CHECK(d->no_endpoint_errno == (policy ? policy->no_endpoint_errno : ECONNREFUSED));
}

static inline void check_local(const struct jn_object *o, unsigned index,
			       const struct jn_desired_port *d)
{
	const struct jn_local_service *s = &o->service;
	struct jn_frontend_key key;

	check_frontends(o, s->ports[index].name, d);
	CHECK(d->name.kind == JN_NAME_LOCAL_SERVICE && d->name.proto == s->ports[index].proto);
	CHECK(d->frontend_count == s->address_count && d->endpoint_count == s->backend_count);
	for (unsigned a = 0; a < s->address_count; a++) {
		CHECK(get_frontend(o, index * s->address_count + a, &key));
		CHECK(!memcmp(&key, &d->frontends[a], sizeof(key)));
	}
	for (unsigned b = 0; b < s->backend_count; b++) {
		CHECK(!memcmp(&d->endpoints[b].addr, &s->backends[b].addr, sizeof(struct jn_addr)));
		CHECK(ntohs(d->endpoints[b].port) == jn_backend_port(s, &s->backends[b], index));
		CHECK(d->endpoints[b].weight == weight_of(s, b));
	}
}

static inline void check_pods(const struct pod *of, unsigned count,
			      const struct jn_desired_endpoint *found)
{
	for (unsigned i = 0; i < count; i++) {
		CHECK(!memcmp(&found[i].addr, &of[i].addr, sizeof(of[i].addr)));
		CHECK(ntohs(found[i].port) == of[i].port && found[i].weight == of[i].is_used);
	}
}

static inline void check_cluster(const struct jn_object *o, unsigned index,
				 const struct jn_desired_port *d)
{
	const struct jn_cluster_service *s = &o->cluster;
	const struct jn_traffic_policy *policy = policy_of(o, s->ports[index].name);
	const struct jn_affinity_spec *affinity =
		policy && policy->affinity.type != JN_AFFINITY_UNSAID ? &policy->affinity
								      : &s->affinity;
	unsigned stays = affinity->type == JN_AFFINITY_CLIENT_IP ? affinity->timeout_seconds : 0;
	unsigned seen = 0;
	bool is_bound = false;

	check_frontends(o, s->ports[index].name, d);
	CHECK(d->name.kind == JN_NAME_SERVICE && d->name.proto == s->ports[index].proto);
	CHECK(d->frontend_count == s->address_count && d->prefers_v6);
	for (unsigned a = 0; a < s->address_count; a++) {
		enum jn_family family = jn_family_of(&s->addresses[a]);
		struct jn_frontend_key key = jn_frontend_key_of(&s->addresses[a],
								s->ports[index].port,
								s->ports[index].proto);
		struct pod of[MOST_ENDPOINTS];
		unsigned count = find_pods(o, index, family == JN_FAMILY_V6, of);

		CHECK(!memcmp(&key, &d->frontends[a], sizeof(key)));
		CHECK(d->is_elsewhere[family] == choose_pods(of, count, s->is_local));
		CHECK(seen + count <= d->endpoint_count);
		check_pods(of, count, d->endpoints + seen);
		seen += count;
		is_bound |= jn_addr_is_loopback(&s->addresses[a]);
	}
	CHECK(seen == d->endpoint_count);
	for (unsigned i = 0; i < seen; i++)
		is_bound |= jn_addr_is_loopback(&d->endpoints[i].addr);
	CHECK(d->is_bound == is_bound && d->rules.affinity_seconds == stays);
}

/* Everything that a service should ask of the kernel, and no more. */
static inline void check_desired(const struct jn_object *o, const struct jn_desired *d)
{
	const struct jn_cluster_service *c = &o->cluster;
	unsigned count = 0;

	if (o->key.kind == JN_KIND_LOCAL_SERVICE) {
		CHECK(d->port_count == o->service.port_count);
		for (unsigned p = 0; p < d->port_count; p++)
			check_local(o, p, &d->ports[p]);
		return;
	}
	for (unsigned p = 0; c->address_count && !is_foreign(o) && p < c->port_count; p++) {
		if (c->ports[p].proto == IPPROTO_SCTP)
			continue;
		CHECK(count < d->port_count);
		check_cluster(o, p, &d->ports[count++]);
	}
	CHECK(count == d->port_count);
}

#endif
