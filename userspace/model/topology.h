/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which endpoints of a Service this node uses: the rules of kube-proxy, on plain values. Pure.
 *
 * Policy Cluster: the ready endpoints that the topology allows; where that is none, those of any
 * node that are serving and terminating. Policy Local: the ready ones on this node; where there is
 * none, the serving and terminating ones on this node. Topology: endpoints that are for this node,
 * if every ready one says for which nodes it is and one is for this; else the same with zones; else
 * all.
 */
#ifndef JUNCTOR_MODEL_TOPOLOGY_H
#define JUNCTOR_MODEL_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

#include "model/model.h"

struct jn_candidate {
	struct jn_addr addr;
	uint16_t port; /* host order */
	bool is_ready, is_serving, is_terminating;
	bool is_local;		      /* it is on this node */
	const struct jn_hints *hints; /* NULL: none */
	bool is_used;		      /* the answer: it takes new connections from this node */
};

/* Fills is_used of each. Is there any endpoint that this or another node may use? */
bool jn_topology_choose(struct jn_candidate *items, unsigned count, bool is_local_only,
			const struct jn_here *here);

#endif
