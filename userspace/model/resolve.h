/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one object asks of the kernel, port by port: the endpoint rules. Pure.
 */
#ifndef JUNCTOR_MODEL_RESOLVE_H
#define JUNCTOR_MODEL_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>
#include <junctor/decide/address.h>

#include "model/model.h"

/* A set's families: VIPs of one family share a set. */
enum jn_family { JN_FAMILY_V4, JN_FAMILY_V6, JN_FAMILY_MAX };

static inline enum jn_family jn_family_of(const struct jn_addr *addr)
{
	return jn_addr_is_v4(addr) ? JN_FAMILY_V4 : JN_FAMILY_V6;
}

struct jn_desired_endpoint {
	struct jn_addr addr;
	__be16 port;
	uint16_t weight; /* 0: takes no new connection */
};

/* A service as the kernel knows it: one port of one object. */
struct jn_desired_port {
	struct jn_name name;
	struct jn_frontend_key *frontends;
	unsigned frontend_count;
	struct jn_desired_endpoint *endpoints; /* in declared order */
	unsigned endpoint_count;
	bool is_bound;	 /* a loopback address in it: only for junctord's own network namespace */
	bool prefers_v6; /* an IPv6 VIP reaches IPv6 only: see jn_desired_allows */
	bool is_elsewhere[JN_FAMILY_MAX]; /* endpoints, but none that this node may use */
	enum jn_algorithm algorithm;
	size_t maglev_most; /* see jn_maglev_most */
	uint16_t no_endpoint_errno;
	struct jn_rules rules;
	int32_t drain_seconds;	  /* or JN_NEVER_DRAINED */
	struct jn_probe *probe;	  /* a reference, or NULL */
	uint8_t max_down_percent; /* of the endpoints, by probes */
};

struct jn_desired {
	struct jn_desired_port *ports;
	unsigned port_count;
};
void jn_desired_done(struct jn_desired *desired);

/*
 * Resolve a LocalService with the policies that are staged or kept. Which backends take new
 * connections: the ready ones that are not terminating and have a weight; where there is none of
 * them, the terminating ones that are still ready. A Service: see topology.h. 0 or -ENOMEM.
 */
int jn_resolve(const struct jn_model *m, const struct jn_object *service, struct jn_desired *out);

/* Has it a VIP of this family? */
bool jn_desired_has_family(const struct jn_desired_port *port, enum jn_family family);

/* The policy of this port of a service: its own, else that of all ports; NULL: there is none. */
const struct jn_object *jn_resolve_policy_of(const struct jn_model *m,
					     const struct jn_object_key *service,
					     const char *port_name);

/*
 * May this endpoint stand in the set of that VIP family? An IPv4 VIP reaches IPv4 only; an IPv6 VIP
 * reaches both, except over UDP when the service has a usable IPv6 endpoint: an unconnected IPv6
 * socket cannot be sent to an IPv4 address (the kernel answers ENOTSUPP). The families of a Service
 * stay apart, as in Kubernetes.
 */
bool jn_desired_allows(const struct jn_desired_port *port, enum jn_family vip_family,
		       const struct jn_desired_endpoint *endpoint);

#endif
