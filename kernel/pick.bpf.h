/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a revision to the id of one endpoint.
 */
#ifndef JUNCTOR_KERNEL_PICK_H
#define JUNCTOR_KERNEL_PICK_H

#include <junctor/decide/address.h>

#include "decide.bpf.h"
#include "maps.bpf.h"

/* An endpoint if it is this service's, else NULL. */
static inline const struct jn_endpoint *jn_endpoint_at(__u32 id, __u32 service)
{
	const struct jn_endpoint *endpoint = bpf_map_lookup_elem(&jn_endpoints, &id);

	return endpoint && endpoint->service == service ? endpoint : NULL;
}

static inline bool jn_is_reached(enum jn_reach reach, const struct jn_addr *addr)
{
	if (reach == JN_REACH_BOTH)
		return true;
	return jn_addr_is_v4(addr) == (reach == JN_REACH_V4);
}

/* NULL: gone, of another service, or out of reach. */
static inline const struct jn_endpoint *jn_get_endpoint(__u32 id, __u32 service,
							enum jn_reach reach)
{
	const struct jn_endpoint *endpoint = jn_endpoint_at(id, service);

	return endpoint && jn_is_reached(reach, &endpoint->addr) ? endpoint : NULL;
}

/* Where a revision asks more than a slot: an endpoint's id, with TRIAL maybe; or one of these. */
#define JN_PICK_DAMAGED 0
#define JN_PICK_FULL 0xffffffff
#define JN_PICK_TRIAL 0x80000000
__u32 jn_pick_carefully(const struct jn_frontend *frontend, const struct jn_revision *revision,
			const struct jn_call *call);

#endif
